//! Any board that runs Linux: button and LEDs on lines of a GPIO chip, SSD1306 on I2C, USB microscope
//! camera.

mod gpio;

use crate::board::{Board, assembly};
use crate::config::{Equipment, LinuxLines};

/// Builds the board. Parts may be missing now or later; they are listed in the board's faults and reopened
/// automatically.
pub fn board(equipment: &Equipment, lines: &LinuxLines) -> Board {
    let (button, leds) = (lines.clone(), lines.clone());
    assembly::board(
        "linux",
        equipment,
        (gpio::describe_button(lines), move || {
            gpio::LineContact::open(&button)
        }),
        (gpio::describe_leds(lines), move || gpio::open_leds(&leds)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CameraDevice;
    use crate::leds::pattern::LedPatterns;
    use crate::screen::canvas::Canvas;

    #[test]
    fn a_board_without_any_part_is_built_and_lists_its_faults() {
        let mut equipment = Equipment::default();
        equipment.oled.bus = 250;
        equipment.camera.device = CameraDevice::Path("/dev/v4l/by-id/absent".into());
        let lines = LinuxLines {
            chip: "no-such-chip".into(),
            ..LinuxLines::default()
        };
        let mut board = board(&equipment, &lines);
        board.leds.show(LedPatterns::default()).unwrap_err();
        board.screen.show(&Canvas::default()).unwrap_err();
        let faults = board.faults.check().join("\n");
        for part in ["camera", "OLED", "LEDs"] {
            assert!(faults.contains(part), "{part}: {faults}");
        }
    }
}
