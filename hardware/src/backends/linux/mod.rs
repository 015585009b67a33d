//! Any board with Linux: button and LEDs on lines of a GPIO chip, SSD1306 on I2C, USB microscope
//! camera.

mod gpio;

use crate::board::{Board, assembly};
use crate::config::{Equipment, LinuxLines};

/// Makes the board. Its parts may be missing, now or later: the board's faults tell of them until
/// they come.
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
    use crate::config::Device;
    use crate::leds::pattern::Lights;
    use crate::screen::canvas::Canvas;

    #[test]
    fn a_board_of_which_everything_is_missing_is_made_and_tells_so() {
        let mut equipment = Equipment::default();
        equipment.oled.bus = 250;
        equipment.camera.device = Device::Path("/dev/v4l/by-id/absent".into());
        let lines = LinuxLines {
            chip: "no-such-chip".into(),
            ..LinuxLines::default()
        };
        let mut board = board(&equipment, &lines);
        board.leds.show(Lights::default()).unwrap_err();
        board.screen.show(&Canvas::default()).unwrap_err();
        let faults = board.faults.look().join("\n");
        for part in ["camera", "OLED", "LEDs"] {
            assert!(faults.contains(part), "{part}: {faults}");
        }
    }
}
