//! The section `venue_settings.curve`, and the pools that need none.

use basis_core::num::Value;
use basis_core::types::{Asset, Label, SeriesId, SeriesKind, Symbol};
use basis_protocols::gas::GasOperation;
use basis_sim::pools::{Dex, PoolDefault};

use super::{CURVE, FEE_DENOMINATOR, simulated};

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
    fee_denominator: FEE_DENOMINATOR,
    fee_max: 5_000_000_000,
    gas: GasOperation::CurveExchange2,
    read_state: simulated::read_state,
};
