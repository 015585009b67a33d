//! Everything that was measured, for scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use jiff::civil::DateTime;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use smearscope_artifacts::{DecisionRule, Manifest};

use crate::dataset::{Basis, Capture, Dataset, SESSION_GAP, Sample};
use crate::error::TrainError;
use crate::metrics::{self, Confusion, Judged};
use crate::package::model_package;
use crate::report::shortcuts::Audit;
use crate::training::protocol::Prediction;
use crate::training::train::Course;

/// The report's file name in a model folder.
pub(crate) const FILE_NAME: &str = "report.json";

/// What was measured on images that had no part in what judged them.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    /// Name, version, decision rule, and the figures with their intervals.
    manifest: &'a Manifest,
    leaky: bool,
    /// At the threshold, verdicts that are left undecided among them.
    pub(crate) confusion: Confusion,
    /// Of verdicts outside the inconclusive band.
    pub(crate) decided: Confusion,
    pub(crate) groups: Vec<Part>,
    pub(crate) cameras: Vec<Part>,
    pub(crate) shortcuts: Option<&'a Audit>,
    pub(crate) trainings: Vec<Training<'a>>,
    images: Vec<Row<'a>>,
    pub(crate) trained_on: Option<TrainedOn>,
}

/// All that was measured has names that say so where it is leaky.
impl Serialize for Report<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let key = |name| metrics::key(name, self.leaky);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("manifest", self.manifest)?;
        map.serialize_entry(&key("confusion"), &self.confusion)?;
        map.serialize_entry(&key("decided"), &self.decided)?;
        map.serialize_entry(&key("groups"), &self.groups)?;
        map.serialize_entry(&key("cameras"), &self.cameras)?;
        if let Some(shortcuts) = self.shortcuts {
            map.serialize_entry(&key("shortcuts"), shortcuts)?;
        }
        if !self.trainings.is_empty() {
            map.serialize_entry(&key("trainings"), &self.trainings)?;
        }
        map.serialize_entry(&key("images"), &self.images)?;
        if let Some(trained_on) = &self.trained_on {
            map.serialize_entry("trained_on", trained_on)?;
        }
        map.end()
    }
}

/// What a model must not be tested on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TrainedOn {
    /// Patients, where the data names them.
    pub(crate) subjects: BTreeSet<String>,
    /// When each camera took the images of the sessions, where these are the groups. A session's number
    /// depends on which images lie together, its times do not.
    #[serde(default)]
    pub(crate) captures: BTreeMap<String, BTreeSet<DateTime>>,
    /// SHA-256 of each image file.
    pub(crate) images: BTreeSet<String>,
}

/// The images that have something in common.
#[derive(Debug, Serialize)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) images: usize,
    pub(crate) confusion: Confusion,
    pub(crate) figures: BTreeMap<String, f64>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Training<'a> {
    name: &'a str,
    #[serde(flatten)]
    course: &'a Course,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    image: &'a Path,
    sha256: &'a str,
    positive: bool,
    probability: f32,
    called: bool,
    decided: bool,
    group: &'a str,
    fold: usize,
}

impl TrainedOn {
    pub(crate) fn of<'a>(dataset: &Dataset, samples: impl Iterator<Item = &'a Sample>) -> Self {
        let (mut groups, mut images) = (BTreeSet::new(), BTreeSet::new());
        for sample in samples {
            groups.insert(sample.group);
            images.insert(sample.sha256.clone());
        }
        let subjects = groups
            .iter()
            .flat_map(|&group| dataset.groups.subjects_of(group));
        let mut captures: BTreeMap<String, BTreeSet<DateTime>> = BTreeMap::new();
        if dataset.groups.basis == Basis::CaptureSession {
            let samples = dataset.samples.iter();
            for sample in samples.filter(|sample| groups.contains(&sample.group)) {
                if let Capture {
                    camera: Some(camera),
                    taken_at: Some(time),
                } = &sample.capture
                {
                    captures.entry(camera.clone()).or_default().insert(*time);
                }
            }
        }
        Self {
            subjects: subjects.map(str::to_owned).collect(),
            captures,
            images,
        }
    }

    /// Whether an image was taken so shortly before or after one of these that it is of the same session.
    pub(crate) fn knows_session_of(&self, capture: &Capture) -> bool {
        let (Some(camera), Some(time)) = (&capture.camera, capture.taken_at) else {
            return false;
        };
        let session = time.saturating_sub(SESSION_GAP)..=time.saturating_add(SESSION_GAP);
        let times = self.captures.get(camera);
        times.is_some_and(|times| times.range(session).next().is_some())
    }
}

pub(crate) fn trainings(courses: &[(String, Course)]) -> Vec<Training<'_>> {
    let named = courses.iter();
    named
        .map(|(name, course)| Training { name, course })
        .collect()
}

impl<'a> Report<'a> {
    /// The manifest's figures, and what they are made of.
    pub(crate) fn of(
        manifest: &'a Manifest,
        dataset: &'a Dataset,
        predictions: &'a [Prediction<'a>],
    ) -> Self {
        let leaky = !metrics::leaky_word(&manifest.evaluation.figures).is_empty();
        let judged = || predictions.iter().map(|prediction| &prediction.judged);
        let base = if dataset.root.is_file() {
            dataset.root.parent().unwrap_or(Path::new(""))
        } else {
            &dataset.root
        };
        let name_of = |sample: &Sample| dataset.groups.names[sample.group].clone();
        let camera = |sample: &Sample| {
            sample
                .capture
                .camera
                .clone()
                .unwrap_or_else(|| "unknown".into())
        };
        let row = |prediction: &'a Prediction<'a>| {
            let Prediction {
                sample,
                judged,
                fold,
            } = prediction;
            Row {
                image: place_of(&sample.path, base),
                sha256: &sample.sha256,
                positive: sample.positive,
                probability: judged.probability,
                called: judged.called,
                decided: judged.decided,
                group: &dataset.groups.names[sample.group],
                fold: *fold,
            }
        };
        Self {
            manifest,
            leaky,
            confusion: Confusion::of(judged()),
            decided: Confusion::of(judged().filter(|judged| judged.decided)),
            // Where nothing is known but duplicates, nearly every image is a group of its own.
            groups: match dataset.groups.basis {
                Basis::NearDuplicates => Vec::new(),
                Basis::Subject | Basis::CaptureSession => parts(leaky, predictions, name_of),
            },
            cameras: parts(leaky, predictions, camera),
            shortcuts: None,
            trainings: Vec::new(),
            images: predictions.iter().map(row).collect(),
            trained_on: None,
        }
    }

    pub(crate) fn json(&self) -> Result<Vec<u8>, TrainError> {
        serde_json::to_vec_pretty(self).map_err(|error| TrainError::Export {
            problem: format!("{FILE_NAME}: {error}"),
        })
    }

    pub(crate) fn save(&self, folder: &Path) -> Result<(), TrainError> {
        model_package::save(folder, FILE_NAME, &self.json()?).map(|_| ())
    }
}

/// For the terminal.
impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let evaluation = &self.manifest.evaluation;
        writeln!(
            f,
            "measured on {} ({} positive, {} negative)",
            evaluation.dataset, evaluation.positives, evaluation.negatives
        )?;
        writeln!(f, "{}", evaluation.protocol)?;
        for (name, figure) in &evaluation.figures {
            let shown = name.replace('_', " ");
            write!(f, "  {shown:<24}{figure:.4}")?;
            if let Some([low, high]) = evaluation.intervals.get(name) {
                write!(f, "  ({low:.4} to {high:.4})")?;
            }
            writeln!(f)?;
        }
        let Confusion {
            true_positives,
            false_negatives,
            true_negatives,
            false_positives,
        } = self.confusion;
        let leaky = metrics::leaky_word(&evaluation.figures);
        writeln!(
            f,
            "{leaky}TP {true_positives}  FN {false_negatives}  TN {true_negatives}  FP {false_positives}"
        )?;
        let DecisionRule {
            threshold,
            inconclusive: [low, high],
            temperature,
        } = self.manifest.decision;
        writeln!(
            f,
            "positive from {threshold:.3} on, no verdict between {low:.3} and {high:.3}, \
             temperature {temperature:.3}"
        )?;
        for warning in &evaluation.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        Ok(())
    }
}

/// Where an image lies in its collection; of one elsewhere the name alone, since the rest of its path
/// tells of the machine, and not of the image.
fn place_of<'a>(image: &'a Path, collection: &Path) -> &'a Path {
    let name = || image.file_name().map_or(image, Path::new);
    image.strip_prefix(collection).unwrap_or_else(|_| name())
}

fn parts(leaky: bool, predictions: &[Prediction], name: impl Fn(&Sample) -> String) -> Vec<Part> {
    let mut by_name: BTreeMap<String, Vec<Judged>> = BTreeMap::new();
    for Prediction { sample, judged, .. } in predictions {
        by_name.entry(name(sample)).or_default().push(*judged);
    }
    by_name
        .into_iter()
        .map(|(name, judged)| Part {
            name,
            images: judged.len(),
            confusion: Confusion::of(&judged),
            figures: metrics::named(metrics::figures(&judged), leaky),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_tell_nothing_of_the_machine() {
        let place = |image: &'static str| place_of(Path::new(image), Path::new("/data/mine"));
        assert_eq!(place("/data/mine/blasts/1.png"), Path::new("blasts/1.png"));
        assert_eq!(place("/home/someone/1.png"), Path::new("1.png"));
    }
}
