//! `usdt_market_neutral`: a leveraged stake hedged with ETH perp shorts, capital in USDT; earns the
//! staking yield above the cost of the debt, and funding.

use super::chain::neutral::{MarketNeutral, Stake, check};
use super::{BuiltIn, ModeRow, Uses, eth_leveraged};

/// The mode's row.
pub const MODE: ModeRow = ModeRow {
    name: "usdt_market_neutral",
    description: "a leveraged liquid staking position hedged with ETH perps on several exchanges; earns the spread over the debt and funding",
    settings: include_str!("../../../../../configs/modes/usdt_market_neutral.yaml"),
    source: "embedded configs/modes/usdt_market_neutral.yaml",
    lends: true,
    read: |r| PARTS.read(r),
};

static PARTS: BuiltIn = BuiltIn {
    uses: Uses {
        spot: true,
        hedge: true,
        chain: true,
    },
    required_series: |config| check::required_series(config, Stake::Levered),
    optional_series: check::optional_series,
    venues: |config| check::venues(config, Stake::Levered),
    check: check::check,
    check_market: eth_leveraged::check_market,
    build: |_| Box::new(MarketNeutral::new(Stake::Levered)),
};
