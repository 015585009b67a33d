//! What can be measured at one cell without a network.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::crop::CellCrop;
use super::disc;
use super::mask::Mask;

/// Radius within which the nucleus is looked for, in diameters of the cell.
const REACH: f32 = 0.75;
/// Radius within which its threshold is found.
const THRESHOLD_REACH: f32 = 0.62;
/// A part belongs to the nucleus if it comes this near to the middle, in diameters of the cell.
const CORE: f32 = 0.3;
/// Pixels around the reach in which the mean, the rim and the neighbours of its pixels lie.
const MARGIN: usize = 4;
/// Smallest part, relative to the largest.
const LEAST_PART: f32 = 0.08;
/// Smallest nucleus, µm²: a platelet is smaller.
const LEAST_AREA_UM2: f32 = 5.0;

/// Measured figures of a cell.
///
/// The nucleus is what Otsu's threshold (1979) of the density in red light leaves, which red cells hardly absorb.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CellFigures {
    /// Diameter of a circle of the nucleus's area, µm.
    pub nucleus_um: f32,
    /// Diameter of the cell, µm.
    pub cell_um: f32,
    /// Diameter of the nucleus relative to that of the cell.
    pub nucleus_to_cell: f32,
    /// `4π · area / perimeter²` of the nucleus: 1 for a circle, less for lobes and indentations.
    pub roundness: f32,
    /// Area of the nucleus relative to that of its convex hull, 0 to 1.
    pub solidity: f32,
    /// Number of parts of the nucleus.
    pub parts: u32,
    /// Mean density of the nucleus in red light.
    pub density: f32,
    /// Standard deviation of the density within the nucleus, relative to its mean.
    pub variation: f32,
    /// Mean absolute Laplacian of the density within the nucleus, relative to its mean: how fine the chromatin is.
    pub texture: f32,
    /// Mean density of the cytoplasm in green light relative to that of the nucleus.
    pub cytoplasm: f32,
}

impl CellFigures {
    /// The figures by name, in the order of [`CellFigures::values`].
    pub const NAMES: [&str; 10] = [
        "nucleus_um",
        "cell_um",
        "nucleus_to_cell",
        "roundness",
        "solidity",
        "parts",
        "density",
        "variation",
        "texture",
        "cytoplasm",
    ];

    /// Measures the cell in the middle of a crop, whose diameter is `cell_um`. `None` if nothing there looks like a
    /// nucleus.
    pub fn measure(crop: &CellCrop, cell_um: f32) -> Option<Self> {
        let diameter = cell_um / crop.um_per_pixel;
        let crop = &middle(crop, (REACH * diameter) as usize + MARGIN);
        let side = crop.side;
        let red = smoothed(&crop.red, side);
        // The pixels of each row within so many diameters of the middle.
        let within = |reach: f32| {
            let squared_reach = (reach * diameter).powi(2);
            let runs = disc::runs(side, move |squared| squared < squared_reach).enumerate();
            runs.map(move |(row, run)| row * side + run.start..row * side + run.end)
        };
        let mut around = Vec::with_capacity(side * side);
        for run in within(THRESHOLD_REACH) {
            around.extend_from_slice(&red[run]);
        }
        let threshold = otsu(&around)?;
        let dark = Mask::within(side, within(REACH), |at| red[at] > threshold);
        let core: Vec<Range<usize>> = within(CORE).collect();
        let is_in_core = |at: &usize| core[at / side].contains(at);
        // Thin arcs are rims of red cells.
        let mut parts = dark.eroded().dilated().parts();
        let largest = parts.first()?.len() as f32;
        parts.retain(|part| {
            part.len() as f32 >= LEAST_PART * largest && part.iter().any(is_in_core)
        });
        let nucleus = Mask::of(side, &parts);
        let pixel_area = crop.um_per_pixel * crop.um_per_pixel;
        let area = parts.iter().map(Vec::len).sum::<usize>() as f32;
        if area * pixel_area < LEAST_AREA_UM2 {
            return None;
        }
        let masks = || parts.iter().map(|part| Mask::of(side, [part]));
        let perimeter: f32 = masks().map(|part| part.perimeter()).sum();
        let hulls: f32 = masks().map(|part| part.hull_area()).sum();
        let nucleus_um = 2.0 * (area * pixel_area / std::f32::consts::PI).sqrt();
        // Pixels of the rim are half cytoplasm.
        let inner: Vec<usize> = nucleus.eroded().indices().collect();
        let inner = || inner.iter().copied();
        let density = mean(inner().map(|at| crop.red[at]))?;
        let variance = mean(inner().map(|at| (crop.red[at] - density).powi(2)))?;
        let texture = mean(inner().map(|at| laplacian(&crop.red, side, at).abs()))?;
        let rim = nucleus.dilated().dilated();
        let cytoplasm = within(0.5).flatten().filter(|&at| !rim.contains(at));
        let nuclear_green = mean(inner().map(|at| crop.green[at]))?;
        let cytoplasm = mean(cytoplasm.map(|at| crop.green[at])).unwrap_or(nuclear_green);
        let relative = |value: f32, to: f32| value / to.max(1e-3);
        Some(Self {
            nucleus_um,
            cell_um,
            nucleus_to_cell: nucleus_um / cell_um,
            roundness: 4.0 * std::f32::consts::PI * area / (perimeter * perimeter),
            solidity: area / hulls,
            parts: parts.len() as u32,
            density,
            variation: relative(variance.sqrt(), density),
            texture: relative(texture, density),
            cytoplasm: relative(cytoplasm, nuclear_green),
        })
    }

    /// The figures as numbers, in the order of [`CellFigures::NAMES`].
    pub fn values(&self) -> [f32; 10] {
        [
            self.nucleus_um,
            self.cell_um,
            self.nucleus_to_cell,
            self.roundness,
            self.solidity,
            self.parts as f32,
            self.density,
            self.variation,
            self.texture,
            self.cytoplasm,
        ]
    }
}

/// The middle of a crop, which reaches so many pixels to each side, or the whole crop if that is smaller.
fn middle(crop: &CellCrop, reach: usize) -> CellCrop {
    let left_out = (crop.side / 2).saturating_sub(reach);
    let side = crop.side - 2 * left_out;
    let cut = |plane: &[f32]| -> Vec<f32> {
        let lines = plane.chunks_exact(crop.side).skip(left_out).take(side);
        let mut cut = Vec::with_capacity(side * side);
        lines.for_each(|line| cut.extend_from_slice(&line[left_out..][..side]));
        cut
    };
    CellCrop {
        side,
        um_per_pixel: crop.um_per_pixel,
        red: cut(&crop.red),
        green: cut(&crop.green),
    }
}

fn mean(values: impl Iterator<Item = f32>) -> Option<f32> {
    let (mut sum, mut count) = (0.0, 0_u32);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / count as f32)
}

/// Means of 3 × 3 pixels; at the border, of those that there are.
fn smoothed(plane: &[f32], side: usize) -> Vec<f32> {
    let around = |at: usize| at.saturating_sub(1)..(at + 2).min(side);
    let mut means = Vec::with_capacity(plane.len());
    for row in 0..side {
        let rows = around(row);
        let mean = |column: usize| {
            let columns = around(column);
            let count = (rows.len() * columns.len()) as f32;
            let lines = rows
                .clone()
                .map(|row| &plane[row * side..][columns.clone()]);
            lines.flatten().sum::<f32>() / count
        };
        if rows.len() < 3 || side < 3 {
            means.extend((0..side).map(mean));
            continue;
        }
        means.push(mean(0));
        // Nine rows that lie next to each other in memory, which the processor's vectors take.
        let nine: [&[f32]; 9] =
            std::array::from_fn(|at| &plane[(row - 1 + at / 3) * side + at % 3..][..side - 2]);
        means.extend((0..side - 2).map(|at| nine.iter().map(|line| line[at]).sum::<f32>() / 9.0));
        means.push(mean(side - 1));
    }
    means
}

/// Difference of a pixel and the mean of its four neighbours; none of them lies outside.
fn laplacian(plane: &[f32], side: usize, at: usize) -> f32 {
    let around = plane[at - 1] + plane[at + 1] + plane[at - side] + plane[at + side];
    plane[at] - around / 4.0
}

/// Otsu's threshold: the one that leaves the least variance within the two classes. `None` if the values are about
/// the same.
fn otsu(values: &[f32]) -> Option<f32> {
    const BINS: usize = 256;
    /// Smallest range of densities that has two classes.
    const LEAST_RANGE: f32 = 0.02;
    let (low, high) = values
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| {
            (low.min(*value), high.max(*value))
        });
    let range = high - low;
    if range.is_nan() || range < LEAST_RANGE {
        return None;
    }
    let mut histogram = [0.0_f64; BINS];
    let bin = range / BINS as f32;
    for value in values {
        let index = ((value - low) / bin) as usize;
        histogram[index.min(BINS - 1)] += 1.0;
    }
    let total: f64 = histogram.iter().sum();
    let moment: f64 = (0..BINS).map(|at| at as f64 * histogram[at]).sum();
    let (mut below, mut below_moment) = (0.0, 0.0);
    let mut best = (0.0, 0);
    for (at, count) in histogram.iter().enumerate().take(BINS - 1) {
        below += count;
        below_moment += at as f64 * count;
        let above = total - below;
        if below == 0.0 || above == 0.0 {
            continue;
        }
        let distance = below_moment / below - (moment - below_moment) / above;
        let between = below * above * distance * distance;
        if between > best.0 {
            best = (between, at);
        }
    }
    Some(low + (best.1 + 1) as f32 * bin)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 96;

    /// A cell of 12 µm with faint cytoplasm, whose nucleus is where `nucleus` says, in µm from the middle.
    fn crop(nucleus: impl Fn(f32, f32) -> bool) -> CellCrop {
        let value = |at: usize, inside: f32, cytoplasm: f32| {
            let place = |at: usize| (at as f32 - 47.5) * 0.25;
            let (x, y) = (place(at % SIDE), place(at / SIDE));
            if nucleus(x, y) {
                inside
            } else if x.hypot(y) < 6.0 {
                cytoplasm
            } else {
                0.0
            }
        };
        CellCrop {
            side: SIDE,
            um_per_pixel: 0.25,
            red: (0..SIDE * SIDE).map(|at| value(at, 0.6, 0.1)).collect(),
            green: (0..SIDE * SIDE).map(|at| value(at, 0.8, 0.2)).collect(),
        }
    }

    #[test]
    fn a_round_nucleus_has_the_figures_of_a_circle() {
        let figures = CellFigures::measure(&crop(|x, y| x.hypot(y) < 4.0), 12.0).unwrap();
        assert!((figures.nucleus_um - 8.0).abs() < 0.2, "{figures:?}");
        assert!((figures.nucleus_to_cell - 2.0 / 3.0).abs() < 0.02);
        assert!((figures.roundness - 1.0).abs() < 0.05, "{figures:?}");
        assert!(figures.solidity > 0.94 && figures.solidity <= 1.0);
        assert_eq!(figures.parts, 1);
        assert!((figures.density - 0.6).abs() < 0.02);
        assert!(
            figures.variation < 0.1 && figures.texture < 0.02,
            "{figures:?}"
        );
        assert!((figures.cytoplasm - 0.25).abs() < 0.01);
    }

    #[test]
    fn lobes_are_parts_and_are_not_round() {
        let lobes = |x: f32, y: f32| (x.abs() - 2.6).hypot(y) < 1.9;
        let figures = CellFigures::measure(&crop(lobes), 12.0).unwrap();
        assert_eq!(figures.parts, 2);
        assert!((figures.roundness - 0.5).abs() < 0.05, "{figures:?}");
        // Two circles that touch: their hull is 2 · 2r · r + π r² against 2 π r².
        let bean = |x: f32, y: f32| x.hypot(y) < 4.0 && (x - 3.0).hypot(y) > 2.5;
        let figures = CellFigures::measure(&crop(bean), 12.0).unwrap();
        assert!(
            figures.solidity < 0.9 && figures.roundness < 0.75,
            "{figures:?}"
        );
    }

    #[test]
    fn grain_is_texture() {
        let smooth = crop(|x, y| x.hypot(y) < 4.0);
        let mut coarse = smooth.clone();
        for (at, red) in coarse.red.iter_mut().enumerate() {
            if *red > 0.5 && (at + at / SIDE).is_multiple_of(2) {
                *red = 0.4;
            }
        }
        let [smooth, coarse] = [smooth, coarse].map(|c| CellFigures::measure(&c, 12.0).unwrap());
        assert!(coarse.texture > 10.0 * smooth.texture);
        assert!((coarse.variation - 0.2).abs() < 0.03, "{coarse:?}");
        assert_eq!(CellFigures::NAMES.len(), coarse.values().len());
    }

    #[test]
    fn without_a_nucleus_there_are_no_figures() {
        assert_eq!(CellFigures::measure(&crop(|_, _| false), 2.0), None);
        let mut empty = crop(|_, _| false);
        empty.red.fill(0.0);
        assert_eq!(CellFigures::measure(&empty, 12.0), None);
        let mut platelet = crop(|x, y| x.hypot(y) < 1.2);
        for red in &mut platelet.red {
            *red = if *red > 0.5 { *red } else { 0.0 };
        }
        assert_eq!(CellFigures::measure(&platelet, 3.0), None);
        assert_eq!(
            CellFigures::measure(&crop(|x, y| x.hypot(y) < 4.0), f32::NAN),
            None
        );
        assert_eq!(
            CellFigures::measure(&crop(|x, y| x.hypot(y) < 4.0), 0.0),
            None
        );
    }
}
