//! Positions, leverage, margin mode, position mode, funding, fees.

use basis_sim::server::bybit::Category;
use serde_json::{Value, json};

use super::kit::{Bybit, limit, with};
use crate::kit::{BTCUSDT, USDT, p, q};

fn position(venue: &mut Bybit, at: usize) -> Value {
    venue.get("/v5/position/list", "category=linear&symbol=BTCUSDT")["list"][at].clone()
}

#[test]
fn one_margin_mode_holds_for_the_whole_account() {
    let mut venue = Bybit::quoted();
    let mode = |venue: &mut Bybit| venue.get("/v5/account/info", "")["marginMode"].clone();
    assert_eq!(mode(&mut venue), "REGULAR_MARGIN");
    venue.ok(
        "/v5/account/set-margin-mode",
        &json!({ "setMarginMode": "ISOLATED_MARGIN" }),
    );
    assert_eq!(mode(&mut venue), "ISOLATED_MARGIN");
    let balance = venue.get("/v5/account/wallet-balance", "accountType=UNIFIED");
    assert_eq!(
        balance["list"][0]["accountMMRate"], "",
        "there is none while isolated"
    );
    let reply = venue.act(
        "/v5/account/set-margin-mode",
        &json!({ "setMarginMode": "PORTFOLIO_MARGIN" }),
    );
    assert_eq!(reply["retCode"], 3_400_045);
    assert_eq!(reply["result"]["reasons"].as_array().unwrap().len(), 1);
    let dead = json!({ "category": "linear", "symbol": "BTCUSDT", "tradeMode": 1 });
    let request = venue.signed(
        "POST",
        "/v5/position/switch-isolated",
        "",
        &dead.to_string(),
    );
    assert_eq!(venue.send(request).status, 404, "no switch of a symbol");
}

#[test]
fn leverage_is_one_for_both_sides_and_said_where_nothing_is_held() {
    let mut venue = Bybit::quoted();
    let set = |buy: &str, sell: &str| json!({ "category": "linear", "symbol": "BTCUSDT", "buyLeverage": buy, "sellLeverage": sell });
    assert_eq!(position(&mut venue, 0)["leverage"], "10");
    venue.ok("/v5/position/set-leverage", &set("3", "3"));
    assert_eq!(position(&mut venue, 0)["leverage"], "3");
    assert_eq!(
        venue.refused("/v5/position/set-leverage", &set("3", "3")),
        110_043
    );
    assert_eq!(
        venue.refused("/v5/position/set-leverage", &set("3", "4")),
        10_001
    );
    assert_eq!(
        venue.refused("/v5/position/set-leverage", &set("101", "101")),
        110_013
    );
}

#[test]
fn positions_move_with_fills_and_settle_results_at_once() {
    let mut venue = Bybit::quoted();
    venue.place(&limit("linear", "Sell", "0.5", "36990"));
    let short = position(&mut venue, 0);
    let told = (
        short["side"].as_str(),
        short["size"].as_str(),
        short["avgPrice"].as_str(),
        short["positionIdx"].as_i64(),
    );
    assert_eq!(told, (Some("Sell"), Some("0.5"), Some("36990"), Some(0)));
    venue
        .server
        .at(venue.now, |exchange| {
            exchange.set_mark(BTCUSDT, p("36890"), p("36890"))
        })
        .unwrap();
    assert_eq!(position(&mut venue, 0)["unrealisedPnl"], "50");
    let coin =
        venue.get("/v5/account/wallet-balance", "accountType=UNIFIED")["list"][0]["coin"].clone();
    let coins = coin.as_array().unwrap();
    let row = coins.iter().find(|row| row["coin"] == "USDT").unwrap();
    assert_eq!(row["unrealisedPnl"], "50");
    venue.place(&limit("linear", "Buy", "0.5", "37010"));
    // Sold at 36,990, bought at 37,010: ten of loss, and the fees of both.
    let wallet = venue.server.exchange().unified(venue.account, USDT).wallet;
    assert_eq!(
        wallet,
        q("100000").sub(q("10")).unwrap().sub(q("20.35")).unwrap()
    );
    assert_eq!(position(&mut venue, 0)["side"], "");
}

#[test]
fn hedge_mode_is_a_symbol_s_own_and_needs_an_index() {
    let mut venue = Bybit::quoted();
    let switch = |mode: i64| json!({ "category": "linear", "symbol": "BTCUSDT", "mode": mode });
    let path = "/v5/position/switch-mode";
    assert_eq!(venue.refused(path, &switch(0)), 110_025);
    let resting = venue.place(&limit("linear", "Buy", "0.01", "36000"));
    assert_eq!(venue.refused(path, &switch(3)), 110_028);
    venue.ok(
        "/v5/order/cancel",
        &json!({ "category": "linear", "symbol": "BTCUSDT", "orderId": resting }),
    );
    venue.ok(path, &switch(3));
    assert_eq!(
        venue.refused("/v5/order/create", &limit("linear", "Buy", "0.01", "37010")),
        10_001
    );
    venue.place(&with(
        limit("linear", "Buy", "0.03", "37010"),
        &json!({ "positionIdx": 1 }),
    ));
    venue.place(&with(
        limit("linear", "Sell", "0.02", "36990"),
        &json!({ "positionIdx": 2 }),
    ));
    let both = (position(&mut venue, 0), position(&mut venue, 1));
    assert_eq!(
        (both.0["size"].as_str(), both.1["size"].as_str()),
        (Some("0.03"), Some("0.02"))
    );
    assert_eq!(venue.refused(path, &switch(0)), 110_024);
    // By coin, what cannot be switched is skipped without a word.
    venue.ok(
        path,
        &json!({ "category": "linear", "coin": "USDT", "mode": 0 }),
    );
    assert_eq!(position(&mut venue, 1)["positionIdx"], 2);
}

#[test]
fn funding_is_received_above_zero_in_the_log_and_paid_above_zero_among_executions() {
    let mut venue = Bybit::quoted();
    venue.place(&limit("linear", "Sell", "1", "36990"));
    let rate = basis_core::num::Rate::literal("0.0001");
    venue
        .server
        .at(venue.now, |exchange| {
            exchange.set_funding_rate(BTCUSDT, rate)
        })
        .unwrap();
    let before = venue.server.exchange().unified(venue.account, USDT).wallet;
    venue.later(8 * 3_600_000);
    let after = venue.server.exchange().unified(venue.account, USDT).wallet;
    assert_eq!(after.sub(before).unwrap(), q("3.7"), "the short receives");
    let query = "accountType=UNIFIED&category=linear&type=SETTLEMENT";
    let row = venue.get("/v5/account/transaction-log", query)["list"][0].clone();
    let told = (
        row["funding"].as_str(),
        row["side"].as_str(),
        row["feeRate"].as_str(),
        row["change"].as_str(),
    );
    assert_eq!(
        told,
        (Some("3.7"), Some("Sell"), Some("-0.0001"), Some("3.7"))
    );
    let row =
        venue.get("/v5/execution/list", "category=linear&execType=Funding")["list"][0].clone();
    assert_eq!(
        (row["execFee"].as_str(), row["execType"].as_str()),
        (Some("-3.7"), Some("Funding"))
    );
    let history = venue.get(
        "/v5/market/funding/history",
        "category=linear&symbol=BTCUSDT",
    );
    assert_eq!(history["list"][0]["fundingRate"], "0.0001");
    let alone = venue.read(
        "/v5/market/funding/history",
        "category=linear&symbol=BTCUSDT&startTime=1",
    );
    assert_eq!(alone["retCode"], 10_001, "a start needs its end");
    assert_eq!(venue.server.exchange().executions(venue.account).len(), 2);
}

#[test]
fn intervals_are_minutes_of_an_instrument_and_hours_of_a_ticker() {
    let mut venue = Bybit::quoted();
    let row = venue.get(
        "/v5/market/instruments-info",
        "category=linear&symbol=BTCUSDT",
    )["list"][0]
        .clone();
    assert_eq!(row["fundingInterval"], 480);
    let ticker =
        venue.get("/v5/market/tickers", "category=linear&symbol=BTCUSDT")["list"][0].clone();
    let told = (
        ticker["fundingIntervalHour"].as_str(),
        ticker["bid1Price"].as_str(),
        ticker["markPrice"].as_str(),
    );
    assert_eq!(told, (Some("8"), Some("36990"), Some("37000")));
    let fees =
        venue.get("/v5/account/fee-rate", "category=linear&symbol=BTCUSDT")["list"][0].clone();
    assert_eq!(fees["takerFeeRate"], "0.00055");
    let book = venue.get(
        "/v5/market/orderbook",
        "category=spot&symbol=BTCUSDT&limit=5",
    );
    assert_eq!(
        (book["b"][0][0].as_str(), book["a"][0][0].as_str()),
        (Some("36990"), Some("37010"))
    );
    let tiers = venue.get("/v5/market/risk-limit", "category=linear&symbol=BTCUSDT");
    assert_eq!(tiers["list"][1]["mmDeduction"], "50");
    let halted = venue.server.at(venue.now, |exchange| {
        exchange.set_trading(Category::Linear, BTCUSDT, false)
    });
    halted.unwrap();
    assert_eq!(
        venue.refused("/v5/order/create", &limit("linear", "Buy", "0.01", "36000")),
        110_066
    );
}
