//! The loss of classifiers.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};

/// How far below the others the logits of excluded classes lie.
const EXCLUDED: f64 = 1e4;

/// Cross-entropy of logits, `[n, classes]`, with the indices of the true classes, `[n]`: the mean of each
/// example's loss times the weight of its class.
///
/// `smoothing`, 0 for none, is the share of the truth that is spread over all classes (Szegedy et al. 2016,
/// "Rethinking the Inception Architecture for Computer Vision", section 7).
pub(super) fn cross_entropy(
    logits: Tensor<2>,
    truth: Tensor<1, Int>,
    class_weights: &[f32],
    smoothing: f64,
) -> Tensor<1> {
    let among = Tensor::ones_like(&logits);
    cross_entropy_among(logits, truth, among, class_weights, smoothing)
}

/// Like [`cross_entropy`], but each example only among some of the classes: those with a 1 in `among`,
/// `[n, classes]`, the true one of which must be one; the others have a 0 there. Nothing is learned about them.
pub(super) fn cross_entropy_among(
    logits: Tensor<2>,
    truth: Tensor<1, Int>,
    among: Tensor<2>,
    class_weights: &[f32],
    smoothing: f64,
) -> Tensor<1> {
    let weights = TensorData::new(class_weights.to_vec(), [class_weights.len()]);
    let weights = Tensor::<1>::from_data(weights, &logits.device()).select(0, truth.clone());
    let log_probability = log_softmax(logits - (1.0 - among.clone()) * EXCLUDED, 1);
    let of_all = (log_probability.clone() * among.clone()).sum_dim(1) / among.sum_dim(1);
    let of_truth = log_probability.gather(1, truth.unsqueeze_dim::<2>(1));
    let likelihood = of_truth * (1.0 - smoothing) + of_all * smoothing;
    (likelihood.flatten(0, 1) * weights).mean().neg()
}
