//! A process that trades: a journal, a machine and whoever commits between them. It can be killed
//! anywhere.

use basis_core::error::ComponentError;
use basis_core::instruction::{Instruction, OpenInstruction, Operation};
use basis_core::journal::{Commit, Journal, TakenEvent};
use basis_core::types::{Epoch, InstructionId, Timestamp};
use basis_core::venue_event::{Events, VenueEvent};
use basis_live::actor::{Command, Mailbox, Readiness, VirtualDriver};

use super::Bench;
use super::teeth::{Client, Tooth};
use super::venue::Venue;
use crate::book::Ledger;
use crate::process::{Death, Store};

/// A process under virtual time.
pub(crate) struct Process<B: Bench, J> {
    pub(crate) driver: VirtualDriver<Client<B>, Venue<B>>,
    pub(crate) mailbox: Mailbox,
    journal: J,
    epoch: Epoch,
    numbered: u32,
    /// Inputs until it is killed.
    pub(crate) lives: Option<u64>,
}

impl<B: Bench, J: Journal> Process<B, J> {
    /// Starts on what `store` holds, and recovers what is open.
    pub(crate) fn start<S: Store<Journal = J>>(
        store: &mut S,
        mut venue: Venue<B>,
        (now, tooth): (Timestamp, Tooth),
    ) -> Self {
        venue.forget();
        let record = Ledger::record(&store.commits());
        let (journal, epoch) = store.begin(now, 0);
        let epoch = match tooth {
            Tooth::ReusesIds => Epoch::new(1, 0),
            _ => epoch,
        };
        venue.retries = tooth == Tooth::Retries;
        let machine = Client::new(B::machine(), tooth);
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
            venue: B::VENUE,
            submitted_at: self.now(),
            instruction: instruction.clone(),
        };
        let commit = Commit {
            at: self.now(),
            instructions: vec![open],
            ..Commit::default()
        };
        self.commit(&commit)?;
        let command = Command::Execute(vec![instruction]);
        self.driver.command(command).unwrap();
        Ok(id)
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), Death> {
        let committed = self.journal.commit(commit);
        committed.map_err(|_full| Death::Disk)?;
        self.spend(1)
    }

    /// Counts what the process did; it dies when that is all.
    fn spend(&mut self, steps: u64) -> Result<(), Death> {
        match &mut self.lives {
            Some(lives) if *lives < steps => Err(Death::Killed),
            Some(lives) => {
                *lives -= steps;
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
            let mut pauses = |mailbox: &Mailbox| {
                steps += 1;
                mailbox.has_events() || steps > lives
            };
            self.driver.run_until(until, &mut pauses).unwrap();
            self.spend(steps)?;
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
    pub(crate) fn die(self) -> Venue<B> {
        self.driver.network
    }
}
