//! Builds the board that the configuration names.

use smearscope_hardware::sim::{self, Panel, SimConfig};
use smearscope_hardware::{Board, HardwareError};

use crate::config::{BoardKind, Config};

/// Builds the configured board. A simulated one is shown on `panel`.
///
/// # Errors
/// [`HardwareError`] if the board cannot be used on this machine or with this program.
pub(crate) fn build(config: &Config, panel: Panel) -> Result<Board, HardwareError> {
    match config.board {
        BoardKind::Sim => sim::board(SimConfig {
            fields: config.sim.fields.clone(),
            panel,
            // A simulated bench always has a display.
            screen: config.equipment.display.size().unwrap_or_default(),
        }),
        #[cfg(all(feature = "pi", target_os = "linux"))]
        BoardKind::Pi => smearscope_hardware::pi::board(&config.equipment, &config.pi),
        #[cfg(all(feature = "linux", target_os = "linux"))]
        BoardKind::Linux => Ok(smearscope_hardware::linux::board(
            &config.equipment,
            &config.linux,
        )),
        #[cfg(not(all(feature = "pi", target_os = "linux")))]
        BoardKind::Pi => Err(left_out("pi")),
        #[cfg(not(all(feature = "linux", target_os = "linux")))]
        BoardKind::Linux => Err(left_out("linux")),
    }
}

#[cfg(not(all(feature = "pi", feature = "linux", target_os = "linux")))]
fn left_out(feature: &str) -> HardwareError {
    HardwareError::Open {
        part: "board",
        at: "this program".into(),
        remedy: format!("the program was built without the feature `{feature}`; add `--board sim`"),
        source: None,
    }
}
