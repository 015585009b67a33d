//! A decoded image.

use image::RgbImage;

/// An image as it is analysed.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// The pixels, possibly reduced: see [`InputContract::reduction`](crate::InputContract::reduction) and
    /// [`CropInput::reduction`](crate::CropInput::reduction).
    pub image: RgbImage,
    /// Width and height before the reduction, in pixels.
    pub original_size: (u32, u32),
}

impl Picture {
    /// The factor by which width and height are reduced.
    pub fn reduction(&self) -> u32 {
        self.original_size.0 / self.image.width().max(1)
    }
}

impl From<RgbImage> for Picture {
    /// An image that is not reduced.
    fn from(image: RgbImage) -> Self {
        Self {
            original_size: image.dimensions(),
            image,
        }
    }
}
