//! What the cell network sees of a crop: its grey density, relative to that of the nucleus.

use super::crop::CellCrop;
use super::disc;

/// Radius around the middle in which the densest place is the nucleus, µm.
const CORE_UM: f32 = 3.5;
/// Share of the core that is taken for the nucleus.
const CORE_SHARE: f32 = 0.3;
/// Distance from the middle beyond which the surroundings lie, µm.
const SURROUNDINGS_UM: f32 = 9.0;
/// Share of the surroundings that is less dense than what is taken for their level.
const SURROUNDINGS_SHARE: f32 = 0.2;
/// Smallest difference of the two levels: less is no cell, but noise.
const LEAST_DIFFERENCE: f32 = 0.04;
/// Range of the relative density; the surroundings are 0, and the nucleus is 1.
const RANGE: [f32; 2] = [-0.5, 2.0];
/// Mean and standard deviation that the network's input is centred with.
const MEAN: f32 = 0.4;
const DEVIATION: f32 = 2.0 / 3.0;

impl CellCrop {
    /// What the cell network sees of the crop: `side × side` values, row by row.
    ///
    /// The mean of the densities in red and green light is measured from the level of the surroundings and divided by
    /// that of the nucleus. No colour is left, nor how strong the stain is, nor what the lamp does to a whole crop.
    pub fn network_input(&self) -> Vec<f32> {
        let grey: Vec<f32> = self
            .red
            .iter()
            .zip(&self.green)
            .map(|(red, green)| f32::midpoint(*red, *green))
            .collect();
        let squared = |um: f32| (um / self.um_per_pixel).powi(2);
        let (surroundings_from, core_to) = (squared(SURROUNDINGS_UM), squared(CORE_UM));
        let (mut surroundings, mut core) = (Vec::with_capacity(grey.len()), Vec::new());
        let within_surroundings = disc::runs(self.side, |squared| squared <= surroundings_from);
        let within_core = disc::runs(self.side, |squared| squared < core_to);
        let runs = within_surroundings.zip(within_core);
        for (line, (inner, within_core)) in grey.chunks_exact(self.side).zip(runs) {
            surroundings.extend_from_slice(&line[..inner.start]);
            surroundings.extend_from_slice(&line[inner.end..]);
            core.extend_from_slice(&line[within_core]);
        }
        let base = if surroundings.is_empty() {
            0.0
        } else {
            let at = (SURROUNDINGS_SHARE * (surroundings.len() - 1) as f32) as usize;
            *surroundings.select_nth_unstable_by(at, f32::total_cmp).1
        };
        let denser = |a: &f32, b: &f32| b.total_cmp(a);
        let densest = ((CORE_SHARE * core.len() as f32) as usize).max(1);
        if densest < core.len() {
            core.select_nth_unstable_by(densest, denser);
            core.truncate(densest);
        }
        core.sort_unstable_by(denser);
        let nucleus = core.iter().sum::<f32>() / core.len().max(1) as f32;
        let difference = (nucleus - base).max(LEAST_DIFFERENCE);
        let [low, high] = RANGE;
        let relative = |density: &f32| ((density - base) / difference).clamp(low, high);
        grey.iter()
            .map(|density| (relative(density) - MEAN) / DEVIATION)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cell of relative density 0.5 with a nucleus, in a stain of some strength and colour, over a veil.
    fn crop(strength: [f32; 2], veil: f32) -> CellCrop {
        let plane = |strength: f32| -> Vec<f32> {
            (0..96 * 96)
                .map(|at| {
                    let (x, y) = ((at % 96) as f32 - 47.5, (at / 96) as f32 - 47.5);
                    let part = match x.hypot(y) * 0.25 {
                        distance if distance < 4.0 => 1.0,
                        distance if distance < 6.0 => 0.5,
                        _ => 0.0,
                    };
                    veil + strength * part
                })
                .collect()
        };
        CellCrop {
            side: 96,
            um_per_pixel: 0.25,
            red: plane(strength[0]),
            green: plane(strength[1]),
        }
    }

    #[test]
    fn neither_stain_nor_veil_is_left() {
        let plain = crop([0.8, 0.6], 0.0).network_input();
        assert_eq!(plain.len(), 96 * 96);
        for (at, expected) in [(48 * 96 + 48, 1.0), (48 * 96 + 68, 0.5), (5, 0.0)] {
            let expected = (expected - MEAN) / DEVIATION;
            assert!(
                (plain[at] - expected).abs() < 1e-4,
                "{} {expected}",
                plain[at]
            );
        }
        for other in [crop([0.2, 0.3], 0.0), crop([0.8, 0.1], 0.2)] {
            let other = other.network_input();
            let farthest = plain
                .iter()
                .zip(&other)
                .fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
            assert!(farthest < 1e-4, "{farthest}");
        }
    }

    #[test]
    fn noise_is_not_blown_up() {
        let empty = crop([0.01, 0.01], 0.0).network_input();
        // A quarter of the nucleus that a cell has at the least.
        let expected = (0.25 - MEAN) / DEVIATION;
        assert!((empty[48 * 96 + 48] - expected).abs() < 1e-4);
    }
}
