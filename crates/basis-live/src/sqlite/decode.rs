//! Rows as what they were written from.

use std::sync::Arc;

use basis_core::instruction::{Instruction, OpenInstruction};
use basis_core::journal::{
    Commit, Content, JournalRow, OutboxEntry, OutboxStage, RowKind, Start, TakenEvent, VenueCall,
};
use basis_core::types::Timestamp;
use basis_core::venue_event::{EventKey, VenueEvent};
use rusqlite::types::ValueRef;

use super::cell::{self, CellError};

/// How many rows of each table a commit has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) instructions: i64,
    pub(super) events: i64,
    pub(super) lines: i64,
    pub(super) rows: i64,
}

pub(super) fn counts(cells: &[ValueRef<'_>; 10]) -> Result<Counts, CellError> {
    let [_, _, _, _, instructions, events, lines, rows, _, _] = *cells;
    Ok(Counts {
        instructions: cell::count("instructions", instructions)?,
        events: cell::count("events", events)?,
        lines: cell::count("lines", lines)?,
        rows: cell::count("rows", rows)?,
    })
}

pub(super) fn commit(
    cells: &[ValueRef<'_>; 10],
    content: Content,
) -> Result<(Counts, Commit), CellError> {
    let [_, _, at, ..] = *cells;
    let mut commit = Commit {
        at: Timestamp::from_nanos(cell::integer("at", at)?),
        ..Commit::default()
    };
    if content.calls {
        commit.calls = calls(cells)?;
    }
    Ok((counts(cells)?, commit))
}

pub(super) fn calls(cells: &[ValueRef<'_>; 10]) -> Result<Vec<VenueCall>, CellError> {
    let [_, _, _, calls, ..] = *cells;
    cell::read_json("calls", calls)
}

pub(super) fn start(cells: &[ValueRef<'_>; 6]) -> Result<Start, CellError> {
    let [_, epoch, at, version, _, _] = *cells;
    Ok(Start {
        epoch: cell::parse("epoch", epoch)?,
        at: Timestamp::from_nanos(cell::integer("at", at)?),
        version: cell::text("version", version)?.to_owned(),
    })
}

pub(super) fn instruction(cells: &[ValueRef<'_>; 7]) -> Result<OpenInstruction, CellError> {
    let [_, _, _, _, venue, submitted_at, instruction] = *cells;
    Ok(OpenInstruction {
        venue: cell::parse("venue", venue)?,
        submitted_at: Timestamp::from_nanos(cell::integer("submitted_at", submitted_at)?),
        instruction: cell::read_json::<Instruction>("instruction", instruction)?,
    })
}

/// How many lines an event posted, and its key.
pub(super) fn posted(cells: &[ValueRef<'_>]) -> Result<(u32, Option<Arc<EventKey>>), CellError> {
    let [_, _, lines, key, ..] = *cells else {
        return Err(CellError::new("key", "the row ends before it"));
    };
    let key = match key {
        ValueRef::Null => None,
        key => Some(Arc::new(cell::read_json("key", key)?)),
    };
    Ok((cell::small("lines", lines)?, key))
}

pub(super) fn event(cells: &[ValueRef<'_>; 11]) -> Result<TakenEvent, CellError> {
    let [
        _,
        _,
        lines,
        _,
        venue,
        at,
        received_at,
        posted_at,
        _,
        event,
        marks,
    ] = *cells;
    Ok(TakenEvent {
        event: VenueEvent {
            venue: cell::parse("venue", venue)?,
            at: Timestamp::from_nanos(cell::integer("at", at)?),
            received_at: Timestamp::from_nanos(cell::integer("received_at", received_at)?),
            kind: cell::read_json("event", event)?,
        },
        posted_at: Timestamp::from_nanos(cell::integer("posted_at", posted_at)?),
        marks: cell::read_json("marks", marks)?,
        lines: cell::small("lines", lines)?,
    })
}

pub(super) fn journal_row(cells: &[ValueRef<'_>; 4]) -> Result<JournalRow, CellError> {
    let [_, _, kind, json] = *cells;
    let word = cell::text("kind", kind)?;
    let kind = RowKind::ALL.into_iter().find(|kind| kind.as_str() == word);
    Ok(JournalRow {
        kind: kind.ok_or_else(|| CellError::new("kind", format_args!("`{word}` is none")))?,
        json: cell::text("json", json)?.to_owned(),
    })
}

pub(super) fn outbox_entry(cells: &[ValueRef<'_>; 8]) -> Result<OutboxEntry, CellError> {
    let [_, instruction, at, stage, nonce, hash, bytes, _] = *cells;
    let word = cell::text("stage", stage)?;
    let stage = OutboxStage::ALL
        .into_iter()
        .find(|stage| stage.as_str() == word);
    let nonce = match nonce {
        ValueRef::Null => None,
        nonce => {
            Some(u64::try_from(cell::integer("nonce", nonce)?).map_err(CellError::of("nonce"))?)
        }
    };
    let hash = match hash {
        ValueRef::Null => None,
        hash => Some(cell::parse("hash", hash)?),
    };
    Ok(OutboxEntry {
        instruction: cell::parse("instruction", instruction)?,
        at: Timestamp::from_nanos(cell::integer("at", at)?),
        stage: stage.ok_or_else(|| CellError::new("stage", format_args!("`{word}` is none")))?,
        nonce,
        hash,
        bytes: cell::blob("bytes", bytes)?.to_vec(),
    })
}
