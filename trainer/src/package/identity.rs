//! Name, version and licence of a model.

use clap::Args;
use semver::Version;

/// How a model is named and licensed.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct Identity {
    /// The model's name: a-z, 0-9 and -
    #[arg(long, default_value = "smear-demo")]
    pub(crate) name: String,
    /// The model's version
    #[arg(long = "model-version", default_value = "0.1.0", value_name = "SEMVER")]
    pub(crate) version: Version,
    /// SPDX expression of the weights' licence
    #[arg(long, default_value = "MIT")]
    pub(crate) license: String,
}
