//! `smearscope-train evaluate`: what a finished model makes of labelled images that it never met.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;

use log::warn;
use serde::Deserialize;
use smearscope_artifacts::{EngineConfig, Evaluation, Manifest, Model};

use crate::dataset::{Basis, Dataset, Sample, Source};
use crate::error::TrainError;
use crate::metrics::{self, Judged, Scored};
use crate::progress;
use crate::report::plots::Measured;
use crate::report::results::{self, Report, TrainedOn};
use crate::training::protocol::Prediction;

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

        let path = self.model.join(results::FILE_NAME);
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
        refuse_known(&trained_on, dataset)
    }
}

/// Refuses images that had a part in a model, and others of the same sessions or subjects. Gives what
/// remains to be doubted.
fn refuse_known(trained_on: &TrainedOn, dataset: &Dataset) -> Result<Vec<String>, TrainError> {
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
    let sessions: HashSet<usize> = samples
        .iter()
        .filter(|sample| trained_on.knows_session_of(&sample.capture))
        .map(|sample| sample.group)
        .collect();
    let known = |sample: &&Sample| sessions.contains(&sample.group);
    if let Some(first) = samples.iter().find(known) {
        let path = first.path.display();
        let what = format!("are of capture sessions that trained this model, the first is {path}");
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

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::dataset::{Capture, Duplicates, Groups};

    /// Images of one camera, taken in these minutes and in these sessions.
    fn shots(minutes: &[(i8, usize)]) -> Dataset {
        let capture = |minute| Capture {
            camera: Some("Canon".into()),
            taken_at: Some(date(2005, 9, 6).at(12, minute, 0, 0)),
        };
        let samples = minutes.iter().map(|&(minute, group)| Sample {
            capture: capture(minute),
            group,
            ..Sample::drawn(minute as u64, 16)
        });
        Dataset {
            root: "shots".into(),
            negative: "healthy".into(),
            positive: "leukemia".into(),
            provenance: None,
            samples: samples.collect(),
            groups: Groups {
                basis: Basis::CaptureSession,
                of: minutes.iter().map(|(_, group)| *group).collect(),
                names: ["first", "second"].map(str::to_owned).into(),
                duplicates: Duplicates::default(),
            },
        }
    }

    #[test]
    fn images_of_a_session_that_was_trained_on_are_refused() {
        let all = shots(&[(0, 0), (3, 0), (6, 0), (20, 1), (23, 1)]);
        // As after a split that parts sessions: the first image alone.
        let trained_on = TrainedOn::of(&all, all.samples[..1].iter());
        let told = serde_json::to_string(&trained_on).unwrap();
        let trained_on: TrainedOn = serde_json::from_str(&told).unwrap();
        let refused = |minutes: &[(i8, usize)]| {
            let told = refuse_known(&trained_on, &shots(minutes));
            told.map_err(|error| error.to_string())
        };
        // Held out at the end of the session, and one that no one saw, less than a pause later.
        for minutes in [&[(6, 0)][..], &[(9, 0)], &[(10, 0), (14, 0)]] {
            let told = refused(minutes).unwrap_err();
            let expected = format!(
                "{} of {} images are of capture sessions",
                minutes.len(),
                minutes.len()
            );
            assert!(told.contains(&expected), "{told}");
        }
        let doubts = refused(&[(11, 0), (20, 1)]).unwrap();
        assert!(doubts[0].contains("Subjects are not known"), "{doubts:?}");
        let told = refused(&[(0, 0)]).unwrap_err();
        assert!(told.contains("1 of 1 images trained this model"), "{told}");
    }
}
