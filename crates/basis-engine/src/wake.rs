//! What wakes the engine, and where wakes come from.

use basis_core::clock::{Clock, VirtualClock};
use basis_core::types::{Span, Timestamp};
use basis_market::MarketWriter;

/// What an operator may ask of a running engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Nothing new is decided any more, for good. With `flatten` everything is closed, without it what is
    /// held stays; what works in a book is taken back either way.
    Kill {
        /// Whether positions are closed.
        flatten: bool,
    },
    /// The strategy is asked nothing until [`Command::Resume`]; risk goes on.
    Pause,
    /// Ends a pause, and lifts the halts of venues.
    Resume,
    /// The plan under way ends as its failure policy says, and the engine with it.
    Stop,
}

/// Why the engine runs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wake {
    /// A step of the strategy's clock has come.
    Step(Timestamp),
    /// A venue has something to say, at this instant.
    Events(Timestamp),
    /// An instant came that the engine wanted to be woken at.
    Deadline(Timestamp),
    /// An operator asks for something.
    Command(Command),
}

/// Whether the engine wants more wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    Go,
    /// It has ended.
    Ended,
}

/// Where wakes come from: recorded steps, virtual time, later a wall clock with inboxes or a journal.
pub trait WakeSource {
    /// The present; never before an instant that was shown already.
    fn now(&self) -> Timestamp;

    /// The next wake; `None` when there is none any more. `due` answers when the engine next wants to be
    /// woken between steps.
    fn next(&mut self, due: &dyn Fn() -> Option<Timestamp>) -> Option<Wake>;

    /// Writes every market record known by the instant of the wake it gave last, before the engine looks at
    /// the market. Nothing where the series are recorded, for then they are all there.
    fn feed(&mut self, _market: &mut MarketWriter<'_>) {}
}

/// The steps of a run, one after the other, on a virtual clock.
#[derive(Clone, Debug)]
pub struct RecordedSteps {
    clock: VirtualClock,
    next: Timestamp,
    step: Span,
    left: u64,
    /// Whether it also wakes between steps when the engine wants to be.
    between: bool,
}

impl RecordedSteps {
    /// `count` steps, the first at `first`, and nothing between them: for venues that have all of their
    /// events at once.
    #[must_use]
    pub const fn new(clock: VirtualClock, first: Timestamp, step: Span, count: u64) -> Self {
        Self {
            clock,
            next: first,
            step,
            left: count,
            between: false,
        }
    }

    /// The same under virtual time: what the engine wants to be woken at between two steps comes at its
    /// instant.
    #[must_use]
    pub const fn with_virtual_time(mut self) -> Self {
        self.between = true;
        self
    }
}

impl WakeSource for RecordedSteps {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn next(&mut self, due: &dyn Fn() -> Option<Timestamp>) -> Option<Wake> {
        if self.left == 0 {
            return None;
        }
        if self.between
            && let Some(at) = due().filter(|at| *at < self.next)
        {
            self.clock.advance_to(at);
            return Some(Wake::Deadline(self.clock.now()));
        }
        let at = self.next;
        self.left -= 1;
        self.next = at.plus(self.step);
        self.clock.advance_to(at);
        Some(Wake::Step(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Span = Span::from_hours(1);

    fn steps() -> RecordedSteps {
        let clock = VirtualClock::new(Timestamp::EPOCH);
        RecordedSteps::new(clock, Timestamp::EPOCH.plus(STEP), STEP, 2)
    }

    #[test]
    fn recorded_steps_come_in_order_and_end() {
        let mut source = steps();
        let soon = || Some(Timestamp::EPOCH.plus(Span::from_seconds(1)));
        let first = Timestamp::EPOCH.plus(STEP);
        assert_eq!(source.next(&soon), Some(Wake::Step(first)));
        assert_eq!(source.now(), first);
        assert_eq!(source.next(&soon), Some(Wake::Step(first.plus(STEP))));
        assert_eq!(source.next(&soon), None);
    }

    #[test]
    fn virtual_time_stops_where_the_engine_wants_to_be_woken() {
        let mut source = steps().with_virtual_time();
        let soon = Timestamp::EPOCH.plus(Span::from_seconds(1));
        assert_eq!(source.next(&|| Some(soon)), Some(Wake::Deadline(soon)));
        assert_eq!(source.now(), soon);
        let first = Timestamp::EPOCH.plus(STEP);
        assert_eq!(source.next(&|| None), Some(Wake::Step(first)));
    }
}
