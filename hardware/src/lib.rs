//! The hardware of the smearscope bench behind four ports.
//!
//! A [`Board`] bundles a [`Camera`], a [`Button`], [`StatusLeds`] and a [`Screen`]. The
//! appliance sees only these traits; which backend stands behind them is decided once, at start.
//!
//! | backend | for |
//! |---|---|
//! | `pi` | a Raspberry Pi: rppal, `linux-embedded-hal`, nokhwa |
//! | `linux` | other boards: GPIO character device, `linux-embedded-hal`, nokhwa |
//! | [`sim`] | a desktop: a folder of images, a terminal panel or plain lines |
//! | [`mock`] | tests: scripted cameras and buttons, recorded LEDs and screens |

mod backends;
pub mod board;
pub mod button;
pub mod camera;
pub mod config;
mod error;
pub mod leds;
mod ports;
pub mod screen;
pub mod wiring;

#[cfg(all(feature = "linux", target_os = "linux"))]
pub use backends::linux;
#[cfg(all(feature = "pi", target_os = "linux"))]
pub use backends::pi;
pub use backends::{mock, sim};
pub use board::Board;
pub use board::faults::Faults;
pub use board::not_fitted::Absent;
pub use button::gestures::ButtonEvent;
pub use button::queue::{PressReceiver, PressSender, press_queue};
pub use camera::frame::{Frame, Pixels};
pub use error::{HardwareError, with_causes};
pub use leds::pattern::{Light, Lights};
pub use ports::{Button, Camera, Screen, StatusLeds};
pub use screen::canvas::{Canvas, ScreenSize};
