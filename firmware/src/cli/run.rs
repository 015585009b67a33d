//! `smearscope run`: makes the board and runs the appliance on it until it is switched off.

use std::io::{IsTerminal, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};
use smearscope_hardware::sim::{self, LogLines, Panel, SimConfig};
use smearscope_hardware::{Board, HardwareError};

use crate::analysis::analyst::Analyst;
use crate::analysis::finding::Finding;
use crate::analysis::finding::SaveOutcome;
use crate::analysis::identity::DEMO_NOTICE;
use crate::analysis::recorder::Recorder;
use crate::appliance::checks::{self, Check};
use crate::appliance::event_loop::{self, ApplianceError, End, Equipped};
use crate::appliance::handle::{Report, connect};
use crate::config::storage::StorageConfig;
use crate::config::{BoardKind, Config, PanelKind};
use crate::models::Models;
use crate::network;
use crate::records::{LazyStore, Space};
use crate::system::logging;
use crate::system::sanitize::printable;

/// `reread` reads the configuration once more, when a new one is to be applied.
pub(crate) fn run(config: &Config, reread: impl Fn() -> Result<Config>) -> Result<()> {
    let panel = panel(config.sim.panel);
    let mut is_drawn = false;
    match &panel {
        Panel::Terminal { log } if config.board == BoardKind::Sim => {
            is_drawn = true;
            logging::start_in_panel(config.log, log);
        }
        _ => logging::start(config.log),
    }
    let board = board(config, panel)?;

    let loaded = config.clone();
    let load = move || {
        let ready = Models::new(&loaded).load_or_roll_back()?;
        let analyst = Analyst::new(ready.model, loaded.limits);
        let rollback = ready.rollback.map(|line| Check::failed("model", line));
        let surroundings = checks::surroundings(&loaded);
        Ok(Equipped {
            recorder: recorder(analyst, loaded.storage)?,
            checks: rollback.into_iter().chain(surroundings).collect(),
        })
    };
    let report = |report: &Report| {
        let line = verdict_line(report);
        let line = printable(&line);
        if is_drawn {
            log::info!("{line}");
        } else {
            // Whoever read the lines may have gone; the bench goes on.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    };

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the event loop cannot be started")?;
    let (handle, mut link) = connect();
    let mut network = network::start(config, &handle)?;
    link.notice = network.notice();
    let result = runtime.block_on(async {
        let shutdown = end_signal(reread)?;
        event_loop::run(board, load, config.timing, link, report, shutdown)
            .await
            .map_err(anyhow::Error::from)
    });
    // A stalled driver must not keep the program from ending.
    runtime.shutdown_background();
    network.end();
    match result? {
        End::Operator => switch_off(&config.switch_off),
        End::Supervisor => Ok(()),
        End::Reload => start_anew(),
    }
}

/// The same program with the same arguments in the same process: the service manager sees no end, and
/// no state of the old configuration is left.
fn start_anew() -> Result<()> {
    let program = std::env::current_exe().context("the program's own place is unknown")?;
    let error = Command::new(&program)
        .args(std::env::args_os().skip(1))
        .exec();
    Err(error).with_context(|| format!("{} cannot be started anew", program.display()))
}

/// Keeps records where the configuration says so.
fn recorder(analyst: Analyst, storage: Option<StorageConfig>) -> Result<Recorder, ApplianceError> {
    let Some(storage) = storage else {
        return Ok(Recorder::new(analyst));
    };
    let space = Space::of(storage.state.clone(), storage.min_free, storage.reserve);
    let records = LazyStore::open(storage.state, storage.retention, space)?;
    Ok(Recorder::recording(analyst, records))
}

/// What the operator meant by holding the button, where the configuration says how.
fn switch_off(command: &[String]) -> Result<()> {
    let [program, arguments @ ..] = command else {
        return Ok(());
    };
    let status = Command::new(program)
        .args(arguments)
        .status()
        .with_context(|| format!("switch_off: {program} cannot be started"))?;
    anyhow::ensure!(status.success(), "switch_off: {program} failed, {status}");
    Ok(())
}

fn panel(kind: PanelKind) -> Panel {
    let has_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    match kind {
        PanelKind::Auto if has_terminal => Panel::Terminal {
            log: LogLines::default(),
        },
        PanelKind::Terminal => Panel::Terminal {
            log: LogLines::default(),
        },
        PanelKind::Auto | PanelKind::Lines => Panel::Lines,
    }
}

pub(crate) fn board(config: &Config, panel: Panel) -> Result<Board, HardwareError> {
    match config.board {
        BoardKind::Sim => sim::board(SimConfig {
            fields: config.sim.fields.clone(),
            panel,
            // A simulated bench always has something to look at.
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
        remedy: format!("it was built without the feature `{feature}`; use --board sim"),
        source: None,
    }
}

fn verdict_line(report: &Report) -> String {
    let Finding {
        field,
        slide,
        saved,
    } = &report.finding;
    let probability = |probability: Option<f32>| {
        probability.map_or_else(String::new, |probability| format!(" p={probability:.3}"))
    };
    let threshold = field.probability.map_or_else(String::new, |_| {
        format!(" (threshold {:.2})", report.threshold)
    });
    let reason = field.explanation().map_or_else(String::new, |reason| {
        let hint = field.judgement.reason().map_or("", |reason| reason.hint());
        format!(" ({reason}: {hint})")
    });
    let notice = if report.identity.is_demo {
        DEMO_NOTICE
    } else {
        "research use only"
    };
    let saved = match saved {
        SaveOutcome::Saved(id) => format!(" · saved as {id}"),
        SaveOutcome::NotSaved => " · NOT SAVED, does not count".into(),
        SaveOutcome::Unwanted => String::new(),
    };
    format!(
        "verdict: {}{}{threshold}{reason} · {} · slide {}: {}{} of {} fields{saved} · {notice} · {} on {}",
        field.judgement.verdict().as_str(),
        probability(field.probability),
        report.source,
        slide.slide,
        slide.judgement.verdict().as_str(),
        probability(slide.probability),
        slide.fields,
        report.identity.model,
        report.identity.engine,
    )
}

/// Ends with Ctrl-C, with SIGTERM, by which systemd stops a service, or with SIGHUP, by which it reloads
/// one, if the configuration is right. In a terminal, SIGHUP says that somebody closed it.
fn end_signal(reread: impl Fn() -> Result<Config>) -> Result<impl Future<Output = End>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("Ctrl-C cannot be caught")?;
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be caught")?;
    let mut hang_up = signal(SignalKind::hangup()).context("SIGHUP cannot be caught")?;
    let has_terminal = std::io::stdin().is_terminal();
    Ok(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {
                    log::info!("interrupted");
                    return End::Supervisor;
                }
                _ = terminate.recv() => {
                    log::info!("asked to end");
                    return End::Supervisor;
                }
                _ = hang_up.recv() => match reread() {
                    _ if has_terminal => return End::Supervisor,
                    Ok(_) => {
                        log::info!("the configuration is right; starting anew with it");
                        return End::Reload;
                    }
                    Err(error) => log::error!(
                        "{error:#}; the configuration stays what it was until that is corrected"
                    ),
                },
            }
        }
    })
}
