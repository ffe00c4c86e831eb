//! What OKX does its own way: each of these fails where it is treated as another venue.

use basis_core::error::VenueErrorKind;
use basis_core::num::{Fixed18, Quantity, Rounding};
use basis_core::transport::Response;
use basis_core::types::{Span, Timestamp};
use basis_venues::okx::answer::{Failure, Success, outcome};
use basis_venues::okx::codec::replies;
use basis_venues::okx::codec::{
    AccountLevel, Network, Terms, cancel_all_after, deadline, finish, is_bounded, reads,
    requests_with,
};
use basis_venues::okx::codes::{Action, Class, classify};
use basis_venues::wire::{Context, Effect, Masked, Stamp};
use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
use serde_json::{Value, json};

use super::{OKX, account, bench};
use crate::bench::{Bench, field};
use crate::compare::{limit, trade};

fn answered(effect: Effect, status: u16, body: &str) -> Result<Success, Failure> {
    let response = Response {
        status,
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
    };
    outcome(effect, &response)
}

fn of_request(status: u16, code: i64) -> Result<Success, Failure> {
    let body = format!(r#"{{"code":"{code}","msg":"text","data":[]}}"#);
    answered(Effect::Act, status, &body)
}

fn of_order(code: &str, of_request: &str) -> Result<Success, Failure> {
    let body = format!(
        r#"{{"code":"{of_request}","msg":"","data":[{{"ordId":"","clOrdId":"a","tag":"","sCode":"{code}",
        "sMsg":"text"}}],"inTime":"1","outTime":"2"}}"#
    );
    answered(Effect::Act, 200, &body)
}

#[test]
fn a_request_succeeds_and_the_order_in_it_does_not() {
    assert_eq!(of_order("0", "0"), Ok(Success::Answered));
    for outer in ["0", "1", "2"] {
        let e = of_order("51008", outer).unwrap_err();
        assert!(
            matches!(e.kind, VenueErrorKind::Rejected { .. }),
            "{outer}: {e:?}"
        );
        assert_eq!((e.code, e.class.action()), (Some(51008), Action::Reduce));
    }
    // Failed, and no order says why.
    for code in [1, 2] {
        let e = of_request(200, code).unwrap_err();
        assert!(matches!(e.kind, VenueErrorKind::OutcomeUnknown(_)), "{e:?}");
    }
    let refused =
        br#"{"code":"0","msg":"","data":[{"ordId":"","clOrdId":"a","sCode":"51000","sMsg":"x"}]}"#;
    let message = replies::accepted(refused).unwrap_err().to_string();
    assert!(message.contains("sCode: a refusal: 51000"), "{message}");
    let taken =
        br#"{"code":"0","msg":"","data":[{"ordId":"9","clOrdId":"a","sCode":"0","sMsg":""}]}"#;
    assert_eq!(replies::accepted(taken).unwrap().ord_id, "9");
    // It is no order: nothing of a state can be read out of it.
    assert!(replies::orders(taken).is_err());
}

#[test]
fn a_busy_venue_proves_nothing_whatever_its_status() {
    // 50013 comes with HTTP 429.
    for (status, code) in [
        (429, 50013),
        (200, 50013),
        (503, 50001),
        (500, 50026),
        (400, 50004),
    ] {
        let e = of_request(status, code).unwrap_err();
        assert!(
            matches!(e.kind, VenueErrorKind::OutcomeUnknown(_)),
            "{code}: {e:?}"
        );
    }
    for code in ["51149", "51054", "51412", "50004"] {
        let e = of_order(code, "1").unwrap_err();
        assert!(
            matches!(e.kind, VenueErrorKind::OutcomeUnknown(_)),
            "{code}: {e:?}"
        );
    }
    // A limit comes with HTTP 429 or 200, and its code says so; the status alone does not.
    for status in [200, 429] {
        for code in [50011, 50061, 58102] {
            let e = of_request(status, code).unwrap_err();
            assert_eq!(e.kind, VenueErrorKind::RateLimited { retry_after: None });
        }
    }
    for (status, body) in [
        (429, ""),
        (429, "Too Many Requests"),
        (408, ""),
        (502, "<html>"),
        (403, "<html>"),
        (200, ""),
        (200, "{}"),
        (200, r#"{"code":"0"#),
        (500, r#"{"code":"0","msg":"","data":[]}"#),
        (500, r#"{"code":"51008","msg":"","data":[]}"#),
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
    for code in [3, 49_999, 51_999, 99_999, -1] {
        let e = of_request(200, code).unwrap_err();
        assert!(
            matches!(e.kind, VenueErrorKind::OutcomeUnknown(_)),
            "{code}: {e:?}"
        );
        assert_eq!(e.class.action(), Action::Query);
    }
}

#[test]
fn what_came_too_late_is_certainly_not_accepted() {
    for code in ["50036", "50037"] {
        let e = of_order(code, "1").unwrap_err();
        assert!(matches!(e.kind, VenueErrorKind::Rejected { .. }), "{e:?}");
        assert_eq!(e.class.action(), Action::ResyncClock);
    }
    assert!(matches!(
        of_request(401, 50102).unwrap_err().kind,
        VenueErrorKind::Rejected { .. }
    ));
    // A clash of ids among pending orders: which order bears it is queried.
    for code in ["51016", "50071"] {
        let e = of_order(code, "1").unwrap_err();
        assert!(matches!(e.kind, VenueErrorKind::OutcomeUnknown(_)), "{e:?}");
        assert_eq!(e.class, Class::Duplicate);
    }
    assert!(matches!(
        of_request(401, 50113).unwrap_err().kind,
        VenueErrorKind::Auth(_)
    ));
    assert_eq!(
        of_request(401, 50101).unwrap_err().class.action(),
        Action::Stop
    );
    assert_eq!(
        of_order("51010", "1").unwrap_err().class.action(),
        Action::Configure
    );
    assert_eq!(
        of_order("51169", "1").unwrap_err().class.action(),
        Action::RereadPositions
    );
}

/// Every code of the project's fact sheet on exchanges, section 4.11, with the class it gives.
#[test]
fn every_listed_code_has_its_class() {
    use Class::{
        AccountMode, Blocked, Clock, Credentials, Duplicate, Filter, Funds, InProgress, Limit,
        Liquidation, NoPosition, OrderGone, Restricted, Unknown,
    };
    let rows: &[(Class, &[i64])] = &[
        (Unknown, &[50004, 51149, 51054, 51412, 50001, 50013, 50026]),
        (Clock, &[50036, 50037, 50102, 50112, 60004, 60006]),
        (Limit, &[50011, 50061, 51113, 58102, 60014]),
        (
            Credentials,
            &[
                50100, 50101, 50103, 50104, 50105, 50106, 50107, 50110, 50111, 50113,
            ],
        ),
        (Credentials, &[50114, 50119, 50027]),
        (
            Filter,
            &[
                51000, 51004, 51005, 51006, 51020, 51100, 51120, 51121, 51122, 51135, 51136,
            ],
        ),
        (Filter, &[51137, 51138]),
        (
            Restricted,
            &[51001, 51015, 51021, 51022, 51027, 51028, 51029, 51030],
        ),
        (
            Funds,
            &[
                51008, 51119, 51127, 51131, 51502, 58350, 59200, 59103, 59108,
            ],
        ),
        (
            Liquidation,
            &[
                51009, 50007, 50009, 50017, 50018, 50019, 50020, 50021, 50022, 51024,
            ],
        ),
        (AccountMode, &[51010, 50072, 51039, 51041]),
        (Duplicate, &[51016, 50071]),
        (InProgress, &[54047, 54048, 51513]),
        (Restricted, &[54030, 54031, 54035, 54012, 54094, 51037]),
        (NoPosition, &[51023, 51112, 51169]),
        (OrderGone, &[51400, 51410, 51503, 51603]),
        (
            Blocked,
            &[
                59000, 51162, 51163, 59100, 59101, 59107, 59112, 59132, 59139, 59668, 59670,
            ],
        ),
    ];
    for (class, codes) in rows {
        for code in *codes {
            assert_eq!(classify(*code), Some(*class), "{code}");
        }
    }
    assert_eq!(
        (classify(0), classify(50002), classify(51401)),
        (None, None, None)
    );
}

#[test]
fn swaps_are_counted_in_contracts_and_spot_in_base_units() {
    let Some(bench) = bench() else { return };
    let size = |kind: &str, quantity: &str| {
        let drafts = bench.drafts(trade(kind, "sell", quantity, limit("38000", json!({}))));
        field(&drafts[0], "sz").unwrap()
    };
    // A contract is 0.01 BTC, and a hundredth of it the smallest step.
    assert_eq!(size("perp_trade", "0.01"), "1");
    assert_eq!(size("perp_trade", "1.2345"), "123.45");
    assert_eq!(size("perp_trade", "0.00019"), "0.01");
    assert_eq!(size("spot_trade", "0.01"), "0.01");
    let known = Bench::known("perp_trade", "buy");
    let amend = json!({"amend_order": {"symbol": "BTCUSDT", "order": 1, "quantity": "0.02"}});
    let drafts = bench.attempt(amend, Some(&known)).unwrap();
    assert_eq!(field(&drafts[0], "newSz").unwrap(), "2");
    assert_eq!(field(&drafts[0], "newPx"), None);
    let message = bench.attempt(
        trade("perp_trade", "sell", "0.00009", limit("38000", json!({}))),
        None,
    );
    let message = message.unwrap_err();
    assert!(
        message.contains("lotSz") && message.contains("0.0001 BTC"),
        "{message}"
    );
    let listed = &bench.rules.instruments[2];
    let perp = listed.perp.as_ref().unwrap();
    assert!(perp.counts_contracts);
    assert_eq!(perp.contract_size, Quantity::literal("0.01"));
    // 1000 contracts.
    assert_eq!(perp.tiers[0].up_to.to_string(), "10");
}

#[test]
fn ids_are_letters_and_digits_of_at_most_32() {
    let Some(bench) = bench() else { return };
    let drafts = bench.drafts(trade(
        "spot_trade",
        "buy",
        "0.01",
        limit("36000", json!({})),
    ));
    let id = field(&drafts[0], "clOrdId").unwrap();
    assert!(
        id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "{id}"
    );
    let transfer = json!({"transfer": {"asset": "USDT", "amount": "25", "from": account("funding"),
        "to": account("trading")}});
    let drafts = bench.drafts(transfer);
    assert_eq!(field(&drafts[0], "clientId").unwrap(), id);
    assert_eq!(
        ["from", "to"].map(|name| field(&drafts[0], name).unwrap()),
        ["6", "18"]
    );
}

#[test]
fn the_deadline_bounds_placements_and_amendments_alone() {
    let Some(bench) = bench() else { return };
    let stamp = Stamp::new(Timestamp::from_millis(1_700_000_000_000));
    let known = Bench::known("perp_trade", "buy");
    let has_deadline = |operation: Value| {
        let draft = bench.attempt(operation, Some(&known)).unwrap().remove(0);
        let request = finish(&draft, Network::Live, stamp, &Masked::default()).unwrap();
        let header = request.headers.iter().find(|(name, _)| name == "expTime");
        let bounded = header.is_some_and(|(_, value)| value == "1700000003000");
        assert_eq!(
            (bounded, header.is_some()),
            (is_bounded(&draft), is_bounded(&draft))
        );
        let wait = deadline(&draft, stamp).since(stamp.at());
        (bounded, wait)
    };
    let three = (true, Span::from_seconds(3));
    let thirty = (false, Span::from_seconds(30));
    let place = trade("perp_trade", "buy", "0.01", limit("36000", json!({})));
    let amend = json!({"amend_order": {"symbol": "BTCUSDT", "order": 1, "limit_price": "36100"}});
    let cancel = json!({"cancel_order": {"symbol": "BTCUSDT", "order": 1}});
    let leverage = json!({"set_leverage": {"symbol": "BTCUSDT", "leverage": "3"}});
    let transfer = json!({"transfer": {"asset": "USDT", "amount": "25", "from": account("funding"),
        "to": account("trading")}});
    assert_eq!(has_deadline(place), three);
    assert_eq!(has_deadline(amend), three);
    for other in [cancel, leverage, transfer] {
        assert_eq!(has_deadline(other), thirty);
    }
    // Asking for an order has the path that placing one has.
    let query = reads::fills_of(&bench.rules.instruments[2], "1");
    assert!(!is_bounded(&query));
}

#[test]
fn the_margin_mode_is_the_order_s_and_follows_the_account_s_level() {
    let Some(bench) = bench() else { return };
    let mode = |kind: &str, level: AccountLevel| {
        let operation = trade(kind, "buy", "0.01", limit("36000", json!({})));
        let operation = serde_json::from_value(operation).unwrap();
        let id = basis_core::types::InstructionId::plain(2);
        let instruction = basis_core::instruction::Instruction::new(id, operation);
        let context = Context {
            book: basis_core::types::BookId::from_number(7),
            rules: &bench.rules,
            collar: None,
            order: None,
            withdrawal: None,
        };
        let terms = Terms {
            context: &context,
            level,
        };
        let drafts = requests_with(OKX, &instruction, terms).map_err(|e| e.to_string())?;
        Ok::<_, String>(field(&drafts[0], "tdMode").unwrap())
    };
    for (level, spot) in [
        (AccountLevel::Spot, "cash"),
        (AccountLevel::Futures, "cash"),
        (AccountLevel::MultiCurrency, "cross"),
        (AccountLevel::Portfolio, "cross"),
    ] {
        assert_eq!(mode("spot_trade", level).unwrap(), spot);
        if level == AccountLevel::Spot {
            let message = mode("perp_trade", level).unwrap_err();
            assert!(message.contains("level 2 or more"), "{message}");
        } else {
            assert_eq!(mode("perp_trade", level).unwrap(), "cross");
        }
    }
    let isolated = json!({"set_leverage": {"symbol": "BTCUSDT", "leverage": "3",
        "margin_mode": "isolated"}});
    let message = bench.attempt(isolated, None).unwrap_err();
    assert!(message.contains("use cross"), "{message}");
    let cross =
        json!({"set_leverage": {"symbol": "BTCUSDT", "leverage": "3", "margin_mode": "cross"}});
    let drafts = bench.drafts(cross);
    // One request: there is no mode of the account to set.
    assert_eq!(
        (drafts.len(), field(&drafts[0], "mgnMode").unwrap().as_str()),
        (1, "cross")
    );
}

#[test]
fn a_spot_market_order_is_in_base_units_and_cannot_be_shrunk() {
    let Some(bench) = bench() else { return };
    for (side, price) in [("buy", "37185"), ("sell", "36815")] {
        let drafts = bench.drafts(trade(
            "spot_trade",
            side,
            "0.01",
            json!({"order_type": "market"}),
        ));
        let value = |name: &str| field(&drafts[0], name).unwrap();
        assert_eq!(
            [value("ordType"), value("sz"), value("px")],
            ["ioc", "0.01", price]
        );
    }
}

#[test]
fn reduce_only_is_said_in_one_way_mode_and_meant_in_hedge_mode() {
    let Some(bench) = bench() else { return };
    let order = |side: &str, more: Value| {
        let operation = trade("perp_trade", side, "0.01", limit("38000", more));
        let drafts = bench.attempt(operation, None)?;
        Ok::<_, String>(["posSide", "reduceOnly"].map(|name| field(&drafts[0], name)))
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(order("sell", json!({})).unwrap(), [None, None]);
    assert_eq!(
        order("sell", json!({"reduce_only": true})).unwrap(),
        [None, text("true")]
    );
    let closes = json!({"reduce_only": true, "position_side": "long"});
    assert_eq!(order("sell", closes).unwrap(), [text("long"), None]);
    // The venue would not look at the word, and open.
    let opens = json!({"reduce_only": true, "position_side": "short"});
    let message = order("sell", opens).unwrap_err();
    assert!(message.contains("would open"), "{message}");
}

#[test]
fn a_dead_man_s_switch_takes_a_tag() {
    let draft = cancel_all_after(60, Some("basis")).unwrap();
    assert_eq!(
        ["timeOut", "tag"].map(|name| field(&draft, name).unwrap()),
        ["60", "basis"]
    );
    assert_eq!(field(&cancel_all_after(0, None).unwrap(), "tag"), None);
    for (seconds, tag) in [
        (9, None),
        (121, None),
        (60, Some("a-b")),
        (60, Some("12345678901234567")),
    ] {
        assert!(cancel_all_after(seconds, tag).is_err(), "{seconds} {tag:?}");
    }
}

#[test]
fn what_the_venue_would_refuse_is_refused_here() {
    let Some(bench) = bench() else { return };
    let refused = |operation: Value, parts: &[&str]| {
        let message = bench.attempt(operation, None).unwrap_err();
        for part in parts {
            assert!(message.contains(part), "{part}: {message}");
        }
    };
    let transfer = |from: &str, to: Value| json!({"transfer": {"asset": "USDT", "amount": "25", "from": account(from), "to": to}});
    let wallet = json!({"venue": "wallet", "name": "main"});
    refused(
        transfer("funding", wallet.clone()),
        &["withdrawals are off"],
    );
    refused(
        transfer("trading", wallet),
        &["withdrawals leave from okx.funding"],
    );
    refused(
        transfer("trading", json!(account("trading"))),
        &["cannot transfer to itself"],
    );
    refused(
        transfer("spot", json!(account("trading"))),
        &["`spot` is no account of OKX"],
    );
    let leverage = json!({"set_leverage": {"symbol": "BTCUSDT", "leverage": "101"}});
    refused(leverage, &["leverage 101", "from 1 to 100"]);
    let stake = json!({"stake": {"asset_in": "ETH", "asset_out": "wstETH", "amount": "1"}});
    refused(stake, &["OKX does not execute stake"]);
    let message = finish(
        &reads::deposits(basis_core::types::Asset::literal("USDT")),
        Network::Demo,
        Stamp::new(Timestamp::EPOCH),
        &Masked::default(),
    );
    assert!(message.unwrap_err().to_string().contains("no deposits"));
}

#[test]
fn a_withdrawal_arrives_whole_and_names_its_tag_in_the_address() {
    let Some(bench) = bench() else { return };
    let draft = bench.withdrawal(account("funding"), "25.1234567").unwrap();
    assert_eq!(draft.path, "/api/v5/asset/withdrawal");
    let value = |name: &str| field(&draft, name).unwrap();
    // The fee of 1 comes on top, and need not be named.
    assert_eq!([value("amt"), value("dest")], ["25.123456", "4"]);
    assert_eq!([value("chain"), value("toAddr")], ["USDT-ERC20", "0xabc:7"]);
    assert_eq!((field(&draft, "fee"), value("clientId").len()), (None, 29));
    let message = bench.withdrawal(account("funding"), "1.9").unwrap_err();
    assert!(message.contains("below the minimum of 2"), "{message}");
    // What ended without a fill is forgotten twelve times sooner than at Bybit.
    assert_eq!(replies::UNFILLED_KEPT, Span::from_hours(2));
}

#[test]
fn a_foreign_market_buy_that_counts_quote_does_not_make_a_list_unreadable() {
    let row = |order_type: &str| {
        let row = format!(
            r#"{{"code":"0","msg":"","data":[{{"instType":"SPOT","instId":"PEPE-USDT","ordId":"1","clOrdId":"",
            "side":"buy","posSide":"","ordType":"{order_type}","state":"filled","sz":"10","px":"",
            "accFillSz":"900000","cancelSource":"","category":"normal","uTime":"1700000000000"}}]}}"#
        );
        replies::orders(row.as_bytes())
    };
    assert!(row("market").is_ok());
    assert!(row("limit").unwrap_err().to_string().contains("accFillSz"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn contracts_sent_are_whole_lots_and_never_more_than_asked(
        mantissa in 100_000_000_000_000_i128..8_000_000_000_000_000_000_000,
        buys in any::<bool>(),
    ) {
        let Some(bench) = bench() else { return Ok(()) };
        let asked = Quantity::new(Fixed18::from_mantissa(mantissa));
        let side = if buys { "buy" } else { "sell" };
        let order = trade("perp_trade", side, &asked.to_string(), limit("38000", json!({})));
        let drafts = bench.drafts(order);
        let contracts = Quantity::parse(&field(&drafts[0], "sz").unwrap()).unwrap();
        let lot = Quantity::literal("0.01");
        prop_assert!(contracts.is_multiple_of(lot));
        // A contract is 0.01 BTC.
        let size = Fixed18::literal("0.01");
        let sent = contracts.get().mul(size, Rounding::Down).unwrap();
        let left = asked.get().sub(sent).unwrap();
        prop_assert!(!left.is_negative() && left < Fixed18::literal("0.0001"));
    }
}
