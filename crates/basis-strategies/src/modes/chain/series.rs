//! The recorded series that the on-chain modes read.

use basis_core::types::{Asset, SeriesId, SeriesKind, Symbol, Venue};

use super::stake::Token;

const AAVE: Venue = Venue::literal("aave");
const ETHERFI: Venue = Venue::literal("etherfi");
const UNISWAP: Venue = Venue::literal("uniswap");

/// What a transaction costs.
pub(in super::super) const GAS: SeriesId = basis_market::GAS_SERIES;

/// A reserve of the lending pool.
pub(in super::super) fn reserve(asset: Asset) -> Option<SeriesId> {
    let symbol = Symbol::new(asset.as_str()).ok()?;
    Some(SeriesId::new(SeriesKind::AaveReserve, AAVE, symbol))
}

/// What the lending pool's oracle says of an asset.
pub(in super::super) const fn oracle(symbol: &'static str) -> SeriesId {
    SeriesId::new(SeriesKind::Oracle, AAVE, Symbol::literal(symbol))
}

/// The token's rates: its protocol's, and its pool's.
pub(in super::super) fn staking(token: &Token) -> [SeriesId; 2] {
    [token.rate, token.market_rate]
}

/// What a leveraged stake reads of the lending pool: both reserves and both oracles.
pub(in super::super) fn leverage(token: &Token) -> Vec<SeriesId> {
    let weth = Asset::literal("WETH");
    let mut series: Vec<_> = [weth, token.asset]
        .into_iter()
        .filter_map(reserve)
        .collect();
    series.push(oracle("WETH_USD"));
    series.push(SeriesId::new(SeriesKind::Oracle, AAVE, token.rate.symbol));
    series
}

/// Payments to the holders of weETH, and the pools that price them; none for another token.
pub(in super::super) fn rewards(token: &Token) -> Vec<SeriesId> {
    if token.protocol != ETHERFI {
        return Vec::new();
    }
    let series = |kind, venue, symbol| SeriesId::new(kind, venue, Symbol::literal(symbol));
    vec![
        series(SeriesKind::RewardRate, ETHERFI, "EIGEN"),
        series(SeriesKind::RewardTopUp, ETHERFI, "ETHFI"),
        series(SeriesKind::Dex, UNISWAP, "EIGENWETH_3000"),
        series(SeriesKind::Dex, UNISWAP, "ETHFIWETH_3000"),
    ]
}
