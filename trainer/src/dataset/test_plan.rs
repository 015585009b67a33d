//! Which images test a model.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};

use super::holdout::Holdout;
use crate::arguments;

/// How a dataset is split.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct SplitPlan {
    #[command(flatten)]
    pub(crate) test: TestPlan,
    /// Approximate share of the images not used for testing that choose the epoch
    #[arg(long = "validation-share", default_value_t = 0.2, value_parser = arguments::validation_share)]
    pub(crate) validation: f64,
}

/// Which images give the figures.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TestPlan {
    /// Every image once: in this many folds, each tested by a network that was trained on the
    /// others (stratified group k-fold).
    Folds(usize),
    /// The same with one fold per group (leave-one-group-out).
    EachGroup,
    /// The images held out by name.
    Named(Holdout),
    /// The published procedure, for comparison: images are augmented first and then split at random,
    /// so that copies of validation images are trained on. Images held out by name are not augmented
    /// but may be of a patient that is trained on; without any, the validation images are tested.
    Leaky(Option<Holdout>),
}

/// The options that make a [`TestPlan`].
#[derive(Debug, Args)]
struct TestOptions {
    /// How figures are measured: with groups kept together, or as in the published procedure
    #[arg(long, value_enum, default_value_t = Procedure::Grouped)]
    protocol: Procedure,
    /// Folds of the cross-validation [default: 5]; `each` makes every group a fold
    #[arg(long, value_name = "NUMBER|each", value_parser = folds)]
    folds: Option<TestPlan>,
    /// Instead of cross-validation, test on these images and never train on them: `reference` (the
    /// 20 that the reference project took from ALL-IDB1), or a text file with one file name per line
    #[arg(long, value_name = "FILE|reference", conflicts_with = "folds")]
    holdout: Option<PathBuf>,
}

/// How the figures of a model are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Procedure {
    /// Groups are kept together; only training images are augmented, differently in each epoch
    Grouped,
    /// As published, for comparison: images are augmented first and then split at random, so that
    /// copies of validation images are trained on. The figures are leaky and are named so
    Reference,
}

impl TestOptions {
    fn plan(self) -> Result<TestPlan, clap::Error> {
        let holdout = self.holdout.map(Holdout::from);
        match (self.protocol, holdout, self.folds) {
            (Procedure::Grouped, Some(holdout), _) => Ok(TestPlan::Named(holdout)),
            (Procedure::Grouped, None, folds) => Ok(folds.unwrap_or(TestPlan::Folds(5))),
            (Procedure::Reference, holdout, None) => Ok(TestPlan::Leaky(holdout)),
            (Procedure::Reference, _, Some(_)) => Err(clap::Error::raw(
                ErrorKind::ArgumentConflict,
                "--folds requires --protocol grouped: the published procedure has one random split",
            )),
        }
    }
}

impl Args for TestPlan {
    fn augment_args(command: Command) -> Command {
        TestOptions::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        TestOptions::augment_args_for_update(command)
    }
}

impl FromArgMatches for TestPlan {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        TestOptions::from_arg_matches(matches)?.plan()
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn folds(text: &str) -> Result<TestPlan, String> {
    if text == "each" {
        return Ok(TestPlan::EachGroup);
    }
    match text.parse() {
        Ok(folds @ 2..=100) => Ok(TestPlan::Folds(folds)),
        _ => Err("must be a number from 2 to 100, or `each`".into()),
    }
}

impl TestPlan {
    /// Whether every image is tested, so that no test images remain for the final network.
    pub(crate) fn is_crossed(&self) -> bool {
        matches!(self, Self::Folds(_) | Self::EachGroup)
    }

    pub(crate) fn is_leaky(&self) -> bool {
        matches!(self, Self::Leaky(_))
    }

    /// The plan as command-line options.
    pub(crate) fn options(&self) -> String {
        match self {
            Self::Folds(folds) => format!("--folds {folds}"),
            Self::EachGroup => "--folds each".into(),
            Self::Named(holdout) => holdout.option(),
            Self::Leaky(None) => "--protocol reference".into(),
            Self::Leaky(Some(holdout)) => format!("--protocol reference {}", holdout.option()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_named_without_its_folder() {
        let plan = TestPlan::Leaky(Some(Holdout::Listed("/home/someone/held.txt".into())));
        assert_eq!(plan.options(), "--protocol reference --holdout held.txt");
    }
}
