//! The hedged stake as it stands and as it should.
//!
//! Everything that is not a perp is the long: spot, coins in the wallet and under way, the staking
//! token or the loop's collateral less its debt, withdrawal requests, gas, rewards. The shorts are its mirror.

use basis_core::error::ComponentError;
use basis_core::fixed18;
use basis_core::num::{Price, Quantity, Rate, Rounding, Value};
use basis_core::plan::Leg;
use basis_core::types::Item;

use super::super::leverage::Loop;
use super::super::places::Places;
use super::super::stake::Token;
use super::super::{ETH, settings};
use super::Stake;
use crate::modes::Context;
use crate::modes::hedge::{Book, rules_of};
use crate::modes::layout::Layout;
use crate::modes::volume::Pace;
use basis_engine::RebalanceTo;

/// Widest distance from a target that counts as there.
const NEAR_MAX: Rate = Rate::literal("0.01");

/// Room left below the free spot balance for the price to have moved against a market buy.
const BUY_BUFFER: Rate = Rate::literal("0.002");

/// Which margin counts: what is there, or what funding brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Margin {
    Held,
    Planned,
}

/// What the book should come to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// The stake, ETH.
    pub(super) stake: Quantity,
    /// The long: the stake and the gas reserve.
    pub(super) long: Quantity,
    /// Margin of all shorts together.
    pub(super) margin: Value,
}

impl Target {
    /// With C = equity × (1 − reserve): the stake is its share of C, the gas reserve stands beside it,
    /// and what is left of C is the margin of the shorts. `None` without equity or price.
    ///
    /// # Errors
    /// STRAT-001 in a mode without the keys of the chain; POS-002 out of range.
    pub(super) fn of(context: &Context<'_>, price: Price) -> Result<Option<Self>, ComponentError> {
        let (config, chain) = (context.config, settings(context)?);
        let equity = context.books.equity().sub(context.pending_withdrawal)?;
        if !equity.is_positive() || !price.is_positive() {
            return Ok(None);
        }
        let capital = equity.sub(equity.at_rate(config.reserve_ratio, Rounding::Ceil)?)?;
        let stake = capital.at_rate(chain.stake_allocation, Rounding::Floor)?;
        let stake = stake.per(price, Rounding::Floor)?;
        let long = stake.add(chain.gas_reserve)?;
        let margin = capital.sub(long.notional(price, Rounding::Floor)?)?;
        Ok(Some(Self {
            stake,
            long,
            margin: margin.max(Value::ZERO),
        }))
    }
}

/// The whole book.
#[derive(Debug)]
pub(super) struct NeutralBook<'a> {
    /// Accounts, margins and shorts; its `outside` is the long but for the spot account.
    pub(super) hedge: Book<'a>,
    pub(super) token: Token,
    /// The leveraged stake; empty in the unleveraged mode.
    pub(super) levered: Loop,
    /// Units of the token in the wallet.
    pub(super) tokens: Quantity,
    /// ETH that the stake stands for at the protocol's rate, its debt taken off.
    pub(super) staked: Quantity,
    /// ETH in the withdrawal queue.
    pub(super) queued: Quantity,
    /// WETH in the wallet.
    pub(super) wrapped: Quantity,
    /// ETH in the wallet.
    pub(super) ether: Quantity,
    /// ETH between two venues.
    pub(super) in_flight: Quantity,
    /// ETH that stays in the wallet to pay for gas.
    pub(super) gas_reserve: Quantity,
    /// Delta of everything that is no perp.
    pub(super) long: Quantity,
    /// Sum of the shorts, >= 0.
    pub(super) short: Quantity,
    /// The long wanted: the stake and the gas reserve.
    pub(super) long_target: Quantity,
    /// The stake wanted, ETH.
    pub(super) stake_target: Quantity,
    /// Distance from a target that counts as there, relative.
    pub(super) near: Rate,
    /// Whether spot can be traded now.
    pub(super) spot_fresh: bool,
    /// ETH in USD at the spot venue.
    pub(super) price: Price,
}

impl<'a> NeutralBook<'a> {
    /// Reads the book and sizes it.
    ///
    /// # Errors
    /// EXP-001 before the token has shown a rate; POS-002 out of range.
    pub(super) fn read(
        context: &Context<'_>,
        layout: &'a Layout,
        (stake, places): (Stake, &Places),
    ) -> Result<Self, ComponentError> {
        let (books, token) = (context.books, places.token);
        let mut hedge = Book::read(context, layout)?;
        let mut levered = Loop::read(context, places)?;
        if stake == Stake::Plain {
            levered.debt = Quantity::ZERO;
        }
        let tokens = books.quantity_at(places.tokens);
        let held = if tokens.is_zero() {
            Quantity::ZERO
        } else {
            token.ether(context, tokens)?
        };
        let long = long_of(context)?;
        hedge.outside = long.sub(hedge.spot)?;
        let chain = settings(context)?;
        let spot_quote = context.view.quote_of(layout.spot().key.series());
        let threshold = context.config.utilization_band;
        let mut standing = Self {
            short: hedge.short()?,
            price: hedge.spot_price,
            staked: held.add(levered.equity()?)?,
            queued: places.queued(books)?,
            wrapped: books.quantity_at(places.wrapped),
            ether: books.quantity_at(places.ether),
            in_flight: books.quantity_at(places.in_flight),
            gas_reserve: chain.gas_reserve,
            long_target: Quantity::ZERO,
            stake_target: Quantity::ZERO,
            near: Rate::new(threshold.get().mul(fixed18!("0.5"), Rounding::Floor)?).min(NEAR_MAX),
            spot_fresh: spot_quote.is_some_and(|quote| quote.state.is_tradable()),
            hedge,
            token,
            levered,
            tokens,
            long,
        };
        standing.size(context)?;
        Ok(standing)
    }

    /// What of the equity is stake and what margin; the margin spread as the hedge's own sizing has it.
    fn size(&mut self, context: &Context<'_>) -> Result<(), ComponentError> {
        let Some(target) = Target::of(context, self.price)? else {
            return Ok(());
        };
        let margin = target.margin;
        (self.stake_target, self.long_target) = (target.stake, target.long);
        let shares = self.hedge.hedges.iter();
        let whole = shares
            .map(|hedge| hedge.margin_target)
            .try_fold(Value::ZERO, Value::add)?;
        if whole.is_positive() {
            for hedge in &mut self.hedge.hedges {
                let part = margin.get().mul_div(
                    hedge.margin_target.get(),
                    whole.get(),
                    Rounding::Floor,
                )?;
                // What stands for the shorts that are open cannot leave before they are cut.
                hedge.margin_target = Value::new(part).max(hedge.margin_kept);
            }
        }
        Ok(())
    }

    /// USD that `ether` is worth.
    pub(super) fn value_of(&self, ether: Quantity) -> Result<Value, ComponentError> {
        Ok(ether.notional(self.price, Rounding::Floor)?)
    }

    /// Whether `ether` is worth a transfer or a trade of its own.
    pub(super) fn matters(&self, ether: Quantity) -> Result<bool, ComponentError> {
        Ok(ether.is_positive() && self.value_of(ether)? >= self.hedge.min_transfer)
    }

    /// Whether nothing is staked, held or short, but for what is worth no trade.
    pub(super) fn is_flat(&self) -> Result<bool, ComponentError> {
        Ok(self.short.is_zero() && !self.matters(self.long)?)
    }

    /// ETH of the wallet above what pays for gas.
    pub(super) fn spare(&self) -> Result<Quantity, ComponentError> {
        Ok(self.ether.sub(self.gas_reserve)?.max(Quantity::ZERO))
    }

    /// ETH that the gas reserve lacks once less than half of it is left.
    pub(super) fn gas_missing(&self) -> Result<Quantity, ComponentError> {
        if self.ether.add(self.ether)? >= self.gas_reserve {
            return Ok(Quantity::ZERO);
        }
        Ok(self.gas_reserve.sub(self.ether)?)
    }

    /// The long that sizing aims at: the target, or the edge of the inner band around it, and never
    /// more than the margins can hedge. What is held above stays unless the target is to be met whole.
    pub(super) fn goal(
        &self,
        context: &Context<'_>,
        exact: bool,
    ) -> Result<Quantity, ComponentError> {
        let mut goal = self.long_target;
        if let (RebalanceTo::InnerBand(inner), false) = (context.config.rebalance_to, exact) {
            let threshold = context.config.utilization_band;
            let width = goal.at_rate(inner.mul(threshold, Rounding::Floor)?, Rounding::Floor)?;
            goal = self.long.max(goal.sub(width)?).min(goal.add(width)?);
        }
        if !exact {
            goal = goal.max(self.long);
        }
        Ok(goal.min(self.capacity(context, Margin::Planned)?))
    }

    /// Whether the long is further from `goal` than counts as there.
    pub(super) fn is_off(&self, goal: Quantity) -> Result<bool, ComponentError> {
        let off = self.long.sub(goal)?.abs()?;
        Ok(off > self.near_band()? && self.matters(off)?)
    }

    /// How far from its target the long counts as there.
    pub(super) fn near_band(&self) -> Result<Quantity, ComponentError> {
        Ok(self.long_target.at_rate(self.near, Rounding::Floor)?)
    }

    /// Short base units that venue `at` can take in all: what its margin carries at twice the hedge's
    /// leverage, and never less than what it holds.
    fn capacity_at(
        &self,
        context: &Context<'_>,
        (at, margin): (usize, Margin),
    ) -> Result<Quantity, ComponentError> {
        let Some(hedge) = self.hedge.hedges.get(at) else {
            return Ok(Quantity::ZERO);
        };
        let held = hedge.position.neg()?.max(Quantity::ZERO);
        if !hedge.fresh || context.reduce_only || !self.price.is_positive() {
            return Ok(held);
        }
        let margin = match margin {
            Margin::Held => hedge.margin.max(Value::ZERO),
            Margin::Planned => hedge.margin.max(hedge.margin_target),
        };
        let most = context.config.hedge_leverage.mul_int(2)?;
        let notional = margin.get().mul(most, Rounding::Floor)?;
        let units = Value::new(notional).per(self.price, Rounding::Floor)?;
        let units = units.round_to_lot(hedge.rules.lot_size, Rounding::Floor)?;
        Ok(units.max(held))
    }

    /// Short base units that all venues can take.
    pub(super) fn capacity(
        &self,
        context: &Context<'_>,
        margin: Margin,
    ) -> Result<Quantity, ComponentError> {
        let mut sum = Quantity::ZERO;
        for at in 0..self.hedge.hedges.len() {
            sum = sum.add(self.capacity_at(context, (at, margin))?)?;
        }
        Ok(sum)
    }

    /// Aims the shorts at `total` base units by their shares, stale ones kept, in whole lots.
    pub(super) fn spread(
        &mut self,
        context: &Context<'_>,
        total: Quantity,
    ) -> Result<(), ComponentError> {
        let (kept, shares) = self.hedge.stale_part()?;
        let rest = total.sub(kept)?.max(Quantity::ZERO);
        let mut placed = Quantity::ZERO;
        for at in 0..self.hedge.hedges.len() {
            let capacity = self.capacity_at(context, (at, Margin::Held))?;
            let Some(hedge) = self.hedge.hedges.get_mut(at) else {
                break;
            };
            if !hedge.fresh {
                hedge.target = hedge.position.neg()?;
                continue;
            }
            let part = rest
                .get()
                .mul_div(hedge.share.get(), shares.get(), Rounding::Floor)?;
            let part = Quantity::new(part).round_to_lot(hedge.rules.lot_size, Rounding::Floor)?;
            hedge.target = part.min(capacity);
            placed = placed.add(hedge.target)?;
        }
        self.place_rest(context, rest.sub(placed)?)
    }

    /// Keeps the shorts but for `more` base units (< 0: less), spread by shares and what is held.
    pub(super) fn shift(
        &mut self,
        context: &Context<'_>,
        more: Quantity,
    ) -> Result<(), ComponentError> {
        let mut whole = Quantity::ZERO;
        for hedge in &mut self.hedge.hedges {
            hedge.target = hedge.position.neg()?;
            if hedge.fresh {
                whole = whole.add(hedge.target)?;
            }
        }
        if !more.is_negative() {
            return self.place_rest(context, more);
        }
        if whole.is_zero() {
            return Ok(());
        }
        let wanted = more.abs()?.min(whole);
        let mut rest = wanted;
        for hedge in self.hedge.hedges.iter_mut().filter(|hedge| hedge.fresh) {
            let part = wanted
                .get()
                .mul_div(hedge.target.get(), whole.get(), Rounding::Floor)?;
            let part = Quantity::new(part).round_to_lot(hedge.rules.lot_size, Rounding::Floor)?;
            hedge.target = hedge.target.sub(part)?;
            rest = rest.sub(part)?;
        }
        for hedge in self.hedge.hedges.iter_mut().filter(|hedge| hedge.fresh) {
            let part = rest.min(hedge.target);
            let part = part.round_to_lot(hedge.rules.lot_size, Rounding::Floor)?;
            hedge.target = hedge.target.sub(part)?;
            rest = rest.sub(part)?;
        }
        Ok(())
    }

    /// Puts `rest` base units of shorts where there is room: by shares first, then the finest lots.
    fn place_rest(&mut self, context: &Context<'_>, rest: Quantity) -> Result<(), ComponentError> {
        let mut order: Vec<usize> = (0..self.hedge.hedges.len()).collect();
        let lot = |at: usize| self.hedge.hedges.get(at).map(|hedge| hedge.rules.lot_size);
        order.sort_by_key(|at| lot(*at));
        let (_, shares) = self.hedge.stale_part()?;
        let (whole, mut rest) = (rest.max(Quantity::ZERO), rest.max(Quantity::ZERO));
        for by_share in [true, false] {
            for &at in &order {
                let capacity = self.capacity_at(context, (at, Margin::Held))?;
                let Some(hedge) = self.hedge.hedges.get_mut(at).filter(|hedge| hedge.fresh) else {
                    continue;
                };
                let wanted = if by_share {
                    let part =
                        whole
                            .get()
                            .mul_div(hedge.share.get(), shares.get(), Rounding::Floor)?;
                    Quantity::new(part).min(rest)
                } else {
                    rest
                };
                let room = capacity.sub(hedge.target)?.max(Quantity::ZERO);
                let part = wanted
                    .min(room)
                    .round_to_lot(hedge.rules.lot_size, Rounding::Floor)?;
                hedge.target = hedge.target.add(part)?;
                rest = rest.sub(part)?;
            }
        }
        Ok(())
    }

    /// The legs to the aim of the shorts and to `spot` base units in the spot account, as far as the newest
    /// bars have room for them.
    pub(super) fn legs(
        &mut self,
        context: &Context<'_>,
        spot: Quantity,
        pace: Pace,
    ) -> Result<Vec<Leg>, ComponentError> {
        self.hedge.spot_target = spot;
        self.hedge.aim_within_volume(context, pace)?;
        self.hedge.legs_to_target()
    }

    /// What buying `ether` costs, with room for the price to move.
    pub(super) fn cost_of(&self, ether: Quantity) -> Result<Value, ComponentError> {
        let notional = ether.notional(self.price, Rounding::Ceil)?;
        Ok(notional.at_rate(Rate::ONE.add(BUY_BUFFER)?, Rounding::Ceil)?)
    }

    /// ETH of `wanted` that the free balance of the spot account buys, less the fee.
    pub(super) fn affordable(
        &self,
        context: &Context<'_>,
        wanted: Quantity,
    ) -> Result<Quantity, ComponentError> {
        let cash = self.hedge.free_spot_cash()?;
        if !cash.is_positive() || !self.price.is_positive() {
            return Ok(Quantity::ZERO);
        }
        let cost = self.hedge.impact_of_buying(context, wanted)?;
        let above = Rate::ONE.add(BUY_BUFFER)?.add(cost)?;
        let price = self.price.at_rate(above, Rounding::Ceil)?;
        let kept = Rate::ONE.sub(self.hedge.spot_taker_fee())?;
        let affordable = cash.per(price, Rounding::Floor)?;
        Ok(affordable.at_rate(kept, Rounding::Floor)?.min(wanted))
    }

    /// Whether a margin lacks more than `band` of its target, and enough for a transfer.
    pub(super) fn lacks_margin(&self, band: Rate) -> Result<bool, ComponentError> {
        for hedge in self.hedge.hedges.iter().filter(|hedge| hedge.fresh) {
            let missing = hedge.missing_margin()?;
            let band = hedge.margin_target.at_rate(band, Rounding::Floor)?;
            if missing > band && missing >= self.hedge.min_transfer {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What closing everything takes at most: what a swap of the stake may lose, and the exchanges' part.
    pub(super) fn cost_of_leaving(&self, context: &Context<'_>) -> Result<Value, ComponentError> {
        let traded = self.levered.collateral_ether.add(self.long)?;
        let slippage = settings(context)?.max_slippage.to_rate(Rounding::Up)?;
        let swapped = self.value_of(traded)?.at_rate(slippage, Rounding::Ceil)?;
        let gas = self.value_of(self.gas_reserve)?;
        Ok(self
            .hedge
            .cost_of_leaving(context)?
            .add(swapped)?
            .add(gas)?)
    }

    /// Least ETH that the spot venue sends, its cost included.
    pub(super) fn least_sent(&self, context: &Context<'_>) -> Result<Quantity, ComponentError> {
        let rules = rules_of(context, context.config.spot_venue)?;
        let row = rules.withdrawal(ETH);
        let least = row.map(|row| row.minimum.get().add(row.fee.get()));
        Ok(Quantity::new(least.transpose()?.unwrap_or_default()))
    }
}

/// Delta of everything that is no perp.
fn long_of(context: &Context<'_>) -> Result<Quantity, ComponentError> {
    let mut sum = Quantity::ZERO;
    for holding in context.books.holdings() {
        if !matches!(holding.item, Item::Position(_)) {
            sum = sum.add(holding.delta)?;
        }
    }
    Ok(sum)
}
