//! From an image to the network's input tensor. Training and the appliance both use this code, and no
//! other.

use std::path::Path;

use image::RgbImage;

use super::contract::{ChannelOrder, Colour, InputContract, Layout};
use super::relative_density::relative_density;
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
    /// The resized image; empty if samples go straight to the tensor.
    resized: RgbImage,
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
            values: std::array::from_fn(|sample| contract.normalise(channel, sample as f32)),
        });
        Ok(Self {
            resampler: Resampler::new(contract.resize, width, height),
            channels,
            resized: match contract.colour {
                Colour::Rgb => RgbImage::default(),
                Colour::Grey | Colour::Density => RgbImage::new(contract.width, contract.height),
            },
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
        match self.contract.colour {
            Colour::Rgb => self.write_samples(image),
            Colour::Grey | Colour::Density => self.write_densities(image),
        }
        Ok(&self.tensor)
    }

    fn write_samples(&mut self, image: &RgbImage) {
        let (pixel_stride, channel_stride) = self.strides();
        let mut at = 0;
        for pixel in self.resampler.resize(image) {
            for (index, channel) in self.channels.iter().enumerate() {
                self.tensor.data[at + index * channel_stride] =
                    channel.values[usize::from(pixel[channel.source])];
            }
            at += pixel_stride;
        }
    }

    fn write_densities(&mut self, image: &RgbImage) {
        let resized = self.resampler.resize(image);
        self.resized.copy_from_slice(resized.as_flattened());
        let [red, green, blue] = relative_density(&self.resized);
        let (pixel_stride, channel_stride) = self.strides();
        for (number, ((red, green), blue)) in red.iter().zip(&green).zip(&blue).enumerate() {
            let samples = match self.contract.colour {
                Colour::Grey => [(red + green + blue) / 3.0; 3],
                Colour::Rgb | Colour::Density => [*red, *green, *blue],
            };
            for (index, channel) in self.channels.iter().enumerate() {
                self.tensor.data[number * pixel_stride + index * channel_stride] =
                    self.contract.normalise(index, samples[channel.source]);
            }
        }
    }

    /// Distances of pixels and of channels in the tensor.
    fn strides(&self) -> (usize, usize) {
        match self.contract.layout {
            Layout::Nchw => (1, self.tensor.data.len() / 3),
            Layout::Nhwc => (3, 1),
        }
    }
}
