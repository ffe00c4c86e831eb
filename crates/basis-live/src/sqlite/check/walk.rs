//! The walk over all tables, commit by commit.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use basis_core::journal::JournalError;
use basis_core::types::{BookId, Epoch, InstructionId};
use basis_core::venue_event::EventKey;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use rustc_hash::FxHashSet;

use super::super::cell;
use super::super::decode;
use super::super::digest::{self, Digest, Link as Chain, NOTHING};
use super::super::encode::{client_order_id, word_of};
use super::super::line::LineReader;
use super::super::read::Reading;
use super::super::schema::{self, Table};
use super::cursor::{Cursor, Kept};
use super::problem::{Link, Problem};

/// Reads everything once and lists what is wrong.
pub(super) struct Walk<'a> {
    reading: Reading<'a>,
    problems: &'a mut Vec<Problem>,
    book: Option<BookId>,
    /// The stored digest of the last link.
    digest: Digest,
    epochs: Vec<Epoch>,
    instructions: FxHashSet<InstructionId>,
    keys: HashSet<u128>,
    causes: HashSet<u128>,
    lines: LineReader,
    /// Of the parts of the state, as the last commit left them.
    state: Option<Digest>,
}

/// The tables whose rows belong to commits.
struct Tables<'s> {
    instructions: Cursor<'s, 7>,
    events: Cursor<'s, 11>,
    lines: Cursor<'s, 13>,
    rows: Cursor<'s, 4>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        path: &'a Path,
        connection: &'a Connection,
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        Self {
            reading: Reading::new(path, connection),
            problems,
            book: None,
            digest: NOTHING,
            epochs: Vec::new(),
            instructions: FxHashSet::default(),
            keys: HashSet::new(),
            causes: HashSet::new(),
            lines: LineReader::default(),
            state: None,
        }
    }

    pub(super) fn run(&mut self) -> Result<(), JournalError> {
        let reading = self.reading;
        let mut statements = [
            &schema::HEAD,
            &schema::STARTS,
            &schema::COMMITS,
            &schema::INSTRUCTIONS,
            &schema::EVENTS,
            &schema::LEDGER,
            &schema::ROWS,
            &schema::OUTBOX,
        ]
        .map(|table| reading.prepare(table.select))
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
        let [
            head,
            starts,
            commits,
            instructions,
            events,
            lines,
            rows,
            outbox,
        ] = statements.as_mut_slice()
        else {
            return Err(JournalError::Inconsistent("eight tables".to_owned()));
        };
        let problems = &mut *self.problems;
        let mut head = Cursor::new(reading, reading.rows(head)?, &schema::HEAD, problems)?;
        let mut starts = Cursor::new(reading, reading.rows(starts)?, &schema::STARTS, problems)?;
        let mut commits = Cursor::new(reading, reading.rows(commits)?, &schema::COMMITS, problems)?;
        let mut outbox = Cursor::new(reading, reading.rows(outbox)?, &schema::OUTBOX, problems)?;
        let mut tables = Tables {
            instructions: Cursor::new(
                reading,
                reading.rows(instructions)?,
                &schema::INSTRUCTIONS,
                problems,
            )?,
            events: Cursor::new(reading, reading.rows(events)?, &schema::EVENTS, problems)?,
            lines: Cursor::new(reading, reading.rows(lines)?, &schema::LEDGER, problems)?,
            rows: Cursor::new(reading, reading.rows(rows)?, &schema::ROWS, problems)?,
        };
        self.head(&mut head)?;
        let mut next_start = starts.next(self.problems)?;
        let mut done = 0;
        loop {
            // A start follows the commits that it counts.
            while let Some(start) = next_start.take_if(|start| commits_before(start) <= done) {
                self.start(&start);
                next_start = starts.next(self.problems)?;
            }
            let Some(commit) = commits.next(self.problems)? else {
                break;
            };
            self.commit(&commit, &mut tables)?;
            done = commit.seq();
        }
        if let Some(start) = next_start {
            self.orphan(&schema::STARTS, start.seq());
        }
        self.leftovers(&mut tables)?;
        self.parts()?;
        self.outbox(&mut outbox)
    }

    fn head(&mut self, rows: &mut Cursor<'_, 6>) -> Result<(), JournalError> {
        let Some(row) = rows.next(self.problems)? else {
            self.problems
                .push(Problem::File("it has no head".to_owned()));
            return Ok(());
        };
        self.link(Link::Head, &schema::HEAD, &row.cells());
        match self.reading.head().and_then(|head| head.book_id()) {
            Ok(book) => self.book = Some(book),
            Err(e) => self.unreadable(&schema::HEAD, row.seq(), &e),
        }
        Ok(())
    }

    fn start(&mut self, row: &Kept<6>) {
        let seq = row.seq();
        self.link(Link::Start(seq), &schema::STARTS, &row.cells());
        match decode::start(&row.cells()) {
            Ok(start) => {
                let epoch = start.epoch;
                if self.epochs.last().is_some_and(|last| *last >= epoch) {
                    self.problems.push(Problem::Epoch { start: seq, epoch });
                }
                self.epochs.push(epoch);
            }
            Err(e) => self.unreadable(&schema::STARTS, seq, &e),
        }
    }

    fn commit(&mut self, row: &Kept<10>, tables: &mut Tables<'_>) -> Result<(), JournalError> {
        let seq = row.seq();
        let cells = row.cells();
        let mut chain = Chain::after(&self.digest);
        let [covered @ .., stored] = &cells;
        chain.row(&schema::COMMITS, covered.iter().copied());
        let mut found = [0; 4];
        let [instructions, events, lines, rows] = &mut found;
        while let Some(row) = tables.instructions.next_of((seq, seq), self.problems)? {
            chain.row(&schema::INSTRUCTIONS, row.cells().into_iter());
            self.instruction(&row);
            *instructions += 1;
        }
        let mut taken = Vec::new();
        while let Some(row) = tables.events.next_of((seq, seq), self.problems)? {
            chain.row(&schema::EVENTS, row.cells().into_iter());
            taken.push((row.seq(), self.event(&row), 0));
            *events += 1;
        }
        if let (Some(first), Some(last)) = (taken.first(), taken.last()) {
            let owners = (first.0, last.0);
            while let Some(row) = tables.lines.next_of(owners, self.problems)? {
                chain.row(&schema::LEDGER, row.cells().into_iter());
                let event = taken.iter_mut().find(|(seq, ..)| *seq == row.owner());
                match event {
                    Some((_, posted, count)) => {
                        *count += 1;
                        let key = posted.as_ref().and_then(|(_, key)| key.clone());
                        self.line(&row, key.as_ref());
                    }
                    None => self.orphan(&schema::LEDGER, row.seq()),
                }
                *lines += 1;
            }
        }
        for (event, posted, found) in taken {
            let Some((named, _)) = posted else { continue };
            if i64::from(named) != found {
                self.problems.push(Problem::LineCount {
                    event,
                    named: named.into(),
                    found,
                });
            }
        }
        while let Some(row) = tables.rows.next_of((seq, seq), self.problems)? {
            chain.row(&schema::ROWS, row.cells().into_iter());
            if let Err(e) = decode::journal_row(&row.cells()) {
                self.unreadable(&schema::ROWS, row.seq(), &e);
            }
            *rows += 1;
        }
        self.linked(Link::Commit(seq), &schema::COMMITS, chain, *stored);
        self.commit_row(row, found);
        Ok(())
    }

    /// What the row of a commit says beside the rows it has.
    fn commit_row(&mut self, row: &Kept<10>, found: [i64; 4]) {
        let (seq, cells) = (row.seq(), row.cells());
        let [_, start, ..] = cells;
        let expected = i64::try_from(self.epochs.len()).unwrap_or(i64::MAX);
        if start != ValueRef::Integer(expected) {
            self.problems.push(Problem::Start {
                commit: seq,
                start: row.owner(),
                expected,
            });
        }
        match decode::counts(&cells) {
            Ok(named) => {
                let named = [named.instructions, named.events, named.lines, named.rows];
                let tables = [
                    schema::INSTRUCTIONS,
                    schema::EVENTS,
                    schema::LEDGER,
                    schema::ROWS,
                ];
                for ((named, found), table) in named.into_iter().zip(found).zip(tables) {
                    if named != found {
                        self.problems.push(Problem::RowCount {
                            commit: seq,
                            table: table.name,
                            named,
                            found,
                        });
                    }
                }
            }
            Err(e) => self.unreadable(&schema::COMMITS, seq, &e),
        }
        if let Err(e) = decode::calls(&cells) {
            self.unreadable(&schema::COMMITS, seq, &e);
        }
        let [.., state, _] = cells;
        match cell::digest("state", state) {
            Ok(digest) => self.state = Some(digest),
            Err(e) => self.unreadable(&schema::COMMITS, seq, &e),
        }
    }

    fn instruction(&mut self, row: &Kept<7>) {
        let seq = row.seq();
        let cells = row.cells();
        let [_, _, id, order, ..] = cells;
        let open = match decode::instruction(&cells) {
            Ok(open) => open,
            Err(e) => return self.unreadable(&schema::INSTRUCTIONS, seq, &e),
        };
        let own = open.instruction.id;
        if !self.epochs.contains(&own.epoch()) {
            self.problems.push(Problem::UnknownEpoch { seq, id: own });
        }
        if !self.instructions.insert(own) {
            self.problems
                .push(Problem::InstructionTwice { seq, id: own });
        }
        let mut compare = |column, stored: ValueRef<'_>, derived: String| {
            if stored != ValueRef::Text(derived.as_bytes()) {
                let found = match stored {
                    ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    other => other.data_type().to_string(),
                };
                self.problems.push(Problem::InstructionName {
                    seq,
                    column,
                    found,
                    derived,
                });
            }
        };
        compare("id", id, own.to_string());
        if let Some(book) = self.book {
            compare(
                "client_order_id",
                order,
                client_order_id(book, &open.instruction),
            );
        }
    }

    /// Returns how many lines an event names, and its key.
    fn event(&mut self, row: &Kept<11>) -> Option<(u32, Option<Arc<EventKey>>)> {
        let seq = row.seq();
        let cells = row.cells();
        let taken = match decode::event(&cells) {
            Ok(taken) => taken,
            Err(e) => {
                self.unreadable(&schema::EVENTS, seq, &e);
                return None;
            }
        };
        let [_, _, _, key, .., kind, json, _] = cells;
        let word = cell::text("event", json).map(word_of).unwrap_or_default();
        if kind != ValueRef::Text(word.as_bytes()) {
            self.problems.push(Problem::EventName {
                seq,
                column: "kind",
            });
        }
        let derived = taken.event.key();
        let stored = match key {
            ValueRef::Null => Ok(None),
            key => cell::read_json::<EventKey>("key", key).map(Some),
        };
        if stored != Ok(derived.clone()) {
            self.problems
                .push(Problem::EventName { seq, column: "key" });
        }
        if let Some(key) = &derived
            && !self.keys.insert(hash_of(key))
        {
            self.problems.push(Problem::EventTwice {
                seq,
                key: key.to_string(),
            });
        }
        Some((taken.lines, derived.map(Arc::new)))
    }

    fn line(&mut self, row: &Kept<13>, key: Option<&Arc<EventKey>>) {
        let seq = row.seq();
        let [_, _, cells @ ..] = row.cells();
        match self.lines.line(&cells, key) {
            Ok(line) if self.causes.insert(hash_of(&line.cause)) => {}
            Ok(line) => self.problems.push(Problem::CauseTwice {
                seq,
                cause: line.cause.to_string(),
            }),
            Err(e) => self.unreadable(&schema::LEDGER, seq, &e),
        }
    }

    /// Rows after the last commit.
    fn leftovers(&mut self, tables: &mut Tables<'_>) -> Result<(), JournalError> {
        while let Some(row) = tables.instructions.next(self.problems)? {
            self.orphan(&schema::INSTRUCTIONS, row.seq());
        }
        while let Some(row) = tables.events.next(self.problems)? {
            self.orphan(&schema::EVENTS, row.seq());
        }
        while let Some(row) = tables.lines.next(self.problems)? {
            self.orphan(&schema::LEDGER, row.seq());
        }
        while let Some(row) = tables.rows.next(self.problems)? {
            self.orphan(&schema::ROWS, row.seq());
        }
        Ok(())
    }

    fn parts(&mut self) -> Result<(), JournalError> {
        let parts = self.reading.parts()?;
        let matches = match self.state {
            Some(state) => state == digest::of_parts(&parts),
            None => parts.is_empty(),
        };
        if !matches {
            self.problems.push(Problem::State);
        }
        Ok(())
    }

    fn outbox(&mut self, rows: &mut Cursor<'_, 8>) -> Result<(), JournalError> {
        self.digest = NOTHING;
        while let Some(row) = rows.next(self.problems)? {
            let seq = row.seq();
            self.link(Link::Outbox(seq), &schema::OUTBOX, &row.cells());
            match decode::outbox_entry(&row.cells()) {
                Ok(entry) if self.instructions.contains(&entry.instruction) => {}
                Ok(entry) => self.problems.push(Problem::OutboxInstruction {
                    seq,
                    id: entry.instruction,
                }),
                Err(e) => self.unreadable(&schema::OUTBOX, seq, &e),
            }
        }
        Ok(())
    }

    /// A link that is one row.
    fn link(&mut self, link: Link, table: &Table, cells: &[ValueRef<'_>]) {
        let mut chain = Chain::after(&self.digest);
        if let [covered @ .., stored] = cells {
            chain.row(table, covered.iter().copied());
            self.linked(link, table, chain, *stored);
        }
    }

    /// Compares the digest of a link with the stored one. What follows is compared with the stored one, so
    /// that one change is listed where it was made.
    fn linked(&mut self, link: Link, table: &Table, chain: Chain, stored: ValueRef<'_>) {
        let computed = chain.end();
        match cell::digest("digest", stored) {
            Ok(digest) => {
                if digest != computed {
                    self.problems.push(Problem::Changed { link });
                }
                self.digest = digest;
            }
            Err(e) => {
                let seq = match link {
                    Link::Head => 1,
                    Link::Start(seq) | Link::Commit(seq) | Link::Outbox(seq) => seq,
                };
                self.unreadable(table, seq, &e);
                self.digest = computed;
            }
        }
    }

    fn orphan(&mut self, table: &Table, seq: i64) {
        self.problems.push(Problem::Orphan {
            table: table.name,
            seq,
        });
    }

    fn unreadable(&mut self, table: &Table, seq: i64, problem: &dyn std::fmt::Display) {
        self.problems.push(Problem::Unreadable {
            table: table.name,
            seq,
            problem: problem.to_string(),
        });
    }
}

/// How many commits there were before a start; none where that cannot be read, which is listed elsewhere.
fn commits_before(start: &Kept<6>) -> i64 {
    let [_, _, _, _, commits, _] = start.cells();
    cell::count("commits", commits).unwrap_or_default()
}

/// 128 bits of what is known already: a million keys need not stay in memory.
fn hash_of(value: &impl Hash) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        value.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}
