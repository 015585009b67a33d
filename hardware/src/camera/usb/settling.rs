//! When a camera's automatic exposure has come to rest.

/// Frames in a row that must be alike.
const ALIKE: usize = 4;
/// How much the mean lumas of these may differ, of 255: more than noise, less than an eye sees.
const TOLERANCE: f32 = 1.5;

/// Watches the mean luma of consecutive frames.
#[derive(Debug)]
pub(super) struct Settling {
    last: [f32; ALIKE],
    seen: usize,
    limit: usize,
}

/// What is known after a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exposure {
    /// More frames are needed.
    Moving,
    /// It has come to rest.
    Settled,
    /// It has not, within the frames that it was given.
    Restless,
}

impl Settling {
    /// Gives the exposure up to `limit` frames to come to rest.
    pub(super) fn within(limit: u32) -> Self {
        Self {
            last: [0.0; ALIKE],
            seen: 0,
            limit: limit as usize,
        }
    }

    /// Takes the mean luma of the next frame, 0.0 to 255.0.
    pub(super) fn frame(&mut self, mean_luma: f32) -> Exposure {
        self.last[self.seen % ALIKE] = mean_luma;
        self.seen += 1;
        let darkest = self.last.iter().copied().fold(f32::INFINITY, f32::min);
        let brightest = self.last.iter().copied().fold(0.0, f32::max);
        if self.seen >= ALIKE && brightest - darkest <= TOLERANCE {
            Exposure::Settled
        } else if self.seen >= self.limit {
            Exposure::Restless
        } else {
            Exposure::Moving
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many of these frames it ends, and how.
    fn end(limit: u32, lumas: impl IntoIterator<Item = f32>) -> (usize, Exposure) {
        let mut settling = Settling::within(limit);
        (1..)
            .zip(lumas)
            .map(|(frame, luma)| (frame, settling.frame(luma)))
            .find(|(_, exposure)| *exposure != Exposure::Moving)
            .unwrap()
    }

    #[test]
    fn four_frames_alike_are_settled() {
        assert_eq!(end(30, [90.0; 10]), (4, Exposure::Settled));
        let noisy = [90.0, 91.0, 90.2, 91.4, 90.0];
        assert_eq!(end(30, noisy), (4, Exposure::Settled));
    }

    #[test]
    fn a_ramp_is_settled_when_it_ends() {
        let ramp = (0..).map(|frame: u16| f32::from(frame.min(9)) * 10.0);
        assert_eq!(end(30, ramp), (13, Exposure::Settled));
        let slow = (0..60_u16).map(|frame| f32::from(frame) * 0.6);
        assert_eq!(end(30, slow), (30, Exposure::Restless), "slow is not still");
    }

    #[test]
    fn a_flickering_lamp_ends_at_the_limit() {
        let flicker = [60.0, 120.0].into_iter().cycle();
        assert_eq!(end(12, flicker), (12, Exposure::Restless));
        assert_eq!(
            end(0, [60.0]),
            (1, Exposure::Restless),
            "at least one frame"
        );
    }
}
