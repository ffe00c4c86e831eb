//! Comparing the books with a venue that answers late.
//!
//! Such a venue is asked what it holds when nothing has been reported for as long as its snapshots may lag,
//! and the answer arrives as an event. An answer that is lost, that came too close to a report, or that
//! differs, is asked for again.

use basis_core::types::{Span, Timestamp, Venue};

use super::Engine;
use crate::desk::VenueSlot;

/// How often a difference must repeat before it counts.
const DIFFERENCES_MAX: u32 = 3;

/// After how long an answer that has not come is asked for again, at the least.
const ASK_AGAIN: Span = Span::from_seconds(30);

/// What lies just beyond a bound.
const BEYOND: Span = Span::from_nanos(1);

impl Engine {
    /// Asks the venues whose time has come what they hold.
    pub(super) fn ask_late_venues(&mut self) {
        let now = self.view.now();
        for slot in &mut self.desk.slots {
            let Some(delay) = slot.answers_late() else {
                continue;
            };
            if slot.verify_at.is_some_and(|at| at <= now) {
                slot.interface.request_snapshot();
                slot.verify_at = Some(now.plus(delay.max(ASK_AGAIN)));
            }
        }
    }

    /// Whether a snapshot is new, and of a venue that the books know: what one that answers late holds before it is
    /// adopted is no difference.
    pub(super) fn is_to_be_compared(&self, slot: &VenueSlot) -> bool {
        let awaits_adoption = self.run_state.counts.steps == 0
            && slot.answers_late().is_some()
            && self.config.adopt.contains(&slot.venue);
        slot.is_fresh && !awaits_adoption
    }

    /// Whether `venue` answers late; then it is asked what it holds once that can show what was reported.
    pub(super) fn verify_later(&mut self, venue: Venue) -> bool {
        let now = self.view.now();
        let Some(slot) = self.desk.slot_mut(venue) else {
            return false;
        };
        let Some(delay) = slot.answers_late() else {
            return false;
        };
        slot.verify_after(now, delay);
        true
    }
}

impl VenueSlot {
    /// Has it asked once a snapshot can show everything that was reported until now.
    fn verify_after(&mut self, now: Timestamp, delay: Span) {
        let since = self.reported_at.max(now);
        self.verify_at = Some(since.plus(delay).plus(BEYOND));
    }

    /// Judges a window that was opened at `asked`: `None` when it does not count, because something was reported
    /// within it or the visibility delay before it; else whether a difference has repeated often enough.
    pub(super) fn judge(
        &mut self,
        now: Timestamp,
        (asked, delay): (Timestamp, Span),
        differs: bool,
    ) -> Option<bool> {
        if self.reported_at > asked.minus(delay) {
            self.verify_after(now, delay);
            return None;
        }
        if !differs {
            self.differences = (0, Timestamp::MIN);
            self.verify_at = None;
            self.must_agree = false;
            return Some(false);
        }
        self.verify_after(now, delay);
        let (times, last) = self.differences;
        if times > 0 && asked.since(last) <= delay {
            return None;
        }
        self.differences = (times + 1, asked);
        let is_found = times + 1 >= DIFFERENCES_MAX;
        if is_found {
            self.verify_at = None;
        }
        Some(is_found)
    }
}
