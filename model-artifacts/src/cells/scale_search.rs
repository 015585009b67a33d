//! Which scale the red cells of a field of unknown scale fit to.
//!
//! At any scale the finder takes something for red cells: parts of them where the field seems too fine, clumps where it
//! seems too coarse. What it measures then agrees with whatever scale was tried. Around the true scale it does not: there
//! the finder is surer, and the diameters of real cells stay the same under several scales. So the scale is where the
//! measured one meets the one tried; of several such places, the one where the finder is surest and trying another scale
//! changes least.

use super::ruler::{Look, ScaleUnknown};

/// Scales that are tried, µm per pixel, the finest first, each 1.69 times the one before.
pub(super) const TRIED: [f32; 7] = [0.03, 0.0507, 0.0857, 0.145, 0.245, 0.414, 0.7];
/// What the mean score of red cells counts against the change with the tried scale.
const SCORE_WEIGHT: f32 = 4.0;
/// Change of the measured scale with the tried one, as a power, above which there are no red cells.
const MAX_CHANGE: f32 = 0.75;
/// Largest factor between the scale of a look and the one that it measures.
const AGREEMENT: f32 = 1.1;

/// Where the measured scale meets the tried one, between two looks.
#[derive(Debug, Clone, Copy)]
struct Crossing {
    um_per_pixel: f32,
    /// Change of the logarithm of the measured scale by that of the tried one.
    change: f32,
    score: f32,
}

impl Crossing {
    fn between(tried: [f32; 2], looks: [Look; 2]) -> Option<Self> {
        let tried = tried.map(f32::ln);
        let measured = looks.map(|look| look.measured.ln());
        let [below, above] = [measured[0] - tried[0], measured[1] - tried[1]];
        if below < 0.0 || above > 0.0 || below - above <= 0.0 {
            return None;
        }
        let step = tried[1] - tried[0];
        let share = below / (below - above);
        Some(Self {
            um_per_pixel: (tried[0] + share * step).exp(),
            change: (measured[1] - measured[0]) / step,
            score: looks[0].score + share * (looks[1].score - looks[0].score),
        })
    }

    fn penalty(&self) -> f32 {
        self.change.abs() - SCORE_WEIGHT * self.score
    }
}

/// The scale that looks at all tried ones point to, µm per pixel; `None` is a look without red cells.
///
/// # Errors
/// - [`ScaleUnknown::TooFew`] if no two neighbouring scales show as many red cells as are needed.
/// - [`ScaleUnknown::Unsteady`] if their red cells fit to no scale more than to another.
pub(super) fn best(looks: &[Option<Look>; TRIED.len()], needed: u32) -> Result<f32, ScaleUnknown> {
    let pairs: Vec<(usize, [Look; 2])> = (1..TRIED.len())
        .filter_map(|at| Some((at, [looks[at - 1]?, looks[at]?])))
        .collect();
    let cells = |looks: &[Look; 2]| looks[0].cells.min(looks[1].cells);
    let found = pairs.iter().map(|(_, looks)| cells(looks)).max();
    if found.is_none_or(|found| found < needed) {
        return Err(ScaleUnknown::TooFew {
            found: found.unwrap_or_default(),
            needed,
        });
    }
    let crossings = pairs
        .iter()
        .filter(|(_, looks)| cells(looks) >= needed)
        .filter_map(|(at, looks)| Crossing::between([TRIED[at - 1], TRIED[*at]], *looks));
    crossings
        .filter(|crossing| crossing.change.abs() <= MAX_CHANGE)
        .min_by(|a, b| a.penalty().total_cmp(&b.penalty()))
        .map(|crossing| crossing.um_per_pixel)
        .ok_or(ScaleUnknown::Unsteady)
}

/// Whether the scale that a look measures is about the one it was taken at, so that its cells were seen at about their size.
pub(super) fn agree(measured: f32, looked: f32) -> bool {
    (AGREEMENT.recip()..=AGREEMENT).contains(&(measured / looked))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A finder that sees red cells of `truth` and measures them a fifth of the way towards the tried scale; elsewhere
    /// it measures what is tried.
    fn looks(truth: f32, cells: u32) -> [Option<Look>; TRIED.len()] {
        TRIED.map(|tried| {
            let is_near = (tried / truth).ln().abs() < 0.8;
            Some(if is_near {
                Look {
                    cells,
                    score: 0.6,
                    measured: truth * (tried / truth).powf(0.2),
                }
            } else {
                Look {
                    cells: 90,
                    score: 0.4,
                    // A little towards 0.3, so that there is a wrong crossing.
                    measured: 0.3 * (tried / 0.3_f32).powf(0.95),
                }
            })
        })
    }

    #[test]
    fn the_scale_of_red_cells_is_found_among_wrong_ones() {
        for truth in [0.04, 0.07, 0.1, 0.2, 0.35] {
            let found = best(&looks(truth, 12), 10).unwrap();
            assert!((found / truth - 1.0).abs() < 1e-3, "{found} {truth}");
        }
    }

    #[test]
    fn what_moves_against_the_tried_scale_is_no_red_cell() {
        let mut looks = looks(0.2, 12);
        for (at, measured) in [(0, 0.09), (1, 0.02)] {
            looks[at] = Some(Look {
                cells: 40,
                score: 0.4,
                measured,
            });
        }
        let found = best(&looks, 10).unwrap();
        assert!((found / 0.2 - 1.0).abs() < 1e-3, "{found}");
    }

    #[test]
    fn what_fits_to_every_scale_gives_none() {
        let parts = TRIED.map(|tried| {
            Some(Look {
                cells: 50,
                score: 0.45,
                measured: 0.2 * (tried / 0.2_f32).powf(0.8),
            })
        });
        assert_eq!(best(&parts, 10).unwrap_err(), ScaleUnknown::Unsteady);
        let few = ScaleUnknown::TooFew {
            found: 50,
            needed: 51,
        };
        assert_eq!(best(&parts, 51).unwrap_err(), few);
        let none = ScaleUnknown::TooFew {
            found: 0,
            needed: 10,
        };
        assert_eq!(best(&[None; TRIED.len()], 10).unwrap_err(), none);
        // Measured at one scale only.
        let mut alone = [None; TRIED.len()];
        alone[2] = parts[2];
        assert_eq!(best(&alone, 10).unwrap_err(), none);
    }

    #[test]
    fn a_last_look_must_agree() {
        assert!(agree(0.108, 0.1) && agree(0.092, 0.1));
        for other in [0.112, 0.09, 0.0, f32::NAN] {
            assert!(!agree(other, 0.1), "{other}");
        }
    }
}
