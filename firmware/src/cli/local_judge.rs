//! What `smearscope classify` does with a model of this program: images, the slides that they make, and pictures of both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::ValueEnum;
use image::{RgbImage, imageops};
use smearscope_artifacts::{CellSite, decode};

use crate::analysis::analyst::{Analysis, Analyst};
use crate::analysis::cell_overlay;
use crate::analysis::reading::Reading;
use crate::analysis::slide::Slide;
use crate::cli::folder_answer::FolderAnswer;
use crate::cli::judge::{Judge, JudgeError, model_on_engine};
use crate::cli::picture_folder::PictureFolder;
use crate::report::answer::{Answer, Said};

/// The side of a cell's picture, in diameters of the cell.
const CROP: f32 = 1.8;
/// Most letters of a class in a file's name.
const LONGEST_CLASS: usize = 40;

/// Which images are one slide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SlidePer {
    /// Those of a folder, without the folders in it
    Folder,
}

/// What is wanted of the images beside their verdicts.
#[derive(Default)]
pub(crate) struct Wanted<'a> {
    /// Size of a pixel, µm.
    pub(crate) um_per_pixel: Option<f32>,
    pub(crate) slide_per: Option<SlidePer>,
    /// Where pictures of the evidence, or with marked cells, are saved.
    pub(crate) overlays: Option<PictureFolder<'a>>,
    /// Where pictures of cells are saved.
    pub(crate) crops: Option<PictureFolder<'a>>,
}

/// A model of this program.
pub(crate) struct LocalJudge<'a> {
    analyst: Analyst,
    wanted: Wanted<'a>,
    /// The slides by the canonical paths of their folders, each with its path as it was given first.
    slides: BTreeMap<PathBuf, (PathBuf, Slide)>,
}

impl<'a> LocalJudge<'a> {
    pub(crate) fn new(mut analyst: Analyst, wanted: Wanted<'a>) -> Self {
        analyst.paint_overlays(wanted.overlays.is_some());
        Self {
            analyst,
            wanted,
            slides: BTreeMap::new(),
        }
    }

    /// The slide of an image, if slides are wanted.
    fn slide(&mut self, image: &Path) -> Option<&mut Slide> {
        let SlidePer::Folder = self.wanted.slide_per?;
        let folder = match image.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let key = folder.canonicalize().unwrap_or_else(|_| folder.into());
        let first = || (folder.into(), Slide::unnumbered());
        let (_, slide) = self.slides.entry(key).or_insert_with(first);
        Some(slide)
    }

    /// Saves the pictures that are wanted, those of cells at full resolution.
    fn save_pictures(&mut self, path: &Path, analysis: &Analysis) -> anyhow::Result<()> {
        if let (Some(overlays), Some(overlay)) = (&mut self.wanted.overlays, &analysis.overlay) {
            overlays.save(path, "evidence", overlay)?;
        }
        let Some(Reading::Cells(cells)) = &analysis.reading else {
            return Ok(());
        };
        let Wanted {
            overlays, crops, ..
        } = &mut self.wanted;
        if overlays.is_none() && crops.is_none() {
            return Ok(());
        }
        let mut image = decode::read(path, self.analyst.limits())?;
        if let Some(crops) = crops {
            for (cell, number) in cells.field.cells.iter().zip(1..) {
                let suffix = format!("{number:02}-{}", name(cells.class(cell)));
                crops.save(path, &suffix, &crop(&image, &cell.site))?;
            }
        }
        if let Some(overlays) = overlays {
            let scale = analysis.scale.map(|scale| scale.um_per_pixel);
            cell_overlay::mark(&mut image, cells, scale);
            overlays.save(path, "cells", &image)?;
        }
        Ok(())
    }
}

/// A class in a file's name. A model may come from anywhere, and so may the names of its classes.
fn name(class: &str) -> String {
    let class: String = class.chars().take(LONGEST_CLASS).collect();
    class.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_")
}

/// The part of an image around a cell, smaller at the image's border.
fn crop(image: &RgbImage, cell: &CellSite) -> RgbImage {
    let half = CROP / 2.0 * cell.diameter;
    let along = |centre: f32, length: u32| {
        let start = (centre - half).max(0.0) as u32;
        let end = ((centre + half).ceil() as u32).min(length);
        (start, end.saturating_sub(start).max(1))
    };
    let (left, width) = along(cell.x, image.width());
    let (top, height) = along(cell.y, image.height());
    imageops::crop_imm(image, left, top, width, height).to_image()
}

impl Judge for LocalJudge<'_> {
    type Answer = Answer;

    fn judge(&mut self, image: &Path, failures: &mut Vec<String>) -> Result<Answer, JudgeError> {
        let start = Instant::now();
        let mut analysed = self.analyst.analyse_file(image, self.wanted.um_per_pixel);
        let elapsed = start.elapsed();
        if let Some(slide) = self.slide(image) {
            match &mut analysed {
                Ok((analysis, _)) => slide.add(analysis),
                Err(_) => slide.add_refused(),
            }
        }
        // Also of an image without pictures, so that its name is not given to those of another one.
        let Wanted {
            overlays, crops, ..
        } = &mut self.wanted;
        for folder in [overlays, crops].into_iter().flatten() {
            folder.reserve(image);
        }
        let (analysis, stages) = analysed.map_err(|error| JudgeError::Image(error.to_string()))?;
        let answer = Answer::new(&self.analyst, &analysis, elapsed, &stages);
        if let Err(error) = self.save_pictures(image, &analysis) {
            failures.push(format!("{error:#}"));
        }
        Ok(answer)
    }

    fn said(answer: &Answer) -> Said<'_> {
        answer.said()
    }

    fn slides(&self) -> Vec<FolderAnswer> {
        let answer = |(folder, slide): &(PathBuf, Slide)| {
            let folder = folder.to_string_lossy().into();
            FolderAnswer::new(folder, slide, self.analyst.model())
        };
        self.slides.values().map(answer).collect()
    }

    fn by(&self) -> String {
        let limits = self.analyst.rule().words();
        model_on_engine(self.analyst.model(), self.analyst.engine(), &limits)
    }

    fn is_demo(&self) -> bool {
        self.analyst.model().is_demo()
    }
}
