//! The engine `openvino`: OpenVINO's runtime, from a library that is loaded when the program runs.

pub(super) mod library;
pub(super) mod network;
