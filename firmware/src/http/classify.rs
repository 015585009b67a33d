//! `POST /v1/classify`: uploaded images.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::analysis::analyst::AnalysisError;
use crate::analysis::pool::{Analysed, Pool, Refusal, SOURCE, Wanted};
use crate::analysis::reading::SCALES;
use crate::http::binary::Binary;
use crate::http::problem::Problem;
use crate::http::problem_responses::{
    BadRequest, BodyTimeout, BodyTooLarge, DiskFull, TooManyRequests, Unavailable, Unprocessable,
    UnsupportedMediaType,
};
use crate::http::upload::{self, Kind, Uploads};
use crate::report::answer::Answer;
use crate::system::sanitize::printable;

/// Longest file name, in characters.
const MAX_NAME: usize = 1000;

/// A form (`multipart/form-data`) as browsers send it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form in the OpenAPI document")]
struct ImageForm {
    /// JPEG, PNG, TIFF or BMP.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    file: Vec<u8>,
}

/// The query of a classification.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ClassifyQuery {
    /// Whether to record the image and its verdict (operators only).
    #[serde(default)]
    #[param(required = false, value_type = bool)]
    store: bool,
    /// Size of a pixel in the plane of the specimen, µm, for a model that counts cells; without it, the model measures it by red
    /// cells, or says that it is unknown.
    #[param(required = false, minimum = 0.005, maximum = 10)]
    um_per_pixel: Option<f32>,
    /// The image's file name, to be recorded as its source with `store`; by default "sent over HTTP".
    #[param(required = false, min_length = 1, max_length = 1000)]
    name: Option<String>,
}

impl ClassifyQuery {
    /// The scale of the image, if it is stated.
    fn scale(&self) -> Result<Option<f32>, Problem> {
        match self.um_per_pixel {
            Some(scale) if !SCALES.contains(&scale) => {
                let [from, to] = [SCALES.start(), SCALES.end()];
                let detail = format!("um_per_pixel = {scale}: must be from {from} to {to}");
                Err(Problem::new(StatusCode::BAD_REQUEST, detail))
            }
            scale => Ok(scale),
        }
    }

    /// The source to record the image with; `None` if it is not to be recorded.
    fn source(self) -> Result<Option<String>, Problem> {
        let is_valid = |name: &String| (1..=MAX_NAME).contains(&name.chars().count());
        if !self.name.as_ref().is_none_or(is_valid) {
            let detail = format!("name: must have from 1 to {MAX_NAME} characters");
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        }
        let name = self.name.as_deref().map(printable);
        Ok(self
            .store
            .then(|| name.map_or_else(|| SOURCE.into(), Into::into)))
    }
}

/// Whether a request to this address wants the image to be recorded. One with an invalid query is refused.
pub(crate) fn wants_record(uri: &Uri) -> bool {
    Query::<ClassifyQuery>::try_from_uri(uri).is_ok_and(|Query(query)| query.store)
}

/// The answer, and its record.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Classified {
    #[serde(flatten)]
    answer: Answer,
    /// Id of the record, if one was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    record: Option<Uuid>,
}

/// Classifies an image, sent raw or as the field `file` of a form, like `smearscope classify --json`. The image does
/// not count towards the slide under the microscope. With `store`, it is recorded as the only field of a separate slide
/// with number 0, which is not published over MQTT.
#[utoipa::path(post, path = "/v1/classify", tag = "classify", params(ClassifyQuery),
    request_body(content(
        (inline(Binary) = "application/octet-stream"), (inline(Binary) = "image/jpeg"), (inline(Binary) = "image/png"),
        (inline(Binary) = "image/tiff"), (inline(Binary) = "image/bmp"), (ImageForm = "multipart/form-data"),
    ), description = "JPEG, PNG, TIFF or BMP, detected from the contents."),
    responses(
        (status = 200, description = "The verdict.", body = Classified),
        BadRequest, BodyTimeout, BodyTooLarge, UnsupportedMediaType, Unprocessable, TooManyRequests, Unavailable, DiskFull,
))]
pub(crate) async fn classify(
    State(pool): State<Arc<Pool>>,
    State(uploads): State<Uploads>,
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
    let wanted = Wanted {
        um_per_pixel: query.scale()?,
        source: query.source()?,
    };
    let Analysed { answer, record } = analyse(&pool, &uploads, request, kind, wanted).await?;
    Ok(Json(Classified { answer, record }))
}

/// Reads the image, takes a place in the queue and analyses it. An image takes its place only once it has arrived, so
/// that a slow client holds none; if the queue is full before that, the image is not read.
pub(crate) async fn analyse(
    pool: &Pool,
    uploads: &Uploads,
    request: Request,
    kind: Kind,
    wanted: Wanted,
) -> Result<Analysed, Problem> {
    if pool.is_full() {
        return Err(full());
    }
    let mut upload = match kind {
        Kind::Form => upload::form(request, uploads).await?,
        Kind::Image | Kind::Other => upload::raw(request, uploads).await?,
    };
    let place = pool.place().ok_or_else(full)?;
    let image = std::mem::take(&mut upload.bytes);
    let analysed = pool.analyse(image, wanted, place).await;
    analysed.map_err(refused)
}

/// The queue has no place.
pub(crate) fn full() -> Problem {
    let detail = "the queue is full (http.queue); try again";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(1)
}

/// Why there is no result.
pub(crate) fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Image(error @ AnalysisError::NoThreads(_)) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).retry_after(5)
        }
        Refusal::Image(error) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
        Refusal::Model(problem) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, problem).retry_after(60)
        }
        Refusal::NotSaved(problem) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, problem).retry_after(5)
        }
        Refusal::DiskFull(problem) => Problem::new(StatusCode::INSUFFICIENT_STORAGE, problem),
        Refusal::Crashed => Problem::internal("the analysis crashed"),
    }
}
