//! `smearscope selftest`: checks model, engine, board, storage and clock.

use std::io::Write;

use anyhow::Result;
use clap::Args;
use smearscope_hardware::sim::Panel;
use smearscope_hardware::{Board, Camera, Canvas, LedPatterns};

use crate::appliance::checks::{self, Check};
use crate::appliance::self_test::SelfTest;
use crate::cli::args::{BoardArgs, ModelArgs};
use crate::cli::board;
use crate::cli::exit::{Exit, Failure};
use crate::config::{BoardKind, Config};
use crate::models::Models;
use crate::system::logging;

/// Which board was tested if none is configured and this is not a Raspberry Pi.
const NO_PI: &str = "simulated: no board is configured, and this is not a Raspberry Pi";

/// Check model, engine and board, and report what works.
#[derive(Debug, Args)]
#[command(after_help = "Example: smearscope selftest --board sim\n\n\
    Without --board, the board of the configuration is tested. If it names none, a Raspberry Pi tests itself, and any \
    other machine the simulated bench. The exit code is 1 if a check fails.")]
pub(crate) struct SelftestArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    board: BoardArgs,
}

impl SelftestArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let raw = self.board.apply(self.model.read()?);
        let mut config = raw.validate().map_err(Failure::configuration)?;
        logging::start_for_command(config.log);
        let is_desktop = board::is_desktop(&config);
        if is_desktop {
            config.board = BoardKind::Sim;
        }
        config.engine.set_stick_library_path();
        Ok(selftest(&config, is_desktop, self.json)?)
    }
}

fn selftest(config: &Config, is_desktop: bool, json: bool) -> Result<Exit> {
    let mut checks = model(config);
    if is_desktop {
        checks.push(Check::passed("board", NO_PI));
    }
    match board::build(config, Panel::Lines) {
        Ok((board, setup)) => {
            checks.extend(parts(board, config));
            checks.extend(checks::calibration(config.state(), &setup).1);
        }
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

/// Checks the model in use, without falling back to the previous one.
fn model(config: &Config) -> Vec<Check> {
    let models = Models::new(config);
    if let Some(error) = models.store_problem() {
        return vec![Check::of("model", Err(error.into()))];
    }
    match models.load_current() {
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

fn capture(camera: Box<dyn Camera>, config: &Config) -> Result<String> {
    let name = camera.describe();
    let frame = board::capture(camera, config.timing.capture)?;
    Ok(format!("{name}, took {}", frame.source))
}
