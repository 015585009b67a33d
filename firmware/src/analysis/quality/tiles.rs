//! Divides a picture into four by three tiles, for figures that must hold everywhere.

use std::ops::Range;

const COLUMNS: usize = 4;
const ROWS: usize = 3;
/// Number of tiles.
pub(super) const COUNT: usize = COLUMNS * ROWS;

/// All pixels of a picture of this size, row by row, as runs within one tile: index of the tile, row, columns.
pub(super) fn runs(
    width: usize,
    height: usize,
) -> impl Iterator<Item = (usize, usize, Range<usize>)> {
    (0..height).flat_map(move |y| {
        let first = y * ROWS / height * COLUMNS;
        let edge = move |column: usize| (column * width).div_ceil(COLUMNS);
        (0..COLUMNS).map(move |column| (first + column, y, edge(column)..edge(column + 1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pixel_lies_in_exactly_one_tile() {
        for (width, height) in [(512, 384), (7, 5), (3, 2), (1, 1)] {
            let mut seen = vec![None; width * height];
            for (tile, y, columns) in runs(width, height) {
                for x in columns {
                    assert_eq!(seen[y * width + x].replace(tile), None);
                }
            }
            for (at, tile) in seen.into_iter().enumerate() {
                let (x, y) = (at % width, at / width);
                assert_eq!(tile, Some(y * 3 / height * 4 + x * 4 / width));
            }
        }
    }
}
