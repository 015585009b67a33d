//! The command that draws a collection of fields or of single cells.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use image::GrayImage;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::annotations::Annotations;
use super::class::Class;
use super::field::FieldId;
use super::jpeg::DrawError;
use super::labels::Labels;
use super::shares::Shares;
use super::single_cell::{CellId, CropSize};
use super::stain::StainFamily;
use crate::arguments;
use crate::cell_kind::CellKind;
use crate::dataset::Provenance;
use crate::error::TrainError;
use crate::progress;

/// Positive fields show lymphoblasts, negative ones only normal white cells. Stain, magnification,
/// focus, noise, illumination and JPEG quality vary in the same way in both classes. `labels.jsonl` and
/// `annotations.coco.json` list the cells of each picture. On the same kind of machine, the same seed
/// gives the same bytes with any number of threads.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct Collection {
    /// Folder to write `negative/` and `positive/` into, or one folder per kind of cell; these must be
    /// empty
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// Number of fields or cells
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) count: u32,
    /// Share of positive fields, 0 to 1
    #[arg(long, default_value_t = 0.5, value_parser = arguments::share, conflicts_with = "cells")]
    pub(crate) positive_share: f64,
    /// Seed; another seed gives other fields
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Largest width of a field in pixels; some fields are narrower
    #[arg(
        long,
        default_value_t = 640,
        value_parser = clap::value_parser!(u32).range(64..=2592),
        conflicts_with = "cells"
    )]
    pub(crate) width: u32,
    /// Largest height of a field in pixels; some fields are lower
    #[arg(
        long,
        default_value_t = 480,
        value_parser = clap::value_parser!(u32).range(64..=2592),
        conflicts_with = "cells"
    )]
    pub(crate) height: u32,
    /// Draw only these families of stains; default: all. Hold some out to test on stains that a network
    /// has not seen
    #[arg(long, value_name = "FAMILY,...", value_delimiter = ',')]
    pub(crate) stain_family: Vec<StainFamily>,
    /// Also write a mask of each picture into this folder, outside of --out: 0 background, 1 red cell,
    /// 2 cytoplasm and 3 nucleus of a white cell
    #[arg(long, value_name = "FOLDER")]
    pub(crate) masks: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) single: SingleCells,
}

/// How single cells are drawn.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct SingleCells {
    /// Draw single cells instead of fields: crops with a cell in the middle
    #[arg(long)]
    pub(crate) cells: bool,
    /// Width and height of a crop in µm
    #[arg(long, default_value_t = 24.0, value_parser = arguments::crop_um, requires = "cells")]
    pub(crate) cell_um: f32,
    /// Width and height of a crop in pixels
    #[arg(
        long,
        default_value_t = 96,
        value_parser = clap::value_parser!(u32).range(16..=512),
        requires = "cells"
    )]
    pub(crate) cell_pixels: u32,
    /// Kinds of cells with their shares, such as `lymphoblast=2,lymphocyte=1`; a share that is not given
    /// is 1. Default: all kinds in equal shares
    #[arg(
        long,
        value_name = "KIND=SHARE,...",
        requires = "cells",
        default_value_t,
        hide_default_value = true
    )]
    pub(crate) kinds: Shares,
}

/// A picture of a collection, and where it belongs.
struct Drawn {
    /// Folder within the collection.
    folder: &'static str,
    /// Name of the file without its extension.
    stem: String,
    extension: &'static str,
    bytes: Vec<u8>,
    labels: Labels,
    mask: GrayImage,
}

/// How many pictures are drawn before their labels are written.
const BATCH: u32 = 256;

impl Collection {
    /// Draws all pictures into one folder per class or kind and records their provenance and what they
    /// show beside them. The number of threads does not change the files.
    pub(crate) fn write(&self) -> Result<(), TrainError> {
        let kinds = self.kinds();
        self.create_folders()?;
        let (unit, origin) = if self.single.cells {
            ("cells", "synthetic single cells")
        } else {
            ("fields", "synthetic smear fields")
        };
        Provenance {
            origin: format!("{origin} drawn by smearscope-train synth"),
            command: self.command(),
        }
        .write(&self.out)?;
        let mut annotations = Annotations::create(&self.out)?;
        let bar = progress::bar(u64::from(self.count), unit);
        for start in (0..self.count).step_by(BATCH as usize) {
            let batch = start..self.count.min(start.saturating_add(BATCH));
            let labels: Vec<Labels> = batch
                .into_par_iter()
                .map(|index| {
                    let kind = kinds.get(index as usize).copied();
                    let labels = self.write_picture(index, kind)?;
                    bar.inc(1);
                    Ok(labels)
                })
                .collect::<Result<_, TrainError>>()?;
            for labels in &labels {
                annotations.add(labels)?;
            }
        }
        annotations.finish()?;
        bar.finish_and_clear();
        println!("{} {unit} in {}", self.count, self.out.display());
        Ok(())
    }

    /// Draws and writes a picture: a field, or a single cell of a kind.
    fn write_picture(&self, index: u32, kind: Option<CellKind>) -> Result<Labels, TrainError> {
        let failed = |error| TrainError::output(&self.out, io::Error::other(error));
        let drawn = match kind {
            Some(kind) => self.draw_cell(index, kind),
            None => self.draw_field(index),
        };
        let mut drawn = drawn.map_err(failed)?;
        let name = format!("{}/{}", drawn.folder, drawn.stem);
        drawn.labels.file = format!("{name}.{}", drawn.extension);
        let path = self.out.join(&drawn.labels.file);
        fs::write(&path, drawn.bytes).map_err(|source| TrainError::output(&path, source))?;
        if let Some(masks) = &self.masks {
            let path = masks.join(format!("{name}.png"));
            let saved = drawn.mask.save(&path);
            saved.map_err(|error| TrainError::output(&path, io::Error::other(error)))?;
        }
        Ok(drawn.labels)
    }

    fn draw_field(&self, index: u32) -> Result<Drawn, DrawError> {
        let class = self.class_of(index);
        let id = FieldId {
            seed: self.seed,
            index: index.into(),
        };
        let (width, height) = (self.width as usize, self.height as usize);
        let field = id.draw(class, width, height, &self.stain_family)?;
        Ok(Drawn {
            folder: class.folder(),
            stem: format!("syn{index:05}_{}", u8::from(class == Class::Positive)),
            extension: "jpg",
            bytes: field.jpeg,
            labels: field.labels,
            mask: field.mask,
        })
    }

    fn draw_cell(&self, index: u32, kind: CellKind) -> Result<Drawn, DrawError> {
        let id = CellId {
            seed: self.seed,
            index: index.into(),
        };
        let size = CropSize {
            um: self.single.cell_um,
            pixels: self.single.cell_pixels,
        };
        let cell = id.draw(kind, size, &self.stain_family)?;
        Ok(Drawn {
            folder: kind.name(),
            stem: format!("cell{index:06}"),
            extension: "png",
            bytes: cell.png,
            labels: cell.labels,
            mask: cell.mask,
        })
    }

    /// The kind of each single cell; empty for fields.
    fn kinds(&self) -> Vec<CellKind> {
        if self.single.cells {
            self.single.kinds.spread(self.count as usize)
        } else {
            Vec::new()
        }
    }

    /// The folders of the pictures.
    fn folders(&self) -> BTreeSet<&'static str> {
        if self.single.cells {
            self.single.kinds.kinds().map(CellKind::name).collect()
        } else {
            [Class::Negative, Class::Positive].map(Class::folder).into()
        }
    }

    fn create_folders(&self) -> Result<(), TrainError> {
        let roots: Vec<&PathBuf> = [&self.out].into_iter().chain(&self.masks).collect();
        let mut real = Vec::new();
        for root in &roots {
            let created = fs::create_dir_all(root).and_then(|()| fs::canonicalize(root));
            real.push(created.map_err(|source| TrainError::output(root, source))?);
        }
        if let [pictures, masks] = &real[..]
            && masks.starts_with(pictures)
        {
            let problem = "it lies within --out, whose folders are read as classes of images; choose \
                           another folder for the masks";
            return Err(TrainError::refused(masks, problem));
        }
        for root in roots {
            for folder in self.folders() {
                create_empty(&root.join(folder))?;
            }
        }
        Ok(())
    }

    /// The command that draws the same collection.
    fn command(&self) -> String {
        let mut command = "smearscope-train synth".to_owned();
        let SingleCells {
            cells,
            cell_um,
            cell_pixels,
            kinds,
        } = &self.single;
        let written = if *cells {
            write!(
                command,
                " --cells --out CELLS --count {} --seed {} --cell-um {cell_um} --cell-pixels {cell_pixels} \
                 --kinds {kinds}",
                self.count, self.seed
            )
        } else {
            write!(
                command,
                " --out FIELDS --count {} --positive-share {} --seed {} --width {} --height {}",
                self.count, self.positive_share, self.seed, self.width, self.height
            )
        };
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
        if !self.stain_family.is_empty() {
            let families: Vec<String> = self.stain_family.iter().map(arguments::spelled).collect();
            command += " --stain-family ";
            command += &families.join(",");
        }
        command
    }

    /// A few small fields.
    #[cfg(test)]
    pub(crate) fn small(out: PathBuf, count: u32, seed: u64) -> Self {
        Self {
            out,
            count,
            positive_share: 0.5,
            seed,
            width: 160,
            height: 120,
            stain_family: Vec::new(),
            masks: None,
            single: SingleCells {
                cells: false,
                cell_um: 24.0,
                cell_pixels: 96,
                kinds: Shares::default(),
            },
        }
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

/// Creates a folder, or accepts an empty one.
fn create_empty(folder: &Path) -> Result<(), TrainError> {
    let failed = |source| TrainError::output(folder, source);
    fs::create_dir_all(folder).map_err(failed)?;
    if fs::read_dir(folder).map_err(failed)?.next().is_some() {
        let problem = "it is not empty, and two collections must not mix";
        return Err(TrainError::refused(folder, problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::kind::DRAWN_KINDS;
    use super::*;

    #[test]
    fn the_share_of_positives_is_kept() {
        for (share, expected) in [(0.5, 50), (0.25, 25), (0.0, 0), (1.0, 100)] {
            let mut collection = Collection::small(PathBuf::new(), 100, 9);
            collection.positive_share = share;
            let positives = (0..100)
                .filter(|&index| collection.class_of(index) == Class::Positive)
                .count();
            assert_eq!(positives, expected);
        }
    }

    #[test]
    fn collections_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let collection = Collection::small(folder.path().into(), 2, 9);
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
                ..Collection::small(folder.path().join(width.to_string()), 4, 9)
            }
            .write()
            .unwrap();
        }
    }

    fn read(folder: &Path, names: &[&str]) -> Vec<Vec<u8>> {
        let read = |name: &&str| fs::read(folder.join(name)).unwrap();
        names.iter().map(read).collect()
    }

    fn cells(out: PathBuf, count: u32) -> Collection {
        let mut collection = Collection::small(out, count, 9);
        collection.single.cells = true;
        collection
    }

    #[test]
    fn threads_do_not_change_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let written = [1, 3].map(|threads| {
            let out = folder.path().join(threads.to_string());
            let fields = Collection::small(out.join("fields"), 6, 9);
            let cells = cells(out.join("cells"), 3);
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap()
                .install(|| fields.write().and_then(|()| cells.write()))
                .unwrap();
            let names = [
                "fields/negative/syn00004_0.jpg",
                "fields/positive/syn00005_1.jpg",
                "fields/labels.jsonl",
                "fields/annotations.coco.json",
                "cells/lymphocyte/cell000001.png",
                "cells/labels.jsonl",
            ];
            read(&out, &names)
        });
        assert_eq!(written[0], written[1]);
    }

    /// The lines of a collection's labels.
    fn labels(folder: &Path) -> Vec<Value> {
        let text = fs::read_to_string(folder.join(Annotations::LABELS)).unwrap();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn labels_and_masks_belong_to_the_fields() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("fields");
        let masks = folder.path().join("masks");
        let collection = Collection {
            masks: Some(masks.clone()),
            stain_family: vec![StainFamily::Purple, StainFamily::Blue],
            ..Collection::small(out.clone(), 8, 9)
        };
        collection.write().unwrap();
        let command = fs::read_to_string(out.join("dataset.toml")).unwrap();
        assert!(command.contains(" --stain-family purple,blue"), "{command}");
        let labels = labels(&out);
        assert_eq!(labels.len(), 8);
        for line in labels {
            let file = line["file"].as_str().unwrap();
            let picture = image::open(out.join(file)).unwrap().into_rgb8();
            let size = [&line["width"], &line["height"]].map(|side| side.as_u64().unwrap() as u32);
            assert_eq!(picture.dimensions(), size.into());
            let family = line["stain_family"].as_str().unwrap();
            assert!(["purple", "blue"].contains(&family));
            let mask = masks.join(file).with_extension("png");
            let mask = image::open(mask).unwrap().into_luma8();
            assert_eq!(mask.dimensions(), size.into());
            let leukocytes = line["leukocytes"].as_array().unwrap();
            let blasts = leukocytes
                .iter()
                .filter(|cell| cell["kind"] == "lymphoblast");
            assert_eq!(blasts.count() > 0, file.starts_with("positive/"), "{line}");
            // Nuclei take up more green than the rest of their cells' surroundings.
            let mean = |nuclear: bool| {
                let pixels = picture.pixels().zip(mask.pixels());
                let chosen = pixels.filter(|(_, mask)| (mask.0 == [3]) == nuclear);
                let (sum, count) = chosen.fold((0.0, 0.0), |(sum, count), (pixel, _)| {
                    (sum + f32::from(pixel.0[1]), count + 1.0)
                });
                sum / count
            };
            if line["view"] != "cut_out" {
                assert!(mean(true) < mean(false), "{file}");
            }
        }
    }

    #[test]
    fn masks_are_not_put_among_the_pictures() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("fields");
        let collection = Collection {
            masks: Some(out.join("masks")),
            ..Collection::small(out, 1, 9)
        };
        let error = collection.write().unwrap_err().to_string();
        assert!(
            error.contains("choose another folder for the masks"),
            "{error}"
        );
    }

    #[test]
    fn coco_lists_what_the_labels_list() {
        let folder = tempfile::tempdir().unwrap();
        Collection::small(folder.path().into(), 4, 9)
            .write()
            .unwrap();
        let text = fs::read(folder.path().join(Annotations::COCO)).unwrap();
        let coco: Value = serde_json::from_slice(&text).unwrap();
        let list = |name: &str| coco[name].as_array().unwrap();
        let labels = labels(folder.path());
        let lists = ["leukocytes", "artefacts", "erythrocytes", "platelets"];
        let count = |line: &Value, name| line[name].as_array().map_or(0, Vec::len);
        let objects = |line: &Value| -> usize { lists.iter().map(|name| count(line, name)).sum() };
        let total: usize = labels.iter().map(objects).sum();
        assert_eq!(list("annotations").len(), total);
        for (image, line) in list("images").iter().zip(&labels) {
            assert_eq!(image["file_name"], line["file"]);
            assert_eq!(image["um_per_pixel"], line["um_per_pixel"]);
            let of_image = |annotation: &&Value| annotation["image_id"] == image["id"];
            let annotations = list("annotations").iter().filter(of_image);
            assert_eq!(annotations.count(), objects(line));
            let first = &line["leukocytes"][0];
            let annotation = list("annotations").iter().find(of_image).unwrap();
            assert_eq!(annotation["bbox"], first["box"]);
            let category = list("categories")
                .iter()
                .find(|category| category["id"] == annotation["category_id"])
                .unwrap();
            assert_eq!(category["name"], first["kind"]);
        }
        let names: BTreeSet<&str> = list("categories")
            .iter()
            .map(|category| category["name"].as_str().unwrap())
            .collect();
        assert_eq!(names.len(), 10);
    }

    #[test]
    fn single_cells_lie_in_the_middle_of_their_crops() {
        let folder = tempfile::tempdir().unwrap();
        cells(folder.path().into(), 18).write().unwrap();
        let labels = labels(folder.path());
        for (line, kind) in labels.iter().zip(DRAWN_KINDS.into_iter().cycle()) {
            assert_eq!(line["kind"], kind.name());
            let file = line["file"].as_str().unwrap();
            assert_eq!(file.split_once('/').unwrap().0, kind.name());
            let picture = image::open(folder.path().join(file)).unwrap().into_rgb8();
            assert_eq!(picture.dimensions(), (96, 96));
            assert_eq!(line["um_per_pixel"], 0.25);
            let source = line["source_um_per_pixel"].as_f64().unwrap();
            assert!((0.049..=0.251).contains(&source), "{source}");
            // At most 1 µm, 4 pixels, from the middle; centroids of lobed cells a little more.
            let central = |list: &str| {
                let objects = line[list].as_array().unwrap();
                let central = objects.iter().filter(|object| {
                    let offset = |axis: usize| object["centre"][axis].as_f64().unwrap() - 48.0;
                    offset(0).hypot(offset(1)) < 7.0
                });
                central
                    .map(|object| object["kind"].clone())
                    .collect::<Vec<_>>()
            };
            match kind {
                CellKind::Artefact => assert_eq!(central("artefacts"), [kind.name()]),
                CellKind::NotALeukocyte => assert!(central("leukocytes").is_empty()),
                _ => assert_eq!(central("leukocytes"), [kind.name()]),
            }
        }
    }
}
