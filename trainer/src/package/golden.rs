//! Golden samples: small images with the probability that the network returns for them.

use burn::tensor::{Tensor, TensorData};
use image::RgbImage;
use image::imageops::{self, FilterType};
use smearscope_artifacts::Preprocessor;
use smearscope_artifacts::decode::{self, Limits};

use super::files::png;
use crate::dataset::Sample;
use crate::error::TrainError;
use crate::metrics::Scored;
use crate::networks::{Network, floats};

/// Width of a golden sample: small, but larger than the network's input.
const WIDTH: u32 = 224;

/// One golden sample.
#[derive(Debug)]
pub(crate) struct Golden {
    /// Path inside the model folder.
    pub(crate) path: String,
    pub(crate) image: RgbImage,
    pub(crate) png: Vec<u8>,
}

impl Golden {
    /// Picks the least, the median and the most confident sample of each class. Small deviations of a
    /// network show most where it is least confident.
    pub(crate) fn choose(samples: &[&Sample], scored: &[Scored]) -> Result<Vec<Self>, TrainError> {
        let mut golden = Vec::new();
        for positive in [false, true] {
            let mut of_class: Vec<(&Sample, f32)> = samples
                .iter()
                .copied()
                .zip(scored)
                .filter(|(sample, _)| sample.positive == positive)
                .map(|(sample, scored)| (sample, scored.margin.abs()))
                .collect();
            of_class.sort_by(|a, b| a.1.total_cmp(&b.1));
            let mut picks = vec![0, of_class.len() / 2, of_class.len().saturating_sub(1)];
            picks.dedup();
            for (number, (sample, _)) in picks
                .iter()
                .filter_map(|&pick| of_class.get(pick))
                .enumerate()
            {
                let class = if positive { "positive" } else { "negative" };
                let image = decode::read(&sample.path, &Limits::default())?;
                golden.push(Self::of(
                    &image,
                    format!("golden/{class}-{}.png", number + 1),
                )?);
            }
        }
        Ok(golden)
    }

    /// Makes a golden sample from a small copy of an image.
    pub(crate) fn of(image: &RgbImage, path: String) -> Result<Self, TrainError> {
        let height =
            (f64::from(WIDTH) * f64::from(image.height()) / f64::from(image.width())).round();
        let image = imageops::resize(image, WIDTH, (height as u32).max(1), FilterType::Triangle);
        let png = png(&image, &path)?;
        Ok(Self { path, image, png })
    }
}

/// What the network computes for an image before any export.
#[derive(Debug)]
pub(crate) struct Expected {
    /// Probability of the positive class.
    pub(crate) probability: f32,
    pub(crate) evidence: Vec<f32>,
}

impl Expected {
    pub(crate) fn of(network: &Network, image: &RgbImage) -> Result<Self, TrainError> {
        let mut preprocessor = Preprocessor::new(network.architecture().input_contract())?;
        let prepared = preprocessor.prepare(image)?;
        let data = TensorData::new(prepared.data.clone(), prepared.shape);
        let input = Tensor::<4>::from_data(data, &network.device());
        let margin: f32 = network.margins(input.clone()).into_scalar();
        Ok(Self {
            probability: 1.0 / (1.0 + (-margin).exp()),
            evidence: floats(network.evidence(input)),
        })
    }
}
