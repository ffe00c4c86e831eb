//! The steps of sizing and placing, and what comes before them at every step.

use basis_core::error::ComponentError;
use basis_core::instruction::AmountOrAll;
use basis_core::num::{Quantity, Rate, Rounding, Value};
use basis_core::plan::{Action, Block, FailurePolicy};
use basis_core::types::Venue;

use super::super::settings;
use super::super::stake::{leg_of, unwrap};
use super::book::{Margin, NeutralBook};
use super::{
    MarketNeutral, Phase, QUEUES_WITHIN, Reason, Stake, Underway, missing, plan, send,
    smallest_capital, strays, with_policy,
};
use crate::config::StakeRoute;
use crate::modes::funding::moves;
use crate::modes::volume::Pace;
use crate::modes::{Context, Decision, triggers};

const HALF: Rate = Rate::literal("0.5");

/// What is sold for the rest of a withdrawal, over that rest.
const RAISED: Rate = Rate::literal("1.05");

/// Most halvings of what is repaid at once: a thousandth of it.
const HALVINGS_MAX: u32 = 10;

/// Whole targets: a flow and what is owed to a withdrawal are met to the lot, not to an inner band.
fn is_exact(reason: &str) -> bool {
    matches!(reason, "entry" | "capital_flow" | "withdrawal")
}

impl MarketNeutral {
    /// Follows the long with the perps when net delta is beyond its tolerance. What no venue can take
    /// is to be sold.
    pub(super) fn mend(
        &mut self,
        context: &Context<'_>,
        book: &mut NeutralBook<'_>,
    ) -> Result<Option<Decision>, ComponentError> {
        let naked = book.long.sub(book.short)?;
        let larger = book.long.max(book.short);
        let tolerated = larger.at_rate(context.config.delta_tolerance, Rounding::Floor)?;
        if naked.abs()? <= tolerated || (book.short.is_zero() && !book.matters(naked)?) {
            return Ok(None);
        }
        book.shift(context, naked)?;
        let spot = book.hedge.spot;
        let legs = book.legs(context, spot, Pace::Planned)?;
        let action = if naked.is_negative() {
            Action::ExitPartial
        } else {
            Action::EntryPartial
        };
        if !legs.is_empty() {
            let policy = FailurePolicy::Continue;
            let plan = with_policy(action, "delta", vec![legs], policy);
            let trigger = triggers::delta(context, (book.long, book.short))?;
            return Ok(Some(Decision::Act(plan).triggered_by(trigger)));
        }
        if !book.hedge.hedges.iter().any(|hedge| hedge.fresh) {
            return Ok(Some(Decision::Deferred("delta")));
        }
        if naked.is_positive() && book.capacity(context, Margin::Held)? < book.long {
            self.phase = Phase::Sizing(Reason::Delta);
        }
        Ok(None)
    }

    /// Withdrawal requests that have left the queue, rewards, gas.
    pub(super) fn collect(
        &mut self,
        context: &Context<'_>,
        book: &NeutralBook<'_>,
    ) -> Result<Option<Decision>, ComponentError> {
        if let Some(claim) = book.token.claim(context) {
            let plan = plan(Action::ExitPartial, "claim_withdrawal", vec![vec![claim]]);
            return Ok(Some(Decision::Act(plan)));
        }
        if let Some(decision) = self.top_up_gas(context, book)? {
            return Ok(Some(decision));
        }
        if self.phase != Phase::Resting {
            return Ok(None);
        }
        self.rewards.next(context)
    }

    /// Fills the gas reserve with what is nearest: WETH of the wallet, ETH at the exchange, the stake.
    fn top_up_gas(
        &mut self,
        context: &Context<'_>,
        book: &NeutralBook<'_>,
    ) -> Result<Option<Decision>, ComponentError> {
        let missing = book.gas_missing()?;
        if !missing.is_positive() || (book.ether.is_zero() && !book.staked.is_positive()) {
            return Ok(None);
        }
        if context.coming_to(Venue::WALLET, context.config.asset)? >= missing {
            return Ok(None);
        }
        let reason = "gas_reserve";
        if book.wrapped.is_positive() {
            let unwrapping = leg_of(vec![unwrap(AmountOrAll::All)]);
            let plan = plan(Action::ExitPartial, reason, vec![vec![unwrapping]]);
            return Ok(Some(Decision::Act(plan)));
        }
        if let Some(moves) = book.ship_to_wallet(context, book.hedge.spot)? {
            return Ok(Some(send(Action::EntryPartial, reason, moves)));
        }
        if context.view.now() < self.gas_from {
            return Ok(None);
        }
        let blocks = book.release(context, self.stake, (missing, true))?;
        if blocks.is_some() {
            self.underway = Underway::Gas;
        }
        Ok(blocks.map(|blocks| Decision::Act(plan(Action::ExitPartial, reason, blocks))))
    }

    /// The next step towards the long that is wanted; `None` when it is there, or only time helps.
    pub(super) fn size(
        &mut self,
        context: &Context<'_>,
        book: &mut NeutralBook<'_>,
        reason: &'static str,
    ) -> Result<Option<Decision>, ComponentError> {
        let flat = book.is_flat()?;
        if flat && reason == "entry" {
            smallest_capital(context, book)?;
        }
        let goal = book.goal(context, is_exact(reason))?;
        if book.is_off(goal)? {
            let decision = if goal > book.long {
                self.grow(context, book, (goal, reason))?
            } else {
                self.shrink(context, book, (goal, reason))?
            };
            if decision.is_some() {
                return Ok(decision);
            }
        }
        if !book.hedge.is_misallocated(context.config)? || context.reduce_only {
            return Ok(None);
        }
        self.reallocate(context, book)
    }

    /// Funds margins and the purchase, then buys and shorts in one block.
    fn grow(
        &mut self,
        context: &Context<'_>,
        book: &mut NeutralBook<'_>,
        (goal, reason): (Quantity, &'static str),
    ) -> Result<Option<Decision>, ComponentError> {
        if context.reduce_only {
            return Ok(None);
        }
        if !book.hedge.tradable {
            return Ok(Some(Decision::Deferred(reason)));
        }
        let flat = book.is_flat()?;
        let action = if flat {
            Action::EntryFull
        } else {
            Action::EntryPartial
        };
        let wanted = missing(goal, book.long)?;
        let need = book.cost_of(wanted)?;
        let lacks_cash = need.sub(book.hedge.free_spot_cash()?)? > near_of(need, book.near)?;
        if lacks_cash || book.lacks_margin(book.near)? {
            let moves = moves(context, &book.hedge, &[need], true)?;
            if !moves.is_empty() {
                return Ok(Some(send(action, "fund_accounts", moves)));
            }
        }
        let room = missing(book.capacity(context, Margin::Held)?, book.long)?;
        let bought = book.affordable(context, wanted)?.min(room);
        if !book.matters(bought)? {
            return Ok(None);
        }
        book.spread(context, book.long.add(bought)?)?;
        let spot = book.hedge.spot.add(bought)?;
        let legs = book.legs(context, spot, Pace::Planned)?;
        if legs.is_empty() {
            // The next bar has room again.
            return Ok(book.hedge.is_cut.then_some(Decision::Hold));
        }
        let policy = context.failure_policy();
        let mut trade = with_policy(action, reason, vec![legs], policy);
        if flat {
            // The venues' own leverage must not bind before the hedge's does. Where a venue refuses,
            // its default stands and the trade itself tells whether that is enough.
            let legs = book.hedge.leverage_legs(context.config.hedge_leverage)?;
            let failure_policy = FailurePolicy::Continue;
            let block = Block {
                legs,
                failure_policy,
            };
            trade.blocks.insert(0, block);
        }
        Ok(Some(Decision::Act(trade)))
    }

    /// Sells ETH of the spot account with the shorts in one block; before that brings it there.
    fn shrink(
        &mut self,
        context: &Context<'_>,
        book: &mut NeutralBook<'_>,
        (goal, reason): (Quantity, &'static str),
    ) -> Result<Option<Decision>, ComponentError> {
        let action = if goal.is_zero() {
            Action::ExitFull
        } else {
            Action::ExitPartial
        };
        let excess = book.long.sub(goal)?;
        let at_exchange = excess.min(book.hedge.spot);
        // What stands against the shorts of stale venues stays until these can be cut with it.
        let (stale, _) = book.hedge.stale_part()?;
        let sold = at_exchange.min(missing(book.long, stale)?);
        if book.matters(sold)? {
            if !book.spot_fresh {
                return Ok(Some(Decision::Deferred(reason)));
            }
            let left = book.long.sub(sold)?;
            book.shift(context, left.sub(book.short)?)?;
            let spot = book.hedge.spot.sub(sold)?;
            let legs = book.legs(context, spot, Pace::Planned)?;
            if !legs.is_empty() {
                let policy = context.failure_policy();
                let plan = with_policy(action, reason, vec![legs], policy);
                return Ok(Some(Decision::Act(plan)));
            }
            if book.hedge.is_cut {
                return Ok(Some(Decision::Hold));
            }
        }
        let rest = excess.sub(at_exchange)?;
        if book.wrapped.is_positive() && book.matters(book.wrapped.min(rest))? {
            let unwrapping = leg_of(vec![unwrap(AmountOrAll::All)]);
            let plan = plan(action, reason, vec![vec![unwrapping]]);
            return Ok(Some(Decision::Act(plan)));
        }
        let arriving = context.coming_to(context.config.spot_venue, context.config.asset)?;
        if let Some(moves) = book.ship_to_spot(context, missing(rest, arriving)?)? {
            return Ok(Some(send(action, reason, moves)));
        }
        let coming = book.spare()?.add(book.queued)?.add(book.in_flight)?;
        let rest = missing(rest, coming)?;
        // While withdrawal requests wait, every move of the price would ask for another little one.
        let band = if book.queued.is_zero() {
            book.near_band()?
        } else {
            let threshold = context.config.utilization_band;
            book.long_target.at_rate(threshold, Rounding::Floor)?
        };
        let waits = context.view.now() < self.release_from;
        if waits || !book.matters(rest)? || rest <= band {
            return Ok(None);
        }
        let part = self.slice(book, rest)?;
        let at_once = self.is_overdue(context)?;
        let blocks = book.release(context, self.stake, (part, at_once))?;
        if blocks.is_some() {
            self.underway = Underway::Release;
        }
        Ok(blocks.map(|blocks| Decision::Act(plan(action, reason, blocks))))
    }

    /// Whether a withdrawal has waited for too long to begin another wait in a queue.
    fn is_overdue(&self, context: &Context<'_>) -> Result<bool, ComponentError> {
        let now = context.view.now();
        let waited = self.owing_since.map(|since| now.since(since));
        let may_sell = settings(context)?.exit_route != StakeRoute::Protocol;
        Ok(may_sell && waited.is_some_and(|waited| waited >= QUEUES_WITHIN))
    }

    /// What of `rest` to take out at once: all of it, unless the pool has refused as much; never less
    /// than is worth its gas.
    pub(super) fn slice(
        &mut self,
        book: &NeutralBook<'_>,
        rest: Quantity,
    ) -> Result<Quantity, ComponentError> {
        let least = Value::new(book.hedge.min_transfer.get().mul_int(10)?);
        let least = least.per(book.price, Rounding::Ceil)?;
        self.tried = match self.slice_max {
            Some(most) => rest.min(most.max(least)),
            None => rest,
        };
        Ok(self.tried)
    }

    /// Notes that the pool refused what was tried: half as much is tried next.
    pub(super) fn refused(&mut self) {
        self.slice_max = self.tried.at_rate(HALF, Rounding::Ceil).ok();
    }

    /// Brings every venue's short to its share; the margins first.
    fn reallocate(
        &mut self,
        context: &Context<'_>,
        book: &mut NeutralBook<'_>,
    ) -> Result<Option<Decision>, ComponentError> {
        let action = Action::EntryPartial;
        if book.lacks_margin(context.config.margin_deviation_threshold)? {
            let moves = moves(context, &book.hedge, &[], false)?;
            if !moves.is_empty() {
                return Ok(Some(send(action, "fund_accounts", moves)));
            }
        }
        book.spread(context, book.long)?;
        let spot = book.hedge.spot;
        let legs = book.legs(context, spot, Pace::Planned)?;
        let policy = context.failure_policy();
        let plan = with_policy(action, "allocation", vec![legs], policy);
        Ok((!plan.blocks.is_empty()).then_some(Decision::Act(plan)))
    }

    /// The next step of ETH into the stake, of the debt ratio to its target, of margins to theirs; `None`
    /// when all are there.
    pub(super) fn place(
        &mut self,
        context: &Context<'_>,
        book: &mut NeutralBook<'_>,
        reason: &'static str,
    ) -> Result<Option<Decision>, ComponentError> {
        if let Some(decision) = self.fill_margins(context, book, reason)? {
            return Ok(Some(decision));
        }
        // What a withdrawal has taken out of the stake may have to wait for its shorts.
        if !context.reduce_only
            && !context.pending_withdrawal.is_positive()
            && let Some(decision) = self.stake_more(context, book, reason)?
        {
            return Ok(Some(decision));
        }
        let target = self.leverage.target(context)?;
        if self.stake == Stake::Levered && strays(context, &book.levered, target)? {
            return Self::relever(context, book, target);
        }
        Ok(None)
    }

    /// Moves quote units to where they are short; without any to spare the long must shrink.
    fn fill_margins(
        &mut self,
        context: &Context<'_>,
        book: &mut NeutralBook<'_>,
        reason: &'static str,
    ) -> Result<Option<Decision>, ComponentError> {
        let band = if is_exact(reason) {
            book.near
        } else {
            context.config.margin_deviation_threshold
        };
        let owes = context.pending_withdrawal.is_positive();
        if !owes && !book.lacks_margin(band)? {
            return Ok(None);
        }
        let moves = moves(context, &book.hedge, &[], true)?;
        if !moves.is_empty() {
            return Ok(Some(send(Action::ExitPartial, "fund_accounts", moves)));
        }
        if owes {
            return self.raise_rest(context, book);
        }
        let threshold = context.config.margin_deviation_threshold;
        let is_above = book.long > book.long_target && book.is_off(book.long_target)?;
        if !is_above || !book.lacks_margin(threshold)? {
            return Ok(None);
        }
        self.shrink(context, book, (book.long_target, "margin"))
    }

    /// Sells what a withdrawal still lacks, where no account has it to spare and nothing is on its way: margins that a
    /// rise has made thin keep what they have, and the gain is in the long.
    fn raise_rest(
        &mut self,
        context: &Context<'_>,
        book: &mut NeutralBook<'_>,
    ) -> Result<Option<Decision>, ComponentError> {
        let rest = context.pending_withdrawal.sub(book.hedge.wallet)?;
        let is_coming = !context.in_flight.is_empty() || !book.queued.is_zero();
        if !rest.is_positive() || is_coming || !book.price.is_positive() {
            return Ok(None);
        }
        let mut wanted = rest;
        for hedge in &book.hedge.hedges {
            let lacks = hedge.margin_kept.sub(hedge.margin)?;
            wanted = wanted.add(lacks.max(Value::ZERO))?;
        }
        let wanted = wanted.max(book.hedge.min_transfer);
        // Room for what the sale costs, and for the price to move.
        let wanted = wanted.at_rate(RAISED, Rounding::Ceil)?;
        let goal = missing(book.long, wanted.per(book.price, Rounding::Ceil)?)?;
        self.shrink(context, book, (goal, "withdrawal"))
    }

    /// ETH of the exchange to the wallet, ETH of the wallet into the stake, as far as there is room.
    fn stake_more(
        &mut self,
        context: &Context<'_>,
        book: &NeutralBook<'_>,
        reason: &'static str,
    ) -> Result<Option<Decision>, ComponentError> {
        let threshold = context.config.utilization_band;
        let most = Rate::ONE.add(threshold)?;
        let most = book.stake_target.at_rate(most, Rounding::Floor)?;
        let room = missing(most, book.staked)?;
        let action = Action::EntryPartial;
        let arriving = context.coming_to(Venue::WALLET, context.config.asset)?;
        let wanted = missing(room.add(book.gas_reserve)?, book.ether.add(arriving)?)?;
        if let Some(moves) = book.ship_to_wallet(context, wanted)? {
            return Ok(Some(send(action, reason, moves)));
        }
        if book.matters(book.wrapped)? {
            let unwrapping = leg_of(vec![unwrap(AmountOrAll::All)]);
            let plan = plan(action, reason, vec![vec![unwrapping]]);
            return Ok(Some(Decision::Act(plan)));
        }
        let own = book.spare()?.min(room);
        if !book.matters(own)? || !book.token.is_to_be_had(context)? {
            return Ok(None);
        }
        let target = self.leverage.target(context)?;
        let leg = book.stake(context, (self.stake, target), own)?;
        Ok(Some(Decision::Act(plan(action, reason, vec![vec![leg]]))))
    }

    /// Brings the debt ratio back to its target.
    fn relever(
        context: &Context<'_>,
        book: &NeutralBook<'_>,
        target: Rate,
    ) -> Result<Option<Decision>, ComponentError> {
        let levered = &book.levered;
        let wanted = levered.collateral_ether.at_rate(target, Rounding::Floor)?;
        let above = levered.debt.sub(wanted)?;
        if above.is_positive() {
            let kept = Rate::ONE.sub(target)?;
            let mut repaid = above.div_rate(kept, Rounding::Ceil)?.min(levered.debt);
            // What the pool would refuse is repaid in parts.
            for _ in 0..HALVINGS_MAX {
                if levered.pool_takes(context, repaid)? {
                    break;
                }
                repaid = repaid.at_rate(HALF, Rounding::Ceil)?;
            }
            let leg = levered.shrink(context, repaid, Quantity::ZERO)?;
            let unwrapping = leg_of(vec![unwrap(AmountOrAll::All)]);
            let blocks = vec![vec![leg], vec![unwrapping]];
            return Ok(Some(Decision::Act(plan(
                Action::ExitPartial,
                "ltv",
                blocks,
            ))));
        }
        if context.reduce_only || !levered.token.is_to_be_had(context)? {
            return Ok(None);
        }
        let leg = levered.grow(context, Quantity::ZERO, target)?;
        Ok(leg.map(|leg| Decision::Act(plan(Action::EntryPartial, "ltv", vec![vec![leg]]))))
    }
}

/// `near` of an amount.
fn near_of(amount: Value, near: Rate) -> Result<Value, ComponentError> {
    Ok(amount.at_rate(near, Rounding::Floor)?)
}
