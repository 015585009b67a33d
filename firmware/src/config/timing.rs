//! `[timing]`: time limits and intervals.

use std::time::Duration;

use anyhow::Result;
use smearscope_hardware::settings::{InvalidValue, Settings};

smearscope_hardware::settings! {
    /// Time limits and intervals, in seconds.
    pub struct RawTiming in "timing" {
        /// Interval between automatic captures, for an appliance without a button; 0: capture on request only.
        interval_s: f64 = 0.0, valid(0 or 0.1..=604_800.0, "seconds");
        /// Fields after which a slide is closed automatically; 0: only on request.
        slide_fields: u32 = 0;
        /// Time limit from the press to the frame; a later frame is never analysed.
        capture_s: f64 = 10.0, valid(0.1..=600.0, "seconds");
        /// Time limit from the frame to the verdict.
        analysis_s: f64 = 20.0, valid(0.1..=600.0, "seconds");
        /// How long the result of the self-test is shown.
        selftest_s: f64 = 3.0, valid(0.1..=600.0, "seconds");
        /// How long a verdict or a fault is shown.
        hold_s: f64 = 60.0, valid(0.1..=86_400.0, "seconds");
        /// Interval at which the display is redrawn, in case it lost power.
        refresh_s: f64 = 5.0, valid(0.1..=600.0, "seconds");
    }
}

/// Validated `[timing]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Interval between automatic captures; `None`: capture on request only.
    pub interval: Option<Duration>,
    /// Fields after which a slide is closed automatically; `None`: only on request.
    pub slide_fields: Option<u32>,
    /// Time limit from the press to the frame.
    pub capture: Duration,
    /// Time limit from the frame to the verdict.
    pub analysis: Duration,
    /// How long the result of the self-test is shown.
    pub selftest: Duration,
    /// How long a verdict or a fault is shown.
    pub hold: Duration,
    /// Interval at which the display is redrawn. The display cannot report that it failed or lost power for a moment.
    pub refresh: Duration,
}

impl RawTiming {
    /// Checks every value. Without a button, automatic captures need a limit at which the slide is closed.
    pub(crate) fn validate(self, has_button: bool) -> Result<Timing> {
        self.check_ranges()?;
        if self.slide_fields == 0 && self.interval_s > 0.0 && !has_button {
            let requirement =
                "must be above 0 if timing.interval_s is set and no button can close a slide";
            return Err(InvalidValue::new("timing.slide_fields", 0, requirement).into());
        }
        let seconds = Duration::from_secs_f64;
        Ok(Timing {
            interval: (self.interval_s > 0.0).then(|| seconds(self.interval_s)),
            slide_fields: Some(self.slide_fields).filter(|fields| *fields > 0),
            capture: seconds(self.capture_s),
            analysis: seconds(self.analysis_s),
            selftest: seconds(self.selftest_s),
            hold: seconds(self.hold_s),
            refresh: seconds(self.refresh_s),
        })
    }
}
