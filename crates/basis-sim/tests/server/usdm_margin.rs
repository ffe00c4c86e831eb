//! Margin, leverage, tiers, isolated positions and funding.

use basis_core::num::Rate;
use basis_core::types::Side;
use basis_sim::server::binance::Product;
use serde_json::Value;

use crate::kit::{BTCUSDT, USDT, Venue, p, q};

const ORDER: &str = "/fapi/v1/order";

fn available(venue: &mut Venue) -> Value {
    venue.ok("GET", "/fapi/v3/balance", "")[0]["availableBalance"].clone()
}

#[test]
fn an_open_order_binds_margin_and_fee_and_a_cancel_frees_them() {
    let mut venue = Venue::quoted();
    assert_eq!(available(&mut venue), "50000.00000000");
    let terms = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=36000";
    venue.ok("POST", ORDER, &format!("{terms}&newClientOrderId=a"));
    // 36000 ÷ 20 and 0.05 % of 36000.
    assert_eq!(available(&mut venue), "48182.00000000");
    let account = venue.ok("GET", "/fapi/v3/account", "");
    assert_eq!(account["totalOpenOrderInitialMargin"], "1818.00000000");
    venue.ok("DELETE", ORDER, "symbol=BTCUSDT&origClientOrderId=a");
    assert_eq!(available(&mut venue), "50000.00000000");
}

#[test]
fn an_order_beyond_margin_or_tier_is_refused() {
    let mut venue = Venue::quoted();
    venue.rest(Product::UsdM, Side::Sell, "37020", "100");
    let terms = "symbol=BTCUSDT&side=BUY&type=MARKET";
    // Of tiers up to 500,000 the position would be 518,000.
    assert_eq!(
        venue.refused("POST", ORDER, &format!("{terms}&quantity=14")),
        (400, -2027)
    );
    venue.ok("POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=5");
    assert_eq!(
        venue.refused("POST", ORDER, &format!("{terms}&quantity=10")),
        (400, -2019)
    );
    venue.ok("POST", ORDER, &format!("{terms}&quantity=5"));
    let config = venue.ok("GET", "/fapi/v1/symbolConfig", "symbol=BTCUSDT");
    assert_eq!(
        (&config[0]["leverage"], &config[0]["maxNotionalValue"]),
        (&5.into(), &"500000".into())
    );
}

#[test]
fn leverage_has_the_bounds_of_the_brackets() {
    let mut venue = Venue::quoted();
    let path = "/fapi/v1/leverage";
    let reply = venue.ok("POST", path, "symbol=BTCUSDT&leverage=100");
    assert_eq!(reply["maxNotionalValue"], "50000");
    assert_eq!(
        venue.refused("POST", path, "symbol=BTCUSDT&leverage=101"),
        (400, -4028)
    );
    assert_eq!(
        venue.refused("POST", path, "symbol=BTCUSDT&leverage=0"),
        (400, -4028)
    );
    venue.ok("POST", path, "symbol=BTCUSDT&leverage=20");
    venue.ok(
        "POST",
        ORDER,
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=2",
    );
    assert_eq!(
        venue.refused("POST", path, "symbol=BTCUSDT&leverage=100"),
        (400, -2027)
    );
    let brackets = venue.ok("GET", "/fapi/v1/leverageBracket", "symbol=BTCUSDT");
    let second = &brackets[0]["brackets"][1];
    assert_eq!(second["notionalFloor"], 50_000);
    assert_eq!(second["cum"], 50);
    assert_eq!(second["maintMarginRatio"], 0.005);
}

#[test]
fn an_isolated_position_keeps_its_own_margin() {
    let mut venue = Venue::quoted();
    let path = "/fapi/v1/marginType";
    assert_eq!(
        venue.refused("POST", path, "symbol=BTCUSDT&marginType=CROSSED"),
        (400, -4046)
    );
    let resting = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=36000";
    venue.ok("POST", ORDER, resting);
    assert_eq!(
        venue.refused("POST", path, "symbol=BTCUSDT&marginType=ISOLATED"),
        (400, -4047)
    );
    venue.ok("DELETE", "/fapi/v1/allOpenOrders", "symbol=BTCUSDT");
    venue.ok("POST", path, "symbol=BTCUSDT&marginType=ISOLATED");
    venue.ok(
        "POST",
        ORDER,
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.4",
    );
    assert_eq!(
        venue.refused("POST", path, "symbol=BTCUSDT&marginType=CROSSED"),
        (400, -4048)
    );
    let lower = venue.refused("POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=10");
    assert_eq!(lower, (400, -4161));
    let risk = venue.ok("GET", "/fapi/v3/positionRisk", "");
    // 0.4 × 37010 ÷ 20.
    assert_eq!(risk[0]["isolatedWallet"], "740.2");
    let margin = "/fapi/v1/positionMargin";
    venue.ok("POST", margin, "symbol=BTCUSDT&type=1&amount=100");
    assert_eq!(
        venue.refused("POST", margin, "symbol=BTCUSDT&type=1&amount=100000"),
        (400, -4050)
    );
    venue.ok("POST", margin, "symbol=BTCUSDT&type=2&amount=90");
    assert_eq!(
        venue.refused("POST", margin, "symbol=BTCUSDT&type=2&amount=90"),
        (400, -4051)
    );
    let risk = venue.ok("GET", "/fapi/v3/positionRisk", "");
    assert_eq!(risk[0]["isolatedWallet"], "750.2");
    let balance = venue.ok("GET", "/fapi/v3/balance", "");
    // The fee of 7.402 is paid; the isolated margin is not cross.
    assert_eq!(balance[0]["balance"], "49992.59800000");
    assert_eq!(balance[0]["crossWalletBalance"], "49242.39800000");
}

#[test]
fn the_liquidation_price_of_an_isolated_long_is_binance_s_formula() {
    let mut venue = Venue::quoted();
    venue.ok(
        "POST",
        "/fapi/v1/marginType",
        "symbol=BTCUSDT&marginType=ISOLATED",
    );
    venue.ok(
        "POST",
        ORDER,
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1",
    );
    let risk = venue.ok("GET", "/fapi/v3/positionRisk", "");
    // (wallet + cum − entry) ÷ (rate − 1), with 37010 ÷ 20, 0 and 0.004.
    assert_eq!(risk[0]["liquidationPrice"], "35300.70281124");
}

#[test]
fn funding_moves_from_longs_to_shorts_at_its_instant_and_is_listed() {
    let mut venue = Venue::quoted();
    venue.ok(
        "POST",
        ORDER,
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.5",
    );
    let now = venue.now;
    venue.server.at(now, |exchange| {
        exchange
            .set_funding_rate(BTCUSDT, Rate::literal("0.0001"))
            .unwrap();
        exchange.set_mark(BTCUSDT, p("38000"), p("38000")).unwrap();
    });
    let index = venue.get("/fapi/v1/premiumIndex?symbol=BTCUSDT");
    let next = index["nextFundingTime"].as_i64().unwrap();
    assert_eq!(next % (8 * 3_600_000), 0);
    assert_eq!(index["lastFundingRate"], "0.00010000");
    let before = venue.server.exchange().usdm_balance(venue.account, USDT);
    venue.later(next - venue.now_ms() - 1);
    let income = venue.ok("GET", "/fapi/v1/income", "incomeType=FUNDING_FEE");
    assert_eq!(income.as_array().unwrap().len(), 0);
    venue.later(1);
    let income = venue.ok("GET", "/fapi/v1/income", "incomeType=FUNDING_FEE");
    assert_eq!(
        (&income[0]["income"], &income[0]["time"]),
        (&"-1.90000000".into(), &next.into())
    );
    let after = venue.server.exchange().usdm_balance(venue.account, USDT);
    assert_eq!(before.sub(after).unwrap(), q("1.9"));
    let history = venue.get("/fapi/v1/fundingRate?symbol=BTCUSDT");
    assert_eq!(
        (&history[0]["fundingTime"], &history[0]["markPrice"]),
        (&next.into(), &"38000.00000000".into())
    );
    let index = venue.get("/fapi/v1/premiumIndex?symbol=BTCUSDT");
    assert_eq!(index["nextFundingTime"], next + 8 * 3_600_000);
    assert_eq!(venue.get("/fapi/v1/fundingInfo"), Value::Array(Vec::new()));
}
