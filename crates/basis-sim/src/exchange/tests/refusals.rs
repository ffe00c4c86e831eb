//! Every refusal with the venue's code.

use basis_core::instruction::{CancelOrder, Operation, TimeInForce};
use basis_core::types::{InstructionId, Side, Symbol};

use crate::exchange::ExchangeProfile;
use crate::exchange::testing::*;
use crate::exchange::testing::{binance, bybit, okx};

const VENUES: [(&ExchangeProfile, &str, &str); 3] = [
    (&binance::PROFILE, "spot", "usdm"),
    (&bybit::PROFILE, "unified", "unified"),
    (&okx::PROFILE, "trading", "trading"),
];

fn desk(at: usize) -> Desk {
    let (profile, spot, perp) = VENUES[at];
    let mut balances = vec![(spot, "USDT", "100000"), (spot, "BTC", "10")];
    if perp != spot {
        balances.push((perp, "USDT", "100000"));
    }
    Desk::new(profile, &Bars::flat("50000"), &[], &balances)
}

fn codes(operation: &Operation) -> [Option<&'static str>; 3] {
    [0, 1, 2].map(|at| desk(at).refused(operation.clone()).0)
}

fn some(codes: [&'static str; 3]) -> [Option<&'static str>; 3] {
    codes.map(Some)
}

#[test]
fn an_instrument_the_venue_does_not_list_is_refused() {
    let unknown = perp_market(Symbol::literal("DOGEUSDT"), Side::Buy, "1");
    assert_eq!(codes(&unknown), some(["-1121", "10001", "51001"]));
}

#[test]
fn spot_filters_refuse_with_the_venue_s_codes() {
    let market = |quantity| spot_market(Side::Buy, quantity);
    let limit = |price| spot_limit(Side::Buy, "0.01", price, TimeInForce::Gtc);
    let filter = Some("-1013");
    let expect = |operation: Operation, bybit, okx| {
        assert_eq!(codes(&operation), [filter, Some(bybit), Some(okx)]);
    };
    expect(market("0"), "170130", "51000");
    expect(market("-1"), "170130", "51000");
    expect(market("0.000101"), "170137", "51121");
    expect(market("0.00009"), "170136", "51020");
    expect(market("90.00001"), "170124", "51005");
    expect(limit("50000.001"), "170134", "51000");
    expect(
        spot_limit(Side::Buy, "0.0001", "1000", TimeInForce::Gtc),
        "170140",
        "51020",
    );
}

#[test]
fn perp_filters_refuse_with_the_venue_s_codes() {
    let market = |quantity| perp_market(BTC, Side::Buy, quantity);
    assert_eq!(codes(&market("0")), some(["-4003", "10001", "51000"]));
    assert_eq!(codes(&market("0.0105")), some(["-1111", "10001", "51121"]));
    assert_eq!(desk(0).refused(market("121")).0, Some("-4005"));
    assert_eq!(
        desk(0).refused(market("0.001")).0,
        Some("-4164"),
        "50 of 100 USDT"
    );
    assert_eq!(desk(1).refused(market("0.001")).0, Some("110094"));
    let off_tick = perp_limit(Side::Buy, "0.1", "50000.05", TimeInForce::Gtc);
    assert_eq!(codes(&off_tick), some(["-4014", "10001", "51000"]));
}

#[test]
fn okx_speaks_of_contracts() {
    let (code, text) = desk(2).refused(perp_market(BTC, Side::Buy, "0.015"));
    assert_eq!(code, Some("51121"));
    assert!(
        text.contains("1.5 contracts of 0.01 BTC (0.015 BTC)"),
        "{text}"
    );
}

#[test]
fn only_binance_waives_the_minimum_for_reduce_only() {
    for (at, code) in [(0, None), (1, Some("110094"))] {
        let mut desk = desk(at);
        desk.perp(Side::Sell, "0.1").unwrap();
        match code {
            None => assert_eq!(
                desk.run(reduce_only(Side::Buy, "0.001"))
                    .unwrap()
                    .fills
                    .len(),
                1
            ),
            code => assert_eq!(desk.refused(reduce_only(Side::Buy, "0.001")).0, code),
        }
    }
}

#[test]
fn reduce_only_without_a_position_is_refused() {
    let close = reduce_only(Side::Buy, "0.1");
    assert_eq!(codes(&close), some(["-2022", "110017", "51169"]));
}

#[test]
fn insufficient_balance_names_what_is_needed_and_free() {
    let buy = spot_market(Side::Buy, "3");
    assert_eq!(codes(&buy), some(["-2010", "170131", "51008"]));
    let (_, text) = desk(1).refused(buy);
    assert!(
        text.contains("150150 USDT needed, 100000 free"),
        "fee included: {text}"
    );
    let sell = spot_market(Side::Sell, "11");
    assert_eq!(codes(&sell), some(["-2010", "170131", "51008"]));
}

#[test]
fn insufficient_margin_and_the_last_tier_are_refused() {
    // Leverage 5 on 100,000 carries less than 500,000 of notional and the fee.
    let large = perp_market(BTC, Side::Sell, "10");
    assert_eq!(codes(&large), some(["-2019", "110007", "51008"]));
    let above = perp_market(BTC, Side::Sell, "10.1");
    let limits = [Some("-2027"), Some("110090"), None];
    assert_eq!(desk(0).refused(above.clone()).0, limits[0]);
    assert_eq!(desk(1).refused(above).0, limits[1]);
    let okx = desk(2).refused(perp_market(BTC, Side::Sell, "10.1"));
    assert_eq!(okx.0, Some("51004"));
}

#[test]
fn post_only_that_would_take_is_refused() {
    let spot = spot_limit(Side::Buy, "0.1", "50000", TimeInForce::PostOnly);
    assert_eq!(codes(&spot), [Some("-2010"), None, None]);
    let perp = perp_limit(Side::Buy, "0.1", "50001", TimeInForce::PostOnly);
    assert_eq!(codes(&perp), [Some("-5022"), None, None]);
    assert!(
        desk(1)
            .refused(perp)
            .1
            .contains("EC_PostOnlyWillTakeLiquidity")
    );
}

#[test]
fn immediate_orders_that_cannot_fill_end_as_the_venue_ends_them() {
    let ioc = perp_limit(Side::Buy, "0.1", "49000", TimeInForce::Ioc);
    let fok = perp_limit(Side::Buy, "0.1", "49000", TimeInForce::Fok);
    for at in 0..3 {
        let mut desk = desk(at);
        assert!(desk.run(ioc.clone()).unwrap().fills.is_empty());
        assert!(desk.venue.books.orders.is_empty());
        if at > 0 {
            assert!(desk.run(fok.clone()).unwrap().fills.is_empty());
        }
    }
    assert_eq!(desk(0).refused(fok).0, Some("-5021"));
}

#[test]
fn an_order_that_is_not_open_cannot_be_canceled() {
    let cancel = Operation::CancelOrder(CancelOrder {
        symbol: BTC,
        order: InstructionId::plain(77),
    });
    assert_eq!(codes(&cancel), some(["-2011", "110001", "51400"]));
}

#[test]
fn no_order_is_placed_on_a_stale_market() {
    let bars = Bars::flat("50000").gap(3);
    let balances = [("spot", "USDT", "100000")];
    let mut desk = Desk::new(&binance::PROFILE, &bars, &[], &balances);
    desk.to(3);
    let (code, text) = desk.refused(spot_market(Side::Buy, "0.1"));
    assert_eq!(code, None);
    assert!(
        text.contains("spot.binance.BTCUSDT has no fresh price"),
        "{text}"
    );
    desk.to(4);
    desk.run(spot_market(Side::Buy, "0.1")).unwrap();
}

#[test]
fn what_a_venue_does_not_do_is_unsupported() {
    let stake = Operation::Atomic(Vec::new());
    let (code, text) = desk(0).refused(stake);
    assert_eq!(code, None);
    assert!(text.contains("unsupported"), "{text}");
}
