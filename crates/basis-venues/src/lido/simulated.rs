//! Lido as the simulated staking venue calls it.

use basis_core::num::{Fixed18, MathError, U256};
use basis_core::types::{Account, Asset, Label, SeriesId, SeriesKind, Span, Symbol, Timestamp};
use basis_protocols::gas::GasOperation;
use basis_protocols::liquid_staking::lido_queue::{REQUEST_MAX, REQUEST_MIN, request_amounts};
use basis_protocols::liquid_staking::{Holder, Lido, RequestId};
use basis_sim::refusal::Refusal;
use basis_sim::staking::{StakingGas, StakingNames, StakingPool};

use super::errors::{refusal, too_small};
use super::{OPERATIONS, STETH, VENUE};

const US: Holder = Holder::WALLET;

/// The contracts with our wallet in them.
#[derive(Clone, Debug)]
pub(super) struct LidoPool(Lido);

impl StakingPool for LidoPool {
    const NAMES: StakingNames = StakingNames {
        venue: VENUE,
        rebasing: STETH,
        wrapped: Asset::literal("wstETH"),
        rate: SeriesId::new(
            SeriesKind::StakingRate,
            VENUE,
            Symbol::literal("wstETH_ETH"),
        ),
        operations: OPERATIONS,
        queue: Account::new(VENUE, Label::literal("queue")),
        rewards: Account::new(VENUE, Label::literal("rewards")),
        not_final: "RequestNotFoundOrNotFinalized",
        gas: StakingGas {
            stake: GasOperation::LidoSubmit,
            wrap: GasOperation::LidoWrap,
            unwrap: GasOperation::LidoUnwrap,
            request: GasOperation::LidoRequestWithdrawal,
            claim: GasOperation::LidoClaimWithdrawal,
        },
    };

    fn at_rate(rate: Fixed18) -> Result<Self, Refusal> {
        Ok(Self(Lido::at_rate(rate)?))
    }

    fn set_rate(&mut self, rate: Fixed18) -> Result<(), Refusal> {
        Ok(self.0.set_rate(rate)?)
    }

    fn shares(&self) -> U256 {
        self.0.shares_of(US)
    }

    fn balance(&self) -> Result<U256, Refusal> {
        Ok(self.0.balance_of(US)?)
    }

    fn value_of(&self, shares: U256) -> Result<U256, Refusal> {
        Ok(self.0.pool().amount_for_shares(shares)?)
    }

    fn stake(&mut self, wei: U256) -> Result<(), Refusal> {
        self.0.submit(US, wei).map(drop).map_err(refusal)
    }

    fn stake_wrapped(&mut self, wei: U256) -> Result<U256, Refusal> {
        self.0.stake_and_wrap(US, wei).map_err(refusal)
    }

    fn wrap(&mut self, amount: U256) -> Result<U256, Refusal> {
        self.0.wrap(US, amount).map_err(refusal)
    }

    fn unwrap(&mut self, amount: U256) -> Result<(), Refusal> {
        known_as_ours(&mut self.0, amount)?;
        self.0.unwrap(US, amount).map(drop).map_err(refusal)
    }

    fn request(&mut self, amount: U256, now: Timestamp) -> Result<Vec<RequestId>, Refusal> {
        if amount < REQUEST_MIN {
            return Err(too_small(amount));
        }
        let request = |amount| self.0.request_withdrawal(US, amount, now).map_err(refusal);
        request_amounts(amount).map(request).collect()
    }

    fn request_wrapped(
        &mut self,
        amount: U256,
        now: Timestamp,
    ) -> Result<(U256, Vec<RequestId>), Refusal> {
        let whole = self.0.pool().shares_for_amount(REQUEST_MAX)?;
        let (mut taken, mut requests) = (U256::ZERO, Vec::new());
        while taken < amount {
            let next = amount.saturating_sub(taken).min(whole);
            let stands_for = self.0.pool().amount_for_shares(next)?;
            if stands_for < REQUEST_MIN {
                if requests.is_empty() {
                    return Err(too_small(stands_for));
                }
                break;
            }
            known_as_ours(&mut self.0, next)?;
            let request = self.0.request_withdrawal_wrapped(US, next, now);
            requests.push(request.map_err(refusal)?);
            let sum = taken.checked_add(next);
            taken = sum.ok_or(MathError::Overflow256 { op: "wstETH" })?;
        }
        Ok((taken, requests))
    }

    fn finalize_due(&mut self, now: Timestamp, delay: Span) -> Result<(), Refusal> {
        self.0.finalize_due(now, delay).map(drop).map_err(refusal)
    }

    fn claimable(&self, request: RequestId) -> Result<U256, Refusal> {
        self.0.request_value(request).map_err(refusal)
    }

    fn claim(&mut self, request: RequestId) -> Result<U256, Refusal> {
        self.0.claim(US, request).map_err(refusal)
    }
}

/// The wallet holds so much wstETH: what it did not mint itself it took over from somebody else.
fn known_as_ours(lido: &mut Lido, amount: U256) -> Result<(), Refusal> {
    let missing = amount.saturating_sub(lido.wrapped_of(US));
    lido.credit_wrapped(US, missing).map_err(refusal)
}
