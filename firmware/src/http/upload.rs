//! Reads an uploaded image, raw or as the field `file` of a form.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{FromRequest, Multipart, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_http::timeout::TimeoutError;

use crate::http::pace::TooSlow;
use crate::http::problem::{BODY_TOO_LARGE, Problem};

/// The form field with the image.
const FIELD: &str = "file";
/// Bytes that an image is given at first, at most; what the client announces may not be true.
const FIRST: usize = 4 << 20;

/// The memory for images that are arriving or waiting.
#[derive(Clone)]
pub(crate) struct Uploads {
    memory: Arc<Semaphore>,
    /// Bytes that arrived since the last call of [`Uploads::take_arrived`].
    arrived: Arc<AtomicUsize>,
}

impl Uploads {
    /// Memory for this many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            memory: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))),
            arrived: Arc::default(),
        }
    }

    /// Bytes of images that arrived since the last call.
    pub(crate) fn take_arrived(&self) -> usize {
        self.arrived.swap(0, Ordering::Relaxed)
    }
}

/// An image that has arrived.
pub(crate) struct Upload {
    pub(crate) bytes: Vec<u8>,
    /// The part of [`Uploads`] that it uses.
    memory: Option<OwnedSemaphorePermit>,
}

impl Upload {
    /// Nothing yet, with room for what the request announces.
    fn announced_by(request: &Request) -> Self {
        let length = request.headers().get(CONTENT_LENGTH);
        let length: Option<usize> = length.and_then(|length| length.to_str().ok()?.parse().ok());
        Self {
            bytes: Vec::with_capacity(length.unwrap_or_default().min(FIRST)),
            memory: None,
        }
    }

    fn push(&mut self, part: &[u8], uploads: &Uploads) -> Result<(), Problem> {
        let full = || {
            let detail = "too many images are arriving at the same time; try again";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(1)
        };
        let length = u32::try_from(part.len()).map_err(|_| full())?;
        let more = Arc::clone(&uploads.memory).try_acquire_many_owned(length);
        let more = more.map_err(|_| full())?;
        match &mut self.memory {
            Some(memory) => memory.merge(more),
            None => self.memory = Some(more),
        }
        self.bytes.extend_from_slice(part);
        uploads.arrived.fetch_add(part.len(), Ordering::Relaxed);
        Ok(())
    }
}

/// The kind of a body, by its `Content-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An image, arbitrary bytes, or no `Content-Type`.
    Image,
    /// A multipart form.
    Form,
    /// Anything else.
    Other,
}

impl Kind {
    /// Reads the header. The format of an image is detected from its contents, never from this.
    pub(crate) fn of(request: &Request) -> Self {
        let Some(kind) = request.headers().get(CONTENT_TYPE) else {
            return Self::Image;
        };
        let kind = kind.to_str().unwrap_or_default().to_ascii_lowercase();
        if kind.starts_with("image/") || kind.starts_with("application/octet-stream") {
            Self::Image
        } else if kind.starts_with("multipart/form-data") {
            Self::Form
        } else {
            Self::Other
        }
    }
}

/// Reads the whole body; the router limits its size, time and pace.
pub(crate) async fn raw(request: Request, uploads: &Uploads) -> Result<Upload, Problem> {
    let mut upload = Upload::announced_by(&request);
    let mut parts = request.into_body().into_data_stream();
    while let Some(part) = parts.next().await {
        upload.push(&part.map_err(|error| unreadable(&error))?, uploads)?;
    }
    Ok(upload)
}

/// Reads the field `file` of a form.
pub(crate) async fn form(request: Request, uploads: &Uploads) -> Result<Upload, Problem> {
    let mut upload = Upload::announced_by(&request);
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|error| Problem::new(error.status(), error.body_text()))?;
    loop {
        let field = form
            .next_field()
            .await
            .map_err(|error| unreadable(&error))?;
        let Some(mut field) = field else {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "the form has no field `file`; send the image in that field",
            ));
        };
        if field.name() == Some(FIELD) {
            while let Some(part) = field.chunk().await.map_err(|error| unreadable(&error))? {
                upload.push(&part, uploads)?;
            }
            return Ok(upload);
        }
    }
}

/// Why a body could not be read; libraries hide the reason in the causes of their errors.
fn unreadable(error: &(dyn Error + 'static)) -> Problem {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let too_slow = if error.is::<TimeoutError>() {
            Some("the body took longer than http.body_s allows; send it again")
        } else if error.is::<TooSlow>() {
            Some("the body arrives too slowly (http.stall_s); send it again")
        } else {
            None
        };
        if let Some(detail) = too_slow {
            return Problem::new(StatusCode::REQUEST_TIMEOUT, detail);
        }
        if error.to_string().contains("length limit exceeded") {
            return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, BODY_TOO_LARGE);
        }
        cause = error.source();
    }
    Problem::new(
        StatusCode::BAD_REQUEST,
        format!("cannot read the body: {error}"),
    )
}
