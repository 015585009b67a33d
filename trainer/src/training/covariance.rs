//! Covariances as Cholesky factors, by which Mahalanobis distances are measured.

/// Covariance of vectors around their means, regularised: correlations shrink where vectors are few, and `floor` is
/// added to the variances, so that few or equal vectors still give a usable distance.
///
/// # Panics
/// If a vector is of another length than the first one.
pub(super) fn covariance(deviations: &[Vec<f64>], floor: f64) -> Vec<Vec<f64>> {
    let size = deviations.first().map_or(0, Vec::len);
    let count = deviations.len() as f64;
    let mut matrix = vec![vec![0.0; size]; size];
    for deviation in deviations {
        for (row, values) in matrix.iter_mut().enumerate() {
            for (column, value) in values.iter_mut().enumerate() {
                *value += deviation[row] * deviation[column] / count;
            }
        }
    }
    let fade = 1.0 - (size as f64 / count).min(0.99);
    for (row, values) in matrix.iter_mut().enumerate() {
        for (column, value) in values.iter_mut().enumerate() {
            if row == column {
                *value += floor;
            } else {
                *value *= fade;
            }
        }
    }
    matrix
}

/// The lower triangle `L` with `L · Lᵀ` = `matrix`, which is symmetric and positive definite: row by row, of 1, 2, 3 …
/// values.
pub(super) fn cholesky(matrix: &[Vec<f64>]) -> Vec<Vec<f32>> {
    let mut factor: Vec<Vec<f64>> = Vec::with_capacity(matrix.len());
    for (row, values) in matrix.iter().enumerate() {
        let mut line: Vec<f64> = Vec::with_capacity(row + 1);
        for column in 0..row {
            let other = &factor[column];
            let known: f64 = line.iter().zip(other).map(|(a, b)| a * b).sum();
            line.push((values[column] - known) / other[column]);
        }
        let known: f64 = line.iter().map(|value| value * value).sum();
        line.push((values[row] - known).sqrt());
        factor.push(line);
    }
    factor
        .into_iter()
        .map(|line| line.into_iter().map(|value| value as f32).collect())
        .collect()
}
