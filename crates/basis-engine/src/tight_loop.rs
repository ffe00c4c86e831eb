//! The tight loop: execution → books → reconciliation, one block at a time.
//!
//! **Invariants.** Only approved blocks reach a venue. Intents are in the journal before the first
//! leg is sent. All legs are sent before any is awaited. The next block starts only after the last
//! one reconciled.

use std::sync::Arc;

use basis_core::clock::{Clock, VirtualClock};
use basis_core::error::{Code, ComponentError, VenueError};
use basis_core::event::{Component, Difference, Event, EventData, EventSink, InstructionOutcome};
use basis_core::execution::{Execution, ExecutionStatus, Fill, Position, VenueEvent};
use basis_core::executor::{self, BoxFuture, Executor, ExecutorError, Join};
use basis_core::health::Health;
use basis_core::instruction::{Instruction, Intent, Operation, OperationKind};
use basis_core::journal::{Journal, JournalError, Outcome};
use basis_core::market::MarketView;
use basis_core::num::{Quantity, Rounding};
use basis_core::plan::{Action, FailurePolicy, Leg};
use basis_core::rules::RuleBook;
use basis_core::types::{InstructionId, Span, Timestamp, Venue};
use basis_core::venue::{ExecutionInterface, Terms};

use crate::account::{Books, SharedPositions};
use crate::parked::{LegResult, Sent, is_order, naked_delta};
use crate::result::{Counts, ExecutionRow};
use crate::risk::Approved;
use crate::strategy::Venues;

/// One venue of the run.
pub(crate) struct VenueSlot {
    pub(crate) venue: Venue,
    pub(crate) interface: Box<dyn ExecutionInterface>,
}

impl std::fmt::Debug for VenueSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VenueSlot")
            .field("venue", &self.venue)
            .finish_non_exhaustive()
    }
}

/// Sends blocks, posts what comes back, and compares books with venues.
#[derive(Debug)]
pub(crate) struct TightLoop {
    pub(crate) venues: Vec<VenueSlot>,
    pub(crate) executor: Box<dyn Executor>,
    pub(crate) clock: VirtualClock,
    pub(crate) journal: Option<Box<dyn Journal>>,
    pub(crate) events: Arc<dyn EventSink>,
    pub(crate) positions: Arc<SharedPositions>,
    pub(crate) rules: Arc<RuleBook>,
    pub(crate) executions: Vec<ExecutionRow>,
    /// Whether anybody reads the executions.
    pub(crate) keeps_rows: bool,
    pub(crate) counts: Counts,
    pub(crate) health: Health,
    next_instruction: u64,
}

/// How a block ended.
#[derive(Debug, Default)]
pub(crate) struct BlockOutcome {
    /// Instructions under way that the plan waits for.
    pub(crate) pending: Vec<InstructionId>,
    /// The block itself while orders of it are among them.
    pub(crate) sent: Option<Sent>,
    /// Whether any trade filled.
    pub(crate) traded: bool,
    /// Whether the plan ends here.
    pub(crate) plan_ends: bool,
    /// Whether a leg failed.
    pub(crate) failed: bool,
}

impl Venues for TightLoop {
    fn terms(&self, venue: Venue, view: &MarketView) -> Result<Terms, ComponentError> {
        let slot = self.venues.iter().find(|slot| slot.venue == venue);
        let terms = slot.map(|slot| slot.interface.terms(view));
        Ok(terms.transpose()?.unwrap_or_default())
    }
}

impl TightLoop {
    pub(crate) fn new(
        interfaces: Vec<Box<dyn ExecutionInterface>>,
        executor: Box<dyn Executor>,
        clock: VirtualClock,
        journal: Option<Box<dyn Journal>>,
        events: Arc<dyn EventSink>,
        positions: Arc<SharedPositions>,
        rules: Arc<RuleBook>,
    ) -> Self {
        let venues = interfaces
            .into_iter()
            .map(|interface| VenueSlot {
                venue: interface.venue(),
                interface,
            })
            .collect();
        Self {
            venues,
            executor,
            clock,
            journal,
            events,
            positions,
            rules,
            executions: Vec::new(),
            keeps_rows: true,
            counts: Counts::default(),
            health: Health::default(),
            next_instruction: 0,
        }
    }

    fn record(&self, component: Component, data: EventData) {
        self.events
            .record(Event::new(self.clock.now(), component, data));
    }

    /// Runs one approved block to its end, failure policy included, unless orders of it fill later.
    ///
    /// # Errors
    /// What stops the run: a stalled executor, an unknown outcome, a journal that cannot be written,
    /// open delta beyond its bound, books and venue apart.
    pub(crate) fn run_block(
        &mut self,
        view: &MarketView,
        books: &mut Books,
        approved: &Approved<'_>,
        action: Action,
    ) -> Result<BlockOutcome, ComponentError> {
        let block = approved.block();
        let started = self.clock.now();
        let legs = self.number(&block.legs)?;
        let mut results = self.send(view, &legs)?;
        let mut touched = Vec::with_capacity(legs.len() + 1);
        let pending = self.settle(view, books, &legs, &mut results, (action, &mut touched))?;
        self.reconcile_touched(view, books, touched)?;
        let sent = Sent {
            legs,
            results,
            policy: block.failure_policy,
            started,
            undoes: None,
        };
        if sent.waits() {
            let sent = Some(sent);
            return Ok(BlockOutcome {
                pending,
                sent,
                ..BlockOutcome::default()
            });
        }
        let mut outcome = self.conclude(view, books, sent, started)?;
        outcome.pending.extend(pending);
        Ok(outcome)
    }

    /// Ends a block whose orders have all come back: where a leg failed its policy acts. How long it
    /// takes counts from `since`.
    ///
    /// # Errors
    /// As [`TightLoop::run_block`].
    pub(crate) fn conclude(
        &mut self,
        view: &MarketView,
        books: &mut Books,
        sent: Sent,
        since: Timestamp,
    ) -> Result<BlockOutcome, ComponentError> {
        let now = self.clock.now();
        let failed: Vec<_> = sent.failures().collect();
        let mut outcome = BlockOutcome {
            traded: sent.traded(),
            failed: !failed.is_empty(),
            ..BlockOutcome::default()
        };
        for (leg, e) in &failed {
            self.fail(leg, e);
        }
        if let Some(undone) = &sent.undoes {
            (outcome.failed, outcome.plan_ends) = (true, true);
            let took = sent.last_fill_at().unwrap_or(now).since(sent.started);
            check_naked(sent.policy, undone, &sent.results, took)?;
            return Ok(outcome);
        }
        if failed.is_empty() {
            self.health.succeeded(now, now.since(sent.started));
            return Ok(outcome);
        }
        let ids = failed.iter().map(|(leg, _)| leg.instruction.id).collect();
        match sent.policy {
            FailurePolicy::Continue => self.policy_event("continue", ids, Vec::new()),
            FailurePolicy::Halt => {
                outcome.plan_ends = true;
                self.policy_event("halt", ids, Vec::new());
            }
            FailurePolicy::Compensate { .. } => {
                outcome.plan_ends = true;
                let mut unwinding = self.unwind(view, books, &sent, ids)?;
                if unwinding.waits() {
                    unwinding.undoes = Some(sent.results);
                    outcome.pending = unwinding.pending_orders().collect();
                    outcome.sent = Some(unwinding);
                    return Ok(outcome);
                }
                let refused: Vec<_> = unwinding.failures().collect();
                for (leg, e) in refused {
                    self.fail(leg, e);
                }
                let took = self.clock.now().since(since);
                check_naked(sent.policy, &sent.results, &unwinding.results, took)?;
            }
        }
        Ok(outcome)
    }

    /// Gives every instruction its number.
    fn number(&mut self, legs: &[Leg]) -> Result<Vec<Leg>, ComponentError> {
        let mut numbered = legs.to_vec();
        for leg in &mut numbered {
            self.next_instruction = self.next_instruction.checked_add(1).ok_or_else(|| {
                ComponentError::new(Code::LegFailed, "instruction numbers are used up")
            })?;
            leg.instruction.id = InstructionId(self.next_instruction);
        }
        Ok(numbered)
    }

    /// Writes the intents down, then sends every leg before awaiting any.
    fn send(&mut self, view: &MarketView, legs: &[Leg]) -> Result<Vec<LegResult>, ComponentError> {
        if let Some(journal) = &mut self.journal {
            let decided_at = self.clock.now();
            let intents: Vec<_> = legs
                .iter()
                .map(|leg| Intent {
                    venue: leg.venue,
                    decided_at,
                    instruction: leg.instruction.clone(),
                })
                .collect();
            journal.record_intents(&intents).map_err(journal_failed)?;
        }
        let mut results: Vec<Option<LegResult>> = legs.iter().map(|_| None).collect();
        {
            // One task per venue, in the order of the run; a venue's legs keep their order.
            let mut answers: Vec<(Vec<usize>, Vec<LegResult>)> = self
                .venues
                .iter()
                .map(|slot| (positions_at(legs, slot.venue), Vec::new()))
                .collect();
            let mut tasks: Vec<BoxFuture<'_, ()>> = Vec::with_capacity(self.venues.len());
            for (slot, (positions, answer)) in self.venues.iter_mut().zip(&mut answers) {
                if positions.is_empty() {
                    continue;
                }
                let instructions: Vec<&Instruction> = positions
                    .iter()
                    .filter_map(|&at| legs.get(at))
                    .map(|leg| &leg.instruction)
                    .collect();
                tasks.push(Box::pin(async move {
                    *answer = slot.interface.execute_legs(view, &instructions).await;
                }));
            }
            executor::run(self.executor.as_mut(), Join::new(tasks)).map_err(stalled)?;
            for (positions, answer) in answers {
                for (at, result) in positions.into_iter().zip(answer) {
                    if let Some(slot) = results.get_mut(at) {
                        *slot = Some(result);
                    }
                }
            }
        }
        let results = results
            .into_iter()
            .zip(legs)
            .map(|(result, leg)| result.unwrap_or_else(|| Err(no_route(leg))))
            .collect::<Vec<_>>();
        if let Some(journal) = &mut self.journal {
            let outcomes: Vec<_> = legs
                .iter()
                .zip(&results)
                .map(|(leg, result)| (leg.instruction.id, journal_outcome(result)))
                .collect();
            journal.record_outcomes(&outcomes).map_err(journal_failed)?;
        }
        Ok(results)
    }

    /// Posts what the venues confirmed and stops on an unknown outcome; what is under way comes back.
    fn settle(
        &mut self,
        view: &MarketView,
        books: &mut Books,
        legs: &[Leg],
        results: &mut [LegResult],
        (action, touched): (Action, &mut Vec<Venue>),
    ) -> Result<Vec<InstructionId>, ComponentError> {
        let mut pending = Vec::new();
        let mut unknown = None;
        for (leg, result) in legs.iter().zip(results.iter_mut()) {
            touch(touched, leg.venue);
            let operation = leg.instruction.operation.kind();
            self.counts.orders += u64::from(is_order(leg));
            let summary = match result {
                Ok(execution) => {
                    for entry in execution.entries.drain(..) {
                        touch(touched, entry.account.venue);
                        books.post(view, entry)?;
                    }
                    self.counts.fills += execution.fills.len() as u64;
                    // A place in a withdrawal queue is nothing a plan waits for: it may take weeks.
                    let queues = operation == OperationKind::Unstake;
                    if matches!(execution.status, ExecutionStatus::Pending { .. }) && !queues {
                        pending.push(execution.instruction);
                    }
                    self.keep_rows(leg, execution, action);
                    match execution.status {
                        ExecutionStatus::Settled => InstructionOutcome::Settled,
                        ExecutionStatus::Open => InstructionOutcome::Open,
                        ExecutionStatus::Pending { .. } => InstructionOutcome::Pending,
                    }
                }
                Err(e) => {
                    self.counts.rejections += 1;
                    if e.needs_reconcile() || e.is_fatal() {
                        unknown.get_or_insert_with(|| ComponentError::from(e.clone()));
                    }
                    InstructionOutcome::Failed(e.code(), e.to_string())
                }
            };
            let data = EventData::Instruction {
                id: leg.instruction.id,
                venue: leg.venue,
                operation,
                outcome: summary,
            };
            self.record(Component::TightLoop, data);
        }
        match unknown {
            Some(e) => Err(e),
            None => Ok(pending),
        }
    }

    fn keep_rows(&mut self, leg: &Leg, execution: &Execution, action: Action) {
        let status = match execution.status {
            ExecutionStatus::Settled => "settled",
            ExecutionStatus::Open => "open",
            ExecutionStatus::Pending { .. } => "pending",
        };
        let transfer = match &leg.instruction.operation {
            Operation::Transfer(t) => {
                self.counts.transfers += u64::from(t.from.venue != t.to.venue);
                Some((t.asset, t.amount, t.from, t.to))
            }
            _ => None,
        };
        if !self.keeps_rows {
            return;
        }
        // What exchanges answer with is the number of an order.
        let hash = execution.venue_reference.clone();
        let hash = hash.filter(|_| execution.fills.is_empty() && !is_order(leg));
        let transaction = hash.map(|hash| (hash, leg.instruction.operation.clone()));
        let row = |fill| ExecutionRow {
            instruction: execution.instruction,
            venue: execution.venue,
            operation: leg.instruction.operation.kind().as_str(),
            action: action.as_str(),
            status,
            at: execution.at,
            fill,
            transfer,
            transaction: transaction.clone(),
        };
        if execution.fills.is_empty() {
            self.executions.push(row(None));
        } else {
            self.executions
                .extend(execution.fills.iter().cloned().map(Some).map(row));
        }
    }

    /// Keeps the fill of an order that was open or pending.
    pub(crate) fn keep_late_fill(&mut self, event: &VenueEvent, id: InstructionId, fill: &Fill) {
        self.counts.fills += 1;
        if !self.keeps_rows {
            return;
        }
        self.executions.push(ExecutionRow {
            instruction: id,
            venue: event.venue,
            operation: fill.instrument.kind.as_str(),
            action: "late_fill",
            status: "settled",
            at: event.at,
            fill: Some(fill.clone()),
            transfer: None,
            transaction: None,
        });
    }

    /// Compares the books with every venue in `touched`, each once.
    pub(crate) fn reconcile_touched(
        &mut self,
        view: &MarketView,
        books: &Books,
        mut touched: Vec<Venue>,
    ) -> Result<(), ComponentError> {
        touched.sort_unstable();
        self.reconcile(view, books, &touched)
    }

    /// Asks `touched` venues for their positions and compares them with the books, to the unit.
    ///
    /// # Errors
    /// REC-001 listing every difference; the venue's own error when it cannot be asked.
    pub(crate) fn reconcile(
        &mut self,
        view: &MarketView,
        books: &Books,
        touched: &[Venue],
    ) -> Result<(), ComponentError> {
        let mut differences = Vec::new();
        let mut compared = 0;
        for venue in touched {
            let Some(slot) = self.venues.iter_mut().find(|slot| slot.venue == *venue) else {
                continue;
            };
            let reported = executor::run(self.executor.as_mut(), slot.interface.positions(view))
                .map_err(stalled)??;
            compared += reported.len();
            compare(books, *venue, &reported, &mut differences);
            if *venue == Venue::WALLET {
                compare(books, Venue::IN_FLIGHT, &reported, &mut differences);
            }
        }
        self.positions.publish(books.positions());
        if differences.is_empty() {
            self.record(
                Component::Reconciliation,
                EventData::Reconciliation {
                    compared,
                    differences,
                },
            );
            return Ok(());
        }
        let list: Vec<_> = differences
            .iter()
            .map(|d| {
                format!(
                    "{} {}: books {}, venue {}",
                    d.account, d.item, d.expected, d.actual
                )
            })
            .collect();
        self.record(
            Component::Reconciliation,
            EventData::Reconciliation {
                compared,
                differences,
            },
        );
        Err(ComponentError::new(Code::ReconcileFailed, list.join("; ")))
    }

    fn fail(&mut self, leg: &Leg, e: &VenueError) {
        let error = ComponentError::new(
            Code::LegFailed,
            format!("instruction {}: {e}", leg.instruction.id),
        )
        .with_source(e.clone());
        self.health.failed(self.clock.now(), &error);
        self.events
            .record(Event::error(self.clock.now(), Component::TightLoop, &error));
    }

    fn policy_event(
        &self,
        policy: &'static str,
        failed: Vec<InstructionId>,
        unwinding: Vec<InstructionId>,
    ) {
        let data = EventData::FailurePolicyApplied {
            policy,
            failed,
            unwinding,
        };
        self.record(Component::TightLoop, data);
    }

    /// Sends the opposite of every leg that filled, as one block of its own.
    fn unwind(
        &mut self,
        view: &MarketView,
        books: &mut Books,
        sent: &Sent,
        failed: Vec<InstructionId>,
    ) -> Result<Sent, ComponentError> {
        let started = self.clock.now();
        let mut opposite = Vec::new();
        for (leg, result) in sent.legs.iter().zip(&sent.results) {
            if let Ok(execution) = result
                && let Some(reverse) = self.reverse(view, leg, execution)?
            {
                opposite.push(reverse);
            }
        }
        let legs = self.number(&opposite)?;
        let ids = legs.iter().map(|leg| leg.instruction.id).collect();
        self.policy_event("compensate", failed, ids);
        let mut results = Vec::new();
        if !legs.is_empty() {
            results = self.send(view, &legs)?;
            let mut touched = Vec::with_capacity(legs.len() + 1);
            let action = (Action::ExitPartial, &mut touched);
            self.settle(view, books, &legs, &mut results, action)?;
            self.reconcile_touched(view, books, touched)?;
        }
        Ok(Sent {
            legs,
            results,
            policy: sent.policy,
            started,
            undoes: None,
        })
    }

    /// The market order that undoes what `execution` filled, in whole lots and never more than what
    /// arrived after fees; `None` when it filled nothing that can be undone.
    fn reverse(
        &self,
        view: &MarketView,
        leg: &Leg,
        execution: &Execution,
    ) -> Result<Option<Leg>, ComponentError> {
        let Some(first) = execution.fills.first() else {
            return Ok(None);
        };
        let key = first.instrument;
        let mut filled = Quantity::ZERO;
        for fill in &execution.fills {
            filled = filled.add(fill.quantity)?;
        }
        let rules = self
            .rules
            .venue(key.venue)
            .map(|rules| rules.at(view.now()));
        let instrument = rules.and_then(|rules| rules.instrument(key.kind, key.symbol));
        if let Some(instrument) = instrument {
            for fill in execution
                .fills
                .iter()
                .filter(|fill| fill.fee_asset == instrument.base)
            {
                filled = filled.sub(fill.fee)?;
            }
            filled = filled.round_to_lot(instrument.lot_size, Rounding::Floor)?;
        }
        if !filled.is_positive() {
            return Ok(None);
        }
        let side = first.side.opposite();
        let order = Leg::market(key, side, filled, false);
        Ok(Some(Leg {
            venue: leg.venue,
            ..order
        }))
    }
}

fn positions_at(legs: &[Leg], venue: Venue) -> Vec<usize> {
    legs.iter()
        .enumerate()
        .filter(|(_, leg)| leg.venue == venue)
        .map(|(at, _)| at)
        .collect()
}

/// Every holding of `venue` that books or venue know of, where they differ. A venue holds a handful
/// of items, so scanning beats building maps.
/// Notes that `venue` must be compared; the wallet answers for what is in flight.
pub(crate) fn touch(touched: &mut Vec<Venue>, venue: Venue) {
    let venue = if venue == Venue::IN_FLIGHT {
        Venue::WALLET
    } else {
        venue
    };
    if !touched.contains(&venue) {
        touched.push(venue);
    }
}

/// Whether an operation that leaves no fill moves capital into or out of a position.
pub(crate) const fn changes_position(operation: OperationKind) -> bool {
    matches!(
        operation,
        OperationKind::Swap
            | OperationKind::AddLiquidity
            | OperationKind::RemoveLiquidity
            | OperationKind::Supply
            | OperationKind::Withdraw
            | OperationKind::Borrow
            | OperationKind::Repay
            | OperationKind::Stake
            | OperationKind::Unstake
            | OperationKind::Atomic
    )
}

fn compare(books: &Books, venue: Venue, reported: &[Position], differences: &mut Vec<Difference>) {
    let mut matched = 0;
    for held in books.positions_of(venue) {
        let same = |p: &&Position| p.item == held.item && p.account == held.account;
        let actual = reported.iter().find(same);
        matched += usize::from(actual.is_some());
        let nothing = (Quantity::ZERO, Quantity::ZERO);
        let actual = actual.map_or(nothing, |p| (p.quantity, p.units));
        if actual != (held.quantity, held.units) {
            // What scaled units stand for may differ where their count does not.
            let (expected, actual) = if actual.0 == held.quantity {
                (held.units, actual.1)
            } else {
                (held.quantity, actual.0)
            };
            differences.push(Difference {
                account: held.account,
                item: held.item,
                expected,
                actual,
            });
        }
    }
    let of_venue = |p: &&Position| p.account.venue == venue && !p.quantity.is_zero();
    if reported.iter().filter(of_venue).count() == matched {
        return;
    }
    for position in reported.iter().filter(of_venue) {
        let (account, item, actual) = (position.account, position.item, position.quantity);
        if books.quantity(account, item).is_zero() {
            differences.push(Difference {
                account,
                item,
                expected: Quantity::ZERO,
                actual,
            });
        }
    }
}

fn journal_outcome(result: &LegResult) -> Outcome {
    match result {
        Ok(execution) => Outcome::Confirmed(execution.clone()),
        Err(e) if e.needs_reconcile() => Outcome::Unknown(e.clone()),
        Err(e) => Outcome::Failed(e.clone()),
    }
}

fn no_route(leg: &Leg) -> VenueError {
    VenueError::new(
        leg.venue,
        leg.instruction.operation.kind().as_str(),
        basis_core::error::VenueErrorKind::Unsupported(format!(
            "no answer for instruction {}: the run has no interface for {}, or it answered too few legs",
            leg.instruction.id, leg.venue
        )),
    )
}

fn journal_failed(e: JournalError) -> ComponentError {
    ComponentError::new(Code::OutcomeUnknown, e.to_string()).with_source(e)
}

pub(crate) fn stalled(e: ExecutorError) -> ComponentError {
    ComponentError::new(Code::ExecutorStalled, e.to_string()).with_source(e)
}

/// Refuses open delta beyond what the policy allows.
fn check_naked(
    policy: FailurePolicy,
    block: &[LegResult],
    unwinding: &[LegResult],
    took: Span,
) -> Result<(), ComponentError> {
    let FailurePolicy::Compensate {
        naked_delta_max: most,
        naked_time_max: longest,
    } = policy
    else {
        return Ok(());
    };
    let open = naked_delta(block, unwinding)?;
    if open.abs()? <= most && took <= longest {
        return Ok(());
    }
    Err(ComponentError::new(
        Code::NakedDelta,
        format!(
            "unwinding left {open} base units open (bound {most}) after {took} (bound {longest}); \
             close them by hand"
        ),
    ))
}
