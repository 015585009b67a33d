//! Separable resampling of 8-bit RGB images.
//!
//! It computes in plain `f32` without fused operations, so that every processor gives the same bits.
//! Box filters of libraries weight each source pixel with 0 or 1, which differs from OpenCV's
//! `INTER_AREA` by up to 13 levels (640 × 480 to 224 × 224); weights by exact overlap differ by at most 1.

use std::ops::Range;

use image::RgbImage;
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;

use super::contract::ResizeFilter;
use super::weighted_sum::weighted_sum;

/// Images of fewer pixels are resized on one core, which takes a millisecond or two.
const LEAST_PIXELS: usize = 1 << 21;
/// Fewest rows that a core resizes at a time.
const LEAST_ROWS: usize = 8;
const CHANNELS: usize = 3;

/// Resizes images to one size; keeps its weights as long as the images' size stays the same.
#[derive(Debug)]
pub struct Resampler {
    filter: ResizeFilter,
    width: usize,
    height: usize,
    columns: Axis,
    rows: Axis,
    pixels: Vec<[u8; CHANNELS]>,
}

/// Where a part of an image begins, from the left and from the top, and its width and height, in pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) corner: [usize; 2],
    pub(crate) size: [usize; 2],
}

impl Resampler {
    /// A resampler to `width` × `height` pixels, both above 0.
    pub fn new(filter: ResizeFilter, width: usize, height: usize) -> Self {
        Self {
            filter,
            width,
            height,
            columns: Axis::default(),
            rows: Axis::default(),
            pixels: vec![[0; CHANNELS]; width * height],
        }
    }

    /// Resizes an image, a large one on several cores. Gives the pixels row by row; the next call overwrites them.
    ///
    /// # Panics
    /// If the image has no pixels.
    pub fn resize(&mut self, image: &RgbImage) -> &[[u8; 3]] {
        let (width, height) = image.dimensions();
        let whole = Part {
            corner: [0; 2],
            size: [width as usize, height as usize],
        };
        self.resize_part(image, whole)
    }

    /// Resizes a part of an image, as [`Resampler::resize`] does.
    ///
    /// # Panics
    /// If the part has no pixels, or reaches beyond the image.
    pub(crate) fn resize_part(&mut self, image: &RgbImage, part: Part) -> &[[u8; 3]] {
        let [width, height] = part.size;
        if [self.columns.length, self.rows.length] != part.size {
            self.columns = Axis::new(self.filter, width, self.width);
            self.rows = Axis::new(self.filter, height, self.height);
        }
        let Self { columns, rows, .. } = self;
        let [left, top] = part.corner;
        let source = |row: usize| {
            let first = (top + row) * image.width() as usize + left;
            &image.as_raw()[first * CHANNELS..][..width * CHANNELS]
        };
        // One value more than the row has, because four are read at once.
        let sums = || vec![0.0; width * CHANNELS + 1];
        let resize_row = |sums: &mut Vec<f32>, pixels: &mut [[u8; CHANNELS]], tap: &Tap| {
            let weights = rows.weights[tap.weights.clone()].iter().copied();
            let lines = tap.pixels.clone().map(source).zip(weights);
            weighted_sum(&mut sums[..width * CHANNELS], lines);
            columns.resize(sums, pixels);
        };
        if width * height < LEAST_PIXELS {
            let mut sums = sums();
            let lines = self.pixels.chunks_exact_mut(self.width);
            for (pixels, tap) in lines.zip(&rows.taps) {
                resize_row(&mut sums, pixels, tap);
            }
        } else {
            let lines = self.pixels.par_chunks_exact_mut(self.width);
            lines
                .zip(rows.taps.par_iter())
                .with_min_len(LEAST_ROWS)
                .for_each_init(sums, |sums, (pixels, tap)| resize_row(sums, pixels, tap));
        }
        &self.pixels
    }
}

/// An image at another size, both sides above 0.
///
/// # Panics
/// If the image has no pixels.
pub fn resized(image: &RgbImage, filter: ResizeFilter, [width, height]: [u32; 2]) -> RgbImage {
    let mut resampler = Resampler::new(filter, width as usize, height as usize);
    let mut resized = RgbImage::new(width, height);
    resized.copy_from_slice(resampler.resize(image).as_flattened());
    resized
}

/// The source pixels of each output pixel along one axis, and their weights.
#[derive(Debug, Default)]
struct Axis {
    /// Number of source pixels.
    length: usize,
    taps: Vec<Tap>,
    /// The weights of all taps, concatenated.
    weights: Vec<f32>,
}

/// The source pixels of an output pixel along an axis.
#[derive(Debug)]
struct Tap {
    pixels: Range<usize>,
    /// Which of the axis's weights are theirs.
    weights: Range<usize>,
}

impl Axis {
    fn new(filter: ResizeFilter, length: usize, outputs: usize) -> Self {
        let scale = length as f64 / outputs as f64;
        let mut axis = Self {
            length,
            taps: Vec::with_capacity(outputs),
            weights: Vec::new(),
        };
        for output in 0..outputs {
            let first = axis.weights.len();
            let pixels = match filter {
                ResizeFilter::Area => axis.push_overlap(output as f64 * scale, scale),
                ResizeFilter::Bilinear => axis.push_neighbours((output as f64 + 0.5) * scale - 0.5),
            };
            let weights = first..axis.weights.len();
            axis.taps.push(Tap { pixels, weights });
        }
        axis
    }

    /// Weights each pixel by the length of its overlap with `start..start + extent`.
    fn push_overlap(&mut self, start: f64, extent: f64) -> Range<usize> {
        let end = start + extent;
        let first = (start as usize).min(self.length - 1);
        let last = (end.ceil() as usize).clamp(first + 1, self.length);
        for pixel in first..last {
            let overlap = end.min(pixel as f64 + 1.0) - start.max(pixel as f64);
            self.weights.push((overlap / extent) as f32);
        }
        first..last
    }

    /// Weights the two pixels around `centre` by their distance; beyond the border, the border pixel.
    fn push_neighbours(&mut self, centre: f64) -> Range<usize> {
        let centre = centre.clamp(0.0, (self.length - 1) as f64);
        let first = centre as usize;
        let fraction = (centre - first as f64) as f32;
        if fraction > 0.0 {
            self.weights.extend([1.0 - fraction, fraction]);
            first..first + 2
        } else {
            self.weights.push(1.0);
            first..first + 1
        }
    }

    /// Resizes a row, whose pixels one value follows.
    fn resize(&self, row: &[f32], pixels: &mut [[u8; CHANNELS]]) {
        for (pixel, tap) in pixels.iter_mut().zip(&self.taps) {
            // Four at once, as the processor's vectors have; the fourth is of the next pixel, and is left out.
            let mut sums = [0.0; CHANNELS + 1];
            let mut at = CHANNELS * tap.pixels.start;
            for weight in &self.weights[tap.weights.clone()] {
                for (sum, value) in sums.iter_mut().zip(&row[at..=at + CHANNELS]) {
                    *sum += weight * value;
                }
                at += CHANNELS;
            }
            for (sample, sum) in pixel.iter_mut().zip(sums) {
                *sample = (sum + 0.5) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn resize(filter: ResizeFilter, image: &RgbImage, width: usize, height: usize) -> Vec<u8> {
        let mut resampler = Resampler::new(filter, width, height);
        resampler
            .resize(image)
            .iter()
            .map(|[red, ..]| *red)
            .collect()
    }

    fn row(samples: &[u8]) -> RgbImage {
        RgbImage::from_fn(
            samples.len() as u32,
            1,
            |x, _| Rgb([samples[x as usize]; 3]),
        )
    }

    #[test]
    fn area_weights_pixels_by_overlap() {
        // 3 → 2: each output covers one pixel and half of the next, (2·a + b) / 3.
        assert_eq!(
            resize(ResizeFilter::Area, &row(&[0, 90, 30]), 2, 1),
            [30, 50]
        );
        // 2 → 4: each output lies within one pixel.
        assert_eq!(
            resize(ResizeFilter::Area, &row(&[10, 20]), 4, 1),
            [10, 10, 20, 20]
        );
    }

    #[test]
    fn bilinear_reads_two_neighbours_whatever_the_scale() {
        assert_eq!(
            resize(
                ResizeFilter::Bilinear,
                &row(&[0, 10, 20, 255, 255, 40, 60, 0]),
                2,
                1
            ),
            [15, 50]
        );
        assert_eq!(
            resize(ResizeFilter::Bilinear, &row(&[0, 100]), 4, 1),
            [0, 25, 75, 100]
        );
    }

    #[test]
    fn same_size_changes_nothing_and_extremes_stay_in_range() {
        let samples: Vec<u8> = (0..=255).collect();
        for filter in [ResizeFilter::Area, ResizeFilter::Bilinear] {
            assert_eq!(resize(filter, &row(&samples), 256, 1), samples);
            assert_eq!(resize(filter, &row(&[255; 97]), 13, 7), [255; 91]);
            assert_eq!(resize(filter, &row(&[200]), 2048, 1), [200; 2048]);
        }
    }

    #[test]
    fn weights_follow_the_image_size() {
        let mut resampler = Resampler::new(ResizeFilter::Area, 2, 2);
        for (width, height) in [(8, 8), (3, 17), (8, 8), (1, 1)] {
            let image = RgbImage::from_pixel(width, height, Rgb([9, 8, 7]));
            assert_eq!(resampler.resize(&image), [[9, 8, 7]; 4]);
        }
    }
}
