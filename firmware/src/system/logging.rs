//! The program's log. It goes to standard error, in the format of the journal or of a terminal. The last lines are
//! kept in memory for the HTTP API.

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

/// Number of lines kept in memory.
const MAX_LINES: usize = 256;
/// Characters kept of a line. A driver may log long lines.
const MAX_LENGTH: usize = 1000;

static LAST: Mutex<VecDeque<Line>> = Mutex::new(VecDeque::new());

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Line {
    /// Time at which it was written, in the format of records.
    #[schema(format = DateTime)]
    at: String,
    /// Severity: `error`, `warn`, `info`, `debug` or `trace`.
    level: &'static str,
    /// Module that wrote it.
    target: String,
    /// The text.
    message: String,
}

/// The last lines of the log, oldest first.
pub(crate) fn last() -> Vec<Line> {
    let last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    last.iter().cloned().collect()
}

/// Writes to a [`Logger`] and keeps the last lines in memory.
struct BufferingLogger(Logger);

impl Log for BufferingLogger {
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
                message: record.args().to_string().chars().take(MAX_LENGTH).collect(),
            };
            let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
            if last.len() == MAX_LINES {
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

/// Starts the log. The environment variable `RUST_LOG` overrides `level`.
pub(crate) fn start(level: LevelFilter) {
    let mut builder = builder(level);
    if is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref()) {
        builder.format(|out, record| {
            // The journal adds the time, and takes each line as a message.
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
    install(builder);
}

/// Starts the log in the panel of the simulated bench, which occupies the terminal.
pub(crate) fn start_in_panel(level: LevelFilter, lines: &LogLines) {
    let mut builder = builder(level);
    builder
        .target(Target::Pipe(Box::new(lines.clone())))
        .format_timestamp(None)
        .format_target(false)
        .write_style(WriteStyle::Never);
    install(builder);
}

/// Starts the log of a short command. By default it has warnings and errors only.
pub(crate) fn start_for_command(level: LevelFilter) {
    let level = match level {
        LevelFilter::Info => LevelFilter::Warn,
        level => level,
    };
    builder(level).format_timestamp(None).init();
}

/// Installs the logger.
fn install(mut builder: Builder) {
    let logger = builder.build();
    log::set_max_level(logger.filter());
    // This fails only if a logger is installed already.
    let _ = log::set_boxed_logger(Box::new(BufferingLogger(logger)));
}

fn builder(level: LevelFilter) -> Builder {
    Builder::from_env(Env::default().default_filter_or(level.as_str()))
}

/// Whether standard error is the journal's socket. systemd gives its device and inode in `JOURNAL_STREAM`.
fn is_journal(stream: Option<&str>) -> bool {
    let Some((device, inode)) = stream.and_then(|stream| stream.split_once(':')) else {
        return false;
    };
    let Ok(stderr) = std::fs::metadata("/dev/stderr") else {
        return false;
    };
    device.parse() == Ok(stderr.dev()) && inode.parse() == Ok(stderr.ino())
}

/// Priority as in `syslog(3)`.
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}
