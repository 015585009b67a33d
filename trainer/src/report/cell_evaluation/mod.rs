//! How well a model finds and names labelled cells: [`looks`] runs it over images, [`measured`] makes figures of what it
//! says, [`tables`] shows them, and [`sheet`] draws some of the cells.

mod looks;
mod measured;
mod sheet;
mod tables;

pub(crate) use measured::CellEvaluation;
