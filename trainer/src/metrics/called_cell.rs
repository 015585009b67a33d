//! A labelled cell and what a model calls it.

use smearscope_artifacts::CellCall;

use crate::cell_kind::CellKind;

/// A labelled cell that a model looked at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CalledCell {
    /// What it is, by its label.
    pub(crate) kind: CellKind,
    /// Cells of one group are not independent.
    pub(crate) group: usize,
    pub(crate) call: CellCall,
    /// The name of the class whose probability is largest.
    pub(crate) class: String,
    /// Calibrated probability of a blast, 0 to 1.
    pub(crate) blast_probability: f32,
}

impl CalledCell {
    pub(crate) fn is_blast(&self) -> bool {
        self.kind == CellKind::Lymphoblast
    }

    pub(crate) fn is_called_blast(&self) -> bool {
        self.call == CellCall::Blast
    }

    /// Whether it is a leukocyte, of which it is known whether it is a blast.
    pub(crate) fn is_known_leukocyte(&self) -> bool {
        self.kind.is_leukocyte() && self.kind != CellKind::Leukocyte
    }

    /// What it is called: its class, `novel` or `contradictory`.
    pub(crate) fn called(&self) -> &str {
        match self.call {
            CellCall::Blast | CellCall::OtherLeukocyte | CellCall::Artefact => &self.class,
            call @ (CellCall::Novel | CellCall::Contradictory) => call.name(),
        }
    }

    /// A cell that is called what it is, or the other thing.
    #[cfg(test)]
    pub(super) fn example(kind: CellKind, group: usize, call: CellCall) -> Self {
        let is_called_blast = call == CellCall::Blast;
        Self {
            kind,
            group,
            call,
            class: if is_called_blast {
                "lymphoblast".into()
            } else {
                "lymphocyte".into()
            },
            blast_probability: f32::from(u8::from(is_called_blast)),
        }
    }
}
