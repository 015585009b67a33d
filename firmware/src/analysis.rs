//! One picture, from bytes to verdict: decode, judge its quality, run the model, decide.

use std::path::Path;

use image::RgbImage;
use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::{ArtifactError, EngineConfig, EngineInfo, Manifest, Model};
use smearscope_hardware::{Frame, Pixels};

use crate::quality::{Quality, QualityGate};
use crate::verdict::{Reason, Verdict};

/// A verified model with the gate in front of it.
pub struct Analyst {
    model: Model,
    gate: QualityGate,
    limits: Limits,
}

/// What came out for one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// The verdict.
    pub verdict: Verdict,
    /// Calibrated probability of the positive class, 0 to 1; `None` where the model was not asked.
    pub probability: Option<f32>,
    /// What the gate measured.
    pub quality: Quality,
}

/// Why a picture could not be analysed.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// The picture cannot be used, or the engine failed.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The camera's buffer is not what it says.
    #[error("the camera gave {bytes} bytes for {width} × {height} pixels; press again")]
    WrongSize {
        /// Bytes in the buffer.
        bytes: usize,
        /// Pixels per row that the camera claims.
        width: u32,
        /// Rows that the camera claims.
        height: u32,
    },
}

impl Analyst {
    /// Loads and verifies a model; only an analyst with a model that passed exists.
    ///
    /// # Errors
    /// Those of [`Model::load`].
    pub fn load(
        model: &Path,
        engine: &EngineConfig,
        limits: Limits,
    ) -> Result<Self, ArtifactError> {
        Ok(Self {
            model: Model::load(model, engine)?,
            gate: QualityGate::default(),
            limits,
        })
    }

    /// The verified model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The model's manifest.
    pub fn manifest(&self) -> &Manifest {
        self.model.manifest()
    }

    /// The engine and device that really run.
    pub fn engine(&self) -> &EngineInfo {
        self.model.engine()
    }

    /// Analyses an image file.
    ///
    /// # Errors
    /// [`AnalysisError`] if it is not a whole image within the limits, or the engine fails.
    pub fn analyse_file(&mut self, path: &Path) -> Result<Analysis, AnalysisError> {
        let image = decode::read(path, &self.limits)?;
        self.analyse(&image)
    }

    /// Analyses a camera's frame.
    ///
    /// # Errors
    /// As [`Analyst::analyse_file`].
    pub fn analyse_frame(&mut self, frame: Frame) -> Result<Analysis, AnalysisError> {
        let image = match frame.pixels {
            Pixels::Encoded(bytes) => decode::decode(&bytes, &self.limits)?,
            Pixels::Rgb8 {
                width,
                height,
                data,
            } => {
                let bytes = data.len();
                // `from_raw` alone would take a longer buffer, of which the rest is who knows what.
                RgbImage::from_raw(width, height, data)
                    .filter(|image| image.as_raw().len() == image.pixels().len() * 3)
                    .ok_or(AnalysisError::WrongSize {
                        bytes,
                        width,
                        height,
                    })?
            }
        };
        self.analyse(&image)
    }

    fn analyse(&mut self, image: &RgbImage) -> Result<Analysis, AnalysisError> {
        let (quality, problem) = self.gate.assess(image);
        if let Some(problem) = problem {
            return Ok(Analysis {
                verdict: Verdict::Inconclusive(Reason::Quality(problem)),
                probability: None,
                quality,
            });
        }
        let inference = self.model.infer(image)?;
        let decision = self.model.manifest().decision.decide(inference.margin);
        Ok(Analysis {
            verdict: Verdict::of(&decision),
            probability: Some(decision.probability),
            quality,
        })
    }
}
