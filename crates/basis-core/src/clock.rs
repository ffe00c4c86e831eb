//! The time seam: nobody reads a wall clock or waits but through a [`Clock`].

use std::sync::{Arc, Mutex, PoisonError};

use crate::types::Timestamp;

/// Where time comes from.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present; never before an instant that was shown already.
    fn now(&self) -> Timestamp;

    /// Returns once `at` has come. For start-up alone: a running engine waits for its wakes.
    fn wait_until(&self, at: Timestamp);
}

/// A clock that moves only when it is told to: backtests and tests run on it. Waiting moves it.
///
/// Clones share the same time.
#[derive(Clone, Debug)]
pub struct VirtualClock {
    now: Arc<Mutex<Timestamp>>,
}

impl VirtualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            now: Arc::new(Mutex::new(now)),
        }
    }

    /// Moves to `to`, never backwards.
    pub fn advance_to(&self, to: Timestamp) {
        // A panic elsewhere cannot leave the time half changed: every change is one assignment.
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = (*now).max(to);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until(&self, at: Timestamp) {
        self.advance_to(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Span;

    #[test]
    fn a_virtual_clock_moves_when_told_or_waited_for_and_never_back() {
        let clock = VirtualClock::new(Timestamp::EPOCH);
        let clone = clock.clone();
        let later = Timestamp::EPOCH.plus(Span::from_seconds(5));
        clone.wait_until(later);
        assert_eq!(clock.now(), later);
        clock.advance_to(Timestamp::EPOCH);
        assert_eq!(clone.now(), later);
    }
}
