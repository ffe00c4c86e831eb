//! Commits with something of everything.

use std::sync::Arc;

use basis_core::error::{VenueError, VenueErrorKind};
use basis_core::instruction::{
    AmountOrAll, Instruction, Lending, OpenInstruction, Operation, OrderType, SpotTrade,
    TimeInForce,
};
use basis_core::journal::{
    CallKind, Commit, JournalHead, JournalRow, MarkSubject, OutboxEntry, OutboxStage, PostedMark,
    RowKind, StatePart, TakenEvent, VenueCall,
};
use basis_core::ledger::{Cause, EntryKind, LedgerEntry};
use basis_core::num::{Fixed18, Price, Quantity, Value};
use basis_core::types::{
    Account, Asset, Epoch, InstructionId, InstrumentKey, InstrumentKind, Item, Label, Side, Symbol,
    TickRange, Timestamp, Venue,
};
use basis_core::venue_event::{
    BalanceChange, CapitalFlow, EventKey, EventKind, FlowId, TransactionHash, TransactionStage,
    TransactionUpdate, VenueEvent,
};

pub(super) const KINDS: [EntryKind; 16] = [
    EntryKind::Trade,
    EntryKind::RealizedPnl,
    EntryKind::Fee,
    EntryKind::Funding,
    EntryKind::Interest,
    EntryKind::BorrowCost,
    EntryKind::Reward,
    EntryKind::LiquidityFee,
    EntryKind::Rebase,
    EntryKind::Gas,
    EntryKind::Transfer,
    EntryKind::TransferCost,
    EntryKind::Liquidation,
    EntryKind::WriteOff,
    EntryKind::Deposit,
    EntryKind::Withdrawal,
];

const AAVE: Venue = Venue::literal("aave");
const WETH: Asset = Asset::literal("WETH");

pub(super) fn head() -> JournalHead {
    JournalHead {
        book: "0000000k".to_owned(),
        mode: "eth_leveraged".to_owned(),
        config: "mode: eth_leveraged\nshare_class: ETH\n".to_owned(),
        config_hash: "ab".repeat(32),
    }
}

pub(super) fn at(number: u32) -> Timestamp {
    Timestamp::from_seconds(1_704_067_200 + 3_600 * i64::from(number))
}

fn id(epoch: Epoch, counter: u32) -> InstructionId {
    InstructionId::new(epoch, counter)
}

fn hash(number: u32) -> TransactionHash {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    TransactionHash::new(bytes)
}

fn items() -> Vec<Item> {
    let perp = InstrumentKey::new(
        Venue::literal("okx"),
        InstrumentKind::Perp,
        Symbol::literal("BTCUSDT"),
    );
    let long = InstrumentKey {
        kind: InstrumentKind::PerpLong,
        ..perp
    };
    let short = InstrumentKey {
        kind: InstrumentKind::PerpShort,
        ..perp
    };
    vec![
        Item::Asset(WETH),
        Item::Position(perp),
        Item::Position(long),
        Item::Position(short),
        Item::Shares(Asset::literal("weETH")),
        Item::Debt(WETH),
        Item::Liquidity {
            asset: WETH,
            ticks: None,
        },
        Item::Liquidity {
            asset: WETH,
            ticks: Some(TickRange::new(-887_272, 200)),
        },
    ]
}

/// Lines of every kind and of every item, with amounts at the bounds.
fn lines(key: &Arc<EventKey>, id: InstructionId, number: u32) -> Vec<LedgerEntry> {
    let items = items();
    let amounts = [
        Fixed18::ZERO,
        Fixed18::MIN,
        Fixed18::MAX,
        Fixed18::from_mantissa(-1),
        Fixed18::from_int(-3),
    ];
    let pick = |at: usize| amounts[at % amounts.len()];
    KINDS
        .iter()
        .enumerate()
        .map(|(slot, kind)| LedgerEntry {
            at: Timestamp::from_nanos(at(number).nanos() + i64::try_from(slot).unwrap()),
            account: Account::new(AAVE, Label::literal("main:e-mode/1+")),
            item: items[slot % items.len()],
            quantity: Quantity::new(pick(slot)),
            units: Quantity::new(pick(slot + 1)),
            value: Value::new(pick(slot + 2)),
            kind: *kind,
            instruction: (slot % 3 != 0).then_some(id),
            reference_price: Price::new(pick(slot % 3).max(Fixed18::ZERO)).unwrap_or(Price::ZERO),
            cause: Cause::new(Arc::clone(key), u32::try_from(slot).unwrap()),
        })
        .collect()
}

fn transaction(number: u32, stage: TransactionStage, id: InstructionId) -> EventKind {
    EventKind::Transaction(Box::new(TransactionUpdate {
        instruction: Some(id),
        hash: hash(number),
        inclusion: 0,
        stage,
        changes: vec![BalanceChange::asset(
            EntryKind::Gas,
            Account::WALLET,
            Asset::literal("ETH"),
            Quantity::literal("-0.001"),
        )],
        waits: false,
        replaced_by: None,
        error: None,
    }))
}

fn instructions(epoch: Epoch, number: u32) -> Vec<OpenInstruction> {
    let spot = Operation::SpotTrade(SpotTrade {
        symbol: Symbol::literal("BTCUSDT"),
        side: Side::Buy,
        quantity: Quantity::literal("0.01"),
        order_type: OrderType::Limit,
        limit_price: Some(Price::literal("42000.5")),
        time_in_force: TimeInForce::Ioc,
    });
    let supply = Operation::Supply(Lending {
        asset: WETH,
        amount: AmountOrAll::Exactly(Quantity::literal("2")),
        market: None,
    });
    let group = Operation::Atomic(vec![Instruction::step(AAVE, supply)]);
    [(Venue::literal("binance"), spot), (AAVE, group)]
        .into_iter()
        .zip(1..)
        .map(|((venue, operation), leg)| OpenInstruction {
            venue,
            submitted_at: at(number),
            instruction: Instruction::new(id(epoch, 2 * number + leg), operation),
        })
        .collect()
}

/// The commit `number` of a book, with two instructions, four events, lines of every kind, also under a key
/// that is not their event's, rows and parts of the state.
pub(super) fn commit(epoch: Epoch, number: u32) -> Commit {
    let instructions = instructions(epoch, number);
    let own = id(epoch, 2 * number + 2);
    let event = |kind| VenueEvent::new(AAVE, at(number), at(number), kind);
    let flow = event(EventKind::CapitalFlow(CapitalFlow {
        id: FlowId {
            scheduled: at(number),
            number: 0,
            part: 0,
        },
        account: Account::WALLET,
        asset: WETH,
        amount: Quantity::literal("5"),
    }));
    let rejected = event(EventKind::Rejected {
        instruction: id(epoch, 2 * number + 1),
        error: Box::new(VenueError::new(
            AAVE,
            "supply",
            VenueErrorKind::Reverted("it's \"quoted\" \u{0} é".to_owned()),
        )),
    });
    // A final transaction that nobody saw mined posts under the key it would have had as mined.
    let finished = event(transaction(number, TransactionStage::Final, own));
    let mined = event(transaction(number, TransactionStage::Mined, own));
    let keys = [&flow, &mined].map(|event| Arc::new(event.key().unwrap()));
    let mut lines_of_flow = lines(&keys[0], own, number);
    let lines_of_mined = lines(&keys[1], own, number);
    let counts = [lines_of_flow.len(), 0, lines_of_mined.len(), 0];
    lines_of_flow.extend(lines_of_mined);
    let signed = event(transaction(number, TransactionStage::Signed, own));
    let marks = vec![
        PostedMark {
            subject: MarkSubject::Asset {
                asset: WETH,
                venue: AAVE,
            },
            price: Some(Price::literal("2300.123456789012345678")),
        },
        PostedMark {
            subject: MarkSubject::Instrument(InstrumentKey::new(
                Venue::literal("okx"),
                InstrumentKind::Perp,
                Symbol::literal("BTCUSDT"),
            )),
            price: None,
        },
    ];
    let taken = |(event, count): (VenueEvent, usize)| TakenEvent {
        event,
        posted_at: at(number),
        marks: if count > 0 { marks.clone() } else { Vec::new() },
        lines: u32::try_from(count).unwrap(),
    };
    let events = [flow, rejected, finished, signed].into_iter().zip(counts);
    Commit {
        at: at(number),
        calls: calls(epoch, number),
        instructions,
        events: events.map(taken).collect(),
        lines: lines_of_flow,
        rows: rows(number),
        state: vec![
            part("plan", &format!("{{\"rest\":{number}}}")),
            part(&format!("part {number}"), "[]"),
        ],
    }
}

fn calls(epoch: Epoch, number: u32) -> Vec<VenueCall> {
    [
        CallKind::Poll,
        CallKind::Read,
        CallKind::RefuseFlow(FlowId {
            scheduled: at(number),
            number: 3,
            part: 0,
        }),
        CallKind::Execute(vec![id(epoch, 2 * number + 1), id(epoch, 2 * number + 2)]),
    ]
    .map(|kind| VenueCall {
        at: at(number),
        venue: AAVE,
        kind,
    })
    .to_vec()
}

fn rows(number: u32) -> Vec<JournalRow> {
    RowKind::ALL
        .map(|kind| JournalRow {
            kind,
            json: format!("{{\"row\":{number}}}"),
        })
        .to_vec()
}

fn part(name: &str, json: &str) -> StatePart {
    StatePart {
        name: name.to_owned(),
        json: json.to_owned(),
    }
}

pub(super) fn signed(epoch: Epoch, number: u32) -> OutboxEntry {
    OutboxEntry {
        instruction: id(epoch, 2 * number + 2),
        at: at(number),
        stage: OutboxStage::Signed,
        nonce: Some(17),
        hash: Some(hash(number)),
        bytes: vec![0xf8, 0x00, 0xff],
    }
}

pub(super) fn sent(epoch: Epoch, number: u32) -> OutboxEntry {
    OutboxEntry {
        instruction: id(epoch, 2 * number + 1),
        at: at(number),
        stage: OutboxStage::Sent,
        nonce: None,
        hash: None,
        bytes: Vec::new(),
    }
}
