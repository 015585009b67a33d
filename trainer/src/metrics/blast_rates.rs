//! How often blasts and other leukocytes are called blasts, for the rule that counts cells.

use std::collections::BTreeMap;

use serde::Serialize;
use smearscope_artifacts::BlastCalls;

use super::called_cell::CalledCell;

/// Fewest blasts, and fewest other leukocytes, that the rates are measured on; a manifest requires as many.
pub(super) const MIN_CELLS: u32 = 20;
/// Correlation of the calls of cells of one group where their variance cannot be measured.
const CORRELATION: f64 = 0.05;

/// Rates of calls, as the rule needs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct BlastRates {
    /// Of blasts.
    pub(crate) sensitivity: BlastCalls,
    /// Of other leukocytes.
    pub(crate) false_positives: BlastCalls,
}

impl BlastRates {
    /// Measures the rates on the leukocytes of known kind that count. Numbers of cells are divided by the design effect
    /// (Kish 1965), because cells of one group resemble each other, and rounded towards more errors. `None` if fewer than 20
    /// blasts or 20 other leukocytes are left, or if all are of one group.
    pub(crate) fn measure(cells: &[&CalledCell]) -> Option<Self> {
        let rate = |is_blast: bool| {
            let counted = cells.iter().filter(|cell| {
                cell.is_known_leukocyte() && cell.call.counts() && cell.is_blast() == is_blast
            });
            let called = counted.map(|cell| (cell.group, cell.is_called_blast()));
            effective(called, is_blast).filter(|independent| independent.of >= MIN_CELLS)
        };
        Some(Self {
            sensitivity: rate(true)?,
            false_positives: rate(false)?,
        })
    }
}

/// Calls of cells, given by group and call, as if the cells were independent; `None` if several are of one group and
/// there is no other one, so that it is not known how much groups differ. Calls of blasts are rounded down, others up.
fn effective(cells: impl Iterator<Item = (usize, bool)>, are_blasts: bool) -> Option<BlastCalls> {
    /// Room for what a product of fractions leaves beside a whole number.
    const ROOM: f64 = 1e-9;

    let mut groups: BTreeMap<usize, [usize; 2]> = BTreeMap::new();
    for (group, is_called) in cells {
        let [called, of] = groups.entry(group).or_default();
        *called += usize::from(is_called);
        *of += 1;
    }
    let [called, of] = groups
        .values()
        .fold([0, 0], |sum, group| [sum[0] + group[0], sum[1] + group[1]]);
    if groups.len() == 1 && of > 1 {
        return None;
    }
    let (rate, all) = (called as f64 / of as f64, of as f64);
    let left = (all / design_effect(groups.values(), rate, all) + ROOM).floor();
    let called = if are_blasts {
        (rate * left + ROOM).floor()
    } else {
        (rate * left - ROOM).ceil()
    };
    Some(BlastCalls {
        called: called.clamp(0.0, left) as u32,
        of: left as u32,
    })
}

/// Variance of the rate between groups relative to that of independent cells, at least 1: the ratio estimator's of
/// Cochran 1977, "Sampling Techniques", chapter 9. Where the calls do not vary, it is that of an intracluster correlation
/// of 0.05 (Kish 1965). 1 if each cell is a group of its own.
fn design_effect<'a>(
    groups: impl ExactSizeIterator<Item = &'a [usize; 2]>,
    rate: f64,
    cells: f64,
) -> f64 {
    let count = groups.len() as f64;
    let independent = cells * rate * (1.0 - rate);
    if count >= cells {
        return 1.0;
    }
    if independent <= 0.0 {
        let squares: f64 = groups.map(|[_, of]| (*of as f64).powi(2)).sum();
        return 1.0 + (squares / cells - 1.0) * CORRELATION;
    }
    let squares: f64 = groups
        .map(|[called, of]| (*called as f64 - rate * *of as f64).powi(2))
        .sum();
    (count / (count - 1.0) * squares / independent).max(1.0)
}

#[cfg(test)]
mod tests {
    use smearscope_artifacts::CellCall;

    use super::*;
    use crate::cell_kind::CellKind;

    /// Cells of a kind, by group, number and how many are called blasts.
    fn cells(kind: CellKind, groups: &[(usize, usize, usize)]) -> Vec<CalledCell> {
        let cell = |group: usize, is_called: bool| {
            let call = if is_called {
                CellCall::Blast
            } else {
                CellCall::OtherLeukocyte
            };
            CalledCell::example(kind, group, call)
        };
        groups
            .iter()
            .flat_map(|&(group, of, called)| (0..of).map(move |at| cell(group, at < called)))
            .collect()
    }

    #[test]
    fn leukocytes_of_known_kind_that_count_are_measured() {
        // Each cell is a group of its own.
        let single = |kind, first: usize, of: usize, called: usize| {
            let groups: Vec<_> = (0..of)
                .map(|at| (first + at, 1, usize::from(at < called)))
                .collect();
            cells(kind, &groups)
        };
        let mut all = single(CellKind::Lymphoblast, 0, 40, 36);
        all.extend(single(CellKind::Monocyte, 100, 30, 2));
        all.extend(single(CellKind::Lymphocyte, 200, 30, 1));
        // None of these is measured.
        all.extend(single(CellKind::Leukocyte, 300, 9, 9));
        all.extend(single(CellKind::Artefact, 400, 9, 9));
        all.push(CalledCell::example(CellKind::Monocyte, 0, CellCall::Novel));
        let rates = BlastRates::measure(&all.iter().collect::<Vec<_>>()).unwrap();
        let calls = |called, of| BlastCalls { called, of };
        assert_eq!(rates.sensitivity, calls(36, 40));
        assert_eq!(rates.false_positives, calls(3, 60));
        // 19 blasts are too few.
        assert_eq!(
            BlastRates::measure(&all[21..].iter().collect::<Vec<_>>()),
            None
        );
        assert_eq!(BlastRates::measure(&[]), None);
    }

    #[test]
    fn cells_that_resemble_each_other_count_less() {
        // Four groups of 25 with 25, 25, 20 and 10 calls: the rate is 0.8, the squares are 25 + 25 + 0 + 100 = 150, and
        // 4/3 · 150 / (100 · 0.16) is 12.5.
        let blasts = cells(
            CellKind::Lymphoblast,
            &[(1, 25, 25), (2, 25, 25), (3, 25, 20), (4, 25, 10)],
        );
        let of = |cells: &[CalledCell], are_blasts: bool| {
            let calls = cells.iter();
            effective(
                calls.map(|cell| (cell.group, cell.is_called_blast())),
                are_blasts,
            )
        };
        let calls = |called, of| Some(BlastCalls { called, of });
        // 100 / 12.5 cells with 0.8 of calls: 6.4 of 8.
        assert_eq!(of(&blasts, true), calls(6, 8));
        assert_eq!(of(&blasts, false), calls(7, 8));
        // Groups that are alike leave all cells.
        let alike = cells(CellKind::Lymphoblast, &[(1, 25, 20), (2, 25, 20)]);
        assert_eq!(of(&alike, true), calls(40, 50));
        // Calls that do not vary: 1 + (1250 / 50 − 1) · 0.05 is 2.2.
        let all = cells(CellKind::Lymphoblast, &[(1, 25, 25), (2, 25, 25)]);
        assert_eq!(of(&all, true), calls(22, 22));
        let none = cells(CellKind::Monocyte, &[(1, 25, 0), (2, 25, 0)]);
        assert_eq!(of(&none, false), calls(0, 22));
        // One patient says nothing about others, however many cells there are.
        assert_eq!(
            of(&cells(CellKind::Lymphoblast, &[(1, 800, 700)]), true),
            None
        );
    }
}
