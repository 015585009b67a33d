//! Reads an uploaded image, raw or as the field `file` of a form.

use std::collections::HashMap;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{FromRequest, Multipart, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use futures_util::StreamExt;
use tower_http::timeout::TimeoutError;

use crate::http::pace::TooSlow;
use crate::http::peer::Peer;
use crate::http::problem::{BODY_TOO_LARGE, Problem};

/// The form field with the image.
const FIELD: &str = "file";
/// Bytes that an image is given at first, at most; what the client announces may not be true.
const FIRST: usize = 4 << 20;

/// The memory for images that are arriving or waiting.
#[derive(Clone)]
pub(crate) struct Uploads {
    bytes: usize,
    /// Bytes that the images of one address may use, so that it cannot keep out the others.
    share: usize,
    used: Arc<Mutex<HashMap<IpAddr, usize>>>,
    /// Bytes that arrived since the last call of [`Uploads::take_arrived`].
    arrived: Arc<AtomicUsize>,
}

impl Uploads {
    /// Memory for this many images of the largest size, of which one address may use half, and one image at least.
    pub(crate) fn new(images: usize, max_body: usize) -> Self {
        Self {
            bytes: max_body.saturating_mul(images),
            share: max_body.saturating_mul((images / 2).max(1)),
            used: Arc::default(),
            arrived: Arc::default(),
        }
    }

    /// Bytes of images that arrived since the last call.
    pub(crate) fn take_arrived(&self) -> usize {
        self.arrived.swap(0, Ordering::Relaxed)
    }

    /// Takes memory for an address; returns whether there was enough.
    fn take(&self, address: IpAddr, bytes: usize) -> bool {
        let mut used = self.used();
        let all: usize = used.values().sum();
        let own = used.get(&address).copied().unwrap_or_default();
        let is_left = all + bytes <= self.bytes && own + bytes <= self.share;
        if is_left {
            used.insert(address, own + bytes);
        }
        is_left
    }

    fn give_back(&self, address: IpAddr, bytes: usize) {
        let mut used = self.used();
        let left = used
            .get(&address)
            .map_or(0, |own| own.saturating_sub(bytes));
        if left == 0 {
            used.remove(&address);
        } else {
            used.insert(address, left);
        }
    }

    fn used(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An image that has arrived.
pub(crate) struct Upload {
    pub(crate) bytes: Vec<u8>,
    memory: Memory,
}

/// The part of [`Uploads`] that an image uses.
struct Memory {
    uploads: Uploads,
    address: IpAddr,
    bytes: usize,
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.uploads.give_back(self.address, self.bytes);
    }
}

impl Upload {
    /// Nothing yet, with room for what the request announces.
    fn announced_by(request: &Request, uploads: &Uploads) -> Self {
        let length = request.headers().get(CONTENT_LENGTH);
        let length: Option<usize> = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let peer = request.extensions().get::<Peer>();
        Self {
            bytes: Vec::with_capacity(length.unwrap_or_default().min(FIRST)),
            memory: Memory {
                uploads: uploads.clone(),
                address: peer.map_or(Ipv4Addr::UNSPECIFIED.into(), Peer::address),
                bytes: 0,
            },
        }
    }

    fn push(&mut self, part: &[u8]) -> Result<(), Problem> {
        let Memory {
            uploads,
            address,
            bytes,
        } = &mut self.memory;
        if !uploads.take(*address, part.len()) {
            let detail = "too many images are arriving at the same time; try again";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(1));
        }
        *bytes += part.len();
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
    let mut upload = Upload::announced_by(&request, uploads);
    let mut parts = request.into_body().into_data_stream();
    while let Some(part) = parts.next().await {
        upload.push(&part.map_err(|error| unreadable(&error))?)?;
    }
    Ok(upload)
}

/// Reads the field `file` of a form.
pub(crate) async fn form(request: Request, uploads: &Uploads) -> Result<Upload, Problem> {
    let mut upload = Upload::announced_by(&request, uploads);
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
                upload.push(&part)?;
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

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn one_address_uses_half_of_the_memory_and_gives_it_back() {
        let uploads = Uploads::new(4, 10);
        let of = |last: u8| {
            let mut request = Request::new(Body::empty());
            let peer = Peer::fake([192, 0, 2, last].into(), None);
            request.extensions_mut().insert(peer);
            Upload::announced_by(&request, &uploads)
        };
        let (mut one, mut two, mut other) = (of(1), of(1), of(2));
        one.push(&[0; 10]).unwrap();
        two.push(&[0; 9]).unwrap();
        let refused = two.push(&[0; 2]).unwrap_err();
        assert_eq!(refused.into_parts().0, StatusCode::TOO_MANY_REQUESTS);
        other.push(&[0; 10]).unwrap();
        other.push(&[0; 10]).unwrap();
        drop(one);
        two.push(&[0; 11]).unwrap();
        // All of the memory is used.
        assert!(of(3).push(&[0; 1]).is_err());
        drop((two, other));
        assert!(uploads.used().is_empty());
        // The only place may take an image of the largest size.
        assert!(Uploads::new(1, 10).take([192, 0, 2, 1].into(), 10));
    }
}
