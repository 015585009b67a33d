//! The result of a self-test.

use serde::{Serialize, Serializer};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::appliance::checks::{self, Check};

/// Parts whose checks are made again when their result changes, or whose result holds until the program restarts.
const LASTING: [&str; 4] = ["config", "model", checks::RECORDS, checks::DRIFT];

/// The result of a self-test. Serialised as `{"passed": …, "lines": […], "checks": […]}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfTest {
    /// The checks, in the order in which they were made.
    pub checks: Vec<Check>,
}

impl SelfTest {
    /// Whether all required checks passed.
    pub fn passed(&self) -> bool {
        self.checks
            .iter()
            .all(|check| check.passed || !check.is_required())
    }

    /// The checks of a part.
    pub(crate) fn of_part(&self, part: &str) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(move |check| check.part == part)
    }

    /// Adds checks of a part, in place of earlier ones.
    pub(crate) fn replace(&mut self, part: &str, checks: Vec<Check>) {
        self.checks.retain(|earlier| earlier.part != part);
        self.checks.extend(checks);
    }

    /// What still is not as it should be, although it prevents no capture: the failed checks of the parts whose results do
    /// not become obsolete while the appliance runs.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let failed = LASTING
            .iter()
            .flat_map(|part| self.of_part(part))
            .filter(|check| !check.passed);
        failed.map(|check| check.detail.clone()).collect()
    }

    /// Lines for a small screen: failures first; checks that passed without details share the last line.
    pub fn lines(&self) -> Vec<String> {
        let (passed, failed): (Vec<_>, Vec<_>) = self.checks.iter().partition(|check| check.passed);
        let (detailed, brief): (Vec<_>, Vec<_>) =
            passed.into_iter().partition(|check| check.is_detailed());
        let details = failed.into_iter().chain(detailed);
        let mut lines: Vec<String> = details.map(|check| check.detail.clone()).collect();
        if !brief.is_empty() {
            let parts: Vec<_> = brief.into_iter().map(|check| check.part).collect();
            lines.push(format!("{} ok", parts.join(", ")));
        }
        lines
    }
}

/// The result of a self-test.
#[derive(Serialize, ToSchema)]
#[schema(as = SelfTest)]
struct SelfTestJson<'a> {
    /// Whether all checks passed. Missing parts of the board do not count: they may come back, and a fault names them.
    passed: bool,
    /// Lines for a small screen: failures first; checks that passed without details share the last line.
    lines: Vec<String>,
    /// The checks, in the order in which they were made.
    checks: &'a [Check],
}

impl Serialize for SelfTest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = SelfTestJson {
            passed: self.passed(),
            lines: self.lines(),
            checks: &self.checks,
        };
        json.serialize(serializer)
    }
}

impl PartialSchema for SelfTest {
    fn schema() -> RefOr<Schema> {
        SelfTestJson::schema()
    }
}

impl ToSchema for SelfTest {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        SelfTestJson::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_come_first_and_a_missing_part_does_not_fail_the_test() {
        let mut self_test = SelfTest {
            checks: vec![
                Check::passed("storage", "/var/lib/smearscope, 4096 MiB free"),
                Check::passed("clock", "2026-07-01 12:00 UTC"),
                Check::passed("model", "smear-demo 0.2.0 verified").detailed(),
                Check::missing("board", "no camera"),
            ],
        };
        assert!(self_test.passed());
        let expected = [
            "no camera",
            "smear-demo 0.2.0 verified",
            "storage, clock ok",
        ];
        assert_eq!(self_test.lines(), expected);
        self_test
            .checks
            .push(Check::failed("model", "smear-demo 0.3.0 failed"));
        assert!(!self_test.passed());
        let json = serde_json::to_value(&self_test).unwrap();
        assert_eq!(json["passed"], false);
        assert_eq!(json["lines"][1], "smear-demo 0.3.0 failed");
        let first = serde_json::json!({
            "part": "storage",
            "passed": true,
            "detail": "/var/lib/smearscope, 4096 MiB free",
        });
        assert_eq!(json["checks"][0], first);
    }
}
