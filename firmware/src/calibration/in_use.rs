//! The calibration in use, which may be replaced while the appliance runs.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::calibration::error::CalibrationError;
use crate::calibration::{Calibration, Calibrations, Setup};

/// The camera with its objective, and the calibration in use. Clones share it.
#[derive(Debug, Clone)]
pub struct CalibrationInUse {
    setup: Arc<Setup>,
    current: Arc<Mutex<Option<Arc<Calibration>>>>,
}

impl CalibrationInUse {
    /// The camera with its objective, and its calibration if it has one.
    pub fn new(setup: Setup, calibration: Option<Calibration>) -> Self {
        Self {
            setup: Arc::new(setup),
            current: Arc::new(Mutex::new(calibration.map(Arc::new))),
        }
    }

    /// The camera with its objective.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The calibration for the next picture.
    pub fn get(&self) -> Option<Arc<Calibration>> {
        self.lock().clone()
    }

    /// The calibration for pictures of this size, to be measured anew. What was measured at another size does not hold any
    /// more.
    pub fn of_size(&self, (width, height): (u32, u32)) -> Calibration {
        self.get()
            .filter(|known| known.check_size(width, height).is_ok())
            .map_or_else(
                || Calibration::new((*self.setup).clone(), width, height),
                |known| (*known).clone(),
            )
    }

    /// Keeps a calibration in a state folder and uses it from the next picture on; `None` removes it.
    ///
    /// # Errors
    /// [`CalibrationError::File`] and [`CalibrationError::Damaged`]; the old calibration then stays in use.
    pub fn keep(
        &self,
        state: &Path,
        calibration: Option<Calibration>,
    ) -> Result<(), CalibrationError> {
        // Held while the file is written, so that no other change is lost.
        let mut current = self.lock();
        let mut calibrations = Calibrations::read(state)?;
        calibrations.remove(&self.setup);
        if let Some(calibration) = &calibration {
            calibrations.put(calibration.clone());
        }
        calibrations.write(state)?;
        *current = calibration.map(Arc::new);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Calibration>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
