//! The appliance: waits for a press, takes a frame, shows the verdict.
//!
//! - [`event_loop`]: drives everything; [`state`] says which state follows which event
//! - [`handle`]: the appliance as HTTP and MQTT see it
//! - [`screens`]: what OLED and LEDs show in each state
//! - [`notice`]: pages that are shown once
//! - [`checks`]: the self-test
//! - `camera`: the camera's thread
//! - `front_panel`: OLED and LEDs
//! - `readiness`: whether board and disk let it work

pub(crate) mod camera;
pub mod checks;
pub mod event_loop;
mod front_panel;
pub mod handle;
pub mod notice;
mod readiness;
pub mod screens;
pub mod state;
