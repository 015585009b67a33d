//! Metrics for Prometheus, in its text format or, for clients that ask for it, in `OpenMetrics`.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::analysis::finding::SaveOutcome;
use crate::analysis::pool::Pool;
use crate::analysis::reading::CellsReading;
use crate::analysis::stage_times::StageTimes;
use crate::appliance::handle::{ApplianceEvent, ApplianceHandle, Status};
use crate::appliance::state;
use crate::config::Config;
use crate::http::blocking::blocking;
use crate::http::problem::Problem;
use crate::records::{Archive, Condition};
use crate::system::disk::DiskUsage;
use crate::system::host_metrics;
use crate::system::shutdown::Shutdown;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

type Label = [(&'static str, &'static str); 1];

/// Counters since the program started.
pub(crate) struct Metrics {
    verdicts: Family<Label, Counter>,
    slides: Family<Label, Counter>,
    /// Of models that count cells: class and call.
    cells: Family<Vec<(&'static str, String)>, Counter>,
    stages: Family<Label, Histogram, fn() -> Histogram>,
    faults: Counter,
    missed: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            verdicts: Family::default(),
            slides: Family::default(),
            cells: Family::default(),
            // 1 ms to 33 s.
            stages: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.001, 2.0, 16))
            }),
            faults: Counter::default(),
            missed: Counter::default(),
        }
    }
}

/// Gauges, read for each request.
struct Gauges {
    status: Status,
    /// Uploaded images that are queued or being analysed.
    queue: usize,
    celsius: Option<f64>,
    /// Faults that last now.
    faults: usize,
    disk: Option<DiskUsage>,
    /// Recorded verdicts that the broker does not have yet.
    undelivered: Option<u64>,
    records: Condition,
}

impl Metrics {
    /// Counts events until the appliance or the network shuts down.
    pub(crate) async fn count(
        self: Arc<Self>,
        mut events: Receiver<ApplianceEvent>,
        mut shutdown: Shutdown,
    ) {
        loop {
            tokio::select! {
                biased;
                () = shutdown.wait() => return,
                event = events.recv() => match event {
                    Ok(event) => self.count_event(&event),
                    Err(RecvError::Lagged(missed)) => {
                        self.missed.inc_by(missed);
                    }
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }

    fn count_event(&self, event: &ApplianceEvent) {
        match event {
            ApplianceEvent::Analysed(report) => {
                let verdict = report.finding.field.judgement.verdict().as_str();
                self.verdicts.get_or_create(&[("verdict", verdict)]).inc();
                self.observe(&report.times);
                // The cells of a field that is not saved do not count; it is taken again.
                let is_kept = report.finding.saved != SaveOutcome::NotSaved;
                if let Some(cells) = report.finding.field.cells().filter(|_| is_kept) {
                    self.count_cells(cells);
                }
            }
            ApplianceEvent::SlideClosed(summary) => {
                let verdict = summary.judgement.verdict().as_str();
                self.slides.get_or_create(&[("verdict", verdict)]).inc();
            }
            ApplianceEvent::Failed { .. } => {
                self.faults.inc();
            }
        }
    }

    /// Counts the new cells of a field.
    fn count_cells(&self, reading: &CellsReading) {
        let cells = reading.field.cells.iter().zip(&reading.is_new);
        for (cell, _) in cells.filter(|(_, is_new)| **is_new) {
            let labels = vec![
                ("class", reading.class(cell).to_owned()),
                ("call", cell.call.name().to_owned()),
            ];
            self.cells.get_or_create(&labels).inc();
        }
    }

    fn observe(&self, times: &StageTimes) {
        for (stage, time) in times.by_name() {
            self.stages
                .get_or_create(&[("stage", stage)])
                .observe(time.as_secs_f64());
        }
    }

    #[expect(clippy::too_many_lines, reason = "a list of the metrics")]
    fn encode(&self, gauges: Gauges) -> Result<String, std::fmt::Error> {
        let warnings = gauges.status.warnings().len();
        let mut registry = Registry::with_prefix("smearscope");
        registry.register(
            "build",
            "Version of the program",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        if let Some(identity) = gauges.status.identity {
            let labels = [
                ("model", identity.model),
                ("engine", identity.engine),
                ("demo", identity.is_demo.to_string()),
            ];
            registry.register("model", "The running model", Info::new(labels));
        }
        registry.register("verdicts", "Fields by verdict", self.verdicts.clone());
        registry.register("slides", "Closed slides by verdict", self.slides.clone());
        registry.register(
            "cells",
            "Cells by class and what they count as, each once per slide",
            self.cells.clone(),
        );
        registry.register_with_unit(
            "stage",
            "Duration of the stages of a field",
            Unit::Seconds,
            self.stages.clone(),
        );
        registry.register("faults", "Faults since the start", self.faults.clone());
        registry.register(
            "missed_happenings",
            "Events that were not counted",
            self.missed.clone(),
        );
        let mut gauge = |name, help, unit: Option<Unit>, value: f64| {
            let gauge = Gauge::<f64, AtomicU64>::default();
            gauge.set(value);
            match unit {
                Some(unit) => registry.register_with_unit(name, help, unit, gauge),
                None => registry.register(name, help, gauge),
            }
        };
        let is_faulty = matches!(*gauges.status.state, state::State::Fault(_));
        gauge(
            "fault",
            "1 while a fault is shown",
            None,
            f64::from(u8::from(is_faulty)),
        );
        gauge(
            "faults_present",
            "Faults that there are now, also those that are not shown",
            None,
            gauges.faults as f64,
        );
        gauge(
            "warnings",
            "Things that are not as they should be, although they prevent no capture",
            None,
            warnings as f64,
        );
        gauge(
            "queue_images",
            "Uploaded images that are queued or being analysed",
            None,
            gauges.queue as f64,
        );
        if let Some(celsius) = gauges.celsius {
            gauge(
                "temperature",
                "Temperature of the processor",
                Some(Unit::Celsius),
                celsius,
            );
        }
        if let Some(disk) = gauges.disk {
            let bytes = || Some(Unit::Bytes);
            gauge(
                "disk_free",
                "Bytes that the appliance may still write",
                bytes(),
                disk.free as f64,
            );
            gauge(
                "disk_size",
                "Size of the file system",
                bytes(),
                disk.total as f64,
            );
        }
        if let Some(undelivered) = gauges.undelivered {
            gauge(
                "mqtt_undelivered_verdicts",
                "Recorded verdicts that the broker does not have yet",
                None,
                undelivered as f64,
            );
        }
        if let Some(result) = &gauges.records.verification {
            gauge(
                "records_damaged",
                "Damages that the last recorded verification of the records found",
                None,
                result.damaged as f64,
            );
            if let Ok(time) = result.verified_at.parse::<Timestamp>() {
                gauge(
                    "records_verified_timestamp",
                    "When the last recorded verification of the records ended",
                    Some(Unit::Seconds),
                    time.as_second() as f64,
                );
            }
        }
        gauge(
            "records_losses",
            "Losses of rows that an operator has not dealt with yet",
            None,
            gauges.records.losses.len() as f64,
        );
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

/// Whether a client prefers `OpenMetrics` to the text format.
fn wants_open_metrics(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter();
    let ranges: Vec<&str> = accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let weight = |kind: &str| {
        let weights = ranges.iter().filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let is_this = parts.next()?.eq_ignore_ascii_case(kind);
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            is_this.then(|| weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0)))
        });
        weights.fold(0.0, f64::max)
    };
    let open_metrics = weight("application/openmetrics-text");
    open_metrics > 0.0 && open_metrics >= weight("text/plain")
}

/// Turns `OpenMetrics` into the text format 0.0.4, in which a metric has the name of its samples, there is no type
/// `info`, and units and the end are not marked.
fn to_text(open_metrics: &str) -> String {
    let mut text = String::new();
    let mut help = "";
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.split_once(' '))
        {
            let (ending, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                _ => ("", kind),
            };
            let name = format!("{name}{ending}");
            text.extend([
                "# HELP ",
                &name,
                " ",
                help,
                "\n# TYPE ",
                &name,
                " ",
                kind,
                "\n",
            ]);
        } else if !line.starts_with('#') {
            text.extend([line, "\n"]);
        }
    }
    text
}

/// Metrics for Prometheus: verdicts, stage durations, faults, temperature, disk, undelivered verdicts.
#[utoipa::path(get, path = "/metrics", tag = "metrics", responses(
    (status = 200, description = "Metrics, in the format that the header `Accept` asks for.", content(
        (String = "text/plain"), (String = "application/openmetrics-text"),
    )),
))]
pub(crate) async fn metrics(
    headers: HeaderMap,
    State(handle): State<ApplianceHandle>,
    State(pool): State<Arc<Pool>>,
    State(config): State<Arc<Config>>,
    State(metrics): State<Arc<Metrics>>,
) -> Result<Response, Problem> {
    let status = handle.status().borrow().clone();
    let queue = pool.depth();
    let faults = handle.fault_log().lasting();
    let read = move || Gauges {
        status,
        queue,
        faults,
        celsius: host_metrics::temperature(),
        disk: config.state().and_then(|folder| DiskUsage::of(folder).ok()),
        undelivered: undelivered(&config),
        records: config.state().map(Condition::of).unwrap_or_default(),
    };
    let gauges = blocking(read).await?;
    let text = metrics.encode(gauges);
    let text = text.map_err(|error| Problem::internal(&format!("metrics: {error}")))?;
    Ok(if wants_open_metrics(&headers) {
        ([(CONTENT_TYPE, OPEN_METRICS)], text)
    } else {
        ([(CONTENT_TYPE, TEXT)], to_text(&text))
    }
    .into_response())
}

/// Verdicts that the broker does not have yet; `None` if that is unknown, for example before the first record.
fn undelivered(config: &Config) -> Option<u64> {
    let destination = config.mqtt.as_ref()?.destination();
    let archive = Archive::open(config.state()?).ok()?;
    archive.undelivered(&destination).ok()?
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::appliance::handle::connect;
    use crate::appliance::handle::tests::report;
    use crate::appliance::state::Fault;

    #[test]
    fn open_metrics_are_for_those_who_ask_for_them() {
        let wants = |accept: &'static str| {
            let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
            wants_open_metrics(&headers)
        };
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;\
                          q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        assert!(wants(prometheus));
        assert!(wants("application/openmetrics-text"));
        for other in [
            "*/*",
            "text/plain",
            "application/openmetrics-text;q=0",
            "text/plain, application/openmetrics-text;q=0.5",
        ] {
            assert!(!wants(other), "{other}");
        }
        assert!(!wants_open_metrics(&HeaderMap::new()));
    }

    #[test]
    fn the_text_format_names_metrics_like_their_samples() {
        let open_metrics = "# HELP a_faults Faults.\n# TYPE a_faults counter\na_faults_total 2\n\
                            # HELP a_stage_seconds Time.\n# TYPE a_stage_seconds histogram\n# UNIT a_stage_seconds seconds\n\
                            a_stage_seconds_sum 1.5\n# HELP a_build Version.\n# TYPE a_build info\na_build_info{v=\"1\"} 1\n# EOF\n";
        assert_eq!(
            to_text(open_metrics),
            "# HELP a_faults_total Faults.\n# TYPE a_faults_total counter\na_faults_total 2\n\
             # HELP a_stage_seconds Time.\n# TYPE a_stage_seconds histogram\na_stage_seconds_sum 1.5\n\
             # HELP a_build_info Version.\n# TYPE a_build_info gauge\na_build_info{v=\"1\"} 1\n"
        );
    }

    #[test]
    fn events_are_counted_and_unknown_gauges_left_out() {
        let metrics = Metrics::default();
        let mut report = report();
        report.times = StageTimes {
            capture: Some(Duration::from_millis(300)),
            gate: Duration::from_millis(25),
            ..StageTimes::default()
        };
        let report = Arc::new(report);
        for _ in 0..2 {
            metrics.count_event(&ApplianceEvent::Analysed(Arc::clone(&report)));
        }
        metrics.count_event(&ApplianceEvent::SlideClosed(report.finding.slide));
        metrics.count_event(&ApplianceEvent::Failed {
            fault: Fault {
                message: "the camera is gone".into(),
                is_final: false,
            },
            asked: None,
        });
        let (handle, _inside) = connect();
        let gauges = |celsius| {
            Gauges {
            status: handle.status().borrow().clone(),
            queue: 3,
            celsius,
            faults: 2,
            disk: Some(DiskUsage {
                total: 7,
                used: 2,
                free: 5,
                free_files: None,
                is_read_only: false,
            }),
            undelivered: None,
            records: Condition {
                losses: Vec::new(),
                verification: serde_json::from_value(serde_json::json!({
                    "verified_at": "2026-05-01T12:00:00.000Z", "rows": 9, "images": 8, "orphans": 0, "damaged": 2,
                    "first_damages": ["row 3 (field) has changed since it was written"],
                }))
                .unwrap(),
            },
        }
        };
        let text = metrics.encode(gauges(Some(41.5))).unwrap();
        for line in [
            "smearscope_verdicts_total{verdict=\"Positive\"} 2",
            "smearscope_slides_total{verdict=\"Positive\"} 1",
            "smearscope_faults_total 1",
            "smearscope_fault 0.0",
            "smearscope_stage_seconds_count{stage=\"capture\"} 2",
            "smearscope_stage_seconds_bucket{le=\"0.256\",stage=\"capture\"} 0",
            "smearscope_stage_seconds_bucket{le=\"0.512\",stage=\"capture\"} 2",
            "smearscope_queue_images 3.0",
            "smearscope_faults_present 2.0",
            "smearscope_warnings 0.0",
            "smearscope_temperature_celsius 41.5",
            "smearscope_disk_free_bytes 5.0",
            "smearscope_records_damaged 2.0",
            "smearscope_records_verified_timestamp_seconds 1777636800.0",
            "smearscope_records_losses 0.0",
            concat!(
                "smearscope_build_info{version=\"",
                env!("CARGO_PKG_VERSION"),
                "\"} 1"
            ),
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
        assert!(
            !text.contains("inference") && !text.contains("undelivered"),
            "{text}"
        );
        assert!(!metrics.encode(gauges(None)).unwrap().contains("celsius"));
    }
}
