//! One market and every operation on it but liquidation.

use super::irm::InterestRateModel;
use super::math::{
    FEE_MAX_WAD, ORACLE_PRICE_SCALE, WAD, add, add_128, liquidation_incentive_factor, mul_div_down,
    sub, sub_128, to_shares_down, to_u128, w_mul_down, w_taylor_compounded,
};
use super::refusal::Refusal;
use super::state::{Accrual, AmountInput, MarketTerms, Moved, Position, Totals, User};
use basis_core::num::U256;

/// A market of Morpho Blue 1.0.0 with the positions of everybody who acts in it.
///
/// A copy of it is a snapshot. Every operation either does what the contract does or refuses as the
/// contract refuses and changes nothing. Who may act for whom, callbacks and the balances of the
/// tokens are the caller's: the outcome says what to move.
///
/// **Invariants.** The market owes no more than it was supplied with; the shares of all positions
/// together are no more than the totals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Market {
    pub(super) lltv_wad: U256,
    pub(super) incentive_wad: U256,
    fee_wad: u128,
    fee_recipient: User,
    irm: InterestRateModel,
    pub(super) totals: Totals,
    last_update: u64,
    positions: Vec<Position>,
}

/// A market brought up to now, not yet committed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draft {
    pub(super) totals: Totals,
    pub(super) accrual: Accrual,
    pub(super) irm: InterestRateModel,
    now: u64,
}

impl Market {
    /// Creates an empty market at `now` (seconds). Mirrors `Morpho.createMarket` with `enableLltv`
    /// and `setFee`: a stateful rate model is initialized.
    ///
    /// # Errors
    /// [`Refusal::MaxLltvExceeded`], [`Refusal::MaxFeeExceeded`].
    pub fn create(terms: MarketTerms, now: u64) -> Result<Self, Refusal> {
        let mut market = Self::from_totals(terms, Totals::default(), now)?;
        market.irm = market.irm.borrow_rate(&market.totals, 0)?.1;
        Ok(market)
    }

    /// Takes over a market as stored by the contract, `last_update` (seconds) included, without its
    /// positions; those that matter are added by [`Market::insert_position`].
    ///
    /// # Errors
    /// [`Refusal::MaxLltvExceeded`], [`Refusal::MaxFeeExceeded`], and
    /// [`Refusal::InsufficientLiquidity`] for totals that owe more than was supplied.
    pub fn from_totals(
        terms: MarketTerms,
        totals: Totals,
        last_update: u64,
    ) -> Result<Self, Refusal> {
        if terms.lltv_wad >= WAD {
            return Err(Refusal::MaxLltvExceeded);
        }
        if terms.fee_wad > FEE_MAX_WAD {
            return Err(Refusal::MaxFeeExceeded);
        }
        totals.check_liquidity()?;
        Ok(Self {
            lltv_wad: terms.lltv_wad,
            incentive_wad: liquidation_incentive_factor(terms.lltv_wad)?,
            fee_wad: terms.fee_wad,
            fee_recipient: terms.fee_recipient,
            irm: terms.irm,
            totals,
            last_update,
            positions: Vec::new(),
        })
    }

    /// Takes over the position of `user` as stored by the contract.
    ///
    /// # Errors
    /// [`Refusal::ArithmeticPanic`] when all positions together would have more shares than the
    /// market.
    pub fn insert_position(&mut self, user: User, position: Position) -> Result<(), Refusal> {
        let mut supplied = position.supply_shares;
        let mut borrowed = position.borrow_shares;
        for (at, other) in self.positions.iter().enumerate() {
            if at != usize::from(user.0) {
                supplied = add(supplied, other.supply_shares)?;
                borrowed = add_128(borrowed, other.borrow_shares)?;
            }
        }
        sub(U256::from(self.totals.supply_shares), supplied)?;
        sub_128(self.totals.borrow_shares, borrowed)?;
        self.store(user, position);
        Ok(())
    }

    /// Returns the totals as stored, without interest since the last update.
    #[inline]
    #[must_use]
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Returns the position of `user`, empty when it never acted.
    #[inline]
    #[must_use]
    pub fn position(&self, user: User) -> Position {
        self.positions
            .get(usize::from(user.0))
            .copied()
            .unwrap_or_default()
    }

    /// Returns when interest was last charged, in seconds.
    #[inline]
    #[must_use]
    pub const fn last_update(&self) -> u64 {
        self.last_update
    }

    /// Returns the terms with the rate model's present state.
    #[must_use]
    pub const fn terms(&self) -> MarketTerms {
        MarketTerms {
            lltv_wad: self.lltv_wad,
            fee_wad: self.fee_wad,
            fee_recipient: self.fee_recipient,
            irm: self.irm,
        }
    }

    /// Supplies the loan asset. Mirrors `Morpho.supply`: shares are rounded down, assets up.
    ///
    /// # Errors
    /// [`Refusal::InconsistentInput`]; [`Refusal::MaxUint128Exceeded`] and panics for amounts out of
    /// range.
    pub fn supply(&mut self, user: User, amount: AmountInput, now: u64) -> Result<Moved, Refusal> {
        amount.check()?;
        let mut draft = self.accrued(now)?;
        let mut position = self.position_in(&draft, user)?;
        let totals = &mut draft.totals;
        let (assets, shares) = amount.shares_down(totals.supply_assets, totals.supply_shares)?;
        position.supply_shares = add(position.supply_shares, shares)?;
        totals.supply_shares = add_128(totals.supply_shares, to_u128(shares)?)?;
        totals.supply_assets = add_128(totals.supply_assets, to_u128(assets)?)?;
        Ok(self.commit_moved(draft, user, position, assets, shares))
    }

    /// Withdraws the loan asset. Mirrors `Morpho.withdraw`: shares are rounded up, assets down.
    ///
    /// # Errors
    /// [`Refusal::InconsistentInput`]; [`Refusal::ArithmeticPanic`] beyond the position;
    /// [`Refusal::InsufficientLiquidity`] when borrowers have it.
    pub fn withdraw(
        &mut self,
        user: User,
        amount: AmountInput,
        now: u64,
    ) -> Result<Moved, Refusal> {
        amount.check()?;
        let mut draft = self.accrued(now)?;
        let mut position = self.position_in(&draft, user)?;
        let totals = &mut draft.totals;
        let (assets, shares) = amount.shares_up(totals.supply_assets, totals.supply_shares)?;
        position.supply_shares = sub(position.supply_shares, shares)?;
        totals.supply_shares = sub_128(totals.supply_shares, to_u128(shares)?)?;
        totals.supply_assets = sub_128(totals.supply_assets, to_u128(assets)?)?;
        totals.check_liquidity()?;
        Ok(self.commit_moved(draft, user, position, assets, shares))
    }

    /// Borrows against collateral worth `price` (loan base units per collateral base unit, scaled
    /// 1e36). Mirrors `Morpho.borrow`: shares are rounded up, assets down.
    ///
    /// # Errors
    /// [`Refusal::InconsistentInput`]; [`Refusal::InsufficientCollateral`], then
    /// [`Refusal::InsufficientLiquidity`]; [`Refusal::MaxUint128Exceeded`] and panics for amounts out
    /// of range.
    pub fn borrow(
        &mut self,
        user: User,
        amount: AmountInput,
        price: U256,
        now: u64,
    ) -> Result<Moved, Refusal> {
        amount.check()?;
        let mut draft = self.accrued(now)?;
        let mut position = self.position_in(&draft, user)?;
        let totals = &mut draft.totals;
        let (assets, shares) = amount.shares_up(totals.borrow_assets, totals.borrow_shares)?;
        let shares_128 = to_u128(shares)?;
        position.borrow_shares = add_128(position.borrow_shares, shares_128)?;
        totals.borrow_shares = add_128(totals.borrow_shares, shares_128)?;
        totals.borrow_assets = add_128(totals.borrow_assets, to_u128(assets)?)?;
        if !self.is_position_healthy(totals, &position, price)? {
            return Err(Refusal::InsufficientCollateral);
        }
        totals.check_liquidity()?;
        Ok(self.commit_moved(draft, user, position, assets, shares))
    }

    /// Repays a debt. Mirrors `Morpho.repay`: shares are rounded down, assets up. All of a debt is
    /// repaid by its shares; the assets may then exceed the market's debt by one unit.
    ///
    /// # Errors
    /// [`Refusal::InconsistentInput`]; [`Refusal::ArithmeticPanic`] beyond the debt.
    pub fn repay(&mut self, user: User, amount: AmountInput, now: u64) -> Result<Moved, Refusal> {
        amount.check()?;
        let mut draft = self.accrued(now)?;
        let mut position = self.position_in(&draft, user)?;
        let totals = &mut draft.totals;
        let (assets, shares) = amount.shares_down(totals.borrow_assets, totals.borrow_shares)?;
        let shares_128 = to_u128(shares)?;
        position.borrow_shares = sub_128(position.borrow_shares, shares_128)?;
        totals.borrow_shares = sub_128(totals.borrow_shares, shares_128)?;
        let left = U256::from(totals.borrow_assets).saturating_sub(assets);
        totals.borrow_assets = to_u128(left)?;
        Ok(self.commit_moved(draft, user, position, assets, shares))
    }

    /// Deposits `assets` base units of collateral, without charging interest. Mirrors
    /// `Morpho.supplyCollateral`.
    ///
    /// # Errors
    /// [`Refusal::ZeroAssets`]; [`Refusal::MaxUint128Exceeded`] or [`Refusal::ArithmeticPanic`] beyond
    /// 128 bits.
    pub fn supply_collateral(&mut self, user: User, assets: U256) -> Result<(), Refusal> {
        if assets.is_zero() {
            return Err(Refusal::ZeroAssets);
        }
        let mut position = self.position(user);
        position.collateral = add_128(position.collateral, to_u128(assets)?)?;
        self.store(user, position);
        Ok(())
    }

    /// Takes out `assets` base units of collateral worth `price` each (scaled 1e36). Mirrors
    /// `Morpho.withdrawCollateral`.
    ///
    /// # Errors
    /// [`Refusal::ZeroAssets`]; [`Refusal::ArithmeticPanic`] beyond the position;
    /// [`Refusal::InsufficientCollateral`] when the debt needs it.
    pub fn withdraw_collateral(
        &mut self,
        user: User,
        assets: U256,
        price: U256,
        now: u64,
    ) -> Result<Accrual, Refusal> {
        if assets.is_zero() {
            return Err(Refusal::ZeroAssets);
        }
        let draft = self.accrued(now)?;
        let mut position = self.position_in(&draft, user)?;
        position.collateral = sub_128(position.collateral, to_u128(assets)?)?;
        if !self.is_position_healthy(&draft.totals, &position, price)? {
            return Err(Refusal::InsufficientCollateral);
        }
        self.commit(&draft);
        self.store(user, position);
        Ok(draft.accrual)
    }

    /// Charges interest up to `now`. Mirrors `Morpho.accrueInterest`.
    ///
    /// # Errors
    /// [`Refusal::ArithmeticPanic`] when `now` is before the last update or an amount leaves 256 bits;
    /// [`Refusal::MaxUint128Exceeded`] when interest leaves 128 bits.
    pub fn accrue_interest(&mut self, now: u64) -> Result<Accrual, Refusal> {
        let draft = self.accrued(now)?;
        self.commit(&draft);
        Ok(draft.accrual)
    }

    /// Changes the fee, charging interest under the old one first. Mirrors `Morpho.setFee`.
    ///
    /// # Errors
    /// [`Refusal::AlreadySet`], [`Refusal::MaxFeeExceeded`], and those of
    /// [`Market::accrue_interest`].
    pub fn set_fee(&mut self, fee_wad: U256, now: u64) -> Result<Accrual, Refusal> {
        if fee_wad == U256::from(self.fee_wad) {
            return Err(Refusal::AlreadySet);
        }
        let fee = to_u128(fee_wad)
            .ok()
            .filter(|fee| *fee <= FEE_MAX_WAD)
            .ok_or(Refusal::MaxFeeExceeded)?;
        let draft = self.accrued(now)?;
        self.commit(&draft);
        self.fee_wad = fee;
        Ok(draft.accrual)
    }

    /// Changes who receives fees, charging nothing: fees not yet accrued go to the new recipient.
    /// Mirrors `Morpho.setFeeRecipient`.
    ///
    /// # Errors
    /// [`Refusal::AlreadySet`].
    pub fn set_fee_recipient(&mut self, user: User) -> Result<(), Refusal> {
        if user == self.fee_recipient {
            return Err(Refusal::AlreadySet);
        }
        self.fee_recipient = user;
        Ok(())
    }

    /// The market with interest up to `now`. Mirrors `Morpho._accrueInterest` and
    /// `MorphoBalancesLib.expectedMarketBalances`.
    pub(super) fn accrued(&self, now: u64) -> Result<Draft, Refusal> {
        let elapsed = now
            .checked_sub(self.last_update)
            .ok_or(Refusal::ArithmeticPanic)?;
        let mut draft = Draft {
            totals: self.totals,
            accrual: Accrual::default(),
            irm: self.irm,
            now,
        };
        if elapsed == 0 {
            return Ok(draft);
        }
        draft.accrual.elapsed = elapsed;
        if self.irm == InterestRateModel::None {
            return Ok(draft);
        }
        let (rate, irm) = self.irm.borrow_rate(&self.totals, elapsed)?;
        let totals = &mut draft.totals;
        let growth = w_taylor_compounded(rate, elapsed)?;
        let interest = w_mul_down(U256::from(totals.borrow_assets), growth)?;
        let interest_128 = to_u128(interest)?;
        totals.borrow_assets = add_128(totals.borrow_assets, interest_128)?;
        totals.supply_assets = add_128(totals.supply_assets, interest_128)?;
        let mut fee_shares = U256::ZERO;
        if self.fee_wad != 0 {
            let fee = w_mul_down(interest, U256::from(self.fee_wad))?;
            // Shares are priced as if the fee were not yet part of the supply.
            let before = sub_128(totals.supply_assets, to_u128(fee)?)?;
            fee_shares = to_shares_down(fee, before, totals.supply_shares)?;
            totals.supply_shares = add_128(totals.supply_shares, to_u128(fee_shares)?)?;
        }
        draft.irm = irm;
        draft.accrual = Accrual {
            elapsed,
            borrow_rate_wad: rate,
            interest_assets: interest,
            fee_shares,
        };
        Ok(draft)
    }

    /// The position of `user` with its fees, if it receives them.
    #[inline]
    pub(super) fn position_in(&self, draft: &Draft, user: User) -> Result<Position, Refusal> {
        let mut position = self.position(user);
        if user == self.fee_recipient {
            position.supply_shares = add(position.supply_shares, draft.accrual.fee_shares)?;
        }
        Ok(position)
    }

    /// Mirrors `Morpho._isHealthy`: a position without debt is healthy at any price.
    #[inline]
    pub(super) fn is_position_healthy(
        &self,
        totals: &Totals,
        position: &Position,
        price: U256,
    ) -> Result<bool, Refusal> {
        if position.borrow_shares == 0 {
            return Ok(true);
        }
        self.is_credit_enough(totals, position, price)
    }

    /// Mirrors `Morpho._isHealthy` with a price, as a liquidation asks it: even of a position without
    /// debt the collateral's value is taken, and may be out of range.
    #[inline]
    pub(super) fn is_credit_enough(
        &self,
        totals: &Totals,
        position: &Position,
        price: U256,
    ) -> Result<bool, Refusal> {
        let borrowed = totals.assets_owed(position)?;
        Ok(self.credit(position, price)? >= borrowed)
    }

    /// The most that `position` may owe at `price`, rounded down twice.
    #[inline]
    pub(super) fn credit(&self, position: &Position, price: U256) -> Result<U256, Refusal> {
        let collateral = U256::from(position.collateral);
        let value = mul_div_down(collateral, price, ORACLE_PRICE_SCALE)?;
        w_mul_down(value, self.lltv_wad)
    }

    /// Makes a draft the state, fees included.
    pub(super) fn commit(&mut self, draft: &Draft) {
        if !draft.accrual.fee_shares.is_zero() {
            let mut recipient = self.position(self.fee_recipient);
            recipient.supply_shares = recipient
                .supply_shares
                .wrapping_add(draft.accrual.fee_shares);
            self.store(self.fee_recipient, recipient);
        }
        self.totals = draft.totals;
        self.irm = draft.irm;
        self.last_update = draft.now;
    }

    /// Stores a position, which has its fees already when it came from [`Market::position_in`].
    pub(super) fn store(&mut self, user: User, position: Position) {
        let at = usize::from(user.0);
        if at >= self.positions.len() {
            self.positions
                .resize(at.wrapping_add(1), Position::default());
        }
        if let Some(slot) = self.positions.get_mut(at) {
            *slot = position;
        }
    }

    #[inline]
    fn commit_moved(
        &mut self,
        draft: Draft,
        user: User,
        position: Position,
        assets: U256,
        shares: U256,
    ) -> Moved {
        self.commit(&draft);
        self.store(user, position);
        Moved {
            assets,
            shares,
            accrual: draft.accrual,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::math::to_assets_up;
    use super::*;

    const USER: User = User(0);
    const PRICE: U256 = ORACLE_PRICE_SCALE;

    fn assets(units: u64) -> AmountInput {
        AmountInput::assets(U256::from(units))
    }

    /// 1,000,000 supplied, 500,000 owed against 1,000,000 of collateral, at 50 % a year.
    fn market() -> Market {
        let terms = MarketTerms {
            lltv_wad: U256::from(800_000_000_000_000_000_u64),
            fee_wad: 0,
            fee_recipient: User(1),
            irm: InterestRateModel::Utilization,
        };
        let mut market = Market::create(terms, 0).unwrap();
        market.supply(USER, assets(1_000_000), 0).unwrap();
        market
            .supply_collateral(USER, U256::from(1_000_000_u64))
            .unwrap();
        market.borrow(USER, assets(500_000), PRICE, 0).unwrap();
        market
    }

    #[test]
    fn all_of_a_debt_is_repaid_by_its_shares_and_not_by_assets() {
        let mut market = market();
        let now = 31_536_000;
        let owed = market.expected_totals(now).unwrap().borrow_assets;
        assert_eq!(owed, 500_000 + 322_916, "0.5 + 0.5² ÷ 2 + 0.5³ ÷ 6");
        let refused = market.repay(USER, assets(822_917), now);
        assert_eq!(refused, Err(Refusal::ArithmeticPanic));
        let shares = U256::from(market.position(USER).borrow_shares);
        let asked = to_assets_up(shares, owed, market.totals().borrow_shares).unwrap();
        let paid = market
            .repay(USER, AmountInput::shares(shares), now)
            .unwrap();
        assert_eq!(paid.assets, asked);
        assert_eq!(market.totals().borrow_assets, 0);
        assert_eq!(market.position(USER).borrow_shares, 0);
    }

    #[test]
    fn collateral_is_asked_before_liquidity() {
        let mut market = market();
        let both = market.borrow(USER, assets(500_001), PRICE, 0);
        assert_eq!(both, Err(Refusal::InsufficientCollateral));
        let rich = PRICE * U256::from(10_u8);
        let dry = market.borrow(USER, assets(500_001), rich, 0);
        assert_eq!(dry, Err(Refusal::InsufficientLiquidity));
        let dry = market.withdraw(USER, assets(500_001), 0);
        assert_eq!(dry, Err(Refusal::InsufficientLiquidity));
    }

    #[test]
    fn amounts_beyond_storage_are_refused_by_name_or_by_panic() {
        let mut market = market();
        let wide = U256::from(u128::MAX) + U256::ONE;
        let refused = market.supply_collateral(USER, wide);
        assert_eq!(refused, Err(Refusal::MaxUint128Exceeded));
        let refused = market.supply_collateral(USER, U256::from(u128::MAX));
        assert_eq!(refused, Err(Refusal::ArithmeticPanic));
        let refused = market.supply(USER, AmountInput::assets(wide), 0);
        assert_eq!(refused, Err(Refusal::MaxUint128Exceeded));
        let refused = market.accrue_interest(0).and(market.set_fee(U256::MAX, 0));
        assert_eq!(refused, Err(Refusal::MaxFeeExceeded));
    }

    #[test]
    fn time_does_not_run_backward() {
        let mut market = market();
        market.accrue_interest(10).unwrap();
        assert_eq!(market.accrue_interest(9), Err(Refusal::ArithmeticPanic));
    }

    #[test]
    fn a_new_fee_starts_now_and_a_new_recipient_takes_what_is_pending() {
        let mut market = market();
        let fee = U256::from(FEE_MAX_WAD);
        let accrual = market.set_fee(fee, 31_536_000).unwrap();
        assert_eq!(accrual.fee_shares, U256::ZERO, "the old fee was none");
        assert_eq!(market.set_fee(fee, 31_536_000), Err(Refusal::AlreadySet));
        assert_eq!(market.set_fee_recipient(User(1)), Err(Refusal::AlreadySet));
        market.set_fee_recipient(User(2)).unwrap();
        let accrual = market.accrue_interest(2 * 31_536_000).unwrap();
        assert!(!accrual.fee_shares.is_zero());
        assert_eq!(market.position(User(2)).supply_shares, accrual.fee_shares);
        assert_eq!(market.position(User(1)), Position::default());
    }

    #[test]
    fn terms_out_of_range_make_no_market() {
        let good = market().terms();
        let lltv = MarketTerms {
            lltv_wad: WAD,
            ..good
        };
        assert_eq!(Market::create(lltv, 0), Err(Refusal::MaxLltvExceeded));
        let fee = MarketTerms {
            fee_wad: FEE_MAX_WAD + 1,
            ..good
        };
        assert_eq!(Market::create(fee, 0), Err(Refusal::MaxFeeExceeded));
        let owing = Totals {
            borrow_assets: 1,
            ..Totals::default()
        };
        let refused = Market::from_totals(good, owing, 0);
        assert_eq!(refused, Err(Refusal::InsufficientLiquidity));
    }
}
