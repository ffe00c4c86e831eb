//! Every line of every event against amounts computed by hand.

mod booked;
mod changes;
mod prices;
mod trades;
mod transfers;

use std::sync::Arc;

use basis_core::ledger::{EntryKind, LedgerEntry, TradeId};
use basis_core::num::{Fixed18, Price, Quantity, Value};
use basis_core::types::{
    Account, Asset, InstructionId, InstrumentKey, InstrumentKind, Item, Label, SeriesId, Side,
    Span, Symbol, Timestamp, Venue,
};
use basis_core::venue_event::{
    BalanceChange, EventKey, EventKind, Fill, LiquiditySide, TransactionHash, TransactionStage,
    TransactionUpdate, VenueEvent,
};
use basis_market::{BarColumns, MarketData, MarketView, RowSeries, SeriesRequest, ViewPolicy};

use super::{Held, NothingHeld, Posting, PostingError, lines_of};

const ALPHA: Venue = Venue::literal("alpha");
const BETA: Venue = Venue::literal("beta");
const POOL: Venue = Venue::literal("pool");
const SPOT: Account = Account::new(ALPHA, Label::literal("spot"));
const PERP: Account = Account::new(ALPHA, Label::literal("perp"));
const PROTOCOL: Account = Account::new(POOL, Label::literal("main"));
const BTC: Asset = Asset::literal("BTC");
const ETH: Asset = Asset::literal("ETH");
const WETH: Asset = Asset::literal("WETH");
const WSTETH: Asset = Asset::literal("wstETH");
const USDT: Asset = Asset::literal("USDT");
const USDC: Asset = Asset::literal("USDC");
/// No series values it.
const XYZ: Asset = Asset::literal("XYZ");
const BTCUSDT: Symbol = Symbol::literal("BTCUSDT");
const INSTRUCTION: InstructionId = InstructionId::plain(7);
const HASH: TransactionHash = TransactionHash::new([0xab; 32]);

/// The wake.
fn now() -> Timestamp {
    Timestamp::EPOCH.plus(Span::from_hours(2))
}

/// The venue's time of the events.
fn at() -> Timestamp {
    Timestamp::EPOCH.plus(Span::from_minutes(90))
}

/// BTC at 50000 (alpha's spot, the reference), perp at 50100; ETH at 3000 (alpha), at 3010 USDC in
/// beta's own spot; wstETH at 1.2 ETH. Two hours, without a move.
fn view() -> MarketView {
    let mut data = MarketData::new("bars in code", true);
    let prices = [
        ("spot.alpha.BTCUSDT", "50000"),
        ("perp.alpha.BTCUSDT", "50100"),
        ("spot.alpha.ETHUSDT", "3000"),
        ("spot.beta.ETHUSDC", "3010"),
    ];
    for (id, price) in prices {
        let price = vec![Price::literal(price); 2];
        let hours = [0, 1].map(|hour| Timestamp::EPOCH.plus(Span::from_hours(hour)));
        data.add_bars(BarColumns {
            id: id.parse().unwrap(),
            length: Span::HOUR,
            opened_at: hours.to_vec(),
            open: price.clone(),
            high: price.clone(),
            low: price.clone(),
            close: price.clone(),
            volume: vec![Quantity::literal("1"); 2],
        })
        .unwrap();
    }
    let rate: SeriesId = "staking_rate.lido.wstETH_ETH".parse().unwrap();
    let rows = RowSeries::new(
        rate,
        Some(Span::DAY),
        vec![Timestamp::EPOCH],
        vec![Fixed18::literal("1.2")],
    );
    data.add_rows(rows.unwrap()).unwrap();
    let ids = prices.map(|(id, _)| id.parse().unwrap());
    let requests: Vec<_> = ids
        .into_iter()
        .chain([rate])
        .map(|id| SeriesRequest {
            id,
            reference: None,
        })
        .collect();
    let mut view = MarketView::new(Arc::new(data), &requests, ViewPolicy::default()).unwrap();
    view.advance_to(now()).unwrap();
    view
}

fn quantity(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn perp() -> InstrumentKey {
    InstrumentKey::new(ALPHA, InstrumentKind::Perp, BTCUSDT)
}

fn event(venue: Venue, kind: EventKind) -> VenueEvent {
    VenueEvent::new(venue, at(), now(), kind)
}

/// A fill of BTC against USDT at alpha; a fee of 0 and a turnover of quantity × price.
fn fill(kind: InstrumentKind, side: Side, amount: &str, price: &str) -> Fill {
    let spot = kind == InstrumentKind::Spot;
    let (amount, price) = (quantity(amount), Price::literal(price));
    let turnover = amount
        .notional(price, basis_core::num::Rounding::HalfEven)
        .unwrap();
    Fill {
        instruction: Some(INSTRUCTION),
        account: if spot { SPOT } else { PERP },
        trade: TradeId::Number(1),
        instrument: InstrumentKey::new(ALPHA, kind, BTCUSDT),
        base: BTC,
        quote: USDT,
        side,
        quantity: amount,
        price,
        turnover: if spot {
            Quantity::new(turnover.get())
        } else {
            Quantity::ZERO
        },
        reference: Price::literal(if spot { "50000" } else { "50100" }),
        fee_asset: USDT,
        fee: Quantity::ZERO,
        fee_rate: basis_core::num::Rate::ZERO,
        liquidity: LiquiditySide::Taker,
        realized: spot.then_some(Quantity::ZERO),
        covered: Quantity::ZERO,
    }
}

fn mined(changes: Vec<BalanceChange>) -> TransactionUpdate {
    TransactionUpdate {
        instruction: Some(INSTRUCTION),
        hash: HASH,
        inclusion: 0,
        stage: TransactionStage::Mined,
        changes,
        waits: false,
        replaced_by: None,
        error: None,
    }
}

fn transaction(update: TransactionUpdate) -> VenueEvent {
    event(POOL, EventKind::Transaction(Box::new(update)))
}

/// A change of one asset in the wallet.
fn wallet(kind: EntryKind, asset: Asset, amount: &str) -> BalanceChange {
    BalanceChange::asset(kind, Account::WALLET, asset, quantity(amount))
}

/// A change of a scaled item at the protocol.
fn scaled(kind: EntryKind, item: Item, amount: &str, units: &str) -> BalanceChange {
    BalanceChange::scaled(kind, (PROTOCOL, item), quantity(amount), quantity(units))
}

/// The lines of an event as text: account, item, quantity, units where they differ, value, kind,
/// reference price. What every line takes from its event is checked here.
fn written(event: &VenueEvent, instruction: Option<InstructionId>) -> Vec<String> {
    written_by(event, instruction, &NothingHeld).unwrap()
}

fn written_by(
    event: &VenueEvent,
    instruction: Option<InstructionId>,
    held: &dyn Held,
) -> Result<Vec<String>, PostingError> {
    let Posting { lines, .. } = lines_of(event, &view(), held)?;
    for (line, number) in lines.iter().zip(0_u32..) {
        assert_eq!(line.cause.line, number);
        assert_eq!(Some(&*line.cause.event), event.key().as_ref());
        assert_eq!(line.at, event.at);
        assert_eq!(line.instruction, instruction);
    }
    Ok(lines.iter().map(text).collect())
}

fn text(line: &LedgerEntry) -> String {
    let units = if line.units == line.quantity {
        String::new()
    } else {
        format!(" ({})", line.units)
    };
    format!(
        "{} {} {}{units} {} {} {}",
        line.account, line.item, line.quantity, line.value, line.kind, line.reference_price
    )
}

/// What an event lists as without a price.
fn unpriced(event: &VenueEvent) -> Vec<(Account, Item)> {
    lines_of(event, &view(), &NothingHeld).unwrap().unpriced
}

fn refusal(event: &VenueEvent) -> String {
    lines_of(event, &view(), &NothingHeld)
        .unwrap_err()
        .to_string()
}

/// Books with one position and nothing else.
struct OnePosition(Quantity, Value);

impl Held for OnePosition {
    fn open_position(&self, _: Account, _: InstrumentKey) -> Option<(Quantity, Value)> {
        Some((self.0, self.1))
    }

    fn lines_under(&self, _: &EventKey) -> Vec<LedgerEntry> {
        Vec::new()
    }
}
