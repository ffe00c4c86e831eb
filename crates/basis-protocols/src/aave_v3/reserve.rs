//! One reserve: its parameters, its state and how interest accrues.

use super::error::{PoolError, Revert, require};
use super::limbs::{Divisor, long};
use super::math::{PERCENTAGE_FACTOR, RAY, add, percent_mul, ray_div, ray_mul, sub, to_u128};
use super::rates::{RateStrategy, Rates, ReserveLiquidity};
use super::word::Word;
use super::{Seconds, Version};
use basis_core::num::U256;

/// Decimals above this are refused; the contract's field would hold 255.
const DECIMALS_MAX: u8 = 36;
/// Caps are in fields of 36 bits.
const CAP_MAX: u64 = (1 << 36) - 1;
/// The debt ceiling is in a field of 40 bits.
const DEBT_CEILING_MAX: u64 = (1 << 40) - 1;

/// The parameters of a reserve, as `ReserveConfiguration` packs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReserveConfig {
    /// Decimals of the underlying asset, at most 36.
    pub decimals: u8,
    /// Loan to value outside e-mode, basis points; 0: no collateral for new debt.
    pub ltv_bps: u16,
    /// Liquidation threshold outside e-mode, basis points; 0: no collateral at all.
    pub liquidation_threshold_bps: u16,
    /// What a liquidator receives for 100 % of debt outside e-mode, basis points above 10,000; 0
    /// without a threshold.
    pub liquidation_bonus_bps: u16,
    /// The treasury's part of the interest, basis points.
    pub reserve_factor_bps: u16,
    /// The treasury's part of the liquidation bonus, basis points.
    pub liquidation_protocol_fee_bps: u16,
    /// Most that may be supplied, whole tokens; 0: no cap.
    pub supply_cap: u64,
    /// Most that may be borrowed, whole tokens; 0: no cap.
    pub borrow_cap: u64,
    /// Most debt against this asset as isolated collateral, in units of 0.01 USD; 0: not isolated.
    pub debt_ceiling: u64,
    /// 3.0 only: the e-mode category of the asset, 0 for none. 3.2 keeps bitmaps in the category.
    pub e_mode_category: u8,
    /// An inactive reserve refuses everything.
    pub active: bool,
    /// A frozen reserve refuses new supply and debt.
    pub frozen: bool,
    /// A paused reserve refuses everything.
    pub paused: bool,
    /// Whether the asset can be borrowed.
    pub borrowing_enabled: bool,
    /// Whether flash loans are allowed; a fresh reserve starts without.
    pub flash_loan_enabled: bool,
    /// Whether the asset can be borrowed against isolated collateral.
    pub borrowable_in_isolation: bool,
    /// Whether debt in this asset excludes debt in any other.
    pub siloed_borrowing: bool,
    /// The rate curve.
    pub rate_strategy: RateStrategy,
}

impl ReserveConfig {
    /// An active reserve that can be borrowed and flash-borrowed but is no collateral and has no caps.
    #[must_use]
    pub const fn new(decimals: u8, rate_strategy: RateStrategy) -> Self {
        Self {
            decimals,
            ltv_bps: 0,
            liquidation_threshold_bps: 0,
            liquidation_bonus_bps: 0,
            reserve_factor_bps: 0,
            liquidation_protocol_fee_bps: 0,
            supply_cap: 0,
            borrow_cap: 0,
            debt_ceiling: 0,
            e_mode_category: 0,
            active: true,
            frozen: false,
            paused: false,
            borrowing_enabled: true,
            flash_loan_enabled: true,
            borrowable_in_isolation: false,
            siloed_borrowing: false,
            rate_strategy,
        }
    }

    /// The checks of `PoolConfigurator` and `ReserveConfiguration`, with their numbers.
    pub(super) fn check(&self) -> Result<(), Revert> {
        require(self.decimals <= DECIMALS_MAX, PoolError::InvalidDecimals)?;
        check_collateral(
            self.ltv_bps,
            self.liquidation_threshold_bps,
            self.liquidation_bonus_bps,
            PoolError::InvalidReserveParams,
        )?;
        let whole = |bps: u16| u64::from(bps) <= PERCENTAGE_FACTOR;
        require(
            whole(self.reserve_factor_bps),
            PoolError::InvalidReserveFactor,
        )?;
        require(
            whole(self.liquidation_protocol_fee_bps),
            PoolError::InvalidLiquidationProtocolFee,
        )?;
        require(self.borrow_cap <= CAP_MAX, PoolError::InvalidBorrowCap)?;
        require(self.supply_cap <= CAP_MAX, PoolError::InvalidSupplyCap)?;
        require(
            self.debt_ceiling <= DEBT_CEILING_MAX,
            PoolError::InvalidDebtCeiling,
        )
    }

    /// One whole token in base units.
    pub(super) fn unit(&self) -> U256 {
        U256::from(10_u64).pow(U256::from(self.decimals))
    }

    /// Mirrors the flag checks that every operation begins with.
    pub(super) fn require_active(&self) -> Result<(), Revert> {
        require(self.active, PoolError::ReserveInactive)?;
        require(!self.paused, PoolError::ReservePaused)
    }
}

/// Mirrors `configureReserveAsCollateral` and `setEModeCategory` of `PoolConfigurator`.
pub(super) fn check_collateral(
    ltv_bps: u16,
    threshold_bps: u16,
    bonus_bps: u16,
    error: PoolError,
) -> Result<(), Revert> {
    require(ltv_bps <= threshold_bps, error)?;
    if threshold_bps == 0 {
        return require(bonus_bps == 0, error);
    }
    require(u64::from(bonus_bps) > PERCENTAGE_FACTOR, error)?;
    let seized = percent_mul(U256::from(threshold_bps), u64::from(bonus_bps))?;
    require(seized <= U256::from(PERCENTAGE_FACTOR), error)
}

/// What a reserve stores and what its tokens hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReserveState {
    /// What a scaled unit of supply is worth, rays; as of the last update.
    pub liquidity_index_ray: u128,
    /// What a scaled unit of debt is worth, rays; as of the last update.
    pub variable_borrow_index_ray: u128,
    /// The rates since the last update.
    pub rates: Rates,
    /// When the indices were updated.
    pub last_update: Seconds,
    /// What the treasury is owed and has not minted, scaled units of supply.
    pub accrued_to_treasury: u128,
    /// aTokens in existence, scaled units.
    pub scaled_supply: U256,
    /// Variable debt in existence, scaled units.
    pub scaled_debt: U256,
    /// aTokens held by the treasury, scaled units.
    pub treasury_scaled_supply: u128,
    /// What can be taken out, base units: in 3.0 what the aToken contract holds, in 3.2 the virtual
    /// balance.
    pub cash: U256,
    /// Debt against this asset as isolated collateral, in units of 0.01 USD.
    pub isolation_total_debt: u128,
    /// Oracle price in the base currency, 8 decimals; 0: none.
    pub price_base: U256,
}

impl ReserveState {
    /// A reserve just listed: indices of one ray, nothing supplied.
    #[must_use]
    pub const fn listed(price_base: U256) -> Self {
        Self {
            liquidity_index_ray: RAY,
            variable_borrow_index_ray: RAY,
            rates: Rates {
                liquidity_rate_ray: 0,
                variable_borrow_rate_ray: 0,
            },
            last_update: 0,
            accrued_to_treasury: 0,
            scaled_supply: U256::ZERO,
            scaled_debt: U256::ZERO,
            treasury_scaled_supply: 0,
            cash: U256::ZERO,
            isolation_total_debt: 0,
            price_base,
        }
    }

    fn seconds_until(&self, now: Seconds) -> Result<u64, Revert> {
        now.checked_sub(self.last_update).ok_or(Revert::Arithmetic)
    }

    /// What a scaled unit of supply is worth at `now`, rays. Mirrors
    /// `ReserveLogic.getNormalizedIncome`.
    ///
    /// # Errors
    /// [`Revert::Arithmetic`] before the last update, [`Revert::Math`] out of 256 bits.
    pub fn normalized_income_ray(&self, now: Seconds) -> Result<U256, Revert> {
        self.income::<u128>(now)
            .map(long)
            .or_else(|_| self.income(now))
    }

    /// What a scaled unit of debt is worth at `now`, rays. Mirrors `ReserveLogic.getNormalizedDebt`.
    ///
    /// # Errors
    /// [`Revert::Arithmetic`] before the last update or out of 256 bits, [`Revert::Math`] likewise.
    pub fn normalized_debt_ray(&self, now: Seconds) -> Result<U256, Revert> {
        self.debt::<u128>(now).map(long).or_else(|_| self.debt(now))
    }

    /// [`ReserveState::normalized_income_ray`] at either width.
    #[inline]
    pub(super) fn income<W: Word>(&self, now: Seconds) -> Result<W, Revert> {
        let index = W::from_short(self.liquidity_index_ray);
        match self.seconds_until(now)? {
            0 => Ok(index),
            span => W::linear_interest(self.rates.liquidity_rate_ray, span)?.ray_mul(index),
        }
    }

    /// [`ReserveState::normalized_debt_ray`] at either width.
    #[inline]
    pub(super) fn debt<W: Word>(&self, now: Seconds) -> Result<W, Revert> {
        let index = W::from_short(self.variable_borrow_index_ray);
        match self.seconds_until(now)? {
            0 => Ok(index),
            span => {
                W::compounded_interest(self.rates.variable_borrow_rate_ray, span)?.ray_mul(index)
            }
        }
    }
}

/// A reserve: parameters and state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserve {
    pub(super) config: ReserveConfig,
    pub(super) state: ReserveState,
    /// One whole token as a divisor; none where a token has no decimals.
    unit_divisor: Option<Divisor>,
}

impl Reserve {
    pub(super) fn new(config: ReserveConfig, state: ReserveState) -> Result<Self, Revert> {
        let mut reserve = Self {
            config,
            state,
            unit_divisor: None,
        };
        reserve.set_config(config)?;
        Ok(reserve)
    }

    pub(super) fn set_config(&mut self, config: ReserveConfig) -> Result<(), Revert> {
        config.check()?;
        let unit = 10_u128.checked_pow(config.decimals.into());
        self.unit_divisor = unit.filter(|unit| *unit > 1).map(Divisor::new);
        self.config = config;
        Ok(())
    }

    /// The parameters.
    #[must_use]
    pub const fn config(&self) -> &ReserveConfig {
        &self.config
    }

    /// The state as of the last update.
    #[must_use]
    pub const fn state(&self) -> &ReserveState {
        &self.state
    }

    /// The oracle's price.
    pub(super) fn price(&self) -> Result<U256, Revert> {
        if self.state.price_base.is_zero() {
            return Err(Revert::Price);
        }
        Ok(self.state.price_base)
    }

    /// `amount` (base units) at the oracle's price, in the base currency, rounded down.
    #[inline]
    pub(super) fn value_of<W: Word>(&self, amount: W) -> Result<W, Revert> {
        let price = W::narrow(self.price()?)?;
        match &self.unit_divisor {
            Some(unit) => amount.mul_div(price, unit),
            None => amount.mul(price),
        }
    }

    /// Variable debt of everybody by the stored index, base units.
    pub(super) fn total_debt(&self) -> Result<U256, Revert> {
        ray_mul(
            self.state.scaled_debt,
            long(self.state.variable_borrow_index_ray),
        )
    }

    /// Accrues interest up to `now`. Mirrors `ReserveLogic.updateState`.
    pub(super) fn update_state(&mut self, now: Seconds) -> Result<(), Revert> {
        if self.state.last_update == now {
            return Ok(());
        }
        let debt_index_before = long(self.state.variable_borrow_index_ray);
        // Without an income the index stands still; this is also the case of a factor of 100 %.
        let supply_index = if self.state.rates.liquidity_rate_ray == 0 {
            long(self.state.liquidity_index_ray)
        } else {
            self.state.normalized_income_ray(now)?
        };
        self.state.liquidity_index_ray = to_u128(supply_index)?;
        // Without debt a base rate above zero must not move the index.
        let debt_index = if self.state.scaled_debt.is_zero() {
            debt_index_before
        } else {
            self.state.normalized_debt_ray(now)?
        };
        self.state.variable_borrow_index_ray = to_u128(debt_index)?;
        self.accrue_to_treasury(debt_index_before, debt_index, supply_index)?;
        self.state.last_update = now;
        Ok(())
    }

    /// Mirrors `ReserveLogic._accrueToTreasury`.
    fn accrue_to_treasury(
        &mut self,
        debt_index_before: U256,
        debt_index: U256,
        supply_index: U256,
    ) -> Result<(), Revert> {
        if self.config.reserve_factor_bps == 0 {
            return Ok(());
        }
        let before = ray_mul(self.state.scaled_debt, debt_index_before)?;
        let after = ray_mul(self.state.scaled_debt, debt_index)?;
        let accrued = sub(after, before)?;
        let amount = percent_mul(accrued, u64::from(self.config.reserve_factor_bps))?;
        if !amount.is_zero() {
            self.owe_treasury(amount, supply_index)?;
        }
        Ok(())
    }

    /// Adds `amount` (base units) to what the treasury may mint.
    pub(super) fn owe_treasury(&mut self, amount: U256, supply_index: U256) -> Result<(), Revert> {
        let scaled = to_u128(ray_div(amount, supply_index)?)?;
        self.state.accrued_to_treasury = self
            .state
            .accrued_to_treasury
            .checked_add(scaled)
            .ok_or(Revert::Arithmetic)?;
        Ok(())
    }

    /// Sets the rates to what an operation leaves; in 3.2 also moves the virtual balance. Mirrors
    /// `ReserveLogic.updateInterestRates` (3.0) and `updateInterestRatesAndVirtualBalance` (3.2).
    ///
    /// With `held` the rates are computed, for what they refuse, and dropped.
    pub(super) fn update_rates(
        &mut self,
        version: Version,
        held: bool,
        added: U256,
        taken: U256,
    ) -> Result<(), Revert> {
        let rates = self.config.rate_strategy.rates(
            version,
            &ReserveLiquidity {
                available: self.state.cash,
                added,
                taken,
                total_debt: self.total_debt()?,
                reserve_factor_bps: self.config.reserve_factor_bps,
            },
        )?;
        if !held {
            self.state.rates = rates;
        }
        if version == Version::V3_2 {
            // The virtual balance is a uint128, and each amount is cast before it is added.
            let cash = add(self.state.cash, long(to_u128(added)?))?;
            let cash = long(to_u128(cash).or(Err(Revert::Arithmetic))?);
            self.state.cash = sub(cash, long(to_u128(taken)?))?;
        }
        Ok(())
    }

    /// The underlying asset arrives at the aToken contract. 3.2 has counted it already.
    pub(super) fn receive(&mut self, version: Version, amount: U256) -> Result<(), Revert> {
        if version == Version::V3_0 {
            self.state.cash = add(self.state.cash, amount)?;
        }
        Ok(())
    }

    /// The underlying asset leaves the aToken contract. 3.2 has counted it already.
    pub(super) fn pay_out(&mut self, version: Version, amount: U256) -> Result<(), Revert> {
        if version == Version::V3_0 {
            let left = self.state.cash.checked_sub(amount);
            self.state.cash = left.ok_or(Revert::Underlying)?;
        }
        Ok(())
    }
}
