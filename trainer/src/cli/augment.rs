//! `smearscope-train augment`: a preview of augmentation.

use std::path::PathBuf;

use clap::Args;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use smearscope_artifacts::decode::{self, Limits};

use crate::augment::{Transform, jitter};
use crate::error::TrainError;
use crate::report::{PLAIN, SMALL};

/// Number of random augmentations.
const DRAWN: usize = 27;

/// Draws the image and the transforms of the paper that the reference project follows, then random
/// augmentations of position, stain, brightness, focus, noise and compression.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct Augment {
    /// The image to augment
    #[arg(long, value_name = "IMAGE")]
    image: PathBuf,
    /// Draw the augmentations into this PNG
    #[arg(long, value_name = "PNG")]
    preview: PathBuf,
    /// Seed of the random augmentations
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Augment {
    /// Draws the preview.
    ///
    /// # Errors
    /// [`TrainError::Artifact`] for an unusable image, [`TrainError::Output`] if the PNG cannot be
    /// written.
    pub(super) fn run(&self) -> Result<(), TrainError> {
        let image = SMALL.shrink(&decode::read(&self.image, &Limits::default())?);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let title = format!(
            "{}, seed {}: the image, the paper's transforms, random augmentations",
            self.image.file_name().unwrap_or_default().display(),
            self.seed
        );
        let mut grid = SMALL.grid(&title, 1 + Transform::ALL.len() + DRAWN);
        grid.add(Some(&image), PLAIN, "original");
        for transform in Transform::ALL {
            let augmented = transform.apply(&image, &mut rng);
            grid.add(Some(&augmented), PLAIN, transform.name());
        }
        for number in 1..=DRAWN {
            let augmented = jitter(&image, &mut rng);
            grid.add(Some(&augmented), PLAIN, &format!("random {number}"));
        }
        grid.save(&self.preview)
    }
}
