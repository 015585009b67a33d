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
    let [_, classes] = logits.dims();
    let among = Tensor::ones_like(&logits);
    let truth = truth.one_hot::<2>(classes).float();
    cross_entropy_among(logits, truth, among, class_weights, smoothing)
}

/// Like [`cross_entropy`], but each example only among some of the classes: those with a 1 in `among`, `[n, classes]`;
/// the others have a 0 there, and nothing is learned about them. The truth, `[n, classes]`, has a 1 at each class that
/// the example may be of, all of them in `among`: it is learned that it is of one of them, not of which. Its weight is
/// the harmonic mean of theirs, which a rare class with a large weight does not dominate; classes without weight are left out.
pub(super) fn cross_entropy_among(
    logits: Tensor<2>,
    truth: Tensor<2>,
    among: Tensor<2>,
    class_weights: &[f32],
    smoothing: f64,
) -> Tensor<1> {
    let of_classes = |of: fn(f32) -> f32| {
        let values: Vec<f32> = class_weights.iter().map(|weight| of(*weight)).collect();
        let values = TensorData::new(values, [1, class_weights.len()]);
        Tensor::<2>::from_data(values, &logits.device())
    };
    let has_weight = of_classes(|weight| f32::from(u8::from(weight > 0.0)));
    let inverse = of_classes(|weight| if weight > 0.0 { weight.recip() } else { 0.0 });
    let inverses = (truth.clone() * inverse)
        .sum_dim(1)
        .clamp_min(f32::MIN_POSITIVE);
    let weights = (truth.clone() * has_weight).sum_dim(1) / inverses;
    let log_probability = log_softmax(logits - (1.0 - among.clone()) * EXCLUDED, 1);
    let of_all = (log_probability.clone() * among.clone()).sum_dim(1) / among.sum_dim(1);
    let possible: Tensor<2> = log_probability - (1.0 - truth) * EXCLUDED;
    let highest = possible.clone().max_dim(1).detach();
    let of_truth = (possible - highest.clone()).exp().sum_dim(1).log() + highest;
    let likelihood = of_truth * (1.0 - smoothing) + of_all * smoothing;
    (likelihood * weights).mean().neg()
}
