//! The microscope camera: the frames that it delivers and the driver for USB cameras.

pub mod frame;
#[cfg(all(feature = "linux", target_os = "linux"))]
pub(crate) mod usb;
