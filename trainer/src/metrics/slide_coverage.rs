//! How often the interval of a count contains the true share of blasts, on simulated slides of real cells.

use std::collections::BTreeMap;

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use smearscope_artifacts::{CellCount, CountRule, Share};

use super::blast_rates::{BlastRates, MIN_CELLS};
use super::called_cell::CalledCell;

/// Numbers of cells on a slide.
const CELLS: [u32; 3] = [50, 100, 200];
/// True shares of blasts.
const SHARES: [f64; 5] = [0.0, 0.05, 0.2, 0.5, 0.9];
/// How often the cells are divided; each half of them counts for all slides of a division.
const DIVISIONS: usize = 20;
/// Slides of each number of cells and each share in a division, 2,100 slides in all.
const SLIDES: usize = 7;

/// Slides whose 95 % interval contains the true share of blasts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct SlideCoverage {
    pub(crate) all: Share,
    pub(crate) by_share: Vec<ShareCoverage>,
}

/// The coverage of slides with one true share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct ShareCoverage {
    pub(crate) true_share: f64,
    pub(crate) covered: Share,
}

impl SlideCoverage {
    /// Divides the cells into halves, whole groups each; draws slides with replacement from one half and counts them by
    /// a rule whose rates were measured on the other. Cells that do not count are drawn, too. `None` if a half has fewer
    /// than 20 blasts or 20 other leukocytes, or if its rates do not tell them apart.
    ///
    /// The halves differ in their rates by chance, so that of few cells the coverage comes out somewhat too low.
    pub(crate) fn simulate(cells: &[&CalledCell], seed: u64) -> Option<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut covered = [Share::default(); SHARES.len()];
        for _ in 0..DIVISIONS {
            let [drawn, measured] = halves(cells, &mut rng);
            let rates = BlastRates::measure(&measured)?;
            if rates.sensitivity.rate() <= rates.false_positives.rate() {
                return None;
            }
            // Only its interval is used, which depends on neither share nor number of cells.
            let rule = CountRule {
                share: 0.5,
                min_cells: MIN_CELLS,
                sensitivity: rates.sensitivity,
                false_positives: rates.false_positives,
            };
            let (blasts, others): (Vec<&CalledCell>, Vec<&CalledCell>) =
                drawn.into_iter().partition(|cell| cell.is_blast());
            if blasts.len().min(others.len()) < MIN_CELLS as usize {
                return None;
            }
            for (share, covered) in SHARES.into_iter().zip(&mut covered) {
                for cells in CELLS {
                    for _ in 0..SLIDES {
                        let count = slide(&mut rng, cells, share, [&others, &blasts]);
                        let [low, high] = rule.decide(count).interval;
                        covered.of += 1;
                        covered.count += usize::from((low..=high).contains(&share));
                    }
                }
            }
        }
        let by_share = SHARES.into_iter().zip(covered);
        Some(Self {
            all: covered.iter().fold(Share::default(), |sum, more| Share {
                count: sum.count + more.count,
                of: sum.of + more.of,
            }),
            by_share: by_share
                .map(|(true_share, covered)| ShareCoverage {
                    true_share,
                    covered,
                })
                .collect(),
        })
    }
}

/// The leukocytes of known kind in halves that share no group, with about as many blasts and as many others in each.
fn halves<'a>(cells: &[&'a CalledCell], rng: &mut ChaCha8Rng) -> [Vec<&'a CalledCell>; 2] {
    let mut by_group: BTreeMap<usize, Vec<&CalledCell>> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| cell.is_known_leukocyte()) {
        by_group.entry(cell.group).or_default().push(cell);
    }
    let mut groups: Vec<Vec<&CalledCell>> = by_group.into_values().collect();
    groups.shuffle(rng);
    let mut halves = [Vec::new(), Vec::new()];
    // Numbers of other leukocytes and of blasts.
    let mut counts = [[0_usize; 2]; 2];
    for group in groups {
        let blasts = group.iter().filter(|cell| cell.is_blast()).count();
        let of_group = [group.len() - blasts, blasts];
        // What a group has most of is divided evenly.
        let most = usize::from(2 * blasts >= group.len());
        let half = usize::from(counts[1][most] < counts[0][most]);
        for (count, more) in counts[half].iter_mut().zip(of_group) {
            *count += more;
        }
        halves[half].extend(group);
    }
    halves
}

/// The count of a slide of so many cells, each a blast with probability `share`, from other leukocytes and blasts.
fn slide(
    rng: &mut ChaCha8Rng,
    cells: u32,
    share: f64,
    [others, blasts]: [&[&CalledCell]; 2],
) -> CellCount {
    let mut count = CellCount::default();
    for _ in 0..cells {
        let kind = if rng.random_bool(share) {
            blasts
        } else {
            others
        };
        let Some(cell) = kind.choose(rng) else {
            continue;
        };
        if cell.call.counts() {
            count.cells += 1;
            count.blasts += u32::from(cell.is_called_blast());
        }
        count.unclear += u32::from(cell.call.is_unclear());
    }
    count
}

#[cfg(test)]
mod tests {
    use smearscope_artifacts::CellCall;

    use super::*;
    use crate::cell_kind::CellKind;

    /// Single cells of which these shares are called blasts.
    fn cells(blasts: usize, sensitivity: f64, others: usize, wrong: f64) -> Vec<CalledCell> {
        let of_kind = |kind, count: usize, rate: f64, first: usize| {
            (0..count).map(move |at| {
                let call = if (at as f64) < rate * count as f64 {
                    CellCall::Blast
                } else {
                    CellCall::OtherLeukocyte
                };
                CalledCell::example(kind, first + at, call)
            })
        };
        of_kind(CellKind::Lymphoblast, blasts, sensitivity, 0)
            .chain(of_kind(CellKind::Lymphocyte, others, wrong, blasts))
            .collect()
    }

    fn simulate(cells: &[CalledCell]) -> Option<SlideCoverage> {
        SlideCoverage::simulate(&cells.iter().collect::<Vec<_>>(), 1)
    }

    #[test]
    fn intervals_of_known_rates_contain_the_share() {
        let coverage = simulate(&cells(800, 0.9, 2000, 0.03)).unwrap();
        assert_eq!(coverage.all.of, 2100);
        // Meant for 95 % and conservative at small shares. Both halves have rates of their own, so it may be a
        // little less; and 2,100 slides have a standard error of half a percent.
        let covered = coverage.all.value().unwrap();
        assert!((0.93..0.99).contains(&covered), "{coverage:?}");
        let true_shares: Vec<f64> = coverage.by_share.iter().map(|row| row.true_share).collect();
        assert_eq!(true_shares, SHARES);
        assert!(coverage.by_share.iter().all(|row| row.covered.of == 420));
    }

    #[test]
    fn too_few_cells_and_blind_calls_have_no_coverage() {
        assert_eq!(simulate(&cells(39, 0.9, 2000, 0.03)), None);
        assert_eq!(simulate(&cells(800, 0.9, 39, 0.03)), None);
        assert_eq!(simulate(&cells(800, 0.03, 2000, 0.5)), None);
        // One patient with all blasts.
        let mut one = cells(800, 0.9, 2000, 0.03);
        for cell in &mut one {
            cell.group = usize::from(cell.is_blast());
        }
        assert_eq!(simulate(&one), None);
    }
}
