//! End-to-end tests that start the real binaries.
//!
//! One module for each subject. What the tests share is in `bench_top`.

pub mod architecture;
#[cfg(test)]
mod bench_top;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod classify;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod datasets;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod http;
#[cfg(test)]
mod http_access;
#[cfg(test)]
mod http_bench;
#[cfg(test)]
mod http_contract;
#[cfg(test)]
mod http_images;
#[cfg(test)]
mod http_records;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod mock_bench;
#[cfg(test)]
mod models;
#[cfg(test)]
mod mosquitto;
#[cfg(test)]
mod mqtt;
#[cfg(test)]
mod package;
#[cfg(test)]
mod page;
#[cfg(test)]
mod power_cut;
#[cfg(test)]
mod press;
#[cfg(test)]
mod records;
#[cfg(test)]
mod screens;
#[cfg(test)]
mod selftest;
#[cfg(test)]
mod service;
#[cfg(test)]
mod small_disk;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod stand_ins;
#[cfg(test)]
mod stick;
#[cfg(test)]
mod trainer;
#[cfg(test)]
mod training;
#[cfg(test)]
mod viewfinder;
#[cfg(test)]
mod virtual_bench;
