//! Brightness of a picture.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Mean luma of a JPEG, 0.0 to 255.0; `None` if it is damaged.
pub(super) fn of_jpeg(jpeg: &[u8]) -> Option<f32> {
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    mean(decoder.decode().ok()?.iter())
}

/// Mean of some lumas; `None` of none.
pub(super) fn mean<'a>(lumas: impl ExactSizeIterator<Item = &'a u8>) -> Option<f32> {
    let count = lumas.len();
    let sum: u64 = lumas.map(|luma| u64::from(*luma)).sum();
    (count > 0).then(|| sum as f32 / count as f32)
}
