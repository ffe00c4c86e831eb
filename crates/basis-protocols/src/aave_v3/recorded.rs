//! Reserves as somebody recorded them, for a simulated venue.
//!
//! A row of recorded data says a reserve's indices, rates, totals and price at one time. Totals are
//! those of the real pool, in which the users of the simulation never were: they stand beside them,
//! and a snap to a later row keeps their scaled balances.

use super::error::Revert;
use super::limbs::long;
use super::math::{add, ray_div};
use super::scaled::balance_of;
use super::{Market, Rates, ReserveConfig, ReserveId, ReserveState, Seconds};
use basis_core::num::U256;

/// One recorded row of one reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedReserve {
    /// When it was read; the indices are those of this moment.
    pub at: Seconds,
    /// Liquidity index, rays.
    pub liquidity_index_ray: u128,
    /// Variable borrow index, rays.
    pub variable_borrow_index_ray: u128,
    /// Rates from that moment on.
    pub rates: Rates,
    /// aTokens in existence, base units.
    pub total_supplied: U256,
    /// Variable debt in existence, base units.
    pub total_debt: U256,
    /// Oracle price, base currency with 8 decimals for one whole token.
    pub price_base: U256,
}

impl RecordedReserve {
    /// The state that has this row: scaled totals are totals over indices, rounded half up; cash is
    /// what is supplied and not borrowed, zero where the row has more debt than supply.
    ///
    /// # Errors
    /// [`Revert::Math`] for an index of zero or totals out of 256 bits.
    pub fn state(&self) -> Result<ReserveState, Revert> {
        Ok(ReserveState {
            liquidity_index_ray: self.liquidity_index_ray,
            variable_borrow_index_ray: self.variable_borrow_index_ray,
            rates: self.rates,
            last_update: self.at,
            scaled_supply: ray_div(self.total_supplied, long(self.liquidity_index_ray))?,
            scaled_debt: ray_div(self.total_debt, long(self.variable_borrow_index_ray))?,
            cash: self.total_supplied.saturating_sub(self.total_debt),
            ..ReserveState::listed(self.price_base)
        })
    }
}

impl Market {
    /// Lists a reserve in the state of a recorded row.
    ///
    /// # Errors
    /// As [`Market::add_reserve`] and [`RecordedReserve::state`].
    pub fn add_recorded_reserve(
        &mut self,
        config: ReserveConfig,
        row: &RecordedReserve,
    ) -> Result<ReserveId, Revert> {
        self.add_reserve(config, row.state()?)
    }

    /// Sets a reserve to a recorded row: indices, rates, time, price, and everybody else's totals
    /// and cash. The users' (and the treasury's) scaled balances stay and count on top; where their
    /// debt exceeds the cash this leaves, cash is zero.
    ///
    /// # Errors
    /// [`Revert::UnknownReserve`], or as [`RecordedReserve::state`]. Nothing changes then.
    pub fn snap(&mut self, reserve: ReserveId, row: &RecordedReserve) -> Result<(), Revert> {
        let old = self.reserve(reserve)?.state;
        let mut state = row.state()?;
        let (mut supplied, mut owed) = (
            balance_of(old.treasury_scaled_supply, long(state.liquidity_index_ray))?,
            U256::ZERO,
        );
        state.scaled_supply = add(state.scaled_supply, long(old.treasury_scaled_supply))?;
        let stride = self.reserves.len();
        let column = self.positions.iter().skip(usize::from(reserve.0));
        for position in column.step_by(stride) {
            state.scaled_supply = add(state.scaled_supply, long(position.scaled_supply))?;
            state.scaled_debt = add(state.scaled_debt, long(position.scaled_debt))?;
            let index = long(state.liquidity_index_ray);
            supplied = add(supplied, balance_of(position.scaled_supply, index)?)?;
            let index = long(state.variable_borrow_index_ray);
            owed = add(owed, balance_of(position.scaled_debt, index)?)?;
        }
        state.cash = add(state.cash, supplied)?.saturating_sub(owed);
        state.accrued_to_treasury = old.accrued_to_treasury;
        state.treasury_scaled_supply = old.treasury_scaled_supply;
        state.isolation_total_debt = old.isolation_total_debt;
        self.reserve_mut(reserve)?.state = state;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::math::RAY;
    use super::super::test_market::{Desk, ETH, USD, dollars};
    use super::super::{UserId, Version};
    use super::*;

    fn row(at: Seconds) -> RecordedReserve {
        RecordedReserve {
            at,
            liquidity_index_ray: RAY * 11 / 10,
            variable_borrow_index_ray: RAY * 12 / 10,
            rates: Rates {
                liquidity_rate_ray: RAY / 50,
                variable_borrow_rate_ray: RAY / 25,
            },
            total_supplied: dollars(1_100),
            total_debt: dollars(600),
            price_base: U256::from(99_000_000_u64),
        }
    }

    #[test]
    fn a_row_becomes_scaled_totals_and_cash() {
        let state = row(7).state().unwrap();
        assert_eq!(state.scaled_supply, dollars(1_000));
        assert_eq!(state.scaled_debt, dollars(500));
        assert_eq!(state.cash, dollars(500));
        assert_eq!(state.last_update, 7);
        let later = state.normalized_income_ray(7 + 365 * 24 * 3_600).unwrap();
        assert_eq!(later, long(RAY * 11 / 10 * 102 / 100));
    }

    #[test]
    fn users_keep_their_scaled_balances_beside_the_recorded_totals() {
        let mut desk = Desk::new(Version::V3_2);
        desk.supply(1, ETH, 10);
        desk.borrow(1, USD, 100);
        let (user, at) = (UserId(1), desk.now + 86_400);
        let (lender, debtor) = (
            *desk.market.position(UserId(0), USD).unwrap(),
            *desk.market.position(user, USD).unwrap(),
        );
        desk.market.snap(USD, &row(at)).unwrap();
        let state = *desk.market.reserve(USD).unwrap().state();
        assert_eq!(
            state.scaled_supply,
            dollars(1_000) + long(lender.scaled_supply)
        );
        assert_eq!(state.scaled_debt, dollars(500) + long(debtor.scaled_debt));
        let debt = desk.market.debt_balance(user, USD, at).unwrap();
        assert_eq!(debt, dollars(120));
        // 500 of the row, 1.1 million of the lender, less the debtor's 120.
        assert_eq!(state.cash, dollars(500 + 1_100_000 - 120));
        assert_eq!(*desk.market.position(user, USD).unwrap(), debtor);
    }

    #[test]
    fn held_rates_stay_those_of_the_row_whatever_is_done() {
        for version in [Version::V3_0, Version::V3_2] {
            let mut desk = Desk::new(version);
            desk.market.snap(USD, &row(desk.now)).unwrap();
            desk.market.hold_rates(true);
            desk.supply(1, ETH, 10);
            desk.borrow(1, USD, 100);
            let rates = desk.market.reserve(USD).unwrap().state().rates;
            assert_eq!(rates, row(desk.now).rates);
            desk.market.hold_rates(false);
            desk.borrow(1, USD, 1);
            assert_ne!(desk.market.reserve(USD).unwrap().state().rates, rates);
        }
    }

    #[test]
    fn a_reserve_can_start_from_a_row() {
        let mut desk = Desk::new(Version::V3_0);
        let config = *desk.market.reserve(USD).unwrap().config();
        let id = desk.market.add_recorded_reserve(config, &row(5)).unwrap();
        let before = *desk.market.reserve(id).unwrap();
        desk.market.snap(id, &row(5)).unwrap();
        assert_eq!(*desk.market.reserve(id).unwrap(), before);
    }
}
