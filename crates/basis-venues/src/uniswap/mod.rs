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

pub(crate) use self::state::RangePool;

const UNISWAP: Venue = Venue::literal("uniswap");

const WETH: Asset = Asset::literal("WETH");

/// What its pools execute; liquidity in those that have a state.
const OPERATIONS: &[OperationKind] = &[
    OperationKind::Swap,
    OperationKind::AddLiquidity,
    OperationKind::RemoveLiquidity,
    OperationKind::CollectFees,
];

const WORDS: Words = Words {
    swapped: "Too little received",
    requested: Some("Too much requested"),
    added: "Price slippage check",
    removed: "Price slippage check",
};

/// What the factory creates.
struct UniswapDriver;

impl Driver for UniswapDriver {
    type Settings = PoolSettings;

    const FACTS: DriverFacts = DriverFacts {
        venue: UNISWAP,
        venue_type: VenueType::Dex,
        class_name: "UniswapExecutionInterface",
        module: module_path!(),
        description: "Uniswap V3 swaps and liquidity",
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

/// The row of Uniswap in the driver table.
pub const DRIVER: VenueDriver = VenueDriver::of::<UniswapDriver>();

static ON_CHAIN: OnChainDriver = OnChainDriver {
    venue: UNISWAP,
    operations: OPERATIONS,
};

/// Its settings and pools.
pub(crate) const DEX: Dex = Dex {
    defaults: &[
        recorded("WETHUSDT", "WETHUSDT_3000", "USDT", "20000000"),
        in_weth("EIGENWETH", "EIGENWETH_3000", "EIGEN", "100"),
        in_weth("ETHFIWETH", "ETHFIWETH_3000", "ETHFI", "50"),
        PoolDefault {
            name: Label::literal("wstETHWETH"),
            series: SeriesId::new(
                SeriesKind::StakingMarket,
                UNISWAP,
                Symbol::literal("wstETH_ETH"),
            ),
            assets: [Asset::literal("wstETH"), WETH],
            fee: 100,
            depth: Value::literal("20000"),
        },
    ],
    fee_denominator: 1_000_000,
    fee_max: 999_999,
    // What a swap crosses is not recorded; one tick is more than most do.
    gas: GasOperation::UniswapV3Swap { ticks_crossed: 1 },
    read_state: state::read,
};

/// A pool of WETH and dollars whose bars are recorded.
const fn recorded(name: &str, symbol: &str, quote: &str, depth: &str) -> PoolDefault {
    PoolDefault {
        name: Label::literal(name),
        series: SeriesId::new(SeriesKind::Dex, UNISWAP, Symbol::literal(symbol)),
        assets: [WETH, Asset::literal(quote)],
        fee: 3_000,
        depth: Value::literal(depth),
    }
}

/// A small pool of a reward token and WETH whose bars are recorded.
const fn in_weth(name: &str, symbol: &str, base: &str, depth: &str) -> PoolDefault {
    PoolDefault {
        assets: [Asset::literal(base), WETH],
        ..recorded(name, symbol, "WETH", depth)
    }
}

/// The protocol that `settings` describe.
pub(crate) fn protocol(settings: &PoolSettings) -> SimulatedDex {
    SimulatedDex::new(UNISWAP, OPERATIONS, &WORDS, settings.pools.clone())
}
