//! Codes by which OKX refuses.

use basis_sim::exchange::{ModeCodes, RefusalCodes};

/// Refusals of spot orders.
pub(crate) const SPOT: RefusalCodes = RefusalCodes {
    unknown_symbol: "51001",
    no_quantity: "51000",
    lot_size: "51121",
    quantity_min: "51020",
    quantity_max: "51005",
    tick_size: "51000",
    notional_min: "51020",
    funds: "51008",
    reduce_only: "51169",
    position_limit: "51004",
    leverage: "59102",
    no_order: "51400",
    unwanted_price: None,
    post_only: None,
    fill_or_kill: None,
};

/// Refusals of perp orders.
pub(crate) const PERP: RefusalCodes = RefusalCodes {
    unknown_symbol: "51001",
    no_quantity: "51000",
    lot_size: "51121",
    quantity_min: "51020",
    quantity_max: "51005",
    tick_size: "51000",
    notional_min: "51020",
    funds: "51008",
    reduce_only: "51169",
    position_limit: "51004",
    leverage: "59102",
    no_order: "51400",
    unwanted_price: None,
    post_only: None,
    fill_or_kill: None,
};

/// Refusals of changes.
pub(crate) const MODES: ModeCodes = ModeCodes {
    position_side: "51000",
    hedge_reduce_only: None,
    margin_mode_positions: "59000",
    margin_mode_orders: "59000",
    isolated_leverage: None,
    leverage_funds: "59108",
    no_amend: "51503",
    amend_incomplete: "51000",
    spot_amend: None,
};
