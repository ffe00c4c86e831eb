//! Commits as a hedged book makes them, for the benchmarks.

use std::sync::Arc;

use basis_core::fixed18;
use basis_core::instruction::{
    Instruction, MarginMode, OpenInstruction, Operation, OrderType, PerpTrade, TimeInForce,
};
use basis_core::journal::{
    CallKind, Commit, JournalHead, JournalRow, MarkSubject, PostedMark, RowKind, StatePart,
    TakenEvent, VenueCall,
};
use basis_core::ledger::{Cause, EntryKind, LedgerEntry, TradeId};
use basis_core::num::{Fixed18, Price, Quantity, Rate, Value};
use basis_core::types::{
    Account, Asset, Epoch, InstructionId, InstrumentKey, InstrumentKind, Item, Label, Side, Symbol,
    Timestamp, Venue,
};
use basis_core::venue_event::{
    Accrual, BalanceChange, Cursor, EventKind, Fill, Funding, LiquiditySide, OrderState,
    OrderUpdate, Subject, VenueEvent,
};

const USDT: Asset = Asset::literal("USDT");
const BTC: Asset = Asset::literal("BTC");
const SYMBOL: Symbol = Symbol::literal("BTCUSDT");
const AAVE: Account = Account::new(Venue::literal("aave"), Label::literal("main"));
const EXCHANGES: [Account; 3] = [
    Account::new(Venue::literal("binance"), Label::literal("usdm")),
    Account::new(Venue::literal("bybit"), Label::literal("unified")),
    Account::new(Venue::literal("okx"), Label::literal("trading")),
];

pub(super) fn head() -> JournalHead {
    JournalHead {
        book: "00000007".to_owned(),
        mode: "btc_basis".to_owned(),
        config: "mode: btc_basis\n".to_owned(),
        config_hash: "00".repeat(32),
    }
}

fn perp(account: Account) -> InstrumentKey {
    InstrumentKey::new(account.venue, InstrumentKind::Perp, SYMBOL)
}

fn hour(number: u32) -> Timestamp {
    Timestamp::from_seconds(1_704_067_200 + 3_600 * i64::from(number))
}

fn scaled(base: Fixed18, number: u32) -> Fixed18 {
    Fixed18::from_mantissa(base.mantissa() + i128::from(number) * 10_007_000_003)
}

/// What goes before the first byte of a block of three orders.
pub(super) fn block(epoch: Epoch, number: u32) -> Commit {
    let at = hour(number);
    let ids = (1..=3).map(|leg| InstructionId::new(epoch, 3 * number + leg));
    let instructions: Vec<_> = EXCHANGES
        .iter()
        .zip(ids)
        .map(|(account, id)| OpenInstruction {
            venue: account.venue,
            submitted_at: at,
            instruction: Instruction::new(
                id,
                Operation::PerpTrade(PerpTrade {
                    symbol: SYMBOL,
                    side: Side::Sell,
                    quantity: Quantity::new(scaled(fixed18!("0.125"), number)),
                    order_type: OrderType::Market,
                    limit_price: None,
                    time_in_force: TimeInForce::Gtc,
                    reduce_only: false,
                    position_side: None,
                }),
            ),
        })
        .collect();
    let execute = |open: &OpenInstruction| VenueCall {
        at,
        venue: open.venue,
        kind: CallKind::Execute(vec![open.instruction.id]),
    };
    Commit {
        at,
        calls: instructions.iter().map(execute).collect(),
        instructions,
        state: vec![StatePart {
            name: "plan".to_owned(),
            json: format!("{{\"block\":{number},\"rest\":[]}}"),
        }],
        ..Commit::default()
    }
}

/// Twenty events of an hour: fills, their orders, funding and interest, 28 lines, and a closed step.
pub(super) fn hour_of_events(epoch: Epoch, number: u32) -> Commit {
    let mut commit = Commit {
        at: hour(number),
        rows: vec![JournalRow {
            kind: RowKind::Step,
            json: format!(
                "{{\"at\":\"{}\",\"equity\":\"1000000.123456\"}}",
                hour(number)
            ),
        }],
        state: vec![StatePart {
            name: "books".to_owned(),
            json: format!("{{\"step\":{number},\"reserve\":\"12345.678901234567\"}}"),
        }],
        ..Commit::default()
    };
    for slot in 0..20 {
        let [first, second, third] = EXCHANGES;
        let account = match slot % 3 {
            0 => first,
            1 => second,
            _ => third,
        };
        let id = InstructionId::new(epoch, 3 * number + slot % 3 + 1);
        match slot % 5 {
            0 => fill(&mut commit, account, id, 20 * number + slot),
            1 => order(&mut commit, account, id),
            2 => funding(&mut commit, account, slot),
            _ => interest(&mut commit, number, slot),
        }
    }
    commit
}

fn take(commit: &mut Commit, venue: Venue, kind: EventKind, lines: &[Row]) {
    let at = commit.at;
    let event = VenueEvent::new(venue, at, at, kind);
    let key = event.key().map(Arc::new);
    let mut marks = Vec::new();
    for (line, row) in (0..).zip(lines) {
        let (account, item, quantity, units, value, kind, instruction, price) = *row;
        let Some(key) = &key else { continue };
        if let Some(asset) = item.asset() {
            marks.push(PostedMark {
                subject: MarkSubject::Asset { asset, venue },
                price: Some(price),
            });
        }
        commit.lines.push(LedgerEntry {
            at,
            account,
            item,
            quantity,
            units,
            value,
            kind,
            instruction,
            reference_price: price,
            cause: Cause::new(Arc::clone(key), line),
        });
    }
    commit.events.push(TakenEvent {
        event,
        posted_at: at,
        marks,
        lines: u32::try_from(lines.len()).unwrap_or_default(),
    });
}

type Row = (
    Account,
    Item,
    Quantity,
    Quantity,
    Value,
    EntryKind,
    Option<InstructionId>,
    Price,
);

fn fill(commit: &mut Commit, account: Account, id: InstructionId, trade: u32) {
    let quantity = Quantity::new(scaled(fixed18!("0.125"), trade));
    let fee = Quantity::new(scaled(fixed18!("-2.71828182"), trade));
    let value = Value::new(scaled(fixed18!("-5362.512345678901"), trade));
    let price = Price::new(fixed18!("42900.1")).unwrap_or(Price::ZERO);
    let one = Price::new(Fixed18::ONE).unwrap_or(Price::ZERO);
    let kind = EventKind::Fill(Box::new(Fill {
        instruction: Some(id),
        account,
        trade: TradeId::Number(u64::from(trade)),
        instrument: perp(account),
        base: BTC,
        quote: USDT,
        side: Side::Sell,
        quantity,
        price,
        turnover: Quantity::ZERO,
        reference: price,
        fee_asset: USDT,
        fee,
        fee_rate: Rate::literal("0.0005"),
        liquidity: LiquiditySide::Taker,
        realized: None,
        covered: Quantity::ZERO,
    }));
    let position = Item::Position(perp(account));
    let cash = Item::Asset(USDT);
    let at_cost = Value::new(fee.get());
    take(
        commit,
        account.venue,
        kind,
        &[
            (
                account,
                position,
                quantity,
                quantity,
                value,
                EntryKind::Trade,
                Some(id),
                price,
            ),
            (
                account,
                cash,
                fee,
                fee,
                at_cost,
                EntryKind::RealizedPnl,
                Some(id),
                one,
            ),
            (
                account,
                cash,
                fee,
                fee,
                at_cost,
                EntryKind::Fee,
                Some(id),
                one,
            ),
        ],
    );
}

fn order(commit: &mut Commit, account: Account, id: InstructionId) {
    let kind = EventKind::Order(OrderUpdate {
        instruction: id,
        state: OrderState::Filled,
        filled: Quantity::new(fixed18!("0.125")),
        venue_order_id: Some("8389765510".into()),
        reason: None,
    });
    take(commit, account.venue, kind, &[]);
}

fn funding(commit: &mut Commit, account: Account, slot: u32) {
    let amount = Quantity::new(scaled(fixed18!("1.2345678"), slot));
    let one = Price::new(Fixed18::ONE).unwrap_or(Price::ZERO);
    let mark = Price::new(fixed18!("42900.1")).unwrap_or(Price::ZERO);
    let kind = EventKind::Funding(Box::new(Funding {
        account,
        instrument: perp(account),
        margin: MarginMode::Cross,
        scheduled: Timestamp::from_nanos(commit.at.nanos() + i64::from(slot)),
        asset: USDT,
        position: Quantity::literal("-12.5"),
        mark,
        rate: Rate::literal("0.0001"),
        amount,
        proxy: None,
    }));
    let value = Value::new(amount.get());
    take(
        commit,
        account.venue,
        kind,
        &[(
            account,
            Item::Asset(USDT),
            amount,
            amount,
            value,
            EntryKind::Funding,
            None,
            one,
        )],
    );
}

fn interest(commit: &mut Commit, number: u32, slot: u32) {
    let item = Item::Shares(USDT);
    let cursor = |at: u32| Cursor {
        at: hour(at),
        amount: Quantity::new(scaled(fixed18!("1000000.123456"), 40 * at + slot)),
    };
    let units = Quantity::new(scaled(fixed18!("3.123456"), slot));
    let one = Price::new(Fixed18::ONE).unwrap_or(Price::ZERO);
    let kind = EventKind::Accrual(Accrual {
        subject: Subject::Holding {
            account: AAVE,
            item,
        },
        before: cursor(number),
        after: cursor(number + 1),
        changes: vec![BalanceChange::scaled(
            EntryKind::Interest,
            (AAVE, item),
            Quantity::ZERO,
            units,
        )],
    });
    let value = Value::new(units.get());
    take(
        commit,
        AAVE.venue,
        kind,
        &[(
            AAVE,
            item,
            Quantity::ZERO,
            units,
            value,
            EntryKind::Interest,
            None,
            one,
        )],
    );
}
