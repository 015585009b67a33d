//! Liveness and readiness.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::appliance::handle::ApplianceHandle;
use crate::appliance::state;
use crate::http::problem::Problem;
use crate::http::problem_responses::Unavailable;

/// The answer of a health check that passed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// The answer of a readiness check that passed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ready {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
    /// What is not as it should be, although it prevents no capture: lost or damaged records, a refused configuration, a
    /// model that failed.
    warnings: Vec<String>,
}

const OK: Json<Health> = Json(Health { status: "ok" });

/// Liveness: the program runs and the server answers.
#[utoipa::path(get, path = "/v1/health/live", tag = "health", responses(
    (status = 200, description = "The program runs.", body = Health),
))]
pub(crate) async fn live() -> Json<Health> {
    OK
}

/// Readiness: the model passed its checks, and no fault prevents captures or saving them.
#[utoipa::path(get, path = "/v1/health/ready", tag = "health", responses(
    (status = 200, description = "The appliance is ready; perhaps with warnings.", body = Ready),
    Unavailable,
))]
pub(crate) async fn ready(State(handle): State<ApplianceHandle>) -> Result<Json<Ready>, Problem> {
    let status = handle.status().borrow().clone();
    let reason = match &*status.state {
        state::State::Fault(fault) => fault.message.clone(),
        state::State::Starting => "the model is being checked; wait".into(),
        state::State::Off(after) => after.sentence().into(),
        _ => match status.not_saved.clone() {
            Some(reason) => reason,
            None => {
                return Ok(Json(Ready {
                    status: "ok",
                    warnings: status.warnings(),
                }));
            }
        },
    };
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, reason).retry_after(5))
}
