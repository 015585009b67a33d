//! Exit codes, so that a script knows what failed. Code 2 is clap's, for the command line.

use std::process::ExitCode;

use anyhow::Error;
use smearscope_hardware::HardwareError;

use crate::appliance::event_loop::ApplianceError;
use crate::models::{ModelError, StoreError};
use crate::records::RecordsError;

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The command succeeded.
    Success = 0,
    /// Something failed; of several images, at least one could not be analysed.
    Failure = 1,
    /// The configuration is invalid.
    Configuration = 3,
    /// The model or its engine cannot be used.
    Model = 4,
    /// A part of the board cannot be used.
    Hardware = 5,
    /// The state folder, or the records in it, cannot be used.
    Records = 6,
    /// Records or images are damaged, missing or changed since they were written.
    Mismatch = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The exit codes as `--help` lists them.
pub(crate) const HELP: &str = "Exit codes: 0 success, 1 failure, 2 wrong command line, \
                               3 invalid configuration, 4 unusable model or engine, 5 unusable hardware, \
                               6 unusable state folder or records, 7 records that are damaged or changed.";

/// An error with its exit code.
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) error: Error,
}

impl Failure {
    /// The configuration is invalid.
    pub(crate) fn configuration(error: Error) -> Self {
        Self {
            exit: Exit::Configuration,
            error,
        }
    }
}

impl From<Error> for Failure {
    #[expect(
        clippy::same_functions_in_if_condition,
        reason = "each looks for another type"
    )]
    fn from(error: Error) -> Self {
        let exit = if let Some(error) = error.downcast_ref() {
            model_exit(error)
        } else if let Some(error) = error.downcast_ref() {
            hardware_exit(error)
        } else if let Some(error) = error.downcast_ref::<RecordsError>() {
            records_exit(error)
        } else {
            match error.downcast_ref() {
                Some(ApplianceError::Model(error)) => model_exit(error),
                Some(ApplianceError::Hardware(error)) => hardware_exit(error),
                Some(ApplianceError::Records(error)) => records_exit(error),
                Some(ApplianceError::Thread(_)) | None => Exit::Failure,
            }
        };
        Self { exit, error }
    }
}

/// A state folder that is missing in the configuration or cannot be used has the same exit code for models as for records
/// and tokens.
fn model_exit(error: &ModelError) -> Exit {
    match error {
        ModelError::NoStore => Exit::Configuration,
        ModelError::Store(StoreError::Disk { .. }) => Exit::Records,
        _ => Exit::Model,
    }
}

/// A board that this machine or program does not have never works, however often it is tried.
fn hardware_exit(error: &HardwareError) -> Exit {
    match error {
        HardwareError::NoSuchBoard { .. } => Exit::Configuration,
        _ => Exit::Hardware,
    }
}

fn records_exit(error: &RecordsError) -> Exit {
    match error {
        RecordsError::Mismatch { .. } => Exit::Mismatch,
        _ => Exit::Records,
    }
}
