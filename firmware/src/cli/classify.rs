//! `smearscope classify`: classifies image files and folders.

use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use log::LevelFilter;
use serde::Serialize;
use smearscope_artifacts::{AnyModel, Verdict, all_idb_label};

use crate::analysis::analyst::Analyst;
use crate::analysis::identity::notice;
use crate::cli::args::{ModelArgs, StateArgs, scale};
use crate::cli::exit::{Exit, Failure};
use crate::cli::folder_answer::FolderAnswer;
use crate::cli::image_files::{ImageFiles, Omitted};
use crate::cli::judge::{Judge, JudgeError};
use crate::cli::local_judge::{LocalJudge, SlidePer, Wanted};
use crate::cli::picture_folder::PictureFolder;
use crate::cli::plural::counted;
use crate::cli::remote::Remote;
use crate::models::Models;
use crate::report::answer::Said;
use crate::system::logging;
use crate::system::sanitize::printable;

/// Classify image files and folders.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: smearscope classify --json slides/ | jq .verdict\n\n\
    With --json, each line is an object. An image has path, verdict, reason, hint, quality, engine, device, model, demo, \
    elapsed_ms and stages_ms, its parts; probability, threshold, inconclusive_band, calibrated and strongest are of a model for whole fields, and count, \
    count_rule, scale and cells of a model that counts cells; what is of the other kind is null or empty. A slide has slide, \
    verdict, reason, hint, probability, count, seen_again, fields, refused, model and demo; an \
    image or folder that could not be analysed has path and error; a file that is passed over has path and passed_over, with \
    the reason; the last line has the key `summary`. Images that are named ImNNN_0 (healthy) or ImNNN_1 (ALL), as in ALL-IDB, are counted as true and \
    false positives and negatives."
)]
pub(crate) struct ClassifyArgs {
    /// Images, or folders to search for them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print JSON, one object per line.
    #[arg(long)]
    json: bool,
    /// Save each image in this folder: with the evidence for ALL (vermilion) and against it (blue) as NAME-evidence.png, or with its
    /// cells marked as NAME-cells.png, blasts vermilion, other leukocytes blue, and grey what does not count.
    #[arg(long, value_name = "DIR")]
    overlays: Option<PathBuf>,
    /// Size of a pixel of the images in µm, for models that count cells [default: red cells are the ruler, if the model can
    /// measure by them].
    #[arg(long, value_name = "UM", value_parser = scale)]
    um_per_pixel: Option<f32>,
    /// Judge the images of each folder together, too, as one slide: cells are counted once where fields overlap.
    #[arg(long, value_enum, value_name = "UNIT")]
    slide_per: Option<SlidePer>,
    /// Save a picture of each cell in this folder, as NAME-NUMBER-CLASS.png.
    #[arg(long, value_name = "DIR")]
    crops: Option<PathBuf>,
    /// Let the appliance at this address classify the images, with its own model. The environment variable `SMEARSCOPE_TOKEN` holds the token.
    #[arg(long, value_name = "URL", conflicts_with_all = ["overlays", "model", "engine", "slide_per", "crops"])]
    url: Option<String>,
    /// Certificate of that appliance in PEM, from its `smearscope tls export` [default: the certificates that the system trusts].
    #[arg(long, value_name = "FILE", requires = "url")]
    certificate: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    state: StateArgs,
}

impl ClassifyArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        if let Some(url) = &self.url {
            logging::start_for_command(LevelFilter::Info);
            let mut remote = Remote::new(url, self.um_per_pixel, self.certificate.as_deref())?;
            return Ok(classify(&mut remote, &self.paths, self.json)?);
        }
        let raw = self.state.apply(self.model.read()?);
        let config = raw.validate().map_err(Failure::configuration)?;
        logging::start_for_command(config.log);
        // Before the model is loaded and images are classified, which takes long.
        let overlays = self.picture_folder("--overlays", self.overlays.as_deref())?;
        let crops = self.picture_folder("--crops", self.crops.as_deref())?;
        config.engine.set_stick_library_path();
        let model = Models::new(&config)
            .load_current()
            .map_err(anyhow::Error::from)?;
        for fallback in &model.engine().fallbacks {
            log::warn!("{fallback}");
        }
        if let AnyModel::Field(_) = model {
            self.refuse_options_for_cells()?;
        }
        let wanted = Wanted {
            um_per_pixel: self.um_per_pixel,
            slide_per: self.slide_per,
            overlays,
            crops,
        };
        let mut judge = LocalJudge::new(Analyst::new(model, config.limits), wanted);
        Ok(classify(&mut judge, &self.paths, self.json)?)
    }

    fn picture_folder<'a>(
        &self,
        option: &str,
        folder: Option<&'a Path>,
    ) -> Result<Option<PictureFolder<'a>>> {
        folder
            .map(|folder| PictureFolder::create(option, folder, &self.paths))
            .transpose()
    }

    /// Refuses options that a model for whole fields has no use for.
    fn refuse_options_for_cells(&self) -> Result<()> {
        let given = [
            ("--um-per-pixel", self.um_per_pixel.is_some()),
            ("--crops", self.crops.is_some()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((option, _)) => bail!(
                "{option} is for models that count cells, and this one judges whole fields; leave it out, or name such a model with \
                 --model"
            ),
            None => Ok(()),
        }
    }
}

/// The result of an image as JSON.
#[derive(Serialize)]
struct Line<'a, A: Serialize> {
    /// With invalid UTF-8 replaced.
    path: Cow<'a, str>,
    #[serde(flatten)]
    answer: &'a A,
}

/// An image or folder that could not be analysed, as JSON.
#[derive(Serialize)]
struct ErrorLine<'a> {
    path: Cow<'a, str>,
    error: String,
}

/// A file that is passed over, as JSON.
#[derive(Serialize)]
struct OmittedLine<'a> {
    path: Cow<'a, str>,
    passed_over: &'static str,
}

/// How many images have which result.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Summary {
    positive: usize,
    negative: usize,
    inconclusive: usize,
    errors: usize,
    /// Files that are not classified.
    passed_over: usize,
    /// Verdicts on slides.
    #[serde(skip_serializing_if = "Option::is_none")]
    slides: Option<Verdicts>,
    /// Verdicts compared with the labels in the file names.
    #[serde(skip_serializing_if = "Labelled::is_empty")]
    labelled: Labelled,
}

/// How many slides have which verdict.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
struct Verdicts {
    positive: usize,
    negative: usize,
    inconclusive: usize,
}

impl Verdicts {
    fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Positive => self.positive += 1,
            Verdict::Negative => self.negative += 1,
            Verdict::Inconclusive => self.inconclusive += 1,
        }
    }
}

/// Images with a label in their file name.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Labelled {
    #[serde(rename = "TP")]
    true_positive: usize,
    #[serde(rename = "FP")]
    false_positive: usize,
    #[serde(rename = "TN")]
    true_negative: usize,
    #[serde(rename = "FN")]
    false_negative: usize,
    inconclusive: usize,
}

impl Labelled {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Summary {
    /// Whether no image was classified.
    fn is_without_verdict(&self) -> bool {
        self.positive + self.negative + self.inconclusive == 0
    }

    fn count(&mut self, path: &Path, verdict: Verdict) {
        let labelled = &mut self.labelled;
        let (all, positive, negative) = match verdict {
            Verdict::Positive => (
                &mut self.positive,
                &mut labelled.true_positive,
                &mut labelled.false_positive,
            ),
            Verdict::Negative => (
                &mut self.negative,
                &mut labelled.false_negative,
                &mut labelled.true_negative,
            ),
            Verdict::Inconclusive => {
                self.inconclusive += 1;
                labelled.inconclusive += usize::from(all_idb_label(path).is_some());
                return;
            }
        };
        *all += 1;
        match all_idb_label(path) {
            Some(true) => *positive += 1,
            Some(false) => *negative += 1,
            None => {}
        }
    }
}

/// Classifies images one after the other. An image that fails does not stop the rest. If no image can be classified any
/// more, each of the rest is an error.
fn classify<J: Judge>(judge: &mut J, paths: &[PathBuf], json: bool) -> Result<Exit> {
    let ImageFiles {
        images,
        omitted,
        unsearchable,
    } = ImageFiles::find(paths);
    let bar = progress(images.len());
    let mut printer = Printer { bar: &bar, json };
    let mut summary = Summary::default();
    let fail = |printer: &mut Printer<'_>, summary: &mut Summary, path: &Path, error| {
        summary.errors += 1;
        printer.failure(path, error)
    };
    for file in &omitted {
        printer.omitted(file)?;
    }
    summary.passed_over = omitted.len();
    for (path, error) in unsearchable {
        fail(&mut printer, &mut summary, &path, error)?;
    }
    let mut given_up = None;
    for image in &images {
        if let Some(error) = &given_up {
            fail(
                &mut printer,
                &mut summary,
                image,
                format!("not classified: {error}"),
            )?;
            continue;
        }
        let mut failures = Vec::new();
        match judge.judge(image, &mut failures) {
            Ok(answer) => {
                let said = J::said(&answer);
                summary.count(image, said.verdict);
                printer.image(image, &said, &answer)?;
            }
            Err(JudgeError::Image(error)) => failures.push(error),
            Err(JudgeError::All(error)) if summary.is_without_verdict() => {
                bar.finish_and_clear();
                return Err(error);
            }
            Err(JudgeError::All(error)) => {
                let error = format!("{error:#}");
                failures.push(error.clone());
                given_up = Some(error);
            }
        }
        for error in failures {
            fail(&mut printer, &mut summary, image, error)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    for slide in judge.slides() {
        let verdicts = summary.slides.get_or_insert_default();
        verdicts.count(slide.verdict());
        printer.slide(&slide)?;
    }
    printer.summary(&judge.by(), judge.is_demo(), &summary)?;
    Ok(if summary.errors == 0 {
        Exit::Success
    } else {
        Exit::Failure
    })
}

/// A progress bar, which indicatif draws on terminals only.
fn progress(count: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} images, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(count as u64).with_style(style)
}

struct Printer<'a> {
    bar: &'a ProgressBar,
    json: bool,
}

impl Printer<'_> {
    fn image(&mut self, path: &Path, said: &Said<'_>, answer: &impl Serialize) -> Result<()> {
        if self.json {
            return self.object(&Line {
                path: path.to_string_lossy(),
                answer,
            });
        }
        self.said(said, &path.to_string_lossy())
    }

    fn slide(&mut self, slide: &FolderAnswer) -> Result<()> {
        if self.json {
            return self.object(slide);
        }
        self.said(&slide.said(), &format!("slide {}", slide.folder()))
    }

    fn said(&mut self, said: &Said<'_>, about: &str) -> Result<()> {
        let hint = said.hint.unwrap_or_default();
        let reason = said
            .reason
            .map_or_else(String::new, |reason| format!("  ({reason}: {hint})"));
        let (word, result) = (said.verdict.as_str(), &said.result);
        self.line(&printable(&format!(
            "{word:12}  {result:9}  {about}{reason}"
        )))
    }

    fn failure(&mut self, path: &Path, error: String) -> Result<()> {
        // Some errors name the file already.
        let path = path.to_string_lossy();
        let error = if error.contains(&*path) {
            error
        } else {
            format!("{path}: {error}")
        };
        if self.json {
            return self.object(&ErrorLine { path, error });
        }
        let line = format!("{:12}             {error}", "error");
        self.line(&printable(&line))
    }

    fn omitted(&mut self, file: &Omitted) -> Result<()> {
        let path = file.path.to_string_lossy();
        let reason = file.reason.as_str();
        if self.json {
            return self.object(&OmittedLine {
                path,
                passed_over: reason,
            });
        }
        self.line(&printable(&format!(
            "{:12}             {path}: {reason}",
            "passed over"
        )))
    }

    fn summary(&mut self, by: &str, is_demo: bool, summary: &Summary) -> Result<()> {
        if self.json {
            return self.object(&serde_json::json!({ "summary": summary }));
        }
        self.line(&format!(
            "{} positive, {} negative, {} inconclusive, {}, {} passed over; {by}",
            summary.positive,
            summary.negative,
            summary.inconclusive,
            counted(summary.errors, "error"),
            summary.passed_over,
        ))?;
        if let Some(slides) = summary.slides {
            self.line(&format!(
                "slides: {} positive, {} negative, {} inconclusive",
                slides.positive, slides.negative, slides.inconclusive
            ))?;
        }
        let labelled = &summary.labelled;
        if !labelled.is_empty() {
            self.line(&format!(
                "labelled images: TP {}, FP {}, TN {}, FN {}, inconclusive {}",
                labelled.true_positive,
                labelled.false_positive,
                labelled.true_negative,
                labelled.false_negative,
                labelled.inconclusive,
            ))?;
        }
        self.line(notice(is_demo))
    }

    fn object(&mut self, object: &impl Serialize) -> Result<()> {
        self.line(&serde_json::to_string(object)?)
    }

    fn line(&mut self, text: &str) -> Result<()> {
        self.bar
            .suspend(|| writeln!(std::io::stdout(), "{text}"))
            .map_err(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_counted_against_labels() {
        let mut summary = Summary::default();
        let undecided = Verdict::Inconclusive;
        for (name, verdict) in [
            ("Im001_1.jpg", Verdict::Positive),
            ("Im002_0.jpg", Verdict::Positive),
            ("Im003_0.jpg", Verdict::Negative),
            ("Im004_1.jpg", Verdict::Negative),
            ("Im005_1.jpg", Verdict::Negative),
            ("Im006_1.jpg", undecided),
            ("capture_1.jpg", Verdict::Positive),
            ("capture_2.jpg", undecided),
        ] {
            summary.count(Path::new(name), verdict);
        }
        let expected = Summary {
            positive: 3,
            negative: 3,
            inconclusive: 2,
            errors: 0,
            passed_over: 0,
            slides: None,
            labelled: Labelled {
                true_positive: 1,
                false_positive: 1,
                true_negative: 1,
                false_negative: 2,
                inconclusive: 1,
            },
        };
        assert_eq!(summary, expected);
    }
}
