//! Masks of the white cells of images.

use std::path::Path;

use image::{GrayImage, Luma, Rgb, RgbImage};
use log::info;
use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};
use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::{InputContract, Resampler, ResizeFilter};

use super::load::Dataset;
use super::path_within::path_within;
use super::read_images::problem;
use super::sample::Sample;
use crate::error::TrainError;
use crate::mask_region::Region;

impl Dataset {
    /// Adds the cells of positive images from the masks in a folder, as `synth --masks` writes them: PNG
    /// files with the paths of the images. Images may be without a mask.
    ///
    /// # Errors
    /// [`TrainError::Data`] if there is no mask for any positive image, or if one cannot be read, has another
    /// size than its image or other values than those of [`Region`].
    pub(crate) fn with_masks(
        mut self,
        folder: &Path,
        contract: &InputContract,
    ) -> Result<Self, TrainError> {
        let root = &self.root;
        let positives = self.samples.par_iter_mut().filter(|it| it.positive);
        positives.try_for_each(|sample| {
            let name = path_within(&sample.path, root).with_extension("png");
            let path = folder.join(name);
            if path.exists() {
                sample.cells = Some(read(&path, sample, contract)?);
            }
            Ok::<(), TrainError>(())
        })?;
        let positives = self.samples.iter().filter(|it| it.positive);
        let masked = positives.clone().filter(|it| it.cells.is_some()).count();
        if masked == 0 {
            return Err(TrainError::data(
                folder,
                "it has no mask for any positive image",
                "name the folder that `synth --masks` wrote for these images; a mask has the path of its image \
                 within --data, and ends in .png",
            ));
        }
        info!(
            "{masked} of {} positive images have a mask",
            positives.count()
        );
        Ok(self)
    }
}

/// The share of white cells in each pixel of the network's input.
fn read(path: &Path, sample: &Sample, contract: &InputContract) -> Result<GrayImage, TrainError> {
    let refuse =
        |problem: String| TrainError::data(path, problem, "draw the masks again, with the images");
    let mut mask =
        decode::read(path, &Limits::default()).map_err(|error| refuse(problem(error)))?;
    if mask.dimensions() != sample.size {
        let [(width, height), (columns, rows)] = [mask.dimensions(), sample.size];
        return Err(refuse(format!(
            "it is {width}×{height} pixels, and its image {columns}×{rows}"
        )));
    }
    for pixel in mask.pixels_mut() {
        let covered = match pixel.0 {
            [value, ..] if value <= Region::RedCell as u8 => 0,
            [value, ..] if value <= Region::Nucleus as u8 => u8::MAX,
            [value, ..] => return Err(refuse(format!("it has the value {value}, above 3"))),
        };
        *pixel = Rgb([covered; 3]);
    }
    Ok(shrunk(&mask, contract))
}

fn shrunk(mask: &RgbImage, contract: &InputContract) -> GrayImage {
    let (width, height) = (contract.width, contract.height);
    let mut shrunk = GrayImage::new(width, height);
    let mut resampler = Resampler::new(ResizeFilter::Area, width as usize, height as usize);
    for (pixel, [covered, ..]) in shrunk.pixels_mut().zip(resampler.resize(mask)) {
        *pixel = Luma([*covered]);
    }
    shrunk
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::layout::{Layout, Source};
    use super::*;
    use crate::networks::Architecture;
    use crate::synth::Collection;

    /// Drawn fields with their masks, and the dataset of the fields.
    fn drawn(folder: &Path) -> (Dataset, InputContract) {
        Collection {
            masks: Some(folder.join("masks")),
            ..Collection::small(folder.join("fields"), 4, 9)
        }
        .write()
        .unwrap();
        let source = Source {
            layout: Layout::Folder,
            root: folder.join("fields"),
            positive: vec!["positive".into()],
            negative: Vec::new(),
            skip_unusable: false,
            limit: None,
        };
        let contract = Architecture::tiny(16).input_contract();
        (Dataset::load(&source, &contract).unwrap(), contract)
    }

    #[test]
    fn positive_images_have_the_shares_of_their_white_cells() {
        let folder = tempfile::tempdir().unwrap();
        let (dataset, contract) = drawn(folder.path());
        let masks = folder.path().join("masks");
        let missing = masks.join("positive/syn00003_1.png");
        fs::remove_file(missing).unwrap();
        let dataset = dataset.with_masks(&masks, &contract).unwrap();
        let known = dataset.samples.iter().filter(|it| it.cells.is_some());
        let [sample] = known.collect::<Vec<_>>()[..] else {
            panic!("{dataset:?}");
        };
        assert!(sample.path.ends_with("positive/syn00001_1.jpg"));
        let cells = sample.cells.as_ref().unwrap();
        assert_eq!(cells.dimensions(), (16, 16));
        let mask = image::open(masks.join("positive/syn00001_1.png")).unwrap();
        let covered = mask.to_luma8().pixels().filter(|it| it.0[0] >= 2).count();
        let covered = covered as f64 / f64::from(mask.width() * mask.height());
        let sum: f64 = cells.pixels().map(|it| f64::from(it.0[0])).sum();
        // Rounded to one of 255 levels.
        assert!((sum / 255.0 / 256.0 - covered).abs() < 2e-3, "{covered}");
    }

    #[test]
    fn other_masks_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |masks: &Path| {
            let folder = tempfile::tempdir().unwrap();
            let (dataset, contract) = drawn(folder.path());
            let error = dataset.with_masks(masks, &contract).unwrap_err();
            error.to_string()
        };
        let message = refused(&folder.path().join("nowhere"));
        assert!(message.contains("no mask for any positive"), "{message}");
        fs::create_dir(folder.path().join("positive")).unwrap();
        let path = folder.path().join("positive/syn00001_1.png");
        GrayImage::new(7, 5).save(&path).unwrap();
        let message = refused(folder.path());
        assert!(
            message.contains("it is 7×5 pixels, and its image "),
            "{message}"
        );
        let (dataset, _) = drawn(&folder.path().join("drawn"));
        let sample = dataset.samples.iter().find(|it| it.positive).unwrap();
        let (width, height) = sample.size;
        let mask = GrayImage::from_pixel(width, height, Luma([255]));
        mask.save(&path).unwrap();
        let message = refused(folder.path());
        assert!(message.contains("it has the value 255"), "{message}");
        assert!(message.contains("syn00001_1.png"), "{message}");
    }
}
