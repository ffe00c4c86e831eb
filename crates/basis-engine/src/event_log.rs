//! Collects events in memory, in order; the binary writes them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use basis_core::event::{Event, EventSink};

/// An append-only list of events shared by every component of a run.
#[derive(Debug, Default)]
pub struct EventLog {
    events: Mutex<Vec<Event>>,
    /// Nobody will read what is recorded from now on.
    ends: AtomicBool,
}

impl EventLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Makes room for `events` more.
    pub fn reserve(&self, events: usize) {
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .reserve(events);
    }

    /// Drops whatever is recorded from now on.
    pub(crate) fn end(&self) {
        self.ends.store(true, Ordering::Relaxed);
    }

    /// Takes everything recorded so far.
    #[must_use]
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A copy of what was recorded after the first `count`.
    pub(crate) fn since(&self, count: usize) -> Vec<Event> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.get(count..).unwrap_or_default().to_vec()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// A copy of everything recorded so far.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Event> {
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl EventSink for EventLog {
    fn record(&self, event: Event) {
        if self.ends.load(Ordering::Relaxed) {
            return;
        }
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event);
    }
}
