//! What is still to be delivered, and a thread of its own to look after it: a disk may take its time.

use smearscope_hardware::with_causes;

use crate::config::Config;
use crate::config::mqtt::Mqtt;
use crate::mqtt::link::LinkError;
use crate::mqtt::payload;
use crate::records::{self, RecordsError};
use crate::system::worker::{Worker, WorkerPanicked};

/// An event that waits for its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its number; later events have larger ones.
    pub(crate) seq: i64,
    /// What is published.
    pub(crate) payload: Vec<u8>,
}

/// Events in their order, and up to which they were delivered.
pub(crate) trait Outbox: Send + 'static {
    /// The number up to which all were delivered.
    fn delivered(&mut self) -> Result<i64, RecordsError>;

    /// The events after `seq`, at most so many.
    fn after(&mut self, seq: i64, most: usize) -> Result<Vec<Event>, RecordsError>;

    /// How many events are after `seq`.
    fn waiting(&mut self, seq: i64) -> Result<u64, RecordsError>;

    /// Notes that all up to `seq` were delivered.
    fn acknowledge(&mut self, seq: i64) -> Result<(), RecordsError>;
}

impl Outbox for records::Outbox {
    fn delivered(&mut self) -> Result<i64, RecordsError> {
        self.delivered()
    }

    fn after(&mut self, seq: i64, most: usize) -> Result<Vec<Event>, RecordsError> {
        let fields = self.after(seq, most)?;
        let events = fields.iter().map(|(seq, field)| Event {
            seq: *seq,
            payload: payload::of_record(*seq, field),
        });
        Ok(events.collect())
    }

    fn waiting(&mut self, seq: i64) -> Result<u64, RecordsError> {
        self.waiting(seq)
    }

    fn acknowledge(&mut self, seq: i64) -> Result<(), RecordsError> {
        self.acknowledge(seq)
    }
}

/// An outbox on its own thread.
pub(crate) struct OutboxWorker(Worker<Box<dyn Outbox>>);

/// The outbox of the records, if any are kept.
pub(crate) fn open(settings: &Mqtt, config: &Config) -> anyhow::Result<Option<OutboxWorker>> {
    let Some(storage) = &config.storage else {
        log::warn!(
            "MQTT: without storage.state, verdicts are lost while the broker is away; set it to keep them"
        );
        return Ok(None);
    };
    let outbox = records::Outbox::new(storage.state.clone(), settings.destination());
    Ok(Some(OutboxWorker::start(outbox)?))
}

impl OutboxWorker {
    /// Starts the thread.
    ///
    /// # Errors
    /// If there is no room for it.
    pub(crate) fn start(outbox: impl Outbox) -> std::io::Result<Self> {
        Worker::start("outbox", Box::new(outbox) as Box<dyn Outbox>).map(Self)
    }

    /// Asks something of the outbox.
    ///
    /// # Errors
    /// [`LinkError::Outbox`].
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut dyn Outbox) -> Result<T, RecordsError> + Send + 'static,
    ) -> Result<T, LinkError> {
        let answer = self.0.ask(|outbox| act(&mut **outbox)).await;
        answer
            .map_err(|WorkerPanicked| LinkError::Outbox("the outbox crashed".into()))?
            .map_err(|error| LinkError::Outbox(with_causes(&error)))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    /// An outbox in memory, filled by a test.
    #[derive(Clone, Default)]
    pub(crate) struct Shelf(Arc<Mutex<(Vec<i64>, i64)>>);

    impl Shelf {
        pub(crate) fn put(&self, seq: i64) {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .0
                .push(seq);
        }

        pub(crate) fn cursor(&self) -> i64 {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).1
        }
    }

    impl Outbox for Shelf {
        fn delivered(&mut self) -> Result<i64, RecordsError> {
            Ok(self.cursor())
        }

        fn after(&mut self, seq: i64, most: usize) -> Result<Vec<Event>, RecordsError> {
            let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let after = held.0.iter().filter(|event| **event > seq).take(most);
            let events = after.map(|seq| Event {
                seq: *seq,
                payload: seq.to_string().into_bytes(),
            });
            Ok(events.collect())
        }

        fn waiting(&mut self, seq: i64) -> Result<u64, RecordsError> {
            let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(held.0.iter().filter(|event| **event > seq).count() as u64)
        }

        fn acknowledge(&mut self, seq: i64) -> Result<(), RecordsError> {
            let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            held.1 = held.1.max(seq);
            Ok(())
        }
    }
}
