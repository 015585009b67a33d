//! Global average pooling and a linear head, with the evidence of each position.
//!
//! Pooling (Lin et al. 2014, "Network In Network") makes the result independent of where the cells are;
//! since it is linear, the evidence of each position is exact.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::classifier::EVIDENCE;
use super::layers::Head;
use crate::graph::{Graph, Value};

/// Name of the pooled features in a graph.
pub(crate) const FEATURES: &str = "features";

#[derive(Module, Debug)]
pub(super) struct PooledHead {
    head: Head,
}

impl PooledHead {
    /// For maps of this number of features; the evidence is that for the class `positive`.
    pub(super) fn init(
        [features, classes]: [usize; 2],
        positive: usize,
        rng: &mut impl Rng,
        device: &Device,
    ) -> Self {
        Self {
            head: Head::init([features, classes], positive, rng, device),
        }
    }

    pub(super) fn device(&self) -> Device {
        self.head.device()
    }

    /// The mean of each feature, `[n, features]`, of maps, `[n, features, rows, columns]`.
    pub(super) fn pool(maps: Tensor<4>) -> Tensor<2> {
        let positions: Tensor<3> = maps.flatten(2, 3);
        positions.mean_dim(2).flatten(1, 2)
    }

    /// `[n, features, rows, columns]` to logits, `[n, classes]`.
    pub(super) fn logits(&self, maps: Tensor<4>) -> Tensor<2> {
        self.head.forward(Self::pool(maps))
    }

    /// Logit margins: the positive class minus the mean of the others, `[n]`.
    pub(super) fn margins(&self, maps: Tensor<4>) -> Tensor<1> {
        self.head.margins(self.logits(maps))
    }

    /// The contribution of each position to the margin, `[n, 1, rows, columns]`.
    pub(super) fn evidence(&self, maps: Tensor<4>) -> Tensor<4> {
        let [_, features, rows, columns] = maps.dims();
        let weight = self.head.contrast().reshape([1, features, 1, 1]);
        (maps * weight).sum_dim(1) / (rows * columns) as f64
    }

    /// Adds the outputs `probability` and `evidence`; returns the mean of each feature, `[n, features]`.
    pub(super) fn export(&self, graph: &mut Graph, maps: Value) -> Value {
        let [images, features, rows, columns] = graph.node(maps).shape[..] else {
            unreachable!("the features are maps");
        };
        let mean = graph.global_average_pool("mean", maps);
        let pooled = graph.reshape(FEATURES, mean, &[images, features]);
        let contrast = self.head.export(graph, pooled);
        let share = vec![1.0 / (rows * columns) as f32];
        let share = graph.weights("evidence/share", &[1, 1], share);
        let weight = graph.multiply("evidence/scaled", contrast, share);
        let weight = graph.reshape("evidence/weight", weight, &[1, features, 1, 1]);
        let weighted = graph.multiply("evidence/weighted", maps, weight);
        let evidence = graph.sum_channels(EVIDENCE, weighted);
        graph.result(evidence);
        pooled
    }
}

#[cfg(test)]
impl PooledHead {
    /// The margin if all features are zero.
    pub(super) fn offset(&self) -> f32 {
        self.head.offset()
    }

    pub(super) fn shift(&mut self) {
        self.head.shift();
    }
}
