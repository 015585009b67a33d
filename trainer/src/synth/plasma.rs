//! Dried plasma: an uneven film under everything else.

use super::canvas::{Canvas, Density};
use super::outline::Point;
use super::texture::Texture;

/// Paints the film over the whole canvas.
pub(crate) fn paint(canvas: &mut Canvas, plasma: Density, amount: f32, texture: Texture) {
    let [width, height] = canvas.extent();
    let middle = Point {
        x: width / 2.0,
        y: height / 2.0,
    };
    canvas.each_near(middle, width.max(height), |at, spot| {
        let broad = texture.at(at.x / 14.0, at.y / 14.0);
        let narrow = texture.at(at.x / 2.5 + 60.0, at.y / 2.5);
        spot.density += plasma.times(amount * (1.0 + 0.6 * broad + 0.25 * narrow));
    });
}
