//! When something at a venue is asked next, for every exchange's machine.

use basis_core::types::{Span, Timestamp};

/// When something is asked next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Look {
    /// When; `None` while nothing is to be asked.
    pub(crate) due: Option<Timestamp>,
    /// How often it was asked without getting on.
    tries: u32,
    /// Whether an answer is waited for.
    pub(crate) asking: bool,
}

/// The waits between two questions: 0.25, 0.5, 1, 2, 4 s, then 5 s.
const WAIT_FIRST: Span = Span::from_nanos(250_000_000);
const WAIT_MAX: Span = Span::from_seconds(5);

impl Look {
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        !self.asking && self.due.is_some_and(|due| due <= now)
    }

    /// Asks at `at`, from the shortest wait on.
    pub(crate) const fn at(&mut self, at: Timestamp) {
        *self = Self {
            due: Some(at),
            tries: 0,
            asking: false,
        };
    }

    /// Asks again, later each time.
    pub(crate) fn again(&mut self, now: Timestamp) {
        let wait = WAIT_FIRST.times(1_i64 << self.tries.min(8)).min(WAIT_MAX);
        self.tries = self.tries.saturating_add(1);
        self.due = Some(now.plus(wait));
        self.asking = false;
    }

    /// Goes on asking at once; the waits stay as long as they have grown.
    pub(crate) const fn go_on(&mut self, now: Timestamp) {
        self.due = Some(now);
        self.asking = false;
    }

    pub(crate) const fn never(&mut self) {
        self.due = None;
        self.asking = false;
    }
}
