//! What risk asks for: cutting one account, and leaving altogether.
//!
//! Both sell on the chain where they can, because ETH that must first reach an exchange leaves the
//! account that is in trouble as it is for another hour: stake → WETH → share class in one transaction,
//! and with it the shorts that it was hedged by.

use basis_core::error::ComponentError;
use basis_core::instruction::AmountOrAll;
use basis_core::num::{Quantity, Rate, Rounding, Value};
use basis_core::plan::{Action, FailurePolicy, Leg, Plan};
use basis_core::types::Venue;

use super::super::stake::{leg_of, unwrap};
use super::book::NeutralBook;
use super::{MarketNeutral, Stake, missing, plan, with_policy};
use crate::modes::Context;
use crate::modes::volume::Pace;

/// A long below this part of the equity is not worth keeping shorts for when everything is left.
const REMNANT: Rate = Rate::literal("0.01");

const HALF: Rate = Rate::literal("0.5");

impl MarketNeutral {
    /// Cuts what is held through `venue` by `fraction`: the loop by that part of its debt; or the short
    /// there and as much of the long, spot first, then the stake. Never more of the short than of the long: what is
    /// in a queue keeps its hedge.
    pub(super) fn cut(
        &mut self,
        context: &Context<'_>,
        book: &mut NeutralBook<'_>,
        (venue, fraction): (Venue, Rate),
    ) -> Result<Option<Plan>, ComponentError> {
        let (action, reason) = (Action::ExitPartial, "deleverage");
        if self.stake == Stake::Levered && venue == book.levered.venue {
            return Self::cut_loop(context, book, fraction);
        }
        let mut wanted = Quantity::ZERO;
        for hedge in &mut book.hedge.hedges {
            hedge.target = hedge.position.neg()?;
            if hedge.venue == venue && hedge.fresh {
                let lot = hedge.rules.lot_size;
                let cut = hedge.target.at_rate(fraction, Rounding::Ceil)?;
                wanted = cut.round_to_lot(lot, Rounding::Ceil)?.min(hedge.target);
            }
        }
        // The short that hedges nothing goes first with the cut.
        let idle = book.short.sub(book.long)?.max(Quantity::ZERO);
        let excess = missing(wanted, idle)?;
        let spot = if book.spot_fresh {
            excess.min(book.hedge.spot)
        } else {
            Quantity::ZERO
        };
        let rest = excess.sub(spot)?;
        let sale = if book.matters(rest)? {
            let part = self.slice(book, rest)?;
            book.sell_stake(context, self.stake, part)?
        } else {
            None
        };
        let sold = sale.as_ref().map_or(Quantity::ZERO, |sale| sale.sold);
        let cut = wanted.min(idle.add(spot)?.add(sold)?);
        for hedge in &mut book.hedge.hedges {
            if hedge.venue == venue && hedge.fresh {
                let cut = cut.round_to_lot(hedge.rules.lot_size, Rounding::Floor)?;
                hedge.target = hedge.target.sub(cut)?;
            }
        }
        let kept = book.hedge.spot.sub(spot)?;
        let mut legs = book.legs(context, kept, Pace::Urgent)?;
        legs.extend(sale.map(|sale| sale.leg));
        let policy = FailurePolicy::Continue;
        let plan = with_policy(action, reason, vec![legs], policy);
        Ok((!plan.blocks.is_empty()).then_some(plan))
    }

    /// Shrinks the loop by `fraction` of its debt. Its delta changes by what the sale loses only, and the
    /// shorts follow that.
    fn cut_loop(
        context: &Context<'_>,
        book: &NeutralBook<'_>,
        fraction: Rate,
    ) -> Result<Option<Plan>, ComponentError> {
        let levered = &book.levered;
        let debt = levered.debt.at_rate(fraction, Rounding::Ceil)?;
        if !debt.is_positive() {
            return Ok(None);
        }
        let leg = if debt >= levered.debt {
            levered.close(context)?
        } else {
            levered.shrink(context, debt, Quantity::ZERO)?
        };
        let unwrapping = leg_of(vec![unwrap(AmountOrAll::All)]);
        let blocks = vec![vec![leg], vec![unwrapping]];
        Ok(Some(plan(Action::ExitPartial, "deleverage", blocks)))
    }

    /// Leaves as far as that is possible now; asked again at every step until nothing is left. Spot goes
    /// with its shorts; then the chain, and only where that sold the shorts that hedged it.
    pub(super) fn leave(
        &mut self,
        context: &Context<'_>,
        book: &mut NeutralBook<'_>,
    ) -> Result<Option<Plan>, ComponentError> {
        let (action, reason) = (Action::ExitFull, "risk");
        // A stake that is about as it was at the last call was refused by its pool.
        let before = self.left_at.replace(book.staked);
        if let Some(before) = before
            && before.sub(book.staked)? < self.tried.at_rate(HALF, Rounding::Floor)?
        {
            self.refused();
        }
        let mut legs: Vec<Leg> = book.token.claim(context).into_iter().collect();
        let spot = if book.spot_fresh {
            book.hedge.spot
        } else {
            Quantity::ZERO
        };
        legs.extend(Self::follow(context, book, spot)?);
        let mut plan = with_policy(action, reason, vec![legs], FailurePolicy::Continue);
        let (sold, blocks) = self.leave_chain(context, book)?;
        let chain = with_policy(action, reason, blocks, FailurePolicy::Halt);
        plan.blocks.extend(chain.blocks);
        if sold.is_positive() {
            book.long = book.long.sub(sold)?;
            let legs = Self::follow(context, book, Quantity::ZERO)?;
            let last = with_policy(action, reason, vec![legs], FailurePolicy::Continue);
            plan.blocks.extend(last.blocks);
        }
        Ok((!plan.blocks.is_empty()).then_some(plan))
    }

    /// The legs that sell `spot` and cut the shorts to what is then long, or to nothing where that is not
    /// worth a hedge; the book stands as if they had been done.
    fn follow(
        context: &Context<'_>,
        book: &mut NeutralBook<'_>,
        spot: Quantity,
    ) -> Result<Vec<Leg>, ComponentError> {
        let long = book.long.sub(spot)?;
        let remnant = context.books.equity().at_rate(REMNANT, Rounding::Floor)?;
        let left = if book.value_of(long.max(Quantity::ZERO))? <= remnant.max(Value::ZERO) {
            Quantity::ZERO
        } else {
            long.max(Quantity::ZERO)
        };
        book.shift(context, left.sub(book.short)?.min(Quantity::ZERO))?;
        let kept = book.hedge.spot.sub(spot)?;
        let legs = book.legs(context, kept, Pace::Urgent)?;
        // What the newest bars have no room for stays.
        let kept = book.hedge.spot_target;
        let long = book.long.sub(book.hedge.spot.sub(kept)?)?;
        for hedge in &mut book.hedge.hedges {
            hedge.position = hedge.target.neg()?;
        }
        (book.long, book.hedge.spot) = (long, kept);
        book.short = book.hedge.short()?;
        Ok(legs)
    }

    /// Leaves the chain: sells there what it can, else takes ETH towards the exchange. The ETH that is
    /// sold, and the blocks that do it.
    fn leave_chain(
        &mut self,
        context: &Context<'_>,
        book: &NeutralBook<'_>,
    ) -> Result<(Quantity, Vec<Vec<Leg>>), ComponentError> {
        if book.matters(book.staked)? {
            let part = self.slice(book, book.staked)?;
            if let Some(sale) = book.sell_stake(context, self.stake, part)? {
                return Ok((sale.sold, vec![vec![sale.leg]]));
            }
            let blocks = book.release(context, self.stake, (part, false))?;
            return Ok((Quantity::ZERO, blocks.unwrap_or_default()));
        }
        if let Some(sale) = book.sell_wallet(context)? {
            return Ok((sale.sold, vec![vec![sale.leg]]));
        }
        if book.matters(book.wrapped)? {
            let unwrapping = leg_of(vec![unwrap(AmountOrAll::All)]);
            return Ok((Quantity::ZERO, vec![vec![unwrapping]]));
        }
        let moves = book.ship_to_spot(context, book.long)?;
        let blocks = moves.map(|moves| vec![moves.internal, moves.external]);
        Ok((Quantity::ZERO, blocks.unwrap_or_default()))
    }
}
