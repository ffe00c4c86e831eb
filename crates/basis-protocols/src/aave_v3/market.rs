//! The state of one pool and the ground its operations stand on.

use std::collections::BTreeMap;

use super::error::{PoolError, Revert, require};
use super::limbs::long;
use super::reserve::{Reserve, ReserveConfig, ReserveState};
use super::scaled::{Holding, balance_of};
use super::{EModeCategory, Rates, ReserveId, Seconds, UserId, Version};
use basis_core::num::U256;

/// The pool's own limit.
const RESERVES_MAX: usize = 128;

/// What one user holds in one reserve, in scaled units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// aTokens.
    pub scaled_supply: u128,
    /// Variable debt.
    pub scaled_debt: u128,
}

/// A user's settings: which reserves are collateral or borrowed (bit `n` for reserve `n`) and the
/// e-mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Reserves used as collateral.
    pub collateral: u128,
    /// Reserves borrowed from.
    pub borrowing: u128,
    /// E-mode category; 0: none.
    pub e_mode: u8,
}

/// What an operation moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Underlying asset moved between user and pool, base units.
    pub amount: U256,
    /// Scaled units minted or burned.
    pub scaled: u128,
    /// The index by which they were scaled, rays.
    pub index_ray: u128,
    /// The reserve's rates from here on.
    pub rates: Rates,
    /// Whether the operation made the reserve collateral of the user (`Some(true)`) or ended that
    /// (`Some(false)`).
    pub collateral: Option<bool>,
}

/// One pool: its reserves, users and e-mode categories.
///
/// Copying it is the snapshot; two equal markets answer equally for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Market {
    pub(super) version: Version,
    pub(super) reserves: Vec<Reserve>,
    pub(super) accounts: Vec<Account>,
    /// Users' rows one after the other, each as long as there are reserves.
    pub(super) positions: Vec<Position>,
    pub(super) e_modes: BTreeMap<u8, EModeCategory>,
    pub(super) flash_loan_premium_total_bps: u16,
    pub(super) flash_loan_premium_to_protocol_bps: u16,
    pub(super) rates_held: bool,
}

impl Market {
    /// A pool without reserves, users or flash loan premium.
    #[must_use]
    pub const fn new(version: Version) -> Self {
        Self {
            version,
            reserves: Vec::new(),
            accounts: Vec::new(),
            positions: Vec::new(),
            e_modes: BTreeMap::new(),
            flash_loan_premium_total_bps: 0,
            flash_loan_premium_to_protocol_bps: 0,
            rates_held: false,
        }
    }

    /// Which deployment this is.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Lists a reserve in `state`; [`ReserveState::listed`] is that of a new one. Scaled totals in
    /// it beyond the users' belong to holders that are not users here.
    ///
    /// # Errors
    /// [`Revert::Pool`] for parameters that the configurator refuses; [`Revert::Arithmetic`] for a
    /// 129th reserve.
    pub fn add_reserve(
        &mut self,
        config: ReserveConfig,
        state: ReserveState,
    ) -> Result<ReserveId, Revert> {
        let reserve = Reserve::new(config, state)?;
        let old = self.reserves.len();
        if old >= RESERVES_MAX {
            return Err(Revert::Arithmetic);
        }
        let id = u8::try_from(old).or(Err(Revert::Arithmetic))?;
        let mut positions = Vec::with_capacity(self.accounts.len().saturating_mul(128));
        for user in 0..self.accounts.len() {
            let start = user.saturating_mul(old);
            let row = self.positions.iter().skip(start).take(old);
            positions.extend(row.copied().chain([Position::default()]));
        }
        self.positions = positions;
        self.reserves.push(reserve);
        Ok(ReserveId(id))
    }

    /// Adds a user without positions.
    ///
    /// # Errors
    /// [`Revert::Arithmetic`] for more than 65,536 users.
    pub fn add_user(&mut self) -> Result<UserId, Revert> {
        let id = u16::try_from(self.accounts.len()).or(Err(Revert::Arithmetic))?;
        self.accounts.push(Account::default());
        let length = self.positions.len().saturating_add(self.reserves.len());
        self.positions.resize(length, Position::default());
        Ok(UserId(id))
    }

    /// Replaces a reserve's parameters at `now`. In 3.2 a new reserve factor or rate curve takes
    /// effect between interest accrued and new rates, as `PoolConfigurator` has it by
    /// `syncIndexesState` and `syncRatesState`; in 3.0 parameters change and nothing else does.
    ///
    /// # Errors
    /// [`Revert::UnknownReserve`], [`Revert::Pool`] for parameters that the configurator refuses.
    pub fn set_config(
        &mut self,
        reserve: ReserveId,
        config: ReserveConfig,
        now: Seconds,
    ) -> Result<(), Revert> {
        let (version, held) = (self.version, self.rates_held);
        let cell = self.reserve_mut(reserve)?;
        let mut changed = *cell;
        let old = changed.config;
        let syncs = version == Version::V3_2
            && (old.reserve_factor_bps != config.reserve_factor_bps
                || old.rate_strategy != config.rate_strategy);
        if syncs {
            changed.update_state(now)?;
        }
        changed.set_config(config)?;
        if syncs {
            changed.update_rates(version, held, U256::ZERO, U256::ZERO)?;
        }
        *cell = changed;
        Ok(())
    }

    /// Sets the oracle's price: base currency with 8 decimals for one whole token.
    ///
    /// # Errors
    /// [`Revert::UnknownReserve`].
    pub fn set_price(&mut self, reserve: ReserveId, price_base: U256) -> Result<(), Revert> {
        self.reserve_mut(reserve)?.state.price_base = price_base;
        Ok(())
    }

    /// Sets the flash loan premium and the treasury's part of it, both in basis points of 100 %.
    /// Mirrors `updateFlashloanPremiums`.
    pub const fn set_flash_loan_premiums(&mut self, total_bps: u16, to_protocol_bps: u16) {
        self.flash_loan_premium_total_bps = total_bps;
        self.flash_loan_premium_to_protocol_bps = to_protocol_bps;
    }

    /// With held rates no operation changes a reserve's rates: a backtest whose own size must not
    /// move the market. The pool knows no such thing; refusals stay the pool's.
    pub const fn hold_rates(&mut self, held: bool) {
        self.rates_held = held;
    }

    /// One reserve.
    ///
    /// # Errors
    /// [`Revert::UnknownReserve`].
    #[inline]
    pub fn reserve(&self, reserve: ReserveId) -> Result<&Reserve, Revert> {
        self.reserves
            .get(usize::from(reserve.0))
            .ok_or(Revert::UnknownReserve(reserve))
    }

    /// Every reserve, in the order of their ids.
    #[must_use]
    pub fn reserves(&self) -> &[Reserve] {
        &self.reserves
    }

    /// How many users there are.
    #[must_use]
    pub const fn users(&self) -> usize {
        self.accounts.len()
    }

    /// A user's settings.
    ///
    /// # Errors
    /// [`Revert::UnknownUser`].
    #[inline]
    pub fn account(&self, user: UserId) -> Result<&Account, Revert> {
        self.accounts
            .get(usize::from(user.0))
            .ok_or(Revert::UnknownUser(user))
    }

    /// What a user holds in a reserve, in scaled units.
    ///
    /// # Errors
    /// [`Revert::UnknownReserve`], [`Revert::UnknownUser`].
    #[inline]
    pub fn position(&self, user: UserId, reserve: ReserveId) -> Result<&Position, Revert> {
        let index = self.index(user, reserve)?;
        self.positions.get(index).ok_or(Revert::UnknownUser(user))
    }

    /// A user's aTokens at `now`, base units. Mirrors `AToken.balanceOf`.
    ///
    /// # Errors
    /// [`Revert`] for an unknown id, a time before the last update, or out of 256 bits.
    pub fn supply_balance(
        &self,
        user: UserId,
        reserve: ReserveId,
        now: Seconds,
    ) -> Result<U256, Revert> {
        let index = self.reserve(reserve)?.state.normalized_income_ray(now)?;
        balance_of(self.position(user, reserve)?.scaled_supply, index)
    }

    /// A user's variable debt at `now`, base units. Mirrors `VariableDebtToken.balanceOf`.
    ///
    /// # Errors
    /// [`Revert`] for an unknown id, a time before the last update, or out of 256 bits.
    pub fn debt_balance(
        &self,
        user: UserId,
        reserve: ReserveId,
        now: Seconds,
    ) -> Result<U256, Revert> {
        let scaled = self.position(user, reserve)?.scaled_debt;
        if scaled == 0 {
            return Ok(U256::ZERO);
        }
        let index = self.reserve(reserve)?.state.normalized_debt_ray(now)?;
        balance_of(scaled, index)
    }

    #[inline]
    fn index(&self, user: UserId, reserve: ReserveId) -> Result<usize, Revert> {
        self.account(user)?;
        self.reserve(reserve)?;
        // At most 65,536 × 128.
        Ok(usize::from(user.0)
            .saturating_mul(self.reserves.len())
            .saturating_add(usize::from(reserve.0)))
    }

    pub(super) fn reserve_mut(&mut self, reserve: ReserveId) -> Result<&mut Reserve, Revert> {
        self.reserves
            .get_mut(usize::from(reserve.0))
            .ok_or(Revert::UnknownReserve(reserve))
    }

    pub(super) fn account_mut(&mut self, user: UserId) -> Result<&mut Account, Revert> {
        self.accounts
            .get_mut(usize::from(user.0))
            .ok_or(Revert::UnknownUser(user))
    }

    pub(super) fn position_mut(
        &mut self,
        user: UserId,
        reserve: ReserveId,
    ) -> Result<&mut Position, Revert> {
        let index = self.index(user, reserve)?;
        self.positions
            .get_mut(index)
            .ok_or(Revert::UnknownUser(user))
    }

    /// Applies `change` to the user's aTokens in the reserve and to their total.
    pub(super) fn with_supply<T>(
        &mut self,
        user: UserId,
        reserve: ReserveId,
        change: impl FnOnce(&mut Holding<'_>) -> Result<T, Revert>,
    ) -> Result<T, Revert> {
        let mut position = *self.position(user, reserve)?;
        let changed = change(&mut Holding {
            total: &mut self.reserve_mut(reserve)?.state.scaled_supply,
            balance: &mut position.scaled_supply,
        })?;
        *self.position_mut(user, reserve)? = position;
        Ok(changed)
    }

    /// Applies `change` to the user's debt in the reserve and to its total.
    pub(super) fn with_debt<T>(
        &mut self,
        user: UserId,
        reserve: ReserveId,
        change: impl FnOnce(&mut Holding<'_>) -> Result<T, Revert>,
    ) -> Result<T, Revert> {
        let mut position = *self.position(user, reserve)?;
        let changed = change(&mut Holding {
            total: &mut self.reserve_mut(reserve)?.state.scaled_debt,
            balance: &mut position.scaled_debt,
        })?;
        *self.position_mut(user, reserve)? = position;
        Ok(changed)
    }

    /// The isolated collateral of the account and its ceiling. Mirrors
    /// `UserConfiguration.getIsolationModeState`.
    pub(super) fn isolation_mode(
        &self,
        account: &Account,
    ) -> Result<Option<(ReserveId, u64)>, Revert> {
        if account.collateral.count_ones() != 1 {
            return Ok(None);
        }
        let id = first(account.collateral);
        let ceiling = self.reserve(id)?.config.debt_ceiling;
        Ok((ceiling != 0).then_some((id, ceiling)))
    }

    /// Whether the reserve may become collateral of the account. Mirrors
    /// `ValidationLogic.validateUseAsCollateral`.
    pub(super) fn can_use_as_collateral(
        &self,
        account: &Account,
        config: &ReserveConfig,
    ) -> Result<bool, Revert> {
        if config.ltv_bps == 0 {
            return Ok(false);
        }
        if account.collateral == 0 {
            return Ok(true);
        }
        let isolated = self.isolation_mode(account)?.is_some();
        Ok(!isolated && config.debt_ceiling == 0)
    }

    /// Makes the reserve collateral of the user where supply does so by itself; says whether it did.
    /// Mirrors `ValidationLogic.validateAutomaticUseAsCollateral` for callers without the role that
    /// isolated collateral needs.
    pub(super) fn enable_collateral_by_itself(
        &mut self,
        user: UserId,
        reserve: ReserveId,
    ) -> Result<bool, Revert> {
        let config = self.reserve(reserve)?.config;
        let enables =
            config.debt_ceiling == 0 && self.can_use_as_collateral(self.account(user)?, &config)?;
        if enables {
            self.account_mut(user)?.collateral |= bit(reserve);
        }
        Ok(enables)
    }

    /// Runs `operation` and puts back what it touched when it fails: the states of `reserves`, and
    /// of `users` the settings and their positions in the first two of the reserves.
    pub(super) fn attempt<T>(
        &mut self,
        reserves: [Option<ReserveId>; 3],
        users: [Option<UserId>; 2],
        operation: impl FnOnce(&mut Self) -> Result<T, Revert>,
    ) -> Result<T, Revert> {
        let mut states = [None; 3];
        for (slot, id) in states.iter_mut().zip(reserves) {
            *slot = match id {
                Some(id) => Some((id, self.reserve(id)?.state)),
                None => None,
            };
        }
        let mut rows = [None; 2];
        for (slot, id) in rows.iter_mut().zip(users) {
            *slot = match id {
                Some(id) => Some((id, *self.account(id)?, self.positions_of(id, reserves)?)),
                None => None,
            };
        }
        let done = operation(self);
        if done.is_err() {
            for (id, state) in states.into_iter().flatten() {
                self.reserve_mut(id)?.state = state;
            }
            for (user, account, positions) in rows.into_iter().flatten() {
                *self.account_mut(user)? = account;
                for (id, position) in reserves.into_iter().zip(positions) {
                    if let (Some(id), Some(position)) = (id, position) {
                        *self.position_mut(user, id)? = position;
                    }
                }
            }
        }
        done
    }

    fn positions_of(
        &self,
        user: UserId,
        reserves: [Option<ReserveId>; 3],
    ) -> Result<[Option<Position>; 2], Revert> {
        let [first, second, _] = reserves;
        let position = |id: Option<ReserveId>| match id {
            Some(id) => self.position(user, id).copied().map(Some),
            None => Ok(None),
        };
        Ok([position(first)?, position(second)?])
    }

    /// What happened to one reserve, for an outcome.
    pub(super) fn outcome(
        &self,
        reserve: ReserveId,
        amount: U256,
        scaled: u128,
        index_ray: u128,
        collateral: Option<bool>,
    ) -> Result<Outcome, Revert> {
        Ok(Outcome {
            amount,
            scaled,
            index_ray,
            rates: self.reserve(reserve)?.state.rates,
            collateral,
        })
    }

    /// Mints what the treasury is owed in the reserve. Returns the amount minted, base units. Mirrors
    /// `PoolLogic.executeMintToTreasury` for one asset.
    ///
    /// # Errors
    /// [`Revert`] as for minting a supply; nothing changes then.
    pub fn mint_to_treasury(&mut self, reserve: ReserveId, now: Seconds) -> Result<U256, Revert> {
        self.attempt([Some(reserve), None, None], [None, None], |market| {
            let cell = market.reserve_mut(reserve)?;
            let owed = cell.state.accrued_to_treasury;
            if !cell.config.active || owed == 0 {
                return Ok(U256::ZERO);
            }
            let index = cell.state.normalized_income_ray(now)?;
            cell.state.accrued_to_treasury = 0;
            let amount = balance_of(owed, index)?;
            if !amount.is_zero() {
                let state = &mut cell.state;
                Holding {
                    total: &mut state.scaled_supply,
                    balance: &mut state.treasury_scaled_supply,
                }
                .mint(amount, index)?;
            }
            Ok(amount)
        })
    }

    /// Mirrors `IsolationModeLogic.updateIsolatedDebtIfIsolated`. Interest is not in the isolated
    /// debt, so a repayment can exceed it.
    pub(super) fn repay_isolated(
        &mut self,
        user: UserId,
        debt: ReserveId,
        amount: U256,
    ) -> Result<(), Revert> {
        let account = *self.account(user)?;
        if let Some((collateral, _)) = self.isolation_mode(&account)? {
            let repaid = isolated_debt(amount, self.reserve(debt)?.config.decimals)?;
            let state = &mut self.reserve_mut(collateral)?.state;
            state.isolation_total_debt = state.isolation_total_debt.saturating_sub(repaid);
        }
        Ok(())
    }

    /// The cap check of `ValidationLogic.validateSupply` and `validateBorrow`: `total` base units
    /// against a cap in whole tokens, 0 being none.
    pub(super) fn require_cap(
        total: U256,
        cap: u64,
        unit: U256,
        error: PoolError,
    ) -> Result<(), Revert> {
        require(total <= super::math::mul(long(cap.into()), unit)?, error)
    }
}

/// The bit of a reserve in an account's bitmaps.
#[inline]
pub(super) const fn bit(reserve: ReserveId) -> u128 {
    1_u128.unbounded_shl(reserve.0 as u32)
}

/// The lowest reserve of a bitmap that has one.
#[expect(clippy::cast_possible_truncation, reason = "at most 128")]
#[inline]
pub(super) const fn first(bitmap: u128) -> ReserveId {
    ReserveId(bitmap.trailing_zeros() as u8)
}

/// `amount` of an asset with `decimals` in units of 0.01, for the debt ceiling.
pub(super) fn isolated_debt(amount: U256, decimals: u8) -> Result<u128, Revert> {
    let digits = decimals.checked_sub(2).ok_or(Revert::Arithmetic)?;
    let unit = U256::from(10_u64).pow(U256::from(digits));
    super::math::to_u128(amount.wrapping_div(unit))
}
