//! What goes into the journal, and when.
//!
//! A wake commits before the first byte of a block leaves, after its answers, and at its end. Each commit
//! holds everything since the one before, with the state to go on from there.

use std::collections::BTreeMap;

use basis_core::error::ComponentError;
use basis_core::health::Health;
use basis_core::journal::{Commit, Journal, JournalError, JournalRow, RowKind, StatePart};
use basis_core::types::{Epoch, InstructionId, Span, Timestamp, Venue};
use basis_core::venue_event::Text;
use serde::{Deserialize, Serialize};

use super::Engine;
use super::plans::ActivePlan;
use super::turn::Turn;
use crate::account::{SavedBooks, SavedRiskView};
use crate::block::LegRun;
use crate::desk::{Desk, VenueState};
use crate::exit::ExitCost;
use crate::numeraire::ShareClass;
use crate::peg::{PegBook, PegResult};
use crate::pnl::Attribution;
use crate::result::{Counts, RefusedWithdrawal, StepColumns, StepEnd, UnbookedFunding};
use crate::risk::SavedRisk;
use crate::statistics::TimeWeighted;
use crate::step_row::StepRow;
use crate::strategy::{Checkpoint, OpenTransfer};

/// The version of what the state parts hold; a journal of another is refused.
pub(super) const STATE_VERSION: u32 = 3;

/// How often a journal of a simulated run is committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JournalSync {
    /// As live: before instructions are sent, after their answers, and at the end of every wake.
    #[default]
    Step,
    /// At the end of the first wake of a day, UTC: what came after is done again.
    Day,
}

/// A journal and the start that writes it.
#[derive(Debug)]
pub struct EngineJournal {
    /// Where commits go.
    pub journal: Box<dyn Journal>,
    /// The start, committed already.
    pub epoch: Epoch,
    /// How often it is committed.
    pub sync: JournalSync,
}

/// Why a commit is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Instructions are about to be sent.
    Sending,
    /// Their answers were taken.
    Answered,
    /// A wake has ended.
    WakeEnd,
    /// The run has ended.
    RunEnd,
}

/// The journal of a run, and how much of the run it holds.
#[derive(Debug)]
pub(super) struct Journaling {
    journal: Box<dyn Journal>,
    sync: JournalSync,
    /// The parts as they were last committed.
    written: BTreeMap<&'static str, String>,
    pub(super) lines: usize,
    pub(super) executions: usize,
    pub(super) logged: usize,
    /// Steps closed since the last commit.
    steps: Vec<String>,
    /// The day of the last commit, counted from 1970.
    day: Option<i64>,
}

/// The state of a run that is none of books, risk, strategy, plan or venues.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RunState {
    /// The version of all parts.
    pub(crate) version: u32,
    /// The instant of the view.
    pub(crate) now: Timestamp,
    /// The last step that was begun.
    pub(crate) stepped_at: Option<Timestamp>,
    /// How often things happened.
    pub(crate) counts: Counts,
    /// The first step and the last.
    pub(crate) ends: Option<[StepEnd; 2]>,
    /// Time-weighted statistics.
    pub(crate) statistics: TimeWeighted,
    /// Those of the exit value.
    pub(crate) exit_statistics: TimeWeighted,
    /// What leaving everything took after the last step.
    pub(crate) exit: Option<ExitCost>,
    /// Whether growth is held back for what leaving costs.
    pub(crate) exit_too_dear: bool,
    /// Sum of each bucket.
    pub(crate) attribution: Attribution,
    /// The run in its share class, where that is not a dollar.
    pub(crate) share: Option<ShareClass>,
    /// The run in dollars, where a peg is read.
    pub(crate) peg: Option<PegBook>,
    /// Funding instants without a rate.
    pub(crate) unbooked: Vec<UnbookedFunding>,
    /// Withdrawals that were refused.
    pub(crate) refused: Vec<RefusedWithdrawal>,
    /// External flows that were due by the last step.
    pub(crate) due_flows: u64,
    /// Transfers of ended plans on their way.
    pub(crate) in_flight: Vec<OpenTransfer>,
    /// Why the strategy was halted.
    pub(crate) halted: Option<String>,
    /// Whether the first entry is done.
    pub(crate) entered: bool,
    /// Whether a plan that enters has traded.
    pub(crate) held: bool,
    /// What kept the book that is wanted from being held, last.
    pub(crate) kept_from: Option<Text>,
    /// Refusals of one permanent kind in a row: the kind, and how many.
    pub(crate) refusals: Option<(Text, u32)>,
    /// Plans in a row that failed.
    pub(crate) failures_in_a_row: u32,
    /// Until when the strategy is not asked.
    pub(crate) pause_until: Timestamp,
    /// What waits for carry or for a venue, so that the log says it once.
    pub(crate) uneconomic: Option<Text>,
    /// Whether an operator has paused the strategy.
    pub(crate) paused: bool,
    /// Whether nothing is decided any more and what is held stays.
    pub(crate) holds: bool,
    /// Whether the run has ended before its last step.
    pub(crate) ended: bool,
}

impl RunState {
    /// Creates the state of a run from `from` of which nothing has come yet; `in_kind` whether its share
    /// class is no dollar, `pegged` whether it reads a peg.
    pub(super) fn new(in_kind: bool, pegged: bool, from: Timestamp) -> Self {
        Self {
            version: STATE_VERSION,
            now: Timestamp::MIN,
            stepped_at: None,
            counts: Counts::default(),
            ends: None,
            statistics: TimeWeighted::new(from),
            exit_statistics: TimeWeighted::new(from),
            exit: None,
            exit_too_dear: false,
            attribution: Attribution::default(),
            share: in_kind.then(|| ShareClass::new(from)),
            peg: pegged.then(|| PegBook::new(from)),
            unbooked: Vec::new(),
            refused: Vec::new(),
            due_flows: 0,
            in_flight: Vec::new(),
            halted: None,
            entered: false,
            held: false,
            kept_from: None,
            refusals: None,
            failures_in_a_row: 0,
            pause_until: Timestamp::MIN,
            uneconomic: None,
            paused: false,
            holds: false,
            ended: false,
        }
    }

    /// Returns what the peg came to over steps of `step`; `None` where none was read.
    pub(super) fn peg_figures(&self, step: Span) -> Option<PegResult> {
        self.peg.as_ref()?.finish(step)
    }
}

/// The plan under way and the rest of the wake.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct PlanState {
    pub(crate) plan: Option<ActivePlan>,
    pub(crate) turn: Option<Turn>,
}

/// What is outstanding at the venues.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DeskState {
    pub(crate) numbered: Vec<(Epoch, u32)>,
    pub(crate) touched: Vec<Venue>,
    pub(crate) health: Health,
    pub(crate) outstanding: Vec<(InstructionId, LegRun)>,
    pub(crate) slots: Vec<SlotState>,
}

/// One venue.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SlotState {
    pub(crate) venue: Venue,
    pub(crate) state: VenueState,
    pub(crate) unreadable: Option<(u32, Timestamp)>,
    pub(crate) reported_at: Timestamp,
    pub(crate) received_at: Timestamp,
    pub(crate) differences: (u32, Timestamp),
    pub(crate) is_fresh: bool,
}

/// Risk and what watches it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RiskState {
    pub(crate) monitor: SavedRisk,
    pub(crate) view: SavedRiskView,
}

/// All parts, as they are read back.
#[derive(Debug)]
pub(crate) struct SavedState {
    pub(crate) run: RunState,
    pub(crate) books: SavedBooks,
    pub(crate) plan: PlanState,
    pub(crate) desk: DeskState,
    pub(crate) risk: RiskState,
    pub(crate) strategy: Checkpoint,
}

impl SavedState {
    /// Reads the parts; `None` where nothing was committed yet.
    ///
    /// # Errors
    /// [`JournalError`] for a part that is missing, cannot be read, or is of another version.
    pub(crate) fn read(parts: &[StatePart]) -> Result<Option<Self>, JournalError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        if parts.is_empty() {
            return Ok(None);
        }
        let Version { version } = part(parts, "run")?;
        if version != STATE_VERSION {
            return Err(JournalError::Differs {
                key: "the version of its state".to_owned(),
                journal: version.to_string(),
                start: STATE_VERSION.to_string(),
            });
        }
        Ok(Some(Self {
            run: part(parts, "run")?,
            books: part(parts, "books")?,
            plan: part(parts, "plan")?,
            desk: part(parts, "venues")?,
            risk: part(parts, "risk")?,
            strategy: part(parts, "strategy")?,
        }))
    }
}

fn part<T: for<'de> Deserialize<'de>>(parts: &[StatePart], name: &str) -> Result<T, JournalError> {
    let found = parts.iter().find(|part| part.name == name);
    let found = found
        .ok_or_else(|| JournalError::Inconsistent(format!("the state has no part `{name}`")))?;
    serde_json::from_str(&found.json).map_err(|e| {
        JournalError::Inconsistent(format!("the state's part `{name}` cannot be read: {e}"))
    })
}

/// The JSON of a row or part.
fn json(what: &str, value: &impl Serialize) -> Result<String, JournalError> {
    serde_json::to_string(value)
        .map_err(|e| JournalError::Inconsistent(format!("{what} cannot be written as JSON: {e}")))
}

impl Journaling {
    pub(super) const fn new(journal: Box<dyn Journal>, sync: JournalSync) -> Self {
        Self {
            journal,
            sync,
            written: BTreeMap::new(),
            lines: 0,
            executions: 0,
            logged: 0,
            steps: Vec::new(),
            day: None,
        }
    }

    /// Keeps the last step of `columns` for the next commit.
    pub(super) fn close_step(&mut self, columns: &StepColumns) -> Result<(), ComponentError> {
        if let Some(row) = StepRow::last_of(columns) {
            self.steps.push(json("a step", &row)?);
        }
        Ok(())
    }

    /// Whether a commit is made at this moment.
    fn is_due(&self, moment: Moment, at: Timestamp) -> bool {
        match (self.sync, moment) {
            (JournalSync::Step, _) | (JournalSync::Day, Moment::RunEnd) => true,
            (JournalSync::Day, Moment::WakeEnd) => self.day != Some(day_of(at)),
            (JournalSync::Day, Moment::Sending | Moment::Answered) => false,
        }
    }

    /// Adds a part that has changed.
    fn add_part(
        &mut self,
        commit: &mut Commit,
        name: &'static str,
        value: &impl Serialize,
    ) -> Result<(), JournalError> {
        let json = json(name, value)?;
        let written = self.written.entry(name).or_default();
        if *written != json {
            commit.state.push(StatePart {
                name: name.to_owned(),
                json: json.clone(),
            });
            *written = json;
        }
        Ok(())
    }
}

fn day_of(at: Timestamp) -> i64 {
    at.nanos().div_euclid(86_400_000_000_000)
}

impl Engine {
    /// Commits everything since the last commit, where there is a journal and it is time.
    ///
    /// # Errors
    /// EXEC-004 when it is not durable: the process must stop.
    pub(super) fn commit(&mut self, moment: Moment) -> Result<(), ComponentError> {
        let at = self.view.now();
        let due = |journaling: &Journaling| journaling.is_due(moment, at);
        if !self.journaling.as_ref().is_some_and(due) {
            return Ok(());
        }
        let Some(mut journaling) = self.journaling.take() else {
            return Ok(());
        };
        let committed = self.commit_to(&mut journaling, at);
        let is_quiet = moment == Moment::WakeEnd && self.plan.is_none();
        let tidied = match (&committed, is_quiet) {
            (Ok(()), true) => journaling.journal.tidy_up(),
            _ => Ok(()),
        };
        self.journaling = Some(journaling);
        committed?;
        Ok(tidied?)
    }

    fn commit_to(
        &mut self,
        journaling: &mut Journaling,
        at: Timestamp,
    ) -> Result<(), ComponentError> {
        let taken = self.desk.uncommitted.as_mut().map(std::mem::take);
        let mut commit = taken.unwrap_or_default();
        commit.at = at;
        let lines = self.books.ledger();
        commit.lines = lines.get(journaling.lines..).unwrap_or_default().to_vec();
        let steps = std::mem::take(&mut journaling.steps).into_iter();
        let kind = RowKind::Step;
        commit.rows = steps.map(|json| JournalRow { kind, json }).collect();
        let rows = self.executions.get(journaling.executions..);
        for row in rows.unwrap_or_default() {
            let (kind, json) = (RowKind::Execution, json("an execution", row)?);
            commit.rows.push(JournalRow { kind, json });
        }
        let log = self.events.since(journaling.logged);
        for event in &log {
            let (kind, json) = (RowKind::Log, json("an event of the log", event)?);
            commit.rows.push(JournalRow { kind, json });
        }
        self.add_state(journaling, &mut commit)?;
        if commit.is_empty() {
            return Ok(());
        }
        journaling.journal.commit(&commit)?;
        journaling.lines = lines.len();
        journaling.executions = self.executions.len();
        journaling.logged += log.len();
        journaling.day = Some(day_of(at));
        Ok(())
    }

    fn add_state(
        &self,
        journaling: &mut Journaling,
        commit: &mut Commit,
    ) -> Result<(), ComponentError> {
        #[derive(Serialize)]
        struct Plan<'a> {
            plan: &'a Option<ActivePlan>,
            turn: &'a Option<Turn>,
        }
        let plan = Plan {
            plan: &self.plan,
            turn: &self.turn,
        };
        let risk = RiskState {
            monitor: self.risk.save(),
            view: self.risk_view.save(),
        };
        journaling.add_part(commit, "plan", &plan)?;
        journaling.add_part(commit, "books", &self.books.save())?;
        journaling.add_part(commit, "venues", &desk_state(&self.desk, &self.touched))?;
        journaling.add_part(commit, "risk", &risk)?;
        journaling.add_part(commit, "strategy", &self.strategy.save()?)?;
        journaling.add_part(commit, "run", &self.run_state)?;
        Ok(())
    }
}

fn desk_state(desk: &Desk, touched: &[Venue]) -> DeskState {
    let mut numbered = desk.earlier.clone();
    numbered.push((desk.epoch, desk.numbered));
    let slots = desk.slots.iter().map(|slot| SlotState {
        venue: slot.venue,
        state: slot.state.clone(),
        unreadable: slot.unreadable,
        reported_at: slot.reported_at,
        received_at: slot.received_at,
        differences: slot.differences,
        is_fresh: slot.is_fresh,
    });
    let outstanding = desk.outstanding.iter();
    DeskState {
        numbered,
        touched: touched.to_vec(),
        health: desk.health.clone(),
        outstanding: outstanding.map(|(id, run)| (*id, run.clone())).collect(),
        slots: slots.collect(),
    }
}
