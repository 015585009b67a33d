//! The classes into which a cell network sorts what lies in the middle of its crop.

use serde::{Serialize, Serializer};

/// Class of a single cell, or of something that may be taken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Lymphoblast,
    Lymphocyte,
    ReactiveLymphocyte,
    Monocyte,
    Neutrophil,
    Eosinophil,
    Basophil,
    /// A burst cell, stain precipitate, a clump of platelets, dirt.
    Artefact,
    /// A red cell, a platelet or empty background.
    NotALeukocyte,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Lymphoblast,
        Self::Lymphocyte,
        Self::ReactiveLymphocyte,
        Self::Monocyte,
        Self::Neutrophil,
        Self::Eosinophil,
        Self::Basophil,
        Self::Artefact,
        Self::NotALeukocyte,
    ];

    /// Name in labels and of folders.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lymphoblast => "lymphoblast",
            Self::Lymphocyte => "lymphocyte",
            Self::ReactiveLymphocyte => "reactive_lymphocyte",
            Self::Monocyte => "monocyte",
            Self::Neutrophil => "neutrophil",
            Self::Eosinophil => "eosinophil",
            Self::Basophil => "basophil",
            Self::Artefact => "artefact",
            Self::NotALeukocyte => "not_a_leukocyte",
        }
    }

    /// The kind of a name, or an error that lists the names.
    pub(crate) fn from_name(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name).join(", ");
                format!("`{name}` is no kind; the kinds are {names}")
            })
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
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
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::SmudgeCell
            | Self::BareNucleus
            | Self::Blot
            | Self::Precipitate
            | Self::PlateletClump
            | Self::Bubble => Kind::Artefact,
            Self::RedCell | Self::Platelet | Self::Background => Kind::NotALeukocyte,
        }
    }
}
