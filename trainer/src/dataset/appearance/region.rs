//! Colours of parts of a picture.

use image::RgbImage;

/// Thickness of the frame, as a part of the shorter side.
const FRAME: u32 = 32;
/// Sides of a corner, as parts of the picture's: a circle that touches all four sides of a square picture does not
/// reach it.
const CORNER: u32 = 7;

/// The pixels along the sides of a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    size: (u32, u32),
    thickness: u32,
}

impl Frame {
    pub(super) fn of(size: (u32, u32)) -> Self {
        Self {
            size,
            thickness: (size.0.min(size.1) / FRAME).max(1),
        }
    }

    pub(super) fn contains(self, x: u32, y: u32) -> bool {
        let (width, height) = self.size;
        let from_side = x.min(y).min(width - 1 - x).min(height - 1 - y);
        from_side < self.thickness
    }
}

/// Mean and standard deviation of red, green and blue, 0 to 255, of the pixels that `counts` accepts.
pub(super) fn mean_colour(picture: &RgbImage, counts: impl Fn(u32, u32) -> bool) -> [f32; 6] {
    let (mut pixels, mut sums, mut squares) = (0_u64, [0_u64; 3], [0_u64; 3]);
    for (x, y, pixel) in picture.enumerate_pixels() {
        if counts(x, y) {
            pixels += 1;
            for (channel, value) in pixel.0.into_iter().enumerate() {
                let value = u64::from(value);
                sums[channel] += value;
                squares[channel] += value * value;
            }
        }
    }
    let pixels = pixels.max(1) as f64;
    let mean = |channel: usize| sums[channel] as f64 / pixels;
    let deviation = |channel: usize| {
        let variance = squares[channel] as f64 / pixels - mean(channel).powi(2);
        variance.max(0.0).sqrt()
    };
    let [red, green, blue] = [0, 1, 2].map(|channel| [mean(channel), deviation(channel)]);
    [red[0], green[0], blue[0], red[1], green[1], blue[1]].map(|value| value as f32)
}

/// Mean red, green and blue of the corners: upper left, upper right, lower left, lower right.
pub(super) fn mean_corners(picture: &RgbImage) -> [f32; 12] {
    let (width, height) = picture.dimensions();
    let (across, down) = ((width / CORNER).max(1), (height / CORNER).max(1));
    let mut corners = [0.0; 12];
    for (number, means) in corners.chunks_exact_mut(3).enumerate() {
        let (is_right, is_lower) = (number % 2 == 1, number / 2 == 1);
        let left = if is_right { width - across } else { 0 };
        let top = if is_lower { height - down } else { 0 };
        let mut sums = [0_u64; 3];
        for y in top..top + down {
            for x in left..left + across {
                for (sum, value) in sums.iter_mut().zip(picture.get_pixel(x, y).0) {
                    *sum += u64::from(value);
                }
            }
        }
        let pixels = f64::from(across) * f64::from(down);
        for (mean, sum) in means.iter_mut().zip(sums) {
            *mean = (sum as f64 / pixels) as f32;
        }
    }
    corners
}
