//! `smearscope selftest`: what works and what does not.

use std::io::Write;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result};
use smearscope_hardware::sim::Panel;
use smearscope_hardware::{Board, Camera, Canvas, LedPatterns};

use crate::appliance::checks::{self, Check};
use crate::appliance::self_test::SelfTest;
use crate::cli::exit::Exit;
use crate::cli::run;
use crate::config::Config;
use crate::models::{ModelError, Models};

pub(crate) fn selftest(config: &Config, json: bool) -> Result<Exit> {
    let mut checks = model(config);
    match run::board(config, Panel::Lines) {
        Ok(board) => checks.extend(parts(board, config)),
        Err(error) => checks.push(Check::of("board", Err(error.into()))),
    }
    checks.extend(checks::surroundings(config));
    let self_test = SelfTest { checks };
    let mut stdout = std::io::stdout().lock();
    if json {
        writeln!(stdout, "{}", serde_json::to_string(&self_test)?)?;
    } else {
        for check in &self_test.checks {
            let mark = if check.passed { "ok" } else { "FAILED" };
            writeln!(stdout, "{:8} {mark:6}  {}", check.part, check.detail)?;
        }
    }
    Ok(if self_test.passed() {
        Exit::Success
    } else {
        Exit::Failure
    })
}

/// The model in use, and no other: here nothing goes back to the one before.
fn model(config: &Config) -> Vec<Check> {
    let models = Models::new(config);
    let loaded = models
        .folder()
        .and_then(|folder| models.load(&folder).map_err(ModelError::from));
    match loaded {
        Ok(model) => checks::model(&model),
        Err(error) => vec![Check::of("model", Err(error.into()))],
    }
}

fn parts(mut board: Board, config: &Config) -> Vec<Check> {
    let button = board.button.describe();
    let leds = board.leds.describe();
    let screen = board.screen.describe();
    let pressed = board.button.check().map(|()| button);
    let lit = board.leds.show(LedPatterns::default()).map(|()| leds);
    let drawn = board.screen.show(&Canvas::new(board.screen.size()));
    vec![
        Check::of("camera", capture(board.camera, config)),
        Check::of("button", pressed.map_err(Into::into)),
        Check::of("LEDs", lit.map_err(Into::into)),
        Check::of("screen", drawn.map(|()| screen).map_err(Into::into)),
    ]
}

/// On a thread of its own: a driver may block for ever.
fn capture(mut camera: Box<dyn Camera>, config: &Config) -> Result<String> {
    let (sender, receiver) = mpsc::channel();
    let name = camera.describe();
    thread::Builder::new()
        .spawn(move || {
            // Nobody may wait for the answer any more.
            let _ = sender.send(camera.capture());
        })
        .context("there is no room for a thread; free some memory")?;
    match receiver.recv_timeout(config.timing.capture) {
        Ok(frame) => Ok(format!("{name}, took {}", frame?.source)),
        Err(_) => anyhow::bail!("{name} gives no picture; unplug and plug it in"),
    }
}
