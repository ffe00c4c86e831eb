//! What the journal is asked for, and what it acknowledged.

use std::sync::Arc;

use basis_core::instruction::{AmountOrAll, Instruction, OpenInstruction, Operation, Staking};
use basis_core::journal::{
    CallKind, Commit, Journal as _, JournalError, JournalHead, JournalRow, OutboxEntry,
    OutboxStage, RowKind, StatePart, TakenEvent, VenueCall,
};
use basis_core::ledger::{Cause, EntryKind, LedgerEntry};
use basis_core::num::{Price, Quantity, Value};
use basis_core::types::{Account, Asset, Epoch, InstructionId, Item, Timestamp, Venue};
use basis_core::venue_event::{CapitalFlow, EventKind, FlowId, VenueEvent};
use basis_live::sqlite::{Durability, SqliteJournal};
use basis_powercut::Disk;

pub(crate) const NAME: &str = "book.db";

const LIDO: Venue = Venue::literal("lido");

/// What the journal said is durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) is_begun: bool,
    pub(crate) epochs: Vec<Epoch>,
    pub(crate) commits: Vec<Commit>,
    pub(crate) outbox: Vec<OutboxEntry>,
}

pub(crate) fn head() -> JournalHead {
    JournalHead {
        book: "0000000k".to_owned(),
        mode: "eth_staking_only".to_owned(),
        config: "mode: eth_staking_only\n".to_owned(),
        config_hash: "cd".repeat(32),
    }
}

/// Two starts of four commits each, an outbox, quiet moments and a journal that is closed between them;
/// it ends where the power does.
pub(crate) fn play(
    disk: &Disk,
    durability: Durability,
    done: &mut Acknowledged,
) -> Result<(), JournalError> {
    let path = disk.path(NAME);
    let shared: Arc<dyn basis_live::sqlite::Disk> = Arc::new(disk.clone());
    let mut journal = SqliteJournal::create_on(Arc::clone(&shared), &path, &head(), durability)?;
    done.is_begun = true;
    start(&mut journal, 0, done)?;
    drop(journal);
    let mut journal = SqliteJournal::open_on(shared, &path, durability)?;
    start(&mut journal, 4, done)
}

fn start(
    journal: &mut SqliteJournal,
    first: u32,
    done: &mut Acknowledged,
) -> Result<(), JournalError> {
    let epoch = journal.begin_start(at(first), first, "1.0.0")?;
    done.epochs.push(epoch);
    let outbox = journal.outbox();
    for number in first..first + 4 {
        let commit = commit(epoch, number);
        journal.commit(&commit)?;
        done.commits.push(commit);
        if number % 2 == 1 {
            let entry = sent(epoch, number);
            outbox.record(&entry)?;
            done.outbox.push(entry);
        }
        journal.tidy_up()?;
    }
    Ok(())
}

pub(crate) fn at(number: u32) -> Timestamp {
    Timestamp::from_seconds(1_704_067_200 + 21_600 * i64::from(number))
}

pub(crate) fn sent(epoch: Epoch, number: u32) -> OutboxEntry {
    OutboxEntry {
        instruction: InstructionId::new(epoch, number + 1),
        at: at(number),
        stage: OutboxStage::Sent,
        nonce: Some(number.into()),
        hash: None,
        bytes: vec![7; 300],
    }
}

pub(crate) fn commit(epoch: Epoch, number: u32) -> Commit {
    let eth = Asset::literal("ETH");
    let amount = Quantity::literal("12.5");
    let id = InstructionId::new(epoch, number + 1);
    let event = VenueEvent::new(
        Venue::WALLET,
        at(number),
        at(number),
        EventKind::CapitalFlow(CapitalFlow {
            id: FlowId {
                scheduled: at(number),
                number: 0,
                part: 0,
            },
            account: Account::WALLET,
            asset: eth,
            amount,
        }),
    );
    let key = event.key().map(Arc::new);
    let line = key.map(|key| LedgerEntry {
        at: at(number),
        account: Account::WALLET,
        item: Item::Asset(eth),
        quantity: amount,
        units: amount,
        value: Value::literal("28750"),
        kind: EntryKind::Deposit,
        instruction: None,
        reference_price: Price::literal("2300"),
        cause: Cause::new(key, 0),
    });
    Commit {
        at: at(number),
        calls: vec![VenueCall {
            at: at(number),
            venue: LIDO,
            kind: CallKind::Execute(vec![id]),
        }],
        instructions: vec![OpenInstruction {
            venue: LIDO,
            submitted_at: at(number),
            instruction: Instruction::new(
                id,
                Operation::Stake(Staking {
                    asset_in: eth,
                    asset_out: Asset::literal("wstETH"),
                    amount: AmountOrAll::Exactly(amount),
                }),
            ),
        }],
        events: vec![TakenEvent {
            event,
            posted_at: at(number),
            marks: Vec::new(),
            lines: 1,
        }],
        lines: line.into_iter().collect(),
        rows: vec![JournalRow {
            kind: RowKind::Step,
            json: format!("{{\"step\":{number},\"text\":\"{}\"}}", "x".repeat(2_000)),
        }],
        state: vec![StatePart {
            name: "plan".to_owned(),
            json: format!("{{\"step\":{number}}}"),
        }],
    }
}
