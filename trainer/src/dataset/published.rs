//! The published procedure's dataset: every image with its copies, before anything is split.

use image::imageops::{self, FilterType};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use super::groups::{Duplicates, Groups};
use super::load::{Dataset, Sample};
use super::split::Holdout;
use crate::augment;
use crate::error::TrainError;

impl Dataset {
    /// Puts the paper's variants of each sample beside it, in the size of the network's input as
    /// the reference project did. Images held out by name stay alone.
    ///
    /// # Errors
    /// [`TrainError::Data`] if a name stands for no image.
    pub(crate) fn with_variants(
        self,
        holdout: Option<&Holdout>,
        seed: u64,
    ) -> Result<Self, TrainError> {
        let held_out = match holdout {
            None => Vec::new(),
            Some(holdout) => self.named(holdout)?,
        };
        let samples: Vec<Sample> = self
            .samples
            .into_par_iter()
            .enumerate()
            .flat_map_iter(|(index, sample)| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(index as u64);
                let variants = if held_out.contains(&index) {
                    Vec::new()
                } else {
                    augment::published(&sample.input, &mut rng)
                };
                let (width, height) = sample.picture.dimensions();
                let varied: Vec<Sample> = variants
                    .into_iter()
                    .map(|input| Sample {
                        picture: imageops::resize(&input, width, height, FilterType::Triangle),
                        input,
                        ..sample.clone()
                    })
                    .collect();
                std::iter::once(sample).chain(varied)
            })
            .collect();
        let groups = Groups {
            of: samples.iter().map(|sample| sample.group).collect(),
            // By design, every image has some now.
            duplicates: Duplicates::default(),
            ..self.groups
        };
        Ok(Self {
            samples,
            groups,
            ..self
        })
    }
}
