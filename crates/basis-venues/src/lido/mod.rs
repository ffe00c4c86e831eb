//! Lido: ether for stETH and wstETH, and the queue back.
//!
//! In backtests it is the simulated staking venue on Lido's own share arithmetic
//! ([`basis_protocols::liquid_staking`]) at the recorded `staking_rate.lido.wstETH_ETH`.
//!
//! | operation | what it does | contract |
//! | --- | --- | --- |
//! | `stake` ETH → stETH | mints shares, rounded down | `Lido.submit` |
//! | `stake` ETH → wstETH | the same in the wrapper, which mints the shares | `WstETH.receive` |
//! | `wrap`, `unwrap` | stETH ↔ wstETH | `WstETH.wrap`, `WstETH.unwrap` |
//! | `unstake` stETH or wstETH → ETH | joins the queue, 100 wei to 1000 stETH a request, more is split; a rest below 100 wei stays | `WithdrawalQueue.requestWithdrawals`, `…WstETH` |
//! | `claim_unstake` | pays the withdrawal request out | `WithdrawalQueue.claimWithdrawal` |
//!
//! A request leaves the queue `queue_delay_hours` after it joined. The queue's real length is not
//! recorded; 72 hours is our assumption, within the one to five days that Lido names for the ordinary
//! case (its staking documentation). It was longer while many validators left.

mod errors;
mod simulated;

use basis_core::config::{Node, Problems};
use basis_core::instruction::OperationKind;
use basis_core::types::{Asset, Venue};
use basis_core::venue::VenueType;
use basis_sim::chain::Protocol;
use basis_sim::staking::{Staking, StakingSettings};

use self::simulated::LidoPool;
use crate::driver::{OnChain, OnChainFacts, OnChainVenue, VenueDriver};

const VENUE: Venue = Venue::literal("lido");
/// The token that rebases.
const STETH: Asset = Asset::literal("stETH");

const OPERATIONS: &[OperationKind] = &[
    OperationKind::Stake,
    OperationKind::Unstake,
    OperationKind::ClaimUnstake,
    OperationKind::Wrap,
    OperationKind::Unwrap,
];

/// Hours that a request waits, unless the settings say otherwise.
const QUEUE_DELAY_HOURS: i64 = 72;

/// What the factory creates.
struct LidoDriver;

impl OnChainVenue for LidoDriver {
    type Settings = StakingSettings;

    const FACTS: OnChainFacts = OnChainFacts {
        venue: VENUE,
        venue_type: VenueType::OnChain,
        class_name: "LidoExecutionInterface",
        module: module_path!(),
        description: "Lido staking: stETH, wstETH and the withdrawal queue",
        operations: OPERATIONS,
    };

    fn parse(node: &Node, problems: &Problems) -> StakingSettings {
        StakingSettings::read(node, problems, QUEUE_DELAY_HOURS)
    }

    fn protocol(settings: &StakingSettings) -> Option<Box<dyn Protocol>> {
        let staking = Staking::<LidoPool>::new(settings.queue_delay, None);
        Some(Box::new(staking))
    }
}

/// The row of Lido in the driver table.
pub const DRIVER: VenueDriver = VenueDriver::of::<OnChain<LidoDriver>>();
