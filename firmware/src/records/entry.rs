//! The contents of rows.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use smearscope_artifacts::{SlideRule, Verdict};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::analysis::picture_scale::PictureScale;
use crate::analysis::slide::SlideSummary;
use crate::records::camera_entry::CameraEntry;
use crate::records::cells_entry::{CountEntry, CountRuleEntry};
use crate::records::error::RecordsError;
use crate::records::layout::IMAGES;
use crate::report::picture::Figure;
use crate::system::clock::ClockState;

/// A slide, recorded with its first field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SlideEntry {
    /// Its UUID, version 7.
    #[schema(value_type = String, format = "uuid")]
    pub id: Uuid,
    /// The number on the screen, which goes on after a restart; 0 for uploaded images.
    pub number: u32,
    /// When its first field was captured (RFC 3339, UTC).
    #[schema(format = DateTime)]
    pub started_at: String,
}

/// A field of view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FieldEntry {
    /// Its UUID, version 7.
    #[schema(value_type = String, format = "uuid")]
    pub id: Uuid,
    /// The id of its slide.
    #[schema(value_type = String, format = "uuid")]
    pub slide: Uuid,
    /// Number of the field within the slide, from 1.
    pub number: u32,
    /// When it was captured (RFC 3339, UTC), by the appliance's clock.
    #[schema(format = DateTime)]
    pub captured_at: String,
    /// What was known about that clock; null in rows of earlier versions.
    #[serde(default)]
    #[schema(required)]
    pub clock: Option<ClockState>,
    /// The device or file that delivered the image.
    pub source: String,
    /// Of this field alone.
    pub verdict: Verdict,
    /// Why the verdict is inconclusive; null for other verdicts.
    #[schema(required)]
    pub reason: Option<String>,
    /// Calibrated probability of the positive class, 0 to 1; null if the model was not run.
    #[schema(required, minimum = 0, maximum = 1)]
    pub probability: Option<f32>,
    /// Calibrated log-odds of the positive class; null if the model was not run.
    #[schema(required)]
    pub log_odds: Option<f32>,
    /// Lowest probability of a positive verdict outside the inconclusive band; null if cells are counted.
    #[schema(required)]
    pub threshold: Option<f32>,
    /// The inconclusive band: a probability strictly between these two decides nothing, for a field or a slide. Null in
    /// rows of earlier versions.
    #[serde(default)]
    #[schema(required)]
    pub inconclusive_band: Option<[f32; 2]>,
    /// Whether the model's probabilities are calibrated, not the network's own; null in rows of earlier versions.
    #[serde(default)]
    #[schema(required)]
    pub calibrated: Option<bool>,
    /// How the log-odds of the slide's fields were combined; null if cells are counted, and in rows of earlier versions.
    #[serde(default)]
    #[schema(required)]
    pub slide_rule: Option<SlideRuleEntry>,
    /// The count of this field's cells; null if they were not counted, and in rows of earlier versions.
    #[serde(default)]
    #[schema(required)]
    pub count: Option<CountEntry>,
    /// How counts become verdicts; null if whole fields are judged.
    #[serde(default)]
    #[schema(required)]
    pub count_rule: Option<CountRuleEntry>,
    /// The scale of the picture; null if it is unknown, and in rows of earlier versions of models that judge whole fields.
    #[serde(default)]
    #[schema(required)]
    pub scale: Option<PictureScale>,
    /// How the picture was taken, and by which calibration it was corrected; null if nothing is known of it, and in rows of
    /// earlier versions.
    #[serde(default)]
    #[schema(required)]
    pub camera: Option<CameraEntry>,
    /// Measurements of the quality gate: the value of each, its limit, and whether it passed.
    #[schema(value_type = std::collections::BTreeMap<String, Figure>)]
    pub quality: serde_json::Value,
    /// Summary of the slide including this field.
    pub standing: SlideSummaryEntry,
    /// Which model judged it.
    pub model: ModelEntry,
    /// The engine that ran the model.
    pub engine: EngineEntry,
    /// Duration of each stage.
    pub elapsed_ms: ElapsedEntry,
    /// The file as the camera delivered it, or a PNG of the pixels if it delivers no files. EXIF data are added if a camera took
    /// it and gave none of its own; images from elsewhere stay as they are.
    pub image: ImageEntry,
    /// The image with the evidence drawn on it; null if the model gives none.
    #[schema(required)]
    pub overlay: Option<ImageEntry>,
}

/// How the log-odds of a slide's fields are combined: their mean, each capped at 99:1, times the effective number of
/// independent fields, n / (1 + (n - 1) correlation).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = SlideRule)]
pub struct SlideRuleEntry {
    /// Smallest number of fields for a verdict.
    pub min_fields: u32,
    /// Correlation of the log-odds of fields of a slide.
    pub correlation: f32,
}

impl From<SlideRule> for SlideRuleEntry {
    fn from(rule: SlideRule) -> Self {
        Self {
            min_fields: rule.min_fields,
            correlation: rule.correlation,
        }
    }
}

/// Verdict and counts of a slide, as they are recorded and as the network gets them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SlideSummaryEntry {
    /// Of all fields of the slide so far.
    pub verdict: Verdict,
    /// Why the verdict is inconclusive; null for other verdicts.
    #[schema(required)]
    pub reason: Option<String>,
    /// Calibrated probability of the positive class, 0 to 1; null while there are too few fields, and if cells are counted.
    #[schema(required, minimum = 0, maximum = 1)]
    pub probability: Option<f32>,
    /// The cells of all fields, each once; null if whole fields are judged.
    #[serde(default)]
    #[schema(required)]
    pub count: Option<CountEntry>,
    /// Number of leukocytes that more than one field shows, beyond the first time; they are counted once.
    #[serde(default)]
    #[schema(required)]
    pub seen_again: u32,
    /// Number of fields that count: the model judged them, or found at least one leukocyte.
    pub fields: u32,
    /// Number of fields that say nothing: the quality gate refused them, or no leukocyte could be counted.
    pub refused: u32,
    /// Number of fields that could not be recorded and do not count; 0 in rows of earlier versions.
    #[serde(default)]
    #[schema(required)]
    pub unsaved: u32,
}

impl From<&SlideSummary> for SlideSummaryEntry {
    fn from(summary: &SlideSummary) -> Self {
        Self {
            verdict: summary.judgement.verdict(),
            reason: summary.judgement.reason().map(|reason| reason.to_string()),
            probability: summary.probability,
            count: summary.count.as_ref().map(CountEntry::new),
            seen_again: summary.seen_again,
            fields: summary.fields,
            refused: summary.refused,
            unsaved: summary.unsaved,
        }
    }
}

/// The model that judged a field, as its manifest describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelEntry {
    /// Such as `smear-demo`.
    pub name: String,
    /// Such as `0.2.0` (Semantic Versioning).
    pub version: String,
    /// SHA-256 of its manifest, which contains the SHA-256 of its files.
    pub manifest_sha256: String,
    /// Whether it is a demonstration model.
    pub demo: bool,
}

/// An inference engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EngineEntry {
    /// Such as `OpenVINO`.
    pub name: String,
    /// As the engine tells it.
    pub version: String,
    /// The device that ran the model.
    pub device: String,
}

/// Duration of each stage in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ElapsedEntry {
    /// Capture by the camera.
    pub capture: f64,
    /// Decoding and quality gate.
    pub preparation: f64,
    /// The part of the preparation that decoding took; absent from records of versions that did not measure it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoding: Option<f64>,
    /// Inference; null if the model was not run.
    #[schema(required)]
    pub inference: Option<f64>,
    /// The part of the inference that the search for cells and scale took; the rest looks at each cell. Absent unless the
    /// model counts cells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<f64>,
    /// Adding the field to its slide, so that each cell counts once; absent from records of versions that did not
    /// measure it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counting: Option<f64>,
    /// Writing and syncing the images, without the commit of the row that contains this figure.
    pub storing: f64,
}

/// An image of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageEntry {
    /// Path relative to the state folder.
    pub path: String,
    /// SHA-256 of the file, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// An export of a field with its images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ExportEntry {
    pub(super) field: Uuid,
    pub(super) exported_at: String,
}

/// A removal of a field's images by retention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RemovalEntry {
    pub(super) field: Uuid,
    pub(super) removed_at: String,
    pub(super) reason: RemovalReason,
}

/// Why images were removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RemovalReason {
    /// They were older than `keep_days`.
    Age,
    /// To free disk space.
    Space,
}

/// A note on a slide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = NoteRecord)]
pub struct NoteEntry {
    /// The slide's id.
    #[schema(value_type = String, format = "uuid")]
    pub slide: Uuid,
    /// When it was written (RFC 3339, UTC), by the appliance's clock.
    #[schema(format = DateTime)]
    pub written_at: String,
    /// What the person wrote.
    pub text: String,
}

/// The end of a slide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ClosingEntry {
    pub(super) slide: Uuid,
    pub(super) closed_at: String,
    /// What was known about that clock; `None` in rows of earlier versions.
    #[serde(default)]
    pub(super) clock: Option<ClockState>,
    pub(super) reason: ClosingReason,
}

/// Why a slide was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClosingReason {
    /// The operator closed it, or switched the appliance off.
    Operator,
    /// It had as many fields as a slide may have (`timing.slide_fields`).
    Full,
    /// The program ended while it was open, for example by a power cut; it was closed at the next start.
    Restart,
}

impl ImageEntry {
    /// The image's path in a state folder.
    ///
    /// # Errors
    /// [`RecordsError::Mismatch`] for a path outside the folder of images, which only a forged row contains.
    pub(super) fn file(&self, folder: &Path) -> Result<PathBuf, RecordsError> {
        let parts: Vec<_> = Path::new(&self.path).components().collect();
        match parts[..] {
            [
                Component::Normal(images),
                Component::Normal(_),
                Component::Normal(_),
            ] if images == IMAGES => Ok(folder.join(&self.path)),
            _ => Err(RecordsError::Mismatch {
                problem: format!("a row contains the invalid image path {:?}", self.path),
            }),
        }
    }
}

impl FieldEntry {
    /// Its image and, if any, its overlay.
    pub fn images(&self) -> impl Iterator<Item = &ImageEntry> {
        std::iter::once(&self.image).chain(&self.overlay)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::system::time::utc;

    #[test]
    fn image_paths_stay_inside_the_folder() {
        let file = |path: &str| {
            let sha256 = String::new();
            let path = path.to_owned();
            ImageEntry { path, sha256 }.file(Path::new("/state"))
        };
        assert_eq!(
            file("images/slide/field.jpg").unwrap(),
            Path::new("/state/images/slide/field.jpg")
        );
        for path in [
            "images/../../victim",
            "/etc/passwd",
            "images/field.jpg",
            "images/a/b/c",
            "../images/a/b",
            "models/a/b",
        ] {
            assert!(
                matches!(file(path), Err(RecordsError::Mismatch { .. })),
                "{path}"
            );
        }
    }

    #[test]
    fn times_sort_as_text() {
        let times =
            [0, 1_000, 1_500, 2_000].map(|ms| utc(Timestamp::from_millisecond(ms).unwrap()));
        assert_eq!(times[2], "1970-01-01T00:00:01.500Z");
        assert!(times.is_sorted());
    }
}
