//! From an image to the network's input. The only place where that happens: training and the
//! appliance both come through here.

use image::RgbImage;

use crate::resample::Resampler;
use crate::{ArtifactError, ChannelOrder, InputContract, Layout, Tensor};

/// Turns images into tensors as an [`InputContract`] says; reuses its buffers.
///
/// The resized samples differ from OpenCV's by at most one of 256 levels.
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
    /// Which channel of the RGB image it is made of.
    source: usize,
    /// The normalised value of each sample.
    values: [f32; 256],
}

impl Preprocessor {
    /// Prepares the tables and buffers.
    ///
    /// # Errors
    /// [`ArtifactError::Manifest`] if the contract holds impossible values.
    pub fn new(contract: InputContract) -> Result<Self, ArtifactError> {
        contract.check()?;
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

    /// Resizes and normalises an image. The tensor is overwritten by the next call.
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
