//! A one-bit picture of the size of the screen, drawn with embedded-graphics.

use std::convert::Infallible;

use embedded_graphics::{pixelcolor::BinaryColor, prelude::*};

/// Size of a screen in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ScreenSize {
    /// 128 columns and 64 rows.
    #[default]
    Rows64,
    /// 128 columns and 32 rows.
    Rows32,
}

impl ScreenSize {
    /// Pixels per row: 128 for all sizes.
    pub const fn width(self) -> u32 {
        Canvas::WIDTH
    }

    /// Number of rows: 64 or 32.
    pub const fn height(self) -> u32 {
        match self {
            Self::Rows64 => 64,
            Self::Rows32 => 32,
        }
    }
}

impl std::fmt::Display for ScreenSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width(), self.height())
    }
}

/// A one-bit picture, 128×64 by default. Draw on it with embedded-graphics, then pass it to
/// [`Screen::show`](crate::Screen::show).
///
/// ```
/// use embedded_graphics::{pixelcolor::BinaryColor, prelude::*};
/// use smearscope_hardware::{Canvas, ScreenSize};
///
/// let mut canvas = Canvas::new(ScreenSize::Rows32);
/// Pixel(Point::new(3, 1), BinaryColor::On).draw(&mut canvas).unwrap();
/// assert!(canvas.is_lit(3, 1));
/// assert_eq!(canvas.lit_count(), 1);
/// assert_eq!(canvas.size(), Size::new(128, 32));
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Canvas {
    size: ScreenSize,
    /// Rows beyond the height stay off.
    rows: Rows,
}

#[derive(Clone, PartialEq, Eq)]
struct Rows([u128; 64]);

impl Default for Rows {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl Canvas {
    /// Pixels per row, the same for all sizes.
    pub const WIDTH: u32 = 128;

    /// A canvas with all pixels off.
    pub fn new(size: ScreenSize) -> Self {
        Self {
            size,
            rows: Rows::default(),
        }
    }

    /// Number of rows: 64 or 32.
    pub fn height(&self) -> u32 {
        self.size.height()
    }

    /// Whether the pixel in column `x`, row `y` is lit; `false` outside the canvas.
    pub fn is_lit(&self, x: u32, y: u32) -> bool {
        let row = self.rows.0.get(y as usize);
        x < Self::WIDTH && row.is_some_and(|row| row >> x & 1 == 1)
    }

    /// Number of lit pixels, for tests and to compare how much light screens give.
    pub fn lit_count(&self) -> u32 {
        self.rows.0.iter().map(|row| row.count_ones()).sum()
    }
}

impl std::fmt::Debug for Canvas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "Canvas {}:", self.size)?;
        for y in 0..self.height() {
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
        Size::new(Self::WIDTH, self.height())
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
            let (Ok(x), Ok(y)) = (u32::try_from(at.x), u32::try_from(at.y)) else {
                continue;
            };
            if x >= Self::WIDTH || y >= self.height() {
                continue;
            }
            let row = &mut self.rows.0[y as usize];
            match color {
                BinaryColor::On => *row |= 1 << x,
                BinaryColor::Off => *row &= !(1 << x),
            }
        }
        Ok(())
    }
}
