//! What happens at the venue between two calls, in the order of the design: orders that waited for
//! the bar to open, liquidation at the bar's extreme, what has an instant of its own (funding,
//! interest, arrivals) in the order of these instants, liquidation at the close, resting orders.
//!
//! What arrives within a step is no margin at the extremes of its bars, which are not known to come
//! after it, and is margin at the close.

use basis_core::error::ComponentError;
use basis_core::instruction::MarginMode;
use basis_core::num::{Quantity, Rate, Rounding};
use basis_core::types::{InstructionId, SeriesId, Side, Span, Timestamp};
use basis_core::venue_event::{
    EventKind, Events, Funding, FundingMissing, LiquiditySide, OrderState, OrderUpdate, Text,
    VenueEvent,
};
use basis_market::Horizon;
use basis_market::{FundingLookup, MarketView};

use super::books::{OpenPosition, RestingOrder};
use super::fills::{AfterFill, FillTerms};
use super::liquidation::{Guard, TestPrice};
use super::resting::resting_order;
use super::{Context, SETTLEMENT, SimulatedExchange};
use crate::interface::unreadable;
use crate::refusal::Refusal;

/// What falls due within a step; at one instant in this order.
#[derive(Clone, Copy, Debug)]
enum Due {
    Funding(OpenPosition),
    /// A full hour of spot-margin interest.
    Interest,
}

/// What is known until cash or a position changes, so that a quiet step costs a few comparisons.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    pub(super) guard: Option<Guard>,
    /// No position settles funding before this.
    funding_at: Option<Timestamp>,
}

impl SimulatedExchange {
    /// The event of an order whose state changed without a fill.
    pub(super) fn order_event(
        &self,
        cx: &Context<'_>,
        instruction: InstructionId,
        state: OrderState,
        reason: Option<Text>,
    ) -> VenueEvent {
        let update = OrderUpdate {
            instruction,
            state,
            filled: Quantity::ZERO,
            venue_order_id: None,
            reason,
        };
        self.event(cx, EventKind::Order(update))
    }

    /// That a resting order has gone with what it has filled so far.
    pub(super) fn cancelled(
        &self,
        cx: &Context<'_>,
        order: &RestingOrder,
        reason: Option<Text>,
    ) -> VenueEvent {
        let update = OrderUpdate {
            instruction: order.instruction,
            state: OrderState::Cancelled,
            filled: order.filled,
            venue_order_id: None,
            reason,
        };
        self.event(cx, EventKind::Order(update))
    }

    /// When it next finds anything: a bar that comes near a liquidation, a settlement, a resting
    /// order, a debt, an arrival. What is watched is known only for one position alone; a book of
    /// several is looked at every time.
    pub(super) fn next_step(&self) -> Horizon {
        let orders = !self.books.orders.is_empty() || !self.books.pending.is_empty();
        if orders || self.may_owe() {
            return Horizon::NOW;
        }
        let arrival = self.ready.as_ref();
        let arrival = arrival.and_then(|ready| ready.transit.next_arrival(self.profile.venue));
        match self.books.positions.as_slice() {
            [] => Horizon::at(arrival),
            [open] => {
                let (Some(guard), Some(funding)) = (self.watch.guard, self.watch.funding_at) else {
                    return Horizon::NOW;
                };
                let Some(bounds) = guard.bounds(open.slot) else {
                    return Horizon::NOW;
                };
                let at = guard.until().min(funding);
                Horizon {
                    at: Some(arrival.map_or(at, |arrival| arrival.min(at))),
                    bounds: Some(bounds),
                }
            }
            _ => Horizon::NOW,
        }
    }

    /// Everything since the last call; nothing when there was one at this instant. A quiet step
    /// allocates nothing. What goes wrong is reported as a lost connection, and what had happened
    /// before it stands.
    pub(super) fn catch_up(&mut self, view: &MarketView, events: &mut Events) {
        let now = view.now();
        if self.advanced_to == Some(now) {
            return;
        }
        let due = self.next_step().is_due(view);
        let since = self.advanced_to.replace(now).unwrap_or(now);
        if !due {
            return;
        }
        // Without dependencies nothing was ever executed.
        let Some(ready) = self.ready.take() else {
            return;
        };
        let first = events.len();
        let done = self.advance_in(&ready.context(view), since, events);
        self.ready = Some(ready);
        if let Some(new) = events.get_mut(first..) {
            // Funding and arrivals carry the venue's own instants within the step.
            new.sort_by_key(|event| event.at);
        }
        if let Err(refusal) = done {
            let e = refusal.at(self.profile.venue, "advance");
            self.health.failed(now, &ComponentError::from(e.clone()));
            events.push(unreadable(now, e));
        }
    }

    fn advance_in(
        &mut self,
        cx: &Context<'_>,
        since: Timestamp,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        if !self.books.pending.is_empty() {
            self.fill_pending(cx, events)?;
        }
        if !self.books.positions.is_empty() {
            self.test_liquidation(cx, TestPrice::Extreme, events)?;
        }
        self.take_due(cx, since, events)?;
        if !self.books.positions.is_empty() {
            self.test_liquidation(cx, TestPrice::Close, events)?;
        }
        if !self.books.orders.is_empty() {
            let filled = self.fill_resting(cx, events)?;
            if filled {
                // An order that the market ran over stands on a price that is gone.
                self.test_liquidation(cx, TestPrice::Close, events)?;
            }
        }
        Ok(())
    }

    /// Settles funding, charges interest and takes arrivals of (since, now], each at its own instant;
    /// at one instant arrivals come last.
    fn take_due(
        &mut self,
        cx: &Context<'_>,
        since: Timestamp,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let mut due = self.funding_due(cx, since);
        due.extend(self.interest_due(cx, since).map(|at| (at, Due::Interest)));
        // Stable: at one instant funding comes before interest.
        due.sort_by_key(|(at, _)| *at);
        for (at, due) in due {
            self.collect(cx, at.minus(Span::from_nanos(1)), events)?;
            match due {
                Due::Funding(open) => self.settle(cx, &open, at, events)?,
                Due::Interest => self.charge_interest(cx, at, events)?,
            }
        }
        self.collect(cx, cx.view.now(), events)?;
        self.watch_funding(cx);
        Ok(())
    }

    /// Takes what has arrived by `until`, or come back.
    fn collect(
        &mut self,
        cx: &Context<'_>,
        until: Timestamp,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let (venue, now) = (self.profile.venue, cx.view.now());
        for arrived in cx.transit.collect(venue, until) {
            let (amount, event) = self.failing.credit(venue, now, &arrived)?;
            self.move_cash(&[(arrived.to, arrived.asset, amount)])?;
            events.push(event);
        }
        Ok(())
    }

    /// Every funding instant in (since, now] of what is held now, by instant and instrument.
    fn funding_due(&self, cx: &Context<'_>, since: Timestamp) -> Vec<(Timestamp, Due)> {
        let now = cx.view.now();
        if self.watch.funding_at.is_some_and(|at| now < at) {
            return Vec::new();
        }
        let mut due: Vec<(Timestamp, OpenPosition)> = Vec::new();
        for open in &self.books.positions {
            let mut cursor = since;
            while let Some(next) = next_funding(cx, open, cursor).filter(|next| *next <= now) {
                due.push((next, *open));
                cursor = next;
            }
        }
        due.sort_by_key(|(instant, open)| (*instant, open.key));
        let due = due.into_iter();
        due.map(|(at, open)| (at, Due::Funding(open))).collect()
    }

    /// Notes when funding is due next, unless that is known.
    fn watch_funding(&mut self, cx: &Context<'_>) {
        let now = cx.view.now();
        let known = self.watch.funding_at.is_some_and(|at| now < at);
        if known || self.books.positions.is_empty() {
            return;
        }
        let next = self.books.positions.iter();
        let next = next.filter_map(|open| next_funding(cx, open, now)).min();
        let change = cx.rules.next_change(now);
        self.watch.funding_at = next.into_iter().chain(change).min();
    }

    /// Settles one funding instant of one position; in isolated mode out of its own margin.
    fn settle(
        &mut self,
        cx: &Context<'_>,
        open: &OpenPosition,
        instant: Timestamp,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let series = open.key.funding_series();
        // Its own, whatever the length of the step; the present one where that is no longer kept.
        let mark = cx.view.mark_at(open.slot, instant)?;
        let mark = mark.unwrap_or(cx.view.quote(open.slot).mark);
        let (account, position) = (cx.snapshot.accounts.perp, open.position.quantity);
        let (rate, proxy): (Rate, Option<SeriesId>) = match cx.view.funding(series, instant) {
            FundingLookup::Rate(rate) => (rate, None),
            FundingLookup::Proxied(rate, proxy) => (rate, Some(proxy)),
            FundingLookup::Missing => {
                let exposed_notional = position.abs()?.notional(mark, Rounding::HalfEven)?;
                let missing = FundingMissing {
                    account,
                    instrument: open.key,
                    scheduled: instant,
                    position,
                    mark,
                    exposed_notional,
                };
                let kind = EventKind::FundingMissing(Box::new(missing));
                events.push(self.settlement(cx, instant, kind));
                return Ok(());
            }
        };
        let amount = open
            .position
            .funding(mark, rate, cx.decimals(SETTLEMENT)?)?;
        let margin = match self.books.open(open.key).and_then(|open| open.margin) {
            Some(margin) => Some(margin.add(amount)?),
            None => None,
        };
        self.move_cash(&[(account, SETTLEMENT, amount)])?;
        self.books.set_margin(open.key, margin);
        let funding = Funding {
            account,
            instrument: open.key,
            margin: match margin {
                Some(_) => MarginMode::Isolated,
                None => MarginMode::Cross,
            },
            scheduled: instant,
            asset: SETTLEMENT,
            position,
            mark,
            rate,
            amount,
            proxy,
        };
        let kind = EventKind::Funding(Box::new(funding));
        events.push(self.settlement(cx, instant, kind));
        Ok(())
    }

    /// An event at a scheduled instant.
    fn settlement(&self, cx: &Context<'_>, instant: Timestamp, kind: EventKind) -> VenueEvent {
        VenueEvent::new(self.profile.venue, instant, cx.view.now(), kind)
    }

    /// Fills the resting orders that a bar opened after them traded through, oldest first; whether
    /// any did.
    fn fill_resting(&mut self, cx: &Context<'_>, events: &mut Events) -> Result<bool, Refusal> {
        let mut at = 0;
        let mut filled = false;
        while let Some(order) = self.books.orders.get(at) {
            if !traded_through(cx.view, order) {
                at += 1;
                continue;
            }
            let before = order.filled;
            let mut order = self.books.orders.remove(at);
            let rests = self.fill_one(cx, &mut order, events);
            filled |= order.filled > before;
            match rests {
                Ok(true) => {
                    self.books.orders.insert(at, order);
                    at += 1;
                }
                Ok(false) => {}
                // The venue cancels what margin, balance or position no longer carry.
                Err(refusal) => {
                    let reason = Some(Text::Owned(refusal.0.to_string()));
                    events.push(self.cancelled(cx, &order, reason));
                }
            }
        }
        Ok(filled)
    }

    /// Fills as much of an order as the bar has room for; whether the rest goes on resting.
    fn fill_one(
        &mut self,
        cx: &Context<'_>,
        order: &mut RestingOrder,
        events: &mut Events,
    ) -> Result<bool, Refusal> {
        let rules = cx.held_rules(order.key)?;
        let quote = *cx.view.quote(order.slot);
        let request = resting_order(order, rules, self.codes(order.key));
        let wanted = self.reducible(&request)?;
        let met = self.meet(cx.view, &request, (order.slot, quote))?;
        let Some(quantity) = self.room(&request, wanted, &met)? else {
            return Ok(true);
        };
        let terms = FillTerms {
            quantity,
            price: order.limit,
            mark: cx.traded_mark(order.slot),
            liquidity: LiquiditySide::Maker,
            slot: order.slot,
        };
        let rests = quantity < wanted;
        let state = if rests {
            OrderState::Working
        } else {
            OrderState::Filled
        };
        let after = AfterFill {
            state,
            filled_before: order.filled,
        };
        self.fill(cx, &request, &terms, after, events)?;
        self.count_taken(&request, quantity, &met)?;
        order.filled = order.filled.add(quantity)?;
        if !rests {
            return Ok(false);
        }
        order.quantity = wanted.sub(quantity)?;
        let rest = resting_order(order, rules, self.codes(order.key));
        let bound = self.resting(cx, &rest, order.quantity, order.limit, order.slot)?;
        order.reserved = bound.reserved;
        Ok(true)
    }
}

fn next_funding(cx: &Context<'_>, open: &OpenPosition, after: Timestamp) -> Option<Timestamp> {
    // Delisted: the rules that were in force last.
    let held = || cx.held_rules(open.key).ok()?.perp.as_ref();
    cx.rules
        .next_funding(open.key.symbol, after)
        .or_else(|| Some(held()?.next_funding(after)))
}

/// Whether a bar that opened when the order was there, or later, went strictly beyond its limit.
fn traded_through(view: &MarketView, order: &RestingOrder) -> bool {
    let quote = view.quote(order.slot);
    let through = match order.side {
        Side::Buy => quote.low < order.limit,
        Side::Sell => quote.high > order.limit,
    };
    if !through || !quote.state.is_tradable() {
        return false;
    }
    let length = view.bar_length(order.slot);
    quote.known_at.minus(length) >= order.placed_at && quote.known_at > order.placed_at
}
