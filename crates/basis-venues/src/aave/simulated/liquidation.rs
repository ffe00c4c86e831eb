//! The liquidation test of a step.

use basis_core::ledger::EntryKind;
use basis_core::num::uint256::mul_div_floor;
use basis_core::num::{Quantity, U256};
use basis_core::types::{Asset, Timestamp};
use basis_core::venue_event::{BalanceChange, EventKind, Events, LendingLiquidation, VenueEvent};
use basis_market::MarketView;
use basis_protocols::aave_v3::{ALL, LiquidationCall, LiquidationOutcome, ReserveId, Seized};
use basis_sim::chain::Changes;
use basis_sim::refusal::Refusal;

use super::lending_health::{HEALTHY, health};
use super::{AAVE, ACCOUNT, Aave, Side, US, seconds};
use crate::aave::errors::refused;

impl Aave {
    /// Lets somebody liquidate us, where our health factor is below one: the largest debt against the
    /// largest collateral, as much as the close factor allows. What the reserve cannot pay out nobody
    /// takes.
    pub(super) fn liquidate(
        &mut self,
        view: &MarketView,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        self.computed = None;
        let account = *self.market.account(US).map_err(refused)?;
        if account.borrowing == 0 {
            return Ok(());
        }
        let now = seconds(view.now())?;
        let data = self.market.account_data(US, now).map_err(refused)?;
        let wad = data.health_factor_wad;
        if wad >= HEALTHY {
            self.computed = Some((now, data));
            return Ok(());
        }
        let collateral = self.largest(Side::Supply, account.collateral, now)?;
        let debt = self.largest(Side::Debt, account.borrowing, now)?;
        let (Some(collateral), Some(debt)) = (collateral, debt) else {
            return Ok(());
        };
        let call = LiquidationCall {
            user: US,
            collateral: self.id(collateral)?,
            debt: self.id(debt)?,
            debt_to_cover: ALL,
            seized: Seized::Underlying,
        };
        let Ok(outcome) = self.market.liquidation_call(call, now) else {
            return Ok(());
        };
        let event = self.liquidated(view.now(), (collateral, debt), &outcome, wad)?;
        events.push(event);
        self.computed = None;
        self.move_rates(collateral, now)?;
        self.move_rates(debt, now)
    }

    fn id(&self, at: usize) -> Result<ReserveId, Refusal> {
        let cell = self.reserves.get(at);
        let cell = cell.ok_or_else(|| Refusal::invalid(format!("{AAVE} has no reserve {at}")))?;
        Ok(cell.listed()?.id)
    }

    /// The reserve of `bitmap` with the most of a side at the oracle's prices; the first of equals.
    fn largest(&self, side: Side, bitmap: u128, now: u64) -> Result<Option<usize>, Refusal> {
        let mut largest: Option<(usize, U256)> = None;
        for (at, cell) in self.reserves.iter().enumerate() {
            let Ok(listed) = cell.listed() else { continue };
            let id = listed.id;
            if bitmap & 1_u128.unbounded_shl(id.0.into()) == 0 {
                continue;
            }
            let units = self.balance_units(listed, side, now)?;
            let price = self.market.reserve(id).map_err(refused)?.state().price_base;
            let value = mul_div_floor(units, price, listed.unit)?;
            if largest.is_none_or(|(_, most)| value > most) {
                largest = Some((at, value));
            }
        }
        Ok(largest.map(|(at, _)| at))
    }

    /// What changed: what was seized and the protocol's fee leave the collateral, what was repaid leaves
    /// the debt; their sum is what we lost. What is owed beyond the last collateral leaves as well.
    fn liquidated(
        &mut self,
        now: Timestamp,
        (collateral, debt): (usize, usize),
        outcome: &LiquidationOutcome,
        wad: U256,
    ) -> Result<VenueEvent, Refusal> {
        let mut changes = Vec::new();
        let taken = outcome
            .collateral_seized
            .saturating_add(outcome.protocol_fee);
        let seized = self.leave(
            (&mut changes, EntryKind::Liquidation),
            (collateral, Side::Supply),
            U256::from(outcome.collateral_scaled),
            taken,
        )?;
        let repaid = self.leave(
            (&mut changes, EntryKind::Liquidation),
            (debt, Side::Debt),
            U256::from(outcome.debt_scaled),
            outcome.debt_repaid,
        )?;
        self.write_off(&mut changes, now)?;
        let kind = EventKind::LendingLiquidation(Box::new(LendingLiquidation {
            account: ACCOUNT,
            collateral: seized.0,
            seized: seized.1,
            debt: repaid.0,
            repaid: repaid.1,
            health_factor: health(wad),
            log: 0,
            changes,
        }));
        Ok(VenueEvent::new(AAVE, now, now, kind))
    }

    /// Lets the lender keep what is still owed when no collateral is left: the debt is without recourse.
    fn write_off(
        &mut self,
        changes: &mut Vec<BalanceChange>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let account = *self.market.account(US).map_err(refused)?;
        if account.collateral != 0 {
            return Ok(());
        }
        for at in 0..self.reserves.len() {
            let Ok(id) = self.id(at) else { continue };
            if account.borrowing & 1_u128.unbounded_shl(id.0.into()) == 0 {
                continue;
            }
            let at_second = seconds(now)?;
            let written_off = self.market.write_off(US, id, at_second);
            let (scaled, units) = written_off.map_err(refused)?;
            let kind = EntryKind::WriteOff;
            self.leave(
                (&mut *changes, kind),
                (at, Side::Debt),
                U256::from(scaled),
                units,
            )?;
            self.move_rates(at, at_second)?;
        }
        Ok(())
    }

    fn leave(
        &mut self,
        (changes, kind): (&mut Vec<BalanceChange>, EntryKind),
        (at, side): (usize, Side),
        scaled: U256,
        units: U256,
    ) -> Result<(Asset, Quantity), Refusal> {
        let cell = self.reserves.get(at);
        let cell = cell.ok_or_else(|| Refusal::invalid(format!("{AAVE} has no reserve {at}")))?;
        let (asset, listed) = (cell.asset, cell.listed()?);
        let quantity = listed.units(scaled)?.neg()?;
        let amount = listed.units(units)?;
        let place = (ACCOUNT, side.item(asset));
        changes.book(kind, place, quantity, amount.neg()?)?;
        let remainder = self.settle(at, side, amount.neg()?)?;
        self.book_remainder(changes, at, side, remainder)?;
        Ok((asset, amount))
    }
}
