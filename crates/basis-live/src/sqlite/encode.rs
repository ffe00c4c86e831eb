//! A commit as rows, with the digest that ends it.

use std::collections::BTreeMap;

use basis_core::instruction::Instruction;
use basis_core::journal::{Commit, JournalError, TakenEvent};
use basis_core::types::{BookId, ClientOrderId};
use rusqlite::types::Value;

use super::cell;
use super::digest::{self, Digest, Link};
use super::line::LineWriter;
use super::schema;

/// The last sequence of each table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sequences {
    pub(super) commits: i64,
    pub(super) instructions: i64,
    pub(super) events: i64,
    pub(super) lines: i64,
    pub(super) rows: i64,
}

/// Where the journal stands: what the next commit goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) last: Sequences,
    /// Of the last commit or start.
    pub(super) digest: Digest,
    /// Digests of the parts of the state.
    pub(super) parts: BTreeMap<String, Digest>,
}

/// The rows of one commit, and where the journal stands after them.
#[derive(Clone, Debug)]
pub(super) struct Encoded {
    pub(super) commit: [Value; 10],
    pub(super) instructions: Vec<[Value; 7]>,
    pub(super) events: Vec<[Value; 11]>,
    pub(super) lines: Vec<[Value; 13]>,
    pub(super) rows: Vec<[Value; 4]>,
    pub(super) state: Vec<[Value; 3]>,
    pub(super) after: Tail,
}

/// Makes the rows of `commit`, which follows `tail` in the start `start` of `book`.
///
/// # Errors
/// [`JournalError::Inconsistent`] for a commit that contradicts itself, or that could not be read back.
pub(super) fn encode(
    commit: &Commit,
    book: BookId,
    start: i64,
    tail: &Tail,
    writer: &mut LineWriter,
) -> Result<Encoded, JournalError> {
    let mut after = tail.clone();
    after.last.commits += 1;
    let mut encoded = Encoded {
        commit: [const { Value::Null }; 10],
        instructions: Vec::with_capacity(commit.instructions.len()),
        events: Vec::with_capacity(commit.events.len()),
        lines: Vec::with_capacity(commit.lines.len()),
        rows: Vec::with_capacity(commit.rows.len()),
        state: Vec::with_capacity(commit.state.len()),
        after,
    };
    encoded.instructions(commit, book)?;
    encoded.events(commit, writer)?;
    encoded.rows(commit);
    encoded.parts(commit);
    let last = encoded.after.last;
    encoded.commit = [
        Value::Integer(last.commits),
        Value::Integer(start),
        Value::Integer(commit.at.nanos()),
        Value::Text(cell::json(&commit.calls)?),
        Value::Integer(last.instructions - tail.last.instructions),
        Value::Integer(last.events - tail.last.events),
        Value::Integer(last.lines - tail.last.lines),
        Value::Integer(last.rows - tail.last.rows),
        Value::Blob(digest::of_parts(&encoded.after.parts).to_vec()),
        Value::Null,
    ];
    encoded.seal(&tail.digest);
    Ok(encoded)
}

impl Encoded {
    fn instructions(&mut self, commit: &Commit, book: BookId) -> Result<(), JournalError> {
        let last = &mut self.after.last;
        for open in &commit.instructions {
            last.instructions += 1;
            self.instructions.push([
                Value::Integer(last.instructions),
                Value::Integer(last.commits),
                Value::Text(open.instruction.id.to_string()),
                Value::Text(client_order_id(book, &open.instruction)),
                Value::Text(open.venue.to_string()),
                Value::Integer(open.submitted_at.nanos()),
                Value::Text(cell::json(&open.instruction)?),
            ]);
        }
        Ok(())
    }

    /// Events, and the lines of each, which follow those of the event before.
    fn events(&mut self, commit: &Commit, writer: &mut LineWriter) -> Result<(), JournalError> {
        let last = &mut self.after.last;
        let mut rest = commit.lines.as_slice();
        for taken in &commit.events {
            last.events += 1;
            let key = taken.event.key();
            let count = usize::try_from(taken.lines).unwrap_or(usize::MAX);
            let (own, others) = rest
                .split_at_checked(count)
                .ok_or_else(|| line_count(commit))?;
            rest = others;
            for line in own {
                last.lines += 1;
                let row = writer.row(last.lines, last.events, key.as_ref(), line)?;
                self.lines.push(row);
            }
            let key = match &key {
                Some(key) => Value::Text(cell::json(key)?),
                None => Value::Null,
            };
            self.events.push(event_row(*last, key, taken)?);
        }
        if rest.is_empty() {
            Ok(())
        } else {
            Err(line_count(commit))
        }
    }

    fn rows(&mut self, commit: &Commit) {
        let last = &mut self.after.last;
        for row in &commit.rows {
            last.rows += 1;
            self.rows.push([
                Value::Integer(last.rows),
                Value::Integer(last.commits),
                Value::Text(row.kind.as_str().to_owned()),
                Value::Text(row.json.clone()),
            ]);
        }
    }

    fn parts(&mut self, commit: &Commit) {
        for part in &commit.state {
            let digest = digest::of_part(self.after.last.commits, &part.json);
            self.after.parts.insert(part.name.clone(), digest);
            self.state.push([
                Value::Text(part.name.clone()),
                Value::Integer(self.after.last.commits),
                Value::Text(part.json.clone()),
            ]);
        }
    }

    /// Puts the digest into the commit's last cell.
    fn seal(&mut self, previous: &Digest) {
        let mut link = Link::after(previous);
        let [cells @ .., _] = &self.commit;
        link.values(&schema::COMMITS, cells);
        for row in &self.instructions {
            link.values(&schema::INSTRUCTIONS, row);
        }
        for row in &self.events {
            link.values(&schema::EVENTS, row);
        }
        for row in &self.lines {
            link.values(&schema::LEDGER, row);
        }
        for row in &self.rows {
            link.values(&schema::ROWS, row);
        }
        self.after.digest = link.end();
        let [.., digest] = &mut self.commit;
        *digest = Value::Blob(self.after.digest.to_vec());
    }
}

fn event_row(last: Sequences, key: Value, taken: &TakenEvent) -> Result<[Value; 11], JournalError> {
    let event = &taken.event;
    let kind = cell::json(&event.kind)?;
    Ok([
        Value::Integer(last.events),
        Value::Integer(last.commits),
        Value::Integer(taken.lines.into()),
        key,
        Value::Text(event.venue.to_string()),
        Value::Integer(event.at.nanos()),
        Value::Integer(event.received_at.nanos()),
        Value::Integer(taken.posted_at.nanos()),
        Value::Text(word_of(&kind).to_owned()),
        Value::Text(kind),
        Value::Text(cell::json(&taken.marks)?),
    ])
}

/// The word for its kind that the JSON of an event begins with.
pub(super) fn word_of(json: &str) -> &str {
    json.split('"').nth(1).unwrap_or_default()
}

/// The id that the venue of an instruction is given for it.
pub(super) fn client_order_id(book: BookId, instruction: &Instruction) -> String {
    ClientOrderId::derive(book, instruction.id)
        .as_str()
        .to_owned()
}

fn line_count(commit: &Commit) -> JournalError {
    let named: u64 = commit
        .events
        .iter()
        .map(|taken| u64::from(taken.lines))
        .sum();
    JournalError::Inconsistent(format!(
        "a commit has {} ledger lines, and its events name {named}",
        commit.lines.len()
    ))
}
