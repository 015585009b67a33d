//! The smearscope appliance: at each press it photographs a field of view, checks the quality, runs the model and
//! shows the verdict. Research use only.
//!
//! - [`analysis`]: from the bytes of a picture to the verdict; slides
//! - [`appliance`]: the event loop, its states and screens
//! - [`records`]: fields, images and slides on the disk
//! - [`models`]: installed models and the one in use
//! - [`config`]: configuration from file and environment
//! - `report`: JSON shared by command line, HTTP and MQTT
//! - [`http`], [`mqtt`]: the network protocols; `network` runs them
//! - [`system`]: service manager, threads, log and other parts of the operating system
//! - [`cli`]: the command line

pub mod analysis;
pub mod appliance;
pub mod cli;
pub mod config;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod http;
pub mod models;
pub mod mqtt;
mod network;
pub mod records;
mod report;
pub mod system;
