//! `smearscope run`: runs the appliance on its board until it is switched off.

use std::io::{IsTerminal, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;
use smearscope_hardware::sim::{LogLines, Panel};

use crate::analysis::analyst::Analyst;
use crate::analysis::finding::{Finding, SaveOutcome};
use crate::analysis::identity::DEMO_NOTICE;
use crate::analysis::recorder::Recorder;
use crate::appliance::checks::{self, Check};
use crate::appliance::event_loop::{self, ApplianceError, End, Equipped};
use crate::appliance::handle::{Report, connect};
use crate::cli::args::{BoardArgs, ModelArgs};
use crate::cli::board;
use crate::cli::exit::{Exit, Failure};
use crate::cli::plural::counted;
use crate::config::storage::StorageConfig;
use crate::config::{BoardKind, Config, PanelKind};
use crate::models::Models;
use crate::network;
use crate::records::{LazyStore, Space};
use crate::system::logging;
use crate::system::sanitize::printable;

/// Run the appliance: press the button, read the verdict.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: smearscope run --board sim --fields ~/micrographs\n\n\
    On the simulated bench, the space bar is the button and q switches off. Without a terminal, it reads \
    commands from standard input, one per line: `press`, `long` (next slide), `double` (last verdict again), \
    `quit`. Each verdict is printed as a line that starts with `verdict:`. If the model cannot be used, the \
    screen says so, nothing is analysed, and the exit code is 4."
)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    board: BoardArgs,
}

impl RunArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let read = || self.board.clone().validated(self.model.clone());
        let config = read().map_err(Failure::configuration)?;
        config.engine.set_stick_library_path();
        run(&config, read)?;
        Ok(Exit::Success)
    }
}

/// Runs the appliance. `reread` reads the configuration again, for a reload.
fn run(config: &Config, reread: impl Fn() -> Result<Config>) -> Result<()> {
    let panel = panel(config.sim.panel);
    let mut is_drawn = false;
    match &panel {
        Panel::Terminal { log } if config.board == BoardKind::Sim => {
            is_drawn = true;
            logging::start_in_panel(config.log, log);
        }
        _ => logging::start(config.log),
    }
    let board = board::build(config, panel)?;

    let loaded = config.clone();
    let load = move || {
        let ready = Models::new(&loaded).load_or_roll_back()?;
        let analyst = Analyst::new(ready.model, loaded.limits);
        let rollback = ready.rollback.map(|line| Check::failed("model", line));
        let surroundings = checks::surroundings(&loaded);
        let recorder = recorder(analyst, loaded.storage.clone())?;
        let records = checks::records(&loaded);
        let checks = rollback.into_iter().chain(surroundings).chain(records);
        Ok(Equipped {
            recorder,
            checks: checks.collect(),
        })
    };
    let report = |report: &Report| {
        let line = verdict_line(report);
        let line = printable(&line);
        if is_drawn {
            log::info!("{line}");
        } else {
            // The reader may be gone; the appliance continues.
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
    // Do not wait for a stalled driver.
    runtime.shutdown_background();
    network.end();
    match result? {
        End::Operator => switch_off(&config.switch_off),
        End::Supervisor => Ok(()),
        End::Reload => restart(),
    }
}

/// Replaces this process by the same program with the same arguments. The service manager sees no exit, and no
/// state of the old configuration remains.
fn restart() -> Result<()> {
    let program = std::env::current_exe().context("the path of the program is unknown")?;
    let error = Command::new(&program)
        .args(std::env::args_os().skip(1))
        .exec();
    Err(error).with_context(|| format!("{} cannot be started again", program.display()))
}

/// The recorder, with the store that the configuration names, if any.
fn recorder(analyst: Analyst, storage: Option<StorageConfig>) -> Result<Recorder, ApplianceError> {
    let Some(storage) = storage else {
        return Ok(Recorder::new(analyst));
    };
    let space = Space::of(storage.state.clone(), storage.min_free, storage.reserve);
    let records = LazyStore::open(storage.state, storage.retention, space)?;
    Ok(Recorder::recording(analyst, records))
}

/// Switches the machine off with the configured command, if there is one, after the button was held.
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
        "verdict: {}{}{threshold}{reason} · {} · slide {}: {}{} of {}{saved} · {notice} · {} on {}",
        field.judgement.verdict().as_str(),
        probability(field.probability),
        report.source,
        slide.slide,
        slide.judgement.verdict().as_str(),
        probability(slide.probability),
        counted(slide.fields, "field"),
        report.identity.model,
        report.identity.engine,
    )
}

/// Waits for Ctrl-C, for SIGTERM, with which systemd stops a service, or for SIGHUP, with which it reloads one if
/// the configuration is valid. With a terminal, SIGHUP means that the terminal was closed.
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
                    log::info!("stopping on SIGTERM");
                    return End::Supervisor;
                }
                _ = hang_up.recv() => match reread() {
                    _ if has_terminal => return End::Supervisor,
                    Ok(_) => {
                        log::info!("the configuration is valid; restarting with it");
                        return End::Reload;
                    }
                    Err(error) => log::error!(
                        "{error:#}; the old configuration stays in use until this is corrected"
                    ),
                },
            }
        }
    })
}
