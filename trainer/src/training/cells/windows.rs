//! Windows of labelled fields, from which the finder learns.

use std::path::PathBuf;
use std::sync::OnceLock;

use image::RgbImage;
use rand::{Rng, RngExt};
use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::{
    Background, CellCrop, CellSite, CropInput, Cropper, DensityField, TileInput,
};

use super::density_jitter;
use super::finder_task::{CellCircle, FinderExample, FoundKind};
use super::found::FieldMaps;
use crate::cell_kind::CellKind;
use crate::dataset::{CellCollection, CellSource, ImageContent, ImageOrigin};
use crate::error::TrainError;
use crate::networks::finder::{Finder, KINDS, STRIDE};

/// Largest factor by which a window is coarser or finer than the finder's scale: so far off is the scale of a field
/// before its red cells are measured.
const ZOOM: f32 = 1.7;
/// Share of the windows that are placed around a leukocyte, where there are some.
const AROUND_LEUKOCYTES: f64 = 0.6;
/// Largest distance of that leukocyte from the middle, as a share of the window's side.
const OFF_CENTRE: f32 = 0.4;
/// Diameters of cells whose size nobody measured, µm: of leukocytes and red cells.
const USUAL_UM: [f32; KINDS] = [12.0, 7.2];
/// Most pixels of a field at the finder's scale: what the appliance accepts, three times as fine.
const MAX_PIXELS: usize = 48_000_000;
/// Radius around a labelled cell within which there is no other, in diameters.
const OCCUPIED: f32 = 0.6;
/// Where the mean density in red light around a position is below this, no nucleus lies.
const NO_NUCLEUS: f32 = 0.1;

/// Scale and size of windows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WindowSize {
    /// The finder's scale.
    pub(crate) um_per_pixel: f32,
    /// Columns and rows, a multiple of 8.
    pub(crate) side: usize,
}

/// A field with its cells.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LabelledField {
    path: PathBuf,
    /// Index of its source.
    pub(crate) source: usize,
    /// Whether a camera took it.
    pub(crate) is_real: bool,
    um_per_pixel: f32,
    /// In pixels of the image.
    cells: Vec<CellCircle>,
    /// Whether every cell of each kind is labelled.
    is_complete: [bool; KINDS],
    /// The light of its empty places, once it was needed.
    background: OnceLock<Background>,
}

/// Where a window lies and how it is turned.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Left and upper edge in pixels of the density field.
    start: [i64; 2],
    side: usize,
    is_flipped: [bool; 2],
    is_transposed: bool,
}

impl LabelledField {
    /// A field of a collection; `None` for single cells and for fields of unknown scale.
    pub(crate) fn of(collection: &CellCollection, image: usize) -> Option<Self> {
        let labelled = &collection.images[image];
        let (ImageContent::Field(cells), Some(um_per_pixel)) =
            (&labelled.content, labelled.um_per_pixel)
        else {
            return None;
        };
        let cells = cells.iter().filter_map(|cell| {
            let kind = found_kind(cell.kind)?;
            let usual = USUAL_UM[kind as usize] / um_per_pixel;
            let [x, y] = cell.centre;
            Some(CellCircle {
                kind,
                x,
                y,
                diameter: cell
                    .extent
                    .map_or(usual, |[width, height]| (width * height).sqrt()),
                is_measured: cell.extent.is_some(),
            })
        });
        let source = &collection.sources[labelled.source];
        Some(Self {
            path: labelled.path.clone(),
            source: labelled.source,
            is_real: source.origin == ImageOrigin::Real,
            um_per_pixel,
            cells: cells.collect(),
            is_complete: completeness(source),
            background: OnceLock::new(),
        })
    }

    /// A window at the finder's scale, as the appliance sees it, placed at random.
    ///
    /// # Errors
    /// [`TrainError::Artifact`] if the image cannot be read any more.
    pub(crate) fn window(
        &self,
        size: WindowSize,
        rng: &mut impl Rng,
    ) -> Result<FinderExample, TrainError> {
        self.cut(size, 1.0, rng).map(|(example, _)| example)
    }

    /// Such a window of another scale and stain, turned or mirrored.
    ///
    /// # Errors
    /// Those of [`LabelledField::window`].
    pub(crate) fn varied_window(
        &self,
        size: WindowSize,
        rng: &mut impl Rng,
    ) -> Result<FinderExample, TrainError> {
        let zoom = rng.random_range(-ZOOM.ln()..ZOOM.ln()).exp();
        let (mut example, place) = self.cut(size, zoom, rng)?;
        let (red, green) = example.pixels.split_at_mut(place.side * place.side);
        density_jitter::vary([red, green], place.side, rng);
        Ok(example)
    }

    /// What a finder that takes such tiles finds in the whole field.
    ///
    /// # Errors
    /// Those of [`LabelledField::window`].
    pub(super) fn maps(&self, finder: &Finder, tiles: TileInput) -> Result<FieldMaps, TrainError> {
        let image = decode::read(&self.path, &Limits::default())?;
        Ok(FieldMaps::of(finder, tiles, &image, self.um_per_pixel))
    }

    /// A crop without a leukocyte at a random place of the field; `None` if so many trials find none.
    ///
    /// # Errors
    /// Those of [`LabelledField::window`].
    pub(super) fn free_place(
        &self,
        input: CropInput,
        trials: usize,
        rng: &mut impl Rng,
    ) -> Result<Option<CellCrop>, TrainError> {
        let image = decode::read(&self.path, &Limits::default())?;
        let background = self.background(&image);
        let mut cropper = Cropper::new(input);
        let lengths = [image.width(), image.height()].map(|length| length as f32);
        // The crop's half diagonal.
        let reach = 0.71 * input.side as f32 * input.um_per_pixel / self.um_per_pixel;
        for _ in 0..trials {
            let [x, y] = lengths.map(|length| rng.random_range(0.0..length));
            let is_near =
                |cell: CellCircle| (cell.x - x).hypot(cell.y - y) < reach + cell.diameter / 2.0;
            if self.cells_of(FoundKind::Leukocyte).any(is_near) {
                continue;
            }
            let site = CellSite {
                x,
                y,
                diameter: USUAL_UM[0] / self.um_per_pixel,
                score: 1.0,
            };
            let crop = cropper.cut(&image, background, self.um_per_pixel, &site);
            let is_free =
                |crop: &CellCrop| self.is_complete(FoundKind::Leukocyte) || is_without_nuclei(crop);
            if let Some(crop) = crop.filter(is_free) {
                return Ok(Some(crop));
            }
        }
        Ok(None)
    }

    /// The light of the empty places of its image.
    fn background(&self, image: &RgbImage) -> &Background {
        self.background.get_or_init(|| Background::fit(image))
    }

    /// Whether every cell of a kind is labelled.
    pub(super) fn is_complete(&self, kind: FoundKind) -> bool {
        self.is_complete[kind as usize]
    }

    /// The labelled cells of a kind.
    pub(super) fn cells_of(&self, kind: FoundKind) -> impl Iterator<Item = CellCircle> {
        let cells = self.cells.iter().copied();
        cells.filter(move |cell| cell.kind == kind)
    }

    fn cut(
        &self,
        size: WindowSize,
        zoom: f32,
        rng: &mut impl Rng,
    ) -> Result<(FinderExample, Place), TrainError> {
        let image = decode::read(&self.path, &Limits::default())?;
        let factor = self.um_per_pixel * zoom / size.um_per_pixel;
        let [columns, rows] = [image.width(), image.height()]
            .map(|side| ((side as f32 * factor).round() as usize).max(1));
        if columns * rows > MAX_PIXELS {
            let problem = format!(
                "with {} µm per pixel it shows {:.1} mm², more than any field of view",
                self.um_per_pixel,
                (columns * rows) as f32 * (size.um_per_pixel / zoom * 1e-3).powi(2)
            );
            return Err(TrainError::data(
                &self.path,
                problem,
                "correct `um_per_pixel`",
            ));
        }
        let density = DensityField::of(&image, self.background(&image), columns, rows);
        let cells: Vec<CellCircle> = self.cells.iter().map(|cell| cell.scaled(factor)).collect();
        let place = Place::choose(&cells, [columns, rows], size.side, rng);
        Ok((self.example(&density, &cells, place), place))
    }

    /// The window of a density field, and of its cells, at a place.
    fn example(&self, density: &DensityField, cells: &[CellCircle], place: Place) -> FinderExample {
        let side = place.side;
        let mut pixels = vec![0.0; 2 * side * side];
        let mut is_inside = vec![false; side * side];
        for at in 0..side * side {
            let [x, y] = place.source([at % side, at / side]);
            if (0..density.width as i64).contains(&x) && (0..density.height as i64).contains(&y) {
                let from = y as usize * density.width + x as usize;
                pixels[at] = density.red[from];
                pixels[side * side + at] = density.green[from];
                is_inside[at] = true;
            }
        }
        let cells: Vec<CellCircle> = cells.iter().map(|cell| place.apply(*cell)).collect();
        let red = &pixels[..side * side];
        let known = [FoundKind::Leukocyte, FoundKind::RedCell]
            .map(|kind| self.known(kind, &cells, red, &is_inside, side))
            .concat();
        FinderExample {
            pixels,
            cells,
            known,
        }
    }

    /// Where it is known whether the centre of a cell of a kind lies: `[side / 4, side / 4]`, 1 or 0.
    fn known(
        &self,
        kind: FoundKind,
        cells: &[CellCircle],
        red: &[f32],
        is_inside: &[bool],
        side: usize,
    ) -> Vec<f32> {
        let positions = side / STRIDE;
        let middle = |position: usize| (position as f32 + 0.5) * STRIDE as f32;
        let is_known = |at: usize| {
            let (column, row) = (at % positions, at / positions);
            let (x, y) = (middle(column), middle(row));
            if !is_inside[y as usize * side + x as usize] {
                return false;
            }
            if self.is_complete[kind as usize] {
                return true;
            }
            let is_occupied = cells.iter().any(|cell| {
                cell.kind == kind && (cell.x - x).hypot(cell.y - y) < OCCUPIED * cell.diameter
            });
            let is_without_nucleus = || {
                kind == FoundKind::Leukocyte && mean_around(red, side, [column, row]) < NO_NUCLEUS
            };
            is_occupied || is_without_nucleus()
        };
        (0..positions * positions)
            .map(|at| f32::from(u8::from(is_known(at))))
            .collect()
    }
}

/// Whether nowhere in a crop the density in red light is that of a nucleus.
fn is_without_nuclei(crop: &CellCrop) -> bool {
    let positions = crop.side / STRIDE;
    (0..positions * positions)
        .all(|at| mean_around(&crop.red, crop.side, [at % positions, at / positions]) < NO_NUCLEUS)
}

/// What the finder takes a cell for; `None` for what it does not look for.
fn found_kind(kind: CellKind) -> Option<FoundKind> {
    match kind {
        CellKind::Erythrocyte => Some(FoundKind::RedCell),
        kind => kind.is_leukocyte().then_some(FoundKind::Leukocyte),
    }
}

/// Whether all leukocytes, and all red cells, are labelled in the fields of a source.
fn completeness(source: &CellSource) -> [bool; KINDS] {
    let marks_all_red_cells =
        source.origin == ImageOrigin::Drawn || source.complete.contains(&CellKind::Erythrocyte);
    [source.marks_all_leukocytes(), marks_all_red_cells]
}

/// Mean over a position and its eight neighbours of the pixels that they cover, in a window of so many columns.
fn mean_around(plane: &[f32], side: usize, position: [usize; 2]) -> f32 {
    let [columns, rows] =
        position.map(|at| at.saturating_sub(1) * STRIDE..((at + 2) * STRIDE).min(side));
    let count = columns.len() * rows.len();
    let sum: f32 = rows
        .flat_map(|row| &plane[row * side..][columns.clone()])
        .sum();
    sum / count as f32
}

impl CellCircle {
    /// Whether no frame of this width and height cuts the cell.
    pub(super) fn is_inside(&self, width: f32, height: f32) -> bool {
        let radius = self.diameter / 2.0;
        let within = |at: f32, length: f32| at >= radius && at <= length - radius;
        within(self.x, width) && within(self.y, height)
    }

    fn scaled(self, factor: f32) -> Self {
        Self {
            x: self.x * factor,
            y: self.y * factor,
            diameter: self.diameter * factor,
            ..self
        }
    }
}

impl Place {
    /// A place whose middle lies in a field of this many columns and rows, often near a leukocyte.
    fn choose(cells: &[CellCircle], field: [usize; 2], side: usize, rng: &mut impl Rng) -> Self {
        let leukocytes: Vec<&CellCircle> = cells
            .iter()
            .filter(|cell| cell.kind == FoundKind::Leukocyte)
            .collect();
        let middle = if !leukocytes.is_empty() && rng.random_bool(AROUND_LEUKOCYTES) {
            let cell = leukocytes[rng.random_range(0..leukocytes.len())];
            let reach = OFF_CENTRE * side as f32;
            [cell.x, cell.y].map(|at| at + rng.random_range(-reach..reach))
        } else {
            field.map(|side| rng.random_range(0.0..side as f32))
        };
        Self {
            start: middle.map(|at| (at - side as f32 / 2.0).round() as i64),
            side,
            is_flipped: [rng.random_bool(0.5), rng.random_bool(0.5)],
            is_transposed: rng.random_bool(0.5),
        }
    }

    /// The pixel of the field, column and row, that a pixel of the window shows.
    fn source(self, pixel: [usize; 2]) -> [i64; 2] {
        let [x, y] = if self.is_transposed {
            [pixel[1], pixel[0]]
        } else {
            pixel
        };
        let along = |axis: usize, at: usize| {
            let at = if self.is_flipped[axis] {
                self.side - 1 - at
            } else {
                at
            };
            self.start[axis] + at as i64
        };
        [along(0, x), along(1, y)]
    }

    /// A cell of the field in pixels of the window.
    fn apply(self, cell: CellCircle) -> CellCircle {
        let along = |axis: usize, at: f32| {
            let at = at - self.start[axis] as f32;
            if self.is_flipped[axis] {
                self.side as f32 - at
            } else {
                at
            }
        };
        let (x, y) = (along(0, cell.x), along(1, cell.y));
        let (x, y) = if self.is_transposed { (y, x) } else { (x, y) };
        CellCircle { x, y, ..cell }
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const SIZE: WindowSize = WindowSize {
        um_per_pixel: 0.5,
        side: 64,
    };
    const EMPTY: [f32; 2] = [0.0; 2];

    /// A field of 0.25 µm per pixel, with a dark leukocyte of 12 µm that is labelled and another one that is not.
    fn field(folder: &std::path::Path, is_complete: [bool; KINDS]) -> LabelledField {
        let path = folder.join("field.png");
        RgbImage::from_fn(300, 200, |x, y| {
            let far = |cx: f32, cy: f32| (x as f32 + 0.5 - cx).hypot(y as f32 + 0.5 - cy) > 24.0;
            Rgb(if far(80.0, 90.0) && far(230.0, 90.0) {
                [220, 210, 225]
            } else {
                [60, 40, 120]
            })
        })
        .save(&path)
        .unwrap();
        LabelledField {
            path,
            source: 0,
            is_real: true,
            um_per_pixel: 0.25,
            cells: vec![CellCircle {
                kind: FoundKind::Leukocyte,
                x: 80.0,
                y: 90.0,
                diameter: 48.0,
                is_measured: true,
            }],
            is_complete,
            background: OnceLock::new(),
        }
    }

    /// Mean column and row of the dense pixels near a cell.
    fn dense_middle(example: &FinderExample, cell: &CellCircle, side: usize) -> [f32; 2] {
        let near = (0..side * side).filter(|&at| {
            let (x, y) = ((at % side) as f32 + 0.5, (at / side) as f32 + 0.5);
            example.pixels[at] > 0.3 && (x - cell.x).hypot(y - cell.y) < cell.diameter
        });
        let (sum, count) = near.fold((EMPTY, 0.0), |([x, y], count), at| {
            let pixel = [(at % side) as f32 + 0.5, (at / side) as f32 + 0.5];
            ([x + pixel[0], y + pixel[1]], count + 1.0)
        });
        sum.map(|sum| sum / count)
    }

    #[test]
    fn labels_turn_with_the_picture() {
        let folder = tempfile::tempdir().unwrap();
        let field = field(folder.path(), [true; KINDS]);
        let mut seen = 0;
        for seed in 0..40 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let example = field.window(SIZE, &mut rng).unwrap();
            let [cell] = example.cells[..] else {
                panic!("{:?}", example.cells)
            };
            assert!((cell.diameter - 24.0).abs() < 0.1);
            if [cell.x, cell.y].iter().all(|at| (14.0..50.0).contains(at)) {
                let [x, y] = dense_middle(&example, &cell, SIZE.side);
                assert!(
                    (x - cell.x).abs() < 0.7 && (y - cell.y).abs() < 0.7,
                    "{seed} {x} {y}"
                );
                seen += 1;
            }
        }
        assert!(seen > 8, "{seen}");
    }

    #[test]
    fn variations_change_scale_and_stain() {
        let folder = tempfile::tempdir().unwrap();
        let field = field(folder.path(), [true; KINDS]);
        let diameters: Vec<f32> = (0..60)
            .map(|seed| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let example = field.varied_window(SIZE, &mut rng).unwrap();
                assert!(example.pixels.iter().all(|value| value.is_finite()));
                example.cells[0].diameter
            })
            .collect();
        let range = diameters
            .iter()
            .fold([f32::MAX, 0.0], |[low, high], &value| {
                [low.min(value), high.max(value)]
            });
        assert!(
            (14.0..16.5).contains(&range[0]) && (36.0..40.9).contains(&range[1]),
            "{range:?}"
        );
    }

    #[test]
    fn free_places_show_no_leukocyte_labelled_or_not() {
        const CROP: CropInput = CropInput {
            um_per_pixel: 0.25,
            side: 40,
            batch: 1,
        };
        let folder = tempfile::tempdir().unwrap();
        let field = field(folder.path(), [false; KINDS]);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let found: Vec<CellCrop> = (0..30)
            .filter_map(|_| field.free_place(CROP, 4, &mut rng).unwrap())
            .collect();
        assert!(found.len() > 15, "{}", found.len());
        let is_dense = |crop: &CellCrop| crop.red.iter().filter(|red| **red > 0.3).count() > 60;
        assert!(!found.iter().any(is_dense));
    }

    #[test]
    fn what_may_be_an_unlabelled_leukocyte_is_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let field = field(folder.path(), [false; KINDS]);
        let image = decode::read(&field.path, &Limits::default()).unwrap();
        let density = DensityField::of(&image, &Background::fit(&image), 150, 100);
        let cells: Vec<CellCircle> = field.cells.iter().map(|cell| cell.scaled(0.5)).collect();
        let place = Place {
            start: [-10, 0],
            side: 160,
            is_flipped: [false; 2],
            is_transposed: false,
        };
        let example = field.example(&density, &cells, place);
        let known = |kind: FoundKind, x: usize, y: usize| {
            let map = kind as usize * 40 * 40;
            example.known[map + (y / STRIDE) * 40 + (x + 10) / STRIDE] > 0.5
        };
        // The labelled cell, the other one, an empty place, and outside of the field.
        assert!(known(FoundKind::Leukocyte, 40, 45));
        assert!(!known(FoundKind::Leukocyte, 115, 45));
        assert!(known(FoundKind::Leukocyte, 75, 80));
        assert!(!known(FoundKind::Leukocyte, 75, 120));
        // Of red cells nothing is known.
        assert!(
            (0..150)
                .step_by(7)
                .all(|x| !known(FoundKind::RedCell, x, 45))
        );
    }
}
