//! Runs a model over labelled images.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use image::RgbImage;
use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::{ArtifactError, CellCounter, CellSite};

use crate::cell_kind::CellKind;
use crate::dataset::{CellCollection, ImageContent, LabelledCell, is_whole, scale_of_field};
use crate::error::TrainError;
use crate::metrics::{CalledCell, Detection, Target};
use crate::progress;

/// Diameter of a usual leukocyte, µm, for labels without a size.
const USUAL_UM: f32 = 12.0;

/// What a model says of an image.
#[derive(Debug)]
pub(super) struct Looked {
    /// Index of the image in its collection.
    pub(super) image: usize,
    pub(super) um_per_pixel: f32,
    /// Of a field.
    pub(super) field: Option<LookedField>,
    /// Its labelled cells, of kinds that the cell network tells apart.
    pub(super) cells: Vec<LookedCell>,
    /// Labelled cells of these kinds that the model cannot look at.
    pub(super) not_looked_at: usize,
}

#[derive(Debug)]
pub(super) struct LookedField {
    /// What the finder takes for leukocytes.
    pub(super) found: Detection,
    /// Those of them that count after the cell network looked at them.
    pub(super) counted: Detection,
    /// Whether the model measures scales.
    pub(super) has_ruler: bool,
    /// The scale that the red cells give, relative to that by the labels of the field's own red cells, or to the known one if it
    /// has too few.
    pub(super) scale_ratio: Option<f32>,
}

#[derive(Debug)]
pub(super) struct LookedCell {
    /// Where its label is, in pixels.
    pub(super) site: CellSite,
    pub(super) called: CalledCell,
}

/// Runs a model over images of known scale, given by index and scale, on all cores; in their order.
///
/// # Errors
/// [`TrainError::Artifact`] if the model cannot be loaded, or fails on an image, or an image cannot be decoded.
pub(super) fn look_at_images(
    load: impl Fn() -> Result<CellCounter, ArtifactError> + Sync,
    collection: &CellCollection,
    images: &[(usize, f32)],
) -> Result<Vec<Looked>, TrainError> {
    let bar = progress::bar(images.len() as u64, "images judged");
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, Looked)>, TrainError> {
        let mut counter = load()?;
        let mut looked = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((index, um_per_pixel)) = images.get(at) else {
                return Ok(looked);
            };
            looked.push((at, look(&mut counter, collection, *index, *um_per_pixel)?));
            bar.inc(1);
        }
    };
    // Not rayon's threads: they would begin other images while they wait for those of the embedded engine.
    let threads = rayon::current_num_threads().min(images.len());
    let mut looked = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| work().inspect_err(|_| next.store(images.len(), Ordering::Relaxed)))
            })
            .collect();
        let mut all = Vec::with_capacity(images.len());
        for worker in workers {
            match worker.join() {
                Ok(of_worker) => all.extend(of_worker?),
                Err(payload) => panic::resume_unwind(payload),
            }
        }
        Ok::<_, TrainError>(all)
    })?;
    bar.finish_and_clear();
    looked.sort_by_key(|(at, _)| *at);
    Ok(looked.into_iter().map(|(_, looked)| looked).collect())
}

fn look(
    counter: &mut CellCounter,
    collection: &CellCollection,
    index: usize,
    um_per_pixel: f32,
) -> Result<Looked, TrainError> {
    let labelled = &collection.images[index];
    let image = decode::read(&labelled.path, &Limits::default())?;
    let (field, labels) = match &labelled.content {
        ImageContent::Field(cells) => {
            let is_complete = collection.sources[labelled.source].marks_all_leukocytes();
            let field = look_at_field(counter, &image, um_per_pixel, cells, is_complete)?;
            let named = cells.iter().filter(|cell| is_named(cell.kind));
            let labels = named.map(|cell| (cell.kind, site(cell, um_per_pixel)));
            (Some(field), labels.collect())
        }
        ImageContent::Cell(kind) => {
            let label = (*kind, middle(&image, um_per_pixel));
            let labels: Vec<(CellKind, CellSite)> = Some(label)
                .filter(|_| is_named(*kind))
                .into_iter()
                .collect();
            (None, labels)
        }
    };
    let (kinds, sites): (Vec<CellKind>, Vec<CellSite>) = labels.into_iter().unzip();
    let cells = if sites.is_empty() {
        Vec::new()
    } else {
        counter.look_at(&image, um_per_pixel, &sites)?
    };
    let model = &counter.manifest().model;
    let mut looked = Looked {
        image: index,
        um_per_pixel,
        field,
        cells: Vec::new(),
        not_looked_at: 0,
    };
    for ((kind, site), cell) in kinds.into_iter().zip(sites).zip(cells) {
        let Some(cell) = cell else {
            looked.not_looked_at += 1;
            continue;
        };
        let class = model.cell.classes.get(cell.class);
        looked.cells.push(LookedCell {
            site,
            called: CalledCell {
                kind,
                group: labelled.group,
                call: cell.call,
                class: class.map_or_else(String::new, |class| class.name.clone()),
                blast_probability: cell.blast_probability(model),
            },
        });
    }
    Ok(looked)
}

fn look_at_field(
    counter: &mut CellCounter,
    image: &RgbImage,
    um_per_pixel: f32,
    cells: &[LabelledCell],
    is_complete: bool,
) -> Result<LookedField, TrainError> {
    let targets: Vec<Target> = cells
        .iter()
        .filter(|cell| cell.kind.is_leukocyte())
        .map(|cell| target(cell, um_per_pixel, image.dimensions()))
        .collect();
    let analysed = counter.analyse(image, Some(um_per_pixel))?;
    let found: Vec<CellSite> = analysed.cells.iter().map(|cell| cell.site).collect();
    let counting = analysed.cells.iter().filter(|cell| cell.call.counts());
    let kept: Vec<CellSite> = counting.map(|cell| cell.site).collect();
    let has_ruler = counter.manifest().model.ruler.is_some();
    let measured = if has_ruler {
        counter.analyse(image, None)?.scale.ok()
    } else {
        None
    };
    // Donors' red cells differ, which no ruler of red cells can know.
    let known = scale_of_field(cells, image.dimensions()).unwrap_or(um_per_pixel);
    Ok(LookedField {
        found: Detection::of_field(&found, &targets, is_complete),
        counted: Detection::of_field(&kept, &targets, is_complete),
        has_ruler,
        scale_ratio: measured.map(|scale| scale.um_per_pixel() / known),
    })
}

/// Whether cells of this kind are among those that the cell network tells apart, or may be: the finder gives it no red
/// cells and no platelets.
fn is_named(kind: CellKind) -> bool {
    kind.is_leukocyte() || matches!(kind, CellKind::Artefact | CellKind::NotALeukocyte)
}

/// Width and height of a label in pixels; those of a usual leukocyte if it has none.
fn extent(cell: &LabelledCell, um_per_pixel: f32) -> [f32; 2] {
    cell.extent.unwrap_or([USUAL_UM / um_per_pixel; 2])
}

fn target(cell: &LabelledCell, um_per_pixel: f32, size: (u32, u32)) -> Target {
    let extent = extent(cell, um_per_pixel);
    Target {
        centre: cell.centre,
        extent,
        is_measured: cell.extent.is_some(),
        is_cut: !is_whole(cell.centre, extent, size),
    }
}

fn site(cell: &LabelledCell, um_per_pixel: f32) -> CellSite {
    let [width, height] = extent(cell, um_per_pixel);
    CellSite {
        x: cell.centre[0],
        y: cell.centre[1],
        diameter: (width * height).sqrt(),
        score: 1.0,
    }
}

/// The place of the only cell of an image.
fn middle(image: &RgbImage, um_per_pixel: f32) -> CellSite {
    let [width, height] = [image.width(), image.height()].map(|side| side as f32);
    CellSite {
        x: width / 2.0,
        y: height / 2.0,
        diameter: (USUAL_UM / um_per_pixel).min(width).min(height),
        score: 1.0,
    }
}
