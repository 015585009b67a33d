//! Remote button presses: capture a field, close the slide, repeat the last verdict, switch off.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use smearscope_hardware::ButtonEvent;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::{sleep, timeout};
use utoipa::ToSchema;

use crate::appliance::handle::{ApplianceEvent, ApplianceHandle, Status};
use crate::appliance::state;
use crate::config::Config;
use crate::http::problem::Problem;
use crate::http::problem_responses::{Busy, Late, Unavailable};
use crate::report;
use crate::report::finding::{Finding, Slide};
use crate::report::state::is_waiting;

/// Time the appliance needs besides capture and analysis, to record and to draw.
const MARGIN: Duration = Duration::from_secs(5);
/// How long to retry a press: the appliance reports that it waits shortly before it reads the button.
const PRESS_RETRY: Duration = Duration::from_secs(1);

/// Captures and analyses the field under the microscope, like a short press of the button.
#[utoipa::path(post, path = "/v1/captures", tag = "bench", responses(
    (status = 201, description = "The finding.", body = Finding),
    Busy, Unavailable, Late,
))]
pub(crate) async fn capture(
    State(handle): State<ApplianceHandle>,
    State(config): State<Arc<Config>>,
) -> Result<(StatusCode, Json<Finding>), Problem> {
    // Subscribe before the press, so that its outcome is not missed.
    let mut events = handle.events();
    let Some(asked) = press(&handle, ButtonEvent::Press).await else {
        return Err(busy(&handle));
    };
    let finding = outcome(&handle, &config, &mut events, asked, |event| match event {
        // Never return the finding of an earlier press.
        ApplianceEvent::Analysed(report) if report.asked >= asked => Some(Finding::from(&**report)),
        _ => None,
    });
    let finding = finding.await?;
    settled(&handle, |status| is_waiting(&status.state)).await;
    Ok((StatusCode::CREATED, Json(finding)))
}

/// The closed slide and the next one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NextSlide {
    /// The slide that was closed; null if it had no fields and therefore stays open.
    #[schema(required)]
    closed: Option<Slide>,
    /// Number of the slide under the microscope now.
    slide: u32,
}

/// Closes the slide, like a long press of the button.
#[utoipa::path(post, path = "/v1/slides/next", tag = "bench", responses(
    (status = 200, description = "The closed slide and the number of the next one.", body = NextSlide),
    Busy, Unavailable, Late,
))]
pub(crate) async fn next_slide(
    State(handle): State<ApplianceHandle>,
    State(config): State<Arc<Config>>,
) -> Result<Json<NextSlide>, Problem> {
    let mut events = handle.events();
    let asked = Instant::now();
    let status = handle.status().borrow().clone();
    if !is_waiting(&status.state) {
        return Err(busy(&handle));
    }
    let slide = status.slide;
    if status.fields + status.refused + status.unsaved == 0 {
        return Ok(Json(NextSlide {
            closed: None,
            slide,
        }));
    }
    if !handle.button().send(ButtonEvent::NextSlide) {
        return Err(busy(&handle));
    }
    let closed = outcome(&handle, &config, &mut events, asked, |event| match event {
        ApplianceEvent::SlideClosed(summary) if summary.slide >= slide => {
            Some(Slide::from(summary))
        }
        _ => None,
    })
    .await?;
    settled(&handle, |status| status.slide > slide).await;
    Ok(Json(NextSlide {
        closed: Some(closed),
        slide: slide.saturating_add(1),
    }))
}

/// Shows the last verdict on the screen and the LEDs again, like a double press of the button.
#[utoipa::path(post, path = "/v1/repeat", tag = "bench", responses(
    (status = 200, description = "The state, which shows the verdict.", body = report::state::State),
    Busy,
))]
pub(crate) async fn repeat(
    State(handle): State<ApplianceHandle>,
) -> Result<Json<report::state::State>, Problem> {
    let status = handle.status().borrow().clone();
    if is_waiting(&status.state) && !status.can_repeat {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "no verdict since the program started; capture a field first",
        ));
    }
    if press(&handle, |_| ButtonEvent::Repeat).await.is_none() {
        return Err(busy(&handle));
    }
    settled(&handle, |status| {
        matches!(*status.state, state::State::Again(_))
    })
    .await;
    let shown = report::state::State::from(&*handle.status().borrow());
    Ok(Json(shown))
}

/// What switching off affects.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Off {
    /// Whether the machine switches off, too (`switch_off` in the configuration); otherwise only the program ends.
    machine: bool,
}

/// Closes the slide and switches off, like holding the button. A capture in progress is finished first. The
/// appliance can only be switched on again on site.
#[utoipa::path(post, path = "/v1/off", tag = "bench", responses(
    (status = 202, description = "The appliance will switch off.", body = Off),
    Busy,
))]
pub(crate) async fn off(
    State(handle): State<ApplianceHandle>,
    State(config): State<Arc<Config>>,
) -> Result<(StatusCode, Json<Off>), Problem> {
    let button = handle.button();
    if !button.send(ButtonEvent::NextSlide) || !button.shutdown() {
        return Err(busy(&handle));
    }
    log::warn!("switched off over HTTP");
    let machine = !config.switch_off.is_empty();
    Ok((StatusCode::ACCEPTED, Json(Off { machine })))
}

/// Presses the button and returns when; `None` if the appliance is busy.
async fn press(
    handle: &ApplianceHandle,
    event: impl Fn(Instant) -> ButtonEvent,
) -> Option<Instant> {
    let deadline = Instant::now() + PRESS_RETRY;
    loop {
        // A final fault accepts a press but does nothing.
        if !is_waiting(&handle.status().borrow().state) {
            return None;
        }
        let now = Instant::now();
        if handle.button().send(event(now)) {
            return Some(now);
        }
        if now > deadline {
            return None;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until the status shows what an event announced, so that the client's next request sees it.
async fn settled(handle: &ApplianceHandle, is_shown: impl FnMut(&Status) -> bool) {
    let mut status = handle.status();
    // Without that, the answer is still right.
    let _ = timeout(MARGIN, status.wait_for(is_shown)).await;
}

fn is_working(state: &state::State) -> bool {
    matches!(state, state::State::Capturing(_) | state::State::Analysing)
}

/// Waits for the outcome of the press at `asked`, as long as capture and analysis may take.
async fn outcome<T>(
    handle: &ApplianceHandle,
    config: &Config,
    events: &mut Receiver<ApplianceEvent>,
    asked: Instant,
    wanted: impl Fn(&ApplianceEvent) -> Option<T>,
) -> Result<T, Problem> {
    let timing = &config.timing;
    let search = async {
        loop {
            match events.recv().await {
                // A failure that belongs to no press may arrive first; keep waiting.
                Ok(ApplianceEvent::Failed {
                    fault,
                    asked: Some(of),
                }) if of >= asked => {
                    settled(handle, |status| !is_working(&status.state)).await;
                    return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, fault.message));
                }
                Ok(event) => {
                    if let Some(found) = wanted(&event) {
                        return Ok(found);
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => {
                    return Err(Problem::new(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "the appliance has ended",
                    ));
                }
            }
        }
    };
    timeout(timing.capture + timing.analysis + MARGIN, search)
        .await
        .unwrap_or_else(|_| {
            Err(Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                "the appliance did not finish in time; check it on site",
            ))
        })
}

fn busy(handle: &ApplianceHandle) -> Problem {
    let status = handle.status();
    let state = status.borrow().state.name().to_owned();
    Problem::new(
        StatusCode::CONFLICT,
        format!("the appliance is busy ({state}); try again later"),
    )
    .retry_after(1)
}
