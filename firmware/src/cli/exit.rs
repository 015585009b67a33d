//! Exit codes, so that a script can tell what failed. Code 2 is clap's, for the command line.

use std::process::ExitCode;

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Success = 0,
    /// Something failed; of several images, at least one could not be analysed.
    Failure = 1,
    /// The configuration is wrong.
    Configuration = 3,
    /// The model or its engine cannot be used.
    Model = 4,
    /// A part of the board cannot be used.
    Hardware = 5,
    /// The records cannot be used.
    Records = 6,
    /// The records or their images are not as they were written.
    Mismatch = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Shown by `--help`.
pub const HELP: &str = "Exit codes: 0 all is well, 1 something failed, 2 wrong command line, \
                        3 wrong configuration, 4 unusable model or engine, 5 unusable hardware, \
                        6 unusable records, 7 records that are not as they were written.";
