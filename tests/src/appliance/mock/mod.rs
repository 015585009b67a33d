//! The appliance's real loop, model and display driver on scripted hardware.

mod button;
mod configuration;
pub(crate) mod expected;
pub(crate) mod fixture;
mod frames;
mod models;
mod parts;
mod recording;
mod slides;
mod verdicts;
