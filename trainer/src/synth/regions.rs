//! What lies where in a picture: a map of its cells, and measures of each object.

use std::f32::consts::PI;

use image::GrayImage;

use super::canvas::Canvas;
use super::erythrocytes::Erythrocyte;
use super::kind::Lookalike;
use super::labels::{
    ArtefactLabel, ErythrocyteLabel, LeukocyteLabel, PlateletLabel, Rounded, Shown, Visible,
};
use super::leukocytes::Leukocyte;
use super::morphology::Subtype;
use super::outline::{Outline, Point};
use super::scene::View;
use super::smear::Smear;
use crate::cell_kind::CellKind;
use crate::mask_region::Region;

/// One pixel of the map.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    region: Region,
    /// Whether a white cell keeps red cells out.
    firm: bool,
}

/// The map of a picture, which grows as objects are recorded from the lowest to the topmost.
pub(crate) struct Map {
    canvas: Canvas<Place>,
    shown: Shown,
}

/// Smallest share of an object that white cells leave visible for it to be listed.
const LEAST_VISIBLE: f32 = 0.3;

impl Map {
    /// Records a smear. `canvas` says which part of it the picture shows, and at which scale.
    pub(crate) fn of(
        smear: &Smear,
        origin: Point,
        size: (usize, usize),
        um_per_pixel: f32,
    ) -> Self {
        let canvas = Canvas::at(origin, size.0, size.1, um_per_pixel.recip());
        let shown = Shown::default();
        let mut map = Self { canvas, shown };
        let scene = smear.scene;
        if scene.view == View::CutOut {
            // Everything else is black.
            for (kind, leukocyte) in smear.leukocytes.iter().take(1) {
                map.record_leukocyte(*kind, leukocyte);
            }
            return map;
        }
        for (kind, leukocyte) in &smear.leukocytes {
            map.record_leukocyte(*kind, leukocyte);
        }
        map.record_erythrocytes(&scene.erythrocytes, &smear.leukocytes);
        for platelet in &scene.platelets {
            if let Some(visible) = map.visible(platelet.outline()) {
                map.shown.platelets.push(PlateletLabel(visible));
            }
        }
        let clumps = scene.clumps.iter();
        let clumps = clumps.map(|outline| (Lookalike::PlateletClump, outline));
        for (lookalike, outline) in scene.debris.lookalikes().chain(clumps) {
            map.record_artefact(lookalike, outline);
        }
        map
    }

    /// What the picture shows, and the mask of its cells.
    pub(crate) fn finish(self) -> (Shown, GrayImage) {
        let (width, height) = self.canvas.size();
        let mut mask = GrayImage::new(width as u32, height as u32);
        for (pixel, place) in mask.pixels_mut().zip(self.canvas.spots()) {
            pixel.0 = [place.region as u8];
        }
        (self.shown, mask)
    }

    fn record_leukocyte(&mut self, kind: Subtype, cell: &Leukocyte) {
        let reach = cell.reach().max(cell.nuclear_reach());
        let centre = cell.outline.centre;
        let mut inside = Extent::default();
        self.canvas.each_near(centre, reach, |at, place| {
            let nuclear = cell.nuclear_depth(at) >= 0.0;
            if nuclear || cell.depth(at) >= 0.0 {
                inside.add(at);
                place.region = if nuclear {
                    Region::Nucleus
                } else {
                    Region::Cytoplasm
                };
                place.firm |= nuclear || !cell.cytoplasm.indentable;
            }
        });
        let Some(visible) = inside.visible(&self.canvas) else {
            return;
        };
        let (whole, nucleus) = whole(cell, reach);
        let centre = self.canvas.position(whole.centroid());
        self.shown.leukocytes.push(LeukocyteLabel {
            kind: kind.kind(),
            subtype: kind.subtype(),
            centre: centre.map(Rounded),
            visible,
            diameter_um: Rounded(whole.diameter(GRID)),
            nucleus_um: Rounded(nucleus.diameter(GRID)),
            cut: self.cuts(whole.low, whole.high),
        });
    }

    fn record_erythrocytes(
        &mut self,
        erythrocytes: &[Erythrocyte],
        leukocytes: &[(Subtype, Leukocyte)],
    ) {
        for (number, cell) in erythrocytes.iter().enumerate() {
            let outline = cell.outline();
            let marked = self.record(outline, |place| place.region = Region::RedCell);
            let Some(visible) = marked else {
                continue;
            };
            let touches = |other: &Outline| {
                other.centre.distance(outline.centre) < other.radius + outline.radius
            };
            let others = erythrocytes.iter().enumerate();
            let overlapped = others
                .filter(|&(other, _)| other != number)
                .any(|(_, other)| touches(other.outline()))
                || leukocytes.iter().any(|(_, other)| touches(&other.outline));
            let (low, high) = square(outline);
            self.shown.erythrocytes.push(ErythrocyteLabel {
                centre: self.canvas.position(outline.centre).map(Rounded),
                diameter_um: Rounded(outline.diameter()),
                overlapped,
                cut: self.cuts(low, high),
                visible,
            });
        }
    }

    fn record_artefact(&mut self, subtype: Lookalike, outline: &Outline) {
        let Some(visible) = self.visible(outline) else {
            return;
        };
        let (low, high) = square(outline);
        self.shown.artefacts.push(ArtefactLabel {
            kind: CellKind::Artefact,
            subtype,
            centre: self.canvas.position(outline.centre).map(Rounded),
            visible,
            diameter_um: Rounded(outline.diameter()),
            cut: self.cuts(low, high),
        });
    }

    /// The part of an object that no white cell covers; none if it is too small.
    fn visible(&mut self, outline: &Outline) -> Option<Visible> {
        self.record(outline, |_| {})
    }

    /// As [`Self::visible`], and marks the pixels of that part.
    fn record(&mut self, outline: &Outline, mark: impl Fn(&mut Place)) -> Option<Visible> {
        let mut inside = Extent::default();
        let mut all = 0_u32;
        let reach = outline.reach();
        self.canvas.each_near(outline.centre, reach, |at, place| {
            if outline.depth(at) >= 0.0 {
                all += 1;
                if !place.firm {
                    inside.add(at);
                    mark(place);
                }
            }
        });
        inside
            .visible(&self.canvas)
            .filter(|visible| visible.area as f32 >= LEAST_VISIBLE * all as f32)
    }

    /// Whether something from one corner to the other is partly outside the picture.
    fn cuts(&self, low: Point, high: Point) -> bool {
        /// What is nearer to the frame is not cut by it, µm.
        const TOLERANCE: f32 = 0.3;
        let frame = self.canvas.extent();
        let pixel = self.canvas.pixel();
        let [low, high] = [low, high].map(|corner| self.canvas.position(corner));
        (0..2).any(|axis| {
            low[axis] * pixel < -TOLERANCE || high[axis] * pixel > frame[axis] + TOLERANCE
        })
    }
}

/// Upper left and lower right corner of a square around an outline.
fn square(outline: &Outline) -> (Point, Point) {
    let Point { x, y } = outline.centre;
    let radius = outline.radius;
    let corner = |sign: f32| Point {
        x: x + sign * radius,
        y: y + sign * radius,
    };
    (corner(-1.0), corner(1.0))
}

/// Pixels per µm of the grid on which whole cells are measured.
const GRID: f32 = 4.0;

/// Extent of a cell and of its nucleus, also of parts outside the picture.
fn whole(cell: &Leukocyte, reach: f32) -> (Extent, Extent) {
    let centre = cell.outline.centre;
    let origin = Point {
        x: centre.x - reach,
        y: centre.y - reach,
    };
    let side = (2.0 * reach * GRID).ceil() as usize;
    let mut grid: Canvas<()> = Canvas::at(origin, side, side, GRID);
    let (mut whole, mut nucleus) = (Extent::default(), Extent::default());
    grid.each_near(centre, reach, |at, ()| {
        let nuclear = cell.nuclear_depth(at) >= 0.0;
        if nuclear {
            nucleus.add(at);
        }
        if nuclear || cell.depth(at) >= 0.0 {
            whole.add(at);
        }
    });
    (whole, nucleus)
}

/// A set of pixels: how many they are and where.
#[derive(Debug, Clone, Copy)]
struct Extent {
    pixels: u32,
    sum: [f64; 2],
    /// Centres of the outermost pixels.
    low: Point,
    high: Point,
}

impl Default for Extent {
    fn default() -> Self {
        Self {
            pixels: 0,
            sum: [0.0; 2],
            low: Point {
                x: f32::INFINITY,
                y: f32::INFINITY,
            },
            high: Point {
                x: f32::NEG_INFINITY,
                y: f32::NEG_INFINITY,
            },
        }
    }
}

impl Extent {
    fn add(&mut self, at: Point) {
        self.pixels += 1;
        self.sum[0] += f64::from(at.x);
        self.sum[1] += f64::from(at.y);
        self.low.x = self.low.x.min(at.x);
        self.low.y = self.low.y.min(at.y);
        self.high.x = self.high.x.max(at.x);
        self.high.y = self.high.y.max(at.y);
    }

    fn centroid(&self) -> Point {
        let [x, y] = self
            .sum
            .map(|sum| (sum / f64::from(self.pixels.max(1))) as f32);
        Point { x, y }
    }

    /// Diameter of the circle with the same area, µm.
    fn diameter(&self, pixels_per_um: f32) -> f32 {
        2.0 * (self.pixels as f32 / PI).sqrt() / pixels_per_um
    }

    /// The set as part of a picture; none if it is empty.
    fn visible<T: Clone + Default>(&self, canvas: &Canvas<T>) -> Option<Visible> {
        if self.pixels == 0 {
            return None;
        }
        let [left, top] = canvas.position(self.low).map(|at| at as u32);
        let [right, bottom] = canvas.position(self.high).map(|at| at as u32);
        Some(Visible {
            bounds: [left, top, right + 1 - left, bottom + 1 - top],
            area: self.pixels,
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::synth::erythrocytes::ErythrocyteTraits;
    use crate::synth::scene::Scene;

    const SIZE: (usize, usize) = (320, 240);
    /// A quarter of a micrometre.
    const PIXEL: f32 = 0.25;

    /// A field of 80 × 60 µm with white cells at some places, and red cells at others.
    fn field(kind: Subtype, sites: &[[f32; 2]], red_cells: &[[f32; 2]]) -> (Shown, GrayImage) {
        let mut rng = ChaCha8Rng::seed_from_u64(12);
        let mut scene = Scene::draw(&mut rng, SIZE.0, SIZE.1, &[]);
        let point = |&[x, y]: &[f32; 2]| Point { x, y };
        scene.view = View::Field;
        scene.spread = 1.0;
        scene.platelets.clear();
        scene.sites = sites.iter().map(point).collect();
        let traits = ErythrocyteTraits {
            radius: 3.6,
            anisocytosis: 0.0,
            elongation: 0.001,
            ..ErythrocyteTraits::draw(&mut rng)
        };
        scene.erythrocytes = red_cells
            .iter()
            .map(|at| Erythrocyte::draw(&mut rng, &traits, point(at)))
            .collect();
        let mut cells = ChaCha8Rng::seed_from_u64(3);
        let kinds = vec![kind; sites.len()];
        let smear = Smear::draw(&scene, &kinds, &mut cells, &mut rng);
        Map::of(&smear, Point { x: 0.0, y: 0.0 }, SIZE, PIXEL).finish()
    }

    fn near(actual: Rounded<2>, expected: f32, tolerance: f32) -> bool {
        (actual.0 - expected).abs() <= tolerance
    }

    #[test]
    fn labels_of_a_white_cell_agree_with_its_mask() {
        let (shown, mask) = field(Subtype::LymphoblastL1, &[[30.0, 25.0]], &[]);
        let [cell] = &shown.leukocytes[..] else {
            panic!("{shown:?}");
        };
        assert_eq!(
            (cell.kind, cell.subtype),
            (CellKind::Lymphoblast, Some("L1"))
        );
        assert!(!cell.cut);
        // Centroid of an outline that is not quite a circle: within 0.5 µm of its centre.
        assert!(near(cell.centre[0], 120.0, 2.0) && near(cell.centre[1], 100.0, 2.0));
        let (mut area, mut nucleus) = (Extent::default(), Extent::default());
        for (x, y, value) in mask.enumerate_pixels() {
            let at = Point {
                x: (x as f32 + 0.5) * PIXEL,
                y: (y as f32 + 0.5) * PIXEL,
            };
            if value.0 == [Region::Nucleus as u8] {
                nucleus.add(at);
            }
            if value.0 != [Region::Background as u8] {
                area.add(at);
            }
        }
        let canvas: Canvas<()> = Canvas::new(SIZE.0, SIZE.1, PIXEL.recip());
        assert_eq!(area.visible(&canvas), Some(cell.visible.clone()));
        // Counted on another grid of the same width: a tenth of a micrometre.
        assert!(near(cell.diameter_um, area.diameter(PIXEL.recip()), 0.1));
        assert!(near(cell.nucleus_um, nucleus.diameter(PIXEL.recip()), 0.1));
        assert!((10.0..14.5).contains(&cell.diameter_um.0), "{cell:?}");
        assert!(cell.nucleus_um.0 < cell.diameter_um.0);
    }

    #[test]
    fn a_cell_that_the_frame_cuts_is_measured_whole() {
        let [whole, cut] = [[30.0, 25.0], [0.5, 25.0]].map(|site| {
            let (mut shown, _) = field(Subtype::Monocyte, &[site], &[]);
            shown.leukocytes.remove(0)
        });
        assert!(!whole.cut && cut.cut);
        assert!(near(cut.diameter_um, whole.diameter_um.0, 0.1));
        assert_eq!(cut.visible.bounds[0], 0);
        assert!(cut.visible.area * 3 < whole.visible.area * 2);
        let (outside, _) = field(Subtype::Lymphocyte, &[[-9.0, 25.0]], &[]);
        assert_eq!(outside.leukocytes, []);
    }

    #[test]
    fn red_cells_are_listed_with_what_overlaps_them_unless_white_cells_hide_them() {
        let sites = [[30.0, 30.0]];
        let red_cells = [[10.0, 10.0], [60.0, 10.0], [64.0, 10.0], [30.0, 30.0]];
        let (shown, mask) = field(Subtype::LymphoblastL2, &sites, &red_cells);
        let overlapped: Vec<bool> = shown
            .erythrocytes
            .iter()
            .map(|cell| cell.overlapped)
            .collect();
        assert_eq!(overlapped, [false, true, true]);
        for (cell, at) in shown.erythrocytes.iter().zip(red_cells) {
            assert!(near(cell.centre[0], at[0] / PIXEL, 0.01));
            // An irregularity of 3 % adds at most 0.2 % to the diameter.
            assert!(near(cell.diameter_um, 7.2, 0.02), "{cell:?}");
            assert!(!cell.cut);
        }
        assert_eq!(mask.get_pixel(40, 40).0, [Region::RedCell as u8]);
        assert_eq!(mask.get_pixel(120, 120).0, [Region::Nucleus as u8]);
    }
}
