//! Drawn cells among real ones: what lies around a drawn cell is taken from the picture of a real field.
//!
//! Else a network could learn to tell drawn from real pictures by their red cells, and take that for the kind of a cell.

use rand::{Rng, RngExt};
use smearscope_artifacts::{CellCrop, CropInput};

use super::windows::LabelledField;
use crate::error::TrainError;

/// Distance from the middle of a crop up to which the drawn picture stays, µm: the largest leukocytes hardly reach
/// farther, so that no kind is cut off.
const OWN_UM: f32 = 10.5;
/// Width of the zone in which both pictures mix, µm.
const ZONE_UM: f32 = 1.5;
/// How many places are tried in a field.
const TRIALS: usize = 4;

/// Real fields that lend their surroundings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'a>(pub(crate) &'a [&'a LabelledField]);

impl Surroundings<'_> {
    /// Replaces what lies around the cell in the middle of a crop by a place of a real field without leukocytes.
    /// Leaves the crop as it is if there is no field, or none of the places tried is free.
    ///
    /// # Errors
    /// [`TrainError::Artifact`] if an image cannot be read any more.
    pub(super) fn replace(
        self,
        crop: &mut CellCrop,
        input: CropInput,
        rng: &mut impl Rng,
    ) -> Result<(), TrainError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let field = self.0[rng.random_range(0..self.0.len())];
        if let Some(around) = field.free_place(input, TRIALS, rng)? {
            mix(crop, &around);
        }
        Ok(())
    }
}

fn mix(crop: &mut CellCrop, around: &CellCrop) {
    let middle = (crop.side as f32 - 1.0) / 2.0;
    let side = crop.side;
    let um_per_pixel = crop.um_per_pixel;
    let own_share = |at: usize| {
        let distance = ((at % side) as f32 - middle).hypot((at / side) as f32 - middle);
        (1.0 - (distance * um_per_pixel - OWN_UM) / ZONE_UM).clamp(0.0, 1.0)
    };
    for (own, other) in [
        (&mut crop.red, &around.red),
        (&mut crop.green, &around.green),
    ] {
        for (at, (own, other)) in own.iter_mut().zip(other).enumerate() {
            let share = own_share(at);
            *own = share * *own + (1.0 - share) * other;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cell_itself_stays() {
        let crop = |density: f32| CellCrop {
            side: 96,
            um_per_pixel: 0.25,
            red: vec![density; 96 * 96],
            green: vec![density / 2.0; 96 * 96],
        };
        let mut mixed = crop(1.0);
        mix(&mut mixed, &crop(0.2));
        let at = |x: usize, y: usize| mixed.red[y * 96 + x];
        assert!((at(48, 48) - 1.0).abs() < 1e-6 && (at(48, 6) - 1.0).abs() < 1e-6);
        assert!((at(2, 2) - 0.2).abs() < 1e-6);
        let zone = at(48, 2);
        assert!(zone > 0.25 && zone < 0.95, "{zone}");
        assert!((mixed.green[2] - 0.1).abs() < 1e-6);
    }
}
