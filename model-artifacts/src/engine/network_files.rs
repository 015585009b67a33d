//! The bytes from which engines start a network.

use std::path::PathBuf;

use super::kind::EngineKind;
use crate::error::ArtifactError;

/// The verified files of one network of a model.
#[derive(Debug, Clone)]
pub struct NetworkFiles<'a> {
    /// Path of the manifest, for messages.
    pub(crate) manifest: PathBuf,
    /// The manifest's table that names the files, such as `files`.
    pub(crate) field: &'static str,
    /// The topology of the OpenVINO IR, if there is one.
    pub ir_xml: Option<&'a [u8]>,
    /// The weights of the OpenVINO IR, if there is one.
    pub ir_bin: Option<&'a [u8]>,
    /// The contents of the ONNX file, if there is one.
    pub onnx: Option<&'a [u8]>,
}

impl NetworkFiles<'_> {
    /// The name of a file's entry in the manifest, such as `files.onnx`.
    pub(super) fn entry(&self, file: &str) -> String {
        format!("{}.{file}", self.field)
    }

    /// Topology and weights of the OpenVINO IR.
    ///
    /// # Errors
    /// [`ArtifactError::Engine`] if the model has none.
    #[cfg(any(feature = "openvino", feature = "ncs2"))]
    pub(super) fn ir(&self, engine: EngineKind) -> Result<(&[u8], &[u8]), ArtifactError> {
        match (self.ir_xml, self.ir_bin) {
            (Some(xml), Some(bin)) => Ok((xml, bin)),
            _ => Err(engine.unusable(
                "the model has no OpenVINO IR",
                format!(
                    "export the model with {} and {}, or use the embedded engine",
                    self.entry("ir_xml"),
                    self.entry("ir_bin")
                ),
            )),
        }
    }

    /// The ONNX file.
    ///
    /// # Errors
    /// [`ArtifactError::Engine`] if the model has none.
    pub(super) fn onnx(&self, engine: EngineKind) -> Result<&[u8], ArtifactError> {
        self.onnx.ok_or_else(|| {
            engine.unusable(
                "the model has no ONNX file",
                format!(
                    "export the model with {}, or run scripts/setup to use OpenVINO",
                    self.entry("onnx")
                ),
            )
        })
    }
}
