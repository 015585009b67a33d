//! How often and how long, in the text format of `OpenMetrics`, which Prometheus reads.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::analysis::finding::StageTimes;
use crate::appliance::handle::{ApplianceEvent, Status};
use crate::appliance::state;
use crate::config::Config;
use crate::http::Context;
use crate::http::blocking;
use crate::http::problem::Problem;
use crate::mqtt;
use crate::records::Archive;
use crate::system::host_metrics::{self, Room};
use crate::system::shutdown::Shutdown;

const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Label = [(&'static str, &'static str); 1];

/// What is counted from the start of the program on.
pub(crate) struct Metrics {
    verdicts: Family<Label, Counter>,
    slides: Family<Label, Counter>,
    stages: Family<Label, Histogram, fn() -> Histogram>,
    faults: Counter,
    missed: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            verdicts: Family::default(),
            slides: Family::default(),
            // 1 ms to 33 s.
            stages: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.001, 2.0, 16))
            }),
            faults: Counter::default(),
            missed: Counter::default(),
        }
    }
}

/// What is looked at when somebody asks.
struct Now {
    status: Status,
    /// Images from the network that are analysed or wait for that.
    depth: usize,
    celsius: Option<f64>,
    disk: Option<Room>,
    /// Verdicts that the broker does not have yet.
    undelivered: Option<u64>,
}

impl Metrics {
    /// Counts what happens until the appliance or the network ends.
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
                    Ok(event) => self.happened(&event),
                    Err(RecvError::Lagged(missed)) => {
                        self.missed.inc_by(missed);
                    }
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }

    fn happened(&self, event: &ApplianceEvent) {
        match event {
            ApplianceEvent::Analysed(report) => {
                let verdict = report.finding.field.verdict.word();
                self.verdicts.get_or_create(&[("verdict", verdict)]).inc();
                self.took(&report.times);
            }
            ApplianceEvent::SlideClosed(standing) => {
                let verdict = standing.verdict.word();
                self.slides.get_or_create(&[("verdict", verdict)]).inc();
            }
            ApplianceEvent::Failed { .. } => {
                self.faults.inc();
            }
        }
    }

    fn took(&self, took: &StageTimes) {
        let StageTimes {
            capture,
            preparation,
            inference,
            storing,
        } = *took;
        for (stage, took) in [
            ("capture", Some(capture)),
            ("preparation", Some(preparation)),
            ("inference", inference),
            ("storing", storing),
        ] {
            if let Some(took) = took.as_ref().map(Duration::as_secs_f64) {
                self.stages.get_or_create(&[("stage", stage)]).observe(took);
            }
        }
    }

    fn written(&self, now: Now) -> Result<String, std::fmt::Error> {
        let mut registry = Registry::with_prefix("smearscope");
        registry.register(
            "build",
            "The program",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        if let Some(identity) = now.status.identity {
            let labels = [
                ("model", identity.model),
                ("engine", identity.engine),
                ("demo", identity.is_demo.to_string()),
            ];
            registry.register("model", "The model at work", Info::new(labels));
        }
        registry.register("verdicts", "Fields by verdict", self.verdicts.clone());
        registry.register("slides", "Closed slides by verdict", self.slides.clone());
        registry.register_with_unit(
            "stage",
            "How long the stages of a field took",
            Unit::Seconds,
            self.stages.clone(),
        );
        registry.register("faults", "What failed", self.faults.clone());
        registry.register(
            "missed_happenings",
            "What happened and is not counted here",
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
        let is_faulty = matches!(*now.status.state, state::State::Fault(_));
        gauge(
            "fault",
            "Whether a fault is shown",
            None,
            f64::from(u8::from(is_faulty)),
        );
        gauge(
            "queue_images",
            "Images from the network that are analysed or wait for that",
            None,
            now.depth as f64,
        );
        if let Some(celsius) = now.celsius {
            gauge(
                "temperature",
                "Of the processor",
                Some(Unit::Celsius),
                celsius,
            );
        }
        if let Some(disk) = now.disk {
            let bytes = || Some(Unit::Bytes);
            gauge(
                "disk_free",
                "What may still be written",
                bytes(),
                disk.free as f64,
            );
            gauge("disk_size", "All of it", bytes(), disk.total as f64);
        }
        if let Some(undelivered) = now.undelivered {
            gauge(
                "mqtt_undelivered_verdicts",
                "Recorded verdicts that the broker does not have yet",
                None,
                undelivered as f64,
            );
        }
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

/// How often and how long, for Prometheus: verdicts, stages, faults, temperature, disk, what is not delivered yet.
#[utoipa::path(get, path = "/metrics", tag = "metrics", responses(
    (status = 200, description = "Metrics.", body = String, content_type = "application/openmetrics-text"),
))]
pub(crate) async fn metrics(State(context): State<Context>) -> Result<Response, Problem> {
    let status = context.handle.status().borrow().clone();
    let depth = context.pool.depth();
    let config = Arc::clone(&context.config);
    let look = move || Now {
        status,
        depth,
        celsius: host_metrics::temperature(),
        disk: config
            .state()
            .and_then(|folder| host_metrics::room(folder).ok()),
        undelivered: undelivered(&config),
    };
    let now = blocking(look).await?;
    let text = context.metrics.written(now);
    let text = text.map_err(|error| Problem::internal(&format!("metrics: {error}")))?;
    Ok(([(CONTENT_TYPE, KIND)], text).into_response())
}

/// `None` too while there are no records yet: that is no reason to say nothing at all.
fn undelivered(config: &Config) -> Option<u64> {
    let destination = config.mqtt.as_ref().map(mqtt::destination)?;
    let archive = Archive::open(config.state()?).ok()?;
    archive.undelivered(&destination).ok()?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::handle::connect;
    use crate::appliance::handle::tests::report;
    use crate::appliance::state::Fault;

    #[test]
    fn what_happened_is_counted_and_what_cannot_be_seen_is_left_out() {
        let metrics = Metrics::default();
        let mut report = report();
        report.times = StageTimes {
            capture: Duration::from_millis(300),
            preparation: Duration::from_millis(25),
            inference: None,
            storing: None,
        };
        let report = Arc::new(report);
        for _ in 0..2 {
            metrics.happened(&ApplianceEvent::Analysed(Arc::clone(&report)));
        }
        metrics.happened(&ApplianceEvent::SlideClosed(report.finding.slide));
        metrics.happened(&ApplianceEvent::Failed {
            fault: Fault {
                message: "the camera is gone".into(),
                is_final: false,
            },
            asked: None,
        });
        let (handle, _inside) = connect();
        let now = |celsius| Now {
            status: handle.status().borrow().clone(),
            depth: 3,
            celsius,
            disk: Some(Room { free: 5, total: 7 }),
            undelivered: None,
        };
        let text = metrics.written(now(Some(41.5))).unwrap();
        for line in [
            "smearscope_verdicts_total{verdict=\"Positive\"} 2",
            "smearscope_slides_total{verdict=\"Positive\"} 1",
            "smearscope_faults_total 1",
            "smearscope_fault 0.0",
            "smearscope_stage_seconds_count{stage=\"capture\"} 2",
            "smearscope_stage_seconds_bucket{le=\"0.256\",stage=\"capture\"} 0",
            "smearscope_stage_seconds_bucket{le=\"0.512\",stage=\"capture\"} 2",
            "smearscope_queue_images 3.0",
            "smearscope_temperature_celsius 41.5",
            "smearscope_disk_free_bytes 5.0",
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
        assert!(!metrics.written(now(None)).unwrap().contains("celsius"));
    }
}
