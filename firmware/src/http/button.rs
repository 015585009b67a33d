//! The button over HTTP: a field of view, the next slide, the last verdict again, or off.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use smearscope_hardware::ButtonEvent;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::{sleep, timeout};
use utoipa::ToSchema;

use crate::appliance::handle::{ApplianceEvent, Status};
use crate::appliance::state;
use crate::http::Context;
use crate::http::problem::{Details, Problem};
use crate::report::types::{self, Finding, Slide, is_waiting};

/// What the loop needs beside picture and analysis, to draw and to keep them.
const MARGIN: Duration = Duration::from_secs(5);
/// The loop says that it waits a moment before it listens to the button.
const MOMENT: Duration = Duration::from_secs(1);

/// Photographs the field under the microscope and analyses it, as a short press of the button does.
#[utoipa::path(post, path = "/v1/captures", tag = "bench", responses(
    (status = 201, description = "The finding.", body = Finding),
    (status = 409, description = "The appliance is doing something else.", body = Details, content_type = "application/problem+json"),
    (status = 503, description = "It failed, and why.", body = Details, content_type = "application/problem+json"),
    (status = 504, description = "Nothing came of it in time.", body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn capture(
    State(context): State<Context>,
) -> Result<(StatusCode, Json<Finding>), Problem> {
    // Before the press: its outcome may be there at once.
    let mut events = context.handle.events();
    let Some(asked) = press(&context, ButtonEvent::Press).await else {
        return Err(busy(&context));
    };
    let finding = outcome(&context, &mut events, asked, |event| match event {
        // A finding of an earlier press must never pass for this one's.
        ApplianceEvent::Analysed(report) if report.asked >= asked => Some(Finding::from(&**report)),
        _ => None,
    });
    let finding = finding.await?;
    settled(&context, |status| is_waiting(&status.state)).await;
    Ok((StatusCode::CREATED, Json(finding)))
}

/// What the end of a slide came to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NextSlide {
    /// The slide that was closed; null if nothing had been photographed of it, so that it goes on.
    #[schema(required)]
    closed: Option<Slide>,
    /// Number of the slide under the microscope now.
    slide: u32,
}

/// Closes the slide, as a long press of the button does.
#[utoipa::path(post, path = "/v1/slides/next", tag = "bench", responses(
    (status = 200, description = "What the slide came to, and which is the next.", body = NextSlide),
    (status = 409, description = "The appliance is doing something else.", body = Details, content_type = "application/problem+json"),
    (status = 503, description = "It failed, and why.", body = Details, content_type = "application/problem+json"),
    (status = 504, description = "Nothing came of it in time.", body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn next_slide(State(context): State<Context>) -> Result<Json<NextSlide>, Problem> {
    let mut events = context.handle.events();
    let asked = Instant::now();
    let status = context.handle.status().borrow().clone();
    if !is_waiting(&status.state) {
        return Err(busy(&context));
    }
    let slide = status.slide;
    if status.fields + status.refused + status.unsaved == 0 {
        return Ok(Json(NextSlide {
            closed: None,
            slide,
        }));
    }
    if !context.handle.button().send(ButtonEvent::NextSlide) {
        return Err(busy(&context));
    }
    let closed = outcome(&context, &mut events, asked, |event| match event {
        ApplianceEvent::SlideClosed(standing) if standing.slide >= slide => {
            Some(Slide::from(standing))
        }
        _ => None,
    })
    .await?;
    settled(&context, |status| status.slide > slide).await;
    Ok(Json(NextSlide {
        closed: Some(closed),
        slide: slide.saturating_add(1),
    }))
}

/// Shows the last verdict on the screen and the LEDs again, as a double press of the button does.
#[utoipa::path(post, path = "/v1/repeat", tag = "bench", responses(
    (status = 200, description = "The appliance, which shows it.", body = types::State),
    (status = 409, description = "There is none, or the appliance is doing something else.", body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn repeat(State(context): State<Context>) -> Result<Json<types::State>, Problem> {
    let status = context.handle.status().borrow().clone();
    if is_waiting(&status.state) && !status.can_repeat {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "there is no verdict since the program started; photograph a field first",
        ));
    }
    if press(&context, |_| ButtonEvent::Repeat).await.is_none() {
        return Err(busy(&context));
    }
    settled(&context, |status| {
        matches!(*status.state, state::State::Again(_))
    })
    .await;
    let shown = types::State::from(&*context.handle.status().borrow());
    Ok(Json(shown))
}

/// What is switched off.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Off {
    /// Whether the machine is switched off as well, as `switch_off` in the configuration says; otherwise only the
    /// program ends.
    machine: bool,
}

/// Closes the slide and switches off, as holding the button does: at once, or after what the appliance is doing.
/// Only somebody at the machine can switch it on again.
#[utoipa::path(post, path = "/v1/off", tag = "bench", responses(
    (status = 202, description = "It will.", body = Off),
    (status = 409, description = "Too much is asked of it at once.", body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn off(
    State(context): State<Context>,
) -> Result<(StatusCode, Json<Off>), Problem> {
    let button = context.handle.button();
    if !button.send(ButtonEvent::NextSlide) || !button.shutdown() {
        return Err(busy(&context));
    }
    log::warn!("switched off over HTTP");
    let machine = !context.config.switch_off.is_empty();
    Ok((StatusCode::ACCEPTED, Json(Off { machine })))
}

/// Presses the button at the moment that comes out; never, if the appliance is doing something else.
async fn press(context: &Context, event: impl Fn(Instant) -> ButtonEvent) -> Option<Instant> {
    let patience = Instant::now() + MOMENT;
    loop {
        // A final fault accepts a press, and does nothing.
        if !is_waiting(&context.handle.status().borrow().state) {
            return None;
        }
        let now = Instant::now();
        if context.handle.button().send(event(now)) {
            return Some(now);
        }
        if now > patience {
            return None;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until the status says what has happened already, so that whoever asks next is not told the old one.
async fn settled(context: &Context, is_told: impl FnMut(&Status) -> bool) {
    let mut status = context.handle.status();
    // Late or gone, what happened has happened.
    let _ = timeout(MARGIN, status.wait_for(is_told)).await;
}

fn is_working(state: &state::State) -> bool {
    matches!(state, state::State::Capturing(_) | state::State::Analysing)
}

/// Waits for what came of a press of this moment, within the time that it may take.
async fn outcome<T>(
    context: &Context,
    events: &mut Receiver<ApplianceEvent>,
    asked: Instant,
    wanted: impl Fn(&ApplianceEvent) -> Option<T>,
) -> Result<T, Problem> {
    let timing = &context.config.timing;
    let search = async {
        loop {
            match events.recv().await {
                // One that nobody asked for may have come just before the press, which goes on.
                Ok(ApplianceEvent::Failed {
                    fault,
                    asked: Some(of),
                }) if of >= asked => {
                    settled(context, |status| !is_working(&status.state)).await;
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
                "nothing came of it in time; look at the bench",
            ))
        })
}

fn busy(context: &Context) -> Problem {
    let status = context.handle.status();
    let state = status.borrow().state.name().to_owned();
    Problem::new(
        StatusCode::CONFLICT,
        format!("the appliance is not waiting for a press ({state}); try again when it is"),
    )
    .retry_after(1)
}
