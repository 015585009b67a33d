//! The OLED on `/dev/i2c-N`.

use linux_embedded_hal::I2cdev;

use crate::board::faults::Faults;
use crate::board::not_fitted::Absent;
use crate::board::permissions;
use crate::board::reconnecting::{Reopening, ReopeningScreen};
use crate::config::{Equipment, OledConfig};
use crate::error::HardwareError;
use crate::ports::Screen;
use crate::screen::canvas::ScreenSize;
use crate::screen::ssd1306::Ssd1306Screen;

/// The display that `equipment` names; it is looked for when it is first used.
pub(crate) fn screen(equipment: &Equipment, faults: &Faults) -> Box<dyn Screen> {
    let Some(size) = equipment.display.size() else {
        return Box::new(Absent);
    };
    let config = equipment.oled.clone();
    let place = place(&config);
    let description = Ssd1306Screen::<I2cdev>::description(size, &place);
    let screen = Reopening::new("OLED", description, faults, move || {
        open(&config, size, &place)
    });
    Box::new(ReopeningScreen { screen, size })
}

fn place(config: &OledConfig) -> String {
    format!(
        "{}, address {:#04X}",
        config.bus_path().display(),
        config.address
    )
}

fn open(
    config: &OledConfig,
    size: ScreenSize,
    place: &str,
) -> Result<Ssd1306Screen<I2cdev>, HardwareError> {
    let bus = I2cdev::new(config.bus_path()).map_err(|error| HardwareError::Open {
        part: "OLED",
        at: place.into(),
        remedy: format!(
            "switch I2C on (raspi-config on a Raspberry Pi), set oled.bus, or {}",
            permissions::I2C.remedy()
        ),
        source: Some(error.into()),
    })?;
    Ok(Ssd1306Screen::new(bus, config.setup(size), place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Display;
    use crate::screen::canvas::Canvas;

    #[test]
    fn a_bus_that_is_not_there_is_a_fault_with_place_and_remedy() {
        let faults = Faults::default();
        let mut equipment = Equipment::default();
        equipment.oled.bus = 250;
        let mut screen = screen(&equipment, &faults);
        assert!(screen.show(&Canvas::default()).is_err());
        let fault = faults.look().pop().unwrap();
        for word in ["OLED", "/dev/i2c-250, address 0x3C", "oled.bus"] {
            assert!(fault.contains(word), "{fault}");
        }
    }

    #[test]
    fn no_display_is_no_fault() {
        let faults = Faults::default();
        let equipment = Equipment {
            display: Display::None,
            ..Equipment::default()
        };
        let mut screen = screen(&equipment, &faults);
        screen.show(&Canvas::default()).unwrap();
        assert_eq!(screen.describe(), "none");
        assert_eq!(faults.look(), Vec::<String>::new());
    }
}
