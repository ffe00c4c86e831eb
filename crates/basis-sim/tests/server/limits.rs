//! Weights, order counts, 429 and bans.

use basis_core::transport::Response;
use basis_sim::server::binance::Limits;

use crate::kit::{Venue, body, funded, settings, unsigned};

fn venue(limits: Limits) -> Venue {
    let mut settings = settings();
    settings.limits = limits;
    Venue::with(settings, funded())
}

fn header(response: &Response, name: &str) -> Option<String> {
    let mut all = response.headers.iter();
    let found = all.find(|(candidate, _)| candidate == name)?;
    Some(found.1.clone())
}

#[test]
fn answers_carry_the_weight_used_and_a_new_minute_begins_at_zero() {
    let mut venue = venue(Limits::default());
    let response = venue.send(unsigned("GET", "/api/v3/exchangeInfo"));
    assert_eq!(header(&response, "X-MBX-USED-WEIGHT-1M").unwrap(), "20");
    let request = venue.signed("GET", "/api/v3/openOrders", "");
    let response = venue.send(request);
    assert_eq!(header(&response, "X-MBX-USED-WEIGHT-1M").unwrap(), "100");
    let response = venue.send(unsigned("GET", "/fapi/v1/time"));
    assert_eq!(
        header(&response, "X-MBX-USED-WEIGHT-1M").unwrap(),
        "1",
        "a pool of its own"
    );
    venue.later(60_000);
    let response = venue.send(unsigned("GET", "/api/v3/time"));
    assert_eq!(header(&response, "X-MBX-USED-WEIGHT-1M").unwrap(), "1");
}

#[test]
fn too_much_weight_is_refused_and_going_on_brings_a_ban() {
    let mut venue = venue(Limits {
        spot_weight_1m: 40,
        refusals_before_ban: 2,
        ban_s: 120,
        ..Limits::default()
    });
    let ask = |venue: &mut Venue| venue.send(unsigned("GET", "/api/v3/exchangeInfo"));
    assert_eq!(ask(&mut venue).status, 200);
    assert_eq!(ask(&mut venue).status, 200);
    for _ in 0..2 {
        let response = ask(&mut venue);
        assert_eq!(
            (response.status, &body(&response)["code"]),
            (429, &(-1003).into())
        );
        // 1700000000 is 20 seconds into its minute.
        assert_eq!(header(&response, "Retry-After").unwrap(), "40");
    }
    let response = ask(&mut venue);
    assert_eq!(
        (response.status, &body(&response)["code"]),
        (418, &(-1003).into())
    );
    assert_eq!(header(&response, "Retry-After").unwrap(), "120");
    let text = body(&response)["msg"].as_str().unwrap().to_owned();
    assert!(
        text.contains(&(venue.now_ms() + 120_000).to_string()),
        "{text}"
    );
    venue.later(119_999);
    assert_eq!(
        venue.send(unsigned("GET", "/fapi/v1/time")).status,
        418,
        "of the address"
    );
    venue.later(1);
    assert_eq!(ask(&mut venue).status, 200);
}

#[test]
fn spot_counts_unfilled_orders_and_usdm_counts_all() {
    let limits = Limits {
        spot_orders_10s: 2,
        usdm_orders_10s: 2,
        ..Limits::default()
    };
    let mut settings = settings();
    settings.limits = limits;
    let mut venue = Venue::with(settings, funded());
    for product in [
        basis_sim::server::binance::Product::Spot,
        basis_sim::server::binance::Product::UsdM,
    ] {
        venue.rest(product, basis_core::types::Side::Sell, "37010", "5");
    }
    let market = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01";
    let rests = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=36000";
    for _ in 0..4 {
        venue.ok("POST", "/api/v3/order", market);
    }
    venue.ok("POST", "/api/v3/order", rests);
    let request = venue.signed("POST", "/api/v3/order", rests);
    let response = venue.send(request);
    assert_eq!(header(&response, "X-MBX-ORDER-COUNT-10S").unwrap(), "2");
    assert_eq!(header(&response, "X-MBX-ORDER-COUNT-1D").unwrap(), "2");
    let request = venue.signed("POST", "/api/v3/order", rests);
    let response = venue.send(request);
    assert_eq!(
        (response.status, &body(&response)["code"]),
        (429, &(-1015).into())
    );
    assert_eq!(header(&response, "Retry-After").unwrap(), "10");
    let counts = venue.ok("GET", "/api/v3/rateLimit/order", "");
    assert_eq!(
        (&counts[0]["count"], &counts[0]["limit"]),
        (&2.into(), &2.into())
    );
    venue.ok("POST", "/fapi/v1/order", market);
    venue.ok("POST", "/fapi/v1/order", market);
    assert_eq!(
        venue.refused("POST", "/fapi/v1/order", market),
        (429, -1015)
    );
    // Cancels are not counted.
    venue.ok("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT");
    venue.later(10_000);
    venue.ok("POST", "/api/v3/order", rests);
    venue.ok("POST", "/fapi/v1/order", market);
}
