//! The margins that a network gives to samples.

use super::batch::Batch;
use crate::dataset::Sample;
use crate::error::TrainError;
use crate::metrics::{EvidencePlace, Scored};
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

/// Adds the evidence that the network finds in those samples whose cells are known.
pub(super) fn add_evidence(
    place: &mut EvidencePlace,
    network: &Network,
    samples: &[&Sample],
) -> Result<(), TrainError> {
    let device = network.device();
    let known = samples.iter().copied().filter(|it| it.cells.is_some());
    let known: Vec<&Sample> = known.collect();
    for samples in known.chunks(BATCH) {
        let (input, _) = Batch::plain(samples, network.architecture())?.tensors(&device);
        let cells = samples.iter().filter_map(|sample| sample.cells.as_ref());
        for (map, cells) in network.evidence_maps(input).iter().zip(cells) {
            place.add(map, cells);
        }
    }
    Ok(())
}
