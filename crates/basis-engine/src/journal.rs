//! Reading a journal without running anything: the ledger proven from the events, and what is open.

use std::collections::BTreeMap;

use basis_core::error::ComponentError;
use basis_core::instruction::Instruction;
use basis_core::journal::{Commit, Content, JournalReader, TakenEvent};
use basis_core::ledger::{EntryKind, LedgerEntry};
use basis_core::num::{Quantity, Value};
use basis_core::types::{Account, InstrumentKey, Item, Timestamp, Venue};
use basis_core::venue_event::{EventKey, TransactionStage};

use crate::account::opens_cost;
use crate::block::LegRun;
use crate::desk::VenueState;
use crate::engine::SavedState;
use crate::posting::{self, Held, KeptMarks};

/// How much was posted again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Commits read.
    pub commits: u64,
    /// Events posted.
    pub events: u64,
    /// Ledger lines that were the same.
    pub lines: u64,
    /// Events whose lines differ, or that cannot be posted.
    pub differences: u64,
}

/// An instruction that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenNow {
    /// The addressed venue.
    pub venue: Venue,
    /// What is asked.
    pub instruction: Instruction,
    /// How far it has come, in a word of the venues' states.
    pub state: String,
    /// Base units filled.
    pub filled: Quantity,
    /// What was seen instead of an answer.
    pub error: Option<String>,
}

/// Where a run stands at the last commit of its journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// The instant of the last commit.
    pub at: Timestamp,
    /// Steps closed.
    pub steps: u64,
    /// Equity at marks, USD.
    pub equity_usd: Value,
    /// Why the strategy was halted, if it was.
    pub halted: Option<String>,
    /// Whether the last start ended in the middle of a wake.
    pub in_a_wake: bool,
    /// What the plan under way is for.
    pub plan: Option<&'static str>,
    /// The venues, each with why it is halted, if it is.
    pub venues: Vec<(Venue, Option<String>)>,
    /// Instructions that have not ended, by number.
    pub open: Vec<OpenNow>,
}

/// Returns where the run of a journal stands; `None` before its first commit.
///
/// # Errors
/// EXEC-005 for a state of another version, EXEC-006 for one that cannot be read.
pub fn overview(reader: &dyn JournalReader) -> Result<Option<Overview>, ComponentError> {
    let Some(saved) = SavedState::read(&reader.state()?)? else {
        return Ok(None);
    };
    let plan = saved.plan.plan.as_ref();
    let legs = plan.and_then(|plan| plan.run.as_ref());
    let legs = legs.into_iter().flat_map(|run| &run.legs);
    let outstanding = saved.desk.outstanding.iter().map(|(_, run)| run);
    let lives_on = |run: &&LegRun| !run.is_done() || run.is_under_way();
    let mut open: Vec<_> = legs
        .chain(outstanding)
        .filter(lives_on)
        .map(open_now)
        .collect();
    open.sort_by_key(|open| open.instruction.id);
    let venues = saved.desk.slots.into_iter().map(|slot| {
        let halted = match slot.state {
            VenueState::Open => None,
            VenueState::Halted(reason) => Some(reason),
        };
        (slot.venue, halted)
    });
    Ok(Some(Overview {
        at: saved.run.now,
        steps: saved.run.counts.steps,
        equity_usd: saved.books.equity(),
        halted: saved.run.halted,
        in_a_wake: saved.plan.turn.is_some(),
        plan: plan.map(|plan| plan.action().as_str()),
        venues: venues.collect(),
        open,
    }))
}

fn open_now(run: &LegRun) -> OpenNow {
    OpenNow {
        venue: run.leg.venue,
        instruction: run.leg.instruction.clone(),
        state: run.state_name().to_owned(),
        filled: run.filled,
        error: run.error.as_ref().map(ToString::to_string),
    }
}

/// Posts every event of a journal again, over the marks it kept, and compares the lines with the ledger.
/// Neither strategy nor data are asked. `differs` gets a sentence for each event whose lines differ.
///
/// # Errors
/// EXEC-006 when a commit cannot be read.
pub fn replay(
    reader: &dyn JournalReader,
    differs: &mut dyn FnMut(String),
) -> Result<Replayed, ComponentError> {
    let content = Content {
        events: true,
        lines: true,
        ..Content::default()
    };
    let mut replayed = Replayed::default();
    let mut held = Holdings::default();
    reader.read(content, &mut |Commit { events, lines, .. }| {
        replayed.commits += 1;
        let mut rest = lines.as_slice();
        for taken in &events {
            replayed.events += 1;
            let made = usize::try_from(taken.lines).unwrap_or(usize::MAX);
            let (own, after) = rest.split_at(made.min(rest.len()));
            rest = after;
            match difference(taken, own, &held) {
                None => replayed.lines += own.len() as u64,
                Some(text) => {
                    replayed.differences += 1;
                    differs(text);
                }
            }
            held.take(own)?;
        }
        if let Some(line) = rest.first() {
            replayed.differences += 1;
            differs(format!("line {} was made by no event", line.cause));
        }
        Ok(())
    })?;
    Ok(replayed)
}

/// What posting an event again makes other than the ledger, in a sentence.
fn difference(taken: &TakenEvent, lines: &[LedgerEntry], held: &Holdings) -> Option<String> {
    let named = || match taken.event.key() {
        Some(key) => key.to_string(),
        None => format!("an event of {} at {}", taken.event.venue, taken.event.at),
    };
    let posting = match posting::lines_of(&taken.event, &KeptMarks(&taken.marks), held) {
        Ok(posting) => posting,
        Err(e) => return Some(format!("{}: {e}", named())),
    };
    if posting.lines.len() != lines.len() || taken.lines as usize != lines.len() {
        return Some(format!(
            "{}: posting makes {} line(s), the ledger has {} of {}",
            named(),
            posting.lines.len(),
            lines.len(),
            taken.lines
        ));
    }
    let mut both = posting.lines.iter().zip(lines);
    let (made, kept) = both.find(|(made, kept)| made != kept)?;
    Some(format!(
        "{}: posting makes {}, the ledger has {}",
        kept.cause,
        shown(made),
        shown(kept)
    ))
}

fn shown(line: &LedgerEntry) -> String {
    format!(
        "{} of {} {} ({} units, {} USD at {}) in {}",
        line.kind.as_str(),
        line.quantity,
        line.item,
        line.units,
        line.value,
        line.reference_price,
        line.account
    )
}

/// What posting asks of the books, kept from line to line.
#[derive(Debug, Default)]
struct Holdings {
    positions: BTreeMap<(Account, InstrumentKey), (Quantity, Value)>,
    /// Lines of transactions that a reorganisation may still take out.
    included: BTreeMap<EventKey, Vec<LedgerEntry>>,
}

impl Holdings {
    fn take(&mut self, lines: &[LedgerEntry]) -> Result<(), ComponentError> {
        for line in lines {
            if let Item::Position(instrument) = line.item {
                let place = self.positions.entry((line.account, instrument));
                let (quantity, cost) = place.or_default();
                *quantity = quantity.add(line.quantity)?;
                if opens_cost(line) {
                    *cost = cost.add(line.value)?;
                }
            }
            if line.kind == EntryKind::RealizedPnl
                && let Some(instrument) = line.cause.event.traded()
            {
                let place = self.positions.entry((line.account, instrument));
                let (_, cost) = place.or_default();
                *cost = cost.add(Value::new(line.quantity.get()))?;
            }
            if let EventKey::Transaction { stage, .. } = line.cause.event.as_ref()
                && matches!(stage, TransactionStage::Mined | TransactionStage::Reverted)
            {
                let key = line.cause.event.as_ref().clone();
                self.included.entry(key).or_default().push(line.clone());
            }
        }
        Ok(())
    }
}

impl Held for Holdings {
    fn open_position(
        &self,
        account: Account,
        instrument: InstrumentKey,
    ) -> Option<(Quantity, Value)> {
        self.positions.get(&(account, instrument)).copied()
    }

    fn lines_under(&self, key: &EventKey) -> Vec<LedgerEntry> {
        self.included.get(key).cloned().unwrap_or_default()
    }
}
