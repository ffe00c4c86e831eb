//! The price of a line whose event states none.

use super::super::price::Marks;
use super::*;

fn price(asset: Asset, venue: Venue) -> Option<Price> {
    view().price(asset, venue).unwrap()
}

fn some(text: &str) -> Option<Price> {
    Some(Price::literal(text))
}

#[test]
fn a_dollar_token_is_one_dollar_everywhere() {
    for asset in ["USDT", "USDC", "DAI", "USD"] {
        assert_eq!(price(Asset::literal(asset), ALPHA), some("1"));
    }
}

#[test]
fn the_reporting_venue_s_own_quote_comes_before_the_mark() {
    assert_eq!(price(ETH, ALPHA), some("3000"));
    assert_eq!(price(ETH, BETA), some("3010"));
    assert_eq!(price(ETH, POOL), some("3000"));
    assert_eq!(price(BTC, BETA), some("50000"), "beta has no BTC");
}

#[test]
fn tokens_have_the_mark_of_what_they_stand_for() {
    assert_eq!(price(WETH, BETA), some("3000"));
    assert_eq!(price(WSTETH, POOL), some("3600"));
    assert_eq!(price(XYZ, POOL), None);
}

#[test]
fn a_series_that_has_shown_nothing_is_no_price() {
    let ids = ["spot.alpha.ETHUSDT", "spot.gamma.ETHUSDT"];
    let requests = ids.map(|id| SeriesRequest {
        id: id.parse().unwrap(),
        reference: None,
    });
    let mut data = MarketData::new("bars in code", true);
    for (id, opens) in ids.into_iter().zip([1, 5]) {
        let price = vec![Price::literal("3000")];
        data.add_bars(BarColumns {
            id: id.parse().unwrap(),
            length: Span::HOUR,
            opened_at: vec![Timestamp::EPOCH.plus(Span::from_hours(opens))],
            open: price.clone(),
            high: price.clone(),
            low: price.clone(),
            close: price,
            volume: vec![Quantity::literal("1")],
        })
        .unwrap();
    }
    let mut view = MarketView::new(Arc::new(data), &requests, ViewPolicy::default()).unwrap();
    view.advance_to(now()).unwrap();
    assert_eq!(view.price(ETH, ALPHA).unwrap(), some("3000"));
    let gamma = Venue::literal("gamma");
    assert_eq!(
        view.price(ETH, gamma).unwrap(),
        None,
        "its own quote, whatever its state"
    );
}
