//! Pictures, compared.

use image::RgbImage;

/// Checks that a JPEG has these pixels, as far as its compression allows.
pub(crate) fn assert_shows(jpeg: &[u8], expected: &RgbImage) {
    let seen = image::load_from_memory(jpeg).unwrap().to_rgb8();
    assert_eq!(seen.dimensions(), expected.dimensions());
    let differences = seen.as_raw().iter().zip(expected.as_raw());
    let sum: u64 = differences
        .map(|(one, other)| u64::from(one.abs_diff(*other)))
        .sum();
    let mean = sum as f64 / expected.as_raw().len() as f64;
    assert!(mean < 3.0, "they differ by so many levels: {mean}");
}
