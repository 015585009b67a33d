//! `POST /Inference`, as the Python agents of HIAS answer it.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::Context;
use crate::http::classify::analyse;
use crate::http::upload::Kind;
use crate::report::answer::Answer;
use crate::report::types;

/// What HIAS reads.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Inference {
    /// `OK` or `FAILED`.
    response: &'static str,
    /// The verdict or the error in words.
    message: String,
    /// The verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnosis: Option<&'static str>,
    /// Of the diagnosis, 0 to 1; null where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f32>,
}

/// Classifies an image, raw (of whatever type it says it is) or as the field `file` of a form, for HIAS.
#[utoipa::path(post, path = "/Inference", tag = "classify",
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "JPEG, PNG, TIFF or BMP."),
    responses(
        (status = 200, description = "What came out.", body = Inference),
        (status = "4XX", description = "The image cannot be used, and why.", body = Inference),
        (status = "5XX", description = "It failed, and why.", body = Inference),
))]
pub(crate) async fn inference(State(context): State<Context>, request: Request) -> Response {
    let kind = Kind::of(&request);
    match analyse(&context, request, kind, false).await {
        Ok(analysed) => (StatusCode::OK, Json(said(&analysed.answer))).into_response(),
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

fn said(answer: &Answer) -> Inference {
    let message = match (answer.verdict.word(), answer.explanation()) {
        (_, Some(reason)) => format!("No verdict: {reason}."),
        ("Positive", None) => "Acute Lymphoblastic Leukemia detected!".into(),
        _ => "Acute Lymphoblastic Leukemia not detected!".into(),
    };
    Inference {
        response: "OK",
        message: format!("{message} Research use only, not for diagnosis."),
        diagnosis: Some(answer.verdict.word()),
        // The calibrated probability is that of leukemia.
        confidence: answer.probability.map(|probability| {
            if answer.verdict == types::Verdict::Negative {
                1.0 - probability
            } else {
                probability
            }
        }),
    }
}
