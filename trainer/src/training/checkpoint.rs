//! Checkpoints, from which an interrupted job resumes.
//!
//! They are stored in a folder beside the model folder: a description of the job and, for each
//! training, the state after its last completed epoch. A state is written under a temporary name,
//! synced and renamed, so that a kill or a power cut leaves either the old or the new state.

use std::error::Error;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use burn::optim::OptimizerRecord;
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Bytes;
use serde_json::{Map, Value};
use tempfile::NamedTempFile;

use super::history::Epoch;
use crate::error::TrainError;

/// All settings that determine the outcome of a job, by name.
pub(crate) type JobDescription = Map<String, Value>;

/// The checkpoints of a job.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    folder: PathBuf,
    /// Excludes a second process.
    _lock: File,
}

/// The state of a training after an epoch.
pub(crate) struct Checkpoint {
    pub(crate) epochs: Vec<Epoch>,
    /// How long each epoch took.
    pub(crate) seconds: Vec<f64>,
    pub(crate) network: ModuleRecord,
    pub(crate) optimizer: OptimizerRecord,
    /// The network of the epoch that did best.
    pub(crate) best: ModuleRecord,
}

const LOCK: &str = "lock";
const DESCRIPTION: &str = "job.json";
const EPOCHS: &str = "epochs.json";
const SECONDS: &str = "seconds.json";
const NETWORK: &str = "network.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const BEST: &str = "best.bpk";
/// Prefix of the folders of states; the number of epochs follows.
const STATE: &str = "epoch-";

impl Checkpoints {
    /// Opens or creates the checkpoints of the model folder `out`.
    ///
    /// # Errors
    /// [`TrainError::Refused`] if there are checkpoints and `resume` is not set, or if another process
    /// has locked them; [`TrainError::Output`] if they cannot be written; [`TrainError::Training`] if
    /// they belong to another job.
    pub(crate) fn open(out: &Path, job: &JobDescription, resume: bool) -> Result<Self, TrainError> {
        let folder = Self::folder_of(out);
        let failed = |source| TrainError::output(&folder, source);
        fs::create_dir_all(&folder).map_err(failed)?;
        // Locked before anything is read or written, so that one of two simultaneous starts wins.
        let lock = File::create(folder.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(TrainError::refused(
                    &folder,
                    "another smearscope-train is using it",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let entries = fs::read_dir(&folder).map_err(failed)?.count();
        if entries > 1 && !resume {
            return Err(TrainError::refused(
                &folder,
                "it holds an interrupted training; continue with --resume, \
                 or remove the folder to discard it",
            ));
        }
        let path = folder.join(DESCRIPTION);
        if path.exists() {
            refuse_other_job(&path, job)?;
        } else {
            write_description(&folder, job).map_err(failed)?;
        }
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    /// `models/mine` has its checkpoints in `models/mine.checkpoints`.
    fn folder_of(out: &Path) -> PathBuf {
        let mut name = out.file_name().unwrap_or_default().to_owned();
        name.push(".checkpoints");
        out.with_file_name(name)
    }

    /// The state of a training after its last completed epoch, if any.
    ///
    /// # Errors
    /// [`TrainError::Training`] if it is damaged.
    pub(crate) fn load(&self, training: &str) -> Result<Option<Checkpoint>, TrainError> {
        let states = states_in(&self.folder_of_training(training))
            .map_err(|source| TrainError::output(&self.folder, source))?;
        let Some(latest) = states.last() else {
            return Ok(None);
        };
        Checkpoint::read(latest)
            .map(Some)
            .map_err(|problem| TrainError::Training {
                problem: format!("{} is damaged: {problem}", latest.display()),
                remedy: "remove it to repeat this training".into(),
            })
    }

    /// Replaces a training's state.
    ///
    /// # Errors
    /// [`TrainError::Output`]; the old state is kept.
    pub(crate) fn save(&self, training: &str, checkpoint: Checkpoint) -> Result<(), TrainError> {
        let place = self.folder_of_training(training);
        self.replace(&place, checkpoint)
            .map_err(|source| TrainError::output(&place, source))
    }

    fn replace(&self, place: &Path, checkpoint: Checkpoint) -> io::Result<()> {
        fs::create_dir_all(place)?;
        let old = states_in(place)?;
        let state = place.join(format!("{STATE}{:04}", checkpoint.epochs.len()));
        let unfinished = tempfile::tempdir_in(&self.folder)?;
        checkpoint.write(unfinished.path())?;
        fs::rename(unfinished.path(), state)?;
        File::open(place)?.sync_all()?;
        old.iter().try_for_each(fs::remove_dir_all)
    }

    fn folder_of_training(&self, training: &str) -> PathBuf {
        self.folder.join(training.replace(' ', "-"))
    }

    /// Removes the checkpoints, when the model is complete.
    ///
    /// # Errors
    /// [`TrainError::Output`] if the folder cannot be removed.
    pub(crate) fn remove(self) -> Result<(), TrainError> {
        fs::remove_dir_all(&self.folder).map_err(|source| TrainError::output(&self.folder, source))
    }
}

/// The complete states of a training, the latest last.
fn states_in(place: &Path) -> io::Result<Vec<PathBuf>> {
    if !place.exists() {
        return Ok(Vec::new());
    }
    let mut states: Vec<PathBuf> = fs::read_dir(place)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    states.sort();
    Ok(states)
}

impl Checkpoint {
    fn write(self, folder: &Path) -> io::Result<()> {
        let record = |record: Result<Bytes, RecordError>| record.map_err(io::Error::other);
        write_synced(&folder.join(EPOCHS), &serde_json::to_vec(&self.epochs)?)?;
        write_synced(&folder.join(SECONDS), &serde_json::to_vec(&self.seconds)?)?;
        write_synced(&folder.join(NETWORK), &record(self.network.into_bytes())?)?;
        write_synced(
            &folder.join(OPTIMIZER),
            &record(self.optimizer.into_bytes())?,
        )?;
        write_synced(&folder.join(BEST), &record(self.best.into_bytes())?)?;
        File::open(folder)?.sync_all()
    }

    fn read(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let bytes = |name| fs::read(folder.join(name)).map(Bytes::from_bytes_vec);
        Ok(Self {
            epochs: serde_json::from_slice(&fs::read(folder.join(EPOCHS))?)?,
            seconds: serde_json::from_slice(&fs::read(folder.join(SECONDS))?)?,
            network: ModuleRecord::from_bytes(bytes(NETWORK)?)?,
            optimizer: OptimizerRecord::from_bytes(bytes(OPTIMIZER)?)?,
            best: ModuleRecord::from_bytes(bytes(BEST)?)?,
        })
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn write_description(folder: &Path, job: &JobDescription) -> io::Result<()> {
    let unfinished = NamedTempFile::new_in(folder)?;
    write_synced(unfinished.path(), &serde_json::to_vec_pretty(job)?)?;
    unfinished.persist(folder.join(DESCRIPTION))?;
    Ok(())
}

/// Refuses the checkpoints of a job with other settings.
fn refuse_other_job(path: &Path, job: &JobDescription) -> Result<(), TrainError> {
    let stored: JobDescription = fs::read(path)
        .map_err(|error| error.to_string())
        .and_then(|text| serde_json::from_slice(&text).map_err(|error| error.to_string()))
        .map_err(|problem| TrainError::Training {
            problem: format!("{} is damaged: {problem}", path.display()),
            remedy: "remove its folder and start again".into(),
        })?;
    let shown = |value: Option<&Value>| value.map_or("absent".into(), Value::to_string);
    let differs = |name: &&String| stored.get(*name) != job.get(*name);
    match stored.keys().chain(job.keys()).find(differs) {
        None => Ok(()),
        Some(name) => Err(TrainError::Training {
            problem: format!(
                "{} belongs to another job: its {name} was {} and is {} now",
                path.display(),
                shown(stored.get(name)),
                shown(job.get(name))
            ),
            remedy: "resume with the same images and options, or remove its folder and start again"
                .into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(seed: u64) -> JobDescription {
        JobDescription::from_iter([("seed".to_owned(), seed.into())])
    }

    fn problem_of(out: &Path, job: &JobDescription, resume: bool) -> String {
        let mut error: &dyn Error = &Checkpoints::open(out, job, resume).unwrap_err();
        let mut problem = error.to_string();
        while let Some(source) = error.source() {
            error = source;
            problem = format!("{problem}: {error}");
        }
        problem
    }

    #[test]
    fn checkpoints_are_resumed_only_on_request_and_by_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("model");
        let checkpoints = Checkpoints::open(&out, &job(1), true).unwrap();
        assert!(checkpoints.load("model").unwrap().is_none());
        let problem = problem_of(&out, &job(1), true);
        assert!(problem.contains("another smearscope-train"), "{problem}");
        drop(checkpoints);
        let problem = problem_of(&out, &job(1), false);
        assert!(problem.contains("--resume"), "{problem}");
        Checkpoints::open(&out, &job(1), true)
            .unwrap()
            .remove()
            .unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn one_of_several_simultaneous_starts_wins() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("model");
        let starts: Vec<_> = std::thread::scope(|scope| {
            let start = || scope.spawn(|| Checkpoints::open(&out, &job(1), false));
            let starts: Vec<_> = (0..16).map(|_| start()).collect();
            starts
                .into_iter()
                .map(|start| start.join().unwrap())
                .collect()
        });
        assert_eq!(starts.iter().filter(|start| start.is_ok()).count(), 1);
        for error in starts.into_iter().filter_map(Result::err) {
            let problem = error.to_string();
            assert!(problem.contains("another smearscope-train"), "{problem}");
        }
    }

    #[test]
    fn another_job_is_not_resumed() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("model");
        drop(Checkpoints::open(&out, &job(1), false).unwrap());
        let problem = problem_of(&out, &job(2), true);
        assert!(problem.contains("its seed was 1 and is 2 now"), "{problem}");
        fs::write(folder.path().join("model.checkpoints/job.json"), "{").unwrap();
        let problem = problem_of(&out, &job(1), true);
        assert!(problem.contains("job.json is damaged"), "{problem}");
    }
}
