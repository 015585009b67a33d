//! MQTT for everyone: what the appliance does and finds, and what it may be asked.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::analysis::finding::SaveOutcome;
use crate::appliance::handle::{ApplianceEvent, ApplianceHandle};
use crate::appliance::self_test::SelfTest;
use crate::config::Config;
use crate::config::mqtt::Mqtt;
use crate::mqtt::command::{Answer, Command, Memory, Order};
use crate::mqtt::delivery::Delivery;
use crate::mqtt::discovery;
use crate::mqtt::link::{Delivery as Receipt, Incoming, Link, LinkError, Message, Session};
use crate::mqtt::outbox::{Outbox, OutboxWorker};
use crate::mqtt::payload;
use crate::mqtt::rate::Rate;
use crate::mqtt::selftest;
use crate::mqtt::session::Conversation;
use crate::system::host_metrics::Probe;

/// How often the broker hears from the appliance at least.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often it is told how the machine is. Records that nobody told of are looked for as often.
const HEALTH: Duration = Duration::from_mins(1);
/// Before records are looked for again where there are none yet.
const OPENING: Duration = Duration::from_secs(1);

/// Tells a broker.
pub(crate) struct Publisher {
    settings: Mqtt,
    config: Arc<Config>,
    handle: ApplianceHandle,
    probe: Probe,
    health: Interval,
    outbox: Option<OutboxWorker>,
    /// Once the outbox is open.
    delivery: Option<Delivery>,
    opening: Interval,
    has_delivered: bool,
    rate: Rate,
    memory: Memory,
    selftest: Option<(String, JoinHandle<SelfTest>)>,
    /// What was last published of the last field and its slide, for a broker that forgot it.
    last: Option<[Message; 2]>,
}

/// The answer to a self-test, once it is over.
#[derive(Serialize)]
struct Tested<'a> {
    id: &'a str,
    #[serde(flatten)]
    condition: crate::report::self_test::SelfTest,
}

impl Publisher {
    pub(crate) fn new(
        settings: Mqtt,
        config: Arc<Config>,
        handle: ApplianceHandle,
        probe: Probe,
        outbox: Option<OutboxWorker>,
    ) -> Self {
        let every = |period| {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        Self {
            settings,
            config,
            handle,
            probe,
            health: every(HEALTH),
            outbox,
            delivery: None,
            opening: every(OPENING),
            has_delivered: false,
            rate: Rate::new(),
            memory: Memory::default(),
            selftest: None,
            last: None,
        }
    }

    fn topic(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.settings.prefix, self.settings.device)
    }

    async fn greet<L: Link>(&mut self, link: &mut L) -> Result<(), LinkError> {
        if let Some(prefix) = &self.settings.discovery {
            link.publish(discovery::message(prefix, &self.settings))
                .await?;
        }
        link.publish(Message::retained(self.topic("availability"), "online"))
            .await?;
        self.tell_state(link).await?;
        for message in self.last.iter().flatten() {
            link.publish(message.clone()).await?;
        }
        Ok(())
    }

    async fn tell_state<L: Link>(&self, link: &mut L) -> Result<(), LinkError> {
        let state = payload::state(&self.handle.status().borrow());
        link.publish(Message::retained(self.topic("state"), state))
            .await
    }

    async fn tell_health<L: Link>(&mut self, link: &mut L) -> Result<(), LinkError> {
        let undelivered = match (&self.outbox, &self.delivery) {
            (Some(outbox), Some(delivery)) => {
                let delivered = delivery.delivered();
                Some(outbox.ask(move |outbox| outbox.waiting(delivered)).await?)
            }
            _ => None,
        };
        let health = payload::health(&self.probe.measure(), undelivered);
        link.publish(Message::retained(self.topic("health"), health))
            .await
    }

    /// Opens the outbox, if there is one and it can be opened.
    async fn open(&mut self) {
        let Some(outbox) = &self.outbox else { return };
        match outbox.ask(Outbox::delivered).await {
            Ok(delivered) => self.delivery = Some(Delivery::from(delivered)),
            // It is made only when the appliance starts.
            Err(error) => log::debug!("MQTT: {error}"),
        }
    }

    /// Sends what may be sent now, and notes what was delivered.
    async fn deliver<L: Link>(&mut self, link: &mut L) -> Result<(), LinkError> {
        let topic = self.topic("verdict");
        let (Some(outbox), Some(delivery)) = (&self.outbox, &mut self.delivery) else {
            return Ok(());
        };
        if let Some(seq) = delivery.to_note() {
            outbox.ask(move |outbox| outbox.acknowledge(seq)).await?;
            delivery.note(seq);
        }
        let (after, most) = (delivery.sent(), delivery.room());
        if most == 0 {
            return Ok(());
        }
        for event in outbox.ask(move |outbox| outbox.after(after, most)).await? {
            let message = Message::passing(topic.clone(), event.payload);
            // Before it is handed over: its acknowledgement may be there at once.
            delivery.send(event.seq);
            link.publish(message.delivered(Receipt::Numbered(event.seq)))
                .await?;
        }
        Ok(())
    }

    async fn happened<L: Link>(
        &mut self,
        link: &mut L,
        event: ApplianceEvent,
    ) -> Result<(), LinkError> {
        match event {
            ApplianceEvent::Analysed(report) => {
                let verdict = payload::of_report(&report);
                let is_recorded = matches!(report.finding.saved, SaveOutcome::Saved(_));
                if self.outbox.is_none() || !is_recorded {
                    // Nothing else will tell of it.
                    let live = Message::passing(self.topic("verdict"), verdict.clone());
                    link.publish(live.delivered(Receipt::AtLeastOnce)).await?;
                }
                let slide = payload::slide(&report.finding.slide, false);
                self.tell_last(link, [("last_verdict", verdict), ("slide", slide)])
                    .await
            }
            ApplianceEvent::SlideClosed(standing) => {
                let slide = payload::slide(&standing, true);
                let message = Message::retained(self.topic("slide"), slide);
                if let Some(last) = &mut self.last {
                    last[1] = message.clone();
                }
                link.publish(message).await
            }
            // The state says so.
            ApplianceEvent::Failed { .. } => Ok(()),
        }
    }

    async fn tell_last<L: Link>(
        &mut self,
        link: &mut L,
        last: [(&str, Vec<u8>); 2],
    ) -> Result<(), LinkError> {
        let last = last.map(|(name, payload)| Message::retained(self.topic(name), payload));
        self.last = Some(last.clone());
        for message in last {
            link.publish(message).await?;
        }
        Ok(())
    }

    async fn command<L: Link>(&mut self, link: &mut L, payload: &[u8]) -> Result<(), LinkError> {
        if !self.rate.admits() {
            return Ok(());
        }
        let answer = match Command::parse(payload) {
            Err(answer) => answer,
            Ok(command) => match self.memory.answer(&command.id) {
                Some(answer) => answer.clone(),
                None => self.obey(&command),
            },
        };
        let message = Message::passing(self.topic("command/ack"), payload::json(&answer));
        link.publish(message.delivered(Receipt::AtLeastOnce)).await
    }

    fn obey(&mut self, command: &Command) -> Answer {
        let refusal = match command.command {
            Order::Selftest if self.selftest.is_some() => Some("a self-test is running"),
            Order::Selftest => {
                let test = selftest::begin(&self.config, &self.handle);
                self.selftest = Some((command.id.clone(), test));
                None
            }
            order => order.press(&self.handle),
        };
        let answer = Answer::to(command, refusal);
        self.memory.remember(answer.clone());
        answer
    }
}

/// Waits for a self-test, for ever if there is none.
async fn tested(selftest: &mut Option<(String, JoinHandle<SelfTest>)>) -> (String, SelfTest) {
    let Some((id, test)) = selftest else {
        return std::future::pending().await;
    };
    let condition = test.await.unwrap_or_else(|error| selftest::crashed(&error));
    let id = id.clone();
    *selftest = None;
    (id, condition)
}

impl Conversation for Publisher {
    fn name(&self) -> &'static str {
        "MQTT"
    }

    fn session(&self) -> Session {
        Session {
            client: format!("{}-{}", self.settings.prefix, self.settings.device).replace('/', "-"),
            keep_alive: KEEP_ALIVE,
            will: Message::retained(self.topic("availability"), "offline")
                .delivered(Receipt::AtLeastOnce),
            listens_to: if self.settings.commands {
                vec![self.topic("command")]
            } else {
                Vec::new()
            },
        }
    }

    async fn prepare(&mut self) -> Infallible {
        while self.outbox.is_some() && self.delivery.is_none() {
            self.opening.tick().await;
            self.open().await;
        }
        std::future::pending().await
    }

    async fn hold<L: Link>(&mut self, link: &mut L) -> Result<Infallible, LinkError> {
        self.has_delivered = false;
        if let Some(delivery) = &mut self.delivery {
            delivery.land();
        }
        let mut events = self.handle.events();
        let mut status = self.handle.status();
        status.mark_unchanged();
        self.greet(link).await?;
        self.deliver(link).await?;
        loop {
            tokio::select! {
                incoming = link.next() => match incoming? {
                    Incoming::Acknowledged(seq) => {
                        if let Some(delivery) = &mut self.delivery {
                            delivery.arrive(seq);
                            self.has_delivered = true;
                        }
                        self.deliver(link).await?;
                    }
                    Incoming::Received { payload, .. } => self.command(link, &payload).await?,
                },
                event = events.recv() => {
                    match event {
                        Ok(event) => self.happened(link, event).await?,
                        Err(RecvError::Lagged(_)) => {}
                        // The appliance has ended; who ends the network says goodbye.
                        Err(RecvError::Closed) => std::future::pending().await,
                    }
                    self.deliver(link).await?;
                }
                Ok(()) = status.changed() => self.tell_state(link).await?,
                _ = self.health.tick() => {
                    self.tell_health(link).await?;
                    self.deliver(link).await?;
                }
                _ = self.opening.tick(), if self.outbox.is_some() && self.delivery.is_none() => {
                    self.open().await;
                    self.deliver(link).await?;
                }
                (id, condition) = tested(&mut self.selftest) => {
                    let tested = Tested { id: &id, condition: (&condition).into() };
                    let message = Message::passing(self.topic("selftest"), payload::json(&tested));
                    link.publish(message.delivered(Receipt::AtLeastOnce)).await?;
                }
            }
        }
    }

    fn has_achieved(&self) -> bool {
        self.has_delivered
    }

    async fn farewell<L: Link>(&mut self, link: &mut L) -> Result<(), LinkError> {
        let offline = Message::retained(self.topic("availability"), "offline");
        link.publish(offline).await?;
        if let (Some(outbox), Some(delivery)) = (&self.outbox, &mut self.delivery)
            && let Some(seq) = delivery.to_note_at_last()
        {
            outbox.ask(move |outbox| outbox.acknowledge(seq)).await?;
            delivery.note(seq);
        }
        Ok(())
    }
}
