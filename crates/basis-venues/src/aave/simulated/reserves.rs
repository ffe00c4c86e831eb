//! Reserves and their recorded rows: listing, catching up, interest.

use basis_core::ledger::EntryKind;
use basis_core::num::uint256::{amount_of, mul_div_floor, units_of};
use basis_core::num::{Fixed18, Quantity, Rate, Rounding, U256};
use basis_core::types::{Asset, Label, SeriesId, SeriesKind, Span, Symbol, Timestamp};
use basis_core::venue::EModeTerms;
use basis_core::venue_event::{BalanceChange, Cursor, Events};
use basis_market::{
    AaveRiskParameters, MarketView, OracleError, OracleQuote, PriceState, ReserveRow,
};
use basis_protocols::aave_v3::math::{
    PERCENTAGE_FACTOR, compounded_interest, linear_interest, ray_mul,
};
use basis_protocols::aave_v3::{
    EModeCategory, RateStrategy, Rates, RecordedReserve, ReserveConfig, ReserveId, Seconds,
};
use basis_sim::chain::{Changes, Sync};
use basis_sim::lending::{accrual, wrap_first};
use basis_sim::refusal::Refusal;

use super::curve::{Kink, rates_with};
use super::{AAVE, ACCOUNT, Aave, Side, US, seconds};
use crate::aave::errors::refused;

/// Decimals of a ray and of a basis point.
const RAY_DECIMALS: u32 = 27;
const BPS_DECIMALS: u32 = 4;

/// One reserve of the run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    pub(super) asset: Asset,
    pub(super) series: SeriesId,
    /// From the first row on.
    listed: Option<Listed>,
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
    kink: Kink,
    /// The newest row, and when it became known.
    row: RecordedReserve,
    known_at: Timestamp,
    /// Whether it was fresh at the last sync, and its age then.
    state: PriceState,
    age: Span,
    /// What the reports say our scaled units stand for, and since when.
    supplied: Cursor,
    owed: Cursor,
    /// Of the sides that held something at the last sync: a step asks for balances many times.
    noted: [Option<Noted>; 2],
}

/// What a balance comes to at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Noted {
    at: Seconds,
    /// The index, a ray. An operation leaves that of its instant as it is, but for the premium of a flash
    /// loan.
    index: U256,
    /// Our scaled units, and what they are at the index, in base units.
    scaled: u128,
    units: U256,
}

impl Cell {
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
    const fn booked(&self, side: Side) -> Cursor {
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
    pub(super) fn open(&self, asset: Asset, now: Timestamp) -> Result<(usize, &Cell), Refusal> {
        wrap_first(asset, AAVE)?;
        let Some((at, cell)) = self.cell_of(asset) else {
            let names: Vec<_> = self.cells.iter().map(|cell| cell.asset.as_str()).collect();
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
        if self.cells.is_empty() {
            self.find_reserves(view)?;
        }
        for at in 0..self.cells.len() {
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
            self.cells.push(Cell {
                asset,
                series,
                listed: None,
                oracle: Err(OracleError::Unvalued(asset)),
            });
        }
        Ok(())
    }

    fn refresh_price(&mut self, at: usize, view: &MarketView) -> Result<(), Refusal> {
        let Some(cell) = self.cells.get_mut(at) else {
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
        let Some(cell) = self.cells.get(at) else {
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
        self.cells.get_mut(at)?.listed.as_mut()
    }

    /// Lists the reserve in the state of its first row.
    fn list(
        &mut self,
        at: usize,
        context: &Sync<'_>,
        known_at: Timestamp,
        row: &ReserveRow,
    ) -> Result<(), Refusal> {
        let Some(asset) = self.cells.get(at).map(|cell| cell.asset) else {
            return Ok(());
        };
        let table = context.view.risk_parameters();
        let risk = table.iter().find(|row| row.asset == asset);
        let risk = risk.ok_or_else(|| {
            Refusal::invalid(format!(
                "{asset} has no risk parameters; add its row to aave/risk_parameters.csv"
            ))
        })?;
        let decimals = context.decimals(asset)?;
        let kink = Kink {
            optimal_ray: scale(risk.optimal_utilization, RAY_DECIMALS)?.saturating_to(),
            slope2_ray: scale(self.settings.slope2_of(asset), RAY_DECIMALS)?.saturating_to(),
        };
        let config = self.config(risk, table, decimals, kink)?;
        let row = recorded(row, known_at, decimals)?;
        let id = self.market.add_recorded_reserve(config, &row);
        let id = id.map_err(refused)?;
        let unread = Cursor {
            at: known_at,
            amount: Quantity::ZERO,
        };
        if let Some(cell) = self.cells.get_mut(at) {
            cell.listed = Some(Listed {
                id,
                decimals,
                unit: U256::from(10_u64).pow(U256::from(decimals)),
                kink,
                row,
                known_at,
                state: PriceState::Fresh,
                age: Span::ZERO,
                supplied: unread,
                owed: unread,
                noted: [None; 2],
            });
        }
        self.set_e_modes(table)
    }

    fn config(
        &self,
        risk: &AaveRiskParameters,
        table: &[AaveRiskParameters],
        decimals: u32,
        kink: Kink,
    ) -> Result<ReserveConfig, Refusal> {
        let strategy = RateStrategy::from_ray(kink.optimal_ray, 0, 0, kink.slope2_ray);
        let decimals = u8::try_from(decimals).unwrap_or(u8::MAX);
        let (supply_cap, borrow_cap) = self.settings.caps_of(risk.asset);
        let category = risk.emode.as_ref().map(|mode| mode.category);
        // The treasury's part is in the recorded totals, so that the reserve factor stays zero here.
        Ok(ReserveConfig {
            ltv_bps: bps(risk.ltv)?,
            liquidation_threshold_bps: bps(risk.liquidation_threshold)?,
            liquidation_bonus_bps: bonus(risk.liquidation_threshold, risk.liquidation_bonus)?,
            liquidation_protocol_fee_bps: self.settings.liquidation_protocol_fee_bps,
            supply_cap,
            borrow_cap,
            e_mode_category: category.map_or(0, |name| number_of(table, name)),
            ..ReserveConfig::new(decimals, strategy.map_err(refused)?)
        })
    }

    /// Makes the categories of the risk table, numbered from 1 in its order, of what is listed.
    fn set_e_modes(&mut self, table: &[AaveRiskParameters]) -> Result<(), Refusal> {
        for risk in table {
            let Some(mode) = &risk.emode else { continue };
            let mut members = 0_u128;
            for cell in &self.cells {
                let terms = table.iter().find(|row| row.asset == cell.asset);
                let same = terms.and_then(|row| row.emode.as_ref());
                let same = same.is_some_and(|other| other.category == mode.category);
                if let (true, Some(listed)) = (same, &cell.listed) {
                    members |= 1_u128.unbounded_shl(listed.id.0.into());
                }
            }
            let category = EModeCategory {
                ltv_bps: bps(mode.ltv)?,
                liquidation_threshold_bps: bps(mode.liquidation_threshold)?,
                liquidation_bonus_bps: bonus(mode.liquidation_threshold, mode.liquidation_bonus)?,
                collateral: members,
                borrowable: members,
            };
            let number = number_of(table, mode.category);
            let set = self.market.set_e_mode_category(number, category);
            set.map_err(refused)?;
        }
        Ok(())
    }

    /// The efficiency modes with the reserves of the run in them, by number.
    pub(super) fn e_modes(&self, table: &[AaveRiskParameters]) -> Vec<EModeTerms> {
        let mut modes: Vec<EModeTerms> = Vec::new();
        for row in table {
            let Some(mode) = &row.emode else { continue };
            let category = number_of(table, mode.category);
            if self.cell_of(row.asset).is_none() {
                continue;
            }
            match modes.iter_mut().find(|known| known.category == category) {
                Some(known) => known.assets.push(row.asset),
                None => modes.push(EModeTerms {
                    category,
                    assets: vec![row.asset],
                }),
            }
        }
        modes
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
        let cell = self.cells.get(at).ok_or_else(|| missing(at))?;
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
        let cell = self.cells.get(at).ok_or_else(|| missing(at))?;
        let id = cell.listed()?.id;
        self.place(id, indices)
    }

    /// Lets our own supply and debt move the rates from `now` on.
    pub(super) fn move_rates(&mut self, at: usize, now: Seconds) -> Result<(), Refusal> {
        let Some(listed) = self.cells.get(at).and_then(|cell| cell.listed.as_ref()) else {
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

    /// Our scaled units of a side.
    pub(super) fn scaled(&self, cell: &Cell, side: Side) -> Result<Quantity, Refusal> {
        let Some(listed) = &cell.listed else {
            return Ok(Quantity::ZERO);
        };
        let scaled = self.scaled_units(listed.id, side)?;
        listed.units(U256::from(scaled))
    }

    /// What they stand for at the last sync.
    pub(super) fn balance(&self, cell: &Cell, side: Side) -> Result<Quantity, Refusal> {
        let (Some(listed), Some(synced_at)) = (&cell.listed, self.synced_at) else {
            return Ok(Quantity::ZERO);
        };
        let units = self.balance_units(listed, side, seconds(synced_at)?)?;
        if units.is_zero() {
            return Ok(Quantity::ZERO);
        }
        listed.units(units)
    }

    /// The same in base units of the asset.
    pub(super) fn balance_units(
        &self,
        listed: &Listed,
        side: Side,
        now: Seconds,
    ) -> Result<U256, Refusal> {
        let scaled = self.scaled_units(listed.id, side)?;
        if scaled == 0 {
            return Ok(U256::ZERO);
        }
        let [supply, debt] = &listed.noted;
        let noted = match side {
            Side::Supply => supply,
            Side::Debt => debt,
        };
        let units = match noted {
            Some(noted) if noted.at == now && noted.scaled == scaled => noted.units,
            Some(noted) if noted.at == now => at_index(scaled, noted.index)?,
            _ => at_index(scaled, self.index(listed.id, side, now)?)?,
        };
        debug_assert_eq!(
            Ok(units),
            self.index(listed.id, side, now)
                .and_then(|index| at_index(scaled, index))
                .map_err(drop)
        );
        Ok(units)
    }

    fn scaled_units(&self, id: ReserveId, side: Side) -> Result<u128, Refusal> {
        let position = self.market.position(US, id).map_err(refused)?;
        Ok(match side {
            Side::Supply => position.scaled_supply,
            Side::Debt => position.scaled_debt,
        })
    }

    fn index(&self, id: ReserveId, side: Side, now: Seconds) -> Result<U256, Refusal> {
        let index = match side {
            Side::Supply => self.market.normalized_income_ray(id, now),
            Side::Debt => self.market.normalized_debt_ray(id, now),
        };
        index.map_err(refused)
    }

    /// Notes the indices of what is held.
    pub(super) fn note_indices(&mut self, at: usize, now: Seconds) -> Result<(), Refusal> {
        let Some(listed) = self.cells.get(at).and_then(|cell| cell.listed.as_ref()) else {
            return Ok(());
        };
        let id = listed.id;
        let mut both = [None; 2];
        for (noted, side) in both.iter_mut().zip([Side::Supply, Side::Debt]) {
            let scaled = self.scaled_units(id, side)?;
            if scaled != 0 {
                let index = self.index(id, side, now)?;
                *noted = Some(Noted {
                    at: now,
                    index,
                    scaled,
                    units: at_index(scaled, index)?,
                });
            }
        }
        if let Some(listed) = self.listed_mut(at) {
            listed.noted = both;
        }
        Ok(())
    }

    /// Takes note that the reports now say what a side stands for, an operation's `moved` among them; by
    /// how much they did not.
    pub(super) fn settle(
        &mut self,
        at: usize,
        side: Side,
        moved: Quantity,
    ) -> Result<Quantity, Refusal> {
        let Some(cell) = self.cells.get(at) else {
            return Ok(Quantity::ZERO);
        };
        let after = self.balance(cell, side)?;
        let booked = cell.listed()?.booked(side);
        let remainder = after.sub(booked.amount)?.sub(moved)?;
        if moved.is_zero() && remainder.is_zero() {
            return Ok(remainder);
        }
        let reading = Cursor {
            at: self.synced_at.unwrap_or(booked.at),
            amount: after,
        };
        if let Some(listed) = self.listed_mut(at) {
            match side {
                Side::Supply => listed.supplied = reading,
                Side::Debt => listed.owed = reading,
            }
        }
        Ok(remainder)
    }

    /// Reports the interest since the last reports, an event for each balance.
    pub(super) fn accrue(&mut self, events: &mut Events) -> Result<(), Refusal> {
        for at in 0..self.cells.len() {
            let Some(cell) = self.cells.get(at).filter(|cell| cell.is_held()) else {
                continue;
            };
            let asset = cell.asset;
            for side in [Side::Supply, Side::Debt] {
                let before = self.reading(at, side)?;
                let grown = self.settle(at, side, Quantity::ZERO)?;
                if grown.is_zero() {
                    continue;
                }
                let place = (ACCOUNT, side.item(asset));
                let change = BalanceChange::scaled(side.interest(), place, Quantity::ZERO, grown);
                events.push(accrual(AAVE, change, (before, self.reading(at, side)?)));
            }
        }
        Ok(())
    }

    /// The reading of a side that the last report ended with.
    fn reading(&self, at: usize, side: Side) -> Result<Cursor, Refusal> {
        let cell = self.cells.get(at).ok_or_else(|| missing(at))?;
        Ok(cell.listed()?.booked(side))
    }

    /// Adds interest, where there is any.
    pub(super) fn book_remainder(
        &self,
        changes: &mut impl Changes,
        at: usize,
        side: Side,
        grown: Quantity,
    ) -> Result<(), Refusal> {
        let Some(cell) = self.cells.get(at).filter(|_| !grown.is_zero()) else {
            return Ok(());
        };
        let place = (ACCOUNT, side.item(cell.asset));
        changes.book(side.interest(), place, Quantity::ZERO, grown)
    }
}

impl Side {
    /// What interest of this side is called.
    pub(super) const fn interest(self) -> EntryKind {
        match self {
            Self::Supply => EntryKind::Interest,
            Self::Debt => EntryKind::BorrowCost,
        }
    }
}

/// What scaled units stand for at an index.
fn at_index(scaled: u128, index: U256) -> Result<U256, Refusal> {
    ray_mul(U256::from(scaled), index).map_err(refused)
}

fn missing(at: usize) -> Refusal {
    Refusal::invalid(format!("{AAVE} has no reserve {at}"))
}

/// The recorded rows of the reserve of `asset`.
fn reserve_series(asset: Asset) -> Option<SeriesId> {
    let symbol = Symbol::new(asset.as_str()).ok()?;
    Some(SeriesId::new(SeriesKind::AaveReserve, AAVE, symbol))
}

/// A row in base units; its price is left out.
fn recorded(row: &ReserveRow, at: Timestamp, decimals: u32) -> Result<RecordedReserve, Refusal> {
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

/// The number of an e-mode category: its place in the risk table, from 1.
fn number_of(table: &[AaveRiskParameters], name: Label) -> u8 {
    let mut seen: Vec<Label> = Vec::new();
    for mode in table.iter().filter_map(|row| row.emode.as_ref()) {
        if !seen.contains(&mode.category) {
            seen.push(mode.category);
        }
    }
    let place = seen.iter().position(|known| *known == name);
    place.map_or(0, |at| u8::try_from(at + 1).unwrap_or(u8::MAX))
}

fn scale(rate: Rate, decimals: u32) -> Result<U256, Refusal> {
    Ok(units_of(rate.get(), decimals, Rounding::HalfEven)?)
}

fn bps(rate: Rate) -> Result<u16, Refusal> {
    Ok(scale(rate, BPS_DECIMALS)?.saturating_to())
}

/// A bonus as the contract keeps it: above 100 %, and zero without a threshold.
fn bonus(threshold: Rate, bonus: Rate) -> Result<u16, Refusal> {
    if threshold.is_zero() {
        return Ok(0);
    }
    let whole = U256::from(PERCENTAGE_FACTOR);
    let bonus = scale(bonus, BPS_DECIMALS)?;
    Ok(whole.saturating_add(bonus).saturating_to())
}
