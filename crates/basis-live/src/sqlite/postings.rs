//! Keys and lines of all events, which is what a start reads of a long journal.
//!
//! A second connection on a thread of its own reads the keys while this one reads the lines: each takes
//! about as long as the other. Events never change, so both see the same ones up to a sequence.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use basis_core::error::ComponentError;
use basis_core::journal::EachPosting;
use basis_core::ledger::LedgerEntry;
use basis_core::venue_event::EventKey;
use rusqlite::Rows;

use super::decode;
use super::disk::Disk;
use super::line::LineReader;
use super::open;
use super::read::{self, Reading};

/// Events from which a second connection is worth it.
const EVENTS_MANY: i64 = 20_000;

/// Events that go from thread to thread at once.
const BATCH: usize = 1_000;

/// Batches that wait at most.
const BATCHES_WAITING: usize = 8;

const KEYS: &str = "SELECT seq, commit_seq, lines, key FROM events WHERE seq <= ? ORDER BY seq";

/// How many lines an event posted, and its key.
type Posted = (u32, Option<Arc<EventKey>>);

/// Shows key and lines of every event to `each`; `disk` is where a second connection can be opened to what
/// this one sees.
pub(super) fn postings(
    reading: Reading<'_>,
    disk: &dyn Disk,
    each: &mut EachPosting<'_>,
) -> Result<(), ComponentError> {
    let last = reading.last("events")?;
    let mut statement = reading.prepare(read::LINES)?;
    let mut lines = Lines {
        reading,
        rows: reading.rows(&mut statement)?,
        reader: LineReader::default(),
        own: Vec::new(),
    };
    if last >= EVENTS_MANY {
        return beside(reading.path(), disk, last, &mut lines, each);
    }
    read_keys(reading, last, &mut |batch| {
        lines.show(&batch, each)?;
        Ok(true)
    })
}

fn beside(
    path: &Path,
    disk: &dyn Disk,
    last: i64,
    lines: &mut Lines<'_>,
    each: &mut EachPosting<'_>,
) -> Result<(), ComponentError> {
    std::thread::scope(|scope| {
        let (send, receive) = sync_channel(BATCHES_WAITING);
        scope.spawn(move || send_keys(path, disk, last, &send));
        for batch in receive {
            lines.show(&batch?, each)?;
        }
        Ok(())
    })
}

/// Sends the keys, or why they cannot be read. When nobody receives any more, nobody wants them.
fn send_keys(
    path: &Path,
    disk: &dyn Disk,
    last: i64,
    send: &SyncSender<Result<Vec<Posted>, ComponentError>>,
) {
    let read = open::reading(disk, path)
        .map_err(ComponentError::from)
        .and_then(|connection| {
            read_keys(Reading::new(path, &connection), last, &mut |batch| {
                Ok(send.send(Ok(batch)).is_ok())
            })
        });
    if let Err(e) = read {
        send.send(Err(e)).ok();
    }
}

/// Gives the keys up to event `last` to `take` in batches, until it wants no more.
fn read_keys(
    reading: Reading<'_>,
    last: i64,
    take: &mut dyn FnMut(Vec<Posted>) -> Result<bool, ComponentError>,
) -> Result<(), ComponentError> {
    let mut statement = reading.prepare(KEYS)?;
    let mut rows = reading.rows_of(&mut statement, last)?;
    let mut batch = Vec::with_capacity(BATCH);
    let mut seen = 0;
    while let Some(row) = reading.next(&mut rows)? {
        batch.push(reading.readable(decode::posted(&reading.cells::<4>(row)?))?);
        seen += 1;
        if batch.len() == BATCH && !take(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)))?
        {
            return Ok(());
        }
    }
    if seen != last {
        let problem = format!("its last event is {last}, and there are {seen}");
        return Err(reading.damaged(&problem).into());
    }
    take(batch)?;
    Ok(())
}

/// The lines of all events, in order.
struct Lines<'s> {
    reading: Reading<'s>,
    rows: Rows<'s>,
    reader: LineReader,
    own: Vec<LedgerEntry>,
}

impl Lines<'_> {
    fn show(&mut self, batch: &[Posted], each: &mut EachPosting<'_>) -> Result<(), ComponentError> {
        for (count, key) in batch {
            self.own.clear();
            self.reading.lines(
                &mut self.rows,
                *count,
                key.as_ref(),
                &mut self.reader,
                &mut self.own,
            )?;
            each(key.as_ref(), &self.own)?;
        }
        Ok(())
    }
}
