//! Legs of plans, and sizes cut into orders that a venue accepts.

use basis_core::error::ComponentError;
use basis_core::instruction::{Operation, Transfer};
use basis_core::num::{Price, Quantity, Rounding};
use basis_core::plan::Leg;
use basis_core::rules::InstrumentRules;
use basis_core::types::{Account, Asset};

/// Most orders one leg is split into when a venue caps market orders.
const SPLIT_MAX: usize = 20;

/// Cuts `size` into orders the venue accepts; none when it is below the venue's minimum.
pub(super) fn split(
    size: Quantity,
    rules: &InstrumentRules,
    price: Price,
    reduces: bool,
) -> Result<Vec<Quantity>, ComponentError> {
    let notional = size.notional(price, Rounding::Floor)?;
    if size.is_zero() || size < rules.min_quantity || (notional < rules.min_notional && !reduces) {
        return Ok(Vec::new());
    }
    let cap = rules.max_market_quantity.min(rules.max_quantity);
    let cap = cap.round_to_lot(rules.lot_size, Rounding::Floor)?;
    let mut rest = size;
    let mut orders = Vec::new();
    while rest.is_positive() && orders.len() < SPLIT_MAX {
        let order = rest.min(cap);
        let left = rest.sub(order)?;
        // A remainder too small to be an order of its own is left for the next rebalance.
        if order < rules.min_quantity {
            break;
        }
        orders.push(order);
        rest = left;
    }
    Ok(orders)
}

pub(super) fn transfer_leg(asset: Asset, amount: Quantity, from: Account, to: Account) -> Leg {
    Leg::new(
        from.venue,
        Operation::Transfer(Transfer {
            asset,
            amount,
            from,
            to,
        }),
    )
}
