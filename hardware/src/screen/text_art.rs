//! A canvas as text, for terminals and logs.

use crate::screen::canvas::Canvas;

/// Dots of a braille pattern (Unicode block 2800) of 2×4 pixels: column, row, bit.
const DOTS: [(u32, u32, u8); 8] = [
    (0, 0, 0x01),
    (0, 1, 0x02),
    (0, 2, 0x04),
    (1, 0, 0x08),
    (1, 1, 0x10),
    (1, 2, 0x20),
    (0, 3, 0x40),
    (1, 3, 0x80),
];

/// Renders a canvas as lines of 64 braille characters, each 2×4 pixels: 16 lines for 64 rows.
///
/// ```
/// use embedded_graphics::{pixelcolor::BinaryColor, prelude::*};
/// use smearscope_hardware::Canvas;
/// use smearscope_hardware::screen::text_art::braille;
///
/// let mut canvas = Canvas::default();
/// Pixel(Point::new(0, 0), BinaryColor::On).draw(&mut canvas).unwrap();
/// let lines: Vec<String> = braille(&canvas).collect();
/// assert_eq!(lines.len(), 16);
/// assert!(lines[0].starts_with('⠁'));
/// ```
pub fn braille(canvas: &Canvas) -> impl Iterator<Item = String> {
    cells(canvas.height(), (2, 4), move |x, y| {
        let bits = DOTS
            .iter()
            .filter(|(dx, dy, _)| canvas.is_lit(x + dx, y + dy))
            .fold(0, |bits, (_, _, bit)| bits | bit);
        char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ')
    })
}

/// Renders a canvas as lines of 128 half-block characters, each 1×2 pixels: 32 lines for 64 rows.
pub fn half_blocks(canvas: &Canvas) -> impl Iterator<Item = String> {
    cells(canvas.height(), (1, 2), move |x, y| {
        match (canvas.is_lit(x, y), canvas.is_lit(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        }
    })
}

fn cells(
    rows: u32,
    (width, height): (u32, u32),
    cell: impl Fn(u32, u32) -> char,
) -> impl Iterator<Item = String> {
    (0..rows / height).map(move |row| {
        (0..Canvas::WIDTH / width)
            .map(|column| cell(column * width, row * height))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use embedded_graphics::{pixelcolor::BinaryColor, prelude::*};

    use super::*;

    /// Cells that are not blank: line, column and character.
    fn inked(lines: impl Iterator<Item = String>, blank: char) -> Vec<(usize, usize, char)> {
        lines
            .enumerate()
            .flat_map(|(row, line)| {
                let cells: Vec<char> = line.chars().collect();
                (0..)
                    .zip(cells)
                    .map(move |(column, cell)| (row, column, cell))
            })
            .filter(|(.., cell)| *cell != blank)
            .collect()
    }

    fn dots(points: &[(i32, i32)]) -> Canvas {
        let mut canvas = Canvas::default();
        let pixels = points.iter().map(|&at| Pixel(at.into(), BinaryColor::On));
        canvas.draw_iter(pixels).unwrap();
        canvas
    }

    #[test]
    fn braille_dots_are_numbered_as_in_unicode() {
        // The Unicode Standard, block 2800: dots 1 2 3 7 down the left, 4 5 6 8 down the right.
        let by_number = [
            (0, 0),
            (0, 1),
            (0, 2),
            (1, 0),
            (1, 1),
            (1, 2),
            (0, 3),
            (1, 3),
        ];
        for (bit, (x, y)) in by_number.into_iter().enumerate() {
            let cell = char::from_u32(0x2800 + (1 << bit)).unwrap();
            let canvas = dots(&[(2 * 63 + x, 4 * 15 + y)]);
            assert_eq!(inked(braille(&canvas), '\u{2800}'), [(15, 63, cell)]);
        }
    }

    #[test]
    fn half_blocks_are_above_and_below() {
        let canvas = dots(&[(0, 0), (1, 1), (127, 62), (127, 63)]);
        assert_eq!(
            inked(half_blocks(&canvas), ' '),
            [(0, 0, '▀'), (0, 1, '▄'), (31, 127, '█')]
        );
    }
}
