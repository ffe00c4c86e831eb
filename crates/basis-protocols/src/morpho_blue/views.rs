//! What a market and a position look like at a moment, interest up to it included; nothing here
//! changes anything.

use super::irm::InterestRateModel;
use super::market::{Draft, Market};
use super::math::{
    ORACLE_PRICE_SCALE, WAD, add_128, mul_div_down, mul_div_up, sub, to_assets_down, to_shares_up,
    to_u128, w_div_down, w_div_up, w_mul_down,
};
use super::rate::{RatePerSecond, SECONDS_PER_YEAR};
use super::refusal::Refusal;
use super::state::{Position, Totals, User};
use basis_core::num::U256;

/// The rates of a market at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MarketRates {
    /// Borrowed part of the supply in wad.
    pub utilization_wad: U256,
    /// What borrowers would be charged for the time since the last update, as
    /// `IIrm.borrowRateView` answers.
    pub borrow_average: RatePerSecond,
    /// What borrowers pay from this moment on.
    pub borrow: RatePerSecond,
    /// Simple yearly rate of borrowers in wad: [`MarketRates::borrow`] × 365 days.
    pub borrow_apr_wad: U256,
    /// Simple yearly rate of suppliers in wad: that of borrowers × utilization × (1 − fee), rounded
    /// down.
    pub supply_apr_wad: U256,
    /// The adaptive curve's rate at its target utilization; zero with another model.
    pub rate_at_target: RatePerSecond,
}

/// The debt of a position against its collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PositionHealth {
    /// Base units of the loan asset owed, rounded up.
    pub borrowed_assets: U256,
    /// Base units of the loan asset that the collateral is worth, rounded down.
    pub collateral_value: U256,
    /// Base units that may be owed against the collateral, rounded down.
    pub credit_assets: U256,
    /// Debt ÷ collateral value in wad, rounded up; `None` when the collateral is worth nothing.
    pub ltv_wad: Option<U256>,
    /// What may be owed ÷ what is owed in wad, rounded down; `None` without debt.
    pub health_factor_wad: Option<U256>,
    /// Whether nobody may liquidate: what may be owed is not below what is owed.
    pub is_healthy: bool,
}

impl Market {
    /// Returns the totals with interest up to `now` (seconds). Mirrors
    /// `MorphoBalancesLib.expectedMarketBalances`.
    ///
    /// # Errors
    /// As [`Market::accrue_interest`].
    pub fn expected_totals(&self, now: u64) -> Result<Totals, Refusal> {
        Ok(self.accrued(now)?.totals)
    }

    /// Returns the base units that `user` supplied, with interest up to `now`, rounded down.
    /// Mirrors `MorphoBalancesLib.expectedSupplyAssets`, but counts fees not yet accrued when
    /// `user` receives them.
    ///
    /// # Errors
    /// As [`Market::accrue_interest`].
    pub fn expected_supply_assets(&self, user: User, now: u64) -> Result<U256, Refusal> {
        let draft = self.accrued(now)?;
        let position = self.position_in(&draft, user)?;
        let totals = &draft.totals;
        to_assets_down(
            position.supply_shares,
            totals.supply_assets,
            totals.supply_shares,
        )
    }

    /// Returns the base units that `user` owes, with interest up to `now`, rounded up. Mirrors
    /// `MorphoBalancesLib.expectedBorrowAssets`.
    ///
    /// # Errors
    /// As [`Market::accrue_interest`].
    pub fn expected_borrow_assets(&self, user: User, now: u64) -> Result<U256, Refusal> {
        let draft = self.accrued(now)?;
        draft.totals.assets_owed(&self.position(user))
    }

    /// Returns the rates at `now`.
    ///
    /// # Errors
    /// As [`Market::accrue_interest`].
    pub fn rates(&self, now: u64) -> Result<MarketRates, Refusal> {
        let draft = self.accrued(now)?;
        let (rate, irm) = draft.irm.borrow_rate(&draft.totals, 0)?;
        let average = if draft.accrual.elapsed == 0 {
            rate
        } else {
            draft.accrual.borrow_rate_wad
        };
        let apr = rate
            .checked_mul(U256::from(SECONDS_PER_YEAR))
            .ok_or(Refusal::ArithmeticPanic)?;
        let rate_at_target = match irm {
            InterestRateModel::AdaptiveCurve(curve) => curve.rate_at_target(),
            _ => 0,
        };
        let totals = &draft.totals;
        let earned = if totals.supply_assets == 0 {
            U256::ZERO
        } else {
            let borrowed = U256::from(totals.borrow_assets);
            mul_div_down(apr, borrowed, U256::from(totals.supply_assets))?
        };
        let kept = sub(WAD, U256::from(self.terms().fee_wad))?;
        Ok(MarketRates {
            utilization_wad: totals.utilization_wad(),
            borrow_average: RatePerSecond::new(average),
            borrow: RatePerSecond::new(rate),
            borrow_apr_wad: apr,
            supply_apr_wad: w_mul_down(earned, kept)?,
            rate_at_target: RatePerSecond::new(U256::from(rate_at_target)),
        })
    }

    /// Returns the debt of `user` against its collateral at `price` (loan base units per
    /// collateral base unit, scaled 1e36) and `now`. Mirrors `Morpho._isHealthy` after accrual.
    ///
    /// # Errors
    /// As [`Market::accrue_interest`]; [`Refusal::ArithmeticPanic`] when the collateral's value
    /// leaves 256 bits.
    pub fn health(&self, user: User, price: U256, now: u64) -> Result<PositionHealth, Refusal> {
        let draft = self.accrued(now)?;
        let position = self.position(user);
        let borrowed = draft.totals.assets_owed(&position)?;
        let collateral = U256::from(position.collateral);
        let value = mul_div_down(collateral, price, ORACLE_PRICE_SCALE)?;
        let credit = self.credit(&position, price)?;
        let ltv = (!value.is_zero()).then(|| w_div_up(borrowed, value));
        let factor = (!borrowed.is_zero()).then(|| w_div_down(credit, borrowed));
        Ok(PositionHealth {
            borrowed_assets: borrowed,
            collateral_value: value,
            credit_assets: credit,
            ltv_wad: ltv.transpose()?,
            health_factor_wad: factor.transpose()?,
            is_healthy: credit >= borrowed,
        })
    }

    /// Returns the least price (scaled 1e36) at which `user` is healthy at `now`; one less and it
    /// may be liquidated. `None` without debt, and for a debt that no price makes healthy.
    ///
    /// # Errors
    /// As [`Market::accrue_interest`]; [`Refusal::ArithmeticPanic`] when the price leaves 256 bits.
    pub fn liquidation_price(&self, user: User, now: u64) -> Result<Option<U256>, Refusal> {
        let draft = self.accrued(now)?;
        let position = self.position(user);
        let borrowed = draft.totals.assets_owed(&position)?;
        if borrowed.is_zero() || position.collateral == 0 || self.lltv_wad.is_zero() {
            return Ok(None);
        }
        let value = mul_div_up(borrowed, WAD, self.lltv_wad)?;
        let collateral = U256::from(position.collateral);
        mul_div_up(value, ORACLE_PRICE_SCALE, collateral).map(Some)
    }

    /// Returns the most base units that [`Market::borrow`] by assets lends `user` at `price` and
    /// `now`, on top of its debt; zero when none.
    ///
    /// # Errors
    /// As [`Market::health`].
    pub fn max_borrow(&self, user: User, price: U256, now: u64) -> Result<U256, Refusal> {
        let draft = self.accrued(now)?;
        let position = self.position(user);
        let borrowed = draft.totals.assets_owed(&position)?;
        let room = self.credit(&position, price)?.saturating_sub(borrowed);
        let most = room.min(U256::from(draft.totals.liquidity()));
        // Shares are rounded up, so that the last unit of credit may be refused; rarely more.
        if self.lends(&draft, position, most, price) {
            return Ok(most);
        }
        let (mut lent, mut refused) = (U256::ZERO, most);
        let mut probe = most.saturating_sub(U256::ONE);
        while probe > lent {
            if self.lends(&draft, position, probe, price) {
                lent = probe;
            } else {
                refused = probe;
            }
            let width = refused.wrapping_sub(lent);
            probe = lent.wrapping_add(width.wrapping_shr(1));
        }
        Ok(lent)
    }

    /// Returns the most base units that [`Market::withdraw`] by assets pays `user` at `now`: its
    /// supply, or what borrowers left of it.
    ///
    /// # Errors
    /// As [`Market::accrue_interest`].
    pub fn max_withdraw(&self, user: User, now: u64) -> Result<U256, Refusal> {
        let liquidity = U256::from(self.expected_totals(now)?.liquidity());
        Ok(self.expected_supply_assets(user, now)?.min(liquidity))
    }

    /// Returns the most base units of collateral that [`Market::withdraw_collateral`] gives back to
    /// `user` at `price` and `now`; zero of a position at or below its limit.
    ///
    /// # Errors
    /// As [`Market::health`].
    pub fn max_withdraw_collateral(
        &self,
        user: User,
        price: U256,
        now: u64,
    ) -> Result<U256, Refusal> {
        let draft = self.accrued(now)?;
        let position = self.position(user);
        let borrowed = draft.totals.assets_owed(&position)?;
        let collateral = U256::from(position.collateral);
        if position.borrow_shares == 0 {
            return Ok(collateral);
        }
        if price.is_zero() || self.lltv_wad.is_zero() {
            return Ok(U256::ZERO);
        }
        let value = mul_div_up(borrowed, WAD, self.lltv_wad)?;
        let needed = mul_div_up(value, ORACLE_PRICE_SCALE, price)?;
        Ok(collateral.saturating_sub(needed))
    }

    /// Whether a loan of `assets` leaves the position healthy; amounts out of range are refused.
    fn lends(&self, draft: &Draft, position: Position, assets: U256, price: U256) -> bool {
        let lend = || -> Result<bool, Refusal> {
            let (mut totals, mut position) = (draft.totals, position);
            let shares = to_shares_up(assets, totals.borrow_assets, totals.borrow_shares)?;
            let shares = to_u128(shares)?;
            position.borrow_shares = add_128(position.borrow_shares, shares)?;
            totals.borrow_shares = add_128(totals.borrow_shares, shares)?;
            totals.borrow_assets = add_128(totals.borrow_assets, to_u128(assets)?)?;
            self.is_position_healthy(&totals, &position, price)
        };
        lend().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AdaptiveCurve, AmountInput, MarketTerms};
    use super::*;

    const USER: User = User(0);
    const START: u64 = 1_700_000_000;

    fn wad(thousandths: u64) -> U256 {
        U256::from(thousandths) * U256::from(1_000_000_000_000_000_u64)
    }

    /// 1,000,000 supplied and 900,000 owed by others, at 4 % a year; a tenth of interest is fee.
    fn market() -> Market {
        let terms = MarketTerms {
            lltv_wad: wad(860),
            fee_wad: 100_000_000_000_000_000,
            fee_recipient: User(1),
            irm: InterestRateModel::AdaptiveCurve(
                AdaptiveCurve::new(AdaptiveCurve::RATE_AT_TARGET_INITIAL).unwrap(),
            ),
        };
        let totals = Totals {
            supply_assets: 1_000_000_000_000,
            supply_shares: 1_000_000_000_000_000_000,
            borrow_assets: 900_000_000_000,
            borrow_shares: 900_000_000_000_000_000,
        };
        Market::from_totals(terms, totals, START).unwrap()
    }

    #[test]
    fn rates_of_a_market_known_by_its_totals() {
        let rates = market().rates(START).unwrap();
        assert_eq!(rates.utilization_wad, wad(900));
        assert_eq!(rates.borrow, rates.borrow_average);
        assert_eq!(rates.borrow, rates.rate_at_target);
        let apr = rates.borrow.apr().unwrap();
        assert_eq!(apr, "0.039999999988944".parse().unwrap());
        // × 0.9 used × 0.9 after the fee.
        assert_eq!(rates.supply_apr_wad, U256::from(32_399_999_991_044_640_u64));
    }

    #[test]
    fn an_empty_market_earns_nothing_and_idles_at_a_quarter() {
        let empty = Market::create(market().terms(), START).unwrap();
        let rates = empty.rates(START).unwrap();
        assert_eq!(rates.supply_apr_wad, U256::ZERO);
        assert_eq!(rates.borrow.wad(), U256::from(317_097_919_u64));
        assert_eq!(empty.liquidation_price(USER, START), Ok(None));
    }

    #[test]
    fn supply_grows_by_interest_less_the_fee() {
        let mut market = market();
        let paid = AmountInput::assets(U256::from(100_000_000_000_u64));
        market.supply(USER, paid, START).unwrap();
        let year = START + SECONDS_PER_YEAR;
        let held = market.expected_supply_assets(USER, year).unwrap();
        let interest = market.expected_totals(year).unwrap().borrow_assets - 900_000_000_000;
        let ours = U256::from(100_000_000_000_u128 + interest * 9 / 10 / 11);
        assert!(held <= ours && ours - held <= U256::from(2_u8));
        let fees = market.expected_supply_assets(User(1), year).unwrap();
        assert!(fees.abs_diff(U256::from(interest / 10)) <= U256::from(2_u8));
        assert_eq!(market.last_update(), START, "a view changes nothing");
    }

    #[test]
    fn a_position_taken_over_is_measured_against_its_collateral() {
        let mut market = market();
        let position = Position {
            supply_shares: U256::ZERO,
            borrow_shares: 21_500_000_000_000_000,
            collateral: 10_000_000_000_000_000_000,
        };
        market.insert_position(USER, position).unwrap();
        let price = U256::from(3_000_u64) * U256::from(10_u8).pow(U256::from(24_u8));
        let health = market.health(USER, price, START).unwrap();
        assert_eq!(health.borrowed_assets, U256::from(21_500_000_000_u64));
        assert_eq!(health.collateral_value, U256::from(30_000_000_000_u64));
        assert_eq!(
            health.ltv_wad,
            Some(U256::from(716_666_666_666_666_667_u64))
        );
        assert_eq!(health.health_factor_wad, Some(wad(1_200)));
        let least = market.liquidation_price(USER, START).unwrap().unwrap();
        assert_eq!(least, price / U256::from(6_u8) * U256::from(5_u8));
        let room = market.max_borrow(USER, price, START).unwrap();
        assert_eq!(room, U256::from(4_300_000_000_u64));
        let free = market.max_withdraw_collateral(USER, price, START).unwrap();
        assert_eq!(free, U256::from(1_666_666_666_666_666_666_u64));
    }

    #[test]
    fn positions_cannot_outgrow_the_totals() {
        let mut market = market();
        let all = Position {
            supply_shares: U256::from(1_000_000_000_000_000_000_u64),
            ..Position::default()
        };
        market.insert_position(USER, all).unwrap();
        market.insert_position(USER, all).unwrap();
        let one_more = Position {
            supply_shares: U256::ONE,
            ..Position::default()
        };
        let refused = market.insert_position(User(2), one_more);
        assert_eq!(refused, Err(Refusal::ArithmeticPanic));
        assert_eq!(
            market.max_withdraw(USER, START),
            Ok(U256::from(100_000_000_000_u64)),
            "borrowers have the rest"
        );
    }
}
