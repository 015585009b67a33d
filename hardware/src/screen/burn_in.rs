//! Keeps an OLED from wearing out where it is always lit.
//!
//! Pixels of an OLED fade with the time and the current through them; a display that shows READY for
//! a year shows it for ever after. So it is dimmed when nobody is there, and the picture wanders.

use std::time::Duration;

/// Where the picture stands, one after the other. A pixel either way is enough: strokes of letters
/// are one or two pixels wide. It never moves up or left, where the screens' titles stand.
const PATH: [(u32, u32); 4] = [(0, 0), (1, 0), (1, 1), (0, 1)];

/// How an OLED is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BurnIn {
    /// Dimmed after so long without anybody; `None`: never.
    pub dim_after: Option<Duration>,
    /// The picture moves on by a pixel after so long; `None`: never.
    pub shift_every: Option<Duration>,
}

impl BurnIn {
    /// No protection: for glass that exists in memory only.
    pub const OFF: Self = Self {
        dim_after: None,
        shift_every: None,
    };

    /// Whether to dim, `idle` after somebody acted last.
    pub fn is_dim(self, idle: Duration) -> bool {
        self.dim_after.is_some_and(|after| idle >= after)
    }

    /// By how many columns to the right and rows down the picture stands, `age` after the first.
    pub fn shift(self, age: Duration) -> (u32, u32) {
        let steps = self.shift_every.map_or(0, |every| {
            age.as_millis() / every.as_millis().max(1) % PATH.len() as u128
        });
        PATH[steps as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn dims_when_idle() {
        let burn_in = BurnIn {
            dim_after: Some(MINUTE),
            shift_every: None,
        };
        assert!(!burn_in.is_dim(Duration::from_millis(59_999)));
        assert!(burn_in.is_dim(MINUTE));
        assert!(!BurnIn::OFF.is_dim(1000 * MINUTE));
    }

    #[test]
    fn wanders_by_one_pixel_at_a_time_and_comes_back() {
        let burn_in = BurnIn {
            dim_after: None,
            shift_every: Some(MINUTE),
        };
        let path: Vec<_> = (0..8).map(|n| burn_in.shift(n * MINUTE)).collect();
        assert_eq!(path[..4], PATH);
        assert_eq!(path[..4], path[4..]);
        for pair in path.windows(2) {
            let (one, other) = (pair[0], pair[1]);
            assert_eq!(one.0.abs_diff(other.0) + one.1.abs_diff(other.1), 1);
        }
        assert_eq!(burn_in.shift(Duration::from_millis(59_999)), (0, 0));
        assert_eq!(BurnIn::OFF.shift(1000 * MINUTE), (0, 0));
    }
}
