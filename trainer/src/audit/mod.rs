//! Audits: what else than cells could explain a network's figures.
//!
//! Forests and linear rules guess from what sees no cell, or from the network's features, under the protocol by which
//! the network was judged.

mod audited_cell;
mod cells;
mod cross_validation;
mod guessers;
mod margins;
mod shortcuts;
mod sources;

pub(crate) use audited_cell::AuditedCell;
pub(crate) use cells::CellAudit;
pub(crate) use shortcuts::{Audit, Shortcut};
