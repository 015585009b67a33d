//! The OLED on any I2C bus, an SSD1306 or an SH1106.

use std::time::Instant;

use embedded_graphics::{pixelcolor::BinaryColor, prelude::*, primitives::Rectangle};
use embedded_hal::i2c::I2c;
use ssd1306::mode::BufferedGraphicsMode;
use ssd1306::prelude::*;
use ssd1306::{I2CDisplayInterface, Ssd1306};

use crate::config::OledController;
use crate::error::HardwareError;
use crate::ports::Screen;
use crate::screen::burn_in::BurnIn;
use crate::screen::canvas::{Canvas, ScreenSize};
use crate::screen::sh1106::{self, Sh1106};

/// Phase 2 of the pre-charge period (SSD1306 datasheet, section 10.1.17) at normal brightness: the usual
/// value for common modules.
const PRECHARGE: u8 = 2;
/// The same when dimmed: the shortest period.
const DIM_PRECHARGE: u8 = 1;

/// Properties and settings of an OLED.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OledSetup {
    /// The chip on the module.
    pub controller: OledController,
    /// 7-bit I2C address: usually `0x3c`, on some modules `0x3d`.
    pub address: u8,
    /// Size of the panel in pixels. A wrong one interleaves or doubles the rows.
    pub size: ScreenSize,
    /// Whether the module is mounted upside down.
    pub is_upside_down: bool,
    /// Contrast, 0 (dim) to 255.
    pub contrast: u8,
    /// When the display is dimmed and the picture shifted; [`BurnIn::OFF`] for virtual ones.
    pub burn_in: BurnIn,
}

impl OledSetup {
    /// An upright SSD1306 with medium contrast and without burn-in protection.
    pub fn new(address: u8, size: ScreenSize) -> Self {
        Self {
            controller: OledController::Ssd1306,
            address,
            size,
            is_upside_down: false,
            contrast: 0x5f,
            burn_in: BurnIn::OFF,
        }
    }
}

type Driver<I2C, SIZE> = Ssd1306<I2CInterface<I2C>, SIZE, BufferedGraphicsMode<SIZE>>;

/// The driver type depends on the controller and, for an SSD1306, on the size of the panel. Those drivers hold a whole
/// picture, hence the boxes.
enum AnyDriver<I2C: I2c> {
    Sh1106(Sh1106<I2C>),
    Rows64(Box<Driver<I2C, DisplaySize128x64>>),
    Rows32(Box<Driver<I2C, DisplaySize128x32>>),
}

/// An SSD1306, driven by the `ssd1306` crate, or an SH1106.
///
/// A display that briefly lost power loses its configuration but still acknowledges everything. Each picture
/// is therefore preceded by a full initialisation, some 30 bytes before the 1,024 of the picture.
pub struct OledScreen<I2C: I2c> {
    driver: AnyDriver<I2C>,
    setup: OledSetup,
    place: String,
    /// Time of the first picture and time of the last activity.
    since: Option<(Instant, Instant)>,
}

impl<I2C: I2c> OledScreen<I2C> {
    /// A display on `bus`. Messages name it by `place`. Nothing is sent yet.
    pub fn new(bus: I2C, setup: OledSetup, place: impl Into<String>) -> Self {
        let driver = match setup.controller {
            OledController::Ssd1306 => ssd1306(bus, &setup),
            OledController::Sh1106 => AnyDriver::Sh1106(Sh1106::new(bus, setup.address)),
        };
        Self {
            driver,
            setup,
            place: place.into(),
            since: None,
        }
    }

    /// The text of [`Screen::describe`], also for a display that is not connected.
    pub(crate) fn description(controller: OledController, size: ScreenSize, place: &str) -> String {
        let name = match controller {
            OledController::Ssd1306 => "SSD1306",
            OledController::Sh1106 => "SH1106",
        };
        format!("{name} {size}, {place}")
    }

    fn show_at(&mut self, now: Instant, picture: &Canvas) -> Result<(), HardwareError> {
        let (first, active) = *self.since.get_or_insert((now, now));
        let burn_in = self.setup.burn_in;
        let shift = burn_in.shift(now.saturating_duration_since(first));
        let (precharge, contrast) = if burn_in.is_dim(now.saturating_duration_since(active)) {
            (DIM_PRECHARGE, 0)
        } else {
            (PRECHARGE, self.setup.contrast)
        };
        let brightness = Brightness::custom(precharge, contrast);
        match &mut self.driver {
            AnyDriver::Sh1106(driver) => {
                let settings = sh1106::Settings {
                    size: self.setup.size,
                    is_upside_down: self.setup.is_upside_down,
                    contrast,
                    precharge,
                };
                let sent = driver.show(settings, picture, shift);
                sent.map_err(|error| format!("{error:?}"))
            }
            AnyDriver::Rows64(driver) => send(driver, picture, shift, brightness),
            AnyDriver::Rows32(driver) => send(driver, picture, shift, brightness),
        }
        .map_err(|error| HardwareError::Lost {
            part: "OLED",
            remedy: format!("check its four wires ({})", self.place),
            source: Some(error.into()),
        })
    }

    fn wake_at(&mut self, now: Instant) {
        if let Some((_, active)) = &mut self.since {
            *active = now;
        }
    }
}

/// The driver of an SSD1306.
fn ssd1306<I2C: I2c>(bus: I2C, setup: &OledSetup) -> AnyDriver<I2C> {
    let interface = I2CDisplayInterface::new_custom_address(bus, setup.address);
    let rotation = if setup.is_upside_down {
        DisplayRotation::Rotate180
    } else {
        DisplayRotation::Rotate0
    };
    match setup.size {
        ScreenSize::Rows64 => AnyDriver::Rows64(Box::new(
            Ssd1306::new(interface, DisplaySize128x64, rotation).into_buffered_graphics_mode(),
        )),
        ScreenSize::Rows32 => AnyDriver::Rows32(Box::new(
            Ssd1306::new(interface, DisplaySize128x32, rotation).into_buffered_graphics_mode(),
        )),
    }
}

fn send<I2C: I2c, SIZE: DisplaySize>(
    driver: &mut Driver<I2C, SIZE>,
    picture: &Canvas,
    (right, down): (u32, u32),
    brightness: Brightness,
) -> Result<(), String> {
    let area = Rectangle::new(Point::zero(), driver.size());
    let pixels = area.points().map(|at| {
        let (x, y) = (at.x.unsigned_abs(), at.y.unsigned_abs());
        let source = x.checked_sub(right).zip(y.checked_sub(down));
        BinaryColor::from(source.is_some_and(|(x, y)| picture.is_lit(x, y)))
    });
    driver
        .init()
        .and_then(|()| driver.set_brightness(brightness))
        .and_then(|()| driver.fill_contiguous(&area, pixels))
        .and_then(|()| driver.flush())
        .map_err(|error| format!("{error:?}"))
}

impl<I2C: I2c + Send> Screen for OledScreen<I2C> {
    fn show(&mut self, picture: &Canvas) -> Result<(), HardwareError> {
        self.show_at(Instant::now(), picture)
    }

    fn size(&self) -> ScreenSize {
        self.setup.size
    }

    fn wake(&mut self) {
        self.wake_at(Instant::now());
    }

    fn describe(&self) -> String {
        Self::description(self.setup.controller, self.setup.size, &self.place)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::screen::virtual_sh1106::VirtualSh1106;
    use crate::screen::virtual_ssd1306::{VirtualDisplay, VirtualSsd1306};

    const MINUTE: Duration = Duration::from_mins(1);

    fn oled(setup: OledSetup) -> (OledScreen<VirtualSsd1306>, VirtualDisplay) {
        let (bus, display) = VirtualSsd1306::new(setup.address, setup.size);
        (OledScreen::new(bus, setup, "bus 1, address 0x3C"), display)
    }

    fn picture(points: &[(i32, i32)]) -> Canvas {
        picture_of(ScreenSize::Rows64, points)
    }

    fn picture_of(size: ScreenSize, points: &[(i32, i32)]) -> Canvas {
        let mut canvas = Canvas::new(size);
        for &(x, y) in points {
            Pixel(Point::new(x, y), BinaryColor::On)
                .draw(&mut canvas)
                .unwrap();
        }
        canvas
    }

    #[test]
    fn every_pixel_appears_in_its_place() {
        let (mut screen, display) = oled(OledSetup::new(0x3c, ScreenSize::Rows64));
        let corners = picture(&[(0, 0), (127, 0), (0, 63), (127, 63), (64, 31), (5, 8)]);
        screen.show(&corners).unwrap();
        assert_eq!(display.picture(), corners);
        let other = picture(&[(1, 1)]);
        screen.show(&other).unwrap();
        assert_eq!(display.picture(), other, "old pixels are gone");
    }

    #[test]
    fn a_display_that_briefly_lost_power_shows_the_next_picture() {
        let (mut screen, display) = oled(OledSetup::new(0x3c, ScreenSize::Rows64));
        screen.show(&picture(&[(1, 1)])).unwrap();
        display.unplug();
        display.plug_in();
        assert_eq!(display.picture(), picture(&[]));
        screen.show(&picture(&[(1, 1)])).unwrap();
        assert_eq!(display.picture(), picture(&[(1, 1)]));
    }

    #[test]
    fn a_display_that_is_replugged_works_again() {
        let (mut screen, display) = oled(OledSetup::new(0x3c, ScreenSize::Rows64));
        screen.show(&picture(&[(1, 1)])).unwrap();
        display.unplug();
        let error = screen.show(&picture(&[(2, 2)])).unwrap_err();
        assert!(
            error.to_string().contains("check its four wires"),
            "{error}"
        );
        assert!(screen.show(&picture(&[(2, 2)])).is_err());
        display.plug_in();
        screen.show(&picture(&[(2, 2)])).unwrap();
        assert_eq!(display.picture(), picture(&[(2, 2)]));
    }

    #[test]
    fn a_display_at_another_address_does_not_answer() {
        let (bus, _display) = VirtualSsd1306::new(0x3d, ScreenSize::Rows64);
        let setup = OledSetup::new(0x3c, ScreenSize::Rows64);
        let mut screen = OledScreen::new(bus, setup, "test");
        assert!(screen.show(&Canvas::default()).is_err());
    }

    #[test]
    fn a_display_of_32_rows_shows_every_pixel_of_a_picture_of_its_size() {
        let (mut screen, display) = oled(OledSetup::new(0x3c, ScreenSize::Rows32));
        let corners = picture_of(
            ScreenSize::Rows32,
            &[(0, 0), (127, 0), (0, 31), (127, 31), (64, 15), (5, 16)],
        );
        screen.show(&corners).unwrap();
        assert_eq!(display.picture(), corners);
        assert_eq!(screen.size(), ScreenSize::Rows32);
        assert!(screen.describe().contains("128x32"));
        screen.show(&picture(&[(3, 31), (3, 32)])).unwrap();
        let cut = picture_of(ScreenSize::Rows32, &[(3, 31)]);
        assert_eq!(display.picture(), cut, "a taller picture is cut off");
    }

    #[test]
    fn a_module_that_is_mounted_upside_down_is_seen_upright() {
        for size in [ScreenSize::Rows64, ScreenSize::Rows32] {
            let (mut screen, display) = oled(OledSetup {
                is_upside_down: true,
                ..OledSetup::new(0x3c, size)
            });
            screen.show(&picture_of(size, &[(1, 2)])).unwrap();
            let turned = (126, size.height() as i32 - 3);
            assert_eq!(display.picture(), picture_of(size, &[turned]));
        }
    }

    #[test]
    fn contrast_is_as_configured_and_dimmed_when_idle_until_activity() {
        let (mut screen, display) = oled(OledSetup {
            contrast: 200,
            burn_in: BurnIn {
                dim_after: Some(MINUTE),
                shift_every: None,
            },
            ..OledSetup::new(0x3c, ScreenSize::Rows64)
        });
        let start = Instant::now();
        let mut contrast_at = |minutes, wake| {
            let now = start + minutes * MINUTE;
            if wake {
                screen.wake_at(now);
            }
            screen.show_at(now, &picture(&[(1, 1)])).unwrap();
            assert_eq!(display.picture(), picture(&[(1, 1)]));
            display.contrast()
        };
        assert_eq!(contrast_at(0, false), 200);
        assert_eq!(contrast_at(1, false), 0);
        assert_eq!(contrast_at(2, true), 200);
        assert_eq!(contrast_at(3, false), 0);
    }

    #[test]
    fn the_picture_shifts() {
        let (mut screen, display) = oled(OledSetup {
            burn_in: BurnIn {
                dim_after: None,
                shift_every: Some(MINUTE),
            },
            ..OledSetup::new(0x3c, ScreenSize::Rows64)
        });
        let start = Instant::now();
        for (minutes, at) in [(0, (9, 9)), (1, (10, 9)), (2, (10, 10)), (3, (9, 10))] {
            let now = start + minutes * MINUTE;
            screen.show_at(now, &picture(&[(9, 9)])).unwrap();
            assert_eq!(display.picture(), picture(&[at]));
        }
    }

    #[test]
    fn an_sh1106_shows_every_pixel_in_its_place_in_both_orientations() {
        for (size, is_upside_down) in [
            (ScreenSize::Rows64, false),
            (ScreenSize::Rows64, true),
            (ScreenSize::Rows32, false),
        ] {
            let (bus, display) = VirtualSh1106::new(0x3c, size);
            let setup = OledSetup {
                controller: OledController::Sh1106,
                is_upside_down,
                contrast: 200,
                ..OledSetup::new(0x3c, size)
            };
            let mut screen = OledScreen::new(bus, setup, "test");
            assert_eq!(screen.describe(), format!("SH1106 {size}, test"));
            let bottom = size.height() as i32 - 1;
            let corners = [(0, 0), (127, 0), (0, bottom), (127, bottom), (5, 8)];
            screen.show(&picture_of(size, &corners)).unwrap();
            let seen = if is_upside_down {
                corners.map(|(x, y)| (127 - x, bottom - y))
            } else {
                corners
            };
            assert_eq!(display.picture(), picture_of(size, &seen));
            assert_eq!(display.contrast(), 200);
            screen.show(&picture_of(size, &[(1, 1)])).unwrap();
            assert_eq!(display.picture().lit_count(), 1, "old pixels are gone");
        }
    }

    #[test]
    fn an_sh1106_that_is_driven_as_an_ssd1306_shows_a_garbled_picture() {
        let (bus, display) = VirtualSh1106::new(0x3c, ScreenSize::Rows64);
        let mut screen = OledScreen::new(bus, OledSetup::new(0x3c, ScreenSize::Rows64), "test");
        screen.show(&picture(&[(64, 30)])).unwrap();
        assert!(!display.picture().is_lit(64, 30));
        assert!(display.picture().is_lit(127, 63), "noise remains");
    }
}
