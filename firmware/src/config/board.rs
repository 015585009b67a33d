//! Which board the appliance runs on.

use serde::{Deserialize, Serialize};

/// Which board the appliance runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum BoardKind {
    /// As `pi`, but `selftest` tests the simulated bench on any other machine.
    Auto,
    /// A Raspberry Pi with camera, button, LEDs and OLED.
    Pi,
    /// Another Linux board with the same parts, through its GPIO character device.
    Linux,
    /// A simulated bench on a desktop.
    Sim,
}

impl Default for BoardKind {
    fn default() -> Self {
        if cfg!(all(feature = "pi", target_os = "linux")) {
            Self::Auto
        } else {
            Self::Sim
        }
    }
}
