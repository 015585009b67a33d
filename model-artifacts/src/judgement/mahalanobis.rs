//! The Mahalanobis distance by a Cholesky factor.

/// The length of `difference` in standard deviations: `|z|` where `factor · z = difference`, by forward
/// substitution. `factor` is the lower triangle of the Cholesky factor of the covariance, row by row. NaN if a value
/// is NaN, or if the factor has fewer rows than `difference` or a row without a diagonal.
pub(super) fn distance(difference: &[f32], factor: &[Vec<f32>]) -> f32 {
    let mut solved: Vec<f32> = Vec::with_capacity(difference.len());
    for (row, value) in difference.iter().enumerate() {
        let factors = factor.get(row).map_or(&[][..], Vec::as_slice);
        let known: f32 = factors.iter().zip(&solved).map(|(f, z)| f * z).sum();
        let diagonal = factors.get(row).copied().unwrap_or(f32::NAN);
        solved.push((value - known) / diagonal);
    }
    solved.iter().map(|z| z * z).sum::<f32>().sqrt()
}
