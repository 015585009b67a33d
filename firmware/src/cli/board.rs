//! Builds the board that the configuration names.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use smearscope_hardware::sim::{self, FolderCamera, Panel};
use smearscope_hardware::{Board, CalibratedCamera, Camera, Frame, HardwareError};

use crate::calibration::Setup;
use crate::cli::demo_fields::DemoCamera;
use crate::config::sim::RawSim;
use crate::config::{BoardKind, Config};

/// Builds the configured board, and says which camera and objective it has. A simulated one is shown on `panel`.
///
/// # Errors
/// [`HardwareError`] if the board cannot be used on this machine or with this program.
pub(crate) fn build(config: &Config, panel: Panel) -> Result<(Board, Setup), HardwareError> {
    let mut board = unscaled(config, panel)?;
    let setup = Setup {
        camera: board.camera.describe(),
        objective: config.equipment.camera.objective.clone(),
    };
    let um_per_pixel = config.equipment.camera.um_per_pixel as f32;
    if um_per_pixel > 0.0 {
        board.camera = Box::new(CalibratedCamera::new(board.camera, um_per_pixel));
    }
    Ok((board, setup))
}

/// The board, whose camera has the scale that it knows by itself.
fn unscaled(config: &Config, panel: Panel) -> Result<Board, HardwareError> {
    match config.board {
        BoardKind::Sim => simulated(config, panel),
        #[cfg(all(feature = "pi", target_os = "linux"))]
        BoardKind::Auto | BoardKind::Pi => {
            smearscope_hardware::pi::board(&config.equipment, &config.pi)
        }
        #[cfg(all(feature = "linux", target_os = "linux"))]
        BoardKind::Linux => Ok(smearscope_hardware::linux::board(
            &config.equipment,
            &config.linux,
        )),
        #[cfg(not(all(feature = "pi", target_os = "linux")))]
        BoardKind::Auto | BoardKind::Pi => Err(left_out("pi")),
        #[cfg(not(all(feature = "linux", target_os = "linux")))]
        BoardKind::Linux => Err(left_out("linux")),
    }
}

/// Captures a frame on another thread, because a driver may block for ever.
///
/// # Errors
/// Those of the camera, also if it gives no picture within `limit`.
pub(crate) fn capture(mut camera: Box<dyn Camera>, limit: Duration) -> Result<Frame> {
    let (sender, receiver) = mpsc::channel();
    let name = camera.describe();
    thread::Builder::new()
        .spawn(move || {
            // The receiver is gone after the timeout.
            let _ = sender.send(camera.capture());
        })
        .context("a thread cannot be started; free some memory")?;
    match receiver.recv_timeout(limit) {
        Ok(frame) => Ok(frame?),
        Err(_) => anyhow::bail!("{name} gives no picture; unplug and plug it in"),
    }
}

/// Whether no board is configured and this machine is not the Raspberry Pi that `run` would need.
pub(crate) fn is_desktop(config: &Config) -> bool {
    #[cfg(all(feature = "pi", target_os = "linux"))]
    let is_pi = smearscope_hardware::pi::is_raspberry_pi();
    #[cfg(not(all(feature = "pi", target_os = "linux")))]
    let is_pi = false;
    config.board == BoardKind::Auto && !is_pi
}

/// The simulated bench. Outside the source tree, where the default folder of images is missing, its camera plays
/// the fields that are part of the program.
fn simulated(config: &Config, panel: Panel) -> Result<Board, HardwareError> {
    let fields = &config.sim.fields;
    let is_missing = *fields == RawSim::default().fields && !fields.exists();
    let camera: Box<dyn Camera> = if is_missing {
        Box::new(DemoCamera::default())
    } else {
        let is_image = smearscope_artifacts::is_image_path;
        Box::new(FolderCamera::open(fields.clone(), is_image)?)
    };
    // A simulated bench always has a display.
    let screen = config.equipment.display.size().unwrap_or_default();
    Ok(sim::board(camera, panel, screen))
}

#[cfg(not(all(feature = "pi", feature = "linux", target_os = "linux")))]
fn left_out(feature: &'static str) -> HardwareError {
    HardwareError::NoSuchBoard {
        board: feature,
        problem: format!("the program was built without the feature `{feature}`"),
        remedy: "add `--board sim`",
    }
}
