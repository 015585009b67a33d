//! `manifest.toml`, which describes a model: its contents, parsing and validation.

pub(crate) mod cells;
pub(crate) mod evaluation;
pub(crate) mod field;
pub(crate) mod files;
mod golden;
pub(crate) mod parse;
pub(crate) mod schema;
mod validate;
