//! Finds out whether a Neural Compute Stick 2 is plugged in, from the system's list of USB devices.

use std::path::Path;

/// Folder in which Linux lists USB devices.
const DEVICES: &str = "/sys/bus/usb/devices";
/// Vendor and product IDs of the stick, before and after its firmware is loaded, as `lsusb` shows them.
const STICKS: [(&str, &str); 2] = [("03e7", "2485"), ("03e7", "f63b")];

/// Whether `devices`, or else the list of Linux, contains a stick.
pub(crate) fn has_stick(devices: Option<&Path>) -> bool {
    let Ok(devices) = devices.unwrap_or(Path::new(DEVICES)).read_dir() else {
        return false;
    };
    devices.flatten().any(|device| {
        let read = |name| std::fs::read_to_string(device.path().join(name)).unwrap_or_default();
        let (vendor, product) = (read("idVendor"), read("idProduct"));
        STICKS.contains(&(vendor.trim(), product.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stick_is_found_before_and_after_its_firmware_is_loaded() {
        let devices = tempfile::tempdir().unwrap();
        let plug = |port: &str, vendor: &str, product: &str| {
            let port = devices.path().join(port);
            std::fs::create_dir_all(&port).unwrap();
            std::fs::write(port.join("idVendor"), format!("{vendor}\n")).unwrap();
            std::fs::write(port.join("idProduct"), format!("{product}\n")).unwrap();
        };
        assert!(!has_stick(Some(&devices.path().join("absent"))));
        // Interfaces have no IDs, and the first generation of the stick has another one.
        std::fs::create_dir(devices.path().join("1-0:1.0")).unwrap();
        plug("usb1", "1d6b", "0002");
        plug("1-1", "03e7", "2150");
        assert!(!has_stick(Some(devices.path())));
        for product in ["2485", "f63b"] {
            plug("1-2", "03e7", product);
            assert!(has_stick(Some(devices.path())), "{product}");
        }
    }
}
