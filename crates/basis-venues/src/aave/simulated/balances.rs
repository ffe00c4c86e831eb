//! What our scaled units stand for, and the interest that the reports have yet to say.

use basis_core::ledger::EntryKind;
use basis_core::num::{Quantity, U256};
use basis_core::venue_event::{BalanceChange, Cursor, Events};
use basis_protocols::aave_v3::math::ray_mul;
use basis_protocols::aave_v3::{ReserveId, Seconds};
use basis_sim::chain::Changes;
use basis_sim::lending::accrual;
use basis_sim::refusal::Refusal;

use super::reserves::{Listed, ReserveState, missing};
use super::{AAVE, ACCOUNT, Aave, Side, US, seconds};
use crate::aave::errors::refused;

/// What a balance comes to at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CachedBalance {
    at: Seconds,
    /// The index, a ray. An operation leaves that of its instant as it is, but for the premium of a flash
    /// loan.
    index: U256,
    /// Our scaled units, and what they are at the index, in base units.
    scaled: u128,
    units: U256,
}

impl Aave {
    /// Our scaled units of a side.
    pub(super) fn scaled(&self, cell: &ReserveState, side: Side) -> Result<Quantity, Refusal> {
        let Some(listed) = &cell.listed else {
            return Ok(Quantity::ZERO);
        };
        let scaled = self.scaled_units(listed.id, side)?;
        listed.units(U256::from(scaled))
    }

    /// What they stand for at the last sync.
    pub(super) fn balance(&self, cell: &ReserveState, side: Side) -> Result<Quantity, Refusal> {
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
        let [supply, debt] = &listed.cached;
        let cached = match side {
            Side::Supply => supply,
            Side::Debt => debt,
        };
        let units = match cached {
            Some(cached) if cached.at == now && cached.scaled == scaled => cached.units,
            Some(cached) if cached.at == now => at_index(scaled, cached.index)?,
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
        let Some(listed) = self.reserves.get(at).and_then(|cell| cell.listed.as_ref()) else {
            return Ok(());
        };
        let id = listed.id;
        let mut both = [None; 2];
        for (cached, side) in both.iter_mut().zip([Side::Supply, Side::Debt]) {
            let scaled = self.scaled_units(id, side)?;
            if scaled != 0 {
                let index = self.index(id, side, now)?;
                *cached = Some(CachedBalance {
                    at: now,
                    index,
                    scaled,
                    units: at_index(scaled, index)?,
                });
            }
        }
        if let Some(listed) = self.listed_mut(at) {
            listed.cached = both;
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
        let Some(cell) = self.reserves.get(at) else {
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
        for at in 0..self.reserves.len() {
            let Some(cell) = self.reserves.get(at).filter(|cell| cell.is_held()) else {
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
        let cell = self.reserves.get(at).ok_or_else(|| missing(at))?;
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
        let Some(cell) = self.reserves.get(at).filter(|_| !grown.is_zero()) else {
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
