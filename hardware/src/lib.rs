//! The hardware of the smearscope bench behind four ports.
//!
//! A [`Board`] bundles a [`Camera`], a [`Button`], [`StatusLeds`] and a [`Screen`]. The
//! appliance sees only these traits; which backend stands behind them is decided once, at start.
//!
//! | backend | for |
//! |---|---|
//! | `pi` | a Raspberry Pi: rppal, `linux-embedded-hal`, nokhwa |
//! | [`sim`] | a desktop: a folder of images, a terminal panel or plain lines |
//! | [`mock`] | tests: scripted cameras and buttons, recorded LEDs and screens |

mod board;
mod canvas;
mod error;
mod frame;
pub mod mock;
pub mod oled;
#[cfg(all(feature = "pi", target_os = "linux"))]
pub mod pi;
mod ports;
mod presses;
pub mod sim;
mod text_art;
pub mod virtual_ssd1306;

pub use board::Board;
pub use canvas::Canvas;
pub use error::HardwareError;
pub use frame::{Frame, Pixels};
pub use ports::{Button, Camera, Light, Lights, Screen, StatusLeds};
pub use presses::{ButtonEvent, PressReceiver, PressSender, press_queue};
