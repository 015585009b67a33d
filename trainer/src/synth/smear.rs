//! Everything that lies under the objective, ready to be painted.

use rand::Rng;

use super::canvas::Canvas;
use super::leukocytes::Leukocyte;
use super::morphology::Subtype;
use super::plasma;
use super::scene::Scene;
use super::texture::Texture;

/// A scene with its white cells.
#[derive(Debug)]
pub(crate) struct Smear<'a> {
    pub(crate) scene: &'a Scene,
    /// One for each of the scene's sites, with its kind.
    pub(crate) leukocytes: Vec<(Subtype, Leukocyte)>,
    /// Unevenness of the plasma.
    film: Texture,
    /// Granules of platelets.
    grain: Texture,
}

impl<'a> Smear<'a> {
    /// Draws one white cell of each kind for the scene's sites.
    pub(crate) fn draw(
        scene: &'a Scene,
        kinds: &[Subtype],
        cells: &mut impl Rng,
        background: &mut impl Rng,
    ) -> Self {
        let sites = kinds.iter().zip(&scene.sites);
        let mut leukocytes: Vec<Leukocyte> = sites
            .map(|(kind, &site)| kind.draw(cells, site, scene.spread))
            .collect();
        Leukocyte::flatten_neighbours(&mut leukocytes);
        Self {
            scene,
            leukocytes: kinds.iter().copied().zip(leukocytes).collect(),
            film: Texture::draw(background),
            grain: Texture::draw(background),
        }
    }

    /// Paints the smear in the order in which it lies on the slide.
    pub(crate) fn paint(&self, canvas: &mut Canvas) {
        let scene = self.scene;
        let palette = &scene.palette;
        plasma::paint(canvas, palette.plasma, scene.plasma, self.film);
        scene.debris.paint_below(canvas, palette);
        for (_, leukocyte) in &self.leukocytes {
            leukocyte.paint(canvas, palette);
        }
        for erythrocyte in &scene.erythrocytes {
            erythrocyte.paint(canvas, palette);
        }
        for platelet in &scene.platelets {
            platelet.paint(canvas, palette, self.grain);
        }
        scene.debris.paint_above(canvas, palette);
    }
}
