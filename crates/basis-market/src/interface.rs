//! The one execution interface.

use std::fmt;

use basis_core::error::VenueError;
use basis_core::health::Health;
use basis_core::instruction::{Instruction, Swap};
use basis_core::journal::VenueRecord;
use basis_core::num::{Price, Quantity};
use basis_core::types::{Timestamp, Venue};
use basis_core::venue::{Capabilities, Dependencies, Terms};
use basis_core::venue_event::{AccountSnapshot, Events};

use crate::{MarketView, SlotId};

/// When an interface next has something to say by itself. It may be too early, never late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// Not before this, prices aside; `None`: not by itself. An instant in the past means now.
    pub at: Option<Timestamp>,
    /// What would make it sooner.
    pub bounds: Option<PriceBounds>,
}

/// A range that the bars of a series must stay within, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceBounds {
    /// The series, by its place in the view.
    pub slot: SlotId,
    /// No low of a bar below this, and no mark.
    pub low: Option<Price>,
    /// No high of a bar above this, and no mark.
    pub high: Option<Price>,
}

impl Horizon {
    /// At once, and at every wake.
    pub const NOW: Self = Self {
        at: Some(Timestamp::MIN),
        bounds: None,
    };
    /// Not by itself.
    pub const QUIET: Self = Self {
        at: None,
        bounds: None,
    };

    /// At `at`, or when an earlier instant of `Some` comes.
    #[must_use]
    pub const fn at(at: Option<Timestamp>) -> Self {
        Self { at, bounds: None }
    }

    /// Whether it has come at the view.
    #[must_use]
    pub fn is_due(&self, view: &MarketView) -> bool {
        self.at.is_some_and(|at| at <= view.now())
            || self.bounds.is_some_and(|bounds| bounds.are_left(view))
    }
}

impl PriceBounds {
    /// Whether the newest bar of the series, or its mark, is outside.
    #[must_use]
    pub fn are_left(&self, view: &MarketView) -> bool {
        let quote = view.quote(self.slot);
        self.low
            .is_some_and(|low| quote.low < low || quote.mark < low)
            || self
                .high
                .is_some_and(|high| quote.high > high || quote.mark > high)
    }
}

/// The one interface to every venue, simulated and real.
///
/// Nothing here waits. What an instruction came to, and what happened without one, arrives as
/// [`VenueEvent`](basis_core::venue_event::VenueEvent)s: a simulated venue has them at once, a live one when
/// they come. An interface reports and never values: ledger lines are made of its events elsewhere.
///
/// **For those who write one.** Every instruction that is taken on ends in events: a fill or an order
/// state, a transaction or transfer stage, [`Done`](basis_core::venue_event::EventKind::Done),
/// [`Rejected`](basis_core::venue_event::EventKind::Rejected) when it certainly did nothing, or
/// [`OutcomeUnknown`](basis_core::venue_event::EventKind::OutcomeUnknown) when nobody knows. An interface never
/// sends an instruction a second time.
pub trait ExecutionInterface: Send {
    /// The venue behind it.
    fn venue(&self) -> Venue;

    /// What it can do.
    fn capabilities(&self) -> &Capabilities;

    /// Hands it its dependencies; until then every instruction is refused as not ready.
    fn set_dependencies(&mut self, dependencies: Dependencies);

    /// Takes a block's instructions for this venue on, in their order, and returns at once. What is known
    /// already goes to `events`, in the order it happened. An id that was taken on before does nothing.
    fn execute_instructions(
        &mut self,
        view: &MarketView,
        instructions: &[Instruction],
        events: &mut Events,
    );

    /// Everything that became known since the last call, in the venue's order. Called again at the same
    /// instant it reports nothing twice. What cannot be asked is reported as
    /// [`Connectivity`](basis_core::venue_event::EventKind::Connectivity).
    fn poll_events(&mut self, view: &MarketView, events: &mut Events);

    /// When it next has something to say by itself, and the price bounds that would make it sooner.
    /// Provided: now.
    fn horizon(&self, _view: &MarketView) -> Horizon {
        Horizon::NOW
    }

    /// What the venue said last of what we hold; it never waits. Empty before the first answer.
    fn account(&self) -> &AccountSnapshot;

    /// Asks for a new [`ExecutionInterface::account`]; the answer arrives as
    /// [`Snapshot`](basis_core::venue_event::EventKind::Snapshot), from a simulated venue with the next
    /// [`ExecutionInterface::poll_events`].
    fn request_snapshot(&mut self);

    /// How the venue deals at this instant: queues, flash loans, efficiency modes, pools. Provided: it has
    /// none of them.
    ///
    /// # Errors
    /// [`VenueError`] when the venue cannot say.
    fn terms(&self, _view: &MarketView) -> Result<Terms, VenueError> {
        Ok(Terms::default())
    }

    /// What a swap would pay now, of the asset it asks for; it changes nothing. `None` where it would be
    /// refused. Provided: the venue has no pools.
    fn quote(&self, _view: &MarketView, _swap: &Swap) -> Option<Quantity> {
        None
    }

    /// Takes over what an earlier process left: what became of each open instruction is reported before
    /// anything new is sent. Provided: there is none.
    fn recover(&mut self, _record: &VenueRecord) {}

    /// How the interface is.
    fn health(&self) -> Health;
}

impl fmt::Debug for dyn ExecutionInterface + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecutionInterface")
            .field("venue", &self.venue())
            .finish_non_exhaustive()
    }
}
