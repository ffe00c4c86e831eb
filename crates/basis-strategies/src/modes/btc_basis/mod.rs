//! `btc_basis`: long BTC spot, short BTC perps on several venues, delta neutral; share class USDT.

use super::{BuiltIn, ModeRow, Uses, any_market, spot_perp};

/// The mode's row.
pub const MODE: ModeRow = ModeRow {
    name: "btc_basis",
    description: "BTC spot against short BTC perps on several exchanges; earns funding, USD neutral",
    settings: include_str!("../../../../../configs/modes/btc_basis.yaml"),
    source: "embedded configs/modes/btc_basis.yaml",
    lends: false,
    read: |r| PARTS.read(r),
};

static PARTS: BuiltIn = BuiltIn {
    uses: Uses {
        spot: true,
        hedge: true,
        chain: false,
    },
    required_series: spot_perp::required_series,
    optional_series: spot_perp::optional_series,
    venues: spot_perp::venues,
    check: spot_perp::check,
    check_market: any_market,
    build: spot_perp::build,
};
