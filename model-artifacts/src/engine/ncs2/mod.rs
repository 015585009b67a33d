//! The engine `ncs2`: a Neural Compute Stick 2, through an older OpenVINO runtime.

mod library;
pub(super) mod network;
pub(super) mod search_path;
pub(super) mod usb;
