//! Listing a reserve: its configuration from the risk table, and the efficiency modes of that table.

use basis_core::num::uint256::units_of;
use basis_core::num::{Quantity, Rate, Rounding, U256};
use basis_core::types::{Label, Span, Timestamp};
use basis_core::venue::EModeTerms;
use basis_core::venue_event::Cursor;
use basis_market::{AaveRiskParameters, PriceState, ReserveRow};
use basis_protocols::aave_v3::math::PERCENTAGE_FACTOR;
use basis_protocols::aave_v3::{EModeCategory, RateStrategy, ReserveConfig};
use basis_sim::chain::Sync;
use basis_sim::refusal::Refusal;

use super::Aave;
use super::curve::Kink;
use super::reserves::{Listed, recorded};
use crate::aave::errors::refused;

/// Decimals of a ray and of a basis point.
const RAY_DECIMALS: u32 = 27;
const BPS_DECIMALS: u32 = 4;

impl Aave {
    /// Lists the reserve in the state of its first row.
    pub(super) fn list(
        &mut self,
        at: usize,
        context: &Sync<'_>,
        known_at: Timestamp,
        row: &ReserveRow,
    ) -> Result<(), Refusal> {
        let Some(asset) = self.reserves.get(at).map(|cell| cell.asset) else {
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
        if let Some(cell) = self.reserves.get_mut(at) {
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
                cached: [None; 2],
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
            for cell in &self.reserves {
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
            if self.reserve_of(row.asset).is_none() {
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
