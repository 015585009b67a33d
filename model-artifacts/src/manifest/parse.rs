//! Between the text of a manifest and a validated [`Manifest`].

use std::path::Path;

use serde::Deserialize;

use super::schema::Manifest;
use crate::error::ArtifactError;
use crate::suggestion::did_you_mean;
use crate::validation::{CORRECT_IT, FieldError};

impl Manifest {
    /// Parses and validates the text of a manifest. `path` is the file's path for error messages.
    ///
    /// # Errors
    /// [`ArtifactError::Manifest`] with the field and a remedy, if the text is not TOML, has another
    /// format version, lacks a field, has an unknown field or has an invalid value.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ArtifactError> {
        // The version is read first, because another version may have other fields.
        let versioned: Versioned =
            toml::from_str(text).map_err(|error| explain(&error, text).at(path))?;
        let version = versioned.format_version;
        if version.as_integer() != Some(Self::FORMAT_VERSION.into()) {
            return Err(FieldError::new(
                "format_version",
                format!(
                    "must be {}, the version that this program reads, it is {version}",
                    Self::FORMAT_VERSION
                ),
                "update smearscope, or export the model again with this version's trainer",
            )
            .at(path));
        }
        let manifest: Self =
            toml::from_str(text).map_err(|error| explain(&error, text).at(path))?;
        manifest.check().map_err(|error| error.at(path))?;
        Ok(manifest)
    }

    /// The manifest as the text of a `manifest.toml`.
    ///
    /// # Errors
    /// [`ArtifactError::Manifest`] if a value is invalid.
    pub fn to_toml(&self) -> Result<String, ArtifactError> {
        let path = Path::new(Self::FILE_NAME);
        self.check().map_err(|error| error.at(path))?;
        toml::to_string(self)
            .map_err(|error| FieldError::invalid("manifest", error.to_string()).at(path))
    }
}

/// The format version alone; other fields are ignored.
#[derive(Deserialize)]
struct Versioned {
    format_version: toml::Value,
}

/// Names the table and line at which the parser stopped, and the key that was probably meant.
fn explain(error: &toml::de::Error, text: &str) -> FieldError {
    let message = error.message();
    let (line, field) =
        error
            .span()
            .and_then(|span| text.get(..span.start))
            .map_or((1, "manifest"), |before| {
                let header = before.lines().rev().find_map(|line| {
                    line.trim()
                        .strip_prefix('[')
                        .map(|name| name.trim_matches(['[', ']']))
                });
                (
                    before.matches('\n').count() + 1,
                    header.unwrap_or("manifest"),
                )
            });
    let remedy = did_you_mean(message).map_or_else(
        || CORRECT_IT.to_owned(),
        |known| format!("did you mean `{known}`?"),
    );
    FieldError::new(field, format!("line {line}: {message}"), remedy)
}
