//! One look at every file: what it is, and whatever the caller makes of its pixels.

use std::path::PathBuf;

use image::RgbImage;
use indicatif::ParallelProgressIterator;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::{ArtifactError, FileEntry, InputContract};

use super::capture::Capture;
use super::fingerprint::Fingerprint;
use super::layout::Listed;
use crate::progress;

/// A readable image.
#[derive(Debug, Clone)]
pub(crate) struct Surveyed {
    pub(crate) file: Listed,
    /// Of the file's contents, in hexadecimal digits.
    pub(crate) sha256: String,
    /// Width and height in pixels.
    pub(crate) size: (u32, u32),
    pub(crate) file_bytes: usize,
    pub(crate) capture: Capture,
    pub(crate) fingerprint: Fingerprint,
}

/// A file that is no whole image.
#[derive(Debug)]
pub(crate) struct Unusable {
    pub(crate) path: PathBuf,
    pub(crate) problem: String,
}

/// Reads and decodes every file once, on all cores; `keep` makes what the caller needs of the pixels,
/// which are those that a network with this contract would get.
pub(crate) fn survey<T: Send>(
    files: Vec<Listed>,
    contract: Option<&InputContract>,
    keep: impl Fn(&RgbImage) -> T + Sync,
) -> (Vec<(Surveyed, T)>, Vec<Unusable>) {
    let bar = progress::bar(files.len() as u64, "images read");
    let looked_at: Vec<Result<_, Unusable>> = files
        .into_par_iter()
        .progress_with(bar)
        .map(|file| {
            let path = file.path.clone();
            look_at(file, contract, &keep).map_err(|error| Unusable {
                path,
                problem: error.to_string(),
            })
        })
        .collect();
    let mut images = Vec::with_capacity(looked_at.len());
    let mut unusable = Vec::new();
    for outcome in looked_at {
        match outcome {
            Ok(image) => images.push(image),
            Err(problem) => unusable.push(problem),
        }
    }
    (images, unusable)
}

fn look_at<T>(
    file: Listed,
    contract: Option<&InputContract>,
    keep: &impl Fn(&RgbImage) -> T,
) -> Result<(Surveyed, T), ArtifactError> {
    let limits = Limits::default();
    let bytes = decode::read_bytes(&file.path, &limits)?;
    let picture = decode::decode_for(contract, &bytes, &limits)?;
    let kept = keep(&picture.image);
    let surveyed = Surveyed {
        sha256: FileEntry::for_bytes(&file.path, &bytes).sha256,
        size: picture.original_size,
        file_bytes: bytes.len(),
        capture: Capture::of(&bytes),
        fingerprint: Fingerprint::of(&picture.image),
        file,
    };
    Ok((surveyed, kept))
}
