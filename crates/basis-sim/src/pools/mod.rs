//! Pools of a simulated DEX: what all of them have in common.
//!
//! A venue has pools by name. A [`Model::Bars`] pool is estimated from recorded prices ([`BarModel`]),
//! and keeps what our swaps moved it by until the next of them;
//! a [`Model::State`] computes to the unit what the venue's contract does with a state that the settings
//! give ([`StatePool`], which each DEX has its own of). Nobody else trades in a pool given by its state, so
//! its price is where our own swaps left it, unless it follows a series.
//!
//! A swap exchanges in the wallet. Pools with a state take liquidity of ours (`liquidity`); what our
//! swaps then do to it is reported with the swap. Pools of prices hold nothing of ours.
//!
//! **Invariants.** Amounts are exact units of the assets, rounded as the contract does, and in the bar
//! model always against us. A price that is stale or missing is refused, never guessed.

mod accruals;
mod bars;
mod liquidity;
mod pool;
mod requests;
mod settings;
mod state;

use basis_core::config::nearest;
use basis_core::error::Rejection;
use basis_core::instruction::{AmountOrAll, Operation, OperationKind, Swap, SwapAmounts};
use basis_core::num::Quantity;
use basis_core::types::{Label, Timestamp, Venue};
use basis_core::venue::Terms;
use basis_core::venue_event::{Events, Position};

use crate::chain::{Protocol, Sync, Transaction};
use crate::refusal::Refusal;

pub use self::bars::{BarModel, PoolPrice, VolumeUnit};
pub use self::pool::{Exact, Model, Pool, Swapped, Trade, no_exact_output};
pub use self::requests::{below_minimum, more_than_held, token, unreachable};
pub use self::settings::{Dex, PoolDefault, PoolSettings, read_list};
pub use self::state::{Earned, Followed, Moved, Scope, Stake, StatePool};

/// The venue's own texts for what stays below its minimum or goes above its maximum.
#[derive(Debug)]
pub struct RevertMessages {
    /// Of a swap.
    pub swapped: &'static str,
    /// Of a swap of an exact output; `None` where the contracts know no such swap.
    pub requested: Option<&'static str>,
    /// Of liquidity that is added.
    pub added: &'static str,
    /// Of liquidity that is removed.
    pub removed: &'static str,
}

/// The pools of one venue.
#[derive(Clone, Debug)]
pub struct SimulatedDex {
    venue: Venue,
    operations: &'static [OperationKind],
    words: &'static RevertMessages,
    pools: Vec<Pool>,
}

/// The side of `swap` that is fixed, an amount that its asset can hold; the guard of the other side is
/// no less than zero.
fn fixed_side(transaction: &Transaction<'_>, swap: &Swap) -> Result<Exact, Refusal> {
    let (exact, (what, guard, asset)) = match swap.amounts {
        SwapAmounts::ExactInput {
            amount_in,
            minimum_out,
        } => {
            let amount = transaction.of_wallet(swap.asset_in, amount_in);
            if amount_in == AmountOrAll::All && amount.is_zero() {
                return Err(nothing_held(swap));
            }
            // Refuses zero, less, and digits that the asset does not have.
            transaction.units(swap.asset_in, amount)?;
            let guard = ("minimum_out", minimum_out, swap.asset_out);
            (Exact::Input(amount), guard)
        }
        SwapAmounts::ExactOutput {
            amount_out,
            maximum_in,
        } => {
            transaction.units(swap.asset_out, amount_out)?;
            let guard = ("maximum_in", maximum_in, swap.asset_in);
            (Exact::Output(amount_out), guard)
        }
    };
    if guard.is_negative() {
        let text = format!("{what} {guard} {asset} is below zero");
        return Err(Refusal::invalid(text));
    }
    Ok(exact)
}

/// The refusal of a swap of all there is when there is nothing.
fn nothing_held(swap: &Swap) -> Refusal {
    Refusal::invalid(format!(
        "pool {}: all of the wallet's {asset} would be swapped, and it holds none; get {asset} in a step \
         before",
        swap.pool,
        asset = swap.asset_in
    ))
}

impl SimulatedDex {
    /// The pools of `venue`, sorted by name.
    pub const fn new(
        venue: Venue,
        operations: &'static [OperationKind],
        words: &'static RevertMessages,
        pools: Vec<Pool>,
    ) -> Self {
        Self {
            venue,
            operations,
            words,
            pools,
        }
    }

    fn unknown(&self, name: Label) -> Refusal {
        let names = || self.pools.iter().map(|pool| pool.name.as_str());
        let near = nearest(name.as_str(), names())
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        let names: Vec<_> = names().collect();
        Refusal::invalid(format!(
            "{} has no pool `{name}`{near} (pools: {}); name further ones under `pools` in its settings",
            self.venue,
            names.join(", ")
        ))
    }

    /// What a pool of prices would pay for so much of `swap`'s input: what a swap does but for the wallet.
    fn quote_bars(
        &self,
        (pool, bars): (&Pool, &BarModel),
        context: &Sync<'_>,
        (swap, amount): (&Swap, Quantity),
    ) -> Result<Quantity, Refusal> {
        let (from, to) = pool.way(swap)?;
        let exact = Exact::Input(amount);
        let (dealt, _) = bars.deal(pool.name, context, &Trade { from, to, exact })?;
        let swapped = Swapped {
            amount_in: Quantity::new(dealt.amount_in),
            amount_out: Quantity::new(dealt.amount_out),
            gas: bars.gas,
            earned: None,
        };
        self.words.check(swap, &swapped)?;
        Ok(swapped.amount_out)
    }

    fn swap(&mut self, transaction: &mut Transaction<'_>, swap: &Swap) -> Result<(), Refusal> {
        let at = self.place_of(swap.pool)?;
        let words = self.words;
        let Some(pool) = self.pools.get_mut(at) else {
            return Err(self.unknown(swap.pool));
        };
        let (from, to) = pool.way(swap)?;
        if matches!(swap.amounts, SwapAmounts::ExactOutput { .. }) && words.requested.is_none() {
            return Err(no_exact_output(swap.pool));
        }
        let exact = fixed_side(transaction, swap)?;
        let before = pool.stakes()?;
        let swapped = pool.swap(transaction, &Trade { from, to, exact })?;
        words.check(swap, &swapped)?;
        transaction.exchange(
            (swap.asset_in, swapped.amount_in),
            (swap.asset_out, swapped.amount_out),
        )?;
        transaction.spend_gas(swapped.gas.gas());
        self.swapped(transaction, at, &before, swapped.earned)
    }
}

impl RevertMessages {
    /// Refuses what is beyond the guard of `swap`, and an input that gets nothing.
    fn check(&self, swap: &Swap, swapped: &Swapped) -> Result<(), Refusal> {
        match swap.amounts {
            SwapAmounts::ExactInput { minimum_out, .. } if swapped.amount_out < minimum_out => {
                let reason = Rejection::BelowMinimum {
                    what: "swap output".into(),
                    asset: swap.asset_out,
                    value: swapped.amount_out,
                    minimum: minimum_out,
                };
                Err(Refusal::rejected(reason, self.swapped))
            }
            SwapAmounts::ExactOutput { maximum_in, .. } if swapped.amount_in > maximum_in => {
                let reason = Rejection::AboveMaximum {
                    what: "swap input".into(),
                    asset: swap.asset_in,
                    value: swapped.amount_in,
                    maximum: maximum_in,
                };
                Err(Refusal::rejected(reason, self.requested))
            }
            _ if !swapped.amount_out.is_positive() => Err(Refusal::invalid(format!(
                "{} {} is so little that pool {} gives no unit of {} for it",
                swapped.amount_in, swap.asset_in, swap.pool, swap.asset_out
            ))),
            _ => Ok(()),
        }
    }
}

impl Protocol for SimulatedDex {
    fn venue(&self) -> Venue {
        self.venue
    }

    fn snapshot(&self) -> Box<dyn Protocol> {
        Box::new(self.clone())
    }

    fn sync(&mut self, context: &Sync<'_>, events: &mut Events) -> Result<(), Refusal> {
        self.follow(context, events)
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        self.is_moved().then_some(Timestamp::MIN)
    }

    fn execute(
        &mut self,
        transaction: &mut Transaction<'_>,
        operation: &Operation,
    ) -> Result<(), Refusal> {
        let kind = operation.kind();
        match operation {
            Operation::Swap(ask) => self.swap(transaction, ask),
            Operation::AddLiquidity(ask) => self.add_liquidity(transaction, ask),
            Operation::RemoveLiquidity(ask) => self.remove_liquidity(transaction, ask),
            Operation::CollectFees(ask) if self.operations.contains(&kind) => {
                self.collect_fees(transaction, ask)
            }
            _ => Err(Refusal::unsupported(self.venue, kind, self.operations)),
        }
    }

    fn positions(&self, positions: &mut Vec<Position>) -> Result<(), Refusal> {
        let mut pools = self.pools.iter();
        pools.try_for_each(|pool| pool.positions(self, positions))
    }

    fn terms(&self, _: &Sync<'_>) -> Result<Terms, Refusal> {
        let pools = self
            .pools
            .iter()
            .map(Pool::terms)
            .collect::<Result<_, _>>()?;
        Ok(Terms {
            pools,
            ..Terms::default()
        })
    }

    fn quote(&self, context: &Sync<'_>, swap: &Swap) -> Option<Result<Quantity, Refusal>> {
        let pool = self.pools.get(self.place_of(swap.pool).ok()?)?;
        let Model::Bars(bars) = &pool.model else {
            return None;
        };
        let SwapAmounts::ExactInput {
            amount_in: AmountOrAll::Exactly(amount),
            ..
        } = swap.amounts
        else {
            return None;
        };
        Some(self.quote_bars((pool, bars), context, (swap, amount)))
    }

    fn accepts(&self, operation: &Operation) -> bool {
        let name = match operation {
            Operation::Swap(ask) => ask.pool,
            Operation::AddLiquidity(ask) => ask.pool,
            Operation::RemoveLiquidity(ask) => ask.pool,
            Operation::CollectFees(ask) => ask.pool,
            _ => return false,
        };
        let named = self.pools.iter().find(|pool| pool.name == name);
        named.is_some_and(|pool| match operation {
            Operation::Swap(swap) => pool.way(swap).is_ok(),
            other => {
                self.operations.contains(&other.kind()) && !matches!(pool.model, Model::Bars(_))
            }
        })
    }

    fn assumptions(&self) -> Vec<String> {
        let pools = self.pools.iter();
        pools.map(|pool| pool.assumption(self.venue)).collect()
    }
}
