//! A loaded model of any kind: its manifest, and its networks on an engine.

use std::path::Path;

use crate::engine::config::EngineConfig;
use crate::engine::failover::{Failover, GoldenResult, NetworkSet};
use crate::engine::network::EngineInfo;
use crate::error::ArtifactError;
use crate::manifest::schema::Manifest;
use crate::model_files::ModelFiles;

/// A verified model on an engine: a [`Model`](crate::Model) or a [`CellCounter`](crate::CellCounter), by its networks
/// `N`.
pub struct LoadedModel<N: NetworkSet> {
    pub(crate) manifest: Manifest<N::Model>,
    manifest_sha256: String,
    pub(crate) preprocessor: N::Preprocessor,
    pub(crate) failover: Failover<N>,
}

impl<N: NetworkSet> std::fmt::Debug for LoadedModel<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedModel")
            .field("name", &self.manifest.name)
            .field("engine", self.engine())
            .finish_non_exhaustive()
    }
}

impl<N: NetworkSet> LoadedModel<N> {
    /// Opens a model folder, starts the first configured engine that runs its networks, and verifies the golden
    /// samples on it.
    ///
    /// # Errors
    /// - Those of [`ModelFiles::open`].
    /// - [`ArtifactError::Manifest`] if it is a model of another kind.
    /// - [`ArtifactError::Engine`] if no configured engine starts.
    /// - [`ArtifactError::Golden`] or [`ArtifactError::Inference`] if a golden sample fails on the last configured
    ///   engine.
    pub fn load(folder: &Path, config: &EngineConfig) -> Result<Self, ArtifactError> {
        Self::from_files(N::of_kind(ModelFiles::open(folder)?)?, config)
    }

    /// Like [`LoadedModel::load`], for files that are open.
    ///
    /// # Errors
    /// Those of [`LoadedModel::load`] except those of opening the folder and of its kind.
    pub fn from_files(
        files: ModelFiles<N::Model>,
        config: &EngineConfig,
    ) -> Result<Self, ArtifactError> {
        Self::start(files, |files| Failover::start(files, config))
    }

    /// Like [`LoadedModel::load`], but only on the last configured engine and without verifying the golden samples:
    /// for tools that compute golden samples, never for verdicts.
    ///
    /// # Errors
    /// Those of [`LoadedModel::load`] except those of golden samples.
    pub fn load_unverified(folder: &Path, config: &EngineConfig) -> Result<Self, ArtifactError> {
        let files = N::of_kind(ModelFiles::open(folder)?)?;
        Self::start(files, |files| Failover::start_unverified(&files, config))
    }

    fn start(
        files: ModelFiles<N::Model>,
        engine: impl FnOnce(ModelFiles<N::Model>) -> Result<Failover<N>, ArtifactError>,
    ) -> Result<Self, ArtifactError> {
        let manifest = files.manifest().clone();
        Ok(Self {
            preprocessor: N::preprocessor(&manifest.model)?,
            manifest,
            manifest_sha256: files.manifest_sha256().to_owned(),
            failover: engine(files)?,
        })
    }

    /// The validated manifest: what the model is, its input, rules and figures.
    pub fn manifest(&self) -> &Manifest<N::Model> {
        &self.manifest
    }

    /// SHA-256 of the manifest file, which identifies the model; see [`ModelFiles::manifest_sha256`].
    pub fn manifest_sha256(&self) -> &str {
        &self.manifest_sha256
    }

    /// The engine and device in use; after an inference or analysis, those that ran it.
    pub fn engine(&self) -> &EngineInfo {
        self.failover.info()
    }

    /// The results of the golden samples on the engine in use, in the manifest's order.
    pub fn golden(&self) -> &[GoldenResult] {
        self.failover.golden()
    }
}
