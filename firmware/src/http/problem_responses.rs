//! How the OpenAPI document describes problem details: one type for each status, to be named in
//! `#[utoipa::path(responses(…))]`.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{Content, Ref, RefOr};

/// A response with problem details.
pub(crate) fn problem(description: &str) -> RefOr<Response> {
    let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", Content::new(Some(schema)))
        .build()
        .into()
}

macro_rules! problems {
    ($($name:ident = $status:literal $description:literal,)*) => {
        $(
            #[doc = $description]
            pub(crate) struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    BTreeMap::from([($status.to_string(), problem($description))])
                }
            }
        )*
    };
}

problems! {
    BadRequest = 400 "The id, the query, the body or the header `Host` cannot be parsed.",
    Unauthorized = 401 "A token is needed, or this one is unknown.",
    Forbidden = 403 "The token's role does not allow this, or a page of another site asked.",
    NotFound = 404 "No such record, or the appliance keeps no records.",
    BodyTimeout = 408 "The body arrived too slowly.",
    Busy = 409 "The appliance is busy or cannot do this now.",
    Gone = 410 "Retention removed the image.",
    BodyTooLarge = 413 "The body is larger than `http.body_mib` allows.",
    UnsupportedMediaType = 415 "The body has the wrong media type.",
    Misdirected = 421 "`Host` is not a name of the appliance; see `http.names`.",
    Unprocessable = 422 "The image or the note is invalid.",
    TooManyRequests = 429 "Too many requests of this kind at once, or too many wrong tokens; try again later.",
    Unavailable = 503 "Not possible now; try again later.",
    Late = 504 "The appliance did not finish in time.",
    DiskFull = 507 "There is not enough free disk space.",
}
