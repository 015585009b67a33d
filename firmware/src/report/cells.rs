//! The cells of an image, and the count of a slide, on the command line.

use std::collections::BTreeMap;

use serde::Serialize;
use smearscope_artifacts::{
    Cell, CellFigures, CellsModel, CountDecision, Manifest, Scale, Verdict,
};

use crate::analysis::cells::{CellAnalysis, CellAnalyst};
use crate::analysis::quality::Quality;
use crate::analysis::verdict::{Judgement, Reason};
use crate::report::answer::Said;

/// The result for an image whose cells were looked at.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CellsAnswer {
    /// Of this image alone.
    pub(crate) verdict: Verdict,
    /// Why the verdict is inconclusive; null otherwise.
    reason: Option<String>,
    /// What to do about it; null unless the verdict is inconclusive.
    hint: Option<&'static str>,
    /// Null if the picture was refused or its scale is unknown.
    count: Option<CountAnswer>,
    /// Size of a pixel; null if it is unknown.
    scale: Option<ScaleAnswer>,
    /// What was found, the surest first.
    cells: Vec<CellAnswer>,
    quality: Quality,
    engine: &'static str,
    device: String,
    #[serde(flatten)]
    by: ByModel,
    elapsed_ms: f64,
}

/// The model that looked.
#[derive(Debug, Clone, Serialize)]
struct ByModel {
    /// Name and version.
    model: String,
    /// Whether its verdicts mean nothing.
    demo: bool,
}

impl From<&Manifest<CellsModel>> for ByModel {
    fn from(manifest: &Manifest<CellsModel>) -> Self {
        Self {
            model: format!("{} {}", manifest.name, manifest.version),
            demo: manifest.demo,
        }
    }
}

/// A count of leukocytes, with the rule that decides.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CountAnswer {
    /// Leukocytes, blasts among them.
    cells: u32,
    blasts: u32,
    /// Leukocytes that are in neither number, because nothing can be said of them.
    unclear: u32,
    /// Share of blasts, 0 to 1, with the errors of the networks taken out; null if there is none.
    share: Option<f64>,
    /// Its 95 % interval.
    interval: [f64; 2],
    /// Positive above, negative below.
    deciding_share: f64,
    /// Number of cells that a negative verdict needs.
    min_cells: u32,
    #[serde(skip)]
    words: String,
}

/// The size of a pixel.
#[derive(Debug, Clone, Serialize)]
struct ScaleAnswer {
    um_per_pixel: f32,
    /// `stated`, or `red cells`.
    source: &'static str,
    /// Number of red cells that gave it, and the spread of their diameters; null if it was stated.
    red_cells: Option<u32>,
    spread: Option<f32>,
}

/// A cell of an image.
#[derive(Debug, Clone, Serialize)]
struct CellAnswer {
    /// Column and row of its centre in pixels.
    x: f32,
    y: f32,
    diameter_um: f32,
    class: String,
    /// What it counts as: `blast`, `other_leukocyte`, or nothing: `artefact`, `novel`, `contradictory`.
    call: &'static str,
    probabilities: BTreeMap<String, f32>,
    figures: Option<CellFigures>,
}

/// The count of a slide.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SlideAnswer {
    /// The folder of its fields.
    pub(crate) slide: String,
    pub(crate) verdict: Verdict,
    reason: Option<String>,
    hint: Option<&'static str>,
    /// Images that were counted, and those that were not, because they were refused or could not be read.
    fields: usize,
    refused: usize,
    count: CountAnswer,
    /// Leukocytes that an image shows again after another one, and that are counted once.
    seen_again: usize,
    #[serde(flatten)]
    by: ByModel,
}

/// The images of a slide.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SlideImages {
    /// Images that were counted.
    pub(crate) fields: usize,
    /// Images that were not.
    pub(crate) refused: usize,
    /// Leukocytes that were seen again.
    pub(crate) seen_again: usize,
}

impl CellsAnswer {
    /// The answer for an analysis by `analyst` that took `elapsed_ms`.
    pub(crate) fn new(analyst: &CellAnalyst, analysis: &CellAnalysis, elapsed_ms: f64) -> Self {
        let (manifest, engine) = (analyst.manifest(), analyst.engine());
        let cells = analysis.cells.as_ref();
        let decision = analysis.decision.as_ref();
        Self {
            verdict: analysis.judgement.verdict(),
            reason: analysis.explanation(),
            hint: analysis.judgement.reason().map(|reason| reason.hint()),
            count: decision.map(|decision| CountAnswer::new(decision, &manifest.model)),
            scale: cells.and_then(|cells| Some(cells.scale.ok()?.into())),
            cells: cells
                .iter()
                .flat_map(|cells| &cells.cells)
                .map(|cell| CellAnswer::new(cell, &manifest.model))
                .collect(),
            quality: analysis.quality.clone(),
            engine: engine.engine,
            device: engine.device.clone(),
            by: manifest.into(),
            elapsed_ms,
        }
    }

    /// The part that is shown to people.
    pub(crate) fn said(&self) -> Said<'_> {
        Said {
            verdict: self.verdict,
            result: words(self.count.as_ref()),
            reason: self.reason.as_deref(),
            hint: self.hint,
        }
    }
}

impl CountAnswer {
    fn new(decision: &CountDecision, model: &CellsModel) -> Self {
        Self {
            cells: decision.count.cells,
            blasts: decision.count.blasts,
            unclear: decision.count.unclear,
            share: Some(decision.share).filter(|share| share.is_finite()),
            interval: decision.interval,
            deciding_share: model.count.share,
            min_cells: decision.min_cells,
            words: decision.words(),
        }
    }
}

fn words(count: Option<&CountAnswer>) -> String {
    count.map_or_else(|| "-".into(), |count| count.words.clone())
}

impl From<Scale> for ScaleAnswer {
    fn from(scale: Scale) -> Self {
        let measured = match scale {
            Scale::Given(_) => None,
            Scale::Measured(measured) => Some(measured),
        };
        Self {
            um_per_pixel: scale.um_per_pixel(),
            source: measured.map_or("stated", |_| "red cells"),
            red_cells: measured.map(|measured| measured.cells),
            spread: measured.map(|measured| measured.spread),
        }
    }
}

impl CellAnswer {
    fn new(cell: &Cell, model: &CellsModel) -> Self {
        let classes = &model.cell.classes;
        let class = classes.get(cell.class).map(|class| class.name.clone());
        let probabilities = classes.iter().zip(&cell.probabilities);
        Self {
            x: cell.site.x,
            y: cell.site.y,
            diameter_um: cell.diameter_um,
            class: class.unwrap_or_default(),
            call: cell.call.name(),
            probabilities: probabilities
                .map(|(class, probability)| (class.name.clone(), *probability))
                .collect(),
            figures: cell.figures,
        }
    }
}

impl SlideAnswer {
    /// The answer for the images of a folder.
    pub(crate) fn new(
        slide: String,
        images: SlideImages,
        decision: &CountDecision,
        manifest: &Manifest<CellsModel>,
    ) -> Self {
        let judgement = if images.fields == 0 {
            Judgement::inconclusive(Reason::TooFewFields(1))
        } else {
            Judgement::of_count(decision)
        };
        let reason = judgement.reason();
        Self {
            slide,
            verdict: judgement.verdict(),
            reason: reason.map(|reason| reason.to_string()),
            hint: reason.map(|reason| reason.hint()),
            fields: images.fields,
            refused: images.refused,
            count: CountAnswer::new(decision, &manifest.model),
            seen_again: images.seen_again,
            by: manifest.into(),
        }
    }

    /// The part that is shown to people.
    pub(crate) fn said(&self) -> Said<'_> {
        Said {
            verdict: self.verdict,
            result: words(Some(&self.count)),
            reason: self.reason.as_deref(),
            hint: self.hint,
        }
    }
}
