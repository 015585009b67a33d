//! What is wrong with the parts of a board now.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::HardwareError;
use crate::error::with_causes;

type Probe = Box<dyn FnMut() -> Result<(), HardwareError> + Send>;

/// The parts that do not work now, each with what to do about it; clones share it.
///
/// Parts report themselves when they are used. One that nobody uses until a person wants it, the
/// camera, is looked at instead, by a probe.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    faults: Vec<(&'static str, String)>,
    probes: Vec<(&'static str, Probe)>,
}

impl Faults {
    /// Looks at the parts that can be looked at, which is quick, and gives the messages of those
    /// that do not work, in the order in which they failed.
    pub fn look(&self) -> Vec<String> {
        let mut state = self.lock();
        let mut probes = std::mem::take(&mut state.probes);
        for (part, probe) in &mut probes {
            state.report(part, &probe());
        }
        state.probes = probes;
        let messages = state.faults.iter().map(|(_, message)| message.clone());
        messages.collect()
    }

    /// Takes note of how a use of `part` went. A new fault is logged, and so is its end; the same
    /// one again is not.
    pub fn report<T>(&self, part: &'static str, result: &Result<T, HardwareError>) {
        self.lock().report(part, result);
    }

    /// Has [`Faults::look`] ask `probe`, which must be quick, whether a part is there.
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
        let known = self.faults.iter().position(|(known, _)| *known == part);
        match (result, known) {
            (Ok(_), Some(known)) => {
                self.faults.remove(known);
                log::info!("{part}: in order again");
            }
            (Err(error), known) => {
                let message = with_causes(error);
                let is_new = known.is_none_or(|known| self.faults[known].1 != message);
                if is_new {
                    log::error!("{message}");
                }
                match known {
                    Some(known) => self.faults[known].1 = message,
                    None => self.faults.push((part, message)),
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
    fn faults_come_and_go_with_their_remedies() {
        let faults = Faults::default();
        faults.report("OLED", &Ok(()));
        assert_eq!(faults.look(), Vec::<String>::new());
        faults.report("OLED", &lost("OLED"));
        faults.report("LEDs", &lost("LEDs"));
        faults.report("OLED", &lost("OLED"));
        assert_eq!(
            faults.look(),
            [
                "no answer from the OLED; plug it in: no such device",
                "no answer from the LEDs; plug it in: no such device"
            ]
        );
        faults.report("OLED", &Ok(()));
        assert_eq!(faults.look().len(), 1);
    }

    #[test]
    fn a_probed_part_is_looked_at_each_time() {
        let is_there = Arc::new(AtomicBool::new(false));
        let faults = Faults::default();
        faults.add_probe("camera", {
            let is_there = Arc::clone(&is_there);
            move || {
                if is_there.load(Ordering::Relaxed) {
                    Ok(())
                } else {
                    lost("camera")
                }
            }
        });
        assert_eq!(faults.look().len(), 1);
        is_there.store(true, Ordering::Relaxed);
        assert_eq!(faults.look(), Vec::<String>::new());
    }
}
