//! The calibration in use, which may be replaced while the appliance runs.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use smearscope_artifacts::decode::Picture;
use smearscope_hardware::CaptureSettings;
use tokio::sync::OwnedMutexGuard;

use crate::calibration::error::CalibrationError;
use crate::calibration::{Calibration, Calibrations, Setup};

/// The camera with its objective, and the calibration in use. Clones share it.
#[derive(Debug, Clone)]
pub struct CalibrationInUse {
    setup: Arc<Setup>,
    current: Arc<Mutex<Option<Arc<Calibration>>>>,
    /// Held by whoever measures and writes.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// The right to measure: one at a time, so that pictures for it do not queue before those of a press.
pub type Turn = OwnedMutexGuard<()>;

impl CalibrationInUse {
    /// The camera with its objective, and its calibration if it has one.
    pub fn new(setup: Setup, calibration: Option<Calibration>) -> Self {
        Self {
            setup: Arc::new(setup),
            current: Arc::new(Mutex::new(calibration.map(Arc::new))),
            turn: Arc::default(),
        }
    }

    /// The camera with its objective.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The calibration for the next picture.
    pub fn get(&self) -> Option<Arc<Calibration>> {
        self.current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The right to measure; `None` while another holds it.
    pub fn turn(&self) -> Option<Turn> {
        Arc::clone(&self.turn).try_lock_owned().ok()
    }

    /// Gives a picture that is to be measured even, neutral light. A calibration of another size or camera does not count: it
    /// is about to be replaced.
    ///
    /// # Errors
    /// As [`Calibration::correct`], if its white balance is another one.
    pub fn correct(
        &self,
        picture: &mut Picture,
        settings: &CaptureSettings,
    ) -> Result<(), CalibrationError> {
        match self.get() {
            Some(known) if known.check(picture.original_size, settings).is_ok() => {
                known.correct(picture, settings)
            }
            _ => Ok(()),
        }
    }

    /// Changes what the file of a state folder says of this camera, and uses it from the next picture on. What was measured at
    /// another size, or of another camera, does not hold any more.
    ///
    /// # Errors
    /// [`CalibrationError::File`] and [`CalibrationError::Damaged`]; the old calibration then stays in use.
    pub fn change(
        &self,
        _turn: &Turn,
        state: &Path,
        size: (u32, u32),
        settings: &CaptureSettings,
        change: impl FnOnce(&mut Calibration),
    ) -> Result<Arc<Calibration>, CalibrationError> {
        let mut calibrations = Calibrations::read(state)?;
        let known = calibrations.of(&self.setup);
        let mut calibration = known
            .filter(|known| known.check(size, settings).is_ok())
            .cloned()
            .unwrap_or_else(|| {
                Calibration::new((*self.setup).clone(), size, settings.camera.clone())
            });
        change(&mut calibration);
        calibrations.put(calibration.clone());
        calibrations.write(state)?;
        let calibration = Arc::new(calibration);
        self.set(Some(Arc::clone(&calibration)));
        Ok(calibration)
    }

    /// Removes the calibration from the file of a state folder, and uses none from the next picture on. Returns whether there
    /// was one.
    ///
    /// # Errors
    /// As [`CalibrationInUse::change`].
    pub fn remove(&self, _turn: &Turn, state: &Path) -> Result<bool, CalibrationError> {
        let mut calibrations = Calibrations::read(state)?;
        let is_removed = calibrations.remove(&self.setup);
        if is_removed {
            calibrations.write(state)?;
        }
        self.set(None);
        Ok(is_removed)
    }

    /// The lock is not held while a disk is waited for: each picture asks for it.
    fn set(&self, calibration: Option<Arc<Calibration>>) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = calibration;
    }
}
