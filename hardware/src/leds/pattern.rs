//! The patterns of the LEDs: plain data, and the brightness over time that they stand for.

use std::f32::consts::TAU;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long a blinking LED is on, and how long it is off.
pub const BLINK_INTERVAL: Duration = Duration::from_millis(250);
/// Length of one cycle of a breathing LED.
pub const BREATH_PERIOD: Duration = Duration::from_secs(3);
/// Lowest brightness of a breathing LED, so that it is never mistaken for one that is off.
const MIN_BRIGHTNESS: f32 = 0.02;

/// What one LED does over time. Colour alone carries no information: an operator who does not see
/// colours tells the LEDs apart by position and the states by pattern.
///
/// Serialised as `off`, `on`, `blink` or `breathe`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum LedPattern {
    /// Dark all the time.
    #[default]
    Off,
    /// Lit all the time at full brightness.
    On,
    /// On and off twice per second.
    Blink,
    /// Slowly brighter and dimmer, one cycle in three seconds.
    Breathe,
}

impl LedPattern {
    /// Brightness `elapsed` after the pattern began, from 0.0 (off) to 1.0: the duty cycle that drives the
    /// LED.
    pub fn brightness(self, elapsed: Duration) -> f32 {
        match self {
            Self::Off => 0.0,
            Self::On => 1.0,
            Self::Blink => {
                let is_lit = (elapsed.as_millis() / BLINK_INTERVAL.as_millis()).is_multiple_of(2);
                f32::from(u8::from(is_lit))
            }
            Self::Breathe => {
                let phase = elapsed.as_secs_f32() % BREATH_PERIOD.as_secs_f32()
                    / BREATH_PERIOD.as_secs_f32();
                // Perceived brightness is roughly the square root of the light, so square it.
                let perceived = 0.5 - 0.5 * (TAU * phase).cos();
                MIN_BRIGHTNESS + (1.0 - MIN_BRIGHTNESS) * perceived * perceived
            }
        }
    }

    /// The name under which the pattern is serialised.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Blink => "blink",
            Self::Breathe => "breathe",
        }
    }
}

/// The patterns of the three LEDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct LedPatterns {
    /// The red LED.
    pub red: LedPattern,
    /// The amber LED.
    pub amber: LedPattern,
    /// The green LED.
    pub green: LedPattern,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brightness(pattern: LedPattern, ms: &[u64]) -> Vec<f32> {
        ms.iter()
            .map(|ms| pattern.brightness(Duration::from_millis(*ms)))
            .collect()
    }

    #[test]
    fn a_blinking_led_is_on_and_off_twice_per_second() {
        assert_eq!(
            brightness(LedPattern::Blink, &[0, 249, 250, 499, 500, 750]),
            [1.0, 1.0, 0.0, 0.0, 1.0, 0.0]
        );
    }

    #[test]
    fn a_breathing_led_starts_dim_peaks_in_the_middle_and_is_never_off() {
        let breath = brightness(LedPattern::Breathe, &[0, 750, 1500, 2250, 3000]);
        let expected = [0.02, 0.265, 1.0, 0.265, 0.02];
        for (actual, expected) in breath.iter().zip(expected) {
            assert!((actual - expected).abs() < 1e-3, "{breath:?}");
        }
        let day = Duration::from_hours(24);
        for ms in 0..3000 {
            let brightness = LedPattern::Breathe.brightness(day + Duration::from_millis(ms));
            assert!((MIN_BRIGHTNESS..=1.0).contains(&brightness), "{brightness}");
        }
    }

    #[test]
    fn steady_patterns_do_not_change() {
        assert_eq!(brightness(LedPattern::Off, &[0, 333]), [0.0, 0.0]);
        assert_eq!(brightness(LedPattern::On, &[0, 333]), [1.0, 1.0]);
    }
}
