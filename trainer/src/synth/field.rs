//! One synthetic field: a scene, and the white cells that make its class.

use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::leukocytes::{Kind, Leukocyte};
use super::optics::paint_plasma;
use super::scene::Scene;
use super::texture::Texture;

/// Whether a field shows the finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Normal white cells only.
    Negative,
    /// Lymphoblasts, perhaps with normal white cells beside them.
    Positive,
}

/// Which field of which collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FieldId {
    /// Seed of the collection.
    pub(crate) seed: u64,
    /// Number within the collection.
    pub(crate) index: u64,
}

/// Independent random streams of one field, so that what one draws cannot move another.
#[derive(Clone, Copy)]
enum Stream {
    Scene,
    Kinds,
    Cells,
    Background,
    Camera,
}

/// Room for streams, so that no two fields share one.
const STREAMS: u64 = 8;

impl FieldId {
    fn rng(self, stream: Stream) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.index * STREAMS + stream as u64);
        rng
    }

    /// What does not depend on the class.
    pub(crate) fn scene(self, width: usize, height: usize) -> Scene {
        Scene::draw(&mut self.rng(Stream::Scene), width, height)
    }

    /// Draws the field.
    pub(crate) fn photograph(
        self,
        class: Class,
        scene: &Scene,
        width: usize,
        height: usize,
    ) -> RgbImage {
        let mut canvas = Canvas::new(width, height, scene.pixels_per_um);
        let palette = &scene.palette;
        let mut background = self.rng(Stream::Background);
        let film = Texture::draw(&mut background);
        let grain = Texture::draw(&mut background);
        paint_plasma(&mut canvas, palette.plasma, scene.plasma, film);
        for leukocyte in self.leukocytes(class, scene) {
            leukocyte.paint(&mut canvas, palette);
        }
        for erythrocyte in &scene.erythrocytes {
            erythrocyte.paint(&mut canvas, palette);
        }
        for platelet in &scene.platelets {
            platelet.paint(&mut canvas, palette, grain);
        }
        scene
            .optics
            .photograph(&mut canvas, &mut self.rng(Stream::Camera))
    }

    fn leukocytes(self, class: Class, scene: &Scene) -> Vec<Leukocyte> {
        let mut kinds = self.rng(Stream::Kinds);
        let mut cells = self.rng(Stream::Cells);
        let sites = scene.sites.iter().enumerate();
        sites
            .map(|(number, &site)| {
                let normal = Kind::draw_normal(&mut kinds);
                let among_normal = number > 0 && kinds.random_bool(0.2);
                let kind = match class {
                    Class::Positive if !among_normal => Kind::Lymphoblast,
                    _ => normal,
                };
                Leukocyte::draw(&mut cells, kind, site)
            })
            .collect()
    }

    /// The field as a JPEG file.
    pub(crate) fn jpeg(
        self,
        class: Class,
        width: usize,
        height: usize,
    ) -> Result<Vec<u8>, image::ImageError> {
        let scene = self.scene(width, height);
        let picture = self.photograph(class, &scene, width, height);
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, scene.optics.quality).encode_image(&picture)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::leukocytes::MAX_REACH;
    use crate::synth::outline::Point;

    const SIZE: (usize, usize) = (320, 240);

    fn field(index: u64) -> FieldId {
        FieldId { seed: 42, index }
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let jpeg = |index| field(index).jpeg(Class::Positive, SIZE.0, SIZE.1).unwrap();
        assert_eq!(jpeg(3), jpeg(3));
        assert_ne!(jpeg(3), jpeg(4));
    }

    #[test]
    fn classes_differ_only_where_white_cells_lie() {
        for index in 0..6 {
            let scene = field(index).scene(SIZE.0, SIZE.1);
            let [negative, positive] = [Class::Negative, Class::Positive]
                .map(|class| field(index).photograph(class, &scene, SIZE.0, SIZE.1));
            let mut different = 0;
            for (x, y, pixel) in negative.enumerate_pixels() {
                let at = Point {
                    x: (x as f32 + 0.5) / scene.pixels_per_um,
                    y: (y as f32 + 0.5) / scene.pixels_per_um,
                };
                let near = scene
                    .sites
                    .iter()
                    // 3 µm more for blur.
                    .any(|site| site.distance(at) < MAX_REACH + 3.0);
                if pixel != positive.get_pixel(x, y) {
                    different += 1;
                    assert!(near, "field {index} differs at {x}, {y}");
                }
            }
            assert!(different > 100, "field {index}: {different}");
        }
    }

    #[test]
    fn fields_look_like_stained_smears() {
        for index in 0..12 {
            let scene = field(index).scene(SIZE.0, SIZE.1);
            let picture = field(index).photograph(Class::Negative, &scene, SIZE.0, SIZE.1);
            let mut means = [0.0; 3];
            for pixel in picture.pixels() {
                for (mean, sample) in means.iter_mut().zip(pixel.0) {
                    *mean += f64::from(sample) / (SIZE.0 * SIZE.1) as f64;
                }
            }
            // Bright field, and the stain takes green most of all.
            assert!(
                means.iter().all(|&mean| (110.0..240.0).contains(&mean)),
                "{means:?}"
            );
            assert!(means[1] < means[0] + 3.0, "{means:?}");
        }
    }
}
