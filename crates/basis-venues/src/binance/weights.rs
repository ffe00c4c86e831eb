//! What each request counts against the venue's limits.
//!
//! Sources: weights of the spot API documentation and of the USD-M and wallet SDKs. A path that is not here
//! counts as much as the heaviest of its product.

use basis_core::transport::Response;
use basis_core::types::Span;
use basis_live::actor::{Cost, Counted, Limit, Priority};

use super::codec::replies::LimitRow;
use super::codec::{Draft, Effect, Product};

/// Method, path, weight, weight without a symbol.
const WEIGHTS: &[(&str, &str, u32, u32)] = &[
    ("GET", "/api/v3/time", 1, 1),
    ("GET", "/api/v3/exchangeInfo", 20, 20),
    ("GET", "/api/v3/ticker/bookTicker", 2, 4),
    ("POST", "/api/v3/order", 1, 1),
    ("DELETE", "/api/v3/order", 1, 1),
    ("GET", "/api/v3/order", 4, 4),
    ("PUT", "/api/v3/order/amend/keepPriority", 4, 4),
    ("GET", "/api/v3/openOrders", 6, 80),
    ("GET", "/api/v3/allOrders", 20, 20),
    ("GET", "/api/v3/myTrades", 20, 20),
    ("GET", "/api/v3/account", 20, 20),
    ("GET", "/api/v3/account/commission", 20, 20),
    ("GET", "/fapi/v1/time", 1, 1),
    ("GET", "/fapi/v1/exchangeInfo", 1, 1),
    ("GET", "/fapi/v1/ticker/bookTicker", 2, 5),
    ("GET", "/fapi/v1/premiumIndex", 1, 10),
    ("GET", "/fapi/v1/fundingInfo", 1, 1),
    ("GET", "/fapi/v1/fundingRate", 1, 1),
    ("POST", "/fapi/v1/order", 1, 1),
    ("PUT", "/fapi/v1/order", 1, 1),
    ("DELETE", "/fapi/v1/order", 1, 1),
    ("GET", "/fapi/v1/order", 1, 1),
    ("GET", "/fapi/v1/openOrders", 1, 40),
    ("GET", "/fapi/v1/allOrders", 5, 5),
    ("GET", "/fapi/v1/userTrades", 5, 5),
    ("GET", "/fapi/v3/balance", 5, 5),
    ("GET", "/fapi/v3/account", 5, 5),
    ("GET", "/fapi/v3/positionRisk", 5, 5),
    ("GET", "/fapi/v1/symbolConfig", 5, 5),
    ("GET", "/fapi/v1/positionSide/dual", 30, 30),
    ("POST", "/fapi/v1/positionSide/dual", 1, 1),
    ("POST", "/fapi/v1/leverage", 1, 1),
    ("POST", "/fapi/v1/marginType", 1, 1),
    ("GET", "/fapi/v1/leverageBracket", 1, 1),
    ("GET", "/fapi/v1/commissionRate", 20, 20),
    ("GET", "/fapi/v1/income", 30, 30),
    ("POST", "/fapi/v1/listenKey", 1, 1),
    ("POST", "/fapi/v1/countdownCancelAll", 10, 10),
    ("POST", "/sapi/v1/asset/transfer", 300, 300),
    ("GET", "/sapi/v1/asset/transfer", 1, 1),
    ("GET", "/sapi/v1/account/apiRestrictions", 1, 1),
];

/// Returns what `draft` counts.
pub(super) fn cost(draft: &Draft) -> Cost {
    let row = WEIGHTS
        .iter()
        .find(|(method, path, ..)| *method == draft.method && *path == draft.path);
    let named = |name: &str| draft.params.pairs().iter().any(|(key, _)| *key == name);
    let heaviest = match draft.product {
        Product::Spot => 80,
        Product::UsdM => 40,
        Product::Wallet => 900,
    };
    let weight = match row {
        // Fills of one order are cheaper at spot.
        Some((_, "/api/v3/myTrades", ..)) if named("orderId") => 5,
        Some((_, _, weight, _)) if named("symbol") => *weight,
        Some((.., weight)) => *weight,
        None => heaviest,
    };
    let places =
        draft.effect == Effect::Act && draft.method != "DELETE" && draft.path.ends_with("/order");
    Cost {
        weight,
        orders: u32::from(places),
        priority: match draft.effect {
            Effect::Act => Priority::Order,
            Effect::Read => Priority::Read,
        },
    }
}

/// Limits until the venue's own are known: what it usually has. Lower ones would hold a start for a minute where
/// others of this address have used as much.
pub(super) fn first_limits(product: Product) -> Vec<Limit> {
    let limit = |counted, seconds, max| Limit {
        counted,
        interval: Span::from_seconds(seconds),
        max,
    };
    let weight = match product {
        Product::Spot => 6_000,
        Product::UsdM => 2_400,
        Product::Wallet => 12_000,
    };
    vec![
        limit(Counted::Weight, 60, weight),
        limit(Counted::Orders, 10, 50),
    ]
}

/// Returns the published limits that are counted here.
pub(super) fn published(rows: &[LimitRow]) -> Vec<Limit> {
    let limit = |row: &LimitRow| {
        let counted = match row.kind.as_str() {
            "REQUEST_WEIGHT" => Counted::Weight,
            "ORDERS" => Counted::Orders,
            _ => return None,
        };
        Some(Limit {
            counted,
            interval: row.interval,
            max: row.limit,
        })
    };
    rows.iter().filter_map(limit).collect()
}

/// Returns what an answer's headers say is used: what, over which interval, how much.
pub(super) fn used(response: &Response) -> Vec<(Counted, Span, u32)> {
    let header = |(name, value): &(String, String)| {
        let name = name.to_ascii_lowercase();
        let rows = [
            ("x-mbx-used-weight-", Counted::Weight),
            ("x-mbx-order-count-", Counted::Orders),
        ];
        let mut fits = rows
            .into_iter()
            .filter_map(|(prefix, counted)| Some((name.strip_prefix(prefix)?, counted)));
        let (interval, counted) = fits.next()?;
        let (number, unit) = interval.split_at_checked(interval.len().checked_sub(1)?)?;
        let number: i64 = number.parse().ok()?;
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        let interval = Span::from_seconds(unit).times(number);
        Some((counted, interval, value.trim().parse().ok()?))
    };
    response.headers.iter().filter_map(header).collect()
}

#[cfg(test)]
mod tests {
    use super::super::codec::{open_orders, reads};
    use super::*;

    #[test]
    fn headers_say_what_is_used() {
        let headers = [
            ("X-MBX-USED-WEIGHT-1M", "17"),
            ("x-mbx-order-count-10s", "3"),
            ("X-MBX-ORDER-COUNT-1D", " 40 "),
            ("X-MBX-USED-WEIGHT", "17"),
            ("X-MBX-ORDER-COUNT-1Y", "1"),
            ("Retry-After", "5"),
        ];
        let response = Response {
            status: 200,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: Vec::new(),
        };
        assert_eq!(
            used(&response),
            [
                (Counted::Weight, Span::from_seconds(60), 17),
                (Counted::Orders, Span::from_seconds(10), 3),
                (Counted::Orders, Span::from_seconds(86_400), 40),
            ]
        );
    }

    #[test]
    fn weights_depend_on_what_is_asked() {
        assert_eq!(cost(&open_orders(Product::Spot)).weight, 80);
        assert_eq!(cost(&reads::server_time(Product::UsdM)).weight, 1);
        assert_eq!(cost(&reads::balances(Product::Spot)).weight, 20);
    }
}
