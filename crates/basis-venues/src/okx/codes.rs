//! OKX's error codes as data: what each means, and what follows from it. The same numbers stand in the `code`
//! of a request and in the `sCode` of an order in it.
//!
//! Source: error code section of the v5 API. A code that is not here is ambiguous for an order.

pub use crate::wire::{Action, Class};

/// Codes from `first` to `last`.
struct Row {
    first: i64,
    last: i64,
    class: Class,
}

const fn codes(first: i64, last: i64, class: Class) -> Row {
    Row { first, last, class }
}

const fn code(code: i64, class: Class) -> Row {
    codes(code, code, class)
}

/// The first row that fits decides.
const TABLE: &[Row] = &[
    // 50013 comes with HTTP 429, and proves nothing all the same.
    code(50001, Class::Unknown),
    code(50004, Class::Unknown),
    code(50013, Class::Unknown),
    code(50026, Class::Unknown),
    code(51054, Class::Unknown),
    code(51149, Class::Unknown),
    code(51412, Class::Unknown),
    // The deadline passed before the order was looked at, or within.
    codes(50036, 50037, Class::Clock),
    code(50102, Class::Clock),
    code(50112, Class::Clock),
    code(60004, Class::Clock),
    code(60006, Class::Clock),
    code(50011, Class::Limit),
    code(50061, Class::Limit),
    code(51113, Class::Limit),
    code(58102, Class::Limit),
    code(60014, Class::Limit),
    code(50027, Class::Credentials),
    // 50101: a key of the other network.
    codes(50100, 50101, Class::Credentials),
    codes(50103, 50107, Class::Credentials),
    codes(50110, 50111, Class::Credentials),
    codes(50113, 50114, Class::Credentials),
    code(50119, Class::Credentials),
    code(51000, Class::Filter),
    codes(51004, 51006, Class::Filter),
    code(51020, Class::Filter),
    code(51100, Class::Filter),
    codes(51120, 51122, Class::Filter),
    codes(51135, 51138, Class::Filter),
    codes(54084, 54085, Class::Filter),
    code(58207, Class::Filter),
    code(59102, Class::PositionLimit),
    code(50023, Class::Restricted),
    code(51001, Class::Restricted),
    code(51015, Class::Restricted),
    codes(51021, 51022, Class::Restricted),
    codes(51027, 51030, Class::Restricted),
    code(58111, Class::Restricted),
    code(51008, Class::Funds),
    code(51119, Class::Funds),
    code(51127, Class::Funds),
    code(51131, Class::Funds),
    code(51502, Class::Funds),
    code(58350, Class::Funds),
    code(59103, Class::Funds),
    code(59108, Class::Funds),
    code(59200, Class::Funds),
    code(50007, Class::Liquidation),
    code(50009, Class::Liquidation),
    codes(50017, 50022, Class::Liquidation),
    code(51009, Class::Liquidation),
    code(51024, Class::Liquidation),
    code(50072, Class::AccountMode),
    code(51010, Class::AccountMode),
    code(51039, Class::AccountMode),
    code(51041, Class::AccountMode),
    code(50071, Class::Duplicate),
    code(51016, Class::Duplicate),
    // A withdrawal or a transfer bears the id already.
    code(58124, Class::Duplicate),
    code(58404, Class::Duplicate),
    codes(54047, 54048, Class::InProgress),
    // Three amendments are under way.
    code(51513, Class::InProgress),
    code(51037, Class::Restricted),
    code(54012, Class::Restricted),
    codes(54030, 54031, Class::Restricted),
    code(54035, Class::Restricted),
    code(54094, Class::Restricted),
    code(51023, Class::NoPosition),
    code(51112, Class::NoPosition),
    code(51169, Class::NoPosition),
    code(51400, Class::OrderGone),
    code(51410, Class::OrderGone),
    code(51503, Class::OrderGone),
    code(51603, Class::OrderGone),
    codes(51162, 51163, Class::Blocked),
    code(59000, Class::Blocked),
    codes(59100, 59101, Class::Blocked),
    code(59107, Class::Blocked),
    code(59112, Class::Blocked),
    codes(59132, 59139, Class::Blocked),
    codes(59668, 59670, Class::Blocked),
];

/// Returns what `code` says; `None` for a code that is not listed.
#[must_use]
pub fn classify(code: i64) -> Option<Class> {
    let row = TABLE
        .iter()
        .find(|row| row.first <= code && code <= row.last);
    row.map(|row| row.class)
}
