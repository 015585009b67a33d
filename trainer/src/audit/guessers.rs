//! Rules that guess a class from a row of features: a random forest and a linear rule. Both classes weigh the same.

use smartcore::ensemble::random_forest_regressor::{
    RandomForestRegressor, RandomForestRegressorParameters,
};
use smartcore::error::Failed;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::logistic_regression::{LogisticRegression, LogisticRegressionParameters};

use crate::error::TrainError;

/// Number of trees; odd, so that whole trees cannot vote evenly.
const TREES: usize = 51;
/// Largest number of examples of a class that a forest is grown from. More would change little and take long.
const FOREST_KNOWN: usize = 1000;
/// Smallest number of examples in a leaf.
const LEAF: usize = 3;
/// The same for a linear rule.
const LINEAR_KNOWN: usize = 500;
/// Penalty of the squared weights of standardised features, as in scikit-learn by default.
const PENALTY: f64 = 1.0;

/// A row of features, and whether it is of the positive class.
pub(super) type Example<'a> = (&'a [f32], bool);

/// A rule that is fitted to examples and then guesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guesser {
    /// A random forest (Breiman 2001): trees of bootstrap samples, with random features at each branch.
    Forest,
    /// Logistic regression.
    Linear,
}

impl Guesser {
    /// Which of the tested rows are called positive by a rule that was fitted to the known examples. All rows have
    /// the same number of finite features. Without a difference between the examples none is called so.
    ///
    /// # Errors
    /// [`TrainError::Training`] if the rule cannot be fitted.
    pub(super) fn calls(
        self,
        known: &[Example],
        tested: &[&[f32]],
    ) -> Result<Vec<bool>, TrainError> {
        let has = |class: bool| known.iter().any(|(_, label)| *label == class);
        let columns = varying_columns(known);
        if columns.is_empty() || !has(true) || !has(false) {
            return Ok(vec![false; tested.len()]);
        }
        let calls = match self {
            Self::Forest => forest_calls(known, tested, &columns),
            Self::Linear => linear_calls(known, tested, &columns),
        };
        calls.map_err(|error| TrainError::Training {
            problem: format!("a guesser of an audit cannot be fitted: {error}"),
            remedy: "report it as a bug".into(),
        })
    }
}

fn forest_calls(
    known: &[Example],
    tested: &[&[f32]],
    columns: &[usize],
) -> Result<Vec<bool>, Failed> {
    // The part of positive examples in a leaf with as many of both classes, and room for rounding.
    const EVEN: f32 = 0.5 + 1e-6;

    let known = as_many_of_each(known, FOREST_KNOWN);
    let labels = || known.iter().map(|(_, label)| *label);
    let targets: Vec<f32> = labels().map(|label| f32::from(u8::from(label))).collect();
    let matrix = |rows: &mut dyn Iterator<Item = &[f32]>| {
        let select = |row: &[f32]| columns.iter().map(|at| row[*at]).collect();
        DenseMatrix::from_2d_vec(&rows.map(select).collect())
    };
    let forest = RandomForestRegressorParameters::default()
        .with_n_trees(TREES)
        .with_min_samples_leaf(LEAF);
    let forest = RandomForestRegressor::fit(
        &matrix(&mut known.iter().map(|(row, _)| *row))?,
        &targets,
        forest,
    )?;
    let parts = forest.predict(&matrix(&mut tested.iter().copied())?)?;
    Ok(parts.into_iter().map(|part| part > EVEN).collect())
}

fn linear_calls(
    known: &[Example],
    tested: &[&[f32]],
    columns: &[usize],
) -> Result<Vec<bool>, Failed> {
    let known = as_many_of_each(known, LINEAR_KNOWN);
    let scales: Vec<[f64; 2]> = columns
        .iter()
        .map(|&at| {
            let values = || known.iter().map(|(row, _)| f64::from(row[at]));
            let mean = values().sum::<f64>() / known.len() as f64;
            let squares = values().map(|value| (value - mean).powi(2)).sum::<f64>();
            let deviation = (squares / known.len() as f64).sqrt();
            [mean, if deviation > 0.0 { deviation } else { 1.0 }]
        })
        .collect();
    let matrix = |rows: &mut dyn Iterator<Item = &[f32]>| {
        let standardise = |row: &[f32]| {
            let pairs = columns.iter().zip(&scales);
            pairs
                .map(|(&at, [mean, deviation])| (f64::from(row[at]) - mean) / deviation)
                .collect()
        };
        DenseMatrix::from_2d_vec(&rows.map(standardise).collect())
    };
    let labels: Vec<u8> = known.iter().map(|(_, label)| (*label).into()).collect();
    let rule = LogisticRegression::fit(
        &matrix(&mut known.iter().map(|(row, _)| *row))?,
        &labels,
        LogisticRegressionParameters::default().with_alpha(PENALTY),
    )?;
    let calls = rule.predict(&matrix(&mut tested.iter().copied())?)?;
    Ok(calls.into_iter().map(|label| label == 1).collect())
}

/// The features that are not the same in all examples.
fn varying_columns(known: &[Example]) -> Vec<usize> {
    let Some((first, _)) = known.first() else {
        return Vec::new();
    };
    (0..first.len())
        .filter(|&at| {
            let value = first[at].to_bits();
            known.iter().any(|(row, _)| row[at].to_bits() != value)
        })
        .collect()
}

/// As many examples of each class, up to `most`, at even distances.
fn as_many_of_each<'a>(examples: &[Example<'a>], most: usize) -> Vec<Example<'a>> {
    let classes = [false, true].map(|class| -> Vec<Example> {
        let examples = examples.iter().copied();
        examples.filter(|(_, label)| *label == class).collect()
    });
    let count = classes[0].len().min(classes[1].len()).min(most);
    let some = |all: Vec<Example<'a>>| (0..count).map(move |at| all[at * all.len() / count]);
    classes.into_iter().flat_map(some).collect()
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::metrics::Confusion;

    /// The balanced accuracy on the last third of the rows of a rule that knows the others.
    fn accuracy(guesser: Guesser, rows: &[Vec<f32>], labels: &[bool]) -> f64 {
        let examples: Vec<Example> = rows
            .iter()
            .map(Vec::as_slice)
            .zip(labels.iter().copied())
            .collect();
        let (known, tested) = examples.split_at(rows.len() * 2 / 3);
        let tested_rows: Vec<&[f32]> = tested.iter().map(|(row, _)| *row).collect();
        let calls = guesser.calls(known, &tested_rows).unwrap();
        let labels = tested.iter().map(|(_, label)| *label);
        Confusion::count(labels.zip(calls)).balanced_accuracy()
    }

    fn uniform(count: usize, columns: usize) -> Vec<Vec<f32>> {
        let rng = &mut ChaCha8Rng::seed_from_u64(7);
        (0..count)
            .map(|_| (0..columns).map(|_| rng.random_range(-1.0..1.0)).collect())
            .collect()
    }

    #[test]
    fn a_forest_combines_features_and_a_line_adds_them() {
        let rows = uniform(900, 2);
        let labels: Vec<bool> = rows.iter().map(|row| row[0] * row[1] > 0.0).collect();
        let forest = accuracy(Guesser::Forest, &rows, &labels);
        assert!(forest > 0.9, "{forest}");
        // Chance on 300 rows is 0.5 with a standard deviation of √(0.25 / 300) = 0.029.
        let alone: Vec<Vec<f32>> = rows.iter().map(|row| vec![row[0]]).collect();
        for (guesser, rows) in [
            (Guesser::Linear, &rows),
            (Guesser::Forest, &alone),
            (Guesser::Linear, &alone),
        ] {
            let accuracy = accuracy(guesser, rows, &labels);
            assert!((accuracy - 0.5).abs() < 0.087, "{guesser:?} {accuracy}");
        }
        let labels: Vec<bool> = rows.iter().map(|row| row[0] + row[1] > 0.0).collect();
        let linear = accuracy(Guesser::Linear, &rows, &labels);
        assert!(linear > 0.97, "{linear}");
    }

    #[test]
    fn neither_profits_from_the_share_of_the_classes() {
        // Forty negative examples and three times as many positive ones. Of the value 0, two thirds are positive,
        // but two fifths where classes are even.
        let rows: Vec<Vec<f32>> = (0..40)
            .map(|number| vec![f32::from(u8::from(number < 10))])
            .chain((0..120).map(|number| vec![f32::from(u8::from(number < 60))]))
            .collect();
        let known: Vec<Example> = (0..160).map(|at| (&rows[at][..], at >= 40)).collect();
        let tested = [[0.0].as_slice(), &[1.0]];
        for guesser in [Guesser::Forest, Guesser::Linear] {
            let calls = guesser.calls(&known, &tested).unwrap();
            assert_eq!(calls, [false, true], "{guesser:?}");
        }
    }

    #[test]
    fn where_nothing_differs_nothing_is_guessed() {
        let row = [1.0, 2.0].as_slice();
        let other = [3.0, 2.0].as_slice();
        for guesser in [Guesser::Forest, Guesser::Linear] {
            for known in [
                vec![],
                vec![(row, true)],
                vec![(row, true), (other, true)],
                vec![(row, true), (row, false), (row, false)],
            ] {
                let calls = guesser.calls(&known, &[row, other]).unwrap();
                assert_eq!(calls, [false, false], "{guesser:?} {known:?}");
            }
        }
    }

    #[test]
    fn examples_are_left_out_at_even_distances() {
        let rows: Vec<[f32; 1]> = (0..10_u8).map(|number| [number.into()]).collect();
        let examples: Vec<Example> = rows.iter().map(|row| (&row[..], row[0] >= 7.0)).collect();
        let kept = |most: usize| -> Vec<f32> {
            let kept = as_many_of_each(&examples, most);
            kept.iter().map(|one| one.0[0]).collect()
        };
        assert_eq!(kept(9), [0.0, 2.0, 4.0, 7.0, 8.0, 9.0]);
        assert_eq!(kept(1), [0.0, 7.0]);
        assert_eq!(kept(0), [0.0; 0]);
    }

    #[test]
    fn few_of_many_are_told_by_a_continuous_feature() {
        // Thirty of 930 rows are shifted by 1.5 standard deviations; the best rule is right on 77 % of each class.
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let rows: Vec<([f32; 1], bool)> = (0..1860)
            .map(|number| {
                let is_one = number % 31 == 0;
                let value: f32 = rng.sample(rand_distr::StandardNormal);
                ([value + if is_one { 1.5 } else { 0.0 }], is_one)
            })
            .collect();
        let (known, tested) = rows.split_at(930);
        let known: Vec<Example> = known
            .iter()
            .map(|(row, label)| (&row[..], *label))
            .collect();
        let asked: Vec<&[f32]> = tested.iter().map(|(row, _)| &row[..]).collect();
        for guesser in [Guesser::Forest, Guesser::Linear] {
            let calls = guesser.calls(&known, &asked).unwrap();
            let share = |class: bool| {
                let of: Vec<bool> = tested
                    .iter()
                    .zip(&calls)
                    .filter(|((_, label), _)| *label == class)
                    .map(|(_, call)| *call == class)
                    .collect();
                of.iter().filter(|right| **right).count() as f64 / of.len() as f64
            };
            // Two standard deviations of a share of thirty.
            let accuracy = f64::midpoint(share(true), share(false));
            assert!((0.6..0.9).contains(&accuracy), "{guesser:?}: {accuracy}");
        }
    }
}
