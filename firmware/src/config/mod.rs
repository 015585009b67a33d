//! The configuration: `config.toml` as it is written ([`Raw`]) and as the appliance uses it ([`Config`]).
//!
//! | file | subject |
//! |---|---|
//! | `file` | the file: its root and its sections |
//! | `read` | reading it |
//! | `known` | which settings of a file are known, and what is wrong with the others |
//! | `service` | the configuration of the service, and the last good one |
//! | `env` | overrides by environment variables |
//! | `document` | what is generated from the declarations: `config show`, the table in the README, the fuzzer's seed |
//! | `validated` | the checked configuration |
//! | the others | one section each: its settings, and their validated form |
//!
//! A setting is declared once, in the [`settings!`](smearscope_hardware::settings!) block of its section; the sections of the
//! hardware are in `smearscope_hardware::config`. To add one, declare it there, use it in the section's `validate`, and run
//! `SMEARSCOPE_BLESS=1 cargo test -p smearscope --lib config::document`, which updates README and seed.

pub mod board;
pub mod broker;
mod document;
mod env;
mod file;
pub mod hias;
pub mod http;
mod known;
pub mod limits;
pub mod log;
pub mod model;
pub mod mqtt;
mod path;
mod read;
pub mod secret;
pub(crate) mod service;
pub mod sim;
pub mod storage;
mod switch_off;
pub mod timing;
mod validated;

pub use board::BoardKind;
pub use file::{DEFAULT_PATH, Raw, existing_file};
pub use sim::PanelKind;
pub use validated::Config;
