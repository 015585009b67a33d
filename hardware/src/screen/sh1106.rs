//! The SH1106, the controller of most 1.3-inch modules, which are often sold as SSD1306.
//!
//! It has no horizontal addressing: each page of eight rows is addressed by itself. Its memory has 132 columns, of which
//! a panel of 128 shows those in the middle. Commands are from the data sheet of Sino Wealth, "SH1106", V2.3.

use embedded_hal::i2c::I2c;

use crate::screen::canvas::{Canvas, ScreenSize};

/// Control bytes: the rest of a write are commands, or data.
const COMMANDS: u8 = 0x00;
const DATA: u8 = 0x40;
/// First visible column of the memory, the same in both orientations because it is half of what is not visible.
const FIRST_COLUMN: u8 = 2;
const PAGE_ROWS: u32 = 8;

/// An SH1106 at an I2C address.
pub(super) struct Sh1106<I2C> {
    bus: I2C,
    address: u8,
}

/// What is set with each picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) size: ScreenSize,
    pub(super) is_upside_down: bool,
    /// 0 to 255.
    pub(super) contrast: u8,
    /// Phase 2 of the pre-charge period, 1 to 15.
    pub(super) precharge: u8,
}

impl<I2C: I2c> Sh1106<I2C> {
    pub(super) fn new(bus: I2C, address: u8) -> Self {
        Self { bus, address }
    }

    /// Initialises the display and shows `picture`, shifted to the right and down.
    pub(super) fn show(
        &mut self,
        settings: Settings,
        picture: &Canvas,
        shift: (u32, u32),
    ) -> Result<(), I2C::Error> {
        self.bus.write(self.address, &initialisation(settings))?;
        let width = settings.size.width();
        for page in 0..settings.size.height() / PAGE_ROWS {
            let select = [
                COMMANDS,
                0xb0 | page as u8,
                FIRST_COLUMN & 0x0f,
                0x10 | FIRST_COLUMN >> 4,
            ];
            self.bus.write(self.address, &select)?;
            let columns = (0..width).map(|x| column(picture, x, page * PAGE_ROWS, shift));
            let data: Vec<u8> = std::iter::once(DATA).chain(columns).collect();
            self.bus.write(self.address, &data)?;
        }
        // Display on: last, so that it does not show what its memory held when it got power.
        self.bus.write(self.address, &[COMMANDS, 0xaf])
    }
}

/// Eight pixels of column `x` from row `top` on, the lowest bit on top.
fn column(picture: &Canvas, x: u32, top: u32, (right, down): (u32, u32)) -> u8 {
    (0..PAGE_ROWS).fold(0, |byte, bit| {
        let source = x.checked_sub(right).zip((top + bit).checked_sub(down));
        let is_lit = source.is_some_and(|(x, y)| picture.is_lit(x, y));
        byte | u8::from(is_lit) << bit
    })
}

fn initialisation(settings: Settings) -> [u8; 23] {
    let rows = settings.size.height() as u8;
    let (segments, scan) = if settings.is_upside_down {
        (0xa0, 0xc0)
    } else {
        (0xa1, 0xc8)
    };
    // Rows of a 64-row panel are wired to the two sides of the chip alternately.
    let wiring = match settings.size {
        ScreenSize::Rows64 => 0x12,
        ScreenSize::Rows32 => 0x02,
    };
    [
        COMMANDS,
        // Clock: the default. Multiplex ratio. No offset, first line on top.
        0xd5,
        0x50,
        0xa8,
        rows - 1,
        0xd3,
        0x00,
        0x40,
        // DC-DC converter on.
        0xad,
        0x8b,
        segments,
        scan,
        0xda,
        wiring,
        0x81,
        settings.contrast,
        0xd9,
        settings.precharge << 4 | 1,
        // Deselect level of the common pads: the default.
        0xdb,
        0x35,
        // Show the memory, not inverted.
        0xa4,
        0xa6,
        // A command that does nothing, so that a display that is still waiting for an argument takes this one.
        0xe3,
    ]
}
