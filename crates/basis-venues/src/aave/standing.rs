//! How far we are from liquidation, and what we earn and pay.

use basis_core::execution::LendingHealth;
use basis_core::num::uint256::{amount_of, mul_div_floor};
use basis_core::num::{Fixed18, Rate, Rounding, U256, Value};
use basis_core::protocol::aave_v3::math::WAD;

use super::{ACCOUNT, Aave, Side, US, refused, seconds};
use crate::chain::Refusal;

/// Decimals of the base currency, of a wad, of a ray and of basis points.
const BASE_DECIMALS: u32 = 8;
const WAD_DECIMALS: u32 = 18;
const RAY_DECIMALS: u32 = 27;
const BPS_DECIMALS: u32 = 4;

impl Aave {
    /// The account as the pool sees it; none while we hold nothing, or hold no debt and have no price.
    pub(super) fn standing(&self) -> Result<Option<LendingHealth>, Refusal> {
        let Some(synced_at) = self.synced_at.filter(|_| self.holds()) else {
            return Ok(None);
        };
        let account = *self.market.account(US).map_err(refused)?;
        let priced = self
            .cells
            .iter()
            .all(|cell| !cell.is_held() || cell.oracle.is_ok());
        if !priced && account.borrowing == 0 {
            return Ok(None);
        }
        let now = seconds(synced_at)?;
        let data = self.market.account_data(US, now).map_err(refused)?;
        let value = |base| amount_of(base, BASE_DECIMALS, Rounding::Down).map(Value::new);
        let bps = |bps: u64| amount_of(U256::from(bps), BPS_DECIMALS, Rounding::Down);
        let health_factor =
            (!data.total_debt_base.is_zero()).then(|| health(data.health_factor_wad));
        let (supply_rate, borrow_rate) = self.average_rates()?;
        Ok(Some(LendingHealth {
            account: ACCOUNT,
            collateral: value(data.total_collateral_base)?,
            debt: value(data.total_debt_base)?,
            liquidation_threshold: Rate::new(bps(data.current_liquidation_threshold_bps)?),
            max_ltv: Rate::new(bps(data.ltv_bps)?),
            health_factor,
            supply_rate,
            borrow_rate,
        }))
    }

    /// What supply earns and debt costs, averaged by worth at the oracle.
    fn average_rates(&self) -> Result<(Rate, Rate), Refusal> {
        let now = seconds(self.synced_at.unwrap_or_default())?;
        let mut sums = [(U256::ZERO, U256::ZERO); 2];
        for cell in self.cells.iter().filter(|cell| cell.is_held()) {
            let id = cell.listed()?.id;
            let state = self.market.reserve(id).map_err(refused)?.state();
            let unit = U256::from(10_u64).pow(U256::from(cell.listed()?.decimals));
            let rates = [
                state.rates.liquidity_rate_ray,
                state.rates.variable_borrow_rate_ray,
            ];
            let sides = [Side::Supply, Side::Debt].into_iter().zip(rates);
            for (sum, (side, rate)) in sums.iter_mut().zip(sides) {
                let units = self.balance_units(id, side, now)?;
                if units.is_zero() {
                    continue;
                }
                let worth = mul_div_floor(units, state.price_base, unit)?;
                sum.0 = sum.0.saturating_add(worth);
                sum.1 = sum.1.saturating_add(worth.saturating_mul(U256::from(rate)));
            }
        }
        let average = |(worth, weighted): (U256, U256)| -> Result<Rate, Refusal> {
            let ray = weighted.checked_div(worth).unwrap_or_default();
            Ok(Rate::new(amount_of(ray, RAY_DECIMALS, Rounding::Down)?))
        };
        let [supply, debt] = sums;
        Ok((average(supply)?, average(debt)?))
    }
}

/// A health factor; one beyond the range is the end of the range.
pub(super) fn health(wad: U256) -> Rate {
    let health = amount_of(wad, WAD_DECIMALS, Rounding::Down);
    Rate::new(health.unwrap_or(Fixed18::MAX))
}

/// Below it anybody may liquidate.
pub(super) const HEALTHY: U256 = U256::from_limbs([WAD_LIMB, 0, 0, 0]);

#[expect(clippy::cast_possible_truncation, reason = "10^18 has 60 bits")]
const WAD_LIMB: u64 = WAD as u64;
