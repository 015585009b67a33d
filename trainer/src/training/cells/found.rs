//! What a finder finds in a field before it is exported.

use burn::tensor::activation::sigmoid;
use burn::tensor::{Tensor, TensorData};
use image::RgbImage;
use smearscope_artifacts::{Background, CellSite, CentreMap, DensityField, Thresholds, TileInput};

use super::finder_task::FoundKind;
use crate::networks::finder::{Finder, KINDS, STRIDE};
use crate::networks::floats;

/// The maps of a field, from which cells are taken by thresholds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FieldMaps {
    width: usize,
    /// Of leukocytes and of red cells.
    scores: [Vec<f32>; KINDS],
    log_diameters: Vec<f32>,
    /// Pixels of the image for each of the finder's input.
    pixel: f32,
    /// Width and height of the image.
    size: [f32; 2],
}

impl FieldMaps {
    /// Runs a finder, whose exported form takes such tiles, on a field of another scale.
    pub(crate) fn of(
        finder: &Finder,
        tiles: TileInput,
        image: &RgbImage,
        um_per_pixel: f32,
    ) -> Self {
        let factor = um_per_pixel / tiles.um_per_pixel;
        let [columns, rows] = [image.width(), image.height()]
            .map(|side| ((side as f32 * factor).round() as usize).max(1));
        let density = DensityField::of(image, &Background::fit(image), columns, rows);
        // As far as tiles reach, so that the network sees as much emptiness beyond the field.
        let [side, margin] = [tiles.side, tiles.margin].map(|pixels| pixels as usize);
        let step = side - 2 * margin;
        let padded =
            [rows, columns].map(|length| side + length.saturating_sub(side).div_ceil(step) * step);
        let mut input = Vec::with_capacity(2 * padded[0] * padded[1]);
        for plane in [&density.red, &density.green] {
            for row in plane.chunks_exact(columns) {
                input.extend_from_slice(row);
                input.resize(input.len() + padded[1] - columns, 0.0);
            }
            input.resize(input.len() + (padded[0] - rows) * padded[1], 0.0);
        }
        let input = TensorData::new(input, [1, 2, padded[0], padded[1]]);
        let maps = finder.maps(Tensor::from_data(input, &finder.device()));
        let shown = [rows, columns].map(|length| length.div_ceil(STRIDE));
        // Positions outside of the field are left out.
        let plane = |values: &[f32], number: usize| -> Vec<f32> {
            let [height, width] = padded.map(|side| side / STRIDE);
            let plane = &values[number * height * width..][..height * width];
            let rows = plane.chunks_exact(width).take(shown[0]);
            rows.flat_map(|row| row[..shown[1]].to_vec()).collect()
        };
        let scores = floats(sigmoid(maps.centres));
        Self {
            width: shown[1],
            scores: [0, 1].map(|kind| plane(&scores, kind)),
            log_diameters: plane(&floats(maps.diameter), 0),
            pixel: factor.recip(),
            size: [image.width(), image.height()].map(|side| side as f32),
        }
    }

    /// Width and height of the image.
    pub(super) fn size(&self) -> [f32; 2] {
        self.size
    }

    /// The leukocytes, like all cells in pixels of the image.
    pub(crate) fn leukocytes(&self, threshold: f32) -> Vec<CellSite> {
        self.cells(FoundKind::Leukocyte, threshold)
    }

    /// The red cells.
    pub(crate) fn red_cells(&self, threshold: f32) -> Vec<CellSite> {
        self.cells(FoundKind::RedCell, threshold)
    }

    /// Whether slightly other maps give as many cells.
    pub(crate) fn is_steady(&self, thresholds: Thresholds) -> bool {
        const MARGIN: f32 = 0.03;
        let counts = |by: f32| {
            let of = |kind, threshold| self.cells(kind, threshold + by).len();
            [
                of(FoundKind::Leukocyte, thresholds.leukocytes),
                of(FoundKind::RedCell, thresholds.red_cells),
            ]
        };
        counts(-MARGIN) == counts(MARGIN)
    }

    /// The cells of a kind in pixels of the image, the surest first.
    pub(super) fn cells(&self, kind: FoundKind, threshold: f32) -> Vec<CellSite> {
        let map = CentreMap {
            width: self.width,
            scores: &self.scores[kind as usize],
            log_diameters: &self.log_diameters,
            stride: STRIDE as f32,
        };
        let [width, height] = self.size;
        let cells = map.cells(threshold).into_iter();
        cells
            .map(|site| site.scaled(self.pixel))
            .filter(|site| site.is_centred_in(width, height))
            .collect()
    }
}
