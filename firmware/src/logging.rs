//! The program's log: to standard error, in the form that whoever reads it there expects.

use std::io::Write;
use std::os::unix::fs::MetadataExt;

use env_logger::{Builder, Env, Target, WriteStyle};
use log::{Level, LevelFilter};
use smearscope_hardware::sim::LogLines;

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
    builder.init();
}

/// The same into the panel, which has the terminal.
pub(crate) fn start_in_panel(level: LevelFilter, lines: &LogLines) {
    builder(level)
        .target(Target::Pipe(Box::new(lines.clone())))
        .format_timestamp(None)
        .format_target(false)
        .write_style(WriteStyle::Never)
        .init();
}

/// For commands that somebody waits for.
pub(crate) fn start_for_command() {
    builder(LevelFilter::Warn).format_timestamp(None).init();
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
