//! Which address is whose, and what all of them share: limits, time-outs, the shape of errors.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_response};
use axum::{Json, Router};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::RequestBodyDeadlineLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Context;

use crate::http::access;

use crate::http::button;

use crate::http::classify;

use crate::http::device;

use crate::http::events;

use crate::http::export;

use crate::http::health;

use crate::http::inference;

use crate::http::log_tail;

use crate::http::metrics;

use crate::http::models;

use crate::http::notes;

use crate::http::openapi;

use crate::http::page;

use crate::http::problem;

use crate::http::records;

use crate::http::viewfinder;

/// Everything that is answered.
pub(crate) fn router(context: Context) -> Router {
    let settings = Arc::clone(&context.settings);
    let (router, document) = described();
    let document = Json(document);
    router
        .merge(page::routes())
        .route("/v1/openapi.json", axum::routing::get(async || document))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::wrong_method)
        // The last is the outermost.
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(settings.max_body))
        .layer(RequestBodyDeadlineLayer::new(settings.body))
        .layer(from_fn_with_state(context.clone(), access::guard))
        .layer(CatchPanicLayer::custom(problem::crashed))
        .layer(map_response(problem::everywhere))
        .layer(map_response(access::hardened))
        .with_state(context)
}

/// The addresses that are described, and their description.
fn described() -> (Router<Context>, OpenApi) {
    let (router, document) = OpenApiRouter::with_openapi(openapi::about())
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(device::device))
        .routes(routes!(device::configuration))
        .routes(routes!(models::models))
        .routes(routes!(log_tail::journal))
        .routes(routes!(metrics::metrics))
        .routes(routes!(button::capture))
        .routes(routes!(button::next_slide))
        .routes(routes!(button::repeat))
        .routes(routes!(button::off))
        .routes(routes!(viewfinder::snapshot))
        .routes(routes!(viewfinder::preview))
        .routes(routes!(events::events))
        .routes(routes!(records::slides))
        .routes(routes!(records::slide))
        .routes(routes!(notes::annotate))
        .routes(routes!(records::field))
        .routes(routes!(records::image))
        .routes(routes!(records::overlay))
        .routes(routes!(export::export))
        .routes(routes!(export::exported))
        .routes(routes!(classify::classify))
        .routes(routes!(inference::inference))
        .split_for_parts();
    (router, openapi::complete(document))
}
