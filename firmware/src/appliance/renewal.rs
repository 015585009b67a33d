//! Checks that are made again while the appliance runs: of the records, and of what drifts.

use std::path::PathBuf;
use std::time::Duration;

use log::Level;
use smearscope_hardware::with_causes;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::appliance::checks::{self, Check, DRIFT, DRIFT_TITLE, RECORDS, RECORDS_TITLE};
use crate::appliance::handle::{ApplianceHandle, Status};
use crate::drift::DriftWatch;

/// Time between two checks of the records, which read two small files: what a verification found is told at once.
const RECORDS_PERIOD: Duration = Duration::from_mins(1);
/// Time between two checks of what drifts, which takes days.
const DRIFT_PERIOD: Duration = Duration::from_hours(1);

/// Checks the records in a state folder until the task is aborted.
pub(crate) async fn renew_records_checks(handle: ApplianceHandle, state: PathBuf) {
    let renewal = Renewal {
        part: RECORDS,
        title: RECORDS_TITLE,
        level: Level::Error,
        period: RECORDS_PERIOD,
    };
    renewal
        .run(handle, move || Some(checks::records(&state)))
        .await;
}

/// Checks what drifts until the task is aborted.
pub(crate) async fn renew_drift_checks(handle: ApplianceHandle, watch: DriftWatch) {
    let renewal = Renewal {
        part: DRIFT,
        title: DRIFT_TITLE,
        level: Level::Warn,
        period: DRIFT_PERIOD,
    };
    let find = move || match watch.report() {
        Ok(report) => Some(checks::drift(&report)),
        Err(error) => {
            log::warn!("drift is not watched: {}", with_causes(&error));
            None
        }
    };
    renewal.run(handle, find).await;
}

/// How the checks of a part are made again.
struct Renewal {
    part: &'static str,
    title: &'static str,
    /// With which failed checks are logged.
    level: Level,
    period: Duration,
}

impl Renewal {
    /// Makes the checks once the self-test is finished, and again after each period. `find` may wait for a disk, and returns
    /// `None` if nothing is known.
    async fn run(
        self,
        handle: ApplianceHandle,
        find: impl Fn() -> Option<Vec<Check>> + Clone + Send + 'static,
    ) {
        let mut status = handle.status();
        let is_tested = status.wait_for(|status| status.self_test.is_some());
        // The guard that it returns would block the appliance.
        if is_tested.await.map(drop).is_err() {
            return;
        }
        loop {
            let Ok(found) = spawn_blocking(find.clone()).await else {
                return;
            };
            if let Some(found) = found {
                self.tell(&handle, found);
            }
            sleep(self.period).await;
        }
    }

    /// Tells the appliance what was found, if that is new.
    fn tell(&self, handle: &ApplianceHandle, found: Vec<Check>) {
        if !self.is_new(&handle.status().borrow(), &found) {
            return;
        }
        for check in &found {
            log::log!(self.level, "{}", check.detail);
        }
        handle.renew_checks(self.part, self.title, found);
    }

    /// Whether the self-test has other results.
    fn is_new(&self, status: &Status, found: &[Check]) -> bool {
        let self_test = status.self_test.as_ref();
        self_test.is_some_and(|self_test| self_test.of_part(self.part).ne(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::handle::connect;
    use crate::appliance::self_test::SelfTest;

    #[test]
    fn results_are_new_if_they_differ_from_those_of_the_self_test() {
        let (handle, link) = connect();
        let renewal = Renewal {
            part: RECORDS,
            title: RECORDS_TITLE,
            level: Level::Error,
            period: RECORDS_PERIOD,
        };
        let damage = || vec![Check::failed(RECORDS, "damaged").noticed(RECORDS_TITLE)];
        let is_new = |found: &[Check]| renewal.is_new(&handle.status().borrow(), found);
        assert!(!is_new(&damage()), "the start makes its own checks");
        let finish = |checks| {
            link.status
                .send_modify(|status| status.self_test = Some(SelfTest { checks }));
        };
        finish(vec![Check::passed("clock", "noon")]);
        assert!(!is_new(&[]));
        assert!(is_new(&damage()));
        finish(damage());
        assert!(!is_new(&damage()));
        assert!(is_new(&[]));
    }
}
