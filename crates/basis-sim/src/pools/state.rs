//! A pool over a given state, as the venue that has the contract implements it.

use std::fmt;

use basis_core::instruction::Withdrawal;
use basis_core::num::{Quantity, Rate};
use basis_core::types::{Asset, Label, SeriesId, TickRange};

use super::{Swapped, Trade};
use crate::chain::{Sync, Transaction};
use crate::refusal::Refusal;

/// A position of ours, as its pool has it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stake {
    /// Its range, where positions have one.
    pub ticks: Option<TickRange>,
    /// The contract's integer ÷ 10^18, or pool tokens.
    pub liquidity: Quantity,
    /// What burning all of it would pay, in the pool's order.
    pub units: Vec<Quantity>,
    /// Fees to collect, in the pool's order; empty where fees are not collected.
    pub owed: Vec<Quantity>,
}

/// What an operation moved on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Liquidity or pool tokens, > 0.
    pub liquidity: Quantity,
    /// Units of each asset, in the pool's order.
    pub amounts: Vec<Quantity>,
    /// Gas of the transaction.
    pub gas: u64,
}

/// What a pool's own code looks at.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a, 'b> {
    /// The pool's name.
    pub name: Label,
    /// Its assets, in its order.
    pub assets: &'a [Asset],
    /// Decimals and market data.
    pub transaction: &'a Transaction<'b>,
}

/// What of a fee went into the units of our own liquidity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earned {
    /// The asset, by its place in the pool.
    pub place: usize,
    /// Units of it.
    pub units: Quantity,
}

/// What a pool did that went to the newest value of the series it follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// What of the outside trader's fee went to us at once; fees that are collected are none.
    pub earned: Option<Earned>,
}

/// A pool's contract with our position in it: what it does, to the unit, over the state that the
/// settings give.
///
/// A refused operation leaves the pool as it was, or the chain puts it back.
pub trait StatePool: Send + std::marker::Sync + fmt::Debug {
    /// A copy of the whole state, to put back when a transaction reverts.
    fn snapshot(&self) -> Box<dyn StatePool>;

    /// Whether what we do moves the pool for good.
    fn own_size(&self) -> bool;

    /// The series that an outside trader keeps its price at.
    fn follows(&self) -> Option<SeriesId>;

    /// Whether the pool has to go along with the series it follows though nobody asks anything of it.
    fn is_moved(&self) -> bool;

    /// What a swap pays, a fraction of what is given.
    ///
    /// # Errors
    /// A refusal when the fraction leaves the range.
    fn fee(&self) -> Result<Rate, Refusal>;

    /// Swaps.
    ///
    /// # Errors
    /// A refusal in the contract's words.
    fn swap(&mut self, scope: Scope<'_, '_>, trade: &Trade) -> Result<Swapped, Refusal>;

    /// Moves the pool to the newest value of the series that it follows, as a trader would who pays its
    /// fees; `None` when there is none that is new. Without a fresh value it stays, and whoever asks
    /// something of it is refused.
    ///
    /// # Errors
    /// A refusal when the state does not reach the price.
    fn follow(
        &mut self,
        name: Label,
        assets: &[Asset],
        context: &Sync<'_>,
    ) -> Result<Option<Followed>, Refusal>;

    /// Our positions, in order of their ranges.
    ///
    /// # Errors
    /// A refusal when an amount leaves the range.
    fn stakes(&self, name: Label) -> Result<Vec<Stake>, Refusal>;

    /// Whether positions are between two ticks.
    fn has_ranges(&self) -> bool;

    /// Refuses a range that the contract knows no positions in. Asked only where there are ranges.
    ///
    /// # Errors
    /// The refusal.
    fn check_range(&self, name: Label, ticks: TickRange) -> Result<(), Refusal>;

    /// Adds liquidity for at most `amounts`, in the range where there are ranges.
    ///
    /// # Errors
    /// A refusal in the contract's words.
    fn add(
        &mut self,
        scope: Scope<'_, '_>,
        ticks: Option<TickRange>,
        amounts: &[Quantity],
    ) -> Result<Moved, Refusal>;

    /// Takes liquidity out as `withdrawal` asks, `liquidity` of it where that is given in liquidity.
    ///
    /// # Errors
    /// A refusal in the contract's words.
    fn remove(
        &mut self,
        scope: Scope<'_, '_>,
        ticks: Option<TickRange>,
        liquidity: Quantity,
        withdrawal: &Withdrawal,
    ) -> Result<Moved, Refusal>;

    /// Pays out the fees of a position: amounts in the pool's order, and the gas.
    ///
    /// # Errors
    /// A refusal in the contract's words, and where fees are not collected.
    fn collect(
        &mut self,
        scope: Scope<'_, '_>,
        ticks: Option<TickRange>,
    ) -> Result<(Vec<Quantity>, u64), Refusal>;
}

impl Clone for Box<dyn StatePool> {
    fn clone(&self) -> Self {
        (**self).snapshot()
    }
}
