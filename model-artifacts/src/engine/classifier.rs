//! The trait of engines, and what they report.

use serde::Serialize;

use crate::error::ArtifactError;
use crate::image::tensor::Tensor;
use crate::judgement::evidence::EvidenceMap;

/// Runs one loaded network.
///
/// The trait is object-safe, so that the engine can be configured at run time. Methods take `&mut self`
/// because engines reuse their buffers.
///
/// # Examples
/// An engine of one's own, which finds blue images positive:
///
/// ```
/// use smearscope_artifacts::{ArtifactError, Classifier, EngineInfo, Inference, Tensor};
///
/// struct Blueness(EngineInfo);
///
/// impl Classifier for Blueness {
///     /// `input` has the shape `[1, 3, height, width]`, RGB, with values between 0 and 1.
///     fn classify(&mut self, input: &Tensor) -> Result<Inference, ArtifactError> {
///         let [_, channels, height, width] = input.shape;
///         let plane = height * width;
///         if channels != 3 || input.data.len() != 3 * plane {
///             return Err(ArtifactError::Inference {
///                 engine: self.0.engine,
///                 problem: format!("the input has the shape {:?}", input.shape),
///             });
///         }
///         let mean = |channel: usize| {
///             let samples = &input.data[channel * plane..][..plane];
///             samples.iter().sum::<f32>() / plane as f32
///         };
///         let margin = mean(2) - mean(0);
///         let probability = 1.0 / (1.0 + (-margin).exp());
///         Ok(Inference { probability, margin, evidence: None })
///     }
///
///     fn info(&self) -> &EngineInfo {
///         &self.0
///     }
/// }
///
/// # fn main() -> Result<(), ArtifactError> {
/// let mut engine: Box<dyn Classifier> = Box::new(Blueness(EngineInfo {
///     engine: "blueness",
///     version: "1.0".into(),
///     device: "CPU".into(),
///     fallbacks: Vec::new(),
/// }));
/// let blue = Tensor { shape: [1, 3, 1, 1], data: vec![0.1, 0.2, 0.9] };
/// assert!(engine.classify(&blue)?.probability > 0.5);
/// # Ok(())
/// # }
/// ```
pub trait Classifier: Send {
    /// Runs the network on one input tensor of the shape in the model's input contract.
    ///
    /// # Errors
    /// [`ArtifactError::Inference`] if the input has another shape, if the engine fails, or if its
    /// outputs are not finite. An engine never replaces missing outputs.
    fn classify(&mut self, input: &Tensor) -> Result<Inference, ArtifactError>;

    /// The engine, its version and the device that runs the network.
    fn info(&self) -> &EngineInfo;
}

/// A network's result for one input, before calibration.
#[derive(Debug, Clone, PartialEq)]
pub struct Inference {
    /// Softmax output of the positive class, 0 to 1.
    pub probability: f32,
    /// Logit margin: positive logit − negative logit. It is more precise than the probability, which
    /// `f32` rounds to 1 for large margins.
    pub margin: f32,
    /// Contribution of each position to the margin; `None` if the network has no such output.
    pub evidence: Option<EvidenceMap>,
}

/// The engine that runs a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EngineInfo {
    /// `ncs2`, `openvino` or `embedded`.
    pub engine: &'static str,
    /// The engine's version, as its library reports it.
    pub version: String,
    /// The device that runs the network, by the engine's name for it, such as `CPU` or `MYRIAD`.
    pub device: String,
    /// Why engines or devices of higher preference are not used: one message per fallback, in order.
    pub fallbacks: Vec<String>,
}

impl EngineInfo {
    /// Engine and device, such as `openvino on CPU`.
    pub fn name(&self) -> String {
        format!("{} on {}", self.engine, self.device)
    }
}
