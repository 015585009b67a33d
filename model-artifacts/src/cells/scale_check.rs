//! Whether the red cells of a field contradict its stated scale: the objective was changed, or the number was mistyped.
//!
//! The finder sees red cells a little large, and the larger the coarser the scale seems: at the true scale their median is 6.5 to
//! 9.1 µm (73 fields of two sources), where a pixel is stated two thirds of its size 4.8 to 6.1 µm, and half as large again
//! 8.7 to 12.2 µm, 95 % from 9.7 µm. Where it is stated twice as large or more, clumps look like single cells again; but then
//! red cells of about their size are found at half that scale, where those of a true scale look half as large.

use super::cell_site::CellSite;
use super::ruler::median_inside;

/// Medians of red cells that contradict no scale, µm: anaemias have smaller and larger cells.
const PLAUSIBLE_UM: std::ops::RangeInclusive<f32> = 5.8..=10.0;
/// Median, µm, from which red cells that are found at half the stated scale are such.
const AT_HALF_UM: f32 = 6.6;
/// Fewest whole red cells that say something.
const FEWEST: usize = 10;

/// Diameter that red cells have at a stated scale if they contradict it, µm. `at_half` are the red cells that are found where half
/// the scale is stated; all are in pixels of an image of this width and height.
pub(super) fn contradiction(
    um_per_pixel: f32,
    found: &[CellSite],
    at_half: &[CellSite],
    [width, height]: [f32; 2],
) -> Option<f32> {
    let median = |cells: &[CellSite]| {
        let pixels = median_inside(cells, FEWEST, width, height)?;
        Some(pixels * um_per_pixel)
    };
    let stated = median(found).filter(|diameter| !PLAUSIBLE_UM.contains(diameter));
    stated.or_else(|| median(at_half).filter(|diameter| diameter / 2.0 >= AT_HALF_UM))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: [f32; 2] = [1000.0, 800.0];

    fn cells(count: usize, diameter: f32) -> Vec<CellSite> {
        let site = |number: usize| CellSite {
            x: 100.0 + 40.0 * number as f32,
            y: 400.0,
            diameter,
            score: 0.9,
        };
        (0..count).map(site).collect()
    }

    #[test]
    fn red_cells_of_a_wrong_size_contradict_a_scale() {
        for (um_per_pixel, contradicted) in [
            (0.05, Some(4.0)),
            (0.1, None),
            (0.12, None),
            (0.15, Some(12.0)),
        ] {
            let found = contradiction(um_per_pixel, &cells(12, 80.0), &[], SIZE);
            let rounded = found.map(|diameter| (diameter * 10.0).round() / 10.0);
            assert_eq!(rounded, contradicted, "{um_per_pixel}");
        }
        assert_eq!(
            contradiction(0.05, &cells(9, 80.0), &[], SIZE),
            None,
            "too few"
        );
    }

    #[test]
    fn red_cells_at_half_a_scale_contradict_it() {
        let clumps = cells(12, 45.0);
        // At 0.2 µm they look like cells of 9 µm, and single cells of 7 µm are found at 0.1 µm.
        let found = contradiction(0.2, &clumps, &cells(12, 70.0), SIZE);
        assert!((found.unwrap() - 14.0).abs() < 1e-3);
        // Those of the true scale look half as large there.
        assert_eq!(contradiction(0.2, &clumps, &cells(12, 45.0), SIZE), None);
    }
}
