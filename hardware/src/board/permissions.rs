//! Which device files the appliance opens, and which group its user needs for each.
//!
//! `udev/99-smearscope.rules` gives the files to these groups.

/// Device files of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// What opens them, in the operator's words.
    pub part: &'static str,
    /// How udev tells them from others.
    pub rule: &'static str,
    /// The group that may read and write them.
    pub group: &'static str,
}

/// `/dev/videoN`: the camera.
pub const CAMERA: Access = Access {
    part: "camera",
    rule: r#"SUBSYSTEM=="video4linux", KERNEL=="video[0-9]*""#,
    group: "video",
};

/// `/dev/i2c-N`: the OLED.
pub const I2C: Access = Access {
    part: "OLED",
    rule: r#"SUBSYSTEM=="i2c-dev", KERNEL=="i2c-[0-9]*""#,
    group: "i2c",
};

/// `/dev/gpiochipN`: button and LEDs of any board, and the interrupts of a Raspberry Pi.
pub const GPIO_CHIP: Access = Access {
    part: "button and LEDs",
    rule: r#"SUBSYSTEM=="gpio", KERNEL=="gpiochip[0-9]*""#,
    group: "gpio",
};

/// `/dev/gpiomem`: the header's pins of a Raspberry Pi.
pub const GPIO_MEMORY: Access = Access {
    part: "button and LEDs of a Raspberry Pi",
    rule: r#"KERNEL=="gpiomem*""#,
    group: GPIO_CHIP.group,
};

/// The Neural Compute Stick 2 as it is plugged in, USB 03e7:2485.
pub const STICK: Access = Access {
    part: "Neural Compute Stick 2, waiting for its firmware",
    rule: r#"SUBSYSTEM=="usb", ATTR{idVendor}=="03e7", ATTR{idProduct}=="2485""#,
    group: "plugdev",
};

/// The same stick once its firmware runs: it leaves the bus and comes back as USB 03e7:f63b.
pub const STICK_AT_WORK: Access = Access {
    part: "Neural Compute Stick 2, at work",
    rule: r#"SUBSYSTEM=="usb", ATTR{idVendor}=="03e7", ATTR{idProduct}=="f63b""#,
    group: STICK.group,
};

/// All of them.
pub const ALL: [Access; 6] = [CAMERA, I2C, GPIO_CHIP, GPIO_MEMORY, STICK, STICK_AT_WORK];

impl Access {
    /// What to do if it is denied.
    pub fn remedy(&self) -> String {
        format!("add the user to the group {}", self.group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_udev_rules_are_these_and_no_others() {
        let rules: Vec<_> = include_str!("../../udev/99-smearscope.rules")
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect();
        let expected = ALL
            .map(|Access { rule, group, .. }| format!(r#"{rule}, GROUP="{group}", MODE="0660""#));
        assert_eq!(rules, expected);
    }

    #[test]
    fn the_readme_names_the_groups() {
        let readme = include_str!("../../README.md");
        for Access { group, .. } in ALL {
            assert!(readme.contains(&format!("`{group}`")), "{group}");
        }
    }
}
