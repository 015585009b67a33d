//! Protects an OLED from burn-in.
//!
//! OLED pixels fade with time and current: a display that shows READY for a year keeps a ghost of it. It is
//! therefore dimmed when idle, and the picture shifts from time to time.

use std::time::Duration;

/// Successive offsets of the picture. One pixel is enough, because the strokes of letters are one or two
/// pixels wide. The picture never moves up or left, where the titles of the screens touch the edge.
const OFFSETS: [(u32, u32); 4] = [(0, 0), (1, 0), (1, 1), (0, 1)];

/// Protection of an OLED against burn-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BurnIn {
    /// Idle time after which the display is dimmed; `None`: never.
    pub dim_after: Option<Duration>,
    /// Time after which the picture shifts by one pixel; `None`: never.
    pub shift_every: Option<Duration>,
}

impl BurnIn {
    /// No protection, for virtual displays.
    pub const OFF: Self = Self {
        dim_after: None,
        shift_every: None,
    };

    /// Whether to dim the display `idle` after the last activity.
    pub fn is_dim(self, idle: Duration) -> bool {
        self.dim_after.is_some_and(|after| idle >= after)
    }

    /// Offset of the picture, in columns to the right and rows down, `age` after the first picture.
    pub fn shift(self, age: Duration) -> (u32, u32) {
        let steps = self.shift_every.map_or(0, |every| {
            age.as_millis() / every.as_millis().max(1) % OFFSETS.len() as u128
        });
        OFFSETS[steps as usize]
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
    fn shifts_by_one_pixel_at_a_time_and_returns() {
        let burn_in = BurnIn {
            dim_after: None,
            shift_every: Some(MINUTE),
        };
        let path: Vec<_> = (0..8).map(|n| burn_in.shift(n * MINUTE)).collect();
        assert_eq!(path[..4], OFFSETS);
        assert_eq!(path[..4], path[4..]);
        for pair in path.windows(2) {
            let (one, other) = (pair[0], pair[1]);
            assert_eq!(one.0.abs_diff(other.0) + one.1.abs_diff(other.1), 1);
        }
        assert_eq!(burn_in.shift(Duration::from_millis(59_999)), (0, 0));
        assert_eq!(BurnIn::OFF.shift(1000 * MINUTE), (0, 0));
    }
}
