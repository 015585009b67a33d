//! Errors of the hardware.

/// A part failed. The message names the part, its address and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HardwareError {
    /// The part could not be found or opened.
    #[error("{part} at {at} cannot be opened; {remedy}")]
    Open {
        /// `camera`, `OLED`, `button` or `LEDs`.
        part: &'static str,
        /// Device file, pin or folder.
        at: String,
        /// What the operator can do.
        remedy: String,
        /// The driver's error, if there was one.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The configured board is not this machine, or not part of this program. Trying again cannot help.
    #[error("board = {board:?} does not work here: {problem}; {remedy}")]
    NoSuchBoard {
        /// The board's name in the configuration.
        board: &'static str,
        /// Why there is none.
        problem: String,
        /// What the operator can do.
        remedy: &'static str,
    },
    /// The part was open and stopped answering.
    #[error("no answer from the {part}; {remedy}")]
    Lost {
        /// `camera`, `OLED`, `button` or `LEDs`.
        part: &'static str,
        /// What the operator can do.
        remedy: String,
        /// The driver's error, if there was one.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The part failed a moment ago, that failure was reported, and the next attempt is not due yet.
    #[error("the {part} is not connected; it is retried automatically")]
    RetryPending {
        /// `camera`, `OLED`, `button` or `LEDs`.
        part: &'static str,
    },
    /// The part works, but does not support what the configuration asks for.
    #[error("the {part} does not support {wanted}; it offers {offers}")]
    Unsupported {
        /// `camera`, `OLED`, `button` or `LEDs`.
        part: &'static str,
        /// What the configuration asks for.
        wanted: String,
        /// What the part offers instead.
        offers: String,
    },
    /// The camera's automatic exposure did not settle.
    #[error(
        "the camera's exposure did not settle within {frames} frames; steady the light and press again, \
         or set camera.exposure to a fixed value"
    )]
    ExposureNotSettled {
        /// `camera.settle_frames`.
        frames: u32,
    },
    /// The camera delivered bytes that are not a complete frame.
    #[error(
        "the camera delivered a damaged frame: {reason}; press again, and check the camera's cable if it repeats"
    )]
    DamagedFrame {
        /// What is wrong with the bytes.
        reason: String,
    },
    /// The folder of the simulated camera holds no images.
    #[error("{folder} holds no images; put JPEG or PNG files there or name another folder", folder = .folder.display())]
    NoImages {
        /// Its path as configured.
        folder: std::path::PathBuf,
    },
}

/// Formats an error and its causes in one line, separated by colons.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |cause| cause.source())
        .map(ToString::to_string)
        .fold(error.to_string(), |text, cause| {
            // Many drivers already repeat their cause at the end of their message.
            if text.ends_with(&cause) {
                text
            } else {
                format!("{text}: {cause}")
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_listed_once() {
        let lost = |source: std::io::Error| HardwareError::Lost {
            part: "LEDs",
            remedy: "see `gpiodetect`".into(),
            source: Some(source.into()),
        };
        let error = lost(std::io::Error::other("no such device"));
        assert_eq!(
            with_causes(&error),
            "no answer from the LEDs; see `gpiodetect`: no such device"
        );
        let error = lost(std::io::Error::other(error));
        assert_eq!(
            with_causes(&error).matches("no such device").count(),
            1,
            "{}",
            with_causes(&error)
        );
    }
}
