//! Binance's error codes as data: what each means, and what follows from it.
//!
//! Sources: error code pages of the spot API and of USD-M. A code that is not here is ambiguous for an order.

use super::codec::Product;
pub use crate::wire::{Action, Class};

/// Codes from `first` down to `last`, of one product or of all.
struct Row {
    first: i64,
    last: i64,
    product: Option<Product>,
    class: Class,
}

const fn codes(first: i64, last: i64, class: Class) -> Row {
    Row {
        first,
        last,
        product: None,
        class,
    }
}

const fn code(code: i64, class: Class) -> Row {
    codes(code, code, class)
}

const fn only(product: Product, number: i64, class: Class) -> Row {
    Row {
        product: Some(product),
        ..code(number, class)
    }
}

/// The first row that fits decides.
const TABLE: &[Row] = &[
    codes(-1000, -1001, Class::Unknown),
    code(-1002, Class::Credentials),
    code(-1003, Class::Limit),
    codes(-1006, -1007, Class::Unknown),
    code(-1008, Class::Overloaded),
    code(-1013, Class::Filter),
    code(-1015, Class::Limit),
    code(-1021, Class::Clock),
    code(-1022, Class::Credentials),
    code(-1125, Class::ListenKey),
    codes(-1100, -1136, Class::Filter),
    code(-2011, Class::OrderGone),
    code(-2013, Class::OrderGone),
    codes(-2014, -2015, Class::Credentials),
    codes(-2018, -2019, Class::Funds),
    only(Product::Spot, -2021, Class::HalfDone),
    only(Product::UsdM, -2021, Class::Refused),
    only(Product::Spot, -2022, Class::OrderGone),
    only(Product::UsdM, -2022, Class::Refused),
    code(-2023, Class::Liquidation),
    code(-2024, Class::Funds),
    code(-2025, Class::TooManyOrders),
    code(-2026, Class::Archived),
    codes(-2027, -2028, Class::PositionLimit),
    code(-2038, Class::Filter),
    code(-4046, Class::AlreadySo),
    codes(-4047, -4048, Class::Blocked),
    codes(-4050, -4051, Class::Funds),
    code(-4059, Class::AlreadySo),
    code(-4061, Class::PositionMode),
    codes(-4067, -4068, Class::Blocked),
    codes(-4087, -4088, Class::Restricted),
    codes(-4003, -4099, Class::Filter),
    code(-4109, Class::Funds),
    codes(-4114, -4115, Class::Filter),
    code(-4116, Class::Duplicate),
    code(-4118, Class::Refused),
    code(-4120, Class::Filter),
    code(-4131, Class::Refused),
    code(-4161, Class::Blocked),
    code(-4164, Class::Filter),
    codes(-4167, -4170, Class::Blocked),
    code(-4171, Class::AlreadySo),
    code(-4172, Class::Blocked),
    codes(-4400, -4401, Class::Restricted),
    code(-4531, Class::Blocked),
    codes(-5021, -5022, Class::Refused),
    code(-5027, Class::AlreadySo),
    code(-5028, Class::Clock),
    // A modification of the order is under way: what came of it is asked.
    code(-5043, Class::Unknown),
    code(-5047, Class::Filter),
];

/// Texts that tell apart what spot refuses with -2010.
const REFUSAL_TEXTS: &[(&str, Class)] = &[
    ("insufficient balance", Class::Funds),
    ("Duplicate order sent", Class::Duplicate),
    ("immediately match", Class::Refused),
    ("Market is closed", Class::Restricted),
];

/// Returns what `code` with the text `message` says; `None` for a code that is not listed.
#[must_use]
pub fn classify(product: Product, code: i64, message: &str) -> Option<Class> {
    if code == -2010 {
        let by_text = REFUSAL_TEXTS
            .iter()
            .find(|(text, _)| message.contains(text));
        return Some(by_text.map_or(Class::Refused, |(_, class)| *class));
    }
    let fits = |row: &&Row| {
        row.last <= code && code <= row.first && row.product.is_none_or(|only| only == product)
    };
    TABLE.iter().find(fits).map(|row| row.class)
}
