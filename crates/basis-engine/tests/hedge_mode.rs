//! The books hold and price both sides of a perpetual that a venue keeps in hedge mode.

#![expect(clippy::unwrap_used, reason = "helpers of a test")]

use std::sync::Arc;

use basis_core::ledger::{Cause, EntryKind, LedgerEntry, Occurrence, TradeId};
use basis_core::market::{BarColumns, MarketData, MarketView, SeriesRequest, ViewPolicy};
use basis_core::num::{Price, Quantity, Rounding, Value};
use basis_core::types::{
    Account, Asset, InstrumentKey, InstrumentKind, Item, Label, PositionSide, SeriesId, SeriesKind,
    Span, Symbol, Timestamp, Venue,
};
use basis_engine::account::{Books, Pricing};

const BINANCE: Venue = Venue::literal("binance");
const BTC: Symbol = Symbol::literal("BTCUSDT");
const USDT: Asset = Asset::literal("USDT");
const USDM: Account = Account::new(BINANCE, Label::literal("usdm"));

/// Spot and perp at 50,000 in the first hour, 51,000 in the second.
fn view() -> MarketView {
    let mut data = MarketData::new("in code", true);
    let mut requests = Vec::new();
    for kind in [SeriesKind::Spot, SeriesKind::Perp] {
        let id = SeriesId::new(kind, BINANCE, BTC);
        let prices = vec![Price::literal("50000"), Price::literal("51000")];
        let opened = [0, 1].map(|hour| Timestamp::from_seconds(hour * 3600));
        data.add_bars(BarColumns {
            id,
            length: Span::from_hours(1),
            opened_at: opened.to_vec(),
            open: prices.clone(),
            high: prices.clone(),
            low: prices.clone(),
            close: prices,
            volume: vec![Quantity::literal("1"); 2],
        })
        .unwrap();
        requests.push(SeriesRequest {
            id,
            reference: None,
        });
    }
    MarketView::new(Arc::new(data), &requests, ViewPolicy::default()).unwrap()
}

fn line(
    side: PositionSide,
    trade: u64,
    number: u8,
    (item, kind): (Item, EntryKind),
    quantity: &str,
    price: &str,
) -> LedgerEntry {
    let quantity: Quantity = quantity.parse().unwrap();
    let price: Price = price.parse().unwrap();
    let instrument = perp().sided(Some(side));
    let trade = TradeId::Number(trade);
    LedgerEntry {
        at: Timestamp::from_seconds(3600),
        account: USDM,
        item,
        quantity,
        units: quantity,
        value: quantity.notional(price, Rounding::HalfEven).unwrap(),
        kind,
        instruction: None,
        reference_price: price,
        cause: Cause::new(Occurrence::Trade { instrument, trade }, number),
    }
}

fn perp() -> InstrumentKey {
    InstrumentKey::new(BINANCE, InstrumentKind::Perp, BTC)
}

fn position(side: PositionSide) -> Item {
    Item::Position(perp().sided(Some(side)))
}

#[test]
fn both_sides_are_held_apart_priced_alike_and_settled_each_on_its_own_cost() {
    let mut view = view();
    view.advance_to(Timestamp::from_seconds(3600)).unwrap();
    let pricing = Pricing {
        base: Asset::literal("BTC"),
        symbol: BTC,
        reference: SeriesId::new(SeriesKind::Spot, BINANCE, BTC),
    };
    let mut books = Books::new(pricing, &view).unwrap();
    for (side, trade, quantity) in [(PositionSide::Long, 1, "2"), (PositionSide::Short, 2, "-1")] {
        let trade_line = (position(side), EntryKind::Trade);
        let entry = line(side, trade, 0, trade_line, quantity, "50000");
        assert!(books.post(&view, entry).unwrap());
    }
    assert_eq!(books.value(&view).unwrap(), Value::ZERO);
    view.advance_to(Timestamp::from_seconds(7200)).unwrap();
    // +2 × 1,000 − 1 × 1,000.
    assert_eq!(books.value(&view).unwrap(), Value::literal("1000"));
    // The short is bought back: its loss is settled against its own cost, the long's stays.
    let short = PositionSide::Short;
    let closing = (position(short), EntryKind::Trade);
    books
        .post(&view, line(short, 3, 0, closing, "1", "51000"))
        .unwrap();
    let result = (Item::Asset(USDT), EntryKind::RealizedPnl);
    books
        .post(&view, line(short, 3, 1, result, "-1000", "1"))
        .unwrap();
    assert_eq!(books.value(&view).unwrap(), Value::literal("1000"));
    assert_eq!(books.quantity(USDM, position(short)), Quantity::ZERO);
    let long = books.holding(USDM, position(PositionSide::Long)).unwrap();
    assert_eq!(
        (long.quantity, long.cost),
        (Quantity::literal("2"), Value::literal("100000"))
    );
    let short = books.holding(USDM, position(short)).unwrap();
    assert_eq!(short.cost, Value::ZERO);
}
