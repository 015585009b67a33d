//! What the pictures of a collection show, in two files beside them: `labels.jsonl`, and
//! `annotations.coco.json` in the format of COCO's instances (Lin et al. 2014).

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::kind::DRAWN_KINDS;
use super::labels::{Labels, PixelBox, Rounded, Visible};
use super::scene::View;
use super::stain::StainFamily;
use crate::cell_kind::CellKind;
use crate::error::TrainError;

/// Writes both files, picture by picture.
pub(crate) struct Annotations {
    lines: Output,
    coco: Output,
    /// COCO's list of images, which follows that of the annotations in the file.
    images: Vec<CocoImage>,
    /// How many annotations there are.
    count: u64,
}

/// A file and its path.
struct Output {
    path: PathBuf,
    file: BufWriter<File>,
}

#[derive(Serialize)]
struct CocoImage {
    id: usize,
    file_name: String,
    width: u32,
    height: u32,
    um_per_pixel: Rounded<6>,
    stain_family: StainFamily,
    view: View,
}

#[derive(Serialize)]
struct CocoAnnotation {
    id: u64,
    image_id: usize,
    category_id: usize,
    bbox: PixelBox,
    area: u32,
    iscrowd: u8,
}

#[derive(Serialize)]
struct CocoCategory {
    id: usize,
    name: &'static str,
    supercategory: &'static str,
}

/// COCO's number of red cells. Kinds have those of their order, from 1; the last of them, which
/// includes red cells, has none.
const ERYTHROCYTE: usize = DRAWN_KINDS.len();
const PLATELET: usize = ERYTHROCYTE + 1;

impl Annotations {
    pub(crate) const LABELS: &str = "labels.jsonl";
    pub(crate) const COCO: &str = "annotations.coco.json";

    /// Creates both files in a folder.
    pub(crate) fn create(folder: &Path) -> Result<Self, TrainError> {
        let mut coco = Output::create(folder.join(Self::COCO))?;
        coco.write(|file| {
            file.write_all(b"{\"categories\":")?;
            serde_json::to_writer(&mut *file, &categories())?;
            file.write_all(b",\"annotations\":[")
        })?;
        Ok(Self {
            lines: Output::create(folder.join(Self::LABELS))?,
            coco,
            images: Vec::new(),
            count: 0,
        })
    }

    /// Adds the next picture.
    pub(crate) fn add(&mut self, labels: &Labels) -> Result<(), TrainError> {
        self.lines.write(|file| {
            serde_json::to_writer(&mut *file, labels)?;
            file.write_all(b"\n")
        })?;
        let image_id = self.images.len() + 1;
        for (category_id, visible) in objects(labels) {
            self.count += 1;
            let annotation = CocoAnnotation {
                id: self.count,
                image_id,
                category_id,
                bbox: visible.bounds,
                area: visible.area,
                iscrowd: 0,
            };
            let separator: &[u8] = if self.count == 1 { b"\n" } else { b",\n" };
            self.coco.write(|file| {
                file.write_all(separator)?;
                Ok(serde_json::to_writer(file, &annotation)?)
            })?;
        }
        self.images.push(CocoImage {
            id: image_id,
            file_name: labels.file.clone(),
            width: labels.width,
            height: labels.height,
            um_per_pixel: labels.um_per_pixel,
            stain_family: labels.stain_family,
            view: labels.view,
        });
        Ok(())
    }

    /// Completes both files.
    pub(crate) fn finish(mut self) -> Result<(), TrainError> {
        self.lines.write(BufWriter::flush)?;
        let images = &self.images;
        self.coco.write(|file| {
            file.write_all(b"\n],\"images\":")?;
            serde_json::to_writer(&mut *file, images)?;
            file.write_all(b"}\n")?;
            file.flush()
        })
    }
}

impl Output {
    fn create(path: PathBuf) -> Result<Self, TrainError> {
        match File::create(&path) {
            Ok(file) => Ok(Self {
                path,
                file: BufWriter::new(file),
            }),
            Err(source) => Err(TrainError::output(&path, source)),
        }
    }

    fn write(
        &mut self,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), TrainError> {
        write(&mut self.file).map_err(|source| TrainError::output(&self.path, source))
    }
}

fn categories() -> Vec<CocoCategory> {
    let category = |id, name, supercategory| CocoCategory {
        id,
        name,
        supercategory,
    };
    let kinds = DRAWN_KINDS.into_iter().filter_map(|kind| {
        let supercategory = match kind {
            CellKind::NotALeukocyte => return None,
            CellKind::Artefact => "artefact",
            _ => "leukocyte",
        };
        Some(category(number(kind), kind.name(), supercategory))
    });
    let others = [
        category(ERYTHROCYTE, "erythrocyte", "erythrocyte"),
        category(PLATELET, "platelet", "platelet"),
    ];
    kinds.chain(others).collect()
}

/// COCO's number of a kind.
fn number(kind: CellKind) -> usize {
    kind as usize + 1
}

/// The objects in a picture with their categories.
fn objects(labels: &Labels) -> impl Iterator<Item = (usize, &Visible)> {
    let shown = &labels.shown;
    let leukocytes = shown
        .leukocytes
        .iter()
        .map(|cell| (number(cell.kind), &cell.visible));
    let artefacts = shown
        .artefacts
        .iter()
        .map(|artefact| (number(artefact.kind), &artefact.visible));
    let erythrocytes = shown
        .erythrocytes
        .iter()
        .map(|cell| (ERYTHROCYTE, &cell.visible));
    let platelets = shown
        .platelets
        .iter()
        .map(|platelet| (PLATELET, &platelet.0));
    leukocytes
        .chain(artefacts)
        .chain(erythrocytes)
        .chain(platelets)
}
