//! Forced closing of a cross account.

use basis_core::execution::{VenueEvent, VenueEventKind};
use basis_core::ledger::{EntryKind, Occurrence, TradeId};
use basis_core::market::Quote;
use basis_core::num::{Fixed18, MathError, Price, Quantity, Rounding, Value};
use basis_core::types::{Account, Item, Side, Timestamp};

use super::advance::canceled;
use super::books::{Lines, ONE_DOLLAR, OpenPosition};
use super::margin::{Margin, liquidation_price};
use super::pricing::against_us;
use super::refusal::Refusal;
use super::{Context, SETTLEMENT, SimulatedCex};

/// At which price positions are tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TestPrice {
    /// The worst price of the bar: high for shorts, low for longs.
    Extreme,
    /// The mark.
    Close,
}

impl TestPrice {
    const fn of(self, open: &OpenPosition, quote: &Quote) -> Price {
        match self {
            Self::Close => quote.mark,
            Self::Extreme if open.is_long() => quote.low,
            Self::Extreme => quote.high,
        }
    }
}

/// The price at which an account with a single position is certainly safe on one side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guard {
    price: Fixed18,
    long: bool,
    /// Rules change then; never later than that.
    until: Timestamp,
}

impl Guard {
    fn holds(&self, price: Price, now: Timestamp) -> bool {
        now < self.until
            && if self.long {
                price.get() > self.price
            } else {
                price.get() < self.price
            }
    }
}

impl SimulatedCex {
    /// Tests the account and closes every position when the margin balance is at or below the
    /// maintenance margin. While every price is held nothing is tested.
    pub(super) fn test_liquidation(
        &mut self,
        cx: &Context<'_>,
        test: TestPrice,
        events: &mut Vec<VenueEvent>,
    ) -> Result<(), Refusal> {
        let traded = |open: &OpenPosition| cx.view.quote(open.slot).state.is_tradable();
        if !self.books.positions.iter().any(traded) {
            return Ok(());
        }
        if let [open] = self.books.positions.as_slice() {
            let (open, now) = (*open, cx.view.now());
            let price = test.of(&open, cx.view.quote(open.slot));
            let guard = match self.watch.guard {
                Some(guard) if now < guard.until => Some(guard),
                _ => self.guard(cx, &open)?,
            };
            self.watch.guard = guard;
            if guard.is_some_and(|guard| guard.holds(price, now)) {
                return Ok(());
            }
        }
        let cash = self.books.cash.get(cx.snapshot.accounts.perp, SETTLEMENT);
        let mut margin = Margin::of_cash(cash);
        for open in &self.books.positions {
            let price = test.of(open, cx.view.quote(open.slot));
            margin.add(cx.held_rules(open.key)?, &open.position, price, None)?;
        }
        if margin.balance <= margin.maintenance {
            self.liquidate(cx, test, &margin, events)?;
        }
        Ok(())
    }

    /// The guard of the only position; rounded so that it never claims too much.
    fn guard(&self, cx: &Context<'_>, open: &OpenPosition) -> Result<Option<Guard>, Refusal> {
        let rules = cx.held_rules(open.key)?;
        let Some(perp) = rules.perp.as_ref() else {
            return Ok(None);
        };
        let cash = self.books.cash.get(cx.snapshot.accounts.perp, SETTLEMENT);
        let long = open.is_long();
        let rounding = if long {
            Rounding::Ceil
        } else {
            Rounding::Floor
        };
        let solved = liquidation_price(perp, &open.position, cash, rounding)?;
        // The margin is rounded up at the last decimal: one step aside covers that.
        let step = Fixed18::from_mantissa(10_000_000_000);
        let Some(price) = solved else { return Ok(None) };
        let price = if long {
            price.add(step)?
        } else {
            price.sub(step)?
        };
        let until = cx.rules.next_change(cx.view.now());
        Ok(Some(Guard {
            price,
            long,
            until: until.unwrap_or(Timestamp::MAX),
        }))
    }

    fn liquidate(
        &mut self,
        cx: &Context<'_>,
        test: TestPrice,
        margin: &Margin,
        events: &mut Vec<VenueEvent>,
    ) -> Result<(), Refusal> {
        let (now, venue) = (cx.view.now(), self.profile.venue);
        let account = cx.snapshot.accounts.perp;
        self.cancel_margin_orders(account, now, events);
        let open = std::mem::take(&mut self.books.positions);
        let alone = open.len() == 1;
        let cash = self.books.cash.get(account, SETTLEMENT);
        let mut closes = Vec::with_capacity(open.len());
        let mut left = Value::new(cash.get());
        for position in &open {
            let price = closing_price(cx, test, position, cash, alone)?;
            left = left.add(position.position.unrealized(price)?)?;
            closes.push(price);
        }
        let count = open.len();
        for (at, (position, price)) in open.into_iter().zip(closes).enumerate() {
            let fee = liquidation_fee(cx, &position, price, left)?;
            left = left.sub(Value::new(fee.get()))?;
            let last = at + 1 == count;
            let lines = self.close(cx, &position, price, fee, last)?;
            self.commit(&lines.entries)?;
            events.push(VenueEvent {
                venue,
                at: now,
                kind: VenueEventKind::Liquidation {
                    instrument: position.key,
                    position: position.position.quantity,
                    price,
                    fee,
                    margin_balance: margin.balance,
                    maintenance_margin: margin.maintenance,
                },
                entries: lines.entries,
            });
        }
        Ok(())
    }

    /// The lines of one forced close; the last one brings an account below zero back to it.
    fn close(
        &mut self,
        cx: &Context<'_>,
        open: &OpenPosition,
        price: Price,
        fee: Quantity,
        last: bool,
    ) -> Result<Lines, Refusal> {
        let account = cx.snapshot.accounts.perp;
        let closing = open.position.quantity.neg()?;
        let decimals = cx.decimals(SETTLEMENT)?;
        let realized = open.position.fill(closing, price, decimals)?.realized;
        let realized = Quantity::new(realized.get());
        let occurrence = Occurrence::Liquidation {
            instrument: open.key,
            trade: TradeId::Number(self.next_trade),
        };
        self.next_trade += 1;
        let mut lines = Lines::new(cx.view.now(), occurrence, None);
        let cost = closing.notional(price, Rounding::HalfEven)?;
        lines.trade(account, Item::Position(open.key), closing, cost, price);
        let cash_line = (account, SETTLEMENT);
        if !realized.is_zero() {
            lines.booked(EntryKind::RealizedPnl, cash_line, realized, ONE_DOLLAR)?;
        }
        if !fee.is_zero() {
            lines.booked(EntryKind::Liquidation, cash_line, fee.neg()?, ONE_DOLLAR)?;
        }
        let cash = self.books.cash.get(account, SETTLEMENT);
        let after = cash.add(realized)?.sub(fee)?;
        if last && after.is_negative() {
            lines.booked(EntryKind::Liquidation, cash_line, after.neg()?, ONE_DOLLAR)?;
        }
        Ok(lines)
    }

    fn cancel_margin_orders(
        &mut self,
        account: Account,
        now: Timestamp,
        events: &mut Vec<VenueEvent>,
    ) {
        let venue = self.profile.venue;
        self.books.orders.retain(|order| {
            let margined = order.reserved.0 == account && order.key.kind.as_str() == "perp";
            if margined {
                events.push(canceled(venue, now, order.instruction));
            }
            !margined
        });
    }
}

/// Where the venue closes: one position at the price that meets its maintenance margin, or at the
/// bar's open when that was beyond it already; several at their worst prices; at the close test at
/// the mark. Rounded to the tick against us.
fn closing_price(
    cx: &Context<'_>,
    test: TestPrice,
    open: &OpenPosition,
    cash: Quantity,
    alone: bool,
) -> Result<Price, Refusal> {
    let rules = cx.held_rules(open.key)?;
    let quote = cx.view.quote(open.slot);
    let long = open.is_long();
    let side = if long { Side::Sell } else { Side::Buy };
    let tick = |price: Price| -> Result<Price, MathError> {
        let rounded = price.round_to_tick(rules.tick_size, against_us(side))?;
        Ok(if rounded.is_positive() {
            rounded
        } else {
            price
        })
    };
    let worst = test.of(open, quote);
    if test == TestPrice::Close || !alone {
        return Ok(tick(worst)?);
    }
    let Some(perp) = rules.perp.as_ref() else {
        return Ok(tick(worst)?);
    };
    let solved = liquidation_price(perp, &open.position, cash, against_us(side))?;
    let price = match solved.map(Price::positive) {
        Some(Ok(price)) if long => price.min(quote.open).max(worst),
        Some(Ok(price)) => price.max(quote.open).min(worst),
        // No price solves it: the worst one stands.
        Some(Err(_)) | None => worst,
    };
    Ok(tick(price)?)
}

/// The fee on notional, at most what is left of the account.
fn liquidation_fee(
    cx: &Context<'_>,
    open: &OpenPosition,
    price: Price,
    left: Value,
) -> Result<Quantity, Refusal> {
    let rules = cx.held_rules(open.key)?;
    let decimals = cx.decimals(SETTLEMENT)?;
    let Some(perp) = rules.perp.as_ref() else {
        return Ok(Quantity::ZERO);
    };
    let size = open.position.quantity.abs()?;
    let notional = size.notional(price, Rounding::Ceil)?;
    let fee = notional.at_bps(perp.liquidation_fee, Rounding::Ceil)?.get();
    let fee = fee.round_to_decimals(decimals, Rounding::Ceil)?;
    let left = left.max(Value::ZERO).get();
    let left = left.round_to_decimals(decimals, Rounding::Down)?;
    Ok(Quantity::new(fee.min(left)))
}
