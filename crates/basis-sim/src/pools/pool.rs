//! One pool, however its swaps are computed.

use std::collections::BTreeMap;

use basis_core::error::VenueErrorKind;
use basis_core::instruction::Swap;
use basis_core::num::Quantity;
use basis_core::types::{Asset, Label, SeriesId, TickRange, Venue};
use basis_core::venue::PoolTerms;
use basis_core::venue_event::Cursor;
use basis_protocols::gas::GasOperation;

use super::{BarModel, Earned, Scope, StatePool};
use crate::chain::{ETH, Transaction, WETH};
use crate::refusal::Refusal;

/// One pool of a venue.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Its name in the settings and in instructions.
    pub name: Label,
    /// What it exchanges, in the pool's order.
    pub assets: Vec<Asset>,
    /// How its swaps are computed.
    pub model: Model,
    /// The reading that the last report of each position of ours ended with, by range: units of its first
    /// item.
    pub reported: BTreeMap<Option<TickRange>, Cursor>,
}

/// How the swaps of a pool are computed.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "most pools are known by bars, and every transaction copies them"
)]
pub enum Model {
    /// Estimated from recorded prices.
    Bars(BarModel),
    /// The contract's own arithmetic over a given state.
    State(Box<dyn StatePool>),
}

/// A swap as a pool sees it: places of the assets in the pool's order.
#[derive(Clone, Copy, Debug)]
pub struct Trade {
    /// Given, by its place.
    pub from: usize,
    /// Taken, by its place.
    pub to: usize,
    /// What is fixed.
    pub exact: Exact,
}

/// The fixed side of a swap, > 0, in exact units of its asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exact {
    /// Given.
    Input(Quantity),
    /// Taken, all of it or nothing.
    Output(Quantity),
}

/// What a swap does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swapped {
    /// Given.
    pub amount_in: Quantity,
    /// Taken, in the other asset.
    pub amount_out: Quantity,
    /// What the transaction uses.
    pub gas: GasOperation,
    /// What of the fee went into the units of our own liquidity.
    pub earned: Option<Earned>,
}

impl Pool {
    /// The place of `asset`.
    pub(super) fn place(&self, asset: Asset) -> Option<usize> {
        self.assets.iter().position(|held| *held == asset)
    }

    /// The assets for a message.
    pub(super) fn assets_text(&self) -> String {
        let names: Vec<_> = self.assets.iter().map(Asset::as_str).collect();
        names.join(", ")
    }

    /// The places of what a swap gives and takes.
    pub(super) fn way(&self, swap: &Swap) -> Result<(usize, usize), Refusal> {
        if swap.asset_in == swap.asset_out {
            return Err(Refusal::invalid(format!(
                "pool {}: {} would be swapped for itself; the pool has {}",
                self.name,
                swap.asset_in,
                self.assets_text()
            )));
        }
        let place = |asset: Asset| self.place(asset).ok_or_else(|| self.foreign(asset));
        Ok((place(swap.asset_in)?, place(swap.asset_out)?))
    }

    pub(super) fn foreign(&self, asset: Asset) -> Refusal {
        let has_weth = self.assets.contains(&WETH);
        let hint = if asset == ETH && has_weth {
            "; pools trade WETH: wrap ETH before a swap, and unwrap WETH after it"
        } else {
            ""
        };
        Refusal::invalid(format!(
            "pool {} has {}, not {asset}{hint}",
            self.name,
            self.assets_text()
        ))
    }

    pub(super) fn swap(
        &mut self,
        transaction: &Transaction<'_>,
        trade: &Trade,
    ) -> Result<Swapped, Refusal> {
        let scope = Scope {
            name: self.name,
            assets: &self.assets,
            transaction,
        };
        match &mut self.model {
            Model::Bars(bars) => bars.swap(self.name, transaction, trade),
            Model::State(pool) => pool.swap(scope, trade),
        }
    }

    /// The series that an outside trader keeps its price at.
    pub(super) fn follows(&self) -> Option<SeriesId> {
        match &self.model {
            Model::Bars(_) => None,
            Model::State(pool) => pool.follows(),
        }
    }

    /// How it deals.
    pub(super) fn terms(&self) -> Result<PoolTerms, Refusal> {
        let fee = match &self.model {
            Model::Bars(bars) => bars.fee_rate()?,
            Model::State(pool) => pool.fee()?,
        };
        Ok(PoolTerms {
            pool: self.name,
            assets: self.assets.clone(),
            fee,
        })
    }

    /// What a reader of results has to know of it.
    pub(super) fn assumption(&self, venue: Venue) -> String {
        let own_size = match &self.model {
            Model::Bars(bars) => {
                return format!("{venue} pool {}: {}", self.name, bars.assumption());
            }
            Model::State(pool) => pool.own_size(),
        };
        match self.follows() {
            Some(series) => format!(
                "{venue} pool {}: exact over the state given in the settings; at each value of {series} \
                 one trader without costs moves it there and pays its fees",
                self.name
            ),
            None => given_state(venue, self.name, own_size),
        }
    }
}

fn given_state(venue: Venue, name: Label, own_size: bool) -> String {
    let moved = if own_size {
        "only our own swaps and liquidity move it, and for good; fees come from our own swaps alone"
    } else {
        "nothing moves it: each of our swaps meets it untouched"
    };
    format!("{venue} pool {name}: exact over the state given in the settings; {moved}")
}

/// The refusal of an exact output where the contracts know only exact inputs.
#[must_use]
pub fn no_exact_output(name: Label) -> Refusal {
    Refusal::new(VenueErrorKind::Unsupported(format!(
        "pool {name}: its contract exchanges exact inputs only; name `amount_in` and `minimum_out` \
         instead of `amount_out` and `maximum_in`"
    )))
}
