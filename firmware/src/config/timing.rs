//! `[timing]`: how long things may take.

use std::time::Duration;

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// From one picture to the next without anybody pressing, for a box without a button.
    pub interval: Option<Duration>,
    /// Fields after which a slide is closed without anybody asking.
    pub slide_fields: Option<u32>,
    /// From the press to the frame.
    pub capture: Duration,
    /// From the frame to the verdict.
    pub analysis: Duration,
    /// How long the findings of the self-test are shown.
    pub selftest: Duration,
    /// How long a verdict or a fault is shown.
    pub hold: Duration,
    /// After which the same picture is sent again: the display may have failed, or have lost its
    /// power for a moment, which nothing tells.
    pub refresh: Duration,
}
