//! Orders: taken on or refused, and filled in two parts when their time has come.

use basis::core::error::{Rejection, VenueErrorKind};
use basis::core::instruction::{Instruction, Operation, OrderType};
use basis::core::num::{MathError, Quantity, Rate, Rounding};
use basis::core::types::{
    InstructionId, InstrumentKey, InstrumentKind, Side, Span, Symbol, Timestamp,
};
use basis::core::venue_event::{EventKind, Events, OrderState, OrderUpdate, VenueEvent};
use basis::market::MarketView;

use crate::{BTC, HARBOR, Harbor, LOT, USDT};

/// A market order as it was taken on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) id: InstructionId,
    pub(crate) instrument: InstrumentKey,
    pub(crate) side: Side,
    quantity: Quantity,
}

/// What the venue will say at an instant.
#[derive(Debug)]
pub(crate) enum Pending {
    /// So much of an order fills; whether that is all of it.
    Fill(Order, Quantity, bool),
    /// What was said before, once more.
    Again(Events),
}

impl Harbor {
    /// Takes an order on, or says why not. Nothing fills before its time.
    pub(crate) fn take(
        &mut self,
        view: &MarketView,
        instruction: &Instruction,
    ) -> Result<(), VenueErrorKind> {
        let (kind, side, quantity, order_type) = match &instruction.operation {
            Operation::SpotTrade(t) => (InstrumentKind::Spot, t.side, t.quantity, t.order_type),
            Operation::PerpTrade(t) => (InstrumentKind::Perp, t.side, t.quantity, t.order_type),
            other => return Err(VenueErrorKind::Unsupported(other.kind().to_string())),
        };
        let instrument = InstrumentKey::new(HARBOR, kind, Symbol::literal("BTCUSDT"));
        let refuse = |what: &str| Err(VenueErrorKind::InvalidRequest(what.to_owned()));
        if order_type != OrderType::Market {
            return refuse("only market orders are taken");
        }
        if !quantity.is_positive() || !quantity.is_multiple_of(LOT) {
            return refuse("a quantity must be a multiple of 0.00001, above zero");
        }
        let sells = kind == InstrumentKind::Spot && side == Side::Sell;
        let (asset, needed) = if sells {
            (BTC, quantity)
        } else {
            (USDT, Self::needed(view, instrument, quantity)?)
        };
        let available = self.cash.get(&asset).copied().unwrap_or_default();
        if needed > available {
            let reason = Rejection::InsufficientBalance {
                asset,
                needed,
                available,
            };
            let venue_code = Some("H-7".into());
            return Err(VenueErrorKind::Rejected { reason, venue_code });
        }
        let order = Order {
            id: instruction.id,
            instrument,
            side,
            quantity,
        };
        let first = half(quantity).map_err(out_of_range)?;
        let rest = quantity.sub(first).map_err(out_of_range)?;
        let now = view.now();
        let latency = self.settings.latency;
        self.expect(now.plus(latency), Pending::Fill(order, first, false));
        self.expect(now.plus(latency.times(2)), Pending::Fill(order, rest, true));
        Ok(())
    }

    fn expect(&mut self, at: Timestamp, pending: Pending) {
        let place = self.inbox.partition_point(|(other, _)| *other <= at);
        self.inbox.insert(place, (at, pending));
    }

    /// Says what has become known by now, in order.
    pub(crate) fn release(
        &mut self,
        view: &MarketView,
        events: &mut Events,
    ) -> Result<(), MathError> {
        let now = view.now();
        while self.inbox.first().is_some_and(|(at, _)| *at <= now) {
            let (at, pending) = self.inbox.remove(0);
            match pending {
                Pending::Fill(order, quantity, is_last) => {
                    let fill = self.fill(view, &order, quantity)?;
                    let (state, filled) = if is_last {
                        (OrderState::Filled, order.quantity)
                    } else {
                        (OrderState::Working, quantity)
                    };
                    let update = EventKind::Order(OrderUpdate {
                        instruction: order.id,
                        state,
                        filled,
                        venue_order_id: None,
                        reason: None,
                    });
                    let kinds = [EventKind::Fill(Box::new(fill)), update];
                    let said: Events = kinds
                        .into_iter()
                        .map(|kind| VenueEvent::new(HARBOR, at, now, kind))
                        .collect();
                    events.extend(said.iter().cloned());
                    let again = now.plus(Span::from_minutes(1));
                    self.expect(again, Pending::Again(said));
                }
                // The same facts have the same keys, so the engine books them once.
                Pending::Again(said) => events.extend(said.into_iter().map(|event| VenueEvent {
                    received_at: now,
                    ..event
                })),
            }
        }
        Ok(())
    }
}

/// Half of an order, in whole lots.
fn half(quantity: Quantity) -> Result<Quantity, MathError> {
    let half = quantity.at_rate(Rate::literal("0.5"), Rounding::Down)?;
    half.round_to_lot(LOT, Rounding::Down)
}

fn out_of_range(e: MathError) -> VenueErrorKind {
    VenueErrorKind::InvalidRequest(e.to_string())
}
