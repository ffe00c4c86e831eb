//! `usdt_market_neutral_no_leverage`: a liquid staking token hedged with ETH perp shorts, capital in
//! USDT; earns the staking yield and funding.

use super::chain::neutral::{MarketNeutral, Stake, check};
use super::{BuiltIn, ModeRow, Uses, any_market};

/// The mode's row.
pub const MODE: ModeRow = ModeRow {
    name: "usdt_market_neutral_no_leverage",
    description: "a liquid staking token hedged with ETH perps on several exchanges; earns the staking yield and funding",
    settings: include_str!("../../../../../configs/modes/usdt_market_neutral_no_leverage.yaml"),
    source: "embedded configs/modes/usdt_market_neutral_no_leverage.yaml",
    lends: true,
    read: |r| PARTS.read(r),
};

static PARTS: BuiltIn = BuiltIn {
    uses: Uses {
        spot: true,
        hedge: true,
        chain: true,
    },
    required_series: |config| check::required_series(config, Stake::Plain),
    optional_series: check::optional_series,
    venues: |config| check::venues(config, Stake::Plain),
    check: check::check,
    check_market: any_market,
    build: |_| Box::new(MarketNeutral::new(Stake::Plain)),
};
