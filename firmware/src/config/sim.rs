//! `[sim]`: the simulated bench.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

smearscope_hardware::settings! {
    /// The simulated bench.
    pub struct RawSim in "sim" {
        /// Folder of images that the simulated camera delivers.
        fields: PathBuf = "hardware/fields".into();
        /// How OLED, LEDs and button are simulated; "auto": "terminal" if there is one, else "lines" (for pipes).
        panel: PanelKind = PanelKind::Auto;
    }
}

/// How OLED, LEDs and button are simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum PanelKind {
    /// In the terminal if there is one, else as lines.
    #[default]
    Auto,
    /// Drawn in the terminal; the space bar is the button.
    Terminal,
    /// As lines on standard input and output.
    Lines,
}
