//! Connections by rumqttc: MQTT 3.1.1 over TCP, or over TLS with rustls.

use std::collections::{HashMap, VecDeque};
use std::net::Ipv6Addr;
use std::sync::Arc;

use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, LastWill, MqttOptions,
    Outgoing, Packet, QoS, StateError, SubscribeFilter, SubscribeReasonCode, TlsConfiguration,
    Transport,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use smearscope_hardware::with_causes;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::{JoinError, JoinHandle};

use crate::config::broker::{Broker, Trust};
use crate::mqtt::link::{Connect, Delivery, Incoming, Link, LinkError, Message, Session};

/// Messages that wait to be sent.
const OUTGOING: usize = 64;
/// Messages that came and were not looked at yet; more are dropped.
const INCOMING: usize = 16;
/// A longer packet ends the connection before it is read.
const MAX_PACKET: usize = 256 << 10;
/// A longer message is dropped; commands have some hundred bytes.
const MAX_PAYLOAD: usize = 4 << 10;
/// To the connection, and again to its acknowledgement.
const PATIENCE_S: u64 = 10;

/// Connects to one broker, again and again.
pub(crate) struct Rumqtt {
    broker: Broker,
}

impl Rumqtt {
    pub(crate) fn new(broker: Broker) -> Self {
        Self { broker }
    }

    fn options(&self, session: &Session) -> Result<MqttOptions, LinkError> {
        let Broker { host, port, .. } = &self.broker;
        let host = match host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => host.clone(),
        };
        let mut options = MqttOptions::new(&session.client, host, *port);
        options
            .set_keep_alive(session.keep_alive)
            .set_clean_session(true)
            .set_max_packet_size(MAX_PACKET, MAX_PACKET)
            .set_last_will(LastWill::new(
                &session.will.topic,
                session.will.payload.clone(),
                quality(session.will.delivery),
                session.will.retain,
            ));
        if let Some((user, password)) = &self.broker.login {
            options.set_credentials(user, password.reveal());
        }
        if let Some(trust) = &self.broker.trust {
            let config = TlsConfiguration::Rustls(Arc::new(client_config(trust)?));
            options.set_transport(Transport::tls_with_config(config));
        }
        Ok(options)
    }
}

impl Connect for Rumqtt {
    type Link = RumqttLink;

    async fn connect(&mut self, session: &Session) -> Result<RumqttLink, LinkError> {
        let (client, mut events) = AsyncClient::new(self.options(session)?, OUTGOING);
        let mut network = rumqttc::NetworkOptions::new();
        network.set_connection_timeout(PATIENCE_S);
        network.set_tcp_nodelay(true);
        events.set_network_options(network);
        // The first event is the broker's answer, or why there is none. In a task of its own, like the
        // pump: whatever a broker makes of rumqttc, it is tried again.
        let connecting = tokio::spawn(async move {
            let answer = events.poll().await;
            (events, answer)
        });
        let (events, answer) = connecting.await.map_err(|error| crashed(&error))?;
        answer.map_err(|error| broken(&error))?;
        let filters = session.listens_to.iter().map(|topic| SubscribeFilter {
            path: topic.clone(),
            qos: QoS::AtMostOnce,
        });
        if !session.listens_to.is_empty() {
            client.subscribe_many(filters).await.map_err(closed)?;
        }
        let (acknowledged, acknowledgements) = mpsc::unbounded_channel();
        let (received, messages) = mpsc::channel(INCOMING);
        let (numbers, numbering) = mpsc::unbounded_channel();
        let pump = Pump {
            events,
            numbering,
            acknowledged,
            received,
        };
        Ok(RumqttLink {
            client,
            numbers,
            acknowledgements,
            messages,
            pump: tokio::spawn(pump.run()),
        })
    }
}

/// A connection, driven by a task of its own: rumqttc loses its place where it is interrupted.
pub(crate) struct RumqttLink {
    client: AsyncClient,
    /// The number, if any, of each message whose receipt is acknowledged, as they are handed over.
    numbers: mpsc::UnboundedSender<Option<i64>>,
    acknowledgements: mpsc::UnboundedReceiver<i64>,
    messages: mpsc::Receiver<Incoming>,
    pump: JoinHandle<LinkError>,
}

impl Link for RumqttLink {
    async fn publish(&mut self, message: Message) -> Result<(), LinkError> {
        let number = match message.delivery {
            Delivery::AtMostOnce => None,
            Delivery::AtLeastOnce => Some(None),
            Delivery::Numbered(number) => Some(Some(number)),
        };
        if let Some(number) = number {
            self.numbers
                .send(number)
                .map_err(|_| LinkError::Broken("the connection has ended".into()))?;
        }
        let Message {
            topic,
            payload,
            retain,
            delivery,
        } = message;
        self.client
            .publish(topic, quality(delivery), retain, payload)
            .await
            .map_err(closed)
    }

    async fn next(&mut self) -> Result<Incoming, LinkError> {
        tokio::select! {
            biased;
            Some(number) = self.acknowledgements.recv() => Ok(Incoming::Acknowledged(number)),
            Some(message) = self.messages.recv() => Ok(message),
            ended = &mut self.pump => Err(ended.unwrap_or_else(|error| crashed(&error))),
        }
    }

    async fn close(mut self) {
        if self.client.disconnect().await.is_ok() {
            // Why it ended does not matter any more.
            let _ = (&mut self.pump).await;
        }
    }
}

impl Drop for RumqttLink {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

/// What drives a connection.
struct Pump {
    events: EventLoop,
    numbering: mpsc::UnboundedReceiver<Option<i64>>,
    acknowledged: mpsc::UnboundedSender<i64>,
    received: mpsc::Sender<Incoming>,
}

impl Pump {
    async fn run(mut self) -> LinkError {
        // Messages whose receipt is acknowledged are sent in the order in which they were handed over.
        let mut numbers = VecDeque::new();
        let mut flying: HashMap<u16, Option<i64>> = HashMap::new();
        let mut dropped = 0_u32;
        loop {
            let event = match self.events.poll().await {
                Ok(event) => event,
                Err(error) => return broken(&error),
            };
            match event {
                Event::Outgoing(Outgoing::Publish(packet)) if packet > 0 => {
                    while let Ok(number) = self.numbering.try_recv() {
                        numbers.push_back(number);
                    }
                    if let Some(number) = numbers.pop_front() {
                        flying.insert(packet, number);
                    }
                }
                Event::Incoming(Packet::PubAck(ack)) => {
                    if let Some(Some(number)) = flying.remove(&ack.pkid) {
                        // Whoever waited for it may be gone.
                        let _ = self.acknowledged.send(number);
                    }
                }
                Event::Incoming(Packet::Publish(message)) => {
                    // One that was kept was not meant for this moment.
                    if message.retain || message.payload.len() > MAX_PAYLOAD {
                        continue;
                    }
                    let message = Incoming::Received {
                        topic: message.topic,
                        payload: message.payload.to_vec(),
                    };
                    if let Err(TrySendError::Full(_)) = self.received.try_send(message) {
                        dropped += 1;
                        if dropped.is_power_of_two() {
                            log::warn!("{dropped} messages came too fast and were dropped");
                        }
                    }
                }
                Event::Incoming(Packet::SubAck(answer))
                    if answer.return_codes.contains(&SubscribeReasonCode::Failure) =>
                {
                    log::warn!(
                        "the broker lets this user hear no commands; check its access rules"
                    );
                }
                // After a goodbye, too, until the broker closes: if this end did so with something unread, the
                // broker might see that before the goodbye, and publish the will.
                _ => {}
            }
        }
    }
}

fn quality(delivery: Delivery) -> QoS {
    match delivery {
        Delivery::AtMostOnce => QoS::AtMostOnce,
        Delivery::AtLeastOnce | Delivery::Numbered(_) => QoS::AtLeastOnce,
    }
}

fn closed(_: rumqttc::ClientError) -> LinkError {
    LinkError::Broken("the connection has ended".into())
}

fn crashed(error: &JoinError) -> LinkError {
    LinkError::Broken(format!("the connection was ended by a fault: {error}"))
}

/// Why a connection ended, and where that is known, what to do about it.
fn broken(error: &ConnectionError) -> LinkError {
    if let ConnectionError::MqttState(StateError::Deserialization(
        rumqttc::mqttbytes::Error::PayloadSizeLimitExceeded(size),
    )) = error
    {
        return LinkError::TooLong(*size);
    }
    LinkError::Broken(match error {
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
        ) => "the broker refuses user and password; check them".into(),
        ConnectionError::NetworkTimeout => {
            format!("the broker did not answer within {PATIENCE_S} s; check host and port")
        }
        error => with_causes(error),
    })
}

fn client_config(trust: &Trust) -> Result<ClientConfig, LinkError> {
    let mut roots = RootCertStore::empty();
    match trust {
        Trust::System => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(LinkError::Setup(
                    "the system trusts nobody; install ca-certificates, or name a ca_file".into(),
                ));
            }
        }
        Trust::File(file) => {
            let unusable = |problem: String| {
                LinkError::Setup(format!(
                    "ca_file = {}: {problem}; give certificates in PEM form that this user may read",
                    file.display()
                ))
            };
            let certificates = CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| unusable(error.to_string()))?;
            roots.add_parsable_certificates(certificates);
            if roots.is_empty() {
                return Err(unusable("no certificate is in it".into()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| LinkError::Setup(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn certificates_that_cannot_be_used_name_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for path in [file.path(), std::path::Path::new("/nowhere")] {
            let error = client_config(&Trust::File(path.into())).unwrap_err();
            assert!(
                error.to_string().contains(path.to_str().unwrap()),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn a_broker_that_is_not_there_is_an_error() {
        // Bound and not listening: nobody else gets the port, and nobody answers.
        let port = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let broker = Broker {
            host: "127.0.0.1".into(),
            port,
            trust: None,
            login: None,
        };
        let session = Session {
            client: "test".into(),
            keep_alive: Duration::from_secs(10),
            will: Message::passing("will", ""),
            listens_to: Vec::new(),
        };
        let error = Rumqtt::new(broker).connect(&session).await.err().unwrap();
        assert!(error.to_string().contains("refused"), "{error}");
    }
}
