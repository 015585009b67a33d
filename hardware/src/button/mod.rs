//! The push-button: from the edges of its contact to the gestures of the operator.

#[cfg(all(feature = "linux", target_os = "linux"))]
pub(crate) mod contact;
pub mod gestures;
pub mod queue;
