//! Spot and perp orders: taking, resting, filling.

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::execution::{Execution, ExecutionStatus, Fill, Liquidity};
use basis_core::instruction::{
    CancelOrder, OrderType, PerpTrade, SetLeverage, SpotTrade, TimeInForce,
};
use basis_core::ledger::{EntryKind, LedgerEntry, Occurrence, TradeId};
use basis_core::market::{Quote, SlotId};
use basis_core::num::{Fixed18, Price, Quantity, Rate, Rounding, Value};
use basis_core::protocol::perp::PerpPosition;
use basis_core::rules::{InstrumentRules, MakerTaker, PerpRules};
use basis_core::types::{
    Account, Asset, InstructionId, InstrumentKey, InstrumentKind, Item, SeriesId, Side, Symbol,
};

use super::books::{Lines, ONE_DOLLAR, OpenPosition, RestingOrder, is_dollar};
use super::filters::Order;
use super::margin::Margin;
use super::pricing::{is_marketable, taking_price};
use super::profile::RefusalCodes;
use super::refusal::Refusal;
use super::{Context, SETTLEMENT, SimulatedCex};

/// At what an order fills.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) quantity: Quantity,
    pub(super) price: Price,
    pub(super) mark: Price,
    pub(super) liquidity: Liquidity,
    pub(super) slot: SlotId,
}

impl SimulatedCex {
    pub(super) fn spot_trade(
        &mut self,
        cx: &Context<'_>,
        instruction: InstructionId,
        trade: &SpotTrade,
    ) -> Result<Execution, Refusal> {
        let codes = &self.profile.spot;
        let order = Order {
            instruction,
            rules: self.instrument(cx, InstrumentKind::Spot, trade.symbol, codes)?,
            codes,
            side: trade.side,
            quantity: trade.quantity,
            order_type: trade.order_type,
            limit_price: trade.limit_price,
            time_in_force: trade.time_in_force,
            reduce_only: false,
        };
        self.submit(cx, &order)
    }

    pub(super) fn perp_trade(
        &mut self,
        cx: &Context<'_>,
        instruction: InstructionId,
        trade: &PerpTrade,
    ) -> Result<Execution, Refusal> {
        let codes = &self.profile.perp;
        let order = Order {
            instruction,
            rules: self.instrument(cx, InstrumentKind::Perp, trade.symbol, codes)?,
            codes,
            side: trade.side,
            quantity: trade.quantity,
            order_type: trade.order_type,
            limit_price: trade.limit_price,
            time_in_force: trade.time_in_force,
            reduce_only: trade.reduce_only,
        };
        self.submit(cx, &order)
    }

    /// The rules of an instrument that can be simulated.
    fn instrument<'c>(
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

    fn submit(&mut self, cx: &Context<'_>, order: &Order<'_>) -> Result<Execution, Refusal> {
        order.check()?;
        let quantity = self.reducible(order)?;
        let (slot, quote) = tradable(cx, order.rules.key.series())?;
        order.check_notional(self.profile, quote.mark)?;
        let Some(limit) = order.limit() else {
            return self.take(cx, order, quantity, slot, &quote);
        };
        if is_marketable(order.side, limit, quote.mark) {
            if order.time_in_force == TimeInForce::PostOnly {
                return Err(Refusal::other(
                    self.profile.post_only_reason,
                    order.codes.post_only,
                ));
            }
            return self.take(cx, order, quantity, slot, &quote);
        }
        match order.time_in_force {
            TimeInForce::Gtc | TimeInForce::PostOnly => self.rest(cx, order, quantity, limit, slot),
            TimeInForce::Fok if order.codes.fill_or_kill.is_some() => Err(Refusal::other(
                "the fill-or-kill order could not be filled and was rejected",
                order.codes.fill_or_kill,
            )),
            // Accepted and expired at once: nothing filled, nothing more to come.
            TimeInForce::Ioc | TimeInForce::Fok => {
                Ok(self.done(cx, order.instruction, ExecutionStatus::Settled))
            }
        }
    }

    /// The order's quantity; a reduce-only order is cut to the position it may close.
    fn reducible(&self, order: &Order<'_>) -> Result<Quantity, Refusal> {
        if !order.reduce_only {
            return Ok(order.quantity);
        }
        let held = self.books.position(order.rules.key).quantity;
        let (quantity, position) = (order.quantity, held);
        if held.is_zero() || held.is_positive() == (order.side == Side::Buy) {
            let instrument = order.rules.key;
            let reason = Rejection::ReduceOnly {
                instrument,
                quantity,
                position,
            };
            return Err(Refusal::rejected(reason, order.codes.reduce_only));
        }
        Ok(quantity.min(held.abs()?))
    }

    pub(super) fn done(
        &self,
        cx: &Context<'_>,
        instruction: InstructionId,
        status: ExecutionStatus,
    ) -> Execution {
        Execution {
            instruction,
            venue: self.profile.venue,
            status,
            fills: Vec::new(),
            venue_reference: None,
            entries: Vec::new(),
            at: cx.view.now(),
        }
    }

    /// Fills the whole order now, not worse than its limit.
    fn take(
        &mut self,
        cx: &Context<'_>,
        order: &Order<'_>,
        quantity: Quantity,
        slot: SlotId,
        quote: &Quote,
    ) -> Result<Execution, Refusal> {
        let tick = order.rules.tick_size;
        let price = taking_price(self.settings.slippage, quote, order.side, quantity, tick)?;
        let price = match (order.limit(), order.side) {
            (None, _) => price,
            (Some(limit), Side::Buy) => price.min(limit),
            (Some(limit), Side::Sell) => price.max(limit),
        };
        let terms = Terms {
            quantity,
            price,
            mark: quote.mark,
            liquidity: Liquidity::Taker,
            slot,
        };
        let (fill, entries) = self.fill(cx, order, &terms)?;
        let mut execution = self.done(cx, order.instruction, ExecutionStatus::Settled);
        execution.fills.push(fill);
        execution.entries = entries;
        Ok(execution)
    }

    /// Fills at `terms` and posts the lines.
    pub(super) fn fill(
        &mut self,
        cx: &Context<'_>,
        order: &Order<'_>,
        terms: &Terms,
    ) -> Result<(Fill, Vec<LedgerEntry>), Refusal> {
        if !terms.price.is_positive() {
            return Err(Refusal::invalid(format!(
                "{}: the mark of {} rounds to a price of zero",
                order.rules.key, terms.mark
            )));
        }
        match order.rules.perp.as_ref() {
            Some(perp) => self.fill_perp(cx, order, perp, terms),
            None => self.fill_spot(cx, order, terms),
        }
    }

    fn fill_spot(
        &mut self,
        cx: &Context<'_>,
        order: &Order<'_>,
        terms: &Terms,
    ) -> Result<(Fill, Vec<LedgerEntry>), Refusal> {
        let (base, quote) = (order.rules.base, order.rules.quote);
        let (base_decimals, quote_decimals) = (cx.decimals(base)?, cx.decimals(quote)?);
        let account = cx.snapshot.accounts.spot;
        let fee_rate = fee_rate(cx.snapshot.fees.spot, terms.liquidity);
        let in_base = order.side == Side::Buy && cx.snapshot.fees.spot_buy_fee_in_base;
        let rounding = match order.side {
            Side::Buy => Rounding::Ceil,
            Side::Sell => Rounding::Floor,
        };
        let turnover = in_units(terms.quantity, terms.price, quote_decimals, rounding)?;
        let (fee_asset, fee, fee_price) = if in_base {
            let fee = terms.quantity.at_rate(fee_rate, Rounding::Ceil)?.get();
            let fee = fee.round_to_decimals(base_decimals, Rounding::Ceil)?;
            (base, Quantity::new(fee), terms.mark)
        } else {
            let fee = turnover.at_rate(fee_rate, Rounding::Ceil)?.get();
            let fee = fee.round_to_decimals(quote_decimals, Rounding::Ceil)?;
            (quote, Quantity::new(fee), ONE_DOLLAR)
        };
        let (asset, needed) = match order.side {
            Side::Buy if in_base => (quote, turnover),
            Side::Buy => (quote, turnover.add(fee)?),
            Side::Sell => (base, terms.quantity),
        };
        self.require_free(cx, account, asset, needed, order.codes.funds)?;
        let (base_change, quote_change) = match order.side {
            Side::Buy => (terms.quantity, turnover.neg()?),
            Side::Sell => (terms.quantity.neg()?, turnover),
        };
        let worth = Value::new(quote_change.get());
        let mut lines = self.trade_lines(cx, order);
        let item = Item::Asset(base);
        lines.trade(account, item, base_change, worth.neg()?, terms.mark);
        let item = Item::Asset(quote);
        lines.trade(account, item, quote_change, worth, ONE_DOLLAR);
        if !fee.is_zero() {
            lines.booked(EntryKind::Fee, (account, fee_asset), fee.neg()?, fee_price)?;
        }
        self.commit(&lines.entries)?;
        let fill = self.filled(cx, order, terms, (fee_asset, fee, fee_rate));
        Ok((fill, lines.entries))
    }

    fn fill_perp(
        &mut self,
        cx: &Context<'_>,
        order: &Order<'_>,
        perp: &PerpRules,
        terms: &Terms,
    ) -> Result<(Fill, Vec<LedgerEntry>), Refusal> {
        let key = order.rules.key;
        let decimals = cx.decimals(SETTLEMENT)?;
        let account = cx.snapshot.accounts.perp;
        let fee_rate = fee_rate(cx.snapshot.fees.perp, terms.liquidity);
        let turnover = terms.quantity.notional(terms.price, Rounding::Ceil)?;
        let fee = turnover.at_rate(fee_rate, Rounding::Ceil)?.get();
        let fee = Quantity::new(fee.round_to_decimals(decimals, Rounding::Ceil)?);
        let signed = signed(order.side, terms.quantity)?;
        let before = self.books.position(key);
        let change = before.fill(signed, terms.price, decimals)?;
        let realized = Quantity::new(change.realized.get());
        let cash = self.books.cash.get(account, SETTLEMENT).add(realized)?;
        if opens(&before, &change.after)? {
            self.check_position(order, perp, &change.after, terms.mark)?;
            let margin = self.margin_with(cx, cash, order.rules, &change.after, terms.mark)?;
            let reserved = self.books.reserved(account, SETTLEMENT)?;
            let available = Quantity::new(margin.balance.get()).sub(reserved)?;
            let needed = Quantity::new(margin.initial.get()).add(fee)?;
            require_margin(needed, available, order.codes)?;
        }
        let mut lines = self.trade_lines(cx, order);
        let cost = signed.notional(terms.price, Rounding::HalfEven)?;
        lines.trade(account, Item::Position(key), signed, cost, terms.mark);
        let cash_line = (account, SETTLEMENT);
        if !realized.is_zero() {
            lines.booked(EntryKind::RealizedPnl, cash_line, realized, ONE_DOLLAR)?;
        }
        if !fee.is_zero() {
            lines.booked(EntryKind::Fee, cash_line, fee.neg()?, ONE_DOLLAR)?;
        }
        let left = cash.sub(fee)?;
        let others = self.books.positions.iter().any(|open| open.key != key);
        if change.after.quantity.is_zero() && !others && left.is_negative() {
            // The venue's insurance fund covers what a flat account cannot owe.
            lines.booked(EntryKind::Liquidation, cash_line, left.neg()?, ONE_DOLLAR)?;
        }
        self.commit(&lines.entries)?;
        self.books.set_position(OpenPosition {
            key,
            position: change.after,
            slot: terms.slot,
        });
        let fill = self.filled(cx, order, terms, (SETTLEMENT, fee, fee_rate));
        Ok((fill, lines.entries))
    }

    fn trade_lines(&self, cx: &Context<'_>, order: &Order<'_>) -> Lines {
        let occurrence = Occurrence::Trade {
            instrument: order.rules.key,
            trade: TradeId::Number(self.next_trade),
        };
        Lines::new(cx.view.now(), occurrence, Some(order.instruction))
    }

    /// The fill of the trade number that its lines carry; the next trade gets the next number.
    fn filled(
        &mut self,
        cx: &Context<'_>,
        order: &Order<'_>,
        terms: &Terms,
        (fee_asset, fee, fee_rate): (Asset, Quantity, Rate),
    ) -> Fill {
        let trade = TradeId::Number(self.next_trade);
        self.next_trade += 1;
        Fill {
            trade,
            instrument: order.rules.key,
            side: order.side,
            quantity: terms.quantity,
            price: terms.price,
            mark: terms.mark,
            fee_asset,
            fee,
            fee_rate,
            liquidity: terms.liquidity,
            at: cx.view.now(),
        }
    }

    /// Tier and leverage bounds of a position after a trade.
    fn check_position(
        &self,
        order: &Order<'_>,
        perp: &PerpRules,
        after: &PerpPosition,
        mark: Price,
    ) -> Result<(), Refusal> {
        let key = order.rules.key;
        let size = after.quantity.abs()?;
        let notional = size.notional(mark, Rounding::Ceil)?;
        let code = order.codes.position_limit;
        let Some(tier) = perp.tier(size, notional) else {
            let text = format!(
                "{key}: a position of {size} {} worth {notional} {SETTLEMENT} is above the last \
                 margin tier; make it smaller",
                order.rules.base
            );
            return Err(Refusal::other(text, code));
        };
        let leverage = self.leverage(key.symbol);
        if leverage > tier.max_leverage {
            let text = format!(
                "{key}: leverage {leverage} is above {}, the most for a position worth {notional} \
                 {SETTLEMENT}; set a lower leverage first",
                tier.max_leverage
            );
            return Err(Refusal::other(text, code));
        }
        Ok(())
    }

    /// Balance and initial margin with `position` in place of what is held of that instrument.
    fn margin_with(
        &self,
        cx: &Context<'_>,
        cash: Quantity,
        rules: &InstrumentRules,
        position: &PerpPosition,
        mark: Price,
    ) -> Result<Margin, Refusal> {
        let mut margin = self.margin(cx, cash, Some(rules.key))?;
        let leverage = self.leverage(rules.key.symbol);
        margin.add(rules, position, mark, Some(leverage))?;
        Ok(margin)
    }

    /// Puts the order into the book and binds what it needs.
    fn rest(
        &mut self,
        cx: &Context<'_>,
        order: &Order<'_>,
        quantity: Quantity,
        limit: Price,
        slot: SlotId,
    ) -> Result<Execution, Refusal> {
        let reserved = match order.rules.perp.as_ref() {
            None => self.reserve_spot(cx, order, quantity, limit)?,
            Some(perp) => self.reserve_perp(cx, order, perp, quantity, limit)?,
        };
        self.books.orders.push(RestingOrder {
            instruction: order.instruction,
            key: order.rules.key,
            side: order.side,
            quantity,
            limit,
            reduce_only: order.reduce_only,
            reserved,
            placed_at: cx.view.now(),
            slot,
        });
        Ok(self.done(cx, order.instruction, ExecutionStatus::Open))
    }

    fn reserve_spot(
        &self,
        cx: &Context<'_>,
        order: &Order<'_>,
        quantity: Quantity,
        limit: Price,
    ) -> Result<(Account, Asset, Quantity), Refusal> {
        let account = cx.snapshot.accounts.spot;
        let (asset, needed) = match order.side {
            Side::Sell => (order.rules.base, quantity),
            Side::Buy => {
                let quote = order.rules.quote;
                let decimals = cx.decimals(quote)?;
                let paid = in_units(quantity, limit, decimals, Rounding::Ceil)?;
                let fees = &cx.snapshot.fees;
                let needed = if fees.spot_buy_fee_in_base {
                    paid
                } else {
                    let fee = paid.at_rate(fees.spot.maker, Rounding::Ceil)?.get();
                    let fee = fee.round_to_decimals(decimals, Rounding::Ceil)?;
                    paid.add(Quantity::new(fee))?
                };
                (quote, needed)
            }
        };
        self.require_free(cx, account, asset, needed, order.codes.funds)?;
        Ok((account, asset, needed))
    }

    /// Initial margin and maker fee of the part that would open.
    fn reserve_perp(
        &self,
        cx: &Context<'_>,
        order: &Order<'_>,
        perp: &PerpRules,
        quantity: Quantity,
        limit: Price,
    ) -> Result<(Account, Asset, Quantity), Refusal> {
        let account = cx.snapshot.accounts.perp;
        let held = self.books.position(order.rules.key);
        let signed = signed(order.side, quantity)?;
        let opening = if held.quantity.signum() * signed.signum() >= 0 {
            quantity
        } else {
            quantity.sub(held.quantity.abs()?)?.max(Quantity::ZERO)
        };
        if order.reduce_only || opening.is_zero() {
            return Ok((account, SETTLEMENT, Quantity::ZERO));
        }
        let decimals = cx.decimals(SETTLEMENT)?;
        let after = held.fill(signed, limit, decimals)?.after;
        self.check_position(order, perp, &after, limit)?;
        let leverage = self.leverage(order.rules.key.symbol);
        let margin = perp.initial_margin(opening, limit, leverage)?;
        let turnover = quantity.notional(limit, Rounding::Ceil)?;
        let fee = turnover.at_rate(cx.snapshot.fees.perp.maker, Rounding::Ceil)?;
        let needed = margin.add(fee)?.get();
        let needed = Quantity::new(needed.round_to_decimals(decimals, Rounding::Ceil)?);
        let cash = self.books.cash.get(account, SETTLEMENT);
        let available = self.margin(cx, cash, None)?.available()?.get();
        let reserved = self.books.reserved(account, SETTLEMENT)?;
        let available = Quantity::new(available).sub(reserved)?;
        require_margin(needed, available, order.codes)?;
        Ok((account, SETTLEMENT, needed))
    }

    pub(super) fn cancel_order(
        &mut self,
        cx: &Context<'_>,
        instruction: InstructionId,
        cancel: &CancelOrder,
    ) -> Result<Execution, Refusal> {
        let found = self.books.orders.iter().position(|order| {
            order.instruction == cancel.order && order.key.symbol == cancel.symbol
        });
        let Some(at) = found else {
            let text = format!(
                "no open order of instruction {} in {}; it filled, was canceled, or never rested",
                cancel.order, cancel.symbol
            );
            return Err(Refusal::other(text, self.profile.perp.no_order));
        };
        self.books.orders.remove(at);
        Ok(self.done(cx, instruction, ExecutionStatus::Settled))
    }

    pub(super) fn set_leverage(
        &mut self,
        cx: &Context<'_>,
        instruction: InstructionId,
        set: &SetLeverage,
    ) -> Result<Execution, Refusal> {
        let codes = &self.profile.perp;
        let rules = self.instrument(cx, InstrumentKind::Perp, set.symbol, codes)?;
        let Some(perp) = rules.perp.as_ref() else {
            return Err(Refusal::invalid(format!("{} has no leverage", rules.key)));
        };
        let held = self.books.position(rules.key);
        let size = held.quantity.abs()?;
        let mark = cx
            .view
            .quote_of(rules.key.series())
            .map_or(Price::ZERO, |q| q.mark);
        let notional = size.notional(mark, Rounding::Ceil)?;
        let tier_max = perp
            .tier(size, notional)
            .or(perp.tiers.last())
            .map_or(perp.max_leverage, |tier| tier.max_leverage);
        let max = tier_max.min(perp.max_leverage);
        if set.leverage < Fixed18::ONE || set.leverage > max {
            let reason = Rejection::Filter {
                instrument: rules.key,
                what: "leverage",
                value: set.leverage.to_string(),
                bound: format!("1 to {max} at a position of {size} {}", rules.base),
            };
            return Err(Refusal::rejected(reason, codes.leverage));
        }
        if !size.is_zero() {
            let account = cx.snapshot.accounts.perp;
            let cash = self.books.cash.get(account, SETTLEMENT);
            let mut margin = self.margin(cx, cash, Some(rules.key))?;
            margin.add(rules, &held, mark, Some(set.leverage))?;
            let reserved = self.books.reserved(account, SETTLEMENT)?;
            let available = Quantity::new(margin.balance.get()).sub(reserved)?;
            require_margin(Quantity::new(margin.initial.get()), available, codes)?;
        }
        self.books.leverage.insert(set.symbol, set.leverage);
        Ok(self.done(cx, instruction, ExecutionStatus::Settled))
    }

    /// Refuses when less than `needed` of the asset is free.
    pub(super) fn require_free(
        &self,
        cx: &Context<'_>,
        account: Account,
        asset: Asset,
        needed: Quantity,
        code: impl Into<Option<&'static str>>,
    ) -> Result<(), Refusal> {
        let available = self.free(cx, account, asset)?;
        if needed > available {
            let available = available.max(Quantity::ZERO);
            let reason = Rejection::InsufficientBalance {
                asset,
                needed,
                available,
            };
            return Err(Refusal::rejected(reason, code));
        }
        Ok(())
    }
}

fn require_margin(
    needed: Quantity,
    available: Quantity,
    codes: &'static RefusalCodes,
) -> Result<(), Refusal> {
    if needed > available {
        let reason = Rejection::InsufficientMargin {
            asset: SETTLEMENT,
            needed,
            available: available.max(Quantity::ZERO),
        };
        return Err(Refusal::rejected(reason, codes.funds));
    }
    Ok(())
}

/// Whether the position after a fill binds more than the one before.
fn opens(before: &PerpPosition, after: &PerpPosition) -> Result<bool, Refusal> {
    let flips = before.quantity.signum() * after.quantity.signum() < 0;
    Ok(flips || after.quantity.abs()? > before.quantity.abs()?)
}

pub(super) fn signed(side: Side, quantity: Quantity) -> Result<Quantity, Refusal> {
    Ok(match side {
        Side::Buy => quantity,
        Side::Sell => quantity.neg()?,
    })
}

const fn fee_rate(rates: MakerTaker, liquidity: Liquidity) -> Rate {
    match liquidity {
        Liquidity::Maker => rates.maker,
        Liquidity::Taker => rates.taker,
    }
}

/// Quantity × price in whole units of the quote asset.
fn in_units(
    quantity: Quantity,
    price: Price,
    decimals: u32,
    rounding: Rounding,
) -> Result<Quantity, Refusal> {
    let worth = quantity.notional(price, rounding)?.get();
    Ok(Quantity::new(worth.round_to_decimals(decimals, rounding)?))
}

/// A price that orders may use.
pub(super) fn tradable(cx: &Context<'_>, series: SeriesId) -> Result<(SlotId, Quote), Refusal> {
    let now = cx.view.now();
    let found = cx
        .view
        .slot(series)
        .map(|slot| (slot, *cx.view.quote(slot)));
    match found {
        Some((slot, quote)) if quote.state.is_tradable() => Ok((slot, quote)),
        _ => {
            let known_at = found.map_or(basis_core::types::Timestamp::MIN, |(_, q)| q.known_at);
            let reason = Rejection::MarketStale {
                series,
                at: now,
                age: now.since(known_at),
            };
            Err(Refusal::rejected(reason, None))
        }
    }
}

/// The order behind a resting one, for its fill.
pub(super) fn resting_order<'a>(
    resting: &RestingOrder,
    rules: &'a InstrumentRules,
    codes: &'static RefusalCodes,
) -> Order<'a> {
    Order {
        instruction: resting.instruction,
        rules,
        codes,
        side: resting.side,
        quantity: resting.quantity,
        order_type: OrderType::Limit,
        limit_price: Some(resting.limit),
        time_in_force: TimeInForce::Gtc,
        reduce_only: resting.reduce_only,
    }
}

impl SimulatedCex {
    /// What a resting order may still fill: a reduce-only one no more than the position.
    pub(super) fn fillable(&self, order: &Order<'_>) -> Result<Quantity, Refusal> {
        self.reducible(order)
    }

    /// The codes of a product.
    pub(super) const fn codes(&self, key: InstrumentKey) -> &'static RefusalCodes {
        match key.kind {
            InstrumentKind::Perp => &self.profile.perp,
            _ => &self.profile.spot,
        }
    }
}
