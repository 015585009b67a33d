//! The findings and pictures that the demo model must give for the shipped fields.

use std::time::Duration;

use smearscope::testing::{Finding, Identity, Notice, Rule, SaveOutcome, Slide, State, View};
use smearscope_artifacts::SlideRule;
use smearscope_hardware::{Canvas, ScreenSize};

use super::fixture::{field, load};
use crate::support::demo_model;

/// The finding on the first field of a slide, and the model that gives it.
pub(crate) fn expected(label: &str) -> (Finding, Identity) {
    let mut analyst = load(&demo_model()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (bytes, name) = field(label);
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let (mut field, _) = analyst.analyse_file(&path, None).unwrap();
    let model = analyst.model();
    let identity = Identity {
        model: format!("{} {}", model.name(), model.version()),
        engine: "embedded CPU".into(),
        is_demo: true,
    };
    let mut slide = Slide::first();
    slide.add(&mut field);
    let finding = Finding {
        field,
        slide: slide.summary(&analyst.rule()),
        saved: SaveOutcome::Unwanted,
    };
    (finding, identity)
}

/// How the demo model's probabilities become verdicts.
fn rule() -> Rule {
    let manifest = std::fs::read_to_string(demo_model().join("manifest.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    Rule::Field {
        decision: manifest["decision"].clone().try_into().unwrap(),
        slide: SlideRule::default(),
    }
}

/// The picture of a state with `fields` fields on the first slide.
pub(crate) fn picture(
    state: &State,
    fields: u32,
    identity: &Identity,
    clock: jiff::civil::Time,
) -> Canvas {
    let view = View {
        state,
        identity: Some(identity),
        rule: Some(rule()),
        slide: 1,
        fields,
        count: None,
        is_disk_low: false,
        clock: Some(clock),
        since: Duration::ZERO,
        notice: &Notice::default(),
        address: None,
    };
    view.picture(ScreenSize::Rows64)
}

/// The picture of the verdict on a first field.
pub(crate) fn verdict_on(label: &str) -> Canvas {
    let (finding, identity) = expected(label);
    let noon = jiff::civil::time(12, 0, 0, 0);
    picture(&State::Verdict(finding), 1, &identity, noon)
}
