//! What exposure and white balance have settled to, read from the program's metadata.

use std::collections::VecDeque;

use super::program::Splitter;

/// Frames whose values must agree: the automatic control changes them over several frames.
pub(super) const STABLE_FRAMES: u32 = 5;
/// Largest ratio between two of them.
const TOLERANCE: f64 = 1.02;
/// Far more than a line of metadata.
const MAX_LINE: usize = 64 << 10;

/// Exposure and white balance of a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FrameSettings {
    /// Exposure time in µs.
    pub(super) exposure_us: f64,
    /// Gain, analogue times digital.
    pub(super) gain: f64,
    /// Gains of red and blue relative to green.
    pub(super) colour_gains: [f64; 2],
}

impl FrameSettings {
    /// Whether `other` is the same for the eye.
    fn is_near(&self, other: &Self) -> bool {
        let is_near = |a: f64, b: f64| a <= b * TOLERANCE && b <= a * TOLERANCE;
        let [red, blue] = self.colour_gains;
        let [other_red, other_blue] = other.colour_gains;
        // Automatic control trades exposure time for gain.
        is_near(self.exposure_us * self.gain, other.exposure_us * other.gain)
            && is_near(red, other_red)
            && is_near(blue, other_blue)
    }
}

/// Whether the values of consecutive frames agree.
#[derive(Debug, Default)]
pub(super) struct Settling(VecDeque<FrameSettings>);

impl Settling {
    /// Adds the next frame; true if its values and those of the frames before it agree.
    pub(super) fn frame(&mut self, settings: FrameSettings) -> bool {
        let stable = STABLE_FRAMES as usize;
        if self.0.len() == stable {
            self.0.pop_front();
        }
        self.0.push_back(settings);
        self.0.len() == stable && self.0.iter().all(|earlier| earlier.is_near(&settings))
    }
}

/// Reads the metadata of frames: an object per frame, a line per value, such as `"ExposureTime": 29984,`.
#[derive(Debug, Default)]
pub(super) struct MetadataSplitter {
    line: Vec<u8>,
    exposure_us: Option<f64>,
    analogue_gain: Option<f64>,
    digital_gain: Option<f64>,
    colour_gains: Option<[f64; 2]>,
}

impl Splitter for MetadataSplitter {
    type Item = FrameSettings;

    fn push(&mut self, bytes: &[u8], found: &mut Vec<FrameSettings>) {
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    self.read(&String::from_utf8_lossy(&line));
                }
                // The end of an object is known before that of its line, which comes with the next frame.
                b'}' => found.extend(self.end_of_frame()),
                _ if self.line.len() < MAX_LINE => self.line.push(*byte),
                _ => {}
            }
        }
    }
}

impl MetadataSplitter {
    /// Reads a line. Of values that are no numbers, such as `nan`, nothing is kept.
    fn read(&mut self, line: &str) {
        let Some((key, value)) = line.trim().trim_end_matches(',').split_once(':') else {
            return;
        };
        let value = value.trim();
        match key.trim().trim_matches('"') {
            "ExposureTime" => self.exposure_us = positive(value),
            "AnalogueGain" => self.analogue_gain = positive(value),
            "DigitalGain" => self.digital_gain = positive(value),
            "ColourGains" => {
                let gains = value.trim_matches(['[', ']']).split_once(',');
                self.colour_gains = gains
                    .and_then(|(red, blue)| Some([positive(red.trim())?, positive(blue.trim())?]));
            }
            _ => {}
        }
    }

    fn end_of_frame(&mut self) -> Option<FrameSettings> {
        let frame = std::mem::take(self);
        Some(FrameSettings {
            exposure_us: frame.exposure_us?,
            gain: frame.analogue_gain? * frame.digital_gain.unwrap_or(1.0),
            colour_gains: frame.colour_gains?,
        })
    }
}

fn positive(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    (number.is_finite() && number > 0.0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As rpicam-vid 1.5 writes it.
    const METADATA: &str = r#"[
{
    "ExposureTime": 29984,
    "AnalogueGain": 2.000000,
    "Lux": nan,
    "DigitalGain": 1.500000,
    "ColourGains": [ 1.965870, 1.733057 ],
    "ScalerCrop": "(0, 0)/4056x3040"
},
{
    "ExposureTime": 15000,
    "AnalogueGain": 1.000000,
    "ColourGains": [ 2.000000, 1.500000 ]
},
{
    "ExposureTime": 0,
    "AnalogueGain": 1.000000,
    "ColourGains": [ 2.000000, 1.500000 ]
}
"#;

    #[test]
    fn the_metadata_of_each_frame_is_read() {
        for piece in [1, 10, METADATA.len()] {
            let (mut splitter, mut found) = (MetadataSplitter::default(), Vec::new());
            for bytes in METADATA.as_bytes().chunks(piece) {
                splitter.push(bytes, &mut found);
            }
            let expected = [
                FrameSettings {
                    exposure_us: 29984.0,
                    gain: 3.0,
                    colour_gains: [1.965_870, 1.733_057],
                },
                FrameSettings {
                    exposure_us: 15000.0,
                    gain: 1.0,
                    colour_gains: [2.0, 1.5],
                },
            ];
            assert_eq!(found, expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn values_have_settled_when_they_change_no_more() {
        let frame = |exposure_us, red| FrameSettings {
            exposure_us,
            gain: 1.0,
            colour_gains: [red, 1.5],
        };
        let mut settling = Settling::default();
        let ramp = (1..=9).map(|step| frame(f64::from(step) * 1000.0, 2.0));
        assert!(!ramp.fold(false, |_, frame| settling.frame(frame)));
        let stable: Vec<bool> = (0..5).map(|_| settling.frame(frame(9100.0, 2.0))).collect();
        assert_eq!(stable, [false, false, false, true, true]);
        assert!(!settling.frame(frame(9100.0, 2.1)), "the colour changed");
        let mut traded = frame(9100.0, 2.1);
        for _ in 0..4 {
            settling.frame(traded);
        }
        traded.exposure_us /= 2.0;
        traded.gain *= 2.0;
        assert!(settling.frame(traded), "the brightness is the same");
    }

    #[test]
    fn an_endless_line_does_not_fill_the_memory() {
        let (mut splitter, mut found) = (MetadataSplitter::default(), Vec::new());
        for _ in 0..100 {
            splitter.push(&[b'x'; 4096], &mut found);
        }
        assert_eq!(splitter.line.len(), MAX_LINE);
    }
}
