//! The time seam: nobody reads a wall clock or sleeps but through a [`Clock`].

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::executor::BoxFuture;
use crate::types::Timestamp;

/// Where time comes from.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present.
    fn now(&self) -> Timestamp;

    /// Resolves once `at` has come.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()>;
}

/// A clock that moves only when it is told to: backtests and tests run on it.
///
/// Clones share the same time.
#[derive(Clone, Debug)]
pub struct VirtualClock {
    state: Arc<Mutex<ClockState>>,
}

#[derive(Debug)]
struct ClockState {
    now: Timestamp,
    next_timer: u64,
    timers: BTreeMap<(Timestamp, u64), Option<Waker>>,
}

impl VirtualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        let state = ClockState {
            now,
            next_timer: 0,
            timers: BTreeMap::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Moves to `to` (never backwards) and wakes every timer that is due.
    pub fn advance_to(&self, to: Timestamp) {
        let due = self.with(|state| {
            state.now = state.now.max(to);
            let later = state
                .timers
                .split_off(&(state.now.plus(crate::types::Span::from_nanos(1)), 0));
            std::mem::replace(&mut state.timers, later)
        });
        for waker in due.into_values().flatten() {
            waker.wake();
        }
    }

    /// Moves to the earliest timer and wakes it; `false` when nobody waits.
    #[must_use]
    pub fn advance_to_next_timer(&self) -> bool {
        let next = self.with(|state| state.timers.keys().next().map(|(at, _)| *at));
        next.is_some_and(|at| {
            self.advance_to(at);
            true
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut ClockState) -> T) -> T {
        // A panic elsewhere cannot leave the state half changed: every change is one assignment.
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.with(|state| state.now)
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let key = self.with(|state| {
            state.next_timer += 1;
            (at, state.next_timer)
        });
        Box::pin(VirtualSleep {
            clock: self.clone(),
            key,
        })
    }
}

struct VirtualSleep {
    clock: VirtualClock,
    key: (Timestamp, u64),
}

impl Future for VirtualSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.clock.with(|state| {
            if state.now >= self.key.0 {
                state.timers.remove(&self.key);
                return Poll::Ready(());
            }
            state.timers.insert(self.key, Some(context.waker().clone()));
            Poll::Pending
        })
    }
}

impl Drop for VirtualSleep {
    fn drop(&mut self) {
        self.clock.with(|state| state.timers.remove(&self.key));
    }
}
