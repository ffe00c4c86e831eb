//! The loop: one step of the clock after the other, in the order of the design.
//!
//! Per step: the view moves; every venue reports what happened by itself (liquidation test, funding,
//! fills, arrivals, scheduled capital); the books are valued; risk judges; a parked plan resumes or
//! the strategy decides; blocks run through the tight loop; the step is closed and attributed.
//!
//! **Invariants.** Nothing here reads a wall clock or does I/O. The same parts give the same result,
//! byte for byte. Only this loop mutates the books.

mod happenings;

use std::sync::Arc;

use basis_core::clock::VirtualClock;
use basis_core::error::{Code, ComponentError};
use basis_core::event::{Component, Event, EventData, EventSink};
use basis_core::executor::{self, Executor};
use basis_core::health::Health;
use basis_core::instruction::OperationKind;
use basis_core::journal::Journal;
use basis_core::market::{Coverage, Mark, MarketData, MarketView, SlotId};
use basis_core::num::{Price, Quantity, Value};
use basis_core::plan::{Action, Plan};
use basis_core::rules::RuleBook;
use basis_core::transit::Transit;
use basis_core::types::{SeriesId, Span, Timestamp, Venue};
use basis_core::venue::ExecutionInterface;

use crate::account::{Books, Exposure, RiskView, SharedPositions, StepClose};
use crate::config::RunConfig;
use crate::event_log::EventLog;
use crate::numeraire::ShareClass;
use crate::parked::Parked;
use crate::pnl::Attribution;
use crate::result::{RefusedWithdrawal, RunResult, StepColumns, StepEnd, UnbookedFunding};
use crate::risk::{Passing, RiskLevel, RiskMonitor, Verdict};
use crate::setup;
use crate::sink::{CHUNK_STEPS, StepChunk, StepSink};
use crate::statistics::Running;
use crate::strategy::{Context, Decision, Strategy};
use crate::tight_loop::{TightLoop, VenueSlot, stalled, touch};

/// Longest wait for a pending step before its plan is given up.
const PARKED_MAX: Span = Span::from_hours(7 * 24);

/// Most ledger lines and events a run makes room for at its start: about one a step is usual.
const ROOM_MAX: usize = 1 << 15;

/// Most plans a strategy may start within one step: sweep, move, trade, and one to spare.
const DECISIONS_PER_STEP_MAX: usize = 4;

/// A plan that waits for a venue that is out, or sends nothing.
const WAITS: &str = "waits_for_venue";

/// Most steps a strategy pauses after a plan failed.
const PAUSE_STEPS_MAX: u64 = 24;

/// All that one run is made of.
#[derive(Debug)]
pub struct EngineParts {
    /// The configuration.
    pub config: RunConfig,
    /// Market data, shared between runs.
    pub data: Arc<MarketData>,
    /// Rules of every venue, shared between runs.
    pub rules: Arc<RuleBook>,
    /// One interface per venue, the wallet among them.
    pub interfaces: Vec<Box<dyn ExecutionInterface>>,
    /// Drives the interfaces' futures.
    pub executor: Box<dyn Executor>,
    /// The run's time.
    pub clock: VirtualClock,
    /// Where intents are written first; a backtest has none.
    pub journal: Option<Box<dyn Journal>>,
    /// Takes events.
    pub events: Arc<EventLog>,
    /// Shows the books to the interfaces.
    pub positions: Arc<SharedPositions>,
    /// Capital on its way.
    pub transit: Arc<Transit>,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// The last step's instant.
    pub at: Timestamp,
}

/// One run, ready to go.
#[derive(Debug)]
pub struct Engine {
    config: RunConfig,
    rules: Arc<RuleBook>,
    view: MarketView,
    books: Books,
    exposure: Exposure,
    risk: RiskMonitor,
    risk_view: RiskView,
    strategy: Box<dyn Strategy>,
    tight: TightLoop,
    events: Arc<EventLog>,
    transit: Arc<Transit>,
    parked: Option<Parked>,
    steps: StepColumns,
    /// Whether anybody reads more than the totals.
    keeps: bool,
    /// Ledger lines that went to the sink.
    lines_taken: usize,
    ends: Option<[StepEnd; 2]>,
    /// Steps closed.
    done: u64,
    statistics: Running,
    /// The run in its share class, where that is not a dollar.
    share: Option<ShareClass>,
    slots: Vec<SlotId>,
    /// Of the tokens that stand for another asset.
    tokens: Vec<Mark>,
    /// Venues that lend, by their place in the tight loop.
    lenders: Vec<usize>,
    /// When and after which ledger line they were last asked; until either moves the answer stands.
    lenders_asked: Option<(Timestamp, usize)>,
    reference: SlotId,
    attribution: Attribution,
    coverage: Vec<Coverage>,
    unbooked: Vec<UnbookedFunding>,
    refused: Vec<RefusedWithdrawal>,
    due_flows: u64,
    halted: Option<String>,
    entered: bool,
    failures_in_a_row: u32,
    pause_until: Timestamp,
    /// What waits for carry or for a venue, so that the log says it once.
    uneconomic: Option<&'static str>,
}

impl Engine {
    /// A run of the strategy that `config.mode` names.
    ///
    /// # Errors
    /// As [`Engine::with_strategy`]; CFG-003 for an unknown mode, STRAT-001 for a configuration that
    /// can never work.
    pub fn new(parts: EngineParts) -> Result<Self, ComponentError> {
        let mode = setup::mode_of(&parts.config)?;
        (mode.check)(&parts.config, &parts.rules)?;
        (mode.check_market)(&parts.config, &parts.data)?;
        setup::refuse_hedge_mode(&parts.config, &parts.interfaces)?;
        let series = (mode.required_series)(&parts.config);
        let mut optional = (mode.optional_series)(&parts.config);
        optional.retain(|id| parts.data.contains(*id) && !series.contains(id));
        let strategy = (mode.build)(&parts.config, &parts.rules);
        Self::create(parts, (&series, &optional), strategy)
    }

    /// A run of any strategy over the price and funding series it needs.
    ///
    /// # Errors
    /// DATA-001, DATA-003, CFG-001, CFG-004 or EXP-001, each naming what is wrong and the way out.
    pub fn with_strategy(
        parts: EngineParts,
        series: &[SeriesId],
        strategy: Box<dyn Strategy>,
    ) -> Result<Self, ComponentError> {
        Self::create(parts, (series, &[]), strategy)
    }

    fn create(
        parts: EngineParts,
        (series, optional): (&[SeriesId], &[SeriesId]),
        strategy: Box<dyn Strategy>,
    ) -> Result<Self, ComponentError> {
        let EngineParts {
            mut config,
            data,
            rules,
            ..
        } = parts;
        setup::resolve_range(&mut config, &data, series)?;
        let coverage = setup::coverage_of(&config, &data, &rules, (series, optional))?;
        let view = setup::view_of(&config, &data, (series, optional))?;
        let mut books = Books::new(setup::pricing(&config), &view)?;
        // On the chain balances grow at every step, each with a line of its own.
        let lines = if config.chain.is_some() { 3 } else { 1 };
        let rows = usize::try_from(setup::step_count(&config))
            .unwrap_or_default()
            .min(ROOM_MAX);
        books.reserve(rows.saturating_mul(lines));
        parts.events.reserve(rows);
        let reference = books.reference();
        setup::queue_flows(&config, &parts.transit)?;
        parts.clock.advance_to(config.from);
        let (columns, slots) = StepColumns::of(&view);
        let tokens = view.tokens().map(|(_, mark)| mark).collect();
        let share = config.is_in_kind().then(ShareClass::default);
        let mut tight = TightLoop::new(
            parts.interfaces,
            parts.executor,
            parts.clock,
            parts.journal,
            Arc::clone(&parts.events) as Arc<dyn EventSink>,
            parts.positions,
            Arc::clone(&rules),
        );
        tight.executions.reserve(rows / 4);
        let lenders = lenders(&tight.venues);
        Ok(Self {
            exposure: Exposure::new(Arc::clone(&rules)),
            risk: RiskMonitor::new(config.risk, setup::dust(&config)),
            risk_view: RiskView::new(config.risk, &view),
            strategy,
            config,
            rules,
            view,
            books,
            tight,
            events: parts.events,
            transit: parts.transit,
            parked: None,
            steps: columns,
            keeps: true,
            lines_taken: 0,
            ends: None,
            done: 0,
            statistics: Running::default(),
            share,
            slots,
            tokens,
            lenders,
            lenders_asked: None,
            reference,
            attribution: Attribution::default(),
            coverage,
            unbooked: Vec::new(),
            refused: Vec::new(),
            due_flows: 0,
            halted: None,
            entered: false,
            failures_in_a_row: 0,
            pause_until: Timestamp::MIN,
            uneconomic: None,
        })
    }

    /// Runs every step and yields the result. `progress` is called about a hundred times.
    ///
    /// # Errors
    /// Whatever stops a run; the registry code says what to do.
    pub fn run(mut self, progress: &mut dyn FnMut(Progress)) -> Result<RunResult, ComponentError> {
        let steps = setup::step_count(&self.config);
        self.steps
            .reserve(usize::try_from(steps).unwrap_or_default());
        self.every_step(None, progress)?;
        self.finish()
    }

    /// The same with the steps handed to `sink` as they are closed: the result holds none of them, and
    /// neither executions nor events where the sink keeps nothing.
    ///
    /// # Errors
    /// Whatever stops a run, the sink included.
    pub fn run_into(
        mut self,
        sink: &mut dyn StepSink,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<RunResult, ComponentError> {
        self.keeps = sink.keeps();
        if self.keeps {
            self.steps.reserve(CHUNK_STEPS);
        } else {
            self.tight.keeps_rows = false;
            self.events.end();
        }
        self.every_step(Some(&mut *sink), progress)?;
        self.hand_over(sink)?;
        self.steps = StepColumns::default();
        self.finish()
    }

    fn every_step(
        &mut self,
        mut sink: Option<&mut dyn StepSink>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), ComponentError> {
        let steps = setup::step_count(&self.config);
        let every = (steps / 100).max(1);
        let mut at = self.config.from.floor_to(self.config.step);
        for step in 1..=steps {
            at = at.plus(self.config.step);
            if let Err(e) = self.step(at) {
                self.events.record(Event::error(at, Component::Engine, &e));
                return Err(e);
            }
            if step % every == 0 || step == steps {
                progress(Progress { step, steps, at });
            }
            if let Some(sink) = &mut sink
                && self.steps.at.len() >= CHUNK_STEPS
            {
                self.hand_over(*sink)?;
            }
        }
        Ok(())
    }

    /// Hands the closed steps and their ledger lines to `sink`.
    fn hand_over(&mut self, sink: &mut dyn StepSink) -> Result<(), ComponentError> {
        if !self.keeps {
            return Ok(());
        }
        let lines = self.books.ledger();
        let ledger = lines.get(self.lines_taken..).unwrap_or_default().to_vec();
        self.lines_taken = lines.len();
        let steps = self.steps.take_rows();
        sink.take(StepChunk { steps, ledger })
    }

    fn step(&mut self, at: Timestamp) -> Result<(), ComponentError> {
        self.view.advance_to(at).map_err(setup::view_failed)?;
        self.tight.clock.advance_to(at);
        self.happenings(at)?;
        self.look()?;
        self.look_isolated()?;
        let reference = self.reference_mark();
        self.refuse_withdrawals(at)?;
        let passing = self.passing(at)?;
        let events = self.events.as_ref();
        let verdict = self
            .risk
            .assess(at, &self.exposure, reference, passing, events)?;
        let acted = match (&self.halted, verdict) {
            (Some(_), _) | (None, Verdict::Halt) => self.halt(at)?,
            (None, Verdict::Deleverage { account, fraction }) => {
                self.deleverage(account.venue, fraction)?
            }
            (None, Verdict::Proceed) => self.pursue(at)?,
        };
        if acted {
            self.look()?;
            self.look_isolated()?;
        }
        self.close_step(at)
    }

    /// Reckons the positions that stand on collateral of their own.
    fn look_isolated(&mut self) -> Result<(), ComponentError> {
        let interfaces = self.tight.venues.iter().map(|slot| &slot.interface);
        let own = interfaces.flat_map(|interface| interface.isolated_margins(&self.view));
        self.exposure.refresh_isolated(&self.books, &self.view, own)
    }

    /// Values the books and reckons exposure, margins and lending accounts.
    fn look(&mut self) -> Result<(), ComponentError> {
        self.books.value(&self.view)?;
        self.exposure.refresh(&self.books, &self.view)?;
        let asked_at = (self.view.now(), self.books.ledger().len());
        if self.lenders.is_empty() || self.lenders_asked == Some(asked_at) {
            return Ok(());
        }
        self.exposure.lending.clear();
        for &index in &self.lenders {
            let Some(slot) = self.tight.venues.get_mut(index) else {
                continue;
            };
            let lending = executor::run(
                self.tight.executor.as_mut(),
                slot.interface.lending(&self.view),
            )
            .map_err(stalled)??;
            self.exposure.lending.extend(lending);
        }
        self.lenders_asked = Some(asked_at);
        Ok(())
    }

    /// Refuses withdrawals that ask for more than there is. At their instant they count as never due;
    /// later the book has been closed for them, and the refusal counts as a flow of its own.
    fn refuse_withdrawals(&mut self, at: Timestamp) -> Result<(), ComponentError> {
        let pending = setup::pending_withdrawal(&self.config, &self.transit, at)?;
        if pending.is_zero() {
            return Ok(());
        }
        let free = self.consult(true, |strategy, context| {
            Ok((strategy.payable(context)?, context.equity_in_share_class()?))
        })?;
        let refused = setup::refuse_withdrawals(&self.config, &self.transit, at, free)?;
        for withdrawal in refused {
            self.state(at, "withdrawal_refused", withdrawal.to_string());
            self.refused.push(withdrawal);
        }
        self.due_flows = self.flows_due(at);
        Ok(())
    }

    /// External flows due by `at`, refusals taken into account.
    fn flows_due(&self, at: Timestamp) -> u64 {
        let step = self.config.step;
        let late = |row: &&RefusedWithdrawal| row.refused_at >= row.at.plus(step);
        let late = self.refused.iter().filter(late).count() as u64;
        let at_once = self.refused.len() as u64 - late;
        setup::flows_due(&self.config, at) + late - at_once
    }

    /// What of the exposure is capital that comes or goes.
    fn passing(&self, at: Timestamp) -> Result<Passing, ComponentError> {
        let mut passing = Passing {
            building: self.strategy.is_building(self.due_flows),
            owed: Quantity::ZERO,
        };
        if self.share.is_some() {
            let owed = setup::pending_withdrawal(&self.config, &self.transit, at)?;
            passing.owed = Quantity::new(owed.get());
        }
        Ok(passing)
    }

    /// What happened by itself: venues in the order of the run, the wallet last.
    fn happenings(&mut self, at: Timestamp) -> Result<(), ComponentError> {
        self.due_flows = self.flows_due(at);
        let mut touched = Vec::new();
        for index in 0..self.tight.venues.len() {
            let Some(slot) = self.tight.venues.get_mut(index) else {
                break;
            };
            if !slot.interface.is_due(&self.view) {
                continue;
            }
            let venue = slot.venue;
            let mut happened = executor::run(
                self.tight.executor.as_mut(),
                slot.interface.advance(&self.view),
            )
            .map_err(stalled)??;
            if happened.is_empty() {
                continue;
            }
            touch(&mut touched, venue);
            for event in &mut happened {
                for entry in &event.entries {
                    touch(&mut touched, entry.account.venue);
                }
                self.take_event(event)?;
            }
        }
        if touched.is_empty() {
            return Ok(());
        }
        self.tight
            .reconcile_touched(&self.view, &self.books, touched)
    }

    /// Goes on with a parked plan, or asks the strategy. `true` when a block ran.
    fn pursue(&mut self, at: Timestamp) -> Result<bool, ComponentError> {
        let mut acted = false;
        if let Some(parked) = &self.parked {
            if !parked.waiting.is_empty() {
                if at.since(parked.since) > PARKED_MAX {
                    let detail = format!("{:?} after {PARKED_MAX}", parked.waiting);
                    self.parked = None;
                    self.state(at, "plan_abandoned", detail);
                }
                return Ok(false);
            }
            if let Some(parked) = self.parked.take() {
                let filled_late = parked.sent.is_some();
                self.work(parked)?;
                if !filled_late || self.parked.is_some() {
                    return Ok(true);
                }
                // The fills are those of the step before: this one is free for the next decision.
                acted = true;
                self.books.value(&self.view)?;
                self.exposure.refresh(&self.books, &self.view)?;
            }
        }
        for _ in 0..DECISIONS_PER_STEP_MAX {
            if at < self.pause_until || !self.decide(at)? {
                break;
            }
            acted = true;
            if self.parked.is_some() {
                break;
            }
            // What has just been done shows in the next decision of the same step.
            self.look()?;
        }
        Ok(acted)
    }

    /// Shows the strategy what it may read and asks it something.
    fn consult<T>(
        &mut self,
        reduce_only: bool,
        ask: impl FnOnce(&mut dyn Strategy, &Context<'_>) -> Result<T, ComponentError>,
    ) -> Result<T, ComponentError> {
        let pending_withdrawal =
            setup::pending_withdrawal(&self.config, &self.transit, self.view.now())?;
        let context = Context {
            view: &self.view,
            books: &self.books,
            exposure: &self.exposure,
            rules: &self.rules,
            config: &self.config,
            pending_withdrawal,
            flows_seen: self.due_flows,
            reduce_only,
            venues: &self.tight,
        };
        ask(self.strategy.as_mut(), &context)
    }

    /// Asks the strategy once; `true` when a plan was started.
    fn decide(&mut self, at: Timestamp) -> Result<bool, ComponentError> {
        let reduce_only = self.risk.level() >= RiskLevel::ReduceOnly;
        match self.consult(reduce_only, |strategy, context| strategy.decide(context))? {
            Decision::Hold => {
                self.uneconomic = None;
                Ok(false)
            }
            Decision::Deferred(reason) => {
                self.tight.counts.rebalances_deferred += 1;
                let detail = format!("{reason}: a market has no fresh price");
                self.state(at, "rebalance_deferred", detail);
                Ok(false)
            }
            Decision::Uneconomic(reason) => {
                if self.uneconomic != Some(reason) {
                    let detail = format!("{reason}: the expected carry is below the round trip");
                    self.state(at, "carry_below_cost", detail);
                }
                self.uneconomic = Some(reason);
                Ok(false)
            }
            Decision::Halted(reason, venue) => {
                // Said once for as long as it lasts, as above.
                if self.uneconomic != Some(WAITS) {
                    let detail = if self.view.is_out(venue) {
                        format!("{reason}: {venue} is out")
                    } else {
                        format!("{reason}: withdrawals from {venue} are halted")
                    };
                    self.state(at, WAITS, detail);
                }
                self.uneconomic = Some(WAITS);
                Ok(false)
            }
            Decision::Act(plan) => {
                self.uneconomic = None;
                self.start(plan)
            }
        }
    }

    fn start(&mut self, plan: Plan) -> Result<bool, ComponentError> {
        let at = self.view.now();
        let legs = plan.blocks.iter().map(|block| block.legs.len()).sum();
        let data = EventData::Plan {
            action: plan.action,
            reason: plan.reason,
            blocks: plan.blocks.len(),
            legs,
        };
        self.events
            .record(Event::new(at, Component::StrategyManager, data));
        let (action, blocks) = (plan.action, plan.blocks.into());
        self.work(Parked {
            action,
            blocks,
            waiting: Vec::new(),
            sent: None,
            since: at,
            traded: false,
            failed: false,
            flows: self.due_flows,
        })
    }

    /// Ends the block that was waited for, then runs the plan's blocks until one leaves something
    /// pending, one fails for good, or all are done.
    fn work(&mut self, mut plan: Parked) -> Result<bool, ComponentError> {
        let at = self.view.now();
        loop {
            let outcome = if let Some(sent) = plan.sent.take() {
                // What failed is known only now.
                self.tight.conclude(&self.view, &mut self.books, sent, at)?
            } else {
                let Some(block) = plan.blocks.pop_front() else {
                    break;
                };
                let approved = match self.risk.approve(&block, &self.books) {
                    Ok(approved) => approved,
                    Err(e) => {
                        self.events
                            .record(Event::error(at, Component::RiskMonitor, &e));
                        plan.failed = true;
                        break;
                    }
                };
                // A change of efficiency mode need not leave a line.
                self.lenders_asked = None;
                self.tight
                    .run_block(&self.view, &mut self.books, &approved, plan.action)?
            };
            plan.traded |= outcome.traded && !outcome.plan_ends;
            plan.failed |= outcome.failed;
            if outcome.plan_ends {
                plan.blocks.clear();
                if outcome.sent.is_none() {
                    break;
                }
            }
            if !outcome.pending.is_empty() {
                plan.waiting = outcome.pending;
                plan.sent = outcome.sent;
                plan.since = at;
                self.state(at, "plan_parked", format!("waiting for {:?}", plan.waiting));
                self.parked = Some(plan);
                return Ok(true);
            }
        }
        if plan.traded {
            self.tight.counts.rebalances += u64::from(self.entered);
            // What is traded before only makes the entry possible.
            self.entered |= plan.action == Action::EntryFull;
        }
        self.strategy.completed(plan.flows, plan.traded);
        self.back_off(at, plan.failed);
        Ok(true)
    }

    /// After a failure the strategy pauses 1, 2, 4 … steps, so that a permanent refusal is not
    /// repeated at every step; a success clears the count.
    fn back_off(&mut self, at: Timestamp, failed: bool) {
        if !failed {
            self.failures_in_a_row = 0;
            return;
        }
        let pause = 2u64
            .saturating_pow(self.failures_in_a_row)
            .min(PAUSE_STEPS_MAX);
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        let steps = i64::try_from(pause).unwrap_or(i64::MAX);
        self.pause_until = at
            .plus(self.config.step.times(steps))
            .plus(Span::from_nanos(1));
        self.state(
            at,
            "strategy_paused",
            format!("a plan failed; next decision after {pause} step(s)"),
        );
    }

    fn deleverage(
        &mut self,
        venue: Venue,
        fraction: basis_core::num::Rate,
    ) -> Result<bool, ComponentError> {
        let plan = self.consult(true, |strategy, context| {
            strategy.deleverage(context, venue, fraction)
        })?;
        self.preempt(plan)
    }

    /// Closes what can be closed; at the first call also stops the strategy.
    fn halt(&mut self, at: Timestamp) -> Result<bool, ComponentError> {
        if self.halted.is_none() {
            let mut reason = format!("risk halted the strategy at {at}");
            if let Some(breach) = self.risk.breach() {
                reason.push_str(&format!(": {breach}"));
            }
            self.state(at, "halted", reason.clone());
            self.halted = Some(reason);
        }
        let plan = self.consult(true, |strategy, context| strategy.exit(context))?;
        self.preempt(plan)
    }

    /// Risk goes first: a parked plan is dropped; its transfers arrive all the same.
    fn preempt(&mut self, plan: Option<Plan>) -> Result<bool, ComponentError> {
        let Some(plan) = plan else { return Ok(false) };
        if self.parked.take().is_some() {
            self.state(
                self.view.now(),
                "plan_preempted",
                "risk acts first".to_owned(),
            );
        }
        self.start(plan)
    }

    fn state(&self, at: Timestamp, state: &'static str, detail: String) {
        let data = EventData::StateUpdate { state, detail };
        self.events.record(Event::new(at, Component::Engine, data));
    }

    fn reference_mark(&self) -> Price {
        self.view.quote(self.reference).mark
    }

    fn close_step(&mut self, at: Timestamp) -> Result<(), ComponentError> {
        let close = self.books.close_step(&self.view)?;
        check_residual(at, close.attribution.residual, close.equity)?;
        let reference = self.reference_mark();
        self.attribution.accumulate(&close.attribution)?;
        self.statistics.step(close.equity, close.external_flow);
        let end = StepEnd {
            equity_usd: close.equity,
            external_flow_usd: close.external_flow,
            attribution: close.attribution,
            reference,
        };
        if let Some(share) = &mut self.share {
            share.step(at, &end)?;
        }
        match &mut self.ends {
            Some([_, last]) => *last = end,
            None => self.ends = Some([end, end]),
        }
        self.done += 1;
        let columns = if self.keeps {
            self.keep_step(at, &close)?;
            Some(&mut self.steps.risk)
        } else {
            None
        };
        let state = (&self.books, &self.view, &self.exposure);
        self.risk_view
            .close_step(at, state, self.risk.level(), columns)
    }

    /// Adds the columns of a step.
    fn keep_step(&mut self, at: Timestamp, close: &StepClose) -> Result<(), ComponentError> {
        let reference = self.reference_mark();
        let steps = &mut self.steps;
        steps.at.push(at);
        steps.equity_usd.push(close.equity);
        steps.external_flow_usd.push(close.external_flow);
        steps.attribution.push(close.attribution);
        steps.net_delta.push(close.net_delta);
        steps.reference.push(reference);
        let rows = u32::try_from(self.books.ledger().len()).map_err(|e| {
            ComponentError::new(Code::OutputFailed, "the ledger has more than 2^32 lines")
                .with_source(e)
        })?;
        steps.ledger_rows.push(rows);
        steps.parked.push(self.parked.is_some());
        for (column, slot) in steps.prices.iter_mut().zip(&self.slots) {
            let quote = self.view.quote(*slot);
            column.mark.push(quote.mark);
            column.state.push(quote.state);
        }
        for (column, mark) in steps.tokens.iter_mut().zip(&self.tokens) {
            let price = self.view.dollars(*mark)?.unwrap_or(Price::ZERO);
            column.price.push(price);
            column.state.push(self.view.state_of(*mark));
        }
        steps.push_margins(&self.exposure.margins);
        Ok(())
    }

    fn finish(self) -> Result<RunResult, ComponentError> {
        let statistics = self.statistics.finish(self.config.step);
        let share = self.share;
        let share_statistics = share
            .as_ref()
            .map(|share| share.statistics.finish(self.config.step));
        let mut counts = self.tight.counts;
        counts.steps = self.done;
        let assumptions = setup::assumptions(&self.config, self.view.data());
        let shocks = self.config.shocks();
        let shocks = shocks.map(|shock| shock.text().to_owned()).collect();
        let mut health: Vec<(String, Health)> = vec![("TightLoop".to_owned(), self.tight.health)];
        for slot in &self.tight.venues {
            health.push((slot.venue.to_string(), slot.interface.health()));
        }
        Ok(RunResult {
            mode: self.config.mode,
            share_class: self.config.share_class,
            range: (self.config.from, self.config.to),
            synthetic: self.view.data().is_synthetic(),
            data_source: self.view.data().source().to_owned(),
            steps: self.steps,
            ends: self.ends,
            ledger: self.books.into_ledger(),
            executions: self.tight.executions,
            events: self.events.take(),
            attribution: self.attribution,
            risk: self.risk_view.finish(),
            share_attribution: share.map(|share| share.attribution),
            statistics,
            share_statistics,
            counts,
            coverage: self.coverage,
            unbooked_funding: self.unbooked,
            refused_withdrawals: self.refused,
            shocks,
            assumptions,
            halted: self.halted,
            health,
        })
    }
}

/// Places of the venues at which something can be borrowed.
fn lenders(venues: &[VenueSlot]) -> Vec<usize> {
    let lends = |slot: &VenueSlot| {
        let operations = slot.interface.capabilities().operations;
        operations.contains(&OperationKind::Borrow)
    };
    let places = venues.iter().enumerate();
    places
        .filter(|(_, slot)| lends(slot))
        .map(|(at, _)| at)
        .collect()
}

/// What is left over must be rounding: products are exact to 18 decimals, so the bound is generous.
fn check_residual(at: Timestamp, residual: Value, equity: Value) -> Result<(), ComponentError> {
    const BOUND: Value = Value::literal("0.000000001");
    if residual.abs()? <= BOUND {
        return Ok(());
    }
    Err(ComponentError::new(
        Code::PnlOpen,
        format!("residual {residual} at {at} with equity {equity} is beyond rounding ({BOUND})"),
    ))
}
