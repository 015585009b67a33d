//! The appliance as an agent of a HIAS network, in the place of the reference's Python agent: same topics, same
//! messages.

use smearscope_artifacts::Verdict;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval_at};

use crate::analysis::finding::Finding;
use crate::analysis::finding::SaveOutcome;
use crate::appliance::handle::{ApplianceEvent, ApplianceHandle, Report};
use crate::appliance::self_test::SelfTest;
use crate::appliance::state::State;
use crate::config::Config;
use crate::config::mqtt::Hias;
use crate::mqtt::command::Order;
use crate::mqtt::link::{Incoming, Link, LinkError, Message, Session};
use crate::mqtt::payload;
use crate::mqtt::rate::Rate;
use crate::mqtt::selftest;
use crate::mqtt::session::Conversation;
use crate::system::host_metrics::{HostMetrics, Probe};

const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// From the start to the first sign of life.
const FIRST_LIFE: Duration = Duration::from_secs(10);
/// From one to the next.
const LIFE: Duration = Duration::from_mins(5);

/// What the reference says.
const PROCESSING: &str = "Processing data";
const DETECTED: &str = "Acute Lymphoblastic Leukemia detected!";
const NOT_DETECTED: &str = "Acute Lymphoblastic Leukemia not detected!";
const NOT_SAVED: &str = "the field is not saved and does not count";

/// An agent.
pub(crate) struct Agent {
    settings: Hias,
    config: Arc<Config>,
    handle: ApplianceHandle,
    probe: Probe,
    life: Interval,
    rate: Rate,
    selftest: Option<JoinHandle<SelfTest>>,
    /// The press that was told of last.
    told: Option<Instant>,
    /// `Processing` was published, and what came of it was not.
    is_processing: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Life {
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
struct StateMessage<'a> {
    r#type: &'a str,
    name: &'a str,
    state: &'a str,
    message: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Classification<'a> {
    r#type: &'a str,
    name: &'a str,
    diagnosis: &'a str,
    confidence: Option<f32>,
    message: &'a str,
}

impl Agent {
    pub(crate) fn new(
        settings: Hias,
        config: Arc<Config>,
        handle: ApplianceHandle,
        probe: Probe,
    ) -> Self {
        let mut life = interval_at(tokio::time::Instant::now() + FIRST_LIFE, LIFE);
        life.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            settings,
            config,
            handle,
            probe,
            life,
            rate: Rate::new(),
            selftest: None,
            told: None,
            is_processing: false,
        }
    }

    fn topic(&self, name: &str) -> String {
        format!("{}/{name}", self.settings.base)
    }

    fn status(&self, text: &str) -> Message {
        Message::passing(self.topic("Status"), text)
    }

    fn life(&self, host_metrics: &HostMetrics) -> Message {
        let life = Life {
            cpu: host_metrics.cpu,
            memory: host_metrics.memory,
            diskspace: host_metrics.disk,
            // HIAS wants a number where there is no sensor, too.
            temperature: host_metrics.temperature.unwrap_or(0.0),
            latitude: self.settings.latitude,
            longitude: self.settings.longitude,
        };
        Message::passing(self.topic("Life"), payload::json(&life))
    }

    fn state(&self, kind: &str, state: &str, message: &str) -> Message {
        let payload = payload::json(&StateMessage {
            r#type: kind,
            name: &self.settings.name,
            state,
            message,
        });
        Message::passing(self.topic(self.settings.states.name()), payload)
    }

    fn processing(&mut self) -> Message {
        self.is_processing = true;
        self.state("Prediction", "Processing", PROCESSING)
    }

    /// A press that was not told of yet.
    fn pressed(&mut self, state: &State) -> Option<Message> {
        match state {
            State::Capturing(at) if self.told != Some(*at) => {
                self.told = Some(*at);
                Some(self.processing())
            }
            _ => None,
        }
    }

    fn happened(&mut self, event: &ApplianceEvent) -> Vec<Message> {
        let mut messages = Vec::new();
        match event {
            ApplianceEvent::Analysed(report) => {
                if !self.is_processing {
                    messages.push(self.processing());
                }
                messages.extend(self.found(report));
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

    fn found(&self, report: &Report) -> Vec<Message> {
        let Finding { field, saved, .. } = &report.finding;
        let unfounded = |reason: &str| ("Inconclusive", format!("No verdict: {reason}"), None);
        let (word, message, confidence) = match field.judgement.verdict() {
            // The bench shows no verdict on it, either.
            _ if *saved == SaveOutcome::NotSaved => unfounded(NOT_SAVED),
            Verdict::Positive => ("Positive", DETECTED.into(), field.probability),
            Verdict::Negative => (
                "Negative",
                NOT_DETECTED.into(),
                field.probability.map(|probability| 1.0 - probability),
            ),
            Verdict::Inconclusive => unfounded(&field.explanation().unwrap_or_default()),
        };
        let mut messages = vec![self.state("Prediction", word, &message)];
        if self.settings.classification {
            let payload = payload::json(&Classification {
                r#type: "Classification",
                name: &self.settings.name,
                diagnosis: word,
                confidence,
                message: &message,
            });
            messages.push(Message::passing(self.topic("Classification"), payload));
        }
        messages
    }

    /// Does what a command asks for.
    fn obey(&mut self, payload: &[u8]) {
        if !self.rate.admits() {
            return;
        }
        let refusal = match Order::of_hias(payload) {
            None => Some("it asks for nothing that is known"),
            Some(Order::Selftest) if self.selftest.is_some() => Some("a self-test is running"),
            Some(Order::Selftest) => {
                self.selftest = Some(selftest::begin(&self.config, &self.handle));
                None
            }
            Some(order) => order.press(&self.handle),
        };
        if let Some(refusal) = refusal {
            log::info!("HIAS: a command is refused: {refusal}");
        }
    }
}

/// Waits for a self-test, for ever if there is none.
async fn tested(selftest: &mut Option<JoinHandle<SelfTest>>) -> SelfTest {
    let Some(test) = selftest else {
        return std::future::pending().await;
    };
    let condition = test.await.unwrap_or_else(|error| selftest::crashed(&error));
    *selftest = None;
    condition
}

impl Conversation for Agent {
    fn name(&self) -> &'static str {
        "HIAS"
    }

    fn session(&self) -> Session {
        Session {
            client: self.settings.name.clone(),
            keep_alive: KEEP_ALIVE,
            will: self.status("OFFLINE"),
            listens_to: vec![self.topic("#")],
        }
    }

    async fn hold<L: Link>(&mut self, link: &mut L) -> Result<Infallible, LinkError> {
        let commands = self.topic("Commands");
        let mut events = self.handle.events();
        let mut status = self.handle.status();
        self.is_processing = false;
        link.publish(self.status("ONLINE")).await?;
        loop {
            tokio::select! {
                biased;
                incoming = link.next() => {
                    // All else on these topics is what the agent itself says.
                    if let Incoming::Received { topic, payload } = incoming?
                        && topic == commands
                    {
                        self.obey(&payload);
                    }
                }
                // Before the state: what came of a press is told before the next press.
                event = events.recv() => match event {
                    Ok(event) => {
                        for message in self.happened(&event) {
                            link.publish(message).await?;
                        }
                    }
                    Err(RecvError::Lagged(_)) => self.is_processing = false,
                    // The appliance has ended; who ends the network says goodbye.
                    Err(RecvError::Closed) => std::future::pending().await,
                },
                Ok(()) = status.changed() => {
                    let state = Arc::clone(&status.borrow_and_update().state);
                    if let Some(message) = self.pressed(&state) {
                        link.publish(message).await?;
                    }
                }
                _ = self.life.tick() => {
                    let host_metrics = self.probe.measure();
                    link.publish(self.life(&host_metrics)).await?;
                }
                condition = tested(&mut self.selftest) => {
                    let state = if condition.passed() { "Passed" } else { "Failed" };
                    let message = self.state("Self-test", state, &condition.lines().join("; "));
                    link.publish(message).await?;
                }
            }
        }
    }

    async fn farewell<L: Link>(&mut self, link: &mut L) -> Result<(), LinkError> {
        link.publish(self.status("OFFLINE")).await
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;
    use crate::analysis::verdict::{Judgement, Reason};
    use crate::appliance::handle::connect;
    use crate::appliance::handle::tests::report;
    use crate::appliance::state::tests::finding;
    use crate::config::Raw;

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
            Probe::new(Path::new("/")),
        )
    }

    fn said(messages: &[Message]) -> Vec<(String, Value)> {
        let said = messages.iter().map(|message| {
            assert!(!message.retain);
            let value = serde_json::from_slice(&message.payload).unwrap();
            (message.topic.clone(), value)
        });
        said.collect()
    }

    fn analysed(judgement: Judgement, probability: Option<f32>) -> ApplianceEvent {
        ApplianceEvent::Analysed(Arc::new(Report {
            finding: finding(judgement, probability),
            ..report()
        }))
    }

    #[tokio::test]
    async fn a_press_is_processing_and_then_what_the_reference_says() {
        let mut agent = agent("");
        let topic = "hospital/Agents/lab/scope/States".to_owned();
        let processing = json!({
            "Type": "Prediction", "Name": "ALL", "State": "Processing", "Message": "Processing data"
        });
        let now = Instant::now();
        let message = agent.pressed(&State::Capturing(now)).unwrap();
        assert_eq!(said(&[message]), [(topic.clone(), processing.clone())]);
        assert_eq!(agent.pressed(&State::Capturing(now)), None);
        assert_eq!(agent.pressed(&State::Analysing), None);
        let positive = said(&agent.happened(&analysed(Judgement::POSITIVE, Some(0.9))));
        let expected = json!({
            "Type": "Prediction", "Name": "ALL", "State": "Positive",
            "Message": "Acute Lymphoblastic Leukemia detected!"
        });
        assert_eq!(positive, [(topic.clone(), expected)]);
        // A press that nobody saw is told of all the same.
        let negative = said(&agent.happened(&analysed(Judgement::NEGATIVE, Some(0.1))));
        assert_eq!(negative[0], (topic, processing));
        assert_eq!(negative[1].1["State"], "Negative");
        assert_eq!(
            negative[1].1["Message"],
            "Acute Lymphoblastic Leukemia not detected!"
        );
        let undecided = analysed(Judgement::inconclusive(Reason::Undecided), Some(0.5));
        let unsure = said(&agent.happened(&undecided));
        assert_eq!(unsure[1].1["State"], "Inconclusive");
        assert_eq!(unsure[1].1["Message"], "No verdict: the model is not sure");
    }

    #[tokio::test]
    async fn a_field_that_is_not_saved_has_no_verdict() {
        let mut agent = agent("classification = true\n");
        let mut finding = finding(Judgement::POSITIVE, Some(0.9));
        finding.saved = SaveOutcome::NotSaved;
        let lost = ApplianceEvent::Analysed(Arc::new(Report {
            finding,
            ..report()
        }));
        let messages = said(&agent.happened(&lost));
        assert_eq!(messages[1].1["State"], "Inconclusive");
        assert_eq!(
            messages[1].1["Message"],
            "No verdict: the field is not saved and does not count"
        );
        assert_eq!(messages[2].1["Diagnosis"], "Inconclusive");
        assert_eq!(messages[2].1["Confidence"], Value::Null);
    }

    #[tokio::test]
    async fn a_press_that_fails_does_not_stay_in_processing() {
        let mut agent = agent("states_topic = \"State\"\n");
        let fault = || ApplianceEvent::Failed {
            fault: crate::appliance::state::Fault {
                message: "no picture".into(),
                is_final: false,
            },
            asked: None,
        };
        assert_eq!(agent.happened(&fault()), [], "nobody pressed");
        agent.pressed(&State::Capturing(Instant::now()));
        let failed = said(&agent.happened(&fault()));
        assert_eq!(failed[0].0, "hospital/Agents/lab/scope/State");
        assert_eq!(failed[0].1["State"], "Fault");
    }

    #[tokio::test]
    async fn classifications_are_published_where_they_are_wanted() {
        let mut agent = agent("classification = true\n");
        let messages = said(&agent.happened(&analysed(Judgement::NEGATIVE, Some(0.25))));
        assert_eq!(messages[2].0, "hospital/Agents/lab/scope/Classification");
        assert_eq!(messages[2].1["Diagnosis"], "Negative");
        assert_eq!(messages[2].1["Confidence"], 0.75);
    }

    #[tokio::test]
    async fn life_is_six_numbers() {
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
    async fn the_session_is_the_references() {
        let session = agent("").session();
        assert_eq!(session.client, "ALL");
        assert_eq!(session.keep_alive, Duration::from_secs(10));
        assert_eq!(session.listens_to, ["hospital/Agents/lab/scope/#"]);
        let will = Message::passing("hospital/Agents/lab/scope/Status", "OFFLINE");
        assert_eq!(session.will, will);
    }
}
