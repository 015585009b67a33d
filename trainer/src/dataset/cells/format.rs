//! The formats in which sources list cells.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use smearscope_artifacts::{all_idb_label, read_text};

use super::super::files::{has_extension, name, stem};
use super::super::layout::Layout;
use super::image_index::ImageIndex;
use super::listing::{Listing, MAX_LIST};
use super::{boxes_table, coco, layouts, voc, yolo};
use crate::arguments;
use crate::cell_kind::CellKind;
use crate::error::TrainError;

/// How a source lists its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    /// Fields: a table with the columns image, class, x, y and perhaps width and height.
    Csv,
    /// Fields: COCO's instances.
    Coco,
    /// Fields: Pascal VOC.
    Voc,
    /// Fields: YOLO's labels.
    Yolo,
    /// Fields: ALL-IDB1 with the centroids of blasts.
    AllIdb1,
    /// Single cells: ALL-IDB2.
    AllIdb2,
    /// Single cells: C-NMC 2019.
    CNmc,
    /// Single cells: a folder for each class.
    Folders,
}

/// A list with its text.
type List = (PathBuf, String);

impl Format {
    /// Whether the images are single cells.
    pub(crate) fn is_of_single_cells(self) -> bool {
        matches!(self, Self::AllIdb2 | Self::CNmc | Self::Folders)
    }

    /// The kind that a class name means in every collection of this format. What C-NMC calls `hem` are normal
    /// precursors, whose kind is for the user to decide.
    pub(super) fn kind_of(self, class: &str) -> Option<CellKind> {
        match (self, class) {
            (Self::AllIdb2, "leukemia") | (Self::CNmc, "all") => Some(CellKind::Lymphoblast),
            (Self::AllIdb2, "healthy") => Some(CellKind::Leukocyte),
            _ => None,
        }
    }

    /// Lists the images at a path, which is a folder or a file that lists those of its folder. The format is
    /// found out if none is stated.
    ///
    /// # Errors
    /// [`TrainError::Data`] if the format is in doubt or the list cannot be read.
    pub(super) fn list(path: &Path, stated: Option<Self>) -> Result<(Self, Listing), TrainError> {
        if !path.exists() {
            return Err(TrainError::data(
                path,
                "it does not exist",
                "correct `path`",
            ));
        }
        if path.is_file() {
            return Self::list_file(path, stated);
        }
        let index = ImageIndex::of(path)?;
        let format = match stated {
            Some(format) => format,
            None => Self::found_in(&index)?,
        };
        let listing = match format {
            Self::Csv => {
                let (path, text) = only(&index, tables(&index)?, "tables of cells")?;
                boxes_table::list(&path, &text, &index)?
            }
            Self::Coco => {
                let (path, text) = only(&index, instances(&index)?, "files of COCO's instances")?;
                coco::list(&path, &text, &index)?
            }
            Self::Voc => voc::list(&index)?,
            Self::Yolo => yolo::list(&index)?,
            Self::AllIdb1 => layouts::list(path, Layout::AllIdb1)?,
            Self::AllIdb2 => layouts::list(path, Layout::AllIdb2)?,
            Self::CNmc => layouts::list(path, Layout::CNmc)?,
            Self::Folders => layouts::list(path, Layout::Folder)?,
        };
        Ok((format, listing))
    }

    fn list_file(path: &Path, stated: Option<Self>) -> Result<(Self, Listing), TrainError> {
        let found = if has_extension(path, "json") {
            Self::Coco
        } else {
            Self::Csv
        };
        let format = stated.unwrap_or(found);
        let folder = path.parent().unwrap_or(Path::new(""));
        // COCO keeps its files in a folder beside those of the images.
        let root = match folder.parent() {
            Some(parent) if format == Self::Coco && name(folder) == "annotations" => parent,
            _ => folder,
        };
        let read = || read_list(path);
        let listing = match format {
            Self::Csv => boxes_table::list(path, &read()?, &ImageIndex::of(root)?)?,
            Self::Coco => coco::list(path, &read()?, &ImageIndex::of(root)?)?,
            other => {
                return Err(TrainError::data(
                    path,
                    format!(
                        "it is a file, and `{}` reads a folder",
                        arguments::spelled(&other)
                    ),
                    "give the folder of the images",
                ));
            }
        };
        Ok((format, listing))
    }

    /// The format of a folder: that of the lists in it, else that of the names of its images.
    fn found_in(index: &ImageIndex) -> Result<Self, TrainError> {
        let is_annotation = |path: &Path| {
            let start = read_text(path, MAX_LIST).unwrap_or_default();
            start.contains("<annotation")
        };
        let mut formats = Vec::new();
        if !tables(index)?.is_empty() {
            formats.push(Self::Csv);
        }
        if !instances(index)?.is_empty() {
            formats.push(Self::Coco);
        }
        if index
            .with_extension("xml")
            .next()
            .is_some_and(is_annotation)
        {
            formats.push(Self::Voc);
        }
        if yolo::is_yolo(index) {
            formats.push(Self::Yolo);
        }
        match formats[..] {
            [] => {}
            [format] => return Ok(format),
            _ => {
                let names: Vec<String> = formats.iter().map(arguments::spelled).collect();
                return Err(TrainError::data(
                    &index.root,
                    format!("it has lists in several formats: {}", names.join(", ")),
                    "choose one with `format`",
                ));
            }
        }
        let is_c_nmc = |image: &Path| {
            let folder = image.parent().map(name).unwrap_or_default();
            stem(image).starts_with("UID_") && ["all", "hem"].contains(&&*folder)
        };
        let is_all_idb = |image: &Path| all_idb_label(image).is_some();
        let is_tiff = |image: &Path| {
            ["tif", "tiff"]
                .iter()
                .any(|known| has_extension(image, known))
        };
        if index.relative_paths().any(is_c_nmc) {
            return Ok(Self::CNmc);
        }
        if index.relative_paths().any(is_all_idb) {
            let of_single_cells = index.relative_paths().any(is_tiff);
            return Ok(if of_single_cells {
                Self::AllIdb2
            } else {
                Self::AllIdb1
            });
        }
        Ok(Self::Folders)
    }
}

/// The tables of cells in the root.
fn tables(index: &ImageIndex) -> Result<Vec<List>, TrainError> {
    let paths = index.in_root("csv").chain(index.in_root("tsv"));
    lists(paths, boxes_table::is_table)
}

/// The files of COCO's instances in the root and in its folder `annotations`.
fn instances(index: &ImageIndex) -> Result<Vec<List>, TrainError> {
    let folder = index.root.join("annotations");
    let below = index
        .with_extension("json")
        .filter(|path| path.parent() == Some(&folder));
    lists(index.in_root("json").chain(below), coco::is_instances)
}

fn lists<'a>(
    paths: impl Iterator<Item = &'a Path>,
    is_list: impl Fn(&str) -> bool,
) -> Result<Vec<List>, TrainError> {
    let mut found = Vec::new();
    for path in paths {
        let text = read_list(path)?;
        if is_list(&text) {
            found.push((path.into(), text));
        }
    }
    Ok(found)
}

fn only(index: &ImageIndex, mut lists: Vec<List>, what: &str) -> Result<List, TrainError> {
    let refuse = |problem: String, remedy: &str| TrainError::data(&index.root, problem, remedy);
    match (lists.pop(), &lists[..]) {
        (None, _) => Err(refuse(
            format!("it holds no {what}"),
            "correct `path` or `format`",
        )),
        (Some(list), []) => Ok(list),
        (Some((one, _)), [(other, _), ..]) => Err(refuse(
            format!(
                "it holds several {what}: {} and {}",
                name(other),
                name(&one)
            ),
            "give the path of one of them",
        )),
    }
}

fn read_list(path: &Path) -> Result<String, TrainError> {
    read_text(path, MAX_LIST).map_err(|error| TrainError::unreadable(path, &error))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn found(files: &[(&str, &str)]) -> Result<Format, String> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let listed = Format::list(root.path(), None);
        listed
            .map(|(format, _)| format)
            .map_err(|error| error.to_string())
    }

    const TABLE: (&str, &str) = ("boxes.csv", "image,class,x,y\n");
    const COCO: &str = "{\"images\": [], \"annotations\": [], \"categories\": []}";
    const VOC: (&str, &str) = (
        "xml/a.xml",
        "<annotation><filename>a.png</filename></annotation>",
    );

    #[test]
    fn formats_are_found_out() {
        for (files, format) in [
            (&[TABLE, ("other.csv", "path,label\n")][..], Format::Csv),
            (
                &[("a.json", COCO), ("b.json", "{}"), ("positive/1.png", "")],
                Format::Coco,
            ),
            (
                &[("annotations/a.json", COCO), ("train/1.png", "")],
                Format::Coco,
            ),
            (&[VOC, ("a.png", "")], Format::Voc),
            (&[("labels/a.txt", ""), ("images/a.png", "")], Format::Yolo),
            (&[("Im001_1.jpg", ""), ("Im034_0.jpg", "")], Format::AllIdb1),
            (&[("Im001_1.tif", "")], Format::AllIdb2),
            (&[("all/UID_1_1_1_all.bmp", "")], Format::CNmc),
            (
                &[("monocyte/1.png", ""), ("readme.txt", "")],
                Format::Folders,
            ),
        ] {
            assert_eq!(found(files), Ok(format), "{files:?}");
        }
    }

    #[test]
    fn doubts_are_refused() {
        for (files, word) in [
            (&[TABLE, VOC][..], "several formats: csv, voc"),
            (
                &[TABLE, ("b.csv", TABLE.1)],
                "several tables of cells: b.csv and boxes.csv",
            ),
            (&[("1.png", "")], "no class folders"),
        ] {
            let problem = found(files).unwrap_err();
            assert!(problem.contains(word), "{problem}");
        }
        let problem = Format::list(Path::new("/nowhere"), None).unwrap_err();
        assert!(problem.to_string().contains("does not exist"));
    }
}
