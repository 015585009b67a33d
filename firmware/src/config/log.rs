//! `[log]`: how detailed the log is.

use log::LevelFilter;
use serde::{Deserialize, Serialize};

smearscope_hardware::settings! {
    /// The log on standard error.
    pub struct RawLog in "log" {
        /// Least severe messages to log; with "info", commands other than `run` log warnings and errors only. The
        /// environment variable `RUST_LOG` overrides it.
        level: LogLevel = LogLevel::Info;
    }
}

/// Severity of a log message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is not as expected.
    Warn,
    /// What the appliance does.
    Info,
    /// How the appliance does it.
    Debug,
    /// Every detail.
    Trace,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::Error,
            LogLevel::Warn => Self::Warn,
            LogLevel::Info => Self::Info,
            LogLevel::Debug => Self::Debug,
            LogLevel::Trace => Self::Trace,
        }
    }
}
