//! The three status LEDs.

#[cfg(all(feature = "linux", target_os = "linux"))]
pub(crate) mod driver;
pub mod pattern;
