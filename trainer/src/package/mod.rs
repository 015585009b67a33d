//! Model folders.

pub(crate) mod destination;
pub(crate) mod golden;
pub(crate) mod model_package;
