//! The publisher with a broker in memory, whose connections a test cuts.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::appliance::handle::tests::report;
use crate::appliance::handle::{ApplianceEvent, ApplianceLink, connect};
use crate::config::Raw;
use crate::mqtt::client;
use crate::mqtt::connection::{
    BrokerError, ConnectOptions, Connection, Connector, Incoming, Message, Qos,
};
use crate::mqtt::outbox::OutboxWorker;
use crate::mqtt::outbox::tests::MemoryOutbox;
use crate::mqtt::publisher::Publisher;
use crate::system::host_metrics::Probe;
use crate::system::shutdown::{Shutdown, ShutdownTrigger};

/// A broker in memory. Clones share their state.
#[derive(Clone, Default)]
struct MemoryBroker(Arc<Mutex<BrokerState>>);

#[derive(Default)]
struct BrokerState {
    /// All published messages, over all connections.
    published: Vec<Message>,
    /// For each of the next connections, the number of acknowledgements after which it breaks; 0 refuses it.
    /// Further connections last.
    cuts: VecDeque<usize>,
    connections: usize,
    /// The subscriptions of the latest connection.
    subscriptions: Vec<String>,
    /// How many connections with a subscription receive a packet that is too long.
    oversized: usize,
    disconnects: usize,
    /// Delivers messages to the latest connection.
    sender: Option<mpsc::UnboundedSender<Incoming>>,
}

/// A connection to a [`MemoryBroker`].
struct MemoryConnection {
    broker: MemoryBroker,
    incoming: mpsc::UnboundedReceiver<Incoming>,
    unacknowledged: VecDeque<i64>,
    /// Acknowledgements left before the connection breaks.
    left: Option<usize>,
}

impl MemoryBroker {
    fn with_state<T>(&self, act: impl FnOnce(&mut BrokerState) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    fn published(&self, topic: &str) -> Vec<Message> {
        self.with_state(|state| {
            let published = state.published.iter();
            published
                .filter(|message| message.topic == topic)
                .cloned()
                .collect()
        })
    }

    fn json(&self, topic: &str) -> Vec<Value> {
        let messages = self.published(topic);
        let values = messages
            .iter()
            .map(|message| serde_json::from_slice(&message.payload));
        values.collect::<Result<_, _>>().unwrap()
    }

    async fn wait_until(&self, condition: impl Fn(&Self) -> bool) {
        let polling = async {
            while !condition(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_hours(1), polling)
            .await
            .unwrap();
    }

    async fn wait_for(&self, topic: &str) {
        self.wait_until(|broker| !broker.published(topic).is_empty())
            .await;
    }

    fn send_command(&self, payload: &str) {
        let message = Incoming::Received {
            topic: "smearscope/box/command".into(),
            payload: payload.into(),
        };
        self.with_state(|state| state.sender.as_ref().unwrap().send(message).unwrap());
    }
}

impl Connector for MemoryBroker {
    type Connection = MemoryConnection;

    async fn connect(&mut self, options: &ConnectOptions) -> Result<MemoryConnection, BrokerError> {
        let (sender, incoming) = mpsc::unbounded_channel();
        let left = self.with_state(|state| {
            state.connections += 1;
            state.subscriptions.clone_from(&options.subscriptions);
            state.sender = Some(sender);
            state.cuts.pop_front()
        });
        if left == Some(0) {
            return Err(BrokerError::Disconnected("connection refused".into()));
        }
        Ok(MemoryConnection {
            broker: self.clone(),
            incoming,
            unacknowledged: VecDeque::new(),
            left,
        })
    }
}

impl Connection for MemoryConnection {
    async fn publish(&mut self, message: Message) -> Result<(), BrokerError> {
        if let Qos::Tracked(number) = message.qos {
            self.unacknowledged.push_back(number);
        }
        self.broker
            .with_state(|state| state.published.push(message));
        Ok(())
    }

    async fn next(&mut self) -> Result<Incoming, BrokerError> {
        tokio::task::yield_now().await;
        let is_oversized = self.broker.with_state(|state| {
            let is_oversized = state.oversized > 0 && !state.subscriptions.is_empty();
            state.oversized -= usize::from(is_oversized);
            is_oversized
        });
        if is_oversized {
            return Err(BrokerError::TooLong(1 << 20));
        }
        if self.left == Some(0) {
            return Err(BrokerError::Disconnected("connection cut".into()));
        }
        if let Some(number) = self.unacknowledged.pop_front() {
            self.left = self.left.map(|left| left - 1);
            return Ok(Incoming::Acknowledged(number));
        }
        self.incoming
            .recv()
            .await
            .ok_or_else(|| BrokerError::Disconnected("replaced by another connection".into()))
    }

    async fn close(self) {
        self.broker.with_state(|state| state.disconnects += 1);
    }
}

/// A publisher and the appliance that it publishes.
struct RunningPublisher {
    link: ApplianceLink,
    trigger: ShutdownTrigger,
    task: JoinHandle<()>,
}

impl RunningPublisher {
    fn start(broker: &MemoryBroker, outbox: Option<MemoryOutbox>) -> Self {
        Self::with_settings(broker, outbox, "discovery = true\n")
    }

    fn with_settings(broker: &MemoryBroker, outbox: Option<MemoryOutbox>, more: &str) -> Self {
        let text = format!("[mqtt]\nhost = \"b\"\ndevice = \"box\"\n{more}");
        let config = Raw::parse(&text).and_then(Raw::validate).unwrap();
        let settings = config.mqtt.clone().unwrap();
        let (handle, link) = connect();
        let outbox = outbox.map(|outbox| OutboxWorker::start(outbox).unwrap());
        let probe = Probe::new(Path::new("/"));
        let publisher = Publisher::new(settings, None, Arc::new(config), handle, probe, outbox);
        let (trigger, shutdown) = Shutdown::channel();
        let running = client::run(broker.clone(), publisher, shutdown);
        Self {
            link,
            trigger,
            task: tokio::spawn(running),
        }
    }

    async fn shut_down(self) {
        drop(self.trigger);
        self.task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn every_verdict_arrives_in_order_however_often_the_connection_is_cut() {
    let outbox = MemoryOutbox::default();
    // The numbers have gaps, because the records also have rows of other kinds.
    let all: Vec<i64> = (1..=1000).map(|verdict| verdict * 2).collect();
    for &seq in &all {
        outbox.push(seq);
    }
    let broker = MemoryBroker::default();
    // Some connections are refused, the others break after few or many acknowledgements.
    let cuts = (0..60).map(|cut| [0, 7, 31, 1, 16, 2][cut % 6]);
    broker.with_state(|state| state.cuts = cuts.collect());
    let publisher = RunningPublisher::start(&broker, Some(outbox.clone()));
    broker.wait_until(|_| outbox.last_delivered() == 2000).await;
    publisher.shut_down().await;
    let mut first_arrivals = Vec::new();
    for message in broker.published("smearscope/box/verdict") {
        let seq: i64 = String::from_utf8(message.payload).unwrap().parse().unwrap();
        assert_eq!(message.qos, Qos::Tracked(seq));
        if !first_arrivals.contains(&seq) {
            first_arrivals.push(seq);
        }
    }
    assert_eq!(first_arrivals, all);
    assert_eq!(broker.with_state(|state| state.connections), 61);
}

#[tokio::test(start_paused = true)]
async fn a_restart_does_not_repeat_delivered_verdicts() {
    let outbox = MemoryOutbox::default();
    let broker = MemoryBroker::default();
    outbox.push(3);
    let publisher = RunningPublisher::start(&broker, Some(outbox.clone()));
    broker.wait_until(|_| outbox.last_delivered() == 3).await;
    publisher.shut_down().await;
    outbox.push(5);
    let publisher = RunningPublisher::start(&broker, Some(outbox.clone()));
    broker.wait_until(|_| outbox.last_delivered() == 5).await;
    publisher.shut_down().await;
    assert_eq!(broker.published("smearscope/box/verdict").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_appliance_is_announced_and_disconnects_cleanly() {
    let broker = MemoryBroker::default();
    let publisher = RunningPublisher::start(&broker, None);
    broker.wait_for("smearscope/box/health").await;
    let discovery = broker.published("homeassistant/device/smearscope_box/config");
    assert_eq!(discovery.len(), 1);
    assert_eq!(broker.json("smearscope/box/state")[0]["state"], "starting");
    publisher.shut_down().await;
    let availability = broker.published("smearscope/box/availability");
    let payloads: Vec<_> = availability
        .iter()
        .map(|message| message.payload.as_slice())
        .collect();
    assert_eq!(payloads, [b"online".as_slice(), b"offline"]);
    assert!(availability.iter().all(|message| message.retain));
    assert_eq!(broker.with_state(|state| state.disconnects), 1);
}

#[tokio::test(start_paused = true)]
async fn without_discovery_an_earlier_announcement_is_removed_once() {
    let broker = MemoryBroker::default();
    // The first connection breaks after an acknowledgement.
    broker.with_state(|state| state.cuts = [1].into());
    let outbox = MemoryOutbox::default();
    outbox.push(1);
    let publisher = RunningPublisher::with_settings(&broker, Some(outbox), "");
    broker
        .wait_until(|broker| broker.published("smearscope/box/state").len() == 2)
        .await;
    publisher.shut_down().await;
    let empty = Message::retained("homeassistant/device/smearscope_box/config", "");
    assert_eq!(broker.published(&empty.topic), [empty]);
}

#[tokio::test(start_paused = true)]
async fn the_slide_that_was_open_at_a_power_cut_is_published_as_closed() {
    let broker = MemoryBroker::default();
    let outbox = MemoryOutbox::default();
    let publisher = RunningPublisher::start(&broker, Some(outbox.clone()));
    broker.wait_for("smearscope/box/health").await;
    let slide = "smearscope/box/slide";
    assert_eq!(broker.published(slide), [], "the records are not open yet");
    outbox.close_slide("{\"closed\": true}");
    publisher.link.status.send_modify(|_| ());
    broker.wait_for(slide).await;
    assert!(broker.published(slide)[0].retain);
    // Only once, and the next field's slide takes its place.
    publisher.link.status.send_modify(|_| ());
    publisher
        .link
        .send(ApplianceEvent::Analysed(Arc::new(report())));
    broker
        .wait_until(|broker| broker.published(slide).len() == 2)
        .await;
    let closed = broker
        .json(slide)
        .into_iter()
        .map(|slide| slide["closed"].clone());
    assert_eq!(closed.collect::<Vec<_>>(), [true, false]);
    publisher.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn without_records_a_verdict_is_published_at_once() {
    let broker = MemoryBroker::default();
    let publisher = RunningPublisher::start(&broker, None);
    broker.wait_for("smearscope/box/health").await;
    publisher
        .link
        .send(ApplianceEvent::Analysed(Arc::new(report())));
    broker.wait_for("smearscope/box/slide").await;
    let live = &broker.published("smearscope/box/verdict")[0];
    assert_eq!((live.retain, live.qos), (false, Qos::AtLeastOnce));
    let last = &broker.published("smearscope/box/last_verdict")[0];
    assert!(last.retain);
    assert_eq!(last.payload, live.payload);
    assert_eq!(broker.json("smearscope/box/slide")[0]["fields"], 2);
    publisher.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn each_command_gets_a_reply_and_their_rate_is_limited() {
    let broker = MemoryBroker::default();
    let publisher = RunningPublisher::start(&broker, None);
    broker.wait_for("smearscope/box/health").await;
    let replies = |broker: &MemoryBroker| broker.json("smearscope/box/command/ack");
    broker.send_command(r#"{"id": "a", "command": "next_slide"}"#);
    // Refused: the appliance is still starting.
    broker.send_command(r#"{"id": "b", "command": "capture"}"#);
    broker.send_command(r#"{"id": "a", "command": "next_slide"}"#);
    broker.send_command("nonsense");
    broker.wait_until(|broker| replies(broker).len() == 4).await;
    let received = replies(&broker);
    assert_eq!(
        received[0],
        serde_json::json!({"id": "a", "accepted": true, "reason": null})
    );
    assert_eq!(
        (&received[1]["id"], &received[1]["accepted"]),
        (&"b".into(), &false.into())
    );
    assert_eq!(received[2], received[0]);
    assert_eq!(received[3]["id"], Value::Null);
    for command in 0..100 {
        broker.send_command(&format!(
            r#"{{"id": "{command}", "command": "next_slide"}}"#
        ));
    }
    broker.send_command("the end");
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(replies(&broker).len(), 5);
    publisher.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn an_oversized_packet_stops_commands_for_ten_minutes() {
    let broker = MemoryBroker::default();
    broker.with_state(|state| {
        state.oversized = 1;
        // The second connection breaks at the first delivery.
        state.cuts = [1000, 1].into();
    });
    let outbox = MemoryOutbox::default();
    let publisher = RunningPublisher::start(&broker, Some(outbox.clone()));
    let connections = |broker: &MemoryBroker| broker.with_state(|state| state.connections);
    let subscriptions =
        |broker: &MemoryBroker| broker.with_state(|state| state.subscriptions.clone());
    broker.wait_until(|broker| connections(broker) == 2).await;
    assert_eq!(subscriptions(&broker), [""; 0]);
    tokio::time::sleep(Duration::from_mins(10)).await;
    outbox.push(1);
    broker.wait_until(|broker| connections(broker) == 3).await;
    assert_eq!(subscriptions(&broker), ["smearscope/box/command"]);
    publisher.shut_down().await;
}
