//! The cells of a slide, each once, although fields overlap.

use std::collections::VecDeque;
use std::sync::Arc;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::analysis::{CellCall, FieldCells, count};
use super::cell_site::CellSite;
use super::registration::find_shift;
use crate::judgement::count::CellCount;

/// How far apart the finder may place the same cell in two fields, µm.
const RADIUS_UM: f32 = 1.5;
/// The same, as a share of the diameter of the cell.
const RADIUS_SHARE: f32 = 0.35;

/// Most fields with which a new one is compared, the latest ones.
const MOST_FIELDS: usize = 200;
/// Most red cells by which fields are compared, the surest ones; a field of view has some hundreds.
const MOST_RED_CELLS: usize = 1000;

/// The fields of a slide, to tell which cells of the next one were counted before.
///
/// A field is compared with the 200 before it. They may be shifted against each other and of different sizes, but not turned or of
/// another magnification, as those of one microscope are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SlideCells {
    /// The latest fields, the oldest first.
    fields: VecDeque<Arc<SeenField>>,
    /// Number of fields before them, which are forgotten.
    forgotten: usize,
}

/// A field that was added.
#[derive(Debug, Clone, PartialEq)]
struct SeenField {
    size: [u32; 2],
    red_cells: Vec<[f32; 2]>,
    /// Those that count, and those that are unclear.
    leukocytes: Vec<[f32; 2]>,
    unclear: Vec<[f32; 2]>,
}

/// What a field adds to its slide.
#[derive(Debug, Clone, PartialEq)]
pub struct AddedField {
    /// For each cell of the field, whether no earlier field shows it as one that counts or, if it is unclear itself, as
    /// another unclear one.
    pub is_new: Vec<bool>,
    /// The new cells that count.
    pub count: CellCount,
    /// The earlier fields, by their number from 0, that have a part in common with it, the latest first.
    pub overlaps: Vec<usize>,
}

impl SlideCells {
    /// Adds a field.
    pub fn add(&mut self, field: &FieldCells) -> AddedField {
        let place = |site: &CellSite| [site.x, site.y];
        let places = |is_one: fn(CellCall) -> bool| {
            let cells = field.cells.iter().filter(|cell| is_one(cell.call));
            cells.map(|cell| place(&cell.site)).collect()
        };
        let seen = SeenField {
            size: field.size,
            red_cells: field
                .red_cells
                .iter()
                .take(MOST_RED_CELLS)
                .map(place)
                .collect(),
            leukocytes: places(CellCall::counts),
            unclear: places(CellCall::is_unclear),
        };
        let mut added = AddedField {
            is_new: vec![true; field.cells.len()],
            count: CellCount::default(),
            overlaps: Vec::new(),
        };
        if let Ok(scale) = field.scale {
            let radius = RADIUS_UM / scale.um_per_pixel();
            let earlier = self.fields.par_iter();
            let shifts: Vec<_> = earlier
                .map(|earlier| earlier.shift_to(&seen, radius))
                .collect();
            let shifted = self.fields.iter().zip(shifts).enumerate().rev();
            for (number, (earlier, by)) in shifted {
                let Some(by) = by else {
                    continue;
                };
                added.overlaps.push(self.forgotten + number);
                for (cell, is_new) in field.cells.iter().zip(&mut added.is_new) {
                    let reach = radius.max(RADIUS_SHARE * cell.site.diameter);
                    let is_it = |[x, y]: &[f32; 2]| {
                        (x + by[0] - cell.site.x).hypot(y + by[1] - cell.site.y) <= reach
                    };
                    let is_known = earlier.leukocytes.iter().any(is_it)
                        || (cell.call.is_unclear() && earlier.unclear.iter().any(is_it));
                    *is_new &= !is_known;
                }
            }
        }
        let new = field.cells.iter().zip(&added.is_new);
        added.count = count(new.filter_map(|(cell, is_new)| is_new.then_some(cell)));
        if self.fields.len() == MOST_FIELDS {
            self.fields.pop_front();
            self.forgotten += 1;
        }
        self.fields.push_back(Arc::new(seen));
        added
    }
}

impl SeenField {
    fn shift_to(&self, later: &Self, radius: f32) -> Option<[f32; 2]> {
        let sizes = [self.size, later.size].map(|size| size.map(|side| side as f32));
        find_shift(&self.red_cells, &later.red_cells, sizes, radius)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use rand_distr::{Distribution, Uniform};

    use super::super::analysis::{Cell, NoScale, Scale};
    use super::*;

    const UM_PER_PIXEL: f32 = 0.1;

    fn site([x, y]: [f32; 2], diameter: f32) -> CellSite {
        CellSite {
            x,
            y,
            diameter,
            score: 0.9,
        }
    }

    /// What a field of 640 × 480 pixels shows of a slide that begins so far to the left: red cells, and leukocytes at these places of
    /// the slide with their calls.
    fn field(start: f32, leukocytes: &[([f32; 2], CellCall)]) -> FieldCells {
        let shown = |[x, y]: [f32; 2]| [x - start, y];
        let is_inside = |[x, _]: &[f32; 2]| (0.0..640.0).contains(x);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut along = |length: f32| Uniform::new(0.0, length).unwrap().sample(&mut rng);
        let red_cells = (0..200).map(|_| [along(1600.0), along(480.0)]);
        let cells = leukocytes
            .iter()
            .map(|(place, call)| (shown(*place), *call))
            .filter(|(place, _)| is_inside(place));
        FieldCells {
            size: [640, 480],
            scale: Ok(Scale::Given(UM_PER_PIXEL)),
            red_cells: red_cells
                .map(shown)
                .filter(is_inside)
                .map(|place| site(place, 72.0))
                .collect(),
            cells: cells
                .map(|(place, call)| Cell {
                    site: site(place, 120.0),
                    diameter_um: 12.0,
                    probabilities: Vec::new(),
                    class: 0,
                    call,
                    figures: None,
                    evidence: None,
                })
                .collect(),
            search: Duration::ZERO,
        }
    }

    const LEUKOCYTES: [([f32; 2], CellCall); 5] = [
        ([100.0, 100.0], CellCall::Blast),
        ([300.0, 100.0], CellCall::OtherLeukocyte),
        ([500.0, 300.0], CellCall::Blast),
        ([700.0, 200.0], CellCall::Blast),
        ([600.0, 400.0], CellCall::Novel),
    ];

    #[test]
    fn a_part_of_a_field_is_no_new_field() {
        let whole = field(0.0, &LEUKOCYTES);
        let mut slide = SlideCells::default();
        slide.add(&whole);
        for (width, height) in [(632, 480), (640, 470), (500, 400)] {
            let is_inside = |site: &CellSite| site.x < width as f32 && site.y < height as f32;
            let mut part = whole.clone();
            part.size = [width, height];
            part.red_cells.retain(is_inside);
            part.cells.retain(|cell| is_inside(&cell.site));
            let added = slide.add(&part);
            assert_eq!(added.count.cells, 0, "{width} × {height}");
        }
    }

    #[test]
    fn what_is_far_back_is_forgotten() {
        let mut slide = SlideCells::default();
        for _ in 0..=MOST_FIELDS {
            slide.add(&field(0.0, &[]));
        }
        let added = slide.add(&field(0.0, &LEUKOCYTES));
        let latest = 1..=MOST_FIELDS;
        assert_eq!(added.overlaps, latest.rev().collect::<Vec<_>>());
    }

    #[test]
    fn a_third_of_a_field_further_only_new_cells_count() {
        let mut slide = SlideCells::default();
        let first = slide.add(&field(0.0, &LEUKOCYTES));
        assert_eq!(first.is_new, [true; 4]);
        assert_eq!((first.count.cells, first.count.blasts), (3, 2));
        // The cell that did not count counts in the second field.
        let mut later = LEUKOCYTES;
        later[4].1 = CellCall::OtherLeukocyte;
        let second = slide.add(&field(213.0, &later));
        assert_eq!(second.overlaps, [0]);
        assert_eq!(second.is_new, [false, false, true, true]);
        assert_eq!((second.count.cells, second.count.blasts), (2, 1));
        let again = slide.add(&field(0.0, &LEUKOCYTES));
        assert_eq!(again.overlaps, [1, 0]);
        assert_eq!(again.count.cells, 0);
    }

    #[test]
    fn fields_that_cannot_be_compared_are_new() {
        let mut slide = SlideCells::default();
        slide.add(&field(0.0, &LEUKOCYTES));
        let mut unknown = field(0.0, &[]);
        unknown.scale = Err(NoScale::NoRuler);
        assert!(slide.add(&unknown).overlaps.is_empty());
        let far = slide.add(&field(900.0, &LEUKOCYTES));
        assert!(far.overlaps.is_empty(), "{far:?}");
    }
}
