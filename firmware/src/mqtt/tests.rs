//! Conversations over connections that a test cuts.

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
use crate::mqtt::link::{Connect, Delivery, Incoming, Link, LinkError, Message, Session};
use crate::mqtt::outbox::OutboxWorker;
use crate::mqtt::outbox::tests::Shelf;
use crate::mqtt::publisher::Publisher;
use crate::mqtt::session;
use crate::system::host_metrics::Probe;
use crate::system::shutdown::{Shutdown, ShutdownTrigger};

/// A broker in memory. Clones are the same one.
#[derive(Clone, Default)]
struct Stage(Arc<Mutex<Scene>>);

#[derive(Default)]
struct Scene {
    /// What arrived, over all connections.
    arrived: Vec<Message>,
    /// After so many acknowledgements each connection breaks; then no more do.
    cuts: VecDeque<usize>,
    connections: usize,
    /// The topics that the last one listens to.
    listens_to: Vec<String>,
    /// Connections on which somebody publishes far too much.
    floods: usize,
    closed: usize,
    /// To whoever is connected.
    speaker: Option<mpsc::UnboundedSender<Incoming>>,
}

struct Wire {
    stage: Stage,
    heard: mpsc::UnboundedReceiver<Incoming>,
    unacknowledged: VecDeque<i64>,
    left: Option<usize>,
}

impl Stage {
    fn scene<T>(&self, act: impl FnOnce(&mut Scene) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    fn on(&self, topic: &str) -> Vec<Message> {
        self.scene(|scene| {
            let arrived = scene.arrived.iter();
            arrived
                .filter(|message| message.topic == topic)
                .cloned()
                .collect()
        })
    }

    fn json(&self, topic: &str) -> Vec<Value> {
        let messages = self.on(topic);
        let values = messages
            .iter()
            .map(|message| serde_json::from_slice(&message.payload));
        values.collect::<Result<_, _>>().unwrap()
    }

    async fn wait_until(&self, is_so: impl Fn(&Self) -> bool) {
        let patience = async {
            while !is_so(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_hours(1), patience)
            .await
            .unwrap();
    }

    fn say(&self, payload: &str) {
        let message = Incoming::Received {
            topic: "smearscope/box/command".into(),
            payload: payload.into(),
        };
        self.scene(|scene| scene.speaker.as_ref().unwrap().send(message).unwrap());
    }
}

impl Connect for Stage {
    type Link = Wire;

    async fn connect(&mut self, session: &Session) -> Result<Wire, LinkError> {
        let (speaker, heard) = mpsc::unbounded_channel();
        let left = self.scene(|scene| {
            scene.connections += 1;
            scene.listens_to.clone_from(&session.listens_to);
            scene.speaker = Some(speaker);
            scene.cuts.pop_front()
        });
        if left == Some(0) {
            return Err(LinkError::Broken("nobody is there".into()));
        }
        Ok(Wire {
            stage: self.clone(),
            heard,
            unacknowledged: VecDeque::new(),
            left,
        })
    }
}

impl Link for Wire {
    async fn publish(&mut self, message: Message) -> Result<(), LinkError> {
        if let Delivery::Numbered(number) = message.delivery {
            self.unacknowledged.push_back(number);
        }
        self.stage.scene(|scene| scene.arrived.push(message));
        Ok(())
    }

    async fn next(&mut self) -> Result<Incoming, LinkError> {
        tokio::task::yield_now().await;
        let is_flooded = self.stage.scene(|scene| {
            let is_flooded = scene.floods > 0 && !scene.listens_to.is_empty();
            scene.floods -= usize::from(is_flooded);
            is_flooded
        });
        if is_flooded {
            return Err(LinkError::TooLong(1 << 20));
        }
        if self.left == Some(0) {
            return Err(LinkError::Broken("it was cut".into()));
        }
        if let Some(number) = self.unacknowledged.pop_front() {
            self.left = self.left.map(|left| left - 1);
            return Ok(Incoming::Acknowledged(number));
        }
        self.heard
            .recv()
            .await
            .ok_or_else(|| LinkError::Broken("the stage is gone".into()))
    }

    async fn close(self) {
        self.stage.scene(|scene| scene.closed += 1);
    }
}

struct Playing {
    link: ApplianceLink,
    end: ShutdownTrigger,
    task: JoinHandle<()>,
}

impl Playing {
    fn start(stage: &Stage, shelf: Option<Shelf>) -> Self {
        let text = "[mqtt]\nhost = \"b\"\ndevice = \"box\"\ndiscovery = true\n";
        let config = Raw::parse(text).and_then(Raw::validate).unwrap();
        let settings = config.mqtt.clone().unwrap();
        let (handle, link) = connect();
        let outbox = shelf.map(|shelf| OutboxWorker::start(shelf).unwrap());
        let probe = Probe::new(Path::new("/"));
        let publisher = Publisher::new(settings, Arc::new(config), handle, probe, outbox);
        let (end, shutdown) = Shutdown::channel();
        let keep = session::keep(stage.clone(), publisher, shutdown);
        Self {
            link,
            end,
            task: tokio::spawn(keep),
        }
    }

    async fn end(self) {
        drop(self.end);
        self.task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn every_event_arrives_in_order_however_often_the_connection_is_cut() {
    let shelf = Shelf::default();
    // Rows of other kinds lie between.
    let all: Vec<i64> = (1..=1000).map(|event| event * 2).collect();
    for &seq in &all {
        shelf.put(seq);
    }
    let stage = Stage::default();
    // Some connections do not come to be, some bring nothing, some a lot.
    let cuts = (0..60).map(|cut| [0, 7, 31, 1, 16, 2][cut % 6]);
    stage.scene(|scene| scene.cuts = cuts.collect());
    let playing = Playing::start(&stage, Some(shelf.clone()));
    stage.wait_until(|_| shelf.cursor() == 2000).await;
    playing.end().await;
    let mut first = Vec::new();
    for message in stage.on("smearscope/box/verdict") {
        assert_eq!(
            message.delivery,
            Delivery::Numbered(
                String::from_utf8(message.payload.clone())
                    .unwrap()
                    .parse()
                    .unwrap()
            )
        );
        let seq: i64 = String::from_utf8(message.payload).unwrap().parse().unwrap();
        if !first.contains(&seq) {
            first.push(seq);
        }
    }
    assert_eq!(first, all);
    assert_eq!(stage.scene(|scene| scene.connections), 61);
}

#[tokio::test(start_paused = true)]
async fn what_was_delivered_is_remembered_from_start_to_start() {
    let shelf = Shelf::default();
    let stage = Stage::default();
    shelf.put(3);
    let playing = Playing::start(&stage, Some(shelf.clone()));
    stage.wait_until(|_| shelf.cursor() == 3).await;
    playing.end().await;
    shelf.put(5);
    let playing = Playing::start(&stage, Some(shelf.clone()));
    stage.wait_until(|_| shelf.cursor() == 5).await;
    playing.end().await;
    assert_eq!(stage.on("smearscope/box/verdict").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_appliance_is_announced_and_says_goodbye() {
    let stage = Stage::default();
    let playing = Playing::start(&stage, None);
    stage
        .wait_until(|stage| !stage.on("smearscope/box/health").is_empty())
        .await;
    assert_eq!(
        stage.on("homeassistant/device/smearscope_box/config").len(),
        1
    );
    assert_eq!(stage.json("smearscope/box/state")[0]["state"], "starting");
    playing.end().await;
    let availability = stage.on("smearscope/box/availability");
    let payloads: Vec<_> = availability
        .iter()
        .map(|message| message.payload.as_slice())
        .collect();
    assert_eq!(payloads, [b"online".as_slice(), b"offline"]);
    assert!(availability.iter().all(|message| message.retain));
    assert_eq!(stage.scene(|scene| scene.closed), 1);
}

#[tokio::test(start_paused = true)]
async fn without_records_a_verdict_is_told_of_as_it_happens() {
    let stage = Stage::default();
    let playing = Playing::start(&stage, None);
    stage
        .wait_until(|stage| !stage.on("smearscope/box/health").is_empty())
        .await;
    playing
        .link
        .send(ApplianceEvent::Analysed(Arc::new(report())));
    stage
        .wait_until(|stage| !stage.on("smearscope/box/slide").is_empty())
        .await;
    let live = &stage.on("smearscope/box/verdict")[0];
    assert_eq!((live.retain, live.delivery), (false, Delivery::AtLeastOnce));
    let last = &stage.on("smearscope/box/last_verdict")[0];
    assert!(last.retain);
    assert_eq!(last.payload, live.payload);
    assert_eq!(stage.json("smearscope/box/slide")[0]["fields"], 2);
    playing.end().await;
}

#[tokio::test(start_paused = true)]
async fn commands_are_answered_once_each_and_no_faster_than_anybody_presses() {
    let stage = Stage::default();
    let playing = Playing::start(&stage, None);
    stage
        .wait_until(|stage| !stage.on("smearscope/box/health").is_empty())
        .await;
    let answers = |stage: &Stage| stage.json("smearscope/box/command/ack");
    stage.say(r#"{"id": "a", "command": "next_slide"}"#);
    // Nobody waits for a press: the appliance is starting.
    stage.say(r#"{"id": "b", "command": "capture"}"#);
    stage.say(r#"{"id": "a", "command": "next_slide"}"#);
    stage.say("nonsense");
    stage.wait_until(|stage| answers(stage).len() == 4).await;
    let told = answers(&stage);
    assert_eq!(
        told[0],
        serde_json::json!({"id": "a", "accepted": true, "reason": null})
    );
    assert_eq!(
        (&told[1]["id"], &told[1]["accepted"]),
        (&"b".into(), &false.into())
    );
    assert_eq!(told[2], told[0]);
    assert_eq!(told[3]["id"], Value::Null);
    for command in 0..100 {
        stage.say(&format!(
            r#"{{"id": "{command}", "command": "next_slide"}}"#
        ));
    }
    stage.say("the end");
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(answers(&stage).len(), 5);
    playing.end().await;
}

#[tokio::test(start_paused = true)]
async fn who_publishes_too_much_is_not_listened_to_for_a_while() {
    let stage = Stage::default();
    stage.scene(|scene| {
        scene.floods = 1;
        // The connection after that one breaks when something is delivered.
        scene.cuts = [1000, 1].into();
    });
    let shelf = Shelf::default();
    let playing = Playing::start(&stage, Some(shelf.clone()));
    stage
        .wait_until(|stage| stage.scene(|scene| scene.connections == 2))
        .await;
    assert_eq!(stage.scene(|scene| scene.listens_to.clone()), [""; 0]);
    tokio::time::sleep(Duration::from_mins(10)).await;
    shelf.put(1);
    stage
        .wait_until(|stage| stage.scene(|scene| scene.connections == 3))
        .await;
    let listens_to = stage.scene(|scene| scene.listens_to.clone());
    assert_eq!(listens_to, ["smearscope/box/command"]);
    playing.end().await;
}
