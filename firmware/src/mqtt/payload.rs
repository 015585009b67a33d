//! The JSON that is published.

use serde::Serialize;
use smearscope_artifacts::Verdict;
use uuid::Uuid;

use crate::analysis::finding::SaveOutcome;
use crate::analysis::identity::notice;
use crate::analysis::picture_scale::PictureScale;
use crate::analysis::slide::SlideSummary;
use crate::appliance::handle::{Report, Status};
use crate::appliance::state::State;
use crate::records::{CellEntry, CountEntry, CountRuleEntry, FieldEntry, SlideSummaryEntry};
use crate::report::state::StateName;
use crate::system::host_metrics::HostMetrics;
use crate::system::time::utc;

/// The verdict on a field: topics `verdict` and `last_verdict`.
#[derive(Serialize)]
struct VerdictPayload<'a> {
    /// The record's id; a random one if the field is not recorded.
    id: Uuid,
    /// The row in the records, if known.
    seq: Option<i64>,
    captured_at: String,
    verdict: Verdict,
    reason: Option<String>,
    /// None if cells are counted.
    probability: Option<f32>,
    threshold: Option<f32>,
    /// A probability strictly between these two decides nothing; none if cells are counted, and for a record of an earlier
    /// version.
    inconclusive_band: Option<[f32; 2]>,
    /// The count of this field's cells; none if they were not counted.
    count: Option<CountEntry>,
    /// How a count becomes a verdict; none if whole fields are judged.
    count_rule: Option<CountRuleEntry>,
    /// The scale of the picture; none if it is unknown.
    scale: Option<PictureScale>,
    /// The field's cells, the surest find first; left out unless they are wanted and were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    cells: Option<Vec<CellPayload<'a>>>,
    /// Whether the field was recorded; none if the appliance keeps no records. A field that could not be
    /// recorded does not count for the slide.
    saved: Option<bool>,
    slide: SlidePayload,
    model: String,
    engine: String,
    demo: bool,
    notice: &'static str,
}

/// A cell of a field: about 130 bytes, so that the 1,000 cells that a field has at the most fit into a message.
#[derive(Serialize)]
struct CellPayload<'a> {
    number: u32,
    x: f32,
    y: f32,
    diameter_um: f32,
    class: &'a str,
    call: &'a str,
    blast_probability: f32,
    new: bool,
}

impl<'a> CellPayload<'a> {
    fn all(cells: &'a [CellEntry]) -> Vec<Self> {
        let of = |cell: &'a CellEntry| Self {
            number: cell.number,
            x: cell.x,
            y: cell.y,
            diameter_um: cell.diameter_um,
            class: &cell.class,
            call: &cell.call,
            blast_probability: cell.blast_probability,
            new: cell.new,
        };
        cells.iter().map(of).collect()
    }
}

/// A slide's verdict so far: topic `slide`.
#[derive(Serialize)]
struct SlidePayload {
    /// The record's id, in a verdict from the records.
    id: Option<Uuid>,
    /// The number on the screen, in all other messages.
    number: Option<u32>,
    /// Whether the slide is closed.
    closed: bool,
    #[serde(flatten)]
    summary: SlideSummaryEntry,
}

impl SlidePayload {
    fn new(summary: &SlideSummary, closed: bool) -> Self {
        Self {
            id: None,
            number: Some(summary.slide),
            closed,
            summary: summary.into(),
        }
    }
}

/// What the appliance is doing: topic `state`.
#[derive(Serialize)]
struct StatePayload<'a> {
    state: StateName,
    /// In the state `fault`, what failed and what to do about it.
    fault: Option<&'a str>,
    slide: u32,
    fields: u32,
    /// What is not as it should be, although it prevents no capture, such as a lamp that ages.
    warnings: Vec<String>,
    model: Option<&'a str>,
    engine: Option<&'a str>,
    demo: Option<bool>,
    version: &'static str,
}

/// Load and temperature of the machine: topic `health`.
#[derive(Serialize)]
struct HealthPayload {
    cpu_percent: f64,
    memory_percent: f64,
    disk_percent: f64,
    temperature_c: Option<f64>,
    /// Verdicts that the broker does not have yet; none if the appliance keeps no records.
    undelivered: Option<u64>,
    at: String,
}

/// The verdict on a recorded field, with its cells if they are given.
pub(crate) fn recorded_verdict(
    seq: i64,
    field: &FieldEntry,
    cells: Option<&[CellEntry]>,
) -> Vec<u8> {
    json(&VerdictPayload {
        id: field.id,
        seq: Some(seq),
        captured_at: field.captured_at.clone(),
        verdict: field.verdict,
        reason: field.reason.clone(),
        probability: field.probability,
        threshold: field.threshold,
        inconclusive_band: field.inconclusive_band,
        count: field.count.clone(),
        count_rule: field.count_rule,
        scale: field.scale,
        cells: cells.map(CellPayload::all),
        saved: Some(true),
        slide: SlidePayload {
            id: Some(field.slide),
            number: None,
            closed: false,
            summary: field.standing.clone(),
        },
        model: format!("{} {}", field.model.name, field.model.version),
        engine: format!("{} {}", field.engine.name, field.engine.device),
        demo: field.model.demo,
        notice: notice(field.model.demo),
    })
}

/// The verdict on a field that was just analysed, recorded or not.
pub(crate) struct LiveVerdict {
    /// For the topic `verdict`, with the field's cells if they are wanted.
    pub(crate) verdict: Vec<u8>,
    /// For the topic `last_verdict`, never with cells: a broker keeps it.
    pub(crate) last_verdict: Vec<u8>,
}

impl LiveVerdict {
    pub(crate) fn new(report: &Report, has_cells: bool) -> Self {
        let mut payload = live_verdict(report);
        let last_verdict = json(&payload);
        let cells = report.finding.field.cells();
        let cells = cells.filter(|cells| has_cells && cells.field.scale.is_ok());
        let cells = cells.map(CellEntry::of);
        payload.cells = cells.as_deref().map(CellPayload::all);
        Self {
            verdict: json(&payload),
            last_verdict,
        }
    }
}

fn live_verdict<'a>(report: &Report) -> VerdictPayload<'a> {
    let field = &report.finding.field;
    let decision = report.rule.decision();
    let (id, saved) = match report.finding.saved {
        SaveOutcome::Saved(id) => (id, Some(true)),
        SaveOutcome::NotSaved => (Uuid::now_v7(), Some(false)),
        SaveOutcome::Unwanted => (Uuid::now_v7(), None),
    };
    VerdictPayload {
        id,
        seq: None,
        captured_at: utc(jiff::Timestamp::now()),
        verdict: field.judgement.verdict(),
        reason: field.explanation(),
        probability: field.probability(),
        threshold: decision.map(|decision| decision.threshold),
        inconclusive_band: decision.map(|decision| decision.inconclusive),
        count: field.count().map(CountEntry::new),
        count_rule: report.rule.count().map(Into::into),
        scale: field.scale,
        cells: None,
        saved,
        slide: SlidePayload::new(&report.finding.slide, false),
        model: report.identity.model.clone(),
        engine: report.identity.engine.clone(),
        demo: report.identity.is_demo,
        notice: notice(report.identity.is_demo),
    }
}

/// A slide's verdict so far, or its last one if it is closed.
pub(crate) fn slide(summary: &SlideSummary, closed: bool) -> Vec<u8> {
    json(&SlidePayload::new(summary, closed))
}

/// A closed slide of the records.
pub(crate) fn closed_slide(number: u32, summary: SlideSummaryEntry) -> Vec<u8> {
    json(&SlidePayload {
        id: None,
        number: Some(number),
        closed: true,
        summary,
    })
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
        warnings: status.warnings(),
        model: identity.map(|identity| identity.model.as_str()),
        engine: identity.map(|identity| identity.engine.as_str()),
        demo: identity.map(|identity| identity.is_demo),
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// Load and temperature of the machine.
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

/// Serialises a payload. The types in this module have text keys only, so this cannot fail.
pub(crate) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};
    use smearscope_artifacts::CellCall;

    use super::*;
    use crate::analysis::examples::counted;
    use crate::appliance::handle::tests::report;

    #[test]
    fn a_verdict_carries_its_notice_and_no_file_name() {
        let live = LiveVerdict::new(&report(), true);
        assert_eq!(live.verdict, live.last_verdict);
        let value: Value = serde_json::from_slice(&live.verdict).unwrap();
        assert_eq!(value["verdict"], "Positive");
        assert!(
            String::from_utf8(live.verdict)
                .unwrap()
                .contains("\"probability\":0.9,")
        );
        assert_eq!(value["inconclusive_band"], json!([0.25, 0.75]));
        assert_eq!(value["notice"], "demo model, not for diagnosis");
        assert_eq!(
            value["slide"],
            json!({
                "id": null, "number": 1, "closed": false, "verdict": "Positive", "reason": null,
                "probability": value["slide"]["probability"], "count": null, "seen_again": 0, "fields": 2, "refused": 0, "unsaved": 0
            })
        );
        assert!(!value.to_string().contains("field.jpg"));
        assert!(value.get("cells").is_none());
    }

    #[test]
    fn cells_are_published_where_they_are_wanted() {
        let cells = |report: &Report, has_cells| {
            let live = LiveVerdict::new(report, has_cells);
            let parse = |json: &[u8]| serde_json::from_slice::<Value>(json).unwrap();
            let [mut verdict, last_verdict] =
                [&live.verdict, &live.last_verdict].map(|json| parse(json));
            let cells = verdict.as_object_mut().unwrap().remove("cells");
            assert_eq!(verdict, last_verdict);
            cells
        };
        let mut report = report();
        assert_eq!(cells(&report, true), None, "a whole field was judged");
        report.finding.field = counted(&[CellCall::Blast, CellCall::Novel]);
        assert_eq!(cells(&report, false), None);
        let entries = CellEntry::of(report.finding.field.cells().unwrap());
        let published = cells(&report, true).unwrap();
        assert_eq!(published.as_array().unwrap().len(), 2);
        for (published, entry) in published.as_array().unwrap().iter().zip(&entries) {
            let entry: Value = serde_json::from_slice(&json(entry)).unwrap();
            for (key, value) in published.as_object().unwrap() {
                assert_eq!(value, &entry[key], "{key}");
            }
        }
    }

    #[test]
    fn the_largest_field_fits_into_a_message() {
        let analysis = counted(&[CellCall::Contradictory; 1000]);
        let mut cells = CellEntry::of(analysis.cells().unwrap());
        for cell in &mut cells {
            (cell.x, cell.y, cell.diameter_um) = (1234.5678, 1234.5678, 12.345_678);
            cell.class = "reactive_lymphocyte".into();
            cell.blast_probability = 0.012_345_678;
        }
        let size = json(&CellPayload::all(&cells)).len();
        assert!(size < 200_000, "{size}");
    }
}
