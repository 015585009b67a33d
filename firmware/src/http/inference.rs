//! `POST /Inference`, compatible with the Python agents of HIAS.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use smearscope_artifacts::Verdict;
use utoipa::ToSchema;

use crate::analysis::pool::Pool;
use crate::http::binary::Binary;
use crate::http::classify::analyse;
use crate::http::problem::Details;
use crate::http::upload::{Kind, Uploads};
use crate::report::answer::Answer;

/// The answer that HIAS expects.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Inference {
    /// `OK` or `FAILED`.
    response: &'static str,
    /// The verdict or the error as a sentence.
    message: String,
    /// The verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnosis: Option<&'static str>,
    /// Probability of the diagnosis, 0 to 1; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f32>,
}

/// Classifies an image for HIAS, sent raw (with any content type) or as the field `file` of a form.
#[utoipa::path(post, path = "/Inference", tag = "classify",
    request_body(content = inline(Binary), content_type = "application/octet-stream", description = "JPEG, PNG, TIFF or BMP."),
    responses(
        (status = 200, description = "The verdict.", body = Inference),
        (status = 400, description = "The image cannot be read, or the header `Host` cannot be parsed.",
            content((Inference = "application/json"), (Details = "application/problem+json"))),
        (status = 429, description = "The queue is full, or there were too many wrong tokens; try again later.",
            content((Inference = "application/json"), (Details = "application/problem+json"))),
        (status = "4XX", description = "The image cannot be classified; `Message` says why.", body = Inference),
        (status = "5XX", description = "The request failed; `Message` says why.", body = Inference),
))]
pub(crate) async fn inference(
    State(pool): State<Arc<Pool>>,
    State(uploads): State<Uploads>,
    request: Request,
) -> Response {
    let kind = Kind::of(&request);
    match analyse(&pool, &uploads, request, kind, None).await {
        Ok(analysed) => (StatusCode::OK, Json(Inference::from(&analysed.answer))).into_response(),
        Err(problem) => {
            let (status, headers, message) = problem.into_parts();
            let mut response = (
                status,
                Json(Inference {
                    response: "FAILED",
                    message,
                    diagnosis: None,
                    confidence: None,
                }),
            )
                .into_response();
            response.headers_mut().extend(headers);
            response
        }
    }
}

impl From<&Answer> for Inference {
    fn from(answer: &Answer) -> Self {
        let message = match (answer.verdict, answer.explanation()) {
            (_, Some(reason)) => format!("No verdict: {reason}."),
            (Verdict::Positive, None) => "Acute Lymphoblastic Leukemia detected!".into(),
            (Verdict::Negative | Verdict::Inconclusive, None) => {
                "Acute Lymphoblastic Leukemia not detected!".into()
            }
        };
        Self {
            response: "OK",
            message: format!("{message} Research use only, not for diagnosis."),
            diagnosis: Some(answer.verdict.as_str()),
            // The answer's probability is that of leukemia.
            confidence: answer.probability.map(|probability| {
                if answer.verdict == Verdict::Negative {
                    1.0 - probability
                } else {
                    probability
                }
            }),
        }
    }
}
