//! Lido: stETH, wstETH, and the shares under both.
//!
//! Mirrors `Lido` and `StETH` (V2, `contracts/0.4.24`) and `WstETH` (`contracts/0.6.12`). Two wei of
//! truth that a price list would hide: a transfer of x moves floor(x × shares ÷ ether) shares and may
//! arrive as x − 1, and unwrapping may move one share less than was burned, so that wstETH in
//! existence stays at or below the shares of its contract.

use super::lido_queue::LidoQueue;
use super::shares::{Holder, ShareBook, SharePool, sum};
use basis_core::num::{Fixed18, MathError, U256};

/// A refusal in the words of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LidoError {
    /// `Lido.submit` of nothing.
    #[error("ZERO_DEPOSIT")]
    ZeroDeposit,
    /// `StETH._transferShares` of more than the holder has.
    #[error("BALANCE_EXCEEDED: {wanted} shares wanted, {held} held")]
    BalanceExceeded {
        /// Shares asked for.
        wanted: U256,
        /// Shares held.
        held: U256,
    },
    /// `WstETH.wrap` of nothing.
    #[error("wstETH: can't wrap zero stETH")]
    WrapZero,
    /// `WstETH.unwrap` of nothing.
    #[error("wstETH: zero amount unwrap not allowed")]
    UnwrapZero,
    /// `WstETH.unwrap` of more than the holder has.
    #[error("ERC20: burn amount exceeds balance: {wanted} wei of wstETH wanted, {held} held")]
    BurnExceedsBalance {
        /// Wei of wstETH asked for.
        wanted: U256,
        /// Wei of wstETH held.
        held: U256,
    },
    /// `WstETH.transfer` of more than the holder has.
    #[error("ERC20: transfer amount exceeds balance: {wanted} wei of wstETH wanted, {held} held")]
    TransferExceedsBalance {
        /// Wei of wstETH asked for.
        wanted: U256,
        /// Wei of wstETH held.
        held: U256,
    },
    /// `WithdrawalQueue.requestWithdrawals` below 100 wei.
    #[error("RequestAmountTooSmall({0})")]
    RequestAmountTooSmall(U256),
    /// `WithdrawalQueue.requestWithdrawals` above 1000 stETH.
    #[error("RequestAmountTooLarge({0})")]
    RequestAmountTooLarge(U256),
    /// `WithdrawalQueueBase._finalize` of a request that is not there or is final already.
    #[error("InvalidRequestId({0})")]
    InvalidRequestId(u64),
    /// `WithdrawalQueueBase._claim` before the request is final.
    #[error("RequestNotFoundOrNotFinalized({0})")]
    RequestNotFoundOrNotFinalized(u64),
    /// `WithdrawalQueueBase._claim` for the second time.
    #[error("RequestAlreadyClaimed({0})")]
    RequestAlreadyClaimed(u64),
    /// `WithdrawalQueueBase._claim` by somebody else.
    #[error("NotOwner({0:?}, {1:?})")]
    NotOwner(Holder, Holder),
    /// The contract's checked arithmetic reverts.
    #[error(transparent)]
    Math(#[from] MathError),
}

/// The state of Lido that matters to a holder. Cloning it is a snapshot.
///
/// Shares that no named [`Holder`] has belong to everybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lido {
    pub(super) pool: SharePool,
    pub(super) shares: ShareBook,
    wrapped: ShareBook,
    wrapped_total: U256,
    pub(super) queue: LidoQueue,
}

impl Lido {
    /// Lido with this pool, no named holder and an empty queue.
    #[must_use]
    pub fn new(pool: SharePool) -> Self {
        Self {
            pool,
            shares: ShareBook::default(),
            wrapped: ShareBook::default(),
            wrapped_total: U256::ZERO,
            queue: LidoQueue::default(),
        }
    }

    /// Lido at a recorded rate of ETH per wstETH; [`SharePool::at_rate`] says how exactly.
    ///
    /// # Errors
    /// [`MathError::OutOfRange`] unless `rate` is positive.
    pub fn at_rate(rate: Fixed18) -> Result<Self, MathError> {
        SharePool::at_rate(rate).map(Self::new)
    }

    /// Total shares and pooled ether.
    #[must_use]
    pub const fn pool(&self) -> &SharePool {
        &self.pool
    }

    /// The daily report as a recorded rate, up or down; [`SharePool::set_rate`] says how exactly.
    ///
    /// # Errors
    /// As [`SharePool::set_rate`].
    pub fn set_rate(&mut self, rate: Fixed18) -> Result<(), MathError> {
        self.pool.set_rate(rate)
    }

    /// The daily report as a number of wei: `Lido.handleOracleReport` moving the balances that
    /// `getTotalPooledEther` adds up.
    pub const fn set_total_pooled_ether(&mut self, wei: U256) {
        self.pool.total_pooled_ether = wei;
    }

    /// Names `holder` as the owner of so many of everybody else's shares: a starting position.
    ///
    /// # Errors
    /// [`LidoError::BalanceExceeded`] when everybody else has fewer.
    pub fn credit_shares(&mut self, holder: Holder, shares: U256) -> Result<(), LidoError> {
        let named = self.shares.total()?;
        let held = self.pool.total_shares.saturating_sub(named);
        if shares > held {
            return Err(LidoError::BalanceExceeded {
                wanted: shares,
                held,
            });
        }
        let after = sum(self.shares.of(holder), shares)?;
        self.shares.set(holder, after);
        Ok(())
    }

    /// Names `holder` as the owner of so many wei of everybody else's wstETH: what was bought, not
    /// minted.
    ///
    /// # Errors
    /// [`LidoError::BalanceExceeded`] when everybody else has fewer shares.
    pub fn credit_wrapped(&mut self, holder: Holder, amount: U256) -> Result<(), LidoError> {
        let total = sum(self.wrapped_total, amount)?;
        let after = sum(self.wrapped.of(holder), amount)?;
        self.credit_shares(Holder::WRAPPER, amount)?;
        self.wrapped_total = total;
        self.wrapped.set(holder, after);
        Ok(())
    }

    /// `StETH.sharesOf`.
    #[must_use]
    pub fn shares_of(&self, holder: Holder) -> U256 {
        self.shares.of(holder)
    }

    /// `StETH.balanceOf`: wei of stETH.
    ///
    /// # Errors
    /// [`MathError`] as [`SharePool::amount_for_shares`].
    pub fn balance_of(&self, holder: Holder) -> Result<U256, MathError> {
        self.pool.amount_for_shares(self.shares.of(holder))
    }

    /// `WstETH.balanceOf`: wei of wstETH.
    #[must_use]
    pub fn wrapped_of(&self, holder: Holder) -> U256 {
        self.wrapped.of(holder)
    }

    /// `WstETH.totalSupply` as far as named holders go: what [`Lido::wrap`] and
    /// [`Lido::stake_and_wrap`] made and nothing has burned.
    #[must_use]
    pub const fn wrapped_total(&self) -> U256 {
        self.wrapped_total
    }

    /// `Lido.submit`: takes `wei` of ether and returns the shares minted to `holder`.
    ///
    /// # Errors
    /// [`LidoError::ZeroDeposit`]; [`LidoError::Math`].
    pub fn submit(&mut self, holder: Holder, wei: U256) -> Result<U256, LidoError> {
        if wei.is_zero() {
            return Err(LidoError::ZeroDeposit);
        }
        let minted = self.pool.shares_for_amount(wei)?;
        let pool = self.pool.grown(minted, wei)?;
        let after = sum(self.shares.of(holder), minted)?;
        self.pool = pool;
        self.shares.set(holder, after);
        Ok(minted)
    }

    /// `StETH.transfer` of `amount` wei of stETH; returns the shares moved. What arrives is what
    /// they stand for: `amount`, or 1 wei (rarely 2) less.
    ///
    /// # Errors
    /// [`LidoError::BalanceExceeded`]; [`LidoError::Math`].
    pub fn transfer(&mut self, from: Holder, to: Holder, amount: U256) -> Result<U256, LidoError> {
        let shares = self.pool.shares_for_amount(amount)?;
        self.transfer_shares(from, to, shares)?;
        Ok(shares)
    }

    /// `StETH.transferShares`; returns the wei of stETH they stand for.
    ///
    /// # Errors
    /// [`LidoError::BalanceExceeded`]; [`LidoError::Math`].
    pub fn transfer_shares(
        &mut self,
        from: Holder,
        to: Holder,
        shares: U256,
    ) -> Result<U256, LidoError> {
        let amount = self.pool.amount_for_shares(shares)?;
        if self.shares.shift(from, to, shares)? {
            return Ok(amount);
        }
        Err(LidoError::BalanceExceeded {
            wanted: shares,
            held: self.shares.of(from),
        })
    }

    /// `WstETH.wrap` of `amount` wei of stETH; returns the wei of wstETH minted.
    ///
    /// # Errors
    /// [`LidoError::WrapZero`], [`LidoError::BalanceExceeded`], [`LidoError::Math`].
    pub fn wrap(&mut self, holder: Holder, amount: U256) -> Result<U256, LidoError> {
        if amount.is_zero() {
            return Err(LidoError::WrapZero);
        }
        let minted = self.pool.shares_for_amount(amount)?;
        let total = sum(self.wrapped_total, minted)?;
        let after = sum(self.wrapped.of(holder), minted)?;
        self.transfer_shares(holder, Holder::WRAPPER, minted)?;
        self.wrapped_total = total;
        self.wrapped.set(holder, after);
        Ok(minted)
    }

    /// `WstETH.unwrap` of `amount` wei of wstETH; returns the wei of stETH sent, of which the shares
    /// that arrive may stand for 1 wei less.
    ///
    /// # Errors
    /// [`LidoError::UnwrapZero`], [`LidoError::BurnExceedsBalance`], [`LidoError::Math`].
    pub fn unwrap(&mut self, holder: Holder, amount: U256) -> Result<U256, LidoError> {
        self.unwrap_to(holder, holder, amount)
    }

    /// Burns `from`'s wstETH and sends the stETH to `to`.
    pub(super) fn unwrap_to(
        &mut self,
        from: Holder,
        to: Holder,
        amount: U256,
    ) -> Result<U256, LidoError> {
        if amount.is_zero() {
            return Err(LidoError::UnwrapZero);
        }
        let returned = self.pool.amount_for_shares(amount)?;
        let held = self.wrapped.of(from);
        let Some(left) = held.checked_sub(amount) else {
            return Err(LidoError::BurnExceedsBalance {
                wanted: amount,
                held,
            });
        };
        self.transfer(Holder::WRAPPER, to, returned)?;
        self.wrapped.set(from, left);
        self.wrapped_total = self.wrapped_total.saturating_sub(amount);
        Ok(returned)
    }

    /// Ether sent to `WstETH` itself (`receive`): stakes and wraps in one step, and loses nothing to
    /// rounding between the two; returns the wei of wstETH minted.
    ///
    /// # Errors
    /// As [`Lido::submit`].
    pub fn stake_and_wrap(&mut self, holder: Holder, wei: U256) -> Result<U256, LidoError> {
        let minted = self.submit(Holder::WRAPPER, wei)?;
        // Neither sum can fail: wrapped tokens are at most the wrapper's shares, which just fit.
        let after = sum(self.wrapped.of(holder), minted)?;
        self.wrapped_total = sum(self.wrapped_total, minted)?;
        self.wrapped.set(holder, after);
        Ok(minted)
    }

    /// `WstETH.transfer`.
    ///
    /// # Errors
    /// [`LidoError::TransferExceedsBalance`]; [`LidoError::Math`].
    pub fn transfer_wrapped(
        &mut self,
        from: Holder,
        to: Holder,
        amount: U256,
    ) -> Result<(), LidoError> {
        if self.wrapped.shift(from, to, amount)? {
            return Ok(());
        }
        Err(LidoError::TransferExceedsBalance {
            wanted: amount,
            held: self.wrapped.of(from),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALICE: Holder = Holder::WALLET;
    const BOB: Holder = Holder::after_wallet(1);

    fn wei(value: u128) -> U256 {
        U256::from(value)
    }

    #[test]
    fn bought_tokens_unwrap_as_minted_ones_do() {
        let mut lido = Lido::at_rate(Fixed18::literal("1.25")).unwrap();
        let pool = *lido.pool();
        lido.credit_wrapped(ALICE, wei(4_000)).unwrap();
        assert_eq!(lido.wrapped_of(ALICE), wei(4_000));
        assert_eq!(lido.wrapped_total(), lido.shares_of(Holder::WRAPPER));
        assert_eq!(lido.unwrap(ALICE, wei(4_000)), Ok(wei(5_000)));
        assert_eq!(*lido.pool(), pool, "they were in existence before");
        let before = lido.clone();
        assert!(lido.credit_wrapped(BOB, pool.total_shares).is_err());
        assert_eq!(lido, before);
    }

    #[test]
    fn refusals_speak_the_contract_s_words_and_change_nothing() {
        let mut lido = Lido::at_rate(Fixed18::literal("1.17")).unwrap();
        lido.submit(ALICE, wei(1_000)).unwrap();
        let before = lido.clone();
        let said = |result: Result<U256, LidoError>| result.unwrap_err().to_string();
        assert_eq!(said(lido.submit(ALICE, U256::ZERO)), "ZERO_DEPOSIT");
        assert_eq!(
            said(lido.transfer(ALICE, BOB, wei(2_000))),
            "BALANCE_EXCEEDED: 1709 shares wanted, 854 held"
        );
        assert_eq!(
            said(lido.wrap(ALICE, U256::ZERO)),
            "wstETH: can't wrap zero stETH"
        );
        assert!(said(lido.wrap(BOB, wei(5))).starts_with("BALANCE_EXCEEDED"));
        assert_eq!(
            said(lido.unwrap(ALICE, U256::ZERO)),
            "wstETH: zero amount unwrap not allowed"
        );
        assert!(said(lido.unwrap(ALICE, wei(1))).starts_with("ERC20: burn amount exceeds balance"));
        assert!(said(lido.submit(ALICE, U256::MAX)).contains("256 bits"));
        assert!(lido.transfer_wrapped(ALICE, BOB, wei(1)).is_err());
        assert!(lido.credit_shares(ALICE, U256::MAX).is_err());
        assert_eq!(lido, before);
    }

    #[test]
    fn a_recorded_rate_is_read_back_to_the_last_digit_also_after_staking() {
        let rate = Fixed18::literal("1.166391371091203517");
        let mut lido = Lido::at_rate(rate).unwrap();
        assert_eq!(lido.pool().rate().unwrap(), rate);
        for round in 1..50_u128 {
            lido.submit(ALICE, wei(round * 1_234_567_890_123_456_789))
                .unwrap();
            assert_eq!(lido.pool().rate().unwrap(), rate);
        }
        let next = Fixed18::literal("1.166483616775631999");
        lido.set_rate(next).unwrap();
        assert_eq!(lido.pool().rate().unwrap(), next);
        let slashed = Fixed18::literal("1.1");
        lido.set_rate(slashed).unwrap();
        assert_eq!(lido.pool().rate().unwrap(), slashed);
    }

    #[test]
    fn staking_through_the_wrapper_gives_at_least_what_two_steps_give() {
        let mut one = Lido::at_rate(Fixed18::literal("1.2345")).unwrap();
        let mut two = one.clone();
        let direct = one.stake_and_wrap(ALICE, wei(1_000_000_007)).unwrap();
        two.submit(ALICE, wei(1_000_000_007)).unwrap();
        let balance = two.balance_of(ALICE).unwrap();
        let stepwise = two.wrap(ALICE, balance).unwrap();
        assert!(direct >= stepwise);
        assert_eq!(one.wrapped_total(), one.shares_of(Holder::WRAPPER));
    }

    /// One operation of a random sequence: which, by whom, how much.
    fn operations() -> impl Strategy<Value = Vec<(u8, u32, u64)>> {
        prop::collection::vec((0_u8..6, 0_u32..3, 0_u64..1_000_000), 1..80)
    }

    proptest! {
        #[test]
        fn prop_shares_are_conserved_and_rounding_favors_the_pool(
            rate in 900_000_000_000_000_000_i128..2_000_000_000_000_000_000,
            operations in operations(),
        ) {
            let mut lido = Lido::at_rate(Fixed18::from_mantissa(rate)).unwrap();
            let outsiders = lido.pool().total_shares;
            for (what, who, amount) in operations {
                let (holder, other) = (Holder::after_wallet(who), Holder::after_wallet(who ^ 1));
                let (amount, before) = (U256::from(amount), lido.clone());
                let refused = match what {
                    0 => lido.submit(holder, amount).is_err(),
                    1 => lido.transfer(holder, other, amount).is_err(),
                    2 => lido.wrap(holder, amount).is_err(),
                    3 => lido.unwrap(holder, amount).is_err(),
                    4 => lido.stake_and_wrap(holder, amount).is_err(),
                    _ => lido.transfer_wrapped(holder, other, amount).is_err(),
                };
                if refused {
                    prop_assert_eq!(&lido, &before);
                }
                let (was, is) = (before.pool(), lido.pool());
                // P'·S >= P·S': ether per share never falls.
                prop_assert!(
                    is.total_pooled_ether * was.total_shares
                        >= was.total_pooled_ether * is.total_shares
                );
                let named = lido.shares.total().unwrap();
                prop_assert_eq!(named + outsiders, is.total_shares);
                prop_assert!(lido.wrapped_total() <= lido.shares_of(Holder::WRAPPER));
                prop_assert_eq!(lido.wrapped.total().unwrap(), lido.wrapped_total());
            }
        }

        #[test]
        fn prop_wrap_then_unwrap_never_profits_and_loses_at_most_two_wei(
            rate in 1_000_000_000_000_000_000_i128..2_000_000_000_000_000_000,
            amount in 10_u64..,
        ) {
            let mut lido = Lido::at_rate(Fixed18::from_mantissa(rate)).unwrap();
            lido.submit(ALICE, U256::from(amount)).unwrap();
            let before = lido.balance_of(ALICE).unwrap();
            let wrapped = lido.wrap(ALICE, before).unwrap();
            lido.unwrap(ALICE, wrapped).unwrap();
            let after = lido.balance_of(ALICE).unwrap();
            prop_assert!(after <= before);
            prop_assert!(before - after <= U256::from(4_u64));
        }

        #[test]
        fn prop_a_transfer_arrives_whole_or_short_by_two_wei_at_most(
            rate in 1_000_000_000_000_000_000_i128..2_000_000_000_000_000_000,
            amount in 1_u64..,
        ) {
            let mut lido = Lido::at_rate(Fixed18::from_mantissa(rate)).unwrap();
            lido.submit(ALICE, U256::from(u128::from(amount) * 2)).unwrap();
            lido.transfer(ALICE, BOB, U256::from(amount)).unwrap();
            let short = U256::from(amount) - lido.balance_of(BOB).unwrap();
            prop_assert!(short <= U256::from(2_u64));
        }
    }
}
