//! Where the evidence of a network should lie, as a loss.

use burn::tensor::activation::relu;
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Tensor, TensorData};

/// Total evidence, in units of the logit margin, below which its place counts less: there is nothing to move.
const LITTLE: f64 = 1e-3;

/// The white cells of some images, in which positive evidence should lie.
#[derive(Debug, Clone)]
pub(crate) struct EvidenceTarget {
    /// Share of each pixel that white cells cover, `[n, 1, rows, columns]`; of any size.
    pub(crate) cells: Tensor<4>,
    /// For each image whether its cells are known, 0 or 1; at least one is.
    pub(crate) known: Vec<f32>,
    /// The weight of the loss.
    pub(crate) weight: f64,
}

impl EvidenceTarget {
    /// The mean share of the positive evidence that lies outside of the cells, over the images whose cells
    /// are known, times the weight: `[1]`. `evidence` is `[n, 1, rows, columns]`; its positions stand for
    /// equal parts of the image.
    pub(super) fn loss(self, evidence: Tensor<4>) -> Tensor<1> {
        let [count, _, rows, columns] = evidence.dims();
        let outside = adaptive_avg_pool2d(self.cells, [rows, columns]) * -1.0 + 1.0;
        let positive = relu(evidence);
        let sum = |map: Tensor<4>| -> Tensor<1> { map.flatten::<2>(1, 3).sum_dim(1).flatten(0, 1) };
        let share = sum(positive.clone() * outside) / (sum(positive) + LITTLE);
        let images = self.known.iter().sum::<f32>();
        let known = TensorData::new(self.known, [count]);
        let known = Tensor::from_data(known, &share.device());
        (share * known).sum() * (self.weight / f64::from(images.max(1.0)))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn it_is_the_share_of_positive_evidence_outside_of_cells() {
        let device = Device::flex();
        let maps = [
            // The cell covers the left half, and half of the lower right quarter.
            [3.0_f32, -5.0, 0.0, 2.0],
            [0.0, 4.0, -1.0, 0.0],
            // Its cells are not known.
            [9.0, 9.0, 9.0, 9.0],
        ];
        let evidence = TensorData::new(maps.concat(), [3, 1, 2, 2]);
        let evidence = Tensor::from_data(evidence, &device);
        let cells: Vec<f32> = (0..3 * 16)
            .map(|at| {
                let (row, column) = (at % 16 / 4, at % 4);
                f32::from(u8::from(column < 2 || row == 3))
            })
            .collect();
        let target = EvidenceTarget {
            cells: Tensor::from_data(TensorData::new(cells, [3, 1, 4, 4]), &device),
            known: vec![1.0, 1.0, 0.0],
            weight: 3.0,
        };
        let loss: f32 = target.loss(evidence).into_scalar();
        // 1 of 5 in the first map, all of the second.
        let expected = 3.0 * (1.0 / 5.0 + 1.0) / 2.0;
        // A thousandth of the margin beside four and five.
        assert!((loss - expected).abs() < 1e-3, "{loss}");
    }
}
