//! A dataset read from disk.

use std::path::{Path, PathBuf};

use image::RgbImage;
use log::{info, warn};
use smearscope_artifacts::{InputContract, resized};

use super::appearance::Appearance;
use super::classes::Classes;
use super::groups::Groups;
use super::layout::{Listing, Source};
use super::path_within::path_within;
use super::provenance::Provenance;
use super::read_images::{ImageInfo, Unusable, read_images};
use super::sample::Sample;
use crate::error::TrainError;

/// Labelled images, ready for the network.
#[derive(Debug)]
pub(crate) struct Dataset {
    pub(crate) root: PathBuf,
    pub(crate) negative: String,
    pub(crate) positive: String,
    pub(crate) classes: Classes,
    /// What may be wrong with the labels, and how many files were left out.
    pub(crate) warnings: Vec<String>,
    pub(crate) provenance: Option<Provenance>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) groups: Groups,
}

impl Dataset {
    /// Reads every image. An unusable image, or one whose name does not fit the layout, is an error
    /// without `--skip-unusable`, since a model must not be trained on fewer images than the user
    /// believes.
    ///
    /// # Errors
    /// [`TrainError::Data`] if images are missing, unreadable, of one class only, labelled
    /// inconsistently or impossible to group.
    pub(crate) fn load(source: &Source, contract: &InputContract) -> Result<Self, TrainError> {
        Self::read(source, source.list()?, contract)
    }

    /// Like [`Dataset::load`], for an evaluation: the images may all be of one class.
    ///
    /// # Errors
    /// Those of [`Dataset::load`].
    pub(crate) fn load_any(source: &Source, contract: &InputContract) -> Result<Self, TrainError> {
        Self::read(source, source.list_any()?, contract)
    }

    fn read(
        source: &Source,
        listing: Listing,
        contract: &InputContract,
    ) -> Result<Self, TrainError> {
        let root = &source.root;
        if !listing.passed_over.is_empty() {
            info!(
                "{} files that are no images are passed over",
                listing.passed_over.len()
            );
        }
        let (images, unusable) =
            read_images(listing.files, Some(contract), |image, bytes| Pictures {
                appearance: Appearance::of(image, bytes),
                input: input(image, contract, 1),
                picture: input(image, contract, 2),
            });
        let mut warnings = listing.warnings;
        let misnamed = listing.ignored.into_iter().map(|path| Unusable {
            path,
            problem: "its place or name does not fit the layout of the dataset".into(),
        });
        let unusable: Vec<Unusable> = misnamed.chain(unusable).collect();
        if source.skip_unusable {
            warnings.extend(skipped(root, &unusable));
        } else {
            refuse_unusable(root, &unusable)?;
        }
        let (images, pictures): (Vec<ImageInfo>, Vec<Pictures>) = images.into_iter().unzip();
        let groups = Groups::form(root, source.layout, &images)?;
        refuse_contradictions(root, &images, &groups)?;
        warnings.extend(near_contradictions(root, &images, &groups));
        for warning in &warnings {
            warn!("{warning}");
        }
        let classes = Classes::count(
            images
                .iter()
                .map(|image| (image.file.class.as_str(), image.file.positive)),
        );
        let samples = images
            .into_iter()
            .zip(pictures)
            .zip(&groups.of)
            .map(|((image, pictures), &group)| Sample {
                path: image.file.path,
                class: image.file.class,
                sha256: image.sha256,
                positive: image.file.positive,
                group,
                capture: image.capture,
                size: image.size,
                file_bytes: image.file_bytes,
                appearance: pictures.appearance,
                input: pictures.input,
                picture: pictures.picture,
                cells: None,
            })
            .collect();
        Ok(Self {
            root: root.clone(),
            negative: listing.negative,
            positive: listing.positive,
            classes,
            warnings,
            provenance: listing.provenance,
            samples,
            groups,
        })
    }
}

/// What a sample needs of the pixels of its image.
struct Pictures {
    appearance: Appearance,
    input: RgbImage,
    picture: RgbImage,
}

/// The image in a multiple of the size of the network's input.
fn input(image: &RgbImage, contract: &InputContract, times: u32) -> RgbImage {
    let size = [contract.width, contract.height].map(|side| side * times);
    resized(image, contract.resize, size)
}

/// How many files `--skip-unusable` left out.
fn skipped(root: &Path, unusable: &[Unusable]) -> Option<String> {
    let first = unusable.first()?;
    Some(format!(
        "{} files could not be used and were left out, the first is {}: {}",
        unusable.len(),
        path_within(&first.path, root).display(),
        first.problem
    ))
}

/// How many near-duplicates have different labels.
fn near_contradictions(root: &Path, images: &[ImageInfo], groups: &Groups) -> Option<String> {
    let mut pairs = contradictions(images, &groups.duplicates.near);
    let [one, other] = pairs
        .next()?
        .map(|image| path_within(&image.file.path, root).display());
    let count = 1 + pairs.count();
    Some(format!(
        "{count} pairs of images look alike but have different labels, the first is {one} and {other}"
    ))
}

/// The pairs with different labels.
fn contradictions<'a>(
    images: &'a [ImageInfo],
    pairs: &'a [(usize, usize)],
) -> impl Iterator<Item = [&'a ImageInfo; 2]> {
    pairs
        .iter()
        .map(|&(one, other)| [&images[one], &images[other]])
        .filter(|[one, other]| one.contradicts(other))
}

fn refuse_unusable(root: &Path, unusable: &[Unusable]) -> Result<(), TrainError> {
    const MAX_NAMED: usize = 10;

    if unusable.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = unusable
        .iter()
        .take(MAX_NAMED)
        .map(|file| format!("{}: {}", file.path.display(), file.problem))
        .collect();
    let more = match unusable.len() - named.len() {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    Err(TrainError::data(
        root,
        format!(
            "{} files cannot be used:\n  {}{more}\n",
            unusable.len(),
            named.join("\n  ")
        ),
        "repair, rename or remove them, or leave them out with --skip-unusable",
    ))
}

/// Refuses identical files with different labels.
fn refuse_contradictions(
    root: &Path,
    images: &[ImageInfo],
    groups: &Groups,
) -> Result<(), TrainError> {
    match contradictions(images, &groups.duplicates.exact).next() {
        None => Ok(()),
        Some([one, other]) => Err(TrainError::data(
            root,
            format!(
                "{} and {} are the same file in both classes",
                one.file.path.display(),
                other.file.path.display()
            ),
            "remove the file with the wrong label",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use smearscope_artifacts::Preprocessor;

    use super::super::layout::Layout;
    use super::*;
    use crate::networks::Architecture;
    use crate::synth::example_field;

    fn contract() -> InputContract {
        Architecture::tiny(16).input_contract()
    }

    fn folder_with(classes: &[(&str, u64)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (class, count) in classes {
            fs::create_dir(root.path().join(class)).unwrap();
            for number in 0..*count {
                let name = format!("{class}/{number}.png");
                let index = number + 100 * class.len() as u64;
                example_field(index, 80, 64)
                    .save(root.path().join(name))
                    .unwrap();
            }
        }
        root
    }

    fn load(root: &Path) -> Result<Dataset, String> {
        load_with(root, false)
    }

    fn load_with(root: &Path, skip_unusable: bool) -> Result<Dataset, String> {
        let source = Source {
            layout: Layout::Folder,
            root: root.into(),
            positive: vec!["blasts".into()],
            negative: Vec::new(),
            skip_unusable,
            limit: None,
        };
        Dataset::load(&source, &contract()).map_err(|error| error.to_string())
    }

    #[test]
    fn images_become_inputs() {
        let root = folder_with(&[("healthy", 3), ("blasts", 2)]);
        let dataset = load(root.path()).unwrap();
        let labels: Vec<bool> = dataset
            .samples
            .iter()
            .map(|sample| sample.positive)
            .collect();
        assert_eq!(labels, [true, true, false, false, false]);
        for sample in &dataset.samples {
            assert_eq!(sample.input.dimensions(), (16, 16));
            assert_eq!(sample.picture.dimensions(), (32, 32));
        }
        // What training sees is what the appliance sees.
        let image = image::open(&dataset.samples[0].path).unwrap().to_rgb8();
        let mut preprocessor = Preprocessor::new(contract()).unwrap();
        let expected = preprocessor.prepare(&image).unwrap().clone();
        let found = preprocessor.prepare(&dataset.samples[0].input).unwrap();
        assert_eq!(found.data, expected.data);
        assert_eq!(dataset.provenance, None);
        assert_eq!(dataset.groups.names.len(), 5);
    }

    #[test]
    fn unusable_files_are_named() {
        let root = folder_with(&[("healthy", 2), ("blasts", 2)]);
        fs::write(root.path().join("healthy/broken.jpg"), b"no image").unwrap();
        fs::write(root.path().join("blasts/phone.heic"), b"nor this").unwrap();
        fs::write(
            root.path().join("blasts/notes.txt"),
            b"no image by its name",
        )
        .unwrap();
        let message = load(root.path()).unwrap_err();
        assert!(message.contains("2 files"), "{message}");
        assert!(
            message.contains("broken.jpg") && message.contains("phone.heic"),
            "{message}"
        );
        let dataset = load_with(root.path(), true).unwrap();
        assert_eq!(dataset.samples.len(), 4);
        assert!(
            dataset.warnings[0].starts_with(
                "2 files could not be used and were left out, the first is blasts/phone.heic: "
            ),
            "{:?}",
            dataset.warnings
        );
    }

    #[test]
    fn images_that_look_alike_in_both_classes_are_warned_of() {
        let root = folder_with(&[("healthy", 2), ("blasts", 2)]);
        // A brighter copy, which is another file.
        let mut copy = image::open(root.path().join("healthy/1.png"))
            .unwrap()
            .to_rgb8();
        copy.pixels_mut()
            .for_each(|pixel| pixel.0 = pixel.0.map(|value| value.saturating_add(2)));
        copy.save(root.path().join("blasts/copy.png")).unwrap();
        let warnings = load(root.path()).unwrap().warnings;
        assert!(
            warnings.len() == 1
                && warnings[0].ends_with("the first is blasts/copy.png and healthy/1.png"),
            "{warnings:?}"
        );
    }

    #[test]
    fn one_file_in_both_classes_is_refused() {
        let root = folder_with(&[("healthy", 2), ("blasts", 2)]);
        let copy = root.path().join("blasts/copy.png");
        fs::copy(root.path().join("healthy/1.png"), copy).unwrap();
        let message = load(root.path()).unwrap_err();
        assert!(
            message.contains("copy.png") && message.contains("both classes"),
            "{message}"
        );
    }
}
