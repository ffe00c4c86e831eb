//! Collects events in memory, in order; the binary writes them.

use std::sync::{Arc, Mutex, PoisonError};

use basis_core::event::{Event, EventSink};

/// An append-only list of events shared by every component of a run.
#[derive(Debug, Default)]
pub struct EventLog {
    events: Mutex<Vec<Event>>,
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

    /// Takes everything recorded so far.
    #[must_use]
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
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
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event);
    }
}
