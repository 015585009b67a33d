//! Smooth random texture, computed at any point and never stored.

use rand::{Rng, RngExt};

/// Value noise: random values on a unit grid with smooth interpolation between them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Texture(u32);

impl Texture {
    pub(crate) fn draw(rng: &mut impl Rng) -> Self {
        Self(rng.random())
    }

    /// The value at a point, −1 to 1; features are about one unit wide.
    pub(crate) fn at(self, x: f32, y: f32) -> f32 {
        let (column, row) = (floor(x), floor(y));
        let (u, v) = (fade(x - column as f32), fade(y - row as f32));
        let upper = lerp(self.node(column, row), self.node(column + 1, row), u);
        let lower = lerp(
            self.node(column, row + 1),
            self.node(column + 1, row + 1),
            u,
        );
        lerp(upper, lower, v)
    }

    fn node(self, column: i32, row: i32) -> f32 {
        // Integer finaliser of MurmurHash3 (Appleby, public domain).
        let mut hash = self.0
            ^ column.cast_unsigned().wrapping_mul(0x9E37_79B1)
            ^ row
                .cast_unsigned()
                .wrapping_mul(0x85EB_CA77)
                .rotate_left(16);
        hash = (hash ^ (hash >> 16)).wrapping_mul(0x85EB_CA6B);
        hash = (hash ^ (hash >> 13)).wrapping_mul(0xC2B2_AE35);
        hash ^= hash >> 16;
        hash.cast_signed() as f32 / i32::MAX as f32
    }
}

/// Takes a few instructions on every processor; `f32::floor` may be a function call.
fn floor(value: f32) -> i32 {
    let towards_zero = value as i32;
    towards_zero - i32::from(value < towards_zero as f32)
}

/// Linear interpolation: `a` at 0, `b` at 1.
pub(crate) fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// Smooth step from 0 at 0 to 1 at 1.
pub(crate) fn fade(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn stays_in_range_varies_and_has_no_seams() {
        let texture = Texture::draw(&mut ChaCha8Rng::seed_from_u64(1));
        let values: Vec<f32> = (0..2000)
            .map(|i| texture.at(i as f32 * 0.01 - 10.0, i as f32 * 0.003))
            .collect();
        assert!(values.iter().all(|value| value.abs() <= 1.0));
        assert!(values.iter().any(|&value| value > 0.3));
        assert!(values.iter().any(|&value| value < -0.3));
        // Steepest slope of the fade is 1.5 per unit over a difference of at most 2.
        assert!(
            values
                .windows(2)
                .all(|pair| (pair[1] - pair[0]).abs() < 0.05)
        );
    }
}
