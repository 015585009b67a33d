//! Logarithms of samples, of which optical densities are differences.

/// Range of densities; darker places and such that are brighter than the background are clamped.
const RANGE: [f32; 2] = [-0.15, 2.0];

/// Decimal logarithms of all samples plus one.
#[derive(Debug)]
pub(crate) struct Logarithms([f32; 256]);

impl Logarithms {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|sample| (sample as f32 + 1.0).log10()))
    }

    pub(super) fn of(&self, sample: u8) -> f32 {
        self.0[usize::from(sample)]
    }

    /// Density of a pixel, from the logarithms of the light without it.
    pub(crate) fn density(&self, empty: [f32; 3], pixel: [u8; 3]) -> [f32; 3] {
        let [low, high] = RANGE;
        std::array::from_fn(|channel| (empty[channel] - self.of(pixel[channel])).clamp(low, high))
    }
}
