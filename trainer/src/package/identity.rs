//! Name, version and licence of a model.

use std::path::Path;

use clap::Args;
use semver::Version;

/// How a model is named and licensed.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct Identity {
    /// The model's name: a-z, 0-9 and -; the name of the folder in --out if not given
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The model's version
    #[arg(long = "model-version", default_value = "0.1.0", value_name = "SEMVER")]
    pub(crate) version: Version,
    /// SPDX expression of the weights' licence, such as MIT
    #[arg(long, default_value = "LicenseRef-unknown")]
    pub(crate) license: String,
}

impl Identity {
    /// The name that was given, or that of the model's folder in the characters of a name.
    pub(crate) fn name(&self, folder: &Path) -> String {
        self.name.clone().unwrap_or_else(|| {
            let folder = folder.file_name().unwrap_or_default().to_string_lossy();
            let words: Vec<&str> = folder
                .split(|c: char| !c.is_ascii_alphanumeric())
                .filter(|word| !word.is_empty())
                .collect();
            match words[..] {
                [] => "model".into(),
                _ => words.join("-").to_ascii_lowercase(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_named_after_its_folder() {
        let name = |name: Option<&str>, folder: &str| {
            let identity = Identity {
                name: name.map(Into::into),
                version: Version::new(0, 1, 0),
                license: "MIT".into(),
            };
            identity.name(Path::new(folder))
        };
        assert_eq!(name(None, "models/Ward 7_2026.10/"), "ward-7-2026-10");
        assert_eq!(name(None, "ß"), "model");
        assert_eq!(name(Some("mine"), "models/other"), "mine");
    }
}
