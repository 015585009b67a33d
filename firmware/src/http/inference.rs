//! `POST /Inference`, compatible with the Python agents of HIAS.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::analysis::identity::notice;
use crate::analysis::pool::{Pool, Wanted};
use crate::config::Config;
use crate::http::binary::Binary;
use crate::http::classify::analyse;
use crate::http::problem::Details;
use crate::http::upload::{Kind, Uploads};
use crate::report::diagnosis::{Diagnoses, Diagnosis};

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
    /// What the diagnosis may be used for.
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<&'static str>,
}

/// Classifies an image for HIAS, sent raw (with any content type) or as the field `file` of a form. A verdict is also
/// published to HIAS's broker.
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
    State(config): State<Arc<Config>>,
    State(published): State<Diagnoses>,
    request: Request,
) -> Response {
    let kind = Kind::of(&request);
    match analyse(&pool, &uploads, request, kind, Wanted::default()).await {
        Ok(analysed) => {
            let answer = &analysed.answer;
            let diagnosis =
                Diagnosis::new(answer.verdict, answer.probability, answer.explanation());
            // The model was not asked about a picture that the quality gate refused.
            if answer.has_result() {
                // Fails only if there is no HIAS client.
                let _ = published.send(diagnosis.clone());
            }
            let inference = Inference::new(diagnosis, answer.demo, config.notice_in_message);
            (StatusCode::OK, Json(inference)).into_response()
        }
        Err(problem) => {
            let (status, headers, message) = problem.into_parts();
            let mut response = (
                status,
                Json(Inference {
                    response: "FAILED",
                    message,
                    diagnosis: None,
                    confidence: None,
                    notice: None,
                }),
            )
                .into_response();
            response.headers_mut().extend(headers);
            response
        }
    }
}

impl Inference {
    fn new(diagnosis: Diagnosis, is_demo: bool, notice_in_message: bool) -> Self {
        let Diagnosis {
            verdict,
            confidence,
            mut message,
        } = diagnosis;
        if notice_in_message {
            if !message.ends_with('!') {
                message.push('.');
            }
            message.push_str(" Research use only, not for diagnosis.");
        }
        Self {
            response: "OK",
            message,
            diagnosis: Some(verdict.as_str()),
            confidence,
            notice: Some(notice(is_demo)),
        }
    }
}

#[cfg(test)]
mod tests {
    use smearscope_artifacts::Verdict;

    use super::*;

    #[test]
    fn the_message_is_the_references_unless_the_notice_is_wanted_in_it() {
        let shown = |diagnosis: &Diagnosis, notice_in_message| {
            let shown = Inference::new(diagnosis.clone(), true, notice_in_message);
            assert_eq!(shown.notice, Some("demo model, not for diagnosis"));
            shown.message
        };
        let positive = Diagnosis::new(Verdict::Positive, Some(0.9), None);
        assert_eq!(
            shown(&positive, false),
            "Acute Lymphoblastic Leukemia detected!"
        );
        assert_eq!(
            shown(&positive, true),
            "Acute Lymphoblastic Leukemia detected! Research use only, not for diagnosis."
        );
        let undecided = Diagnosis::none("the model is not sure");
        assert_eq!(
            shown(&undecided, true),
            "No verdict: the model is not sure. Research use only, not for diagnosis."
        );
    }
}
