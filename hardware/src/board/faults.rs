//! The current faults of a board.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::HardwareError;
use crate::error::with_causes;

type Probe = Box<dyn FnMut() -> Result<(), HardwareError> + Send>;

/// The parts that do not work now, each with its error message. Clones share one list.
///
/// Each part reports the result of every use. The camera is used only on request, so a probe checks it
/// in between.
///
/// ```
/// use smearscope_hardware::{Faults, HardwareError};
///
/// let faults = Faults::default();
/// let remedy = "check its four wires".into();
/// let lost = HardwareError::Lost { part: "OLED", remedy, source: None };
/// faults.report("OLED", &Err::<(), _>(lost));
/// assert_eq!(faults.check(), ["no answer from the OLED; check its four wires"]);
/// faults.report("OLED", &Ok(()));
/// assert!(faults.check().is_empty());
/// ```
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

/// A part that does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartFault {
    /// The part, in a word or two.
    pub part: &'static str,
    /// What is wrong, and its remedy.
    pub message: String,
}

#[derive(Default)]
struct State {
    faults: Vec<PartFault>,
    probes: Vec<(&'static str, Probe)>,
}

impl Faults {
    /// Runs the probes, which are quick, and returns the messages of all parts that do not work, oldest
    /// failure first.
    pub fn check(&self) -> Vec<String> {
        let mut state = self.lock();
        let mut probes = std::mem::take(&mut state.probes);
        for (part, probe) in &mut probes {
            state.report(part, &probe());
        }
        state.probes = probes;
        let messages = state.faults.iter().map(|fault| fault.message.clone());
        messages.collect()
    }

    /// The parts that do not work, as of the last [`Faults::check`] or use; oldest failure first.
    pub fn known(&self) -> Vec<PartFault> {
        self.lock().faults.clone()
    }

    /// Records the result of a use of `part`. A new fault and its end are logged, a repeated one is
    /// not.
    pub fn report<T>(&self, part: &'static str, result: &Result<T, HardwareError>) {
        self.lock().report(part, result);
    }

    /// Makes [`Faults::check`] call `probe`, which must be quick, to see whether a part is connected.
    pub(crate) fn add_probe(
        &self,
        part: &'static str,
        probe: impl FnMut() -> Result<(), HardwareError> + Send + 'static,
    ) {
        self.lock().probes.push((part, Box::new(probe)));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn report<T>(&mut self, part: &'static str, result: &Result<T, HardwareError>) {
        let known = self.faults.iter().position(|known| known.part == part);
        match (result, known) {
            (Ok(_), Some(known)) => {
                self.faults.remove(known);
                log::info!("{part}: works again");
            }
            (Err(error), known) => {
                let message = with_causes(error);
                let is_new = known.is_none_or(|known| self.faults[known].message != message);
                if is_new {
                    log::error!("{message}");
                }
                match known {
                    Some(known) => self.faults[known].message = message,
                    None => self.faults.push(PartFault { part, message }),
                }
            }
            (Ok(_), None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn lost(part: &'static str) -> Result<(), HardwareError> {
        Err(HardwareError::Lost {
            part,
            remedy: "plug it in".into(),
            source: Some("no such device".into()),
        })
    }

    #[test]
    fn a_fault_is_listed_until_the_part_works_again() {
        let faults = Faults::default();
        faults.report("OLED", &Ok(()));
        assert_eq!(faults.check(), Vec::<String>::new());
        faults.report("OLED", &lost("OLED"));
        faults.report("LEDs", &lost("LEDs"));
        faults.report("OLED", &lost("OLED"));
        assert_eq!(
            faults.check(),
            [
                "no answer from the OLED; plug it in: no such device",
                "no answer from the LEDs; plug it in: no such device"
            ]
        );
        faults.report("OLED", &Ok(()));
        let known = faults.known();
        assert_eq!((known.len(), known[0].part), (1, "LEDs"));
        assert_eq!(known[0].message, faults.check()[0]);
    }

    #[test]
    fn each_check_runs_the_probes() {
        let is_connected = Arc::new(AtomicBool::new(false));
        let faults = Faults::default();
        faults.add_probe("camera", {
            let is_connected = Arc::clone(&is_connected);
            move || {
                if is_connected.load(Ordering::Relaxed) {
                    Ok(())
                } else {
                    lost("camera")
                }
            }
        });
        assert_eq!(faults.check().len(), 1);
        is_connected.store(true, Ordering::Relaxed);
        assert_eq!(faults.check(), Vec::<String>::new());
    }
}
