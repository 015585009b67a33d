//! The installed models.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::appliance::handle::ApplianceHandle;
use crate::config::Config;
use crate::http::blocking::blocking;
use crate::http::problem::Problem;
use crate::models::Models;
use crate::report::models::{Listed, listed};

/// The models of the appliance, the one that it runs, and those that failed.
#[utoipa::path(get, path = "/v1/models", tag = "device", responses(
    (status = 200, description = "The current model, the previous one, and the one shipped with the program.", body = Vec<Listed>),
))]
pub(crate) async fn models(
    State(config): State<Arc<Config>>,
    State(handle): State<ApplianceHandle>,
) -> Result<Json<Vec<Listed>>, Problem> {
    // Reads files and computes their checksums.
    blocking(move || listed(Models::new(&config), handle.loaded_model()))
        .await
        .map(Json)
}
