//! Curve StableSwap: exchanges of an exact input, liquidity of our own.
//!
//! Simulated: pools known by recorded prices, or integer-exact over balances that the
//! settings give (`state`), where the price of two coins may follow a series; liquidity in the latter
//! (`liquidity`). Not modeled: any other traders, price oracles.
//!
//! The pool that needs no settings is the one whose prices are recorded, weETH and WETH. Neither its fee
//! nor its balances over time are recorded. The fee is taken as 0.04 %, what Curve recommends for a new
//! pool ("Stableswap-NG Factory: Deployer API", docs.curve.finance), without its growth off the peg; the
//! depth is an assumption of ours.

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

const CURVE: Venue = Venue::literal("curve");

/// What the contracts count fees in: so many to the whole.
const FEE_DENOMINATOR: i64 = 10_000_000_000;

/// What its pools execute; liquidity in those that have a state. Fees are in the pool token.
const OPERATIONS: &[OperationKind] = &[
    OperationKind::Swap,
    OperationKind::AddLiquidity,
    OperationKind::RemoveLiquidity,
];

/// What the factory creates.
struct CurveDriver;

impl OnChainVenue for CurveDriver {
    type Settings = PoolSettings;

    const FACTS: OnChainFacts = OnChainFacts {
        venue: CURVE,
        venue_type: VenueType::Dex,
        class_name: "CurveExecutionInterface",
        module: module_path!(),
        description: "Curve StableSwap exchanges and liquidity",
        operations: OPERATIONS,
    };

    fn parse(node: &Node, problems: &Problems) -> PoolSettings {
        PoolSettings::read(&DEX, node, problems)
    }

    fn protocol(settings: &PoolSettings) -> Option<Box<dyn Protocol>> {
        Some(Box::new(protocol(settings)))
    }
}

/// The row of Curve in the driver table.
pub const DRIVER: VenueDriver = VenueDriver::of::<OnChain<CurveDriver>>();
