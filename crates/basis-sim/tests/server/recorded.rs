//! The requests that the official SDKs and CCXT were recorded to send drive the venue, and its replies have
//! the form of the documentation's samples.

use basis_core::transport::Request;
use basis_core::types::Side;
use basis_sim::server::binance::Product;
use serde_json::Value;

use crate::kit::{Venue, body, settings};
use crate::samples::{differences, file, sample};

const SPOT: &str = "binance_spot_docs";
const USDM: &str = "binance_sdk_derivatives_trading_usds_futures";
const WALLET: &str = "binance_sdk_wallet";

/// Where the sample of an endpoint's reply is: file, name, and which of several.
fn sample_of(method: &str, path: &str) -> Option<(&'static str, String, usize)> {
    let spot = |at| Some((SPOT, format!("rest-api.md: {method} {path}"), at));
    let usdm = |name: &str| Some((USDM, name.to_owned(), 0));
    match (method, path) {
        ("POST", "/api/v3/order") => spot(2),
        (_, path) if path.starts_with("/api/v3") => spot(0),
        ("POST", "/fapi/v1/order") => usdm("new_order"),
        ("PUT", "/fapi/v1/order") => usdm("modify_order"),
        ("GET", "/fapi/v1/order") => usdm("query_order"),
        ("DELETE", "/fapi/v1/order") => usdm("cancel_order"),
        ("DELETE", "/fapi/v1/batchOrders") => usdm("cancel_multiple_orders"),
        ("DELETE", "/fapi/v1/allOpenOrders") => usdm("cancel_all_open_orders"),
        ("GET", "/fapi/v1/openOrder") => usdm("query_current_open_order"),
        ("GET", "/fapi/v1/openOrders" | "/fapi/v1/allOrders") => usdm("all_orders"),
        ("GET", "/fapi/v1/userTrades") => usdm("account_trade_list"),
        ("GET", "/fapi/v1/commissionRate") => usdm("user_commission_rate"),
        ("POST", "/fapi/v1/countdownCancelAll") => usdm("auto_cancel_all_open_orders"),
        ("GET", "/fapi/v1/fundingInfo") => usdm("get_funding_rate_info"),
        ("GET", "/fapi/v1/fundingRate") => usdm("get_funding_rate_history"),
        ("GET", "/fapi/v1/income") => usdm("get_income_history"),
        ("GET", "/fapi/v1/leverageBracket") => usdm("notional_and_leverage_brackets"),
        ("POST", "/fapi/v1/marginType") => usdm("change_margin_type"),
        ("POST", "/fapi/v1/leverage") => usdm("change_initial_leverage"),
        ("GET", "/fapi/v1/multiAssetsMargin") => usdm("get_current_multi_assets_mode"),
        ("POST", "/fapi/v1/positionSide/dual") => usdm("change_position_mode"),
        ("GET", "/fapi/v1/positionSide/dual") => usdm("get_current_position_mode"),
        ("GET", "/fapi/v1/premiumIndex") => usdm("mark_price"),
        ("GET", "/fapi/v1/symbolConfig") => usdm("symbol_configuration"),
        ("GET", "/fapi/v1/accountConfig") => usdm("futures_account_configuration"),
        ("GET", "/fapi/v1/feeBurn") => usdm("get_bnb_burn_status"),
        ("GET", "/fapi/v3/positionRisk") => usdm("position_information_v3"),
        ("GET", "/fapi/v3/balance") => usdm("futures_account_balance_v3"),
        ("GET", "/fapi/v3/account") => usdm("account_information_v3"),
        ("GET", "/fapi/v1/depth") => usdm("order_book"),
        ("GET", "/fapi/v1/ticker/bookTicker") => usdm("symbol_order_book_ticker"),
        ("POST", "/sapi/v1/asset/transfer") => {
            Some((WALLET, "user_universal_transfer".to_owned(), 0))
        }
        ("GET", "/sapi/v1/asset/transfer") => Some((
            WALLET,
            "query_user_universal_transfer_history".to_owned(),
            0,
        )),
        ("GET", "/sapi/v1/account/apiRestrictions") => {
            Some((WALLET, "get_api_key_permission".to_owned(), 0))
        }
        _ => None,
    }
}

/// Asserts that a reply has its sample's form; tells whether there is one.
fn has_sample_form(method: &str, path: &str, reply: &Value) -> bool {
    let Some((file, name, at)) = sample_of(method, path) else {
        panic!("{method} {path} has no sample");
    };
    let Some(mut sample) = sample(file, &name) else {
        return false;
    };
    if file == SPOT {
        // What answers with an ACK has the first sample's form.
        let at = if reply.get("status").is_some() { at } else { 0 };
        sample = sample[at].take();
    }
    let differences = differences(reply, &sample);
    assert!(
        differences.is_empty(),
        "{method} {path}: {differences:#?}\n{reply}"
    );
    true
}

/// What a case needs to be there, and the code with which it is refused all the same, with the reason.
fn refusal(id: &str, client: &str) -> Option<i64> {
    let id = id.split('@').next().unwrap();
    match id {
        // The SDK turns 0.00001 into 1e-05.
        "spot.limit.tiny" => Some(-1100),
        // The account is so already.
        "perp.posmode.oneway" => Some(-4059),
        "perp.margin.cross" | "perp.margin.cross.raw" => Some(-4046),
        // Not here: conditional orders and the queue of deleveraging.
        "perp.stop.market" | "perp.stop.closeposition" | "perp.adl.raw" => Some(-5000),
        // The documentation spells the parameter `orderIdList`.
        "perp.cancel.many" if client.starts_with("ccxt") => Some(-1102),
        _ => None,
    }
}

fn venue_for(id: &str) -> Venue {
    let mut settings = settings();
    settings.first_id = 1_234_567_889;
    let mut venue = Venue::with(settings, crate::kit::funded());
    let spot = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=36000";
    let perp = "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.01&price=38000";
    if id.starts_with("spot.cancel.clientid") {
        venue.ok(
            "POST",
            "/api/v3/order",
            &format!("{spot}&newClientOrderId=basis-0001"),
        );
    } else if id.starts_with("spot.amend") || id.starts_with("spot.cancel.all") {
        venue.ok("POST", "/api/v3/order", spot);
    } else if id.starts_with("perp.order") || id.starts_with("perp.open") {
        venue.ok(
            "POST",
            "/fapi/v1/order",
            &format!("{perp}&newClientOrderId=basis-0001"),
        );
    } else if id.starts_with("perp.amend") || id.starts_with("perp.cancel") {
        venue.ok("POST", "/fapi/v1/order", perp);
        venue.ok("POST", "/fapi/v1/order", perp);
    } else if id.starts_with("perp.limit.hedge") {
        venue.ok(
            "POST",
            "/fapi/v1/positionSide/dual",
            "dualSidePosition=true",
        );
    }
    for product in [Product::Spot, Product::UsdM] {
        venue.rest(product, Side::Buy, "37000", "5");
        venue.rest(product, Side::Sell, "37010", "5");
    }
    if id.contains("reduce") || id.contains("position") {
        venue.ok(
            "POST",
            "/fapi/v1/order",
            "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01",
        );
    }
    venue
}

#[test]
fn the_recorded_requests_of_sdks_get_replies_of_the_documented_form() {
    let Some(recorded) = file("requests/binance.json") else {
        return;
    };
    let (mut accepted, mut refused, mut pages) = (0, 0, 0);
    for case in recorded["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        for variant in case["variants"].as_array().unwrap() {
            let client = variant["client"].as_str().unwrap();
            for recorded in variant["requests"].as_array().unwrap() {
                let request = request_of(recorded);
                let path = recorded["path"].as_str().unwrap();
                let method = request.method;
                let response = venue_for(id).send(request);
                if path.starts_with("/sapi/v1/capital") {
                    assert_eq!(response.status, 404, "no deposits here");
                    pages += 1;
                    continue;
                }
                let reply = body(&response);
                if let Some(code) = refusal(id, client) {
                    assert_eq!(reply["code"], code, "{id} of {client}: {reply}");
                    refused += 1;
                } else {
                    assert_eq!(response.status, 200, "{id} of {client}: {reply}");
                    has_sample_form(method, path, &reply);
                    accepted += 1;
                }
            }
        }
    }
    println!("{accepted} accepted, {refused} refused, {pages} not here");
    assert!(accepted > 60, "{accepted}");
}

fn request_of(recorded: &Value) -> Request {
    let methods = ["GET", "POST", "PUT", "DELETE"];
    let headers = recorded["headers"].as_object().unwrap().iter();
    Request {
        method: methods
            .into_iter()
            .find(|method| recorded["method"] == *method)
            .unwrap(),
        url: recorded["url"].as_str().unwrap().to_owned(),
        headers: headers
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect(),
        body: recorded["body_raw"].as_str().unwrap_or_default().into(),
    }
}

/// Calls beyond the recorded ones.
const CALLS: &[(&str, &str, &str)] = &[
    (
        "GET",
        "/api/v3/order",
        "symbol=BTCUSDT&origClientOrderId=one",
    ),
    (
        "PUT",
        "/api/v3/order/amend/keepPriority",
        "symbol=BTCUSDT&origClientOrderId=one&newQty=0.005",
    ),
    ("GET", "/api/v3/openOrders", ""),
    ("GET", "/api/v3/allOrders", "symbol=BTCUSDT"),
    ("GET", "/api/v3/myTrades", "symbol=BTCUSDT"),
    ("GET", "/api/v3/account", ""),
    ("GET", "/api/v3/rateLimit/order", ""),
    ("GET", "/fapi/v1/allOrders", "symbol=BTCUSDT"),
    ("GET", "/fapi/v1/userTrades", "symbol=BTCUSDT"),
    ("GET", "/fapi/v1/income", ""),
    ("GET", "/fapi/v3/positionRisk", ""),
    ("GET", "/fapi/v3/balance", ""),
    ("GET", "/fapi/v3/account", ""),
    ("GET", "/fapi/v1/accountConfig", ""),
    ("GET", "/fapi/v1/symbolConfig", ""),
    ("GET", "/fapi/v1/feeBurn", ""),
    ("POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=10"),
    (
        "DELETE",
        "/fapi/v1/order",
        "symbol=BTCUSDT&origClientOrderId=one",
    ),
    ("DELETE", "/fapi/v1/allOpenOrders", "symbol=BTCUSDT"),
    ("GET", "/sapi/v1/asset/transfer", "type=MAIN_UMFUTURE"),
    ("GET", "/sapi/v1/account/apiRestrictions", ""),
    ("GET", "/api/v3/depth", "symbol=BTCUSDT"),
    ("GET", "/api/v3/ticker/bookTicker", "symbol=BTCUSDT"),
    ("GET", "/api/v3/ticker/price", "symbol=BTCUSDT"),
    ("GET", "/api/v3/avgPrice", "symbol=BTCUSDT"),
    ("GET", "/fapi/v1/depth", "symbol=BTCUSDT"),
    ("GET", "/fapi/v1/ticker/bookTicker", "symbol=BTCUSDT"),
];

#[test]
fn replies_beyond_the_recorded_have_the_form_of_their_samples() {
    let mut venue = Venue::quoted();
    venue.ok(
        "POST",
        "/fapi/v1/order",
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01",
    );
    let resting = "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.01&price=38000";
    venue.ok(
        "POST",
        "/fapi/v1/order",
        &format!("{resting}&newClientOrderId=one"),
    );
    venue.ok(
        "POST",
        "/api/v3/order",
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01",
    );
    venue.ok(
        "POST",
        "/api/v3/order",
        &format!("{resting}&newClientOrderId=one"),
    );
    venue.ok(
        "POST",
        "/sapi/v1/asset/transfer",
        "type=MAIN_UMFUTURE&asset=USDT&amount=10",
    );
    for &(method, path, params) in CALLS {
        let reply = venue.ok(method, path, params);
        if !has_sample_form(method, path, &reply) {
            return;
        }
    }
}

#[test]
fn exchange_information_has_the_recorded_form() {
    let Some(fixtures) = file("fixtures/binance_raw.json") else {
        return;
    };
    let mut venue = Venue::new();
    for path in ["/api/v3/exchangeInfo", "/fapi/v1/exchangeInfo"] {
        let info = venue.get(path);
        let recorded = &fixtures[format!("GET {path}")];
        let mut differences = differences(&info, recorded);
        // Added to the documentation after the recording was made.
        differences.retain(|text| !text.contains("settlePlan"));
        assert!(differences.is_empty(), "{path}: {differences:#?}");
        let filters = |info: &Value| {
            let filters = info["symbols"][0]["filters"].as_array().unwrap();
            let filters = filters.iter().map(|filter| {
                let names = filter.as_object().unwrap().keys().cloned();
                (
                    filter["filterType"].as_str().unwrap().to_owned(),
                    names.collect::<Vec<_>>(),
                )
            });
            filters.collect::<std::collections::BTreeMap<_, _>>()
        };
        let recorded = filters(recorded);
        for (name, fields) in filters(&info) {
            assert_eq!(recorded.get(&name), Some(&fields), "{path} {name}");
        }
    }
}
