//! Forced closing: of one isolated position, or of all cross positions of the account.
//!
//! The order of things at every venue: the pool's open orders are canceled; if that position is in
//! a tier to reduce from (`reduction`), a part is closed and the test repeated; else all is
//! closed. A close happens at the price where the margin meets maintenance, and the liquidation fee
//! is charged on what is closed, at most what is left.

use basis_core::instruction::MarginMode;
use basis_core::num::{Fixed18, Price, Quantity, Rounding, Value};
use basis_core::types::{InstrumentKey, InstrumentKind, PositionSide, Timestamp};
use basis_core::venue_event::{Events, Text};
use basis_market::PriceBounds;
use basis_market::{Quote, SlotId};
use basis_protocols::exchange::liquidation::{capped_fee, liquidation_price};
use basis_protocols::exchange::margin::Margin;

use super::books::{OpenPosition, RestingOrder};
use super::closing::{Forced, closing_price, liquidation_fee};
use super::{Context, SETTLEMENT, SimulatedExchange};
use crate::refusal::Refusal;

/// At which price positions are tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TestPrice {
    /// The worst price of the bar: high for shorts, low for longs.
    Extreme,
    /// The mark.
    Close,
}

impl TestPrice {
    pub(super) const fn of(self, open: &OpenPosition, quote: &Quote) -> Price {
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
    /// When it must be computed anew.
    pub(super) const fn until(&self) -> Timestamp {
        self.until
    }

    /// The prices at which it holds; `None` when there are none.
    pub(super) fn bounds(&self, slot: SlotId) -> Option<PriceBounds> {
        // Bounds belong to their range, the guard's price does not.
        let step = Fixed18::from_mantissa(1);
        let (low, high) = if self.long {
            // No price is below zero.
            (Price::new(self.price.add(step).ok()?).ok(), None)
        } else {
            (None, Some(Price::new(self.price.sub(step).ok()?).ok()?))
        };
        Some(PriceBounds { slot, low, high })
    }

    pub(super) fn holds(&self, price: Price, now: Timestamp) -> bool {
        now < self.until
            && if self.long {
                price.get() > self.price
            } else {
                price.get() < self.price
            }
    }
}

/// Positions that stand on the same collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pool {
    /// One isolated position on its own margin.
    Isolated(InstrumentKey),
    /// All cross positions on the free cash of the account.
    Cross,
}

impl Pool {
    pub(super) fn holds(self, open: &OpenPosition) -> bool {
        match self {
            Self::Isolated(key) => open.key == key,
            Self::Cross => open.margin.is_none(),
        }
    }

    const fn of(open: &OpenPosition) -> Self {
        match open.margin {
            Some(_) => Self::Isolated(open.key),
            None => Self::Cross,
        }
    }
}

impl SimulatedExchange {
    /// Tests every pool of positions and liquidates those whose margin balance is at or below the
    /// maintenance margin. While every price is held nothing is tested.
    pub(super) fn test_liquidation(
        &mut self,
        cx: &Context<'_>,
        test: TestPrice,
        events: &mut Events,
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
        let mut at = 0;
        while let Some(open) = self.books.positions.get(at).copied() {
            if open.margin.is_some() && traded(&open) {
                self.test_pool(cx, test, Pool::Isolated(open.key), events)?;
            }
            let there = self.books.positions.get(at);
            if there.is_some_and(|there| there.key == open.key) {
                at += 1;
            }
        }
        let crossed = |open: &OpenPosition| open.margin.is_none() && traded(open);
        if self.books.positions.iter().any(crossed) {
            self.test_pool(cx, test, Pool::Cross, events)?;
        }
        Ok(())
    }

    /// Liquidates a pool in steps until its margin holds or nothing is left.
    fn test_pool(
        &mut self,
        cx: &Context<'_>,
        test: TestPrice,
        pool: Pool,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let mut canceled = false;
        let mut last = None;
        loop {
            let margin = self.pool_margin(cx, test, pool, None)?;
            let held = self.books.positions.iter().any(|open| pool.holds(open));
            if !held || margin.balance > margin.maintenance {
                return Ok(());
            }
            if !canceled {
                self.cancel_margin_orders(cx, pool, events);
                canceled = true;
            }
            match self.reduction(cx, test, pool, last)? {
                Some(cut) => {
                    last = Some((cut.open.key, cut.tier));
                    let (closing, price) = (cut.closing, cut.price);
                    let fee = liquidation_fee(cx, &cut.open, closing, price)?;
                    let forced = Forced {
                        closing,
                        price,
                        fee,
                        wallet: None,
                    };
                    self.close(cx, &cut.open, &forced, &margin, events)?;
                }
                None => return self.close_pool(cx, test, pool, &margin, events),
            }
        }
    }

    /// Cash that stands for a pool.
    pub(super) fn wallet(&self, cx: &Context<'_>, pool: Pool) -> Result<Quantity, Refusal> {
        let account = cx.snapshot.accounts.perp;
        let cash = || self.books.cash.get(account, SETTLEMENT);
        Ok(match pool {
            Pool::Cross => cash().sub(self.books.isolated(None)?)?,
            Pool::Isolated(key) => {
                let open = self.books.open(key);
                open.and_then(|open| open.margin).unwrap_or_default()
            }
        })
    }

    /// At which price a position of a pool is tested. Two sides of one perp on the same collateral
    /// meet one price: the one against their net, or the mark when they cancel out.
    pub(super) fn test_price(
        &self,
        cx: &Context<'_>,
        test: TestPrice,
        pool: Pool,
        open: &OpenPosition,
    ) -> Result<Price, Refusal> {
        let quote = cx.view.quote(open.slot);
        let other = match (pool, open.key.kind.position_side()) {
            (Pool::Cross, Some(PositionSide::Long)) => Some(PositionSide::Short),
            (Pool::Cross, Some(PositionSide::Short)) => Some(PositionSide::Long),
            _ => None,
        };
        let other = other.and_then(|side| self.books.open(open.key.sided(Some(side))));
        let Some(other) = other.filter(|other| pool.holds(other)) else {
            return Ok(test.of(open, quote));
        };
        let net = open.position.quantity.add(other.position.quantity)?;
        Ok(match test {
            TestPrice::Extreme if net.is_positive() => quote.low,
            TestPrice::Extreme if net.is_negative() => quote.high,
            TestPrice::Extreme | TestPrice::Close => quote.mark,
        })
    }

    /// Balance and maintenance of a pool at the test's prices, `without` one position.
    pub(super) fn pool_margin(
        &self,
        cx: &Context<'_>,
        test: TestPrice,
        pool: Pool,
        without: Option<InstrumentKey>,
    ) -> Result<Margin, Refusal> {
        let mut margin = Margin::of_cash(self.wallet(cx, pool)?);
        for open in &self.books.positions {
            if pool.holds(open) && Some(open.key) != without {
                let price = self.test_price(cx, test, pool, open)?;
                margin.add(cx.held_rules(open.key)?, &open.position, price, None)?;
            }
        }
        Ok(margin)
    }

    /// The guard of the only position; rounded so that it never claims too much.
    fn guard(&self, cx: &Context<'_>, open: &OpenPosition) -> Result<Option<Guard>, Refusal> {
        let rules = cx.held_rules(open.key)?;
        let Some(perp) = rules.perp.as_ref() else {
            return Ok(None);
        };
        let wallet = Value::new(self.wallet(cx, Pool::of(open))?.get());
        let long = open.is_long();
        let rounding = if long {
            Rounding::Ceil
        } else {
            Rounding::Floor
        };
        let solved = liquidation_price(perp, &open.position, wallet, rounding)?;
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

    /// Closes everything in a pool; what the fee leaves stays in the account, and the venue's
    /// insurance fund covers what a pool cannot owe.
    fn close_pool(
        &mut self,
        cx: &Context<'_>,
        test: TestPrice,
        pool: Pool,
        margin: &Margin,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let held = self.books.positions.iter();
        let open: Vec<_> = held.filter(|open| pool.holds(open)).copied().collect();
        let alone = open.len() == 1;
        let mut wallet = self.wallet(cx, pool)?;
        let mut closes = Vec::with_capacity(open.len());
        let mut left = Value::new(wallet.get());
        for position in &open {
            let worst = self.test_price(cx, test, pool, position)?;
            let price = closing_price(cx, (test, worst), position, wallet, alone)?;
            left = left.add(position.position.unrealized(price)?)?;
            closes.push(price);
        }
        let count = open.len();
        for (at, (position, price)) in open.into_iter().zip(closes).enumerate() {
            let closing = position.position.quantity.neg()?;
            let fee = liquidation_fee(cx, &position, closing, price)?;
            let fee = capped_fee(fee, left, cx.decimals(SETTLEMENT)?)?;
            left = left.sub(Value::new(fee.get()))?;
            let forced = Forced {
                closing,
                price,
                fee,
                wallet: (at + 1 == count).then_some(wallet),
            };
            let realized = self.close(cx, &position, &forced, margin, events)?;
            wallet = wallet.add(realized)?.sub(fee)?;
        }
        Ok(())
    }

    /// Takes the perp orders of a pool out of the book: an isolated position's, or all that are not
    /// for an isolated one.
    fn cancel_margin_orders(&mut self, cx: &Context<'_>, pool: Pool, events: &mut Events) {
        let isolated = |key: InstrumentKey| self.margin_mode(key.symbol) == MarginMode::Isolated;
        let orders = self.books.orders.iter();
        let perps = orders.filter(|order| order.key.kind.contract() == InstrumentKind::Perp);
        let gone: Vec<RestingOrder> = perps
            .filter(|order| match pool {
                Pool::Isolated(key) => order.key == key,
                Pool::Cross => !isolated(order.key),
            })
            .copied()
            .collect();
        for order in gone {
            let orders = &mut self.books.orders;
            orders.retain(|other| other.instruction != order.instruction);
            let reason = Some(Text::Borrowed("canceled in a liquidation"));
            events.push(self.cancelled(cx, &order, reason));
        }
    }
}
