//! Whether the appliance lives, and whether it can be used.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::appliance::state;
use crate::http::Context;
use crate::http::problem::{Details, Problem};

/// Whether it lives, or can be used.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

const OK: Json<Health> = Json(Health { status: "ok" });

/// Whether the program lives: the server answers.
#[utoipa::path(get, path = "/v1/health/live", tag = "health", responses(
    (status = 200, description = "It lives.", body = Health),
))]
pub(crate) async fn live() -> Json<Health> {
    OK
}

/// Whether the appliance can be used: its model passed its checks, and no fault keeps it from working.
#[utoipa::path(get, path = "/v1/health/ready", tag = "health", responses(
    (status = 200, description = "It can be used.", body = Health),
    (status = 503, description = "It cannot, and why.", body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn ready(State(context): State<Context>) -> Result<Json<Health>, Problem> {
    let status = context.handle.status().borrow().clone();
    let reason = match &*status.state {
        state::State::Fault(fault) => fault.message.clone(),
        state::State::Starting => "the model is being checked; wait".into(),
        state::State::Off => "it is switched off".into(),
        _ => return Ok(OK),
    };
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, reason).retry_after(5))
}
