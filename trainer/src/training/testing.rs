//! Trainings for tests.

use std::path::Path;

use indicatif::ProgressBar;

use super::checkpoint::{Checkpoints, JobDescription};
use super::settings::Settings;
use super::task::Task;
use super::train::{Trained, Training};
use crate::error::TrainError;

/// A training with its checkpoints in a folder.
pub(super) fn train_in<T: Task>(
    folder: &Path,
    settings: &Settings,
    task: &T,
) -> Result<Trained<T::Network>, TrainError> {
    let checkpoints =
        Checkpoints::open(&folder.join("model"), &JobDescription::new(), true).unwrap();
    let training = Training {
        settings,
        name: "test",
        checkpoints: &checkpoints,
        progress: &ProgressBar::hidden(),
    };
    training.run(task)
}

/// A training from the beginning.
pub(super) fn train<T: Task>(settings: &Settings, task: &T) -> Trained<T::Network> {
    let folder = tempfile::tempdir().unwrap();
    train_in(folder.path(), settings, task).unwrap()
}
