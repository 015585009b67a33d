//! Checks that are made again while the appliance runs: what a verification of the records found meanwhile.

use std::path::PathBuf;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::appliance::checks::{self, Check, RECORDS, RECORDS_TITLE};
use crate::appliance::handle::{ApplianceHandle, Status};

/// Time between two checks, which read two small files.
const PERIOD: Duration = Duration::from_mins(1);

/// Checks the records in a state folder until the task is aborted.
pub(crate) async fn renew_records_checks(handle: ApplianceHandle, state: PathBuf) {
    loop {
        sleep(PERIOD).await;
        let state = state.clone();
        let Ok(found) = spawn_blocking(move || checks::records(&state)).await else {
            return;
        };
        let is_new = is_new(&handle.status().borrow(), &found);
        if is_new {
            for check in &found {
                log::error!("{}", check.detail);
            }
            handle.renew_checks(RECORDS, RECORDS_TITLE, found);
        }
    }
}

/// Whether the self-test is finished and has other results.
fn is_new(status: &Status, found: &[Check]) -> bool {
    let self_test = status.self_test.as_ref();
    self_test.is_some_and(|self_test| self_test.of_part(RECORDS).ne(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::handle::connect;
    use crate::appliance::self_test::SelfTest;

    #[test]
    fn results_are_new_if_they_differ_from_those_of_the_self_test() {
        let (handle, link) = connect();
        let damage = || vec![Check::failed(RECORDS, "damaged").noticed(RECORDS_TITLE)];
        let is_new = |found: &[Check]| is_new(&handle.status().borrow(), found);
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
