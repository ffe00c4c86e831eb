//! How many requests Bybit takes: of an address, and of an account at each endpoint (v5 rate limit rules).

use basis_core::types::Span;
use basis_live::actor::{Cost, Counted, Limit, Priority};

use crate::wire::{Effect, JsonDraft, Payload, Scalar};

/// 600 requests in any five seconds, else the address is turned away for ten minutes: half of that in each
/// five seconds of ours never adds up to it.
pub(super) const ADDRESS: [Limit; 1] = [Limit {
    counted: Counted::Weight,
    interval: Span::from_seconds(5),
    max: 300,
}];

/// What is counted together: an endpoint, where it trades of spot and perpetuals each by itself.
pub(super) type Group = (&'static str, bool);

/// Returns the group of a request, and what it counts there.
pub(super) fn of(draft: &JsonDraft) -> (Group, Cost) {
    let is_spot = match &draft.payload {
        Payload::Query(_) => false,
        Payload::Body(fields) => fields
            .pairs()
            .iter()
            .any(|(name, value)| *name == "category" && *value == Scalar::Text("spot".to_owned())),
    };
    let cost = Cost {
        weight: 1,
        orders: 0,
        priority: match draft.effect {
            Effect::Act => Priority::Order,
            Effect::Read => Priority::Read,
        },
    };
    ((draft.path, is_spot), cost)
}

/// Returns how many requests of a group are taken a second.
pub(super) fn of_group((path, is_spot): Group) -> Limit {
    let max = match (path, is_spot) {
        ("/v5/order/create" | "/v5/order/cancel", true) => 20,
        ("/v5/order/create" | "/v5/order/cancel" | "/v5/order/amend", _)
        | ("/v5/position/set-leverage" | "/v5/position/switch-mode", _)
        | ("/v5/user/query-api", _) => 10,
        ("/v5/account/set-margin-mode" | "/v5/account/fee-rate", _) => 5,
        ("/v5/account/transaction-log", _) => 25,
        // 60 a minute; one a second never adds up to more.
        ("/v5/asset/transfer/inter-transfer", _) => 1,
        // Market data is counted of the address alone; every other read takes 50.
        _ => 50,
    };
    Limit {
        counted: Counted::Weight,
        interval: Span::from_seconds(1),
        max,
    }
}
