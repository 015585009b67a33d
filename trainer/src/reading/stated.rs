//! What the user states about the input of a network.

use clap::Args;
use smearscope_artifacts::{ChannelOrder, ResizeFilter};

use super::encoding::Encoding;

/// The part of a reading that is stated on the command line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Args)]
#[command(next_help_heading = "How an image becomes the input, where it is known")]
pub(crate) struct Stated {
    /// Order of the colour channels
    #[arg(long, value_enum)]
    channels: Option<ChannelOrder>,
    /// Factor for 8-bit samples, such as 1/255; a value is (sample × scale − mean) / std
    #[arg(long, value_parser = factor, value_name = "NUMBER", requires = "channels")]
    scale: Option<f32>,
    /// Subtracted after scaling: one number, or one for each channel in the order of --channels [default: 0]
    #[arg(
        long,
        value_parser = one_or_three,
        value_name = "NUMBER[,NUMBER,NUMBER]",
        requires = "scale",
        allow_hyphen_values = true
    )]
    mean: Option<[f32; 3]>,
    /// Divides last: one number, or one for each channel in the order of --channels [default: 1]
    #[arg(
        long,
        value_parser = one_or_three,
        value_name = "NUMBER[,NUMBER,NUMBER]",
        requires = "scale"
    )]
    std: Option<[f32; 3]>,
    /// How images are shrunk to the input
    #[arg(long, value_enum)]
    resize: Option<ResizeFilter>,
}

impl Stated {
    /// The encodings that agree with what is stated; a single one if all is.
    ///
    /// # Errors
    /// A message, if a network that takes whole numbers is to get others.
    pub(crate) fn encodings(&self, of_integers: bool) -> Result<Vec<Encoding>, String> {
        if of_integers && self.scale.is_some() {
            return Err(
                "its input takes whole numbers, the 8-bit samples themselves; leave out --scale, --mean and --std"
                    .into(),
            );
        }
        if let (Some(channels), Some(scale)) = (self.channels, self.scale) {
            return Ok(vec![Encoding {
                channels,
                scale,
                mean: self.mean.unwrap_or([0.0; 3]),
                std: self.std.unwrap_or([1.0; 3]),
            }]);
        }
        let mut encodings = if of_integers {
            Encoding::whole_numbers()
        } else {
            Encoding::common()
        };
        encodings.retain(|encoding| {
            self.channels
                .is_none_or(|stated| stated == encoding.channels)
        });
        Ok(encodings)
    }

    /// The filters that agree with what is stated, that for an unmeasured reading first.
    pub(crate) fn filters(&self) -> Vec<ResizeFilter> {
        match self.resize {
            Some(stated) => vec![stated],
            None => vec![ResizeFilter::Area, ResizeFilter::Bilinear],
        }
    }
}

/// A number above 0, perhaps as a fraction.
fn factor(text: &str) -> Result<f32, String> {
    let (numerator, denominator) = text.split_once('/').unwrap_or((text, "1"));
    let number = |text: &str| text.trim().parse::<f64>().unwrap_or(f64::NAN);
    let factor = (number(numerator) / number(denominator)) as f32;
    if factor > 0.0 && factor.is_finite() {
        Ok(factor)
    } else {
        Err("must be a number above 0, such as 1/255".into())
    }
}

fn one_or_three(text: &str) -> Result<[f32; 3], String> {
    let numbers: Result<Vec<f32>, _> = text
        .split(',')
        .map(|number| number.trim().parse())
        .collect();
    match numbers.as_deref() {
        Ok(&[one]) if one.is_finite() => Ok([one; 3]),
        Ok(&[first, second, third])
            if first.is_finite() && second.is_finite() && third.is_finite() =>
        {
            Ok([first, second, third])
        }
        _ => Err("must be one number, or three separated by commas".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read() {
        assert_eq!(factor("1/255"), Ok(1.0 / 255.0));
        assert_eq!(factor("1 / 127.5"), Ok(1.0 / 127.5));
        assert_eq!(factor("0.5"), Ok(0.5));
        for wrong in ["", "0", "-1", "1/0", "x", "1/2/3", "NaN"] {
            assert!(factor(wrong).is_err(), "{wrong}");
        }
        assert_eq!(one_or_three("-1"), Ok([-1.0; 3]));
        assert_eq!(one_or_three("0.1, 0.2,0.3"), Ok([0.1, 0.2, 0.3]));
        for wrong in ["", "1,2", "1,2,3,4", "inf", "1,NaN,2"] {
            assert!(one_or_three(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_stated_leaves_fewer_encodings() {
        let count =
            |stated: &Stated, of_integers| stated.encodings(of_integers).map(|all| all.len());
        let nothing = Stated::default();
        assert_eq!(count(&nothing, false), Ok(12));
        assert_eq!(count(&nothing, true), Ok(2));
        let channels = Stated {
            channels: Some(ChannelOrder::Bgr),
            ..nothing
        };
        assert_eq!(count(&channels, false), Ok(6));
        assert_eq!(count(&channels, true), Ok(1));
        let all = Stated {
            scale: Some(1.0),
            ..channels
        };
        assert_eq!(count(&all, false), Ok(1));
        assert!(count(&all, true).unwrap_err().contains("--scale"));
    }
}
