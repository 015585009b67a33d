//! The `[mqtt]` client: publishes state and verdicts, and accepts commands.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::analysis::finding::SaveOutcome;
use crate::appliance::handle::{ApplianceEvent, ApplianceHandle};
use crate::appliance::self_test::SelfTest;
use crate::appliance::web_address::WebAddress;
use crate::config::Config;
use crate::config::mqtt::Mqtt;
use crate::mqtt::client::Client;
use crate::mqtt::command::{Action, Command, RecentReplies, Reply};
use crate::mqtt::connection::{BrokerError, ConnectOptions, Connection, Incoming, Message, Qos};
use crate::mqtt::delivery_window::DeliveryWindow;
use crate::mqtt::discovery;
use crate::mqtt::outbox::{Outbox, OutboxWorker};
use crate::mqtt::payload::{self, LiveVerdict};
use crate::mqtt::rate_limiter::RateLimiter;
use crate::mqtt::selftest::SelfTestRunner;
use crate::system::host_metrics::Probe;

/// Longest silence towards the broker.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Interval of `health`. The outbox is read as often, for records that no event announced.
const HEALTH_INTERVAL: Duration = Duration::from_mins(1);
/// Interval between attempts to open the outbox while there are no records yet.
const OPEN_INTERVAL: Duration = Duration::from_secs(1);

/// Publishes what the appliance does.
pub(crate) struct Publisher {
    settings: Mqtt,
    /// The web page, if other machines can open it.
    address: Option<WebAddress>,
    handle: ApplianceHandle,
    probe: Probe,
    health: Interval,
    outbox: Option<OutboxWorker>,
    /// None until the outbox is open.
    window: Option<DeliveryWindow>,
    open_attempts: Interval,
    has_delivered: bool,
    rate_limiter: RateLimiter,
    replies: RecentReplies,
    /// A request is the command's id.
    selftest: SelfTestRunner<String>,
    /// The latest `last_verdict`, for a broker that has lost its retained messages.
    last_verdict: Option<Message>,
    /// The latest `slide`, likewise.
    last_slide: Option<Message>,
    /// Whether the broker was asked to forget an earlier announcement to Home Assistant.
    is_withdrawn: bool,
}

/// The result of a self-test: topic `selftest`.
#[derive(Serialize)]
struct SelfTestPayload<'a> {
    id: &'a str,
    #[serde(flatten)]
    result: &'a SelfTest,
}

impl Publisher {
    /// A client that is not connected yet. Must be called within a Tokio runtime.
    pub(crate) fn new(
        settings: Mqtt,
        address: Option<WebAddress>,
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
            address,
            selftest: SelfTestRunner::new(config, handle.clone()),
            handle,
            probe,
            health: every(HEALTH_INTERVAL),
            outbox,
            window: None,
            open_attempts: every(OPEN_INTERVAL),
            has_delivered: false,
            rate_limiter: RateLimiter::new(),
            replies: RecentReplies::default(),
            last_verdict: None,
            last_slide: None,
            is_withdrawn: false,
        }
    }

    fn topic(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.settings.prefix, self.settings.device)
    }

    /// Publishes what a broker must know after each connect.
    async fn announce<C: Connection>(&mut self, connection: &mut C) -> Result<(), BrokerError> {
        self.announce_to_home_assistant(connection).await?;
        connection
            .publish(Message::retained(self.topic("availability"), "online"))
            .await?;
        self.publish_state(connection).await?;
        for message in self.last_verdict.iter().chain(&self.last_slide) {
            connection.publish(message.clone()).await?;
        }
        Ok(())
    }

    /// Publishes the discovery message. Without discovery, removes one of an earlier configuration; once, because a broker
    /// may end a connection that publishes to a topic of others.
    async fn announce_to_home_assistant<C: Connection>(
        &mut self,
        connection: &mut C,
    ) -> Result<(), BrokerError> {
        let message = if self.settings.discovery {
            let page = self.address.as_ref().map(WebAddress::url);
            discovery::message(&self.settings, page.as_deref())
        } else if self.is_withdrawn {
            return Ok(());
        } else {
            self.is_withdrawn = true;
            discovery::removal(&self.settings)
        };
        connection.publish(message).await
    }

    async fn publish_state<C: Connection>(&self, connection: &mut C) -> Result<(), BrokerError> {
        let state = payload::state(&self.handle.status().borrow());
        connection
            .publish(Message::retained(self.topic("state"), state))
            .await
    }

    async fn publish_health<C: Connection>(
        &mut self,
        connection: &mut C,
    ) -> Result<(), BrokerError> {
        let undelivered = match (&self.outbox, &self.window) {
            (Some(outbox), Some(window)) => {
                let delivered = window.delivered();
                Some(outbox.ask(move |outbox| outbox.waiting(delivered)).await?)
            }
            _ => None,
        };
        let health = payload::health(&self.probe.measure(), undelivered);
        connection
            .publish(Message::retained(self.topic("health"), health))
            .await
    }

    /// Opens the outbox, if there are records.
    async fn open_outbox(&mut self) {
        let Some(outbox) = &self.outbox else { return };
        match outbox.ask(Outbox::delivered).await {
            Ok(delivered) => self.window = Some(DeliveryWindow::new(delivered)),
            // Expected while the appliance starts: it creates the records.
            Err(error) => log::debug!("MQTT: {error}"),
        }
    }

    /// Publishes the slide that the appliance closed when it started. It was open when the power failed, and so is the
    /// slide that the broker still has.
    async fn publish_closed_slide<C: Connection>(
        &mut self,
        connection: &mut C,
    ) -> Result<(), BrokerError> {
        let (Some(outbox), Some(_), None) = (&self.outbox, &self.window, &self.last_slide) else {
            return Ok(());
        };
        match outbox.ask(Outbox::closed_slide).await {
            Ok(Some(slide)) => {
                let message = Message::retained(self.topic("slide"), slide);
                self.last_slide = Some(message.clone());
                connection.publish(message).await
            }
            // It is not closed yet, or there is none.
            Ok(None) => Ok(()),
            Err(error) => {
                log::debug!("MQTT: the last slide cannot be read: {error}");
                Ok(())
            }
        }
    }

    /// Stores which verdicts are delivered and sends as many as the window has room for.
    async fn send_pending<C: Connection>(&mut self, connection: &mut C) -> Result<(), BrokerError> {
        let topic = self.topic("verdict");
        let (Some(outbox), Some(window)) = (&self.outbox, &mut self.window) else {
            return Ok(());
        };
        if let Some(seq) = window.due() {
            outbox.ask(move |outbox| outbox.acknowledge(seq)).await?;
            window.stored(seq);
        }
        let (last_sent, room) = (window.last_sent(), window.room());
        if room == 0 {
            return Ok(());
        }
        let pending = outbox.ask(move |outbox| outbox.after(last_sent, room));
        for verdict in pending.await? {
            let message = Message::transient(topic.clone(), verdict.payload);
            // Before `publish`, because the acknowledgement may arrive at once.
            window.push(verdict.seq);
            connection
                .publish(message.with_qos(Qos::Tracked(verdict.seq)))
                .await?;
        }
        Ok(())
    }

    async fn handle_event<C: Connection>(
        &mut self,
        connection: &mut C,
        event: ApplianceEvent,
    ) -> Result<(), BrokerError> {
        match event {
            ApplianceEvent::Analysed(report) => {
                let is_recorded = matches!(report.finding.saved, SaveOutcome::Saved(_));
                let is_in_outbox = is_recorded && self.outbox.is_some();
                let has_cells = self.settings.cells && !is_in_outbox;
                let live = LiveVerdict::new(&report, has_cells);
                if !is_in_outbox {
                    let verdict = Message::transient(self.topic("verdict"), live.verdict);
                    connection
                        .publish(verdict.with_qos(Qos::AtLeastOnce))
                        .await?;
                }
                let slide = payload::slide(&report.finding.slide, false);
                let verdict = Message::retained(self.topic("last_verdict"), live.last_verdict);
                self.last_verdict = Some(verdict.clone());
                connection.publish(verdict).await?;
                let slide = Message::retained(self.topic("slide"), slide);
                self.last_slide = Some(slide.clone());
                connection.publish(slide).await
            }
            ApplianceEvent::SlideClosed(summary) => {
                let slide = payload::slide(&summary, true);
                let message = Message::retained(self.topic("slide"), slide);
                self.last_slide = Some(message.clone());
                connection.publish(message).await
            }
            // Published as a state.
            ApplianceEvent::Failed { .. } => Ok(()),
        }
    }

    async fn handle_command<C: Connection>(
        &mut self,
        connection: &mut C,
        payload: &[u8],
    ) -> Result<(), BrokerError> {
        if !self.rate_limiter.accept() {
            return Ok(());
        }
        let reply = match Command::parse(payload) {
            Err(reply) => reply,
            Ok(command) => match self.replies.get(&command.id) {
                Some(reply) => reply.clone(),
                None => self.execute(&command),
            },
        };
        let message = Message::transient(self.topic("command/ack"), payload::json(&reply));
        connection.publish(message.with_qos(Qos::AtLeastOnce)).await
    }

    fn execute(&mut self, command: &Command) -> Reply {
        let started = match command.command {
            Action::Selftest => self.selftest.start(command.id.clone()),
            action => action.press(&self.handle),
        };
        let reply = Reply::new(command, started);
        self.replies.push(reply.clone());
        reply
    }
}

impl Client for Publisher {
    fn name(&self) -> &'static str {
        "MQTT"
    }

    fn options(&self) -> ConnectOptions {
        ConnectOptions {
            client: format!("{}-{}", self.settings.prefix, self.settings.device).replace('/', "-"),
            keep_alive: KEEP_ALIVE,
            will: Message::retained(self.topic("availability"), "offline")
                .with_qos(Qos::AtLeastOnce),
            subscriptions: if self.settings.commands {
                vec![self.topic("command")]
            } else {
                Vec::new()
            },
        }
    }

    async fn while_disconnected(&mut self) -> Infallible {
        while self.outbox.is_some() && self.window.is_none() {
            self.open_attempts.tick().await;
            self.open_outbox().await;
        }
        std::future::pending().await
    }

    async fn serve<C: Connection>(
        &mut self,
        connection: &mut C,
    ) -> Result<Infallible, BrokerError> {
        self.has_delivered = false;
        if let Some(window) = &mut self.window {
            window.rewind();
        }
        let mut events = self.handle.events();
        let mut status = self.handle.status();
        status.mark_unchanged();
        self.announce(connection).await?;
        self.publish_closed_slide(connection).await?;
        self.send_pending(connection).await?;
        loop {
            tokio::select! {
                incoming = connection.next() => match incoming? {
                    Incoming::Acknowledged(seq) => {
                        if let Some(window) = &mut self.window {
                            window.acknowledge(seq);
                            self.has_delivered = true;
                        }
                        self.send_pending(connection).await?;
                    }
                    Incoming::Received { payload, .. } => {
                        self.handle_command(connection, &payload).await?;
                    }
                },
                event = events.recv() => {
                    match event {
                        Ok(event) => self.handle_event(connection, event).await?,
                        Err(RecvError::Lagged(_)) => {}
                        // The appliance has ended; `finish` runs at the shutdown of the network.
                        Err(RecvError::Closed) => std::future::pending().await,
                    }
                    self.send_pending(connection).await?;
                }
                Ok(()) = status.changed() => {
                    self.publish_state(connection).await?;
                    self.publish_closed_slide(connection).await?;
                }
                _ = self.health.tick() => {
                    self.publish_health(connection).await?;
                    self.send_pending(connection).await?;
                }
                _ = self.open_attempts.tick(), if self.outbox.is_some() && self.window.is_none() => {
                    self.open_outbox().await;
                    self.publish_closed_slide(connection).await?;
                    self.send_pending(connection).await?;
                }
                (id, result) = self.selftest.result() => {
                    let payload = SelfTestPayload { id: &id, result: &result };
                    let message = Message::transient(self.topic("selftest"), payload::json(&payload));
                    connection.publish(message.with_qos(Qos::AtLeastOnce)).await?;
                }
            }
        }
    }

    fn made_progress(&self) -> bool {
        self.has_delivered
    }

    async fn finish<C: Connection>(&mut self, connection: &mut C) -> Result<(), BrokerError> {
        let offline = Message::retained(self.topic("availability"), "offline");
        connection.publish(offline).await?;
        if let (Some(outbox), Some(window)) = (&self.outbox, &mut self.window)
            && let Some(seq) = window.unstored()
        {
            outbox.ask(move |outbox| outbox.acknowledge(seq)).await?;
            window.stored(seq);
        }
        Ok(())
    }
}
