//! Guesses under cross-validation that keeps groups together.

use std::collections::{BTreeMap, BTreeSet};

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::guessers::{Example, Guesser};
use crate::dataset::stratify;
use crate::error::TrainError;
use crate::metrics::Confusion;

/// Largest number of folds.
const MAX_FOLDS: usize = 5;

/// Examples of two classes, divided into folds of whole groups.
#[derive(Debug)]
pub(super) struct CrossValidation<'a> {
    examples: Vec<Example<'a>>,
    fold_of: Vec<usize>,
    folds: usize,
}

impl<'a> CrossValidation<'a> {
    /// Divides examples, each with its group. `None` if a class has fewer than two groups: with one of them left out,
    /// nothing would be known of the class.
    pub(super) fn divide(
        examples: impl Iterator<Item = (Example<'a>, usize)>,
        seed: u64,
    ) -> Option<Self> {
        let (examples, groups): (Vec<Example>, Vec<usize>) = examples.unzip();
        let number_of: BTreeMap<usize, usize> = groups
            .iter()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .enumerate()
            .map(|(number, group)| (*group, number))
            .collect();
        let mut counts = vec![[0; 2]; number_of.len()];
        for ((_, label), group) in examples.iter().zip(&groups) {
            counts[number_of[group]][usize::from(*label)] += 1;
        }
        let with = |class: usize| counts.iter().filter(|count| count[class] > 0).count();
        let folds = with(0).min(with(1)).min(MAX_FOLDS);
        if folds < 2 {
            return None;
        }
        let fold_of_group = stratify(&counts, &vec![1.0 / folds as f64; folds], 1, seed);
        let fold_of = groups.iter().map(|group| fold_of_group[number_of[group]]);
        Some(Self {
            fold_of: fold_of.collect(),
            examples,
            folds,
        })
    }

    /// The balanced accuracy of guesses about each fold by a rule that knows the others.
    ///
    /// # Errors
    /// [`TrainError::Training`] if a rule cannot be fitted.
    pub(super) fn balanced_accuracy(&self, guesser: Guesser) -> Result<f64, TrainError> {
        let calls = (0..self.folds)
            .into_par_iter()
            .map(|fold| {
                let examples = || self.examples.iter().copied().zip(&self.fold_of);
                let part = |is_tested: bool| -> Vec<Example> {
                    let examples = examples().filter(|(_, of)| (**of == fold) == is_tested);
                    examples.map(|(example, _)| example).collect()
                };
                let tested = part(true);
                let rows: Vec<&[f32]> = tested.iter().map(|(row, _)| *row).collect();
                let calls = guesser.calls(&part(false), &rows)?;
                Ok(tested.iter().map(|(_, label)| *label).zip(calls).collect())
            })
            .collect::<Result<Vec<Vec<(bool, bool)>>, TrainError>>()?;
        Ok(Confusion::count(calls.concat()).balanced_accuracy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_not_separated() {
        // Each group has a value of its own and one class, so that a row of the same group would tell the class.
        let rows: Vec<[f32; 1]> = (0..160_u16)
            .map(|number| [f32::from(number / 8 * 37 % 20)])
            .collect();
        let examples = || {
            rows.iter()
                .enumerate()
                .map(|(at, row)| ((&row[..], (at / 8) % 2 == 1), at))
        };
        let by_group = examples().map(|(example, at)| (example, at / 8));
        let apart = CrossValidation::divide(by_group, 1).unwrap();
        assert_eq!(apart.folds, 5);
        assert!(
            apart
                .fold_of
                .chunks(8)
                .all(|group| group.iter().all(|fold| *fold == group[0]))
        );
        let mixed = CrossValidation::divide(examples(), 1).unwrap();
        let [apart, mixed] =
            [apart, mixed].map(|one| one.balanced_accuracy(Guesser::Forest).unwrap());
        assert!(mixed > 0.8 && apart < 0.75, "{mixed} {apart}");
    }

    #[test]
    fn a_class_of_one_group_is_not_guessed() {
        let row = [0.0];
        let examples = [(false, 0), (false, 1), (true, 7), (true, 7)];
        let of = |examples: &[(bool, usize)]| {
            let examples = examples
                .iter()
                .map(|&(label, group)| ((&row[..], label), group));
            CrossValidation::divide(examples, 1).map(|one| one.folds)
        };
        assert_eq!(of(&examples), None);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[&examples[..], &[(true, 8)]].concat()), Some(2));
    }
}
