//! Operations as tests ask for them.

use basis_core::instruction::{
    AmendOrder, MarginMode, Operation, OrderType, PerpTrade, SetLeverage, SpotTrade, TimeInForce,
    Transfer,
};
use basis_core::types::{Account, Asset, InstructionId, PositionSide, Side, Symbol};

use crate::values::{BTC, p, q};

/// A market order for a perp.
pub fn perp_market(symbol: Symbol, side: Side, quantity: &str) -> Operation {
    Operation::PerpTrade(PerpTrade {
        symbol,
        side,
        quantity: q(quantity),
        order_type: OrderType::Market,
        limit_price: None,
        time_in_force: TimeInForce::Gtc,
        reduce_only: false,
        position_side: None,
    })
}

/// A market order for one side of a perp in hedge mode.
pub fn sided(position: PositionSide, side: Side, quantity: &str) -> Operation {
    match perp_market(BTC, side, quantity) {
        Operation::PerpTrade(trade) => Operation::PerpTrade(PerpTrade {
            position_side: Some(position),
            ..trade
        }),
        other => other,
    }
}

/// Leverage, and margin mode, of the BTC perp.
pub fn set_leverage(leverage: &str, margin_mode: Option<MarginMode>) -> Operation {
    Operation::SetLeverage(SetLeverage {
        symbol: BTC,
        leverage: leverage.parse().unwrap(),
        margin_mode,
    })
}

/// Other quantity, other limit, of a BTC order.
pub fn amend(order: u32, quantity: Option<&str>, limit: Option<&str>) -> Operation {
    Operation::AmendOrder(AmendOrder {
        symbol: BTC,
        order: InstructionId::plain(order),
        quantity: quantity.map(q),
        limit_price: limit.map(p),
    })
}

/// A market order that only reduces the BTC perp.
pub fn reduce_only(side: Side, quantity: &str) -> Operation {
    match perp_market(BTC, side, quantity) {
        Operation::PerpTrade(trade) => Operation::PerpTrade(PerpTrade {
            reduce_only: true,
            ..trade
        }),
        other => other,
    }
}

/// A limit order for the BTC perp.
pub fn perp_limit(
    side: Side,
    quantity: &str,
    limit: &str,
    time_in_force: TimeInForce,
) -> Operation {
    Operation::PerpTrade(PerpTrade {
        symbol: BTC,
        side,
        quantity: q(quantity),
        order_type: OrderType::Limit,
        limit_price: Some(p(limit)),
        time_in_force,
        reduce_only: false,
        position_side: None,
    })
}

/// A market order for BTC.
pub fn spot_market(side: Side, quantity: &str) -> Operation {
    Operation::SpotTrade(SpotTrade {
        symbol: BTC,
        side,
        quantity: q(quantity),
        order_type: OrderType::Market,
        limit_price: None,
        time_in_force: TimeInForce::Gtc,
    })
}

/// A limit order for BTC.
pub fn spot_limit(
    side: Side,
    quantity: &str,
    limit: &str,
    time_in_force: TimeInForce,
) -> Operation {
    Operation::SpotTrade(SpotTrade {
        symbol: BTC,
        side,
        quantity: q(quantity),
        order_type: OrderType::Limit,
        limit_price: Some(p(limit)),
        time_in_force,
    })
}

/// Sends `amount` of `asset` on its way.
pub fn transfer(asset: &str, amount: &str, from: Account, to: Account) -> Operation {
    Operation::Transfer(Transfer {
        asset: Asset::new(asset).unwrap(),
        amount: q(amount),
        from,
        to,
    })
}
