//! What the rows say.

use smearscope_artifacts::Verdict;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::analysis::slide::SlideSummary;
use crate::records::IMAGES;

use crate::records::RecordsError;
use crate::report::picture::Figure;

/// A slide, written with its first field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SlideEntry {
    /// Its UUID, version 7.
    #[schema(value_type = String, format = "uuid")]
    pub id: Uuid,
    /// The number on the screen: from 1 since the appliance was started; 0 of an image that was sent to it.
    pub number: u32,
    /// When its first field was photographed ([`utc`]).
    pub started_at: String,
}

/// A field of view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FieldEntry {
    /// Its UUID, version 7.
    #[schema(value_type = String, format = "uuid")]
    pub id: Uuid,
    /// The slide's.
    #[schema(value_type = String, format = "uuid")]
    pub slide: Uuid,
    /// Which field of the slide, from 1.
    pub number: u32,
    /// When it was photographed ([`utc`]), by the appliance's clock.
    pub captured_at: String,
    /// The device or file that it came from.
    pub source: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is inconclusive, if it is.
    #[schema(required)]
    pub reason: Option<String>,
    /// Calibrated probability of the positive class, 0 to 1; none where the model was not asked.
    #[schema(required, minimum = 0, maximum = 1)]
    pub probability: Option<f32>,
    /// Calibrated log-odds of the positive class; none where the model was not asked.
    #[schema(required)]
    pub log_odds: Option<f32>,
    /// Probability from which on a verdict is positive.
    pub threshold: f32,
    /// What the quality gate measured: per figure its value, its limit and whether it passed.
    #[schema(value_type = std::collections::BTreeMap<String, Figure>)]
    pub quality: serde_json::Value,
    /// What the slide came to with this field.
    pub standing: SlideSummaryEntry,
    /// The model that was asked.
    pub model: ModelEntry,
    /// What ran it.
    pub engine: EngineEntry,
    /// How long it took.
    pub elapsed_ms: ElapsedEntry,
    /// The picture.
    pub image: ImageEntry,
    /// The picture under its evidence, if the model gives any.
    #[schema(required)]
    pub overlay: Option<ImageEntry>,
}

/// What a slide came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SlideSummaryEntry {
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is inconclusive, if it is.
    #[schema(required)]
    pub reason: Option<String>,
    /// Calibrated probability of the positive class, 0 to 1; none while there are too few fields.
    #[schema(required, minimum = 0, maximum = 1)]
    pub probability: Option<f32>,
    /// Fields that the model judged.
    pub fields: u32,
    /// Fields that it was not asked about.
    pub refused: u32,
    /// Fields that could not be recorded, and count for nothing; rows of earlier versions do not tell.
    #[serde(default)]
    pub unsaved: u32,
}

impl From<&SlideSummary> for SlideSummaryEntry {
    fn from(summary: &SlideSummary) -> Self {
        Self {
            verdict: summary.judgement.verdict(),
            reason: summary.judgement.reason().map(|reason| reason.to_string()),
            probability: summary.probability,
            fields: summary.fields,
            refused: summary.refused,
            unsaved: summary.unsaved,
        }
    }
}

/// A model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelEntry {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its manifest, which has those of its files.
    pub manifest_sha256: String,
    /// Whether it is a demonstration model.
    pub demo: bool,
}

/// An engine at work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EngineEntry {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The device that it really ran on.
    pub device: String,
}

/// Milliseconds of each stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ElapsedEntry {
    /// From asking the camera to its answer.
    pub capture: f64,
    /// Decoding, and judging the quality.
    pub preparation: f64,
    /// The model; none where it was not asked.
    #[schema(required)]
    pub inference: Option<f64>,
    /// Writing and syncing the images; the commit of the row itself comes after it is written.
    pub storing: f64,
}

/// An image of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageEntry {
    /// Relative to the state folder.
    pub path: String,
    /// SHA-256 of the file, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// A field that left the appliance with its images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ExportEntry {
    pub(super) field: Uuid,
    pub(super) exported_at: String,
}

/// A field whose images were removed by retention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RemovalEntry {
    pub(super) field: Uuid,
    pub(super) removed_at: String,
    pub(super) reason: RemovalReason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RemovalReason {
    /// Older than they are kept.
    Age,
    /// To make room for others.
    Space,
}

/// What somebody wrote about a slide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = NoteRecord)]
pub struct NoteEntry {
    /// The slide's id.
    #[schema(value_type = String, format = "uuid")]
    pub slide: Uuid,
    /// When it was written ([`utc`]), by the appliance's clock.
    pub written_at: String,
    /// What it says.
    pub text: String,
}

impl ImageEntry {
    /// The file in a state folder.
    ///
    /// # Errors
    /// [`RecordsError::Mismatch`] for a path that no appliance writes: a row that somebody forged must not lead out
    /// of the folder.
    pub(super) fn file(&self, folder: &Path) -> Result<PathBuf, RecordsError> {
        let parts: Vec<_> = Path::new(&self.path).components().collect();
        match parts[..] {
            [
                Component::Normal(images),
                Component::Normal(_),
                Component::Normal(_),
            ] if images == IMAGES => Ok(folder.join(&self.path)),
            _ => Err(RecordsError::Mismatch {
                problem: format!("a row names {:?} as an image", self.path),
            }),
        }
    }
}

impl FieldEntry {
    /// Its images.
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
    fn no_image_lies_outside_of_the_folder() {
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
