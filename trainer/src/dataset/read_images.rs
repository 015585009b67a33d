//! Reading and decoding of all files of a dataset.

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

/// What is known of a readable image, without its pixels.
#[derive(Debug, Clone)]
pub(crate) struct ImageInfo {
    pub(crate) file: Listed,
    /// Digest of the file, in hexadecimal.
    pub(crate) sha256: String,
    /// Width and height in pixels.
    pub(crate) size: (u32, u32),
    pub(crate) file_bytes: usize,
    pub(crate) capture: Capture,
    pub(crate) fingerprint: Fingerprint,
}

impl ImageInfo {
    /// Whether the two have different labels.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        self.file.positive != other.file.positive
    }
}

/// A file that is not a complete image.
#[derive(Debug)]
pub(crate) struct Unusable {
    pub(crate) path: PathBuf,
    pub(crate) problem: String,
}

/// Reads and decodes every file once, on all cores. `keep` extracts what the caller needs of the
/// pixels, which are decoded as for a network with this contract, and of the file's bytes.
pub(crate) fn read_images<T: Send>(
    files: Vec<Listed>,
    contract: Option<&InputContract>,
    keep: impl Fn(&RgbImage, &[u8]) -> T + Sync,
) -> (Vec<(ImageInfo, T)>, Vec<Unusable>) {
    let bar = progress::bar(files.len() as u64, "images read");
    let read: Vec<Result<_, Unusable>> = files
        .into_par_iter()
        .progress_with(bar)
        .map(|file| {
            let path = file.path.clone();
            read_image(file, contract, &keep).map_err(|error| Unusable {
                path,
                problem: problem(error),
            })
        })
        .collect();
    let mut images = Vec::with_capacity(read.len());
    let mut unusable = Vec::new();
    for outcome in read {
        match outcome {
            Ok(image) => images.push(image),
            Err(problem) => unusable.push(problem),
        }
    }
    (images, unusable)
}

/// The error without the path, which stands beside it.
pub(super) fn problem(error: ArtifactError) -> String {
    match error {
        ArtifactError::Unreadable { remedy, source, .. } => {
            format!("it cannot be read: {source}; {remedy}")
        }
        other => other.to_string(),
    }
}

fn read_image<T>(
    file: Listed,
    contract: Option<&InputContract>,
    keep: &impl Fn(&RgbImage, &[u8]) -> T,
) -> Result<(ImageInfo, T), ArtifactError> {
    let limits = Limits::default();
    let bytes = decode::read_bytes(&file.path, &limits)?;
    let picture = decode::decode_for(contract, &bytes, &limits)?;
    let kept = keep(&picture.image, &bytes);
    let info = ImageInfo {
        sha256: FileEntry::for_bytes(&file.path, &bytes).sha256,
        size: picture.original_size,
        file_bytes: bytes.len(),
        capture: Capture::of(&bytes),
        fingerprint: Fingerprint::of(&picture.image),
        file,
    };
    Ok((info, kept))
}
