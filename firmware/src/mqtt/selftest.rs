//! A self-test that somebody asks for while the appliance is at work.

use std::sync::Arc;

use serde::Serialize;
use tokio::task::JoinHandle;

use crate::appliance::checks;
use crate::appliance::handle::{ApplianceHandle, Status};
use crate::appliance::state::{SelfTest, State};
use crate::config::Config;

/// What is known of the appliance now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Condition {
    /// Whether all is as it must be.
    pub(crate) passed: bool,
    /// A line each; what is wrong comes first.
    pub(crate) lines: Vec<String>,
}

/// Checks storage and clock anew, on a thread of its own, and joins what the appliance found out of model,
/// engine and board: those are at work and cannot be checked beside it.
pub(crate) fn begin(config: &Arc<Config>, handle: &ApplianceHandle) -> JoinHandle<Condition> {
    let config = Arc::clone(config);
    let status = handle.status();
    tokio::task::spawn_blocking(move || {
        let checks = checks::surroundings(&config);
        let status = status.borrow().clone();
        condition(
            &status,
            checks
                .iter()
                .map(|check| (check.passed, check.detail.as_str())),
        )
    })
}

fn condition<'a>(status: &Status, checks: impl Iterator<Item = (bool, &'a str)>) -> Condition {
    let (mut wrong, mut right) = (Vec::new(), Vec::new());
    if let State::Fault(fault) = &*status.state {
        wrong.push(fault.message.clone());
    }
    for (passed, detail) in checks {
        if passed {
            right.push(detail.to_owned());
        } else {
            wrong.push(detail.to_owned());
        }
    }
    match &status.self_test {
        Some(SelfTest {
            passed: true,
            lines,
        }) => right.extend(lines.iter().cloned()),
        Some(SelfTest {
            passed: false,
            lines,
        }) => wrong.extend(lines.iter().cloned()),
        None => wrong.push("the model is still being checked".into()),
    }
    Condition {
        passed: wrong.is_empty(),
        lines: wrong.into_iter().chain(right).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::handle::connect;
    use crate::appliance::state::Fault;

    #[test]
    fn what_is_wrong_comes_first() {
        let status = connect().0.status().borrow().clone();
        let found = |state, passed| Status {
            state: Arc::new(state),
            self_test: Some(SelfTest {
                passed,
                lines: vec!["model right".into()],
            }),
            ..status.clone()
        };
        let right = condition(
            &found(State::Ready, true),
            [(true, "clock set")].into_iter(),
        );
        assert!(right.passed);
        assert_eq!(right.lines, ["clock set", "model right"]);
        let checks = [(true, "clock set"), (false, "disk full")];
        let wrong = condition(&found(State::Ready, true), checks.into_iter());
        assert!(!wrong.passed);
        assert_eq!(wrong.lines, ["disk full", "clock set", "model right"]);
        let fault = Fault {
            message: "no camera".into(),
            is_final: false,
        };
        let wrong = condition(&found(State::Fault(fault), false), [].into_iter());
        assert_eq!(wrong.lines, ["no camera", "model right"]);
        assert!(!condition(&status, [].into_iter()).passed);
    }
}
