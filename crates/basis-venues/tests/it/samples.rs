//! Sample replies and frames of Binance's documentation, its SDKs and another client: each is read, or
//! refused for the reason that the table has.

use basis_core::num::{Price, Quantity};
use basis_core::transport::Response;
use basis_core::types::{InstructionId, InstrumentKind, Side, Symbol, Timestamp};
use basis_core::venue_event::{EventKind, OrderState};
use basis_venues::binance::answer::outcome;
use basis_venues::binance::codec::replies::{self, DecodeError};
use basis_venues::binance::codec::stream::{Forced, OrderFact, StreamFact, perp_frame, spot_frame};
use basis_venues::binance::codec::{Effect, Product};
use basis_venues::binance::codes::Class;
use serde_json::value::RawValue;

use crate::vectors::{BINANCE, check, reads, rules, samples};

type Reader = fn(&[u8]) -> Result<(), DecodeError>;

/// `""` for what is read, else what its refusal says.
type Row = (&'static str, Reader, &'static str);

fn check_all(file: &str, table: &[Row]) {
    let Some(items) = samples(file) else { return };
    for (name, reader, refusal) in table {
        let body = items
            .get(*name)
            .unwrap_or_else(|| panic!("{file} has no {name}"));
        check(name, body.get().as_bytes(), *reader, refusal);
    }
}

#[test]
fn replies_of_the_sdks_are_read_or_refused_for_a_reason() {
    check_all(
        "binance_sdk_spot",
        &[
            (
                "account_commission",
                |body| replies::spot_fee_rates(body, Side::Buy).map(drop),
                "",
            ),
            ("all_orders", reads!(replies::orders), ""),
            ("get_account", reads!(replies::spot_balances), ""),
            ("get_open_orders", reads!(replies::orders), ""),
            ("get_order", reads!(replies::order), ""),
            ("my_trades", reads!(replies::spot_fills), ""),
            ("time", reads!(replies::server_time), ""),
            ("delete_order", reads!(replies::order), ""),
            ("delete_open_orders", reads!(replies::orders), ""),
            ("order_amend_keep_priority", reads!(replies::amended), ""),
            ("order_cancel_replace", reads!(replies::replaced), ""),
            // Cut down by the SDK's own tests: a reply that says FILLED says how much.
            ("new_order", reads!(replies::order), "missing field `price`"),
            (
                "ticker_book_ticker",
                reads!(replies::book_ticker),
                "missing field `bidPrice`",
            ),
        ],
    );
    check_all(
        "binance_sdk_derivatives_trading_usds_futures",
        &[
            (
                "futures_account_balance_v3",
                reads!(replies::perp_balances),
                "",
            ),
            ("get_current_position_mode", reads!(replies::hedge_mode), ""),
            (
                "get_income_history",
                reads!(replies::funding_payments),
                "`TRANSFER` is no funding",
            ),
            (
                "notional_and_leverage_brackets",
                reads!(replies::tiers),
                "no brackets",
            ),
            ("symbol_configuration", reads!(replies::leverages), ""),
            ("user_commission_rate", reads!(replies::perp_fee_rates), ""),
            ("check_server_time", reads!(replies::server_time), ""),
            (
                "get_funding_rate_history",
                reads!(replies::funding_history),
                "",
            ),
            (
                "get_funding_rate_info",
                reads!(replies::funding_intervals),
                "",
            ),
            ("mark_price", reads!(replies::mark_price), ""),
            ("symbol_order_book_ticker", reads!(replies::book_ticker), ""),
            ("account_trade_list", reads!(replies::perp_fills), ""),
            ("all_orders", reads!(replies::orders), ""),
            ("cancel_order", reads!(replies::order), ""),
            ("current_all_open_orders", reads!(replies::orders), ""),
            ("new_order", reads!(replies::order), ""),
            ("modify_order", reads!(replies::order), ""),
            ("query_order", reads!(replies::order), ""),
            ("start_user_data_stream", reads!(replies::listen_key), ""),
            ("position_information_v3", reads!(replies::positions), ""),
            ("users_force_orders", reads!(replies::orders), ""),
        ],
    );
    check_all(
        "binance_sdk_wallet",
        &[
            (
                "get_api_key_permission",
                reads!(replies::key_permissions),
                "",
            ),
            (
                "query_user_universal_transfer_history",
                reads!(replies::transfers),
                "",
            ),
            ("user_universal_transfer", reads!(replies::transfer_id), ""),
            ("deposit_address", reads!(replies::deposit_address), ""),
            ("deposit_history", reads!(replies::deposits), ""),
            ("withdraw", reads!(replies::withdrawal_id), ""),
            ("withdraw_history", reads!(replies::withdrawals), ""),
        ],
    );
    check_all(
        "nautilus_binance",
        &[
            (
                "spot/http_json/account_response.json",
                reads!(replies::spot_balances),
                "",
            ),
            (
                "spot/http_json/account_trades_response.json",
                reads!(replies::spot_fills),
                "",
            ),
            (
                "spot/http_json/all_orders_response.json",
                reads!(replies::orders),
                "",
            ),
            (
                "spot/http_json/book_ticker_response.json",
                reads!(replies::book_ticker),
                "",
            ),
            // Its third row is an order list, which none of ours is.
            (
                "spot/http_json/cancel_open_orders_response.json",
                reads!(replies::orders),
                "missing field `orderId`",
            ),
            (
                "spot/http_json/cancel_order_response.json",
                reads!(replies::order),
                "",
            ),
            (
                "spot/http_json/new_order_full_response.json",
                reads!(replies::order),
                "",
            ),
            (
                "spot/http_json/open_orders_response.json",
                reads!(replies::orders),
                "",
            ),
            (
                "spot/http_json/order_response.json",
                reads!(replies::order),
                "",
            ),
            (
                "spot/http_json/server_time_response.json",
                reads!(replies::server_time),
                "",
            ),
            (
                "futures/http_json/position_risk.json",
                reads!(replies::positions),
                "",
            ),
            (
                "futures/http_json/order_response.json",
                reads!(replies::order),
                "",
            ),
        ],
    );
}

#[test]
fn every_frame_of_another_client_is_read_or_refused_for_a_reason() {
    let Some(items) = samples("nautilus_binance") else {
        return;
    };
    // An order state that nobody documents must not be taken for dead or alive; a fee that a trade does not
    // name must not be taken for none.
    let refused = [
        (
            "futures/user_data_json/order_update_adl.json",
            "unknown order state `NEW_ADL`",
        ),
        (
            "futures/user_data_json/order_update_insurance.json",
            "unknown order state `NEW_INSURANCE`",
        ),
        (
            "futures/user_data_json/order_update_delivery.json",
            "n: missing beside a trade",
        ),
    ];
    let mut read = 0;
    for (name, frame) in &items {
        let frame = frame.get().as_bytes();
        let fact = match name {
            name if name.starts_with("spot/user_data_json/") => spot_frame(frame),
            name if name.starts_with("futures/user_data_json/") => perp_frame(frame),
            _ => continue,
        };
        match refused.iter().find(|(refused, _)| refused == name) {
            Some((_, reason)) => {
                let message = fact.unwrap_err().to_string();
                assert!(message.contains(reason), "{name}: {message}");
            }
            None => {
                fact.unwrap_or_else(|e| panic!("{name}: {e}"));
                read += 1;
            }
        }
    }
    assert!(read >= 20, "{read}");
}

#[test]
fn frames_of_the_documentation_are_read() {
    let Some(items) = samples("binance_spot_docs") else {
        return;
    };
    let mut read = 0;
    for (name, list) in &items {
        if name.starts_with("user-data-stream.md") {
            for frame in serde_json::from_str::<Vec<&RawValue>>(list.get()).unwrap() {
                spot_frame(frame.get().as_bytes()).unwrap_or_else(|e| panic!("{name}: {e}"));
                read += 1;
            }
        }
    }
    assert!(read >= 6, "{read}");
}

#[test]
fn replies_of_the_documentation_are_read_and_its_errors_classed() {
    let Some(items) = samples("binance_spot_docs") else {
        return;
    };
    let list = |name: &str| -> Vec<&RawValue> {
        serde_json::from_str(items[&format!("rest-api.md: {name}")].get()).unwrap()
    };
    // Acknowledged, result and full.
    let states: Vec<_> = list("POST /api/v3/order")
        .iter()
        .map(|body| replies::order(body.get().as_bytes()).unwrap().state)
        .collect();
    assert_eq!(states[0], OrderState::Submitted);
    assert!(
        states[1..].iter().all(|state| *state == OrderState::Filled),
        "{states:?}"
    );
    for body in list("PUT /api/v3/order/amend/keepPriority") {
        replies::amended(body.get().as_bytes()).unwrap();
    }
    // Both done; cancel failed; cancel done and the new order refused.
    let (mut done, mut classes) = (0, Vec::new());
    for body in list("POST /api/v3/order/cancelReplace") {
        let body = body.get().as_bytes();
        let response = Response {
            status: if body.starts_with(b"{\"code\"") || body.windows(7).any(|w| w == b"\"code\":")
            {
                400
            } else {
                200
            },
            headers: Vec::new(),
            body: body.to_vec(),
        };
        match outcome(Product::Spot, Effect::Act, &response) {
            Ok(_) => {
                let replaced = replies::replaced(body).unwrap();
                assert_eq!(replaced.cancelled.state, OrderState::Cancelled);
                done += 1;
            }
            Err(failure) => classes.push(failure.class),
        }
    }
    assert!(done > 0, "{classes:?}");
    assert!(
        classes.contains(&Class::HalfDone) && classes.contains(&Class::OrderGone),
        "{classes:?}"
    );
}

#[test]
fn a_fill_says_the_same_by_reply_list_and_stream() {
    let (Some(items), Some(mut rules)) = (samples("nautilus_binance"), rules()) else {
        return;
    };
    let eth = Symbol::literal("ETHUSDT");
    assert!(rules.instrument(InstrumentKind::Spot, eth).is_some());
    let frame = items["spot/user_data_json/execution_report_trade.json"].get();
    let StreamFact::Order(fact) = spot_frame(frame.as_bytes()).unwrap() else {
        panic!("{frame}");
    };
    let OrderFact {
        order,
        fill,
        forced,
    } = *fact;
    assert_eq!(forced, None);
    let (id, at) = (InstructionId::plain(3), Timestamp::EPOCH);
    let update = order.event(BINANCE, id, at);
    assert!(matches!(update.kind, EventKind::Order(update) if update.state == OrderState::Filled));
    let streamed = fill.unwrap().event(&rules, Some(id), None, at).unwrap();
    let row = r#"[{"symbol":"ETHUSDT","id":98765432,"orderId":12345678,"price":"2500.00","qty":"1.0",
        "quoteQty":"2500.0","commission":"0.001","commissionAsset":"ETH","time":1709654401000,
        "isBuyer":true,"isMaker":true,"isBestMatch":true}]"#;
    let listed = replies::spot_fills(row.as_bytes()).unwrap();
    let listed = listed[0].event(&rules, Some(id), None, at).unwrap();
    assert_eq!(streamed, listed);
    assert_eq!(streamed.key(), listed.key());
    let EventKind::Fill(fill) = &listed.kind else {
        panic!()
    };
    assert_eq!(fill.fee_rate.to_string(), "0.001");
    assert_eq!(fill.turnover, Quantity::literal("2500"));
    rules.instruments.clear();
    let frame = spot_frame(frame.as_bytes()).unwrap();
    let StreamFact::Order(fact) = frame else {
        panic!()
    };
    let fill = fact.fill.unwrap();
    let message = fill.event(&rules, None, None, at).unwrap_err().to_string();
    assert!(
        message.contains("ETHUSDT, which the rules do not list"),
        "{message}"
    );
}

#[test]
fn orders_that_the_venue_made_are_told_by_their_ids() {
    let Some(items) = samples("nautilus_binance") else {
        return;
    };
    let forced = |name: &str| {
        let frame = items[&format!("futures/user_data_json/{name}.json")].get();
        match perp_frame(frame.as_bytes()).unwrap() {
            StreamFact::Order(fact) => fact.forced,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(Forced::of("adl_autoclose"), Some(Forced::AutoDeleverage));
    assert_eq!(forced("order_update_calculated"), Some(Forced::Liquidation));
    assert_eq!(forced("order_update_settlement"), Some(Forced::Settlement));
    assert_eq!(forced("order_update_trade"), None);
}

#[test]
fn decimals_are_read_to_the_last_digit_and_rubbish_is_refused() {
    let ticker = |bid: &str| {
        let body = format!(
            r#"{{"symbol":"X","bidPrice":{bid},"bidQty":"1","askPrice":"2","askQty":"1","unheardOf":["x"]}}"#
        );
        replies::book_ticker(body.as_bytes()).map(|ticker| ticker.bid_price)
    };
    // Quoted or bare, no digit passes through a float.
    for text in ["12345678901234.000000000000000001", "0.1", "4.00000000"] {
        let exact = Price::parse(text).unwrap();
        assert_eq!(ticker(text).unwrap(), exact);
        assert_eq!(ticker(&format!("\"{text}\"")).unwrap(), exact);
    }
    for text in [
        "\"-1\"",
        "\"NaN\"",
        "null",
        "\"\"",
        "true",
        "\"0.0000000000000000001\"",
        "[]",
    ] {
        let message = ticker(text).unwrap_err().to_string();
        assert!(
            message.starts_with("book ticker: bidPrice: "),
            "{text}: {message}"
        );
    }
    for body in ["", "<html>", "[]", "{} {}", "{\"symbol\":"] {
        assert!(replies::order(body.as_bytes()).is_err(), "{body}");
        assert!(spot_frame(body.as_bytes()).is_err(), "{body}");
        assert!(perp_frame(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn states_of_orders_are_known_words_and_make_sense() {
    let order = |status: &str, filled: &str| {
        let body = format!(
            r#"{{"symbol":"X","orderId":1,"clientOrderId":"a","status":"{status}","executedQty":"{filled}",
            "origQty":"1","side":"BUY","updateTime":1700000000000}}"#
        );
        replies::order(body.as_bytes())
    };
    for (word, state) in [
        ("PENDING_NEW", OrderState::Submitted),
        ("NEW", OrderState::Working),
        ("PARTIALLY_FILLED", OrderState::Working),
        ("FILLED", OrderState::Filled),
        ("CANCELED", OrderState::Cancelled),
        ("EXPIRED", OrderState::Expired),
        ("EXPIRED_IN_MATCH", OrderState::Expired),
        ("REJECTED", OrderState::Rejected),
    ] {
        let read = order(word, "0.5").unwrap();
        assert_eq!(
            (read.state, read.filled),
            (state, Quantity::literal("0.5")),
            "{word}"
        );
    }
    for word in ["", "new", "PENDING_CANCEL", "NEW_ADL"] {
        let message = order(word, "0").unwrap_err().to_string();
        assert!(message.contains("status: unknown order state"), "{message}");
    }
    for filled in ["-1", "1.1"] {
        let message = order("NEW", filled).unwrap_err().to_string();
        assert!(message.contains("executedQty"), "{message}");
    }
}
