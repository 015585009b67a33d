//! From an image to the network's input tensor. Training and the appliance both use this code, and no
//! other.

use std::path::Path;

use image::RgbImage;

use super::contract::{ChannelOrder, InputContract, Layout};
use super::resample::Resampler;
use super::tensor::Tensor;
use crate::error::ArtifactError;
use crate::files::MANIFEST_FILE;

/// Turns images into tensors according to an [`InputContract`]; reuses its buffers.
///
/// The resized samples differ from OpenCV's by at most 1 of 256 levels.
#[derive(Debug)]
pub struct Preprocessor {
    contract: InputContract,
    resampler: Resampler,
    channels: [Channel; 3],
    tensor: Tensor,
}

/// One channel of the tensor.
#[derive(Debug)]
struct Channel {
    /// Index of the RGB channel that it is computed from.
    source: usize,
    /// The normalised value of each 8-bit sample.
    values: [f32; 256],
}

impl Preprocessor {
    /// Computes the tables and allocates the buffers.
    ///
    /// # Errors
    /// [`ArtifactError::Manifest`] if the contract has an invalid value.
    pub fn new(contract: InputContract) -> Result<Self, ArtifactError> {
        contract
            .check()
            .map_err(|error| error.at(Path::new(MANIFEST_FILE)))?;
        let (width, height) = (contract.width as usize, contract.height as usize);
        let channels = std::array::from_fn(|channel| Channel {
            source: match contract.channels {
                ChannelOrder::Rgb => channel,
                ChannelOrder::Bgr => 2 - channel,
            },
            values: std::array::from_fn(|sample| contract.normalise(channel, sample as u8)),
        });
        Ok(Self {
            resampler: Resampler::new(contract.resize, width, height),
            channels,
            tensor: Tensor {
                shape: contract.shape(),
                data: vec![0.0; width * height * 3],
            },
            contract,
        })
    }

    /// Resizes and normalises an image of any size. The next call overwrites the tensor.
    ///
    /// # Errors
    /// [`ArtifactError::Image`] if the image has no pixels.
    pub fn prepare(&mut self, image: &RgbImage) -> Result<&Tensor, ArtifactError> {
        if image.is_empty() {
            return Err(ArtifactError::Image {
                problem: "it has no pixels".into(),
                remedy: "take the picture again".into(),
            });
        }
        let plane = self.tensor.data.len() / 3;
        let (pixel_stride, channel_stride) = match self.contract.layout {
            Layout::Nchw => (1, plane),
            Layout::Nhwc => (3, 1),
        };
        let mut at = 0;
        self.resampler.resize(image, |pixel| {
            for (index, channel) in self.channels.iter().enumerate() {
                self.tensor.data[at + index * channel_stride] =
                    channel.values[usize::from(pixel[channel.source])];
            }
            at += pixel_stride;
        });
        Ok(&self.tensor)
    }
}
