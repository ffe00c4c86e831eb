//! How many requests OKX takes: each endpoint by itself, over two seconds (v5 rate limits).
//!
//! Placements and amendments of an account together are 1000 in two seconds; the limits of their endpoints,
//! as they are used here, never add up to that.

use basis_core::types::Span;
use basis_live::actor::{Cost, Counted, Limit, Priority};

use crate::live::codec::Group;
use crate::wire::{Effect, JsonDraft};

/// Returns the group of a request, and what it counts there.
pub(super) const fn of(draft: &JsonDraft) -> (Group, Cost) {
    let acts = matches!(draft.effect, Effect::Act);
    let cost = Cost {
        weight: 1,
        orders: 0,
        priority: if acts {
            Priority::Order
        } else {
            Priority::Read
        },
    };
    // A path both reads and acts: what places an order also asks for one.
    ((draft.path, acts), cost)
}

/// Returns how many requests of a group are taken a second. The venue counts two seconds of its own: a third of
/// its limit in each second of ours never adds up to it.
pub(super) fn of_group((path, acts): Group) -> Limit {
    let in_two_seconds = match path {
        "/api/v5/trade/order"
        | "/api/v5/trade/amend-order"
        | "/api/v5/trade/cancel-order"
        | "/api/v5/trade/orders-pending"
        | "/api/v5/trade/fills" => 60,
        "/api/v5/trade/orders-history" => 40,
        "/api/v5/trade/orders-history-archive"
        | "/api/v5/account/leverage-info"
        | "/api/v5/account/set-leverage"
        | "/api/v5/asset/transfer-state"
        | "/api/v5/public/instruments"
        | "/api/v5/market/ticker" => 20,
        "/api/v5/account/config" => 5,
        // 2 a second of a currency.
        "/api/v5/asset/transfer" if acts => 4,
        _ => 10,
    };
    Limit {
        counted: Counted::Weight,
        interval: Span::from_seconds(1),
        max: in_two_seconds / 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_lets_something_through() {
        for path in ["/api/v5/asset/transfer", "/api/v5/account/config", "/x"] {
            assert!(of_group((path, true)).max >= 1, "{path}");
        }
    }
}
