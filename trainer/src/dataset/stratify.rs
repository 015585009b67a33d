//! Stratified assignment of whole groups to parts.

use std::cmp::Reverse;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// The contents of a part, with a number for each class.
#[derive(Debug, Clone)]
struct Part {
    /// Desired number of images.
    target: Vec<f64>,
    images: Vec<usize>,
    groups: Vec<usize>,
}

impl Part {
    /// Adds a group of `count` images.
    fn add(&mut self, count: &[usize]) {
        for (class, &more) in count.iter().enumerate() {
            self.images[class] += more;
            self.groups[class] += usize::from(more > 0);
        }
    }

    fn remove(&mut self, count: &[usize]) {
        for (class, &less) in count.iter().enumerate() {
            self.images[class] -= less;
            self.groups[class] -= usize::from(less > 0);
        }
    }

    /// Increase of the squared relative distance from the targets if a group is added.
    fn growth(&self, count: &[usize]) -> f64 {
        (0..count.len())
            .map(|class| {
                let (now, more) = (self.images[class] as f64, count[class] as f64);
                let target = self.target[class];
                more * (2.0 * (now - target) + more) / target.max(f64::MIN_POSITIVE)
            })
            .sum()
    }
}

/// Violations of the requirements, the worst first: groups missing outside of a part, empty parts,
/// and classes missing in parts.
type Faults = [usize; 3];

fn faults(parts: &[Part], outside: usize) -> Faults {
    let classes = parts.first().map_or(0, |part| part.groups.len());
    let mut faults = [0; 3];
    for class in 0..classes {
        let all: usize = parts.iter().map(|part| part.groups[class]).sum();
        for Part { groups, .. } in parts {
            faults[0] += outside.saturating_sub(all - groups[class]);
            faults[2] += usize::from(groups[class] == 0);
        }
    }
    let is_empty = |part: &&Part| part.groups.iter().all(|groups| *groups == 0);
    faults[1] = parts.iter().filter(is_empty).count();
    faults
}

/// Assigns groups, given by their numbers of images of each class, to one part per share; returns the
/// part of each group. Where possible, `outside` groups of each class lie outside of each part, no part
/// is empty, and every part holds all classes.
///
/// Groups are assigned by descending size, equal sizes in random order. Then single groups are moved
/// while that removes faults, each time the move that removes most and disturbs the balance least.
pub(crate) fn stratify(
    counts: &[impl AsRef<[usize]>],
    shares: &[f64],
    outside: usize,
    seed: u64,
) -> Vec<usize> {
    let counts: Vec<&[usize]> = counts.iter().map(AsRef::as_ref).collect();
    let classes = counts.first().map_or(0, |count| count.len());
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    order.sort_by_key(|&group| Reverse(counts[group].iter().sum::<usize>()));
    let total = |class: usize| counts.iter().map(|count| count[class]).sum::<usize>();
    let totals: Vec<usize> = (0..classes).map(total).collect();
    let mut parts: Vec<Part> = shares
        .iter()
        .map(|share| Part {
            target: totals.iter().map(|total| share * *total as f64).collect(),
            images: vec![0; classes],
            groups: vec![0; classes],
        })
        .collect();
    let mut part_of = vec![0; counts.len()];
    for &group in &order {
        let count = counts[group];
        let growths = parts.iter().map(|part| part.growth(count)).enumerate();
        let best = growths.min_by(|a, b| a.1.total_cmp(&b.1));
        part_of[group] = best.map_or(0, |(part, _)| part);
        parts[part_of[group]].add(count);
    }

    loop {
        let now = faults(&parts, outside);
        if now == [0; 3] {
            return part_of;
        }
        let candidates = order.iter().flat_map(|&group| {
            let (parts, from, count) = (&parts, part_of[group], counts[group]);
            (0..parts.len()).filter_map(move |to| {
                let mut moved = parts.clone();
                moved[from].remove(count);
                let cost = moved[to].growth(count) - moved[from].growth(count);
                moved[to].add(count);
                let then = faults(&moved, outside);
                (then < now).then_some((then, cost, group, moved, to))
            })
        });
        let best = candidates.min_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let Some((_, _, group, moved, to)) = best else {
            return part_of;
        };
        part_of[group] = to;
        parts = moved;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_move_until_no_fault_is_left() {
        // The largest group alone would fill one of two folds and leave nothing for validation.
        let counts = [[30, 0], [5, 0], [5, 0], [5, 0], [5, 0], [5, 0]];
        let counts = [&counts[..], &[[0, 10]; 6]].concat();
        for seed in 0..10 {
            let part_of = stratify(&counts, &[0.5, 0.5], 2, seed);
            for part in 0..2 {
                for class in 0..2 {
                    let held = counts.iter().zip(&part_of);
                    let held = held.filter(|(count, of)| **of == part && count[class] > 0);
                    assert!(held.count() >= 2, "{seed}: {part_of:?}");
                }
            }
        }
    }

    #[test]
    fn groups_of_both_classes_are_moved_too() {
        // Only one assignment gives both parts both classes.
        let counts = [[9, 9], [5, 0], [0, 1]];
        for seed in 0..10 {
            let part_of = stratify(&counts, &[0.8, 0.2], 1, seed);
            assert_eq!(part_of[1], part_of[2]);
            assert_ne!(part_of[0], part_of[1]);
        }
    }

    #[test]
    fn impossible_requirements_leave_the_shares() {
        let part_of = stratify(&[[4, 0], [4, 0], [4, 0], [0, 4]], &[0.75, 0.25], 1, 1);
        let held = |part| part_of[..3].iter().filter(|of| **of == part).count();
        assert_eq!([held(0), held(1)], [2, 1]);
    }
}
