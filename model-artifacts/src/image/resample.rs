//! Separable resampling of 8-bit RGB images.
//!
//! It computes in plain `f32` without fused operations, so that every processor gives the same bits.
//! Box filters of libraries weight each source pixel with 0 or 1, which differs from OpenCV's
//! `INTER_AREA` by up to 13 levels (640 × 480 to 224 × 224); weights by exact overlap differ by at most 1.

use std::ops::Range;

use image::RgbImage;

use super::contract::ResizeFilter;
use super::weighted_sum::weighted_sum;

/// Resizes images to one size; keeps its weights as long as the images' size stays the same.
#[derive(Debug)]
pub struct Resampler {
    filter: ResizeFilter,
    width: usize,
    height: usize,
    columns: Axis,
    rows: Axis,
    /// Weighted sum of the source rows of one output row.
    sums: Vec<f32>,
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
            sums: Vec::new(),
        }
    }

    /// Resizes an image and calls `pixel` with each output pixel in row-major order.
    ///
    /// # Panics
    /// If the image has no pixels.
    pub fn resize(&mut self, image: &RgbImage, mut pixel: impl FnMut([u8; 3])) {
        let (width, height) = (image.width() as usize, image.height() as usize);
        if (self.columns.length, self.rows.length) != (width, height) {
            self.columns = Axis::new(self.filter, width, self.width);
            self.rows = Axis::new(self.filter, height, self.height);
            self.sums = vec![0.0; width * 3];
        }
        for (rows, weights) in self.rows.taps() {
            let source = image.as_raw()[rows.start * width * 3..rows.end * width * 3]
                .chunks_exact(width * 3);
            weighted_sum(&mut self.sums, source.zip(weights.iter().copied()));
            let (source, _) = self.sums.as_chunks::<3>();
            for (columns, weights) in self.columns.taps() {
                let mut sum = [0.0; 3];
                for (sums, weight) in source[columns].iter().zip(weights) {
                    for (total, value) in sum.iter_mut().zip(sums) {
                        *total += weight * value;
                    }
                }
                pixel(sum.map(|value| (value + 0.5) as u8));
            }
        }
    }
}

/// The source pixels of each output pixel along one axis, and their weights.
#[derive(Debug, Default)]
struct Axis {
    /// Number of source pixels.
    length: usize,
    ranges: Vec<Range<usize>>,
    /// The weights of all ranges, concatenated.
    weights: Vec<f32>,
}

impl Axis {
    fn new(filter: ResizeFilter, length: usize, outputs: usize) -> Self {
        let scale = length as f64 / outputs as f64;
        let mut axis = Self {
            length,
            ranges: Vec::with_capacity(outputs),
            weights: Vec::new(),
        };
        for output in 0..outputs {
            match filter {
                ResizeFilter::Area => axis.push_overlap(output as f64 * scale, scale),
                ResizeFilter::Bilinear => axis.push_neighbours((output as f64 + 0.5) * scale - 0.5),
            }
        }
        axis
    }

    /// Weights each pixel by the length of its overlap with `start..start + extent`.
    fn push_overlap(&mut self, start: f64, extent: f64) {
        let end = start + extent;
        let first = (start as usize).min(self.length - 1);
        let last = (end.ceil() as usize).clamp(first + 1, self.length);
        self.ranges.push(first..last);
        for pixel in first..last {
            let overlap = end.min(pixel as f64 + 1.0) - start.max(pixel as f64);
            self.weights.push((overlap / extent) as f32);
        }
    }

    /// Weights the two pixels around `centre` by their distance; beyond the border, the border pixel.
    fn push_neighbours(&mut self, centre: f64) {
        let centre = centre.clamp(0.0, (self.length - 1) as f64);
        let first = centre as usize;
        let fraction = (centre - first as f64) as f32;
        if fraction > 0.0 {
            self.ranges.push(first..first + 2);
            self.weights.extend([1.0 - fraction, fraction]);
        } else {
            self.ranges.push(first..first + 1);
            self.weights.push(1.0);
        }
    }

    fn taps(&self) -> impl Iterator<Item = (Range<usize>, &[f32])> {
        let mut weights = self.weights.as_slice();
        self.ranges.iter().map(move |range| {
            let (these, rest) = weights.split_at(range.len());
            weights = rest;
            (range.clone(), these)
        })
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn resize(filter: ResizeFilter, image: &RgbImage, width: usize, height: usize) -> Vec<u8> {
        let mut reds = Vec::new();
        Resampler::new(filter, width, height).resize(image, |pixel| reds.push(pixel[0]));
        reds
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
            let mut count = 0;
            resampler.resize(&image, |pixel| {
                assert_eq!(pixel, [9, 8, 7]);
                count += 1;
            });
            assert_eq!(count, 4);
        }
    }
}
