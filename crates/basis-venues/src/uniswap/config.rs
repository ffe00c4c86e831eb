//! The section `venue_settings.uniswap`, and the pools that need none.

use basis_core::num::Value;
use basis_core::types::{Asset, Label, SeriesId, SeriesKind, Symbol};
use basis_protocols::gas::GasOperation;
use basis_sim::pools::{Dex, PoolDefault};

use super::{FEE_DENOMINATOR, UNISWAP, simulated};

const WETH: Asset = Asset::literal("WETH");

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
    fee_denominator: FEE_DENOMINATOR,
    fee_max: 999_999,
    // What a swap crosses is not recorded; one tick is more than most do.
    gas: GasOperation::UniswapV3Swap { ticks_crossed: 1 },
    read_state: simulated::read_state,
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
