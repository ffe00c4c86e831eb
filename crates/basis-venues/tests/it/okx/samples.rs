//! Sample replies and frames of another client: each is read, or refused for the reason that the table has.

use basis_core::num::Quantity;
use basis_core::types::{InstructionId, PositionSide, Span, Timestamp};
use basis_core::venue_event::{EventKind, OrderState, TradeId};
use basis_venues::okx::codec::replies::{self, DecodeError};
use basis_venues::okx::codec::stream::{OrderFact, StreamFact, frame};
use basis_venues::wire::Forced;
use serde_json::{Value, json};

use super::{OKX, bench};
use crate::vectors::{BTC, check, reads, samples};

type Reader = fn(&[u8]) -> Result<(), DecodeError>;

/// A row as it stands in a reply.
fn reply(row: &str) -> String {
    format!(r#"{{"code":"0","msg":"","data":[{row}]}}"#)
}

#[test]
fn replies_of_another_client_are_read_or_refused_for_a_reason() {
    let Some(items) = samples("nautilus_okx") else {
        return;
    };
    let spot: Reader = |body| replies::spot_instruments(body, OKX, &[BTC]).map(drop);
    let swap: Reader = |body| replies::swap_instruments(body, OKX, &[BTC], (&[], &[])).map(drop);
    let tiers: Reader = |body| replies::tiers(body, "BTC-USDT").map(drop);
    let table: &[(&str, Reader, &str)] = &[
        (
            "http_get_account_balance.json",
            reads!(replies::balances),
            "",
        ),
        (
            "http_get_funding_rate_history.json",
            reads!(replies::funding_history),
            "",
        ),
        ("http_get_instruments_spot.json", spot, ""),
        ("http_get_instruments_swap.json", swap, "no margin tiers"),
        ("http_get_mark_price.json", reads!(replies::mark_price), ""),
        (
            "http_get_order_book.json",
            reads!(replies::best_of_book),
            "",
        ),
        ("http_get_orders_history.json", reads!(replies::orders), ""),
        ("http_get_orders_pending.json", reads!(replies::orders), ""),
        (
            "http_get_orders_pending_with_attached_tp_sl.json",
            reads!(replies::orders),
            "",
        ),
        ("http_get_position_tiers.json", tiers, ""),
        ("http_get_positions.json", reads!(replies::positions), ""),
        (
            "http_get_trade_fee_response.json",
            reads!(replies::fee_rates),
            "",
        ),
        // Conditional orders have other fields.
        (
            "http_get_orders_algo_pending.json",
            reads!(replies::orders),
            "missing field",
        ),
    ];
    for (name, reader, refusal) in table {
        check(name, items[*name].get().as_bytes(), *reader, refusal);
    }
    // Rows without their envelope.
    let rows: &[(&str, Reader, &str)] = &[
        (
            "http_place_order_response.json",
            reads!(replies::accepted),
            "",
        ),
        ("http_transaction_detail.json", reads!(replies::fills), ""),
        // A fee that is not named must not be taken for none.
        (
            "http_transaction_detail_empty_fee.json",
            reads!(replies::fills),
            "fee",
        ),
    ];
    for (name, reader, refusal) in rows {
        check(name, reply(items[*name].get()).as_bytes(), *reader, refusal);
    }
    // Every frame: of the channels that are read, and of those that are not.
    let mut read = 0;
    for (name, sample) in &items {
        if name.starts_with("ws_") && !name.contains("opt_summary") {
            check(name, sample.get().as_bytes(), reads!(frame), "");
            read += 1;
        }
    }
    assert!(read >= 18, "{read}");
}

fn facts(frame_text: &str) -> Vec<OrderFact> {
    match frame(frame_text.as_bytes()).unwrap() {
        StreamFact::Orders(facts) => facts,
        other => panic!("{other:?}"),
    }
}

/// A frame of the orders channel with these fields changed.
fn changed(sample: &str, fields: &Value) -> String {
    let mut frame: Value = serde_json::from_str(sample).unwrap();
    let row = frame["data"][0].as_object_mut().unwrap();
    row.extend(fields.as_object().unwrap().clone());
    frame.to_string()
}

#[test]
fn a_fill_without_its_fee_is_asked_for_and_with_it_read() {
    let (Some(items), Some(bench)) = (samples("nautilus_okx"), bench()) else {
        return;
    };
    let sample = items["ws_orders.json"].get();
    // The sample has the order's fee and not the fill's.
    let bare = facts(sample).remove(0);
    assert!(bare.fill.is_none() && bare.fills_missing, "{bare:?}");
    let whole = json!({"fillFee": "-0.021776769", "fillFeeCcy": "USDT", "fillPnl": "0"});
    let fact = facts(&changed(sample, &whole)).remove(0);
    assert!(!fact.fills_missing);
    let (id, at) = (InstructionId::plain(3), Timestamp::EPOCH);
    let streamed = fact
        .fill
        .unwrap()
        .event(&bench.rules, Some(id), at)
        .unwrap();
    let row = r#"{"instType":"SWAP","instId":"BTC-USDT-SWAP","tradeId":"1518905529","ordId":"2497956918703120384",
        "clOrdId":"001BTCUSDT20250106001","billId":"1","fillPx":"103698.9","fillSz":"0.03","side":"buy",
        "posSide":"long","execType":"M","feeCcy":"USDT","fee":"-0.021776769","fillPnl":"0",
        "fillTime":"1746947317402","ts":"1746947317403"}"#;
    let listed = replies::fills(reply(row).as_bytes()).unwrap().remove(0);
    let listed = listed.event(&bench.rules, Some(id), at).unwrap();
    assert_eq!(streamed, listed);
    let EventKind::Fill(fill) = listed.kind else {
        panic!()
    };
    // 0.03 contracts of 0.01 BTC; what was paid is below zero at the venue, and a cost here.
    assert_eq!(fill.quantity, Quantity::literal("0.0003"));
    assert_eq!(fill.fee, Quantity::literal("0.021776769"));
    assert_eq!(fill.trade, TradeId::Number(1_518_905_529));
    // `filled` without a trade, as spot market orders may be.
    let spot = json!({"tradeId": "", "fillSz": "0", "fillFee": "0", "state": "filled"});
    let fact = facts(&changed(sample, &spot)).remove(0);
    assert!(fact.fill.is_none() && fact.fills_missing);
    let resting =
        json!({"tradeId": "", "fillSz": "0", "fillFee": "0", "state": "live", "accFillSz": "0"});
    let fact = facts(&changed(sample, &resting)).remove(0);
    assert!(fact.fill.is_none() && !fact.fills_missing);
}

#[test]
fn forced_orders_are_told_by_their_category() {
    let Some(items) = samples("nautilus_okx") else {
        return;
    };
    let forced = |name: &str| facts(items[name].get())[0].order.forced();
    assert_eq!(forced("ws_orders_adl.json"), Some(Forced::AutoDeleverage));
    assert_eq!(
        forced("ws_orders_liquidation.json"),
        Some(Forced::Liquidation)
    );
    assert_eq!(forced("ws_orders.json"), None);
    // Its trades have numbers below zero.
    let row = r#"{"instType":"SWAP","instId":"BTC-USDT-SWAP","tradeId":"-7","ordId":"1","clOrdId":"","billId":"1",
        "fillPx":"1","fillSz":"1","side":"buy","posSide":"net","execType":"","feeCcy":"USDT","fee":"0","ts":"1"}"#;
    let fill = replies::fills(reply(row).as_bytes()).unwrap().remove(0);
    let event = fill
        .event(&bench().unwrap().rules, None, Timestamp::EPOCH)
        .unwrap();
    let EventKind::Fill(fill) = event.kind else {
        panic!()
    };
    assert_eq!(fill.trade, TradeId::Text("-7".into()));
}

#[test]
fn states_are_known_words_and_expiries_are_told_by_their_sources() {
    let Some(bench) = bench() else { return };
    let order = |state: &str, source: &str, filled: &str| {
        let row = format!(
            r#"{{"instType":"SWAP","instId":"BTC-USDT-SWAP","ordId":"1","clOrdId":"a","side":"buy","posSide":"net",
            "ordType":"limit","state":"{state}","sz":"2","px":"","accFillSz":"{filled}","cancelSource":"{source}",
            "category":"normal","uTime":"1700000000000"}}"#
        );
        replies::orders(reply(&row).as_bytes()).map(|mut rows| rows.remove(0))
    };
    let cancelled = ["", "0", "1", "2", "3", "4", "6", "7", "9", "20", "44", "46"];
    let expired = [
        "13", "14", "15", "17", "21", "22", "23", "27", "31", "32", "33",
    ];
    let words = [
        ("live", OrderState::Working),
        ("partially_filled", OrderState::Working),
    ];
    let words = words.into_iter().map(|(word, state)| (word, "", state));
    let words = words
        .chain([
            ("filled", "", OrderState::Filled),
            ("mmp_canceled", "", OrderState::Cancelled),
        ])
        .chain(cancelled.map(|source| ("canceled", source, OrderState::Cancelled)))
        .chain(expired.map(|source| ("canceled", source, OrderState::Expired)));
    for (word, source, state) in words {
        let read = order(word, source, "1").unwrap();
        assert_eq!(read.state(), state, "{word} {source}");
        let event = read.event(&bench.rules, InstructionId::plain(1), Timestamp::EPOCH);
        let EventKind::Order(update) = event.unwrap().kind else {
            panic!()
        };
        // One contract; in every final state it may have filled.
        assert_eq!(update.filled, Quantity::literal("0.01"));
    }
    for word in ["", "LIVE", "effective", "order_failed"] {
        let message = order(word, "", "0").unwrap_err().to_string();
        assert!(message.contains("unknown order state"), "{message}");
    }
    for filled in ["-1", "2.1", "x"] {
        assert!(order("live", "", filled).is_err(), "{filled}");
    }
    let mut rules = bench.rules;
    rules.instruments.clear();
    let unlisted = order("live", "", "1").unwrap();
    let message = unlisted.filled(&rules).unwrap_err().to_string();
    assert!(
        message.contains("BTC-USDT-SWAP, which the rules do not list"),
        "{message}"
    );
}

#[test]
fn positions_are_signed_in_one_way_mode_and_sided_in_hedge_mode() {
    let Some(bench) = bench() else { return };
    let position = |side: &str, contracts: &str| {
        let row = format!(
            r#"{{"instId":"BTC-USDT-SWAP","posSide":"{side}","pos":"{contracts}","mgnMode":"cross","avgPx":"",
            "markPx":"1","liqPx":"","lever":"3","uTime":"1700000000000"}}"#
        );
        replies::positions(reply(&row).as_bytes()).map(|mut rows| rows.remove(0))
    };
    let amount = |side, contracts| {
        position(side, contracts)
            .unwrap()
            .amount(&bench.rules)
            .unwrap()
    };
    assert_eq!(amount("net", "-50"), Quantity::literal("-0.5"));
    assert_eq!(amount("net", "50"), Quantity::literal("0.5"));
    assert_eq!(amount("short", "50"), Quantity::literal("-0.5"));
    assert_eq!(amount("long", "0.1"), Quantity::literal("0.001"));
    let short = position("short", "1").unwrap();
    assert_eq!(short.pos_side, Some(PositionSide::Short));
    assert!(position("short", "-1").is_err() && position("both", "1").is_err());
}

#[test]
fn balances_keep_every_digit() {
    let Some(items) = samples("nautilus_okx") else {
        return;
    };
    let account = replies::balances(items["http_get_account_balance.json"].get().as_bytes());
    let balance = account.unwrap().balances.remove(0);
    assert_eq!(balance.total, Quantity::literal("94.42612990333333"));
    assert_eq!(balance.free, Quantity::literal("94.42612990333333"));
}

#[test]
fn fee_rates_are_costs_and_the_funding_interval_is_a_distance() {
    let Some(items) = samples("nautilus_okx") else {
        return;
    };
    let rates = replies::fee_rates(items["http_get_trade_fee_response.json"].get().as_bytes());
    let rates = rates.unwrap();
    assert_eq!(
        (rates.maker.to_string(), rates.taker.to_string()),
        ("0.0008".into(), "0.001".into())
    );
    let rate = |next: i64| {
        let row = format!(
            r#"{{"instId":"BTC-USDT-SWAP","fundingRate":"0.0001","fundingTime":"1744590349506",
            "nextFundingTime":"{next}","settState":"processing"}}"#
        );
        replies::funding_rate(reply(&row).as_bytes())
    };
    assert_eq!(
        rate(1_744_619_149_506).unwrap().interval(),
        Span::from_hours(8)
    );
    assert_eq!(
        rate(1_744_593_949_506).unwrap().interval(),
        Span::from_hours(1)
    );
    for next in [1_744_590_349_506, 0, 1_844_590_349_506] {
        assert!(rate(next).is_err(), "{next}");
    }
}

#[test]
fn control_frames_say_what_they_are() {
    let fact = |text: &str| frame(text.as_bytes()).unwrap();
    assert_eq!(fact("pong"), StreamFact::Pong);
    assert_eq!(
        fact(r#"{"event":"login","code":"0","msg":"","connId":"a"}"#),
        StreamFact::LoggedOn
    );
    assert_eq!(
        fact(r#"{"event":"subscribe","arg":{"channel":"orders"},"connId":"a"}"#),
        StreamFact::Subscribed
    );
    assert!(matches!(
        fact(r#"{"event":"error","code":"60009","msg":"Login failed."}"#),
        StreamFact::Refused { code, .. } if code == "60009"
    ));
    assert_eq!(
        fact(r#"{"event":"notice","code":"64008","msg":"soon"}"#),
        StreamFact::Closing
    );
    for text in ["", "ping?", "[]", "{\"arg\":{}}"] {
        assert!(frame(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn a_transfer_s_state_is_a_known_word() {
    let state = |word: &str| {
        let row = format!(
            r#"{{"transId":"1","clientId":"a","ccy":"USDT","amt":"25","from":"6","to":"18","state":"{word}"}}"#
        );
        replies::transfer_state(reply(&row).as_bytes())
    };
    for word in ["success", "pending", "failed"] {
        assert!(state(word).is_ok(), "{word}");
    }
    assert!(
        state("done")
            .unwrap_err()
            .to_string()
            .contains("unknown state of a transfer")
    );
}
