//! The microscope camera: the frames that it delivers, their scale, and the driver for USB cameras.

pub(crate) mod calibrated;
pub mod frame;
#[cfg(all(feature = "linux", target_os = "linux"))]
pub(crate) mod usb;
