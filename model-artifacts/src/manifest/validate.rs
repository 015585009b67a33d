//! Validation of a manifest: refuses values that no model can have.

use super::schema::{Manifest, ModelKind};
use crate::validation::{FieldError, check_line, check_text};

impl ModelKind {
    fn check(&self) -> Result<(), FieldError> {
        match self {
            Self::Field(model) => model.check(),
            Self::Cells(model) => model.check(),
        }
    }
}

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
        self.model.check()?;
        self.evaluation.check()
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
