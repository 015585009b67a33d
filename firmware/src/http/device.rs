//! The appliance itself: what it is, how it is, how it is set up.

use std::path::Path;

use axum::Json;
use axum::extract;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::Context;
use crate::http::blocking;
use crate::http::problem::Problem;
use crate::report::types::State;
use crate::system::host_metrics;

/// What the appliance is, and how it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Device {
    /// Version of the program.
    version: &'static str,
    /// What it is doing.
    state: State,
    /// The model at work; null until it is loaded.
    #[schema(required)]
    model: Option<Model>,
    /// What the self-test found; null until it is done.
    #[schema(required)]
    self_test: Option<SelfTest>,
    /// Of the processor, in degrees Celsius; null where there is no sensor.
    #[schema(required)]
    temperature_celsius: Option<f64>,
    /// Room for what is kept; null where nothing is.
    #[schema(required)]
    disk: Option<Disk>,
}

/// The model at work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Model {
    /// Name and version.
    name: String,
    /// Engine and device that really run.
    engine: String,
    /// Whether it is a demonstration model, whose verdicts mean nothing.
    demo: bool,
}

/// What the self-test found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SelfTest {
    /// Whether all is as it must be.
    passed: bool,
    /// A line each; what is wrong comes first.
    lines: Vec<String>,
}

/// Room on the disk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Disk {
    /// What the appliance may still write, in bytes.
    free_bytes: u64,
    /// All of it, in bytes.
    total_bytes: u64,
}

/// What the appliance is, what it is doing, and how it is.
#[utoipa::path(get, path = "/v1/device", tag = "device", responses(
    (status = 200, description = "What it is and how it is.", body = Device),
))]
pub(crate) async fn device(
    extract::State(context): extract::State<Context>,
) -> Result<Json<Device>, Problem> {
    let status = context.handle.status().borrow().clone();
    let kept = context.config.state().map(Path::to_path_buf);
    let disk = |folder: &Path| host_metrics::room(folder).ok();
    let host_metrics = move || (host_metrics::temperature(), kept.as_deref().and_then(disk));
    let (temperature_celsius, disk) = blocking(host_metrics).await?;
    Ok(Json(Device {
        version: env!("CARGO_PKG_VERSION"),
        state: State::from(&status),
        model: status.identity.map(|identity| Model {
            name: identity.model,
            engine: identity.engine,
            demo: identity.is_demo,
        }),
        self_test: status.self_test.map(|found| SelfTest {
            passed: found.passed,
            lines: found.lines,
        }),
        temperature_celsius,
        disk: disk.map(|disk| Disk {
            free_bytes: disk.free,
            total_bytes: disk.total,
        }),
    }))
}

/// The configuration in use, by sections and keys; passwords are hidden.
#[utoipa::path(get, path = "/v1/config", tag = "device", responses(
    (status = 200, description = "Sections, and in them keys.", body = serde_json::Map<String, Value>),
))]
pub(crate) async fn configuration(
    extract::State(context): extract::State<Context>,
) -> Result<Json<Value>, Problem> {
    let shown = serde_json::to_value(&context.config.raw).map_err(|error| {
        // Only a path that is not UTF-8 cannot be written.
        Problem::internal(&format!("the configuration cannot be written: {error}"))
    })?;
    Ok(Json(shown))
}
