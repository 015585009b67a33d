//! What a model was trained on and must not be tested on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::capture::Capture;
use super::groups::{Basis, SESSION_GAP};
use super::load::Dataset;
use super::sample::Sample;

/// The images, subjects and capture sessions of a training.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TrainedOn {
    /// Patients, or slides, if the dataset names them.
    pub(crate) subjects: BTreeSet<String>,
    /// Capture times by camera, if groups are capture sessions. Unlike a session's number, they do not
    /// depend on the other images.
    #[serde(default)]
    pub(crate) captures: BTreeMap<String, BTreeSet<DateTime>>,
    /// SHA-256 of each image file.
    pub(crate) images: BTreeSet<String>,
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

    /// Whether an image is of the same session as one of these, by camera and capture time.
    pub(crate) fn knows_session_of(&self, capture: &Capture) -> bool {
        let (Some(camera), Some(time)) = (&capture.camera, capture.taken_at) else {
            return false;
        };
        let session = time.saturating_sub(SESSION_GAP)..=time.saturating_add(SESSION_GAP);
        let times = self.captures.get(camera);
        times.is_some_and(|times| times.range(session).next().is_some())
    }
}
