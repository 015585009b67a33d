//! Analyses one picture with a model that counts cells: decodes it, checks its quality, finds its leukocytes and looks at
//! each.

use std::path::Path;

use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::{
    ArtifactError, CellCounter, CellsModel, CountDecision, EngineInfo, FieldCells, Manifest,
    NoScale,
};

use crate::analysis::quality::{Quality, QualityGate};
use crate::analysis::verdict::{Judgement, Reason};

/// A verified model that counts cells, and the quality gate before it.
pub(crate) struct CellAnalyst {
    counter: CellCounter,
    gate: QualityGate,
    limits: Limits,
    /// Size of a pixel, µm; without it, red cells are the ruler.
    um_per_pixel: Option<f32>,
}

/// The cells of a picture, and what they say on their own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CellAnalysis {
    pub(crate) judgement: Judgement,
    /// Quality figures with their limits, also of a picture that the gate refused.
    pub(crate) quality: Quality,
    /// The cells of this picture alone; `None` if the gate refused it.
    pub(crate) cells: Option<FieldCells>,
    /// What this picture's cells give; `None` if they were not counted.
    pub(crate) decision: Option<CountDecision>,
}

impl CellAnalyst {
    /// An analyst of pictures within `limits`, whose pixels have this size.
    pub(crate) fn new(counter: CellCounter, limits: Limits, um_per_pixel: Option<f32>) -> Self {
        Self {
            counter,
            gate: QualityGate::default(),
            limits,
            um_per_pixel,
        }
    }

    pub(crate) fn manifest(&self) -> &Manifest<CellsModel> {
        self.counter.manifest()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The engine and device that run the model.
    pub(crate) fn engine(&self) -> &EngineInfo {
        self.counter.engine()
    }

    /// Analyses an image file.
    ///
    /// # Errors
    /// [`ArtifactError`] if the file is not a complete image within the limits, or the engine fails.
    pub(crate) fn analyse_file(&mut self, path: &Path) -> Result<CellAnalysis, ArtifactError> {
        let bytes = decode::read_bytes(path, &self.limits)?;
        let picture = self
            .counter
            .decode(&bytes, &self.limits, self.um_per_pixel)?;
        let quality = self.gate.assess(&picture, None);
        if let Some(failure) = quality.failure() {
            return Ok(CellAnalysis {
                judgement: Judgement::inconclusive(Reason::Quality(failure.problem)),
                quality,
                cells: None,
                decision: None,
            });
        }
        let cells = self.counter.analyse_picture(&picture, self.um_per_pixel)?;
        let (judgement, decision) = match cells.scale {
            Ok(_) => {
                let decision = self.manifest().model.count.decide(cells.count());
                (Judgement::of_count(&decision), Some(decision))
            }
            Err(problem) => (Judgement::inconclusive(problem.into()), None),
        };
        Ok(CellAnalysis {
            judgement,
            quality,
            cells: Some(cells),
            decision,
        })
    }
}

impl From<NoScale> for Reason {
    fn from(problem: NoScale) -> Self {
        match problem {
            NoScale::TooCoarse { .. } => Self::TooCoarse,
            NoScale::Impossible { .. } => Self::ImpossibleScale,
            NoScale::Unknown(_) | NoScale::NoRuler => Self::UnknownScale,
        }
    }
}

impl CellAnalysis {
    /// Why the verdict is inconclusive, with what failed; `None` for a positive or negative verdict.
    pub(crate) fn explanation(&self) -> Option<String> {
        let reason = self.judgement.reason()?;
        let no_scale = self.cells.as_ref().and_then(|cells| cells.scale.err());
        Some(match (self.quality.failure(), no_scale) {
            (Some(figure), _) => format!("{reason} ({figure})"),
            (None, Some(problem)) => problem.to_string(),
            (None, None) => reason.to_string(),
        })
    }
}
