//! Tests of the public interface: valid and damaged models, images and libraries.
#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions, not in what they call"
)]
#![allow(
    clippy::doc_markdown,
    reason = "OpenVINO and OpenCV are names, not code"
)]

mod cells;
mod common;
mod decode;
mod demo_model;
mod engines;
mod fallback;
mod opencv;
mod reduced;
mod refusals;
mod signatures;
mod smear_cells;
