//! Preparation of batches ahead of the network.

use std::sync::mpsc;
use std::thread;

use crate::error::TrainError;

/// Batches prepared ahead; more would only use memory.
const PREFETCHED: usize = 4;

/// Prepares batches on another thread while `use_batch` works on the ones before.
pub(crate) fn each_prepared<Examples: Send, Batch: Send>(
    batches: impl Iterator<Item = Examples> + Send,
    prepare: impl Fn(Examples) -> Result<Batch, TrainError> + Send,
    mut use_batch: impl FnMut(Batch) -> Result<(), TrainError>,
) -> Result<(), TrainError> {
    let (sender, receiver) = mpsc::sync_channel(PREFETCHED);
    thread::scope(|scope| {
        // Moved here, so that an error below drops it and the sending thread ends.
        let receiver = receiver;
        scope.spawn(move || {
            for examples in batches {
                if sender.send(prepare(examples)).is_err() {
                    return;
                }
            }
        });
        for batch in &receiver {
            use_batch(batch?)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_their_order() {
        let mut seen = Vec::new();
        let end = each_prepared(
            [3, 1, 2].into_iter(),
            |number| Ok(2 * number),
            |batch| {
                seen.push(batch);
                Ok(())
            },
        );
        assert!(end.is_ok());
        assert_eq!(seen, [6, 2, 4]);
    }

    #[test]
    fn an_error_ends_the_epoch() {
        let error = || TrainError::Training {
            problem: "test".into(),
            remedy: "none".into(),
        };
        let mut seen = 0;
        let end = each_prepared(0..100, Ok, |_| {
            seen += 1;
            Err(error())
        });
        assert!(end.is_err());
        assert_eq!(seen, 1);
        let end = each_prepared(0..100, |_| Err::<(), _>(error()), |()| Ok(()));
        assert!(end.is_err());
    }
}
