//! The trait of engines, and what they report.

use serde::Serialize;

use crate::error::ArtifactError;
use crate::image::tensor::Tensor;

/// A network that is loaded on an engine, whatever it computes.
///
/// The trait is object-safe, so that the engine can be configured at run time. Methods take `&mut self`
/// because engines reuse their buffers.
///
/// # Examples
/// An engine of one's own, which computes how blue each image of a batch is:
///
/// ```
/// use smearscope_artifacts::{ArtifactError, EngineInfo, Network, Output, Outputs, Tensor};
///
/// struct Blueness {
///     info: EngineInfo,
///     /// A value for each image.
///     values: Vec<f32>,
/// }
///
/// impl Network for Blueness {
///     /// `input` has the shape `[batch, 3, height, width]`, RGB, with values between 0 and 1.
///     fn run(&mut self, input: &Tensor) -> Result<Outputs<'_>, ArtifactError> {
///         let [batch, channels, height, width] = input.shape;
///         let plane = height * width;
///         if channels != 3 || plane == 0 || input.data.len() != batch * 3 * plane {
///             return Err(ArtifactError::Inference {
///                 engine: self.info.engine,
///                 problem: format!("the input has the shape {:?}", input.shape),
///             });
///         }
///         let mean = |samples: &[f32]| samples.iter().sum::<f32>() / plane as f32;
///         let images = input.data.chunks_exact(3 * plane);
///         self.values.clear();
///         self.values
///             .extend(images.map(|image| mean(&image[2 * plane..]) - mean(&image[..plane])));
///         Ok(Outputs::new(vec![Output {
///             name: "blueness",
///             shape: vec![batch, 1],
///             values: &self.values,
///         }]))
///     }
///
///     fn info(&self) -> &EngineInfo {
///         &self.info
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut network: Box<dyn Network> = Box::new(Blueness {
///     info: EngineInfo {
///         engine: "blueness",
///         version: "1.0".into(),
///         device: "CPU".into(),
///         fallbacks: Vec::new(),
///     },
///     values: Vec::new(),
/// });
/// let blue_and_red = Tensor {
///     shape: [2, 3, 1, 1],
///     data: vec![0.1, 0.2, 0.9, 0.8, 0.2, 0.3],
/// };
/// let outputs = network.run(&blue_and_red)?;
/// let blueness = outputs.get("blueness").ok_or("it has this output")?;
/// assert!(blueness.values[0] > 0.7 && blueness.values[1] < -0.4);
/// # Ok(())
/// # }
/// ```
pub trait Network: Send {
    /// Runs the network on one input tensor of the shape that the model's manifest declares. The next run
    /// overwrites the outputs.
    ///
    /// # Errors
    /// [`ArtifactError::Inference`] if the input has another shape, or if the engine fails. An engine never
    /// replaces missing outputs.
    fn run(&mut self, input: &Tensor) -> Result<Outputs<'_>, ArtifactError>;

    /// The engine, its version and the device that runs the network.
    fn info(&self) -> &EngineInfo;
}

/// The outputs of one run of a network, in the buffers of the engine.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs<'a>(Vec<Output<'a>>);

impl<'a> Outputs<'a> {
    /// The outputs that the manifest names.
    pub fn new(outputs: Vec<Output<'a>>) -> Self {
        Self(outputs)
    }

    /// The output of this name; `None` if the manifest does not name it.
    pub fn get(&self, name: &str) -> Option<&Output<'a>> {
        self.0.iter().find(|output| output.name == name)
    }
}

/// One output of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Output<'a> {
    /// The network's name for it.
    pub name: &'a str,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// The elements in row-major order. Their number is the product of `shape`, unless the engine fails; nothing is
    /// known about them.
    pub values: &'a [f32],
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
