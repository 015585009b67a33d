//! The description of the API, made from its code (OpenAPI 3.1).

use utoipa::OpenApi as _;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr};

/// What is said about all of it.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "smearscope",
        description = "A bench-top appliance that classifies blood smears. Research use only: not for diagnosis or treatment."
    ),
    tags(
        (name = "health", description = "Whether it lives, whether it can be used."),
        (name = "device", description = "What it is, how it is, how it is set up."),
        (name = "metrics", description = "How often and how long, for Prometheus."),
        (name = "classify", description = "Images that are no fields of a slide."),
        (name = "bench", description = "What is under the microscope."),
        (name = "records", description = "What was recorded."),
    )
)]
struct About;

/// The beginning of the document; the router adds its addresses.
pub(crate) fn about() -> OpenApi {
    About::openapi()
}

/// Adds what holds for every address: that it may fail in ways that it does not name.
pub(crate) fn complete(mut document: OpenApi) -> OpenApi {
    let problem = Content::new(Some(RefOr::Ref(Ref::from_schema_name("Problem"))));
    let failed: RefOr<Response> = ResponseBuilder::new()
        .description("It failed, and why.")
        .content("application/problem+json", problem)
        .build()
        .into();
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
