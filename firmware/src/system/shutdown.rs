//! Tells the servers and clients of the network to end.

use tokio::sync::watch;

/// Ends every [`Shutdown`] of its channel when it is dropped.
pub(crate) struct ShutdownTrigger {
    /// Dropping it notifies the receivers.
    _sender: watch::Sender<()>,
}

/// Tells a task when to end. Clones end at the same time.
#[derive(Clone)]
pub(crate) struct Shutdown(watch::Receiver<()>);

impl Shutdown {
    /// Creates a trigger and the receiver that it ends.
    pub(crate) fn channel() -> (ShutdownTrigger, Self) {
        let (sender, receiver) = watch::channel(());
        (ShutdownTrigger { _sender: sender }, Self(receiver))
    }

    /// Waits until the trigger is dropped. Cancel-safe.
    pub(crate) async fn wait(&mut self) {
        while self.0.changed().await.is_ok() {}
    }
}
