//! Connections through the rumqttc crate: MQTT 3.1.1 over TCP, or over TLS with rustls.

use std::collections::{HashMap, VecDeque};
use std::net::Ipv6Addr;
use std::sync::Arc;

use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, LastWill, MqttOptions,
    Outgoing, Packet, QoS, StateError, SubscribeFilter, SubscribeReasonCode, TlsConfiguration,
    TlsError, Transport,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use smearscope_hardware::with_causes;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::{JoinError, JoinHandle};

use crate::config::broker::{Broker, Trust};
use crate::mqtt::connection::{
    BrokerError, ConnectOptions, Connection, Connector, Incoming, Message, Qos,
};
use crate::system::certificate::CertificateProblem;

/// Messages queued for sending.
const OUTGOING: usize = 64;
/// Received messages that wait to be handled; more are dropped.
const INCOMING: usize = 16;
/// Longest packet, in bytes; a longer one ends the connection before it is read.
const MAX_PACKET: usize = 256 << 10;
/// Longest payload, in bytes; a message with a longer one is dropped. Commands have about a hundred bytes.
const MAX_PAYLOAD: usize = 4 << 10;
/// Time limit to connect, and again for the broker's acknowledgement, in seconds.
const CONNECT_LIMIT_S: u64 = 10;

/// Connects to one broker.
pub(crate) struct RumqttConnector {
    broker: Broker,
}

impl RumqttConnector {
    /// A connector to `broker`.
    pub(crate) fn new(broker: Broker) -> Self {
        Self { broker }
    }

    fn mqtt_options(&self, options: &ConnectOptions) -> Result<MqttOptions, BrokerError> {
        let Broker { host, port, .. } = &self.broker;
        let host = match host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => host.clone(),
        };
        let ConnectOptions {
            client,
            keep_alive,
            will,
            ..
        } = options;
        let mut options = MqttOptions::new(client, host, *port);
        options
            .set_keep_alive(*keep_alive)
            .set_clean_session(true)
            .set_max_packet_size(MAX_PACKET, MAX_PACKET)
            .set_last_will(LastWill::new(
                &will.topic,
                will.payload.clone(),
                quality_of_service(will.qos),
                will.retain,
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

impl Connector for RumqttConnector {
    type Connection = RumqttConnection;

    async fn connect(&mut self, options: &ConnectOptions) -> Result<RumqttConnection, BrokerError> {
        let (client, mut events) = AsyncClient::new(self.mqtt_options(options)?, OUTGOING);
        let mut network = rumqttc::NetworkOptions::new();
        network.set_connection_timeout(CONNECT_LIMIT_S);
        network.set_tcp_nodelay(true);
        events.set_network_options(network);
        // The first event is the broker's acknowledgement or an error. A separate task, so that a panic in rumqttc
        // becomes an error that leads to another attempt.
        let connecting = tokio::spawn(async move {
            let acknowledged = events.poll().await;
            (events, acknowledged)
        });
        let (events, acknowledged) = connecting.await.map_err(|error| crashed(&error))?;
        acknowledged.map_err(|error| disconnected(&error))?;
        if !options.subscriptions.is_empty() {
            let filters = options.subscriptions.iter();
            let filters = filters.map(|topic| SubscribeFilter {
                path: topic.clone(),
                qos: QoS::AtMostOnce,
            });
            client.subscribe_many(filters).await.map_err(closed)?;
        }
        let (acknowledged, acknowledgements) = mpsc::unbounded_channel();
        let (received, messages) = mpsc::channel(INCOMING);
        let (numbers, published) = mpsc::unbounded_channel();
        let driver = Driver {
            events,
            published,
            acknowledged,
            received,
        };
        Ok(RumqttConnection {
            client,
            numbers,
            acknowledgements,
            messages,
            driver: tokio::spawn(driver.run()),
        })
    }
}

/// An open connection. A separate task drives it, because rumqttc's event loop is not cancel-safe.
pub(crate) struct RumqttConnection {
    client: AsyncClient,
    /// The number, if any, of each message with quality of service 1, in the order of publishing.
    numbers: mpsc::UnboundedSender<Option<i64>>,
    acknowledgements: mpsc::UnboundedReceiver<i64>,
    messages: mpsc::Receiver<Incoming>,
    driver: JoinHandle<BrokerError>,
}

impl Connection for RumqttConnection {
    async fn publish(&mut self, message: Message) -> Result<(), BrokerError> {
        let number = match message.qos {
            Qos::AtMostOnce => None,
            Qos::AtLeastOnce => Some(None),
            Qos::Tracked(number) => Some(Some(number)),
        };
        if let Some(number) = number {
            self.numbers
                .send(number)
                .map_err(|_| BrokerError::Disconnected("the connection has ended".into()))?;
        }
        let Message {
            topic,
            payload,
            retain,
            qos,
        } = message;
        self.client
            .publish(topic, quality_of_service(qos), retain, payload)
            .await
            .map_err(closed)
    }

    async fn next(&mut self) -> Result<Incoming, BrokerError> {
        tokio::select! {
            biased;
            Some(number) = self.acknowledgements.recv() => Ok(Incoming::Acknowledged(number)),
            Some(message) = self.messages.recv() => Ok(message),
            ended = &mut self.driver => Err(ended.unwrap_or_else(|error| crashed(&error))),
        }
    }

    async fn close(mut self) {
        if self.client.disconnect().await.is_ok() {
            // The reason does not matter: the connection was to end.
            let _ = (&mut self.driver).await;
        }
    }
}

impl Drop for RumqttConnection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The task that drives a connection.
struct Driver {
    events: EventLoop,
    published: mpsc::UnboundedReceiver<Option<i64>>,
    acknowledged: mpsc::UnboundedSender<i64>,
    received: mpsc::Sender<Incoming>,
}

impl Driver {
    async fn run(mut self) -> BrokerError {
        // rumqttc sends messages with quality of service 1 in the order of publishing.
        let mut numbers = VecDeque::new();
        let mut in_flight: HashMap<u16, Option<i64>> = HashMap::new();
        let mut dropped = 0_u32;
        loop {
            let event = match self.events.poll().await {
                Ok(event) => event,
                Err(error) => return disconnected(&error),
            };
            match event {
                Event::Outgoing(Outgoing::Publish(packet)) if packet > 0 => {
                    while let Ok(number) = self.published.try_recv() {
                        numbers.push_back(number);
                    }
                    if let Some(number) = numbers.pop_front() {
                        in_flight.insert(packet, number);
                    }
                }
                Event::Incoming(Packet::PubAck(ack)) => {
                    if let Some(Some(number)) = in_flight.remove(&ack.pkid) {
                        // Fails only if the connection is being dropped.
                        let _ = self.acknowledged.send(number);
                    }
                }
                Event::Incoming(Packet::Publish(message)) => {
                    // A retained command is ignored: it may be old.
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
                        "the broker refuses the subscription to commands; check its access rules"
                    );
                }
                // The loop goes on after a disconnect, until the broker closes the connection. Closing it with unread
                // data could reset it before the broker reads the disconnect, and the broker would publish the will.
                _ => {}
            }
        }
    }
}

fn quality_of_service(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce | Qos::Tracked(_) => QoS::AtLeastOnce,
    }
}

fn closed(_: rumqttc::ClientError) -> BrokerError {
    BrokerError::Disconnected("the connection has ended".into())
}

fn crashed(error: &JoinError) -> BrokerError {
    BrokerError::Disconnected(format!("the connection's task crashed: {error}"))
}

/// Converts rumqttc's error into a message that says what to do, where that is known.
fn disconnected(error: &ConnectionError) -> BrokerError {
    if let ConnectionError::MqttState(StateError::Deserialization(
        rumqttc::mqttbytes::Error::PayloadSizeLimitExceeded(size),
    )) = error
    {
        return BrokerError::TooLong(*size);
    }
    if let Some(problem) = certificate_problem(error) {
        return BrokerError::Disconnected(distrusted(problem).into());
    }
    BrokerError::Disconnected(match error {
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
        ) => "the broker refuses user and password; check them".into(),
        ConnectionError::NetworkTimeout => {
            format!("the broker did not answer within {CONNECT_LIMIT_S} s; check host and port")
        }
        error => with_causes(error),
    })
}

/// Why the broker's certificate was refused, if that is what failed.
fn certificate_problem(error: &ConnectionError) -> Option<CertificateProblem> {
    match error {
        ConnectionError::Tls(TlsError::TLS(error)) => CertificateProblem::of(error),
        ConnectionError::Tls(TlsError::Io(error)) | ConnectionError::Io(error) => {
            CertificateProblem::of_connection(error)
        }
        _ => None,
    }
}

/// What a refused certificate means, and what to do.
fn distrusted(problem: CertificateProblem) -> &'static str {
    match problem {
        CertificateProblem::Name => {
            "the broker's certificate does not name this host; set host to a name in the certificate"
        }
        CertificateProblem::Time => {
            "the broker's certificate is not valid today; check the clocks of both machines, or renew the certificate"
        }
        CertificateProblem::Trust => {
            "the broker's certificate is not signed by an authority that this machine trusts; set ca_file to the \
             certificate of its authority (PEM)"
        }
    }
}

fn client_config(trust: &Trust) -> Result<ClientConfig, BrokerError> {
    let mut roots = RootCertStore::empty();
    match trust {
        Trust::System => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(BrokerError::Setup(
                    "the system has no trusted certificates; install ca-certificates, or set ca_file".into(),
                ));
            }
        }
        Trust::File(file) => {
            let unusable = |problem: String| {
                BrokerError::Setup(format!(
                    "ca_file = {}: {problem}; name a PEM file with certificates that this user may read",
                    file.display()
                ))
            };
            let certificates = CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| unusable(error.to_string()))?;
            roots.add_parsable_certificates(certificates);
            if roots.is_empty() {
                return Err(unusable("it contains no certificate".into()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| BrokerError::Setup(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::CertificateError;

    use super::*;

    #[test]
    fn an_unusable_certificate_file_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for path in [file.path(), std::path::Path::new("/nowhere")] {
            let error = client_config(&Trust::File(path.into())).unwrap_err();
            assert!(
                error.to_string().contains(path.to_str().unwrap()),
                "{error}"
            );
        }
    }

    #[test]
    fn a_refused_certificate_is_told_with_its_remedy() {
        let told = |error: CertificateError| {
            let error = rustls::Error::InvalidCertificate(error);
            let error = ConnectionError::Tls(TlsError::Io(std::io::Error::other(error)));
            disconnected(&error).to_string()
        };
        assert!(told(CertificateError::UnknownIssuer).contains("set ca_file"));
        assert!(told(CertificateError::NotValidForName).contains("set host"));
        assert!(told(CertificateError::Expired).contains("clocks"));
    }

    #[tokio::test]
    async fn an_absent_broker_is_an_error() {
        // The listener is closed at once, so connections to its port are refused.
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
        let options = ConnectOptions {
            client: "test".into(),
            keep_alive: Duration::from_secs(10),
            will: Message::transient("will", ""),
            subscriptions: Vec::new(),
        };
        let error = RumqttConnector::new(broker)
            .connect(&options)
            .await
            .err()
            .unwrap();
        assert!(error.to_string().contains("refused"), "{error}");
    }
}
