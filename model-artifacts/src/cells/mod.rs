//! Cells of a field: where they lie, how large they are, what each looks like, and what it counts as.
//!
//! Lamp and camera are taken out of a picture first ([`crate::image::density`]); the finder of [`networks`] runs on its
//! [`tiles`], and [`peaks`] makes cells of its maps. Red cells, measured at their edges ([`red_cell_edge`]), are the [`ruler`], whose scale is found by [`scale_search`]; a stated one is doubted by [`scale_check`]. A
//! [`crop`] around each leukocyte is what the cell network sees ([`cell_input`]) and what is measured ([`figures`], of a
//! [`mask`]). [`analysis`] is the flow of all that, [`slide_cells`] counts each cell of overlapping fields once
//! ([`registration`]), [`golden`] proves it, and [`model`] is a loaded model.

pub(crate) mod analysis;
mod cell_input;
pub(crate) mod cell_site;
pub(crate) mod crop;
mod disc;
pub(crate) mod figures;
mod golden;
mod mask;
pub(crate) mod model;
mod networks;
pub(crate) mod peaks;
mod red_cell_edge;
mod registration;
pub(crate) mod ruler;
mod scale_check;
mod scale_search;
pub(crate) mod slide_cells;
mod tiles;
