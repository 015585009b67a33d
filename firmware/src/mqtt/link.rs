//! A connection to a broker, as the conversations over it see one.

use std::future::Future;
use std::time::Duration;

/// What a connection is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// The client's name; of two with the same, a broker keeps one.
    pub(crate) client: String,
    /// How often the broker hears from the client; after half as long again it publishes the will.
    pub(crate) keep_alive: Duration,
    /// What the broker publishes once the client is gone without a word.
    pub(crate) will: Message,
    /// The topics that the client listens to.
    pub(crate) listens_to: Vec<String>,
}

/// Something to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Where.
    pub(crate) topic: String,
    /// What.
    pub(crate) payload: Vec<u8>,
    /// Whether the broker keeps it for those who come later.
    pub(crate) retain: bool,
    /// Whether its receipt is acknowledged.
    pub(crate) delivery: Delivery,
}

/// Whether a receipt is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Not (quality of service 0).
    AtMostOnce,
    /// It is (quality of service 1), but nobody waits for it.
    AtLeastOnce,
    /// It is, and [`Incoming::Acknowledged`] with this number says so.
    Numbered(i64),
}

impl Message {
    /// A message that the broker forgets once it has passed it on.
    pub(crate) fn passing(topic: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            retain: false,
            delivery: Delivery::AtMostOnce,
        }
    }

    /// A message that the broker keeps for those who come later.
    pub(crate) fn retained(topic: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            retain: true,
            ..Self::passing(topic, payload)
        }
    }

    /// The same with an acknowledged receipt.
    pub(crate) fn delivered(self, delivery: Delivery) -> Self {
        Self { delivery, ..self }
    }
}

/// Something that came from the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A message on a topic that is listened to. Whoever published it may be anybody.
    Received {
        /// Its topic.
        topic: String,
        /// Its content.
        payload: Vec<u8>,
    },
    /// The broker has the message with this number.
    Acknowledged(i64),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// What the connection needs cannot be used.
    #[error("{0}")]
    Setup(String),
    /// It could not be made, or broke.
    #[error("{0}")]
    Broken(String),
    /// Somebody published what is longer than anything that is listened to, and it broke.
    #[error("somebody published {0} bytes where commands are expected")]
    TooLong(usize),
    /// What was to be published cannot be read.
    #[error("{0}")]
    Outbox(String),
}

/// A connection that stands.
pub(crate) trait Link: Send {
    /// Hands a message over to be sent; that it was, only an acknowledgement says.
    ///
    /// # Errors
    /// [`LinkError::Broken`].
    fn publish(&mut self, message: Message) -> impl Future<Output = Result<(), LinkError>> + Send;

    /// Waits for what comes from the broker. Cancel-safe.
    ///
    /// # Errors
    /// [`LinkError::Broken`] once the connection is.
    fn next(&mut self) -> impl Future<Output = Result<Incoming, LinkError>> + Send;

    /// Sends what was handed over, and says goodbye: the broker then forgets the will.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// Makes connections.
pub(crate) trait Connect: Send {
    /// What it makes.
    type Link: Link;

    /// Makes one, subscriptions included.
    ///
    /// # Errors
    /// [`LinkError`].
    fn connect(
        &mut self,
        session: &Session,
    ) -> impl Future<Output = Result<Self::Link, LinkError>> + Send;
}
