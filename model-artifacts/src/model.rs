//! A loaded model, which classifies images.

use image::RgbImage;

use crate::engine::failover::Failover;
#[cfg(any(test, feature = "test-support"))]
use crate::engine::network::Network;
use crate::error::ArtifactError;
use crate::field::inference::Inference;
use crate::field::network::FieldNetwork;
use crate::image::tensor::Tensor;
use crate::judgement::domain::Descriptor;
use crate::loaded_model::LoadedModel;
use crate::manifest::field::FieldModel;

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
pub type Model = LoadedModel<FieldNetwork>;

impl Model {
    /// Replaces the engine in use by one that wraps it, such as one that fails when a test wants it to.
    #[cfg(any(test, feature = "test-support"))]
    #[must_use]
    pub fn wrap_engine(mut self, wrap: impl FnOnce(Box<dyn Network>) -> Box<dyn Network>) -> Self {
        self.failover = self.failover.map_networks(|field| field.wrap(wrap));
        self
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
