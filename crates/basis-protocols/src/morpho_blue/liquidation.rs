//! Liquidation: somebody repays a debt that outgrew its collateral and takes collateral worth more.

use super::market::{Draft, Market};
use super::math::{
    ORACLE_PRICE_SCALE, WAD, mul_div_down, mul_div_up, sub_128, to_assets_down, to_assets_up,
    to_shares_down, to_shares_up, to_u128, w_div_up, w_mul_down,
};
use super::refusal::Refusal;
use super::state::{Accrual, Position, Totals, User, check_exactly_one_zero};
use basis_core::num::U256;

/// How much to liquidate, by collateral or by debt: exactly one of them is to be above zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LiquidationInput {
    /// Base units of collateral to take, or zero.
    pub seized_assets: U256,
    /// Borrow shares to repay, or zero.
    pub repaid_shares: U256,
}

impl LiquidationInput {
    /// Takes `assets` base units of collateral; what is repaid for them is rounded up.
    #[inline]
    #[must_use]
    pub const fn seizing(assets: U256) -> Self {
        Self {
            seized_assets: assets,
            repaid_shares: U256::ZERO,
        }
    }

    /// Repays `shares` of the debt; the collateral taken for them is rounded down.
    #[inline]
    #[must_use]
    pub const fn repaying(shares: U256) -> Self {
        Self {
            seized_assets: U256::ZERO,
            repaid_shares: shares,
        }
    }
}

/// What a liquidation moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Liquidation {
    /// Base units of the loan asset that the liquidator pays.
    pub repaid_assets: U256,
    /// Borrow shares destroyed by the payment.
    pub repaid_shares: U256,
    /// Base units of collateral that the liquidator receives.
    pub seized_assets: U256,
    /// Base units that nobody will repay, taken from all suppliers; above zero only when no
    /// collateral is left.
    pub bad_debt_assets: u128,
    /// Borrow shares destroyed with them.
    pub bad_debt_shares: u128,
    /// The interest that was charged first.
    pub accrual: Accrual,
}

impl Market {
    /// Liquidates `borrower`, whose collateral is worth `price` (loan base units per collateral base
    /// unit, scaled 1e36). There is no close factor: all of an unhealthy debt may be repaid. Mirrors
    /// `Morpho.liquidate`.
    ///
    /// # Errors
    /// [`Refusal::InconsistentInput`]; [`Refusal::HealthyPosition`]; [`Refusal::ArithmeticPanic`]
    /// beyond the debt or the collateral; [`Refusal::DivisionPanic`] when repaying at price zero.
    pub fn liquidate(
        &mut self,
        borrower: User,
        input: LiquidationInput,
        price: U256,
        now: u64,
    ) -> Result<Liquidation, Refusal> {
        check_exactly_one_zero(input.seized_assets, input.repaid_shares)?;
        let mut draft = self.accrued(now)?;
        let mut position = self.position_in(&draft, borrower)?;
        if self.is_credit_enough(&draft.totals, &position, price)? {
            return Err(Refusal::HealthyPosition);
        }
        let (seized, repaid_shares) = self.exchange(&draft.totals, input, price)?;
        let totals = &mut draft.totals;
        let repaid = to_assets_up(repaid_shares, totals.borrow_assets, totals.borrow_shares)?;
        let shares_128 = to_u128(repaid_shares)?;
        position.borrow_shares = sub_128(position.borrow_shares, shares_128)?;
        totals.borrow_shares = sub_128(totals.borrow_shares, shares_128)?;
        let left = U256::from(totals.borrow_assets).saturating_sub(repaid);
        totals.borrow_assets = to_u128(left)?;
        position.collateral = sub_128(position.collateral, to_u128(seized)?)?;
        let bad_debt_shares = position.borrow_shares;
        let mut liquidation = Liquidation {
            repaid_assets: repaid,
            repaid_shares,
            seized_assets: seized,
            accrual: draft.accrual,
            ..Liquidation::default()
        };
        if position.collateral == 0 {
            liquidation.bad_debt_shares = bad_debt_shares;
            liquidation.bad_debt_assets = realize_bad_debt(&mut draft, &mut position)?;
        }
        self.commit(&draft);
        self.store(borrower, position);
        Ok(liquidation)
    }

    /// Returns the liquidation that leaves least behind: of the whole debt when the collateral pays
    /// for it, else of all the collateral, which turns what is still owed into bad debt. It is what
    /// a rational liquidator does to `borrower` at `price` and `now`.
    ///
    /// Between the two lies a gap as wide as one base unit of the loan asset, where taking all the
    /// collateral would repay more shares than are owed: there, as much is repaid as the collateral
    /// pays for, and dust remains on both sides.
    ///
    /// # Errors
    /// [`Refusal::HealthyPosition`] of a position that cannot be liquidated, and those of
    /// [`Market::accrue_interest`].
    pub fn full_liquidation(
        &self,
        borrower: User,
        price: U256,
        now: u64,
    ) -> Result<LiquidationInput, Refusal> {
        let draft = self.accrued(now)?;
        let position = self.position_in(&draft, borrower)?;
        let totals = &draft.totals;
        if self.is_credit_enough(totals, &position, price)? {
            return Err(Refusal::HealthyPosition);
        }
        let owed = U256::from(position.borrow_shares);
        let collateral = U256::from(position.collateral);
        if price.is_zero() || collateral.is_zero() {
            return Ok(LiquidationInput::seizing(collateral));
        }
        let whole = LiquidationInput::repaying(owed);
        if self.exchange(totals, whole, price)?.0 <= collateral {
            return Ok(whole);
        }
        let all = LiquidationInput::seizing(collateral);
        if self.exchange(totals, all, price)?.1 <= owed {
            return Ok(all);
        }
        let value = mul_div_down(collateral, price, ORACLE_PRICE_SCALE)?;
        let paid = mul_div_down(value, WAD, self.incentive_wad)?;
        let shares = to_shares_down(paid, totals.borrow_assets, totals.borrow_shares)?;
        Ok(LiquidationInput::repaying(shares.min(owed)))
    }

    /// Collateral seized and shares repaid, the missing one derived from the other.
    fn exchange(
        &self,
        totals: &Totals,
        input: LiquidationInput,
        price: U256,
    ) -> Result<(U256, U256), Refusal> {
        let (assets, shares) = (totals.borrow_assets, totals.borrow_shares);
        if input.seized_assets.is_zero() {
            let repaid = to_assets_down(input.repaid_shares, assets, shares)?;
            let value = w_mul_down(repaid, self.incentive_wad)?;
            let seized = mul_div_down(value, ORACLE_PRICE_SCALE, price)?;
            return Ok((seized, input.repaid_shares));
        }
        let value = mul_div_up(input.seized_assets, price, ORACLE_PRICE_SCALE)?;
        let repaid = w_div_up(value, self.incentive_wad)?;
        Ok((input.seized_assets, to_shares_up(repaid, assets, shares)?))
    }
}

/// Takes what a position without collateral still owes from borrowers and suppliers alike.
fn realize_bad_debt(draft: &mut Draft, position: &mut Position) -> Result<u128, Refusal> {
    let totals = &mut draft.totals;
    let owed = totals.assets_owed(position)?;
    let bad = to_u128(owed.min(U256::from(totals.borrow_assets)))?;
    totals.borrow_assets = sub_128(totals.borrow_assets, bad)?;
    totals.supply_assets = sub_128(totals.supply_assets, bad)?;
    totals.borrow_shares = sub_128(totals.borrow_shares, position.borrow_shares)?;
    position.borrow_shares = 0;
    Ok(bad)
}

#[cfg(test)]
mod tests {
    use super::super::{AmountInput, InterestRateModel, MarketTerms};
    use super::*;

    const LENDER: User = User(0);
    const BORROWER: User = User(1);

    /// One loan unit of 6 decimals per collateral unit of 18, times `price`.
    fn scaled(price: u64) -> U256 {
        U256::from(price) * U256::from(10_u8).pow(U256::from(24_u8))
    }

    /// 10 units of collateral against a debt of 24,000 in a market supplied with 100,000.
    fn indebted() -> Market {
        let terms = MarketTerms {
            lltv_wad: U256::from(860_000_000_000_000_000_u64),
            fee_wad: 0,
            fee_recipient: LENDER,
            irm: InterestRateModel::None,
        };
        let mut market = Market::create(terms, 0).unwrap();
        let supplied = AmountInput::assets(U256::from(100_000_000_000_u64));
        market.supply(LENDER, supplied, 0).unwrap();
        let collateral = U256::from(10_000_000_000_000_000_000_u64);
        market.supply_collateral(BORROWER, collateral).unwrap();
        let debt = AmountInput::assets(U256::from(24_000_000_000_u64));
        market.borrow(BORROWER, debt, scaled(3_000), 0).unwrap();
        market
    }

    #[test]
    fn a_healthy_position_is_left_alone() {
        let mut market = indebted();
        let before = market.clone();
        let input = LiquidationInput::seizing(U256::ONE);
        let refused = market.liquidate(BORROWER, input, scaled(2_791), 0);
        assert_eq!(refused, Err(Refusal::HealthyPosition));
        let preview = market.full_liquidation(BORROWER, scaled(2_791), 0);
        assert_eq!(preview, Err(Refusal::HealthyPosition));
        assert_eq!(market, before);
    }

    #[test]
    fn collateral_that_pays_for_the_debt_leaves_a_rest_to_its_owner() {
        let mut market = indebted();
        let price = scaled(2_790);
        let input = market.full_liquidation(BORROWER, price, 0).unwrap();
        let done = market.liquidate(BORROWER, input, price, 0).unwrap();
        assert_eq!(done.repaid_assets, U256::from(24_000_000_000_u64));
        // 24,000 × 1.043841336116910229 = 25,052.192066, rounded down to a base unit, ÷ 2,790.
        assert_eq!(
            done.seized_assets,
            U256::from(8_979_280_310_394_265_232_u64)
        );
        assert_eq!(done.bad_debt_assets, 0);
        let left = market.position(BORROWER);
        assert_eq!(left.borrow_shares, 0);
        assert_eq!(left.collateral, 1_020_719_689_605_734_768);
    }

    #[test]
    fn debt_beyond_the_collateral_is_taken_from_suppliers() {
        let mut market = indebted();
        let price = scaled(1_000);
        let input = market.full_liquidation(BORROWER, price, 0).unwrap();
        let done = market.liquidate(BORROWER, input, price, 0).unwrap();
        assert_eq!(
            done.seized_assets,
            U256::from(10_000_000_000_000_000_000_u64)
        );
        assert_eq!(
            done.repaid_assets,
            U256::from(9_580_000_001_u64),
            "10,000 ÷ 1.0438…, rounded up"
        );
        assert_eq!(done.bad_debt_assets, 14_419_999_999);
        assert_eq!(market.position(BORROWER), Position::default());
        assert_eq!(market.totals().supply_assets, 85_580_000_001);
        assert_eq!(market.totals().borrow_assets, 0);
    }

    #[test]
    fn a_worthless_oracle_stops_repayment_by_shares_as_the_contract_does() {
        let mut market = indebted();
        let input = LiquidationInput::repaying(U256::ONE);
        let refused = market.liquidate(BORROWER, input, U256::ZERO, 0);
        assert_eq!(refused, Err(Refusal::DivisionPanic));
        let input = market.full_liquidation(BORROWER, U256::ZERO, 0).unwrap();
        let done = market.liquidate(BORROWER, input, U256::ZERO, 0).unwrap();
        assert_eq!(done.bad_debt_assets, 24_000_000_000);
    }

    #[test]
    fn more_than_the_debt_or_the_collateral_cannot_be_liquidated() {
        let mut market = indebted();
        let price = scaled(2_500);
        for input in [
            LiquidationInput::repaying(U256::from(24_000_000_000_000_001_u64)),
            LiquidationInput::seizing(U256::from(10_000_000_000_000_000_001_u64)),
        ] {
            let refused = market.liquidate(BORROWER, input, price, 0);
            assert_eq!(refused, Err(Refusal::ArithmeticPanic));
        }
        let both = LiquidationInput {
            seized_assets: U256::ONE,
            repaid_shares: U256::ONE,
        };
        let refused = market.liquidate(BORROWER, both, price, 0);
        assert_eq!(refused, Err(Refusal::InconsistentInput));
    }
}
