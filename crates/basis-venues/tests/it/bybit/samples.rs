//! Sample replies and frames of Bybit's documentation and another client: each is read, or refused for the
//! reason that the table has.

use basis_core::num::{Price, Quantity};
use basis_core::types::{InstructionId, InstrumentKind, PositionSide, Timestamp};
use basis_core::venue_event::{EventKind, OrderState, TradeId};
use basis_venues::bybit::codec::replies::{self, DecodeError, ExecutionKind};
use basis_venues::bybit::codec::stream::{StreamFact, frame};
use basis_venues::wire::Forced;
use serde_json::value::RawValue;

use super::{BYBIT, bench};
use crate::vectors::{check, reads, samples};

type Reader = fn(&[u8]) -> Result<(), DecodeError>;

/// The samples of options and inverse perpetuals are of products that are not traded here.
fn tickers(body: &[u8]) -> Result<(), DecodeError> {
    let text = std::str::from_utf8(body).unwrap();
    let foreign = ["\"inverse\"", "\"option\""]
        .iter()
        .any(|word| text.contains(word));
    match replies::ticker(body) {
        Err(e) if foreign => {
            assert!(e.to_string().contains("is neither spot nor linear"), "{e}");
            Ok(())
        }
        read => read.map(drop),
    }
}

#[test]
fn replies_of_the_documentation_are_read_or_refused_for_a_reason() {
    let Some(items) = samples("bybit_docs") else {
        return;
    };
    let table: &[(&str, Reader, &str)] = &[
        ("GET /v5/account/info", reads!(replies::account_info), ""),
        ("GET /v5/account/fee-rate", reads!(replies::fee_rates), ""),
        // The sample lists trades beside the settlement.
        (
            "GET /v5/account/transaction-log",
            reads!(replies::funding_payments),
            "`TRADE` is no funding",
        ),
        (
            "GET /v5/account/wallet-balance",
            reads!(replies::balances),
            "",
        ),
        (
            "GET /v5/asset/transfer/query-account-coins-balance",
            reads!(replies::funding_balances),
            "",
        ),
        (
            "GET /v5/account/withdrawal",
            reads!(replies::withdrawable),
            "",
        ),
        ("GET /v5/asset/coin/query-info", reads!(replies::coins), ""),
        (
            "GET /v5/asset/deposit/query-record",
            reads!(replies::deposits),
            "",
        ),
        (
            "GET /v5/asset/deposit/query-address",
            reads!(replies::deposit_address),
            "",
        ),
        (
            "POST /v5/asset/transfer/inter-transfer",
            reads!(replies::transferred),
            "",
        ),
        (
            "GET /v5/asset/transfer/query-inter-transfer-list",
            reads!(replies::transfers),
            "",
        ),
        (
            "GET /v5/asset/withdraw/query-record",
            reads!(replies::withdrawals),
            "",
        ),
        (
            "POST /v5/asset/withdraw/create",
            reads!(replies::withdrawal_id),
            "",
        ),
        (
            "GET /v5/market/funding/history",
            reads!(replies::funding_history),
            "",
        ),
        ("GET /v5/market/tickers", tickers, ""),
        (
            "GET /v5/market/orderbook",
            reads!(replies::best_of_book),
            "",
        ),
        ("GET /v5/market/time", reads!(replies::server_time), ""),
        ("POST /v5/order/create", reads!(replies::accepted), ""),
        ("POST /v5/order/amend", reads!(replies::accepted), ""),
        ("POST /v5/order/cancel", reads!(replies::accepted), ""),
        ("GET /v5/execution/list", reads!(replies::executions), ""),
        ("GET /v5/order/realtime", reads!(replies::orders), ""),
        ("GET /v5/order/history", reads!(replies::orders), ""),
        // An inverse position: no product that is traded here.
        (
            "GET /v5/position/list",
            reads!(replies::positions),
            "`inverse` is neither spot nor linear",
        ),
        (
            "GET /v5/user/query-api",
            reads!(replies::key_permissions),
            "",
        ),
        (
            "POST /v5/account/set-margin-mode",
            reads!(replies::accepted),
            "a refusal: 3400045",
        ),
        ("websocket/private/execution", reads!(frame), ""),
        // An option's order: its row is left out.
        ("websocket/private/order", reads!(frame), ""),
        ("websocket/private/position", reads!(frame), ""),
        ("websocket/private/wallet", reads!(frame), ""),
        ("websocket/private/fast-execution", reads!(frame), ""),
        ("websocket/private/greek", reads!(frame), ""),
    ];
    let mut read = 0;
    for (name, reader, refusal) in table {
        let bodies: Vec<&RawValue> = serde_json::from_str(items[*name].get()).unwrap();
        for body in bodies {
            check(name, body.get().as_bytes(), *reader, refusal);
            read += 1;
        }
    }
    assert!(read >= 30, "{read}");
}

#[test]
fn replies_of_another_client_are_read_or_refused_for_a_reason() {
    let Some(items) = samples("nautilus_bybit") else {
        return;
    };
    let spot: Reader =
        |body| replies::spot_instruments(body, BYBIT, &[crate::vectors::BTC]).map(drop);
    let linear: Reader = |body| {
        let tiers = super::bench().map(|_| Vec::new()).unwrap_or_default();
        replies::perp_instruments(body, BYBIT, &[crate::vectors::BTC], &tiers).map(drop)
    };
    let table: &[(&str, Reader, &str)] = &[
        (
            "http_get_account_info.json",
            reads!(replies::account_info),
            "",
        ),
        ("http_get_executions.json", reads!(replies::executions), ""),
        ("http_get_fee_rate.json", reads!(replies::fee_rates), ""),
        (
            "http_get_funding_history.json",
            reads!(replies::funding_history),
            "",
        ),
        ("http_get_instruments_spot.json", spot, ""),
        (
            "http_get_instruments_linear.json",
            linear,
            "no margin tiers",
        ),
        (
            "http_get_order_partially_filled_rejected.json",
            reads!(replies::orders),
            "",
        ),
        ("http_get_orderbook.json", reads!(replies::best_of_book), ""),
        ("http_get_orders_history.json", reads!(replies::orders), ""),
        (
            "http_get_orders_history_with_duplicate.json",
            reads!(replies::orders),
            "",
        ),
        ("http_get_orders_realtime.json", reads!(replies::orders), ""),
        (
            "http_get_orders_realtime_tp_sl.json",
            reads!(replies::orders),
            "",
        ),
        ("http_get_positions.json", reads!(replies::positions), ""),
        (
            "http_get_positions_with_open_time.json",
            reads!(replies::positions),
            "",
        ),
        (
            "http_get_wallet_balance.json",
            reads!(replies::balances),
            "",
        ),
        (
            "http_get_wallet_balance_spot_short.json",
            reads!(replies::balances),
            "",
        ),
        (
            "http_get_wallet_balance_with_spot_borrow.json",
            reads!(replies::balances),
            "",
        ),
        (
            "http_get_user_query_api.json",
            reads!(replies::key_permissions),
            "",
        ),
    ];
    for (name, reader, refusal) in table {
        check(name, items[*name].get().as_bytes(), *reader, refusal);
    }
    // Every frame of the private stream.
    let mut read = 0;
    for (name, sample) in &items {
        if name.starts_with("ws_account_")
            || name.starts_with("ws_auth")
            || name.starts_with("ws_sub")
        {
            // One sample is a position by itself, in no frame.
            let refusal = if name.contains("with_open_time") {
                "neither a topic nor an operation"
            } else {
                ""
            };
            check(name, sample.get().as_bytes(), reads!(frame), refusal);
            read += 1;
        }
    }
    assert!(read >= 23, "{read}");
}

#[test]
fn control_frames_say_what_they_are() {
    let Some(items) = samples("nautilus_bybit") else {
        return;
    };
    let fact = |name: &str| frame(items[name].get().as_bytes()).unwrap();
    assert_eq!(fact("ws_auth_success.json"), StreamFact::LoggedOn);
    assert_eq!(fact("ws_subscription_ack.json"), StreamFact::Subscribed);
    assert!(matches!(
        fact("ws_auth_failure.json"),
        StreamFact::Refused {
            code: Some(10003),
            ..
        }
    ));
    assert!(matches!(
        fact("ws_subscription_failure.json"),
        StreamFact::Refused { code: None, .. }
    ));
    let pong = br#"{"success":true,"ret_msg":"pong","conn_id":"x","req_id":"","op":"ping"}"#;
    assert_eq!(frame(pong).unwrap(), StreamFact::Pong);
    for text in ["", "ping?", "[]", "{}", "{\"topic\":\"order\"}"] {
        assert!(frame(text.as_bytes()).is_err(), "{text}");
    }
    // Without a fee nothing is booked.
    let fast = StreamFact::Other("execution.fast".to_owned());
    assert_eq!(fact("ws_account_execution_fast.json"), fast);
}

#[test]
fn a_fill_says_the_same_by_list_and_stream() {
    let (Some(items), Some(bench)) = (samples("nautilus_bybit"), bench()) else {
        return;
    };
    let StreamFact::Executions(streamed) =
        frame(items["ws_account_execution.json"].get().as_bytes()).unwrap()
    else {
        panic!()
    };
    let row: serde_json::Value =
        serde_json::from_str(items["ws_account_execution.json"].get()).unwrap();
    let listed = serde_json::json!({"retCode": 0, "retMsg": "OK", "result": {
        "category": "linear", "list": row["data"], "nextPageCursor": ""}});
    let listed = replies::executions(listed.to_string().as_bytes()).unwrap();
    assert_eq!((&listed.rows, &listed.next), (&streamed, &None));
    let (id, at) = (InstructionId::plain(3), Timestamp::EPOCH);
    let event = streamed[0].event(&bench.rules, Some(id), None, at).unwrap();
    let EventKind::Fill(fill) = &event.kind else {
        panic!()
    };
    // Bybit's fee is positive where it was paid, as ours.
    assert_eq!(fill.fee, Quantity::literal("26.3725275"));
    assert_eq!(fill.fee_asset.as_str(), "USDT");
    assert_eq!(fill.fee_rate.to_string(), "0.00055");
    assert_eq!(fill.reference, Price::literal("95901.48"));
    let trade = TradeId::Text("0ab1bdf7-4219-438b-b30a-32ec863018f7".into());
    assert_eq!(fill.trade, trade);
}

#[test]
fn forced_fills_and_funding_are_told_apart_from_trades() {
    let Some(items) = samples("nautilus_bybit") else {
        return;
    };
    let adl = items["ws_account_execution_adl.json"].get();
    let what = |text: &str| match frame(text.as_bytes()) {
        Ok(StreamFact::Executions(rows)) => rows[0].what(),
        Ok(other) => panic!("{other:?}"),
        Err(e) => Err(e),
    };
    let forced = |forced| ExecutionKind::Forced(forced);
    assert_eq!(what(adl).unwrap(), forced(Forced::AutoDeleverage));
    let bust = adl.replace("AdlTrade", "BustTrade");
    assert_eq!(what(&bust).unwrap(), forced(Forced::Liquidation));
    let funding = adl.replace("AdlTrade", "Funding");
    assert_eq!(what(&funding).unwrap(), ExecutionKind::Funding);
    let message = what(&adl.replace("AdlTrade", "NewTrade"))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("unknown kind of execution `NewTrade`"),
        "{message}"
    );
}

#[test]
fn extra_fees_are_refused_rather_than_left_out() {
    let (Some(items), Some(bench)) = (samples("bybit_docs"), bench()) else {
        return;
    };
    let frames: Vec<&RawValue> =
        serde_json::from_str(items["websocket/private/execution"].get()).unwrap();
    let StreamFact::Executions(rows) = frame(frames[0].get().as_bytes()).unwrap() else {
        panic!()
    };
    let event = rows[0].event(&bench.rules, None, None, Timestamp::EPOCH);
    let message = event.unwrap_err().to_string();
    assert!(message.contains("extra fees"), "{message}");
}

#[test]
fn states_are_known_words_and_expiries_are_told_by_their_reasons() {
    let order = |status: &str, reject: &str, cancel: &str, filled: &str| {
        let body = format!(
            r#"{{"retCode":0,"retMsg":"OK","result":{{"category":"spot","list":[{{"symbol":"X","orderId":"1",
            "orderLinkId":"a","side":"Buy","positionIdx":0,"orderStatus":"{status}","qty":"1","price":"2",
            "cumExecQty":"{filled}","cumExecValue":"0","avgPrice":"","rejectReason":"{reject}",
            "cancelType":"{cancel}","updatedTime":"1700000000000"}}],"nextPageCursor":""}}}}"#
        );
        replies::orders(body.as_bytes()).map(|mut page| page.rows.remove(0))
    };
    for (status, reject, cancel, state) in [
        ("Untriggered", "EC_NoError", "", OrderState::Submitted),
        ("New", "EC_NoError", "", OrderState::Working),
        ("PartiallyFilled", "EC_NoError", "", OrderState::Working),
        ("Filled", "EC_NoError", "", OrderState::Filled),
        // A cancellation that met the last fill.
        (
            "Filled",
            "EC_OrigClOrdIDDoesNotExist",
            "CancelByUser",
            OrderState::Filled,
        ),
        (
            "Cancelled",
            "EC_PerCancelRequest",
            "CancelByUser",
            OrderState::Cancelled,
        ),
        (
            "PartiallyFilledCanceled",
            "EC_PerCancelRequest",
            "",
            OrderState::Cancelled,
        ),
        ("Deactivated", "EC_NoError", "", OrderState::Cancelled),
        (
            "Cancelled",
            "EC_PostOnlyWillTakeLiquidity",
            "UNKNOWN",
            OrderState::Expired,
        ),
        (
            "PartiallyFilledCanceled",
            "EC_NoImmediateQtyToFill",
            "",
            OrderState::Expired,
        ),
        (
            "Cancelled",
            "EC_CancelForNoFullFill",
            "",
            OrderState::Expired,
        ),
        (
            "Cancelled",
            "EC_NoError",
            "CancelBySmp",
            OrderState::Expired,
        ),
        (
            "Cancelled",
            "EC_NoError",
            "CancelByReduceOnly",
            OrderState::Expired,
        ),
        // Even a rejected order may have filled in part.
        ("Rejected", "INSUFFICIENT_MARGIN", "", OrderState::Rejected),
    ] {
        let read = order(status, reject, cancel, "0.5").unwrap();
        assert_eq!(read.state(), state, "{status} {reject} {cancel}");
        let event = read.event(BYBIT, InstructionId::plain(1), Timestamp::EPOCH);
        let EventKind::Order(update) = event.kind else {
            panic!()
        };
        assert_eq!(update.filled, Quantity::literal("0.5"));
        assert_eq!(
            update.reason.is_some(),
            status != "Filled" && (reject != "EC_NoError" || !cancel.is_empty()),
            "{update:?}"
        );
        assert_eq!(read.kind, Some(InstrumentKind::Spot));
    }
    for status in ["", "new", "PendingCancel", "Active"] {
        let message = order(status, "", "", "0").unwrap_err().to_string();
        assert!(message.contains("unknown order state"), "{message}");
    }
    for filled in ["-1", "1.1", "NaN"] {
        let message = order("New", "", "", filled).unwrap_err().to_string();
        assert!(message.contains("umExecQty"), "{message}");
    }
}

#[test]
fn positions_have_a_sign_and_hedge_mode_its_sides() {
    let position = |index: i64, side: &str, size: &str| {
        let body = format!(
            r#"{{"retCode":0,"retMsg":"OK","result":{{"category":"linear","list":[{{"symbol":"X",
            "positionIdx":{index},"side":"{side}","size":"{size}","avgPrice":"1","markPrice":"1","liqPrice":"",
            "leverage":"10","positionStatus":"Normal","updatedTime":"1700000000000"}}]}}}}"#
        );
        replies::positions(body.as_bytes()).map(|mut page| page.rows.remove(0))
    };
    let amount = |index, side, size| position(index, side, size).unwrap().amount().unwrap();
    assert_eq!(amount(0, "Sell", "0.5"), Quantity::literal("-0.5"));
    assert_eq!(amount(0, "Buy", "0.5"), Quantity::literal("0.5"));
    assert_eq!(amount(0, "", "0"), Quantity::ZERO);
    assert_eq!(amount(2, "Sell", "0.5"), Quantity::literal("-0.5"));
    let short = position(2, "Sell", "1").unwrap();
    assert_eq!(short.position_idx, Some(PositionSide::Short));
    for (index, side, size) in [
        (0, "", "0.5"),
        (1, "Sell", "1"),
        (2, "Buy", "1"),
        (7, "Buy", "1"),
    ] {
        assert!(
            position(index, side, size).is_err(),
            "{index} {side} {size}"
        );
    }
}
