//! The field in four by three parts, for what must hold everywhere.

use std::ops::Range;

const COLUMNS: usize = 4;
const ROWS: usize = 3;
/// How many parts there are.
pub(super) const COUNT: usize = COLUMNS * ROWS;

/// The pixels of a picture of this size, row by row: each part that a row meets, the row, and its columns there.
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
    fn each_pixel_lies_in_one_part_by_its_place() {
        for (width, height) in [(512, 384), (7, 5), (3, 2), (1, 1)] {
            let mut seen = vec![None; width * height];
            for (part, y, columns) in runs(width, height) {
                for x in columns {
                    assert_eq!(seen[y * width + x].replace(part), None);
                }
            }
            for (at, part) in seen.into_iter().enumerate() {
                let (x, y) = (at % width, at / width);
                assert_eq!(part, Some(y * 3 / height * 4 + x * 4 / width));
            }
        }
    }
}
