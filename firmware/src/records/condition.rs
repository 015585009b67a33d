//! What is known to be wrong with the records: rows that were lost, and the result of the last verification that was
//! recorded.

use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::records::error::{CHECK_DISK, RecordsError};
use crate::records::layout::VERIFIED;
use crate::records::loss::Loss;
use crate::records::verify::Verified;
use crate::system::files::{PRIVATE, replace};
use crate::system::time::utc;

/// Damages that are recorded in words.
const MAX_DAMAGES: usize = 5;

/// The recorded result of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct VerificationResult {
    /// When the verification ended (RFC 3339, UTC).
    #[schema(format = DateTime)]
    pub(crate) verified_at: String,
    /// Number of unchanged rows.
    pub(crate) rows: u64,
    /// Number of unchanged image files.
    pub(crate) images: u64,
    /// Number of image files without a row.
    pub(crate) orphans: u64,
    /// Number of damages that were found.
    pub(crate) damaged: u64,
    /// The first of them.
    pub(crate) first_damages: Vec<String>,
}

/// The condition of the records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RecordsCondition)]
pub(crate) struct Condition {
    /// Rows that were lost, until `records.loss` is moved out of the state folder.
    pub(crate) losses: Vec<Loss>,
    /// The result of the last `smearscope records verify --record-result`; null before the first.
    #[schema(required)]
    pub(crate) verification: Option<VerificationResult>,
}

impl Condition {
    /// The condition of the records in a state folder, from two small files there. A file that cannot be read counts as
    /// absent and is logged.
    pub(crate) fn of(folder: &Path) -> Self {
        fn logged<T: Default>(result: Result<T, RecordsError>) -> T {
            result.unwrap_or_else(|error| {
                log::warn!("{:#}", anyhow::Error::from(error));
                T::default()
            })
        }
        Self {
            losses: logged(Loss::known(folder)),
            verification: logged(VerificationResult::read(folder)),
        }
    }

    /// What is wrong, in words; empty if nothing is.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let losses = self.losses.iter().map(|loss| loss.problem.clone());
        let damages = self
            .verification
            .iter()
            .filter_map(VerificationResult::warning);
        losses.chain(damages).collect()
    }
}

impl VerificationResult {
    fn read(folder: &Path) -> Result<Option<Self>, RecordsError> {
        let path = folder.join(VERIFIED);
        match fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(RecordsError::file(&path, "read", CHECK_DISK)(error)),
        }
    }

    fn warning(&self) -> Option<String> {
        let first = self.first_damages.first()?;
        let date = self.verified_at.get(..10).unwrap_or_default();
        let others = match self.damaged {
            0 | 1 => String::new(),
            damaged => format!(", and {} more", damaged - 1),
        };
        Some(format!(
            "damaged records on {date}: {first}{others}; `smearscope records verify` lists all"
        ))
    }
}

impl Verified {
    /// Records the result in the state folder, for the API, the metrics and the screen.
    ///
    /// # Errors
    /// [`RecordsError::File`]
    pub(crate) fn record(&self, folder: &Path) -> Result<(), RecordsError> {
        let damages = self.damages.iter().map(|damage| damage.problem.clone());
        let result = VerificationResult {
            verified_at: utc(Timestamp::now()),
            rows: self.rows.unsigned_abs(),
            images: self.images,
            orphans: self.orphans.len() as u64,
            damaged: self.damages.len() as u64,
            first_damages: damages.take(MAX_DAMAGES).collect(),
        };
        let path = folder.join(VERIFIED);
        // Plain data always serializes.
        let json = serde_json::to_vec(&result).unwrap_or_default();
        replace(&path, &json, PRIVATE).map_err(RecordsError::file(&path, "written", CHECK_DISK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::layout::LOSS;
    use crate::records::testing::Records;

    #[test]
    fn a_recorded_result_is_found_again() {
        let (records, _) = Records::of_days(2);
        assert_eq!(Condition::of(records.path()), Condition::default());
        records.verified().record(records.path()).unwrap();
        let condition = Condition::of(records.path());
        let result = condition.verification.clone().unwrap();
        assert_eq!((result.rows, result.images, result.damaged), (3, 4, 0));
        assert_eq!(condition.warnings(), Vec::<String>::new());

        records.tamper("UPDATE fields SET body = replace(body, 'T12', 'T13')");
        let verified = records.archive().verify(None, &mut |_, _| ()).unwrap();
        verified.record(records.path()).unwrap();
        let condition = Condition::of(records.path());
        assert_eq!(condition.verification.as_ref().unwrap().damaged, 2);
        let warnings = condition.warnings();
        assert!(
            warnings[0].contains("row 2 (field) has changed since it was written, and 1 more;"),
            "{warnings:?}"
        );

        fs::write(records.path().join(LOSS), "unreadable\n").unwrap();
        let warnings = Condition::of(records.path()).warnings();
        assert!(warnings[0].contains("rows were lost"), "{warnings:?}");
    }
}
