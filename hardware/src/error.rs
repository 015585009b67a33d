//! What can go wrong with a part of the bench.

/// A part failed; the message names the part, its address and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HardwareError {
    /// The part could not be found or opened.
    #[error("{part} at {at} cannot be opened; {remedy}")]
    Open {
        /// Which part, in the operator's words: `camera`, `OLED`, `button`, `LEDs`.
        part: &'static str,
        /// Where it was looked for: a device file, a pin, a folder.
        at: String,
        /// What to do about it.
        remedy: String,
        /// The driver's own error.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The part was open and then failed to answer.
    #[error("no answer from the {part}; {remedy}")]
    Lost {
        /// Which part.
        part: &'static str,
        /// What to do about it.
        remedy: String,
        /// The driver's own error.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The part failed a moment ago and is not tried again yet; that failure has been reported.
    #[error("still no {part}; another try follows")]
    Missing {
        /// Which part.
        part: &'static str,
    },
    /// The part works, but cannot do what the configuration asks of it.
    #[error("the {part} cannot do {wanted}; it offers {offers}")]
    Refused {
        /// Which part.
        part: &'static str,
        /// What was asked for.
        wanted: String,
        /// What is possible instead.
        offers: String,
    },
    /// The camera's exposure did not come to rest.
    #[error(
        "the camera's exposure did not settle within {frames} frames; steady the light and press again, \
         or set camera.exposure to a value"
    )]
    Unsteady {
        /// Frames that were waited for.
        frames: u32,
    },
    /// The camera delivered bytes that cannot be a whole frame.
    #[error(
        "the camera delivered a damaged frame: {reason}; press again, and check the USB cable if it repeats"
    )]
    DamagedFrame {
        /// What is wrong with the bytes.
        reason: String,
    },
    /// A simulated board was asked to play a folder that holds no images.
    #[error("{folder} holds no images; put JPEG or PNG fields there or name another folder", folder = .folder.display())]
    NoImages {
        /// The folder.
        folder: std::path::PathBuf,
    },
}

/// An error with its causes, in one line.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |cause| cause.source())
        .map(ToString::to_string)
        .fold(error.to_string(), |text, cause| {
            // Drivers like to repeat their causes.
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
    fn causes_follow_once_each() {
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
