//! A self-test on request, while the appliance runs.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::appliance::checks::{self, Check};
use crate::appliance::handle::{ApplianceHandle, Status};
use crate::appliance::self_test::SelfTest;
use crate::appliance::state::State;
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
            combine(&status, checks)
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
            checks: vec![Check::failed(
                "self-test",
                format!("the self-test crashed: {error}"),
            )],
        });
        let request = request.clone();
        self.running = None;
        (request, result)
    }
}

/// Combines fresh checks of storage and clock with the current fault and the self-test at the start: model,
/// engine and board are in use and cannot be checked now. If the start passed, its lines follow the others, even that of
/// a part that was missing then: the current fault names a part that is missing now.
fn combine(status: &Status, fresh: Vec<Check>) -> SelfTest {
    let mut checks = Vec::new();
    if let State::Fault(fault) = &*status.state {
        checks.push(Check::failed("fault", fault.message.clone()));
    }
    checks.extend(fresh.into_iter().map(Check::detailed));
    match &status.self_test {
        Some(at_start) if at_start.passed() => {
            let checks_at_start = at_start.checks.iter().map(|check| {
                if check.passed {
                    check.clone()
                } else {
                    Check::passed(check.part, check.detail.clone()).detailed()
                }
            });
            checks.extend(checks_at_start);
        }
        Some(at_start) => checks.extend(at_start.checks.iter().cloned()),
        None => checks.push(Check::failed("model", "the model is still being checked")),
    }
    SelfTest { checks }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::handle::connect;
    use crate::appliance::state::Fault;

    #[test]
    fn failures_come_first() {
        let status = connect().0.status().borrow().clone();
        let with = |state, model: Check| Status {
            state: Arc::new(state),
            self_test: Some(SelfTest {
                checks: vec![model],
            }),
            ..status.clone()
        };
        let verified = || Check::passed("model", "model verified").detailed();
        let clock = || Check::passed("clock", "clock set");
        let passed = combine(&with(State::Ready, verified()), vec![clock()]);
        assert!(passed.passed());
        assert_eq!(passed.lines(), ["clock set", "model verified"]);
        let status_with_missing = Status {
            self_test: Some(SelfTest {
                checks: vec![Check::missing("board", "no display"), verified()],
            }),
            ..with(State::Ready, verified())
        };
        let passed = combine(&status_with_missing, vec![clock()]);
        assert!(passed.passed());
        assert_eq!(
            passed.lines(),
            ["clock set", "no display", "model verified"]
        );
        let checks = vec![clock(), Check::failed("storage", "disk full")];
        let failed = combine(&with(State::Ready, verified()), checks);
        assert!(!failed.passed());
        assert_eq!(failed.lines(), ["disk full", "clock set", "model verified"]);
        let fault = Fault {
            message: "no camera".into(),
            is_final: false,
        };
        let rollback = Check::failed("model", "smear-demo 0.3.0 failed");
        let failed = combine(&with(State::Fault(fault), rollback), Vec::new());
        assert_eq!(failed.lines(), ["no camera", "smear-demo 0.3.0 failed"]);
        assert!(!combine(&status, Vec::new()).passed());
    }
}
