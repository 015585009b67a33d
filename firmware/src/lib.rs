//! The smearscope appliance: waits for a press, photographs a field of view, judges its quality,
//! asks the model and shows the verdict. Research use only.
//!
//! - [`analysis`]: one picture, from bytes to verdict; slides
//! - [`appliance`]: the loop, its states and screens
//! - [`records`]: what was seen, on the disk
//! - [`models`]: which model is in use
//! - [`config`]: file, environment, validation
//! - `report`: JSON that command line, HTTP and MQTT share
//! - [`http`], [`mqtt`]: the protocols; `network` runs them
//! - [`system`]: the operating system
//! - [`cli`]: the commands

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
