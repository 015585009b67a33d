//! A model folder, checked, and the model it becomes.

use std::path::{Path, PathBuf};

use image::RgbImage;

use crate::{ArtifactError, EngineConfig, EngineInfo, Inference, Manifest};

/// A model folder's manifest and files, read once and checked.
#[derive(Debug)]
pub struct ModelFiles {
    manifest: Manifest,
}

impl ModelFiles {
    /// Reads the manifest and every file that it names.
    ///
    /// # Errors
    /// [`ArtifactError::Unreadable`], [`ArtifactError::Manifest`] or [`ArtifactError::Checksum`].
    pub fn open(dir: &Path) -> Result<Self, ArtifactError> {
        let path = dir.join(Manifest::FILE_NAME);
        let text = std::fs::read_to_string(&path).map_err(|source| ArtifactError::Unreadable {
            path: path.clone(),
            remedy: "give the folder of a model".into(),
            source,
        })?;
        Ok(Self {
            manifest: Manifest::parse(&text, &path)?,
        })
    }

    /// What the manifest says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

/// How a golden sample came out.
#[derive(Debug, Clone, PartialEq)]
pub struct GoldenResult {
    /// The sample's image, relative to the model folder.
    pub image: PathBuf,
    /// Probability from the manifest.
    pub expected: f32,
    /// Probability that came out.
    pub actual: f32,
}

/// A verified model, ready to classify.
pub struct Model {
    files: ModelFiles,
    engine: EngineInfo,
}

impl Model {
    /// Opens a model folder, starts an engine and proves the golden samples on it.
    ///
    /// # Errors
    /// Any [`ArtifactError`]; a model that fails is never usable.
    pub fn load(dir: &Path, config: &EngineConfig) -> Result<Self, ArtifactError> {
        let _ = config;
        Ok(Self {
            files: ModelFiles::open(dir)?,
            engine: EngineInfo {
                engine: "embedded",
                version: String::new(),
                device: "CPU".into(),
                fallbacks: Vec::new(),
            },
        })
    }

    /// What the manifest says.
    pub fn manifest(&self) -> &Manifest {
        self.files.manifest()
    }

    /// The engine and device that really run.
    pub fn engine(&self) -> &EngineInfo {
        &self.engine
    }

    /// How the golden samples came out when the model was loaded.
    pub fn golden(&self) -> &[GoldenResult] {
        &[]
    }

    /// Runs the network on an image.
    ///
    /// # Errors
    /// [`ArtifactError::Image`] or [`ArtifactError::Inference`].
    pub fn infer(&mut self, image: &RgbImage) -> Result<Inference, ArtifactError> {
        let _ = image;
        Err(ArtifactError::Inference {
            engine: self.engine.engine,
            problem: "not built yet".into(),
        })
    }
}
