//! One cell in the middle of a crop, at full resolution, as the appliance cuts it from a field.

use image::GrayImage;
use image::codecs::png::PngEncoder;
use image::imageops;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use smearscope_artifacts::{ResizeFilter, resized};

use super::canvas::Canvas;
use super::class::Class;
use super::differential::{Differential, draw_lookalike, draw_subtype};
use super::jpeg::{self, DrawError};
use super::labels::{Labels, Rounded};
use super::outline::Point;
use super::random::log_uniform;
use super::regions::Map;
use super::scene::Scene;
use super::smear::Smear;
use super::stain::StainFamily;
use crate::cell_kind::CellKind;

/// Size of a crop: a square.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CropSize {
    /// Side in µm.
    pub(crate) um: f32,
    /// Side in pixels.
    pub(crate) pixels: u32,
}

/// Identity of a single cell: its collection and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CellId {
    /// Seed of the collection.
    pub(crate) seed: u64,
    /// Number within the collection.
    pub(crate) index: u64,
}

/// A drawn single cell.
#[derive(Debug)]
pub(crate) struct SingleCell {
    /// The file.
    pub(crate) png: Vec<u8>,
    /// What it shows; the name of the file is left empty.
    pub(crate) labels: Labels,
    pub(crate) mask: GrayImage,
}

/// Independent random streams of one cell.
#[derive(Clone, Copy)]
enum Stream {
    Scene,
    Kinds,
    Cells,
    Background,
    Camera,
}

/// Stream numbers reserved for each cell.
const STREAMS: u64 = 8;
/// The first stream of single cells: fields use lower ones.
const FIRST_STREAM: u64 = 1 << 63;
/// Smallest and largest width of a pixel of the field that the cell is cropped from, µm.
const SOURCE_PIXEL: [f32; 2] = [0.05, 0.25];
/// Smallest width of the surroundings that are drawn around the crop, µm: blur and compression reach
/// into it.
const MARGIN: f32 = 1.5;
/// Smallest and largest width of the field, µm.
const FIELD: [f32; 2] = [60.0, 250.0];

impl CellId {
    fn rng(self, stream: Stream) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(FIRST_STREAM + self.index * STREAMS + stream as u64);
        rng
    }

    /// Draws a cell of a kind, with a stain of one of some families, or of all if none is named.
    pub(crate) fn draw(
        self,
        kind: CellKind,
        crop: CropSize,
        families: &[StainFamily],
    ) -> Result<SingleCell, DrawError> {
        let mut rng = self.rng(Stream::Scene);
        let wanted = log_uniform(&mut rng, SOURCE_PIXEL[0], SOURCE_PIXEL[1]);
        let inner = (crop.um / wanted).round().max(1.0);
        let source = crop.um / inner;
        // Blocks of the compression begin anywhere in the crop.
        let margin = (MARGIN / source).ceil() as u32 + rng.random_range(0..16);
        let side = inner as usize + 2 * margin as usize;
        let mut choice = self.rng(Stream::Kinds);
        let instead = draw_lookalike(&mut choice, kind);
        let mut scene = Scene::of_cell(&mut rng, side, source.recip(), families, instead);
        let window = (side as f32 * source / log_uniform(&mut rng, FIELD[0], FIELD[1])).min(0.99);
        scene.optics = scene.optics.in_window(&mut rng, window);

        // What lies beside a cell says nothing about its kind.
        let mut kinds: Vec<_> = draw_subtype(&mut choice, kind).into_iter().collect();
        let neighbours = [Class::Negative, Class::Positive][usize::from(choice.random_bool(0.5))];
        let count = scene.sites.len() - kinds.len();
        let mixture = Differential::draw(&mut choice);
        kinds.extend(mixture.kinds(&mut choice, neighbours, count));
        let mut background = self.rng(Stream::Background);
        let cells = &mut self.rng(Stream::Cells);
        let smear = Smear::draw(&scene, &kinds, cells, &mut background);

        let mut canvas = Canvas::new(side, side, scene.pixels_per_um);
        smear.paint(&mut canvas);
        let mut camera = self.rng(Stream::Camera);
        let photograph = scene
            .optics
            .photograph(&mut canvas, CAMERA_WIDTH, &mut camera);
        let field = jpeg::decode(&jpeg::encode(&photograph, scene.optics.compression)?)?;
        let middle = imageops::crop_imm(&field, margin, margin, inner as u32, inner as u32);
        let picture = resized(&middle.to_image(), ResizeFilter::Area, [crop.pixels; 2]);
        let mut png = Vec::new();
        picture.write_with_encoder(PngEncoder::new(&mut png))?;

        let um_per_pixel = crop.um / crop.pixels as f32;
        let start = margin as f32 * source;
        let origin = Point { x: start, y: start };
        let pixels = crop.pixels as usize;
        let (shown, mask) = Map::of(&smear, origin, (pixels, pixels), um_per_pixel).finish();
        let labels = Labels {
            file: String::new(),
            width: crop.pixels,
            height: crop.pixels,
            um_per_pixel: Rounded(um_per_pixel),
            source_um_per_pixel: Some(Rounded(source)),
            stain_family: scene.palette.family,
            view: scene.view,
            kind: Some(kind),
            shown,
        };
        Ok(SingleCell { png, labels, mask })
    }
}

/// Width of the camera's picture in pixels, which sets blur and sharpening in pixels.
const CAMERA_WIDTH: usize = 640;
