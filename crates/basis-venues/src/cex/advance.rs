//! What happens at the venue between two calls, in the order of the design: orders that waited for
//! the bar to open, liquidation at the bar's extreme, funding, liquidation at the close, resting
//! orders, arrivals.

use basis_core::execution::{Liquidity, VenueEvent, VenueEventKind};
use basis_core::ledger::{EntryKind, Occurrence};
use basis_core::market::{FundingLookup, MarketView};
use basis_core::num::{Rate, Rounding};
use basis_core::types::{
    InstructionId, Label, PositionSide, SeriesId, Side, Span, Timestamp, Venue,
};

use super::books::{Lines, ONE_DOLLAR, OpenPosition, RestingOrder};
use super::fills::Terms;
use super::liquidation::{Guard, TestPrice};
use super::refusal::Refusal;
use super::resting::resting_order;
use super::transfer::arrival;
use super::{Context, SETTLEMENT, SimulatedCex};

/// What is known until cash or a position changes, so that a quiet step costs a few comparisons.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    pub(super) guard: Option<Guard>,
    /// No position settles funding before this.
    funding_at: Option<Timestamp>,
}

/// The event of an order that the venue took out of the book.
pub(super) fn canceled(venue: Venue, at: Timestamp, instruction: InstructionId) -> VenueEvent {
    VenueEvent {
        venue,
        at,
        kind: VenueEventKind::Other {
            name: Label::literal("order_canceled"),
            instruction: Some(instruction),
        },
        entries: Vec::new(),
    }
}

impl SimulatedCex {
    /// Whether the next advance would find anything: a bar that comes near a liquidation, a
    /// settlement, a resting order, a debt, an arrival. What is watched is known only for one position
    /// alone; a book of several is looked at every time.
    pub(super) fn has_work(&self, view: &MarketView) -> bool {
        let now = view.now();
        let orders = !self.books.orders.is_empty() || !self.books.pending.is_empty();
        let standing = !self.notices.is_empty() || orders || self.may_owe();
        let watched = match self.books.positions.as_slice() {
            [] => true,
            [open] => {
                let price = TestPrice::Extreme.of(open, view.quote(open.slot));
                self.watch
                    .guard
                    .is_some_and(|guard| guard.holds(price, now))
                    && self.watch.funding_at.is_some_and(|at| now < at)
            }
            _ => false,
        };
        let transit = self.world.as_ref().and_then(|world| world.transit.as_ref());
        let arrival = || transit.and_then(|transit| transit.next_arrival(self.profile.venue));
        standing || !watched || arrival().is_some_and(|at| at <= now)
    }

    /// Everything since the last call. A quiet step allocates nothing.
    pub(super) fn advance_to(&mut self, view: &MarketView) -> Result<Vec<VenueEvent>, Refusal> {
        let mut events = Vec::new();
        let now = view.now();
        let since = self.advanced_to.replace(now).unwrap_or(now);
        // Without dependencies nothing was ever executed.
        let Some(world) = self.world.take() else {
            return Ok(events);
        };
        let done = self.advance_in(&world.context(view), since, &mut events);
        self.world = Some(world);
        done?;
        if events.len() > 1 {
            // Funding and arrivals carry the venue's own instants within the step.
            events.sort_by_key(|event| event.at);
        }
        Ok(events)
    }

    fn advance_in(
        &mut self,
        cx: &Context<'_>,
        since: Timestamp,
        events: &mut Vec<VenueEvent>,
    ) -> Result<(), Refusal> {
        if !self.notices.is_empty() {
            events.append(&mut self.notices);
        }
        if !self.books.pending.is_empty() {
            self.fill_pending(cx, events)?;
        }
        if !self.books.positions.is_empty() {
            self.test_liquidation(cx, TestPrice::Extreme, events)?;
            self.settle_funding(cx, since, events)?;
            self.test_liquidation(cx, TestPrice::Close, events)?;
        }
        if self.may_owe() {
            self.charge_interest(cx, since, events)?;
        }
        if !self.books.orders.is_empty() {
            let filled = self.fill_resting(cx, events)?;
            if filled {
                // An order that the market ran over stands on a price that is gone.
                self.test_liquidation(cx, TestPrice::Close, events)?;
            }
        }
        if let Some(transit) = cx.transit {
            let venue = self.profile.venue;
            for shipment in transit.collect(venue, cx.view.now()) {
                let event = match self.failing.returned(venue, cx.view, &shipment)? {
                    Some(event) => event,
                    None => arrival(venue, cx.view, &shipment)?,
                };
                self.commit(&event.entries)?;
                events.push(event);
            }
        }
        Ok(())
    }

    /// Settles every funding instant in (since, now] on what is held now.
    fn settle_funding(
        &mut self,
        cx: &Context<'_>,
        since: Timestamp,
        events: &mut Vec<VenueEvent>,
    ) -> Result<(), Refusal> {
        let now = cx.view.now();
        if self.watch.funding_at.is_some_and(|at| now < at) {
            return Ok(());
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
        for (instant, open) in due {
            let event = self.settle(cx, &open, instant)?;
            self.commit(&event.entries)?;
            if let VenueEventKind::Funding { amount, .. } = event.kind {
                self.books.move_margin(open.key, amount)?;
            }
            events.push(event);
        }
        let next = self.books.positions.iter();
        let next = next.filter_map(|open| next_funding(cx, open, now)).min();
        let change = cx.rules.next_change(now);
        self.watch.funding_at = next.into_iter().chain(change).min();
        Ok(())
    }

    fn settle(
        &self,
        cx: &Context<'_>,
        open: &OpenPosition,
        instant: Timestamp,
    ) -> Result<VenueEvent, Refusal> {
        let series = open.key.funding_series();
        let mark = cx.view.quote(open.slot).mark;
        let position = open.position.quantity;
        let (rate, proxy): (Rate, Option<SeriesId>) = match cx.view.funding(series, instant) {
            FundingLookup::Rate(rate) => (rate, None),
            FundingLookup::Proxied(rate, proxy) => (rate, Some(proxy)),
            FundingLookup::Missing => {
                let exposed_notional = position.abs()?.notional(mark, Rounding::HalfEven)?;
                return Ok(VenueEvent {
                    venue: self.profile.venue,
                    at: instant,
                    kind: VenueEventKind::FundingMissing {
                        instrument: open.key,
                        position,
                        exposed_notional,
                    },
                    entries: Vec::new(),
                });
            }
        };
        let decimals = cx.decimals(SETTLEMENT)?;
        let amount = open.position.funding(mark, rate, decimals)?;
        let occurrence = Occurrence::Funding {
            venue: self.profile.venue,
            symbol: open.key.symbol,
            instant,
        };
        // Both sides of a perpetual settle at once: one occurrence, a line each.
        let line = u8::from(open.key.kind.position_side() == Some(PositionSide::Short));
        let mut lines = Lines::new(instant, occurrence, None).numbered_from(line);
        let cash = (cx.snapshot.accounts.perp, SETTLEMENT);
        lines.booked(EntryKind::Funding, cash, amount, ONE_DOLLAR)?;
        Ok(VenueEvent {
            venue: self.profile.venue,
            at: instant,
            kind: VenueEventKind::Funding {
                instrument: open.key,
                position,
                mark,
                rate,
                amount,
                proxy,
            },
            entries: lines.entries,
        })
    }

    /// Fills the resting orders that a bar opened after them traded through, oldest first; whether
    /// any did.
    fn fill_resting(
        &mut self,
        cx: &Context<'_>,
        events: &mut Vec<VenueEvent>,
    ) -> Result<bool, Refusal> {
        let (now, venue) = (cx.view.now(), self.profile.venue);
        let mut at = 0;
        let mut filled = false;
        while let Some(&order) = self.books.orders.get(at) {
            if !traded_through(cx.view, &order) {
                at += 1;
                continue;
            }
            self.books.orders.remove(at);
            match self.fill_one(cx, &order) {
                Ok(event) => {
                    events.push(event);
                    filled = true;
                }
                // The venue cancels what margin, balance or position no longer carry.
                Err(_) => events.push(canceled(venue, now, order.instruction)),
            }
        }
        Ok(filled)
    }

    fn fill_one(&mut self, cx: &Context<'_>, order: &RestingOrder) -> Result<VenueEvent, Refusal> {
        let rules = cx.held_rules(order.key)?;
        let request = resting_order(order, rules, self.codes(order.key));
        let terms = Terms {
            quantity: self.reducible(&request)?,
            price: order.limit,
            mark: cx.view.quote(order.slot).mark,
            liquidity: Liquidity::Maker,
            slot: order.slot,
        };
        let (fill, entries) = self.fill(cx, &request, &terms)?;
        Ok(VenueEvent {
            venue: self.profile.venue,
            at: cx.view.now(),
            kind: VenueEventKind::LateFill {
                instruction: order.instruction,
                fill,
            },
            entries,
        })
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
    let series = order.key.series();
    let own = view.data().bars(series);
    let bars = own.or_else(|| {
        let proxy = view.policy().proxies.get(&series)?;
        view.data().bars(*proxy)
    });
    let length = bars.map_or(Span::ZERO, |bars| bars.length);
    quote.known_at.minus(length) >= order.placed_at && quote.known_at > order.placed_at
}
