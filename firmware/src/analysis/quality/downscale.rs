//! Downscales pictures, for measuring them and for display.

use image::RgbImage;
use smearscope_artifacts::{Resampler, ResizeFilter};

/// Downscales pictures to a maximum length of their longer side. It reuses its buffer.
pub(crate) struct Downscaler {
    max_side: u32,
    resampler: Resampler,
    buffer: RgbImage,
}

impl Downscaler {
    /// `max_side` is in pixels.
    pub(crate) fn new(max_side: u32) -> Self {
        Self {
            max_side,
            resampler: Resampler::new(ResizeFilter::Area, 1, 1),
            buffer: RgbImage::new(1, 1),
        }
    }

    /// Downscales `image`. A smaller one keeps its size.
    pub(crate) fn downscale(&mut self, image: &RgbImage) -> &RgbImage {
        let longer = image.width().max(image.height());
        let scale = (f64::from(self.max_side) / f64::from(longer)).min(1.0);
        let side = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
        let (width, height) = (side(image.width()), side(image.height()));
        if self.buffer.dimensions() != (width, height) {
            self.buffer = RgbImage::new(width, height);
            self.resampler = Resampler::new(ResizeFilter::Area, width as usize, height as usize);
        }
        let pixels = self.resampler.resize(image);
        self.buffer.copy_from_slice(pixels.as_flattened());
        &self.buffer
    }
}
