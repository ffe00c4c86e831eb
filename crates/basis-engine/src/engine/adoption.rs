//! Adoption: what a venue held before the books began is taken into them.
//!
//! It is explicit: a book starts empty, and what a venue holds beyond it is a difference. An adopted
//! holding is capital from outside; a perp position carries its open cost at the venue's entry price, so
//! that its result until now is part of that capital and not of the run.

use basis_core::error::{Code, ComponentError};
use basis_core::num::Rounding;
use basis_core::types::{Item, Venue};
use basis_core::venue_event::{Adoption, EventKind, Events, Position, VenueEvent};
use basis_market::Mark;

use super::Engine;
use super::checkpoint::Moment;
use super::intake::Arrival;

impl Engine {
    /// Takes into the books what `venue` holds beyond them, at the marks of the view; how many holdings that
    /// were. The wallet's stand for what is in flight, too. What the venue reports until now happened before
    /// the books began: its holdings show it, and only capital flows are booked as such.
    ///
    /// # Errors
    /// CFG-001 for a venue that is none of the run; EXI-009 for a position without an entry price, for one of
    /// which the books hold a part already, and for a venue that says nothing of its holdings.
    pub fn adopt(&mut self, venue: Venue) -> Result<usize, ComponentError> {
        let mut events = Events::new();
        let Some(place) = self.desk.place_of(venue) else {
            let message =
                format!("{venue} is none of the run's venues, so there is nothing to adopt");
            return Err(ComponentError::new(Code::ConfigInvalid, message));
        };
        self.desk.read(place, &self.view, &mut events);
        events.retain(|event| {
            matches!(
                event.kind,
                EventKind::CapitalFlow(_) | EventKind::Snapshot { .. }
            )
        });
        self.take_all(&events, Arrival::Poll)?;
        let Some(slot) = self.desk.slot_mut(venue).filter(|slot| slot.is_fresh) else {
            let message = format!("{venue} did not say what it holds, so nothing was adopted");
            return Err(ComponentError::new(Code::VenueEventInvalid, message));
        };
        let held = slot.interface.account().positions.clone();
        let mut adopted = 0;
        for position in held {
            let known = self.books.holding(position.account, position.item);
            let known = known.map(|held| (held.quantity, held.units));
            let (quantity, units) = known.unwrap_or_default();
            let beyond = Position {
                quantity: position.quantity.sub(quantity)?,
                units: position.units.sub(units)?,
                ..position
            };
            if beyond.quantity.is_zero() && beyond.units.is_zero() {
                continue;
            }
            let event = self.adoption_of(venue, &beyond, !quantity.is_zero())?;
            self.take_all(&[event], Arrival::Poll)?;
            adopted += 1;
            self.run_state.held |= self.is_no_capital(beyond.item);
        }
        let detail = format!("{adopted} holding(s) of {venue} taken into the books");
        self.state(self.view.now(), "adopted", detail);
        self.reconcile()?;
        Ok(adopted)
    }

    /// Whether a holding is a part of the book that a mode wants, and not capital that it would be made of.
    fn is_no_capital(&self, item: Item) -> bool {
        let config = &self.config;
        match item {
            Item::Asset(asset) => {
                asset != config.share_class
                    && asset != config.asset
                    && asset != config.underlying()
                    && self.view.mark_of(asset) != Some(Mark::Par)
            }
            _ => true,
        }
    }

    /// The same between two wakes of a run that keeps a journal, which holds it before this returns.
    ///
    /// # Errors
    /// As [`Engine::adopt`], and EXEC-004 when the journal cannot be written.
    pub fn adopt_now(&mut self, venue: Venue) -> Result<usize, ComponentError> {
        let adopted = self.adopt(venue)?;
        self.books.mark_between_steps(&self.view)?;
        self.commit(Moment::RunEnd)?;
        Ok(adopted)
    }

    fn adoption_of(
        &self,
        venue: Venue,
        position: &Position,
        is_held_in_part: bool,
    ) -> Result<VenueEvent, ComponentError> {
        let is_perp = matches!(position.item, Item::Position(_));
        if is_perp && is_held_in_part {
            let message = format!(
                "the books hold a part of {} in {} already, and what the rest cost is not known",
                position.item, position.account
            );
            return Err(ComponentError::new(Code::VenueEventInvalid, message));
        }
        let entry_price = position
            .open_cost
            .map(|cost| cost.div_quantity(position.quantity, Rounding::HalfEven))
            .transpose()?;
        if is_perp && entry_price.is_none() {
            let message = format!(
                "{venue} gives no open cost of {} in {}, so its result until now is not known; close the position \
                 there first",
                position.item, position.account
            );
            return Err(ComponentError::new(Code::VenueEventInvalid, message));
        }
        let adoption = Adoption {
            account: position.account,
            item: position.item,
            quantity: position.quantity,
            units: position.units,
            entry_price,
        };
        let now = self.view.now();
        let kind = EventKind::Adoption(Box::new(adoption));
        Ok(VenueEvent::new(venue, now, now, kind))
    }
}
