//! Lido's withdrawal queue.
//!
//! Mirrors `WithdrawalQueueERC721` and its base (V2, `contracts/0.8.9`). A request moves stETH into
//! the queue and fixes two numbers: its amount and the shares moved. Rewards after that go to the
//! others; penalties until finalization it still shares. So a withdrawal request is a claim on a fixed amount of
//! ether with one exception, a loss of the pool while it waits:
//!
//! claim = amount, or shares × rate at finalization where amount ÷ shares is above that rate.
//!
//! Finalization burns the queue's shares and sets the ether aside; then the claim is final.
//!
//! The contract stores sums over requests and finalizes them in batches that the oracle chooses; what
//! each request is paid depends on its own numbers and the rate only, and that is what is kept here.
//! The rate is the pool's at that moment ([`SharePool::rate_ray`](super::SharePool::rate_ray)), as
//! the oracle's report simulates it. The ether locked is the sum of the claims, where the contract
//! may lock up to one wei more per batch.

use super::lido::{Lido, LidoError};
use super::shares::{Holder, RAY, product_over_floor, sum};
use basis_core::num::{MathError, U256};
use basis_core::types::{Span, Timestamp};

/// The least request: 100 wei of stETH (`MIN_STETH_WITHDRAWAL_AMOUNT`).
pub const REQUEST_MIN: U256 = U256::from_limbs([100, 0, 0, 0]);
/// The largest request: 1000 stETH in wei (`MAX_STETH_WITHDRAWAL_AMOUNT`).
pub const REQUEST_MAX: U256 = U256::from_limbs([3_875_820_019_684_212_736, 54, 0, 0]);

/// The number of a request, from 1, as on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

impl RequestId {
    fn index(self) -> Option<usize> {
        usize::try_from(self.0).ok()?.checked_sub(1)
    }
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LidoRequestState {
    /// Waiting; a loss of the pool would still reach it.
    Pending,
    /// Ether is set aside for it.
    Finalized {
        /// Wei it will be paid.
        claim: U256,
    },
    /// Paid.
    Claimed,
}

/// One request for withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LidoRequest {
    /// Who may claim it.
    pub owner: Holder,
    /// Wei of stETH asked for: the most it can be paid.
    pub amount: U256,
    /// Shares that the amount stood for when it was asked.
    pub shares: U256,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// How far it has come.
    pub state: LidoRequestState,
}

impl LidoRequest {
    /// Wei it is paid when finalized at `rate_ray` (ether per share, ray):
    /// `WithdrawalQueueBase._calculateClaimableEther`.
    ///
    /// # Errors
    /// [`MathError::DivideByZero`] for a request of no shares; [`MathError::Overflow256`].
    pub fn claim_at(&self, rate_ray: U256) -> Result<U256, MathError> {
        let own = product_over_floor(self.amount, RAY, self.shares, "request share rate")?;
        if own <= rate_ray {
            return Ok(self.amount);
        }
        product_over_floor(self.shares, rate_ray, RAY, "discounted claim")
    }
}

/// Every request ever made and how many of them are final.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LidoQueue {
    requests: Vec<LidoRequest>,
    finalized: usize,
    /// Wei set aside and not yet claimed: `getLockedEtherAmount`.
    locked: U256,
}

/// Cuts `amount` wei of stETH into requests that the queue takes, the largest first; a rest below
/// [`REQUEST_MIN`] is left out.
pub fn request_amounts(amount: U256) -> impl Iterator<Item = U256> {
    let mut rest = amount;
    std::iter::from_fn(move || {
        let next = rest.min(REQUEST_MAX);
        rest = rest.saturating_sub(next);
        (next >= REQUEST_MIN).then_some(next)
    })
}

impl Lido {
    /// `WithdrawalQueue.requestWithdrawals` for one `amount` (wei of stETH).
    ///
    /// # Errors
    /// [`LidoError::RequestAmountTooSmall`], [`LidoError::RequestAmountTooLarge`],
    /// [`LidoError::BalanceExceeded`], [`LidoError::Math`].
    pub fn request_withdrawal(
        &mut self,
        owner: Holder,
        amount: U256,
        now: Timestamp,
    ) -> Result<RequestId, LidoError> {
        check_amount(amount)?;
        let shares = self.transfer(owner, Holder::QUEUE, amount)?;
        Ok(self.enqueue(owner, amount, shares, now))
    }

    /// `WithdrawalQueue.requestWithdrawalsWstETH` for one `amount` (wei of wstETH): unwraps into the
    /// queue, and the limits hold for the stETH that comes out.
    ///
    /// # Errors
    /// As [`Lido::request_withdrawal`] and [`Lido::unwrap`]; [`LidoError::TransferExceedsBalance`].
    pub fn request_withdrawal_wrapped(
        &mut self,
        owner: Holder,
        amount: U256,
        now: Timestamp,
    ) -> Result<RequestId, LidoError> {
        let held = self.wrapped_of(owner);
        if held < amount {
            return Err(LidoError::TransferExceedsBalance {
                wanted: amount,
                held,
            });
        }
        if !amount.is_zero() {
            check_amount(self.pool.amount_for_shares(amount)?)?;
        }
        let returned = self.unwrap_to(owner, Holder::QUEUE, amount)?;
        let shares = self.pool.shares_for_amount(returned)?;
        Ok(self.enqueue(owner, returned, shares, now))
    }

    fn enqueue(&mut self, owner: Holder, amount: U256, shares: U256, now: Timestamp) -> RequestId {
        self.queue.requests.push(LidoRequest {
            owner,
            amount,
            shares,
            requested_at: now,
            state: LidoRequestState::Pending,
        });
        RequestId(u64::try_from(self.queue.requests.len()).unwrap_or(u64::MAX))
    }

    /// The request `id`.
    #[must_use]
    pub fn request(&self, id: RequestId) -> Option<&LidoRequest> {
        self.queue.requests.get(id.index()?)
    }

    /// Every request, from first to last.
    pub fn requests(&self) -> impl Iterator<Item = (RequestId, &LidoRequest)> {
        (1..).map(RequestId).zip(&self.queue.requests)
    }

    /// Wei set aside for finalized requests and not yet claimed: `getLockedEtherAmount`.
    #[must_use]
    pub const fn locked_ether(&self) -> U256 {
        self.queue.locked
    }

    /// What the withdrawal request `id` is worth, in wei: its claim once final, and until then the claim it would
    /// have if it were finalized now; nothing once paid.
    ///
    /// # Errors
    /// [`LidoError::RequestNotFoundOrNotFinalized`] for an unknown request; [`LidoError::Math`].
    pub fn request_value(&self, id: RequestId) -> Result<U256, LidoError> {
        let request = self
            .request(id)
            .ok_or(LidoError::RequestNotFoundOrNotFinalized(id.0))?;
        match request.state {
            LidoRequestState::Pending => Ok(request.claim_at(self.pool.rate_ray()?)?),
            LidoRequestState::Finalized { claim } => Ok(claim),
            LidoRequestState::Claimed => Ok(U256::ZERO),
        }
    }

    /// `WithdrawalQueue.finalize` of every request up to `last` at the pool's present share rate;
    /// returns the wei set aside.
    ///
    /// # Errors
    /// [`LidoError::InvalidRequestId`] when `last` is unknown or final already; [`LidoError::Math`].
    pub fn finalize(&mut self, last: RequestId) -> Result<U256, LidoError> {
        let first = self.queue.finalized;
        let invalid = LidoError::InvalidRequestId(last.0);
        let end = last.index().and_then(|index| index.checked_add(1));
        let end = end.filter(|end| *end > first).ok_or(invalid)?;
        let rate = self.pool.rate_ray()?;
        let batch = self.queue.requests.get(first..end).ok_or(invalid)?;
        let (mut locked, mut burned) = (U256::ZERO, U256::ZERO);
        let mut claims = Vec::with_capacity(batch.len());
        for request in batch {
            let claim = request.claim_at(rate)?;
            locked = sum(locked, claim)?;
            burned = sum(burned, request.shares)?;
            claims.push(claim);
        }
        let pool = self.pool.shrunk(burned, locked)?;
        let held = self.shares.of(Holder::QUEUE);
        let Some(left) = held.checked_sub(burned) else {
            return Err(LidoError::BalanceExceeded {
                wanted: burned,
                held,
            });
        };
        self.queue.locked = sum(self.queue.locked, locked)?;
        self.pool = pool;
        self.shares.set(Holder::QUEUE, left);
        for (request, claim) in self.queue.requests.iter_mut().skip(first).zip(claims) {
            request.state = LidoRequestState::Finalized { claim };
        }
        self.queue.finalized = end;
        Ok(locked)
    }

    /// Finalizes, in order, the requests that have waited for `delay` at `now`; returns the last of
    /// them, `None` when there is none.
    ///
    /// # Errors
    /// As [`Lido::finalize`].
    pub fn finalize_due(
        &mut self,
        now: Timestamp,
        delay: Span,
    ) -> Result<Option<RequestId>, LidoError> {
        let waiting = self.queue.requests.iter().skip(self.queue.finalized);
        let due = waiting
            .take_while(|request| request.requested_at.plus(delay) <= now)
            .count();
        if due == 0 {
            return Ok(None);
        }
        let last = self.queue.finalized.saturating_add(due);
        let last = RequestId(u64::try_from(last).unwrap_or(u64::MAX));
        self.finalize(last)?;
        Ok(Some(last))
    }

    /// `WithdrawalQueue.claimWithdrawal`; returns the wei paid to `owner`.
    ///
    /// # Errors
    /// [`LidoError::InvalidRequestId`] for number 0, [`LidoError::RequestNotFoundOrNotFinalized`],
    /// [`LidoError::RequestAlreadyClaimed`], [`LidoError::NotOwner`].
    pub fn claim(&mut self, owner: Holder, id: RequestId) -> Result<U256, LidoError> {
        let index = id.index().ok_or(LidoError::InvalidRequestId(id.0))?;
        let request = self
            .queue
            .requests
            .get_mut(index)
            .ok_or(LidoError::RequestNotFoundOrNotFinalized(id.0))?;
        let claim = match request.state {
            LidoRequestState::Pending => {
                return Err(LidoError::RequestNotFoundOrNotFinalized(id.0));
            }
            LidoRequestState::Claimed => return Err(LidoError::RequestAlreadyClaimed(id.0)),
            LidoRequestState::Finalized { claim } => claim,
        };
        if request.owner != owner {
            return Err(LidoError::NotOwner(owner, request.owner));
        }
        request.state = LidoRequestState::Claimed;
        self.queue.locked = self.queue.locked.saturating_sub(claim);
        Ok(claim)
    }
}

fn check_amount(amount: U256) -> Result<(), LidoError> {
    if amount < REQUEST_MIN {
        return Err(LidoError::RequestAmountTooSmall(amount));
    }
    if amount > REQUEST_MAX {
        return Err(LidoError::RequestAmountTooLarge(amount));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::shares::ONE_TOKEN;
    use super::*;
    use basis_core::num::Fixed18;
    use proptest::prelude::*;

    const ALICE: Holder = Holder::WALLET;
    const BOB: Holder = Holder::after_wallet(1);

    fn lido() -> Lido {
        let mut lido = Lido::at_rate(Fixed18::literal("1.2")).unwrap();
        let ether = ONE_TOKEN * U256::from(5_000_u64);
        lido.submit(ALICE, ether).unwrap();
        lido.stake_and_wrap(ALICE, ether).unwrap();
        lido
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::EPOCH.plus(Span::from_hours(hours))
    }

    fn tokens(count: u64) -> U256 {
        ONE_TOKEN * U256::from(count)
    }

    #[test]
    fn limits_are_one_hundred_wei_and_one_thousand_steth() {
        assert_eq!(REQUEST_MAX, tokens(1_000));
        let mut lido = lido();
        let before = lido.clone();
        let mut refuse = |amount| lido.request_withdrawal(ALICE, amount, at(0)).unwrap_err();
        assert_eq!(
            refuse(U256::from(99_u64)).to_string(),
            "RequestAmountTooSmall(99)"
        );
        assert_eq!(
            refuse(REQUEST_MAX + U256::ONE).to_string(),
            "RequestAmountTooLarge(1000000000000000000001)"
        );
        assert_eq!(
            lido.request_withdrawal_wrapped(ALICE, tokens(900), at(0)),
            Err(LidoError::RequestAmountTooLarge(tokens(1_080)))
        );
        assert_eq!(
            lido.request_withdrawal_wrapped(BOB, tokens(900), at(0)),
            Err(LidoError::TransferExceedsBalance {
                wanted: tokens(900),
                held: U256::ZERO
            })
        );
        assert_eq!(lido, before);
        for amount in [REQUEST_MIN, REQUEST_MAX] {
            lido.request_withdrawal(ALICE, amount, at(0)).unwrap();
        }
    }

    #[test]
    fn a_large_amount_is_cut_into_requests_the_queue_takes() {
        let cut: Vec<_> = request_amounts(tokens(2_500)).collect();
        assert_eq!(cut, [tokens(1_000), tokens(1_000), tokens(500)]);
        let rest: Vec<_> = request_amounts(tokens(1_000) + U256::from(99_u64)).collect();
        assert_eq!(rest, [tokens(1_000)]);
        assert_eq!(request_amounts(U256::from(99_u64)).count(), 0);
    }

    #[test]
    fn a_request_is_a_fixed_claim_while_the_pool_earns() {
        let mut lido = lido();
        let id = lido.request_withdrawal(ALICE, tokens(100), at(0)).unwrap();
        lido.set_rate(Fixed18::literal("1.3")).unwrap();
        assert_eq!(lido.request_value(id).unwrap(), tokens(100));
        assert_eq!(
            lido.claim(ALICE, id),
            Err(LidoError::RequestNotFoundOrNotFinalized(1))
        );
        assert_eq!(lido.finalize_due(at(23), Span::DAY), Ok(None));
        let before = lido.pool().rate_ray().unwrap();
        assert_eq!(lido.finalize_due(at(24), Span::DAY), Ok(Some(id)));
        assert!(lido.pool().rate_ray().unwrap() >= before, "the rest gains");
        assert_eq!(lido.locked_ether(), tokens(100));
        assert_eq!(
            lido.claim(BOB, id),
            Err(LidoError::NotOwner(BOB, ALICE)),
            "a withdrawal request is its owner's"
        );
        assert_eq!(lido.claim(ALICE, id), Ok(tokens(100)));
        assert_eq!(
            lido.claim(ALICE, id),
            Err(LidoError::RequestAlreadyClaimed(1))
        );
        assert_eq!(lido.request_value(id), Ok(U256::ZERO));
        assert_eq!(lido.locked_ether(), U256::ZERO);
    }

    #[test]
    fn a_loss_before_finalization_is_shared_and_one_after_it_is_not() {
        let mut lido = lido();
        let first = lido.request_withdrawal(ALICE, tokens(120), at(0)).unwrap();
        let second = lido
            .request_withdrawal_wrapped(ALICE, tokens(100), at(1))
            .unwrap();
        lido.set_rate(Fixed18::literal("1.1")).unwrap();
        let shared = lido.request_value(first).unwrap();
        // 100 shares at 1.1; both roundings are down.
        assert!(tokens(110) - shared <= U256::from(2_u64), "{shared}");
        lido.finalize(first).unwrap();
        lido.set_rate(Fixed18::literal("0.9")).unwrap();
        assert_eq!(lido.claim(ALICE, first), Ok(shared));
        let lower = lido.request_value(second).unwrap();
        assert!(tokens(90) - lower <= U256::from(2_u64), "{lower}");
    }

    #[test]
    fn finalizing_backwards_or_beyond_the_end_is_refused() {
        let mut lido = lido();
        assert_eq!(
            lido.finalize(RequestId(1)),
            Err(LidoError::InvalidRequestId(1))
        );
        lido.request_withdrawal(ALICE, tokens(1), at(0)).unwrap();
        lido.finalize(RequestId(1)).unwrap();
        for id in [0, 1, 2] {
            let refused = lido.finalize(RequestId(id));
            assert_eq!(refused, Err(LidoError::InvalidRequestId(id)));
        }
        assert_eq!(
            lido.claim(ALICE, RequestId(0)),
            Err(LidoError::InvalidRequestId(0))
        );
    }

    proptest! {
        #[test]
        fn prop_a_claim_is_never_above_the_request_nor_above_its_shares(
            rates in (500_i128..2_000, 500_i128..2_000, 500_i128..2_000),
            amount in 100_u64..,
        ) {
            let rate = |millis: i128| Fixed18::from_mantissa(millis * 1_000_000_000_000_000);
            let mut lido = Lido::at_rate(rate(rates.0)).unwrap();
            lido.submit(ALICE, U256::from(u128::from(amount) * 3)).unwrap();
            let id = lido.request_withdrawal(ALICE, U256::from(amount), at(0)).unwrap();
            lido.set_rate(rate(rates.1)).unwrap();
            let before = *lido.pool();
            let claim = lido.finalize(id).unwrap();
            let request = *lido.request(id).unwrap();
            prop_assert!(claim <= request.amount);
            // The shares' worth, give or take the wei by which the amount was rounded to shares.
            let value = before.amount_for_shares(request.shares).unwrap();
            prop_assert!(claim <= value + U256::from(4_u64), "{} {}", claim, value);
            lido.set_rate(rate(rates.2)).unwrap();
            prop_assert_eq!(lido.claim(ALICE, id).unwrap(), claim);
        }
    }
}
