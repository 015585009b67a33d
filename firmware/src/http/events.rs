//! Server-sent events.
//!
//! The id of an event is the mark of this run of the program and a number. A client that reconnects with the last
//! id it saw gets the events that it missed, as far as they are still buffered; after a restart, all buffered events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::stream::{self, Stream, StreamExt};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, broadcast, watch};

use crate::appliance::handle::{ApplianceEvent, ApplianceHandle, Status};
use crate::http::problem::Problem;
use crate::http::problem_responses::Unavailable;
use crate::report::finding::{Finding, Slide};
use crate::report::state;
use crate::system::shutdown::Shutdown;

/// Events that are buffered for reconnecting clients.
const BUFFERED: usize = 256;
/// Clients that may listen at a time.
const MAX_LISTENERS: usize = 16;
/// How often a comment is sent when there is no event, so that clients notice that the appliance does not answer. The page
/// waits 5 s.
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// A buffered event.
#[derive(Debug, Clone)]
struct Numbered {
    number: u64,
    kind: &'static str,
    data: String,
}

/// Numbers the events, buffers the latest and sends them to all clients.
pub(crate) struct Hub {
    /// Identifies this run of the program.
    mark: String,
    buffer: Mutex<VecDeque<Numbered>>,
    /// `None` ends the stream.
    sender: broadcast::Sender<Option<Numbered>>,
    permits: Arc<Semaphore>,
}

/// The data of a `fault` event.
#[derive(Serialize)]
struct FaultData<'a> {
    message: &'a str,
    r#final: bool,
}

impl Hub {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            mark: format!("{:x}", jiff::Timestamp::now().as_millisecond()),
            buffer: Mutex::default(),
            sender: broadcast::channel(BUFFERED).0,
            permits: Arc::new(Semaphore::new(MAX_LISTENERS)),
        })
    }

    /// Forwards events until the appliance or the network shuts down.
    pub(crate) async fn run(self: Arc<Self>, handle: ApplianceHandle, shutdown: Shutdown) {
        let mut status = handle.status();
        self.forward(&mut status, handle.events(), shutdown).await;
        // The last event is the final state.
        let state = state::State::from(&*status.borrow());
        self.send("state", &state);
        let _ = self.sender.send(None);
    }

    async fn forward(
        &self,
        status: &mut watch::Receiver<Status>,
        mut events: broadcast::Receiver<ApplianceEvent>,
        mut shutdown: Shutdown,
    ) {
        let mut last = state::State::from(&*status.borrow_and_update());
        self.send("state", &last);
        loop {
            tokio::select! {
                biased;
                () = shutdown.wait() => return,
                event = events.recv() => match event {
                    Ok(event) => self.send_event(&event),
                    Err(RecvError::Lagged(missed)) => log::warn!("events: {missed} were missed"),
                    Err(RecvError::Closed) => return,
                },
                changed = status.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let state = state::State::from(&*status.borrow_and_update());
                    if state != last {
                        self.send("state", &state);
                        last = state;
                    }
                }
            }
        }
    }

    fn send_event(&self, event: &ApplianceEvent) {
        match event {
            ApplianceEvent::Analysed(report) => {
                self.send("verdict", &Finding::from(&**report).without_cells());
            }
            ApplianceEvent::SlideClosed(summary) => {
                self.send("slide", &Slide::from(summary));
            }
            ApplianceEvent::Failed { fault, .. } => self.send(
                "fault",
                &FaultData {
                    message: &fault.message,
                    r#final: fault.is_final,
                },
            ),
        }
    }

    fn send(&self, kind: &'static str, data: &impl Serialize) {
        let data = match serde_json::to_string(data) {
            Ok(data) => data,
            Err(error) => {
                log::error!("cannot serialize an event: {error}");
                return;
            }
        };
        let mut buffer = self.lock();
        let event = Numbered {
            number: buffer.back().map_or(1, |last| last.number + 1),
            kind,
            data,
        };
        if buffer.len() == BUFFERED {
            buffer.pop_front();
        }
        buffer.push_back(event.clone());
        // Under the lock, so that a new listener gets each event exactly once. An error means that there are no
        // listeners.
        let _ = self.sender.send(Some(event));
    }

    /// The buffered events after `last` and a receiver of new ones. Without `last`, only the latest state.
    fn listen(&self, last: Option<&str>) -> (Vec<Numbered>, broadcast::Receiver<Option<Numbered>>) {
        let buffer = self.lock();
        let coming = self.sender.subscribe();
        let missed = match last {
            None => buffer
                .iter()
                .rfind(|event| event.kind == "state")
                .into_iter()
                .cloned()
                .collect(),
            Some(id) => {
                let seen = id
                    .rsplit_once('-')
                    .filter(|(mark, _)| *mark == self.mark)
                    .and_then(|(_, number)| number.parse().ok())
                    .unwrap_or(0);
                let missed = buffer.iter().filter(|event| event.number > seen);
                missed.cloned().collect()
            }
        };
        (missed, coming)
    }

    fn event(&self, event: Numbered) -> Event {
        Event::default()
            .id(format!("{}-{}", self.mark, event.number))
            .event(event.kind)
            .data(event.data)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Numbered>> {
        // The buffer is valid after every statement, so a panic of a holder does no harm.
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Server-sent events: `state`, `verdict` (the finding, as a capture returns it), `slide` (a closed slide) and `fault`.
/// The first event is the current state, or with `Last-Event-ID` the first one after that.
#[utoipa::path(get, path = "/v1/events", tag = "bench",
    params(("Last-Event-ID" = Option<String>, Header, description = "Id of the last event received.")),
    responses(
        (status = 200, description = "An endless stream of events.", body = String, content_type = "text/event-stream"),
        Unavailable,
))]
pub(crate) async fn events(
    State(hub): State<Arc<Hub>>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let Ok(permit) = Arc::clone(&hub.permits).try_acquire_owned() else {
        let detail = format!("{MAX_LISTENERS} clients are listening already; close one of them");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(30));
    };
    let last = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .filter(|id| !id.is_empty());
    let (missed, coming) = hub.listen(last);
    let before = stream::iter(missed);
    let after = stream::unfold(coming, |mut coming| async move {
        // A client that lags too far is disconnected; when it reconnects, it gets what it missed.
        coming.recv().await.ok()?.map(|event| (event, coming))
    });
    let events = before.chain(after).map(move |event| {
        let _ = &permit;
        Ok(hub.event(event))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(hub: &Hub, last: Option<&str>) -> Vec<u64> {
        let (missed, _) = hub.listen(last);
        missed.iter().map(|event| event.number).collect()
    }

    #[test]
    fn a_reconnecting_client_gets_the_events_that_it_missed() {
        let hub = Hub::new();
        assert_eq!(numbers(&hub, None), [0; 0]);
        for kind in ["state", "verdict", "state", "fault"] {
            hub.send(kind, &"data");
        }
        assert_eq!(numbers(&hub, None), [3], "the latest state");
        assert_eq!(numbers(&hub, Some(&format!("{}-2", hub.mark))), [3, 4]);
        assert_eq!(numbers(&hub, Some("other-4")), [1, 2, 3, 4]);
        for _ in 0..BUFFERED {
            hub.send("fault", &"data");
        }
        let all = numbers(&hub, Some("other-4"));
        assert_eq!((all.len(), all[0]), (BUFFERED, 5));
    }
}
