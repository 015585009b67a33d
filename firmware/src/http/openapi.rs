//! The OpenAPI 3.1 document, generated from the handlers.

use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use crate::http::problem::Details;
use crate::http::problem_responses;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "smearscope",
        description = "An appliance that classifies fields of view of a blood smear. Research use only: not for \
            diagnosis or treatment."
    ),
    components(schemas(Details)),
    tags(
        (name = "health", description = "Liveness and readiness."),
        (name = "device", description = "The appliance: state, models, configuration, log."),
        (name = "metrics", description = "Metrics for Prometheus."),
        (name = "classify", description = "Classify uploaded images, which belong to no slide."),
        (name = "bench", description = "The slide under the microscope."),
        (name = "records", description = "Recorded slides and fields."),
    )
)]
struct About;

/// The document without routes; the router adds them.
pub(crate) fn about() -> OpenApi {
    About::openapi()
}

/// Adds the default response to every operation: any of them may fail in a way that it does not list.
pub(crate) fn complete(mut document: OpenApi) -> OpenApi {
    let failed = problem_responses::problem("The request failed; `detail` says why.");
    for path in document.paths.paths.values_mut() {
        let operations = [&mut path.get, &mut path.post];
        for operation in operations.into_iter().flatten() {
            let responses = &mut operation.responses.responses;
            responses
                .entry("default".into())
                .or_insert_with(|| failed.clone());
        }
    }
    document
}
