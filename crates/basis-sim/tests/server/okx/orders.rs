//! Orders: what is taken, what each of a request is answered, what becomes of it.

use basis_core::types::Side;
use basis_sim::server::okx::{AccountLevel, AccountSettings, Category, Ending, Settings, Status};
use serde_json::{Value, json};

use super::kit::{Okx, SPOT, SWAP, code_of, funded, limit, market, settings, with};
use crate::kit::{BTC, BTCUSDT, USDT, q};

const AMEND: &str = "/api/v5/trade/amend-order";
const CANCEL: &str = "/api/v5/trade/cancel-order";
const BATCH: &str = "/api/v5/trade/batch-orders";

fn named(instrument: &str, id: &str) -> Value {
    json!({ "instId": instrument, "clOrdId": id })
}

#[test]
fn a_swap_is_counted_in_contracts_and_spot_in_base_units() {
    let mut venue = Okx::quoted();
    let id = venue.place(&limit(SWAP, "buy", "3", "37010"));
    let order = venue.order(SWAP, &id);
    assert_eq!(
        (&order["state"], &order["accFillSz"], &order["sz"]),
        (&json!("filled"), &json!("3"), &json!("3"))
    );
    // Three contracts of a hundredth.
    let held = venue.server.exchange().position(venue.account, BTCUSDT, 0);
    assert_eq!(held.perp.quantity, q("0.03"));
    let position = venue
        .get("/api/v5/account/positions", "instType=SWAP")
        .remove(0);
    assert_eq!(
        (&position["pos"], &position["posSide"]),
        (&json!("3"), &json!("net"))
    );
    let fill = venue.get("/api/v5/trade/fills", "instType=SWAP").remove(0);
    assert_eq!(fill["fillSz"], "3");
    // 0.03 × 37,010 × 0.05 %, paid, and so below zero.
    assert_eq!(
        (&fill["fee"], &fill["feeCcy"]),
        (&json!("-0.55515"), &json!("USDT"))
    );
    let id = venue.place(&limit(SPOT, "buy", "0.03", "37010"));
    let order = venue.order(SPOT, &id);
    assert_eq!(
        (&order["accFillSz"], &order["feeCcy"], &order["fee"]),
        (&json!("0.03"), &json!("BTC"), &json!("-0.00003"))
    );
    assert_eq!(
        venue.refused_order(&limit(SWAP, "buy", "0.5", "37010")),
        51_121
    );
}

#[test]
fn an_order_rests_is_amended_and_canceled() {
    let mut venue = Okx::quoted();
    let id = venue.place(&with(
        limit(SWAP, "buy", "3", "36000"),
        &json!({ "clOrdId": "mine1", "tag": "t1" }),
    ));
    let order = venue.order(SWAP, &id);
    for (field, wanted) in [
        ("state", "live"),
        ("clOrdId", "mine1"),
        ("tag", "t1"),
        ("tdMode", "cross"),
        ("avgPx", ""),
        ("cancelSource", ""),
    ] {
        assert_eq!(order[field], wanted, "{field}");
    }
    let taken = venue.ok(
        AMEND,
        &with(
            named(SWAP, "mine1"),
            &json!({ "newSz": "2", "newPx": "36100", "reqId": "r" }),
        ),
    );
    assert_eq!(
        (&taken["ordId"], &taken["reqId"], &taken["sCode"]),
        (&json!(id), &json!("r"), &json!("0"))
    );
    let order = venue.order(SWAP, &id);
    assert_eq!((&order["sz"], &order["px"]), (&json!("2"), &json!("36100")));
    assert_eq!(
        venue
            .get("/api/v5/trade/orders-pending", "instType=SWAP")
            .len(),
        1
    );
    venue.ok(CANCEL, &named(SWAP, "mine1"));
    let order = venue.order(SWAP, &id);
    assert_eq!(
        (&order["state"], &order["cancelSource"]),
        (&json!("canceled"), &json!("1"))
    );
    assert!(
        venue
            .get("/api/v5/trade/orders-pending", "instType=SWAP")
            .is_empty()
    );
    assert_eq!(venue.refused(CANCEL, &named(SWAP, "mine1")), 51_400);
    assert_eq!(
        venue.refused(AMEND, &with(named(SWAP, "mine1"), &json!({ "newSz": "3" }))),
        51_503
    );
    assert_eq!(
        venue.refused(CANCEL, &named(SWAP, "never")),
        51_400,
        "one code for gone and never there"
    );
}

#[test]
fn each_order_of_a_request_that_succeeded_has_a_code_of_its_own() {
    let mut venue = Okx::quoted();
    let good = limit(SWAP, "buy", "1", "36000");
    let far = limit(SWAP, "buy", "1", "90000");
    let request = venue.signed("POST", BATCH, "", &json!([good, far]).to_string());
    let response = venue.send(request);
    assert_eq!(response.status, 200);
    let reply = crate::kit::body(&response);
    let codes = (
        &reply["code"],
        &reply["data"][0]["sCode"],
        &reply["data"][1]["sCode"],
    );
    assert_eq!(codes, (&json!("2"), &json!("0"), &json!("51137")));
    assert_eq!(reply["data"][1]["ordId"], "");
    let reply = venue.act(BATCH, &json!([far, far]));
    assert_eq!(
        (&reply["code"], reply["data"].as_array().unwrap().len()),
        (&json!("1"), 2)
    );
    let reply = venue.act("/api/v5/trade/order", &far);
    assert_eq!((&reply["code"], code_of(&reply)), (&json!("1"), 51_137));
    assert_eq!(reply["msg"], "All operations failed");
    // Times of the gateway in microseconds.
    assert_eq!(reply["inTime"], format!("{}000", venue.now_ms()));
    let open = venue.get("/api/v5/trade/orders-pending", "");
    let gone =
        json!([{ "instId": SWAP, "ordId": open[0]["ordId"] }, { "instId": SWAP, "ordId": "1" }]);
    let reply = venue.act("/api/v5/trade/cancel-batch-orders", &gone);
    assert_eq!(
        (&reply["code"], &reply["data"][1]["sCode"]),
        (&json!("2"), &json!("51400"))
    );
    let many: Vec<_> = (0..21).map(|_| good.clone()).collect();
    let reply = venue.act(BATCH, &json!(many));
    assert_eq!(
        (&reply["code"], &reply["data"]),
        (&json!("51000"), &json!([]))
    );
}

#[test]
fn a_client_id_is_letters_and_digits_and_unique_among_pending_orders_alone() {
    let mut venue = Okx::quoted();
    let mine = |fields: Value| with(fields, &json!({ "clOrdId": "Basis0001" }));
    let resting = limit(SWAP, "buy", "1", "36000");
    let first = venue.place(&mine(resting.clone()));
    assert_eq!(venue.refused_order(&mine(resting.clone())), 51_016);
    assert_eq!(
        venue.refused_order(&mine(limit(SPOT, "buy", "0.01", "36000"))),
        51_016,
        "whatever the instrument"
    );
    venue.place(&with(resting.clone(), &json!({ "clOrdId": "basis0001" })));
    venue.ok(CANCEL, &named(SWAP, "Basis0001"));
    // Canceled: it is free, and a resend would trade again.
    let second = venue.place(&mine(limit(SWAP, "buy", "1", "37010")));
    let third = venue.place(&mine(limit(SWAP, "buy", "2", "37010")));
    let latest = venue
        .get(
            "/api/v5/trade/order",
            "instId=BTC-USDT-SWAP&clOrdId=Basis0001",
        )
        .remove(0);
    assert_eq!(latest["ordId"], third, "of three with one id, the latest");
    assert_eq!(venue.order(SWAP, &first)["state"], "canceled");
    assert_eq!(venue.order(SWAP, &second)["state"], "filled");
    for id in ["basis-0001", "basis_0001", "a b", &"a".repeat(33)] {
        assert_eq!(
            venue.refused_order(&with(resting.clone(), &json!({ "clOrdId": id }))),
            51_000,
            "{id}"
        );
    }
    venue.place(&with(resting, &json!({ "clOrdId": "a".repeat(32) })));
}

#[test]
fn the_type_carries_the_time_in_force_and_a_source_says_why_it_ended() {
    let mut venue = Okx::quoted();
    let rows = [
        (SWAP, "post_only", "100", "37010", "31", "0"),
        (SPOT, "post_only", "1", "37010", "31", "0"),
        (SWAP, "fok", "600", "37010", "13", "0"),
        (SWAP, "ioc", "100", "37000", "14", "0"),
        (SWAP, "ioc", "600", "37010", "14", "500"),
    ];
    for (instrument, kind, size, price, source, filled) in rows {
        let id = venue.place(&with(
            limit(instrument, "buy", size, price),
            &json!({ "ordType": kind }),
        ));
        let order = venue.order(instrument, &id);
        let told = (
            order["state"].as_str(),
            order["cancelSource"].as_str(),
            order["accFillSz"].as_str(),
        );
        assert_eq!(
            told,
            (Some("canceled"), Some(source), Some(filled)),
            "{kind}"
        );
        assert_eq!(order["ordType"], kind);
    }
    assert_eq!(
        venue.refused_order(&with(
            limit(SPOT, "buy", "1", "37010"),
            &json!({ "ordType": "optimal_limit_ioc" })
        )),
        51_000
    );
}

#[test]
fn spot_market_buys_count_quote_unless_told_not_to() {
    let mut venue = Okx::quoted();
    let id = venue.place(&market(SPOT, "buy", "370.1"));
    let order = venue.order(SPOT, &id);
    let told = (
        order["state"].as_str(),
        order["accFillSz"].as_str(),
        order["sz"].as_str(),
        order["tgtCcy"].as_str(),
    );
    assert_eq!(
        told,
        (
            Some("filled"),
            Some("0.01"),
            Some("370.1"),
            Some("quote_ccy")
        )
    );
    let base = with(
        market(SPOT, "buy", "0.02"),
        &json!({ "tgtCcy": "base_ccy" }),
    );
    let id = venue.place(&base);
    assert_eq!(venue.order(SPOT, &id)["accFillSz"], "0.02");
    let id = venue.place(&market(SPOT, "sell", "0.03"));
    let order = venue.order(SPOT, &id);
    assert_eq!(
        (&order["accFillSz"], &order["tgtCcy"]),
        (&json!("0.03"), &json!("base_ccy"))
    );
    let id = venue.place(&market(SWAP, "buy", "2"));
    assert_eq!(venue.order(SWAP, &id)["tgtCcy"], "");
}

#[test]
fn a_spot_market_order_is_shrunk_to_the_balance_unless_that_is_forbidden() {
    let mut poor = funded();
    poor.trading = vec![(USDT, q("370.1")), (BTC, q("0.5"))];
    let mut venue = Okx::quoted_with(settings(), poor);
    let kept = |fields: Value| with(fields, &json!({ "banAmend": true }));
    assert_eq!(
        venue.refused_order(&kept(market(SPOT, "buy", "1000"))),
        51_008
    );
    assert_eq!(
        venue.refused_order(&kept(market(SPOT, "sell", "0.6"))),
        51_008
    );
    let id = venue.place(&market(SPOT, "buy", "1000"));
    let order = venue.order(SPOT, &id);
    assert_eq!(
        (&order["state"], &order["accFillSz"], &order["sz"]),
        (&json!("filled"), &json!("0.01"), &json!("370.1"))
    );
    // 0.5 and what was bought, less its fee.
    let id = venue.place(&market(SPOT, "sell", "0.6"));
    assert_eq!(venue.order(SPOT, &id)["accFillSz"], "0.50999");
    // A limit is never shrunk.
    assert_eq!(
        venue.refused_order(&limit(SPOT, "sell", "1", "37100")),
        51_008
    );
}

#[test]
fn the_margin_mode_is_each_order_s_and_follows_from_the_account_level() {
    let at = |level| AccountSettings { level, ..funded() };
    let spot = |mode: &str| {
        with(
            limit(SPOT, "buy", "0.01", "36000"),
            &json!({ "tdMode": mode }),
        )
    };
    let swap = |mode: &str| with(limit(SWAP, "buy", "1", "36000"), &json!({ "tdMode": mode }));
    for (level, spots, swaps) in [
        (AccountLevel::Spot, [0, 51_000], [51_010, 51_010]),
        (AccountLevel::Futures, [0, 51_000], [0, 51_000]),
        (AccountLevel::MultiCurrency, [51_000, 0], [0, 51_000]),
        (AccountLevel::Portfolio, [51_000, 0], [0, 51_000]),
    ] {
        let mut venue = Okx::quoted_with(settings(), at(level));
        let mut code = |fields: Value| code_of(&venue.act("/api/v5/trade/order", &fields));
        assert_eq!(
            [code(spot("cash")), code(spot("cross"))],
            spots,
            "{level:?}"
        );
        assert_eq!(
            [code(swap("cross")), code(swap("isolated"))],
            swaps,
            "{level:?}"
        );
        let mut without = swap("cross");
        without.as_object_mut().unwrap().remove("tdMode");
        let wanted = if level == AccountLevel::Spot {
            51_010
        } else {
            50_014
        };
        let found = code(without);
        assert!(found == wanted || found == 50_014, "{found}");
    }
}

#[test]
fn filters_are_refused_order_by_order() {
    let mut venue = Okx::quoted();
    venue.place(&limit(SPOT, "buy", "0.01", "37010"));
    venue.place(&limit(SWAP, "buy", "1", "37010"));
    let rows = [
        (SWAP, "0.5", "36000", 51_121),
        (SWAP, "200000", "36000", 51_005),
        (SWAP, "1", "36000.05", 51_000),
        (SWAP, "1", "90000", 51_137),
        (SWAP, "20000", "36000", 51_004),
        (SWAP, "900", "36990", 51_008),
        (SPOT, "0.000001", "36000", 51_121),
        (SPOT, "0.00001", "36000", 51_020),
        (SPOT, "9500", "36000", 51_005),
        (SPOT, "0.01", "36000.005", 51_000),
        (SPOT, "0.01", "90000", 51_137),
        (SPOT, "9", "36000", 51_008),
        (SPOT, "0", "36000", 51_000),
        ("XYZ-USDT", "1", "36000", 51_001),
    ];
    for (instrument, size, price, code) in rows {
        let mut fields = limit(instrument, "buy", size, price);
        if instrument == "XYZ-USDT" {
            fields["tdMode"] = json!("cash");
        }
        assert_eq!(
            venue.refused_order(&fields),
            code,
            "{instrument} {size} {price}"
        );
    }
    assert_eq!(
        venue.refused_order(&limit(SPOT, "sell", "0.01", "10000")),
        51_138
    );
    let number = with(limit(SPOT, "buy", "1", "36000"), &json!({ "sz": 1 }));
    assert_eq!(venue.refused_order(&number), 51_000, "sizes are texts");
    // Moved into the band where that is asked for.
    let moved = with(
        limit(SWAP, "buy", "1", "90000"),
        &json!({ "pxAmendType": "1" }),
    );
    let id = venue.place(&moved);
    assert_eq!(venue.order(SWAP, &id)["px"], "40711");
    let value = with(limit(SPOT, "buy", "0.0001", "36000"), &json!({}));
    venue.place(&value);
}

#[test]
fn amendments_count_what_has_filled_and_end_an_order_at_it() {
    let mut venue = Okx::quoted();
    let id = venue.place(&limit(SWAP, "buy", "5", "36995"));
    venue.rest(Category::Linear, Side::Buy, "36995", "1");
    let amend = |size: &str| json!({ "instId": SWAP, "ordId": id, "newSz": size });
    venue.ok(AMEND, &amend("4"));
    venue.trade(Category::Linear, Side::Sell, "0.02");
    let order = venue.order(SWAP, &id);
    assert_eq!(
        (&order["state"], &order["accFillSz"], &order["sz"]),
        (&json!("partially_filled"), &json!("2"), &json!("4")),
        "it kept its place"
    );
    venue.ok(AMEND, &amend("1"));
    let order = venue.order(SWAP, &id);
    assert_eq!(
        (&order["state"], &order["accFillSz"], &order["sz"]),
        (&json!("filled"), &json!("2"), &json!("2"))
    );
    assert_eq!(venue.refused(AMEND, &amend("9")), 51_503);
    let id = venue.place(&limit(SWAP, "buy", "5", "36000"));
    let amend = |more: Value| with(json!({ "instId": SWAP, "ordId": id }), &more);
    assert_eq!(venue.refused(AMEND, &amend(json!({}))), 51_000);
    venue.ok(AMEND, &amend(json!({ "newPx": "37010" })));
    assert_eq!(
        venue.order(SWAP, &id)["state"],
        "filled",
        "it was made to take"
    );
}

#[test]
fn an_amendment_that_fails_leaves_the_order_or_cancels_it_as_asked() {
    let mut venue = Okx::quoted();
    let id = venue.place(&limit(SPOT, "buy", "1", "36000"));
    let amend = |more: Value| with(json!({ "instId": SPOT, "ordId": id, "newSz": "9" }), &more);
    assert_eq!(venue.refused(AMEND, &amend(json!({}))), 51_008);
    assert_eq!(venue.order(SPOT, &id)["state"], "live");
    assert_eq!(
        venue.refused(AMEND, &amend(json!({ "cxlOnFail": true }))),
        51_008
    );
    assert_eq!(venue.order(SPOT, &id)["state"], "canceled");
    assert_eq!(
        venue.server.exchange().unified(venue.account, USDT).locked,
        q("0")
    );
}

#[test]
fn what_was_taken_may_end_without_a_trade_and_is_canceled_by_the_system() {
    let slow = Settings {
        engine_ms: 100,
        ..settings()
    };
    let mut venue = Okx::quoted_with(slow, funded());
    venue
        .server
        .at(venue.now, |exchange| exchange.reject_next());
    let id = venue.place(&limit(SWAP, "buy", "1", "37010"));
    let query = format!("instId={SWAP}&ordId={id}");
    assert_eq!(
        venue.read("/api/v5/trade/order", &query)["code"],
        "51603",
        "taken, and not shown yet"
    );
    venue.later(100);
    let order = venue.order(SWAP, &id);
    assert_eq!(
        (&order["state"], &order["cancelSource"]),
        (&json!("canceled"), &json!("0"))
    );
    let id = venue.place(&limit(SWAP, "buy", "1", "37010"));
    venue.ok(CANCEL, &json!({ "instId": SWAP, "ordId": id }));
    venue.later(100);
    assert_eq!(
        venue.order(SWAP, &id)["state"],
        "filled",
        "a cancellation that was taken came too late"
    );
}

#[test]
fn reduce_only_orders_close_and_never_turn_a_position() {
    let mut venue = Okx::quoted();
    for flag in [json!(true), json!("true")] {
        let reduce = with(
            limit(SWAP, "sell", "50", "36990"),
            &json!({ "reduceOnly": flag }),
        );
        assert_eq!(venue.refused_order(&reduce), 51_169);
        venue.place(&limit(SWAP, "buy", "20", "37010"));
        let id = venue.place(&reduce);
        let order = venue.order(SWAP, &id);
        assert_eq!(
            (&order["state"], &order["accFillSz"], &order["reduceOnly"]),
            (&json!("filled"), &json!("20"), &json!("true"))
        );
    }
    venue.place(&limit(SWAP, "buy", "20", "37010"));
    let resting = venue.place(&with(
        limit(SWAP, "sell", "20", "38000"),
        &json!({ "reduceOnly": true }),
    ));
    venue.place(&market(SWAP, "sell", "20"));
    let order = venue.order(SWAP, &resting);
    assert_eq!(
        (&order["state"], &order["cancelSource"]),
        (&json!("canceled"), &json!("21"))
    );
    assert!(venue.get("/api/v5/account/positions", "").is_empty());
}

#[test]
fn own_orders_do_not_trade_with_one_another_unless_told_which_goes() {
    let mut venue = Okx::quoted();
    let maker = venue.place(&limit(SWAP, "sell", "1", "37005"));
    let taker = venue.place(&limit(SWAP, "buy", "1", "37005"));
    let order = venue.order(SWAP, &maker);
    assert_eq!(
        (&order["state"], &order["cancelSource"]),
        (&json!("canceled"), &json!("32"))
    );
    assert_eq!(
        venue.order(SWAP, &taker)["state"],
        "live",
        "the one that rested goes"
    );
    let second = venue.place(&with(
        limit(SWAP, "sell", "1", "37005"),
        &json!({ "stpMode": "cancel_taker" }),
    ));
    assert_eq!(venue.order(SWAP, &second)["cancelSource"], "32");
    assert_eq!(venue.order(SWAP, &taker)["state"], "live");
}

#[test]
fn a_deadline_bounds_placing_and_amending_and_nothing_else() {
    let mut venue = Okx::quoted();
    let id = venue.place(&limit(SWAP, "buy", "2", "36000"));
    venue.deadline_ms = Some(venue.now_ms() - 1);
    let reply = venue.act("/api/v5/trade/order", &limit(SWAP, "buy", "1", "36000"));
    assert_eq!(
        (&reply["code"], &reply["data"]),
        (&json!("50036"), &json!([]))
    );
    let amend = json!({ "instId": SWAP, "ordId": id, "newSz": "1" });
    assert_eq!(venue.refused(AMEND, &amend), 50_036);
    assert_eq!(
        venue.refused(BATCH, &json!([limit(SWAP, "buy", "1", "36000")])),
        50_036
    );
    venue.ok(CANCEL, &json!({ "instId": SWAP, "ordId": id }));
    assert_eq!(venue.server.exchange().orders(venue.account).len(), 1);
    venue.deadline_ms = Some(venue.now_ms());
    venue.place(&limit(SWAP, "buy", "1", "36000"));
}

#[test]
fn what_expires_between_gateway_and_engine_is_refused_order_by_order() {
    use basis_sim::server::faults::{Fault, Rule, When};

    let mut venue = Okx::quoted();
    let late = |ms| {
        vec![Rule::on(
            "POST",
            "/api/v5/trade/order",
            When::Always,
            Fault::DelayEngine(ms),
        )]
    };
    venue.deadline_ms = Some(venue.now_ms() + 500);
    venue.server.set_faults(late(501));
    let reply = venue.act("/api/v5/trade/order", &limit(SWAP, "buy", "1", "36000"));
    assert_eq!(
        (&reply["code"], &reply["data"][0]["sCode"]),
        (&json!("1"), &json!("50037"))
    );
    assert!(venue.server.exchange().orders(venue.account).is_empty());
    // Without a deadline it is taken, however late it is.
    venue.deadline_ms = None;
    venue.now = basis_core::types::Timestamp::from_nanos(venue.now.nanos() + 1_000_000_000);
    venue.server.set_faults(late(40_000));
    venue.place(&limit(SWAP, "buy", "1", "36000"));
}

#[test]
fn a_dead_man_s_switch_cancels_the_orders_of_its_tag_or_all() {
    let mut venue = Okx::quoted();
    let path = "/api/v5/trade/cancel-all-after";
    let tagged = |tag: &str| with(limit(SWAP, "buy", "1", "36000"), &json!({ "tag": tag }));
    let (ours, theirs) = (venue.place(&tagged("ours")), venue.place(&tagged("theirs")));
    let started = venue.ok(path, &json!({ "timeOut": "10", "tag": "ours" }));
    let due = (venue.now_ms() + 10_000).to_string();
    assert_eq!(
        (&started["triggerTime"], &started["tag"]),
        (&json!(due), &json!("ours"))
    );
    venue.later(9_999);
    venue.ok(path, &json!({ "timeOut": "10", "tag": "ours" }));
    venue.later(9_999);
    assert_eq!(
        venue.order(SWAP, &ours)["state"],
        "live",
        "it was kept alive"
    );
    venue.later(1);
    let order = venue.order(SWAP, &ours);
    assert_eq!(
        (&order["state"], &order["cancelSource"]),
        (&json!("canceled"), &json!("20"))
    );
    assert_eq!(venue.order(SWAP, &theirs)["state"], "live");
    venue.ok(path, &json!({ "timeOut": "10" }));
    venue.later(1_000);
    let stopped = venue.ok(path, &json!({ "timeOut": "0" }));
    assert_eq!(stopped["triggerTime"], "0");
    venue.later(60_000);
    assert_eq!(venue.order(SWAP, &theirs)["state"], "live");
    venue.ok(path, &json!({ "timeOut": "120" }));
    venue.later(120_000);
    let ended = venue.server.exchange().orders(venue.account);
    assert!(
        ended
            .iter()
            .all(|(.., order)| order.state.ending == Some(Ending::DeadMan))
    );
    assert!(
        ended
            .iter()
            .all(|(.., order)| order.state.status == Status::Cancelled)
    );
    for seconds in ["9", "121"] {
        assert_eq!(venue.refused(path, &json!({ "timeOut": seconds })), 51_000);
        venue.later(1_000);
    }
    for tag in 0..20 {
        venue.ok(path, &json!({ "timeOut": "60", "tag": format!("t{tag}") }));
    }
    assert_eq!(
        venue.refused(path, &json!({ "timeOut": "60", "tag": "t20" })),
        51_071
    );
}

#[test]
fn conditional_orders_are_refused_and_not_taken_for_others() {
    let mut venue = Okx::quoted();
    let attached = json!({ "attachAlgoOrds": [{ "slTriggerPx": "30000", "slOrdPx": "-1" }] });
    for more in [
        attached,
        json!({ "pxUsd": "1" }),
        json!({ "ordType": "conditional" }),
        json!({ "ordType": "mmp" }),
    ] {
        assert_eq!(
            venue.refused_order(&with(limit(SWAP, "buy", "1", "36000"), &more)),
            51_000,
            "{more}"
        );
    }
    let request = venue.signed("POST", "/api/v5/trade/order-algo", "", "{}");
    assert_eq!(venue.send(request).status, 404);
}
