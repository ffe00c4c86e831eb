//! The wall clock, for what trades on it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use basis_core::clock::Clock;
use basis_core::types::Timestamp;

/// This machine's clock; it never shows an instant before one that it has shown.
#[derive(Debug, Default)]
pub struct SystemClock {
    shown: AtomicI64,
}

impl SystemClock {
    /// A clock that has shown nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            shown: AtomicI64::new(0),
        }
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock seam's other side"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let nanos = since.unwrap_or_default().as_nanos();
        let nanos = i64::try_from(nanos).unwrap_or(i64::MAX);
        let before = self.shown.fetch_max(nanos, Ordering::AcqRel);
        Timestamp::from_nanos(nanos.max(before))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock seam's other side"
    )]
    fn wait_until(&self, at: Timestamp) {
        let nanos = at.since(self.now()).nanos().max(0);
        std::thread::sleep(Duration::from_nanos(nanos.unsigned_abs()));
    }
}
