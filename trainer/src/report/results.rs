//! The evaluation report: JSON for scripts, text for the terminal.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use smearscope_artifacts::{DecisionRule, FieldModel, Manifest};

use crate::audit::Audit;
use crate::dataset::{Basis, Dataset, Sample, TrainedOn, path_within};
use crate::error::TrainError;
use crate::metrics::{self, Confusion, EvidenceFigures, Judged};
use crate::package;
use crate::training::{History, Prediction};

/// The report's file name in a model folder.
pub(crate) const REPORT_FILE: &str = "report.json";

/// The figures of a model on images that had no part in making it.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    /// Holds name, version, decision rule, and the figures with their intervals.
    manifest: &'a Manifest<FieldModel>,
    leaky: bool,
    /// All images, called at the threshold.
    pub(crate) confusion: Confusion,
    /// The images outside the inconclusive band.
    pub(crate) decided: Confusion,
    /// The classes as the dataset names them, such as subtypes.
    pub(crate) classes: Vec<Part>,
    pub(crate) groups: Vec<Part>,
    pub(crate) cameras: Vec<Part>,
    /// Where the evidence lies, if masks are given.
    pub(crate) evidence: Option<EvidenceFigures>,
    pub(crate) shortcuts: Option<&'a Audit>,
    pub(crate) trainings: Vec<Training<'a>>,
    images: Vec<Row<'a>>,
    pub(crate) trained_on: Option<TrainedOn>,
}

/// Names of leaky entries say so.
impl Serialize for Report<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let key = |name| metrics::figure_name(name, self.leaky);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("manifest", self.manifest)?;
        map.serialize_entry(&key("confusion"), &self.confusion)?;
        map.serialize_entry(&key("decided"), &self.decided)?;
        map.serialize_entry(&key("classes"), &self.classes)?;
        map.serialize_entry(&key("groups"), &self.groups)?;
        map.serialize_entry(&key("cameras"), &self.cameras)?;
        if let Some(evidence) = &self.evidence {
            map.serialize_entry(&key("evidence"), evidence)?;
        }
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

/// The figures of the images of one class, group or camera.
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
    history: &'a History,
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

/// The histories as entries of the report.
pub(crate) fn trainings(histories: &[(String, History)]) -> Vec<Training<'_>> {
    let named = histories.iter();
    named
        .map(|(name, history)| Training { name, history })
        .collect()
}

impl<'a> Report<'a> {
    /// The manifest's figures with the predictions behind them.
    pub(crate) fn of(
        manifest: &'a Manifest<FieldModel>,
        dataset: &'a Dataset,
        predictions: &'a [Prediction<'a>],
    ) -> Self {
        let leaky = !metrics::leaky_prefix(&manifest.evaluation.figures).is_empty();
        let judged = || predictions.iter().map(|prediction| &prediction.judged);
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
                image: path_within(&sample.path, &dataset.root),
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
            classes: parts(leaky, predictions, |sample| sample.class.clone()),
            // Groups of near-duplicates mostly hold a single image.
            groups: match dataset.groups.basis {
                Basis::NearDuplicates => Vec::new(),
                Basis::Subject | Basis::CaptureSession => parts(leaky, predictions, name_of),
            },
            cameras: parts(leaky, predictions, camera),
            evidence: None,
            shortcuts: None,
            trainings: Vec::new(),
            images: predictions.iter().map(row).collect(),
            trained_on: None,
        }
    }

    pub(crate) fn json(&self) -> Result<Vec<u8>, TrainError> {
        serde_json::to_vec_pretty(self).map_err(|error| TrainError::Export {
            problem: format!("{REPORT_FILE}: {error}"),
        })
    }

    pub(crate) fn save(&self, folder: &Path) -> Result<(), TrainError> {
        package::save(folder, REPORT_FILE, &self.json()?).map(|_| ())
    }
}

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
        let leaky = metrics::leaky_prefix(&evaluation.figures);
        writeln!(
            f,
            "{leaky}TP {true_positives}  FN {false_negatives}  TN {true_negatives}  FP {false_positives}"
        )?;
        if let Some(evidence) = &self.evidence {
            writeln!(
                f,
                "{leaky}evidence for {}: {evidence}",
                self.manifest.model.labels.positive
            )?;
        }
        let DecisionRule {
            threshold,
            inconclusive: [low, high],
            offset,
            temperature,
        } = self.manifest.model.decision;
        writeln!(
            f,
            "positive from {threshold:.3} on, no verdict between {low:.3} and {high:.3}, \
             offset {offset:.3}, temperature {temperature:.3}"
        )?;
        if self.classes.len() > 2 {
            writeln!(f, "called positive, by class:")?;
            for part in &self.classes {
                let Confusion {
                    true_positives,
                    false_positives,
                    ..
                } = part.confusion;
                let called = true_positives + false_positives;
                writeln!(f, "  {:<24}{called} of {}", part.name, part.images)?;
            }
        }
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
            figures: metrics::name_figures(metrics::figures(&judged), leaky),
        })
        .collect()
}
