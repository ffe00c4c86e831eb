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
//! | `claim_unstake` | pays the withdrawal request out | `WithdrawRequestNFT.claimWithdraw` |
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

mod errors;
mod simulated;

use basis_core::config::{Node, Problems};
use basis_core::instruction::OperationKind;
use basis_core::types::{Asset, Label, SeriesId, SeriesKind, Symbol, Venue};
use basis_core::venue::VenueType;
use basis_sim::chain::Protocol;
use basis_sim::staking::{RewardProgram, Rewards, Staking, StakingSettings};

use self::simulated::EtherFiPool;
use crate::driver::{OnChain, OnChainFacts, OnChainVenue, VenueDriver};

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

impl OnChainVenue for EtherFiDriver {
    type Settings = StakingSettings;

    const FACTS: OnChainFacts = OnChainFacts {
        venue: VENUE,
        venue_type: VenueType::OnChain,
        class_name: "EtherFiExecutionInterface",
        module: module_path!(),
        description: "EtherFi staking: eETH, weETH, the withdrawal queue and rewards",
        operations: OPERATIONS,
    };

    fn parse(node: &Node, problems: &Problems) -> StakingSettings {
        StakingSettings::read(node, problems, QUEUE_DELAY_HOURS)
    }

    fn protocol(settings: &StakingSettings) -> Option<Box<dyn Protocol>> {
        let rewards = Some(Rewards::new(REWARDS));
        let staking = Staking::<EtherFiPool>::new(settings.queue_delay, rewards);
        Some(Box::new(staking))
    }
}

/// The row of EtherFi in the driver table.
pub const DRIVER: VenueDriver = VenueDriver::of::<OnChain<EtherFiDriver>>();
