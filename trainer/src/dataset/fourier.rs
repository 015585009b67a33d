//! The Fourier transform of a small square plane, for correlations at all shifts.

use std::f32::consts::PI;

/// Rows and columns of a plane.
pub(super) const SIDE: usize = 128;

/// Complex numbers, row by row.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    re: Vec<f32>,
    im: Vec<f32>,
}

impl Plane {
    /// The spectrum, transposed, of real values in the upper left corner of a plane that is 0 elsewhere.
    pub(super) fn spectrum(rows: &[f32], width: usize) -> Self {
        let mut plane = Self {
            re: vec![0.0; SIDE * SIDE],
            im: vec![0.0; SIDE * SIDE],
        };
        for (row, values) in plane.re.chunks_mut(SIDE).zip(rows.chunks(width)) {
            row[..width].copy_from_slice(values);
        }
        plane.transform();
        plane
    }

    /// From two spectra the sums of the products of the values at each shift of the second ones: at the row
    /// and column of the shift, modulo [`SIDE`].
    pub(super) fn correlation(&self, other: &Self) -> Vec<f32> {
        // The inverse transform is the conjugate of the transform of the conjugate.
        let values = || {
            let one = self.re.iter().zip(&self.im);
            one.zip(other.re.iter().zip(&other.im))
        };
        let mut plane = Self {
            re: values().map(|((a, b), (c, d))| a * c + b * d).collect(),
            im: values().map(|((a, b), (c, d))| a * d - b * c).collect(),
        };
        plane.transform();
        let scale = 1.0 / (SIDE * SIDE) as f32;
        for value in &mut plane.re {
            *value *= scale;
        }
        plane.re
    }

    /// The power at each pair of frequencies, row by row.
    pub(super) fn powers(&self) -> impl Iterator<Item = f32> {
        let values = self.re.iter().zip(&self.im);
        values.map(|(re, im)| re * re + im * im)
    }

    /// Transforms rows and columns, and transposes the plane.
    fn transform(&mut self) {
        self.transform_columns();
        for values in [&mut self.re, &mut self.im] {
            for row in 0..SIDE {
                for column in 0..row {
                    values.swap(row * SIDE + column, column * SIDE + row);
                }
            }
        }
        self.transform_columns();
    }

    /// The fast Fourier transform (Cooley and Tukey 1965) of all columns at once.
    fn transform_columns(&mut self) {
        for row in 0..SIDE {
            let reversed = row.reverse_bits() >> (usize::BITS - SIDE.ilog2());
            if row < reversed {
                for values in [&mut self.re, &mut self.im] {
                    let (upper, lower) = values.split_at_mut(reversed * SIDE);
                    upper[row * SIDE..][..SIDE].swap_with_slice(&mut lower[..SIDE]);
                }
            }
        }
        let mut half = 1;
        while half < SIDE {
            for block in (0..SIDE).step_by(2 * half) {
                for row in 0..half {
                    let angle = -PI * row as f32 / half as f32;
                    self.combine_rows(block + row, block + row + half, angle);
                }
            }
            half *= 2;
        }
    }

    /// Replaces two rows by their sum and their difference, after turning the lower one by an angle.
    fn combine_rows(&mut self, upper: usize, lower: usize, angle: f32) {
        let (sin, cos) = angle.sin_cos();
        let [(re_a, re_b), (im_a, im_b)] = [&mut self.re, &mut self.im].map(|values| {
            let (above, below) = values.split_at_mut(lower * SIDE);
            (&mut above[upper * SIDE..][..SIDE], &mut below[..SIDE])
        });
        let a = re_a.iter_mut().zip(im_a);
        let b = re_b.iter_mut().zip(im_b);
        for ((re_a, im_a), (re_b, im_b)) in a.zip(b) {
            let (re, im) = (*re_b * cos - *im_b * sin, *re_b * sin + *im_b * cos);
            (*re_b, *im_b) = (*re_a - re, *im_a - im);
            (*re_a, *im_a) = (*re_a + re, *im_a + im);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_are_sums_of_products() {
        let (width, height) = (5, 3);
        let number = |index: usize| ((index * 37 + 11) % 17) as f32 - 8.0;
        let one: Vec<f32> = (0..width * height).map(number).collect();
        let other: Vec<f32> = (100..100 + width * height).map(number).collect();
        let found = Plane::spectrum(&one, width).correlation(&Plane::spectrum(&other, width));
        for dy in -2_isize..=2 {
            for dx in -4_isize..=4 {
                let mut expected = 0.0;
                for y in 0..height {
                    for x in 0..width {
                        let (from_x, from_y) = (x as isize + dx, y as isize + dy);
                        if (0..width as isize).contains(&from_x)
                            && (0..height as isize).contains(&from_y)
                        {
                            let at = from_y as usize * width + from_x as usize;
                            expected += one[at] * other[y * width + x];
                        }
                    }
                }
                let wrap = |shift: isize| shift.rem_euclid(SIDE as isize) as usize;
                let value = found[wrap(dy) * SIDE + wrap(dx)];
                assert!(
                    (value - expected).abs() < 1e-2,
                    "{dx} {dy}: {value} {expected}"
                );
            }
        }
    }
}
