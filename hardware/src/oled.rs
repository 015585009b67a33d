//! The SSD1306 OLED on any I2C bus.

use embedded_graphics::{pixelcolor::BinaryColor, prelude::*, primitives::Rectangle};
use embedded_hal::i2c::I2c;
use ssd1306::mode::BufferedGraphicsMode;
use ssd1306::prelude::*;
use ssd1306::{I2CDisplayInterface, Ssd1306};

use crate::{Canvas, HardwareError, Screen};

type Driver<I2C> =
    Ssd1306<I2CInterface<I2C>, DisplaySize128x64, BufferedGraphicsMode<DisplaySize128x64>>;

/// A 128×64 SSD1306, driven by the `ssd1306` crate.
///
/// A display that lost its power has forgotten its set-up and still acknowledges everything, so each
/// picture starts with a new initialisation: some 30 bytes before the 1,024 of the picture.
pub struct Ssd1306Screen<I2C: I2c> {
    driver: Driver<I2C>,
    place: String,
}

impl<I2C: I2c> Ssd1306Screen<I2C> {
    /// A display at `address` of `bus`, which `place` names for people. Nothing is sent yet.
    pub fn new(bus: I2C, address: u8, place: impl Into<String>) -> Self {
        let interface = I2CDisplayInterface::new_custom_address(bus, address);
        Self {
            driver: Ssd1306::new(interface, DisplaySize128x64, DisplayRotation::Rotate0)
                .into_buffered_graphics_mode(),
            place: place.into(),
        }
    }

    fn send(&mut self, picture: &Canvas) -> Result<(), impl std::fmt::Debug + use<I2C>> {
        self.driver.init()?;
        let area = Rectangle::new(Point::zero(), picture.size());
        let pixels = area
            .points()
            .map(|at| BinaryColor::from(picture.is_lit(at.x.unsigned_abs(), at.y.unsigned_abs())));
        self.driver.fill_contiguous(&area, pixels)?;
        self.driver.flush()
    }
}

impl<I2C: I2c + Send> Screen for Ssd1306Screen<I2C> {
    fn show(&mut self, picture: &Canvas) -> Result<(), HardwareError> {
        self.send(picture).map_err(|error| HardwareError::Lost {
            part: "OLED",
            remedy: format!("check its four wires ({})", self.place),
            source: Some(format!("{error:?}").into()),
        })
    }

    fn describe(&self) -> String {
        format!("SSD1306 128x64, {}", self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::virtual_ssd1306::VirtualSsd1306;

    fn picture(points: &[(i32, i32)]) -> Canvas {
        let mut canvas = Canvas::new();
        for &(x, y) in points {
            Pixel(Point::new(x, y), BinaryColor::On)
                .draw(&mut canvas)
                .unwrap();
        }
        canvas
    }

    #[test]
    fn every_pixel_reaches_its_place_on_the_glass() {
        let (bus, glass) = VirtualSsd1306::new(0x3c);
        let mut screen = Ssd1306Screen::new(bus, 0x3c, "test");
        let corners = picture(&[(0, 0), (127, 0), (0, 63), (127, 63), (64, 31), (5, 8)]);
        screen.show(&corners).unwrap();
        assert_eq!(glass.picture(), corners);
        let other = picture(&[(1, 1)]);
        screen.show(&other).unwrap();
        assert_eq!(glass.picture(), other, "old pixels are gone");
    }

    #[test]
    fn a_display_that_lost_its_power_unnoticed_comes_back_with_the_same_picture() {
        let (bus, glass) = VirtualSsd1306::new(0x3c);
        let mut screen = Ssd1306Screen::new(bus, 0x3c, "test");
        screen.show(&picture(&[(1, 1)])).unwrap();
        glass.unplug();
        glass.plug_in();
        assert_eq!(glass.picture(), picture(&[]));
        screen.show(&picture(&[(1, 1)])).unwrap();
        assert_eq!(glass.picture(), picture(&[(1, 1)]));
    }

    #[test]
    fn a_display_that_lost_its_power_comes_back() {
        let (bus, glass) = VirtualSsd1306::new(0x3c);
        let mut screen = Ssd1306Screen::new(bus, 0x3c, "bus 1, address 0x3C");
        screen.show(&picture(&[(1, 1)])).unwrap();
        glass.unplug();
        let error = screen.show(&picture(&[(2, 2)])).unwrap_err();
        assert!(
            error.to_string().contains("check its four wires"),
            "{error}"
        );
        assert!(screen.show(&picture(&[(2, 2)])).is_err());
        glass.plug_in();
        screen.show(&picture(&[(2, 2)])).unwrap();
        assert_eq!(glass.picture(), picture(&[(2, 2)]));
    }

    #[test]
    fn a_display_at_another_address_does_not_answer() {
        let (bus, _glass) = VirtualSsd1306::new(0x3d);
        let mut screen = Ssd1306Screen::new(bus, 0x3c, "test");
        assert!(screen.show(&Canvas::new()).is_err());
    }
}
