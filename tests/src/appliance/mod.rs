//! The appliance's loop on scripted, simulated and virtual hardware.

mod counted_slide;
mod mock;
mod ncs2;
mod ribbon_camera;
mod sim_panel;
mod systemd;
mod terminal;
mod virtual_bench;
