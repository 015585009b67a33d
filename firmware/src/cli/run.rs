//! `smearscope run`: runs the appliance on its board until it is switched off.

use std::ffi::OsStr;
use std::io::{IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use log::Level;
use smearscope_artifacts::CountDecision;
use smearscope_hardware::config::Wired;
use smearscope_hardware::sim::{LogLines, Panel};
use smearscope_hardware::with_causes;
use tokio::task::JoinHandle;

use crate::analysis::analyst::Analyst;
use crate::analysis::finding::{Finding, SaveOutcome};
use crate::analysis::identity::notice;
use crate::analysis::recorder::Recorder;
use crate::appliance::checks::{self, Check};
use crate::appliance::event_loop::{self, ApplianceError, End, Equipped, SETTINGS_TITLE};
use crate::appliance::fault_recorder;
use crate::appliance::handle::{ApplianceHandle, Report, connect};
use crate::appliance::renewal::{renew_drift_checks, renew_records_checks};
use crate::appliance::state::AfterOff;
use crate::calibration::CalibrationInUse;
use crate::cli::args::{BoardArgs, ModelArgs};
use crate::cli::board;
use crate::cli::exit::{Exit, Failure};
use crate::cli::farewell::Farewell;
use crate::cli::plural::counted;
use crate::cli::service_start::{self, Startup};
use crate::config::service::Service;
use crate::config::storage::StorageConfig;
use crate::config::{BoardKind, Config, PanelKind, Raw};
use crate::drift::DriftWatch;
use crate::models::Models;
use crate::network;
use crate::records::{LazyStore, Space, check_place};
use crate::system::sanitize::printable;
use crate::system::{hang_up, logging};

/// How long the end waits for the file of the last faults.
const FAULTS_LIMIT: Duration = Duration::from_secs(2);

/// Run the appliance: press the button, read the verdict.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: smearscope run --board sim --fields ~/micrographs\n\n\
    On the simulated bench, the space bar is the button and q switches off. Without a terminal, it reads \
    commands from standard input, one per line: `press`, `long` (next slide), `double` (last verdict again), \
    `quit`; the end of the input means `quit`, too. If the input is /dev/null, the bench has no button. Each \
    verdict is printed as a line that starts with `verdict:`. If the model cannot be used, the screen says so, nothing is \
    analysed, and the exit code is 4."
)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    board: BoardArgs,
    /// Run as the service: a configuration that is missing or has no settings is refused, and the last good one is kept
    /// [default: whether systemd set `STATE_DIRECTORY`].
    #[arg(long)]
    service: bool,
}

impl RunArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        hang_up::hold();
        let service = Service::detect(self.service);
        let file = self.model.path();
        let apply = |raw| self.board.apply(self.model.apply(raw)).validate();
        let startup = if let Some(service) = &service {
            service_start::choose(service, file, apply)?
        } else {
            let config = Raw::read(file).and_then(apply);
            Startup::of(config.map_err(Failure::configuration)?)
        };
        let reread = || {
            let raw = match &service {
                Some(service) => service.read(file)?.strict()?,
                None => Raw::read(file)?,
            };
            let config = apply(raw)?;
            config.check_machine()?;
            Ok(config)
        };
        startup.config.engine.set_stick_library_path();
        run(startup, reread)?;
        Ok(Exit::Success)
    }
}

/// Runs the appliance. `reread` reads the configuration again, for a reload.
fn run(startup: Startup, reread: impl Fn() -> Result<Config>) -> Result<()> {
    let Startup {
        config,
        check,
        is_service,
        keep,
    } = startup;
    let config = &config;
    let panel = panel(config.sim.panel);
    let mut is_drawn = false;
    match &panel {
        Panel::Terminal { log } if config.board == BoardKind::Sim => {
            is_drawn = true;
            logging::start_in_panel(config.log, log);
        }
        _ => logging::start(config.log),
    }
    log_warnings(config, check.as_ref());
    let (board, setup) = board::build(config, panel)?;
    let (calibration, calibration_check) = checks::calibration(config.state(), &setup);
    let calibration = CalibrationInUse::new(setup, calibration);

    let (handle, mut link) = connect();
    link.share_calibration(calibration.clone());
    if let Some(state) = config.state() {
        link.share_drift(DriftWatch::new(state.to_owned()));
    }
    let loaded = config.clone();
    let model_handle = handle.clone();
    let own_check = check.clone();
    let load = move || {
        let ready = Models::new(&loaded).load_or_roll_back()?;
        model_handle.tell_loaded_model(ready.outcome);
        let mut analyst = Analyst::new(ready.model, loaded.limits);
        analyst.calibrate(calibration);
        let rollback = ready.rollback.map(|line| Check::failed("model", line));
        let surroundings = checks::surroundings(&loaded);
        let recorder = recorder(analyst, loaded.storage.clone())?;
        if let Some((service, text)) = keep
            && let Err(error) = service_start::keep(&service, &text)
        {
            log::warn!(
                "the configuration cannot be kept as {}: {error}",
                service.last_good().display()
            );
        }
        let records = loaded.state().map(checks::records).unwrap_or_default();
        let checks = own_check
            .into_iter()
            .chain(rollback)
            .chain(surroundings)
            .chain(calibration_check)
            .chain(records);
        Ok(Equipped {
            recorder,
            checks: checks.collect(),
        })
    };
    let mut farewell = Farewell::default();
    let report = |report: &Report| {
        let text = verdict_line(report);
        let text = printable(&text);
        if is_drawn {
            log::info!("{text}");
            farewell.add(text.into_owned());
        } else {
            // The reader may be gone; the appliance continues.
            let _ = writeln!(std::io::stdout(), "{text}");
        }
    };

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the event loop cannot be started")?;
    let mut network = network::start(config, &handle)?;
    link.notice = network.notice();
    link.address = network.address();
    if let Some(check) = check {
        link.notice.replace(SETTINGS_TITLE, [check.detail]);
    }
    let after_off = after_off(config, is_service);
    link.after_off = after_off;
    let result = runtime.block_on(async {
        let faults = follow(config, &handle);
        let shutdown = end_signal(reread, handle)?;
        let end = event_loop::run(board, load, config.timing, link, report, shutdown).await;
        if tokio::time::timeout(FAULTS_LIMIT, faults).await.is_err() {
            log::warn!("the last faults were not saved in time");
        }
        end.map_err(anyhow::Error::from)
    });
    // Do not wait for a stalled driver.
    runtime.shutdown_background();
    network.end();
    // The board has left the terminal, or the terminal is gone.
    let _ = farewell.print(config, std::io::stdout());
    match result? {
        End::Operator if after_off == AfterOff::ComputerGoesOff => switch_off(&config.switch_off),
        End::Operator | End::Supervisor => Ok(()),
        End::Reload => restart(),
    }
}

/// Logs what is not as it should be with the configuration.
fn log_warnings(config: &Config, check: Option<&Check>) {
    if let Some(check) = check {
        let level = [Level::Error, Level::Warn][usize::from(check.passed)];
        log::log!(level, "{}", check.detail);
    }
    for warning in config.warnings() {
        log::warn!("{warning}");
    }
    if let Err(error) = config.check_machine() {
        log::warn!("{error:#}");
    }
}

/// Starts what follows the appliance besides the network. The task that is returned ends with the appliance.
fn follow(config: &Config, handle: &ApplianceHandle) -> JoinHandle<()> {
    if let Some(state) = config.state() {
        tokio::spawn(renew_records_checks(handle.clone(), state.to_owned()));
    }
    if let Some(watch) = handle.drift() {
        tokio::spawn(renew_drift_checks(handle.clone(), watch.clone()));
    }
    tokio::spawn(fault_recorder::record(
        handle.clone(),
        config.storage.clone(),
    ))
}

/// What follows after the operator switched off. Without a command that switches the computer off, a service waits for a
/// press of its button: nobody restarts a service that ended as it should.
fn after_off(config: &Config, is_service: bool) -> AfterOff {
    let is_simulated = config.board == BoardKind::Sim;
    let has_button = !is_simulated && config.equipment.button == Wired::Gpio;
    match (config.switch_off.is_empty(), is_service && has_button) {
        // A bench that a person simulates is no reason to switch off the person's computer.
        _ if is_simulated && !is_service => AfterOff::ProgramEnds,
        (false, _) => AfterOff::ComputerGoesOff,
        (true, true) => AfterOff::PressStarts,
        (true, false) => AfterOff::ProgramEnds,
    }
}

/// Replaces this process by the installed program, with the same arguments. The service manager sees no exit, and no
/// state of the old configuration remains.
fn restart() -> Result<()> {
    let running = std::env::current_exe().context("the path of the program is unknown")?;
    let program = installed(running);
    // A SIGHUP before the new program handles it must not end it.
    hang_up::hold();
    let error = Command::new(&program)
        .args(std::env::args_os().skip(1))
        .exec();
    Err(error).with_context(|| format!("{} cannot be started again", program.display()))
}

/// The program that is now at the path of the running one. Linux marks the path of a running program that was replaced,
/// for example by an upgrade. If there is none, the running one.
fn installed(running: PathBuf) -> PathBuf {
    let replaced = running.as_os_str().as_bytes().strip_suffix(b" (deleted)");
    let Some(path) = replaced.map(|path| Path::new(OsStr::from_bytes(path))) else {
        return running;
    };
    if path.is_file() {
        path.to_owned()
    } else {
        "/proc/self/exe".into()
    }
}

/// The recorder, with the store that the configuration names, if any.
fn recorder(analyst: Analyst, storage: Option<StorageConfig>) -> Result<Recorder, ApplianceError> {
    let Some(storage) = storage else {
        return Ok(Recorder::new(analyst));
    };
    match check_place(&storage) {
        Ok(None) => {}
        Ok(Some(warning)) => log::warn!("{warning}"),
        Err(error) => return Ok(Recorder::refusing(analyst, with_causes(&error))),
    }
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
    let result =
        |probability: Option<f32>, count: Option<&CountDecision>| match (count, probability) {
            (Some(count), _) => format!(" {}", count.words()),
            (None, Some(probability)) => format!(" p={probability:.3}"),
            (None, None) => String::new(),
        };
    let limits = field
        .reading
        .as_ref()
        .map_or_else(String::new, |_| format!(" ({})", report.rule.words()));
    let reason = field.explanation().map_or_else(String::new, |reason| {
        let hint = field.judgement.reason().map_or("", |reason| reason.hint());
        format!(" ({reason}: {hint})")
    });
    // A count has an `of` of its own.
    let of = if slide.count.is_some() { ";" } else { " of" };
    let notice = notice(report.identity.is_demo);
    let saved = match saved {
        SaveOutcome::Saved(id) => format!(" · saved as {id}"),
        SaveOutcome::NotSaved => " · NOT SAVED, does not count".into(),
        SaveOutcome::Unwanted => String::new(),
    };
    format!(
        "verdict: {}{}{limits}{reason} · {} · slide {}: {}{of} {}{saved} · {notice} · {} on {}",
        field.judgement.verdict().as_str(),
        result(field.probability(), field.count()),
        report.source,
        slide.slide,
        slide.words(),
        counted(slide.fields, "field"),
        report.identity.model,
        report.identity.engine,
    )
}

/// Waits for Ctrl-C, for SIGTERM, with which systemd stops a service, or for SIGHUP, with which it reloads one if
/// the configuration is valid. With a terminal, SIGHUP means that the terminal was closed.
fn end_signal(
    reread: impl Fn() -> Result<Config>,
    handle: ApplianceHandle,
) -> Result<impl Future<Output = End>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("Ctrl-C cannot be caught")?;
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be caught")?;
    let mut hang_up = signal(SignalKind::hangup()).context("SIGHUP cannot be caught")?;
    hang_up::release();
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
                    Err(error) => {
                        let message = format!(
                            "{error:#}; the old configuration stays in use until this is corrected"
                        );
                        log::error!("{message}");
                        let checks = vec![Check::failed(service_start::PART, message)];
                        handle.renew_checks(service_start::PART, SETTINGS_TITLE, checks);
                    }
                },
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_starts_only_a_service_with_a_button_on_a_computer_that_stays_on() {
        let after = |set: fn(&mut Raw), is_service| {
            let mut raw = Raw {
                board: BoardKind::Pi,
                ..Raw::default()
            };
            set(&mut raw);
            after_off(&raw.validate().unwrap(), is_service)
        };
        assert_eq!(after(|_| {}, true), AfterOff::PressStarts);
        assert_eq!(after(|_| {}, false), AfterOff::ProgramEnds);
        let simulated = |raw: &mut Raw| raw.board = BoardKind::Sim;
        assert_eq!(after(simulated, true), AfterOff::ProgramEnds);
        let powered_off = |raw: &mut Raw| raw.switch_off = vec!["poweroff".into()];
        assert_eq!(after(powered_off, true), AfterOff::ComputerGoesOff);
        let simulated = |raw: &mut Raw| {
            raw.board = BoardKind::Sim;
            raw.switch_off = vec!["poweroff".into()];
        };
        assert_eq!(after(simulated, true), AfterOff::ComputerGoesOff);
        assert_eq!(after(simulated, false), AfterOff::ProgramEnds);
    }

    #[test]
    fn a_replaced_program_is_found_at_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("smearscope");
        let marked: PathBuf = format!("{} (deleted)", path.display()).into();
        assert_eq!(installed(path.clone()), path);
        assert_eq!(installed(marked.clone()), Path::new("/proc/self/exe"));
        std::fs::write(&path, "").unwrap();
        assert_eq!(installed(marked), path);
    }
}
