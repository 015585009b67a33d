//! The smearscope appliance: waits for a press, photographs a field of view, judges its quality,
//! asks the model and shows the verdict. Research use only.
//!
//! - [`analysis`]: one picture, from bytes to verdict, with the [`quality`] gate in front
//! - [`slide`]: what the fields of a slide say together
//! - [`appliance`]: the loop, driven by the [`machine`] of states and shown by the [`screens`]
//! - [`outlook`]: all that from outside, for a network
//! - [`records`]: what is kept of it, and [`examiner`], which keeps it
//! - [`mqtt`]: what is told to brokers, HIAS among them
//! - [`checks`]: what a self-test finds
//! - [`http`]: the API
//! - [`models`]: which model is used, and what happens when it fails
//! - [`cli`]: the commands

pub mod analysis;
mod answer;
pub mod appliance;
mod camera;
pub mod checks;
mod classify;
pub mod cli;
mod conditions;
pub mod config;
pub mod examiner;
pub mod exit;
#[cfg(fuzzing)]
pub mod fuzzing;
mod harmless;
pub mod http;
mod logging;
pub mod machine;
pub mod models;
pub mod mqtt;
mod network;
pub mod outlook;
mod overrides;
mod pictures;
pub mod quality;
pub mod records;
mod remote;
mod run;
pub mod screens;
pub mod secret;
mod selftest;
mod service;
pub mod slide;
pub mod verdict;
mod vitals;
mod workers;
