//! The monochrome display: a canvas to draw on, the driver of the OLED and a virtual SSD1306 for tests.
//!
//! A drawing function takes any [`DrawTarget`](embedded_graphics::draw_target::DrawTarget), so a test can draw
//! through the real driver and compare what the display shows with ASCII art:
//!
//! ```
//! use embedded_graphics::{pixelcolor::BinaryColor, prelude::*, primitives::{Circle, PrimitiveStyle}};
//! use smearscope_hardware::mock::assert_art;
//! use smearscope_hardware::screen::oled::{OledSetup, OledScreen};
//! use smearscope_hardware::screen::virtual_ssd1306::VirtualSsd1306;
//! use smearscope_hardware::{Canvas, Screen, ScreenSize};
//!
//! fn draw_cell<D: DrawTarget<Color = BinaryColor>>(target: &mut D) -> Result<(), D::Error> {
//!     let outline = PrimitiveStyle::with_stroke(BinaryColor::On, 1);
//!     Circle::new(Point::new(10, 20), 5).into_styled(outline).draw(target)
//! }
//!
//! let size = ScreenSize::Rows64;
//! let mut canvas = Canvas::new(size);
//! draw_cell(&mut canvas).unwrap();
//!
//! let (bus, display) = VirtualSsd1306::new(0x3c, size);
//! let mut screen = OledScreen::new(bus, OledSetup::new(0x3c, size), "virtual bus");
//! screen.show(&canvas)?;
//! assert_art(&display.picture(), 9, 20, "
//!     ..###..
//!     .##.##.
//!     .#...#.
//!     .##.##.
//!     ..###..
//! ");
//! # Ok::<(), smearscope_hardware::HardwareError>(())
//! ```

pub mod burn_in;
pub mod canvas;
#[cfg(all(feature = "linux", target_os = "linux"))]
pub(crate) mod i2c;
pub mod oled;
mod sh1106;
pub mod text_art;
#[cfg(test)]
mod virtual_sh1106;
pub mod virtual_ssd1306;
