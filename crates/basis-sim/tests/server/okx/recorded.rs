//! The requests that the official SDK and CCXT were recorded to send drive the venue, and its replies have
//! every field of the samples.

use basis_core::transport::Request;
use basis_core::types::Side;
use basis_sim::server::okx::Category;
use serde_json::{Value, json};

use super::kit::{Okx, SPOT, SWAP, code_of, funded, limit, settings, with};
use crate::kit::body;
use crate::samples::{differences, file, sample};

/// Endpoints that are not here.
const ABSENT: &[&str] = &[
    "/api/v5/trade/mass-cancel",
    "/api/v5/account/set-account-level",
];

/// The code with which a case is refused all the same, with the reason.
fn refusal(id: &str, client: &str) -> Option<u32> {
    let of_ccxt = client.starts_with("ccxt");
    match id {
        // Not listed here.
        "spot.limit.rounding" => Some(51_001),
        // Isolated margin is not here.
        "perp.isolated.order" | "perp.leverage.isolated" | "perp.margin.isolated.lev" => {
            Some(51_000)
        }
        // CCXT takes spot and swap for two accounts.
        "wallet.transfer.in" | "wallet.transfer.out" => Some(51_000),
        // CCXT leaves the product out.
        "perp.mark" if of_ccxt => Some(50_014),
        // There is none with this id.
        "wallet.transfer.state" => Some(58_129),
        _ => None,
    }
}

fn venue_for(id: &str) -> Okx {
    let mut settings = settings();
    settings.first_id = 1_234_567_889;
    let mut venue = Okx::with(settings, funded());
    let mine = json!({ "clOrdId": "basis0001" });
    if id.starts_with("perp.amend") || id == "perp.order.clientid" {
        venue.place(&with(limit(SWAP, "sell", "1", "38000"), &mine));
    } else if [
        "spot.amend",
        "spot.order.id",
        "spot.cancel.clientid",
        "spot.open",
    ]
    .contains(&id)
    {
        venue.place(&with(limit(SPOT, "buy", "0.01", "36000"), &mine));
    } else if id.contains("hedge") && id != "perp.posmode.hedge" {
        venue.ok(
            "/api/v5/account/set-position-mode",
            &json!({ "posMode": "long_short_mode" }),
        );
    }
    for category in [Category::Spot, Category::Linear] {
        venue.rest(category, Side::Buy, "37000", "5");
        venue.rest(category, Side::Sell, "37010", "5");
    }
    let holds = ["reduce", "closed", "trades", "position", "single.order.raw"];
    if holds.iter().any(|word| id.contains(word)) {
        venue.place(&limit(SWAP, "buy", "2", "37010"));
        venue.later(1);
    }
    if id.contains("funding.history") {
        // It is open to all: the stamp is not looked at.
        venue.later(8 * 3_600_000);
    }
    venue
}

fn request_of(recorded: &Value) -> Request {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let headers = recorded["headers"].as_object().unwrap();
    Request {
        method: if recorded["method"] == "GET" {
            "GET"
        } else {
            "POST"
        },
        url: text(&recorded["url"]),
        headers: headers
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
        body: text(&recorded["body_raw"]).into_bytes(),
    }
}

/// The sample of an endpoint's reply, where there is one of its form.
fn sample_of(method: &str, path: &str, query: &str) -> Option<&'static str> {
    let (_, name) = path.split_once("/api/v5/")?;
    Some(match (method, name) {
        ("GET", "account/balance") => "http_get_account_balance.json",
        ("GET", "trade/order" | "trade/orders-history") => "http_get_orders_history.json",
        ("GET", "trade/orders-pending") => "http_get_orders_pending.json",
        ("GET", "account/trade-fee") => "http_get_trade_fee_response.json",
        ("GET", "account/positions") => "http_get_positions.json",
        ("GET", "public/funding-rate-history") => "http_get_funding_rate_history.json",
        ("GET", "public/mark-price") => "http_get_mark_price.json",
        ("GET", "public/position-tiers") => "http_get_position_tiers.json",
        ("GET", "market/books") => "http_get_order_book.json",
        ("GET", "public/instruments") if query.contains("SPOT") => "http_get_instruments_spot.json",
        ("GET", "public/instruments") => "http_get_instruments_swap.json",
        ("POST", "account/set-position-mode") => "http_set_position_mode_response.json",
        _ => return None,
    })
}

/// What of its sample a reply does not have. The samples are older than some fields.
fn missing((method, path, query): (&str, &str, &str), reply: &Value) -> Vec<String> {
    let row = match sample_of(method, path, query) {
        Some(name) => sample("nautilus_okx", name).map(|sample| sample["data"][0].clone()),
        None if method == "POST" && path.ends_with("/order") => {
            sample("nautilus_okx", "http_place_order_response.json")
        }
        None if path.contains("/fills") => sample("nautilus_okx", "http_transaction_detail.json"),
        None => None,
    };
    let Some(row) = row.filter(|_| reply["data"][0].is_object()) else {
        return Vec::new();
    };
    let found = differences(&reply["data"][0], &row).into_iter();
    let found = found.filter(|text| {
        // The family's old name.
        !text.ends_with("is not in the sample") && text != ".uly is missing"
    });
    found
        .map(|text| format!("{method} {path}: {text}"))
        .collect()
}

#[test]
fn the_recorded_requests_of_sdks_get_replies_of_the_documented_form() {
    let Some(recorded) = file("requests/okx.json") else {
        return;
    };
    let (mut accepted, mut refused, mut absent) = (0, 0, 0);
    let mut wrong = Vec::new();
    for case in recorded["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        for variant in case["variants"].as_array().unwrap() {
            let client = variant["client"].as_str().unwrap();
            for recorded in variant["requests"].as_array().unwrap() {
                let request = request_of(recorded);
                let (method, url) = (request.method, request.url.clone());
                let path = recorded["path"].as_str().unwrap();
                let response = venue_for(id).send(request);
                if ABSENT.contains(&path) {
                    assert_eq!(response.status, 404, "{path}");
                    absent += 1;
                    continue;
                }
                let reply = body(&response);
                let wanted = refusal(id, client);
                assert_eq!(
                    code_of(&reply),
                    wanted.unwrap_or(0),
                    "{id} of {client}: {reply}"
                );
                if wanted.is_some() {
                    refused += 1;
                    continue;
                }
                // CCXT gives the orders of a batch one id where it makes it up: the second is refused.
                let is_doubled = id == "perp.batch" && client.starts_with("ccxt");
                assert_eq!(
                    reply["code"],
                    if is_doubled { "2" } else { "0" },
                    "{id} of {client}: {reply}"
                );
                wrong.extend(missing((method, path, &url), &reply));
                accepted += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    println!("{accepted} accepted, {refused} refused, {absent} not here");
    assert!(accepted > 55, "{accepted}");
}
