//! End-to-end tests that start the real binaries.
//!
//! One module a subject. What the tests share is in `bench_top`.

#![cfg(test)]
mod bench_top;
mod browser;
mod classify;
mod configuration;
mod datasets;
mod hostile;
mod http;
mod http_access;
mod http_bench;
mod http_contract;
mod http_images;
mod http_records;
mod machine;
mod mock_bench;
mod models;
mod mosquitto;
mod mqtt;
mod package;
mod page;
mod power_cut;
mod press;
mod records;
mod screens;
mod selftest;
mod service;
mod small_disk;
mod soak;
mod stand_ins;
mod stick;
mod trainer;
mod training;
mod viewfinder;
mod virtual_bench;
