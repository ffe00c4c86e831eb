//! A pool of which only prices are recorded.
//!
//! The newest bar or reading of its series is the mid; fee and impact come on top
//! ([`basis_protocols::bar_pool`]). Until the series shows its next value, a swap meets the pool
//! where our swaps before it left it; the next value finds it at rest. What moved it is part of the
//! chain's state, so a transaction that reverts has not moved it.

use basis_core::num::{Fixed18, Price, Quantity, Rate, Rounding, Value};
use basis_core::types::{Asset, Item, Label, SeriesId, SeriesKind, Side, Span, Timestamp};
use basis_market::MarketView;
use basis_protocols::bar_pool::{
    BarPool, BarPoolError, BarSwap, Displacement, FEE_DENOMINATOR, Impact, PoolBar,
};
use basis_protocols::gas::GasOperation;

use super::{Exact, Swapped, Trade};
use crate::chain::{Sync, Transaction, price_of};
use crate::refusal::Refusal;

/// What the volumes of a series are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeUnit {
    /// US dollars.
    Dollars,
    /// Units of the quote asset.
    Quote,
}

/// A pool known by a recorded price series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarModel {
    /// Quote per base: bars of a DEX pool, or readings of a liquid staking token's market rate.
    pub series: SeriesId,
    /// First asset of the pool.
    pub base: Asset,
    /// Second asset of the pool.
    pub quote: Asset,
    /// Of a million, taken from what is given.
    pub fee: u32,
    /// What the swap's own size costs.
    pub impact: Impact,
    /// What the series counts volumes in.
    pub volume: VolumeUnit,
    /// What a swap's transaction uses.
    pub gas: GasOperation,
    /// The value of the series that our swaps have moved the pool away from.
    pub moved: Option<Moved>,
}

/// What our swaps at one value of the series have done to the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    known_at: Timestamp,
    /// As the first of the swaps met it: its volume in quote units keeps that swap's price of the quote.
    bar: PoolBar,
    displacement: Displacement,
}

/// The newest value of a pool's series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolPrice {
    /// Quote per base, or units of the underlying per unit.
    pub value: Fixed18,
    /// When the series showed it.
    pub known_at: Timestamp,
    /// Volume of the newest bar as recorded; zero for a series of readings.
    volume: Quantity,
}

impl PoolPrice {
    /// What `view` shows of `series` for `pool`.
    ///
    /// # Errors
    /// A refusal naming the series when the view does not carry it, or its newest value is too old.
    pub fn of(view: &MarketView, pool: Label, series: SeriesId) -> Result<Self, Refusal> {
        if series.kind.has_bars() {
            let quote = view
                .quote_of(series)
                .ok_or_else(|| not_read(pool, series))?;
            if !quote.state.is_tradable() {
                return Err(too_old(view, series, quote.known_at));
            }
            return Ok(Self {
                value: quote.mark.get(),
                known_at: quote.known_at,
                volume: quote.volume,
            });
        }
        let slot = view.row_slot::<Fixed18>(series);
        let slot = slot.ok_or_else(|| not_read(pool, series))?;
        let Some(point) = view.point(slot) else {
            return Err(too_old(view, series, Timestamp::MIN));
        };
        if !point.state.is_tradable() {
            return Err(too_old(view, series, point.known_at));
        }
        Ok(Self {
            value: point.value,
            known_at: point.known_at,
            volume: Quantity::ZERO,
        })
    }
}

fn not_read(pool: Label, series: SeriesId) -> Refusal {
    Refusal::invalid(format!(
        "pool {pool} trades at {series}, which the run does not read; add the series to the run's data \
         or choose a pool whose series it reads"
    ))
}

/// No fresh value; `known_at` is the beginning of time when there never was one.
fn too_old(view: &MarketView, series: SeriesId, known_at: Timestamp) -> Refusal {
    let at = view.now();
    let age = if known_at == Timestamp::MIN {
        Span::ZERO
    } else {
        at.since(known_at)
    };
    Refusal::stale(series, at, age)
}

impl BarModel {
    /// What the swap gets at the newest price, moved by those before it.
    pub(super) fn swap(
        &mut self,
        name: Label,
        transaction: &Transaction<'_>,
        trade: &Trade,
    ) -> Result<Swapped, Refusal> {
        let (swap, moved) = self.deal(name, &transaction.context(), trade)?;
        self.moved = Some(moved);
        Ok(Swapped {
            amount_in: Quantity::new(swap.amount_in),
            amount_out: Quantity::new(swap.amount_out),
            gas: self.gas,
            earned: None,
        })
    }

    /// The swap at the newest price, and where it leaves the pool.
    pub(super) fn deal(
        &self,
        name: Label,
        context: &Sync<'_>,
        trade: &Trade,
    ) -> Result<(BarSwap, Moved), Refusal> {
        let mut moved = self.now(name, context)?;
        let decimals = (context.decimals(self.base)?, context.decimals(self.quote)?);
        let pool = BarPool::new(self.fee, self.impact, decimals.0, decimals.1)?;
        let side = if trade.from == 0 {
            Side::Sell
        } else {
            Side::Buy
        };
        let Moved {
            bar, displacement, ..
        } = &mut moved;
        // Minimum and maximum are the venue's to refuse, in its own words.
        let swap = match trade.exact {
            Exact::Input(amount) => pool.swap(bar, displacement, side, amount.get(), Fixed18::ZERO),
            Exact::Output(amount) => {
                pool.swap_exact_output(bar, displacement, side, amount.get(), Fixed18::MAX)
            }
        };
        let swap = swap.map_err(|e| self.refused(name, side, &e))?;
        Ok((swap, moved))
    }

    /// What a swap pays.
    pub(super) fn fee_rate(&self) -> Result<Rate, Refusal> {
        let (fee, of) = (i64::from(self.fee), i64::from(FEE_DENOMINATOR));
        Ok(Rate::new(Fixed18::from_ratio(fee, of, Rounding::Up)?))
    }

    /// The model's refusal, with the pool and its assets.
    fn refused(&self, name: Label, side: Side, e: &BarPoolError) -> Refusal {
        let BarPoolError::OutputTooLarge {
            wanted,
            amount_in,
            given,
        } = e
        else {
            return Refusal::invalid(format!("pool {name}: {e}"));
        };
        let (asset_in, asset_out) = match side {
            Side::Sell => (self.base, self.quote),
            Side::Buy => (self.quote, self.base),
        };
        let text = format!(
            "pool {name} does not give {wanted} {asset_out}: {amount_in} {asset_in} get no more than \
             {given}; take less"
        );
        Refusal::other(text, None)
    }

    /// The pool as it stands now: where our swaps left it, or at rest when the series has shown a value
    /// since.
    fn now(&self, name: Label, context: &Sync<'_>) -> Result<Moved, Refusal> {
        let shown = PoolPrice::of(context.view, name, self.series)?;
        let mid = Price::new(shown.value)?;
        if let Some(moved) = self.moved
            && (moved.known_at, moved.bar.mid) == (shown.known_at, mid)
        {
            return Ok(moved);
        }
        let volume = self.volume(context.view, shown.volume)?;
        Ok(Moved {
            known_at: shown.known_at,
            bar: PoolBar { mid, volume },
            displacement: Displacement::default(),
        })
    }

    /// The bar's volume in quote units.
    fn volume(&self, view: &MarketView, recorded: Quantity) -> Result<Value, Refusal> {
        let recorded = recorded.get();
        if !matches!(self.impact, Impact::Sqrt { .. }) || recorded.is_zero() {
            return Ok(Value::ZERO);
        }
        Ok(Value::new(match self.volume {
            VolumeUnit::Quote => recorded,
            VolumeUnit::Dollars => {
                let price = price_of(view, Item::Asset(self.quote))?;
                // Less volume is more impact.
                recorded.div(price.get(), Rounding::Floor)?
            }
        }))
    }

    /// What a reader of results has to know of it.
    pub(super) fn assumption(&self) -> String {
        let source = match self.series.kind {
            SeriesKind::StakingMarket => "readings",
            _ => "bars",
        };
        let impact = match self.impact {
            Impact::None => "no price impact".to_owned(),
            Impact::FixedBps(bps) => format!("{bps} bps of price impact"),
            Impact::ConstantProduct { depth } => {
                format!("the impact of {depth} {} on each side", self.quote)
            }
            Impact::Sqrt { impact, max } => {
                format!("{impact} bps × √(size ÷ volume of the bar) of price impact, {max} at most")
            }
        };
        let own_size = if self.impact.grows_with_size() {
            format!("own swaps move the price until the next of the {source}")
        } else {
            "own swaps do not move the price".to_owned()
        };
        format!(
            "estimated from the {source} of {}, no recorded state: fee {} of a million, {impact}; \
             {own_size}",
            self.series, self.fee
        )
    }
}
