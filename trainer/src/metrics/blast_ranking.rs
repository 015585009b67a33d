//! How well the probability of a blast ranks blasts above other leukocytes.

use std::collections::BTreeMap;

use super::bootstrap::group_bootstrap;
use super::called_cell::CalledCell;
use super::ranking::auroc;
use crate::cell_kind::CellKind;

/// What blasts are compared with: all other leukocytes of known kind, or those of one kind.
const COMPARED: [(&str, Option<CellKind>); 4] = [
    ("blast_auroc", None),
    ("blast_auroc_lymphocyte", Some(CellKind::Lymphocyte)),
    ("blast_auroc_monocyte", Some(CellKind::Monocyte)),
    (
        "blast_auroc_reactive_lymphocyte",
        Some(CellKind::ReactiveLymphocyte),
    ),
];

/// Areas under the ROC curve of the calibrated probability of a blast, by name, without those that are undefined because
/// there are no such cells. Every leukocyte of known kind counts, whatever it is called.
pub(crate) fn blast_aurocs(cells: &[&CalledCell]) -> BTreeMap<String, f64> {
    let area = |against: Option<CellKind>| {
        let scores: Vec<(f32, bool)> = cells
            .iter()
            .filter(|cell| {
                cell.is_blast()
                    || cell.is_known_leukocyte() && against.is_none_or(|kind| cell.kind == kind)
            })
            .map(|cell| (cell.blast_probability, cell.is_blast()))
            .collect();
        auroc(&scores)
    };
    COMPARED
        .into_iter()
        .filter_map(|(name, against)| Some((name.to_owned(), area(against)?)))
        .collect()
}

/// 95 % intervals of [`blast_aurocs`], by groups of cells; empty for a single group.
pub(crate) fn blast_auroc_intervals(
    cells: &[&CalledCell],
    seed: u64,
) -> BTreeMap<String, [f64; 2]> {
    group_bootstrap(cells, |cell| cell.group, blast_aurocs, seed)
}

#[cfg(test)]
mod tests {
    use smearscope_artifacts::CellCall;

    use super::*;

    fn cells() -> Vec<CalledCell> {
        use CellKind::{Artefact, Leukocyte, Lymphoblast, Lymphocyte, Monocyte, Neutrophil};
        [
            (Lymphoblast, 0.9),
            (Lymphoblast, 0.8),
            (Lymphoblast, 0.35),
            (Lymphocyte, 0.1),
            (Lymphocyte, 0.4),
            (Lymphocyte, 0.8),
            (Monocyte, 0.6),
            (Monocyte, 0.2),
            (Neutrophil, 0.01),
            // Neither counts.
            (Leukocyte, 0.95),
            (Artefact, 0.99),
        ]
        .into_iter()
        .enumerate()
        .map(|(group, (kind, blast_probability))| CalledCell {
            blast_probability,
            ..CalledCell::example(kind, group, CellCall::Novel)
        })
        .collect()
    }

    #[test]
    fn areas_are_those_of_scikit_learn() {
        let cells = cells();
        let areas = blast_aurocs(&cells.iter().collect::<Vec<_>>());
        // roc_auc_score([1, 1, 1, 0, 0, 0], [.9, .8, .35, .1, .4, .8]), and so on; fractions of small counts.
        let expected = [
            ("blast_auroc", 14.5 / 18.0),
            ("blast_auroc_lymphocyte", 6.5 / 9.0),
            ("blast_auroc_monocyte", 5.0 / 6.0),
        ];
        assert_eq!(areas.len(), expected.len(), "{areas:?}");
        for (name, expected) in expected {
            assert!((areas[name] - expected).abs() < 1e-12, "{name}: {areas:?}");
        }
    }

    #[test]
    fn intervals_contain_the_areas() {
        let cells = cells();
        let cells: Vec<&CalledCell> = cells.iter().collect();
        let intervals = blast_auroc_intervals(&cells, 1);
        for (name, area) in blast_aurocs(&cells) {
            let [low, high] = intervals[&name];
            assert!(low < area && area < high, "{name}: {low} {area} {high}");
        }
        assert!(blast_auroc_intervals(&cells[..1], 1).is_empty());
    }
}
