//! Margin modes, position modes, leverage: what they do and who refuses what.

use basis_core::error::Rejection;
use basis_core::instruction::{MarginMode, Operation, PerpTrade, TimeInForce};
use basis_core::ledger::EntryKind;
use basis_core::num::{Bps, Quantity};
use basis_core::types::{Item, PositionSide, Side};
use basis_core::venue_event::EventKind;

use crate::exchange::testing::*;
use crate::exchange::testing::{binance, bybit, okx};
use crate::exchange::{ExchangeProfile, PositionMode};
use basis_core::venue::TakingTerms;

const VENUES: [(&ExchangeProfile, &str); 3] = [
    (&binance::PROFILE, "usdm"),
    (&bybit::PROFILE, "unified"),
    (&okx::PROFILE, "trading"),
];

fn desk(at: usize, usdt: &str, bars: &Bars, rates: &[(i64, &str)]) -> Desk {
    let (profile, account) = VENUES[at];
    Desk::new(profile, bars, rates, &[(account, "USDT", usdt)])
}

fn isolated(at: usize, usdt: &str, bars: &Bars, rates: &[(i64, &str)]) -> Desk {
    desk(at, usdt, bars, rates).with(|settings| settings.margin_mode = MarginMode::Isolated)
}

fn hedged(at: usize) -> Desk {
    desk(at, "100000", &Bars::flat("50000"), &[])
        .with(|settings| settings.position_mode = PositionMode::Hedge)
}

fn own_margin(desk: &Desk) -> Option<Quantity> {
    desk.venue.books.positions[0].margin
}

#[test]
fn initial_margin_moves_into_an_isolated_position_and_back_in_proportion() {
    let mut desk = isolated(0, "20000", &Bars::flat("50000"), &[]);
    desk.perp(Side::Sell, "1").unwrap();
    // 50,000 ÷ 5; the fee of 25 comes out of the free cash.
    assert_eq!(own_margin(&desk), Some(q("10000")));
    assert_eq!(desk.held("usdm", "USDT"), q("19975"));
    desk.perp(Side::Buy, "0.4").unwrap();
    assert_eq!(own_margin(&desk), Some(q("6000")));
    desk.perp(Side::Sell, "0.1").unwrap();
    assert_eq!(own_margin(&desk), Some(q("7000")));
    // Through zero: 0.3 long stand on 3,000 of their own.
    desk.perp(Side::Buy, "1").unwrap();
    assert_eq!(own_margin(&desk), Some(q("3000")));
    desk.perp(Side::Sell, "0.3").unwrap();
    assert!(desk.venue.books.positions.is_empty());
}

#[test]
fn an_isolated_loss_stops_at_its_margin() {
    // p = (10,000 + 50,000 + 50) ÷ 1.005 = 59,751.24; up to the tick 59,751.3. A cross account of
    // 20,000 would have lived until 69,676.
    let bars = Bars::flat("50000").bar(2, ["50000", "62000", "50000", "61000"]);
    let mut desk = isolated(0, "20000", &bars, &[]);
    desk.perp(Side::Sell, "1").unwrap();
    let events = desk.to(2);
    assert_eq!(events.len(), 1);
    let EventKind::Liquidation(close) = &events[0].kind else {
        panic!("{events:?}")
    };
    // 10,000 − 9,751.3 leaves 248.7 for the fee.
    assert_eq!((close.price, close.fee), (p("59751.3"), q("248.7")));
    assert_eq!(close.closing, q("1"));
    // 20,000 − 25 − 10,000.
    assert_eq!(desk.held("usdm", "USDT"), q("9975"));
    assert!(desk.venue.books.positions.is_empty());
}

#[test]
fn a_gap_beyond_the_isolated_margin_is_the_insurance_fund_s() {
    let bars = Bars::flat("50000").bar(2, ["65000", "66000", "65000", "65000"]);
    let mut desk = isolated(1, "20000", &bars, &[]);
    desk.perp(Side::Sell, "1").unwrap();
    let events = desk.to(2);
    let lines = events[0].entries.iter().map(|e| (e.kind, e.quantity));
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [
            (EntryKind::Trade, q("1")),
            (EntryKind::RealizedPnl, q("-15000")),
            (EntryKind::WriteOff, q("5000")),
        ]
    );
    assert_eq!(desk.held("unified", "USDT"), q("9975"));
}

#[test]
fn funding_is_paid_out_of_the_isolated_margin() {
    let mut desk = isolated(0, "20000", &Bars::flat("50000"), &[(8, "0.001")]);
    desk.perp(Side::Buy, "1").unwrap();
    desk.to(8);
    assert_eq!(own_margin(&desk), Some(q("9950")));
    assert_eq!(desk.held("usdm", "USDT"), q("19925"));
}

#[test]
fn isolated_positions_are_liquidated_one_by_one() {
    let bars = Bars::flat("50000").bar(2, ["50000", "50000", "39000", "40000"]);
    let mut desk = isolated(0, "40000", &bars, &[]);
    desk.perp(Side::Buy, "1").unwrap();
    desk.run(perp_market(ETH, Side::Buy, "5")).unwrap();
    let events = desk.to(2);
    assert_eq!(events.len(), 1);
    let [left] = desk.venue.books.positions.as_slice() else {
        panic!("ETH stays")
    };
    assert_eq!((left.key.symbol, left.margin), (ETH, Some(q("2000"))));
}

#[test]
fn isolated_margin_is_not_free() {
    let mut desk = isolated(2, "20000", &Bars::flat("50000"), &[]);
    desk.perp(Side::Sell, "1").unwrap();
    let (funding, trading) = (desk.account("funding"), desk.account("trading"));
    let (_, text) = desk.refused(transfer("USDT", "9976", trading, funding));
    assert!(text.contains("9975 free"), "{text}");
    let (code, text) = desk.refused(perp_market(BTC, Side::Sell, "1"));
    assert_eq!(code, Some("51008"));
    // 10,000 more and the fee of 25 against 9,975 beside what is kept.
    assert!(
        text.contains("20025 USDT") && text.contains("19975"),
        "{text}"
    );
    desk.run(transfer("USDT", "9975", trading, funding))
        .unwrap();
}

#[test]
fn the_margin_mode_changes_only_when_nothing_is_open() {
    let expected = [
        ("-4048", "-4047"),
        ("3400045", "3400045"),
        ("59000", "59000"),
    ];
    for (at, (positions, orders)) in expected.into_iter().enumerate() {
        let mut desk = desk(at, "20000", &Bars::flat("50000"), &[]);
        desk.run(set_leverage("5", Some(MarginMode::Cross)))
            .unwrap();
        desk.perp(Side::Sell, "0.1").unwrap();
        let change = set_leverage("5", Some(MarginMode::Isolated));
        assert_eq!(desk.refused(change.clone()).0, Some(positions));
        desk.run(set_leverage("6", Some(MarginMode::Cross)))
            .unwrap();
        desk.perp(Side::Buy, "0.1").unwrap();
        desk.run(perp_limit(Side::Sell, "0.1", "60000", TimeInForce::Gtc))
            .unwrap();
        assert_eq!(desk.refused(change.clone()).0, Some(orders));
        let order = desk.venue.books.orders[0].instruction;
        let cancel = basis_core::instruction::CancelOrder { symbol: BTC, order };
        desk.run(Operation::CancelOrder(cancel)).unwrap();
        desk.run(change).unwrap();
        desk.perp(Side::Sell, "0.1").unwrap();
        assert_eq!(own_margin(&desk), Some(q("1000")));
    }
}

#[test]
fn only_bybit_s_margin_mode_is_the_whole_account_s() {
    for (at, mode) in [
        (0, MarginMode::Cross),
        (1, MarginMode::Isolated),
        (2, MarginMode::Cross),
    ] {
        let mut desk = desk(at, "20000", &Bars::flat("50000"), &[]);
        desk.run(set_leverage("5", Some(MarginMode::Isolated)))
            .unwrap();
        assert_eq!(desk.venue.margin_mode(BTC), MarginMode::Isolated);
        assert_eq!(desk.venue.margin_mode(ETH), mode);
    }
}

#[test]
fn leverage_of_an_isolated_position_follows_the_venue() {
    // Binance keeps the margin and refuses less leverage; the others move margin.
    let mut desk = isolated(0, "20000", &Bars::flat("50000"), &[]);
    desk.perp(Side::Sell, "1").unwrap();
    assert_eq!(desk.refused(set_leverage("4", None)).0, Some("-4161"));
    desk.run(set_leverage("10", None)).unwrap();
    assert_eq!(own_margin(&desk), Some(q("10000")));
    for (at, code) in [(1, "110012"), (2, "59108")] {
        let mut desk = isolated(at, "20000", &Bars::flat("50000"), &[]);
        desk.perp(Side::Sell, "1").unwrap();
        desk.run(set_leverage("10", None)).unwrap();
        assert_eq!(own_margin(&desk), Some(q("5000")));
        desk.run(set_leverage("4", None)).unwrap();
        assert_eq!(own_margin(&desk), Some(q("12500")));
        assert_eq!(
            desk.refused(set_leverage("2", None)).0,
            Some(code),
            "25,000"
        );
    }
}

#[test]
fn leverage_is_bound_by_the_tier_of_what_is_held() {
    for (at, code) in [(0, "-4028"), (1, "110013"), (2, "59102")] {
        let mut desk = desk(at, "100000", &Bars::flat("50000"), &[]);
        desk.perp(Side::Sell, "2").unwrap();
        let (found, text) = desk.refused(set_leverage("51", None));
        assert_eq!(found, Some(code));
        assert!(text.contains("1 to 50"), "{text}");
        desk.run(set_leverage("50", None)).unwrap();
    }
}

#[test]
fn hedge_mode_keeps_a_long_and_a_short_side_by_side() {
    let mut desk = hedged(0);
    desk.run(sided(PositionSide::Long, Side::Buy, "2")).unwrap();
    let sold = desk
        .run(sided(PositionSide::Short, Side::Sell, "1"))
        .unwrap();
    assert_eq!(
        sold.entries[0].item.to_string(),
        "binance:perp:BTCUSDT:short"
    );
    let positions: Vec<_> = desk
        .holdings()
        .into_iter()
        .filter(|row| matches!(row.item, Item::Position(_)))
        .map(|row| (row.item.to_string(), row.quantity))
        .collect();
    let expected = [
        ("binance:perp:BTCUSDT:long".to_owned(), q("2")),
        ("binance:perp:BTCUSDT:short".to_owned(), q("-1")),
    ];
    assert_eq!(positions, expected);
    desk.run(sided(PositionSide::Long, Side::Sell, "2"))
        .unwrap();
    desk.run(sided(PositionSide::Short, Side::Buy, "1"))
        .unwrap();
    // Four fills of 5 bps on 50,000 each: 50 + 25 + 50 + 25.
    assert_eq!(desk.held("usdm", "USDT"), q("99850"));
    assert_eq!(desk.holdings().len(), 1);
}

#[test]
fn both_sides_settle_funding_at_one_instant() {
    let mut desk = desk(0, "100000", &Bars::flat("50000"), &[(8, "0.0001")])
        .with(|settings| settings.position_mode = PositionMode::Hedge);
    desk.run(sided(PositionSide::Long, Side::Buy, "2")).unwrap();
    desk.run(sided(PositionSide::Short, Side::Sell, "1"))
        .unwrap();
    let events = desk.to(8);
    let causes: Vec<_> = events
        .iter()
        .map(|e| e.entries[0].cause.to_string())
        .collect();
    assert_eq!(events.len(), 2);
    assert_ne!(causes[0], causes[1]);
    assert_eq!(events[0].entries[0].quantity, q("-10"));
    assert_eq!(events[1].entries[0].quantity, q("5"));
}

#[test]
fn a_position_side_that_does_not_fit_is_refused_with_the_venue_s_code() {
    for (at, code) in [(0, "-4061"), (1, "10001"), (2, "51000")] {
        let mut one_way = desk(at, "100000", &Bars::flat("50000"), &[]);
        let long = sided(PositionSide::Long, Side::Buy, "1");
        assert_eq!(one_way.refused(long).0, Some(code));
        let plain = perp_market(BTC, Side::Buy, "1");
        assert_eq!(hedged(at).refused(plain).0, Some(code));
    }
}

#[test]
fn a_hedged_side_never_crosses_zero() {
    for (at, code) in [(0, "-2022"), (1, "110017"), (2, "51169")] {
        let mut desk = hedged(at);
        let close = |quantity| sided(PositionSide::Long, Side::Sell, quantity);
        assert_eq!(desk.refused(close("1")).0, Some(code));
        desk.run(sided(PositionSide::Long, Side::Buy, "1")).unwrap();
        assert_eq!(desk.refused(close("1.01")).0, Some(code));
        desk.run(close("0.4")).unwrap();
        desk.run(close("0.6")).unwrap();
    }
}

#[test]
fn only_binance_refuses_reduce_only_in_hedge_mode() {
    for (at, code) in [(0, Some("-1106")), (1, None), (2, None)] {
        let mut desk = hedged(at);
        desk.run(sided(PositionSide::Short, Side::Sell, "1"))
            .unwrap();
        let Operation::PerpTrade(trade) = sided(PositionSide::Short, Side::Buy, "1") else {
            panic!("a perp trade")
        };
        let close = Operation::PerpTrade(PerpTrade {
            reduce_only: true,
            ..trade
        });
        match code {
            Some(_) => assert_eq!(desk.refused(close).0, code),
            None => assert_eq!(desk.run(close).unwrap().fills.len(), 1),
        }
    }
}

#[test]
fn a_cross_account_in_hedge_mode_is_liquidated_on_its_net_loss() {
    let bars = Bars::flat("50000").bar(2, ["50000", "70000", "50000", "70000"]);
    let mut desk =
        desk(0, "20100", &bars, &[]).with(|settings| settings.position_mode = PositionMode::Hedge);
    desk.run(sided(PositionSide::Long, Side::Buy, "1")).unwrap();
    desk.run(sided(PositionSide::Short, Side::Sell, "1"))
        .unwrap();
    // Initial margin 20,000 and fees of 50. 20,050 against twice 300 at any one price; low and high
    // at once would take 20,000 away.
    assert_eq!(desk.to(2), []);
}

#[test]
fn an_insufficient_isolated_margin_says_what_is_needed() {
    let mut desk = isolated(1, "10000", &Bars::flat("50000"), &[]);
    let e = desk.perp(Side::Buy, "1").unwrap_err();
    let basis_core::error::VenueErrorKind::Rejected { reason, venue_code } = e.kind else {
        panic!("a refusal")
    };
    assert_eq!(venue_code.as_deref(), Some("110007"));
    let (needed, available) = (q("10025"), q("10000"));
    let asset = USDT;
    assert_eq!(
        reason,
        Rejection::InsufficientMargin {
            asset,
            needed,
            available
        }
    );
}

#[test]
fn a_resting_order_that_the_market_ran_over_loses_its_isolated_margin() {
    let bars = Bars::flat("50000").bar(2, ["50000", "70000", "50000", "70000"]);
    let mut desk = isolated(0, "20000", &bars, &[]);
    desk.run(perp_limit(Side::Sell, "1", "51000", TimeInForce::Gtc))
        .unwrap();
    let events = desk.to(2);
    let [fill, forced] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert!(matches!(fill.kind, EventKind::Fill(_)));
    assert!(matches!(forced.kind, EventKind::Liquidation(_)));
    // 20,000 less a maker fee of 10.2 and the margin of 10,200.
    assert_eq!(desk.held("usdm", "USDT"), q("9789.8"));
}

#[test]
fn a_taking_order_that_would_be_liquidated_at_once_is_refused() {
    let mut desk = isolated(0, "20000", &Bars::flat("50000"), &[])
        .taking(TakingTerms::fixed(Bps::literal("200")));
    desk.run(set_leverage("100", None)).unwrap();
    // 1 % of margin, 2 % from the mark.
    let (code, _) = desk.refused(perp_market(BTC, Side::Buy, "0.5"));
    assert_eq!(code, Some("-2019"));
    desk.run(set_leverage("20", None)).unwrap();
    desk.perp(Side::Buy, "0.5").unwrap();
}
