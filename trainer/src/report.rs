//! Everything that was measured, for scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use smearscope_artifacts::{DecisionRule, Manifest};

use crate::dataset::{Basis, Dataset, Sample};
use crate::error::TrainError;
use crate::metrics::{self, Confusion, Judged};
use crate::package;
use crate::protocol::Prediction;
use crate::shortcuts::Audit;
use crate::training::Course;

/// The report's file name in a model folder.
pub(crate) const FILE_NAME: &str = "report.json";

/// What was measured on images that had no part in what judged them.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    /// Name, version, decision rule, and the figures with their intervals.
    manifest: &'a Manifest,
    /// At the threshold, verdicts that are left undecided among them.
    pub(crate) confusion: Confusion,
    /// Of verdicts outside the inconclusive band.
    pub(crate) decided: Confusion,
    pub(crate) groups: Vec<Part>,
    pub(crate) cameras: Vec<Part>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shortcuts: Option<&'a Audit>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) trainings: Vec<Training<'a>>,
    images: Vec<Row<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trained_on: Option<TrainedOn>,
}

/// What a model must not be tested on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TrainedOn {
    /// Patients, where the data names them.
    pub(crate) subjects: BTreeSet<String>,
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
    positive: bool,
    probability: f32,
    called: bool,
    decided: bool,
    group: &'a str,
    fold: usize,
}

impl TrainedOn {
    pub(crate) fn of<'a>(dataset: &Dataset, samples: impl Iterator<Item = &'a Sample>) -> Self {
        let (mut subjects, mut images) = (BTreeSet::new(), BTreeSet::new());
        for sample in samples {
            images.insert(sample.sha256.clone());
            let of_sample = dataset.groups.subjects_of(sample.group);
            subjects.extend(of_sample.map(str::to_owned));
        }
        Self { subjects, images }
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
        let camera = |sample: &Sample| sample.camera.clone().unwrap_or_else(|| "unknown".into());
        let row = |prediction: &'a Prediction<'a>| {
            let Prediction {
                sample,
                judged,
                fold,
            } = prediction;
            Row {
                image: sample.path.strip_prefix(base).unwrap_or(&sample.path),
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
        package::save(folder, FILE_NAME, &self.json()?).map(|_| ())
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
