//! Cells of a field: where they lie, how large they are, and what each looks like.

pub(crate) mod background;
pub(crate) mod cell_site;
pub(crate) mod crop;
pub(crate) mod density;
pub(crate) mod figures;
mod mask;
pub(crate) mod peaks;
pub(crate) mod ruler;
