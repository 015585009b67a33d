//! The dataset of the published procedure: every image with its augmented copies, before the split.

use image::imageops::{self, FilterType};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use super::groups::{Duplicates, Groups};
use super::holdout::Holdout;
use super::load::Dataset;
use super::sample::Sample;
use crate::augment;
use crate::error::TrainError;

impl Dataset {
    /// Adds the paper's augmented copies of each sample, in the size of the network's input as in the
    /// reference project. Images held out by name get none.
    ///
    /// # Errors
    /// [`TrainError::Data`] if a name matches no image.
    pub(crate) fn with_published_copies(
        self,
        holdout: Option<&Holdout>,
        seed: u64,
    ) -> Result<Self, TrainError> {
        let held_out = match holdout {
            None => Vec::new(),
            Some(holdout) => self.held_out(holdout)?,
        };
        let samples: Vec<Sample> = self
            .samples
            .into_par_iter()
            .enumerate()
            .flat_map_iter(|(index, sample)| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(index as u64);
                let copies = if held_out.contains(&index) {
                    Vec::new()
                } else {
                    augment::published(&sample.input, &mut rng)
                };
                let (width, height) = sample.picture.dimensions();
                let copies: Vec<Sample> = copies
                    .into_iter()
                    .map(|input| Sample {
                        picture: imageops::resize(&input, width, height, FilterType::Triangle),
                        input,
                        // Those of the image itself.
                        cells: None,
                        ..sample.clone()
                    })
                    .collect();
                std::iter::once(sample).chain(copies)
            })
            .collect();
        let groups = Groups {
            of: samples.iter().map(|sample| sample.group).collect(),
            // Every image has copies now, by design.
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
