//! `smearscope-train augment`: what augmentation makes of a picture, to look at.

use std::path::PathBuf;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use smearscope_artifacts::decode::{self, Limits};

use crate::augment::{Transform, jitter};
use crate::error::TrainError;
use crate::report::image_grid;

/// Random variations below the paper's transforms.
const DRAWN: usize = 27;

/// Whose variations to draw, and where to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Preview {
    pub(crate) image: PathBuf,
    pub(crate) out: PathBuf,
    pub(crate) seed: u64,
}

impl Preview {
    /// Draws the picture, each transform of the paper and some random variations into a PNG.
    ///
    /// # Errors
    /// [`TrainError::Artifact`] for an unusable image, [`TrainError::Output`] if the PNG cannot be
    /// written.
    pub(crate) fn write(&self) -> Result<(), TrainError> {
        let image = image_grid::SMALL.shrink(&decode::read(&self.image, &Limits::default())?);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let title = format!(
            "{}, seed {}: the picture, the paper's transforms, random variations",
            self.image.file_name().unwrap_or_default().display(),
            self.seed
        );
        let mut sheet = image_grid::SMALL.sheet(&title, 1 + Transform::ALL.len() + DRAWN);
        sheet.add(Some(&image), image_grid::PLAIN, "as it is");
        for transform in Transform::ALL {
            let picture = transform.apply(&image, &mut rng);
            sheet.add(Some(&picture), image_grid::PLAIN, transform.name());
        }
        for number in 1..=DRAWN {
            let picture = jitter(&image, &mut rng);
            sheet.add(
                Some(&picture),
                image_grid::PLAIN,
                &format!("drawn {number}"),
            );
        }
        sheet.save(&self.out)
    }
}
