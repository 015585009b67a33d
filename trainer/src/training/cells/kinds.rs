//! The kinds of cells that a network tells apart.

use std::collections::BTreeSet;

use smearscope_artifacts::CellClass;

use crate::cell_kind::CellKind;

/// The classes of a cell network, and which of them each source has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kinds {
    /// In the order of the network's outputs.
    classes: Vec<CellKind>,
    blast: usize,
    /// For each source and class, whether the source has cells of it.
    among: Vec<Vec<bool>>,
}

impl Kinds {
    /// The kinds of training cells, given by source and kind, out of so many sources. `None` if there are no blasts,
    /// or no other leukocytes.
    pub(crate) fn of(
        cells: impl IntoIterator<Item = (usize, CellKind)>,
        sources: usize,
    ) -> Option<Self> {
        let cells: BTreeSet<(usize, CellKind)> = cells
            .into_iter()
            .filter(|(_, kind)| can_be_a_class(*kind))
            .collect();
        let classes: BTreeSet<CellKind> = cells.iter().map(|(_, kind)| *kind).collect();
        let classes: Vec<CellKind> = classes.into_iter().collect();
        let blast = classes
            .iter()
            .position(|kind| *kind == CellKind::Lymphoblast)?;
        let has_others = classes
            .iter()
            .any(|kind| kind.is_leukocyte() && *kind != CellKind::Lymphoblast);
        let among = (0..sources)
            .map(|source| {
                let has = |kind: &CellKind| cells.contains(&(source, *kind));
                classes.iter().map(has).collect()
            })
            .collect();
        has_others.then_some(Self {
            classes,
            blast,
            among,
        })
    }

    /// Number of classes.
    pub(crate) fn len(&self) -> usize {
        self.classes.len()
    }

    /// The index of a kind; `None` if it has no class.
    pub(crate) fn class(&self, kind: CellKind) -> Option<usize> {
        self.classes.iter().position(|class| *class == kind)
    }

    /// The index of blasts.
    pub(crate) fn blast(&self) -> usize {
        self.blast
    }

    /// Whether the cells of a class are leukocytes.
    pub(crate) fn is_leukocyte(&self, class: usize) -> bool {
        self.classes[class].is_leukocyte()
    }

    /// For each class, whether a source has cells of it.
    pub(crate) fn among(&self, source: usize) -> &[bool] {
        &self.among[source]
    }

    /// Whether a source has blasts and other leukocytes, so that its cells say how well they are told apart.
    pub(crate) fn has_both(&self, source: usize) -> bool {
        let among = self.among(source);
        let other = |class: usize| class != self.blast && among[class] && self.is_leukocyte(class);
        among[self.blast] && (0..self.len()).any(other)
    }

    /// The classes as the manifest names them.
    pub(crate) fn manifest(&self) -> Vec<CellClass> {
        self.classes
            .iter()
            .map(|kind| CellClass {
                name: kind.name().into(),
                blast: *kind == CellKind::Lymphoblast,
                leukocyte: kind.is_leukocyte(),
            })
            .collect()
    }
}

/// Whether cells of this kind are told from others. Red cells and platelets are to the network what else is no
/// leukocyte, and a leukocyte of unknown kind is of none.
pub(crate) fn can_be_a_class(kind: CellKind) -> bool {
    !matches!(
        kind,
        CellKind::Leukocyte | CellKind::Erythrocyte | CellKind::Platelet
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_the_kinds_that_there_are() {
        let cells = [
            (0, CellKind::Neutrophil),
            (0, CellKind::Lymphocyte),
            (1, CellKind::Lymphoblast),
            (1, CellKind::Neutrophil),
            (1, CellKind::Artefact),
            (0, CellKind::Erythrocyte),
        ];
        let kinds = Kinds::of(cells, 3).unwrap();
        let manifest = kinds.manifest();
        let names: Vec<&str> = manifest.iter().map(|class| class.name.as_str()).collect();
        assert_eq!(
            names,
            ["lymphoblast", "lymphocyte", "neutrophil", "artefact"]
        );
        assert_eq!(kinds.blast(), 0);
        assert!(manifest[0].blast && !manifest[3].leukocyte && manifest[2].leukocyte);
        assert_eq!(kinds.among(0), [false, true, true, false]);
        assert_eq!(kinds.among(1), [true, false, true, true]);
        assert_eq!(kinds.among(2), [false; 4]);
        assert!(kinds.has_both(1) && !kinds.has_both(0));
    }

    #[test]
    fn without_blasts_or_others_nothing_can_be_told_apart() {
        let of = |kinds: &[CellKind]| Kinds::of(kinds.iter().map(|kind| (0, *kind)), 1);
        assert_eq!(of(&[CellKind::Lymphocyte, CellKind::Artefact]), None);
        assert_eq!(of(&[CellKind::Lymphoblast, CellKind::Artefact]), None);
        assert!(of(&[CellKind::Lymphoblast, CellKind::Monocyte]).is_some());
    }
}
