//! What an order instruction asks for, and what a report of its order cannot be.

use basis_core::instruction::Operation;
use basis_core::num::Quantity;
use basis_core::types::{InstrumentKind, PositionSide, Side, Symbol};

/// What a report of an order cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Contradiction(pub(crate) String);

/// What an order instruction asks for.
pub(crate) struct Asked {
    pub(crate) kind: InstrumentKind,
    pub(crate) symbol: Symbol,
    pub(crate) side: Side,
    pub(crate) quantity: Quantity,
    pub(crate) position_side: Option<PositionSide>,
}

impl Asked {
    /// `None` for an instruction that asks for no order.
    pub(crate) fn of(operation: &Operation) -> Option<Self> {
        match operation {
            Operation::SpotTrade(trade) => Some(Self {
                kind: InstrumentKind::Spot,
                symbol: trade.symbol,
                side: trade.side,
                quantity: trade.quantity,
                position_side: None,
            }),
            Operation::PerpTrade(trade) => Some(Self {
                kind: InstrumentKind::Perp,
                symbol: trade.symbol,
                side: trade.side,
                quantity: trade.quantity,
                position_side: trade.position_side,
            }),
            _ => None,
        }
    }
}
