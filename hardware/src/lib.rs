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

mod absent;
pub mod access;
#[cfg(all(feature = "linux", target_os = "linux"))]
mod assembly;
#[cfg(all(feature = "linux", target_os = "linux"))]
mod backoff;
mod board;
pub mod burn_in;
mod canvas;
pub mod config;
#[cfg(all(feature = "linux", target_os = "linux"))]
mod contact;
mod error;
mod faults;
mod frame;
pub mod gestures;
#[cfg(all(feature = "linux", target_os = "linux"))]
mod i2c_oled;
#[cfg(all(feature = "linux", target_os = "linux"))]
mod lamps;
mod lights;
#[cfg(all(feature = "linux", target_os = "linux"))]
pub mod linux;
pub mod mock;
pub mod oled;
#[cfg(all(feature = "pi", target_os = "linux"))]
pub mod pi;
mod ports;
mod presses;
#[cfg(all(feature = "linux", target_os = "linux"))]
mod reopening;
pub mod settings;
pub mod sim;
mod text_art;
#[cfg(all(feature = "linux", target_os = "linux"))]
mod usb_camera;
pub mod virtual_ssd1306;
pub mod wiring;

pub use absent::Absent;
pub use board::Board;
pub use canvas::{Canvas, ScreenSize};
pub use error::{HardwareError, with_causes};
pub use faults::Faults;
pub use frame::{Frame, Pixels};
pub use lights::{Light, Lights};
pub use ports::{Button, Camera, Screen, StatusLeds};
pub use presses::{ButtonEvent, PressReceiver, PressSender, press_queue};
