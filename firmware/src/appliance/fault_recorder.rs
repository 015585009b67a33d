//! Follows the appliance's status and keeps its last faults, in memory and in the state folder.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use smearscope_hardware::with_causes;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use crate::appliance::handle::{ApplianceHandle, Status};
use crate::appliance::state::{Fault, State};
use crate::config::storage::StorageConfig;
use crate::records::{FaultLog, check_place};

/// Least time between two writes of the file, so that a loose contact does not wear out the memory card.
const PERIOD: Duration = Duration::from_mins(1);

/// Keeps the last faults until the appliance ends. Without a state folder, or with one in which nothing may be saved, they
/// are kept in memory only.
pub(crate) async fn record(handle: ApplianceHandle, storage: Option<StorageConfig>) {
    let mut status = handle.status();
    let mut file = FaultFile::open(&handle, storage).await;
    let mut is_unsaved = false;
    let mut next_write = Instant::now();
    loop {
        {
            let status = status.borrow_and_update();
            let faults = faults(&status);
            is_unsaved |= handle.fault_log().observe(&faults, Timestamp::now());
        }
        if is_unsaved && Instant::now() >= next_write {
            is_unsaved = !file.write(&handle).await;
            next_write = Instant::now() + PERIOD;
        }
        tokio::select! {
            changed = status.changed() => if changed.is_err() {
                break;
            },
            () = sleep_until(next_write), if is_unsaved => {}
        }
    }
    if handle.fault_log().observe(&[], Timestamp::now()) || is_unsaved {
        file.write(&handle).await;
    }
}

/// The faults that there are now, as part and message.
fn faults(status: &Status) -> Vec<(&str, &str)> {
    let parts = status.obstacles.iter();
    let mut faults: Vec<(&str, &str)> = parts
        .map(|obstacle| (obstacle.part, &*obstacle.message))
        .collect();
    // That of a part has the message of the part.
    if let Some(fault) = shown(&status.state)
        && !faults.iter().any(|(_, message)| *message == fault.message)
    {
        let part = match status.self_test {
            None => "start",
            Some(_) => "capture",
        };
        faults.push((part, &fault.message));
    }
    faults
}

/// The fault that is shown, also while the button is held down.
fn shown(state: &State) -> Option<&Fault> {
    match state {
        State::Fault(fault) => Some(fault),
        State::SwitchingOff { before, .. } => shown(before),
        _ => None,
    }
}

/// The file in the state folder.
struct FaultFile {
    /// `None`: it may not be written.
    folder: Option<PathBuf>,
    has_failed: bool,
}

impl FaultFile {
    /// Reads the faults of earlier runs.
    async fn open(handle: &ApplianceHandle, storage: Option<StorageConfig>) -> Self {
        let read = move || {
            // The start says why nothing may be saved there.
            let storage = storage.filter(|storage| check_place(storage).is_ok())?;
            let log = if storage.state.is_dir() {
                FaultLog::read(&storage.state)
            } else {
                // It is created with the first records.
                Ok(FaultLog::default())
            };
            Some((storage.state, log))
        };
        let (folder, log) = spawn_blocking(read).await.ok().flatten().unzip();
        match log {
            Some(Ok(log)) => *handle.fault_log() = log,
            Some(Err(error)) => log::warn!("earlier faults: {}", with_causes(&error)),
            None => {}
        }
        Self {
            folder,
            has_failed: false,
        }
    }

    /// Writes the faults, unless that is not allowed. Returns false if it is to be tried again later.
    async fn write(&mut self, handle: &ApplianceHandle) -> bool {
        let Some(folder) = self.folder.clone() else {
            return true;
        };
        let log = handle.fault_log().clone();
        let write = move || folder.is_dir().then(|| log.write(&folder));
        match spawn_blocking(write).await {
            Ok(Some(Ok(()))) => {
                self.has_failed = false;
                true
            }
            Ok(Some(Err(error))) => {
                if !self.has_failed {
                    log::warn!("faults are kept in memory only: {}", with_causes(&error));
                }
                self.has_failed = true;
                false
            }
            // There is no folder yet, or the program ends.
            Ok(None) | Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use smearscope_hardware::PartFault;
    use tokio::task::yield_now;

    use super::*;
    use crate::appliance::handle::connect;
    use crate::config::Raw;

    fn storage(state: &Path) -> StorageConfig {
        let mut raw = Raw::default();
        raw.storage.state = state.into();
        raw.storage.volatile = true;
        raw.validate().unwrap().storage.unwrap()
    }

    /// The faults in the file, newest first: part, count, and whether it lasts.
    fn saved(state: &Path) -> Vec<(String, u64, bool)> {
        let log = FaultLog::read(state).unwrap();
        log.newest_first()
            .map(|entry| (entry.part.clone(), entry.count, entry.ended_at.is_none()))
            .collect()
    }

    fn fault(message: &str) -> State {
        State::Fault(Fault {
            message: message.into(),
            is_final: false,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn faults_are_written_at_once_then_at_most_once_a_minute_and_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path();
        let (handle, link) = connect();
        let recorder = tokio::spawn(record(handle.clone(), Some(storage(state))));
        let lost = PartFault {
            part: "camera",
            message: "no answer from the camera".into(),
        };
        let set = |obstacles: Vec<PartFault>, state| {
            link.status.send_modify(|status| {
                status.obstacles = obstacles;
                status.state = Arc::new(state);
            });
        };
        // Time stands still while another thread works, so that a sleep ends after the file was written.
        let a_second = || tokio::time::sleep(Duration::from_secs(1));
        set(vec![lost.clone()], fault("no answer from the camera"));
        a_second().await;
        assert_eq!(saved(state), [("camera".into(), 1, true)]);
        for _ in 0..3 {
            set(Vec::new(), State::Ready);
            a_second().await;
            set(vec![lost.clone()], State::Ready);
            a_second().await;
        }
        assert_eq!(saved(state), [("camera".into(), 1, true)]);
        tokio::time::sleep(PERIOD).await;
        assert_eq!(saved(state), [("camera".into(), 4, true)]);

        set(
            Vec::new(),
            fault("the analysis takes too long; press again"),
        );
        a_second().await;
        assert_eq!(handle.fault_log().lasting(), 1);
        drop(link);
        recorder.await.unwrap();
        let expected = [("start".into(), 1, false), ("camera".into(), 4, false)];
        assert_eq!(saved(state), expected);
    }

    #[tokio::test]
    async fn a_fault_that_lasted_at_a_power_cut_is_over_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = FaultLog::default();
        log.observe(&[("disk", "disk full, 5 MiB free")], Timestamp::now());
        log.write(folder.path()).unwrap();
        let (handle, link) = connect();
        let recorder = tokio::spawn(record(handle.clone(), Some(storage(folder.path()))));
        while handle.fault_log().newest_first().count() == 0 {
            yield_now().await;
        }
        assert_eq!(handle.fault_log().lasting(), 0);
        drop(link);
        recorder.await.unwrap();
        assert_eq!(saved(folder.path()), [("disk".into(), 1, false)]);
    }

    #[test]
    fn a_shown_fault_of_a_part_is_one_fault() {
        let (handle, link) = connect();
        link.status.send_modify(|status| {
            status.obstacles = vec![PartFault {
                part: "OLED",
                message: "no answer".into(),
            }];
            status.state = Arc::new(State::SwitchingOff {
                at: std::time::Instant::now(),
                before: Box::new(fault("no answer")),
            });
        });
        let status = handle.status().borrow().clone();
        assert_eq!(faults(&status), [("OLED", "no answer")]);
    }
}
