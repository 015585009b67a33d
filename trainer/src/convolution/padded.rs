//! Padded images with channels last.

use std::ops::Range;

/// `[rows, columns, channels]`, stored so that rows `step` apart are adjacent. The windows of a strided
/// convolution are then equally spaced, even across rows.
#[derive(Debug)]
pub(super) struct Padded {
    values: Vec<f32>,
    channels: usize,
    columns: usize,
    step: usize,
    /// Number of rows that are adjacent with `step` between them.
    phase: usize,
}

impl Padded {
    /// An image of zeros.
    pub(super) fn new(channels: usize, [rows, columns]: [usize; 2], step: usize) -> Self {
        let phase = rows.div_ceil(step);
        let columns = columns.next_multiple_of(step);
        Self {
            values: vec![0.0; phase * step * columns * channels],
            channels,
            columns,
            step,
            phase,
        }
    }

    /// Copies an image, `[channels, rows, columns]`, to `[row, column]`; `image` returns a range of its
    /// values.
    pub(super) fn put<I: Iterator<Item = f32>>(
        &mut self,
        image: impl Fn(Range<usize>) -> I,
        [rows, columns]: [usize; 2],
        [row, column]: [usize; 2],
    ) {
        // All channels of a row before the next row, since they are adjacent.
        for y in 0..rows {
            let corner = self.offset(row + y, column);
            for channel in 0..self.channels {
                let start = (channel * rows + y) * columns;
                let places = self.values[corner + channel..].iter_mut();
                let values = image(start..start + columns);
                for (place, value) in places.step_by(self.channels).zip(values) {
                    *place = value;
                }
            }
        }
    }

    /// The values from a position on.
    pub(super) fn from(&self, row: usize, column: usize) -> &[f32] {
        &self.values[self.offset(row, column)..]
    }

    /// Distance between windows, in rows and columns.
    pub(super) fn step(&self) -> usize {
        self.step
    }

    /// Number of windows between the starts of two rows of windows.
    pub(super) fn windows_per_row(&self) -> usize {
        self.columns / self.step
    }

    pub(super) fn channels(&self) -> usize {
        self.channels
    }

    fn offset(&self, row: usize, column: usize) -> usize {
        let row = row % self.step * self.phase + row / self.step;
        (row * self.columns + column) * self.channels
    }
}
