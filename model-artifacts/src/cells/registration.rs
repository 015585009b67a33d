//! How far the stage moved between two fields of a slide, by the constellation of their red cells.

use std::f64::consts::PI;

/// Significance of a shift: how rarely cells that have nothing to do with each other are to agree on any.
const CHANCE: f64 = 1e-3;
/// Least share of the cells in the common part that must agree; the finder misses some in either field.
const LEAST_SHARE: f64 = 0.4;
/// Most cells of the first field that vote.
const MOST_VOTERS: usize = 200;
/// Most bins of votes; larger fields get larger bins.
const MOST_BINS: f32 = 1e6;
/// Largest distance from a shift, in radii, at which pairs tell how many agree by chance.
const AROUND: f32 = 8.0;

/// What is added to a place in the first field to get the same place in the second, in pixels, if the red cells of two fields of
/// these sizes and the same scale, the surest first, show that they have a part in common.
///
/// Each pair of cells votes for the shift that would make them one. Around the shift with most votes for the size of the common
/// part, its cells are matched one to one within `radius`. The shift counts if so many would agree on it less than once in a
/// thousand pairs of fields, were their cells independent: by Chernoff's bound, for as many trials as there are shifts, with the
/// chance of a match that the pairs around that shift have.
pub(super) fn find_shift(
    first: &[[f32; 2]],
    second: &[[f32; 2]],
    sizes: [[f32; 2]; 2],
    radius: f32,
) -> Option<[f32; 2]> {
    let first = &first[..first.len().min(MOST_VOTERS)];
    let mut second = second.to_vec();
    second.sort_unstable_by(|a, b| a[1].total_cmp(&b[1]));
    let second = &*second;
    let [of_first, of_second] = sizes;
    let size = [0, 1].map(|axis| of_first[axis].max(of_second[axis]));
    let bin = radius.max((4.0 * size[0] * size[1] / MOST_BINS).sqrt());
    let start = most_votes(first, second, size, bin)?;
    // The mean of the pairs within a bin's diagonal, then of those within the radius.
    let by = mean_shift(first, second, start, 1.5 * bin)?;
    let by = mean_shift(first, second, by, radius)?;
    let is_common = |cell: &&[f32; 2]| {
        (0..2).all(|axis| (0.0..=of_second[axis]).contains(&(cell[axis] + by[axis])))
    };
    let common = first.iter().filter(is_common).count();
    let matches = matched(first, second, by, radius);
    let near = pairs_within(first, second, by, AROUND * radius).saturating_sub(pairs_within(
        first,
        second,
        by,
        2.0 * radius,
    ));
    let area = f64::from(AROUND.powi(2) - 2.0_f32.powi(2));
    let nearby = near as f64 / (common.max(1) as f64 * area);
    let density = second.len() as f64 / f64::from(of_second[0] * of_second[1]);
    let anywhere = density * PI * f64::from(radius).powi(2);
    let by_chance = 1.0 - (-nearby.max(anywhere)).exp();
    // One of the matches is what the shift was made of.
    let [others, trials] = [matches, common].map(|count| count.saturating_sub(1));
    let shifts = f64::from(4.0 * size[0] * size[1] / radius.powi(2)).max(1.0);
    let is_more_than_chance = log_tail(others, trials, by_chance) < CHANCE.ln() - shifts.ln();
    (is_more_than_chance && matches as f64 >= LEAST_SHARE * common as f64).then_some(by)
}

/// The middle of the four neighbouring bins of this width that have most votes more than by chance. `second` is sorted by y.
fn most_votes(
    first: &[[f32; 2]],
    second: &[[f32; 2]],
    size: [f32; 2],
    bin: f32,
) -> Option<[f32; 2]> {
    let [columns, rows] = size.map(|side| (2.0 * side / bin).ceil() as usize + 1);
    // By chance, a shift gets the more votes, the larger the common part is.
    let pairs_per_area = first.len() as f32 * second.len() as f32 / (size[0] * size[1]);
    let middle = |at: usize, axis: usize| (at + 1) as f32 * bin - size[axis];
    let excess = |votes: u16, column: usize, row: usize| -> f32 {
        let common: f32 = [(column, 0), (row, 1)]
            .map(|(at, axis)| (1.0 - middle(at, axis).abs() / size[axis]).max(0.0))
            .iter()
            .product();
        let expected = pairs_per_area * common * (2.0 * bin).powi(2);
        (f32::from(votes) - expected) / (1.0 + expected).sqrt()
    };
    // In bins, so that the shift of a pair is their difference.
    let in_bins = |cells: &[[f32; 2]], from: [f32; 2]| -> Vec<[f32; 2]> {
        let cells = cells.iter();
        cells
            .map(|cell| [0, 1].map(|axis| (cell[axis] - from[axis]) / bin))
            .collect()
    };
    let (first, second) = (in_bins(first, size), in_bins(second, [0.0; 2]));
    // A row of bins at a time, which stays in a processor's cache. For each of the first cells, those of the second that have
    // not voted with it yet.
    let mut waiting = vec![&*second; first.len()];
    let (mut above, mut votes) = (vec![0_u16; columns], vec![0_u16; columns]);
    let mut fours = vec![0_u16; columns - 1];
    let mut best = (f32::NEG_INFINITY, None);
    for row in 0..rows {
        std::mem::swap(&mut above, &mut votes);
        votes.fill(0);
        for (a, waiting) in first.iter().zip(&mut waiting) {
            let end = a[1] + (row + 1) as f32;
            while let Some((b, rest)) = waiting.split_first().filter(|(b, _)| b[1] < end) {
                let column = (b[0] - a[0]).max(0.0) as u32;
                if let Some(vote) = votes.get_mut(column as usize) {
                    *vote = vote.saturating_add(1);
                }
                *waiting = rest;
            }
        }
        // The true shift may lie at the edge of a bin.
        let pairs = above.windows(2).zip(votes.windows(2));
        for (four, (above, below)) in fours.iter_mut().zip(pairs) {
            *four = above[0]
                .saturating_add(above[1])
                .saturating_add(below[0])
                .saturating_add(below[1]);
        }
        if row == 0 {
            continue;
        }
        for (column, four) in fours.iter().enumerate() {
            // No excess is larger than the votes.
            if f32::from(*four) >= best.0 {
                let excess = excess(*four, column, row - 1);
                if excess >= best.0 {
                    best = (excess, Some([middle(column, 0), middle(row - 1, 1)]));
                }
            }
        }
    }
    best.1
}

/// The cells that may be within `reach` of a place, of cells that are sorted by y.
fn near(
    sorted: &[[f32; 2]],
    [_, y]: [f32; 2],
    reach: f32,
) -> impl Iterator<Item = (usize, [f32; 2])> {
    // A little more, because the exact distance may be rounded.
    let reach = reach + 1.0;
    let first = sorted.partition_point(|cell| cell[1] < y - reach);
    let cells = sorted.iter().copied().enumerate().skip(first);
    cells.take_while(move |(_, cell)| cell[1] <= y + reach)
}

/// Number of pairs whose shift is within `reach` of `by`. `second` is sorted by y.
fn pairs_within(first: &[[f32; 2]], second: &[[f32; 2]], by: [f32; 2], reach: f32) -> usize {
    let of = |a: &[f32; 2]| {
        near(second, moved(*a, by), reach)
            .filter(|(_, b)| distance(*a, *b, by) <= reach)
            .count()
    };
    first.iter().map(of).sum()
}

fn moved(place: [f32; 2], by: [f32; 2]) -> [f32; 2] {
    [place[0] + by[0], place[1] + by[1]]
}

fn distance(a: [f32; 2], b: [f32; 2], by: [f32; 2]) -> f32 {
    (b[0] - a[0] - by[0]).hypot(b[1] - a[1] - by[1])
}

/// The mean shift of the pairs whose shift is within `reach` of `by`; `None` of no pairs. `second` is sorted by y.
fn mean_shift(
    first: &[[f32; 2]],
    second: &[[f32; 2]],
    by: [f32; 2],
    reach: f32,
) -> Option<[f32; 2]> {
    let (mut sum, mut pairs) = ([0.0; 2], 0.0);
    for a in first {
        for (_, b) in near(second, moved(*a, by), reach) {
            if distance(*a, b, by) <= reach {
                sum = [0, 1].map(|axis| sum[axis] + b[axis] - a[axis]);
                pairs += 1.0;
            }
        }
    }
    (pairs > 0.0).then(|| sum.map(|sum: f32| sum / pairs))
}

/// Number of cells of the first field that have one of the second to themselves. `second` is sorted by y.
fn matched(first: &[[f32; 2]], second: &[[f32; 2]], by: [f32; 2], radius: f32) -> usize {
    let mut is_taken = vec![false; second.len()];
    let mut matches = 0;
    for a in first {
        let free = near(second, moved(*a, by), radius)
            .filter(|(at, _)| !is_taken[*at])
            .map(|(at, b)| (at, distance(*a, b, by)));
        let nearest = free.min_by(|x, y| x.1.total_cmp(&y.1));
        if let Some((at, _)) = nearest.filter(|(_, away)| *away <= radius) {
            is_taken[at] = true;
            matches += 1;
        }
    }
    matches
}

/// Logarithm of a bound of the probability that of `trials` with this chance at least `successes` succeed (Chernoff
/// 1952).
fn log_tail(successes: usize, trials: usize, chance: f64) -> f64 {
    if trials == 0 {
        return 0.0;
    }
    let share = (successes.min(trials)) as f64 / trials as f64;
    if share <= chance {
        return 0.0;
    }
    let part = |share: f64, chance: f64| {
        if share > 0.0 {
            share * (share / chance).ln()
        } else {
            0.0
        }
    };
    -(trials as f64) * (part(share, chance) + part(1.0 - share, 1.0 - chance))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use rand_distr::{Distribution, Uniform};

    use super::*;

    const SIZE: [f32; 2] = [640.0, 480.0];
    const RADIUS: f32 = 8.0;

    /// Numbers from 0 to 1.
    fn random_of(seed: u32) -> impl FnMut() -> f32 {
        let mut rng = ChaCha8Rng::seed_from_u64(u64::from(seed));
        let uniform = Uniform::new(0.0, 1.0).unwrap();
        move || uniform.sample(&mut rng)
    }

    /// Places in a region around a field, the same for the same seed, at least 40 pixels apart, and what a field that begins at
    /// `start` shows of them: a tenth are missed, the others lie up to 3 pixels beside.
    fn field(seed: u32, start: [f32; 2], look: u32) -> Vec<[f32; 2]> {
        let mut places: Vec<[f32; 2]> = Vec::new();
        let mut random = random_of(seed);
        for _ in 0..6000 {
            let place = [random() * 1920.0 - 640.0, random() * 1440.0 - 480.0];
            if places.len() < 500
                && places
                    .iter()
                    .all(|other| distance(place, *other, [0.0; 2]) > 40.0)
            {
                places.push(place);
            }
        }
        let mut noise = random_of(seed ^ look.wrapping_mul(0x9E37_79B9));
        places
            .into_iter()
            .filter_map(|[x, y]| {
                let [dx, dy, missed] = [noise(), noise(), noise()];
                let shown = [x - start[0] + 6.0 * dx - 3.0, y - start[1] + 6.0 * dy - 3.0];
                let is_inside = (0..2).all(|axis| (0.0..SIZE[axis]).contains(&shown[axis]));
                (is_inside && missed > 0.1).then_some(shown)
            })
            .collect()
    }

    #[test]
    fn the_shift_of_overlapping_fields_is_found() {
        for (seed, shift) in [
            (1, [213.0, 0.0]),
            (2, [-213.0, 30.0]),
            (3, [0.0, 0.0]),
            (4, [320.0, 240.0]),
            (6, [430.0, 0.0]),
            (5, [-20.0, 300.0]),
        ] {
            let (first, second) = (field(seed, [0.0; 2], 1), field(seed, shift, 2));
            let found = find_shift(&first, &second, [SIZE; 2], RADIUS).unwrap();
            let off = (found[0] + shift[0]).hypot(found[1] + shift[1]);
            assert!(off < 2.0, "{found:?} {shift:?}");
        }
    }

    #[test]
    fn fields_without_a_common_part_have_no_shift() {
        for seed in 0..100 {
            let (first, second) = (field(seed, [0.0; 2], 1), field(seed + 1000, [0.0; 2], 2));
            assert_eq!(
                find_shift(&first, &second, [SIZE; 2], RADIUS),
                None,
                "{seed}"
            );
        }
        let apart = (field(7, [0.0; 2], 1), field(7, [640.0, 0.0], 2));
        assert_eq!(find_shift(&apart.0, &apart.1, [SIZE; 2], RADIUS), None);
        assert_eq!(find_shift(&[], &apart.1, [SIZE; 2], RADIUS), None);
        // Three cells agree by chance.
        assert_eq!(
            find_shift(&apart.0[..3], &apart.0[..3], [SIZE; 2], RADIUS),
            None
        );
    }

    /// Places of which the surest come first, in an order of their own for each look.
    fn shuffled(mut places: Vec<[f32; 2]>, seed: u32) -> Vec<[f32; 2]> {
        let mut random = random_of(seed);
        let mut keyed: Vec<(f32, [f32; 2])> =
            places.drain(..).map(|place| (random(), place)).collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        keyed.into_iter().map(|(_, place)| place).collect()
    }

    #[test]
    fn a_crowd_is_recognised_whichever_cells_are_the_surest() {
        const LARGE: [f32; 2] = [2592.0, 1944.0];
        let grid = |seed: u32, shift: f32| -> Vec<[f32; 2]> {
            let mut random = random_of(11);
            let mut noise = random_of(seed);
            let mut places = Vec::new();
            for row in 0..48 {
                for column in 0..100 {
                    let x = 40.0 * (column as f32 + 0.8 * random()) - shift;
                    let y = 40.0 * (row as f32 + 0.8 * random());
                    let [dx, dy, missed] = [noise(), noise(), noise()];
                    if (0.0..LARGE[0]).contains(&x) && missed > 0.1 {
                        places.push([x + 3.0 * dx - 1.5, y + 3.0 * dy - 1.5]);
                    }
                }
            }
            shuffled(places, seed)
        };
        let (first, second) = (grid(1, 0.0), grid(2, 864.0));
        assert!(first.len() > 2000, "{}", first.len());
        let [x, y] = find_shift(&first, &second, [LARGE; 2], 6.0).unwrap();
        assert!((x + 864.0).hypot(y) < 1.0, "{x} {y}");
    }

    #[test]
    fn clumps_do_not_agree_by_lying_close() {
        // All cells in a sixteenth of the field, in each at another place.
        for seed in 0..100 {
            let clump = |seed: u32| -> Vec<[f32; 2]> {
                let mut random = random_of(seed);
                let start = [400.0 * random(), 300.0 * random()];
                (0..28)
                    .map(|_| [start[0] + 160.0 * random(), start[1] + 120.0 * random()])
                    .collect()
            };
            let shift = find_shift(&clump(2 * seed), &clump(2 * seed + 1), [SIZE; 2], RADIUS);
            assert_eq!(shift, None, "{seed}");
        }
    }

    #[test]
    fn the_bound_is_above_the_binomial_tail() {
        // scipy.stats.binom.logsf(m - 1, n, p)
        for (successes, trials, chance, exact) in [
            (8, 10, 0.12, -13.381_f64),
            (30, 40, 0.1, -49.537),
            (3, 10, 0.25, -0.7457),
        ] {
            let bound = log_tail(successes, trials, chance);
            assert!(bound >= exact && bound <= 0.0, "{bound} {exact}");
            // Loose by a factor of at most the number of trials.
            assert!(bound - exact < (trials as f64).ln(), "{bound} {exact}");
        }
        assert!(log_tail(0, 0, 0.1).abs() < f64::EPSILON);
    }
}
