//! A connection to a broker: what the clients in this module need, and what a test replaces.

use std::future::Future;
use std::time::Duration;

/// How to connect to a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConnectOptions {
    /// The client's identifier. A broker disconnects a client when another one connects with the same.
    pub(crate) client: String,
    /// Longest silence towards the broker; after one and a half times as long it publishes the will.
    pub(crate) keep_alive: Duration,
    /// What the broker publishes if the connection ends without a disconnect.
    pub(crate) will: Message,
    /// Topics to subscribe to.
    pub(crate) subscriptions: Vec<String>,
}

/// A message to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// The full topic.
    pub(crate) topic: String,
    /// The content, mostly JSON.
    pub(crate) payload: Vec<u8>,
    /// Whether the broker keeps the message for later subscribers.
    pub(crate) retain: bool,
    /// Quality of service.
    pub(crate) qos: Qos,
}

/// Quality of service of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Qos {
    /// Quality of service 0: not acknowledged.
    AtMostOnce,
    /// Quality of service 1; the acknowledgement is not reported.
    AtLeastOnce,
    /// Quality of service 1; [`Incoming::Acknowledged`] reports the acknowledgement with this number.
    Tracked(i64),
}

impl Message {
    /// A message that the broker does not retain, with quality of service 0.
    pub(crate) fn transient(topic: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            retain: false,
            qos: Qos::AtMostOnce,
        }
    }

    /// A message that the broker retains, with quality of service 0.
    pub(crate) fn retained(topic: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            retain: true,
            ..Self::transient(topic, payload)
        }
    }

    /// The same message with another quality of service.
    pub(crate) fn with_qos(self, qos: Qos) -> Self {
        Self { qos, ..self }
    }
}

/// What a broker sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A message on a subscribed topic. Its publisher is not trusted.
    Received {
        /// The full topic.
        topic: String,
        /// The content.
        payload: Vec<u8>,
    },
    /// The broker has received the message with this number ([`Qos::Tracked`]).
    Acknowledged(i64),
}

/// Why there is no connection to the broker.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokerError {
    /// The settings cannot be used, for example a certificate.
    #[error("{0}")]
    Setup(String),
    /// Connecting failed, or the connection was lost.
    #[error("{0}")]
    Disconnected(String),
    /// A client published a packet above the size limit on a subscribed topic; this ends the connection.
    #[error("received {0} bytes on a command topic, which is above the limit")]
    TooLong(usize),
    /// The outbox cannot be read or written.
    #[error("{0}")]
    Outbox(String),
}

/// An open connection.
pub(crate) trait Connection: Send {
    /// Queues a message for sending. Only an acknowledgement shows that the broker has it.
    ///
    /// # Errors
    /// [`BrokerError::Disconnected`].
    fn publish(&mut self, message: Message)
    -> impl Future<Output = Result<(), BrokerError>> + Send;

    /// Waits for the next message or acknowledgement. Cancel-safe.
    ///
    /// # Errors
    /// [`BrokerError`] once the connection has ended.
    fn next(&mut self) -> impl Future<Output = Result<Incoming, BrokerError>> + Send;

    /// Sends what is queued and disconnects, so that the broker discards the will.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// Opens connections.
pub(crate) trait Connector: Send {
    /// The connections that it opens.
    type Connection: Connection;

    /// Connects and subscribes.
    ///
    /// # Errors
    /// [`BrokerError`].
    fn connect(
        &mut self,
        options: &ConnectOptions,
    ) -> impl Future<Output = Result<Self::Connection, BrokerError>> + Send;
}
