//! Verdicts that the broker does not have yet, read from the records on a separate thread.

use smearscope_hardware::with_causes;

use crate::config::Config;
use crate::config::mqtt::Mqtt;
use crate::mqtt::connection::BrokerError;
use crate::mqtt::payload;
use crate::records::{self, FieldEntry, RecordsError};
use crate::system::worker::{Worker, WorkerPanicked};

/// A verdict to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PendingVerdict {
    /// Its number; later verdicts have higher numbers.
    pub(crate) seq: i64,
    /// The JSON to publish.
    pub(crate) payload: Vec<u8>,
}

/// Verdicts in order, and up to which number they are delivered.
pub(crate) trait Outbox: Send + 'static {
    /// The number up to which all verdicts are delivered.
    fn delivered(&mut self) -> Result<i64, RecordsError>;

    /// The verdicts after number `seq`, at most `limit`.
    fn after(&mut self, seq: i64, limit: usize) -> Result<Vec<PendingVerdict>, RecordsError>;

    /// How many verdicts come after number `seq`.
    fn waiting(&mut self, seq: i64) -> Result<u64, RecordsError>;

    /// Stores that all verdicts up to number `seq` are delivered.
    fn acknowledge(&mut self, seq: i64) -> Result<(), RecordsError>;

    /// The JSON of the last slide, if it is closed.
    fn closed_slide(&mut self) -> Result<Option<Vec<u8>>, RecordsError>;
}

/// The outbox of the records.
struct RecordsOutbox {
    records: records::Outbox,
    /// Whether verdicts are delivered with their cells.
    has_cells: bool,
}

impl RecordsOutbox {
    fn pending(&mut self, seq: i64, field: &FieldEntry) -> PendingVerdict {
        let cells = self.has_cells.then(|| self.records.cells(field.id));
        // Damaged cells keep no verdict back.
        let cells = cells.and_then(|cells| {
            cells.unwrap_or_else(|error| {
                log::warn!("MQTT: a verdict has no cells: {}", with_causes(&error));
                None
            })
        });
        PendingVerdict {
            seq,
            payload: payload::recorded_verdict(seq, field, cells.as_deref()),
        }
    }
}

impl Outbox for RecordsOutbox {
    fn delivered(&mut self) -> Result<i64, RecordsError> {
        self.records.delivered()
    }

    fn after(&mut self, seq: i64, limit: usize) -> Result<Vec<PendingVerdict>, RecordsError> {
        let fields = self.records.after(seq, limit)?;
        let pending = fields.iter().map(|(seq, field)| self.pending(*seq, field));
        Ok(pending.collect())
    }

    fn waiting(&mut self, seq: i64) -> Result<u64, RecordsError> {
        self.records.waiting(seq)
    }

    fn acknowledge(&mut self, seq: i64) -> Result<(), RecordsError> {
        self.records.acknowledge(seq)
    }

    fn closed_slide(&mut self) -> Result<Option<Vec<u8>>, RecordsError> {
        let slide = self.records.closed_slide()?;
        Ok(slide.map(|(number, summary)| payload::closed_slide(number, summary)))
    }
}

/// The thread that reads and writes an outbox.
pub(crate) struct OutboxWorker(Worker<Box<dyn Outbox>>);

/// Opens the outbox of the records; `None` if the appliance keeps no records.
///
/// # Errors
/// If the thread cannot be started.
pub(crate) fn open(settings: &Mqtt, config: &Config) -> anyhow::Result<Option<OutboxWorker>> {
    let Some(storage) = &config.storage else {
        log::warn!(
            "MQTT: storage.state is not set, so verdicts are lost while the broker is unavailable; set it to \
             deliver them later"
        );
        return Ok(None);
    };
    let outbox = RecordsOutbox {
        records: records::Outbox::new(storage.state.clone(), settings.destination()),
        has_cells: settings.cells,
    };
    Ok(Some(OutboxWorker::start(outbox)?))
}

impl OutboxWorker {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system cannot start another thread.
    pub(crate) fn start(outbox: impl Outbox) -> std::io::Result<Self> {
        Worker::start("outbox", Box::new(outbox) as Box<dyn Outbox>).map(Self)
    }

    /// Runs `operation` on the thread and waits for its result.
    ///
    /// # Errors
    /// [`BrokerError::Outbox`].
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut dyn Outbox) -> Result<T, RecordsError> + Send + 'static,
    ) -> Result<T, BrokerError> {
        let result = self.0.ask(|outbox| operation(&mut **outbox)).await;
        result
            .map_err(|WorkerPanicked| BrokerError::Outbox("the outbox crashed".into()))?
            .map_err(|error| BrokerError::Outbox(with_causes(&error)))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

    use super::*;

    /// An outbox in memory. Clones share their content.
    #[derive(Clone, Default)]
    pub(crate) struct MemoryOutbox(Arc<Mutex<Content>>);

    #[derive(Default)]
    struct Content {
        verdicts: Vec<i64>,
        delivered: i64,
        closed_slide: Option<Vec<u8>>,
    }

    impl MemoryOutbox {
        pub(crate) fn push(&self, seq: i64) {
            self.content().verdicts.push(seq);
        }

        pub(crate) fn close_slide(&self, slide: &str) {
            self.content().closed_slide = Some(slide.into());
        }

        pub(crate) fn last_delivered(&self) -> i64 {
            self.content().delivered
        }

        fn content(&self) -> MutexGuard<'_, Content> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl Outbox for MemoryOutbox {
        fn delivered(&mut self) -> Result<i64, RecordsError> {
            Ok(self.last_delivered())
        }

        fn after(&mut self, seq: i64, limit: usize) -> Result<Vec<PendingVerdict>, RecordsError> {
            let content = self.content();
            let after = content.verdicts.iter().filter(|verdict| **verdict > seq);
            let verdicts = after.take(limit).map(|seq| PendingVerdict {
                seq: *seq,
                payload: seq.to_string().into_bytes(),
            });
            Ok(verdicts.collect())
        }

        fn waiting(&mut self, seq: i64) -> Result<u64, RecordsError> {
            let content = self.content();
            let after = content.verdicts.iter().filter(|verdict| **verdict > seq);
            Ok(after.count() as u64)
        }

        fn acknowledge(&mut self, seq: i64) -> Result<(), RecordsError> {
            let mut content = self.content();
            content.delivered = content.delivered.max(seq);
            Ok(())
        }

        fn closed_slide(&mut self) -> Result<Option<Vec<u8>>, RecordsError> {
            Ok(self.content().closed_slide.clone())
        }
    }
}
