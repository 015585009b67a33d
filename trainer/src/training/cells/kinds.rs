//! The kinds of cells that a network tells apart, and what a cell of each kind teaches it.

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

/// What a cell teaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lesson {
    /// For each class, whether the cell may be of it.
    pub(crate) truth: Vec<bool>,
    /// For each class, whether the cell is told apart from it; those of `truth` are among them.
    pub(crate) among: Vec<bool>,
}

impl Lesson {
    /// The class of the cell; `None` if it may be of several.
    pub(crate) fn class(&self) -> Option<usize> {
        let mut classes = (0..self.truth.len()).filter(|class| self.truth[*class]);
        classes.next().filter(|_| classes.next().is_none())
    }
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

    /// What a cell of a source teaches; `None` if nothing.
    ///
    /// A source says nothing about kinds that it does not have: its cells of known kind are told apart from those that it
    /// has. A leukocyte of unknown kind may be of any class of leukocytes. Red cells and platelets are no leukocytes,
    /// where the network has a class for such places.
    pub(crate) fn lesson(&self, source: usize, kind: CellKind) -> Option<Lesson> {
        let only = |class: usize| (0..self.len()).map(|other| other == class).collect();
        let leukocytes = || (0..self.len()).map(|class| self.is_leukocyte(class));
        match kind {
            CellKind::Leukocyte => Some(Lesson {
                truth: leukocytes().collect(),
                among: vec![true; self.len()],
            }),
            CellKind::Erythrocyte | CellKind::Platelet => {
                let class = self.class(CellKind::NotALeukocyte)?;
                let mut among: Vec<bool> = leukocytes().collect();
                among[class] = true;
                Some(Lesson {
                    truth: only(class),
                    among,
                })
            }
            kind => Some(Lesson {
                truth: only(self.class(kind)?),
                among: self.among[source].clone(),
            }),
        }
    }

    /// Whether a source has blasts and other leukocytes, so that its cells say how well they are told apart.
    pub(crate) fn has_both(&self, source: usize) -> bool {
        let among = &self.among[source];
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

/// Whether the network has a class for cells of this kind where there are some.
fn can_be_a_class(kind: CellKind) -> bool {
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
        let neutrophil = |source| kinds.lesson(source, CellKind::Neutrophil).unwrap();
        assert_eq!(neutrophil(0).truth, [false, false, true, false]);
        assert_eq!(neutrophil(0).among, [false, true, true, false]);
        assert_eq!(neutrophil(1).among, [true, false, true, true]);
        assert_eq!(neutrophil(0).class(), Some(2));
        assert_eq!(kinds.lesson(0, CellKind::Monocyte), None);
        // No class for red cells.
        assert_eq!(kinds.lesson(0, CellKind::Erythrocyte), None);
        assert!(kinds.has_both(1) && !kinds.has_both(0));
    }

    #[test]
    fn leukocytes_of_unknown_kind_and_red_cells_teach_what_is_known_of_them() {
        let cells = [
            CellKind::Lymphoblast,
            CellKind::Lymphocyte,
            CellKind::Artefact,
            CellKind::NotALeukocyte,
        ];
        let kinds = Kinds::of(cells.map(|kind| (0, kind)), 2).unwrap();
        let some_leukocyte = kinds.lesson(1, CellKind::Leukocyte).unwrap();
        assert_eq!(some_leukocyte.truth, [true, true, false, false]);
        assert_eq!(some_leukocyte.among, [true; 4]);
        assert_eq!(some_leukocyte.class(), None);
        // It may well be an artefact, as a clump of platelets is.
        let platelet = kinds.lesson(1, CellKind::Platelet).unwrap();
        assert_eq!(platelet.truth, [false, false, false, true]);
        assert_eq!(platelet.among, [true, true, false, true]);
        assert_eq!(platelet.class(), Some(3));
    }

    #[test]
    fn without_blasts_or_others_nothing_can_be_told_apart() {
        let of = |kinds: &[CellKind]| Kinds::of(kinds.iter().map(|kind| (0, *kind)), 1);
        assert_eq!(of(&[CellKind::Lymphocyte, CellKind::Artefact]), None);
        assert_eq!(of(&[CellKind::Lymphoblast, CellKind::Artefact]), None);
        assert!(of(&[CellKind::Lymphoblast, CellKind::Monocyte]).is_some());
    }
}
