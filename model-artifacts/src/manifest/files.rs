//! The files of a model, as the manifest names them.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files::sha256;
use crate::validation::FieldError;

/// The files of the network: an OpenVINO IR, an ONNX file, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Topology of the OpenVINO IR; needs `ir_bin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ir_xml: Option<FileEntry>,
    /// Weights of the OpenVINO IR; needs `ir_xml`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ir_bin: Option<FileEntry>,
    /// The network as ONNX, for the embedded engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onnx: Option<FileEntry>,
}

/// One file of the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Path relative to the model folder, and inside it.
    pub path: PathBuf,
    /// SHA-256 of the contents, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

impl FileEntry {
    /// The entry for a file with the contents `bytes`.
    pub fn for_bytes(path: impl Into<PathBuf>, bytes: &[u8]) -> Self {
        Self {
            path: path.into(),
            sha256: sha256(bytes),
        }
    }
}

impl Files {
    /// The files that there are: topology, weights, ONNX.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &FileEntry> {
        [&self.ir_xml, &self.ir_bin, &self.onnx]
            .into_iter()
            .flatten()
    }

    /// Refuses invalid values. `table` is the manifest's name for these files, and `seen` has the paths of the files
    /// before them.
    pub(super) fn check<'a>(
        &'a self,
        table: &str,
        seen: &mut HashSet<&'a Path>,
    ) -> Result<(), FieldError> {
        let missing = |missing: &str, there: &str| {
            Err(FieldError::new(
                format!("{table}.{missing}"),
                format!("is missing, {table}.{there} needs it"),
                "export the model again",
            ))
        };
        match (&self.ir_xml, &self.ir_bin, &self.onnx) {
            (Some(_), None, _) => return missing("ir_bin", "ir_xml"),
            (None, Some(_), _) => return missing("ir_xml", "ir_bin"),
            (None, None, None) => {
                return Err(FieldError::new(
                    table,
                    "must name an OpenVINO IR or an ONNX file",
                    "export the model again",
                ));
            }
            _ => {}
        }
        for (name, entry) in [
            ("ir_xml", &self.ir_xml),
            ("ir_bin", &self.ir_bin),
            ("onnx", &self.onnx),
        ] {
            let Some(entry) = entry else { continue };
            let field = format!("{table}.{name}");
            entry.check(&field)?;
            if !seen.insert(&entry.path) {
                return Err(FieldError::invalid(
                    format!("{field}.path"),
                    format!(
                        "must differ from the other files, {} is used twice",
                        entry.path.display()
                    ),
                ));
            }
        }
        Ok(())
    }
}

impl FileEntry {
    /// Refuses invalid values; `field` is the manifest's name for the entry.
    pub(super) fn check(&self, field: &str) -> Result<(), FieldError> {
        let stays_inside = self
            .path
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let text = self.path.to_str().unwrap_or_default();
        let is_plain = !text.is_empty() && !text.contains(|c: char| c.is_control() || c == '\\');
        if !stays_inside || !is_plain {
            return Err(FieldError::new(
                format!("{field}.path"),
                format!(
                    "must be a relative path inside the model folder, it is `{}`",
                    text.escape_debug()
                ),
                "move the file into the model folder and give its path relative to that folder",
            ));
        }
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if self.sha256.len() != 64 || !self.sha256.bytes().all(is_digit) {
            return Err(FieldError::invalid(
                format!("{field}.sha256"),
                format!(
                    "must be 64 lower-case hexadecimal digits, it is `{}`",
                    self.sha256.escape_debug()
                ),
            ));
        }
        Ok(())
    }
}
