//! Codes by which Bybit refuses.

use basis_sim::exchange::{ModeCodes, RefusalCodes};

/// Refusals of spot orders.
pub(crate) const SPOT: RefusalCodes = RefusalCodes {
    unknown_symbol: "170121",
    no_quantity: "170130",
    lot_size: "170137",
    quantity_min: "170136",
    quantity_max: "170124",
    tick_size: "170134",
    notional_min: "170140",
    funds: "170131",
    reduce_only: "110017",
    position_limit: "170131",
    leverage: "110013",
    no_order: "170213",
    unwanted_price: None,
    post_only: None,
    fill_or_kill: None,
};

/// Refusals of perp orders.
pub(crate) const PERP: RefusalCodes = RefusalCodes {
    unknown_symbol: "10001",
    no_quantity: "10001",
    lot_size: "10001",
    quantity_min: "10001",
    quantity_max: "10001",
    tick_size: "10001",
    notional_min: "110094",
    funds: "110007",
    reduce_only: "110017",
    position_limit: "110090",
    leverage: "110013",
    no_order: "110001",
    unwanted_price: None,
    post_only: None,
    fill_or_kill: None,
};

/// Refusals of changes.
pub(crate) const MODES: ModeCodes = ModeCodes {
    position_side: "10001",
    hedge_reduce_only: None,
    margin_mode_positions: "3400045",
    margin_mode_orders: "3400045",
    isolated_leverage: None,
    leverage_funds: "110012",
    no_amend: "110001",
    amend_incomplete: "10001",
    spot_amend: None,
};
