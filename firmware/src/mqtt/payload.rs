//! What is published to everyone, as JSON.

use serde::Serialize;
use smearscope_artifacts::Verdict;
use uuid::Uuid;

use crate::analysis::finding::SaveOutcome;
use crate::analysis::identity::DEMO_NOTICE;
use crate::analysis::slide::SlideSummary;
use crate::appliance::handle::{Report, Status};
use crate::appliance::state::State;
use crate::records::FieldEntry;
use crate::report::types::StateName;
use crate::system::host_metrics::HostMetrics;
use crate::system::time::utc;

/// A verdict on a field.
#[derive(Serialize)]
struct VerdictPayload {
    /// That of the record where there is one; otherwise its own.
    id: Uuid,
    /// Its place in the records.
    seq: Option<i64>,
    captured_at: String,
    verdict: Verdict,
    reason: Option<String>,
    probability: Option<f32>,
    threshold: f32,
    /// Whether it was recorded; none where nothing is. If it was not, it is no field of the slide.
    saved: Option<bool>,
    slide: SlidePayload,
    model: String,
    engine: String,
    demo: bool,
    notice: &'static str,
}

/// Where a slide stands.
#[derive(Serialize)]
struct SlidePayload {
    /// That of the record.
    id: Option<Uuid>,
    /// The number on the screen.
    number: Option<u32>,
    /// Whether no more fields are added.
    closed: bool,
    verdict: Verdict,
    reason: Option<String>,
    probability: Option<f32>,
    /// Fields that the model judged.
    fields: u32,
    /// Fields that it was not asked about.
    refused: u32,
    /// Fields that could not be recorded, and count for nothing.
    unsaved: u32,
}

impl SlidePayload {
    fn of(standing: &SlideSummary, closed: bool) -> Self {
        Self {
            id: None,
            number: Some(standing.slide),
            closed,
            verdict: standing.judgement.verdict(),
            reason: standing.judgement.reason().map(|reason| reason.to_string()),
            probability: standing.probability,
            fields: standing.fields,
            refused: standing.refused,
            unsaved: standing.unsaved,
        }
    }
}

/// What the appliance is doing.
#[derive(Serialize)]
struct StatePayload<'a> {
    state: StateName,
    /// What failed and what to do about it, if anything did.
    fault: Option<&'a str>,
    slide: u32,
    fields: u32,
    model: Option<&'a str>,
    engine: Option<&'a str>,
    demo: Option<bool>,
    version: &'static str,
}

/// How the machine is.
#[derive(Serialize)]
struct HealthPayload {
    cpu_percent: f64,
    memory_percent: f64,
    disk_percent: f64,
    temperature_c: Option<f64>,
    /// Verdicts that were not delivered yet; none without records.
    undelivered: Option<u64>,
    at: String,
}

/// The verdict on a recorded field.
pub(crate) fn of_record(seq: i64, field: &FieldEntry) -> Vec<u8> {
    let standing = &field.standing;
    json(&VerdictPayload {
        id: field.id,
        seq: Some(seq),
        captured_at: field.captured_at.clone(),
        verdict: field.verdict,
        reason: field.reason.clone(),
        probability: field.probability,
        threshold: field.threshold,
        saved: Some(true),
        slide: SlidePayload {
            id: Some(field.slide),
            number: None,
            closed: false,
            verdict: standing.verdict,
            reason: standing.reason.clone(),
            probability: standing.probability,
            fields: standing.fields,
            refused: standing.refused,
            unsaved: standing.unsaved,
        },
        model: format!("{} {}", field.model.name, field.model.version),
        engine: format!("{} {}", field.engine.name, field.engine.device),
        demo: field.model.demo,
        notice: notice(field.model.demo),
    })
}

/// The verdict on a field that may not be recorded; its time is now.
pub(crate) fn of_report(report: &Report) -> Vec<u8> {
    let field = &report.finding.field;
    json(&VerdictPayload {
        id: match report.finding.saved {
            SaveOutcome::Saved(id) => id,
            SaveOutcome::NotSaved | SaveOutcome::Unwanted => Uuid::now_v7(),
        },
        seq: None,
        captured_at: utc(jiff::Timestamp::now()),
        verdict: field.judgement.verdict(),
        reason: field.explanation(),
        probability: field.probability,
        threshold: report.threshold,
        saved: match report.finding.saved {
            SaveOutcome::Saved(_) => Some(true),
            SaveOutcome::NotSaved => Some(false),
            SaveOutcome::Unwanted => None,
        },
        slide: SlidePayload::of(&report.finding.slide, false),
        model: report.identity.model.clone(),
        engine: report.identity.engine.clone(),
        demo: report.identity.is_demo,
        notice: notice(report.identity.is_demo),
    })
}

/// Where a slide stands.
pub(crate) fn slide(standing: &SlideSummary, closed: bool) -> Vec<u8> {
    json(&SlidePayload::of(standing, closed))
}

/// What the appliance is doing.
pub(crate) fn state(status: &Status) -> Vec<u8> {
    let identity = status.identity.as_ref();
    let fault = match &*status.state {
        State::Fault(fault) => Some(fault.message.as_str()),
        _ => None,
    };
    json(&StatePayload {
        state: StateName::from(&*status.state),
        fault,
        slide: status.slide,
        fields: status.fields,
        model: identity.map(|identity| identity.model.as_str()),
        engine: identity.map(|identity| identity.engine.as_str()),
        demo: identity.map(|identity| identity.is_demo),
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// How the machine is.
pub(crate) fn health(host_metrics: &HostMetrics, undelivered: Option<u64>) -> Vec<u8> {
    json(&HealthPayload {
        cpu_percent: host_metrics.cpu,
        memory_percent: host_metrics.memory,
        disk_percent: host_metrics.disk,
        temperature_c: host_metrics.temperature,
        undelivered,
        at: utc(jiff::Timestamp::now()),
    })
}

/// Any of them; none can fail to be JSON.
pub(crate) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn notice(is_demo: bool) -> &'static str {
    if is_demo {
        DEMO_NOTICE
    } else {
        "research use only"
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::appliance::handle::tests::report;

    #[test]
    fn a_verdict_says_what_it_is_worth_and_not_where_it_came_from() {
        let bytes = of_report(&report());
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["verdict"], "Positive");
        assert!(
            String::from_utf8(bytes)
                .unwrap()
                .contains("\"probability\":0.9,")
        );
        assert_eq!(value["notice"], "demo model, not for diagnosis");
        assert_eq!(
            value["slide"],
            json!({
                "id": null, "number": 1, "closed": false, "verdict": "Positive", "reason": null,
                "probability": value["slide"]["probability"], "fields": 2, "refused": 0, "unsaved": 0
            })
        );
        assert!(!value.to_string().contains("field.jpg"));
    }
}
