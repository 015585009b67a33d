//! The margins that a network gives to samples.

use super::batch::Batch;
use crate::dataset::Sample;
use crate::error::TrainError;
use crate::metrics::Scored;
use crate::networks::{Network, floats};

/// Images per forward pass.
const BATCH: usize = 64;

/// Runs the network on samples without augmentation.
pub(crate) fn score(network: &Network, samples: &[&Sample]) -> Result<Vec<Scored>, TrainError> {
    let device = network.device();
    let mut scored = Vec::with_capacity(samples.len());
    for samples in samples.chunks(BATCH) {
        let (input, _) = Batch::plain(samples, network.architecture())?.tensors(&device);
        let margins = floats(network.margins(input));
        let labelled = margins.into_iter().zip(samples);
        scored.extend(labelled.map(|(margin, sample)| Scored {
            margin,
            positive: sample.positive,
            group: sample.group,
        }));
    }
    Ok(scored)
}
