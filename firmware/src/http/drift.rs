//! What drifts: light, focus, stain and refused fields.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use smearscope_hardware::with_causes;

use crate::appliance::checks::{self, DRIFT, DRIFT_TITLE};
use crate::appliance::handle::ApplianceHandle;
use crate::drift::{DriftReport, DriftWatch};
use crate::http::blocking::blocking;
use crate::http::camera::unavailable;
use crate::http::problem::Problem;
use crate::http::problem_responses::{NotFound, Unavailable};
use crate::records::RecordsError;

/// Charts of light, focus, stain and refused fields of each day, against the weeks before.
#[utoipa::path(get, path = "/v1/drift", tag = "device", responses(
    (status = 200, description = "The charts.", body = DriftReport),
    NotFound, Unavailable,
))]
pub(crate) async fn drift(
    State(handle): State<ApplianceHandle>,
) -> Result<Json<DriftReport>, Problem> {
    report(&handle, DriftWatch::report).await
}

/// Starts the watch anew, for example after a new lamp: what was recorded up to now is forgotten by it.
#[utoipa::path(post, path = "/v1/drift/restart", tag = "device", responses(
    (status = 200, description = "The charts, empty.", body = DriftReport),
    NotFound, Unavailable,
))]
pub(crate) async fn restart(
    State(handle): State<ApplianceHandle>,
) -> Result<Json<DriftReport>, Problem> {
    let report = report(&handle, DriftWatch::restart).await?;
    handle.renew_checks(DRIFT, DRIFT_TITLE, checks::drift(&report));
    Ok(report)
}

async fn report(
    handle: &ApplianceHandle,
    ask: impl FnOnce(&DriftWatch) -> Result<DriftReport, RecordsError> + Send + 'static,
) -> Result<Json<DriftReport>, Problem> {
    let watch = handle.drift().cloned().ok_or_else(|| {
        let detail =
            "nothing is watched because no records are kept; set storage.state to a folder";
        Problem::new(StatusCode::NOT_FOUND, detail)
    })?;
    let report = blocking(move || ask(&watch)).await?;
    let report = report.map_err(|error| unavailable(with_causes(&error)))?;
    Ok(Json(report))
}
