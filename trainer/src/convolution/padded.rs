//! An image as windows want it: channels last, with zeros around.

use std::ops::Range;

/// `[rows, columns, channels]`, where rows that are `step` apart follow each other: so the windows
/// of a strided convolution lie at equal distances, across rows too.
#[derive(Debug)]
pub(super) struct Padded {
    values: Vec<f32>,
    channels: usize,
    columns: usize,
    step: usize,
    /// Rows that follow each other `step` apart.
    phase: usize,
}

impl Padded {
    /// Zeros.
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

    /// Puts an image, `[channels, rows, columns]`, with its first corner at `[row, column]`; `image`
    /// gives a range of it.
    pub(super) fn put<I: Iterator<Item = f32>>(
        &mut self,
        image: impl Fn(Range<usize>) -> I,
        [rows, columns]: [usize; 2],
        [row, column]: [usize; 2],
    ) {
        // All channels of a row before the next, since their places are neighbours.
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

    /// What follows a place.
    pub(super) fn from(&self, row: usize, column: usize) -> &[f32] {
        &self.values[self.offset(row, column)..]
    }

    /// Rows and columns from one window to the next.
    pub(super) fn step(&self) -> usize {
        self.step
    }

    /// Windows from the beginning of one row of windows to that of the next.
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
