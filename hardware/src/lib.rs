//! The hardware of the smearscope bench behind four ports.
//!
//! A [`Board`] bundles a [`Camera`], a [`Button`], [`StatusLeds`] and a [`Screen`]. The appliance uses only
//! these traits; the backend is chosen once, at start.
//!
//! | backend | for |
//! |---|---|
//! | `pi` | a Raspberry Pi: rppal, `linux-embedded-hal`, V4L2 |
//! | `linux` | other boards: GPIO character device, `linux-embedded-hal`, V4L2 |
//! | [`sim`] | a desktop: a folder of images, a terminal panel or plain lines |
//! | `mock` | tests: scripted camera and button, recorded LEDs and screen (feature `test-support`) |
//!
//! [`Board`] shows how to write another backend, [`screen`] how to test what is drawn.

mod backends;
pub mod board;
pub mod button;
pub mod camera;
pub mod config;
mod error;
pub mod leds;
mod ports;
pub mod screen;
pub mod settings;
pub mod wiring;

#[cfg(all(feature = "linux", target_os = "linux"))]
pub use backends::linux;
#[cfg(any(test, feature = "test-support"))]
pub use backends::mock;
#[cfg(all(feature = "pi", target_os = "linux"))]
pub use backends::pi;
pub use backends::sim;
pub use board::Board;
pub use board::backoff::Backoff;
pub use board::faults::{Faults, PartFault};
pub use board::not_fitted::NotFitted;
pub use button::gestures::ButtonEvent;
pub use button::queue::{PressReceiver, PressSender, press_queue};
pub use camera::calibrated::CalibratedCamera;
pub use camera::frame::{CaptureSettings, Frame, Pixels};
pub use camera::preview::{Preview, PreviewMode};
#[cfg(all(any(fuzzing, test), feature = "linux", target_os = "linux"))]
pub use camera::rpicam::fuzzing;
pub use error::{HardwareError, with_causes};
pub use leds::pattern::{LedPattern, LedPatterns};
pub use ports::{Button, Camera, Screen, StatusLeds};
pub use screen::canvas::{Canvas, ScreenSize};
