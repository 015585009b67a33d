//! A canvas as text, for terminals and logs.

use crate::Canvas;

/// The braille patterns' dots (Unicode block 2800) of a cell of 2×4 pixels: column, row, bit.
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

/// 16 lines of 64 braille characters, each 2×4 pixels.
pub(crate) fn braille(canvas: &Canvas) -> impl Iterator<Item = String> {
    cells(2, 4, move |x, y| {
        let bits = DOTS
            .iter()
            .filter(|(dx, dy, _)| canvas.is_lit(x + dx, y + dy))
            .fold(0, |bits, (_, _, bit)| bits | bit);
        char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ')
    })
}

/// 32 lines of 128 half-block characters, each 1×2 pixels.
pub(crate) fn half_blocks(canvas: &Canvas) -> impl Iterator<Item = String> {
    cells(1, 2, move |x, y| {
        match (canvas.is_lit(x, y), canvas.is_lit(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        }
    })
}

fn cells(width: u32, height: u32, cell: impl Fn(u32, u32) -> char) -> impl Iterator<Item = String> {
    (0..Canvas::HEIGHT / height).map(move |row| {
        (0..Canvas::WIDTH / width)
            .map(|column| cell(column * width, row * height))
            .collect()
    })
}
