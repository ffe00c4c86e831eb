//! EtherFi: ether for eETH and weETH, the queue back, and the rewards for holding either.
//!
//! In backtests it is the simulated staking venue on EtherFi's own share arithmetic
//! ([`basis_protocols::liquid_staking`]) at the recorded `staking_rate.etherfi.weETH_ETH`.
//!
//! | operation | what it does | contract |
//! | --- | --- | --- |
//! | `stake` ETH → eETH | mints shares, rounded down | `LiquidityPool.deposit` |
//! | `stake` ETH → weETH | deposits and wraps the eETH it was worth | `DepositAdapter.depositETHForWeETH` |
//! | `wrap`, `unwrap` | eETH ↔ weETH | `WeETH.wrap`, `WeETH.unwrap` |
//! | `unstake` eETH or weETH → ETH | joins the queue; weETH is unwrapped first | `LiquidityPool.requestWithdraw` |
//! | `claim_unstake` | pays the ticket out | `WithdrawRequestNFT.claimWithdraw` |
//! | `claim_rewards` | moves EIGEN and ETHFI to the wallet | `CumulativeMerkleDrop.claim`, `LRTSquaredCore.redeem` |
//!
//! A request leaves the queue `queue_delay_hours` after it joined. The queue's real length is not
//! recorded; 168 hours, a week, is our assumption, within the days to two weeks that EtherFi names.
//!
//! **Rewards.** Each row of `reward_rate.etherfi.EIGEN` and `reward_top_up.etherfi.ETHFI` pays, at its
//! instant, per ETH of eETH held over its period, whether as eETH, as weETH in the wallet, or as weETH
//! supplied to a protocol of the run (its module says how it is weighted). They wait in
//! `etherfi.rewards` until they are claimed. In reality both arrive as KING, a basket whose parts are
//! redeemed; EIGEN and ETHFI are booked directly, and a claim costs the gas of both contracts. A
//! program whose series the run does not read pays nothing.

use basis_core::config::{Node, Problems};
use basis_core::error::ComponentError;
use basis_core::instruction::OperationKind;
use basis_core::num::{Fixed18, U256};
use basis_core::types::{
    Account, Asset, Label, SeriesId, SeriesKind, Span, Symbol, Timestamp, Venue,
};
use basis_core::venue::{ExecutionMode, VenueType};
use basis_market::ExecutionInterface;
use basis_protocols::gas::GasOperation;
use basis_protocols::liquid_staking::{EtherFi, EtherFiError, Holder, RequestId};

use crate::chain::{self, OnChainDriver, Refusal};
use crate::credentials;
use crate::driver::{BuildContext, Driver, DriverFacts, VenueDriver};
use crate::staking::{
    RewardProgram, Rewards, Staking, StakingGas, StakingNames, StakingPool, StakingSettings,
};

const VENUE: Venue = Venue::literal("etherfi");

const OPERATIONS: &[OperationKind] = &[
    OperationKind::Stake,
    OperationKind::Unstake,
    OperationKind::ClaimUnstake,
    OperationKind::Wrap,
    OperationKind::Unwrap,
    OperationKind::ClaimRewards,
];

/// Hours that a request waits, unless the settings say otherwise.
const QUEUE_DELAY_HOURS: i64 = 168;

const REWARDS: &[RewardProgram] = &[
    RewardProgram {
        name: Label::literal("eigen"),
        asset: Asset::literal("EIGEN"),
        series: SeriesId::new(SeriesKind::RewardRate, VENUE, Symbol::literal("EIGEN")),
    },
    RewardProgram {
        name: Label::literal("ethfi_top_up"),
        asset: Asset::literal("ETHFI"),
        series: SeriesId::new(SeriesKind::RewardTopUp, VENUE, Symbol::literal("ETHFI")),
    },
];

/// What the factory creates.
struct EtherFiDriver;

impl Driver for EtherFiDriver {
    type Settings = StakingSettings;

    const FACTS: DriverFacts = DriverFacts {
        venue: VENUE,
        venue_type: VenueType::OnChain,
        class_name: "EtherFiExecutionInterface",
        module: module_path!(),
        description: "EtherFi staking: eETH, weETH, the withdrawal queue and rewards",
        dependencies: &["position_monitor", "event_logger", "data_provider"],
        credentials: credentials::ALCHEMY,
        modes: &[ExecutionMode::Backtest],
        operations: OPERATIONS,
        listed: true,
    };

    fn parse(node: &Node, problems: &Problems) -> StakingSettings {
        StakingSettings::read(node, problems, QUEUE_DELAY_HOURS)
    }

    fn build(
        settings: &StakingSettings,
        context: BuildContext,
    ) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
        let rewards = Some(Rewards::new(REWARDS));
        let staking = Staking::<EtherFi>::new(settings.queue_delay, rewards);
        chain::create(&ON_CHAIN, Some(Box::new(staking)), context)
    }
}

/// The row of EtherFi in the driver table.
pub const DRIVER: VenueDriver = VenueDriver::of::<EtherFiDriver>();

static ON_CHAIN: OnChainDriver = OnChainDriver {
    venue: VENUE,
    operations: OPERATIONS,
};

const US: Holder = Holder::WALLET;
/// The contract that deposits and wraps in one step; dust of its rounding stays with it.
const ADAPTER: Holder = Holder::after_wallet(1);

/// Refuses in the contract's words.
fn refusal(e: EtherFiError) -> Refusal {
    let code = match e {
        EtherFiError::Math(e) => return e.into(),
        EtherFiError::InvalidAmount(_) => Some("InvalidAmount()"),
        EtherFiError::TransferExceedsBalance { .. } => Some("TRANSFER_AMOUNT_EXCEEDS_BALANCE"),
        EtherFiError::RequestNotFinalized(_) => Some("Request is not finalized"),
        EtherFiError::AlreadyClaimed(_) => Some("Already Claimed"),
        _ => None,
    };
    Refusal::other(e.to_string(), code)
}

impl StakingPool for EtherFi {
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
        Ok(Self::at_rate(rate)?)
    }

    fn set_rate(&mut self, rate: Fixed18) -> Result<(), Refusal> {
        Ok(self.set_rate(rate)?)
    }

    fn shares(&self) -> U256 {
        self.shares_of(US)
    }

    fn balance(&self) -> Result<U256, Refusal> {
        Ok(self.balance_of(US)?)
    }

    fn value_of(&self, shares: U256) -> Result<U256, Refusal> {
        Ok(self.amount_for_share(shares)?)
    }

    fn stake(&mut self, wei: U256) -> Result<(), Refusal> {
        self.deposit(US, wei).map(drop).map_err(refusal)
    }

    fn stake_wrapped(&mut self, wei: U256) -> Result<U256, Refusal> {
        let shares = self.deposit(ADAPTER, wei).map_err(refusal)?;
        let amount = self.amount_for_share(shares)?;
        let minted = self.wrap(ADAPTER, amount).map_err(refusal)?;
        self.transfer_wrapped(ADAPTER, US, minted)
            .map_err(refusal)?;
        Ok(minted)
    }

    fn wrap(&mut self, amount: U256) -> Result<U256, Refusal> {
        self.wrap(US, amount).map_err(refusal)
    }

    fn unwrap(&mut self, amount: U256) -> Result<(), Refusal> {
        known_as_ours(self, amount)?;
        self.unwrap(US, amount).map(drop).map_err(refusal)
    }

    fn request(&mut self, amount: U256, now: Timestamp) -> Result<Vec<RequestId>, Refusal> {
        let request = self.request_withdraw(US, amount, now).map_err(refusal)?;
        Ok(vec![request])
    }

    fn request_wrapped(
        &mut self,
        amount: U256,
        now: Timestamp,
    ) -> Result<(U256, Vec<RequestId>), Refusal> {
        known_as_ours(self, amount)?;
        // The same number of shares comes out of the wrapper and goes into the queue.
        let returned = self.unwrap(US, amount).map_err(refusal)?;
        let request = self.request_withdraw(US, returned, now).map_err(refusal)?;
        Ok((amount, vec![request]))
    }

    fn finalize_due(&mut self, now: Timestamp, delay: Span) -> Result<(), Refusal> {
        self.finalize_due(now, delay);
        Ok(())
    }

    fn claimable(&self, request: RequestId) -> Result<U256, Refusal> {
        self.ticket_value(request).map_err(refusal)
    }

    fn claim(&mut self, request: RequestId) -> Result<U256, Refusal> {
        self.claim(US, request).map_err(refusal)
    }
}

/// The wallet holds so much weETH: what it did not mint itself it took over from somebody else.
fn known_as_ours(etherfi: &mut EtherFi, amount: U256) -> Result<(), Refusal> {
    let missing = amount.saturating_sub(etherfi.wrapped_of(US));
    etherfi.credit_wrapped(US, missing).map_err(refusal)
}
