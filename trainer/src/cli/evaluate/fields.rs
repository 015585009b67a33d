//! The evaluation of a model that judges whole fields.

use std::collections::HashSet;
use std::path::Path;

use log::warn;
use smearscope_artifacts::{
    EngineConfig, Evaluation, FieldModel, Inference, Manifest, Model, ModelFiles,
};

use super::super::trained_on;
use super::output::Output;
use crate::dataset::{Basis, Dataset, Sample, Source, TrainedOn};
use crate::error::TrainError;
use crate::metrics::{self, AT_EVEN_CLASSES, EvidencePlace, Judged, Scored};
use crate::progress;
use crate::report::{self, Measured, Report};
use crate::training::Prediction;

/// Seed of the bootstrap, so that the same images give the same intervals.
const SEED: u64 = 1;

/// Runs the model of a folder, whose files are open, on every image and prints the figures. With masks of the images, how
/// much of the evidence lies on white cells is among them.
///
/// # Errors
/// [`TrainError::Artifact`] if the model cannot be started or fails on an image; [`TrainError::Data`] for unusable images,
/// or images that the model was trained on; [`TrainError::Output`] if the report cannot be written.
pub(super) fn evaluate(
    folder: &Path,
    files: ModelFiles<FieldModel>,
    data: &Source,
    masks: Option<&Path>,
    output: &Output,
) -> Result<(), TrainError> {
    let mut model = Model::from_files(files, &EngineConfig::default())?;
    for fallback in &model.engine().fallbacks {
        warn!("{fallback}");
    }
    let described = &model.manifest().model;
    let mut dataset = Dataset::load_any(data, &described.input)?;
    if let Some(masks) = masks {
        if described.outputs.evidence.is_none() {
            let problem = "its network has no evidence output";
            return Err(TrainError::data(folder, problem, "leave out --masks"));
        }
        dataset = dataset.with_masks(masks, &described.input)?;
    }
    let mut warnings = match trained_on::read(folder)? {
        Some(trained_on) => refuse_images_of(&trained_on, &dataset)?,
        None => vec![trained_on::unknown()],
    };
    warnings.extend(dataset.warnings.iter().cloned());

    let mut place = EvidencePlace::default();
    let predictions = predict(&mut model, &dataset, &mut place)?;
    let judged: Vec<Judged> = predictions.iter().map(|item| item.judged).collect();
    let manifest = measured(model.manifest(), &dataset, &judged, warnings);
    let mut report = Report::of(&manifest, &dataset, &predictions);
    report.evidence = place.figures();
    if let Some(folder) = output.folder()? {
        report.save(folder)?;
        let measured = Measured {
            judged: &judged,
            evaluation: &manifest.evaluation,
            labels: &manifest.model.labels,
            histories: &[],
        };
        report::write_plots(&measured, folder)?;
    }
    output.print(&manifest, &report.json()?, &report);
    Ok(())
}

/// Refuses images that were trained on, and others of the same sessions or subjects. Returns warnings
/// about what cannot be checked.
fn refuse_images_of(trained_on: &TrainedOn, dataset: &Dataset) -> Result<Vec<String>, TrainError> {
    let refuse = |count: usize, what: &str| {
        Err(TrainError::data(
            &dataset.root,
            format!("{count} of {} images {what}", dataset.samples.len()),
            "remove them: figures from them would be too good",
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

/// Judges all images, and adds the evidence of those whose cells are known.
fn predict<'a>(
    model: &mut Model,
    dataset: &'a Dataset,
    place: &mut EvidencePlace,
) -> Result<Vec<Prediction<'a>>, TrainError> {
    let rule = model.manifest().model.decision;
    let bar = progress::bar(dataset.samples.len() as u64, "images judged");
    bar.wrap_iter(dataset.samples.iter())
        .map(|sample| {
            let Inference {
                margin, evidence, ..
            } = model.infer(&sample.input)?;
            if let (Some(evidence), Some(cells)) = (evidence, &sample.cells) {
                place.add(&evidence, cells);
            }
            let scored = Scored {
                margin,
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

/// The model's manifest with the figures of these images.
fn measured(
    manifest: &Manifest<FieldModel>,
    dataset: &Dataset,
    judged: &[Judged],
    warnings: Vec<String>,
) -> Manifest<FieldModel> {
    let positives = judged.iter().filter(|item| item.positive).count();
    let name = dataset.root.file_name().unwrap_or(dataset.root.as_os_str());
    Manifest {
        evaluation: Evaluation {
            dataset: format!("the collection {}", name.display()),
            protocol: format!(
                "The finished model with its decision rule and without the appliance's quality \
                 gate, on images that it was not trained on; intervals by {}. {AT_EVEN_CLASSES}",
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
    use crate::dataset::{Capture, Classes, Duplicates, Groups};

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
            classes: Classes::default(),
            warnings: Vec::new(),
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
        // The first image alone, as after a split that separates the images of a session.
        let trained_on = TrainedOn::of(&all, all.samples[..1].iter());
        let message = serde_json::to_string(&trained_on).unwrap();
        let trained_on: TrainedOn = serde_json::from_str(&message).unwrap();
        let refused = |minutes: &[(i8, usize)]| {
            let message = refuse_images_of(&trained_on, &shots(minutes));
            message.map_err(|error| error.to_string())
        };
        // A held-out image of the session, and new ones less than a pause later.
        for minutes in [&[(6, 0)][..], &[(9, 0)], &[(10, 0), (14, 0)]] {
            let message = refused(minutes).unwrap_err();
            let expected = format!(
                "{} of {} images are of capture sessions",
                minutes.len(),
                minutes.len()
            );
            assert!(message.contains(&expected), "{message}");
        }
        let warnings = refused(&[(11, 0), (20, 1)]).unwrap();
        assert!(
            warnings[0].contains("Subjects are not known"),
            "{warnings:?}"
        );
        let message = refused(&[(0, 0)]).unwrap_err();
        assert!(
            message.contains("1 of 1 images trained this model"),
            "{message}"
        );
    }
}
