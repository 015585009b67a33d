//! The microscope camera: the frames that it delivers, their scale, and the drivers for USB and ribbon cameras.

pub(crate) mod calibrated;
#[cfg(all(feature = "linux", target_os = "linux"))]
pub(crate) mod connected;
pub mod frame;
#[cfg(all(feature = "linux", target_os = "linux"))]
mod luma;
pub mod preview;
#[cfg(all(feature = "linux", target_os = "linux"))]
pub(crate) mod rpicam;
#[cfg(all(feature = "linux", target_os = "linux"))]
mod usb;
#[cfg(all(feature = "linux", target_os = "linux"))]
mod v4l_driver;
