//! One labelled image, as training uses it.

use std::path::PathBuf;

use image::{GrayImage, RgbImage};

use super::appearance::Appearance;
use super::capture::Capture;

/// One labelled image.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) path: PathBuf,
    /// Digest of the file, in hexadecimal.
    pub(crate) sha256: String,
    /// The class as the dataset names it, such as a subtype.
    pub(crate) class: String,
    pub(crate) positive: bool,
    /// Index of its group.
    pub(crate) group: usize,
    pub(crate) capture: Capture,
    /// Width and height of the file's image in pixels.
    pub(crate) size: (u32, u32),
    pub(crate) file_bytes: usize,
    pub(crate) appearance: Appearance,
    /// The image in the size of the network's input.
    pub(crate) input: RgbImage,
    /// The image in twice that size, so that augmentation loses no detail.
    pub(crate) picture: RgbImage,
    /// What white cells cover, in the size of the network's input: the share of each pixel, 0 to 255.
    /// Known of positive images with a mask.
    pub(crate) cells: Option<GrayImage>,
}

#[cfg(test)]
impl Sample {
    /// A synthetic field for an input of this many rows and columns. Odd numbers are positive; every
    /// field is a separate group.
    pub(crate) fn drawn(number: u64, side: u32) -> Self {
        let field = |side: u32| crate::synth::example_field(number, side as usize, side as usize);
        let picture = field(2 * side);
        Self {
            path: number.to_string().into(),
            sha256: number.to_string(),
            class: ["negative", "positive"][number as usize % 2].into(),
            positive: number % 2 == 1,
            group: number as usize,
            capture: Capture::default(),
            size: (side, side),
            file_bytes: 1,
            appearance: Appearance::of(&picture, b""),
            input: field(side),
            picture,
            cells: None,
        }
    }
}
