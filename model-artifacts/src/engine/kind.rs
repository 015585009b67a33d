//! The engines that exist, and their errors.

use crate::error::ArtifactError;

/// An engine that can run a network. [`Failover`](super::failover::Failover) tries them in the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EngineKind {
    Ncs2,
    OpenVino,
    Embedded,
}

impl EngineKind {
    /// The engine's name in configuration, records and messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ncs2 => "ncs2",
            Self::OpenVino => "openvino",
            Self::Embedded => "embedded",
        }
    }

    /// Whether this program contains the engine.
    pub(super) const fn is_built_in(self) -> bool {
        match self {
            Self::Ncs2 => cfg!(feature = "ncs2"),
            Self::OpenVino => cfg!(feature = "openvino"),
            Self::Embedded => true,
        }
    }

    /// The error of an engine that cannot be started.
    pub(super) fn unusable(
        self,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ArtifactError {
        ArtifactError::Engine {
            engine: self.name(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// The error of an inference that failed.
    pub(super) fn inference_failed(self, problem: String) -> ArtifactError {
        ArtifactError::Inference {
            engine: self.name(),
            problem,
        }
    }
}
