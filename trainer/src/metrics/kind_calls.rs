//! What cells of each kind are called.

use std::collections::BTreeMap;

use serde::Serialize;
use smearscope_artifacts::Share;

use super::called_cell::CalledCell;
use crate::cell_kind::CellKind;

/// What the cells of one kind are called: a row of the confusion matrix.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct KindCalls {
    /// Number of cells by what they are called.
    pub(crate) called: BTreeMap<String, usize>,
    /// Those that are called blasts.
    pub(crate) blast: Share,
}

impl KindCalls {
    /// The rows of all kinds.
    pub(crate) fn by_kind<'a>(
        cells: impl IntoIterator<Item = &'a CalledCell>,
    ) -> BTreeMap<CellKind, Self> {
        let mut rows: BTreeMap<CellKind, Self> = BTreeMap::new();
        for cell in cells {
            let row = rows.entry(cell.kind).or_default();
            *row.called.entry(cell.called().to_owned()).or_default() += 1;
            row.blast.of += 1;
            row.blast.count += usize::from(cell.is_called_blast());
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use smearscope_artifacts::CellCall;

    use super::*;

    #[test]
    fn rows_count_classes_and_calls() {
        use CellKind::{Artefact, Lymphoblast, Lymphocyte};
        let cells = [
            (Lymphoblast, CellCall::Blast),
            (Lymphoblast, CellCall::Novel),
            (Lymphoblast, CellCall::Contradictory),
            (Lymphoblast, CellCall::OtherLeukocyte),
            (Lymphocyte, CellCall::OtherLeukocyte),
            (Lymphocyte, CellCall::OtherLeukocyte),
            (Artefact, CellCall::Blast),
        ]
        .map(|(kind, call)| CalledCell::example(kind, 0, call));
        let rows = KindCalls::by_kind(&cells);
        let called = |kind: CellKind| -> Vec<(&str, usize)> {
            let called = rows[&kind].called.iter();
            called
                .map(|(name, count)| (name.as_str(), *count))
                .collect()
        };
        assert_eq!(
            called(Lymphoblast),
            [
                ("contradictory", 1),
                ("lymphoblast", 1),
                ("lymphocyte", 1),
                ("novel", 1)
            ]
        );
        assert_eq!(called(Lymphocyte), [("lymphocyte", 2)]);
        assert_eq!(called(Artefact), [("lymphoblast", 1)]);
        assert_eq!(rows[&Lymphoblast].blast, Share { count: 1, of: 4 });
        assert_eq!(rows[&Lymphocyte].blast, Share { count: 0, of: 2 });
    }
}
