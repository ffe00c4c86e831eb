//! The books against hand-made events: idempotence, sums, attribution.

use std::sync::Arc;

use basis_core::error::Code;
use basis_core::ledger::{EntryKind, TradeId};
use basis_core::num::{Price, Quantity, Rate, Value};
use basis_core::types::{
    Account, Asset, InstrumentKey, InstrumentKind, Item, Label, SeriesId, Side, Span, Symbol,
    Timestamp, Venue,
};
use basis_core::venue_event::{
    Adoption, BalanceChange, CapitalFlow, EventKind, Fill, FlowId, LiquiditySide, OtherEvent,
    VenueEvent,
};
use basis_market::{BarColumns, MarketData, MarketView, SeriesRequest, ViewPolicy};

use super::{Books, Posted, Pricing};

const ALPHA: Venue = Venue::literal("alpha");
const BTC: Asset = Asset::literal("BTC");
const USDT: Asset = Asset::literal("USDT");
const SYMBOL: Symbol = Symbol::literal("BTCUSDT");
const MAIN: Account = Account::new(ALPHA, Label::literal("main"));

fn spot() -> SeriesId {
    InstrumentKey::new(ALPHA, InstrumentKind::Spot, SYMBOL).series()
}

fn perp() -> InstrumentKey {
    InstrumentKey::new(ALPHA, InstrumentKind::Perp, SYMBOL)
}

/// Hourly closes of spot and perp, seen from the first close on.
fn view(spots: &[&str], perps: &[&str]) -> MarketView {
    from_hours([(spot(), 0, spots), (perp().series(), 0, perps)])
}

/// As [`view`], the perp's only bar an hour after spot's first of two.
fn late_perp(spot_close: &str, perp_close: &str) -> MarketView {
    let spots = [spot_close; 2];
    from_hours([(spot(), 0, &spots), (perp().series(), 1, &[perp_close])])
}

fn from_hours(series: [(SeriesId, i64, &[&str]); 2]) -> MarketView {
    let mut data = MarketData::new("bars in code", true);
    for (id, first, closes) in series {
        let close: Vec<Price> = closes.iter().map(|text| text.parse().unwrap()).collect();
        let hours = i64::try_from(close.len()).unwrap();
        let opened = (first..first + hours)
            .map(|hour| Timestamp::EPOCH.plus(Span::from_hours(hour)))
            .collect();
        let volume = vec![Quantity::literal("1"); close.len()];
        let series = BarColumns {
            id,
            length: Span::HOUR,
            opened_at: opened,
            open: close.clone(),
            high: close.clone(),
            low: close.clone(),
            close,
            volume,
        };
        data.add_bars(series).unwrap();
    }
    let requests = [spot(), perp().series()].map(|id| SeriesRequest {
        id,
        reference: None,
    });
    let mut view = MarketView::new(Arc::new(data), &requests, ViewPolicy::default()).unwrap();
    view.advance_to(Timestamp::EPOCH.plus(Span::HOUR)).unwrap();
    view
}

fn books(view: &MarketView) -> Books {
    let pricing = Pricing {
        base: BTC,
        symbol: SYMBOL,
        reference: spot(),
    };
    Books::new(pricing, view).unwrap()
}

fn event(kind: EventKind) -> VenueEvent {
    VenueEvent::new(ALPHA, Timestamp::EPOCH, Timestamp::EPOCH, kind)
}

fn deposit(number: u32, asset: Asset, amount: &str) -> VenueEvent {
    event(EventKind::CapitalFlow(CapitalFlow {
        id: FlowId {
            scheduled: Timestamp::EPOCH,
            number,
            part: 0,
        },
        account: MAIN,
        asset,
        amount: amount.parse().unwrap(),
    }))
}

/// A fill of two at 100.5 in spot while the mark is 100, with one percent of fee in base.
fn bought() -> Fill {
    Fill {
        instruction: None,
        account: MAIN,
        trade: TradeId::Number(2),
        instrument: InstrumentKey::new(ALPHA, InstrumentKind::Spot, SYMBOL),
        base: BTC,
        quote: USDT,
        side: Side::Buy,
        quantity: Quantity::literal("2"),
        price: Price::literal("100.5"),
        turnover: Quantity::literal("201"),
        reference: Price::literal("100"),
        fee_asset: BTC,
        fee: Quantity::literal("0.02"),
        fee_rate: Rate::literal("0.01"),
        liquidity: LiquiditySide::Taker,
        realized: None,
        covered: Quantity::ZERO,
    }
}

/// A fill of the perp without a fee.
fn perp_fill(
    trade: u64,
    (side, quantity): (Side, &str),
    price: &str,
    reference: &str,
    realized: Option<&str>,
) -> VenueEvent {
    let fill = Fill {
        trade: TradeId::Number(trade),
        instrument: perp(),
        side,
        quantity: quantity.parse().unwrap(),
        price: price.parse().unwrap(),
        turnover: Quantity::ZERO,
        reference: reference.parse().unwrap(),
        fee_asset: USDT,
        fee: Quantity::ZERO,
        realized: realized.map(Quantity::literal),
        ..bought()
    };
    event(EventKind::Fill(Box::new(fill)))
}

fn post(books: &mut Books, view: &MarketView, events: impl IntoIterator<Item = VenueEvent>) {
    for event in events {
        let posted = books.post(view, &event).unwrap();
        assert!(matches!(posted, Posted::New { .. }), "{event:?}");
    }
}

#[test]
fn the_same_event_posts_once() {
    let view = view(&["100"], &["100"]);
    let mut books = books(&view);
    let first = deposit(0, USDT, "50");
    let new = |lines| Posted::New {
        lines,
        unpriced: Vec::new(),
        marks: Vec::new(),
    };
    assert_eq!(books.post(&view, &first).unwrap(), new(0..1));
    assert_eq!(books.post(&view, &first).unwrap(), Posted::Repeated);
    let second = deposit(1, USDT, "50");
    assert_eq!(books.post(&view, &second).unwrap(), new(1..2));
    assert_eq!(
        books.quantity(MAIN, Item::Asset(USDT)),
        Quantity::literal("100")
    );
    assert_eq!(books.ledger().len(), 2);
}

#[test]
fn a_step_of_spot_against_a_short_is_explained_to_the_last_unit() {
    let mut view = view(&["100", "110"], &["101", "113"]);
    let mut books = books(&view);
    post(
        &mut books,
        &view,
        [
            deposit(0, USDT, "1000"),
            event(EventKind::Fill(Box::new(bought()))),
            // Two sold short at 100.9 while the mark is 101.
            perp_fill(3, (Side::Sell, "2"), "100.9", "101", None),
        ],
    );
    let first = books.close_step(&view).unwrap();
    assert_eq!(first.external_flow, Value::literal("1000"));
    assert_eq!(
        first.attribution.slippage,
        Value::literal("-1.2"),
        "2 × 0.5 and 2 × 0.1"
    );
    assert_eq!(first.attribution.fees, Value::literal("-2"));
    assert_eq!(first.equity, Value::literal("996.8"));
    assert_eq!(first.attribution.residual, Value::ZERO);
    view.advance_to(Timestamp::EPOCH.plus(Span::from_hours(2)))
        .unwrap();
    let second = books.close_step(&view).unwrap();
    // Net delta −0.02 while spot rises by 10; the short loses the 2 by which the perp rose further.
    assert_eq!(second.attribution.price, Value::literal("-0.2"));
    assert_eq!(second.attribution.basis, Value::literal("-4"));
    assert_eq!(second.net_delta, Quantity::literal("-0.02"));
    assert_eq!(second.equity, Value::literal("992.6"));
    assert_eq!(second.attribution.residual, Value::ZERO);
}

#[test]
fn a_realised_result_moves_between_cash_and_open_cost() {
    let view = view(&["100"], &["90"]);
    let mut books = books(&view);
    post(
        &mut books,
        &view,
        [
            perp_fill(1, (Side::Sell, "2"), "100", "90", None),
            perp_fill(2, (Side::Buy, "1"), "90", "90", Some("10")),
        ],
    );
    let held = books.holding(MAIN, Item::Position(perp())).unwrap();
    assert_eq!(
        (held.quantity, held.cost),
        (Quantity::literal("-1"), Value::literal("-100"))
    );
    // Ten realised, ten still open: −90 + 100.
    assert_eq!(books.value(&view).unwrap(), Value::literal("20"));
}

#[test]
fn a_position_taken_over_counts_its_open_result_as_capital() {
    let mut view = view(&["100", "110"], &["90", "95"]);
    let mut books = books(&view);
    let adoption = Adoption {
        account: MAIN,
        item: Item::Position(perp()),
        quantity: Quantity::literal("-2"),
        units: Quantity::literal("-2"),
        entry_price: Some(Price::literal("100")),
    };
    post(
        &mut books,
        &view,
        [event(EventKind::Adoption(Box::new(adoption)))],
    );
    let held = books.holding(MAIN, Item::Position(perp())).unwrap();
    assert_eq!(held.cost, Value::literal("-200"));
    let first = books.close_step(&view).unwrap();
    // Sold at 100 and marked at 90.
    assert_eq!(first.external_flow, Value::literal("20"));
    assert_eq!(first.equity, Value::literal("20"));
    assert_eq!(first.attribution.residual, Value::ZERO);
    view.advance_to(Timestamp::EPOCH.plus(Span::from_hours(2)))
        .unwrap();
    let second = books.close_step(&view).unwrap();
    assert_eq!(second.equity, Value::literal("10"));
    assert_eq!(second.external_flow, Value::ZERO);
    assert_eq!(second.attribution.residual, Value::ZERO);
    // Bought back at 95: ten of the twenty were there before.
    post(
        &mut books,
        &view,
        [perp_fill(9, (Side::Buy, "2"), "95", "95", None)],
    );
    let cash = books.quantity(MAIN, Item::Asset(USDT));
    assert_eq!(cash, Quantity::literal("10"));
    assert_eq!(books.value(&view).unwrap(), Value::literal("10"));
}

#[test]
fn an_asset_without_a_price_counts_as_nothing_and_is_listed() {
    let view = view(&["100"], &["100"]);
    let mut books = books(&view);
    let doge = Asset::literal("DOGE");
    let strange = (MAIN, Item::Asset(doge));
    let posted = books.post(&view, &deposit(0, doge, "5")).unwrap();
    let expected = Posted::New {
        lines: 0..1,
        unpriced: vec![strange],
        marks: Vec::new(),
    };
    assert_eq!(posted, expected);
    post(&mut books, &view, [deposit(1, USDT, "70")]);
    let first = books.close_step(&view).unwrap();
    assert_eq!(books.unpriced(), [strange]);
    assert_eq!(first.equity, Value::literal("70"));
    assert_eq!(first.external_flow, Value::literal("70"));
    assert_eq!(first.attribution.residual, Value::ZERO);
    assert_eq!(books.holding(MAIN, strange.1).unwrap().mark(), None);
    post(&mut books, &view, [deposit(2, doge, "-5")]);
    let second = books.close_step(&view).unwrap();
    assert_eq!(second.equity, Value::literal("70"));
    assert_eq!(second.attribution.residual, Value::ZERO);
    assert!(books.unpriced().is_empty());
}

#[test]
fn a_position_that_the_view_does_not_carry_counts_as_nothing() {
    let view = view(&["100"], &["100"]);
    let mut books = books(&view);
    let unseen = InstrumentKey::new(ALPHA, InstrumentKind::Perp, Symbol::literal("DOGEUSDT"));
    let fill = Fill {
        instrument: unseen,
        base: Asset::literal("DOGE"),
        fee_asset: USDT,
        fee: Quantity::ZERO,
        ..bought()
    };
    post(&mut books, &view, [event(EventKind::Fill(Box::new(fill)))]);
    let close = books.close_step(&view).unwrap();
    assert_eq!(books.unpriced(), [(MAIN, Item::Position(unseen))]);
    assert_eq!(close.equity, Value::literal("-201"), "its open cost");
    assert_eq!(close.attribution.residual, Value::ZERO);
}

#[test]
fn what_gets_its_first_price_counts_from_then_on() {
    // The perp's bars begin an hour after spot's.
    let mut view = late_perp("100", "90");
    let mut books = books(&view);
    let adoption = Adoption {
        account: MAIN,
        item: Item::Position(perp()),
        quantity: Quantity::literal("2"),
        units: Quantity::literal("2"),
        entry_price: Some(Price::literal("80")),
    };
    post(
        &mut books,
        &view,
        [event(EventKind::Adoption(Box::new(adoption)))],
    );
    let first = books.close_step(&view).unwrap();
    assert_eq!(first.equity, Value::literal("-160"));
    assert_eq!(first.attribution.residual, Value::ZERO);
    assert_eq!(books.unpriced(), [(MAIN, Item::Position(perp()))]);
    view.advance_to(Timestamp::EPOCH.plus(Span::from_hours(2)))
        .unwrap();
    let second = books.close_step(&view).unwrap();
    assert_eq!(second.equity, Value::literal("20"));
    assert_eq!(second.attribution.basis, Value::literal("180"));
    assert_eq!(second.attribution.residual, Value::ZERO);
    assert!(books.unpriced().is_empty());
}

#[test]
fn a_result_without_its_position_is_refused() {
    let view = view(&["100"], &["100"]);
    let mut books = books(&view);
    let orphan = BalanceChange::asset(EntryKind::RealizedPnl, MAIN, USDT, Quantity::literal("10"));
    let orphan = OtherEvent {
        id: "orphan".into(),
        name: Label::literal("result"),
        instruction: None,
        changes: vec![orphan],
    };
    let e = books
        .post(&view, &event(EventKind::Other(Box::new(orphan))))
        .unwrap_err();
    assert_eq!(e.code, Code::VenueEventInvalid);
    assert!(books.ledger().is_empty());
}
