//! Decides between the recorder, which commits a verdict, and the event loop, which gives up at the deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A token that can be taken once: by the recorder before it commits a record, or by the event loop when it gives
/// up. A verdict is therefore both recorded and shown, or neither. Clones share the token.
#[derive(Debug, Clone, Default)]
pub struct CommitToken(Arc<AtomicBool>);

impl CommitToken {
    /// Takes the token; `false` if it was taken before.
    #[must_use]
    pub fn take(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }

    /// Returns a guard that takes the token on drop, unless it was taken before: the caller has stopped waiting.
    #[must_use]
    pub fn guard(&self) -> CommitGuard {
        CommitGuard(self.clone())
    }
}

/// See [`CommitToken::guard`].
#[derive(Debug)]
pub struct CommitGuard(CommitToken);

impl Drop for CommitGuard {
    fn drop(&mut self) {
        let _ = self.0.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_once() {
        let token = CommitToken::default();
        let other = token.clone();
        assert!(token.take());
        assert!(!other.take());
    }

    #[test]
    fn a_dropped_guard_takes_the_token() {
        let token = CommitToken::default();
        drop(token.guard());
        assert!(!token.take());
    }
}
