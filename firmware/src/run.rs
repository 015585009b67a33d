//! `smearscope run`: makes the board and runs the appliance on it until it is switched off.

use std::io::{IsTerminal, Write};

use anyhow::{Context, Result};
use smearscope_artifacts::ArtifactError;
use smearscope_hardware::sim::{self, LogLines, Panel, SimConfig};
use smearscope_hardware::{Board, HardwareError};

use crate::analysis::Analyst;
use crate::appliance::{self, ApplianceError, End, Report};
use crate::config::{BoardKind, Config, PanelKind, StorageConfig};
use crate::examiner::Examiner;
use crate::machine::{Finding, Kept};
use crate::records::{Space, Store};
use crate::screens::DEMO_NOTICE;

pub(crate) fn run(config: &Config) -> Result<()> {
    let panel = panel(config.sim.panel);
    let is_drawn = config.board == BoardKind::Sim && matches!(panel, Panel::Terminal { .. });
    start_log(&panel, is_drawn);
    let board = board(config, panel)?;

    let (engine, limits) = (config.engine.clone(), config.limits);
    let folder = config.model_folder();
    let storage = config.storage.clone();
    let load = move || match folder {
        Ok(folder) => {
            let analyst = Analyst::load(&folder, &engine, limits)?;
            examiner(analyst, storage)
        }
        Err(error) => Err(ApplianceError::Model(ArtifactError::Engine {
            engine: "auto",
            problem: error.to_string(),
            remedy: "give a model's folder".into(),
        })),
    };
    let report = |report: &Report<'_>| {
        let line = verdict_line(report);
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
    let result = runtime.block_on(async {
        let shutdown = shutdown_signal()?;
        appliance::run(board, load, config.timing, report, shutdown)
            .await
            .map_err(anyhow::Error::from)
    });
    // A stalled driver must not keep the program from ending.
    runtime.shutdown_background();
    if result? == End::Operator {
        switch_off(&config.switch_off)?;
    }
    Ok(())
}

/// Keeps records where the configuration says so.
fn examiner(analyst: Analyst, storage: Option<StorageConfig>) -> Result<Examiner, ApplianceError> {
    let Some(storage) = storage else {
        return Ok(Examiner::new(analyst));
    };
    let store = Store::open(storage.state.clone())?;
    let space = Space::of(storage.state, storage.min_free, storage.reserve);
    Ok(Examiner::recording(
        analyst,
        store,
        storage.retention,
        space,
    )?)
}

/// What the operator meant by holding the button, where the configuration says how.
fn switch_off(command: &[String]) -> Result<()> {
    let [program, arguments @ ..] = command else {
        return Ok(());
    };
    let status = std::process::Command::new(program)
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

/// To standard error, or into the panel where that has the terminal.
fn start_log(panel: &Panel, is_drawn: bool) {
    let mut builder =
        env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"));
    if let Panel::Terminal { log } = panel
        && is_drawn
    {
        builder
            .target(env_logger::Target::Pipe(Box::new(log.clone())))
            .format_timestamp(None)
            .format_target(false)
            .write_style(env_logger::WriteStyle::Never);
    }
    builder.init();
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

fn verdict_line(report: &Report<'_>) -> String {
    let Finding { field, slide, kept } = report.finding;
    let probability = |probability: Option<f32>| {
        probability.map_or_else(String::new, |probability| format!(" p={probability:.3}"))
    };
    let threshold = field.probability.map_or_else(String::new, |_| {
        format!(" (threshold {:.2})", report.threshold)
    });
    let reason = field.explanation().map_or_else(String::new, |reason| {
        let hint = field.verdict.reason().map_or("", |reason| reason.hint());
        format!(" ({reason}: {hint})")
    });
    let notice = if report.identity.is_demo {
        DEMO_NOTICE
    } else {
        "research use only"
    };
    let kept = match kept {
        Kept::Saved(id) => format!(" · saved as {id}"),
        Kept::NotSaved => " · NOT SAVED".into(),
        Kept::Unwanted => String::new(),
    };
    format!(
        "verdict: {}{}{threshold}{reason} · {} · slide {}: {}{} of {} fields{kept} · {notice} · {} on {}",
        field.verdict.word(),
        probability(field.probability),
        report.source,
        slide.slide,
        slide.verdict.word(),
        probability(slide.probability),
        slide.fields,
        report.identity.model,
        report.identity.engine,
    )
}

/// Ends with Ctrl-C, or with SIGTERM, by which systemd stops a service.
fn shutdown_signal() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("Ctrl-C cannot be caught")?;
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be caught")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => log::info!("interrupted"),
            _ = terminate.recv() => log::info!("asked to end"),
        }
    })
}
