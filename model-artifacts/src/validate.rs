//! From the text of a manifest to a [`Manifest`] whose every value is possible.

use std::collections::HashSet;
use std::path::{Component, Path};

use serde::Deserialize;

use crate::{
    ArtifactError, DecisionRule, Domain, FEATURES, FileEntry, Files, InputContract, Labels,
    Manifest, SlideRule, did_you_mean,
};

/// Longest name or label, and longest text, in bytes.
const MAX_NAME: usize = 64;
const MAX_TEXT: usize = 4096;
/// Smallest and largest side of a network's input, in pixels.
const SIDES: std::ops::RangeInclusive<u32> = 8..=2048;
/// Most golden samples; each is run whenever the model is loaded.
const MAX_GOLDEN: usize = 64;
/// Largest tolerance of a golden sample; a wider one would prove nothing.
const MAX_TOLERANCE: f32 = 0.05;

/// Most fields that a slide can need.
const MAX_FIELDS: u32 = 1000;

const CORRECT_IT: &str = "correct it, or install the model again";

impl Manifest {
    /// Parses and validates the text of a manifest; `path` is for messages.
    ///
    /// # Errors
    /// [`ArtifactError::Manifest`] naming the field and the remedy.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ArtifactError> {
        // The version comes first: another version's fields may well be others.
        let unversioned: Unversioned =
            toml::from_str(text).map_err(|error| explain(&error, text, path))?;
        let version = unversioned.format_version;
        if version.as_integer() != Some(Self::FORMAT_VERSION.into()) {
            return Err(ArtifactError::Manifest {
                path: path.into(),
                field: "format_version".into(),
                problem: format!(
                    "format version {version} is not the version {} that this program reads",
                    Self::FORMAT_VERSION
                ),
                remedy: "update smearscope, or export the model again with its own trainer".into(),
            });
        }
        let manifest: Self = toml::from_str(text).map_err(|error| explain(&error, text, path))?;
        manifest.check().map_err(|fault| fault.at(path))?;
        Ok(manifest)
    }

    /// The text of `manifest.toml`.
    ///
    /// # Errors
    /// [`ArtifactError::Manifest`] if a value is impossible.
    pub fn to_toml(&self) -> Result<String, ArtifactError> {
        let path = Path::new(Self::FILE_NAME);
        self.check().map_err(|fault| fault.at(path))?;
        toml::to_string(self)
            .map_err(|error| Fault::new("manifest", error.to_string(), CORRECT_IT).at(path))
    }

    fn check(&self) -> Result<(), Fault> {
        let is_name_byte = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if self.format_version != Self::FORMAT_VERSION {
            return Err(Fault::new(
                "format_version",
                format!("{} is not {}", self.format_version, Self::FORMAT_VERSION),
                CORRECT_IT,
            ));
        }
        check_line("name", &self.name)?;
        if !self.name.bytes().all(is_name_byte) {
            return Err(Fault::new(
                "name",
                format!("`{}` has other characters than a-z, 0-9 and -", self.name),
                CORRECT_IT,
            ));
        }
        check_line("architecture", &self.architecture)?;
        check_line("license", &self.license)?;
        check_text("trained_on", &self.trained_on)?;
        check_text("intended_use", &self.intended_use)?;
        check_text("evaluation.dataset", &self.evaluation.dataset)?;
        check_text("evaluation.protocol", &self.evaluation.protocol)?;
        for warning in &self.evaluation.warnings {
            check_text("evaluation.warnings", warning)?;
        }
        self.labels.check()?;
        self.input.faults()?;
        self.decision.check()?;
        self.slide.check()?;
        if let Some(domain) = &self.domain {
            domain.check()?;
        }
        self.check_outputs()?;
        self.check_figures()?;
        self.files.check()?;
        self.check_golden()?;
        self.check_distinct_paths()
    }

    fn check_outputs(&self) -> Result<(), Fault> {
        check_line("outputs.probability", &self.outputs.probability)?;
        if let Some(evidence) = &self.outputs.evidence {
            check_line("outputs.evidence", evidence)?;
            if *evidence == self.outputs.probability {
                return Err(Fault::new(
                    "outputs.evidence",
                    format!("`{evidence}` is the name of the probability as well"),
                    CORRECT_IT,
                ));
            }
        }
        Ok(())
    }

    fn check_figures(&self) -> Result<(), Fault> {
        let evaluation = &self.evaluation;
        for (name, figure) in &evaluation.figures {
            check_line("evaluation.figures", name)?;
            let field = format!("evaluation.figures.{name}");
            if !(0.0..=1.0).contains(figure) {
                return Err(Fault::new(
                    field,
                    format!("{figure} is not in 0 to 1"),
                    CORRECT_IT,
                ));
            }
            if evaluation.positives == 0 && evaluation.negatives == 0 {
                return Err(Fault::new(
                    field,
                    "a figure that was measured on no image",
                    "state evaluation.positives and evaluation.negatives, or leave the figure out",
                ));
            }
        }
        for (name, [low, high]) in &evaluation.intervals {
            check_line("evaluation.intervals", name)?;
            let field = format!("evaluation.intervals.{name}");
            if !evaluation.figures.contains_key(name) {
                let problem = "an interval of a figure that is not stated";
                return Err(Fault::new(field, problem, CORRECT_IT));
            }
            if !(0.0 <= *low && low <= high && *high <= 1.0) {
                let problem = format!("{low} to {high} is no interval within 0 to 1");
                return Err(Fault::new(field, problem, CORRECT_IT));
            }
        }
        Ok(())
    }

    fn check_golden(&self) -> Result<(), Fault> {
        if self.golden.is_empty() || self.golden.len() > MAX_GOLDEN {
            return Err(Fault::new(
                "golden",
                format!("{} samples are not 1 to {MAX_GOLDEN}", self.golden.len()),
                "export the model with golden samples: without one it cannot be proved",
            ));
        }
        for (index, sample) in self.golden.iter().enumerate() {
            let field = |name: &str| format!("golden[{index}].{name}");
            sample.image.check(&field("image"))?;
            check_between(
                field("probability"),
                sample.probability,
                0.0..=1.0,
                "0 to 1",
            )?;
            if !(sample.tolerance > 0.0 && sample.tolerance <= MAX_TOLERANCE) {
                return Err(Fault::new(
                    field("tolerance"),
                    format!(
                        "{} is not above 0 and up to {MAX_TOLERANCE}",
                        sample.tolerance
                    ),
                    CORRECT_IT,
                ));
            }
        }
        Ok(())
    }

    fn check_distinct_paths(&self) -> Result<(), Fault> {
        let files = &self.files;
        let mut seen = HashSet::from([Path::new(Self::FILE_NAME)]);
        let entries = [
            ("files.ir_xml", &files.ir_xml),
            ("files.ir_bin", &files.ir_bin),
            ("files.onnx", &files.onnx),
        ];
        for (field, entry) in entries {
            if let Some(entry) = entry
                && !seen.insert(&entry.path)
            {
                return Err(Fault::new(
                    format!("{field}.path"),
                    format!("{} has another part already", entry.path.display()),
                    CORRECT_IT,
                ));
            }
        }
        Ok(())
    }
}

impl Labels {
    fn check(&self) -> Result<(), Fault> {
        check_line("labels.negative", &self.negative)?;
        check_line("labels.positive", &self.positive)?;
        if self.negative == self.positive {
            return Err(Fault::new(
                "labels.positive",
                format!("`{}` is the negative label as well", self.positive),
                CORRECT_IT,
            ));
        }
        if self.positive_index > 1 {
            return Err(Fault::new(
                "labels.positive_index",
                format!("{} is not 0 or 1", self.positive_index),
                CORRECT_IT,
            ));
        }
        Ok(())
    }
}

impl InputContract {
    /// Refuses impossible values.
    pub(crate) fn check(&self) -> Result<(), ArtifactError> {
        self.faults()
            .map_err(|fault| fault.at(Path::new(Manifest::FILE_NAME)))
    }

    fn faults(&self) -> Result<(), Fault> {
        for (field, side) in [("input.width", self.width), ("input.height", self.height)] {
            if !SIDES.contains(&side) {
                return Err(Fault::new(
                    field,
                    format!("{side} is not in {} to {}", SIDES.start(), SIDES.end()),
                    CORRECT_IT,
                ));
            }
        }
        if !(self.scale > 0.0 && self.scale.is_finite()) {
            return Err(Fault::new(
                "input.scale",
                format!("{} is not a finite number above 0", self.scale),
                CORRECT_IT,
            ));
        }
        for (channel, (mean, std)) in self.mean.iter().zip(self.std).enumerate() {
            if !mean.is_finite() {
                return Err(Fault::new(
                    format!("input.mean[{channel}]"),
                    format!("{mean} is not finite"),
                    CORRECT_IT,
                ));
            }
            let extremes = [0, u8::MAX].map(|sample| self.normalise(channel, sample));
            if !(std > 0.0 && std.is_finite() && extremes.iter().all(|value| value.is_finite())) {
                return Err(Fault::new(
                    format!("input.std[{channel}]"),
                    format!("{std} is not above 0, or too small to divide by"),
                    CORRECT_IT,
                ));
            }
        }
        Ok(())
    }
}

impl DecisionRule {
    fn check(&self) -> Result<(), Fault> {
        if !(self.threshold > 0.0 && self.threshold < 1.0) {
            return Err(Fault::new(
                "decision.threshold",
                format!("{} is not strictly between 0 and 1", self.threshold),
                CORRECT_IT,
            ));
        }
        let [low, high] = self.inconclusive;
        let ordered = 0.0 <= low && low <= self.threshold && self.threshold <= high && high <= 1.0;
        if !ordered {
            return Err(Fault::new(
                "decision.inconclusive",
                format!(
                    "[{low}, {high}] does not hold the threshold {} within 0 to 1",
                    self.threshold
                ),
                CORRECT_IT,
            ));
        }
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return Err(Fault::new(
                "decision.temperature",
                format!("{} is not a finite number above 0", self.temperature),
                CORRECT_IT,
            ));
        }
        Ok(())
    }
}

impl SlideRule {
    fn check(self) -> Result<(), Fault> {
        if self.min_fields == 0 || self.min_fields > MAX_FIELDS {
            return Err(Fault::new(
                "slide.min_fields",
                format!("{} is not 1 to {MAX_FIELDS}", self.min_fields),
                CORRECT_IT,
            ));
        }
        check_between(
            "slide.correlation".into(),
            self.correlation,
            0.0..=1.0,
            "0 to 1",
        )
    }
}

impl Domain {
    fn check(&self) -> Result<(), Fault> {
        let rows = self.factor.iter().map(Vec::len);
        if !rows.eq(1..=FEATURES) {
            return Err(Fault::new(
                "domain.factor",
                format!("it is not a lower triangle of {FEATURES} rows"),
                CORRECT_IT,
            ));
        }
        let values = self.mean.iter().chain(self.factor.iter().flatten());
        if !values.chain([&self.limit]).all(|value| value.is_finite()) {
            return Err(Fault::new("domain", "a value is not finite", CORRECT_IT));
        }
        let diagonal = self.factor.iter().filter_map(|row| row.last());
        if !diagonal.chain([&self.limit]).all(|value| *value > 0.0) {
            let problem = "the limit or the diagonal of the factor is not above 0";
            return Err(Fault::new("domain", problem, CORRECT_IT));
        }
        Ok(())
    }
}

impl Files {
    fn check(&self) -> Result<(), Fault> {
        match (&self.ir_xml, &self.ir_bin, &self.onnx) {
            (Some(_), None, _) => Err(missing("files.ir_bin", "files.ir_xml needs its weights")),
            (None, Some(_), _) => Err(missing("files.ir_xml", "files.ir_bin needs its topology")),
            (None, None, None) => Err(missing("files", "there is neither an OpenVINO IR nor ONNX")),
            _ => Ok(()),
        }?;
        for (field, entry) in [
            ("files.ir_xml", &self.ir_xml),
            ("files.ir_bin", &self.ir_bin),
            ("files.onnx", &self.onnx),
        ] {
            if let Some(entry) = entry {
                entry.check(field)?;
            }
        }
        Ok(())
    }
}

fn missing(field: &str, problem: &str) -> Fault {
    Fault::new(field, problem, "export the model again")
}

impl FileEntry {
    fn check(&self, field: &str) -> Result<(), Fault> {
        let stays_inside = self
            .path
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let text = self.path.to_str().unwrap_or_default();
        let plain = !text.is_empty() && !text.contains(|c: char| c.is_control() || c == '\\');
        if !stays_inside || !plain {
            return Err(Fault::new(
                format!("{field}.path"),
                format!(
                    "`{}` is not a path inside the model folder",
                    text.escape_debug()
                ),
                "put the file into the model folder and name it relative to that",
            ));
        }
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if self.sha256.len() != 64 || !self.sha256.bytes().all(is_digit) {
            return Err(Fault::new(
                format!("{field}.sha256"),
                format!("`{}` is not 64 lower-case hexadecimal digits", self.sha256),
                CORRECT_IT,
            ));
        }
        Ok(())
    }
}

fn check_line(field: &str, line: &str) -> Result<(), Fault> {
    check_words(field, line, MAX_NAME)?;
    if line.contains('\n') {
        return Err(Fault::new(field, "it has several lines", CORRECT_IT));
    }
    Ok(())
}

fn check_text(field: &str, text: &str) -> Result<(), Fault> {
    check_words(field, text, MAX_TEXT)
}

/// Terminals obey control characters, so none may come from a file.
fn check_words(field: &str, text: &str, longest: usize) -> Result<(), Fault> {
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(Fault::new(field, "it has control characters", CORRECT_IT));
    }
    if text.trim().is_empty() {
        return Err(Fault::new(field, "it is empty", "state it"));
    }
    if text.len() > longest {
        return Err(Fault::new(
            field,
            format!("{} bytes are more than {longest}", text.len()),
            "shorten it",
        ));
    }
    Ok(())
}

fn check_between(
    field: String,
    value: f32,
    range: std::ops::RangeInclusive<f32>,
    words: &str,
) -> Result<(), Fault> {
    if range.contains(&value) {
        Ok(())
    } else {
        Err(Fault::new(
            field,
            format!("{value} is not in {words}"),
            CORRECT_IT,
        ))
    }
}

/// Reads nothing but the format version, whatever else there is.
#[derive(Deserialize)]
struct Unversioned {
    format_version: toml::Value,
}

/// What is wrong with a manifest, before it is known which file it came from.
#[derive(Debug)]
struct Fault {
    field: String,
    problem: String,
    remedy: String,
}

impl Fault {
    fn new(
        field: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    fn at(self, path: &Path) -> ArtifactError {
        ArtifactError::Manifest {
            path: path.into(),
            field: self.field,
            problem: self.problem,
            remedy: self.remedy,
        }
    }
}

/// Says where in the text the parser stopped, and what may have been meant.
fn explain(error: &toml::de::Error, text: &str, path: &Path) -> ArtifactError {
    let message = error.message();
    let (line, field) =
        error
            .span()
            .and_then(|span| text.get(..span.start))
            .map_or((1, "manifest"), |before| {
                let header = before.lines().rev().find_map(|line| {
                    line.trim()
                        .strip_prefix('[')
                        .map(|name| name.trim_matches(['[', ']']))
                });
                (
                    before.matches('\n').count() + 1,
                    header.unwrap_or("manifest"),
                )
            });
    let remedy = did_you_mean(message).map_or_else(
        || CORRECT_IT.to_owned(),
        |known| format!("did you mean `{known}`?"),
    );
    Fault::new(field, format!("line {line}: {message}"), remedy).at(path)
}
