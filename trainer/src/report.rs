//! Everything that was measured, for scripts.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use smearscope_artifacts::Manifest;

use crate::dataset::{Basis, Dataset, Sample};
use crate::metrics::{self, Confusion, Judged};
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
    pub(crate) shortcuts: &'a Audit,
    trainings: Vec<Training<'a>>,
    images: Vec<Row<'a>>,
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
struct Training<'a> {
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

impl<'a> Report<'a> {
    pub(crate) fn new(
        manifest: &'a Manifest,
        dataset: &'a Dataset,
        predictions: &'a [Prediction<'a>],
        courses: &'a [(String, Course)],
        shortcuts: &'a Audit,
    ) -> Self {
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
                Basis::Subject | Basis::CaptureSession => parts(predictions, name_of),
            },
            cameras: parts(predictions, camera),
            shortcuts,
            trainings: courses
                .iter()
                .map(|(name, course)| Training { name, course })
                .collect(),
            images: predictions.iter().map(row).collect(),
        }
    }
}

fn parts(predictions: &[Prediction], name: impl Fn(&Sample) -> String) -> Vec<Part> {
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
            figures: metrics::figures(&judged),
        })
        .collect()
}
