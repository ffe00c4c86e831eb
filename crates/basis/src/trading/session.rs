//! A journal, and who trades under it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use basis_core::clock::Clock;
use basis_core::error::{Code, ComponentError};
use basis_core::instruction::{Instruction, OpenInstruction, Operation};
use basis_core::journal::{
    Commit, Content, Journal, JournalError, JournalHead, JournalReader, TakenEvent, VenueRecord,
};
use basis_core::types::{BookId, Epoch, InstructionId, Span, Timestamp, Venue};
use basis_core::venue_event::Events;
use basis_live::actor::Command;
use basis_live::sqlite::{Durability, SqliteJournal, SqliteReader};
use sha2::{Digest, Sha256};

use super::line::Connected;
use super::outcomes::{Outcome, Outcomes};

/// The mode of a journal of instructions by hand.
const MODE: &str = "instruct";
/// How far the clock may lie behind the last commit.
const CLOCK_BACK_MAX: Span = Span::from_seconds(5);
/// How long an instruction is waited for: longer than the longest proof.
const OUTCOME_MAX: Span = Span::from_seconds(60);

/// A journal of instructions by hand, opened for one start.
#[derive(Debug)]
pub struct Book {
    journal: SqliteJournal,
    /// Whose ids are given.
    pub id: BookId,
    epoch: Epoch,
    numbered: u32,
    /// What became of its instructions.
    pub outcomes: Outcomes,
    last: Timestamp,
}

/// A journal that a start has found and not begun on, or the place of one that does not exist yet.
#[derive(Debug)]
pub struct FoundBook {
    path: PathBuf,
    /// None where there is nothing yet: a start that is refused leaves nothing.
    journal: Option<SqliteJournal>,
    head: JournalHead,
    /// Whose ids are given.
    pub id: BookId,
    /// What became of its instructions.
    pub outcomes: Outcomes,
    last: Timestamp,
    start: (Timestamp, u32),
}

impl FoundBook {
    /// Looks for a journal at `path`, which then is one for `venue` in `environment`. Nothing is written.
    ///
    /// # Errors
    /// EXEC-005 for a journal of something else, for one that another process writes, and for a clock that is
    /// behind its last commit; EXEC-006 for a damaged one.
    pub fn find(
        path: &Path,
        (venue, environment): (Venue, &str),
        (now, random): (Timestamp, u32),
    ) -> Result<Self, ComponentError> {
        let config = format!("venue: {venue}\nenvironment: {environment}\n");
        let journal = match SqliteJournal::open(path, Durability::Commit) {
            Err(JournalError::Missing { .. } | JournalError::Unbegun { .. }) => {
                let head = head(config, (now, random));
                return Ok(Self {
                    path: path.to_owned(),
                    journal: None,
                    id: head.book_id()?,
                    head,
                    outcomes: Outcomes::default(),
                    last: Timestamp::MIN,
                    start: (now, random),
                });
            }
            opened => opened?,
        };
        let reader = SqliteReader::open(path)?;
        let head = reader.head()?;
        for (key, journal, start) in [
            ("mode", head.mode.as_str(), MODE),
            ("settings", head.config.as_str(), config.as_str()),
        ] {
            if journal != start {
                let (journal, start) = (journal.trim().to_owned(), start.trim().to_owned());
                let key = key.to_owned();
                return Err(JournalError::Differs {
                    key,
                    journal,
                    start,
                }
                .into());
            }
        }
        let outcomes = Outcomes::read(&reader)?;
        let last = last_commit(&reader)?;
        if now < last.minus(CLOCK_BACK_MAX) {
            let message = format!(
                "the clock shows {now}, more than {CLOCK_BACK_MAX} before the journal's last commit at {last}; \
                 set the clock"
            );
            return Err(ComponentError::new(Code::JournalRefused, message).with_reason("clock"));
        }
        Ok(Self {
            path: path.to_owned(),
            journal: Some(journal),
            id: head.book_id()?,
            head,
            outcomes,
            last,
            start: (now, random),
        })
    }

    /// Begins the start: from here on there is a journal.
    ///
    /// # Errors
    /// EXEC-004 when it cannot be written; EXEC-005 when somebody else made one meanwhile.
    pub fn begin(self) -> Result<Book, ComponentError> {
        let mut journal = match self.journal {
            Some(journal) => journal,
            None => SqliteJournal::create(&self.path, &self.head, Durability::Commit)?,
        };
        let (now, random) = self.start;
        let epoch = journal.begin_start(now.max(self.last), random, env!("CARGO_PKG_VERSION"))?;
        Ok(Book {
            journal,
            id: self.id,
            epoch,
            numbered: 0,
            outcomes: self.outcomes,
            last: self.last,
        })
    }
}

impl Book {
    /// Writes an instruction down, with a number that was never used.
    fn begin(
        &mut self,
        (venue, now): (Venue, Timestamp),
        operation: Operation,
    ) -> Result<Instruction, ComponentError> {
        self.numbered = self.numbered.saturating_add(1);
        let id = InstructionId::new(self.epoch, self.numbered);
        let instruction = Instruction::new(id, operation);
        let open = OpenInstruction {
            venue,
            submitted_at: now,
            instruction: instruction.clone(),
        };
        self.commit(Commit {
            at: now,
            instructions: vec![open.clone()],
            ..Commit::default()
        })?;
        self.outcomes.begin(open);
        Ok(instruction)
    }

    fn commit(&mut self, mut commit: Commit) -> Result<(), ComponentError> {
        commit.at = commit.at.max(self.last);
        self.last = commit.at;
        Ok(self.journal.commit(&commit)?)
    }

    fn take(&mut self, now: Timestamp, events: Events) -> Result<(), ComponentError> {
        let taken = |event| TakenEvent {
            event,
            posted_at: now,
            marks: Vec::new(),
            lines: 0,
        };
        // What is known already is not written again.
        let new = events
            .into_iter()
            .filter(|event| self.outcomes.apply(event));
        let events: Vec<_> = new.map(taken).collect();
        if events.is_empty() {
            return Ok(());
        }
        let commit = Commit {
            at: now,
            events,
            ..Commit::default()
        };
        self.commit(commit)
    }
}

fn head(config: String, (now, random): (Timestamp, u32)) -> JournalHead {
    let hash = Sha256::digest(config.as_bytes());
    let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let number = now.nanos().unsigned_abs() ^ (u64::from(random) << 31);
    JournalHead {
        book: BookId::from_number(number).to_string(),
        mode: MODE.to_owned(),
        config,
        config_hash: hash,
    }
}

fn last_commit(reader: &SqliteReader) -> Result<Timestamp, ComponentError> {
    let mut last = Timestamp::MIN;
    reader.read(Content::default(), &mut |commit| {
        last = last.max(commit.at);
        Ok(())
    })?;
    Ok(last)
}

/// A venue that is connected, and the book under which it is traded at.
#[derive(Debug)]
pub struct Trader {
    /// The book.
    pub book: Book,
    connected: Connected,
    clock: Arc<dyn Clock>,
}

impl Trader {
    /// Trades under `book` at the venue that is `connected`.
    #[must_use]
    pub fn new(book: Book, connected: Connected, clock: Arc<dyn Clock>) -> Self {
        Self {
            book,
            connected,
            clock,
        }
    }

    /// Finds out what became of the instructions that an earlier process left open. An order that rests goes on
    /// resting.
    ///
    /// # Errors
    /// EXI-005 when that cannot be found out now; nothing is sent then.
    pub fn recover(&mut self) -> Result<Vec<InstructionId>, ComponentError> {
        let last = self.book.last;
        let record = VenueRecord {
            committed_at: (last > Timestamp::MIN).then_some(last),
            ..self.book.outcomes.record()
        };
        let ids: Vec<_> = record.open.iter().map(|open| open.instruction.id).collect();
        self.command(Command::Recover(Box::new(record)))?;
        if ids.is_empty() {
            return Ok(ids);
        }
        // What was known before says nothing of how it stands now: each is heard of again.
        self.run(&ids, true)?;
        let unresolved: Vec<_> = ids
            .iter()
            .filter(|id| !self.is_settled(**id))
            .map(ToString::to_string)
            .collect();
        if unresolved.is_empty() {
            return Ok(ids);
        }
        let message = format!(
            "{}: what became of instruction {} of an earlier start is not known yet; nothing was sent",
            self.connected.venue,
            unresolved.join(", ")
        );
        Err(ComponentError::new(Code::OutcomeUnknown, message))
    }

    /// Journals an instruction, sends it, and waits for what comes of it.
    ///
    /// # Errors
    /// When the journal cannot be written, or the venue's thread has ended.
    pub fn execute(&mut self, operation: Operation) -> Result<InstructionId, ComponentError> {
        let now = self.clock.now();
        let instruction = self.book.begin((self.connected.venue, now), operation)?;
        let id = instruction.id;
        self.command(Command::Execute(vec![instruction]))?;
        self.run(&[id], false)?;
        Ok(id)
    }

    fn is_settled(&self, id: InstructionId) -> bool {
        let outcome = self.book.outcomes.of(id);
        outcome.is_some_and(|outcome| outcome.is_over() || outcome.rests())
    }

    fn is_over(&self, id: InstructionId) -> bool {
        let outcome = self.book.outcomes.of(id);
        outcome.is_some_and(Outcome::is_over)
    }

    fn command(&self, command: Command) -> Result<(), ComponentError> {
        self.connected.mailbox.command(command).map_err(|_refused| {
            let message = format!(
                "{}: the venue's thread has ended; nothing was sent",
                self.connected.venue
            );
            ComponentError::new(Code::VenueUnavailable, message)
        })
    }

    /// Takes events until all of `ids` are settled; with `anew`, each by an event of this start.
    fn run(&mut self, ids: &[InstructionId], anew: bool) -> Result<(), ComponentError> {
        let step = Duration::from_millis(200);
        let until = self.clock.now().plus(OUTCOME_MAX);
        let mut heard = Vec::new();
        loop {
            let mut events = Events::new();
            self.connected.mailbox.take_events(&mut events);
            let is_quiet = events.is_empty();
            if !is_quiet {
                heard.extend(
                    events
                        .iter()
                        .filter_map(basis_core::venue_event::VenueEvent::instruction),
                );
                self.book.take(self.clock.now(), events)?;
            }
            // An order that works may be about to fill: a frame says the one before the other.
            let is_settled = |id: &InstructionId| {
                let rests = self.is_settled(*id) && is_quiet;
                (rests || self.is_over(*id)) && (!anew || heard.contains(id))
            };
            if ids.iter().all(is_settled)
                || self.clock.now() >= until
                || self.connected.mailbox.is_closed()
            {
                return Ok(());
            }
            self.connected.mailbox.wait(step);
        }
    }

    /// What became of an instruction.
    #[must_use]
    pub fn outcome(&self, id: InstructionId) -> Outcome {
        self.book.outcomes.of(id).cloned().unwrap_or_default()
    }

    /// What a person should know, said so far.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        self.connected.mailbox.take_notices()
    }
}
