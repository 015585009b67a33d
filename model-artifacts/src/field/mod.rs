//! The network of a model that judges whole fields.

pub(crate) mod inference;
pub(crate) mod network;
