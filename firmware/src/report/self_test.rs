//! The result of a self-test over HTTP and MQTT.

use serde::Serialize;
use utoipa::ToSchema;

use crate::appliance::self_test;

/// The result of the self-test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct SelfTest {
    /// Whether all checks passed. Missing parts of the board do not count: they may come back, and a fault names them.
    passed: bool,
    /// One line for each check; failures come first.
    lines: Vec<String>,
}

impl From<&self_test::SelfTest> for SelfTest {
    fn from(self_test: &self_test::SelfTest) -> Self {
        Self {
            passed: self_test.passed(),
            lines: self_test.lines(),
        }
    }
}
