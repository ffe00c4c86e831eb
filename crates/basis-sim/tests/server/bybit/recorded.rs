//! The requests that the official SDK and CCXT were recorded to send drive the venue, and its replies have
//! the form of the documentation's samples.

use basis_core::transport::Request;
use basis_core::types::Side;
use basis_sim::server::bybit::Category;
use serde_json::{Value, json};

use super::kit::{Bybit, funded, limit, settings, with};
use crate::kit::body;
use crate::samples::{differences, file, sample};

/// Endpoints that are not here.
const ABSENT: &[&str] = &[
    "/v5/order/disconnected-cancel-all",
    "/v5/position/switch-isolated",
    "/v5/market/open-interest",
    "/v5/asset/withdraw/query-record",
    "/v5/asset/coin/query-info",
];

/// The code with which a case is refused all the same, with the reason.
fn refusal(id: &str, client: &str) -> Option<i64> {
    let of_ccxt = client.starts_with("ccxt");
    match id {
        // Conditional orders are not here.
        "spot.stop.limit" | "perp.stop.market" => Some(10_001),
        // CCXT sends the client's id under a name that is not documented.
        "spot.cancel.clientid" if of_ccxt => Some(10_001),
        // The account is so already.
        "perp.posmode.oneway" => Some(110_025),
        _ => None,
    }
}

fn venue_for(id: &str) -> Bybit {
    let mut settings = settings();
    settings.first_id = 1_234_567_889;
    // The recorded cases sell perpetuals that were never bought, at one instant.
    settings.limits.endpoint_factor = 10;
    let mut venue = Bybit::with(settings, funded());
    let mine = json!({ "orderLinkId": "basis-0001" });
    if id.starts_with("spot.") && !id.contains("order") {
        venue.place(&limit("spot", "Buy", "0.01", "36000"));
    }
    if id.starts_with("spot.cancel.clientid") || id.starts_with("spot.order.clientid") {
        venue.place(&with(limit("spot", "Buy", "0.01", "36000"), &mine));
    } else if id.starts_with("spot.order.id") {
        venue.place(&limit("spot", "Buy", "0.01", "36000"));
    } else if id.starts_with("perp.amend") || id.starts_with("perp.order") {
        venue.place(&with(limit("linear", "Sell", "0.01", "38000"), &mine));
    } else if id.contains("hedge") {
        let hedge = json!({ "category": "linear", "symbol": "BTCUSDT", "mode": 3 });
        venue.ok("/v5/position/switch-mode", &hedge);
    }
    for category in [Category::Spot, Category::Linear] {
        venue.rest(category, Side::Buy, "37000", "5");
        venue.rest(category, Side::Sell, "37010", "5");
    }
    if id.contains("reduce") {
        venue.place(&limit("linear", "Buy", "0.01", "37010"));
    }
    if id == "perp.close" || id.contains("closed") || id.contains("history") {
        venue.place(&limit("linear", "Sell", "0.01", "37000"));
        venue.place(&limit("spot", "Buy", "0.01", "37010"));
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

/// Asserts that a reply has its sample's form.
fn has_sample_form(method: &str, path: &str, reply: &Value) {
    let Some(samples) = sample("bybit_docs", &format!("{method} {path}")) else {
        return;
    };
    let samples = samples.as_array().unwrap();
    let category = &reply["result"]["category"];
    let at = match (path, category.as_str()) {
        ("/v5/market/tickers", Some("spot")) => 2,
        ("/v5/market/instruments-info", Some("spot")) => 1,
        ("/v5/market/instruments-info", Some("linear")) => return,
        _ => 0,
    };
    // What of the sample is not of a success.
    let Some(sample) = samples.get(at).filter(|sample| sample["retCode"] == 0) else {
        return;
    };
    let found: Vec<_> = differences(reply, sample)
        .into_iter()
        // The samples of two reads leave the end of the envelope out.
        .filter(|text| {
            sample.get("time").is_some()
                || ![".time", ".retExtInfo"]
                    .iter()
                    .any(|name| text.starts_with(name))
        })
        // By coin.
        .filter(|text| !text.contains(".cumFeeDetail") && !text.contains(".availableWithdrawalMap"))
        .collect();
    assert!(found.is_empty(), "{method} {path}: {found:#?}\n{reply}");
}

#[test]
fn the_recorded_requests_of_sdks_get_replies_of_the_documented_form() {
    let Some(recorded) = file("requests/bybit.json") else {
        return;
    };
    let (mut accepted, mut refused, mut absent) = (0, 0, 0);
    for case in recorded["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        for variant in case["variants"].as_array().unwrap() {
            let client = variant["client"].as_str().unwrap();
            for recorded in variant["requests"].as_array().unwrap() {
                let request = request_of(recorded);
                let (method, path) = (
                    request.method,
                    recorded["path"].as_str().unwrap().to_owned(),
                );
                if path == "/v5/order/cancel-batch" {
                    // Names two orders that are not there: the batch is taken and each is refused.
                    let reply = body(&venue_for(id).send(request));
                    assert_eq!(reply["retExtInfo"]["list"][0]["code"], 110_001, "{reply}");
                    accepted += 1;
                    continue;
                }
                let response = venue_for(id).send(request);
                if ABSENT.contains(&path.as_str()) {
                    assert_eq!(response.status, 404, "{path}");
                    absent += 1;
                    continue;
                }
                let reply = body(&response);
                match refusal(id, client) {
                    Some(code) => {
                        assert_eq!(reply["retCode"], code, "{id} of {client}: {reply}");
                        refused += 1;
                    }
                    None => {
                        assert_eq!(reply["retCode"], 0, "{id} of {client}: {reply}");
                        has_sample_form(method, &path, &reply);
                        accepted += 1;
                    }
                }
            }
        }
    }
    println!("{accepted} accepted, {refused} refused, {absent} not here");
    assert!(accepted > 60, "{accepted}");
}
