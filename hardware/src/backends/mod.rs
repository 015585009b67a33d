//! The backends: functions that build a [`Board`](crate::Board).

#[cfg(all(feature = "linux", target_os = "linux"))]
pub mod linux;
#[cfg(any(test, feature = "test-support"))]
pub mod mock;
#[cfg(all(feature = "pi", target_os = "linux"))]
pub mod pi;
pub mod sim;
