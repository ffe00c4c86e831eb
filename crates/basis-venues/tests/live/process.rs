//! A process that trades: a journal, a machine and whoever commits between them. It can be killed anywhere.

use basis_core::error::ComponentError;
use basis_core::instruction::{Instruction, OpenInstruction, Operation};
use basis_core::journal::{Commit, Journal, JournalError, JournalHead, JournalReader, TakenEvent};
use basis_core::secret::Secret;
use basis_core::types::{BookId, Epoch, InstructionId, Timestamp};
use basis_core::venue_event::{Events, VenueEvent};
use basis_live::actor::{Command, Mailbox, Readiness, VirtualDriver};
use basis_live::memory::MemoryJournal;
use basis_testkit::BTC;
use basis_venues::binance::codec::signing::Keys;
use basis_venues::binance::live::{BinanceMachine, Endpoints, LiveSettings, Signers};

use crate::book::Ledger;
use crate::teeth::{Machine, Tooth};
use crate::venue::{KEY, SECRET, Venue, snapshot};

pub(crate) fn book() -> BookId {
    BookId::from_number(7)
}

pub(crate) fn keys() -> Keys {
    let key = Secret::new(KEY.to_owned());
    Keys::new(key, &Secret::new(SECRET.to_owned())).unwrap()
}

fn signers() -> Signers {
    Signers {
        spot: Box::new(keys()),
        usdm: Box::new(keys()),
    }
}

fn settings(book: BookId, venue: &Venue) -> LiveSettings {
    let endpoints = Endpoints::on_loopback("http://127.0.0.1:9").unwrap();
    LiveSettings {
        streams: !venue.polls_only,
        dead_man: venue.dead_man,
        ..LiveSettings::new(book, endpoints, vec![BTC])
    }
}

/// Why the venue may not be traded at under another book.
pub(crate) fn refusal_under(book: BookId, mut venue: Venue, now: Timestamp) -> ComponentError {
    venue.forget(now);
    let machine = BinanceMachine::new(settings(book, &venue), snapshot(), signers(), None);
    let mailbox = Mailbox::new();
    let mut driver = VirtualDriver::new(machine, venue, mailbox.clone(), now);
    let until = now.plus(basis_core::types::Span::from_seconds(40));
    driver.run_until(until, &mut |_| false).unwrap();
    match mailbox.readiness() {
        Readiness::Refused(e) => e,
        other => panic!("{other:?}"),
    }
}

/// Why a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// It was killed at the input that was counted down to.
    Killed,
    /// Its journal could not be written.
    Disk,
    /// The venue could not be traded at when it started.
    Refused,
}

/// The durable side: everything that a new process finds.
pub(crate) trait Store {
    type Journal: Journal;
    /// What was committed.
    fn commits(&self) -> Vec<Commit>;
    /// Reads what a new start finds.
    fn reader(&self) -> Box<dyn JournalReader>;
    /// Begins a start on it.
    fn begin(&mut self, at: Timestamp, random: u32) -> (Self::Journal, Epoch);
    /// Lets the commit after so many more fail, once.
    fn fail_after(&mut self, commits: usize);
}

/// A journal in memory.
#[derive(Debug)]
pub(crate) struct InMemory {
    journal: MemoryJournal,
    fail_after: Option<usize>,
}

impl InMemory {
    pub(crate) fn new() -> Self {
        let journal = MemoryJournal::new(JournalHead {
            book: book().as_str().to_owned(),
            mode: "test".to_owned(),
            config: String::new(),
            config_hash: String::new(),
        });
        Self {
            journal,
            fail_after: None,
        }
    }
}

impl Store for InMemory {
    type Journal = MemoryJournal;

    fn commits(&self) -> Vec<Commit> {
        self.journal.commits().unwrap()
    }

    fn reader(&self) -> Box<dyn JournalReader> {
        Box::new(self.journal.clone())
    }

    fn begin(&mut self, at: Timestamp, random: u32) -> (MemoryJournal, Epoch) {
        self.journal = self.journal.killed_after(usize::MAX).unwrap();
        let epoch = self.journal.begin_start(at, random, "test").unwrap();
        if let Some(commits) = self.fail_after.take() {
            self.journal.fail_after(commits).unwrap();
        }
        (self.journal.clone(), epoch)
    }

    fn fail_after(&mut self, commits: usize) {
        self.fail_after = Some(commits);
        self.journal.fail_after(commits).unwrap();
        self.fail_after = None;
    }
}

/// A process under virtual time.
pub(crate) struct Process<J> {
    pub(crate) driver: VirtualDriver<Machine, Venue>,
    pub(crate) mailbox: Mailbox,
    journal: J,
    epoch: Epoch,
    numbered: u32,
    /// Inputs until it is killed.
    pub(crate) lives: Option<u64>,
    pub(crate) inputs: u64,
}

impl<J: Journal> Process<J> {
    /// Starts on what `store` holds, and recovers what is open.
    pub(crate) fn start<S: Store<Journal = J>>(
        store: &mut S,
        mut venue: Venue,
        (now, tooth): (Timestamp, Tooth),
    ) -> Self {
        venue.forget(now);
        let record = Ledger::record(&store.commits());
        let (journal, epoch) = store.begin(now, 0);
        let epoch = match tooth {
            Tooth::ReusesIds => Epoch::new(1, 0),
            _ => epoch,
        };
        venue.retries = tooth == Tooth::Retries;
        let settings = settings(book(), &venue);
        let machine = BinanceMachine::new(settings, snapshot(), signers(), None);
        let machine = Machine::new(machine, tooth);
        let mailbox = Mailbox::new();
        let driver = VirtualDriver::new(machine, venue, mailbox.clone(), now);
        driver.command(Command::Recover(Box::new(record))).unwrap();
        Self {
            driver,
            mailbox,
            journal,
            epoch,
            numbered: 0,
            lives: None,
            inputs: 0,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.driver.now()
    }

    /// Journals an instruction, then hands it over.
    pub(crate) fn execute(&mut self, operation: Operation) -> Result<InstructionId, Death> {
        self.numbered += 1;
        let id = InstructionId::new(self.epoch, self.numbered);
        let instruction = Instruction::new(id, operation);
        let open = OpenInstruction {
            venue: BinanceMachine::VENUE,
            submitted_at: self.now(),
            instruction: instruction.clone(),
        };
        let commit = Commit {
            at: self.now(),
            instructions: vec![open],
            ..Commit::default()
        };
        self.commit(&commit)?;
        self.driver
            .command(Command::Execute(vec![instruction]))
            .unwrap();
        Ok(id)
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), Death> {
        let committed: Result<(), JournalError> = self.journal.commit(commit);
        committed.map_err(|_full| Death::Disk)?;
        self.spend()
    }

    /// Counts what the process did; it dies when that is all.
    fn spend(&mut self) -> Result<(), Death> {
        self.inputs += 1;
        match &mut self.lives {
            Some(0) => Err(Death::Killed),
            Some(lives) => {
                *lives -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Runs until `until`, committing events as they come.
    pub(crate) fn run_until(&mut self, until: Timestamp) -> Result<(), Death> {
        loop {
            let mut steps = 0;
            let lives = self.lives.unwrap_or(u64::MAX);
            self.driver
                .run_until(until, &mut |mailbox| {
                    steps += 1;
                    mailbox.has_events() || steps > lives
                })
                .unwrap();
            self.inputs += steps;
            if let Some(left) = &mut self.lives {
                if steps > *left {
                    return Err(Death::Killed);
                }
                *left -= steps;
            }
            if !self.mailbox.has_events() {
                return Ok(());
            }
            let mut events = Events::new();
            self.mailbox.take_events(&mut events);
            let at = self.now();
            let taken = |event: VenueEvent| TakenEvent {
                event,
                posted_at: at,
                marks: Vec::new(),
                lines: 0,
            };
            let commit = Commit {
                at,
                events: events.into_iter().map(taken).collect(),
                ..Commit::default()
            };
            self.commit(&commit)?;
        }
    }

    /// Whether the venue may be used.
    pub(crate) fn readiness(&self) -> Result<bool, ComponentError> {
        match self.mailbox.readiness() {
            Readiness::Ready => Ok(true),
            Readiness::Starting => Ok(false),
            Readiness::Refused(e) => Err(e),
        }
    }

    /// Ends the process; the venue stays.
    pub(crate) fn die(self) -> Venue {
        self.driver.network
    }
}
