//! OKX's words for what the venue knows.

use basis_core::num::Fixed18;
use basis_core::types::Side;

use super::{Category, Ending, Status};

/// The word for a product.
pub(super) const fn product_word(category: Category) -> &'static str {
    match category {
        Category::Spot => "SPOT",
        Category::Linear => "SWAP",
    }
}

/// The word for a side.
pub(super) const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

/// The word for a position: none of spot.
pub(super) const fn position_word(category: Category, index: u8) -> &'static str {
    match (category, index) {
        (Category::Spot, _) => "",
        (Category::Linear, 1) => "long",
        (Category::Linear, 2) => "short",
        (Category::Linear, _) => "net",
    }
}

/// The word for how an order stands. There is none for what the engine refused: it is canceled.
pub(super) const fn state_word(status: Status) -> &'static str {
    match status {
        Status::New => "live",
        Status::PartiallyFilled => "partially_filled",
        Status::Filled => "filled",
        Status::Cancelled | Status::Rejected => "canceled",
    }
}

/// The number of who or what canceled an order, and its text.
pub(super) const fn cancel_source(ending: Option<Ending>) -> (&'static str, &'static str) {
    match ending {
        None => ("", ""),
        Some(Ending::Refused) => ("0", "Order canceled by system"),
        Some(Ending::ByUser) => ("1", "Order canceled by user"),
        Some(Ending::NotWhole) => (
            "13",
            "Order canceled: FOK order was canceled due to incompletely filled.",
        ),
        Some(Ending::NothingAtOnce) => (
            "14",
            "Order canceled: IOC order was partially canceled due to incompletely filled.",
        ),
        Some(Ending::DeadMan) => ("20", "Cancel all after triggered"),
        Some(Ending::NothingToReduce) => (
            "21",
            "Order canceled: the order would exceed the position that it reduces",
        ),
        Some(Ending::WouldTake) => ("31", "Post-only order will take liquidity in maker orders"),
        Some(Ending::SelfTrade) => ("32", "Self trade prevention"),
    }
}

/// A signed number as the venue writes costs: what is paid is below zero.
pub(super) fn cost(paid: Fixed18) -> String {
    paid.neg().unwrap_or_default().to_string()
}
