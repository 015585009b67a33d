//! How well red cells give the scale of a field.

use serde::Serialize;
use smearscope_artifacts::Share;

use super::quantile::quantile;

/// Largest difference from the known scale that is right, as a share of it.
const RIGHT: f32 = 0.1;
/// Share of wrong scales above which the ruler is not to be relied on.
const BEARABLE: f64 = 0.05;
/// Fewest measured scales that tell whether it is.
const ENOUGH: usize = 20;

/// Scales that red cells gave, compared with the known ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct RulerFigures {
    /// Fields whose scale is within 10 % of the known one.
    pub(crate) within_10_percent: Share,
    /// Fields that got no scale.
    pub(crate) without_scale: Share,
    /// Median ratio of the measured scale to the known one; `None` if no field got a scale.
    pub(crate) median_ratio: Option<f32>,
    /// Measured scales that are farther from the known one.
    pub(crate) wrong: Share,
}

impl RulerFigures {
    /// The figures of fields, by the ratio of the measured scale to the known one, `None` where there was none. `None`
    /// without fields.
    pub(crate) fn of(ratios: &[Option<f32>]) -> Option<Self> {
        if ratios.is_empty() {
            return None;
        }
        let mut measured: Vec<f32> = ratios.iter().copied().flatten().collect();
        measured.sort_by(f32::total_cmp);
        let is_right = |ratio: f32| (ratio - 1.0).abs() <= RIGHT;
        Some(Self {
            within_10_percent: Share::of(ratios.iter().map(|ratio| ratio.is_some_and(is_right))),
            without_scale: Share::of(ratios.iter().map(Option::is_none)),
            wrong: Share::of(measured.iter().map(|ratio| !is_right(*ratio))),
            median_ratio: (!measured.is_empty()).then(|| quantile(&measured, 0.5)),
        })
    }

    /// Whether enough scales were measured, and wrong ones are rare enough, for the ruler to be used.
    pub(crate) fn is_reliable(&self) -> bool {
        let Share { count, of } = self.wrong;
        self.is_measured_enough() && count as f64 <= BEARABLE * of as f64
    }

    pub(crate) fn is_measured_enough(&self) -> bool {
        self.wrong.of >= ENOUGH
    }

    /// What a model card must say if the ruler is not reliable.
    pub(crate) fn warning(&self) -> Option<String> {
        let Share { count, of } = self.wrong;
        (!self.is_reliable()).then(|| {
            format!(
                "The scale by red cells is wrong by more than 10 % in {count} of {of} fields that it was measured in, which \
                 is not reliable: state the scale of fields."
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_without_a_scale_is_not_within_ten_percent() {
        let ratios = [Some(1.0), Some(0.91), Some(1.2), None];
        let figures = RulerFigures::of(&ratios).unwrap();
        assert_eq!(figures.within_10_percent, Share { count: 2, of: 4 });
        assert_eq!(figures.without_scale, Share { count: 1, of: 4 });
        assert_eq!(figures.wrong, Share { count: 1, of: 3 });
        assert!(figures.warning().unwrap().contains("1 of 3"));
        assert!(!figures.is_reliable());
        let right = RulerFigures::of(&[Some(1.0); 30]).unwrap();
        assert_eq!(right.warning(), None);
        // Fields without a scale do not make wrong ones rare, and few fields say nothing.
        let mostly_none = [vec![None; 90], vec![Some(1.0); 18], vec![Some(1.3); 2]].concat();
        assert!(!RulerFigures::of(&mostly_none).unwrap().is_reliable());
        assert!(!RulerFigures::of(&[Some(1.0)]).unwrap().is_reliable());
        assert_eq!(figures.median_ratio, Some(1.0));
        assert_eq!(RulerFigures::of(&[None]).unwrap().median_ratio, None);
        assert_eq!(RulerFigures::of(&[]), None);
    }
}
