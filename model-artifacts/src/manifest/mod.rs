//! `manifest.toml`, which describes a model: its contents, parsing and validation.

pub(crate) mod parse;
pub(crate) mod schema;
pub(crate) mod validate;
