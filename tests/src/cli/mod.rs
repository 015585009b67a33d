//! The commands of `smearscope`.

mod bad_input;
mod calibrate;
mod classify;
mod classify_cells;
mod config;
mod installed;
mod model;
mod records;
mod screens;
mod selftest;
mod snapshots;
