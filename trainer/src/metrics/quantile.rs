//! Quantiles of measured values.

/// A quantile of sorted values, interpolated between neighbours (Hyndman and Fan's type 7). `share` is 0 to 1.
///
/// # Panics
/// If there are no values.
pub(crate) fn quantile(sorted: &[f32], share: f32) -> f32 {
    let place = share * (sorted.len() - 1) as f32;
    let below = sorted[place as usize];
    let above = sorted[(place.ceil() as usize).min(sorted.len() - 1)];
    below + (above - below) * place.fract()
}
