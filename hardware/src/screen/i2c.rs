//! The OLED on an I2C bus of the kernel, `/dev/i2c-N`.

use std::time::Duration;

use linux_embedded_hal::I2cdev;

use crate::board::faults::Faults;
use crate::board::not_fitted::NotFitted;
use crate::board::permissions;
use crate::board::reconnecting::{Reconnecting, ReconnectingScreen};
use crate::config::{Equipment, OledConfig};
use crate::error::HardwareError;
use crate::ports::Screen;
use crate::screen::burn_in::BurnIn;
use crate::screen::canvas::ScreenSize;
use crate::screen::oled::{OledScreen, OledSetup};

/// The display that `equipment` describes. It is opened on first use.
pub(crate) fn screen(equipment: &Equipment, faults: &Faults) -> Box<dyn Screen> {
    let Some(size) = equipment.display.size() else {
        return Box::new(NotFitted);
    };
    let config = equipment.oled.clone();
    let place = place(&config);
    let description = OledScreen::<I2cdev>::description(config.controller, size, &place);
    let screen = Reconnecting::new("OLED", description, faults, move || {
        open(&config, size, &place)
    });
    Box::new(ReconnectingScreen { screen, size })
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
) -> Result<OledScreen<I2cdev>, HardwareError> {
    let bus = I2cdev::new(config.bus_path()).map_err(|error| HardwareError::Open {
        part: "OLED",
        at: place.into(),
        remedy: permissions::refused_by_policy(&config.bus_path()).unwrap_or_else(|| {
            format!(
                "enable I2C (raspi-config on a Raspberry Pi), correct oled.bus, or {}",
                permissions::I2C.remedy()
            )
        }),
        source: Some(error.into()),
    })?;
    Ok(OledScreen::new(bus, setup(config, size), place))
}

/// The configured settings for a display of `size`.
fn setup(config: &OledConfig, size: ScreenSize) -> OledSetup {
    let seconds = |s: u32| (s > 0).then(|| Duration::from_secs(s.into()));
    OledSetup {
        controller: config.controller,
        address: config.address,
        size,
        is_upside_down: config.rotation == 180,
        contrast: config.contrast,
        burn_in: BurnIn {
            dim_after: seconds(config.dim_after_s),
            shift_every: seconds(config.shift_every_s),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Display;
    use crate::screen::canvas::Canvas;

    #[test]
    fn a_missing_bus_is_a_fault_with_place_and_remedy() {
        let faults = Faults::default();
        let mut equipment = Equipment::default();
        equipment.oled.bus = 250;
        let mut screen = screen(&equipment, &faults);
        assert!(screen.show(&Canvas::default()).is_err());
        let fault = faults.check().pop().unwrap();
        for word in ["OLED", "/dev/i2c-250, address 0x3C", "oled.bus"] {
            assert!(fault.contains(word), "{fault}");
        }
    }

    #[test]
    fn a_display_that_is_not_fitted_is_not_a_fault() {
        let faults = Faults::default();
        let equipment = Equipment {
            display: Display::None,
            ..Equipment::default()
        };
        let mut screen = screen(&equipment, &faults);
        screen.show(&Canvas::default()).unwrap();
        assert_eq!(screen.describe(), "none");
        assert_eq!(faults.check(), Vec::<String>::new());
    }
}
