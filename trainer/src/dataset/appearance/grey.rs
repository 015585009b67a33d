//! Grey values of a picture, and how sharp they are.

use image::{Rgb, RgbImage};

/// Added to a variance before its logarithm: a part of the variance of rounding to whole numbers, 1/12.
pub(super) const ROUNDING: f32 = 0.01;

/// Grey values, row by row.
#[derive(Debug)]
pub(super) struct Grey {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) values: Vec<f32>,
}

impl Grey {
    /// The ITU-R BT.601 luma of the middle of a picture, of at most `side` columns and rows.
    pub(super) fn middle(picture: &RgbImage, side: u32) -> Self {
        let (width, height) = (picture.width().min(side), picture.height().min(side));
        let (left, top) = (
            (picture.width() - width) / 2,
            (picture.height() - height) / 2,
        );
        let rows = (top..top + height).flat_map(|y| (left..left + width).map(move |x| (x, y)));
        let values = rows.map(|(x, y)| {
            let Rgb([red, green, blue]) = *picture.get_pixel(x, y);
            0.299 * f32::from(red) + 0.587 * f32::from(green) + 0.114 * f32::from(blue)
        });
        Self {
            width: width as usize,
            height: height as usize,
            values: values.collect(),
        }
    }

    fn at(&self, x: usize, y: usize) -> f32 {
        self.values[y * self.width + x]
    }

    /// Logarithms of the variance of the Laplacian, here and at half the size, where `counts` accepts the column
    /// and row. Pixels that lack a neighbour do not count.
    pub(super) fn sharpness(&self, counts: impl Fn(u32, u32) -> bool) -> [f32; 2] {
        let of_half = |x: u32, y: u32| counts(2 * x, 2 * y);
        [
            self.log_variance(&counts),
            self.halved().log_variance(of_half),
        ]
    }

    /// Means of two by two pixels; a last odd column or row is left out.
    fn halved(&self) -> Self {
        let (width, height) = (self.width / 2, self.height / 2);
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (2 * x, 2 * y)));
        let values = places.map(|(x, y)| {
            let upper = self.at(x, y) + self.at(x + 1, y);
            let lower = self.at(x, y + 1) + self.at(x + 1, y + 1);
            (upper + lower) / 4.0
        });
        Self {
            width,
            height,
            values: values.collect(),
        }
    }

    fn log_variance(&self, counts: impl Fn(u32, u32) -> bool) -> f32 {
        let (mut count, mut sum, mut squares) = (0_usize, 0.0_f64, 0.0_f64);
        for y in 1..self.height.saturating_sub(1) {
            for x in 1..self.width.saturating_sub(1) {
                if counts(x as u32, y as u32) {
                    let around = self.at(x - 1, y)
                        + self.at(x + 1, y)
                        + self.at(x, y - 1)
                        + self.at(x, y + 1);
                    let laplacian = f64::from(around - 4.0 * self.at(x, y));
                    count += 1;
                    sum += laplacian;
                    squares += laplacian * laplacian;
                }
            }
        }
        let count = count.max(1) as f64;
        let variance = (squares / count - (sum / count).powi(2)).max(0.0);
        (variance as f32 + ROUNDING).ln()
    }
}
