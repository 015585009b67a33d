//! The appliance: state, health and configuration.

use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::extract;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::appliance::handle::ApplianceHandle;
use crate::appliance::self_test::SelfTest;
use crate::config::Config;
use crate::http::blocking::blocking;
use crate::http::problem::Problem;
use crate::records::{Condition, FaultEntry};
use crate::report::state::State;
use crate::system::disk::DiskUsage;
use crate::system::host_metrics;

/// The appliance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Device {
    /// Version of the program.
    version: &'static str,
    /// The current state.
    state: State,
    /// The running model; null until it is loaded.
    #[schema(required)]
    model: Option<Model>,
    /// Result of the self-test; null until it is finished.
    #[schema(required)]
    self_test: Option<SelfTest>,
    /// Temperature of the processor in degrees Celsius; null without a sensor.
    #[schema(required)]
    temperature_c: Option<f64>,
    /// Disk space for records; null if no records are kept.
    #[schema(required)]
    disk: Option<Disk>,
    /// What is known to be wrong with the records; null if no records are kept.
    #[schema(required)]
    records: Option<Condition>,
}

/// The running model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Model {
    /// Name and version.
    name: String,
    /// Engine and device in use.
    engine: String,
    /// Whether it is a demonstration model, whose verdicts are meaningless.
    demo: bool,
}

/// Disk space.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Disk {
    /// Bytes that the appliance may still write.
    free_bytes: u64,
    /// Size of the file system in bytes.
    total_bytes: u64,
}

/// State, model, self-test, temperature and disk of the appliance.
#[utoipa::path(get, path = "/v1/device", tag = "device", responses(
    (status = 200, description = "The appliance.", body = Device),
))]
pub(crate) async fn device(
    extract::State(handle): extract::State<ApplianceHandle>,
    extract::State(config): extract::State<Arc<Config>>,
) -> Result<Json<Device>, Problem> {
    let status = handle.status().borrow().clone();
    let measure = move || {
        let usage = |folder: &Path| DiskUsage::of(folder).ok();
        (
            host_metrics::temperature(),
            config.state().and_then(usage),
            config.state().map(Condition::of),
        )
    };
    let (temperature_c, disk, records) = blocking(measure).await?;
    Ok(Json(Device {
        version: env!("CARGO_PKG_VERSION"),
        state: State::from(&status),
        model: status.identity.map(|identity| Model {
            name: identity.model,
            engine: identity.engine,
            demo: identity.is_demo,
        }),
        self_test: status.self_test,
        temperature_c,
        disk: disk.map(|disk| Disk {
            free_bytes: disk.free,
            total_bytes: disk.total,
        }),
        records,
    }))
}

/// The last faults, newest first, also those of earlier runs.
#[utoipa::path(get, path = "/v1/faults", tag = "device", responses(
    (status = 200, description = "At most 200 faults.", body = Vec<FaultEntry>),
))]
pub(crate) async fn faults(
    extract::State(handle): extract::State<ApplianceHandle>,
) -> Json<Vec<FaultEntry>> {
    Json(handle.fault_log().newest_first().cloned().collect())
}

/// The configuration in use, in the form of its file. Passwords are hidden.
#[utoipa::path(get, path = "/v1/config", tag = "device", responses(
    (status = 200, description = "Sections with their keys.", body = serde_json::Map<String, Value>),
))]
pub(crate) async fn configuration(
    extract::State(config): extract::State<Arc<Config>>,
) -> Result<Json<Value>, Problem> {
    let shown = serde_json::to_value(&config.raw).map_err(|error| {
        // A path that is not UTF-8.
        Problem::internal(&format!("cannot serialize the configuration: {error}"))
    })?;
    Ok(Json(shown))
}
