//! One forced close: its price, its fee, what it does to the tally, its event.

use basis_core::ledger::TradeId;
use basis_core::num::{MathError, Price, Quantity, Rounding, Value};
use basis_core::types::Side;
use basis_core::venue_event::{EventKind, Events, Liquidation};
use basis_protocols::exchange;

use super::books::OpenPosition;
use super::liquidation::TestPrice;
use super::margin::Margin;
use super::pricing::against_us;
use super::{Context, SETTLEMENT, SimulatedExchange};
use crate::refusal::Refusal;

/// A forced close as the venue decided on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forced {
    /// Signed base units of the closing order.
    pub(super) closing: Quantity,
    pub(super) price: Price,
    pub(super) fee: Quantity,
    /// The pool's cash before the last close of a pool: a pool below zero is brought back to it.
    pub(super) wallet: Option<Quantity>,
}

impl SimulatedExchange {
    /// Closes by force and reports it; the result it settled.
    pub(super) fn close(
        &mut self,
        cx: &Context<'_>,
        open: &OpenPosition,
        forced: &Forced,
        margin: &Margin,
        events: &mut Events,
    ) -> Result<Quantity, Refusal> {
        let Forced {
            closing,
            price,
            fee,
            wallet,
        } = *forced;
        let account = cx.snapshot.accounts.perp;
        let change = open
            .position
            .fill(closing, price, cx.decimals(SETTLEMENT)?)?;
        let realized = Quantity::new(change.realized.get());
        let settled = realized.sub(fee)?;
        let left = wallet.map(|wallet| wallet.add(settled)).transpose()?;
        // The venue's insurance fund covers what the pool cannot owe.
        let covered = match left {
            Some(left) if left.is_negative() => left.neg()?,
            _ => Quantity::ZERO,
        };
        let own = open.margin.map(|own| own.add(settled)).transpose()?;
        self.move_cash(&[(account, SETTLEMENT, settled.add(covered)?)])?;
        self.books.set_position(OpenPosition {
            position: change.after,
            margin: own,
            ..*open
        });
        let liquidation = Liquidation {
            account,
            instrument: open.key,
            quote: SETTLEMENT,
            trade: self.number_trade(),
            closing,
            price,
            realized,
            fee,
            covered,
            margin_balance: margin.balance,
            maintenance_margin: margin.maintenance,
        };
        events.push(self.event(cx, EventKind::Liquidation(Box::new(liquidation))));
        Ok(realized)
    }

    /// The number of the next trade.
    pub(super) fn number_trade(&mut self) -> TradeId {
        let trade = TradeId::Number(self.next_trade);
        self.next_trade += 1;
        trade
    }
}

/// Where the venue closes: one position at the price that meets its maintenance margin, or at the
/// bar's open when that was beyond it already; several at their worst prices; at the close test at
/// the mark. Rounded to the tick against us.
pub(super) fn closing_price(
    cx: &Context<'_>,
    (test, worst): (TestPrice, Price),
    open: &OpenPosition,
    wallet: Quantity,
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
    if test == TestPrice::Close || !alone {
        return Ok(tick(worst)?);
    }
    let Some(perp) = rules.perp.as_ref() else {
        return Ok(tick(worst)?);
    };
    let wallet = Value::new(wallet.get());
    let solved =
        exchange::margin::liquidation_price(perp, &open.position, wallet, against_us(side))?;
    let price = match solved.map(Price::positive) {
        Some(Ok(price)) if long => price.min(quote.open).max(worst),
        Some(Ok(price)) => price.max(quote.open).min(worst),
        // No price solves it: the worst one stands.
        Some(Err(_)) | None => worst,
    };
    Ok(tick(price)?)
}

/// The fee on the notional that is closed.
pub(super) fn liquidation_fee(
    cx: &Context<'_>,
    open: &OpenPosition,
    closing: Quantity,
    price: Price,
) -> Result<Quantity, Refusal> {
    let rules = cx.held_rules(open.key)?;
    let Some(perp) = rules.perp.as_ref() else {
        return Ok(Quantity::ZERO);
    };
    let notional = closing.abs()?.notional(price, Rounding::Ceil)?;
    let fee = notional.at_bps(perp.liquidation_fee, Rounding::Ceil)?.get();
    let fee = fee.round_to_decimals(cx.decimals(SETTLEMENT)?, Rounding::Ceil)?;
    Ok(Quantity::new(fee))
}

/// A fee of at most what is left.
pub(super) fn capped(cx: &Context<'_>, fee: Quantity, left: Value) -> Result<Quantity, Refusal> {
    let left = left.max(Value::ZERO).get();
    let left = left.round_to_decimals(cx.decimals(SETTLEMENT)?, Rounding::Down)?;
    Ok(fee.min(Quantity::new(left)))
}
