//! Parsing and spelling of command-line values.

use std::borrow::Cow;

use clap::ValueEnum;

/// A value as it is written on the command line.
pub(crate) fn spelled(value: &impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

/// A value as a shell reads it back.
pub(crate) fn quoted(value: &str) -> Cow<'_, str> {
    // Fails only for a NUL, which no argument can have.
    shlex::try_quote(value).unwrap_or(Cow::Borrowed(value))
}

fn number(text: &str, is_valid: impl Fn(f64) -> bool, range: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if is_valid(number) => Ok(number),
        _ => Err(format!("must be a number {range}")),
    }
}

/// A share of images, 0 to 1.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    number(text, |share| (0.0..=1.0).contains(&share), "from 0 to 1")
}

/// The share of the images that are used for validation.
pub(crate) fn validation_share(text: &str) -> Result<f64, String> {
    number(
        text,
        |share| share > 0.0 && share <= 0.4,
        "above 0 and up to 0.4",
    )
}

/// The share of blasts that decides about a slide.
pub(crate) fn blast_share(text: &str) -> Result<f64, String> {
    number(
        text,
        |share| share > 0.0 && share < 1.0,
        "above 0 and below 1",
    )
}

/// A sensitivity or accuracy to be reached.
pub(crate) fn target(text: &str) -> Result<f64, String> {
    number(text, |share| (0.5..=1.0).contains(&share), "from 0.5 to 1")
}

pub(crate) fn learning_rate(text: &str) -> Result<f64, String> {
    number(
        text,
        |rate| rate > 0.0 && rate <= 1.0,
        "above 0 and up to 1",
    )
}

/// The weight of a part of a loss.
pub(crate) fn weight(text: &str) -> Result<f64, String> {
    number(text, |it| (0.0..=100.0).contains(&it), "from 0 to 100")
}

/// Side of a crop around a cell in µm.
pub(crate) fn crop_um(text: &str) -> Result<f32, String> {
    number(text, |side| (12.0..=64.0).contains(&side), "from 12 to 64").map(|side| side as f32)
}

/// Width and height of a network's input in pixels.
pub(crate) fn size(text: &str) -> Result<(u32, u32), String> {
    let side = |text: &str| text.parse().ok().filter(|side| *side > 0);
    text.split_once('x')
        .and_then(|(width, height)| Some((side(width)?, side(height)?)))
        .ok_or_else(|| "must be a width and a height, such as 224x224".into())
}
