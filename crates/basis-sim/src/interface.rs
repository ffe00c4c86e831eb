//! What every simulated interface does alike: it takes each instruction on once, says what became of a
//! refused one, and answers a request for a snapshot when it is polled.

use basis_core::error::{ComponentError, VenueError};
use basis_core::health::Health;
use basis_core::instruction::Instruction;
use basis_core::types::{InstructionId, Span, Timestamp, Venue};
use basis_core::venue_event::{AccountSnapshot, EventKind, Events, VenueEvent};
use basis_market::{Horizon, MarketView};

use crate::refusal::Refusal;

/// The one loop over the instructions of a call.
pub(crate) trait Executor {
    /// The venue.
    fn executing(&self) -> Venue;

    /// Takes an instruction on; `false` when that was done before.
    fn take_on(&mut self, instruction: InstructionId) -> bool;

    /// Executes one instruction. After a refusal nothing has changed and nothing is reported.
    ///
    /// # Errors
    /// The refusal.
    fn dispatch(
        &mut self,
        view: &MarketView,
        instruction: &Instruction,
        events: &mut Events,
    ) -> Result<(), Refusal>;

    /// Where successes and failures are noted.
    fn health_mut(&mut self) -> &mut Health;

    /// Executes each instruction that has not been taken on before.
    fn execute_each(
        &mut self,
        view: &MarketView,
        instructions: &[Instruction],
        events: &mut Events,
    ) {
        let (venue, now) = (self.executing(), view.now());
        for instruction in instructions {
            if !self.take_on(instruction.id) {
                continue;
            }
            match self.dispatch(view, instruction, events) {
                Ok(()) => self.health_mut().succeeded(now, Span::ZERO),
                Err(refusal) => {
                    let e = refusal.at(venue, instruction.operation.kind().as_str());
                    let noted = ComponentError::from(e.clone());
                    self.health_mut().failed(now, &noted);
                    let kind = EventKind::Rejected {
                        instruction: instruction.id,
                        error: Box::new(e),
                    };
                    events.push(VenueEvent::new(venue, now, now, kind));
                }
            }
        }
    }
}

/// What an interface on the chain has reported by being polled.
#[derive(Debug, Default)]
pub(crate) struct Polls {
    /// The last instant that it has moved to, or had no need to.
    moved_to: Option<Timestamp>,
    wants_snapshot: bool,
    pub(crate) account: AccountSnapshot,
}

impl Polls {
    /// Whether the venue moves to `now`, which it does once an instant and where something `is_due`. What
    /// was not due when the instant's instructions came is not due afterwards.
    pub(crate) fn moves(&mut self, now: Timestamp, is_due: bool) -> bool {
        let moves = is_due && self.moved_to != Some(now);
        self.moved_to = Some(now);
        moves
    }

    /// Notes that instructions come at `now`, where nothing `is_due`.
    pub(crate) fn act(&mut self, now: Timestamp, is_due: bool) {
        if !is_due {
            self.moved_to = Some(now);
        }
    }

    /// Whether a snapshot was asked for that has not been answered.
    pub(crate) const fn is_requested(&self) -> bool {
        self.wants_snapshot
    }

    /// Asks for a snapshot.
    pub(crate) const fn request(&mut self) {
        self.wants_snapshot = true;
    }

    /// When an interface that by itself reports at `next` has something to report.
    pub(crate) const fn horizon(&self, next: Option<Timestamp>) -> Horizon {
        if self.wants_snapshot {
            Horizon::NOW
        } else {
            Horizon::at(next)
        }
    }

    /// Answers a request for a snapshot, where there is one: `read` fills it.
    pub(crate) fn answer(
        &mut self,
        venue: Venue,
        now: Timestamp,
        events: &mut Events,
        read: impl FnOnce(&mut AccountSnapshot) -> Result<(), VenueError>,
    ) {
        if !std::mem::take(&mut self.wants_snapshot) {
            return;
        }
        if let Err(e) = read(&mut self.account) {
            events.push(unreadable(now, e));
            return;
        }
        (self.account.asked, self.account.answered) = (now, now);
        let kind = EventKind::Snapshot {
            asked: now,
            answered: now,
        };
        events.push(VenueEvent::new(venue, now, now, kind));
    }
}

/// The event that a venue could not be read.
pub(crate) fn unreadable(now: Timestamp, error: VenueError) -> VenueEvent {
    let venue = error.venue;
    let kind = EventKind::Connectivity {
        connected: false,
        error: Some(Box::new(error)),
    };
    VenueEvent::new(venue, now, now, kind)
}
