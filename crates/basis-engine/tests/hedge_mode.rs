//! The books hold and price both sides of a perpetual that a venue keeps in hedge mode.

#![expect(clippy::unwrap_used, reason = "helpers of a test")]

use std::sync::Arc;

use basis_core::ledger::TradeId;
use basis_core::num::{Price, Quantity, Rate, Value};
use basis_core::types::{
    Account, Asset, InstrumentKey, InstrumentKind, Item, Label, PositionSide, SeriesId, SeriesKind,
    Side, Span, Symbol, Timestamp, Venue,
};
use basis_core::venue_event::{EventKind, Fill, LiquiditySide, VenueEvent};
use basis_engine::account::{Books, Posted, Pricing};
use basis_market::{BarColumns, MarketData, MarketView, SeriesRequest, ViewPolicy};

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

/// A fill without a fee at its own reference.
fn fill(
    position: PositionSide,
    trade: u64,
    (side, quantity): (Side, &str),
    price: &str,
    realized: &str,
) -> VenueEvent {
    let fill = Fill {
        instruction: None,
        account: USDM,
        trade: TradeId::Number(trade),
        instrument: perp().sided(Some(position)),
        base: Asset::literal("BTC"),
        quote: USDT,
        side,
        quantity: quantity.parse().unwrap(),
        price: price.parse().unwrap(),
        turnover: Quantity::ZERO,
        reference: price.parse().unwrap(),
        fee_asset: USDT,
        fee: Quantity::ZERO,
        fee_rate: Rate::ZERO,
        liquidity: LiquiditySide::Taker,
        realized: Some(realized.parse().unwrap()),
        covered: Quantity::ZERO,
    };
    let at = Timestamp::from_seconds(3600);
    VenueEvent::new(BINANCE, at, at, EventKind::Fill(Box::new(fill)))
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
    let opened = [
        fill(PositionSide::Long, 1, (Side::Buy, "2"), "50000", "0"),
        fill(PositionSide::Short, 2, (Side::Sell, "1"), "50000", "0"),
    ];
    for opened in opened {
        let posted = books.post(&view, &opened).unwrap();
        assert!(matches!(posted, Posted::New { .. }));
    }
    assert_eq!(books.value(&view).unwrap(), Value::ZERO);
    view.advance_to(Timestamp::from_seconds(7200)).unwrap();
    // +2 × 1,000 − 1 × 1,000.
    assert_eq!(books.value(&view).unwrap(), Value::literal("1000"));
    // The short is bought back: its loss is settled against its own cost, the long's stays.
    let short = PositionSide::Short;
    let closed = fill(short, 3, (Side::Buy, "1"), "51000", "-1000");
    books.post(&view, &closed).unwrap();
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
