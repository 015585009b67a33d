//! The command line, with one file per command.

mod augment;
mod benchmark;
mod evaluate;
mod export;
mod fit;
mod import;
mod inspect;
mod trained_on;

use clap::{Parser, Subcommand};

use crate::error::TrainError;
use crate::synth::Collection;
use augment::Augment;
use benchmark::Benchmark;
use evaluate::Evaluate;
use export::Export;
use fit::Fit;
use import::Import;
use inspect::Inspect;

/// Make models for smearscope: draw labelled fields, train, evaluate and export
#[derive(Debug, Parser)]
#[command(
    name = "smearscope-train",
    version,
    about,
    after_help = "From synthetic fields to a model that the appliance runs:\n\
        \n  smearscope-train synth --out fields --count 4000\
        \n  smearscope-train fit --data fields --out my-model\
        \n  smearscope classify --model my-model fields/positive\
        \n\n\
        Exit codes: 0 success, 2 wrong command line, 3 unusable images, 4 output cannot be written,\n\
        5 training or export failed. RAYON_NUM_THREADS limits the number of threads.\n\n\
        Research use only: a model made with this program is not a medical device."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Draw labelled synthetic smear fields, one folder per class
    Synth(Collection),
    /// Show the contents of a dataset: counts, cameras, groups, duplicates, unusable files
    Inspect(Inspect),
    /// Show how augmentation changes an image
    Augment(Augment),
    /// Train a network on a dataset and export it
    Fit(Box<Fit>),
    /// Write a finished model in another precision
    Export(Export),
    /// Make a model folder from a third party's OpenVINO IR or ONNX file
    Import(Box<Import>),
    /// Evaluate a finished model on labelled images that it was not trained on
    Evaluate(Evaluate),
    /// Measure the speed of training on this machine
    #[command(alias = "bench")]
    Benchmark(Benchmark),
}

impl Cli {
    /// Runs the chosen command.
    ///
    /// # Errors
    /// [`TrainError`] says what failed and how to fix it.
    pub(crate) fn run(self) -> Result<(), TrainError> {
        match self.command {
            Command::Synth(collection) => collection.write(),
            Command::Inspect(inspect) => inspect.run(),
            Command::Augment(augment) => augment.run(),
            Command::Fit(fit) => fit.run(),
            Command::Export(export) => export.run(),
            Command::Import(import) => import.run(),
            Command::Evaluate(evaluate) => evaluate.run(),
            Command::Benchmark(benchmark) => benchmark.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;

    fn refusal(line: &str) -> ErrorKind {
        Cli::try_parse_from(line.split(' ')).unwrap_err().kind()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_description_of_images_asks_for_the_images() {
        for rest in ["--positive all", "--dataset c-nmc"] {
            let line = format!("t export --model m --precision int8 --out o {rest}");
            let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::MissingRequiredArgument);
            assert!(error.to_string().contains("--data <PATH>"), "{error}");
        }
    }

    #[test]
    fn defaults_depend_on_the_command() {
        let import = "t import --xml x --bin b --labels healthy,leukemia --data d --out o";
        let import = format!("{:?}", Cli::parse_from(import.split(' ')));
        for part in [
            "labels: [\"healthy\", \"leukemia\"]",
            "name: None",
            "LicenseRef-unknown",
            "out: Destination { folder: \"o\"",
        ] {
            assert!(import.contains(part), "{part}: {import}");
        }
        let export = "t export --model m --precision fp16 --out o";
        let export = format!("{:?}", Cli::parse_from(export.split(' ')));
        for part in ["data: None", "out: Destination { folder: \"o\""] {
            assert!(export.contains(part), "{part}: {export}");
        }
        assert_eq!(refusal("t fit --out o"), ErrorKind::MissingRequiredArgument);
    }

    #[test]
    fn fields_or_cells_are_inspected() {
        let parsed = |line: &str| Cli::try_parse_from(line.split(' ')).map(drop);
        assert!(parsed("t inspect --data d --positive a --json").is_ok());
        assert!(parsed("t inspect --datasets d.toml --seed 3 --sheet s.png").is_ok());
        for (line, kind) in [
            ("t inspect", ErrorKind::MissingRequiredArgument),
            ("t inspect --data d --seed 3", ErrorKind::ArgumentConflict),
            (
                "t inspect --data d --datasets d.toml",
                ErrorKind::ArgumentConflict,
            ),
            (
                "t inspect --datasets d.toml --test-share 0",
                ErrorKind::ValueValidation,
            ),
        ] {
            assert_eq!(refusal(line), kind, "{line}");
        }
    }

    #[test]
    fn a_training_is_of_fields_or_of_cells() {
        let parsed = |line: &str| Cli::try_parse_from(line.split(' '));
        let cells = |line: &str| match parsed(line).unwrap().command {
            Command::Fit(fit) => matches!(*fit, Fit::Cells(_)),
            other => panic!("{other:?}"),
        };
        assert!(!cells("t fit --data d --out o --folds 3"));
        assert!(!cells("t fit --kind field --data d --out o"));
        assert!(cells(
            "t fit --kind cells --datasets d.toml --out o --min-cells 100"
        ));
        assert!(cells(
            "t fit --datasets d.toml --out o --only cell --base m --epochs 4"
        ));
        for (line, kind, message) in [
            (
                "t fit --kind cells --data d --out o",
                ErrorKind::ArgumentConflict,
                "--datasets",
            ),
            (
                "t fit --kind field --datasets d --out o",
                ErrorKind::ArgumentConflict,
                "--data",
            ),
            (
                "t fit --datasets d --out o --network compact",
                ErrorKind::ArgumentConflict,
                "--network means nothing for models that count cells",
            ),
            (
                "t fit --data d --out o --min-cells 50",
                ErrorKind::ArgumentConflict,
                "--min-cells means nothing for models of whole fields",
            ),
            (
                "t fit --datasets d --out o --only finder",
                ErrorKind::MissingRequiredArgument,
                "--base",
            ),
            (
                "t fit --datasets d --data d --out o",
                ErrorKind::ArgumentConflict,
                "--datasets",
            ),
            (
                "t fit --datasets d --out o --blast-share 0",
                ErrorKind::ValueValidation,
                "above 0 and below 1",
            ),
        ] {
            let error = parsed(line).unwrap_err();
            assert_eq!(error.kind(), kind, "{line}");
            assert!(error.to_string().contains(message), "{line}: {error}");
        }
    }

    #[test]
    fn fields_or_cells_are_evaluated() {
        let parsed = |line: &str| Cli::try_parse_from(line.split(' ')).map(drop);
        assert!(parsed("t evaluate --model m --data d --positive a --json").is_ok());
        assert!(parsed("t evaluate --model m --datasets d.toml --part test --seed 3").is_ok());
        for (line, kind) in [
            ("t evaluate --model m", ErrorKind::MissingRequiredArgument),
            (
                "t evaluate --model m --data d --part test",
                ErrorKind::ArgumentConflict,
            ),
            (
                "t evaluate --model m --data d --datasets d.toml",
                ErrorKind::ArgumentConflict,
            ),
            (
                "t evaluate --model m --datasets d.toml --part train",
                ErrorKind::InvalidValue,
            ),
        ] {
            assert_eq!(refusal(line), kind, "{line}");
        }
    }

    #[test]
    fn the_old_name_of_benchmark_is_accepted() {
        let cli = Cli::parse_from("t bench --json --data d".split(' '));
        assert!(matches!(cli.command, Command::Benchmark(_)));
    }

    #[test]
    fn impossible_values_are_refused() {
        for share in ["-0.1", "1.5", "NaN", "half"] {
            let line = format!("t synth --out o --positive-share={share}");
            assert_eq!(refusal(&line), ErrorKind::ValueValidation);
        }
        for option in [
            "--folds=1",
            "--epochs=0",
            "--epochs=1001",
            "--learning-rate=2",
        ] {
            let line = format!("t fit --data d --out o {option}");
            assert_eq!(refusal(&line), ErrorKind::ValueValidation);
        }
    }

    #[test]
    fn conflicting_options_are_refused() {
        for options in [
            "--folds 3 --holdout reference",
            "--folds 3 --protocol reference",
        ] {
            let line = format!("t fit --data d --out o {options}");
            assert_eq!(refusal(&line), ErrorKind::ArgumentConflict);
        }
    }
}
