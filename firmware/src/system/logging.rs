//! The program's log: to standard error, in the form that whoever reads it there expects. The last lines are kept
//! for whoever looks from afar.

use std::collections::VecDeque;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

use env_logger::{Builder, Env, Logger, Target, WriteStyle};
use jiff::Timestamp;
use log::{Level, LevelFilter, Log, Metadata, Record};
use serde::Serialize;
use smearscope_hardware::sim::LogLines;
use utoipa::ToSchema;

use crate::system::time::utc;

/// Lines that are kept.
const KEPT: usize = 256;
/// Letters of a line that are kept: a driver may say much.
const LENGTH: usize = 1000;

static LAST: Mutex<VecDeque<Line>> = Mutex::new(VecDeque::new());

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Line {
    /// When it was written, as records have it.
    at: String,
    /// How grave it is: `error`, `warn`, `info`, `debug` or `trace`.
    level: &'static str,
    /// Which part of the program says it.
    target: String,
    /// What it says.
    message: String,
}

/// The last lines of the log, oldest first.
pub(crate) fn last() -> Vec<Line> {
    let last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    last.iter().cloned().collect()
}

/// Writes as [`Logger`] does, and keeps the last lines.
struct Keeping(Logger);

impl Log for Keeping {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.0.matches(record) {
            let line = Line {
                at: utc(Timestamp::now()),
                level: match record.level() {
                    Level::Error => "error",
                    Level::Warn => "warn",
                    Level::Info => "info",
                    Level::Debug => "debug",
                    Level::Trace => "trace",
                },
                target: record.target().into(),
                message: record.args().to_string().chars().take(LENGTH).collect(),
            };
            let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
            if last.len() == KEPT {
                last.pop_front();
            }
            last.push_back(line);
        }
        self.0.log(record);
    }

    fn flush(&self) {
        self.0.flush();
    }
}

/// Starts the log. `level` holds unless the environment's `RUST_LOG` says otherwise.
pub(crate) fn start(level: LevelFilter) {
    let mut builder = builder(level);
    if is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref()) {
        builder.format(|out, record| {
            // The journal has its own time. It takes each line for a message.
            for line in record.args().to_string().lines() {
                writeln!(
                    out,
                    "<{}>{}: {line}",
                    priority(record.level()),
                    record.target()
                )?;
            }
            Ok(())
        });
    } else {
        builder.format_timestamp_secs();
    }
    begin(builder);
}

/// The same into the panel, which has the terminal.
pub(crate) fn start_in_panel(level: LevelFilter, lines: &LogLines) {
    let mut builder = builder(level);
    builder
        .target(Target::Pipe(Box::new(lines.clone())))
        .format_timestamp(None)
        .format_target(false)
        .write_style(WriteStyle::Never);
    begin(builder);
}

/// For commands that somebody waits for.
pub(crate) fn start_for_command() {
    builder(LevelFilter::Warn).format_timestamp(None).init();
}

fn begin(mut builder: Builder) {
    let logger = builder.build();
    log::set_max_level(logger.filter());
    // An error says that there is a log already.
    let _ = log::set_boxed_logger(Box::new(Keeping(logger)));
}

fn builder(level: LevelFilter) -> Builder {
    Builder::from_env(Env::default().default_filter_or(level.as_str()))
}

/// Whether standard error is the journal's socket, which systemd names by device and inode.
fn is_journal(stream: Option<&str>) -> bool {
    let Some((device, inode)) = stream.and_then(|stream| stream.split_once(':')) else {
        return false;
    };
    let Ok(stderr) = std::fs::metadata("/dev/stderr") else {
        return false;
    };
    device.parse() == Ok(stderr.dev()) && inode.parse() == Ok(stderr.ino())
}

/// As `syslog(3)` numbers them.
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}
