//! What Bybit does its own way: each of these fails where it is treated as another venue.

use std::collections::BTreeSet;

use basis_core::error::VenueErrorKind;
use basis_core::num::Quantity;
use basis_core::transport::Response;
use basis_core::types::{BookId, Epoch, InstructionId, Span, Timestamp};
use basis_venues::bybit::answer::{Failure, Success, outcome};
use basis_venues::bybit::codec::replies;
use basis_venues::bybit::codec::{
    Category, Network, cancel_on_disconnect, finish, reads, transfer_id,
};
use basis_venues::bybit::codes::{Action, Class, classify};
use basis_venues::wire::{Effect, Masked, Range, Stamp};
use serde_json::json;

use super::{account, bench};
use crate::bench::{Bench, field};
use crate::compare::{limit, trade};

fn answered(effect: Effect, status: u16, body: &str) -> Result<Success, Failure> {
    let reset = (
        "X-Bapi-Limit-Reset-Timestamp".to_owned(),
        "1700000000750".to_owned(),
    );
    let response = Response {
        status,
        headers: vec![reset],
        body: body.as_bytes().to_vec(),
    };
    outcome(effect, &response)
}

fn coded(code: i64) -> Result<Success, Failure> {
    let body =
        format!(r#"{{"retCode":{code},"retMsg":"text","result":{{}},"time":1700000000000}}"#);
    answered(Effect::Act, 200, &body)
}

#[test]
fn an_acceptance_names_the_order_and_no_state() {
    let body = br#"{"retCode":0,"retMsg":"OK","result":{"orderId":"9","orderLinkId":"a"},"retExtInfo":{}}"#;
    let text = std::str::from_utf8(body).unwrap();
    assert_eq!(answered(Effect::Act, 200, text), Ok(Success::Answered));
    let accepted = replies::accepted(body).unwrap();
    assert_eq!(
        (accepted.order_id.as_str(), accepted.order_link_id.as_str()),
        ("9", "a")
    );
    // It is no order: nothing of a state can be read out of it.
    assert!(replies::orders(body).is_err());
}

#[test]
fn a_clash_of_ids_says_that_an_order_bears_the_id_and_is_queried() {
    for code in [110072, 170141, 10014, 131214, 131082] {
        let e = coded(code).unwrap_err();
        assert!(matches!(e.kind, VenueErrorKind::OutcomeUnknown(_)), "{e:?}");
        assert_eq!(
            (e.class, e.class.action()),
            (Class::Duplicate, Action::Query)
        );
    }
}

#[test]
fn a_refusal_is_http_200_with_a_code() {
    let e = coded(110007).unwrap_err();
    assert!(matches!(e.kind, VenueErrorKind::Rejected { .. }), "{e:?}");
    assert_eq!(e.class.action(), Action::Reduce);
    assert_eq!(coded(110043), Ok(Success::AlreadySo));
    let e = coded(10003).unwrap_err();
    assert!(matches!(e.kind, VenueErrorKind::Auth(_)));
    assert_eq!(e.class.action(), Action::Stop);
    // Being processed is neither done nor refused.
    let e = coded(110079).unwrap_err();
    assert!(matches!(e.kind, VenueErrorKind::OutcomeUnknown(_)));
    assert_eq!(e.class.action(), Action::Query);
}

#[test]
fn what_is_not_listed_or_not_an_answer_leaves_an_order_unknown() {
    for code in [10000, 10016, 170007, 429, 99_999, 110_999, -5] {
        let e = coded(code).unwrap_err();
        assert!(
            matches!(e.kind, VenueErrorKind::OutcomeUnknown(_)),
            "{code}: {e:?}"
        );
    }
    let zero = r#"{"retCode":0,"retMsg":"OK","result":{}}"#;
    let refused = r#"{"retCode":110007,"retMsg":"no"}"#;
    for (status, body) in [
        (403, "Access Too Frequent"),
        (403, zero),
        (404, ""),
        (408, refused),
        (500, refused),
        (502, "<html>"),
        (503, zero),
        (504, ""),
        (200, "<html>"),
        (200, ""),
        (200, "{}"),
    ] {
        let e = answered(Effect::Act, status, body).unwrap_err();
        assert!(
            matches!(e.kind, VenueErrorKind::OutcomeUnknown(_)),
            "{status} {body}: {e:?}"
        );
        let e = answered(Effect::Read, status, body).unwrap_err();
        assert!(
            matches!(e.kind, VenueErrorKind::Unavailable(_)),
            "{status} {body}: {e:?}"
        );
    }
}

#[test]
fn limits_are_not_accepted_and_say_how_long_to_wait() {
    let wait = Some(Span::from_nanos(750_000_000));
    let limited = VenueErrorKind::RateLimited { retry_after: wait };
    for code in [10006, 170222, 170005, 10403, 20003] {
        assert_eq!(coded(code).unwrap_err().kind, limited, "{code}");
    }
    // The gateway's own 429 is a limit; a code of the same number is an overload that proves nothing.
    let e = answered(Effect::Act, 429, "").unwrap_err();
    assert_eq!(e.kind, VenueErrorKind::RateLimited { retry_after: None });
    let e = answered(Effect::Act, 429, r#"{"retCode":429,"retMsg":"x"}"#).unwrap_err();
    assert!(matches!(e.kind, VenueErrorKind::OutcomeUnknown(_)), "{e:?}");
    // A clock that is off is certainly not accepted, and a read may be repeated.
    assert!(matches!(
        coded(10002).unwrap_err().kind,
        VenueErrorKind::Rejected { .. }
    ));
    let read = answered(Effect::Read, 200, r#"{"retCode":10002,"retMsg":"x"}"#).unwrap_err();
    assert!(matches!(read.kind, VenueErrorKind::Unavailable(_)));
}

/// Every code of the project's fact sheet on exchanges, section 3.11, with the class it gives.
#[test]
fn every_listed_code_has_its_class() {
    use Class::{
        AlreadySo, Blocked, Clock, Credentials, Duplicate, Filter, Funds, InProgress, Limit,
        NoPosition, OrderGone, Overloaded, PositionLimit, Refused, Restricted, TooManyOrders,
        Unknown,
    };
    let rows: &[(Class, &[i64])] = &[
        (
            Unknown,
            &[
                10000, 10016, 170001, 170007, 170032, 170035, 170146, 170147, 170234, 170310, 429,
            ],
        ),
        (Overloaded, &[10019, 10404, 10429]),
        (Clock, &[10002, -1]),
        (Limit, &[10006, 170222, 170005, 10403, 20003]),
        (
            Credentials,
            &[10003, 10004, 10005, 10007, 10010, 33004, -2015],
        ),
        (
            Filter,
            &[
                10001, 110003, 110094, 110092, 110093, 170115, 170116, 170117, 170121, 170124,
            ],
        ),
        (
            Filter,
            &[
                170130, 170132, 170133, 170134, 170136, 170137, 170140, 170148, 170371, 170372,
            ],
        ),
        (Filter, &[170381, 170382]),
        (Duplicate, &[10014, 110072, 170141, 131214, 131082]),
        (
            OrderGone,
            &[
                110001, 110008, 110010, 170213, 170143, 170142, 170139, 170190,
            ],
        ),
        (InProgress, &[110079, 110063, 40004, 170191, 170212, 170144]),
        (
            Funds,
            &[
                110004, 110006, 110007, 110012, 110014, 110044, 110045, 110051, 110052, 110053,
            ],
        ),
        (Funds, &[170131, 170033]),
        (
            PositionLimit,
            &[110013, 110021, 110089, 110090, 110086, 3400139],
        ),
        (NoPosition, &[110017]),
        (TooManyOrders, &[110020, 170810]),
        (AlreadySo, &[110025, 110026, 110027, 110043, 34040]),
        (Blocked, &[110024, 110028, 3400045]),
        (Restricted, &[110023, 110066, 110074, 110011, 110040]),
        (Refused, &[170210, 170149, 170218, 170217, 110118]),
    ];
    for (class, codes) in rows {
        for code in *codes {
            assert_eq!(classify(*code), Some(*class), "{code}");
        }
    }
    assert_eq!(classify(1), None);
}

#[test]
fn the_margin_mode_is_the_account_s_and_leverage_one_for_both_sides() {
    let Some(bench) = bench() else { return };
    let change = |mode: serde_json::Value| json!({"set_leverage": {"symbol": "BTCUSDT", "leverage": "2.5", "margin_mode": mode}});
    let drafts = bench.drafts(change(json!("isolated")));
    let paths: Vec<_> = drafts.iter().map(|draft| draft.path).collect();
    assert_eq!(
        paths,
        ["/v5/account/set-margin-mode", "/v5/position/set-leverage"]
    );
    // Of no symbol: all positions have the same mode.
    assert_eq!(field(&drafts[0], "symbol"), None);
    assert_eq!(
        field(&drafts[0], "setMarginMode").unwrap(),
        "ISOLATED_MARGIN"
    );
    let sides = ["buyLeverage", "sellLeverage"].map(|name| field(&drafts[1], name).unwrap());
    assert_eq!(sides, ["2.5", "2.5"]);
    for (leverage, part) in [
        ("0.5", "from 1 to 100"),
        ("101", "from 1 to 100"),
        ("2.005", "0.01"),
    ] {
        let change = json!({"set_leverage": {"symbol": "BTCUSDT", "leverage": leverage}});
        let message = bench.attempt(change, None).unwrap_err();
        assert!(
            message.contains(part) && message.contains(leverage),
            "{message}"
        );
    }
}

#[test]
fn a_spot_market_buy_is_in_base_units_and_never_leaves_as_a_market_order() {
    let Some(bench) = bench() else { return };
    let order = |side: &str| {
        let drafts = bench.drafts(trade(
            "spot_trade",
            side,
            "0.01",
            json!({"order_type": "market"}),
        ));
        let value = |name: &str| field(&drafts[0], name).unwrap();
        [
            value("orderType"),
            value("qty"),
            value("price"),
            value("timeInForce"),
        ]
    };
    assert_eq!(order("buy"), ["Limit", "0.01", "37185", "IOC"]);
    assert_eq!(order("sell"), ["Limit", "0.01", "36815", "IOC"]);
}

#[test]
fn hedge_mode_is_an_index_and_reduce_only_goes_with_it() {
    let Some(bench) = bench() else { return };
    let order = |side: &str, more: serde_json::Value| {
        let drafts = bench.drafts(trade("perp_trade", side, "0.01", limit("38000", more)));
        ["positionIdx", "reduceOnly"].map(|name| field(&drafts[0], name))
    };
    assert_eq!(order("sell", json!({})), [None, None]);
    assert_eq!(
        order("buy", json!({"position_side": "long"})),
        [Some("1".to_owned()), None]
    );
    let both = json!({"position_side": "short", "reduce_only": true});
    assert_eq!(
        order("buy", both),
        [Some("2".to_owned()), Some("true".to_owned())]
    );
}

#[test]
fn what_the_venue_would_refuse_is_refused_here_by_name_value_and_bound() {
    let Some(bench) = bench() else { return };
    let refused = |operation: serde_json::Value, parts: &[&str]| {
        let message = bench.attempt(operation, None).unwrap_err();
        for part in parts {
            assert!(message.contains(part), "{part}: {message}");
        }
    };
    let spot =
        |quantity: &str, price: &str| trade("spot_trade", "buy", quantity, limit(price, json!({})));
    refused(
        spot("0.000001", "36000"),
        &["0.000001 BTC", "basePrecision", "0.00001"],
    );
    refused(
        spot("0.0001", "36000"),
        &["3.6", "minOrderAmt", "minimum of 5"],
    );
    refused(spot("84", "36000"), &["84 BTC", "maxLimitOrderQty", "83"]);
    // Reduce-only orders have to reach it too.
    let small = limit("100", json!({"reduce_only": true}));
    refused(
        trade("perp_trade", "buy", "0.001", small),
        &["minNotionalValue"],
    );
    let amend = json!({"amend_order": {"symbol": "BTCUSDT", "order": 1}});
    let known = Bench::known("perp_trade", "buy");
    let message = bench.attempt(amend, Some(&known)).unwrap_err();
    assert!(message.contains("changes neither"), "{message}");
    let mut known = Bench::known("perp_trade", "buy");
    known.filled = Quantity::literal("0.004");
    let amend = json!({"amend_order": {"symbol": "BTCUSDT", "order": 1, "quantity": "0.004"}});
    let message = bench.attempt(amend, Some(&known)).unwrap_err();
    assert!(message.contains("would cancel the order"), "{message}");
    let transfer = |from: &str, to: serde_json::Value| json!({"transfer": {"asset": "USDT", "amount": "25", "from": account(from), "to": to}});
    let wallet = json!({"venue": "wallet", "name": "main"});
    refused(
        transfer("funding", wallet.clone()),
        &["withdrawals are off"],
    );
    refused(
        transfer("unified", wallet),
        &["withdrawals leave from bybit.funding"],
    );
    refused(
        transfer("unified", json!(account("unified"))),
        &["cannot transfer to itself"],
    );
    refused(
        transfer("spot", json!(account("unified"))),
        &["`spot` is no account of Bybit"],
    );
    refused(
        json!({"stake": {"asset_in": "ETH", "asset_out": "wstETH", "amount": "1"}}),
        &["Bybit does not execute stake"],
    );
}

#[test]
fn an_amendment_sends_what_changes_and_keeps_the_id() {
    let Some(bench) = bench() else { return };
    let known = Bench::known("spot_trade", "buy");
    let amend = json!({"amend_order": {"symbol": "BTCUSDT", "order": 1, "quantity": "0.02"}});
    let drafts = bench.attempt(amend, Some(&known)).unwrap();
    assert_eq!(drafts[0].path, "/v5/order/amend");
    assert_eq!(field(&drafts[0], "qty").unwrap(), "0.02");
    assert_eq!(field(&drafts[0], "price"), None);
    assert!(field(&drafts[0], "orderLinkId").unwrap().ends_with("01"));
}

#[test]
fn a_transfer_has_a_uuid_of_its_own_and_the_same_one_again() {
    let mut seen = BTreeSet::new();
    for book in [0, 7, 2_821_109_907_455] {
        for (seconds, random) in [(0, 0), (1_704_067_200, 9), (u32::MAX, 0xffff)] {
            for counter in [0, 1, 2, u32::MAX] {
                let id = InstructionId::new(Epoch::new(seconds, random), counter);
                let text = transfer_id(BookId::from_number(book), id);
                let parts: Vec<_> = text.split('-').map(str::len).collect();
                assert_eq!(parts, [8, 4, 4, 4, 12], "{text}");
                assert_eq!(&text[14..15], "4", "{text}");
                assert!("89ab".contains(&text[19..20]), "{text}");
                assert_eq!(text, transfer_id(BookId::from_number(book), id));
                assert!(seen.insert(text));
            }
        }
    }
    assert_eq!(seen.len(), 36);
}

#[test]
fn the_demo_has_no_transfers_and_the_funding_history_no_open_end() {
    let Some(bench) = bench() else { return };
    let stamp = Stamp::new(Timestamp::EPOCH);
    let message = finish(
        &reads::coins(None),
        Network::Demo,
        stamp,
        &Masked::default(),
    );
    assert!(message.unwrap_err().to_string().contains("no transfers"));
    let request = finish(&reads::balances(), Network::Demo, stamp, &Masked::default()).unwrap();
    assert!(
        request.url.starts_with("https://api-demo.bybit.com/"),
        "{}",
        request.url
    );
    let from = Range {
        from: Some(Timestamp::EPOCH),
        ..Range::default()
    };
    let rules = &bench.rules.instruments[0];
    assert!(reads::funding_history(rules, &from).is_err());
    for seconds in [2, 301] {
        assert!(cancel_on_disconnect(Category::Spot, seconds).is_err());
    }
}

#[test]
fn a_withdrawal_arrives_whole_and_is_stamped_in_its_body() {
    let Some(bench) = bench() else { return };
    let draft = bench.withdrawal(account("funding"), "25.1234567").unwrap();
    assert_eq!(draft.path, "/v5/asset/withdraw/create");
    let value = |name: &str| field(&draft, name).unwrap();
    // The fee of 1 comes on top; what the venue does not take of the amount is cut off.
    assert_eq!([value("amount"), value("feeType")], ["25.123456", "0"]);
    assert_eq!([value("accountType"), value("forceChain")], ["FUND", "1"]);
    assert_eq!(
        [value("chain"), value("address"), value("tag")],
        ["USDT-ERC20", "0xabc", "7"]
    );
    assert_eq!(value("timestamp"), "the stamp");
    let id = value("requestId");
    assert!(
        id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "{id}"
    );
    let message = bench.withdrawal(account("funding"), "1.9").unwrap_err();
    assert!(message.contains("below the minimum of 2"), "{message}");
    assert!(bench.withdrawal(account("unified"), "25").is_err());
    assert_eq!(replies::UNFILLED_KEPT, Span::from_hours(24));
}
