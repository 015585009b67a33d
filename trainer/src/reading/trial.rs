//! Trials of readings on labelled images, and which of them is right.

use std::fmt;

use smearscope_artifacts::InputContract;

use crate::arguments;
use crate::metrics::{self, ClassWeights, Scored};

/// AUROC that the best reading must reach; less may be chance.
const MIN_AUROC: f64 = 0.8;
/// Largest chance of as clear a lead of one reading over another if both were equally good.
const MAX_CHANCE: f64 = 0.05;

/// The network's results with one reading.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) contract: InputContract,
    pub(crate) scored: Vec<Scored>,
    /// Images on the right side of a probability of one half.
    right: usize,
    auroc: f64,
    log_loss: f64,
}

impl Trial {
    pub(crate) fn new(contract: InputContract, scored: Vec<Scored>) -> Self {
        let margins: Vec<(f32, bool)> = scored.iter().map(|s| (s.margin, s.positive)).collect();
        Self {
            contract,
            right: scored.iter().filter(|scored| is_right(scored)).count(),
            auroc: metrics::auroc(&margins).unwrap_or(0.0),
            log_loss: metrics::log_loss(&scored, ClassWeights::EVEN),
            scored,
        }
    }

    /// Whether this reading is right on more images than another, by more than chance. Images on which both are
    /// right, or both wrong, say nothing.
    fn is_better_than(&self, other: &Self) -> bool {
        let pairs = || self.scored.iter().zip(&other.scored);
        let wins = pairs().filter(|(this, that)| is_right(this) && !is_right(that));
        let losses = pairs().filter(|(this, that)| !is_right(this) && is_right(that));
        chance(wins.count(), losses.count()) <= MAX_CHANCE
    }
}

fn is_right(scored: &Scored) -> bool {
    (scored.margin > 0.0) == scored.positive
}

/// The chance of at least so many heads (wins) in throws of a fair coin: the one-sided sign test.
fn chance(wins: usize, losses: usize) -> f64 {
    let throws = wins + losses;
    // Logarithms, since the chance of each outcome of many throws is too small for a number.
    let mut logarithm = -(throws as f64) * std::f64::consts::LN_2;
    let mut sum = 0.0;
    for heads in 0..=throws {
        if heads >= wins {
            sum += logarithm.exp();
        }
        logarithm += ((throws - heads) as f64 / (heads + 1) as f64).ln();
    }
    sum
}

/// The trials of all readings, best first. Of two that differ in the resize filter alone, only the better
/// one is kept: the filter moves probabilities little.
#[derive(Debug)]
pub(crate) struct Trials(Vec<Trial>);

impl Trials {
    pub(crate) fn new(mut trials: Vec<Trial>) -> Self {
        trials.sort_by(|a, b| {
            b.right
                .cmp(&a.right)
                .then(a.log_loss.total_cmp(&b.log_loss))
        });
        let mut best: Vec<Trial> = Vec::new();
        for trial in trials {
            let resize = trial.contract.resize;
            let is_known = best.iter().any(|better| {
                let contract = better.contract.clone();
                InputContract { resize, ..contract } == trial.contract
            });
            if !is_known {
                best.push(trial);
            }
        }
        Self(best)
    }

    /// The right reading.
    ///
    /// # Errors
    /// A message, if none separates the classes, or if several are about as good.
    pub(crate) fn right(&self) -> Result<&Trial, String> {
        let [best, others @ ..] = &self.0[..] else {
            return Err("no reading was tried".into());
        };
        if best.auroc < MIN_AUROC {
            return Err(format!(
                "no reading of its input separates the classes of --data; check the order of --labels and the \
                 images, or state another reading by the options in the table:\n\n{self}"
            ));
        }
        let rivals = others.iter().filter(|other| !best.is_better_than(other));
        match rivals.count() {
            0 => Ok(best),
            count => Err(format!(
                "the images of --data do not show how an image becomes its input: {count} more readings are right \
                 on about as many as the best one (sign test, {:.0} %). Give more images, or look up the reading in \
                 the code that trained the network, and state it by the options in the table:\n\n{self}",
                MAX_CHANCE * 100.0
            )),
        }
    }
}

impl fmt::Display for Trials {
    /// A table in Markdown, whose heads are the options that state a reading.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| --channels | --scale | --mean | --std | --resize | right | AUROC | log loss |\n\
             |---|---|---|---|---|---|---|---|"
        )?;
        for trial in &self.0 {
            let InputContract {
                channels,
                scale,
                mean,
                std,
                resize,
                ..
            } = &trial.contract;
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} of {} | {:.4} | {:.4} |",
                arguments::spelled(channels),
                Fraction(*scale),
                Triple(mean),
                Triple(std),
                arguments::spelled(resize),
                trial.right,
                trial.scored.len(),
                trial.auroc,
                trial.log_loss
            )?;
        }
        Ok(())
    }
}

/// A factor as `--scale` takes it.
struct Fraction(f32);

#[expect(clippy::float_cmp, reason = "the fraction must give the very factor")]
impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 255 and 127.5 are multiples of a half.
        let divisor = (2.0 / self.0).round() / 2.0;
        if divisor > 1.0 && 1.0 / divisor == self.0 {
            write!(f, "1/{divisor}")
        } else {
            write!(f, "{}", self.0)
        }
    }
}

/// Three numbers as `--mean` takes them.
struct Triple<'a>(&'a [f32; 3]);

#[expect(
    clippy::float_cmp,
    reason = "only the very same numbers are written once"
)]
impl fmt::Display for Triple<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0;
        write!(f, "{first}")?;
        if rest.iter().any(|number| number != first) {
            for number in rest {
                write!(f, ",{number}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use smearscope_artifacts::{ChannelOrder, Colour, Layout, ResizeFilter};

    use super::*;

    /// A trial of 20 images, of which the first are judged wrongly.
    fn trial(channels: ChannelOrder, resize: ResizeFilter, wrong: usize) -> Trial {
        let scored = (0..20).map(|index| {
            let positive = index % 2 == 0;
            Scored {
                margin: if positive == (index >= wrong) {
                    2.0
                } else {
                    -2.0
                },
                positive,
                group: index,
            }
        });
        let contract = InputContract {
            width: 8,
            height: 8,
            channels,
            layout: Layout::Nchw,
            resize,
            colour: Colour::Rgb,
            scale: 1.0 / 127.5,
            mean: [0.5, 0.25, 0.125],
            std: [1.0; 3],
        };
        Trial::new(contract, scored.collect())
    }

    #[test]
    fn the_sign_test_is_that_of_a_coin() {
        // Tails of the binomial distribution.
        for (wins, losses, expected) in [
            (0, 0, 1.0),
            (1, 0, 0.5),
            (5, 0, 1.0 / 32.0),
            (3, 1, 5.0 / 16.0),
            (0, 5, 1.0),
        ] {
            let found = chance(wins, losses);
            assert!((found - expected).abs() < 1e-12, "{wins} {losses} {found}");
        }
        assert!(chance(3000, 1000) < 1e-9);
        assert!((chance(2000, 2000) - 0.5).abs() < 0.01);
    }

    #[test]
    fn a_reading_must_lead_by_more_than_chance() {
        use ChannelOrder::{Bgr, Rgb};
        use ResizeFilter::{Area, Bilinear};
        let clear = Trials::new(vec![
            trial(Rgb, Area, 6),
            trial(Bgr, Area, 1),
            trial(Bgr, Bilinear, 2),
        ]);
        assert_eq!(clear.0.len(), 2);
        let right = clear.right().unwrap();
        assert_eq!(
            (right.contract.channels, right.contract.resize),
            (Bgr, Area)
        );

        let close = Trials::new(vec![trial(Rgb, Area, 4), trial(Bgr, Area, 0)]);
        let message = close.right().unwrap_err();
        assert!(message.contains("1 more readings"), "{message}");
        let row = "| bgr | 1/127.5 | 0.5,0.25,0.125 | 1 | area | 20 of 20 | 1.0000 |";
        assert!(message.contains(row), "{message}");

        let none = Trials::new(vec![trial(Rgb, Area, 12)]);
        assert!(none.right().unwrap_err().contains("no reading"));
    }
}
