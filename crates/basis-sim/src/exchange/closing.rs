//! One forced close: its price, its fee, what it does to the tally, its event.

use basis_core::ledger::TradeId;
use basis_core::num::{Price, Quantity, Value};
use basis_core::venue_event::{EventKind, Events, Liquidation};
use basis_protocols::exchange::liquidation;
use basis_protocols::exchange::margin::Margin;

use super::books::OpenPosition;
use super::liquidation::TestPrice;
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
    let (rules, position) = (cx.held_rules(open.key)?, &open.position);
    if test == TestPrice::Close || !alone {
        return Ok(liquidation::closing_tick(rules, position, worst)?);
    }
    let (wallet, first) = (Value::new(wallet.get()), cx.view.quote(open.slot).open);
    let price = liquidation::closing_price(rules, position, wallet, first, worst)?;
    Ok(price)
}

/// The fee on what is closed.
pub(super) fn liquidation_fee(
    cx: &Context<'_>,
    open: &OpenPosition,
    closing: Quantity,
    price: Price,
) -> Result<Quantity, Refusal> {
    let rules = cx.held_rules(open.key)?;
    let decimals = cx.decimals(SETTLEMENT)?;
    Ok(liquidation::fee(rules, closing, price, decimals)?)
}
