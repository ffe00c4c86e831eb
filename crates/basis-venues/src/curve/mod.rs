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

mod liquidity;
mod state;

use basis_core::config::{Node, Problems};
use basis_core::error::ComponentError;
use basis_core::instruction::OperationKind;
use basis_core::num::Value;
use basis_core::types::{Asset, Label, SeriesId, SeriesKind, Symbol, Venue};
use basis_core::venue::{ExecutionMode, VenueType};
use basis_market::ExecutionInterface;
use basis_protocols::gas::GasOperation;

use crate::chain::{self, OnChainDriver};
use crate::credentials;
use crate::driver::{BuildContext, Driver, DriverFacts, VenueDriver};
use crate::pools::{Dex, PoolDefault, PoolSettings, SimulatedDex, Words};

pub(crate) use self::state::StablePool;

const CURVE: Venue = Venue::literal("curve");

/// What its pools execute; liquidity in those that have a state. Fees are in the pool token.
const OPERATIONS: &[OperationKind] = &[
    OperationKind::Swap,
    OperationKind::AddLiquidity,
    OperationKind::RemoveLiquidity,
];

const WORDS: Words = Words {
    swapped: "Exchange resulted in fewer coins than expected",
    requested: None,
    added: "Slippage screwed you",
    removed: "Withdrawal resulted in fewer coins than expected",
};

/// What the factory creates.
struct CurveDriver;

impl Driver for CurveDriver {
    type Settings = PoolSettings;

    const FACTS: DriverFacts = DriverFacts {
        venue: CURVE,
        venue_type: VenueType::Dex,
        class_name: "CurveExecutionInterface",
        module: module_path!(),
        description: "Curve StableSwap exchanges and liquidity",
        dependencies: &["position_monitor", "event_logger", "data_provider"],
        credentials: credentials::ALCHEMY,
        modes: &[ExecutionMode::Backtest],
        operations: OPERATIONS,
        listed: true,
    };

    fn parse(node: &Node, problems: &Problems) -> PoolSettings {
        PoolSettings::read(&DEX, node, problems)
    }

    fn build(
        settings: &PoolSettings,
        context: BuildContext,
    ) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
        chain::create(&ON_CHAIN, Some(Box::new(protocol(settings))), context)
    }
}

/// The row of Curve in the driver table.
pub const DRIVER: VenueDriver = VenueDriver::of::<CurveDriver>();

static ON_CHAIN: OnChainDriver = OnChainDriver {
    venue: CURVE,
    operations: OPERATIONS,
};

/// Its settings and pools.
pub(crate) const DEX: Dex = Dex {
    defaults: &[PoolDefault {
        name: Label::literal("weETHWETH"),
        series: SeriesId::new(
            SeriesKind::StakingMarket,
            CURVE,
            Symbol::literal("weETH_ETH"),
        ),
        assets: [Asset::literal("weETH"), Asset::literal("WETH")],
        fee: 4_000_000,
        depth: Value::literal("5000"),
    }],
    fee_denominator: 10_000_000_000,
    fee_max: 5_000_000_000,
    gas: GasOperation::CurveExchange2,
    read_state: state::read,
};

/// The protocol that `settings` describe.
pub(crate) fn protocol(settings: &PoolSettings) -> SimulatedDex {
    SimulatedDex::new(CURVE, OPERATIONS, &WORDS, settings.pools.clone())
}
