//! The white balance of a camera, which a measured light depends on.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};
use smearscope_hardware::CaptureSettings;
use utoipa::ToSchema;

/// The white balance of a camera. A picture with another one has other colours than the empty field.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct WhiteBalance {
    /// Gains of red and blue relative to green; null unless it is a ribbon camera.
    #[schema(required)]
    pub colour_gains: Option<[f64; 2]>,
    /// In kelvin; null unless it is a USB camera that tells it.
    #[schema(required)]
    pub kelvin: Option<u32>,
}

impl WhiteBalance {
    /// That of a picture.
    ///
    /// # Errors
    /// [`AutomaticWhiteBalance`] if the next picture may have another one.
    pub fn of(settings: &CaptureSettings) -> Result<Self, AutomaticWhiteBalance> {
        let found = Self {
            colour_gains: settings.colour_gains,
            kelvin: settings.white_balance_k,
        };
        match settings.has_fixed_white_balance {
            Some(false) => Err(AutomaticWhiteBalance(found)),
            Some(true) | None => Ok(found),
        }
    }
}

/// The camera changes its white balance from picture to picture.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "the white balance of the camera is automatic, so that its colours change from picture to picture; fix it at what it is now \
     ({0}): {remedy}, restart, and measure the light", remedy = remedy(*.0)
)]
pub struct AutomaticWhiteBalance(WhiteBalance);

impl Display for WhiteBalance {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.colour_gains, self.kelvin) {
            (Some([red, blue]), _) => write!(f, "red × {red:.3}, blue × {blue:.3}"),
            (None, Some(kelvin)) => write!(f, "{kelvin} K"),
            (None, None) => f.write_str("unknown"),
        }
    }
}

/// The settings that fix a white balance.
fn remedy(
    WhiteBalance {
        colour_gains,
        kelvin,
    }: WhiteBalance,
) -> String {
    match (colour_gains, kelvin) {
        (Some([red, blue]), _) => {
            format!("set rpicam.red_gain = {red:.3} and rpicam.blue_gain = {blue:.3}")
        }
        (None, Some(kelvin)) => format!("set camera.white_balance = {kelvin}"),
        (None, None) => "set camera.white_balance to a number of kelvin".into(),
    }
}
