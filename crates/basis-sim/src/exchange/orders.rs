//! Spot and perp orders as they come in: checked, then taken, rested or expired.

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::instruction::{OrderType, PerpTrade, SpotTrade, TimeInForce};
use basis_core::num::Quantity;
use basis_core::rules::InstrumentRules;
use basis_core::types::{
    InstructionId, InstrumentKey, InstrumentKind, SeriesId, Side, Symbol, Timestamp,
};
use basis_core::venue::FillAt;
use basis_core::venue_event::{Events, LiquiditySide, OrderState};
use basis_market::{Quote, SlotId, is_dollar};
use basis_protocols::exchange::orders::is_marketable;

use super::fills::{AfterFill, FillTerms};
use super::order::Order;
use super::pricing::{Met, taking_price};
use super::profile::RefusalCodes;
use super::{Context, PositionMode, SETTLEMENT, SimulatedExchange};
use crate::refusal::Refusal;

impl SimulatedExchange {
    pub(super) fn spot_trade(
        &mut self,
        cx: &Context<'_>,
        instruction: InstructionId,
        trade: &SpotTrade,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let codes = &self.profile.spot;
        let rules = self.instrument(cx, InstrumentKind::Spot, trade.symbol, codes)?;
        let order = Order {
            instruction,
            rules,
            key: rules.key,
            codes,
            side: trade.side,
            quantity: trade.quantity,
            order_type: trade.order_type,
            limit_price: trade.limit_price,
            time_in_force: trade.time_in_force,
            reduce_only: false,
        };
        self.submit(cx, &order, events)
    }

    pub(super) fn perp_trade(
        &mut self,
        cx: &Context<'_>,
        instruction: InstructionId,
        trade: &PerpTrade,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let codes = &self.profile.perp;
        let rules = self.instrument(cx, InstrumentKind::Perp, trade.symbol, codes)?;
        let (key, closes) = self.addressed(rules, trade)?;
        let order = Order {
            instruction,
            rules,
            key,
            codes,
            side: trade.side,
            quantity: trade.quantity,
            order_type: trade.order_type,
            limit_price: trade.limit_price,
            time_in_force: trade.time_in_force,
            reduce_only: trade.reduce_only || closes,
        };
        self.submit(cx, &order, events)
    }

    /// The position that a perp order is for, and whether it can only close it. One-way orders may
    /// do either; in hedge mode the position side decides.
    fn addressed(
        &self,
        rules: &InstrumentRules,
        trade: &PerpTrade,
    ) -> Result<(InstrumentKey, bool), Refusal> {
        let (key, modes) = (rules.key, &self.profile.modes);
        let side = match (self.settings.position_mode, trade.position_side) {
            (PositionMode::OneWay, None) => return Ok((key, false)),
            (PositionMode::Hedge, Some(side)) => side,
            (PositionMode::OneWay, Some(side)) => {
                let text = format!(
                    "{key}: position_side {} does not fit one-way mode; leave it out, or set \
                     position_mode: hedge",
                    side.as_str()
                );
                return Err(Refusal::other(text, modes.position_side));
            }
            (PositionMode::Hedge, None) => {
                let text = format!(
                    "{key}: hedge mode needs position_side long or short; or set position_mode: \
                     one_way"
                );
                return Err(Refusal::other(text, modes.position_side));
            }
        };
        if trade.reduce_only && modes.hedge_reduce_only.is_some() {
            let text = format!(
                "{key}: reduce_only is not sent in hedge mode; the order's side and position_side \
                 decide"
            );
            return Err(Refusal::other(text, modes.hedge_reduce_only));
        }
        let sided = key.sided(Some(side));
        let closes = trade.side != side.opens_with();
        let held = self.books.position(sided).quantity;
        let too_much = closes && trade.quantity > held.abs()?;
        if too_much || (trade.reduce_only && !closes) {
            let reason = Rejection::ReduceOnly {
                instrument: sided,
                quantity: trade.quantity,
                position: held,
            };
            return Err(Refusal::rejected(reason, self.profile.perp.reduce_only));
        }
        Ok((sided, closes))
    }

    /// The rules of an instrument that can be simulated.
    pub(super) fn instrument<'c>(
        &self,
        cx: &Context<'c>,
        kind: InstrumentKind,
        symbol: Symbol,
        codes: &'static RefusalCodes,
    ) -> Result<&'c InstrumentRules, Refusal> {
        let Some(rules) = cx.snapshot.instrument(kind, symbol) else {
            let venue = self.profile.venue;
            let listed: Vec<_> = cx.snapshot.instruments.iter().map(|i| &i.key).collect();
            let listed: Vec<_> = listed.iter().map(ToString::to_string).collect();
            let text = format!(
                "{venue}:{kind}:{symbol} is not in the venue's rules (there are: {})",
                listed.join(", ")
            );
            return Err(Refusal::other(text, codes.unknown_symbol));
        };
        let quote = rules.quote;
        let settles = match kind {
            InstrumentKind::Perp => quote == SETTLEMENT,
            _ => is_dollar(quote),
        };
        if settles {
            Ok(rules)
        } else {
            Err(Refusal::new(VenueErrorKind::Unsupported(format!(
                "{} is quoted in {quote}; the simulation margins perps in {SETTLEMENT} and values \
                 only dollar tokens at 1",
                rules.key
            ))))
        }
    }

    pub(super) fn submit(
        &mut self,
        cx: &Context<'_>,
        order: &Order<'_>,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        if order.order_type == OrderType::Market && order.limit_price.is_some() {
            return Err(Refusal::other(
                format!(
                    "{}: a market order has no limit_price; leave it out, or ask for order_type limit",
                    order.key
                ),
                order.codes.unwanted_price,
            ));
        }
        order.check()?;
        let quantity = self.reducible(order)?;
        let (slot, quote) = tradable(cx, order.rules.key.series())?;
        order.check_notional(self.profile, quote.mark)?;
        let Some(limit) = order.limit() else {
            return self.take_or_defer(cx, order, quantity, (slot, quote), events);
        };
        if is_marketable(order.side, limit, quote.mark) {
            if order.time_in_force == TimeInForce::PostOnly {
                return Err(Refusal::other(
                    self.profile.post_only_reason,
                    order.codes.post_only,
                ));
            }
            return self.take_or_defer(cx, order, quantity, (slot, quote), events);
        }
        match order.time_in_force {
            TimeInForce::Gtc | TimeInForce::PostOnly => {
                let resting = self.resting(cx, order, quantity, limit, slot)?;
                self.books.orders.push(resting);
                events.push(self.order_event(cx, order.instruction, OrderState::Working, None));
                Ok(())
            }
            TimeInForce::Fok if order.codes.fill_or_kill.is_some() => Err(Refusal::other(
                "the fill-or-kill order could not be filled and was rejected",
                order.codes.fill_or_kill,
            )),
            // Accepted and expired at once: nothing filled, nothing more to come.
            TimeInForce::Ioc | TimeInForce::Fok => {
                events.push(self.order_event(cx, order.instruction, OrderState::Expired, None));
                Ok(())
            }
        }
    }

    /// The order's quantity; a reduce-only order is cut to the position it may close.
    pub(super) fn reducible(&self, order: &Order<'_>) -> Result<Quantity, Refusal> {
        if !order.reduce_only {
            return Ok(order.quantity);
        }
        let held = self.books.position(order.key).quantity;
        let (quantity, position) = (order.quantity, held);
        if held.is_zero() || held.is_positive() == (order.side == Side::Buy) {
            let instrument = order.key;
            let reason = Rejection::ReduceOnly {
                instrument,
                quantity,
                position,
            };
            return Err(Refusal::rejected(reason, order.codes.reduce_only));
        }
        Ok(quantity.min(held.abs()?))
    }

    /// Fills as much of the order as the newest bar has room for, or puts that off to the next open. What
    /// is left over rests where the order may, and expires otherwise.
    fn take_or_defer(
        &mut self,
        cx: &Context<'_>,
        order: &Order<'_>,
        wanted: Quantity,
        (slot, quote): (SlotId, Quote),
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let met = self.meet(cx.view, order, (slot, quote))?;
        let quantity = self.within_volume(order, wanted, &met)?;
        let is_cut = quantity < wanted;
        if is_cut && order.time_in_force == TimeInForce::Fok {
            return Err(Refusal::other(
                format!(
                    "{}: the fill-or-kill order of {wanted} meets room for {quantity} alone",
                    order.key
                ),
                order.codes.fill_or_kill,
            ));
        }
        let terms = self.taking_terms(cx, order, quantity, &met)?;
        if cx.fill_at == FillAt::NextOpen {
            self.defer(cx, order, &terms, (&met, is_cut))?;
            self.count_taken(order, quantity, &met)?;
            events.push(self.order_event(cx, order.instruction, OrderState::Submitted, None));
            return Ok(());
        }
        self.fill(cx, order, &terms, AfterFill::taken(is_cut), events)?;
        self.count_taken(order, quantity, &met)
    }

    /// What taking `quantity` comes to in the market that the order has met, not worse than its limit.
    pub(super) fn taking_terms(
        &self,
        cx: &Context<'_>,
        order: &Order<'_>,
        quantity: Quantity,
        met: &Met,
    ) -> Result<FillTerms, Refusal> {
        let price = taking_price(&self.settings.taking, order, quantity, met)?;
        let price = match (order.limit(), order.side) {
            (None, _) => price,
            (Some(limit), Side::Buy) => price.min(limit),
            (Some(limit), Side::Sell) => price.max(limit),
        };
        Ok(FillTerms {
            quantity,
            price,
            mark: cx.traded_mark(met.slot),
            liquidity: LiquiditySide::Taker,
            slot: met.slot,
        })
    }

    /// The codes of a product.
    pub(super) const fn codes(&self, key: InstrumentKey) -> &'static RefusalCodes {
        match key.kind.contract() {
            InstrumentKind::Perp => &self.profile.perp,
            _ => &self.profile.spot,
        }
    }
}

/// A price that orders may use.
fn tradable(cx: &Context<'_>, series: SeriesId) -> Result<(SlotId, Quote), Refusal> {
    let now = cx.view.now();
    let found = cx
        .view
        .slot(series)
        .map(|slot| (slot, *cx.view.quote(slot)));
    match found {
        Some((slot, quote)) if quote.state.is_tradable() => Ok((slot, quote)),
        _ => {
            let known_at = found.map_or(Timestamp::MIN, |(_, q)| q.known_at);
            Err(Refusal::stale(series, now, now.since(known_at)))
        }
    }
}
