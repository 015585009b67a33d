//! A share of counted things, with its interval.

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// The 97.5 % quantile of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// How many of some cells or fields have a property.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Those that have it; at most `of`.
    pub count: usize,
    /// All of them.
    pub of: usize,
}

impl Share {
    /// Counts the items that are true.
    pub fn of(items: impl IntoIterator<Item = bool>) -> Self {
        items
            .into_iter()
            .fold(Self::default(), |Self { count, of }, is_one| Self {
                count: count + usize::from(is_one),
                of: of + 1,
            })
    }

    /// The share, 0 to 1; `None` of nothing.
    pub fn value(self) -> Option<f64> {
        (self.of > 0).then(|| self.count as f64 / self.of as f64)
    }

    /// Its 95 % interval (Wilson 1927), if the items are independent; `None` of nothing.
    pub fn interval(self) -> Option<[f64; 2]> {
        let share = self.value()?;
        let of = self.of as f64;
        let shrink = 1.0 + Z * Z / of;
        let centre = (share + Z * Z / (2.0 * of)) / shrink;
        let half = Z / shrink * (share * (1.0 - share) / of + Z * Z / (4.0 * of * of)).sqrt();
        // Rounding must not exclude 0 of some, or all of them.
        Some([
            (centre - half).clamp(0.0, share),
            (centre + half).clamp(share, 1.0),
        ])
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Share", 4)?;
        fields.serialize_field("count", &self.count)?;
        fields.serialize_field("of", &self.of)?;
        fields.serialize_field("share", &self.value())?;
        fields.serialize_field("interval", &self.interval())?;
        fields.end()
    }
}

/// `156 of 158, 98.7 % (95.5–99.7)`, or `0 of 0`.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.count, self.of)?;
        if let (Some(share), Some(interval)) = (self.value(), self.interval()) {
            let [share, low, high] = [share, interval[0], interval[1]].map(|part| 100.0 * part);
            write!(f, ", {share:.1} % ({low:.1}–{high:.1})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_scipy() {
        // scipy.stats.binomtest(count, of).proportion_ci(method="wilson"); both compute in f64.
        for (count, of, expected) in [
            (0, 200, [0.0, 0.018_845_326_377_266_575]),
            (3, 20, [0.052_368_745_896_216_62, 0.360_418_864_740_756_9]),
            (156, 158, [0.955_026_750_654_578_1, 0.996_521_765_542_487_5]),
            (50, 50, [0.928_652_400_866_641_2, 1.0]),
        ] {
            let interval = Share { count, of }.interval().unwrap();
            for (found, expected) in interval.into_iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12, "{count} of {of}: {found}");
            }
        }
        assert_eq!(Share::default().interval(), None);
    }

    #[test]
    fn shares_are_counted_and_shown() {
        let share = Share::of([true, false, true, true]);
        assert_eq!(share, Share { count: 3, of: 4 });
        assert_eq!(share.to_string(), "3 of 4, 75.0 % (30.1–95.4)");
        assert_eq!(Share::default().to_string(), "0 of 0");
        let json = serde_json::to_value(Share { count: 1, of: 2 }).unwrap();
        assert_eq!(json["share"], 0.5);
    }
}
