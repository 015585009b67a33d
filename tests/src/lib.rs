//! End-to-end tests that start the real binaries.
//!
//! One room for each part of the project, and in it one module for each subject. What rooms share
//! is in `support`. [`architecture`] checks the modules of all crates.

#[cfg(test)]
mod appliance;
pub mod architecture;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod compatibility;
#[cfg(test)]
mod endurance;
#[cfg(test)]
mod http;
#[cfg(test)]
mod mqtt;
#[cfg(test)]
mod packaging;
#[cfg(test)]
mod support;
#[cfg(test)]
mod trainer;
