//! The OpenAPI 3.1 document, generated from the handlers.

use utoipa::openapi::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::{IntoResponses, Modify, OpenApi as _};

use crate::http::problem::Details;
use crate::http::problem_responses::{
    self, BadRequest, Forbidden, Misdirected, TooManyRequests, Unauthorized,
};

/// The path of the document. It contains nothing about the appliance, so it needs no token.
pub(crate) const PATH: &str = "/v1/openapi.json";

/// The name of the security scheme.
const TOKEN: &str = "token";
/// The tag of the routes that never need a token.
const OPEN: &str = "health";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "smearscope",
        description = "An appliance that classifies fields of view of a blood smear. Research use only: not for \
            diagnosis or treatment."
    ),
    components(schemas(Details)),
    modifiers(&Token),
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

/// Describes the token.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut OpenApi) {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.description = Some(
            "A token of `smearscope token new`. Those of the role viewer allow GET and /v1/classify without `store`, \
             those of the role operator everything. Not needed by a person's program on the appliance, unless other machines \
             can connect or `http.access` is \"token\"."
                .into(),
        );
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(TOKEN, SecurityScheme::Http(scheme));
    }
}

/// Adds to every operation what all have in common: the token and the answers of the layers around the handlers.
pub(crate) fn complete(mut document: OpenApi) -> OpenApi {
    for path in document.paths.paths.values_mut() {
        let operations = [&mut path.get, &mut path.post];
        for operation in operations.into_iter().flatten() {
            complete_operation(operation);
        }
    }
    document
}

fn complete_operation(operation: &mut Operation) {
    let is_open = operation
        .tags
        .iter()
        .flatten()
        .any(|tag| tag.as_str() == OPEN);
    let mut common = [
        BadRequest::responses(),
        Forbidden::responses(),
        Misdirected::responses(),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>();
    if !is_open {
        common.extend(Unauthorized::responses());
        common.extend(TooManyRequests::responses());
        // The empty requirement: programs on the appliance may need no token.
        operation.security = Some(vec![
            SecurityRequirement::default(),
            SecurityRequirement::new::<_, [&str; 0], &str>(TOKEN, []),
        ]);
    }
    // Any operation may fail in a way that it does not list.
    let failed = problem_responses::problem("The request failed; `detail` says why.");
    common.push(("default".into(), failed));
    for (status, response) in common {
        let responses = &mut operation.responses.responses;
        responses.entry(status).or_insert(response);
    }
}
