//! The boards on which the ports are implemented.

#[cfg(all(feature = "linux", target_os = "linux"))]
pub mod linux;
pub mod mock;
#[cfg(all(feature = "pi", target_os = "linux"))]
pub mod pi;
pub mod sim;
