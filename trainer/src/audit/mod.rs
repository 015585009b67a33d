//! Audits: what else than cells could explain a network's figures.
//!
//! Forests and linear rules guess from what sees no cell, or from the network's features, under the protocol by which
//! the network was judged.

mod audited_cell;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the command that audits cells is not written yet")
)]
mod cells;
mod cross_validation;
mod guessers;
mod margins;
mod shortcuts;
mod sources;

#[expect(
    unused_imports,
    reason = "the command that audits cells is not written yet"
)]
pub(crate) use audited_cell::AuditedCell;
#[expect(
    unused_imports,
    reason = "the command that audits cells is not written yet"
)]
pub(crate) use cells::CellAudit;
pub(crate) use shortcuts::{Audit, Shortcut};
