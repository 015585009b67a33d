//! The input contract: how an image becomes a network's input tensor.

use serde::{Deserialize, Serialize};

use crate::validation::{FieldError, check_between, check_positive};

/// Smallest and largest side of a network's input, in pixels.
const SIDES: std::ops::RangeInclusive<u32> = 8..=2048;

/// How an image becomes the network's input tensor: decode to RGB, resize to `width × height`
/// without keeping the aspect ratio, take the samples that `colour` names, then compute
/// `(sample × scale − mean) / std` per channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputContract {
    /// Pixels per row of the network's input.
    pub width: u32,
    /// Rows of the network's input.
    pub height: u32,
    /// Order of the channels in the tensor.
    pub channels: ChannelOrder,
    /// Order of the axes in the tensor.
    pub layout: Layout,
    /// How the image is resized.
    pub resize: ResizeFilter,
    /// What a sample is.
    #[serde(default, skip_serializing_if = "Colour::is_rgb")]
    pub colour: Colour,
    /// Factor applied to each sample first.
    pub scale: f32,
    /// Subtracted after scaling; one value per channel, in tensor order.
    pub mean: [f32; 3],
    /// Divides last; one value per channel, in tensor order.
    pub std: [f32; 3],
}

impl InputContract {
    /// Shape of the input tensor.
    pub fn shape(&self) -> [usize; 4] {
        let (width, height) = (self.width as usize, self.height as usize);
        match self.layout {
            Layout::Nchw => [1, 3, height, width],
            Layout::Nhwc => [1, height, width, 3],
        }
    }

    /// Factor by which width and height of a JPEG are reduced while it is decoded: 1, 2, 4 or 8.
    ///
    /// The decoder computes means of 2×2, 4×4 or 8×8 pixels faster than the pixels themselves, and an
    /// area filter averages them anyway. The factor is the largest for which the contract has the area
    /// filter, both sides are multiples of the factor, the reduced image's shorter side is at least twice
    /// the longer side of the network's input, and its longer side is at least
    /// [`InputContract::MIN_REDUCED_SIDE`].
    pub fn reduction(&self, width: u32, height: u32) -> u32 {
        if self.resize != ResizeFilter::Area {
            return 1;
        }
        let min_shorter = self.width.max(self.height).saturating_mul(2);
        let leaves_enough = |by: &u32| {
            width.is_multiple_of(*by)
                && height.is_multiple_of(*by)
                && width.min(height) / by >= min_shorter
                && width.max(height) / by >= Self::MIN_REDUCED_SIDE
        };
        [8, 4, 2].into_iter().find(leaves_enough).unwrap_or(1)
    }

    /// Smallest longer side of a reduced image, in pixels: the quality gate measures on copies of half
    /// that size.
    pub const MIN_REDUCED_SIDE: u32 = 1024;

    /// The tensor's value for a sample of a channel, which is counted in tensor order.
    ///
    /// # Panics
    /// If `channel` is not 0, 1 or 2.
    pub fn normalise(&self, channel: usize, sample: f32) -> f32 {
        (sample * self.scale - self.mean[channel]) / self.std[channel]
    }

    /// Refuses invalid values.
    pub(crate) fn check(&self) -> Result<(), FieldError> {
        check_between("input.width", self.width, SIDES)?;
        check_between("input.height", self.height, SIDES)?;
        check_positive("input.scale", self.scale)?;
        for (channel, (mean, std)) in self.mean.iter().zip(self.std).enumerate() {
            if !mean.is_finite() {
                return Err(FieldError::invalid(
                    format!("input.mean[{channel}]"),
                    format!("must be finite, it is {mean}"),
                ));
            }
            let extremes = self.colour.range().map(|it| self.normalise(channel, it));
            if !(std > 0.0 && std.is_finite() && extremes.iter().all(|value| value.is_finite())) {
                return Err(FieldError::invalid(
                    format!("input.std[{channel}]"),
                    format!("must be above 0 and large enough to divide by, it is {std}"),
                ));
            }
        }
        Ok(())
    }
}

/// What the samples of an image are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Colour {
    /// The 8-bit samples of the image, 0 to 255
    #[default]
    Rgb,
    /// The mean of the relative densities of the three colours, in every channel: no colour is left
    Grey,
    /// The optical density relative to the field's empty places and to its densest ones, for each colour by
    /// itself, −0.5 to 2: neither lamp nor strength of the stain is left
    Density,
}

impl Colour {
    /// Range of relative densities.
    pub(super) const DENSITIES: [f32; 2] = [-0.5, 2.0];

    /// Smallest and largest sample.
    fn range(self) -> [f32; 2] {
        match self {
            Self::Rgb => [0.0, 255.0],
            Self::Grey | Self::Density => Self::DENSITIES,
        }
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    fn is_rgb(&self) -> bool {
        *self == Self::Rgb
    }
}

/// Order of the colour channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum ChannelOrder {
    /// Red first.
    Rgb,
    /// Blue first, as OpenCV reads images.
    Bgr,
}

/// Order of the tensor's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Layout {
    /// Batch, channel, row, column.
    Nchw,
    /// Batch, row, column, channel.
    Nhwc,
}

/// How an image is resized to the network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum ResizeFilter {
    /// Mean over the area that falls on each output pixel; no aliasing when shrinking
    /// (OpenCV's `INTER_AREA`).
    Area,
    /// Four neighbours whatever the scale; aliases when shrinking (OpenCV's `INTER_LINEAR`).
    Bilinear,
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "width = 16\nheight = 8\nchannels = \"rgb\"\nlayout = \"nchw\"\nresize = \"area\"\n\
        scale = 1.0\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n";

    #[test]
    fn a_contract_without_a_colour_takes_the_samples_of_the_image() {
        let contract: InputContract = toml::from_str(OLD).unwrap();
        assert_eq!(contract.colour, Colour::Rgb);
        assert!(!toml::to_string(&contract).unwrap().contains("colour"));
        for (name, colour) in [("grey", Colour::Grey), ("density", Colour::Density)] {
            let text = format!("{OLD}colour = \"{name}\"\n");
            let contract: InputContract = toml::from_str(&text).unwrap();
            assert_eq!(contract.colour, colour);
            let again = toml::to_string(&contract).unwrap();
            assert_eq!(toml::from_str::<InputContract>(&again).unwrap(), contract);
        }
        let unknown = format!("{OLD}colour = \"sepia\"\n");
        assert!(toml::from_str::<InputContract>(&unknown).is_err());
    }
}
