//! The models that the appliance has.

use axum::Json;
use axum::extract::State;

use crate::http::Context;
use crate::http::blocking;
use crate::http::problem::Problem;
use crate::models::Models;
use crate::report::models::{Listed, listed};

/// The models that the appliance has, as `smearscope model list --json` names them.
#[utoipa::path(get, path = "/v1/models", tag = "device", responses(
    (status = 200, description = "The current one, the one before it, and that of the program.", body = Vec<Listed>),
))]
pub(crate) async fn models(State(context): State<Context>) -> Result<Json<Vec<Listed>>, Problem> {
    // Files are read, and their checksums are taken.
    let list = move || listed(Models::new(&context.config));
    blocking(list)
        .await?
        .map(Json)
        .map_err(|error| Problem::internal(&format!("{error:#}")))
}
