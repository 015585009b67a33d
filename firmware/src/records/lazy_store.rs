//! The records of an appliance, and what looks after them. Where the disk is so full that they cannot be
//! opened, the appliance says so, and they are as soon as there is room.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use smearscope_hardware::with_causes;

use crate::config::storage::Retention;
use crate::records::RecordsError;
use crate::records::RetentionTask;
use crate::records::Space;
use crate::records::Store;
use crate::records::ballast;
use crate::records::periodic_task::PeriodicTask;

/// How often it is tried to open what could not be.
const PERIOD: Duration = Duration::from_secs(2);

/// Records that are open, or will be.
pub struct LazyStore {
    space: Space,
    opened: Option<Opened>,
    opening: Option<Opening>,
}

struct Opened {
    store: Store,
    /// CommitGuard, because dropping it ends retention.
    _keeper: RetentionTask,
}

struct Opening {
    opened: mpsc::Receiver<Opened>,
    /// CommitGuard, because dropping it ends what tries.
    _task: PeriodicTask,
}

impl LazyStore {
    /// Opens the records in `folder`, which is made if need be, and removes images as `retention` says and `space`
    /// demands. On a full disk they are opened later; until then `space` has no room.
    ///
    /// # Errors
    /// Those of [`Store::open`] and [`RetentionTask::start`], but for those that say that the disk is full.
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

    /// The room that there is.
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
            let store = Store::open(folder.into())?;
            Ok(Self {
                _keeper: RetentionTask::start(&store, retention, space.clone())?,
                store,
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
        let shut = {
            let space = space.clone();
            move |error: &RecordsError| {
                let message = if error.is_full() {
                    "disk full, records cannot be opened; remove other files".into()
                } else {
                    with_causes(error)
                };
                if space.shut(message) {
                    log::error!("{}", with_causes(error));
                }
            }
        };
        shut(error);
        let place = folder.clone();
        let task = PeriodicTask::start("records", PERIOD, move || {
            match Opened::new(&folder, retention, &space) {
                Ok(opened) => {
                    // An error says that the appliance has ended.
                    let _ = sender.send(opened);
                    // Only now: whoever sees room finds the records.
                    space.unshut();
                    log::info!("the records are open");
                    ControlFlow::Break(())
                }
                Err(error) => {
                    shut(&error);
                    ControlFlow::Continue(())
                }
            }
        });
        Ok(Self {
            opened,
            _task: task.map_err(RecordsError::file(&place, "watched", "free some memory"))?,
        })
    }
}
