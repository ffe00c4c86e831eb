//! Bybit's error codes as data: what each means, and what follows from it.
//!
//! Source: error code page of the v5 API. A code that is not here is ambiguous for an order.

pub use crate::wire::{Action, Class};

/// Classes and the codes that say them.
const TABLE: &[(Class, &[i64])] = &[
    (
        Class::Unknown,
        &[
            429, 10000, 10016, 170001, 170007, 170032, 170035, 170146, 170147, 170234, 170310,
        ],
    ),
    // The gateway is restarting, or never passed it on.
    (Class::Overloaded, &[10019, 10404, 10429]),
    (Class::Clock, &[-1, 10002]),
    (Class::Limit, &[10006, 10403, 20003, 170005, 170222]),
    (
        Class::Credentials,
        &[-2015, 10003, 10004, 10005, 10007, 10010, 33004],
    ),
    (
        Class::Filter,
        &[
            10001, 110003, 110092, 110093, 110094, 170115, 170116, 170117, 170121, 170124, 170130,
            170132, 170133, 170134, 170136, 170137, 170140, 170148, 170371, 170372, 170381, 170382,
        ],
    ),
    // A request came twice; an order or a withdrawal bears the id already, or a transfer does.
    (Class::Duplicate, &[10014, 110072, 131082, 131214, 170141]),
    (
        Class::OrderGone,
        &[
            110001, 110008, 110010, 170139, 170142, 170143, 170190, 170213,
        ],
    ),
    (
        Class::InProgress,
        &[40004, 110063, 110079, 170144, 170191, 170212],
    ),
    (
        Class::Funds,
        &[
            110004, 110006, 110007, 110012, 110014, 110044, 110045, 110051, 110052, 110053, 170033,
            170131,
        ],
    ),
    (
        Class::PositionLimit,
        &[110013, 110021, 110086, 110089, 110090, 3400139],
    ),
    (Class::NoPosition, &[110017]),
    (Class::TooManyOrders, &[110020, 170810]),
    (Class::AlreadySo, &[34040, 110025, 110026, 110027, 110043]),
    (Class::Blocked, &[110024, 110028, 3400045]),
    // Not in this margin mode: cross has no leverage of a side of its own, portfolio none at all.
    (Class::AccountMode, &[110029, 110036, 110038]),
    (Class::Restricted, &[110011, 110023, 110040, 110066, 110074]),
    (Class::Refused, &[110118, 170149, 170210, 170217, 170218]),
];

/// Returns what `code` says; `None` for a code that is not listed.
#[must_use]
pub fn classify(code: i64) -> Option<Class> {
    let row = TABLE.iter().find(|(_, codes)| codes.contains(&code));
    row.map(|(class, _)| *class)
}
