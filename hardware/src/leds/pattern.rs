//! What LEDs do, and what that looks like as time goes by.

use std::f32::consts::TAU;
use std::time::Duration;

/// Half a blink.
pub(crate) const BLINK: Duration = Duration::from_millis(250);
/// A breath, in and out.
const BREATH: Duration = Duration::from_secs(3);
/// At the end of a breath an LED still glows, so that it is not taken for a dark one.
const DIMMEST: f32 = 0.02;

/// What one LED does. The four differ in the course of time alone: who does not see colours tells
/// LEDs apart by their place, and states by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Light {
    /// Dark.
    #[default]
    Off,
    /// Lit.
    Steady,
    /// On and off twice a second.
    Blink,
    /// Slowly brighter and dimmer, a breath in three seconds.
    Breathe,
}

impl Light {
    /// How bright it is `elapsed` after it began, from 0.0 (dark) to 1.0, as an LED is driven: the
    /// share of the time in which it is lit.
    pub fn brightness(self, elapsed: Duration) -> f32 {
        match self {
            Self::Off => 0.0,
            Self::Steady => 1.0,
            Self::Blink => {
                let is_lit = (elapsed.as_millis() / BLINK.as_millis()).is_multiple_of(2);
                f32::from(u8::from(is_lit))
            }
            Self::Breathe => {
                let phase = elapsed.as_secs_f32() % BREATH.as_secs_f32() / BREATH.as_secs_f32();
                // Eyes see the square root of the light, roughly: squared, it swells evenly.
                let seen = 0.5 - 0.5 * (TAU * phase).cos();
                DIMMEST + (1.0 - DIMMEST) * seen * seen
            }
        }
    }

    /// In a word, for people and for scripts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Steady => "on",
            Self::Blink => "blink",
            Self::Breathe => "breathe",
        }
    }
}

/// What the three LEDs do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lights {
    /// The red LED.
    pub red: Light,
    /// The amber LED.
    pub amber: Light,
    /// The green LED.
    pub green: Light,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brightness(light: Light, ms: &[u64]) -> Vec<f32> {
        ms.iter()
            .map(|ms| light.brightness(Duration::from_millis(*ms)))
            .collect()
    }

    #[test]
    fn a_blink_is_on_and_off_twice_a_second() {
        assert_eq!(
            brightness(Light::Blink, &[0, 249, 250, 499, 500, 750]),
            [1.0, 1.0, 0.0, 0.0, 1.0, 0.0]
        );
    }

    #[test]
    fn a_breath_begins_dim_is_full_in_the_middle_and_never_dark() {
        let breath = brightness(Light::Breathe, &[0, 750, 1500, 2250, 3000]);
        let expected = [0.02, 0.265, 1.0, 0.265, 0.02];
        for (actual, expected) in breath.iter().zip(expected) {
            assert!((actual - expected).abs() < 1e-3, "{breath:?}");
        }
        let day = Duration::from_hours(24);
        for ms in 0..3000 {
            let brightness = Light::Breathe.brightness(day + Duration::from_millis(ms));
            assert!((DIMMEST..=1.0).contains(&brightness), "{brightness}");
        }
    }

    #[test]
    fn the_others_do_not_change() {
        assert_eq!(brightness(Light::Off, &[0, 333]), [0.0, 0.0]);
        assert_eq!(brightness(Light::Steady, &[0, 333]), [1.0, 1.0]);
    }
}
