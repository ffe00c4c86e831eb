//! EtherFi as the simulated staking venue calls it.

use basis_core::num::{Fixed18, U256};
use basis_core::types::{Account, Asset, Label, SeriesId, SeriesKind, Span, Symbol, Timestamp};
use basis_protocols::gas::GasOperation;
use basis_protocols::liquid_staking::{EtherFi, Holder, RequestId};
use basis_sim::refusal::Refusal;
use basis_sim::staking::{StakingGas, StakingNames, StakingPool};

use super::errors::refusal;
use super::{OPERATIONS, VENUE};

const US: Holder = Holder::WALLET;
/// The contract that deposits and wraps in one step; dust of its rounding stays with it.
const ADAPTER: Holder = Holder::after_wallet(1);

/// The contracts with our wallet in them.
#[derive(Clone, Debug)]
pub(super) struct EtherFiPool(EtherFi);

impl StakingPool for EtherFiPool {
    const NAMES: StakingNames = StakingNames {
        venue: VENUE,
        rebasing: Asset::literal("eETH"),
        wrapped: Asset::literal("weETH"),
        rate: SeriesId::new(SeriesKind::StakingRate, VENUE, Symbol::literal("weETH_ETH")),
        operations: OPERATIONS,
        queue: Account::new(VENUE, Label::literal("queue")),
        rewards: Account::new(VENUE, Label::literal("rewards")),
        not_final: "Request is not finalized",
        gas: StakingGas {
            stake: GasOperation::EtherFiDeposit,
            wrap: GasOperation::EtherFiWrap,
            unwrap: GasOperation::EtherFiUnwrap,
            request: GasOperation::EtherFiRequestWithdrawal,
            claim: GasOperation::EtherFiClaimWithdrawal,
        },
    };

    fn at_rate(rate: Fixed18) -> Result<Self, Refusal> {
        Ok(Self(EtherFi::at_rate(rate)?))
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
        Ok(self.0.amount_for_share(shares)?)
    }

    fn stake(&mut self, wei: U256) -> Result<(), Refusal> {
        self.0.deposit(US, wei).map(drop).map_err(refusal)
    }

    fn stake_wrapped(&mut self, wei: U256) -> Result<U256, Refusal> {
        let shares = self.0.deposit(ADAPTER, wei).map_err(refusal)?;
        let amount = self.0.amount_for_share(shares)?;
        let minted = self.0.wrap(ADAPTER, amount).map_err(refusal)?;
        self.0
            .transfer_wrapped(ADAPTER, US, minted)
            .map_err(refusal)?;
        Ok(minted)
    }

    fn wrap(&mut self, amount: U256) -> Result<U256, Refusal> {
        self.0.wrap(US, amount).map_err(refusal)
    }

    fn unwrap(&mut self, amount: U256) -> Result<(), Refusal> {
        known_as_ours(&mut self.0, amount)?;
        self.0.unwrap(US, amount).map(drop).map_err(refusal)
    }

    fn request(&mut self, amount: U256, now: Timestamp) -> Result<Vec<RequestId>, Refusal> {
        let request = self.0.request_withdraw(US, amount, now).map_err(refusal)?;
        Ok(vec![request])
    }

    fn request_wrapped(
        &mut self,
        amount: U256,
        now: Timestamp,
    ) -> Result<(U256, Vec<RequestId>), Refusal> {
        known_as_ours(&mut self.0, amount)?;
        // The same number of shares comes out of the wrapper and goes into the queue.
        let returned = self.0.unwrap(US, amount).map_err(refusal)?;
        let request = self
            .0
            .request_withdraw(US, returned, now)
            .map_err(refusal)?;
        Ok((amount, vec![request]))
    }

    fn finalize_due(&mut self, now: Timestamp, delay: Span) -> Result<(), Refusal> {
        self.0.finalize_due(now, delay);
        Ok(())
    }

    fn claimable(&self, request: RequestId) -> Result<U256, Refusal> {
        self.0.request_value(request).map_err(refusal)
    }

    fn claim(&mut self, request: RequestId) -> Result<U256, Refusal> {
        self.0.claim(US, request).map_err(refusal)
    }
}

/// The wallet holds so much weETH: what it did not mint itself it took over from somebody else.
fn known_as_ours(etherfi: &mut EtherFi, amount: U256) -> Result<(), Refusal> {
    let missing = amount.saturating_sub(etherfi.wrapped_of(US));
    etherfi.credit_wrapped(US, missing).map_err(refusal)
}
