//! The microscope camera.

pub mod frame;
#[cfg(all(feature = "linux", target_os = "linux"))]
pub(crate) mod usb;
