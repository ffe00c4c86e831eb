//! Which blocks pass while nothing may add exposure: those after which no account stands nearer to
//! liquidation than it may.

use basis_core::error::{Code, ComponentError};
use basis_core::instruction::Operation;
use basis_core::num::{Quantity, Rate};
use basis_core::plan::{Block, Leg};
use basis_core::types::{InstrumentKey, InstrumentKind, Item, Side};
use basis_market::MarketView;

use super::after::{AccountAfter, Collateral, StateAfter};
use super::{Approved, RiskLevel, RiskMonitor, worst_reading};
use crate::account::{Books, Exposure};
use crate::limits::{distance_rung, health_rung};

impl RiskMonitor {
    /// Lets a block pass, or says which of its legs adds exposure while nothing may, or brings an account
    /// nearer to liquidation than the reduce-only rung: by taking collateral away at any time, by anything
    /// else while nothing may add exposure. A block after which the worst account
    /// stands better passes whatever else it does, and an account may shrink in proportion; `exposure`
    /// must be that of the view.
    ///
    /// # Errors
    /// RISK-002 naming the leg, the level and the way out; POS-002 out of range.
    pub fn approve<'a>(
        &self,
        block: &'a Block,
        books: &Books,
        exposure: &Exposure,
        view: &MarketView,
    ) -> Result<Approved<'a>, ComponentError> {
        let state = StateAfter::of(block, books, exposure, view, &self.rules)?;
        if self.level < RiskLevel::ReduceOnly {
            for account in &state.accounts {
                if account.loses_collateral()
                    && self.rung(account.after)? >= RiskLevel::ReduceOnly
                    && account.is_worse()?
                {
                    return Err(self.too_near(account)?);
                }
            }
            return Ok(Approved(block));
        }
        let mode_change = state.accounts.iter().find_map(|account| {
            let cause = account.mode_changed_by?;
            Some((account, cause))
        });
        if let Some((account, (operation, venue))) = mode_change {
            return Err(refused(format!(
                "{operation} at {venue} changes the efficiency mode while risk is at {} and {} owes; \
                 repay everything first",
                self.level.as_str(),
                account.account,
            )));
        }
        if self.mends_worst(exposure, &state)? {
            return Ok(Approved(block));
        }
        for leg in &block.legs {
            if adds_exposure(leg, books)? {
                return Err(refused(format!(
                    "{} at {} adds exposure while risk is at {}; only reducing legs pass until the \
                     distance is above {}",
                    leg.instruction.operation.kind(),
                    leg.venue,
                    self.level.as_str(),
                    self.limits.distance_reduce_only
                )));
            }
        }
        for account in &state.accounts {
            if self.rung(account.after)? >= RiskLevel::ReduceOnly && account.is_worse()? {
                return Err(self.too_near(account)?);
            }
        }
        Ok(Approved(block))
    }

    /// The refusal of a block that brings an account nearer to liquidation than it may be.
    fn too_near(&self, account: &AccountAfter) -> Result<ComponentError, ComponentError> {
        let (name, bound) = match account.after {
            Collateral::Margin(_) => ("distance", self.limits.distance_reduce_only),
            Collateral::Lending { .. } => ("health factor", self.limits.health.reduce_only),
        };
        let shown = |measure: Option<Rate>| measure.map_or("none".to_owned(), |m| m.to_string());
        let (before, after) = (account.before.measure()?, account.after.measure()?);
        let leg = match account.worsened_by {
            Some((operation, venue)) => format!("{operation} at {venue}"),
            None => "the block".to_owned(),
        };
        Ok(refused(format!(
            "{leg} brings {} nearer to liquidation while risk is at {}: {name} {} before, {} after, bound \
             {bound}; leave more collateral there or reduce first",
            account.account,
            self.level.as_str(),
            shown(before),
            shown(after),
        )))
    }

    /// Where on the ladder an account is.
    fn rung(&self, collateral: Collateral) -> Result<RiskLevel, ComponentError> {
        Ok(match (collateral, collateral.measure()?) {
            (_, None) => RiskLevel::Clear,
            (Collateral::Margin(_), Some(distance)) => distance_rung(&self.limits, distance).0,
            (Collateral::Lending { .. }, Some(factor)) => health_rung(&self.limits, factor).0,
        })
    }

    /// Whether the account that is worst now stands better after a block, and no other is brought to a
    /// worse rung than it is on.
    fn mends_worst(
        &self,
        exposure: &Exposure,
        state: &StateAfter<'_>,
    ) -> Result<bool, ComponentError> {
        let worst = worst_reading(&self.limits, exposure)?;
        let mut mended = false;
        for account in &state.accounts {
            if account.account == worst.account && !worst.isolated {
                mended = account.is_better()?;
            } else if self.rung(account.after)? > worst.level && account.is_worse()? {
                return Ok(false);
            }
        }
        Ok(mended && worst.level >= RiskLevel::ReduceOnly)
    }
}

fn refused(message: String) -> ComponentError {
    ComponentError::new(Code::RiskRefused, message)
}

fn adds_exposure(leg: &Leg, books: &Books) -> Result<bool, ComponentError> {
    match &leg.instruction.operation {
        Operation::SpotTrade(trade) => Ok(trade.side == Side::Buy),
        Operation::PerpTrade(trade) => {
            if trade.reduce_only {
                return Ok(false);
            }
            let key = InstrumentKey::new(leg.venue, InstrumentKind::Perp, trade.symbol)
                .sided(trade.position_side);
            let held = books
                .positions_of(leg.venue)
                .filter(|position| position.item == Item::Position(key))
                .try_fold(Quantity::ZERO, |sum, position| sum.add(position.quantity))?;
            let signed = Quantity::new(trade.quantity.get().mul_int(trade.side.sign())?);
            Ok(held.add(signed)?.abs()? > held.abs()?)
        }
        // Only a group that borrows more makes a loop larger; one that repays first shrinks it.
        Operation::Atomic(steps) => Ok(steps
            .iter()
            .any(|step| matches!(step.operation, Operation::Borrow(_)))),
        Operation::Borrow(_)
        | Operation::Swap(_)
        | Operation::Stake(_)
        | Operation::AddLiquidity(_) => Ok(true),
        _ => Ok(false),
    }
}
