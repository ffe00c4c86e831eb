//! EtherFi: eETH, weETH, and the withdrawal request that is an NFT.
//!
//! Mirrors `LiquidityPool`, `EETH`, `WeETH` and `WithdrawRequestNFT` (`etherfi-protocol/
//! smart-contracts`, `src/`). The two conversions are Lido's; the edges are not:
//!
//! - shares burned for a withdrawal round up ([`SharePool::shares_for_amount_ceil`]);
//! - a withdrawal request is worth the lesser of the amount asked for and what its shares stand for **when it is
//!   claimed** (`getClaimableAmount`), not when it is finalized: a loss reaches it until the last
//!   moment, a gain never;
//! - shares of a claimed request that were not burned stay with the NFT contract as a remainder, where
//!   they keep their part of the pool until the protocol disposes of them.
//!
//! Fees of `ether.fan`, the liquidity that the pool keeps for claims, pausing and invalidated
//! requests are not modeled: a finalized claim is paid.

use super::lido_queue::RequestId;
use super::shares::{Holder, ShareBook, SharePool, sum};
use basis_core::num::{Fixed18, MathError, U256};
use basis_core::types::{Span, Timestamp};

/// A refusal in the words of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EtherFiError {
    /// `LiquidityPool` refuses an amount of nothing, of no share, or too large for its storage.
    #[error("InvalidAmount(): {0} wei")]
    InvalidAmount(U256),
    /// `EETH._transferShares` of more than the holder has.
    #[error("TRANSFER_AMOUNT_EXCEEDS_BALANCE: {wanted} shares wanted, {held} held")]
    TransferExceedsBalance {
        /// Shares asked for.
        wanted: U256,
        /// Shares held.
        held: U256,
    },
    /// `WeETH.wrap` of nothing.
    #[error("weETH: can't wrap zero eETH")]
    WrapZero,
    /// `WeETH.unwrap` of nothing.
    #[error("Cannot unwrap a zero amount")]
    UnwrapZero,
    /// `WeETH.unwrap` of more than the holder has.
    #[error("ERC20: burn amount exceeds balance: {wanted} wei of weETH wanted, {held} held")]
    BurnExceedsBalance {
        /// Wei of weETH asked for.
        wanted: U256,
        /// Wei of weETH held.
        held: U256,
    },
    /// `WeETH.transfer` of more than the holder has.
    #[error("ERC20: transfer amount exceeds balance: {wanted} wei of weETH wanted, {held} held")]
    WrappedTransferExceedsBalance {
        /// Wei of weETH asked for.
        wanted: U256,
        /// Wei of weETH held.
        held: U256,
    },
    /// `WithdrawRequestNFT` of a number nobody has drawn.
    #[error("Request does not exist: {0}")]
    RequestDoesNotExist(u64),
    /// `WithdrawRequestNFT.getClaimableAmount` before the request is final.
    #[error("Request is not finalized: {0}")]
    RequestNotFinalized(u64),
    /// `WithdrawRequestNFT.getClaimableAmount` after the claim.
    #[error("Already Claimed: {0}")]
    AlreadyClaimed(u64),
    /// `WithdrawRequestNFT.claimWithdraw` by somebody else.
    #[error("Not the owner of the NFT: {0}")]
    NotOwner(u64),
    /// `WithdrawRequestNFT.finalizeRequests` below what is final.
    #[error("Cannot undo finalization: {0}")]
    CannotUndoFinalization(u64),
    /// `WithdrawRequestNFT.finalizeRequests` beyond the last request.
    #[error("Cannot finalize future requests: {0}")]
    CannotFinalizeFuture(u64),
    /// The contract's checked arithmetic reverts.
    #[error(transparent)]
    Math(#[from] MathError),
}

/// One request for withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EtherFiRequest {
    /// Who may claim it.
    pub owner: Holder,
    /// Wei of eETH asked for: the most it can be paid.
    pub amount: U256,
    /// Shares moved with it, rounded down.
    pub shares: U256,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// Whether it has been paid.
    pub claimed: bool,
}

/// The state of EtherFi that matters to a holder. Cloning it is a snapshot.
///
/// Shares that no named [`Holder`] has belong to everybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtherFi {
    pool: SharePool,
    shares: ShareBook,
    wrapped: ShareBook,
    wrapped_total: U256,
    requests: Vec<EtherFiRequest>,
    finalized: usize,
    remainder_shares: U256,
}

impl EtherFi {
    /// EtherFi with this pool, no named holder and no request.
    #[must_use]
    pub fn new(pool: SharePool) -> Self {
        Self {
            pool,
            shares: ShareBook::default(),
            wrapped: ShareBook::default(),
            wrapped_total: U256::ZERO,
            requests: Vec::new(),
            finalized: 0,
            remainder_shares: U256::ZERO,
        }
    }

    /// EtherFi at a recorded rate of ETH per weETH; [`SharePool::at_rate`] says how exactly.
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

    /// A rebase to a recorded rate, up or down; [`SharePool::set_rate`] says how exactly.
    ///
    /// # Errors
    /// As [`SharePool::set_rate`].
    pub fn set_rate(&mut self, rate: Fixed18) -> Result<(), MathError> {
        self.pool.set_rate(rate)
    }

    /// A rebase to a number of wei: `LiquidityPool.rebase`.
    pub const fn set_total_pooled_ether(&mut self, wei: U256) {
        self.pool.total_pooled_ether = wei;
    }

    /// Names `holder` as the owner of so many wei of everybody else's weETH: what was bought, not
    /// minted.
    ///
    /// # Errors
    /// [`EtherFiError::TransferExceedsBalance`] when everybody else has fewer shares.
    pub fn credit_wrapped(&mut self, holder: Holder, amount: U256) -> Result<(), EtherFiError> {
        let named = self.shares.total()?;
        let held = self.pool.total_shares.saturating_sub(named);
        if amount > held {
            return Err(EtherFiError::TransferExceedsBalance {
                wanted: amount,
                held,
            });
        }
        let total = sum(self.wrapped_total, amount)?;
        let after = sum(self.wrapped.of(holder), amount)?;
        let wrapper = sum(self.shares.of(Holder::WRAPPER), amount)?;
        self.shares.set(Holder::WRAPPER, wrapper);
        self.wrapped_total = total;
        self.wrapped.set(holder, after);
        Ok(())
    }

    /// `EETH.shares`.
    #[must_use]
    pub fn shares_of(&self, holder: Holder) -> U256 {
        self.shares.of(holder)
    }

    /// `EETH.balanceOf`: wei of eETH.
    ///
    /// # Errors
    /// As [`EtherFi::amount_for_share`].
    pub fn balance_of(&self, holder: Holder) -> Result<U256, MathError> {
        self.amount_for_share(self.shares.of(holder))
    }

    /// `WeETH.balanceOf`: wei of weETH.
    #[must_use]
    pub fn wrapped_of(&self, holder: Holder) -> U256 {
        self.wrapped.of(holder)
    }

    /// `WeETH.totalSupply` as far as named holders go.
    #[must_use]
    pub const fn wrapped_total(&self) -> U256 {
        self.wrapped_total
    }

    /// Shares that claims left unburned with the NFT contract: `totalRemainderEEthShares`.
    #[must_use]
    pub const fn remainder_shares(&self) -> U256 {
        self.remainder_shares
    }

    /// `LiquidityPool.amountForShare`: [`SharePool::amount_for_shares`], and nothing in an empty
    /// pool.
    ///
    /// # Errors
    /// [`MathError::Overflow256`].
    pub fn amount_for_share(&self, shares: U256) -> Result<U256, MathError> {
        if self.pool.total_shares.is_zero() {
            return Ok(U256::ZERO);
        }
        self.pool.amount_for_shares(shares)
    }

    /// `LiquidityPool.sharesForAmount`: [`SharePool::shares_for_amount`], and nothing in an empty
    /// pool.
    ///
    /// # Errors
    /// [`MathError::Overflow256`].
    pub fn shares_for_amount(&self, amount: U256) -> Result<U256, MathError> {
        if self.pool.total_pooled_ether.is_zero() {
            return Ok(U256::ZERO);
        }
        self.pool.shares_for_amount(amount)
    }

    /// `WeETH.getRate`: wei per weETH.
    ///
    /// # Errors
    /// As [`SharePool::rate_wei`].
    pub fn rate_wei(&self) -> Result<U256, MathError> {
        self.pool.rate_wei()
    }

    /// `LiquidityPool.deposit`: takes `wei` of ether and returns the shares minted to `holder`; the
    /// first deposit of an empty pool gets a share per wei.
    ///
    /// # Errors
    /// [`EtherFiError::InvalidAmount`] for nothing, no share, or more than 2^128 − 1 wei;
    /// [`EtherFiError::Math`].
    pub fn deposit(&mut self, holder: Holder, wei: U256) -> Result<U256, EtherFiError> {
        let minted = if self.pool.total_pooled_ether.is_zero() {
            wei
        } else {
            self.pool.shares_for_amount(wei)?
        };
        if wei.bit_len() > 128 || minted.is_zero() {
            return Err(EtherFiError::InvalidAmount(wei));
        }
        let pool = self.pool.grown(minted, wei)?;
        let after = sum(self.shares.of(holder), minted)?;
        self.pool = pool;
        self.shares.set(holder, after);
        Ok(minted)
    }

    /// `EETH.transfer` of `amount` wei of eETH; returns the shares moved, which may stand for 1 wei
    /// (rarely 2) less.
    ///
    /// # Errors
    /// [`EtherFiError::TransferExceedsBalance`]; [`EtherFiError::Math`].
    pub fn transfer(
        &mut self,
        from: Holder,
        to: Holder,
        amount: U256,
    ) -> Result<U256, EtherFiError> {
        let shares = self.shares_for_amount(amount)?;
        if self.shares.shift(from, to, shares)? {
            return Ok(shares);
        }
        Err(EtherFiError::TransferExceedsBalance {
            wanted: shares,
            held: self.shares.of(from),
        })
    }

    /// `WeETH.wrap` of `amount` wei of eETH; returns the wei of weETH minted.
    ///
    /// # Errors
    /// [`EtherFiError::WrapZero`], [`EtherFiError::TransferExceedsBalance`], [`EtherFiError::Math`].
    pub fn wrap(&mut self, holder: Holder, amount: U256) -> Result<U256, EtherFiError> {
        if amount.is_zero() {
            return Err(EtherFiError::WrapZero);
        }
        let minted = self.shares_for_amount(amount)?;
        let total = sum(self.wrapped_total, minted)?;
        let after = sum(self.wrapped.of(holder), minted)?;
        self.transfer(holder, Holder::WRAPPER, amount)?;
        self.wrapped_total = total;
        self.wrapped.set(holder, after);
        Ok(minted)
    }

    /// `WeETH.unwrap` of `amount` wei of weETH; returns the wei of eETH sent.
    ///
    /// # Errors
    /// [`EtherFiError::UnwrapZero`], [`EtherFiError::BurnExceedsBalance`], [`EtherFiError::Math`].
    pub fn unwrap(&mut self, holder: Holder, amount: U256) -> Result<U256, EtherFiError> {
        if amount.is_zero() {
            return Err(EtherFiError::UnwrapZero);
        }
        let returned = self.amount_for_share(amount)?;
        let held = self.wrapped.of(holder);
        let Some(left) = held.checked_sub(amount) else {
            return Err(EtherFiError::BurnExceedsBalance {
                wanted: amount,
                held,
            });
        };
        self.transfer(Holder::WRAPPER, holder, returned)?;
        self.wrapped.set(holder, left);
        self.wrapped_total = self.wrapped_total.saturating_sub(amount);
        Ok(returned)
    }

    /// `WeETH.transfer`.
    ///
    /// # Errors
    /// [`EtherFiError::WrappedTransferExceedsBalance`]; [`EtherFiError::Math`].
    pub fn transfer_wrapped(
        &mut self,
        from: Holder,
        to: Holder,
        amount: U256,
    ) -> Result<(), EtherFiError> {
        if self.wrapped.shift(from, to, amount)? {
            return Ok(());
        }
        Err(EtherFiError::WrappedTransferExceedsBalance {
            wanted: amount,
            held: self.wrapped.of(from),
        })
    }

    /// `LiquidityPool.requestWithdraw` of `amount` wei of eETH.
    ///
    /// # Errors
    /// [`EtherFiError::InvalidAmount`] for nothing, no share, or more than 2^96 − 1 wei;
    /// [`EtherFiError::TransferExceedsBalance`]; [`EtherFiError::Math`].
    pub fn request_withdraw(
        &mut self,
        owner: Holder,
        amount: U256,
        now: Timestamp,
    ) -> Result<RequestId, EtherFiError> {
        let shares = self.shares_for_amount(amount)?;
        if amount.bit_len() > 96 || shares.is_zero() {
            return Err(EtherFiError::InvalidAmount(amount));
        }
        self.transfer(owner, Holder::QUEUE, amount)?;
        self.requests.push(EtherFiRequest {
            owner,
            amount,
            shares,
            requested_at: now,
            claimed: false,
        });
        Ok(number(self.requests.len()))
    }

    /// The request `id`.
    #[must_use]
    pub fn request(&self, id: RequestId) -> Option<&EtherFiRequest> {
        self.requests.get(place(id)?)
    }

    /// Every request, from first to last.
    pub fn requests(&self) -> impl Iterator<Item = (RequestId, &EtherFiRequest)> {
        (1..).map(RequestId).zip(&self.requests)
    }

    /// `WithdrawRequestNFT.finalizeRequests` up to `last`.
    ///
    /// # Errors
    /// [`EtherFiError::CannotUndoFinalization`]; [`EtherFiError::CannotFinalizeFuture`].
    pub fn finalize(&mut self, last: RequestId) -> Result<(), EtherFiError> {
        let until = usize::try_from(last.0).unwrap_or(usize::MAX);
        if until < self.finalized {
            return Err(EtherFiError::CannotUndoFinalization(last.0));
        }
        if until > self.requests.len() {
            return Err(EtherFiError::CannotFinalizeFuture(last.0));
        }
        self.finalized = until;
        Ok(())
    }

    /// Finalizes, in order, the requests that have waited for `delay` at `now`; returns the last of
    /// them, `None` when there is none.
    pub fn finalize_due(&mut self, now: Timestamp, delay: Span) -> Option<RequestId> {
        let waiting = self.requests.iter().skip(self.finalized);
        let due = waiting
            .take_while(|request| request.requested_at.plus(delay) <= now)
            .count();
        if due == 0 {
            return None;
        }
        self.finalized = self.finalized.saturating_add(due);
        Some(number(self.finalized))
    }

    /// Whether `id` is final.
    #[must_use]
    pub fn is_finalized(&self, id: RequestId) -> bool {
        place(id).is_some_and(|place| place < self.finalized)
    }

    /// What the withdrawal request `id` is worth now, in wei: the lesser of the amount asked for and what its
    /// shares stand for; nothing once paid.
    ///
    /// # Errors
    /// [`EtherFiError::RequestDoesNotExist`]; [`EtherFiError::Math`].
    pub fn request_value(&self, id: RequestId) -> Result<U256, EtherFiError> {
        let request = self
            .request(id)
            .ok_or(EtherFiError::RequestDoesNotExist(id.0))?;
        if request.claimed {
            return Ok(U256::ZERO);
        }
        let value = self.amount_for_share(request.shares)?;
        Ok(request.amount.min(value))
    }

    /// `WithdrawRequestNFT.claimWithdraw`; burns the shares that the payment stands for, rounded up,
    /// and returns the wei paid to `owner`.
    ///
    /// # Errors
    /// [`EtherFiError::RequestDoesNotExist`], [`EtherFiError::AlreadyClaimed`],
    /// [`EtherFiError::NotOwner`], [`EtherFiError::RequestNotFinalized`];
    /// [`EtherFiError::InvalidAmount`] when the shares have become worthless;
    /// [`EtherFiError::Math`].
    pub fn claim(&mut self, owner: Holder, id: RequestId) -> Result<U256, EtherFiError> {
        let request = *self
            .request(id)
            .ok_or(EtherFiError::RequestDoesNotExist(id.0))?;
        if request.claimed {
            return Err(EtherFiError::AlreadyClaimed(id.0));
        }
        if request.owner != owner {
            return Err(EtherFiError::NotOwner(id.0));
        }
        if !self.is_finalized(id) {
            return Err(EtherFiError::RequestNotFinalized(id.0));
        }
        let paid = self.request_value(id)?;
        if paid.is_zero() {
            return Err(EtherFiError::InvalidAmount(paid));
        }
        let burned = self.pool.shares_for_amount_ceil(paid)?;
        let pool = self.pool.shrunk(burned, paid)?;
        // paid <= shares × ether ÷ total, so that even rounded up it burns no more than it brought.
        let kept = request.shares.saturating_sub(burned);
        let remainder = sum(self.remainder_shares, kept)?;
        let held = self.shares.of(Holder::QUEUE);
        self.shares.set(Holder::QUEUE, held.saturating_sub(burned));
        self.pool = pool;
        self.remainder_shares = remainder;
        if let Some(request) = place(id).and_then(|place| self.requests.get_mut(place)) {
            request.claimed = true;
        }
        Ok(paid)
    }
}

fn place(id: RequestId) -> Option<usize> {
    usize::try_from(id.0).ok()?.checked_sub(1)
}

fn number(count: usize) -> RequestId {
    RequestId(u64::try_from(count).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::shares::ONE_TOKEN;
    use super::*;
    use proptest::prelude::*;

    const ALICE: Holder = Holder::WALLET;
    const BOB: Holder = Holder::after_wallet(1);

    fn at(hours: i64) -> Timestamp {
        Timestamp::EPOCH.plus(Span::from_hours(hours))
    }

    fn tokens(count: u64) -> U256 {
        ONE_TOKEN * U256::from(count)
    }

    fn etherfi() -> EtherFi {
        let mut etherfi = EtherFi::at_rate(Fixed18::literal("1.05")).unwrap();
        etherfi.deposit(ALICE, tokens(1_050)).unwrap();
        etherfi
    }

    #[test]
    fn bought_tokens_unwrap_as_minted_ones_do() {
        let mut etherfi = EtherFi::at_rate(Fixed18::literal("1.25")).unwrap();
        let pool = *etherfi.pool();
        etherfi.credit_wrapped(ALICE, tokens(4)).unwrap();
        assert_eq!(etherfi.wrapped_of(ALICE), tokens(4));
        assert_eq!(etherfi.wrapped_total(), etherfi.shares_of(Holder::WRAPPER));
        assert_eq!(etherfi.unwrap(ALICE, tokens(4)), Ok(tokens(5)));
        assert_eq!(*etherfi.pool(), pool, "they were in existence before");
        let before = etherfi.clone();
        assert!(etherfi.credit_wrapped(BOB, pool.total_shares).is_err());
        assert_eq!(etherfi, before);
    }

    #[test]
    fn refusals_speak_the_contract_s_words_and_change_nothing() {
        let mut etherfi = etherfi();
        let before = etherfi.clone();
        let nothing = U256::ZERO;
        let said = |e: EtherFiError| e.to_string();
        assert_eq!(
            said(etherfi.deposit(ALICE, nothing).unwrap_err()),
            "InvalidAmount(): 0 wei"
        );
        assert_eq!(
            said(etherfi.wrap(ALICE, nothing).unwrap_err()),
            "weETH: can't wrap zero eETH"
        );
        assert_eq!(
            said(etherfi.unwrap(ALICE, nothing).unwrap_err()),
            "Cannot unwrap a zero amount"
        );
        let over = etherfi.wrap(BOB, tokens(1)).unwrap_err();
        assert!(said(over).starts_with("TRANSFER_AMOUNT_EXCEEDS_BALANCE"));
        let over = etherfi.unwrap(ALICE, tokens(1)).unwrap_err();
        assert!(said(over).starts_with("ERC20: burn amount exceeds balance"));
        let one = U256::ONE;
        // A wei is worth no share at a rate above one.
        let dust = etherfi.request_withdraw(ALICE, one, at(0)).unwrap_err();
        assert_eq!(said(dust), "InvalidAmount(): 1 wei");
        let huge = one << 96;
        let huge = etherfi.request_withdraw(ALICE, huge, at(0)).unwrap_err();
        assert!(said(huge).starts_with("InvalidAmount()"));
        assert!(etherfi.claim(ALICE, RequestId(1)).is_err());
        assert!(etherfi.finalize(RequestId(1)).is_err());
        assert_eq!(etherfi, before);
    }

    #[test]
    fn an_empty_pool_gives_a_share_per_wei_and_shows_nothing() {
        let mut etherfi = EtherFi::new(SharePool::new(U256::ZERO, U256::ZERO));
        assert_eq!(etherfi.amount_for_share(tokens(1)), Ok(U256::ZERO));
        assert_eq!(etherfi.shares_for_amount(tokens(1)), Ok(U256::ZERO));
        assert_eq!(etherfi.deposit(ALICE, tokens(3)), Ok(tokens(3)));
        assert_eq!(etherfi.balance_of(ALICE), Ok(tokens(3)));
    }

    #[test]
    fn a_request_keeps_its_amount_when_the_pool_earns_and_leaves_a_remainder() {
        let mut etherfi = etherfi();
        let id = etherfi.request_withdraw(ALICE, tokens(105), at(0)).unwrap();
        assert_eq!(
            etherfi.claim(ALICE, id),
            Err(EtherFiError::RequestNotFinalized(1))
        );
        assert_eq!(etherfi.finalize_due(at(71), Span::from_hours(72)), None);
        let due = etherfi.finalize_due(at(72), Span::from_hours(72));
        assert_eq!(due, Some(id));
        etherfi.set_rate(Fixed18::literal("1.1")).unwrap();
        assert_eq!(etherfi.request_value(id), Ok(tokens(105)));
        assert_eq!(etherfi.claim(BOB, id), Err(EtherFiError::NotOwner(1)));
        assert_eq!(etherfi.claim(ALICE, id), Ok(tokens(105)));
        assert_eq!(
            etherfi.claim(ALICE, id),
            Err(EtherFiError::AlreadyClaimed(1))
        );
        // 100 shares came, 95.45… were burned rounding up.
        let burned = tokens(100) - etherfi.remainder_shares();
        assert_eq!(burned, "95454545454545454546".parse::<U256>().unwrap());
        let left = etherfi.shares_of(Holder::QUEUE);
        assert_eq!(left, etherfi.remainder_shares());
        assert_eq!(
            etherfi.finalize(RequestId(0)),
            Err(EtherFiError::CannotUndoFinalization(0))
        );
        assert_eq!(
            etherfi.finalize(RequestId(2)),
            Err(EtherFiError::CannotFinalizeFuture(2))
        );
    }

    #[test]
    fn a_loss_reaches_a_request_until_it_is_claimed() {
        let mut etherfi = etherfi();
        let id = etherfi.request_withdraw(ALICE, tokens(105), at(0)).unwrap();
        etherfi.finalize(id).unwrap();
        etherfi.set_rate(Fixed18::literal("0.9")).unwrap();
        assert_eq!(etherfi.request_value(id), Ok(tokens(90)));
        let mut gone = etherfi.clone();
        assert_eq!(etherfi.claim(ALICE, id), Ok(tokens(90)));
        assert_eq!(etherfi.remainder_shares(), U256::ZERO);
        gone.set_total_pooled_ether(U256::ZERO);
        assert_eq!(
            gone.claim(ALICE, id),
            Err(EtherFiError::InvalidAmount(U256::ZERO))
        );
    }

    proptest! {
        #[test]
        fn prop_every_way_round_ends_at_or_below_its_start(
            rate in 1_000_000_000_000_000_000_i128..2_000_000_000_000_000_000,
            wei in 10_u64..,
        ) {
            let mut etherfi = EtherFi::at_rate(Fixed18::from_mantissa(rate)).unwrap();
            let wei = U256::from(wei);
            etherfi.deposit(ALICE, wei).unwrap();
            prop_assert!(etherfi.balance_of(ALICE).unwrap() <= wei);
            let balance = etherfi.balance_of(ALICE).unwrap();
            let wrapped = etherfi.wrap(ALICE, balance).unwrap();
            prop_assert!(etherfi.wrapped_total() <= etherfi.shares_of(Holder::WRAPPER));
            etherfi.unwrap(ALICE, wrapped).unwrap();
            let after = etherfi.balance_of(ALICE).unwrap();
            prop_assert!(after <= balance);
            let id = etherfi.request_withdraw(ALICE, after, at(0)).unwrap();
            etherfi.finalize(id).unwrap();
            let before = *etherfi.pool();
            let paid = etherfi.claim(ALICE, id).unwrap();
            prop_assert!(paid <= after);
            let is = etherfi.pool();
            prop_assert!(
                is.total_pooled_ether * before.total_shares
                    >= before.total_pooled_ether * is.total_shares
            );
        }
    }
}
