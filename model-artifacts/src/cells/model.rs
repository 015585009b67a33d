//! A loaded model that counts cells.

use std::path::Path;

use image::RgbImage;

use super::analysis::{FieldCells, look_at_field};
use super::networks::CellNetworks;
use crate::engine::config::EngineConfig;
use crate::engine::failover::{Failover, GoldenResult};
use crate::engine::network::EngineInfo;
use crate::error::ArtifactError;
use crate::manifest::cells::CellsModel;
use crate::manifest::schema::Manifest;
use crate::model_files::ModelFiles;

/// A verified model on an engine, ready to find the cells of fields and to look at each.
pub struct CellCounter {
    manifest: Manifest<CellsModel>,
    manifest_sha256: String,
    failover: Failover<CellNetworks>,
}

impl std::fmt::Debug for CellCounter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CellCounter")
            .field("name", &self.manifest.name)
            .field("engine", self.engine())
            .finish_non_exhaustive()
    }
}

impl CellCounter {
    /// Opens a model folder, starts the first configured engine that runs both networks, and verifies the golden
    /// samples on it.
    ///
    /// # Errors
    /// - Those of [`ModelFiles::open`] and of [`ModelFiles::into_cells`].
    /// - [`ArtifactError::Engine`] if no configured engine starts.
    /// - [`ArtifactError::Golden`] or [`ArtifactError::Inference`] if a golden sample fails on the last configured
    ///   engine.
    pub fn load(folder: &Path, config: &EngineConfig) -> Result<Self, ArtifactError> {
        Self::from_files(ModelFiles::open(folder)?.into_cells()?, config)
    }

    /// Like [`CellCounter::load`], for files that are open.
    ///
    /// # Errors
    /// Those of [`CellCounter::load`] except those of [`ModelFiles::open`] and of [`ModelFiles::into_cells`].
    pub fn from_files(
        files: ModelFiles<CellsModel>,
        config: &EngineConfig,
    ) -> Result<Self, ArtifactError> {
        Ok(Self {
            manifest: files.manifest().clone(),
            manifest_sha256: files.manifest_sha256().to_owned(),
            failover: Failover::start(files, config)?,
        })
    }

    /// Like [`CellCounter::load`], but only on the last configured engine and without verifying the golden samples: for
    /// tools that compute golden samples, never for verdicts.
    ///
    /// # Errors
    /// Those of [`ModelFiles::open`] and of [`ModelFiles::into_cells`], and [`ArtifactError::Engine`] if the engine does
    /// not start.
    pub fn load_unverified(folder: &Path, config: &EngineConfig) -> Result<Self, ArtifactError> {
        let files = ModelFiles::open(folder)?.into_cells()?;
        Ok(Self {
            manifest: files.manifest().clone(),
            manifest_sha256: files.manifest_sha256().to_owned(),
            failover: Failover::start_unverified(&files, config)?,
        })
    }

    /// The validated manifest.
    pub fn manifest(&self) -> &Manifest<CellsModel> {
        &self.manifest
    }

    /// SHA-256 of the manifest file, which identifies the model; see [`ModelFiles::manifest_sha256`].
    pub fn manifest_sha256(&self) -> &str {
        &self.manifest_sha256
    }

    /// The engine and device in use; after an analysis, those that ran it.
    pub fn engine(&self) -> &EngineInfo {
        self.failover.info()
    }

    /// The results of the golden samples on the engine in use.
    pub fn golden(&self) -> &[GoldenResult] {
        self.failover.golden()
    }

    /// Finds the cells of a field and looks at each. `um_per_pixel` is the scale of the image; without it, the red
    /// cells of the field are the ruler.
    ///
    /// If the engine fails, the next configured engine that passes the golden samples replaces it permanently and
    /// starts over; [`CellCounter::engine`] returns the one that did.
    ///
    /// # Errors
    /// - [`ArtifactError::Image`] if the image has no pixels.
    /// - [`ArtifactError::Inference`] if the engine fails and no other can replace it.
    pub fn analyse(
        &mut self,
        image: &RgbImage,
        um_per_pixel: Option<f32>,
    ) -> Result<FieldCells, ArtifactError> {
        if image.is_empty() {
            return Err(ArtifactError::Image {
                problem: "it has no pixels".into(),
                remedy: "take the picture again".into(),
            });
        }
        let model = &self.manifest.model;
        self.failover
            .run(|networks| look_at_field(networks, model, image, um_per_pixel))
    }
}
