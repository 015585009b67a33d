//! Validation of a manifest: refuses values that no model can have.

use std::collections::HashSet;
use std::path::{Component, Path};

use super::schema::{Evaluation, FileEntry, Files, GoldenSample, Labels, Manifest, Outputs};
use crate::validation::{FieldError, check_between, check_line, check_text};

/// Largest number of golden samples. Each one is run whenever the model is loaded.
const MAX_GOLDEN: usize = 64;
/// Largest tolerance of a golden sample; a wider one would accept a wrong network.
const MAX_TOLERANCE: f32 = 0.05;

impl Manifest {
    /// Refuses the first field with an invalid value.
    pub(super) fn check(&self) -> Result<(), FieldError> {
        if self.format_version != Self::FORMAT_VERSION {
            let (expected, actual) = (Self::FORMAT_VERSION, self.format_version);
            return Err(FieldError::invalid(
                "format_version",
                format!("must be {expected}, it is {actual}"),
            ));
        }
        self.check_name()?;
        check_line("architecture", &self.architecture)?;
        check_line("license", &self.license)?;
        check_text("trained_on", &self.trained_on)?;
        check_text("intended_use", &self.intended_use)?;
        self.labels.check()?;
        self.input.check()?;
        self.outputs.check()?;
        self.decision.check()?;
        self.slide.check()?;
        if let Some(domain) = &self.domain {
            domain.check()?;
        }
        self.evaluation.check()?;
        self.files.check()?;
        if self.golden.is_empty() || self.golden.len() > MAX_GOLDEN {
            return Err(FieldError::new(
                "golden",
                format!(
                    "must have 1 to {MAX_GOLDEN} samples, it has {}",
                    self.golden.len()
                ),
                "export the model again with golden samples, which verify it",
            ));
        }
        for (index, sample) in self.golden.iter().enumerate() {
            sample.check(index)?;
        }
        Ok(())
    }

    fn check_name(&self) -> Result<(), FieldError> {
        check_line("name", &self.name)?;
        let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if !self.name.bytes().all(is_allowed) {
            return Err(FieldError::invalid(
                "name",
                format!(
                    "must consist of a-z, 0-9 and -, it is `{}`",
                    self.name.escape_debug()
                ),
            ));
        }
        Ok(())
    }
}

impl Labels {
    fn check(&self) -> Result<(), FieldError> {
        check_line("labels.negative", &self.negative)?;
        check_line("labels.positive", &self.positive)?;
        if self.negative == self.positive {
            return Err(FieldError::invalid(
                "labels.positive",
                format!(
                    "must differ from labels.negative, both are `{}`",
                    self.positive
                ),
            ));
        }
        check_between("labels.positive_index", self.positive_index, 0..=1)
    }
}

impl Outputs {
    fn check(&self) -> Result<(), FieldError> {
        check_line("outputs.probability", &self.probability)?;
        let Some(evidence) = &self.evidence else {
            return Ok(());
        };
        check_line("outputs.evidence", evidence)?;
        if *evidence == self.probability {
            return Err(FieldError::invalid(
                "outputs.evidence",
                format!("must differ from outputs.probability, both are `{evidence}`"),
            ));
        }
        Ok(())
    }
}

impl Evaluation {
    fn check(&self) -> Result<(), FieldError> {
        check_text("evaluation.dataset", &self.dataset)?;
        check_text("evaluation.protocol", &self.protocol)?;
        for warning in &self.warnings {
            check_text("evaluation.warnings", warning)?;
        }
        for (name, figure) in &self.figures {
            check_line("evaluation.figures", name)?;
            let field = format!("evaluation.figures.{name}");
            check_between(&field, *figure, 0.0..=1.0)?;
            if self.positives == 0 && self.negatives == 0 {
                return Err(FieldError::new(
                    field,
                    "was measured on no images",
                    "set evaluation.positives and evaluation.negatives, or remove the figure",
                ));
            }
        }
        for (name, [low, high]) in &self.intervals {
            check_line("evaluation.intervals", name)?;
            let field = format!("evaluation.intervals.{name}");
            if !self.figures.contains_key(name) {
                let problem = format!("has no figure evaluation.figures.{name}");
                return Err(FieldError::invalid(field, problem));
            }
            if !(0.0 <= *low && low <= high && *high <= 1.0) {
                let problem = format!("must be an interval within 0 to 1, it is {low} to {high}");
                return Err(FieldError::invalid(field, problem));
            }
        }
        Ok(())
    }
}

impl Files {
    fn check(&self) -> Result<(), FieldError> {
        let missing = |field: &str, problem: &str| {
            Err(FieldError::new(field, problem, "export the model again"))
        };
        match (&self.ir_xml, &self.ir_bin, &self.onnx) {
            (Some(_), None, _) => {
                return missing("files.ir_bin", "is missing, files.ir_xml needs it");
            }
            (None, Some(_), _) => {
                return missing("files.ir_xml", "is missing, files.ir_bin needs it");
            }
            (None, None, None) => {
                return missing("files", "must name an OpenVINO IR or an ONNX file");
            }
            _ => {}
        }
        let mut seen = HashSet::from([Path::new(Manifest::FILE_NAME)]);
        for (field, entry) in [
            ("files.ir_xml", &self.ir_xml),
            ("files.ir_bin", &self.ir_bin),
            ("files.onnx", &self.onnx),
        ] {
            let Some(entry) = entry else { continue };
            entry.check(field)?;
            if !seen.insert(&entry.path) {
                return Err(FieldError::invalid(
                    format!("{field}.path"),
                    format!(
                        "must differ from the other files, {} is used twice",
                        entry.path.display()
                    ),
                ));
            }
        }
        Ok(())
    }
}

impl FileEntry {
    fn check(&self, field: &str) -> Result<(), FieldError> {
        let stays_inside = self
            .path
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let text = self.path.to_str().unwrap_or_default();
        let is_plain = !text.is_empty() && !text.contains(|c: char| c.is_control() || c == '\\');
        if !stays_inside || !is_plain {
            return Err(FieldError::new(
                format!("{field}.path"),
                format!(
                    "must be a relative path inside the model folder, it is `{}`",
                    text.escape_debug()
                ),
                "move the file into the model folder and give its path relative to that folder",
            ));
        }
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if self.sha256.len() != 64 || !self.sha256.bytes().all(is_digit) {
            return Err(FieldError::invalid(
                format!("{field}.sha256"),
                format!(
                    "must be 64 lower-case hexadecimal digits, it is `{}`",
                    self.sha256.escape_debug()
                ),
            ));
        }
        Ok(())
    }
}

impl GoldenSample {
    fn check(&self, index: usize) -> Result<(), FieldError> {
        let field = |name: &str| format!("golden[{index}].{name}");
        self.image.check(&field("image"))?;
        check_between(field("probability"), self.probability, 0.0..=1.0)?;
        if !(self.tolerance > 0.0 && self.tolerance <= MAX_TOLERANCE) {
            return Err(FieldError::invalid(
                field("tolerance"),
                format!(
                    "must be above 0 and at most {MAX_TOLERANCE}, it is {}",
                    self.tolerance
                ),
            ));
        }
        Ok(())
    }
}
