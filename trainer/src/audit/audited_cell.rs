//! One cell as an audit sees it.

use crate::cell_kind::CellKind;

/// A labelled cell that a network looked at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AuditedCell {
    /// Index of the source of its picture.
    pub(crate) source: usize,
    /// Whether a program drew it.
    pub(crate) is_drawn: bool,
    pub(crate) kind: CellKind,
    /// Index of its group; groups are not separated.
    pub(crate) group: usize,
    /// What its picture looks like where the cell is not, as [`look_of_margin`](crate::dataset::look_of_margin)
    /// measures it.
    pub(crate) border: Vec<f32>,
    /// The network's features.
    pub(crate) features: Vec<f32>,
    /// The network's probability of a blast, if it can name the cell.
    pub(crate) blast: Option<f32>,
}
