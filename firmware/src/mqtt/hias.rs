//! The `[hias]` client: the appliance as an agent of a HIAS network. It replaces the reference's Python agent and
//! uses the same topics and messages.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Interval, MissedTickBehavior, interval_at};

use crate::analysis::finding::{Finding, SaveOutcome};
use crate::appliance::handle::{ApplianceEvent, ApplianceHandle, Report};
use crate::appliance::state::State;
use crate::config::Config;
use crate::config::hias::Hias;
use crate::mqtt::client::Client;
use crate::mqtt::command::Action;
use crate::mqtt::connection::{BrokerError, ConnectOptions, Connection, Incoming, Message};
use crate::mqtt::payload;
use crate::mqtt::rate_limiter::RateLimiter;
use crate::mqtt::selftest::SelfTestRunner;
use crate::report::diagnosis::{Diagnoses, Diagnosis};
use crate::system::host_metrics::{HostMetrics, Probe};

/// Longest silence towards the broker.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Delay from the start to the first `Life` message.
const FIRST_LIFE: Duration = Duration::from_secs(10);
/// Interval of the `Life` messages.
const LIFE_INTERVAL: Duration = Duration::from_mins(5);

/// Text of the reference, word for word.
const PROCESSING: &str = "Processing data";
/// The reason in place of the verdict on a field that could not be recorded.
const NOT_SAVED: &str = "the field is not saved and does not count";

/// A HIAS agent.
pub(crate) struct Agent {
    settings: Hias,
    handle: ApplianceHandle,
    diagnoses: Diagnoses,
    probe: Probe,
    life: Interval,
    rate_limiter: RateLimiter,
    selftest: SelfTestRunner<()>,
    /// When the last press happened for which `Processing` was published.
    announced_press: Option<Instant>,
    /// Whether `Processing` is published for a press whose result is not.
    is_processing: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LifePayload {
    #[serde(rename = "CPU")]
    cpu: f64,
    memory: f64,
    diskspace: f64,
    temperature: f64,
    latitude: f64,
    longitude: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct StatePayload<'a> {
    r#type: &'a str,
    name: &'a str,
    state: &'a str,
    message: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ClassificationPayload<'a> {
    r#type: &'a str,
    name: &'a str,
    diagnosis: &'a str,
    confidence: Option<f32>,
    message: &'a str,
}

impl Agent {
    /// An agent that is not connected yet. Must be called within a Tokio runtime.
    pub(crate) fn new(
        settings: Hias,
        config: Arc<Config>,
        handle: ApplianceHandle,
        diagnoses: Diagnoses,
        probe: Probe,
    ) -> Self {
        let mut life = interval_at(tokio::time::Instant::now() + FIRST_LIFE, LIFE_INTERVAL);
        life.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            settings,
            selftest: SelfTestRunner::new(config, handle.clone()),
            handle,
            diagnoses,
            probe,
            life,
            rate_limiter: RateLimiter::new(),
            announced_press: None,
            is_processing: false,
        }
    }

    fn topic(&self, name: &str) -> String {
        format!("{}/{name}", self.settings.base)
    }

    fn status(&self, text: &str) -> Message {
        Message::transient(self.topic("Status"), text)
    }

    fn life(&self, host_metrics: &HostMetrics) -> Message {
        let life = LifePayload {
            cpu: host_metrics.cpu,
            memory: host_metrics.memory,
            diskspace: host_metrics.disk,
            // HIAS requires a number, also from a machine without a sensor.
            temperature: host_metrics.temperature.unwrap_or(0.0),
            latitude: self.settings.latitude,
            longitude: self.settings.longitude,
        };
        Message::transient(self.topic("Life"), payload::json(&life))
    }

    fn state(&self, kind: &str, state: &str, message: &str) -> Message {
        let payload = payload::json(&StatePayload {
            r#type: kind,
            name: &self.settings.name,
            state,
            message,
        });
        Message::transient(self.topic(self.settings.states.name()), payload)
    }

    fn processing(&self) -> Message {
        self.state("Prediction", "Processing", PROCESSING)
    }

    /// `Processing`, if the appliance captures because of a press that is not announced yet.
    fn announce_press(&mut self, state: &State) -> Option<Message> {
        match state {
            State::Capturing(at) if self.announced_press != Some(*at) => {
                self.announced_press = Some(*at);
                self.is_processing = true;
                Some(self.processing())
            }
            _ => None,
        }
    }

    /// The messages that an event causes.
    fn messages(&mut self, event: &ApplianceEvent) -> Vec<Message> {
        let mut messages = Vec::new();
        match event {
            ApplianceEvent::Analysed(report) => {
                if !self.is_processing {
                    messages.push(self.processing());
                }
                messages.extend(self.diagnosis(&bench_diagnosis(report)));
                self.is_processing = false;
            }
            ApplianceEvent::Failed { fault, .. } if self.is_processing => {
                messages.push(self.state("Prediction", "Fault", &fault.message));
                self.is_processing = false;
            }
            ApplianceEvent::Failed { .. } | ApplianceEvent::SlideClosed(_) => {}
        }
        messages
    }

    /// The messages about an image that HIAS sent over HTTP. A press may be in progress; its own messages follow.
    fn inference(&self, diagnosis: &Diagnosis) -> Vec<Message> {
        let mut messages = vec![self.processing()];
        messages.extend(self.diagnosis(diagnosis));
        messages
    }

    /// The state of a diagnosis, and its classification if that is configured.
    fn diagnosis(&self, diagnosis: &Diagnosis) -> Vec<Message> {
        let Diagnosis {
            verdict,
            confidence,
            message,
        } = diagnosis;
        let word = verdict.as_str();
        let mut messages = vec![self.state("Prediction", word, message)];
        if self.settings.classification {
            let payload = payload::json(&ClassificationPayload {
                r#type: "Classification",
                name: &self.settings.name,
                diagnosis: word,
                confidence: *confidence,
                message,
            });
            messages.push(Message::transient(self.topic("Classification"), payload));
        }
        messages
    }

    fn handle_command(&mut self, payload: &[u8]) {
        if !self.rate_limiter.accept() {
            return;
        }
        let started = match Action::parse_hias(payload) {
            None => Err("it is not one of the known commands"),
            Some(Action::Selftest) => self.selftest.start(()),
            Some(action) => action.press(&self.handle),
        };
        if let Err(reason) = started {
            log::info!("HIAS: command refused: {reason}");
        }
    }
}

/// The diagnosis of a field of the bench or, where cells are counted, of its slide so far. As on the screen, a field that is
/// not saved has no verdict.
fn bench_diagnosis(report: &Report) -> Diagnosis {
    let Finding { field, saved, .. } = &report.finding;
    if *saved == SaveOutcome::NotSaved {
        return Diagnosis::none(NOT_SAVED);
    }
    let shown = report.finding.shown();
    if shown.count.is_some() {
        // A field has too few cells for a verdict of its own.
        let reason = shown.judgement.reason().map(|reason| reason.to_string());
        return Diagnosis::new(shown.judgement.verdict(), None, reason);
    }
    Diagnosis::new(
        field.judgement.verdict(),
        field.probability(),
        field.explanation(),
    )
}

impl Client for Agent {
    fn name(&self) -> &'static str {
        "HIAS"
    }

    fn options(&self) -> ConnectOptions {
        ConnectOptions {
            client: self.settings.name.clone(),
            keep_alive: KEEP_ALIVE,
            will: self.status("OFFLINE"),
            subscriptions: vec![self.topic("#")],
        }
    }

    async fn serve<C: Connection>(
        &mut self,
        connection: &mut C,
    ) -> Result<Infallible, BrokerError> {
        let commands = self.topic("Commands");
        let mut events = self.handle.events();
        let mut status = self.handle.status();
        let mut inferences = self.diagnoses.subscribe();
        self.is_processing = false;
        connection.publish(self.status("ONLINE")).await?;
        loop {
            tokio::select! {
                biased;
                incoming = connection.next() => {
                    // The other subscribed topics carry the agent's own messages.
                    if let Incoming::Received { topic, payload } = incoming?
                        && topic == commands
                    {
                        self.handle_command(&payload);
                    }
                }
                // Before the state, so that the result of a press is published before the next press.
                event = events.recv() => match event {
                    Ok(event) => {
                        for message in self.messages(&event) {
                            connection.publish(message).await?;
                        }
                    }
                    Err(RecvError::Lagged(_)) => self.is_processing = false,
                    // The appliance has ended; `finish` runs at the shutdown of the network.
                    Err(RecvError::Closed) => std::future::pending().await,
                },
                Ok(()) = status.changed() => {
                    let state = Arc::clone(&status.borrow_and_update().state);
                    if let Some(message) = self.announce_press(&state) {
                        connection.publish(message).await?;
                    }
                }
                // Some are missed if very many come at once.
                Ok(diagnosis) = inferences.recv() => {
                    for message in self.inference(&diagnosis) {
                        connection.publish(message).await?;
                    }
                }
                _ = self.life.tick() => {
                    let host_metrics = self.probe.measure();
                    connection.publish(self.life(&host_metrics)).await?;
                }
                ((), result) = self.selftest.result() => {
                    let state = if result.passed() { "Passed" } else { "Failed" };
                    let message = self.state("Self-test", state, &result.lines().join("; "));
                    connection.publish(message).await?;
                }
            }
        }
    }

    async fn finish<C: Connection>(&mut self, connection: &mut C) -> Result<(), BrokerError> {
        connection.publish(self.status("OFFLINE")).await
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};
    use smearscope_artifacts::Verdict;

    use super::*;
    use crate::analysis::verdict::{Judgement, Reason};
    use crate::appliance::handle::connect;
    use crate::appliance::handle::tests::report;
    use crate::appliance::state::tests::finding;
    use crate::config::Raw;
    use crate::report::diagnosis::diagnoses;

    fn agent(more: &str) -> Agent {
        let text = format!(
            "[hias]\nhost = \"broker\"\nlocation = \"hospital\"\nzone = \"lab\"\nentity = \"scope\"\n\
             name = \"ALL\"\nlatitude = 41.5\n{more}"
        );
        let config = Raw::parse(&text).and_then(Raw::validate).unwrap();
        let settings = config.hias.clone().unwrap();
        Agent::new(
            settings,
            Arc::new(config),
            connect().0,
            diagnoses(),
            Probe::new(Path::new("/")),
        )
    }

    fn parsed(messages: &[Message]) -> Vec<(String, Value)> {
        let parsed = messages.iter().map(|message| {
            assert!(!message.retain);
            let value = serde_json::from_slice(&message.payload).unwrap();
            (message.topic.clone(), value)
        });
        parsed.collect()
    }

    fn analysed(judgement: Judgement, probability: Option<f32>) -> ApplianceEvent {
        ApplianceEvent::Analysed(Arc::new(Report {
            finding: finding(judgement, probability),
            ..report()
        }))
    }

    #[tokio::test]
    async fn a_press_publishes_processing_and_then_the_texts_of_the_reference() {
        let mut agent = agent("");
        let topic = "hospital/Agents/lab/scope/States".to_owned();
        let processing = json!({
            "Type": "Prediction", "Name": "ALL", "State": "Processing", "Message": "Processing data"
        });
        let now = Instant::now();
        let message = agent.announce_press(&State::Capturing(now)).unwrap();
        assert_eq!(parsed(&[message]), [(topic.clone(), processing.clone())]);
        assert_eq!(agent.announce_press(&State::Capturing(now)), None);
        assert_eq!(agent.announce_press(&State::Analysing), None);
        let positive = parsed(&agent.messages(&analysed(Judgement::POSITIVE, Some(0.9))));
        let expected = json!({
            "Type": "Prediction", "Name": "ALL", "State": "Positive",
            "Message": "Acute Lymphoblastic Leukemia detected!"
        });
        assert_eq!(positive, [(topic.clone(), expected)]);
        // `Processing` comes first even if no press was announced.
        let negative = parsed(&agent.messages(&analysed(Judgement::NEGATIVE, Some(0.1))));
        assert_eq!(negative[0], (topic, processing));
        assert_eq!(negative[1].1["State"], "Negative");
        assert_eq!(
            negative[1].1["Message"],
            "Acute Lymphoblastic Leukemia not detected!"
        );
        let undecided = analysed(Judgement::inconclusive(Reason::Undecided), Some(0.5));
        let inconclusive = parsed(&agent.messages(&undecided));
        assert_eq!(inconclusive[1].1["State"], "Inconclusive");
        assert_eq!(
            inconclusive[1].1["Message"],
            "No verdict: the model is not sure"
        );
    }

    #[tokio::test]
    async fn a_field_that_is_not_saved_has_no_verdict() {
        let mut agent = agent("classification = true\n");
        let mut finding = finding(Judgement::POSITIVE, Some(0.9));
        finding.saved = SaveOutcome::NotSaved;
        let not_saved = ApplianceEvent::Analysed(Arc::new(Report {
            finding,
            ..report()
        }));
        let messages = parsed(&agent.messages(&not_saved));
        assert_eq!(messages[1].1["State"], "Inconclusive");
        assert_eq!(
            messages[1].1["Message"],
            "No verdict: the field is not saved and does not count"
        );
        assert_eq!(messages[2].1["Diagnosis"], "Inconclusive");
        assert_eq!(messages[2].1["Confidence"], Value::Null);
    }

    #[tokio::test]
    async fn an_inference_over_http_publishes_states_beside_those_of_a_press() {
        let mut agent = agent("classification = true\n");
        agent.announce_press(&State::Capturing(Instant::now()));
        let diagnosis = Diagnosis::new(Verdict::Negative, Some(0.25), None);
        let messages = parsed(&agent.inference(&diagnosis));
        let state = |state: &str, message: &str| json!({"Type": "Prediction", "Name": "ALL", "State": state, "Message": message});
        let topic = |name: &str| format!("hospital/Agents/lab/scope/{name}");
        assert_eq!(
            messages[..2],
            [
                (topic("States"), state("Processing", "Processing data")),
                (
                    topic("States"),
                    state("Negative", "Acute Lymphoblastic Leukemia not detected!")
                ),
            ]
        );
        assert_eq!(messages[2].0, topic("Classification"));
        assert_eq!(messages[2].1["Confidence"], 0.75);
        // The press has its own end.
        let press = parsed(&agent.messages(&analysed(Judgement::POSITIVE, Some(0.9))));
        assert_eq!(press[0].1["State"], "Positive");
    }

    #[tokio::test]
    async fn a_failed_press_ends_the_state_processing() {
        let mut agent = agent("states_topic = \"State\"\n");
        let fault = || ApplianceEvent::Failed {
            fault: crate::appliance::state::Fault {
                message: "no picture".into(),
                is_final: false,
            },
            asked: None,
        };
        assert_eq!(agent.messages(&fault()), [], "no press to report on");
        agent.announce_press(&State::Capturing(Instant::now()));
        let failed = parsed(&agent.messages(&fault()));
        assert_eq!(failed[0].0, "hospital/Agents/lab/scope/State");
        assert_eq!(failed[0].1["State"], "Fault");
    }

    #[tokio::test]
    async fn classifications_are_published_if_configured() {
        let mut agent = agent("classification = true\n");
        let messages = parsed(&agent.messages(&analysed(Judgement::NEGATIVE, Some(0.25))));
        assert_eq!(messages[2].0, "hospital/Agents/lab/scope/Classification");
        assert_eq!(messages[2].1["Diagnosis"], "Negative");
        assert_eq!(messages[2].1["Confidence"], 0.75);
    }

    #[tokio::test]
    async fn life_has_six_numbers() {
        let agent = agent("");
        let life = agent.life(&HostMetrics {
            cpu: 12.0,
            memory: 50.5,
            disk: 3.0,
            temperature: None,
        });
        assert_eq!(life.topic, "hospital/Agents/lab/scope/Life");
        assert_eq!(
            String::from_utf8(life.payload).unwrap(),
            r#"{"CPU":12.0,"Memory":50.5,"Diskspace":3.0,"Temperature":0.0,"Latitude":41.5,"Longitude":0.0}"#
        );
    }

    #[tokio::test]
    async fn the_connect_options_are_those_of_the_reference() {
        let options = agent("").options();
        assert_eq!(options.client, "ALL");
        assert_eq!(options.keep_alive, Duration::from_secs(10));
        assert_eq!(options.subscriptions, ["hospital/Agents/lab/scope/#"]);
        let will = Message::transient("hospital/Agents/lab/scope/Status", "OFFLINE");
        assert_eq!(options.will, will);
    }
}
