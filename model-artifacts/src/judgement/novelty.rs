//! Distance of a cell from those of its class that a network learned from.

use serde::{Deserialize, Serialize};

use super::mahalanobis;
use crate::validation::FieldError;

/// Largest number of features.
const MAX_FEATURES: usize = 512;

/// The distribution of the training cells' features: a mean for each class, and one covariance that they share
/// (Lee et al. 2018, "A simple unified framework for detecting out-of-distribution samples").
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Novelty {
    /// Mean of the features of the training cells of each class: a row per class.
    pub mean: Vec<Vec<f32>>,
    /// Lower triangle of the Cholesky factor of the covariance around these means, row by row: as many rows as
    /// features, of 1, 2, 3 … values.
    pub factor: Vec<Vec<f32>>,
    /// Largest distance of a cell of each class that the network was trained for, above 0.
    pub limit: Vec<f32>,
}

impl Novelty {
    /// Number of features.
    pub fn features(&self) -> usize {
        self.factor.len()
    }

    /// Mahalanobis distance of a cell with these features from the training cells of a class, 0 or more; NaN if there
    /// is no such class, if a feature is NaN, or if there are more or fewer features.
    pub fn distance(&self, class: usize, features: &[f32]) -> f32 {
        match self.mean.get(class) {
            Some(mean) if mean.len() == features.len() && features.len() == self.features() => {
                let difference: Vec<f32> = features.iter().zip(mean).map(|(a, b)| a - b).collect();
                mahalanobis::distance(&difference, &self.factor)
            }
            _ => f32::NAN,
        }
    }

    /// Whether a cell that was taken for this class is like the training cells of the class. It is not if its distance
    /// is NaN.
    pub fn is_known(&self, class: usize, features: &[f32]) -> bool {
        let limit = self.limit.get(class);
        limit.is_some_and(|limit| self.distance(class, features) <= *limit)
    }

    /// Refuses invalid values. `field` is the manifest's name for the table, and `classes` the number of classes.
    pub(crate) fn check(&self, field: &str, classes: usize) -> Result<(), FieldError> {
        let invalid = |part: &str, problem: String| {
            Err(FieldError::invalid(format!("{field}.{part}"), problem))
        };
        let features = self.features();
        if !(1..=MAX_FEATURES).contains(&features) {
            let problem = format!("must have 1 to {MAX_FEATURES} rows, it has {features}");
            return invalid("factor", problem);
        }
        if !self.factor.iter().map(Vec::len).eq(1..=features) {
            return invalid("factor", "must be a lower triangle".into());
        }
        if self.mean.len() != classes || self.mean.iter().any(|mean| mean.len() != features) {
            let problem = format!("must have {classes} rows (classes) of {features} features");
            return invalid("mean", problem);
        }
        if self.limit.len() != classes {
            return invalid("limit", format!("must be {classes} numbers, one per class"));
        }
        let is_finite = |rows: &[Vec<f32>]| rows.iter().flatten().all(|value| value.is_finite());
        if !is_finite(&self.mean) {
            return invalid("mean", "must be finite".into());
        }
        let mut diagonal = self.factor.iter().filter_map(|row| row.last());
        if !is_finite(&self.factor) || !diagonal.all(|value| *value > 0.0) {
            return invalid("factor", "must be finite, and its diagonal above 0".into());
        }
        let mut limits = self.limit.iter();
        if !limits.all(|limit| *limit > 0.0 && limit.is_finite()) {
            return invalid("limit", "must be finite and above 0".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn novelty() -> Novelty {
        Novelty {
            mean: vec![vec![1.0, 1.0], vec![-3.0, 0.0]],
            // Of the covariance [[4, 2], [2, 2]].
            factor: vec![vec![2.0], vec![1.0, 1.0]],
            limit: vec![1.0, 2.0],
        }
    }

    #[test]
    fn distances_are_from_the_mean_of_the_class() {
        let novelty = novelty();
        // By the inverse covariance [[0.5, -0.5], [-0.5, 1]]: d² = a²/2 − ab + b².
        for (class, features, squared) in [
            (0, [1.0, 1.0], 0.0),
            (0, [3.0, 1.0], 2.0),
            (0, [3.0, 3.0], 2.0),
            (1, [-3.0, 1.0], 1.0),
            (1, [-5.0, 1.0], 5.0),
        ] {
            let distance = novelty.distance(class, &features);
            assert!((distance - f32::sqrt(squared)).abs() < 1e-6, "{distance}");
            assert_eq!(
                novelty.is_known(class, &features),
                distance <= novelty.limit[class]
            );
        }
    }

    #[test]
    fn what_cannot_be_measured_is_not_known() {
        let novelty = novelty();
        let cells: [(usize, &[f32]); 4] = [
            (0, &[f32::NAN, 1.0]),
            (0, &[1.0]),
            (0, &[1.0, 1.0, 1.0]),
            (2, &[1.0, 1.0]),
        ];
        for (class, features) in cells {
            assert!(novelty.distance(class, features).is_nan());
            assert!(!novelty.is_known(class, features));
        }
    }

    #[test]
    fn invalid_values_are_refused() {
        type Change = fn(&mut Novelty);
        novelty().check("cell.novelty", 2).unwrap();
        let changes: [(&str, Change); 8] = [
            ("factor", |novelty| novelty.factor.clear()),
            ("factor", |novelty| novelty.factor[1].push(1.0)),
            ("factor", |novelty| novelty.factor[1][1] = 0.0),
            ("factor", |novelty| novelty.factor[1][0] = f32::NAN),
            ("mean", |novelty| novelty.mean[0].push(1.0)),
            ("mean", |novelty| novelty.mean[0][0] = f32::INFINITY),
            ("limit", |novelty| novelty.limit[0] = 0.0),
            ("limit", |novelty| novelty.limit.push(1.0)),
        ];
        for (field, change) in changes {
            let mut invalid = novelty();
            change(&mut invalid);
            let error = invalid.check("cell.novelty", 2).unwrap_err();
            let message = error.at("m".as_ref()).to_string();
            assert!(
                message.starts_with(&format!("m: cell.novelty.{field}: ")),
                "{message}"
            );
        }
        assert!(novelty().check("cell.novelty", 3).is_err());
    }
}
