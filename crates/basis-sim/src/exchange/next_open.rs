//! Orders that fill at the open of the bar after the decision (`fill_at: next_open`).
//!
//! An order that the market would take now is accepted as pending: what it needs is checked at the
//! mark it sees and bound. It fills just after the instant it was placed, at the first price of the
//! bar that opens there, which nobody knows before that bar is complete. So the next advance reports
//! it first of all: the position takes part in the test of that bar's extremes and collects the
//! funding of its time.
//!
//! **Invariants.** A pending order outlives one advance only as a resting one. It sees nothing of its
//! own bar but the open: margin is checked at opens, and impact and room are those of the bars before.

use basis_core::instruction::{OperationKind, OrderType, TimeInForce};
use basis_core::num::Quantity;
use basis_core::rules::InstrumentRules;
use basis_core::types::{InstrumentKind, Timestamp};
use basis_core::venue::FillAt;
use basis_core::venue_event::{EventKind, Events, OrderState, VenueEvent};
use basis_market::MarketView;
use basis_protocols::exchange::orders::is_marketable;

use super::books::PendingOrder;
use super::fills::{AfterFill, FillTerms};
use super::order::Order;
use super::pricing::Met;
use super::profile::RefusalCodes;
use super::{Context, SimulatedExchange};
use crate::refusal::Refusal;

impl SimulatedExchange {
    /// Accepts an order that `terms` would fill now, and binds what it needs until it fills.
    pub(super) fn defer(
        &mut self,
        cx: &Context<'_>,
        order: &Order<'_>,
        terms: &FillTerms,
        (met, is_cut): (&Met, bool),
    ) -> Result<(), Refusal> {
        let reserved = match order.rules.perp.as_ref() {
            Some(perp) => {
                let fee = cx.snapshot.fees.perp.taker;
                self.reserve_perp(cx, order, (perp, fee), terms.quantity, terms.price)?
            }
            None => {
                let amounts = Self::spot_amounts(cx, order, terms)?;
                self.require_spot(cx, amounts.paid, amounts.gained, order, terms.mark)?;
                let (account, (asset, needed)) = (cx.snapshot.accounts.spot, amounts.paid);
                // What is borrowed cannot be bound.
                let free = self.free(cx, account, asset)?.max(Quantity::ZERO);
                (account, asset, needed.min(free))
            }
        };
        self.books.pending.push(PendingOrder {
            instruction: order.instruction,
            key: order.key,
            side: order.side,
            quantity: terms.quantity,
            limit: order.limit(),
            time_in_force: order.time_in_force,
            reduce_only: order.reduce_only,
            reserved,
            placed_at: cx.at,
            met: *met,
            is_cut,
        });
        Ok(())
    }

    /// Fills what waited for the newest bar to open, in the order it was placed.
    pub(super) fn fill_pending(
        &mut self,
        cx: &Context<'_>,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        // All at once, so that none is refused for what those behind it bind.
        for order in std::mem::take(&mut self.books.pending) {
            if let Err(refusal) = self.fill_at_open(cx, &order, events) {
                events.push(self.failed(cx, &order, refusal));
            }
        }
        Ok(())
    }

    fn fill_at_open(
        &mut self,
        cx: &Context<'_>,
        order: &PendingOrder,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let quote = *cx.view.quote(order.met.slot);
        let Some(opened) = first_opened(cx.view, order) else {
            let (series, now) = (order.key.series(), cx.view.now());
            return Err(Refusal::stale(series, now, now.since(quote.known_at)));
        };
        let cx = &cx.opening(opened.plus(FillAt::NEXT_OPEN_DELAY));
        let rules = cx.held_rules(order.key)?;
        let request = order.request(rules, self.codes(order.key));
        let quantity = self.reducible(&request)?;
        if let Some(limit) = order.limit
            && !is_marketable(order.side, limit, quote.open)
        {
            return self.miss(cx, order, &request, quantity, events);
        }
        let mut met = order.met;
        met.quote.mark = quote.open;
        let terms = self.taking_terms(cx, &request, quantity, &met)?;
        let after = AfterFill::taken(order.is_cut);
        self.fill(cx, &request, &terms, after, events)
    }

    /// The open is beyond the limit: the order rests from the instant it was placed, or expires.
    fn miss(
        &mut self,
        cx: &Context<'_>,
        order: &PendingOrder,
        request: &Order<'_>,
        quantity: Quantity,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let limit = order
            .limit
            .filter(|_| order.time_in_force == TimeInForce::Gtc);
        let state = match limit {
            None => OrderState::Expired,
            Some(limit) => {
                let mut resting = self.resting(cx, request, quantity, limit, order.met.slot)?;
                resting.placed_at = order.placed_at;
                self.books.orders.push(resting);
                OrderState::Working
            }
        };
        events.push(self.order_event(cx, order.instruction, state, None));
        Ok(())
    }

    fn failed(&self, cx: &Context<'_>, order: &PendingOrder, refusal: Refusal) -> VenueEvent {
        let operation = match order.key.kind.contract() {
            InstrumentKind::Perp => OperationKind::PerpTrade,
            _ => OperationKind::SpotTrade,
        };
        let error = refusal.at(self.profile.venue, operation.as_str());
        let kind = EventKind::Rejected {
            instruction: order.instruction,
            error: Box::new(error),
        };
        let at = order.placed_at.plus(FillAt::NEXT_OPEN_DELAY);
        VenueEvent::new(self.profile.venue, at, cx.view.now(), kind)
    }
}

/// When the bar opened that is the first since the order was placed: its open is that of the quote.
fn first_opened(view: &MarketView, order: &PendingOrder) -> Option<Timestamp> {
    let (bar, _) = view.first_closed_after(order.met.slot, order.placed_at)?;
    (bar.opened_at >= order.placed_at).then_some(bar.opened_at)
}

impl PendingOrder {
    fn request<'a>(&self, rules: &'a InstrumentRules, codes: &'static RefusalCodes) -> Order<'a> {
        Order {
            instruction: self.instruction,
            rules,
            key: self.key,
            codes,
            side: self.side,
            quantity: self.quantity,
            order_type: match self.limit {
                Some(_) => OrderType::Limit,
                None => OrderType::Market,
            },
            limit_price: self.limit,
            time_in_force: self.time_in_force,
            reduce_only: self.reduce_only,
        }
    }
}
