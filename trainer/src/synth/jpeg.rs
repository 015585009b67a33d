//! JPEG files as cameras write them.

use image::{ImageFormat, RgbImage};
use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

use super::optics::Compression;

/// A picture cannot be written to memory.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DrawError {
    #[error(transparent)]
    Jpeg(#[from] turbojpeg::Error),
    #[error(transparent)]
    Image(#[from] image::ImageError),
}

/// The picture as a JPEG file.
pub(crate) fn encode(picture: &RgbImage, compression: Compression) -> Result<Vec<u8>, DrawError> {
    let mut compressor = Compressor::new()?;
    compressor.set_quality(compression.quality.into())?;
    compressor.set_subsamp(if compression.halves_chroma {
        Subsamp::Sub2x2
    } else {
        Subsamp::None
    })?;
    Ok(compressor.compress_to_vec(Image {
        pixels: picture.as_raw(),
        width: picture.width() as usize,
        pitch: 3 * picture.width() as usize,
        height: picture.height() as usize,
        format: PixelFormat::RGB,
    })?)
}

/// The picture in a JPEG file of [`encode`].
pub(crate) fn decode(jpeg: &[u8]) -> Result<RgbImage, DrawError> {
    Ok(image::load_from_memory_with_format(jpeg, ImageFormat::Jpeg)?.into_rgb8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_resolution_of_colour_keeps_the_light_and_mixes_the_colours_of_neighbours() {
        let colours = [image::Rgb([200, 60, 60]), image::Rgb([60, 60, 200])];
        let picture = RgbImage::from_fn(64, 64, |x, _| colours[x as usize % 2]);
        let [full, halved] = [false, true].map(|halves_chroma| {
            let compression = Compression {
                quality: 95,
                halves_chroma,
            };
            decode(&encode(&picture, compression).unwrap()).unwrap()
        });
        let difference = |picture: &RgbImage| {
            let [one, other] = [32, 33].map(|x| i32::from(picture.get_pixel(x, 32).0[0]));
            (one - other).abs()
        };
        assert!(difference(&full) > 120, "{}", difference(&full));
        assert!(difference(&halved) < 60, "{}", difference(&halved));
    }
}
