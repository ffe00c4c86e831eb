//! Reserves and their recorded rows: which there are, and how they follow what was recorded.

use basis_core::num::uint256::{amount_of, mul_div_floor, units_of};
use basis_core::num::{Fixed18, Quantity, Rounding, U256};
use basis_core::types::{Asset, SeriesId, SeriesKind, Span, Symbol, Timestamp};
use basis_core::venue_event::Cursor;
use basis_market::{MarketView, OracleError, OracleQuote, PriceState, ReserveRow};
use basis_protocols::aave_v3::math::{compounded_interest, linear_interest, ray_mul};
use basis_protocols::aave_v3::{Rates, RecordedReserve, ReserveId, Seconds};
use basis_sim::chain::Sync;
use basis_sim::lending::wrap_first;
use basis_sim::refusal::Refusal;

use super::balances::CachedBalance;
use super::curve::{Kink, rates_with};
use super::{AAVE, Aave, Side, US, seconds};
use crate::aave::errors::refused;

/// One reserve of the run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ReserveState {
    pub(super) asset: Asset,
    pub(super) series: SeriesId,
    /// From the first row on.
    pub(super) listed: Option<Listed>,
    /// At the last sync.
    pub(super) oracle: Result<OracleQuote, OracleError>,
}

/// A reserve that has shown a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listed {
    pub(super) id: ReserveId,
    pub(super) decimals: u32,
    /// One whole token in base units.
    pub(super) unit: U256,
    pub(super) kink: Kink,
    /// The newest row, and when it became known.
    pub(super) row: RecordedReserve,
    pub(super) known_at: Timestamp,
    /// Whether it was fresh at the last sync, and its age then.
    pub(super) state: PriceState,
    pub(super) age: Span,
    /// What the reports say our scaled units stand for, and since when.
    pub(super) supplied: Cursor,
    pub(super) owed: Cursor,
    /// Of the sides that held something at the last sync: a step asks for balances many times.
    pub(super) cached: [Option<CachedBalance>; 2],
}

impl ReserveState {
    pub(super) fn listed(&self) -> Result<&Listed, Refusal> {
        self.listed.as_ref().ok_or_else(|| {
            let series = self.series;
            Refusal::invalid(format!(
                "{series} has no row yet, so the reserve does not exist"
            ))
        })
    }

    pub(super) fn is_held(&self) -> bool {
        let held =
            |listed: &Listed| !listed.supplied.amount.is_zero() || !listed.owed.amount.is_zero();
        self.listed.as_ref().is_some_and(held)
    }
}

impl Listed {
    pub(super) fn units(&self, units: U256) -> Result<Quantity, Refusal> {
        let amount = amount_of(units, self.decimals, Rounding::Down)?;
        Ok(Quantity::new(amount))
    }

    /// The reading of a side that the last report ended with.
    pub(super) const fn booked(&self, side: Side) -> Cursor {
        match side {
            Side::Supply => self.supplied,
            Side::Debt => self.owed,
        }
    }
}

impl Aave {
    /// The reserve of `asset`, open for operations.
    ///
    /// # Errors
    /// A refusal for ether, an asset without reserve, or a row that is too old.
    pub(super) fn open(
        &self,
        asset: Asset,
        now: Timestamp,
    ) -> Result<(usize, &ReserveState), Refusal> {
        wrap_first(asset, AAVE)?;
        let Some((at, cell)) = self.reserve_of(asset) else {
            let names: Vec<_> = self
                .reserves
                .iter()
                .map(|cell| cell.asset.as_str())
                .collect();
            let series = reserve_series(asset).map_or_else(String::new, |id| id.to_string());
            return Err(Refusal::invalid(format!(
                "{asset} is no reserve of this run, which needs {series} and risk parameters \
                 (reserves: {})",
                names.join(", ")
            )));
        };
        let listed = cell.listed()?;
        if !listed.state.is_tradable() {
            return Err(Refusal::stale(cell.series, now, listed.age));
        }
        Ok((at, cell))
    }

    /// Brings every reserve and price to the view.
    pub(super) fn catch_up(&mut self, context: &Sync<'_>) -> Result<(), Refusal> {
        let view = context.view;
        let now = seconds(view.now())?;
        if self.reserves.is_empty() {
            self.find_reserves(view)?;
        }
        for at in 0..self.reserves.len() {
            self.catch_up_rows(at, context)?;
            self.refresh_price(at, view)?;
            self.note_indices(at, now)?;
        }
        Ok(())
    }

    /// The reserves of the settings, else all that the view carries.
    fn find_reserves(&mut self, view: &MarketView) -> Result<(), Refusal> {
        let table = view.risk_parameters();
        let mut assets = self.settings.assets.clone();
        if assets.is_empty() {
            assets = table.iter().map(|row| row.asset).collect();
            assets.retain(|asset| {
                let id = reserve_series(*asset);
                id.is_some_and(|id| view.row_slot::<ReserveRow>(id).is_some())
            });
        }
        for asset in assets {
            let series = reserve_series(asset);
            let series = series.filter(|id| view.row_slot::<ReserveRow>(*id).is_some());
            let Some(series) = series else {
                return Err(Refusal::invalid(format!(
                    "the settings name the reserve {asset}, but the run reads no \
                     aave_reserve.{AAVE}.{asset}; add the series or take it from `assets`"
                )));
            };
            self.reserves.push(ReserveState {
                asset,
                series,
                listed: None,
                oracle: Err(OracleError::Unvalued(asset)),
            });
        }
        Ok(())
    }

    fn refresh_price(&mut self, at: usize, view: &MarketView) -> Result<(), Refusal> {
        let Some(cell) = self.reserves.get_mut(at) else {
            return Ok(());
        };
        cell.oracle = view.aave_oracle(cell.asset);
        if let Some(listed) = &cell.listed {
            let price = match &cell.oracle {
                Ok(quote) => quote.base_units()?,
                Err(_) => U256::ZERO,
            };
            self.market.set_price(listed.id, price).map_err(refused)?;
        }
        Ok(())
    }

    /// Takes in every row that became known since the last sync.
    fn catch_up_rows(&mut self, at: usize, context: &Sync<'_>) -> Result<(), Refusal> {
        let view = context.view;
        let Some(cell) = self.reserves.get(at) else {
            return Ok(());
        };
        let Some(slot) = view.row_slot::<ReserveRow>(cell.series) else {
            return Ok(());
        };
        let Some(newest) = view.reserve(slot) else {
            return Ok(());
        };
        let held = cell.is_held();
        match cell.listed.as_ref().map(|listed| listed.known_at) {
            None => self.list(at, context, newest.known_at, newest.row)?,
            Some(known_at) if known_at == newest.known_at => {}
            Some(_) if !held => self.snap(at, newest.known_at, newest.row)?,
            Some(known_at) => {
                for (row_at, row) in view.between(slot, known_at, view.now()) {
                    self.snap(at, row_at, row)?;
                }
            }
        }
        if let Some(listed) = self.listed_mut(at) {
            listed.state = newest.state;
            listed.age = newest.age;
        }
        Ok(())
    }

    pub(super) fn listed_mut(&mut self, at: usize) -> Option<&mut Listed> {
        self.reserves.get_mut(at)?.listed.as_mut()
    }

    /// Sets the reserve to a row.
    fn snap(&mut self, at: usize, known_at: Timestamp, row: &ReserveRow) -> Result<(), Refusal> {
        let own_size = self.settings.own_size;
        let Some(listed) = self.listed_mut(at) else {
            return Ok(());
        };
        let (id, before) = (listed.id, listed.row);
        let row = recorded(row, known_at, listed.decimals)?;
        listed.row = row;
        listed.known_at = known_at;
        let mut next = row;
        if own_size {
            let position = *self.market.position(US, id).map_err(refused)?;
            if position.scaled_supply != 0 {
                let own = self.market.normalized_income_ray(id, row.at);
                let grown = linear_interest(
                    before.rates.liquidity_rate_ray,
                    row.at.saturating_sub(before.at),
                );
                let predicted = ray_mul(grown, U256::from(before.liquidity_index_ray));
                next.liquidity_index_ray = keep_ratio(
                    own.map_err(refused)?,
                    row.liquidity_index_ray,
                    predicted.map_err(refused)?,
                )?;
            }
            if position.scaled_debt != 0 {
                let own = self.market.normalized_debt_ray(id, row.at);
                let grown = compounded_interest(
                    before.rates.variable_borrow_rate_ray,
                    row.at.saturating_sub(before.at),
                );
                let index = U256::from(before.variable_borrow_index_ray);
                let predicted = ray_mul(grown.map_err(refused)?, index);
                next.variable_borrow_index_ray = keep_ratio(
                    own.map_err(refused)?,
                    row.variable_borrow_index_ray,
                    predicted.map_err(refused)?,
                )?;
            }
        }
        self.place(id, next)?;
        self.move_rates(at, row.at)
    }

    /// Puts `row` into the market under the price it has.
    fn place(&mut self, id: ReserveId, row: RecordedReserve) -> Result<(), Refusal> {
        let price_base = self.market.reserve(id).map_err(refused)?.state().price_base;
        let row = RecordedReserve { price_base, ..row };
        self.market.snap(id, &row).map_err(refused)?;
        match self.lent.filter(|loan| loan.reserve == id) {
            Some(loan) => self.market.resume_flash_loan(&loan).map_err(refused),
            None => Ok(()),
        }
    }

    /// The reserve at `now`: its newest row with both indices grown to then.
    pub(super) fn indices(&self, at: usize, now: Seconds) -> Result<RecordedReserve, Refusal> {
        let cell = self.reserves.get(at).ok_or_else(|| missing(at))?;
        let listed = cell.listed()?;
        let liquidity = self.market.normalized_income_ray(listed.id, now);
        let borrow = self.market.normalized_debt_ray(listed.id, now);
        Ok(RecordedReserve {
            at: now,
            liquidity_index_ray: liquidity.map_err(refused)?.saturating_to(),
            variable_borrow_index_ray: borrow.map_err(refused)?.saturating_to(),
            ..listed.row
        })
    }

    /// Puts the reserve back to `indices`.
    pub(super) fn keep_indices(
        &mut self,
        at: usize,
        indices: RecordedReserve,
    ) -> Result<(), Refusal> {
        let cell = self.reserves.get(at).ok_or_else(|| missing(at))?;
        let id = cell.listed()?.id;
        self.place(id, indices)
    }

    /// Lets our own supply and debt move the rates from `now` on.
    pub(super) fn move_rates(&mut self, at: usize, now: Seconds) -> Result<(), Refusal> {
        let Some(listed) = self.reserves.get(at).and_then(|cell| cell.listed.as_ref()) else {
            return Ok(());
        };
        if !self.settings.own_size {
            return Ok(());
        }
        let (id, row, kink) = (listed.id, listed.row, listed.kink);
        let market = &self.market;
        let own = market.supply_balance(US, id, now).map_err(refused)?;
        let debt = market.debt_balance(US, id, now).map_err(refused)?;
        let rates = rates_with(&row, kink, self.settings.version, (own, debt)).map_err(refused)?;
        let moved = RecordedReserve {
            rates,
            ..self.indices(at, now)?
        };
        self.place(id, moved)
    }
}

pub(super) fn missing(at: usize) -> Refusal {
    Refusal::invalid(format!("{AAVE} has no reserve {at}"))
}

/// The recorded rows of the reserve of `asset`.
fn reserve_series(asset: Asset) -> Option<SeriesId> {
    let symbol = Symbol::new(asset.as_str()).ok()?;
    Some(SeriesId::new(SeriesKind::AaveReserve, AAVE, symbol))
}

/// A row in base units; its price is left out.
pub(super) fn recorded(
    row: &ReserveRow,
    at: Timestamp,
    decimals: u32,
) -> Result<RecordedReserve, Refusal> {
    let units = |amount: Fixed18| units_of(amount, decimals, Rounding::Down);
    Ok(RecordedReserve {
        at: seconds(at)?,
        liquidity_index_ray: row.liquidity_index_ray,
        variable_borrow_index_ray: row.variable_borrow_index_ray,
        rates: Rates {
            liquidity_rate_ray: row.liquidity_rate_ray,
            variable_borrow_rate_ray: row.variable_borrow_rate_ray,
        },
        total_supplied: units(row.total_supplied)?,
        total_debt: units(row.total_variable_debt)?,
        price_base: U256::ZERO,
    })
}

/// `own` × recorded ÷ predicted: our index moves by what the recorded one did beyond its rate.
fn keep_ratio(own: U256, recorded: u128, predicted: U256) -> Result<u128, Refusal> {
    let kept = mul_div_floor(own, U256::from(recorded), predicted)?;
    Ok(kept.saturating_to())
}
