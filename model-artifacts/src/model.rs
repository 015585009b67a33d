//! A loaded model, which classifies images.

use std::path::Path;

use image::RgbImage;

use crate::engine::config::EngineConfig;
use crate::engine::failover::{Failover, GoldenResult};
use crate::engine::network::EngineInfo;
#[cfg(any(test, feature = "test-support"))]
use crate::engine::network::Network;
use crate::error::ArtifactError;
use crate::field::inference::Inference;
use crate::field::network::FieldNetwork;
use crate::image::preprocess::Preprocessor;
use crate::image::tensor::Tensor;
use crate::judgement::domain::Descriptor;
use crate::manifest::field::FieldModel;
use crate::manifest::schema::Manifest;
use crate::model_files::ModelFiles;

/// A verified model on an engine, ready to classify images.
///
/// # Examples
/// Load the demonstration model on the embedded engine and classify an image:
///
/// ```
/// use std::path::Path;
///
/// use smearscope_artifacts::decode::{self, Limits};
/// use smearscope_artifacts::{EngineChoice, EngineConfig, Model, Verdict};
///
/// # fn main() -> Result<(), smearscope_artifacts::ArtifactError> {
/// let config = EngineConfig {
///     choice: EngineChoice::Embedded,
///     ..EngineConfig::default()
/// };
/// let mut model = Model::load(Path::new("smear-demo"), &config)?;
///
/// let path = Path::new("smear-demo/golden/positive-3.png");
/// let image = decode::read(path, &Limits::default())?;
/// let inference = model.infer(&image)?;
///
/// let decision = model.manifest().model.decision.decide(inference.margin);
/// println!("{}, p = {:.3}", decision.verdict, decision.probability);
/// assert_eq!(decision.verdict, Verdict::Positive);
/// # Ok(())
/// # }
/// ```
pub struct Model {
    manifest: Manifest<FieldModel>,
    manifest_sha256: String,
    preprocessor: Preprocessor,
    failover: Failover<FieldNetwork>,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("name", &self.manifest.name)
            .field("engine", self.engine())
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Opens a model folder, starts the first configured engine that works, and verifies the golden samples
    /// on it.
    ///
    /// # Errors
    /// - Those of [`ModelFiles::open`] and of [`ModelFiles::into_field`].
    /// - [`ArtifactError::Engine`] if no configured engine starts.
    /// - [`ArtifactError::Golden`] or [`ArtifactError::Inference`] if a golden sample fails on the last
    ///   configured engine.
    pub fn load(folder: &Path, config: &EngineConfig) -> Result<Self, ArtifactError> {
        Self::from_files(ModelFiles::open(folder)?.into_field()?, config)
    }

    /// Like [`Model::load`], for files that are open.
    ///
    /// # Errors
    /// Those of [`Model::load`] except those of [`ModelFiles::open`] and of [`ModelFiles::into_field`].
    pub fn from_files(
        files: ModelFiles<FieldModel>,
        config: &EngineConfig,
    ) -> Result<Self, ArtifactError> {
        let manifest = files.manifest().clone();
        let manifest_sha256 = files.manifest_sha256().to_owned();
        Self::new(manifest, manifest_sha256, Failover::start(files, config)?)
    }

    /// Like [`Model::load`], but only on the last configured engine and without verifying the golden samples:
    /// for tools that compute golden samples, never for verdicts.
    ///
    /// # Errors
    /// Those of [`ModelFiles::open`] and of [`ModelFiles::into_field`], and [`ArtifactError::Engine`] if the engine
    /// does not start.
    pub fn load_unverified(folder: &Path, config: &EngineConfig) -> Result<Self, ArtifactError> {
        let files = ModelFiles::open(folder)?.into_field()?;
        let manifest = files.manifest().clone();
        let manifest_sha256 = files.manifest_sha256().to_owned();
        let failover = Failover::start_unverified(&files, config)?;
        Self::new(manifest, manifest_sha256, failover)
    }

    fn new(
        manifest: Manifest<FieldModel>,
        manifest_sha256: String,
        failover: Failover<FieldNetwork>,
    ) -> Result<Self, ArtifactError> {
        Ok(Self {
            preprocessor: Preprocessor::new(manifest.model.input.clone())?,
            manifest,
            manifest_sha256,
            failover,
        })
    }

    /// Replaces the engine in use by one that wraps it, such as one that fails when a test wants it to.
    #[cfg(any(test, feature = "test-support"))]
    #[must_use]
    pub fn wrap_engine(self, wrap: impl FnOnce(Box<dyn Network>) -> Box<dyn Network>) -> Self {
        Self {
            failover: self.failover.map_networks(|field| field.wrap(wrap)),
            ..self
        }
    }

    /// The validated manifest: what the model is, its input, rules and figures.
    pub fn manifest(&self) -> &Manifest<FieldModel> {
        &self.manifest
    }

    /// SHA-256 of the manifest file, which identifies the model; see [`ModelFiles::manifest_sha256`].
    pub fn manifest_sha256(&self) -> &str {
        &self.manifest_sha256
    }

    /// The engine and device in use; after an inference, those that ran it.
    pub fn engine(&self) -> &EngineInfo {
        self.failover.info()
    }

    /// The results of the golden samples on the engine in use, in the manifest's order.
    pub fn golden(&self) -> &[GoldenResult] {
        self.failover.golden()
    }

    /// Prepares an image of any size and runs the network on it.
    ///
    /// # Errors
    /// Those of [`Model::prepare`] and of [`Prepared::infer`].
    pub fn infer(&mut self, image: &RgbImage) -> Result<Inference, ArtifactError> {
        self.prepare(image)?.infer()
    }

    /// Turns an image of any size into the network's input.
    ///
    /// # Errors
    /// [`ArtifactError::Image`] if the image has no pixels.
    pub fn prepare(&mut self, image: &RgbImage) -> Result<Prepared<'_>, ArtifactError> {
        Ok(Prepared {
            input: self.preprocessor.prepare(image)?,
            model: &self.manifest.model,
            failover: &mut self.failover,
        })
    }
}

/// An image as a model's input, ready for inference.
pub struct Prepared<'a> {
    input: &'a Tensor,
    model: &'a FieldModel,
    failover: &'a mut Failover<FieldNetwork>,
}

impl Prepared<'_> {
    /// Distance of the image from the images that the network was trained on, 0 or more; `None` if the
    /// manifest has no [`Domain`](crate::Domain). The domain also has the limit.
    pub fn distance(&self) -> Option<f32> {
        let domain = self.model.domain.as_ref()?;
        let descriptor = Descriptor::of(self.input, &self.model.input);
        Some(domain.distance(&descriptor))
    }

    /// Runs the network. If the engine fails, the next configured engine that passes the golden samples
    /// replaces it permanently and runs the network; [`Model::engine`] returns the one that did.
    ///
    /// # Errors
    /// [`ArtifactError::Inference`] if the engine fails and no other can replace it.
    pub fn infer(self) -> Result<Inference, ArtifactError> {
        self.failover.run(|field| field.infer(self.input))
    }
}
