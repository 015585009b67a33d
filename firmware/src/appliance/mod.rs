//! The appliance: waits for a press, captures a frame and shows the verdict.
//!
//! - [`event_loop`]: the loop; [`state`]: the state machine
//! - [`handle`]: the appliance as HTTP and MQTT see it
//! - [`screens`]: what the OLED shows in each state, laid out by `page_layout`
//! - `leds`: what the LEDs show in each state
//! - [`notice`]: pages shown until the first press
//! - [`self_test`], [`checks`]: the self-test and its checks
//! - `camera`: the thread of the camera
//! - `front_panel`: drives OLED and LEDs
//! - `fault_recorder`: keeps the last faults
//! - `renewal`: checks that are made again while it runs
//! - `readiness`: whether board and disk allow captures
//! - `web_address`: where other machines find the web page

pub(crate) mod camera;
pub mod checks;
pub mod event_loop;
pub(crate) mod fault_recorder;
pub(crate) mod front_panel;
pub mod handle;
pub(crate) mod leds;
pub mod notice;
mod page_layout;
mod readiness;
pub(crate) mod renewal;
pub mod screens;
pub mod self_test;
pub mod state;
pub(crate) mod web_address;
