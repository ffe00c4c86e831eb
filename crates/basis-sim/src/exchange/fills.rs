//! Fills: what a trade does to cash and positions.
//!
//! A fill happens at the instant of its context: now, or at the opening of the newest bar. Everything
//! is computed before anything changes, so that a refused fill changes nothing.

use basis_core::error::Rejection;
use basis_core::instruction::MarginMode;
use basis_core::num::{Price, Quantity, Rate, Value};
use basis_core::rules::PerpRules;
use basis_core::types::{Account, Asset, Side};
use basis_core::venue_event::{EventKind, Events, Fill, LiquiditySide, OrderState, OrderUpdate};
use basis_market::SlotId;
use basis_protocols::exchange::PerpPosition;
use basis_protocols::exchange::fees::{self, SpotAmounts, SpotFill};
use basis_protocols::exchange::margin::{
    Margin, PositionLimit, binds_more, isolated_margin, position_limit,
};
use basis_protocols::exchange::orders::signed;

use super::books::OpenPosition;
use super::order::Order;
use super::{Context, SETTLEMENT, SimulatedExchange};
use crate::refusal::Refusal;

/// At what an order fills.
#[derive(Clone, Copy, Debug)]
pub(super) struct FillTerms {
    pub(super) quantity: Quantity,
    pub(super) price: Price,
    /// What margins are computed at: the price of a mark series where there is one.
    pub(super) mark: Price,
    pub(super) liquidity: LiquiditySide,
    pub(super) slot: SlotId,
}

/// What becomes of the order that a fill is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct AfterFill {
    pub(super) state: OrderState,
    /// Base units that it had filled before.
    pub(super) filled_before: Quantity,
}

impl AfterFill {
    /// Of an order that takes all at once; one that `is_cut` expires with that.
    pub(super) const fn taken(is_cut: bool) -> Self {
        Self {
            state: if is_cut {
                OrderState::Expired
            } else {
                OrderState::Filled
            },
            filled_before: Quantity::ZERO,
        }
    }
}

/// What a fill settled.
struct Settled {
    account: Account,
    /// Quote units that a spot fill moved.
    turnover: Quantity,
    fee_asset: Asset,
    fee: Quantity,
    fee_rate: Rate,
    realized: Quantity,
    covered: Quantity,
}

impl SimulatedExchange {
    /// Fills the order at `terms` and reports it.
    pub(super) fn fill(
        &mut self,
        cx: &Context<'_>,
        order: &Order<'_>,
        terms: &FillTerms,
        after: AfterFill,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        if !terms.price.is_positive() {
            return Err(Refusal::invalid(format!(
                "{}: the mark of {} rounds to a price of zero",
                order.rules.key, terms.mark
            )));
        }
        let settled = match order.rules.perp.as_ref() {
            Some(perp) => self.fill_perp(cx, order, perp, terms)?,
            None => self.fill_spot(cx, order, terms)?,
        };
        self.report_fill(cx, order, terms, (&settled, after), events)
    }

    /// Computes a spot fill at `terms`.
    pub(super) fn spot_amounts(
        cx: &Context<'_>,
        order: &Order<'_>,
        terms: &FillTerms,
    ) -> Result<SpotAmounts, Refusal> {
        let rules = order.rules;
        let decimals = (cx.decimals(rules.base)?, cx.decimals(rules.quote)?);
        let fill = SpotFill {
            side: order.side,
            quantity: terms.quantity,
            price: terms.price,
            liquidity: terms.liquidity,
        };
        Ok(fees::spot_amounts(
            rules,
            &cx.snapshot.fees,
            &fill,
            decimals,
        )?)
    }

    fn fill_spot(
        &mut self,
        cx: &Context<'_>,
        order: &Order<'_>,
        terms: &FillTerms,
    ) -> Result<Settled, Refusal> {
        let (base, quote) = (order.rules.base, order.rules.quote);
        let account = cx.snapshot.accounts.spot;
        let amounts = Self::spot_amounts(cx, order, terms)?;
        self.require_spot(cx, amounts.paid, amounts.gained, order, terms.mark)?;
        let (turnover, (fee_asset, fee)) = (amounts.turnover, amounts.fee);
        let (base_change, quote_change) = match order.side {
            Side::Buy => (terms.quantity, turnover.neg()?),
            Side::Sell => (terms.quantity.neg()?, turnover),
        };
        self.move_cash(&[
            (account, base, base_change),
            (account, quote, quote_change),
            (account, fee_asset, fee.neg()?),
        ])?;
        Ok(Settled {
            account,
            turnover,
            fee_asset,
            fee,
            fee_rate: amounts.fee_rate,
            realized: Quantity::ZERO,
            covered: Quantity::ZERO,
        })
    }

    fn fill_perp(
        &mut self,
        cx: &Context<'_>,
        order: &Order<'_>,
        perp: &PerpRules,
        terms: &FillTerms,
    ) -> Result<Settled, Refusal> {
        let key = order.key;
        let decimals = cx.decimals(SETTLEMENT)?;
        let account = cx.snapshot.accounts.perp;
        let fee_rate = fees::rate(cx.snapshot.fees.perp, terms.liquidity);
        let fee = fees::perp_fee(terms.quantity, terms.price, fee_rate, decimals)?;
        let signed = signed(order.side, terms.quantity)?;
        let open = self.books.open(key);
        let before = open.map(|open| open.position).unwrap_or_default();
        let change = before.fill(signed, terms.price, decimals)?;
        let own = self.own_margin(order, open, &change.after, (terms, decimals))?;
        let realized = Quantity::new(change.realized.get());
        let cash = self.books.cash.get(account, SETTLEMENT).add(realized)?;
        if binds_more(&before, &change.after)? {
            self.check_position(order, perp, &change.after, terms.mark)?;
            let margin = self.margin_with(cx, cash, order, &change.after, terms.mark, own)?;
            let reserved = self.books.reserved(account, SETTLEMENT)?;
            let available = Quantity::new(margin.balance.get()).sub(reserved)?;
            let needed = Quantity::new(margin.initial.get()).add(fee)?;
            require_margin(needed, available, order.codes.funds)?;
            if let Some(own) = own.filter(|_| terms.liquidity == LiquiditySide::Taker) {
                survives(order, &change.after, own, terms.mark)?;
            }
        }
        let mut own = own;
        let mut covered = Quantity::ZERO;
        let lends = self.may_owe() && account == cx.snapshot.accounts.spot;
        let left = cash.sub(fee)?.sub(self.books.isolated(Some(key))?)?;
        let left = left.sub(own.unwrap_or_default())?;
        let crossed = |open: &OpenPosition| open.key != key && open.margin.is_none();
        let others = self.books.positions.iter().any(crossed);
        if left.is_negative() && !others {
            match own.as_mut() {
                // What the free cash cannot pay, the position's own margin does.
                Some(own) => *own = own.add(left)?,
                // The venue's insurance fund covers what a flat account cannot owe.
                None if change.after.quantity.is_zero() && !lends => covered = left.neg()?,
                None => {}
            }
        }
        let settled = realized.sub(fee)?.add(covered)?;
        self.move_cash(&[(account, SETTLEMENT, settled)])?;
        self.books.set_position(OpenPosition {
            key,
            position: change.after,
            slot: cx.view.mark_slot(terms.slot),
            margin: own,
        });
        Ok(Settled {
            account,
            turnover: Quantity::ZERO,
            fee_asset: SETTLEMENT,
            fee,
            fee_rate,
            realized,
            covered,
        })
    }

    /// Reports a fill, and that its order has ended with it.
    fn report_fill(
        &mut self,
        cx: &Context<'_>,
        order: &Order<'_>,
        terms: &FillTerms,
        (settled, after): (&Settled, AfterFill),
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let fill = Fill {
            instruction: Some(order.instruction),
            account: settled.account,
            trade: self.number_trade(),
            instrument: order.key,
            base: order.rules.base,
            quote: order.rules.quote,
            side: order.side,
            quantity: terms.quantity,
            price: terms.price,
            turnover: settled.turnover,
            reference: terms.mark,
            fee_asset: settled.fee_asset,
            fee: settled.fee,
            fee_rate: settled.fee_rate,
            liquidity: terms.liquidity,
            realized: Some(settled.realized),
            covered: settled.covered,
        };
        let update = OrderUpdate {
            instruction: order.instruction,
            state: after.state,
            filled: after.filled_before.add(terms.quantity)?,
            venue_order_id: None,
            reason: None,
        };
        events.push(self.event(cx, EventKind::Fill(Box::new(fill))));
        events.push(self.event(cx, EventKind::Order(update)));
        Ok(())
    }

    /// Tier and leverage bounds of a position after a trade.
    pub(super) fn check_position(
        &self,
        order: &Order<'_>,
        perp: &PerpRules,
        after: &PerpPosition,
        mark: Price,
    ) -> Result<(), Refusal> {
        let key = order.rules.key;
        let leverage = self.leverage(key.symbol);
        let text = match position_limit(perp, after.quantity, mark, leverage)? {
            None => return Ok(()),
            Some(PositionLimit::LastTier { size, notional }) => format!(
                "{key}: a position of {size} {} worth {notional} {SETTLEMENT} is above the last \
                 margin tier; make it smaller",
                order.rules.base
            ),
            Some(PositionLimit::Leverage { notional, max }) => format!(
                "{key}: leverage {leverage} is above {max}, the most for a position worth {notional} \
                 {SETTLEMENT}; set a lower leverage first"
            ),
        };
        Err(Refusal::other(text, order.codes.position_limit))
    }

    /// The margin set aside for a position after a fill: of what is kept its share, rounded up,
    /// and initial margin at the fill price for what is opened. `None` in cross mode.
    fn own_margin(
        &self,
        order: &Order<'_>,
        before: Option<OpenPosition>,
        after: &PerpPosition,
        (terms, decimals): (&FillTerms, u32),
    ) -> Result<Option<Quantity>, Refusal> {
        let symbol = order.key.symbol;
        if self.margin_mode(symbol) == MarginMode::Cross || after.quantity.is_zero() {
            return Ok(None);
        }
        let held = before.map_or(Quantity::ZERO, |open| open.position.quantity);
        let margin = before.and_then(|open| open.margin).unwrap_or_default();
        let (after, leverage) = (after.quantity, self.leverage(symbol));
        let own = isolated_margin((held, margin), after, terms.price, leverage, decimals)?;
        Ok(Some(own))
    }

    /// Balance and initial margin with `position`, on its `own` margin when isolated, in place of
    /// what is held of that instrument.
    fn margin_with(
        &self,
        cx: &Context<'_>,
        cash: Quantity,
        order: &Order<'_>,
        position: &PerpPosition,
        mark: Price,
        own: Option<Quantity>,
    ) -> Result<Margin, Refusal> {
        let mut margin = self.margin(cx, cash, Some(order.key))?;
        match own {
            Some(own) => margin.initial = margin.initial.add(Value::new(own.get()))?,
            None => {
                let leverage = self.leverage(order.key.symbol);
                margin.add(order.rules, position, mark, Some(leverage))?;
            }
        }
        Ok(margin)
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

/// Refuses a taking order whose isolated position would be liquidated as soon as it is open: its
/// price is so far from the mark that its margin does not stand.
fn survives(
    order: &Order<'_>,
    position: &PerpPosition,
    own: Quantity,
    mark: Price,
) -> Result<(), Refusal> {
    let mut margin = Margin::of_cash(own);
    margin.add(order.rules, position, mark, None)?;
    if margin.balance > margin.maintenance {
        return Ok(());
    }
    let lacking = margin.maintenance.sub(margin.balance)?;
    let needed = own.add(Quantity::new(lacking.get()))?;
    let available = own;
    let reason = Rejection::InsufficientMargin {
        asset: SETTLEMENT,
        needed,
        available,
    };
    Err(Refusal::rejected(reason, order.codes.funds))
}

pub(super) fn require_margin(
    needed: Quantity,
    available: Quantity,
    code: &'static str,
) -> Result<(), Refusal> {
    if needed > available {
        let reason = Rejection::InsufficientMargin {
            asset: SETTLEMENT,
            needed,
            available: available.max(Quantity::ZERO),
        };
        return Err(Refusal::rejected(reason, code));
    }
    Ok(())
}
