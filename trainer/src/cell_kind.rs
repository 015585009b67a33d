//! Kinds of cells, in the words that labels, data sets and networks share.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What a cell is, or what was taken for one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum,
)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(crate) enum CellKind {
    Lymphoblast,
    Lymphocyte,
    ReactiveLymphocyte,
    Monocyte,
    Neutrophil,
    Eosinophil,
    Basophil,
    /// A smudge cell, stain precipitate, a clump of platelets, dirt.
    Artefact,
    /// Something in the place of a cell that is neither a leukocyte nor an artefact.
    NotALeukocyte,
    /// A leukocyte of unknown kind.
    Leukocyte,
    /// A red cell.
    Erythrocyte,
    Platelet,
}

impl CellKind {
    /// Its name in files.
    pub(crate) const fn name(self) -> &'static str {
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
            Self::Leukocyte => "leukocyte",
            Self::Erythrocyte => "erythrocyte",
            Self::Platelet => "platelet",
        }
    }

    /// All kinds.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::value_variants().iter().copied()
    }

    /// The names of all kinds.
    pub(crate) fn names() -> Vec<&'static str> {
        Self::all().map(Self::name).collect()
    }

    /// The kind with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::from_str(name, false).ok()
    }

    /// Whether it is a white cell, of known kind or not.
    pub(crate) fn is_leukocyte(self) -> bool {
        match self {
            Self::Lymphoblast
            | Self::Lymphocyte
            | Self::ReactiveLymphocyte
            | Self::Monocyte
            | Self::Neutrophil
            | Self::Eosinophil
            | Self::Basophil
            | Self::Leukocyte => true,
            Self::Artefact | Self::NotALeukocyte | Self::Erythrocyte | Self::Platelet => false,
        }
    }
}

impl fmt::Display for CellKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_commands_use_the_same_names() {
        assert_eq!(CellKind::names().len(), 12);
        for kind in CellKind::value_variants() {
            let name = kind.name();
            assert_eq!(serde_json::to_value(kind).unwrap(), *name);
            assert_eq!(CellKind::named(name), Some(*kind));
        }
        assert_eq!(CellKind::ReactiveLymphocyte.name(), "reactive_lymphocyte");
        assert_eq!(CellKind::named("Lymphocyte"), None);
    }
}
