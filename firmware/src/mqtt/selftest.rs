//! A self-test on request, while the appliance runs.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::appliance::checks;
use crate::appliance::handle::{ApplianceHandle, Status};
use crate::appliance::state::{SelfTest, State};
use crate::config::Config;

/// Runs one self-test at a time in the background. `Request` says who asked for it.
pub(crate) struct SelfTestRunner<Request> {
    config: Arc<Config>,
    handle: ApplianceHandle,
    running: Option<(Request, JoinHandle<SelfTest>)>,
}

impl<Request: Clone> SelfTestRunner<Request> {
    /// No self-test is running yet.
    pub(crate) fn new(config: Arc<Config>, handle: ApplianceHandle) -> Self {
        Self {
            config,
            handle,
            running: None,
        }
    }

    /// Starts a self-test on a thread for blocking work.
    ///
    /// # Errors
    /// If one is already running.
    pub(crate) fn start(&mut self, request: Request) -> Result<(), &'static str> {
        if self.running.is_some() {
            return Err("a self-test is running");
        }
        let config = Arc::clone(&self.config);
        let status = self.handle.status();
        let task = tokio::task::spawn_blocking(move || {
            let checks = checks::surroundings(&config);
            let status = status.borrow().clone();
            let checks = checks.iter();
            summarise(
                &status,
                checks.map(|check| (check.passed, check.detail.as_str())),
            )
        });
        self.running = Some((request, task));
        Ok(())
    }

    /// Waits for the result of the running self-test, forever if there is none. Cancel-safe.
    pub(crate) async fn result(&mut self) -> (Request, SelfTest) {
        let Some((request, task)) = &mut self.running else {
            return std::future::pending().await;
        };
        let result = task.await.unwrap_or_else(|error| SelfTest {
            passed: false,
            lines: vec![format!("the self-test crashed: {error}")],
        });
        let request = request.clone();
        self.running = None;
        (request, result)
    }
}

/// Combines fresh checks of storage and clock with what the appliance knows of model, engine and board:
/// those are in use and cannot be checked now.
fn summarise<'a>(status: &Status, checks: impl Iterator<Item = (bool, &'a str)>) -> SelfTest {
    let (mut failed, mut passed) = (Vec::new(), Vec::new());
    if let State::Fault(fault) = &*status.state {
        failed.push(fault.message.clone());
    }
    for (has_passed, detail) in checks {
        let lines = if has_passed { &mut passed } else { &mut failed };
        lines.push(detail.to_owned());
    }
    match &status.self_test {
        Some(at_start) => {
            let lines = if at_start.passed {
                &mut passed
            } else {
                &mut failed
            };
            lines.extend(at_start.lines.iter().cloned());
        }
        None => failed.push("the model is still being checked".into()),
    }
    SelfTest {
        passed: failed.is_empty(),
        lines: failed.into_iter().chain(passed).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::handle::connect;
    use crate::appliance::state::Fault;

    #[test]
    fn failures_come_first() {
        let status = connect().0.status().borrow().clone();
        let with = |state, passed| Status {
            state: Arc::new(state),
            self_test: Some(SelfTest {
                passed,
                lines: vec!["model verified".into()],
            }),
            ..status.clone()
        };
        let passed = summarise(&with(State::Ready, true), [(true, "clock set")].into_iter());
        assert!(passed.passed);
        assert_eq!(passed.lines, ["clock set", "model verified"]);
        let checks = [(true, "clock set"), (false, "disk full")];
        let failed = summarise(&with(State::Ready, true), checks.into_iter());
        assert!(!failed.passed);
        assert_eq!(failed.lines, ["disk full", "clock set", "model verified"]);
        let fault = Fault {
            message: "no camera".into(),
            is_final: false,
        };
        let failed = summarise(&with(State::Fault(fault), false), [].into_iter());
        assert_eq!(failed.lines, ["no camera", "model verified"]);
        assert!(!summarise(&status, [].into_iter()).passed);
    }
}
