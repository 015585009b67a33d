//! What happens, as server-sent events.
//!
//! Each event has an id: a mark of this start of the program, and a number. Who comes back with the last one
//! it saw gets what it missed, as far as that is still there; after a new start, all that is there.

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
use crate::http::Context;
use crate::http::problem::{Details, Problem};
use crate::report::types;
use crate::system::shutdown::Shutdown;

/// Events that are kept for who comes back.
const KEPT: usize = 256;
/// Who listens at once.
const LISTENERS: usize = 16;
/// A comment so often keeps proxies from taking the silence for the end.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What happened, with its number.
#[derive(Debug, Clone)]
struct Numbered {
    number: u64,
    kind: &'static str,
    data: String,
}

/// Numbers what happens, keeps the last of it, and passes it on.
pub(crate) struct Hub {
    /// Of this start of the program.
    mark: String,
    kept: Mutex<VecDeque<Numbered>>,
    /// Nothing comes after `None`.
    sender: broadcast::Sender<Option<Numbered>>,
    room: Arc<Semaphore>,
}

/// A fault as an event says it.
#[derive(Serialize)]
struct FaultData<'a> {
    message: &'a str,
    r#final: bool,
}

impl Hub {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            mark: format!("{:x}", jiff::Timestamp::now().as_millisecond()),
            kept: Mutex::default(),
            sender: broadcast::channel(KEPT).0,
            room: Arc::new(Semaphore::new(LISTENERS)),
        })
    }

    /// Passes on what happens until the appliance or the network ends.
    pub(crate) async fn run(self: Arc<Self>, handle: ApplianceHandle, shutdown: Shutdown) {
        let mut status = handle.status();
        self.pass_on(&mut status, handle.events(), shutdown).await;
        // The last is how it ended.
        let state = types::State::from(&*status.borrow());
        self.tell("state", &state);
        let _ = self.sender.send(None);
    }

    async fn pass_on(
        &self,
        status: &mut watch::Receiver<Status>,
        mut events: broadcast::Receiver<ApplianceEvent>,
        mut shutdown: Shutdown,
    ) {
        let mut last = types::State::from(&*status.borrow_and_update());
        self.tell("state", &last);
        loop {
            tokio::select! {
                biased;
                () = shutdown.wait() => return,
                event = events.recv() => match event {
                    Ok(event) => self.happened(&event),
                    Err(RecvError::Lagged(missed)) => log::warn!("{missed} events were missed"),
                    Err(RecvError::Closed) => return,
                },
                changed = status.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let state = types::State::from(&*status.borrow_and_update());
                    if state != last {
                        self.tell("state", &state);
                        last = state;
                    }
                }
            }
        }
    }

    fn happened(&self, event: &ApplianceEvent) {
        match event {
            ApplianceEvent::Analysed(report) => {
                self.tell("verdict", &types::Finding::from(&**report))
            }
            ApplianceEvent::SlideClosed(standing) => {
                self.tell("slide", &types::Slide::from(standing))
            }
            ApplianceEvent::Failed { fault, .. } => self.tell(
                "fault",
                &FaultData {
                    message: &fault.message,
                    r#final: fault.is_final,
                },
            ),
        }
    }

    fn tell(&self, kind: &'static str, data: &impl Serialize) {
        let data = match serde_json::to_string(data) {
            Ok(data) => data,
            Err(error) => {
                log::error!("an event cannot be written: {error}");
                return;
            }
        };
        let mut kept = self.lock();
        let event = Numbered {
            number: kept.back().map_or(1, |last| last.number + 1),
            kind,
            data,
        };
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(event.clone());
        // Under the lock, so that who begins to listen misses none and gets none twice. An error says that
        // nobody listens.
        let _ = self.sender.send(Some(event));
    }

    /// What was kept after `last`, and what comes. Whoever names none gets the last state only.
    fn listen(&self, last: Option<&str>) -> (Vec<Numbered>, broadcast::Receiver<Option<Numbered>>) {
        let kept = self.lock();
        let coming = self.sender.subscribe();
        let missed = match last {
            None => kept
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
                let missed = kept.iter().filter(|event| event.number > seen);
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
        // Valid after every statement, so a panicked holder leaves nothing torn.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What happens from now on, as server-sent events: `state`, `verdict` (as a capture answers it), `slide` (one
/// that was closed), `fault`. The first is the current state, or, after `Last-Event-ID`, what came since.
#[utoipa::path(get, path = "/v1/events", tag = "bench",
    params(("Last-Event-ID" = Option<String>, Header, description = "Id of the last event that was seen.")),
    responses(
        (status = 200, description = "Events, without end.", body = String, content_type = "text/event-stream"),
        (status = 503, description = "Too many listen already.", body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn events(
    State(context): State<Context>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let hub = Arc::clone(&context.hub);
    let Ok(place) = Arc::clone(&hub.room).try_acquire_owned() else {
        let detail = format!("{LISTENERS} listen already; end one of them");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(30));
    };
    let last = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .filter(|id| !id.is_empty());
    let (missed, coming) = hub.listen(last);
    let before = stream::iter(missed);
    let after = stream::unfold(coming, |mut coming| async move {
        // Who is so slow comes back by itself, and gets what it missed.
        coming.recv().await.ok()?.map(|event| (event, coming))
    });
    let events = before.chain(after).map(move |event| {
        let _ = &place;
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
    fn who_comes_back_gets_what_it_missed_as_far_as_it_is_there() {
        let hub = Hub::new();
        assert_eq!(numbers(&hub, None), [0; 0]);
        for kind in ["state", "verdict", "state", "fault"] {
            hub.tell(kind, &"data");
        }
        assert_eq!(numbers(&hub, None), [3], "the last state");
        assert_eq!(numbers(&hub, Some(&format!("{}-2", hub.mark))), [3, 4]);
        assert_eq!(numbers(&hub, Some("other-4")), [1, 2, 3, 4]);
        for _ in 0..KEPT {
            hub.tell("fault", &"data");
        }
        let all = numbers(&hub, Some("other-4"));
        assert_eq!((all.len(), all[0]), (KEPT, 5));
    }
}
