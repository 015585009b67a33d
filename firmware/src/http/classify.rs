//! Images from the network, classified.

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::analysis::pool::{Analysed, Refusal};
use crate::http::Context;
use crate::http::problem::{Details, Problem};
use crate::http::upload::{self, Kind};
use crate::report::answer::Answer;

/// An image as a form's field.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes a form")]
struct ImageForm {
    /// JPEG, PNG, TIFF or BMP.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    file: Vec<u8>,
}

/// What becomes of the image.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ClassifyQuery {
    /// Whether image and answer are kept among the records (role operator).
    #[serde(default)]
    #[param(required = false, value_type = bool)]
    store: bool,
}

/// What came out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Classified {
    #[serde(flatten)]
    answer: Answer,
    /// The id of its record, if it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    record: Option<Uuid>,
}

/// Classifies an image, raw or as the field `file` of a form, as `smearscope classify --json` does. It is no
/// field of a slide of the bench, and is kept only if that is wanted: then it is recorded as the field of a slide of its
/// own with the number 0, and told to no broker.
#[utoipa::path(post, path = "/v1/classify", tag = "classify", params(ClassifyQuery),
    request_body(content(
        (Vec<u8> = "application/octet-stream"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"),
        (Vec<u8> = "image/tiff"), (Vec<u8> = "image/bmp"), (ImageForm = "multipart/form-data"),
    ), description = "JPEG, PNG, TIFF or BMP, told by its contents."),
    responses(
        (status = 200, description = "What came out.", body = Classified),
        (status = 400, description = "The query cannot be understood, and why.", body = Details, content_type = "application/problem+json"),
        (status = 408, description = "The body came too slowly.", body = Details, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Details, content_type = "application/problem+json"),
        (status = 415, description = "The body is no image.", body = Details, content_type = "application/problem+json"),
        (status = 422, description = "The image cannot be used, and why.", body = Details, content_type = "application/problem+json"),
        (status = 429, description = "Others wait already.", body = Details, content_type = "application/problem+json"),
        (status = 503, description = "The model cannot be used, or the image cannot be kept, and why.", body = Details, content_type = "application/problem+json"),
        (status = 507, description = "There is no room to keep the image.", body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn classify(
    State(context): State<Context>,
    Query(query): Query<ClassifyQuery>,
    request: Request,
) -> Result<Json<Classified>, Problem> {
    let kind = Kind::of(&request);
    if kind == Kind::Other {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send an image as image/jpeg, image/png, image/tiff, image/bmp or application/octet-stream, or \
             as the field `file` of multipart/form-data",
        ));
    }
    let Analysed { answer, record } = analyse(&context, request, kind, query.store).await?;
    Ok(Json(Classified { answer, record }))
}

/// Takes a place in the queue, then reads the image and analyses it.
pub(crate) async fn analyse(
    context: &Context,
    request: Request,
    kind: Kind,
    store: bool,
) -> Result<Analysed, Problem> {
    let Some(place) = context.pool.place() else {
        let detail = "as many images wait as http.queue allows; try again";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(1));
    };
    let image = match kind {
        Kind::Form => upload::form(request).await?,
        Kind::Image | Kind::Other => upload::raw(request).await?,
    };
    let analysed = context.pool.analyse(image, store, place).await;
    analysed.map_err(|refusal| match refusal {
        Refusal::Image(error) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
        Refusal::Model(problem) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, problem).retry_after(60)
        }
        Refusal::Unkept(problem) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, problem).retry_after(5)
        }
        Refusal::Full(problem) => Problem::new(StatusCode::INSUFFICIENT_STORAGE, problem),
        Refusal::Crashed => Problem::internal("the analysis crashed"),
    })
}
