//! A logistic rule on measured figures: the floor that a cell network must beat.

use std::collections::BTreeMap;
use std::iter;

use smartcore::error::Failed;
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::logistic_regression::{LogisticRegression, LogisticRegressionParameters};
use smearscope_artifacts::{CellFigures, FiguresRule};

use crate::error::TrainError;

/// Strength of the L2 penalty on standardised figures: next to nothing, but separable classes stay finite.
const PENALTY: f64 = 1.0;
/// Fewest cells of each class that give a rule.
const MIN_CELLS: usize = 20;
/// Smallest deviation of a figure that counts.
const LEAST_DEVIATION: f64 = 1e-6;

/// Fits the rule to cells with their figures, which are blasts or not; both classes count the same. `None` of too
/// few cells.
///
/// # Errors
/// [`TrainError::Training`] if the fit fails.
pub(crate) fn fit_figures_rule(
    cells: &[(CellFigures, bool)],
) -> Result<Option<FiguresRule>, TrainError> {
    let blasts = cells.iter().filter(|(_, is_blast)| *is_blast).count();
    let others = cells.len() - blasts;
    if blasts < MIN_CELLS || others < MIN_CELLS {
        return Ok(None);
    }
    let rule = fit(cells).map_err(|error| TrainError::Training {
        problem: format!("the rule on measured figures cannot be fitted: {error}"),
        remedy: "report it as a bug".into(),
    })?;
    // The fit is for the shares that there are.
    let prior = (blasts as f64 / others as f64).ln();
    Ok(Some(FiguresRule {
        intercept: rule.intercept - prior as f32,
        ..rule
    }))
}

fn fit(cells: &[(CellFigures, bool)]) -> Result<FiguresRule, Failed> {
    let rows: Vec<Vec<f64>> = cells
        .iter()
        .map(|(figures, _)| {
            figures
                .values()
                .iter()
                .map(|value| f64::from(*value))
                .collect()
        })
        .collect();
    let count = rows.len() as f64;
    let moments: Vec<(f64, f64)> = (0..CellFigures::NAMES.len())
        .map(|figure| {
            let mean = rows.iter().map(|row| row[figure]).sum::<f64>() / count;
            let square = rows.iter().map(|row| (row[figure] - mean).powi(2));
            (
                mean,
                (square.sum::<f64>() / count).sqrt().max(LEAST_DEVIATION),
            )
        })
        .collect();
    let standardised: Vec<Vec<f64>> = rows
        .iter()
        .map(|row| {
            let values = iter::zip(row, &moments);
            values
                .map(|(value, (mean, deviation))| (value - mean) / deviation)
                .collect()
        })
        .collect();
    let classes: Vec<i32> = cells
        .iter()
        .map(|(_, is_blast)| (*is_blast).into())
        .collect();
    let regression = LogisticRegression::fit(
        &DenseMatrix::from_2d_vec(&standardised)?,
        &classes,
        LogisticRegressionParameters::default().with_alpha(PENALTY),
    )?;
    let weights: Vec<f64> = iter::zip(0.., &moments)
        .map(|(figure, (_, deviation))| regression.coefficients().get((0, figure)) / deviation)
        .collect();
    let shift: f64 = iter::zip(&weights, &moments)
        .map(|(weight, (mean, _))| weight * mean)
        .sum();
    let weights = iter::zip(CellFigures::NAMES, weights);
    Ok(FiguresRule {
        intercept: (regression.intercept().get((0, 0)) - shift) as f32,
        weights: weights
            .map(|(name, weight)| (name.to_owned(), weight as f32))
            .collect::<BTreeMap<String, f32>>(),
    })
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::StandardNormal;

    use super::*;

    fn figures(nucleus_um: f32, texture: f32) -> CellFigures {
        CellFigures {
            nucleus_um,
            cell_um: 12.0,
            nucleus_to_cell: 0.7,
            roundness: 0.9,
            solidity: 0.95,
            parts: 1,
            density: 0.5,
            variation: 0.1,
            texture,
            cytoplasm: 0.4,
        }
    }

    #[test]
    fn the_rule_finds_the_figure_that_tells() {
        // Nuclei of 10 and of 8 µm with a deviation of 1 µm: the log-odds are 2 · (d − 9), whatever the shares.
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let cells: Vec<(CellFigures, bool)> = (0..6000)
            .map(|number| {
                let is_blast = number % 4 == 0;
                let mean = if is_blast { 10.0 } else { 8.0 };
                let (size, texture): (f32, f32) =
                    (rng.sample(StandardNormal), rng.sample(StandardNormal));
                (figures(mean + size, 0.05 + 0.01 * texture), is_blast)
            })
            .collect();
        let rule = fit_figures_rule(&cells).unwrap().unwrap();
        let weight = rule.weights["nucleus_um"];
        assert!((weight - 2.0).abs() < 0.15, "{weight}");
        // The texture of a cell moves the log-odds by less than a tenth.
        assert!((rule.weights["texture"] * 0.01).abs() < 0.1);
        let constant: f32 = iter::zip(CellFigures::NAMES, figures(9.0, 0.05).values())
            .map(|(name, value)| rule.weights[name] * value)
            .sum();
        assert!(
            (rule.intercept + constant).abs() < 0.15,
            "{}",
            rule.intercept + constant
        );
    }

    #[test]
    fn few_cells_give_no_rule() {
        let cells = vec![(figures(9.0, 0.1), true); 19];
        assert_eq!(fit_figures_rule(&cells).unwrap(), None);
    }
}
