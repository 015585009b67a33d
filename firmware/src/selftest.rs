//! `smearscope selftest`: what works and what does not.

use std::io::Write;
use std::sync::mpsc;
use std::thread;

use anyhow::Result;
use serde::Serialize;
use smearscope_hardware::sim::Panel;
use smearscope_hardware::{Board, Camera, Canvas, Lights};

use crate::analysis::Analyst;
use crate::config::Config;
use crate::exit::Exit;
use crate::run;

/// One thing that was checked.
#[derive(Debug, Serialize)]
struct Check {
    part: &'static str,
    passed: bool,
    detail: String,
}

impl Check {
    fn of<E: std::fmt::Display>(part: &'static str, result: Result<String, E>) -> Self {
        Self {
            part,
            passed: result.is_ok(),
            detail: result.unwrap_or_else(|error| format!("{error:#}")),
        }
    }
}

pub(crate) fn selftest(config: &Config, json: bool) -> Result<Exit> {
    let mut checks = model(config);
    match run::board(config, Panel::Lines) {
        Ok(board) => checks.extend(parts(board, config)),
        Err(error) => checks.push(Check::of::<anyhow::Error>("board", Err(error.into()))),
    }
    let passed = checks.iter().all(|check| check.passed);
    let mut stdout = std::io::stdout().lock();
    if json {
        let report = serde_json::json!({ "passed": passed, "checks": checks });
        writeln!(stdout, "{report}")?;
    } else {
        for check in &checks {
            let mark = if check.passed { "ok" } else { "FAILED" };
            writeln!(stdout, "{:8} {mark:6}  {}", check.part, check.detail)?;
        }
    }
    Ok(if passed { Exit::Success } else { Exit::Failure })
}

fn model(config: &Config) -> Vec<Check> {
    let loaded = config
        .model_folder()
        .and_then(|folder| Ok(Analyst::load(&folder, &config.engine, config.limits)?));
    let analyst = match loaded {
        Ok(analyst) => analyst,
        Err(error) => return vec![Check::of("model", Err(error))],
    };
    let (manifest, engine) = (analyst.manifest(), analyst.engine());
    let passed = |part, detail| Check {
        part,
        passed: true,
        detail,
    };
    let mut checks = vec![
        passed(
            "model",
            format!(
                "{} {}, checksums right{}",
                manifest.name,
                manifest.version,
                if manifest.demo {
                    ", demo, not for diagnosis"
                } else {
                    ""
                }
            ),
        ),
        passed(
            "engine",
            format!("{} {} on {}", engine.engine, engine.version, engine.device),
        ),
    ];
    checks.extend(
        engine
            .fallbacks
            .iter()
            .map(|reason| passed("engine", format!("instead: {reason}"))),
    );
    checks.extend(analyst.model().golden().iter().map(|golden| {
        passed(
            "golden",
            format!(
                "{}: {:.6}, expected {:.6}",
                golden.image.display(),
                golden.actual,
                golden.expected
            ),
        )
    }));
    checks
}

fn parts(mut board: Board, config: &Config) -> Vec<Check> {
    let button = board.button.describe();
    let leds = board.leds.describe();
    let screen = board.screen.describe();
    vec![
        Check::of("camera", capture(board.camera, config)),
        Check::of("button", board.button.check().map(|()| button)),
        Check::of("LEDs", board.leds.show(Lights::default()).map(|()| leds)),
        Check::of(
            "screen",
            board
                .screen
                .show(&Canvas::new(board.screen.size()))
                .map(|()| screen),
        ),
    ]
}

/// On a thread of its own: a driver may block for ever.
fn capture(mut camera: Box<dyn Camera>, config: &Config) -> Result<String> {
    let (sender, receiver) = mpsc::channel();
    let name = camera.describe();
    thread::Builder::new().spawn(move || {
        // Nobody may wait for the answer any more.
        let _ = sender.send(camera.capture());
    })?;
    match receiver.recv_timeout(config.timing.capture) {
        Ok(frame) => Ok(format!("{name}, took {}", frame?.source)),
        Err(_) => anyhow::bail!("{name} gives no picture; unplug and plug it in"),
    }
}
