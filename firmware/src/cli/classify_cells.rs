//! What `smearscope classify` does with a model that counts cells: images, and the slides that they make.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::ValueEnum;
use image::{RgbImage, imageops};
use smearscope_artifacts::{CellCount, CellSite, FieldCells, SlideCells, decode};

use crate::analysis::cell_overlay;
use crate::analysis::cells::{CellAnalysis, CellAnalyst};
use crate::cli::judge::{Judge, JudgeError, model_on_engine};
use crate::cli::picture_folder::PictureFolder;
use crate::report::answer::Said;
use crate::report::cells::{CellsAnswer, SlideAnswer, SlideImages};

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

/// A model that counts cells, of this program.
pub(crate) struct CellJudge<'a> {
    analyst: CellAnalyst,
    /// The slides by the canonical paths of their folders, if they are wanted.
    slides: Option<BTreeMap<PathBuf, Slide>>,
    overlays: Option<PictureFolder<'a>>,
    crops: Option<PictureFolder<'a>>,
}

/// The images of a folder.
struct Slide {
    /// As it was given first.
    folder: PathBuf,
    seen: SlideCells,
    count: CellCount,
    images: SlideImages,
}

impl<'a> CellJudge<'a> {
    /// A judge that counts slides, and saves marked images and pictures of cells, where they are wanted.
    pub(crate) fn new(
        analyst: CellAnalyst,
        slide_per: Option<SlidePer>,
        overlays: Option<PictureFolder<'a>>,
        crops: Option<PictureFolder<'a>>,
    ) -> Self {
        Self {
            analyst,
            slides: slide_per.map(|SlidePer::Folder| BTreeMap::new()),
            overlays,
            crops,
        }
    }

    /// Adds an image to the slide of its folder; `cells` of one that could not be counted are `None`.
    fn add_to_slide(&mut self, image: &Path, cells: Option<&FieldCells>) {
        let Some(slides) = &mut self.slides else {
            return;
        };
        let folder = match image.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let key = folder.canonicalize().unwrap_or_else(|_| folder.into());
        let slide = slides.entry(key).or_insert_with(|| Slide {
            folder: folder.into(),
            seen: SlideCells::default(),
            count: CellCount::default(),
            images: SlideImages::default(),
        });
        let Some(cells) = cells else {
            slide.images.refused += 1;
            return;
        };
        let all = cells.count();
        let new = slide.seen.add(cells).count;
        slide.images.fields += 1;
        slide.images.seen_again += (all.cells - new.cells) as usize;
        slide.count.cells += new.cells;
        slide.count.blasts += new.blasts;
        slide.count.unclear += new.unclear;
    }

    /// Saves the pictures that are wanted, at full resolution.
    fn save_pictures(&mut self, path: &Path, analysis: &CellAnalysis) -> anyhow::Result<()> {
        let Some(cells) = &analysis.cells else {
            return Ok(());
        };
        if self.crops.is_none() && self.overlays.is_none() {
            return Ok(());
        }
        let image = decode::read(path, self.analyst.limits())?;
        let model = &self.analyst.manifest().model;
        if let Some(overlays) = &mut self.overlays {
            let marked = cell_overlay::mark(image.clone(), &cells.cells, model);
            overlays.save(path, "cells", &marked)?;
        }
        if let Some(crops) = &mut self.crops {
            for (number, cell) in cells.cells.iter().enumerate() {
                let class = model.cell.classes.get(cell.class);
                let class = class.map_or("unknown", |class| class.name.as_str());
                // A model may come from anywhere, and so may the names of its classes.
                let class: String = class.chars().take(LONGEST_CLASS).collect();
                let class = class.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
                let suffix = format!("{:02}-{class}", number + 1);
                crops.save(path, &suffix, &crop(&image, &cell.site))?;
            }
        }
        Ok(())
    }
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

impl Judge for CellJudge<'_> {
    type Answer = CellsAnswer;

    fn judge(
        &mut self,
        image: &Path,
        failures: &mut Vec<String>,
    ) -> Result<CellsAnswer, JudgeError> {
        let start = Instant::now();
        let analysis = self.analyst.analyse_file(image);
        let elapsed_ms = start.elapsed().as_secs_f64() * 1000.0;
        let cells = analysis.iter().find_map(|analysis| analysis.cells.as_ref());
        self.add_to_slide(image, cells.filter(|cells| cells.scale.is_ok()));
        for folder in [&mut self.crops, &mut self.overlays].into_iter().flatten() {
            folder.reserve(image);
        }
        let analysis = analysis.map_err(|error| JudgeError::Image(error.to_string()))?;
        let answer = CellsAnswer::new(&self.analyst, &analysis, elapsed_ms);
        if let Err(error) = self.save_pictures(image, &analysis) {
            failures.push(format!("{error:#}"));
        }
        Ok(answer)
    }

    fn said(answer: &CellsAnswer) -> Said<'_> {
        answer.said()
    }

    fn slides(&self) -> Vec<SlideAnswer> {
        let manifest = self.analyst.manifest();
        let slides = self.slides.iter().flat_map(BTreeMap::values);
        slides
            .map(|slide| {
                let folder = slide.folder.to_string_lossy().into();
                let decision = manifest.model.count.decide(slide.count);
                SlideAnswer::new(folder, slide.images, &decision, manifest)
            })
            .collect()
    }

    fn by(&self) -> String {
        let (manifest, engine) = (self.analyst.manifest(), self.analyst.engine());
        model_on_engine(manifest, engine, &manifest.model.count.words())
    }

    fn is_demo(&self) -> bool {
        self.analyst.manifest().demo
    }
}
