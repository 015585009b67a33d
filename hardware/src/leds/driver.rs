//! Three LEDs driven by a thread, since blinking and breathing take time.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::error::HardwareError;
use crate::leds::pattern::{Light, Lights};
use crate::ports::StatusLeds;

/// One LED on a pin.
pub(crate) trait Lamp: Send + 'static {
    /// Makes the LED look as `light` does `elapsed` after it began; gives after how long it must be
    /// called again, if ever.
    ///
    /// # Errors
    /// [`HardwareError::Lost`] if the pin cannot be driven.
    fn shine(&mut self, light: Light, elapsed: Duration)
    -> Result<Option<Duration>, HardwareError>;
}

/// Three LEDs; dark once this is dropped.
pub(crate) struct Lamps {
    /// Dropped to end the thread.
    orders: Option<Sender<Lights>>,
    ordered: Option<Lights>,
    lost: Arc<Mutex<Option<HardwareError>>>,
    thread: Option<JoinHandle<()>>,
}

impl Lamps {
    /// Takes over the red, the amber and the green LED.
    ///
    /// # Errors
    /// [`HardwareError::Open`] if there is no memory for a thread.
    pub(crate) fn start<L: Lamp>(lamps: [L; 3]) -> Result<Self, HardwareError> {
        let (orders, ordered) = mpsc::channel();
        let lost = Arc::<Mutex<Option<HardwareError>>>::default();
        let thread = std::thread::Builder::new()
            .name("LEDs".into())
            .spawn({
                let lost = Arc::clone(&lost);
                move || {
                    if let Err(error) = drive(lamps, &ordered) {
                        *lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    }
                }
            })
            .map_err(|error| HardwareError::Open {
                part: "LEDs",
                at: "a thread of their own".into(),
                remedy: "free some memory".into(),
                source: Some(error.into()),
            })?;
        Ok(Self {
            orders: Some(orders),
            ordered: None,
            lost,
            thread: Some(thread),
        })
    }
}

impl StatusLeds for Lamps {
    /// A pin that cannot be driven is known by the next call.
    fn show(&mut self, lights: Lights) -> Result<(), HardwareError> {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = lost.take() {
            return Err(error);
        }
        // The same again must not begin a breath anew.
        if self.ordered.replace(lights) != Some(lights)
            && let Some(orders) = &self.orders
        {
            // A thread that has ended meanwhile leaves its error for the next call.
            let _ = orders.send(lights);
        }
        Ok(())
    }

    fn describe(&self) -> String {
        "three LEDs".into()
    }
}

impl Drop for Lamps {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been reported by the thread itself.
            let _ = thread.join();
        }
    }
}

fn drive<L: Lamp>(mut lamps: [L; 3], orders: &Receiver<Lights>) -> Result<(), HardwareError> {
    let mut lights = Lights::default();
    let mut began = Instant::now();
    loop {
        let again = shine(&mut lamps, lights, began.elapsed())?;
        let order = match again {
            Some(after) => orders.recv_timeout(after),
            None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match order {
            Ok(order) => {
                lights = order;
                began = Instant::now();
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    shine(&mut lamps, Lights::default(), Duration::ZERO).map(drop)
}

fn shine<L: Lamp>(
    [red, amber, green]: &mut [L; 3],
    lights: Lights,
    elapsed: Duration,
) -> Result<Option<Duration>, HardwareError> {
    let again = [
        red.shine(lights.red, elapsed)?,
        amber.shine(lights.amber, elapsed)?,
        green.shine(lights.green, elapsed)?,
    ];
    Ok(again.into_iter().flatten().min())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reports what it was told; fails if the test does not listen.
    struct Told(Sender<Light>);

    impl Lamp for Told {
        fn shine(&mut self, light: Light, _: Duration) -> Result<Option<Duration>, HardwareError> {
            self.0
                .send(light)
                .map(|()| (light == Light::Breathe).then_some(Duration::from_millis(1)))
                .map_err(|_| HardwareError::Lost {
                    part: "LEDs",
                    remedy: "check their wires".into(),
                    source: None,
                })
        }
    }

    fn lamps() -> (Lamps, [Receiver<Light>; 3]) {
        let (lamps, told): (Vec<_>, Vec<_>) = (0..3)
            .map(|_| mpsc::channel())
            .map(|(sender, receiver)| (Told(sender), receiver))
            .unzip();
        let lamps = lamps.try_into().ok().unwrap();
        (Lamps::start(lamps).unwrap(), told.try_into().unwrap())
    }

    const BREATHING: Lights = Lights {
        red: Light::Steady,
        amber: Light::Breathe,
        green: Light::Off,
    };

    #[test]
    fn each_lamp_does_its_own_and_goes_dark_in_the_end() {
        let (mut lamps, [red, amber, green]) = lamps();
        lamps.show(BREATHING).unwrap();
        while amber.recv().unwrap() != Light::Breathe {}
        assert_eq!(amber.recv().unwrap(), Light::Breathe, "again and again");
        lamps.show(BREATHING).unwrap();
        drop(lamps);
        let red: Vec<_> = red.iter().collect();
        assert_eq!(red.first(), Some(&Light::Off), "dark in the beginning");
        assert!(red.contains(&Light::Steady));
        assert_eq!(red.last(), Some(&Light::Off));
        assert_eq!(amber.iter().last(), Some(Light::Off));
        assert!(green.iter().all(|light| light == Light::Off));
    }

    #[test]
    fn a_lamp_that_cannot_be_driven_is_an_error_of_a_later_call() {
        let (mut lamps, told) = lamps();
        drop(told);
        let error = loop {
            if let Err(error) = lamps.show(BREATHING) {
                break error;
            }
        };
        assert!(error.to_string().contains("check their wires"), "{error}");
    }
}
