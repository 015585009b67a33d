//! Labelled synthetic smear fields.
//!
//! A field is painted as optical density on a slide measured in micrometres and then photographed.
//! Everything but the kinds of its white cells is drawn without knowledge of the class, and varies
//! widely, to stand in for the microscopes, stains and cameras of which there are no pictures.
//! [`differential`] gives the label and the shares of the kinds; the number of white cells does not
//! depend on the class.

mod canvas;
mod class;
mod debris;
mod differential;
mod erythrocytes;
mod field;
mod leukocytes;
mod morphology;
mod optics;
mod outline;
mod plasma;
mod platelets;
mod random;
mod recipe;
mod scene;
mod stain;
mod texture;

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;
use indicatif::ParallelProgressIterator;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::arguments;
use crate::dataset::Provenance;
use crate::error::TrainError;
use crate::progress;
use class::Class;
use field::FieldId;

/// Positive fields show lymphoblasts, negative ones only normal white cells. Stain, magnification,
/// focus, noise, illumination and JPEG quality vary in the same way in both classes. On the same kind
/// of machine, the same seed gives the same bytes with any number of threads.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct Collection {
    /// Folder to write `negative/` and `positive/` into; these must be empty
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// Number of fields
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) count: u32,
    /// Share of positive fields, 0 to 1
    #[arg(long, default_value_t = 0.5, value_parser = arguments::share)]
    pub(crate) positive_share: f64,
    /// Seed; another seed gives other fields
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Largest width of a field in pixels; some fields are narrower
    #[arg(long, default_value_t = 640, value_parser = clap::value_parser!(u32).range(64..=2592))]
    pub(crate) width: u32,
    /// Largest height of a field in pixels; some fields are lower
    #[arg(long, default_value_t = 480, value_parser = clap::value_parser!(u32).range(64..=2592))]
    pub(crate) height: u32,
}

impl Collection {
    /// Draws all fields into one folder per class and records their provenance beside them.
    /// The number of threads does not change the files.
    pub(crate) fn write(&self) -> Result<(), TrainError> {
        for class in [Class::Negative, Class::Positive] {
            let folder = self.out.join(class.folder());
            let failed = |source| TrainError::output(&folder, source);
            fs::create_dir_all(&folder).map_err(failed)?;
            if fs::read_dir(&folder).map_err(failed)?.next().is_some() {
                let problem = "it is not empty, and two collections must not mix";
                return Err(TrainError::refused(&folder, problem));
            }
        }
        Provenance {
            origin: "synthetic smear fields drawn by smearscope-train synth".into(),
            command: format!(
                "smearscope-train synth --out FIELDS --count {} --positive-share {} --seed {} \
                 --width {} --height {}",
                self.count, self.positive_share, self.seed, self.width, self.height
            ),
        }
        .write(&self.out)?;
        let bar = progress::bar(u64::from(self.count), "fields");
        (0..self.count)
            .into_par_iter()
            .progress_with(bar)
            .try_for_each(|index| self.write_field(index))?;
        println!("{} fields in {}", self.count, self.out.display());
        Ok(())
    }

    fn write_field(&self, index: u32) -> Result<(), TrainError> {
        let class = self.class_of(index);
        let path = self.out.join(class.folder()).join(format!(
            "syn{index:05}_{}.jpg",
            u8::from(class == Class::Positive)
        ));
        let id = FieldId {
            seed: self.seed,
            index: index.into(),
        };
        let bytes = id
            .jpeg(class, self.width as usize, self.height as usize)
            .map_err(|error| TrainError::output(&path, io::Error::other(error)))?;
        fs::write(&path, bytes).map_err(|source| TrainError::output(&path, source))
    }

    /// The class of a field: positive fields are spread evenly over the collection.
    fn class_of(&self, index: u32) -> Class {
        let positives_before = |index: u32| (f64::from(index) * self.positive_share).floor();
        if positives_before(index + 1) > positives_before(index) {
            Class::Positive
        } else {
            Class::Negative
        }
    }
}

/// An example of a field; odd numbers are positive.
pub(crate) fn example_field(index: u64, width: usize, height: usize) -> image::RgbImage {
    let id = FieldId { seed: 4, index };
    let class = [Class::Negative, Class::Positive][index as usize % 2];
    id.photograph(class, &id.scene(width, height), width, height)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collection(out: PathBuf, count: u32, positive_share: f64) -> Collection {
        Collection {
            out,
            count,
            positive_share,
            seed: 9,
            width: 160,
            height: 120,
        }
    }

    #[test]
    fn the_share_of_positives_is_kept() {
        for (share, expected) in [(0.5, 50), (0.25, 25), (0.0, 0), (1.0, 100)] {
            let collection = collection(PathBuf::new(), 100, share);
            let positives = (0..100)
                .filter(|&index| collection.class_of(index) == Class::Positive)
                .count();
            assert_eq!(positives, expected);
        }
    }

    #[test]
    fn collections_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let collection = collection(folder.path().into(), 2, 0.5);
        collection.write().unwrap();
        let error = collection.write().unwrap_err();
        assert!(matches!(error, TrainError::Refused { .. }), "{error}");
    }

    #[test]
    fn narrow_fields_are_drawn_too() {
        let folder = tempfile::tempdir().unwrap();
        for (width, height) in [(1024, 64), (64, 1024)] {
            Collection {
                width,
                height,
                ..collection(folder.path().join(width.to_string()), 4, 0.5)
            }
            .write()
            .unwrap();
        }
    }

    #[test]
    fn threads_do_not_change_the_fields() {
        let folder = tempfile::tempdir().unwrap();
        let written = [1, 3].map(|threads| {
            let out = folder.path().join(threads.to_string());
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap()
                .install(|| collection(out.clone(), 6, 0.5).write())
                .unwrap();
            ["negative/syn00004_0.jpg", "positive/syn00005_1.jpg"]
                .map(|name| fs::read(out.join(name)).unwrap())
        });
        assert_eq!(written[0], written[1]);
    }
}
