//! The durability seam: what was asked is written down before anything is sent, and what came of it
//! before anything else is.
//!
//! A journal is a list of [`Commit`]s, each whole or absent. The engine makes at most two of a block: one
//! before its first byte leaves, with everything taken since the last one, and one with its events. What a
//! run has to know of itself to go on stands in the latest [`StatePart`]s; what happened stands in events
//! and ledger lines, and nothing of that is ever changed.
//!
//! **Invariants.** Append-only but for the state parts. Instructions come before their events. An event's
//! lines are in the commit of the event. A start is an [`Epoch`] of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Code, ComponentError};
use crate::instruction::OpenInstruction;
use crate::ledger::LedgerEntry;
use crate::num::Price;
use crate::text::Text;
use crate::types::{Asset, BookId, Epoch, InstructionId, InstrumentKey, Timestamp, Venue};
use crate::venue_event::{EventKey, EventKind, FlowId, TransactionHash, VenueEvent};

/// Why a journal cannot be opened, read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Nothing is there.
    #[error("{} is no file; `basis backtest --journal` begins a journal", .path.display())]
    Missing {
        /// The path that was given.
        path: PathBuf,
    },
    /// Something is there already.
    #[error("{} is there already; go on from it with --resume, or name another file", .path.display())]
    Exists {
        /// The path that was given.
        path: PathBuf,
    },
    /// It was never begun: the process ended while the file was being made, and nothing was sent.
    #[error("{} holds nothing yet; a new journal begins there without --resume", .path.display())]
    Unbegun {
        /// The path that was given.
        path: PathBuf,
    },
    /// Another process writes it.
    #[error("{} is in use by another process; one process writes a journal", .path.display())]
    Locked {
        /// The path that was given.
        path: PathBuf,
    },
    /// The file is no journal, or not whole.
    #[error("{} cannot be read as a journal: {problem}; restore it from a backup", .path.display())]
    Damaged {
        /// The path that was given.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// A newer program wrote it.
    #[error(
        "{} has schema {found}, and this program knows up to {known}; use the program that wrote it, or a newer one",
        .path.display()
    )]
    NewerSchema {
        /// The path that was given.
        path: PathBuf,
        /// The schema of the file.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// An older program wrote it, and it is only to be read.
    #[error(
        "{} has schema {found}, and this program reads {known}; go on from it once, which brings it there",
        .path.display()
    )]
    OlderSchema {
        /// The path that was given.
        path: PathBuf,
        /// The schema of the file.
        found: u32,
        /// The schema that this program reads.
        known: u32,
    },
    /// What it was begun for differs from what is asked of it.
    #[error(
        "the journal was begun with {key} {journal}, and this start has {start}; start it with the journal's, or \
         begin another journal"
    )]
    Differs {
        /// What differs: a key of the configuration, the rules, the market.
        key: String,
        /// The journal's value.
        journal: String,
        /// This start's.
        start: String,
    },
    /// The file system refused.
    #[error("{}: {problem}", .path.display())]
    Storage {
        /// The path that was given.
        path: PathBuf,
        /// What it said.
        problem: String,
    },
    /// It failed before, and nothing is tried again.
    #[error("the journal failed before, and nothing is written any more: {first}")]
    Stopped {
        /// The first failure.
        first: String,
    },
    /// What it holds contradicts itself, or cannot be read back.
    #[error("the journal contradicts itself: {0}")]
    Inconsistent(String),
}

impl From<JournalError> for ComponentError {
    fn from(e: JournalError) -> Self {
        let code = match e {
            JournalError::Storage { .. } | JournalError::Stopped { .. } => Code::JournalFailed,
            JournalError::Damaged { .. } | JournalError::Inconsistent(_) => Code::JournalDamaged,
            _ => Code::JournalRefused,
        };
        Self::new(code, e.to_string()).with_source(e)
    }
}

/// A call of a venue's interface that may have changed what stands behind it. A simulated world is rebuilt
/// by making the same calls at the same instants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueCall {
    /// The instant of the view.
    pub at: Timestamp,
    /// Whose interface.
    pub venue: Venue,
    /// Which call.
    pub kind: CallKind,
}

/// Which call of a venue's interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// Its news were asked for.
    Poll,
    /// A snapshot was requested, and its news were asked for.
    Read,
    /// It was given these instructions.
    Execute(Vec<InstructionId>),
    /// This scheduled flow of the wallet was refused, and never comes.
    RefuseFlow(FlowId),
}

/// What posting asked the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkSubject {
    /// The price of a unit of `asset` in a line that `venue` reports.
    Asset {
        /// Of what.
        asset: Asset,
        /// Whose own quote goes first.
        venue: Venue,
    },
    /// The mark of an instrument.
    Instrument(InstrumentKey),
}

impl fmt::Display for MarkSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asset { asset, venue } => write!(f, "{asset} at {venue}"),
            Self::Instrument(instrument) => fmt::Display::fmt(instrument, f),
        }
    }
}

/// A mark that posting read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostedMark {
    /// Of what.
    pub subject: MarkSubject,
    /// USD per unit; `None` where nothing values it.
    pub price: Option<Price>,
}

/// An event as it was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenEvent {
    /// The event.
    pub event: VenueEvent,
    /// The instant of the view that posted it.
    pub posted_at: Timestamp,
    /// The marks that posting read, each once, in order of first use.
    pub marks: Vec<PostedMark>,
    /// How many ledger lines it made.
    pub lines: u32,
}

/// What a run keeps a row of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKind {
    /// A closed step.
    Step,
    /// What came of an instruction.
    Execution,
    /// An entry of the event log.
    Log,
}

impl RowKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Step, Self::Execution, Self::Log];

    /// The name in a journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Execution => "execution",
            Self::Log => "log",
        }
    }
}

/// A row that a run has closed, as JSON: results that are shown, but not read again to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    /// Of what.
    pub kind: RowKind,
    /// The row.
    pub json: String,
}

/// A part of what a run knows of itself, as JSON; the latest of a name counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatePart {
    /// Which part.
    pub name: String,
    /// What it was at the commit.
    pub json: String,
}

/// What a journal holds of one venue that a process which goes on from it has to know before it asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VenueRecord {
    /// What was sent, or was about to be, and has not ended.
    pub open: Vec<OpenInstruction>,
    /// The last commit: what the venue has booked since is in no event.
    pub committed_at: Option<Timestamp>,
    /// The venue's own names of transfers that events have told of, each with its instruction where it has
    /// one of this book. It is no other instruction's answer, and its own, where that is still open, is found
    /// by it.
    pub transfers: BTreeMap<Text, Option<InstructionId>>,
}

impl VenueRecord {
    /// Notes what `event` tells of the venue's transfers.
    pub fn note(&mut self, event: &VenueEvent) {
        if let EventKind::Transfer(update) = &event.kind {
            let names = update.txid.clone().into_iter();
            self.transfers
                .extend(names.map(|name| (name, update.instruction)));
        }
    }
}

/// One transaction of a journal: everything since the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// The instant of the view.
    pub at: Timestamp,
    /// Calls of the venues, in order. Of an [`CallKind::Execute`] at the end the outcome may be unknown.
    pub calls: Vec<VenueCall>,
    /// Instructions that are about to be sent.
    pub instructions: Vec<OpenInstruction>,
    /// Events in the order they were posted.
    pub events: Vec<TakenEvent>,
    /// Their ledger lines.
    pub lines: Vec<LedgerEntry>,
    /// Rows in order.
    pub rows: Vec<JournalRow>,
    /// Parts that have changed.
    pub state: Vec<StatePart>,
}

impl Commit {
    /// Whether there is nothing to commit.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.calls.is_empty()
            && self.instructions.is_empty()
            && self.events.is_empty()
            && self.lines.is_empty()
            && self.rows.is_empty()
            && self.state.is_empty()
    }
}

/// Which parts of commits are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// [`Commit::calls`].
    pub calls: bool,
    /// [`Commit::instructions`].
    pub instructions: bool,
    /// [`Commit::events`].
    pub events: bool,
    /// [`Commit::lines`].
    pub lines: bool,
    /// [`Commit::rows`].
    pub rows: bool,
}

impl Content {
    /// Everything but the state parts.
    pub const ALL: Self = Self {
        calls: true,
        instructions: true,
        events: true,
        lines: true,
        rows: true,
    };
}

/// What a journal is of. It is written at the beginning and never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalHead {
    /// The book, over all restarts.
    pub book: String,
    /// The strategy mode.
    pub mode: String,
    /// The resolved configuration it was begun with.
    pub config: String,
    /// SHA-256 of it, hexadecimal.
    pub config_hash: String,
}

impl JournalHead {
    /// The book's id.
    ///
    /// # Errors
    /// [`JournalError::Inconsistent`] for a text that is none.
    pub fn book_id(&self) -> Result<BookId, JournalError> {
        self.book.parse().map_err(JournalError::Inconsistent)
    }
}

/// One start of a book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Its epoch.
    pub epoch: Epoch,
    /// The instant of the last commit before it, or of the book's beginning.
    pub at: Timestamp,
    /// The program's version.
    pub version: String,
}

/// Writes commits.
pub trait Journal: Send + fmt::Debug {
    /// Makes a commit durable, whole.
    ///
    /// # Errors
    /// When it is not durable: then nothing may be sent, the process must stop, and nothing is tried again.
    fn commit(&mut self, commit: &Commit) -> Result<(), JournalError>;

    /// Does what takes longer, when nothing waits for the engine.
    ///
    /// # Errors
    /// As [`Journal::commit`].
    fn tidy_up(&mut self) -> Result<(), JournalError> {
        Ok(())
    }
}

/// Takes an event's key and the ledger lines that it posted.
pub type EachPosting<'a> =
    dyn FnMut(Option<&Arc<EventKey>>, &[LedgerEntry]) -> Result<(), ComponentError> + 'a;

/// Reads commits.
pub trait JournalReader: fmt::Debug {
    /// What it is of.
    ///
    /// # Errors
    /// When it cannot be read.
    fn head(&self) -> Result<JournalHead, JournalError>;

    /// Its starts, in order.
    ///
    /// # Errors
    /// When they cannot be read.
    fn starts(&self) -> Result<Vec<Start>, JournalError>;

    /// The latest parts of the state, by name; none before the first commit.
    ///
    /// # Errors
    /// When they cannot be read.
    fn state(&self) -> Result<Vec<StatePart>, JournalError>;

    /// Shows every commit in order, the wanted parts of it, to `each`; it ends at the first error.
    ///
    /// # Errors
    /// When a commit cannot be read, and whatever `each` refuses.
    fn read(
        &self,
        content: Content,
        each: &mut dyn FnMut(Commit) -> Result<(), ComponentError>,
    ) -> Result<(), ComponentError>;

    /// Shows of every event in order its key and the lines it posted; it ends at the first error. This is
    /// what books are built from, and faster than [`JournalReader::read`].
    ///
    /// # Errors
    /// As [`JournalReader::read`].
    fn postings(&self, each: &mut EachPosting<'_>) -> Result<(), ComponentError> {
        let content = Content {
            events: true,
            lines: true,
            ..Content::default()
        };
        self.read(content, &mut |commit| {
            let mut rest = commit.lines.as_slice();
            for taken in &commit.events {
                let count = usize::try_from(taken.lines).unwrap_or(usize::MAX);
                let (lines, others) = rest.split_at_checked(count).ok_or_else(|| {
                    JournalError::Inconsistent("an event lacks ledger lines".to_owned())
                })?;
                rest = others;
                let key = taken.event.key().map(|key| match lines.first() {
                    Some(line) if *line.cause.event == key => Arc::clone(&line.cause.event),
                    _ => Arc::new(key),
                });
                each(key.as_ref(), lines)?;
            }
            Ok(())
        })
    }
}

/// What became of the bytes of an instruction, as its venue's actor says before it acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxStage {
    /// The bytes are fixed; none has left.
    Signed,
    /// They are about to leave, or have left.
    Sent,
}

impl OutboxStage {
    /// Every stage.
    pub const ALL: [Self; 2] = [Self::Signed, Self::Sent];

    /// The name in a journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Sent => "sent",
        }
    }
}

/// One entry of the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// Whose bytes.
    pub instruction: InstructionId,
    /// When, by the actor's clock.
    pub at: Timestamp,
    /// How far they came.
    pub stage: OutboxStage,
    /// Of a transaction: its nonce.
    pub nonce: Option<u64>,
    /// Of a transaction: its hash.
    pub hash: Option<TransactionHash>,
    /// Of a transaction: the signed bytes, which may be sent again as they are. Empty for an order, which
    /// never is.
    pub bytes: Vec<u8>,
}

/// The journal's side that actors write to, on their own threads: durable when the call returns.
pub trait Outbox: Send + Sync + fmt::Debug {
    /// Makes an entry durable.
    ///
    /// # Errors
    /// When it is not: then nothing may be sent.
    fn record(&self, entry: &OutboxEntry) -> Result<(), JournalError>;

    /// The entries of an instruction, in order.
    ///
    /// # Errors
    /// When they cannot be read.
    fn entries(&self, instruction: InstructionId) -> Result<Vec<OutboxEntry>, JournalError>;
}
