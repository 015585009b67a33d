//! The scale from two points on a stage micrometer.

use crate::analysis::reading::SCALES;
use crate::calibration::error::CalibrationError;

/// Smallest distance of the points, in pixels: an error of one pixel at either end is then 1 % at most.
const MIN_PIXELS: f64 = 200.0;

/// The size of a pixel in µm, from two points in pixels that are `um` µm apart.
///
/// # Errors
/// [`CalibrationError::Points`] if they are too near to each other, outside a picture of this size, or give an impossible
/// scale.
pub fn between(
    from: [f64; 2],
    to: [f64; 2],
    um: f64,
    (width, height): (u32, u32),
) -> Result<f32, CalibrationError> {
    let refuse = |problem: String| Err(CalibrationError::Points(problem));
    for [x, y] in [from, to] {
        let is_inside =
            (0.0..=f64::from(width)).contains(&x) && (0.0..=f64::from(height)).contains(&y);
        if !is_inside {
            return refuse(format!(
                "the point {x},{y} lies outside the picture of {width}x{height} pixels"
            ));
        }
    }
    let pixels = (to[0] - from[0]).hypot(to[1] - from[1]);
    if pixels < MIN_PIXELS {
        return refuse(format!(
            "the points are {pixels:.0} pixels apart; choose two lines that are at least {MIN_PIXELS} apart, so that an \
             error of a pixel does not matter"
        ));
    }
    let scale = (um / pixels) as f32;
    if SCALES.contains(&scale) {
        Ok(scale)
    } else {
        refuse(format!(
            "{um} µm between points that are {pixels:.0} pixels apart are {scale} µm per pixel; a microscope has {} to {}",
            SCALES.start(),
            SCALES.end()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (u32, u32) = (2592, 1944);

    #[test]
    fn two_points_give_the_scale_along_any_direction() {
        let scale = between([100.0, 100.0], [700.0, 900.0], 150.0, SIZE).unwrap();
        assert!((scale - 0.15).abs() < 1e-6, "1000 pixels: {scale}");
    }

    #[test]
    fn points_that_cannot_be_right_are_refused() {
        for (from, to, um, part) in [
            ([0.0, 0.0], [100.0, 0.0], 10.0, "100 pixels apart"),
            ([0.0, 0.0], [2600.0, 0.0], 10.0, "outside"),
            ([f64::NAN, 0.0], [600.0, 0.0], 10.0, "outside"),
            ([0.0, 0.0], [1000.0, 0.0], 1e6, "1000 µm per pixel"),
            ([0.0, 0.0], [1000.0, 0.0], -10.0, "per pixel"),
        ] {
            let error = between(from, to, um, SIZE).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
