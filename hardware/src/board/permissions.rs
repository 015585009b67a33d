//! The device files that the appliance opens, and the group that its user needs for each.
//!
//! `udev/99-smearscope.rules` assigns the files to these groups.

#[cfg(all(feature = "linux", target_os = "linux"))]
use std::path::Path;

/// One kind of device file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// The part behind them, as messages name it.
    pub part: &'static str,
    /// The udev match that selects them.
    pub rule: &'static str,
    /// The group with read and write access.
    pub group: &'static str,
}

/// `/dev/videoN`, the camera: group `video`.
pub const CAMERA: Permission = Permission {
    part: "camera",
    rule: r#"SUBSYSTEM=="video4linux", KERNEL=="video[0-9]*""#,
    group: "video",
};

/// `/dev/v4l-subdevN`: the sensor and the receiver of a ribbon camera.
pub const SENSOR: Permission = Permission {
    part: "ribbon camera, its sensor",
    rule: r#"SUBSYSTEM=="video4linux", KERNEL=="v4l-subdev[0-9]*""#,
    group: CAMERA.group,
};

/// `/dev/mediaN`: how the parts of a ribbon camera are connected.
pub const MEDIA: Permission = Permission {
    part: "ribbon camera, its parts",
    rule: r#"SUBSYSTEM=="media", KERNEL=="media[0-9]*""#,
    group: CAMERA.group,
};

/// `/dev/dma_heap/*`: memory for the frames of a ribbon camera.
pub const FRAME_MEMORY: Permission = Permission {
    part: "ribbon camera, its memory",
    rule: r#"SUBSYSTEM=="dma_heap""#,
    group: CAMERA.group,
};

/// `/dev/i2c-N`, the OLED's bus: group `i2c`.
pub const I2C: Permission = Permission {
    part: "OLED",
    rule: r#"SUBSYSTEM=="i2c-dev", KERNEL=="i2c-[0-9]*""#,
    group: "i2c",
};

/// `/dev/gpiochipN`: button and LEDs of any board, and the button's interrupts on a Raspberry Pi.
pub const GPIO_CHIP: Permission = Permission {
    part: "button and LEDs",
    rule: r#"SUBSYSTEM=="gpio", KERNEL=="gpiochip[0-9]*""#,
    group: "gpio",
};

/// `/dev/gpiomem`, and `/dev/gpiomem0` to `/dev/gpiomem4` since the Raspberry Pi 5: the GPIO header of a Raspberry Pi.
pub const GPIO_MEMORY: Permission = Permission {
    part: "button and LEDs of a Raspberry Pi",
    rule: r#"KERNEL=="gpiomem*""#,
    group: GPIO_CHIP.group,
};

/// The Neural Compute Stick 2 before its firmware is loaded, USB 03e7:2485.
pub const STICK: Permission = Permission {
    part: "Neural Compute Stick 2, without firmware",
    rule: r#"SUBSYSTEM=="usb", ATTR{idVendor}=="03e7", ATTR{idProduct}=="2485""#,
    group: "plugdev",
};

/// The same stick with its firmware running: it reconnects to the bus as USB 03e7:f63b.
pub const STICK_RUNNING: Permission = Permission {
    part: "Neural Compute Stick 2, running",
    rule: r#"SUBSYSTEM=="usb", ATTR{idVendor}=="03e7", ATTR{idProduct}=="f63b""#,
    group: STICK.group,
};

/// Every kind of device file that the appliance opens.
pub const ALL: [Permission; 9] = [
    CAMERA,
    SENSOR,
    MEDIA,
    FRAME_MEMORY,
    I2C,
    GPIO_CHIP,
    GPIO_MEMORY,
    STICK,
    STICK_RUNNING,
];

impl Permission {
    /// What to do if access is denied.
    pub fn remedy(&self) -> String {
        format!("add the user to the group {}", self.group)
    }
}

/// What to do about a device file that its permissions open to this user and a device policy does not; `None` if that is
/// not so.
#[cfg(all(feature = "linux", target_os = "linux"))]
pub(crate) fn refused_by_policy(device: &Path) -> Option<String> {
    use rustix::fs::{Access, access};
    remedy_after(access(device, Access::READ_OK | Access::WRITE_OK), device)
}

/// Linux checks the permissions first (EACCES), and then the device policy of the control group (EPERM).
#[cfg(all(feature = "linux", target_os = "linux"))]
fn remedy_after(access: rustix::io::Result<()>, device: &Path) -> Option<String> {
    (access == Err(rustix::io::Errno::PERM)).then(|| {
        format!(
            "the device policy of this service or container refuses {}, not the file's permissions; restart the \
             service with `sudo systemctl restart smearscope`, and if that does not help, add the device to DeviceAllow \
             with `sudo systemctl edit smearscope`",
            device.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_udev_rules_match_this_table() {
        let rules: Vec<_> = include_str!("../../udev/99-smearscope.rules")
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect();
        let expected = ALL.map(|Permission { rule, group, .. }| {
            format!(r#"{rule}, GROUP="{group}", MODE="0660""#)
        });
        assert_eq!(rules, expected);
    }

    #[cfg(all(feature = "linux", target_os = "linux"))]
    #[test]
    fn a_device_policy_is_told_from_permissions() {
        use rustix::io::Errno;
        let device = Path::new("/dev/i2c-1");
        let remedy = remedy_after(Err(Errno::PERM), device).unwrap();
        for word in ["/dev/i2c-1", "device policy", "DeviceAllow"] {
            assert!(remedy.contains(word), "{remedy}");
        }
        for other in [Ok(()), Err(Errno::ACCESS), Err(Errno::NOENT)] {
            assert_eq!(remedy_after(other, device), None);
        }
    }

    #[test]
    fn the_readme_names_the_groups() {
        let readme = include_str!("../../README.md");
        for Permission { group, .. } in ALL {
            assert!(readme.contains(&format!("`{group}`")), "{group}");
        }
    }
}
