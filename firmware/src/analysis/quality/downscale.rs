//! Copies of pictures in the size that figures are measured in.

use image::{Rgb, RgbImage};
use smearscope_artifacts::{Resampler, ResizeFilter};

/// Makes copies of pictures that are at most so long on their longer side.
pub(crate) struct Downscaler {
    longer: u32,
    resampler: Resampler,
    copy: RgbImage,
}

impl Downscaler {
    pub(crate) fn new(longer: u32) -> Self {
        Self {
            longer,
            resampler: Resampler::new(ResizeFilter::Area, 1, 1),
            copy: RgbImage::new(1, 1),
        }
    }

    pub(crate) fn copy(&mut self, image: &RgbImage) -> &RgbImage {
        let longer = image.width().max(image.height());
        let scale = (f64::from(self.longer) / f64::from(longer)).min(1.0);
        let side = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
        let (width, height) = (side(image.width()), side(image.height()));
        if self.copy.dimensions() != (width, height) {
            self.copy = RgbImage::new(width, height);
            self.resampler = Resampler::new(ResizeFilter::Area, width as usize, height as usize);
        }
        let mut pixels = self.copy.pixels_mut();
        self.resampler.resize(image, |pixel| {
            if let Some(copied) = pixels.next() {
                *copied = Rgb(pixel);
            }
        });
        &self.copy
    }
}
