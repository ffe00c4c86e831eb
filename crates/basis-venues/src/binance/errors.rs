//! Codes by which Binance refuses.

use basis_sim::exchange::{ModeCodes, RefusalCodes};

/// Refusals of spot orders.
pub(crate) const SPOT: RefusalCodes = RefusalCodes {
    unknown_symbol: "-1121",
    no_quantity: "-1013",
    lot_size: "-1013",
    quantity_min: "-1013",
    quantity_max: "-1013",
    tick_size: "-1013",
    notional_min: "-1013",
    funds: "-2010",
    reduce_only: "-1106",
    position_limit: "-2010",
    leverage: "-1106",
    no_order: "-2011",
    unwanted_price: Some("-1106"),
    post_only: Some("-2010"),
    fill_or_kill: None,
};

/// Refusals of perp orders.
pub(crate) const PERP: RefusalCodes = RefusalCodes {
    unknown_symbol: "-1121",
    no_quantity: "-4003",
    lot_size: "-1111",
    quantity_min: "-4004",
    quantity_max: "-4005",
    tick_size: "-4014",
    notional_min: "-4164",
    funds: "-2019",
    reduce_only: "-2022",
    position_limit: "-2027",
    leverage: "-4028",
    no_order: "-2011",
    unwanted_price: Some("-1106"),
    post_only: Some("-5022"),
    fill_or_kill: Some("-5021"),
};

/// Refusals of changes.
pub(crate) const MODES: ModeCodes = ModeCodes {
    position_side: "-4061",
    hedge_reduce_only: Some("-1106"),
    margin_mode_positions: "-4048",
    margin_mode_orders: "-4047",
    isolated_leverage: Some("-4161"),
    leverage_funds: "-2028",
    no_amend: "-2013",
    amend_incomplete: "-1102",
    spot_amend: Some("-2038"),
};
