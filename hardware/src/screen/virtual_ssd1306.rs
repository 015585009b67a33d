//! An SSD1306 in memory, so that the real driver runs on a desktop and in tests.
//!
//! It decodes the bytes on the bus according to the datasheet (Solomon Systech SSD1306, revision 1.1:
//! section 8.1.5 for the I2C framing, section 9 for the commands, section 10.1 for addressing).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use embedded_graphics::{pixelcolor::BinaryColor, prelude::*};
use embedded_hal::i2c::{
    Error, ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation, SevenBitAddress,
};

use crate::screen::canvas::{Canvas, ScreenSize};

const COLUMNS: usize = 128;
const PAGES: usize = 8;

/// The bus side: pass it to a driver as its I2C bus.
///
/// ```
/// use embedded_hal::i2c::I2c;
/// use smearscope_hardware::ScreenSize;
/// use smearscope_hardware::screen::virtual_ssd1306::VirtualSsd1306;
///
/// let (mut bus, display) = VirtualSsd1306::new(0x3c, ScreenSize::Rows64);
/// // Charge pump on, display on, upright; then one byte of data: eight rows of column 0.
/// bus.write(0x3c, &[0x00, 0x8d, 0x14, 0xaf, 0xa1, 0xc8]).unwrap();
/// bus.write(0x3c, &[0x40, 0b0000_0101]).unwrap();
/// assert!(display.picture().is_lit(0, 0) && display.picture().is_lit(0, 2));
/// ```
pub struct VirtualSsd1306 {
    address: u8,
    chip: Arc<Mutex<Chip>>,
}

/// The visible side: what the display shows. Clones share the display, also between threads.
#[derive(Clone)]
pub struct VirtualDisplay(Arc<Mutex<Chip>>);

/// The device did not acknowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nak;

impl Error for Nak {
    fn kind(&self) -> ErrorKind {
        ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address)
    }
}

impl VirtualSsd1306 {
    /// Creates a display that answers to the 7-bit `address`: its bus side and its visible side.
    pub fn new(address: u8, size: ScreenSize) -> (Self, VirtualDisplay) {
        let chip = Arc::new(Mutex::new(Chip::at_reset(size)));
        let display = VirtualDisplay(Arc::clone(&chip));
        (Self { address, chip }, display)
    }
}

impl VirtualDisplay {
    /// What the display shows. All pixels are off while the display or its charge pump is off.
    pub fn picture(&self) -> Canvas {
        self.lock().picture()
    }

    /// The contrast, 0 to 255: brightness of the lit pixels.
    pub fn contrast(&self) -> u8 {
        self.lock().contrast
    }

    /// Disconnects the display: it acknowledges nothing and loses its configuration.
    pub fn unplug(&self) {
        let mut chip = self.lock();
        *chip = Chip {
            plugged: false,
            ..Chip::at_reset(chip.size)
        };
    }

    /// Reconnects the display. It stays dark until it is initialised again.
    pub fn plug_in(&self) {
        self.lock().plugged = true;
    }

    fn lock(&self) -> MutexGuard<'_, Chip> {
        lock(&self.0)
    }
}

fn lock(chip: &Mutex<Chip>) -> MutexGuard<'_, Chip> {
    chip.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ErrorType for VirtualSsd1306 {
    type Error = Nak;
}

impl I2c for VirtualSsd1306 {
    fn transaction(
        &mut self,
        address: SevenBitAddress,
        operations: &mut [Operation<'_>],
    ) -> Result<(), Nak> {
        let mut chip = lock(&self.chip);
        if address != self.address || !chip.plugged {
            return Err(Nak);
        }
        for operation in operations {
            match operation {
                Operation::Write(bytes) => chip.write(bytes),
                // The status byte (section 8.1.5): bit 6 is set while the display is off.
                Operation::Read(buffer) => buffer.fill(u8::from(!chip.display_on) << 6),
            }
        }
        Ok(())
    }
}

/// How the address advances after a data byte (section 10.1.3).
#[derive(Clone, Copy)]
enum Addressing {
    Horizontal,
    Vertical,
    Page,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a latch of the chip")]
struct Chip {
    /// Size of the panel that is bonded to the chip.
    size: ScreenSize,
    plugged: bool,
    /// Display memory: one byte is eight rows of one column, the lowest bit on top.
    memory: [[u8; COLUMNS]; PAGES],
    addressing: Addressing,
    column_window: (usize, usize),
    page_window: (usize, usize),
    column: usize,
    page: usize,
    display_on: bool,
    charge_pump: bool,
    all_on: bool,
    inverted: bool,
    segments_remapped: bool,
    scan_reversed: bool,
    start_line: usize,
    /// Number of rows that are scanned.
    multiplex: usize,
    /// Whether rows alternate between the chip's two sides (section 10.1.18).
    alternates: bool,
    contrast: u8,
    /// A command that waits for more arguments: drivers may split them over several writes.
    pending: VecDeque<u8>,
}

impl Chip {
    fn at_reset(size: ScreenSize) -> Self {
        Self {
            size,
            plugged: true,
            memory: [[0; COLUMNS]; PAGES],
            addressing: Addressing::Page,
            column_window: (0, COLUMNS - 1),
            page_window: (0, PAGES - 1),
            column: 0,
            page: 0,
            display_on: false,
            charge_pump: false,
            all_on: false,
            inverted: false,
            segments_remapped: false,
            scan_reversed: false,
            start_line: 0,
            multiplex: 64,
            alternates: true,
            contrast: 0x7f,
            pending: VecDeque::new(),
        }
    }

    /// Processes one I2C write: control bytes say whether commands or data follow, and how many.
    fn write(&mut self, mut bytes: &[u8]) {
        while let [control, rest @ ..] = bytes {
            let is_data = control & 0x40 != 0;
            let one_byte_only = control & 0x80 != 0;
            let (these, next) = rest.split_at(if one_byte_only {
                rest.len().min(1)
            } else {
                rest.len()
            });
            for byte in these {
                if is_data {
                    self.data(*byte);
                } else {
                    self.pending.push_back(*byte);
                    self.run_pending();
                }
            }
            bytes = next;
        }
    }

    fn run_pending(&mut self) {
        let Some(&command) = self.pending.front() else {
            return;
        };
        if self.pending.len() <= argument_count(command) {
            return;
        }
        let arguments: Vec<usize> = self.pending.drain(..).skip(1).map(usize::from).collect();
        self.command(command, &arguments);
    }

    fn command(&mut self, command: u8, arguments: &[usize]) {
        let low_bits = usize::from(command & 0x0f);
        match (command, arguments) {
            (0x00..=0x0f, _) => self.column = self.column & 0x70 | low_bits,
            (0x10..=0x1f, _) => self.column = (low_bits << 4 | self.column & 0x0f) % COLUMNS,
            (0x20, [mode]) => {
                self.addressing = match mode & 3 {
                    0 => Addressing::Horizontal,
                    1 => Addressing::Vertical,
                    _ => Addressing::Page,
                }
            }
            (0x21, [start, end]) => {
                self.column_window = (start % COLUMNS, end % COLUMNS);
                self.column = self.column_window.0;
            }
            (0x22, [start, end]) => {
                self.page_window = (start % PAGES, end % PAGES);
                self.page = self.page_window.0;
            }
            (0x40..=0x7f, _) => self.start_line = usize::from(command & 0x3f),
            (0x81, [contrast]) => self.contrast = *contrast as u8,
            (0x8d, [setting]) => self.charge_pump = setting & 4 != 0,
            (0xa0 | 0xa1, _) => self.segments_remapped = command & 1 != 0,
            (0xa4 | 0xa5, _) => self.all_on = command & 1 != 0,
            (0xa6 | 0xa7, _) => self.inverted = command & 1 != 0,
            // Fewer than 16 rows are invalid.
            (0xa8, [rows]) if rows & 0x3f >= 15 => self.multiplex = (rows & 0x3f) + 1,
            (0xae | 0xaf, _) => self.display_on = command & 1 != 0,
            (0xb0..=0xb7, _) => self.page = low_bits,
            (0xc0..=0xcf, _) => self.scan_reversed = command & 8 != 0,
            (0xda, [pins]) => self.alternates = pins & 0x10 != 0,
            // Timing and scrolling do not affect the picture.
            _ => {}
        }
    }

    fn data(&mut self, byte: u8) {
        self.memory[self.page][self.column] = byte;
        match self.addressing {
            Addressing::Page => self.column = (self.column + 1) % COLUMNS,
            Addressing::Horizontal => {
                if advance(&mut self.column, self.column_window, COLUMNS) {
                    advance(&mut self.page, self.page_window, PAGES);
                }
            }
            Addressing::Vertical => {
                if advance(&mut self.page, self.page_window, PAGES) {
                    advance(&mut self.column, self.column_window, COLUMNS);
                }
            }
        }
    }

    /// The usual module shows the memory upright with remapped segments and reversed scan, because of how
    /// its panel is mounted; without both the picture is upside down.
    fn picture(&self) -> Canvas {
        let mut canvas = Canvas::new(self.size);
        if !(self.plugged && self.display_on && self.charge_pump) {
            return canvas;
        }
        let rows = 0..self.size.height() as usize;
        let lit = rows.flat_map(|y| (0..COLUMNS).map(move |x| (x, y)));
        let lit = lit.filter(|&(x, y)| self.is_lit(x, y));
        let pixels = lit.map(|(x, y)| Pixel(Point::new(x as i32, y as i32), BinaryColor::On));
        let Ok(()) = canvas.draw_iter(pixels).map_err(|never: Infallible| never);
        canvas
    }

    fn is_lit(&self, x: usize, y: usize) -> bool {
        let height = self.size.height() as usize;
        // The rows of a 64-row panel are bonded to the two sides of the chip alternately, those of a 32-row
        // panel sequentially. A chip configured for the other kind interleaves the two halves.
        let y = match (self.alternates, self.size) {
            (true, ScreenSize::Rows64) | (false, ScreenSize::Rows32) => y,
            (false, ScreenSize::Rows64) => y % 2 * height / 2 + y / 2,
            (true, ScreenSize::Rows32) => y % (height / 2) * 2 + y / (height / 2),
        };
        if y >= self.multiplex {
            return false;
        }
        let column = if self.segments_remapped {
            x
        } else {
            COLUMNS - 1 - x
        };
        let row = if self.scan_reversed {
            y
        } else {
            self.multiplex - 1 - y
        };
        let row = (row + self.start_line) % (PAGES * 8);
        let bit = self.memory[row / 8][column] >> (row % 8) & 1 == 1;
        self.all_on || bit != self.inverted
    }
}

/// Advances within a window; `true` if it wrapped around.
fn advance(at: &mut usize, (start, end): (usize, usize), limit: usize) -> bool {
    let wraps = *at == end;
    *at = if wraps { start } else { (*at + 1) % limit };
    wraps
}

/// Number of bytes that follow a command (section 9, table 9-1).
fn argument_count(command: u8) -> usize {
    match command {
        0x20 | 0x81 | 0x8d | 0xa8 | 0xad | 0xd3 | 0xd5 | 0xd9 | 0xda | 0xdb => 1,
        0x21 | 0x22 | 0xa3 => 2,
        0x29 | 0x2a => 5,
        0x26 | 0x27 => 6,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on() -> (VirtualSsd1306, VirtualDisplay) {
        let (mut bus, display) = VirtualSsd1306::new(0x3c, ScreenSize::Rows64);
        bus.write(0x3c, &[0, 0x8d, 0x14, 0xaf, 0xa1, 0xc8]).unwrap();
        (bus, display)
    }

    fn lit(canvas: &Canvas) -> Vec<(u32, u32)> {
        (0..canvas.height())
            .flat_map(|y| (0..Canvas::WIDTH).map(move |x| (x, y)))
            .filter(|&(x, y)| canvas.is_lit(x, y))
            .collect()
    }

    #[test]
    fn page_addressing_after_reset() {
        let (mut bus, display) = on();
        bus.write(0x3c, &[0x00, 0xb2, 0x05, 0x11]).unwrap();
        bus.write(0x3c, &[0x40, 0b1000_0001]).unwrap();
        assert_eq!(lit(&display.picture()), [(21, 16), (21, 23)]);
    }

    #[test]
    fn a_window_wraps_in_horizontal_and_vertical_order() {
        let (mut bus, display) = on();
        bus.write(0x3c, &[0, 0x20, 0, 0x21, 3, 4, 0x22, 1, 2])
            .unwrap();
        bus.write(0x3c, &[0x40, 1, 0, 1]).unwrap();
        assert_eq!(lit(&display.picture()), [(3, 8), (3, 16)]);
        bus.write(0x3c, &[0, 0x20, 1, 0x21, 3, 4, 0x22, 1, 2])
            .unwrap();
        bus.write(0x3c, &[0x40, 0, 1, 1, 0, 2]).unwrap();
        assert_eq!(lit(&display.picture()), [(4, 8), (3, 9), (3, 16)]);
    }

    #[test]
    fn arguments_may_arrive_in_separate_writes() {
        let (mut bus, display) = on();
        bus.write(0x3c, &[0x80, 0x21, 0x80, 9, 0x80, 10]).unwrap();
        bus.write(0x3c, &[0xc0, 1]).unwrap();
        assert_eq!(lit(&display.picture()), [(9, 0)]);
    }

    #[test]
    fn an_argument_is_not_taken_for_a_command() {
        let (mut bus, display) = on();
        bus.write(0x3c, &[0x40, 1]).unwrap();
        // Contrast, multiplex ratio, offset, clock, precharge, VCOMH level, scrolling: each with
        // arguments that would switch the display off.
        for command in [0x81, 0xa8, 0xd3, 0xd5, 0xd9, 0xdb, 0xa3, 0x29, 0x26] {
            let mut bytes = vec![0x00, command];
            bytes.resize(2 + argument_count(command), 0xae);
            assert!(bytes.len() > 2, "{command:#x}");
            bus.write(0x3c, &bytes).unwrap();
            assert_eq!(display.picture().lit_count(), 1, "{command:#x}");
        }
    }

    #[test]
    fn orientation_inversion_and_power_show() {
        let (mut bus, display) = on();
        bus.write(0x3c, &[0x40, 1]).unwrap();
        bus.write(0x3c, &[0, 0xa0, 0xc0]).unwrap();
        assert_eq!(lit(&display.picture()), [(127, 63)]);
        bus.write(0x3c, &[0, 0xa7]).unwrap();
        assert_eq!(display.picture().lit_count(), 128 * 64 - 1);
        bus.write(0x3c, &[0, 0xae]).unwrap();
        assert_eq!(display.picture().lit_count(), 0);
    }

    #[test]
    fn contrast_is_kept_until_power_is_lost() {
        let (mut bus, display) = on();
        assert_eq!(display.contrast(), 0x7f);
        bus.write(0x3c, &[0, 0x81, 3]).unwrap();
        assert_eq!(display.contrast(), 3);
        display.unplug();
        display.plug_in();
        assert_eq!(display.contrast(), 0x7f);
    }

    #[test]
    fn a_32_row_panel_needs_its_rows_and_pins_configured() {
        let (mut bus, display) = VirtualSsd1306::new(0x3c, ScreenSize::Rows32);
        bus.write(0x3c, &[0, 0x8d, 0x14, 0xaf, 0xa1, 0xc8]).unwrap();
        bus.write(0x3c, &[0x40, 0b11]).unwrap();
        assert_eq!(lit(&display.picture()), [(0, 0), (0, 16)], "interleaved");
        bus.write(0x3c, &[0, 0xda, 0x02, 0xa8, 31]).unwrap();
        assert_eq!(lit(&display.picture()), [(0, 0), (0, 1)]);
        bus.write(0x3c, &[0, 0xa0, 0xc0]).unwrap();
        assert_eq!(
            lit(&display.picture()),
            [(127, 30), (127, 31)],
            "upside down"
        );
        bus.write(0x3c, &[0, 0xc8, 0xa8, 15, 0xa5]).unwrap();
        assert_eq!(
            display.picture().lit_count(),
            128 * 16,
            "all that is scanned"
        );
    }
}
