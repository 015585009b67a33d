//! The commands of `smearscope`.

mod bad_input;
mod classify;
mod config;
mod model;
mod records;
mod screens;
mod selftest;
