//! One forced close: its price, its fee, its lines and its event.

use basis_core::execution::{VenueEvent, VenueEventKind};
use basis_core::ledger::{EntryKind, Occurrence, TradeId};
use basis_core::num::{MathError, Price, Quantity, Rounding, Value};
use basis_core::protocol::perp::PerpPosition;
use basis_core::types::{Item, Side};

use super::books::{Lines, ONE_DOLLAR, OpenPosition};
use super::liquidation::TestPrice;
use super::margin::Margin;
use super::pricing::against_us;
use super::refusal::Refusal;
use super::{Context, SETTLEMENT, SimulatedCex};

/// What a forced close does.
pub(super) struct Forced {
    lines: Lines,
    pub(super) realized: Quantity,
    after: PerpPosition,
}

impl SimulatedCex {
    /// Posts a forced close and reports it.
    pub(super) fn report(
        &mut self,
        cx: &Context<'_>,
        open: &OpenPosition,
        (closing, price, fee): (Quantity, Price, Quantity),
        margin: &Margin,
        forced: Forced,
        events: &mut Vec<VenueEvent>,
    ) -> Result<(), Refusal> {
        self.commit(&forced.lines.entries)?;
        let change = forced.realized.sub(fee)?;
        self.books.set_position(OpenPosition {
            position: forced.after,
            margin: open.margin.map(|margin| margin.add(change)).transpose()?,
            ..*open
        });
        events.push(VenueEvent {
            venue: self.profile.venue,
            at: cx.view.now(),
            kind: VenueEventKind::Liquidation {
                instrument: open.key,
                position: closing.neg()?,
                price,
                fee,
                margin_balance: margin.balance,
                maintenance_margin: margin.maintenance,
            },
            entries: forced.lines.entries,
        });
        Ok(())
    }

    /// The lines of one forced close; with the pool's wallet before it, the last one brings a pool
    /// below zero back to it.
    pub(super) fn close(
        &mut self,
        cx: &Context<'_>,
        open: &OpenPosition,
        closing: Quantity,
        price: Price,
        fee: Quantity,
        wallet: Option<Quantity>,
    ) -> Result<Forced, Refusal> {
        let account = cx.snapshot.accounts.perp;
        let decimals = cx.decimals(SETTLEMENT)?;
        let change = open.position.fill(closing, price, decimals)?;
        let realized = Quantity::new(change.realized.get());
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
        if let Some(wallet) = wallet {
            let after = wallet.add(realized)?.sub(fee)?;
            if after.is_negative() {
                lines.booked(EntryKind::Liquidation, cash_line, after.neg()?, ONE_DOLLAR)?;
            }
        }
        Ok(Forced {
            lines,
            realized,
            after: change.after,
        })
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
    let solved = perp.liquidation_price(&open.position, wallet, against_us(side))?;
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
