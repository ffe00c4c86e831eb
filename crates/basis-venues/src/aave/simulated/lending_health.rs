//! How far we are from liquidation, and what we earn and pay.

use basis_core::num::uint256::{amount_of, mul_div_floor};
use basis_core::num::{Fixed18, Rate, Rounding, U256, Value};
use basis_core::venue_event::LendingHealth;
use basis_protocols::aave_v3::math::WAD;
use basis_sim::refusal::Refusal;

use super::{ACCOUNT, Aave, Side, US, refused, seconds};

/// Decimals of the base currency, of a wad, of a ray and of basis points.
const BASE_DECIMALS: u32 = 8;
const WAD_DECIMALS: u32 = 18;
const RAY_DECIMALS: u32 = 27;
const BPS_DECIMALS: u32 = 4;

impl Aave {
    /// The account as the pool sees it; none while we hold nothing, or hold no debt and have no price.
    pub(super) fn lending_health(&self) -> Result<Option<LendingHealth>, Refusal> {
        let Some(synced_at) = self.synced_at.filter(|_| self.holds()) else {
            return Ok(None);
        };
        let account = *self.market.account(US).map_err(refused)?;
        let priced = self
            .reserves
            .iter()
            .all(|cell| !cell.is_held() || cell.oracle.is_ok());
        if !priced && account.borrowing == 0 {
            return Ok(None);
        }
        let now = seconds(synced_at)?;
        let data = match self.computed {
            Some((at, data)) if at == now => data,
            _ => self.market.account_data(US, now).map_err(refused)?,
        };
        debug_assert_eq!(Ok(data), self.market.account_data(US, now));
        let value = |base| amount_of(base, BASE_DECIMALS, Rounding::Down).map(Value::new);
        let bps = |bps: u64| amount_of(U256::from(bps), BPS_DECIMALS, Rounding::Down);
        let health_factor =
            (!data.total_debt_base.is_zero()).then(|| health(data.health_factor_wad));
        let supply_rate = self.average_rate(Side::Supply, now)?;
        let borrow_rate = self.average_rate(Side::Debt, now)?;
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

    /// What supply earns, or debt costs, averaged by worth at the oracle.
    fn average_rate(&self, side: Side, now: u64) -> Result<Rate, Refusal> {
        let mut average = Average::default();
        for cell in self.reserves.iter().filter(|cell| cell.is_held()) {
            let listed = cell.listed()?;
            let units = self.balance_units(listed, side, now)?;
            if units.is_zero() {
                continue;
            }
            let state = self.market.reserve(listed.id).map_err(refused)?.state();
            average.take(Weighed {
                units,
                price: &state.price_base,
                unit: &listed.unit,
                rate_ray: match side {
                    Side::Supply => state.rates.liquidity_rate_ray,
                    Side::Debt => state.rates.variable_borrow_rate_ray,
                },
            })?;
        }
        let ray = average.finish()?;
        Ok(Rate::new(amount_of(ray, RAY_DECIMALS, Rounding::Down)?))
    }
}

/// A holding in an average: base units, the price of a whole token, which is so many units, and the rate.
#[derive(Clone, Copy, Debug)]
struct Weighed<'a> {
    units: U256,
    price: &'a U256,
    unit: &'a U256,
    rate_ray: u128,
}

/// An average of rates by worth.
#[derive(Clone, Copy, Debug, Default)]
struct Average<'a> {
    /// The last holding, not yet in the sums: mostly there is but one, and its rate is the average.
    last: Option<Weighed<'a>>,
    whole: U256,
    weighted: U256,
}

impl<'a> Average<'a> {
    fn take(&mut self, holding: Weighed<'a>) -> Result<(), Refusal> {
        if let Some(before) = self.last.replace(holding) {
            self.add(before)?;
        }
        Ok(())
    }

    fn add(&mut self, holding: Weighed<'_>) -> Result<(), Refusal> {
        let value = mul_div_floor(holding.units, *holding.price, *holding.unit)?;
        let weighted = value.saturating_mul(U256::from(holding.rate_ray));
        self.whole = self.whole.saturating_add(value);
        self.weighted = self.weighted.saturating_add(weighted);
        Ok(())
    }

    /// Zero where nothing is worth anything.
    fn finish(mut self) -> Result<U256, Refusal> {
        let Some(last) = self.last else {
            return Ok(U256::ZERO);
        };
        if self.whole.is_zero() && last.units.saturating_mul(*last.price) >= *last.unit {
            return Ok(U256::from(last.rate_ray));
        }
        self.add(last)?;
        Ok(self.weighted.checked_div(self.whole).unwrap_or_default())
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
