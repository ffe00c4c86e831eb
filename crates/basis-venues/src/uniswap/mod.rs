//! Uniswap V3: swaps of an exact input or output, liquidity of our own.
//!
//! Simulated: pools known by recorded bars, or tick-exact over a state that the settings
//! give (`state`); liquidity in the latter (`liquidity`). Not modeled: other traders, multi-hop routes
//! (a group of swaps is one).
//!
//! The pools that need no settings are those whose prices are recorded. Their fees are the pools' own
//! (the fee is part of a series' name; wstETH and WETH are taken to trade in the 0.01 % pool). Their
//! depths are assumptions, low ones, so that large swaps pay rather too much: the pools' liquidity is
//! not recorded. Where volumes are, a volume v in one direction moves a price by 2·v ÷ depth, so 2·v ÷
//! |Δ ln price| of an hour bounds the depth from above; each default lies below 19 of 20 such bounds, of
//! the hours that moved by 0.3 % or more, in every third of what was recorded to 2025-05. For the small pools that takes their recorded volumes for WETH:
//! the few dollars an hour that they are as USD would not have paid the gas of the trades that moved
//! the price. Taken for USD, they imply depths of about 1 WETH and less.

mod config;
mod errors;
mod simulated;

use basis_core::config::{Node, Problems};
use basis_core::instruction::OperationKind;
use basis_core::types::Venue;
use basis_core::venue::VenueType;
use basis_sim::chain::Protocol;
use basis_sim::pools::PoolSettings;

use crate::driver::{OnChain, OnChainFacts, OnChainVenue, VenueDriver};

pub(crate) use self::config::DEX;
pub(crate) use self::simulated::protocol;

const UNISWAP: Venue = Venue::literal("uniswap");

/// What the contracts count fees in: so many to the whole.
const FEE_DENOMINATOR: i64 = 1_000_000;

/// What its pools execute; liquidity in those that have a state.
const OPERATIONS: &[OperationKind] = &[
    OperationKind::Swap,
    OperationKind::AddLiquidity,
    OperationKind::RemoveLiquidity,
    OperationKind::CollectFees,
];

/// What the factory creates.
struct UniswapDriver;

impl OnChainVenue for UniswapDriver {
    type Settings = PoolSettings;

    const FACTS: OnChainFacts = OnChainFacts {
        venue: UNISWAP,
        venue_type: VenueType::Dex,
        class_name: "UniswapExecutionInterface",
        module: module_path!(),
        description: "Uniswap V3 swaps and liquidity",
        operations: OPERATIONS,
    };

    fn parse(node: &Node, problems: &Problems) -> PoolSettings {
        PoolSettings::read(&DEX, node, problems)
    }

    fn protocol(settings: &PoolSettings) -> Option<Box<dyn Protocol>> {
        Some(Box::new(protocol(settings)))
    }
}

/// The row of Uniswap in the driver table.
pub const DRIVER: VenueDriver = VenueDriver::of::<OnChain<UniswapDriver>>();
