//! A virtual SH1106 on a virtual I2C bus, for tests. Sections are those of the data sheet, V2.3.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use embedded_graphics::{pixelcolor::BinaryColor, prelude::*};
use embedded_hal::i2c::{ErrorType, I2c, Operation, SevenBitAddress};

use crate::screen::canvas::{Canvas, ScreenSize};
use crate::screen::virtual_ssd1306::Nak;

const COLUMNS: usize = 132;
const PAGES: usize = 8;
/// Columns of the memory left of those that a panel of 128 columns shows.
const HIDDEN: usize = 2;

/// The bus side.
pub(super) struct VirtualSh1106(u8, Arc<Mutex<Chip>>);

/// The visible side.
#[derive(Clone)]
pub(super) struct Sh1106Display(Arc<Mutex<Chip>>);

#[expect(clippy::struct_excessive_bools, reason = "registers of the chip")]
struct Chip {
    size: ScreenSize,
    memory: [[u8; COLUMNS]; PAGES],
    column: usize,
    page: usize,
    is_on: bool,
    has_converter: bool,
    segments_remapped: bool,
    scan_reversed: bool,
    rows: usize,
    contrast: u8,
    pending: VecDeque<u8>,
}

impl VirtualSh1106 {
    /// A display that answers to `address`. Its memory holds noise, as after power-on.
    pub(super) fn new(address: u8, size: ScreenSize) -> (Self, Sh1106Display) {
        let chip = Arc::new(Mutex::new(Chip {
            size,
            memory: [[0b1010_0101; COLUMNS]; PAGES],
            column: 0,
            page: 0,
            is_on: false,
            has_converter: true,
            segments_remapped: false,
            scan_reversed: false,
            rows: 64,
            contrast: 0x80,
            pending: VecDeque::new(),
        }));
        (Self(address, Arc::clone(&chip)), Sh1106Display(chip))
    }
}

impl Sh1106Display {
    pub(super) fn contrast(&self) -> u8 {
        lock(&self.0).contrast
    }

    /// What a panel shows that is mounted as on the usual module: upright with remapped segments and reversed scan.
    pub(super) fn picture(&self) -> Canvas {
        let chip = lock(&self.0);
        let mut canvas = Canvas::new(chip.size);
        if !chip.is_on || !chip.has_converter {
            return canvas;
        }
        let rows = (chip.size.height() as usize).min(chip.rows);
        for (y, x) in (0..rows).flat_map(|y| (0..128).map(move |x| (y, x))) {
            let column = if chip.segments_remapped { x } else { 127 - x } + HIDDEN;
            let row = if chip.scan_reversed {
                y
            } else {
                chip.rows - 1 - y
            };
            if chip.memory[row / 8][column] >> (row % 8) & 1 == 1 {
                let at = Point::new(x as i32, y as i32);
                Pixel(at, BinaryColor::On).draw(&mut canvas).unwrap();
            }
        }
        canvas
    }
}

fn lock(chip: &Mutex<Chip>) -> MutexGuard<'_, Chip> {
    chip.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ErrorType for VirtualSh1106 {
    type Error = Nak;
}

impl I2c for VirtualSh1106 {
    fn transaction(
        &mut self,
        address: SevenBitAddress,
        operations: &mut [Operation<'_>],
    ) -> Result<(), Nak> {
        if address != self.0 {
            return Err(Nak);
        }
        let mut chip = lock(&self.1);
        for operation in operations {
            match operation {
                Operation::Write(bytes) => chip.write(bytes),
                Operation::Read(buffer) => buffer.fill(0),
            }
        }
        Ok(())
    }
}

impl Chip {
    /// One control byte, then commands or data. The drivers send no others.
    fn write(&mut self, bytes: &[u8]) {
        let Some((control, rest)) = bytes.split_first() else {
            return;
        };
        for byte in rest {
            if control & 0x40 == 0 {
                self.pending.push_back(*byte);
                self.run_pending();
            } else if self.column < COLUMNS {
                // The column advances to the end of the page and no further; nothing wraps.
                self.memory[self.page][self.column] = *byte;
                self.column += 1;
            }
        }
    }

    fn run_pending(&mut self) {
        let command = self.pending[0];
        // The commands of two bytes; there are none with more.
        let is_double = matches!(
            command,
            0x81 | 0xa8 | 0xad | 0xd3 | 0xd5 | 0xd9 | 0xda | 0xdb
        );
        if self.pending.len() <= usize::from(is_double) {
            return;
        }
        let argument = self.pending.back().copied().unwrap_or_default();
        self.pending.clear();
        match command {
            0x00..=0x0f => self.column = self.column & 0xf0 | usize::from(command),
            0x10..=0x1f => self.column = usize::from(command & 0x0f) << 4 | self.column & 0x0f,
            0x81 => self.contrast = argument,
            0xa0 | 0xa1 => self.segments_remapped = command == 0xa1,
            0xa8 => self.rows = usize::from(argument & 0x3f) + 1,
            0xad => self.has_converter = argument & 1 == 1,
            0xae | 0xaf => self.is_on = command == 0xaf,
            0xb0..=0xb7 => self.page = usize::from(command & 7),
            0xc0..=0xcf => self.scan_reversed = command & 8 != 0,
            // What an SSD1306 has beyond these does nothing here: no addressing mode, no windows.
            _ => {}
        }
    }
}
