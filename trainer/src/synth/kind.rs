//! The kinds of cells that are drawn, and what may be taken for one.

use serde::Serialize;

use crate::cell_kind::CellKind;

/// The kinds that are drawn, in the order in which files list them.
pub(crate) const DRAWN_KINDS: [CellKind; 9] = [
    CellKind::Lymphoblast,
    CellKind::Lymphocyte,
    CellKind::ReactiveLymphocyte,
    CellKind::Monocyte,
    CellKind::Neutrophil,
    CellKind::Eosinophil,
    CellKind::Basophil,
    CellKind::Artefact,
    CellKind::NotALeukocyte,
];

/// The drawn kind of a name, or an error that lists the names.
pub(crate) fn drawn_kind(name: &str) -> Result<CellKind, String> {
    DRAWN_KINDS
        .into_iter()
        .find(|kind| kind.name() == name)
        .ok_or_else(|| {
            let names = DRAWN_KINDS.map(CellKind::name).join(", ");
            format!("`{name}` is no kind; the kinds are {names}")
        })
}

/// What a crop of a kind without a white cell shows in its middle, or what lies in a field and may
/// be taken for a white cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Lookalike {
    /// A burst cell: a pale streaky blot of chromatin.
    SmudgeCell,
    /// A nucleus that lost its cytoplasm.
    BareNucleus,
    /// A blot of dye or dirt.
    Blot,
    /// A heap of grains of dye.
    Precipitate,
    PlateletClump,
    Bubble,
    RedCell,
    Platelet,
    Background,
}

impl Lookalike {
    /// The class of a crop with it in the middle.
    pub(crate) fn kind(self) -> CellKind {
        match self {
            Self::SmudgeCell
            | Self::BareNucleus
            | Self::Blot
            | Self::Precipitate
            | Self::PlateletClump
            | Self::Bubble => CellKind::Artefact,
            Self::RedCell | Self::Platelet | Self::Background => CellKind::NotALeukocyte,
        }
    }
}
