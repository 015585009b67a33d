//! Routes, and the layers that every request passes: limits, time-outs, access control, error format.

use std::future::ready;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{from_fn_with_state, map_request, map_response};
use axum::{Json, Router};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::RequestBodyDeadlineLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::config::http::HttpSettings;
use crate::http::context::Context;
use crate::http::problem::Problem;
use crate::http::{
    access, button, calibration, cells, classify, device, drift, events, export, headers, health,
    inference, log_tail, metrics, models, notes, openapi, pace, page, problem, records, viewfinder,
};

/// All routes with their layers.
pub(crate) fn router(context: Context, settings: &HttpSettings) -> Router {
    let (router, document) = documented();
    let document = Json(document);
    let stall = settings.stall;
    router
        .merge(page::routes())
        .route(openapi::PATH, axum::routing::get(async || document))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::wrong_method)
        // The last layer is the outermost.
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(settings.max_body))
        .layer(RequestBodyDeadlineLayer::new(settings.body))
        .layer(map_request(move |request: Request| {
            ready(request.map(|body| pace::paced(body, stall)))
        }))
        .layer(from_fn_with_state(
            Arc::clone(&context.access),
            access::guard,
        ))
        .layer(CatchPanicLayer::custom(problem::crashed))
        .layer(map_response(problem::from_plain_text))
        .layer(map_response(headers::add))
        .with_state(context)
}

/// The routes for connections that there is otherwise no room for: health checks.
pub(crate) fn reserve(context: &Context) -> Router {
    let full = async || {
        let detail = "too many connections; try again";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1)
    };
    let (health, _) = OpenApiRouter::new()
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .split_for_parts();
    health
        .fallback(full)
        .layer(map_response(headers::add))
        .with_state(context.clone())
}

/// The routes that the OpenAPI document describes, and the document.
fn documented() -> (Router<Context>, OpenApi) {
    let (router, document) = OpenApiRouter::with_openapi(openapi::about())
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(device::device))
        .routes(routes!(device::faults))
        .routes(routes!(device::configuration))
        .routes(routes!(drift::drift))
        .routes(routes!(drift::restart))
        .routes(routes!(models::models))
        .routes(routes!(log_tail::log_tail))
        .routes(routes!(metrics::metrics))
        .routes(routes!(button::capture))
        .routes(routes!(button::next_slide))
        .routes(routes!(button::repeat))
        .routes(routes!(button::off))
        .routes(routes!(calibration::calibration, calibration::remove))
        .routes(routes!(calibration::measure_light))
        .routes(routes!(calibration::measure_scale))
        .routes(routes!(calibration::measure_scale_by_red_cells))
        .routes(routes!(viewfinder::snapshot))
        .routes(routes!(viewfinder::preview))
        .routes(routes!(events::events))
        .routes(routes!(records::slides))
        .routes(routes!(records::slide))
        .routes(routes!(cells::slide_cells))
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Adds the names of properties and whether they are described as times.
    fn times(value: &Value, found: &mut Vec<(String, bool)>) {
        match value {
            Value::Object(object) => {
                if let Some(Value::Object(properties)) = object.get("properties") {
                    let is_time = |schema: &Value| schema["format"] == "date-time";
                    let named = properties.iter().filter(|(name, _)| name.ends_with("_at"));
                    found.extend(named.map(|(name, schema)| (name.clone(), is_time(schema))));
                }
                object.values().for_each(|value| times(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| times(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_time_is_described_as_one() {
        let document = serde_json::to_value(documented().1).unwrap();
        let mut found = Vec::new();
        times(&document, &mut found);
        let wrong: Vec<_> = found.iter().filter(|(_, is_time)| !is_time).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        for name in ["captured_at", "closed_at", "found_at", "verified_at"] {
            assert!(found.iter().any(|(found, _)| found == name), "{name}");
        }
    }
}
