//! Which address is whose, and what all of them share: limits, time-outs, the shape of errors.

use std::sync::Arc;

use axum::Router;
use axum::middleware::map_response;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Context, health, problem};

/// Everything that is answered.
pub(crate) fn router(context: Context) -> Router {
    let settings = Arc::clone(&context.settings);
    OpenApiRouter::new()
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .split_for_parts()
        .0
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::wrong_method)
        // The last is the outermost.
        .layer(RequestBodyLimitLayer::new(settings.max_body))
        .layer(RequestBodyTimeoutLayer::new(settings.body))
        .layer(CatchPanicLayer::custom(problem::crashed))
        .layer(map_response(problem::everywhere))
        .with_state(context)
}
