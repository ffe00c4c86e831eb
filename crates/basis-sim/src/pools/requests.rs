//! What is asked of a pool's liquidity: whether the pool has such a form, and how much is meant.

use basis_core::error::Rejection;
use basis_core::instruction::{AmountOrAll, Withdrawal};
use basis_core::num::Quantity;
use basis_core::types::{Account, Asset, Item, Label, TickRange, Venue};
use basis_core::venue_event::Position;

use super::{Model, Moved, Pool, Scope, SimulatedDex, Stake, StatePool};
use crate::chain::Transaction;
use crate::refusal::Refusal;

impl Pool {
    /// The account that holds our positions in it.
    pub(super) fn account(&self, venue: Venue) -> Account {
        Account::new(venue, self.name)
    }

    /// Our positions, in order of their ranges.
    pub(super) fn stakes(&self) -> Result<Vec<Stake>, Refusal> {
        match &self.model {
            Model::Bars(_) => Ok(Vec::new()),
            Model::State(pool) => pool.stakes(self.name),
        }
    }

    pub(super) fn stake(&self, ticks: Option<TickRange>) -> Result<Stake, Refusal> {
        let found = self.stakes()?.into_iter().find(|s| s.ticks == ticks);
        Ok(found.unwrap_or_else(|| Stake {
            ticks,
            liquidity: Quantity::ZERO,
            units: vec![Quantity::ZERO; self.assets.len()],
            owed: Vec::new(),
        }))
    }

    /// Refuses a pool that has no state, or one that we do not move.
    pub(super) fn check_state(&self) -> Result<(), Refusal> {
        let own_size = match &self.model {
            Model::Bars(bars) => {
                return Err(Refusal::invalid(format!(
                    "pool {} is known by the prices of {} alone, which say nothing of its liquidity; give \
                     a state in the settings (model: state)",
                    self.name, bars.series
                )));
            }
            Model::State(pool) => pool.own_size(),
        };
        if own_size {
            return Ok(());
        }
        Err(Refusal::invalid(format!(
            "pool {} has own_size: false, so nothing of ours moves it and liquidity would earn nothing; \
             set own_size: true in its settings",
            self.name
        )))
    }

    /// The range in the form that the pool has positions in.
    pub(super) fn ticks(&self, ticks: Option<(i32, i32)>) -> Result<Option<TickRange>, Refusal> {
        match (self.ranged(), ticks) {
            (Some(pool), Some(ticks)) => {
                let ticks = TickRange::from(ticks);
                pool.check_range(self.name, ticks)?;
                Ok(Some(ticks))
            }
            (Some(_), None) => Err(Refusal::invalid(format!(
                "pool {} has positions between two ticks, and none are given; write \
                 \"ticks\":[lower,upper]",
                self.name
            ))),
            (None, Some((lower, upper))) => Err(Refusal::invalid(format!(
                "pool {} has no ticks, and {lower} to {upper} are given; leave `ticks` out",
                self.name
            ))),
            (None, None) => Ok(None),
        }
    }

    /// The pool, where its positions are between two ticks.
    pub(super) fn ranged(&self) -> Option<&dyn StatePool> {
        match &self.model {
            Model::State(pool) if pool.has_ranges() => Some(&**pool),
            _ => None,
        }
    }

    /// The pool's contract, with what it looks at.
    pub(super) fn opened<'a, 'b>(
        &'a mut self,
        transaction: &'a Transaction<'b>,
    ) -> Result<(&'a mut dyn StatePool, Scope<'a, 'b>), Refusal> {
        let scope = Scope {
            name: self.name,
            assets: &self.assets,
            transaction,
        };
        match &mut self.model {
            Model::State(pool) => Ok((&mut **pool, scope)),
            Model::Bars(_) => Err(unreachable(self.name)),
        }
    }

    /// Refuses another number of amounts than the pool has assets, and amounts below zero.
    pub(super) fn check_amounts(&self, what: &str, amounts: &[Quantity]) -> Result<(), Refusal> {
        if amounts.len() != self.assets.len() {
            return Err(Refusal::invalid(format!(
                "pool {} has {} assets ({}; ETH goes in as WETH), {what} has {}; give one for each, in \
                 this order",
                self.name,
                self.assets.len(),
                self.assets_text(),
                amounts.len()
            )));
        }
        for (amount, asset) in amounts.iter().zip(&self.assets) {
            if amount.is_negative() {
                return Err(Refusal::invalid(format!(
                    "pool {}: {what} of {amount} {asset} is below zero",
                    self.name
                )));
            }
        }
        Ok(())
    }

    /// How much of `stake` is to be burnt, > 0.
    pub(super) fn burnt(&self, asked: AmountOrAll, stake: &Stake) -> Result<Quantity, Refusal> {
        let held = stake.liquidity;
        let liquidity = match asked {
            AmountOrAll::Exactly(liquidity) => liquidity,
            AmountOrAll::All if held.is_positive() => held,
            AmountOrAll::All => return Err(self.nothing_held(stake.ticks)),
        };
        if !liquidity.is_positive() {
            return Err(Refusal::invalid(format!(
                "pool {}: {liquidity} is no liquidity to remove; it must be above zero, or all",
                self.name
            )));
        }
        if liquidity > held {
            return Err(more_than_held(self.name, liquidity, held));
        }
        Ok(liquidity)
    }

    /// Refuses a withdrawal that the pool has no form for, or whose numbers make no sense.
    pub(super) fn check_withdrawal(&self, withdrawal: &Withdrawal) -> Result<(), Refusal> {
        let name = self.name;
        let fields = match withdrawal {
            Withdrawal::InProportion { .. } => "",
            Withdrawal::InOneAsset { .. } => "`asset_out`",
            Withdrawal::Exactly { .. } => "`amounts` with `maximum_liquidity`",
        };
        if self.ranged().is_some() && !fields.is_empty() {
            return Err(Refusal::invalid(format!(
                "pool {name} pays a position out in both of its assets, and {fields} asks for another \
                 form; write `liquidity`, `ticks` and `minimum_out`, and swap in a step after it"
            )));
        }
        match withdrawal {
            Withdrawal::InProportion { minimum_out, .. } => {
                self.check_amounts("minimum_out", minimum_out)
            }
            Withdrawal::InOneAsset {
                asset_out,
                minimum_out,
                ..
            } => {
                self.place(*asset_out)
                    .ok_or_else(|| self.foreign(*asset_out))?;
                if minimum_out.is_negative() {
                    return Err(Refusal::invalid(format!(
                        "pool {name}: minimum_out of {minimum_out} {asset_out} is below zero"
                    )));
                }
                Ok(())
            }
            Withdrawal::Exactly {
                amounts,
                maximum_liquidity,
            } => {
                self.check_amounts("amounts", amounts)?;
                if amounts.iter().all(|amount| amount.is_zero()) {
                    return Err(Refusal::invalid(format!(
                        "pool {name}: nothing would be removed; ask for more than zero of {}",
                        self.assets_text()
                    )));
                }
                if !maximum_liquidity.is_positive() {
                    return Err(Refusal::invalid(format!(
                        "pool {name}: maximum_liquidity {maximum_liquidity} is not above zero"
                    )));
                }
                Ok(())
            }
        }
    }

    /// Takes liquidity out of the position that is `stake` so far.
    pub(super) fn withdraw(
        &mut self,
        transaction: &Transaction<'_>,
        withdrawal: &Withdrawal,
        stake: &Stake,
    ) -> Result<Moved, Refusal> {
        let liquidity = match withdrawal {
            Withdrawal::InProportion { liquidity, .. }
            | Withdrawal::InOneAsset { liquidity, .. } => self.burnt(*liquidity, stake)?,
            Withdrawal::Exactly { .. } => Quantity::ZERO,
        };
        let (pool, scope) = self.opened(transaction)?;
        pool.remove(scope, stake.ticks, liquidity, withdrawal)
    }

    /// The refusal of burning all there is when there is nothing.
    pub(super) fn nothing_held(&self, ticks: Option<TickRange>) -> Refusal {
        let what = match ticks {
            Some(ticks) => format!(
                "the liquidity from {} to {} would be removed, and we have none there; add liquidity \
                 between these ticks before, or name the ticks of a position",
                ticks.lower(),
                ticks.upper()
            ),
            None => {
                "our pool tokens would be burnt, and we hold none; add liquidity before".to_owned()
            }
        };
        Refusal::invalid(format!("pool {}: all of {what}", self.name))
    }

    pub(super) fn items(&self, ticks: Option<TickRange>) -> Vec<Item> {
        let item = |asset: &Asset| Item::Liquidity {
            asset: *asset,
            ticks,
        };
        self.assets.iter().map(item).collect()
    }

    /// Our holdings here, as the venue reports them.
    pub(super) fn positions(
        &self,
        dex: &SimulatedDex,
        positions: &mut Vec<Position>,
    ) -> Result<(), Refusal> {
        let stakes = self.stakes()?;
        if stakes.is_empty() {
            return Ok(());
        }
        let account = self.account(dex.venue);
        let mut owed = vec![Quantity::ZERO; self.assets.len()];
        for stake in &stakes {
            for (item, units) in self.items(stake.ticks).into_iter().zip(&stake.units) {
                positions.push(Position::scaled(account, item, stake.liquidity, *units));
            }
            for (sum, owed) in owed.iter_mut().zip(&stake.owed) {
                *sum = sum.add(*owed)?;
            }
        }
        for (asset, owed) in self.assets.iter().zip(owed) {
            positions.push(Position::new(account, Item::Asset(*asset), owed));
        }
        Ok(())
    }
}

/// The refusal of a form of liquidity that a pool does not have; what is asked before keeps it unseen.
#[must_use]
pub fn unreachable(name: Label) -> Refusal {
    Refusal::invalid(format!(
        "pool {name} has no liquidity positions of this form"
    ))
}

/// The pool's liquidity as an asset, for refusals.
///
/// # Errors
/// A refusal when the name of the pool is none of an asset.
pub fn token(pool: Label) -> Result<Asset, Refusal> {
    Asset::new(pool.as_str()).map_err(|e| Refusal::invalid(e.to_string()))
}

/// The refusal of burning more liquidity of `pool` than we have.
pub fn more_than_held(pool: Label, needed: Quantity, available: Quantity) -> Refusal {
    let asset = match token(pool) {
        Ok(asset) => asset,
        Err(refusal) => return refusal,
    };
    let reason = Rejection::InsufficientBalance {
        asset,
        needed,
        available,
    };
    Refusal::rejected(reason, None)
}

/// A withdrawal that pays less of `asset` than asked for.
pub fn below_minimum(asset: Asset, value: Quantity, minimum: Quantity) -> Rejection {
    Rejection::BelowMinimum {
        what: "withdrawal of liquidity".into(),
        asset,
        value,
        minimum,
    }
}
