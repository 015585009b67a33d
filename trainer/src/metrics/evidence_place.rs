//! Where the evidence of a network lies: within the cells, and how far from their centres.

use std::fmt;

use image::GrayImage;
use serde::Serialize;
use smearscope_artifacts::EvidenceMap;

/// Pixels below which a region is a remnant of a cell rather than one.
const MIN_AREA: usize = 12;

/// The place of the positive evidence in fields whose white cells are known.
#[derive(Debug, Clone, Default)]
pub(crate) struct EvidencePlace {
    fields: usize,
    /// For each field with positive evidence, the share of it inside white cells.
    shares: Vec<f64>,
    /// For each cell, from its centre to the centre of the positive evidence around it, in pixels to the
    /// right and down.
    displacements: Vec<[f64; 2]>,
}

/// What is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct EvidenceFigures {
    /// Number of fields whose cells are known.
    pub(crate) fields: usize,
    /// Mean share of a field's positive evidence that lies inside white cells, 0 to 1, over the fields with
    /// such evidence. A position of the map counts as far as cells cover it.
    pub(crate) inside: Option<f64>,
    /// Number of cells with positive evidence.
    pub(crate) cells: usize,
    /// Length of the mean displacement of the evidence from the centres of the cells, in pixels of the
    /// network's input: a systematic shift.
    pub(crate) offset: Option<f64>,
    /// Median distance of the evidence from the centre of its cell, in pixels of the network's input; the
    /// map is coarser than that.
    pub(crate) distance: Option<f64>,
}

impl fmt::Display for EvidenceFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            fields,
            inside,
            cells,
            offset,
            distance,
        } = self;
        let (Some(inside), Some(offset), Some(distance)) = (inside, offset, distance) else {
            return write!(f, "there is none in {fields} fields with masks");
        };
        write!(
            f,
            "{:.1} % inside white cells, in {fields} fields; {offset:.2} pixels of the network's input off their \
             centres on average, {distance:.2} from that of each, for {cells} cells",
            100.0 * inside
        )
    }
}

impl EvidencePlace {
    /// Adds a field: its evidence, and the share of each pixel of the network's input that white cells
    /// cover, 0 to 255.
    ///
    /// A cell is a connected region of pixels that are covered at least by half, unless it touches the frame.
    /// Its centre is that of its area. The evidence around it is that of the positions of the map whose
    /// centres are no farther from it than the radius of a circle of its area and the side of a position.
    pub(crate) fn add(&mut self, evidence: &EvidenceMap, cells: &GrayImage) {
        self.fields += 1;
        let positive = evidence
            .values
            .iter()
            .map(|value| f64::from(value.max(0.0)));
        let positive: Vec<f64> = positive.collect();
        let total: f64 = positive.iter().sum();
        if total <= 0.0 {
            return;
        }
        let covered = covered_shares(cells, [evidence.width, evidence.height]);
        let inside = positive
            .iter()
            .zip(covered)
            .map(|(value, share)| value * share);
        self.shares.push(inside.sum::<f64>() / total);

        let sides = [
            f64::from(cells.width()) / evidence.width as f64,
            f64::from(cells.height()) / evidence.height as f64,
        ];
        let centre = |at: usize| {
            let place = [at % evidence.width, at / evidence.width];
            [0, 1].map(|axis| (place[axis] as f64 + 0.5) * sides[axis])
        };
        for region in regions(cells) {
            let reach = region.radius() + sides[0].max(sides[1]);
            let [x, y] = region.centre();
            let mut sum = 0.0;
            let mut moment = [0.0; 2];
            for (at, value) in positive.iter().enumerate() {
                let [column, row] = centre(at);
                let [right, down] = [column - x, row - y];
                if right.hypot(down) <= reach {
                    sum += value;
                    moment[0] += value * right;
                    moment[1] += value * down;
                }
            }
            if sum > 0.0 {
                self.displacements.push(moment.map(|moment| moment / sum));
            }
        }
    }

    /// The figures; none if no fields were added.
    pub(crate) fn figures(&self) -> Option<EvidenceFigures> {
        let mean = |values: &mut dyn Iterator<Item = f64>, count: usize| {
            (count > 0).then(|| values.sum::<f64>() / count as f64)
        };
        let cells = self.displacements.len();
        let along = |axis: usize| mean(&mut self.displacements.iter().map(|it| it[axis]), cells);
        let offset = along(0).zip(along(1)).map(|(x, y)| x.hypot(y));
        let distances = self.displacements.iter().map(|[x, y]| x.hypot(*y));
        let mut distances: Vec<f64> = distances.collect();
        distances.sort_unstable_by(f64::total_cmp);
        (self.fields > 0).then(|| EvidenceFigures {
            fields: self.fields,
            inside: mean(&mut self.shares.iter().copied(), self.shares.len()),
            cells,
            offset,
            distance: distances.get(cells / 2).copied(),
        })
    }
}

/// The share of each position of a map, of so many columns and rows, that cells cover: the mean of the pixels
/// whose centres lie in it.
fn covered_shares(cells: &GrayImage, [columns, rows]: [usize; 2]) -> Vec<f64> {
    let (width, height) = (cells.width() as usize, cells.height() as usize);
    let mut sums = vec![(0.0, 0.0); columns * rows];
    for (x, y, level) in cells.enumerate_pixels() {
        let column = (2 * x as usize + 1) * columns / (2 * width);
        let row = (2 * y as usize + 1) * rows / (2 * height);
        let (sum, count) = &mut sums[row * columns + column];
        *sum += f64::from(level.0[0]) / 255.0;
        *count += 1.0;
    }
    // A map finer than the input has positions without a pixel.
    sums.iter()
        .map(|(sum, count)| sum / f64::max(*count, 1.0))
        .collect()
}

/// Connected pixels.
#[derive(Debug, Default)]
struct Region {
    area: usize,
    /// Sums of the columns and rows of its pixels' centres.
    sums: [f64; 2],
    touches_frame: bool,
}

impl Region {
    fn centre(&self) -> [f64; 2] {
        self.sums.map(|sum| sum / self.area as f64)
    }

    /// Of a circle of the same area.
    fn radius(&self) -> f64 {
        (self.area as f64 / std::f64::consts::PI).sqrt()
    }
}

/// The regions of pixels that are covered at least by half, connected by sides or corners, without those that
/// touch the frame and remnants.
fn regions(cells: &GrayImage) -> Vec<Region> {
    let (width, height) = cells.dimensions();
    let mut left: Vec<bool> = cells.pixels().map(|level| level.0[0] >= 128).collect();
    let index = |x: u32, y: u32| (y * width + x) as usize;
    let mut regions = Vec::new();
    for (x, y, _) in cells.enumerate_pixels() {
        let mut region = Region::default();
        let mut stack = vec![(x, y)];
        while let Some((x, y)) = stack.pop() {
            if !std::mem::take(&mut left[index(x, y)]) {
                continue;
            }
            region.area += 1;
            region.sums[0] += f64::from(x) + 0.5;
            region.sums[1] += f64::from(y) + 0.5;
            region.touches_frame |= x == 0 || y == 0 || x + 1 == width || y + 1 == height;
            for y in y.saturating_sub(1)..(y + 2).min(height) {
                stack.extend((x.saturating_sub(1)..(x + 2).min(width)).map(|x| (x, y)));
            }
        }
        if region.area >= MIN_AREA && !region.touches_frame {
            regions.push(region);
        }
    }
    regions
}

#[cfg(test)]
mod tests {
    use image::Luma;

    use super::*;

    /// Two cells, and one that the frame cuts.
    fn cells(moved: [f64; 2]) -> GrayImage {
        let centres = [[30.0, 28.0], [57.0, 61.0], [0.0, 70.0]];
        GrayImage::from_fn(80, 80, |x, y| {
            let [x, y] = [x, y].map(|at| f64::from(at) + 0.5);
            let inside = centres
                .iter()
                .any(|[column, row]| (x - column - moved[0]).hypot(y - row - moved[1]) < 9.0);
            Luma([if inside { 255 } else { 0 }])
        })
    }

    fn map(side: usize, values: impl Fn(usize) -> f32) -> EvidenceMap {
        EvidenceMap {
            width: side,
            height: side,
            values: (0..side * side).map(values).collect(),
        }
    }

    fn figures(evidence: &EvidenceMap) -> EvidenceFigures {
        let mut place = EvidencePlace::default();
        assert_eq!(place.figures(), None);
        place.add(evidence, &cells([0.0; 2]));
        place.figures().unwrap()
    }

    #[test]
    fn evidence_on_the_cells_lies_inside_and_without_offset() {
        let covered = covered_shares(&cells([0.0; 2]), [10, 10]);
        let found = figures(&map(10, |at| covered[at] as f32 - 0.2));
        assert_eq!((found.fields, found.cells), (1, 2));
        // Half of a cell's positions are covered in part.
        assert!(found.inside.unwrap() > 0.7, "{found:?}");
        assert!(found.offset.unwrap() < 1.0, "{found:?}");
        assert!(found.distance.unwrap() < 1.0, "{found:?}");
    }

    #[test]
    fn the_offset_is_that_of_the_evidence() {
        let moved = cells([3.0, -4.0]);
        let found = figures(&map(80, |at| f32::from(moved.as_raw()[at])));
        // Pixels of 9 of the radius, and what leaves the window of one pixel more than that.
        assert!((2.0..5.0).contains(&found.offset.unwrap()), "{found:?}");
        let near = cells([0.6, -0.8]);
        let found = figures(&map(80, |at| f32::from(near.as_raw()[at])));
        // Whole pixels belong to a disc or not.
        assert!((found.offset.unwrap() - 1.0).abs() < 0.25, "{found:?}");
    }

    #[test]
    fn the_share_counts_positive_evidence_only() {
        let image = cells([0.0; 2]);
        let found = figures(&map(80, |at| match (image.as_raw()[at], at % 80) {
            (255, _) => 3.0,
            // As many pixels as the cells have, at the right edge.
            (_, 79) => 1.0,
            _ => -7.0,
        }));
        let covered = image.pixels().filter(|level| level.0[0] == 255).count() as f64;
        let expected = 3.0 * covered / (3.0 * covered + 80.0);
        assert!((found.inside.unwrap() - expected).abs() < 1e-9, "{found:?}");
        let none = figures(&map(10, |_| -1.0));
        let nothing = EvidenceFigures {
            fields: 1,
            inside: None,
            cells: 0,
            offset: None,
            distance: None,
        };
        assert_eq!(none, nothing);
    }
}
