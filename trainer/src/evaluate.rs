//! `smearscope-train evaluate`: what a finished model makes of labelled images that it never met.

use std::fs;
use std::io;
use std::path::PathBuf;

use log::warn;
use serde::Deserialize;
use smearscope_artifacts::{EngineConfig, Evaluation, Manifest, Model};

use crate::dataset::{Basis, Dataset, Sample, Source};
use crate::error::TrainError;
use crate::metrics::{self, Judged, Scored};
use crate::plots::Measured;
use crate::progress;
use crate::protocol::Prediction;
use crate::report::{self, Report, TrainedOn};

/// Which model to evaluate on what, and how to tell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Examination {
    pub(crate) data: Source,
    /// The model's folder.
    pub(crate) model: PathBuf,
    pub(crate) json: bool,
    /// Folder for the report and the plots.
    pub(crate) out: Option<PathBuf>,
}

const UNKNOWN: &str =
    "make the model again: without its report nobody knows what it was trained on";
/// Seed of the bootstrap: the same images give the same intervals.
const SEED: u64 = 1;

impl Examination {
    /// Runs the model on every image and prints the figures.
    ///
    /// # Errors
    /// [`TrainError::Artifact`] if the model cannot be loaded or fails on an image;
    /// [`TrainError::Data`] for unusable images, or for some that the model was trained on;
    /// [`TrainError::Output`] if the report cannot be written.
    pub(crate) fn run(&self) -> Result<(), TrainError> {
        if let Some(folder) = &self.out
            && folder.join(Manifest::FILE_NAME).exists()
        {
            let problem = "it is a model folder, whose own report would be lost";
            return Err(TrainError::output(folder, io::Error::other(problem)));
        }
        let mut model = Model::load(&self.model, &EngineConfig::default())?;
        for fallback in &model.engine().fallbacks {
            warn!("{fallback}");
        }
        let dataset = Dataset::load(&self.data, &model.manifest().input)?;
        let doubts = self.refuse_trained_on(&dataset)?;

        let predictions = predict(&mut model, &dataset)?;
        let judged: Vec<Judged> = predictions.iter().map(|item| item.judged).collect();
        let manifest = measured(model.manifest(), &dataset, &judged, doubts);
        let report = Report::of(&manifest, &dataset, &predictions);
        if let Some(folder) = &self.out {
            fs::create_dir_all(folder).map_err(|source| TrainError::output(folder, source))?;
            report.save(folder)?;
            let measured = Measured {
                judged: &judged,
                evaluation: &manifest.evaluation,
                labels: &manifest.labels,
                courses: &[],
            };
            measured.plot(folder)?;
        }
        if self.json {
            println!("{}", String::from_utf8_lossy(&report.json()?));
        } else {
            println!("{} {}", manifest.name, manifest.version);
            print!("{report}");
        }
        Ok(())
    }

    /// A model knows what it was trained on; figures from that would be worth nothing. Gives what
    /// remains to be doubted.
    fn refuse_trained_on(&self, dataset: &Dataset) -> Result<Vec<String>, TrainError> {
        #[derive(Deserialize)]
        struct Known {
            trained_on: TrainedOn,
        }

        let path = self.model.join(report::FILE_NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(vec![
                    "It is not known what this model was trained on: these images, or others of the \
                     same patients, may have been among it."
                        .into(),
                ]);
            }
            Err(error) => return Err(TrainError::data(&path, error.to_string(), UNKNOWN)),
        };
        let Known { trained_on } = serde_json::from_str(&text)
            .map_err(|error| TrainError::data(&path, error.to_string(), UNKNOWN))?;
        let refuse = |count: usize, what: &str| {
            Err(TrainError::data(
                &dataset.root,
                format!("{count} of {} images {what}", dataset.samples.len()),
                "take them out: figures from them look better than the model is",
            ))
        };
        let samples = &dataset.samples;
        let known = |sample: &&Sample| trained_on.images.contains(&sample.sha256);
        if let Some(first) = samples.iter().find(known) {
            let what = format!("trained this model, the first is {}", first.path.display());
            return refuse(samples.iter().filter(known).count(), &what);
        }
        let known = |sample: &&Sample| {
            let mut subjects = dataset.groups.subjects_of(sample.group);
            subjects.any(|subject| trained_on.subjects.contains(subject))
        };
        if let Some(first) = samples.iter().find(known) {
            let subject = &dataset.groups.names[first.group];
            let what = format!("are of subjects that trained this model, the first is {subject}");
            return refuse(samples.iter().filter(known).count(), &what);
        }
        if trained_on.subjects.is_empty() || dataset.groups.basis != Basis::Subject {
            return Ok(vec![
                "Subjects are not known: the model may have been trained on other images of these \
                 patients."
                    .into(),
            ]);
        }
        Ok(Vec::new())
    }
}

fn predict<'a>(model: &mut Model, dataset: &'a Dataset) -> Result<Vec<Prediction<'a>>, TrainError> {
    let rule = model.manifest().decision;
    let bar = progress::bar(dataset.samples.len() as u64, "images judged");
    bar.wrap_iter(dataset.samples.iter())
        .map(|sample| {
            let scored = Scored {
                margin: model.infer(&sample.input)?.margin,
                positive: sample.positive,
                group: sample.group,
            };
            Ok(Prediction {
                sample,
                judged: Judged::by(&rule, scored),
                fold: 1,
            })
        })
        .collect()
}

/// The model's manifest with these images' figures in the place of its own.
fn measured(
    manifest: &Manifest,
    dataset: &Dataset,
    judged: &[Judged],
    warnings: Vec<String>,
) -> Manifest {
    let positives = judged.iter().filter(|item| item.positive).count();
    let name = dataset.root.file_name().unwrap_or(dataset.root.as_os_str());
    Manifest {
        evaluation: Evaluation {
            dataset: format!("the collection {}", name.display()),
            protocol: format!(
                "The finished model with its own decision rule and without the appliance's quality \
                 gate, on images that did not train it; intervals by {}.",
                dataset.groups.basis.in_words()
            ),
            positives: positives as u32,
            negatives: (judged.len() - positives) as u32,
            figures: metrics::figures(judged),
            intervals: metrics::intervals(judged, SEED),
            warnings,
        },
        ..manifest.clone()
    }
}
