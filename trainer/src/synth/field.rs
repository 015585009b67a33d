//! One synthetic field: a scene, and the white cells that decide its class.

use image::{GrayImage, RgbImage};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::class::Class;
use super::differential::Differential;
use super::jpeg::{self, DrawError};
use super::labels::{Labels, Rounded};
use super::leukocytes::Leukocyte;
use super::outline::Point;
use super::random::log_uniform;
use super::regions::Map;
use super::scene::{Scene, View};
use super::smear::Smear;
use super::stain::StainFamily;

/// Identity of a field: its collection and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FieldId {
    /// Seed of the collection.
    pub(crate) seed: u64,
    /// Number within the collection.
    pub(crate) index: u64,
}

/// Independent random streams of one field: numbers taken from one do not shift another.
#[derive(Clone, Copy)]
enum Stream {
    Scene,
    Kinds,
    Cells,
    Background,
    Camera,
    Shape,
}

/// Stream numbers reserved for each field: no two fields share a stream.
const STREAMS: u64 = 8;

impl FieldId {
    fn rng(self, stream: Stream) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.index * STREAMS + stream as u64);
        rng
    }

    /// Draws everything that does not depend on the class.
    pub(crate) fn scene(self, width: usize, height: usize, families: &[StainFamily]) -> Scene {
        Scene::draw(&mut self.rng(Stream::Scene), width, height, families)
    }

    /// Paints the scene with white cells of a class and photographs it.
    pub(crate) fn photograph(
        self,
        class: Class,
        scene: &Scene,
        width: usize,
        height: usize,
    ) -> RgbImage {
        self.develop(&self.smear(class, scene), width, height)
    }

    fn develop(self, smear: &Smear, width: usize, height: usize) -> RgbImage {
        let scene = smear.scene;
        let mut canvas = Canvas::new(width, height, scene.pixels_per_um);
        smear.paint(&mut canvas);
        let mut camera = self.rng(Stream::Camera);
        let mut picture = scene.optics.photograph(&mut canvas, width, &mut camera);
        if scene.view == View::CutOut
            && let Some((_, cell)) = smear.leukocytes.first()
        {
            cut_out(&mut picture, cell, canvas.pixel(), scene.cut_out_margin);
        }
        picture
    }

    fn smear(self, class: Class, scene: &Scene) -> Smear<'_> {
        let mut kinds = self.rng(Stream::Kinds);
        let kinds = Differential::draw(&mut kinds).kinds(&mut kinds, class, scene.sites.len());
        let mut background = self.rng(Stream::Background);
        Smear::draw(scene, &kinds, &mut self.rng(Stream::Cells), &mut background)
    }

    /// Width and height of the picture, at most those given: as given, square, or another shape.
    /// Shapes vary because the network sees each of them squeezed into the same square.
    fn shape(self, width: usize, height: usize) -> (usize, usize) {
        let mut rng = self.rng(Stream::Shape);
        let aspect = match rng.random_range(0..100) {
            0..40 => return (width, height),
            40..70 => 1.0,
            _ => log_uniform(&mut rng, 0.75, 1.8),
        };
        let (long, short) = (width as f32, height as f32);
        if long > short * aspect {
            ((short * aspect).round() as usize, height)
        } else {
            (width, (long / aspect).round() as usize)
        }
    }

    /// Draws the field, at most so large, with a stain of one of some families, or of all if none is
    /// named.
    pub(crate) fn draw(
        self,
        class: Class,
        width: usize,
        height: usize,
        families: &[StainFamily],
    ) -> Result<Field, DrawError> {
        let (width, height) = self.shape(width, height);
        let scene = self.scene(width, height, families);
        let smear = self.smear(class, &scene);
        let picture = self.develop(&smear, width, height);
        let jpeg = jpeg::encode(&picture, scene.optics.compression)?;
        let um_per_pixel = scene.pixels_per_um.recip();
        let origin = Point { x: 0.0, y: 0.0 };
        let (shown, mask) = Map::of(&smear, origin, (width, height), um_per_pixel).finish();
        let labels = Labels {
            file: String::new(),
            width: width as u32,
            height: height as u32,
            um_per_pixel: Rounded(um_per_pixel),
            source_um_per_pixel: None,
            stain_family: scene.palette.family,
            view: scene.view,
            kind: None,
            shown,
        };
        Ok(Field { jpeg, labels, mask })
    }
}

/// A drawn field.
#[derive(Debug)]
pub(crate) struct Field {
    /// The file.
    pub(crate) jpeg: Vec<u8>,
    /// What it shows; the name of the file is left empty.
    pub(crate) labels: Labels,
    pub(crate) mask: GrayImage,
}

/// Blackens everything but one cell, as data sets of segmented single cells do.
fn cut_out(picture: &mut RgbImage, cell: &Leukocyte, pixel: f32, margin: f32) {
    for (column, row, sample) in picture.enumerate_pixels_mut() {
        let at = Point {
            x: (column as f32 + 0.5) * pixel,
            y: (row as f32 + 0.5) * pixel,
        };
        if cell.depth(at) < -margin {
            sample.0 = [0; 3];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::morphology::MAX_REACH;

    const SIZE: (usize, usize) = (320, 240);

    fn field(index: u64) -> FieldId {
        FieldId { seed: 42, index }
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let jpeg = |index| {
            let drawn = field(index).draw(Class::Positive, SIZE.0, SIZE.1, &[]);
            drawn.unwrap().jpeg
        };
        assert_eq!(jpeg(3), jpeg(3));
        assert_ne!(jpeg(3), jpeg(4));
    }

    #[test]
    fn classes_differ_only_where_white_cells_lie() {
        // Scenes have the same cells in any size.
        let (width, height) = (SIZE.0 / 2, SIZE.1 / 2);
        for index in 0..40 {
            let scene = field(index).scene(width, height, &[]);
            let [negative, positive] = [Class::Negative, Class::Positive]
                .map(|class| field(index).photograph(class, &scene, width, height));
            let canvas = Canvas::new(width, height, scene.pixels_per_um);
            let reach = MAX_REACH * scene.spread + scene.optics.reach(&canvas);
            let mut different = 0;
            for (x, y, pixel) in negative.enumerate_pixels() {
                let at = Point {
                    x: (x as f32 + 0.5) / scene.pixels_per_um,
                    y: (y as f32 + 0.5) / scene.pixels_per_um,
                };
                let near = scene.sites.iter().any(|site| site.distance(at) < reach);
                if pixel != positive.get_pixel(x, y) {
                    different += 1;
                    assert!(near, "field {index} differs at {x}, {y}");
                }
            }
            assert!(different > 25, "field {index}: {different}");
        }
    }

    #[test]
    fn fields_look_like_stained_smears() {
        let mut greener = 0;
        for index in 0..40 {
            let scene = field(index).scene(SIZE.0, SIZE.1, &[]);
            if scene.view == View::CutOut {
                continue;
            }
            let picture = field(index).photograph(Class::Negative, &scene, SIZE.0, SIZE.1);
            let mut means = [0.0; 3];
            for pixel in picture.pixels() {
                for (mean, sample) in means.iter_mut().zip(pixel.0) {
                    *mean += f64::from(sample) / (SIZE.0 * SIZE.1) as f64;
                }
            }
            assert!(
                means.iter().all(|&mean| (45.0..253.0).contains(&mean)),
                "field {index}: {means:?}"
            );
            greener += usize::from(means[1] > means[0].max(means[2]));
        }
        // The stain takes green most of all, whatever the lamp.
        assert!(greener < 8, "{greener}");
    }

    #[test]
    fn cut_outs_show_one_cell_on_black() {
        let cut_out = (0..100)
            .find(|&index| field(index).scene(SIZE.0, SIZE.1, &[]).view == View::CutOut)
            .unwrap();
        let scene = field(cut_out).scene(SIZE.0, SIZE.1, &[]);
        let picture = field(cut_out).photograph(Class::Positive, &scene, SIZE.0, SIZE.1);
        let black = picture.pixels().filter(|pixel| pixel.0 == [0; 3]).count();
        let share = black as f32 / (SIZE.0 * SIZE.1) as f32;
        assert!((0.3..0.95).contains(&share), "{share}");
        assert_eq!(picture.get_pixel(0, 0).0, [0; 3]);
    }

    #[test]
    fn pictures_have_many_shapes_within_the_one_asked_for() {
        let shapes: Vec<(usize, usize)> =
            (0..200).map(|index| field(index).shape(640, 480)).collect();
        assert!(
            shapes
                .iter()
                .all(|&(width, height)| width <= 640 && height <= 480)
        );
        let count = |which: &dyn Fn(f32) -> bool| {
            let aspects = shapes
                .iter()
                .map(|&(width, height)| width as f32 / height as f32);
            aspects.filter(|&aspect| which(aspect)).count()
        };
        assert!(count(&|aspect| (aspect - 1.0).abs() < 0.01) > 40);
        assert!(count(&|aspect| (aspect - 4.0 / 3.0).abs() < 0.01) > 60);
        assert!(count(&|aspect| aspect > 1.5) > 5);
        assert!(count(&|aspect| aspect < 0.95) > 5);
    }
}
