//! The watched figures, and what a field says of them.

use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use crate::records::FieldEntry;
use crate::system::clock::ClockState;

/// Exponent between sRGB samples and linear light (IEC 61966-2-1, approximated).
const GAMMA: f64 = 2.2;
/// Figures that do not tell of lamp, lens or stain: how the stage was moved, and how far the field is from those of a model.
const OF_OTHERS: [&str; 3] = ["motion", "moved", "distance"];
/// Largest sample.
const WHITE: f64 = 255.0;

/// A figure that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DriftFigure {
    /// Brightness of the background, relative to exposure and gain where they are known.
    Light,
    /// Sharpness of the cells' edges.
    Focus,
    /// How much darker nuclei are than what is next to them.
    Stain,
    /// Share of the fields that the quality gate refuses.
    Refused,
}

impl DriftFigure {
    pub(super) const ALL: [Self; 4] = [Self::Light, Self::Focus, Self::Stain, Self::Refused];

    /// Whether a drift to this side is told, 1 up, −1 down: sharper pictures and fewer refused fields are no reason to act.
    pub(super) fn tells(self, side: i8) -> bool {
        match self {
            Self::Light | Self::Stain => side != 0,
            Self::Focus => side < 0,
            Self::Refused => side > 0,
        }
    }

    /// The value that people read, from the one that is watched.
    pub(super) fn shown(self, watched: f64) -> f64 {
        match self {
            Self::Light | Self::Focus | Self::Stain => watched.exp(),
            Self::Refused => watched.sin().powi(2),
        }
    }
}

/// What a field says of the figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FieldFigures {
    /// When it was photographed, UTC.
    pub(super) date: Date,
    /// Logarithm of the light.
    pub(super) light: Option<f64>,
    /// Logarithm of the focus.
    pub(super) focus: Option<f64>,
    /// Logarithm of the contrast of nuclei.
    pub(super) stain: Option<f64>,
    /// Whether the quality gate refused it for what it shows, and not for how it was operated or by which model.
    pub(super) is_refused: bool,
}

impl FieldFigures {
    /// The figures of a recorded field; `None` if its time is not known.
    pub(super) fn of(field: &FieldEntry) -> Option<Self> {
        if field.clock.is_some_and(ClockState::is_wrong) {
            return None;
        }
        let date = field.captured_at.get(..10)?.parse().ok()?;
        let value = |name: &str| field.quality.get(name)?.get("value")?.as_f64();
        let highlights = value("highlights").map(|luma| (luma / WHITE).powf(GAMMA));
        let light = highlights.map(|light| light / exposure(field));
        let is_refused = field.quality.as_object().is_some_and(|figures| {
            figures.iter().any(|(name, figure)| {
                figure.get("passed") == Some(&false.into()) && !OF_OTHERS.contains(&&**name)
            })
        });
        Some(Self {
            date,
            light: light.and_then(logarithm),
            focus: value("focus").and_then(logarithm),
            stain: value("nucleus_contrast").and_then(logarithm),
            is_refused,
        })
    }
}

/// Exposure time times gain, in units of their own that stay; 1 if they are not known. The gain of a USB camera has no known
/// unit and is left out.
fn exposure(field: &FieldEntry) -> f64 {
    let Some(camera) = &field.camera else {
        return 1.0;
    };
    let is_factor = camera.red_gain.is_some();
    let gain = camera.gain.filter(|_| is_factor).unwrap_or(1.0);
    camera.exposure_us.unwrap_or(1.0) * gain
}

/// `None` where there is none.
fn logarithm(value: f64) -> Option<f64> {
    Some(value.ln()).filter(|logarithm| logarithm.is_finite())
}
