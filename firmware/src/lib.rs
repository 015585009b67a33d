//! The smearscope appliance: at each press it photographs a field of view, checks the quality, runs the model and
//! shows the verdict. Research use only.
//!
//! - `analysis`: from the bytes of a picture to the verdict; slides
//! - `appliance`: the event loop, its states and screens
//! - `calibration`: what was measured of a camera: its light and its scale
//! - `drift`: light, focus, stain and refused fields of each day, against the weeks before
//! - `records`: fields, images and slides on the disk
//! - `models`: installed models and the one in use
//! - `config`: configuration from file and environment
//! - `report`: JSON shared by command line, HTTP and MQTT
//! - `http`, `mqtt`: the network protocols; `network` runs them
//! - `system`: service manager, threads, log and other parts of the operating system
//! - [`cli`]: the command line
//!
//! The library exists for the program and for tests: outside, only the command line and `testing` can be used.

// Inside a private room, `pub` marks what the other rooms use.
#![allow(unreachable_pub)]

mod analysis;
mod appliance;
mod calibration;
pub mod cli;
mod config;
mod drift;
// With the tests as well, so that it is compiled whenever what it calls is.
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod http;
mod models;
mod mqtt;
mod network;
mod records;
mod report;
mod system;
#[cfg(feature = "test-support")]
pub mod testing;
