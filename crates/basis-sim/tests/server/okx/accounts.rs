//! Balances, positions, leverage, position mode, funding, fees.

use basis_core::num::Rate;
use basis_sim::server::okx::{AccountLevel, AccountSettings, Category};
use serde_json::{Value, json};

use super::kit::{Okx, SPOT, SWAP, code_of, funded, limit, market, settings, with};
use crate::kit::{BTCUSDT, USDT, p, q};

const LEVERAGE: &str = "/api/v5/account/set-leverage";
const MODE: &str = "/api/v5/account/set-position-mode";
const POSITIONS: &str = "/api/v5/account/positions";

fn leverage(value: &str) -> Value {
    json!({ "instId": SWAP, "mgnMode": "cross", "lever": value })
}

#[test]
fn positions_move_with_fills_and_settle_results_at_once() {
    let mut venue = Okx::quoted();
    venue.place(&limit(SWAP, "sell", "50", "36990"));
    let short = venue
        .get(POSITIONS, "instType=SWAP&instId=BTC-USDT-SWAP")
        .remove(0);
    let told = (
        short["pos"].as_str(),
        short["avgPx"].as_str(),
        short["mgnMode"].as_str(),
        short["lever"].as_str(),
    );
    assert_eq!(
        told,
        (Some("-50"), Some("36990"), Some("cross"), Some("3")),
        "signed in net mode"
    );
    let moved = venue.server.at(venue.now, |exchange| {
        exchange.set_mark(BTCUSDT, p("36890"), p("36890"))
    });
    moved.unwrap();
    assert_eq!(venue.get(POSITIONS, "")[0]["upl"], "50");
    let row = venue.balance("USDT");
    // 0.5 × 36,890 ÷ 3, and 0.4 % of the value.
    let told = (
        row["upl"].as_str(),
        row["mmr"].as_str(),
        row["liab"].as_str(),
    );
    assert_eq!(told, (Some("50"), Some("73.78"), Some("")));
    venue.place(&limit(SWAP, "buy", "50", "37010"));
    // Sold at 36,990, bought at 37,010: ten of loss, and the fees of both.
    let wallet = venue.server.exchange().unified(venue.account, USDT).wallet;
    assert_eq!(
        wallet,
        q("100000").sub(q("10")).unwrap().sub(q("18.5")).unwrap()
    );
    assert!(venue.get(POSITIONS, "").is_empty());
}

#[test]
fn what_orders_hold_is_frozen_and_no_longer_available() {
    let mut venue = Okx::quoted();
    let id = venue.place(&limit(SPOT, "buy", "1", "36000"));
    let row = venue.balance("USDT");
    let told = (
        row["cashBal"].as_str(),
        row["availBal"].as_str(),
        row["ordFrozen"].as_str(),
    );
    assert_eq!(told, (Some("100000"), Some("64000"), Some("36000")));
    venue.ok(
        "/api/v5/trade/cancel-order",
        &json!({ "instId": SPOT, "ordId": id }),
    );
    assert_eq!(venue.balance("USDT")["availBal"], "100000");
    let all = venue.get("/api/v5/account/balance", "");
    assert_eq!(all[0]["details"].as_array().unwrap().len(), 2);
}

#[test]
fn leverage_is_a_contract_s_own_and_not_changed_under_pending_orders() {
    let mut venue = Okx::quoted();
    let info = |venue: &mut Okx| {
        venue.get(
            "/api/v5/account/leverage-info",
            "instId=BTC-USDT-SWAP&mgnMode=cross",
        )[0]["lever"]
            .clone()
    };
    assert_eq!(info(&mut venue), "3");
    venue.ok(LEVERAGE, &leverage("5"));
    venue.ok(LEVERAGE, &leverage("5"));
    assert_eq!(info(&mut venue), "5");
    venue.ok(LEVERAGE, &with(leverage("4"), &json!({ "lever": 4 })));
    assert_eq!(info(&mut venue), "4");
    assert_eq!(venue.refused(LEVERAGE, &leverage("101")), 59_102);
    assert_eq!(venue.refused(LEVERAGE, &leverage("0.5")), 59_102);
    let isolated = with(leverage("3"), &json!({ "mgnMode": "isolated" }));
    assert_eq!(venue.refused(LEVERAGE, &isolated), 51_000);
    let id = venue.place(&limit(SWAP, "buy", "1", "36000"));
    assert_eq!(venue.refused(LEVERAGE, &leverage("6")), 59_107);
    venue.ok(
        "/api/v5/trade/cancel-order",
        &json!({ "instId": SWAP, "ordId": id }),
    );
    venue.place(&market(SWAP, "buy", "500"));
    // 185,000 at a leverage of one is more than there is.
    assert_eq!(venue.refused(LEVERAGE, &leverage("1")), 59_103);
    for (level, code) in [
        (AccountLevel::Spot, 51_010),
        (AccountLevel::Portfolio, 51_039),
    ] {
        let account = AccountSettings { level, ..funded() };
        let mut venue = Okx::quoted_with(settings(), account);
        assert_eq!(venue.refused(LEVERAGE, &leverage("5")), code);
    }
}

#[test]
fn the_position_mode_is_the_account_s_and_needs_a_side() {
    let mut venue = Okx::quoted();
    let mode = |word: &str| json!({ "posMode": word });
    let side = |side: &str, position: &str, size: &str| {
        with(market(SWAP, side, size), &json!({ "posSide": position }))
    };
    assert_eq!(
        venue.refused_order(&side("buy", "long", "1")),
        51_000,
        "no sides in net mode"
    );
    let resting = venue.place(&limit(SWAP, "buy", "1", "36000"));
    assert_eq!(venue.refused(MODE, &mode("long_short_mode")), 59_000);
    venue.ok(
        "/api/v5/trade/cancel-order",
        &json!({ "instId": SWAP, "ordId": resting }),
    );
    venue.ok(MODE, &mode("long_short_mode"));
    assert_eq!(
        venue.get("/api/v5/account/config", "")[0]["posMode"],
        "long_short_mode"
    );
    assert_eq!(venue.refused_order(&market(SWAP, "buy", "1")), 51_000);
    venue.place(&side("buy", "long", "3"));
    venue.place(&side("sell", "short", "2"));
    let rows = venue.get(POSITIONS, "");
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row["posSide"].as_str(), row["pos"].as_str()))
        .collect();
    assert_eq!(
        told,
        [(Some("long"), Some("3")), (Some("short"), Some("2"))],
        "neither is signed"
    );
    // A sale of the long side closes, and never more than there is.
    assert_eq!(venue.refused_order(&side("sell", "long", "4")), 51_112);
    venue.place(&side("sell", "long", "3"));
    assert_eq!(venue.refused_order(&side("sell", "long", "1")), 51_169);
    venue.later(2_000);
    assert_eq!(venue.refused(MODE, &mode("net_mode")), 59_000);
    // Spot has no sides.
    assert_eq!(
        venue.refused_order(&with(
            market(SPOT, "buy", "100"),
            &json!({ "posSide": "long" })
        )),
        51_000
    );
    venue.place(&market(SPOT, "buy", "100"));
    let portfolio = AccountSettings {
        level: AccountLevel::Portfolio,
        ..funded()
    };
    let mut venue = Okx::quoted_with(settings(), portfolio);
    assert_eq!(venue.refused(MODE, &mode("long_short_mode")), 51_041);
}

/// A long of a hundred contracts, and a rate that the next settlement charges.
fn funded_long() -> Okx {
    let mut venue = Okx::quoted();
    venue.place(&limit(SWAP, "buy", "100", "37010"));
    let rate = Rate::literal("0.0001");
    let set = venue.server.at(venue.now, |exchange| {
        exchange.set_funding_rate(BTCUSDT, rate)
    });
    set.unwrap();
    venue
}

#[test]
fn funding_is_paid_below_zero_and_told_by_bills_without_a_side() {
    let mut venue = funded_long();
    let before = venue.server.exchange().unified(venue.account, USDT).wallet;
    venue.later(8 * 3_600_000);
    let after = venue.server.exchange().unified(venue.account, USDT).wallet;
    assert_eq!(after.sub(before).unwrap(), q("-3.7"), "the long pays");
    let rows = venue.get("/api/v5/account/bills", "instType=SWAP&type=8");
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    let told = (
        row["subType"].as_str(),
        row["pnl"].as_str(),
        row["balChg"].as_str(),
        row["sz"].as_str(),
        row["px"].as_str(),
    );
    assert_eq!(
        told,
        (
            Some("173"),
            Some("-3.7"),
            Some("-3.7"),
            Some("100"),
            Some("37000")
        )
    );
    assert_eq!(row["posSide"], Value::Null);
    assert_eq!(
        venue.get("/api/v5/trade/fills", "instType=SWAP").len(),
        1,
        "funding is no fill"
    );
    venue.later(7 * 86_400_000);
    let paid = venue
        .get("/api/v5/account/bills", "instType=SWAP&type=8")
        .len();
    assert_eq!(paid, 21, "of seven days");
    assert_eq!(
        venue
            .get("/api/v5/account/bills-archive", "instType=SWAP&type=8")
            .len(),
        22
    );
}

#[test]
fn funding_rates_tell_their_interval_and_a_history_without_its_ends() {
    let mut venue = funded_long();
    let current = venue
        .get("/api/v5/public/funding-rate", "instId=BTC-USDT-SWAP")
        .remove(0);
    let instant = |field: &str| current[field].as_str().unwrap().parse::<i64>().unwrap();
    assert_eq!(
        instant("nextFundingTime") - instant("fundingTime"),
        8 * 3_600_000
    );
    assert_eq!(
        (&current["fundingRate"], &current["nextFundingRate"]),
        (&json!("0.0001"), &json!(""))
    );
    venue.later(8 * 3_600_000);
    let path = "/api/v5/public/funding-rate-history";
    let history = venue.get(path, "instId=BTC-USDT-SWAP");
    assert_eq!(
        (&history[0]["realizedRate"], &history[0]["fundingTime"]),
        (&json!("0.0001"), &current["fundingTime"])
    );
    let at = instant("fundingTime");
    for (query, count) in [
        (format!("before={at}"), 0),
        (format!("before={}", at - 1), 1),
        (format!("after={at}"), 0),
    ] {
        let query = format!("instId=BTC-USDT-SWAP&{query}");
        assert_eq!(venue.get(path, &query).len(), count, "{query}");
    }
}

#[test]
fn bills_tell_every_change_of_the_trading_account() {
    let mut venue = Okx::quoted();
    venue.place(&limit(SPOT, "buy", "0.1", "37010"));
    venue.place(&limit(SWAP, "buy", "10", "37010"));
    venue.place(&limit(SWAP, "sell", "10", "36990"));
    venue.ok(
        "/api/v5/asset/transfer",
        &json!({ "ccy": "USDT", "amt": "25", "from": "6", "to": "18" }),
    );
    let rows = venue.get("/api/v5/account/bills", "ccy=USDT");
    let sum = rows.iter().fold(q("100000"), |sum, row| {
        sum.add(q(row["balChg"].as_str().unwrap())).unwrap()
    });
    assert_eq!(
        sum,
        venue.server.exchange().unified(venue.account, USDT).wallet
    );
    assert_eq!(
        (&rows[0]["type"], &rows[0]["from"], &rows[0]["to"]),
        (&json!("1"), &json!("6"), &json!("18"))
    );
    // Bought at 37,010 and sold at 36,990, a tenth.
    assert_eq!(
        (&rows[1]["type"], &rows[1]["pnl"], &rows[1]["sz"]),
        (&json!("2"), &json!("-2"), &json!("10"))
    );
    assert_eq!(venue.get("/api/v5/account/bills", "ccy=BTC").len(), 1);
}

#[test]
fn instruments_tiers_and_prices_are_told_in_contracts() {
    let mut venue = Okx::quoted();
    let rows = venue.get("/api/v5/public/instruments", "instType=SWAP");
    assert_eq!(rows.len(), 2);
    let row = rows.iter().find(|row| row["instId"] == SWAP).unwrap();
    for (field, wanted) in [
        ("ctVal", "0.01"),
        ("ctMult", "1"),
        ("ctValCcy", "BTC"),
        ("ctType", "linear"),
        ("lotSz", "1"),
        ("minSz", "1"),
        ("settleCcy", "USDT"),
        ("instFamily", "BTC-USDT"),
        ("state", "live"),
        ("baseCcy", ""),
    ] {
        assert_eq!(row[field], wanted, "{field}");
    }
    let spot = venue
        .get(
            "/api/v5/public/instruments",
            "instType=SPOT&instId=BTC-USDT",
        )
        .remove(0);
    assert_eq!(
        (&spot["baseCcy"], &spot["lotSz"], &spot["ctVal"]),
        (&json!("BTC"), &json!("0.00001"), &json!(""))
    );
    let tiers = venue.get(
        "/api/v5/public/position-tiers",
        "instType=SWAP&tdMode=cross&instFamily=BTC-USDT",
    );
    let told = (
        tiers[1]["minSz"].as_str(),
        tiers[1]["maxSz"].as_str(),
        tiers[1]["maxLever"].as_str(),
    );
    assert_eq!(told, (Some("100"), Some("1000"), Some("50")));
    let ticker = venue
        .get("/api/v5/market/ticker", "instId=BTC-USDT-SWAP")
        .remove(0);
    assert_eq!(
        (&ticker["bidPx"], &ticker["askSz"]),
        (&json!("36990"), &json!("500"))
    );
    let book = venue
        .get("/api/v5/market/books", "instId=BTC-USDT-SWAP&sz=5")
        .remove(0);
    assert_eq!(book["asks"][0], json!(["37010", "500", "0", "1"]));
    let mark = venue
        .get(
            "/api/v5/public/mark-price",
            "instType=SWAP&instId=BTC-USDT-SWAP",
        )
        .remove(0);
    assert_eq!(mark["markPx"], "37000");
    assert_eq!(
        venue.read("/api/v5/public/mark-price", "instId=BTC-USDT-SWAP")["code"],
        "50014"
    );
    let time = venue.get("/api/v5/public/time", "");
    assert_eq!(time[0]["ts"], venue.now_ms().to_string());
    let halted = venue.server.at(venue.now, |exchange| {
        exchange.set_trading(Category::Linear, BTCUSDT, false)
    });
    halted.unwrap();
    assert_eq!(
        venue.refused_order(&limit(SWAP, "buy", "1", "36000")),
        51_022
    );
}

#[test]
fn a_position_beyond_its_tier_and_one_beyond_its_margin_are_refused() {
    let mut rich = funded();
    rich.trading = vec![(USDT, q("100000000"))];
    let mut venue = Okx::quoted_with(settings(), rich);
    venue.ok(LEVERAGE, &leverage("100"));
    // The first tier ends at a hundred contracts, and with it a leverage of 100.
    let code = |venue: &mut Okx, size: &str| {
        code_of(&venue.act("/api/v5/trade/order", &limit(SWAP, "buy", size, "36000")))
    };
    assert_eq!(code(&mut venue, "100"), 0);
    assert_eq!(code(&mut venue, "101"), 51_004);
    let mut venue = Okx::quoted();
    assert_eq!(code(&mut venue, "900"), 51_008);
}
