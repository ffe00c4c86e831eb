//! What a withdrawal can have: the equity less what closing the book costs.

use basis_core::error::ComponentError;
use basis_core::num::{Rate, Rounding, Value};

use super::Context;
use super::hedge::{Book, SPOT_BUFFER, rules_of};
use crate::config::ModeConfig;

impl Book<'_> {
    /// What closing everything and bringing it home takes at most: fees and a buffer for the price on all
    /// that is traded, and at every venue the smallest transfer, which may stay behind there. In kind
    /// also the smallest book, for with less the last margin cannot be turned into the asset.
    pub(super) fn cost_of_leaving(&self, context: &Context<'_>) -> Result<Value, ComponentError> {
        let mut cost = self.min_transfer;
        let mut margins = Value::ZERO;
        for hedge in &self.hedges {
            let notional = hedge.position.abs()?;
            let notional = notional.notional(self.spot_price, Rounding::Ceil)?;
            let fee = rules_of(context, hedge.venue)?.fees.perp.taker;
            let once = fee.add(SPOT_BUFFER)?;
            cost = cost.add(notional.at_rate(once, Rounding::Ceil)?)?;
            cost = cost.add(self.min_transfer)?;
            margins = margins.add(hedge.margin)?;
        }
        // In kind the margins are turned back into the asset, else the asset is sold.
        let traded = if self.in_kind {
            margins
        } else {
            self.spot.notional(self.spot_price, Rounding::Ceil)?
        };
        let once = self.spot_taker_fee().add(SPOT_BUFFER)?;
        let cost = cost.add(traded.at_rate(once, Rounding::Ceil)?)?;
        if self.in_kind {
            return Ok(cost.add(self.smallest_capital(context.config)?)?);
        }
        Ok(cost)
    }

    /// Whether what a due withdrawal leaves is no book any more: then all of it is closed.
    pub(super) fn is_to_be_closed(
        &self,
        context: &Context<'_>,
        scale: bool,
    ) -> Result<bool, ComponentError> {
        if self.in_kind || !context.pending_withdrawal.is_positive() {
            return Ok(false);
        }
        let left = context.books.equity().sub(context.pending_withdrawal)?;
        Ok(self.is_flat() && !scale || left < self.smallest_capital(context.config)?)
    }

    /// The capital that gives every venue its smallest order.
    fn smallest_capital(&self, config: &ModeConfig<'_>) -> Result<Value, ComponentError> {
        let mut capital = Value::ZERO;
        for hedge in &self.hedges {
            let smallest = hedge.smallest_order(self.spot_price)?;
            let spot = smallest.div_rate(hedge.share, Rounding::Ceil)?;
            let spot = spot.notional(self.spot_price, Rounding::Ceil)?;
            let used = spot.div_rate(self.spot_share(), Rounding::Ceil)?;
            let kept = Rate::ONE.sub(config.reserve_ratio)?;
            capital = capital.max(used.div_rate(kept, Rounding::Ceil)?);
        }
        Ok(capital)
    }
}
