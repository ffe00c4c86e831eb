//! The liquidation test of a step.

use basis_core::ledger::EntryKind;
use basis_core::num::{Quantity, U256};
use basis_core::types::{Item, Timestamp};
use basis_core::venue_event::{EventKind, Events, LendingLiquidation, VenueEvent};
use basis_market::MarketView;
use basis_protocols::morpho_blue::Liquidation;
use basis_sim::chain::Changes;
use basis_sim::refusal::Refusal;

use super::market::{MarketState, Side, factor};
use super::{MORPHO, Morpho, US, seconds};
use crate::morpho::errors::refused;

impl Morpho {
    /// Lets somebody liquidate us in every market where we owe more than our collateral allows: all of
    /// the debt, or all of the collateral, after which suppliers bear what is still owed.
    pub(super) fn liquidate(
        &mut self,
        view: &MarketView,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let now = seconds(view.now())?;
        let mut log = 0_u32;
        for cell in self.markets.iter_mut().filter(|cell| cell.owes()) {
            let price = cell.price(view.now())?;
            let name = cell.name();
            let market = &mut cell.live_mut()?.market;
            let health = market
                .health(US, price, now)
                .map_err(|e| refused(name, e))?;
            if health.is_healthy {
                continue;
            }
            let Ok(input) = market.full_liquidation(US, price, now) else {
                continue;
            };
            let Ok(done) = market.liquidate(US, input, price, now) else {
                continue;
            };
            let wad = health.health_factor_wad.unwrap_or_default();
            let liquidation = LendingLiquidation {
                log,
                ..liquidated(cell, &done, wad, view.now())?
            };
            log = log.saturating_add(1);
            let kind = EventKind::LendingLiquidation(Box::new(liquidation));
            events.push(VenueEvent::new(MORPHO, view.now(), view.now(), kind));
        }
        Ok(())
    }
}

/// What changed: collateral and debt leave, bad debt with them; their sum is what we lost.
fn liquidated(
    cell: &mut MarketState,
    done: &Liquidation,
    wad: U256,
    now: Timestamp,
) -> Result<LendingLiquidation, Refusal> {
    let mut changes = Vec::new();
    let kind = EntryKind::Liquidation;
    let account = cell.account();
    let (loan, collateral) = (cell.settings.loan, cell.settings.collateral);
    let live = cell.live()?;
    let seized = live.collateral(done.seized_assets)?;
    let repaid = live.loan(done.repaid_assets)?;
    let mut left = vec![(kind, live.loan(done.repaid_shares)?, repaid)];
    if done.bad_debt_shares != 0 {
        let bad_debt = live.loan(U256::from(done.bad_debt_assets))?;
        let shares = live.loan(U256::from(done.bad_debt_shares))?;
        left.push((EntryKind::WriteOff, shares, bad_debt));
    }
    let change = seized.neg()?;
    if !change.is_zero() {
        changes.book(kind, (account, Item::Asset(collateral)), change, change)?;
    }
    let mut moved = Quantity::ZERO;
    for (kind, shares, assets) in left {
        let (shares, assets) = (shares.neg()?, assets.neg()?);
        moved = moved.add(assets)?;
        changes.book(kind, (account, Item::Debt(loan)), shares, assets)?;
    }
    for side in Side::BOTH {
        let part = if side == Side::Debt {
            moved
        } else {
            Quantity::ZERO
        };
        let remainder = cell.settle(side, part, now)?;
        if !remainder.is_zero() {
            // A supply of ours in the same market bears its part of bad debt.
            let kind = if side == Side::Supply {
                kind
            } else {
                side.interest()
            };
            let place = (account, cell.item(side));
            changes.book(kind, place, Quantity::ZERO, remainder)?;
        }
    }
    Ok(LendingLiquidation {
        account,
        collateral,
        seized,
        debt: loan,
        repaid,
        health_factor: factor(wad),
        log: 0,
        changes,
    })
}
