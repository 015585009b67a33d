//! Detects when a camera's automatic exposure has settled.

/// Number of consecutive frames that must have the same brightness.
const STABLE_FRAMES: usize = 4;
/// Largest difference between their mean lumas, of 255: more than noise, less than is visible.
const TOLERANCE: f32 = 1.5;

/// Monitors the mean luma of consecutive frames.
#[derive(Debug)]
pub(super) struct ExposureMonitor {
    last: [f32; STABLE_FRAMES],
    seen: usize,
    limit: usize,
}

/// State of the exposure after a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exposure {
    /// Not settled yet.
    Changing,
    /// The brightness changes no more: the next frame can be used.
    Settled,
    /// Not settled within the allowed frames.
    TimedOut,
}

impl ExposureMonitor {
    /// Allows up to `limit` frames for the exposure to settle.
    pub(super) fn new(limit: u32) -> Self {
        Self {
            last: [0.0; STABLE_FRAMES],
            seen: 0,
            limit: limit as usize,
        }
    }

    /// Adds the mean luma of the next frame, 0.0 to 255.0.
    pub(super) fn frame(&mut self, mean_luma: f32) -> Exposure {
        self.last[self.seen % STABLE_FRAMES] = mean_luma;
        self.seen += 1;
        let darkest = self.last.iter().copied().fold(f32::INFINITY, f32::min);
        let brightest = self.last.iter().copied().fold(0.0, f32::max);
        if self.seen >= STABLE_FRAMES && brightest - darkest <= TOLERANCE {
            Exposure::Settled
        } else if self.seen >= self.limit {
            Exposure::TimedOut
        } else {
            Exposure::Changing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Number of frames until the monitor ends, and its result.
    fn end(limit: u32, lumas: impl IntoIterator<Item = f32>) -> (usize, Exposure) {
        let mut monitor = ExposureMonitor::new(limit);
        (1..)
            .zip(lumas)
            .map(|(frame, luma)| (frame, monitor.frame(luma)))
            .find(|(_, exposure)| *exposure != Exposure::Changing)
            .unwrap()
    }

    #[test]
    fn four_similar_frames_are_settled() {
        assert_eq!(end(30, [90.0; 10]), (4, Exposure::Settled));
        let noisy = [90.0, 91.0, 90.2, 91.4, 90.0];
        assert_eq!(end(30, noisy), (4, Exposure::Settled));
    }

    #[test]
    fn a_ramp_is_settled_when_it_ends() {
        let ramp = (0..).map(|frame: u16| f32::from(frame.min(9)) * 10.0);
        assert_eq!(end(30, ramp), (13, Exposure::Settled));
        let slow = (0..60_u16).map(|frame| f32::from(frame) * 0.6);
        assert_eq!(
            end(30, slow),
            (30, Exposure::TimedOut),
            "a slow change is a change"
        );
    }

    #[test]
    fn a_flickering_lamp_ends_at_the_limit() {
        let flicker = [60.0, 120.0].into_iter().cycle();
        assert_eq!(end(12, flicker), (12, Exposure::TimedOut));
        assert_eq!(
            end(0, [60.0]),
            (1, Exposure::TimedOut),
            "at least one frame"
        );
    }
}
