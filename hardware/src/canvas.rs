//! A one-bit picture of the screen's size, drawn with embedded-graphics.

use std::convert::Infallible;

use embedded_graphics::{pixelcolor::BinaryColor, prelude::*};

/// A 128×64 one-bit picture. Draw on it with embedded-graphics, then give it to
/// [`Screen::show`](crate::Screen::show).
///
/// ```
/// use embedded_graphics::{pixelcolor::BinaryColor, prelude::*};
/// use smearscope_hardware::Canvas;
///
/// let mut canvas = Canvas::new();
/// Pixel(Point::new(3, 1), BinaryColor::On).draw(&mut canvas).unwrap();
/// assert!(canvas.is_lit(3, 1));
/// assert_eq!(canvas.lit_count(), 1);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Canvas {
    bits: [u128; Self::HEIGHT as usize],
}

impl Canvas {
    /// Pixels per row.
    pub const WIDTH: u32 = 128;
    /// Rows.
    pub const HEIGHT: u32 = 64;

    /// All pixels dark.
    pub fn new() -> Self {
        Self {
            bits: [0; Self::HEIGHT as usize],
        }
    }

    /// Whether the pixel in column `x`, row `y` is lit; outside the canvas nothing is.
    pub fn is_lit(&self, x: u32, y: u32) -> bool {
        x < Self::WIDTH
            && self
                .bits
                .get(y as usize)
                .is_some_and(|row| row >> x & 1 == 1)
    }

    /// How many pixels are lit.
    pub fn lit_count(&self) -> u32 {
        self.bits.iter().map(|row| row.count_ones()).sum()
    }
}

impl Default for Canvas {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Canvas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "Canvas {}x{}:", Self::WIDTH, Self::HEIGHT)?;
        for y in 0..Self::HEIGHT {
            for x in 0..Self::WIDTH {
                f.write_str(if self.is_lit(x, y) { "#" } else { "." })?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(Self::WIDTH, Self::HEIGHT)
    }
}

impl DrawTarget for Canvas {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Self::Error>
    where
        I: IntoIterator<Item = Pixel<Self::Color>>,
    {
        for Pixel(at, color) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(at.x), usize::try_from(at.y)) else {
                continue;
            };
            if x >= Self::WIDTH {
                continue;
            }
            if let Some(row) = self.bits.get_mut(y) {
                match color {
                    BinaryColor::On => *row |= 1 << x,
                    BinaryColor::Off => *row &= !(1 << x),
                }
            }
        }
        Ok(())
    }
}
