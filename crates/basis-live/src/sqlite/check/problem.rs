//! What can be wrong with a journal file.

use std::fmt;

use basis_core::types::{Epoch, InstructionId};

/// One link of a chain of digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// What the journal is of.
    Head,
    /// A start.
    Start(i64),
    /// A commit: its calls, instructions, events, marks, ledger lines and rows.
    Commit(i64),
    /// An entry of the outbox.
    Outbox(i64),
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("the head"),
            Self::Start(seq) => write!(f, "start {seq}"),
            Self::Commit(seq) => write!(f, "commit {seq}"),
            Self::Outbox(seq) => write!(f, "outbox entry {seq}"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// What SQLite finds in the pages of the file.
    #[error("file: {0}")]
    File(String),
    /// A row that cannot be read as what it is.
    #[error("{table} {seq}: {problem}")]
    Unreadable {
        /// Its table.
        table: &'static str,
        /// Its sequence.
        seq: i64,
        /// What cannot be read.
        problem: String,
    },
    /// A link whose digest is not that of what it holds and of the link before it.
    #[error("{link}: something in it, or before it, was changed after it was written")]
    Changed {
        /// Which.
        link: Link,
    },
    /// Rows are missing, or stand twice.
    #[error("{table} {found}: {expected} was expected")]
    Hole {
        /// The table.
        table: &'static str,
        /// The sequence that was next.
        expected: i64,
        /// The sequence that came.
        found: i64,
    },
    /// A row of a commit or event that is not there.
    #[error("{table} {seq}: it belongs to nothing that is there")]
    Orphan {
        /// The table.
        table: &'static str,
        /// Its sequence.
        seq: i64,
    },
    /// A commit names another number of rows than it has.
    #[error("commit {commit}: it names {named} rows of {table}, and there are {found}")]
    RowCount {
        /// The commit.
        commit: i64,
        /// The table.
        table: &'static str,
        /// How many it names.
        named: i64,
        /// How many there are.
        found: i64,
    },
    /// An event names another number of ledger lines than it has.
    #[error("event {event}: it names {named} ledger lines, and there are {found}")]
    LineCount {
        /// The event.
        event: i64,
        /// How many it names.
        named: i64,
        /// How many there are.
        found: i64,
    },
    /// A start whose epoch is not after that of the start before it.
    #[error("start {start}: its epoch {epoch} is not after the one before it")]
    Epoch {
        /// The start.
        start: i64,
        /// Its epoch.
        epoch: Epoch,
    },
    /// A commit that is not of the latest start before it.
    #[error("commit {commit}: it is of start {start}, and {expected} was the latest")]
    Start {
        /// The commit.
        commit: i64,
        /// The start it names.
        start: i64,
        /// The latest.
        expected: i64,
    },
    /// An instruction whose epoch is no start's.
    #[error("instruction {seq}: no start has the epoch of {id}")]
    UnknownEpoch {
        /// Its sequence.
        seq: i64,
        /// Its id.
        id: InstructionId,
    },
    /// An instruction whose id was used before.
    #[error("instruction {seq}: {id} was used before")]
    InstructionTwice {
        /// Its sequence.
        seq: i64,
        /// Its id.
        id: InstructionId,
    },
    /// An instruction whose columns say another id than it has.
    #[error("instruction {seq}: its {column} is {found}, and {derived} follows from it")]
    InstructionName {
        /// Its sequence.
        seq: i64,
        /// Which column.
        column: &'static str,
        /// What stands there.
        found: String,
        /// What follows from the instruction.
        derived: String,
    },
    /// An event whose columns say another key or kind than it has.
    #[error("event {seq}: its {column} is not the one that follows from it")]
    EventName {
        /// Its sequence.
        seq: i64,
        /// Which column.
        column: &'static str,
    },
    /// An event that was taken twice.
    #[error("event {seq}: {key} was taken before")]
    EventTwice {
        /// Its sequence.
        seq: i64,
        /// Its key.
        key: String,
    },
    /// A ledger line whose cause was posted before.
    #[error("ledger line {seq}: {cause} was posted before")]
    CauseTwice {
        /// Its sequence.
        seq: i64,
        /// Its cause.
        cause: String,
    },
    /// Parts of the state that are not those that the last commit left.
    #[error("state: its parts are not those that the last commit left")]
    State,
    /// An entry of the outbox for an instruction that is not in the journal.
    #[error("outbox entry {seq}: {id} is no instruction of the journal")]
    OutboxInstruction {
        /// Its sequence.
        seq: i64,
        /// The instruction it names.
        id: InstructionId,
    },
}
