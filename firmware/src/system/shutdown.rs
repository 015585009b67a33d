//! How the servers and clients of the network learn that they are to end.

use tokio::sync::watch;

/// Ends every [`Shutdown`] made from it when it is dropped.
pub(crate) struct ShutdownTrigger {
    /// Held, because dropping it tells the receivers.
    _sender: watch::Sender<()>,
}

/// Tells a task when to end. Clones tell the same.
#[derive(Clone)]
pub(crate) struct Shutdown(watch::Receiver<()>);

impl Shutdown {
    /// A trigger and what it ends.
    pub(crate) fn channel() -> (ShutdownTrigger, Self) {
        let (sender, receiver) = watch::channel(());
        (ShutdownTrigger { _sender: sender }, Self(receiver))
    }

    /// Waits until the trigger is dropped. Cancel-safe.
    pub(crate) async fn wait(&mut self) {
        while self.0.changed().await.is_ok() {}
    }
}
