//! The records of an appliance and their retention. If a full disk prevents opening the records, they are opened as soon
//! as there is space.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use smearscope_hardware::with_causes;

use crate::config::storage::Retention;
use crate::records::ballast;
use crate::records::checkpoint::CheckpointTask;
use crate::records::error::RecordsError;
use crate::records::periodic_task::PeriodicTask;
use crate::records::retention::RetentionTask;
use crate::records::space::Space;
use crate::records::store::Store;

/// Interval between attempts to open the records.
const RETRY_PERIOD: Duration = Duration::from_secs(2);

/// Records that are open, or will be once the disk has space.
pub struct LazyStore {
    space: Space,
    opened: Option<Opened>,
    opening: Option<Opening>,
}

/// Open records with what is done to them at intervals.
struct Opened {
    store: Store,
    /// Dropping these ends their threads.
    _tasks: (CheckpointTask, RetentionTask),
}

/// Attempts to open the records.
struct Opening {
    opened: mpsc::Receiver<Opened>,
    /// Dropping it ends the attempts.
    _task: PeriodicTask,
}

impl LazyStore {
    /// Opens the records in `folder`, which is created if necessary, and starts their retention. If the disk is full, they
    /// are opened later; until then, `space` reports no room.
    ///
    /// # Errors
    /// Errors of [`Store::open`] and of starting a thread, except those caused by a full disk.
    pub fn open(folder: PathBuf, retention: Retention, space: Space) -> Result<Self, RecordsError> {
        let (opened, opening) = match Opened::new(&folder, retention, &space) {
            Ok(opened) => (Some(opened), None),
            Err(error) if error.is_full() => {
                let opening = Opening::start(folder, retention, space.clone(), &error)?;
                (None, Some(opening))
            }
            Err(error) => return Err(error),
        };
        Ok(Self {
            space,
            opened,
            opening,
        })
    }

    /// The disk space for records.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// The records, if they are open.
    pub fn store(&mut self) -> Option<&mut Store> {
        if let Some(opening) = &self.opening
            && let Ok(opened) = opening.opened.try_recv()
        {
            self.opened = Some(opened);
            self.opening = None;
        }
        self.opened.as_mut().map(|opened| &mut opened.store)
    }
}

impl Opened {
    fn new(folder: &Path, retention: Retention, space: &Space) -> Result<Self, RecordsError> {
        ballast::with_room(folder, || {
            let mut store = Store::open(folder.into())?;
            let checkpoints = CheckpointTask::start(store.folder())?;
            let retention = RetentionTask::start(store.folder(), retention, space.clone())?;
            store.wake(checkpoints.waker());
            Ok(Self {
                store,
                _tasks: (checkpoints, retention),
            })
        })
    }
}

impl Opening {
    fn start(
        folder: PathBuf,
        retention: Retention,
        space: Space,
        error: &RecordsError,
    ) -> Result<Self, RecordsError> {
        let (sender, opened) = mpsc::channel();
        let block = {
            let space = space.clone();
            move |error: &RecordsError| {
                let message = if error.is_full() {
                    "disk full, records cannot be opened; remove other files".into()
                } else {
                    with_causes(error)
                };
                if space.block(message) {
                    log::error!("{}", with_causes(error));
                }
            }
        };
        block(error);
        let state = folder.clone();
        let task = PeriodicTask::start("records", RETRY_PERIOD, move || {
            match Opened::new(&folder, retention, &space) {
                Ok(opened) => {
                    // An error means that the appliance has shut down.
                    let _ = sender.send(opened);
                    // After sending, so that room is reported only once the records are available.
                    space.unblock();
                    log::info!("the records are open");
                    ControlFlow::Break(())
                }
                Err(error) => {
                    block(&error);
                    ControlFlow::Continue(())
                }
            }
        });
        Ok(Self {
            opened,
            _task: task.map_err(RecordsError::file(&state, "opened", "free some memory"))?,
        })
    }
}
