//! The books against hand-made lines: idempotence, sums, attribution.

use std::sync::Arc;

use basis_core::error::Code;
use basis_core::ledger::{Cause, EntryKind, LedgerEntry, Occurrence, TradeId};
use basis_core::market::{BarColumns, MarketData, MarketView, SeriesRequest, ViewPolicy};
use basis_core::num::{Price, Quantity, Value};
use basis_core::types::{
    Account, Asset, InstrumentKey, InstrumentKind, Item, Label, SeriesId, Span, Symbol, Timestamp,
    Venue,
};

use super::{Books, Pricing};

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
    let mut data = MarketData::new("bars in code", true);
    for (id, closes) in [(spot(), spots), (perp().series(), perps)] {
        let close: Vec<Price> = closes.iter().map(|text| text.parse().unwrap()).collect();
        let hours = i64::try_from(close.len()).unwrap();
        let opened = (0..hours)
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

fn line(
    item: Item,
    quantity: &str,
    value: &str,
    kind: EntryKind,
    reference: &str,
    trade: u64,
    line: u8,
) -> LedgerEntry {
    LedgerEntry {
        at: Timestamp::EPOCH,
        account: MAIN,
        item,
        quantity: quantity.parse().unwrap(),
        units: quantity.parse().unwrap(),
        value: value.parse().unwrap(),
        kind,
        instruction: None,
        reference_price: reference.parse().unwrap(),
        cause: Cause::new(
            Occurrence::Trade {
                instrument: perp(),
                trade: TradeId::Number(trade),
            },
            line,
        ),
    }
}

fn post(books: &mut Books, view: &MarketView, entries: impl IntoIterator<Item = LedgerEntry>) {
    for entry in entries {
        assert!(books.post(view, entry).unwrap());
    }
}

#[test]
fn the_same_cause_posts_once() {
    let view = view(&["100"], &["100"]);
    let mut books = books(&view);
    let deposit = line(Item::Asset(USDT), "50", "50", EntryKind::Deposit, "1", 1, 0);
    assert!(books.post(&view, deposit.clone()).unwrap());
    assert!(!books.post(&view, deposit.clone()).unwrap());
    let other_line = LedgerEntry {
        cause: Cause {
            line: 1,
            ..deposit.cause.clone()
        },
        ..deposit
    };
    assert!(books.post(&view, other_line).unwrap());
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
            line(
                Item::Asset(USDT),
                "1000",
                "1000",
                EntryKind::Deposit,
                "1",
                1,
                0,
            ),
            // Two bought at 100.5 while the mark is 100, one percent of fee in base.
            line(Item::Asset(BTC), "2", "201", EntryKind::Trade, "100", 2, 0),
            line(
                Item::Asset(USDT),
                "-201",
                "-201",
                EntryKind::Trade,
                "1",
                2,
                1,
            ),
            line(Item::Asset(BTC), "-0.02", "-2", EntryKind::Fee, "100", 2, 2),
            // Two sold short at 100.9 while the mark is 101.
            line(
                Item::Position(perp()),
                "-2",
                "-201.8",
                EntryKind::Trade,
                "101",
                3,
                0,
            ),
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
            line(
                Item::Position(perp()),
                "-2",
                "-200",
                EntryKind::Trade,
                "90",
                1,
                0,
            ),
            line(
                Item::Position(perp()),
                "1",
                "90",
                EntryKind::Trade,
                "90",
                2,
                0,
            ),
            line(
                Item::Asset(USDT),
                "10",
                "10",
                EntryKind::RealizedPnl,
                "1",
                2,
                1,
            ),
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
fn an_asset_without_a_price_is_refused_by_name() {
    let view = view(&["100"], &["100"]);
    let mut books = books(&view);
    let strange = Item::Asset(Asset::literal("DOGE"));
    let e = books
        .post(
            &view,
            line(strange, "1", "1", EntryKind::Deposit, "1", 1, 0),
        )
        .unwrap_err();
    assert_eq!(e.code, Code::ExposureUnpriced);
    assert!(e.message.contains("DOGE in alpha.main"), "{}", e.message);
}

#[test]
fn a_result_without_its_position_is_refused() {
    let view = view(&["100"], &["100"]);
    let mut books = books(&view);
    let orphan = line(
        Item::Asset(USDT),
        "10",
        "10",
        EntryKind::RealizedPnl,
        "1",
        1,
        0,
    );
    assert_eq!(
        books.post(&view, orphan).unwrap_err().code,
        Code::PositionInvalid
    );
}
