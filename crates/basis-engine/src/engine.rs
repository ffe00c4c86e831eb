//! The engine: woken by steps, events, deadlines and commands, one wake after the other.
//!
//! Per step: the view moves; every venue reports what happened by itself (liquidation test, funding,
//! fills, arrivals, scheduled capital); the books are valued; risk judges; a plan under way goes on or
//! the strategy decides; blocks run through the block machine; the step is closed and attributed. A wake
//! between two steps takes events and drives the block under way.
//!
//! **Invariants.** Nothing here reads a wall clock, waits or does I/O. The same parts give the same
//! result, byte for byte. Only the engine mutates the books, and only by posting events.

mod adoption;
mod answers;
mod assumptions;
mod checkpoint;
mod commands;
mod describe;
mod intake;
mod plans;
mod recovery;
mod resume;
mod turn;
mod verify;

use std::sync::Arc;

use basis_core::clock::VirtualClock;
use basis_core::error::{Code, ComponentError};
use basis_core::event::{Component, Event, EventData, EventSink};
use basis_core::health::Health;
use basis_core::in_flight::{InFlightTransfers, PaidInParts};
use basis_core::instruction::OperationKind;
use basis_core::num::{Price, Quantity, Rate, Rounding, Value};
use basis_core::rules::RuleBook;
use basis_core::types::{Epoch, SeriesId, SeriesKind, Span, Timestamp, Venue};
use basis_core::venue_event::{EventKind, Events, Text};
use basis_market::ExecutionInterface;
use basis_market::{Coverage, Mark, MarketData, MarketView, SlotId};

use crate::account::{Books, Exposure, RiskView, SharedPositions, StepClose};
use crate::benchmark::{self, Benchmark};
use crate::config::RunConfig;
use crate::desk::{Desk, VenueSlot};
use crate::event_log::EventLog;
use crate::exit::{ExitCost, ExitRoutes, ExitValuer};
use crate::limits::VenueShare;
use crate::mode::Mode;
use crate::numeraire::in_class;
use crate::peg::{PegStep, peg_at};
use crate::pnl::residual_bound;
use crate::result::{
    ExecutionRow, ExitSummary, RefusedWithdrawal, RunResult, StepColumns, StepEnd, Stopped,
};
use crate::risk::{CapitalInTransit, DeltaScale, RiskMonitor, Verdict};
use crate::setup;
use crate::sink::{CHUNK_STEPS, StepChunk, StepSink};
use crate::size;
use crate::strategy::{Context, Strategy};
use crate::wake::{Flow, RecordedSteps, Wake, WakeSource};

pub(crate) use self::checkpoint::SavedState;
pub use self::checkpoint::{EngineJournal, JournalSync};
use self::checkpoint::{Journaling, Moment, RunState};
use self::plans::ActivePlan;
pub use self::recovery::Recovery;
use self::turn::Turn;

/// Most ledger lines and events a run makes room for at its start: about one a step is usual.
const ROOM_MAX: usize = 1 << 15;

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
    /// The run's time.
    pub clock: VirtualClock,
    /// Where everything is written down before anything is sent; a backtest needs none.
    pub journal: Option<EngineJournal>,
    /// Takes events.
    pub events: Arc<EventLog>,
    /// Shows the books to the interfaces.
    pub positions: Arc<SharedPositions>,
    /// Capital on its way.
    pub transit: Arc<InFlightTransfers>,
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
    clock: VirtualClock,
    view: MarketView,
    books: Books,
    exposure: Exposure,
    risk: RiskMonitor,
    risk_view: RiskView,
    exits: ExitValuer,
    benchmark: Option<Benchmark>,
    strategy: Box<dyn Strategy>,
    desk: Desk,
    events: Arc<EventLog>,
    transit: Arc<InFlightTransfers>,
    plan: Option<ActivePlan>,
    /// Whether no wake has come since it was resumed.
    resumed: bool,
    /// What is left of the wake under way.
    turn: Option<Turn>,
    journaling: Option<Journaling>,
    /// Venues that posted lines concern since they were last compared.
    touched: Vec<Venue>,
    executions: Vec<ExecutionRow>,
    steps: StepColumns,
    /// Whether anybody reads more than the totals.
    keeps: bool,
    /// Ledger lines that went to the sink.
    lines_taken: usize,
    slots: Vec<SlotId>,
    /// Of the tokens that stand for another asset.
    tokens: Vec<Mark>,
    /// Venues that lend, by their place at the desk.
    lenders: Vec<usize>,
    reference: SlotId,
    /// The dollar token against the dollar, where a series is there.
    peg: Option<SlotId>,
    coverage: Vec<Coverage>,
    /// Whether its mode enters positions by itself.
    wants_positions: bool,
    /// What has come of the run so far, as a checkpoint holds it.
    run_state: RunState,
}

impl Engine {
    /// A run of the strategy of `mode`.
    ///
    /// # Errors
    /// As [`Engine::with_strategy`]; STRAT-001 for a configuration that can never work.
    pub fn new(parts: EngineParts, mode: &dyn Mode) -> Result<Self, ComponentError> {
        mode.check(&parts.config, &parts.rules)?;
        mode.check_market(&parts.config, &parts.data)?;
        setup::refuse_hedge_mode(mode, &parts.config, &parts.interfaces)?;
        let series = mode.required_series(&parts.config);
        let optional = mode.optional_series(&parts.config);
        let strategy = mode.build(&parts.config, &parts.rules);
        let routes = mode.exit_routes(&parts.config);
        let data = Arc::clone(&parts.data);
        let entry = mode.entry_on(&parts.config, &data);
        let mut parts = parts;
        if !entry.is_empty() {
            let alone = mode.spot_alone_at(&parts.config, &data);
            let configured = parts.config.risk.venue_share_max;
            parts.config.risk.venue_share = Some(VenueShare::new(configured, alone));
        }
        let mut engine = Self::create(parts, (&series, &optional), (strategy, routes))?;
        if let Some(kept) = mode.kept_in_wallet(&engine.config) {
            engine.transit.pay_in_parts(PaidInParts {
                least: engine.config.min_transfer,
                kept,
                after: engine.config.step,
            });
        }
        engine.wants_positions = entry.iter().any(|entry| entry.share.is_positive());
        size::check(
            &entry,
            &engine.config,
            (&*data, &*engine.rules),
            (&engine.view, &engine.desk),
        )?;
        Ok(engine)
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
        Self::create(parts, (series, &[]), (strategy, ExitRoutes::default()))
    }

    /// Values the exit by `routes`: what a strategy that is no mode's leaves by. Without them what is sold in no
    /// market counts as leaving at its mark.
    #[must_use]
    pub fn with_exit_routes(self, routes: ExitRoutes) -> Self {
        Self {
            exits: ExitValuer::new(&self.config, &self.rules, routes),
            ..self
        }
    }

    fn create(
        parts: EngineParts,
        (series, optional): (&[SeriesId], &[SeriesId]),
        (strategy, routes): (Box<dyn Strategy>, ExitRoutes),
    ) -> Result<Self, ComponentError> {
        let EngineParts {
            mut config,
            data,
            rules,
            ..
        } = parts;
        setup::resolve_range(&mut config, &data, series)?;
        let optional = &setup::optional_of(&mut config, &data, series, optional);
        let coverage = setup::coverage_of(&config, &data, &rules, (series, optional))?;
        let view = setup::view_of(&config, &data, (series, optional))?;
        let mut books = Books::new(setup::pricing(&config), &view)?;
        let rows =
            usize::try_from(setup::step_count(&config)).map_or(ROOM_MAX, |n| n.min(ROOM_MAX));
        books.reserve(rows.saturating_mul(lines_a_step(series)));
        parts.events.reserve(rows);
        setup::queue_flows(&config, &parts.transit)?;
        parts.clock.advance_to(config.from);
        let (columns, slots) = StepColumns::of(&view);
        let peg = setup::peg_of(&config).and_then(|peg| view.slot(peg));
        let run_state = RunState::new(config.is_in_kind(), peg.is_some(), config.from);
        let epoch = match &parts.journal {
            Some(journal) => journal.epoch,
            None => first_epoch(config.from)?,
        };
        let journal = parts.journal;
        let journaling = journal.map(|journal| Journaling::new(journal.journal, journal.sync));
        if journaling.is_some() {
            books.note_marks();
        }
        let desk = Desk::new(
            parts.interfaces,
            (epoch, journaling.is_some()),
            Arc::clone(&parts.events) as Arc<dyn EventSink>,
            parts.positions,
            Arc::clone(&rules),
        );
        let lenders = lenders(&desk.slots);
        Ok(Self {
            exposure: Exposure::new(Arc::clone(&rules)),
            risk: setup::risk_monitor(&config, &rules, series),
            risk_view: RiskView::new(config.risk, &view),
            benchmark: benchmark::supply_rate(&config, &data)?,
            exits: ExitValuer::new(&config, &rules, routes),
            strategy,
            config,
            rules,
            clock: parts.clock,
            reference: books.reference(),
            tokens: view.tokens().map(|(_, mark)| mark).collect(),
            view,
            books,
            desk,
            events: parts.events,
            transit: parts.transit,
            journaling,
            plan: None,
            resumed: false,
            turn: None,
            touched: Vec::new(),
            executions: Vec::with_capacity(rows / 4),
            steps: columns,
            keeps: true,
            lines_taken: 0,
            run_state,
            slots,
            lenders,
            peg,
            coverage,
            wants_positions: false,
        })
    }

    /// The steps of the run, one after the other.
    #[must_use]
    pub fn recorded_steps(&self) -> RecordedSteps {
        let step = self.config.step;
        let first = self.config.from.floor_to(step).plus(step);
        let count = setup::step_count(&self.config);
        let (first, done) = match self.run_state.stepped_at {
            Some(last) => (last.plus(step), self.run_state.counts.steps),
            None => (first, 0),
        };
        RecordedSteps::new(self.clock.clone(), first, step, count.saturating_sub(done))
    }

    /// Runs every step and yields the result. `progress` is called about a hundred times.
    ///
    /// # Errors
    /// Whatever stops a run; the registry code says what to do.
    pub fn run(self, progress: &mut dyn FnMut(Progress)) -> Result<RunResult, ComponentError> {
        let mut source = self.recorded_steps();
        self.run_from(&mut source, progress)
    }

    /// The same for the wakes of any source.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn run_from(
        mut self,
        source: &mut dyn WakeSource,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<RunResult, ComponentError> {
        let steps = setup::step_count(&self.config);
        self.steps
            .reserve(usize::try_from(steps).unwrap_or_default());
        self.every_wake(source, None, progress)?;
        Ok(self.finish())
    }

    /// The same as [`Engine::run`] with the steps handed to `sink` as they are closed: the result holds none
    /// of them, and neither executions nor events where the sink keeps nothing.
    ///
    /// # Errors
    /// Whatever stops a run, the sink included.
    pub fn run_into(
        self,
        sink: &mut dyn StepSink,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<RunResult, ComponentError> {
        self.run_or_stop(sink, progress)
            .map_err(|stopped| stopped.error)
    }

    /// The same, and of a run that fails all that came of it before: the sink has its closed steps.
    ///
    /// # Errors
    /// As [`Engine::run_into`].
    pub fn run_or_stop(
        mut self,
        sink: &mut dyn StepSink,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<RunResult, Box<Stopped>> {
        // A journal keeps what nobody else does.
        self.keeps = sink.keeps() || self.journaling.is_some();
        if self.keeps {
            self.steps.reserve(CHUNK_STEPS);
        } else {
            self.events.end();
        }
        let mut source = self.recorded_steps();
        let ran = self.every_wake(&mut source, Some(&mut *sink), progress);
        let ended = ran.and(self.hand_over(sink));
        self.steps = StepColumns::default();
        let at = self.view.now();
        let result = self.finish();
        match ended {
            Ok(()) => Ok(result),
            Err(error) => Err(Box::new(Stopped { error, at, result })),
        }
    }

    fn every_wake(
        &mut self,
        source: &mut dyn WakeSource,
        mut sink: Option<&mut dyn StepSink>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), ComponentError> {
        let steps = setup::step_count(&self.config);
        let every = (steps / 100).max(1);
        while let Some(wake) = source.next(&|| self.due()) {
            source.feed(&mut self.view.writer());
            let flow = match self.wake(wake) {
                Ok(flow) => flow,
                Err(e) => {
                    self.error(Component::Engine, &e);
                    return Err(e);
                }
            };
            let step = self.run_state.counts.steps;
            if let Wake::Step(at) = wake
                && (step.is_multiple_of(every) || step == steps)
            {
                progress(Progress { step, steps, at });
            }
            if let Some(sink) = &mut sink
                && self.steps.at.len() >= CHUNK_STEPS
            {
                self.hand_over(*sink)?;
            }
            if flow == Flow::Ended {
                break;
            }
        }
        let compared = if self.run_state.counts.steps > 0 {
            self.reconcile_all()
        } else {
            Ok(())
        };
        if let Err(e) = &compared {
            self.error(Component::Engine, e);
        }
        compared?;
        self.commit(Moment::RunEnd)
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

    /// Goes on from a wake.
    ///
    /// # Errors
    /// Only a broken invariant stops a run: time that runs back, books that differ from an exact venue, a
    /// residual, a journal that cannot be written. What a venue does wrong halts the venue.
    pub fn wake(&mut self, wake: Wake) -> Result<Flow, ComponentError> {
        if self.run_state.ended {
            return Ok(Flow::Ended);
        }
        match wake {
            Wake::Step(at) => self.step(at)?,
            Wake::Events(at) | Wake::Deadline(at) => self.between_steps(at)?,
            Wake::Command(command) => self.command(command)?,
        }
        if !matches!(wake, Wake::Step(_)) {
            self.books.mark_between_steps(&self.view)?;
        }
        self.commit(Moment::WakeEnd)?;
        Ok(if self.run_state.ended {
            Flow::Ended
        } else {
            Flow::Go
        })
    }

    /// When the engine wants to be woken between two steps: for the deadline of the block under way, for a
    /// venue that said when it has news, or to read again what could not be read. `None`: not by itself.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        let now = self.view.now();
        if now == Timestamp::MIN {
            // Nothing has begun, and nobody is asked about an instant that never was.
            return None;
        }
        let soon = now.plus(Span::from_nanos(1));
        let deadline = self.plan.as_ref().and_then(ActivePlan::deadline);
        // A deadline is passed only after its instant.
        let deadline = deadline.map(|at| at.plus(Span::from_nanos(1)).max(soon));
        let venues = self.desk.slots.iter().filter_map(|slot| {
            if slot.answers_late().is_some() {
                return slot.verify_at;
            }
            let again = slot.read_again_at();
            again.or_else(|| slot.interface.horizon(&self.view).at)
        });
        // What is due at every wake is no reason for one.
        let venues = venues.filter(|at| *at > now);
        deadline.into_iter().chain(venues).min()
    }

    fn move_to(&mut self, at: Timestamp) -> Result<(), ComponentError> {
        self.view.advance_to(at).map_err(setup::view_failed)?;
        self.run_state.now = self.view.now();
        self.after_resuming_at(at);
        self.clock.advance_to(at);
        Ok(())
    }

    fn step(&mut self, at: Timestamp) -> Result<(), ComponentError> {
        self.move_to(at)?;
        self.run_state.stepped_at = Some(at);
        self.run_state.due_flows = self.flows_due(at);
        if self.run_state.counts.steps == 0 {
            for venue in self.config.adopt.clone() {
                self.adopt(venue)?;
            }
        }
        self.poll()?;
        self.refresh_exposure()?;
        self.refuse_withdrawals(at)?;
        let verdict = self.assess(at)?;
        let stage = self.first_stage(at, verdict)?;
        self.run_turn(true, stage)
    }

    /// Takes what the venues have to say, and drives the block under way.
    fn between_steps(&mut self, at: Timestamp) -> Result<(), ComponentError> {
        self.move_to(at)?;
        self.poll()?;
        match self.resuming() {
            Some(stage) if !self.run_state.holds => self.run_turn(false, stage),
            _ => Ok(()),
        }
    }

    fn assess(&mut self, at: Timestamp) -> Result<Verdict, ComponentError> {
        let scale = DeltaScale {
            equity: self.books.equity(),
            reference: self.reference_mark(),
        };
        let in_transit = self.in_transit(at)?;
        let events = self.events.as_ref();
        self.risk
            .assess(at, &self.exposure, scale, in_transit, events)
    }

    /// Values the books and computes exposure, margins, isolated positions and lending accounts.
    fn refresh_exposure(&mut self) -> Result<(), ComponentError> {
        self.books.value(&self.view)?;
        self.exposure.refresh(&self.books, &self.view)?;
        self.read_lending()?;
        let slots = self.desk.slots.iter();
        let own = slots.flat_map(|slot| slot.interface.account().isolated.iter().copied());
        self.exposure.refresh_isolated(&self.books, &self.view, own)
    }

    /// Takes over how far the lending accounts are from liquidation. Where something is lent, prices move it
    /// at every instant.
    fn read_lending(&mut self) -> Result<(), ComponentError> {
        let now = self.view.now();
        let mut events = Events::new();
        for at in 0..self.lenders.len() {
            let Some(index) = self.lenders.get(at).copied() else {
                continue;
            };
            let snapshot = self
                .desk
                .slots
                .get(index)
                .map(|slot| slot.interface.account());
            if snapshot.is_none_or(|known| known.lending.is_empty() || known.answered >= now) {
                continue;
            }
            self.desk.read(index, &self.view, &mut events);
            // The books were compared when something changed; here only prices did.
            events.retain(|event| !matches!(event.kind, EventKind::Snapshot { .. }));
            if !events.is_empty() {
                self.take_all(&events, intake::Arrival::Poll)?;
                events.clear();
            }
        }
        self.exposure.lending.clear();
        for &index in &self.lenders {
            if let Some(slot) = self.desk.slots.get(index) {
                let lending = &slot.interface.account().lending;
                self.exposure.lending.extend_from_slice(lending);
            }
        }
        Ok(())
    }

    /// Refuses withdrawals that ask for more than there is. At their instant they count as never due;
    /// later the book has been closed for them, and the refusal counts as a flow of its own.
    fn refuse_withdrawals(&mut self, at: Timestamp) -> Result<(), ComponentError> {
        let pending = setup::pending_withdrawal(&self.config, &self.transit, at)?;
        if pending.is_zero() {
            return Ok(());
        }
        let (payable, equity) = self.ask_strategy(true, |strategy, context| {
            Ok((strategy.payable(context)?, context.equity_in_share_class()?))
        })?;
        // Nobody is paid more than the book sells for.
        let lost = self.run_state.exit.map_or(Value::ZERO, |exit| exit.cost);
        let lost = Quantity::new(self.in_share_class(lost)?.get());
        let free = (payable.min(equity.sub(lost)?), equity);
        let refused = setup::refuse_withdrawals(&self.config, &self.transit, at, free)?;
        for (flow, withdrawal) in refused {
            self.desk.note_refused_flow(at, flow);
            self.state(at, "withdrawal_refused", withdrawal.to_string());
            self.run_state.refused.push(withdrawal);
        }
        self.run_state.due_flows = self.flows_due(at);
        Ok(())
    }

    /// External flows due by `at`, refusals taken into account.
    fn flows_due(&self, at: Timestamp) -> u64 {
        let step = self.config.step;
        let late = |row: &&RefusedWithdrawal| row.refused_at >= row.at.plus(step);
        let late = self.run_state.refused.iter().filter(late).count() as u64;
        let at_once = self.run_state.refused.len() as u64 - late;
        setup::flows_due(&self.config, at) + late - at_once
    }

    /// What of the exposure is capital that comes or goes.
    fn in_transit(&self, at: Timestamp) -> Result<CapitalInTransit, ComponentError> {
        let mut in_transit = CapitalInTransit {
            building: self.strategy.is_building(self.run_state.due_flows),
            owed: Quantity::ZERO,
            unknown: self.desk.unknown_range()?,
        };
        if self.run_state.share.is_some() {
            let owed = setup::pending_withdrawal(&self.config, &self.transit, at)?;
            in_transit.owed = Quantity::new(owed.get());
        }
        Ok(in_transit)
    }

    /// Shows the strategy what it may read and asks it something.
    fn ask_strategy<T>(
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
            in_flight: &self.run_state.in_flight,
            pending_withdrawal,
            flows_seen: self.run_state.due_flows,
            reduce_only,
            venues: &self.desk,
        };
        ask(self.strategy.as_mut(), &context)
    }

    fn state(&self, at: Timestamp, state: &'static str, detail: String) {
        let data = EventData::StateUpdate {
            state: state.into(),
            detail,
        };
        self.events.record(Event::new(at, Component::Engine, data));
    }

    fn error(&self, component: Component, e: &ComponentError) {
        self.events
            .record(Event::error(self.view.now(), component, e));
    }

    fn reference_mark(&self) -> Price {
        self.view.quote(self.reference).mark
    }

    fn close_step(&mut self, at: Timestamp) -> Result<(), ComponentError> {
        let close = self.books.close_step(&self.view)?;
        check_residual(at, close.attribution.residual, close.equity)?;
        let reference = self.reference_mark();
        let peg = match (&mut self.run_state.peg, self.peg) {
            (Some(book), Some(slot)) => Some(book.step(at, &close, peg_at(&self.view, slot))?),
            _ => None,
        };
        let attribution = close
            .attribution
            .with_peg(peg.map_or(Value::ZERO, |peg| peg.bucket));
        self.run_state.attribution.accumulate(&attribution)?;
        self.run_state
            .statistics
            .step(at, close.equity, close.external_flow);
        self.value_exit(at, &close)?;
        let end = StepEnd {
            equity_usd: close.equity,
            external_flow_usd: close.external_flow,
            attribution: close.attribution,
            reference,
        };
        if let Some(share) = &mut self.run_state.share {
            share.step(at, &end)?;
        }
        match &mut self.run_state.ends {
            Some([_, last]) => *last = end,
            None => self.run_state.ends = Some([end, end]),
        }
        self.run_state.counts.steps += 1;
        let columns = if self.keeps {
            self.keep_step(at, &close, peg)?;
            Some(&mut self.steps.risk)
        } else {
            None
        };
        let state = (&self.books, &self.view, &self.exposure);
        self.risk_view
            .close_step(at, state, self.risk.level(), columns)?;
        if let Some(journaling) = &mut self.journaling {
            journaling.close_step(&self.steps)?;
        }
        Ok(())
    }

    /// Values what leaving everything takes after the step, and holds growth back where that is too much.
    fn value_exit(&mut self, at: Timestamp, close: &StepClose) -> Result<(), ComponentError> {
        let exit = self.exits.refresh(&self.books, &self.view, &self.desk)?;
        let value = self.in_share_class(close.equity.sub(exit.cost)?)?;
        let flow = self.in_share_class(close.external_flow)?;
        self.run_state.exit_statistics.step(at, value, flow);
        self.run_state.exit = Some(exit);
        let Some(share) = self.config.risk.exit_cost_max else {
            return Ok(());
        };
        let most = close
            .equity
            .max(Value::ZERO)
            .at_rate(share, Rounding::Floor)?;
        let too_dear = exit.cost > most;
        if too_dear && !self.run_state.exit_too_dear {
            let detail = format!(
                "leaving everything costs {} USD, above risk.exit_cost_max of {share} x equity = {most}: \
                 nothing is added",
                exit.cost
            );
            self.state(at, "exit_too_dear", detail);
        }
        self.run_state.exit_too_dear = too_dear;
        Ok(())
    }

    /// USD in units of the share class.
    fn in_share_class(&self, usd: Value) -> Result<Value, ComponentError> {
        match self.run_state.share {
            Some(_) => in_class(usd, self.reference_mark()),
            None => Ok(usd),
        }
    }

    /// Adds the columns of a step.
    fn keep_step(
        &mut self,
        at: Timestamp,
        close: &StepClose,
        peg: Option<PegStep>,
    ) -> Result<(), ComponentError> {
        let reference = self.reference_mark();
        let bucket = peg.map_or(Value::ZERO, |peg| peg.bucket);
        let steps = &mut self.steps;
        steps.at.push(at);
        steps.equity_usd.push(close.equity);
        steps.external_flow_usd.push(close.external_flow);
        steps.peg.extend(peg);
        steps.attribution.push(close.attribution.with_peg(bucket));
        steps.net_delta.push(close.net_delta);
        steps.reference.push(reference);
        let rows = u32::try_from(self.books.ledger().len()).map_err(|e| {
            ComponentError::new(Code::OutputFailed, "the ledger has more than 2^32 lines")
                .with_source(e)
        })?;
        steps.ledger_rows.push(rows);
        let waits = self.plan.is_some() || !self.run_state.in_flight.is_empty();
        steps.parked.push(waits);
        for (column, slot) in steps.prices.iter_mut().zip(&self.slots) {
            let quote = self.view.quote(*slot);
            column.mark.push(quote.mark);
            column.state.push(quote.state);
        }
        for (column, mark) in steps.tokens.iter_mut().zip(&self.tokens) {
            let price = self.view.price_usd(*mark)?.unwrap_or(Price::ZERO);
            column.price.push(price);
            column.state.push(self.view.state_of(*mark));
        }
        steps.push_margins(&self.exposure.margins);
        steps.push_exit(
            self.run_state.exit.unwrap_or(ExitCost::NONE),
            self.exits.accounts(),
        );
        Ok(())
    }

    /// Gross delta at the reference price over the equity.
    fn leverage(&self) -> Result<Option<Rate>, ComponentError> {
        let equity = self.books.equity();
        if !equity.is_positive() {
            return Ok(None);
        }
        let gross = self.exposure.gross_delta;
        let gross = gross.notional(self.reference_mark(), Rounding::HalfEven)?;
        Ok(Some(Rate::new(
            gross.get().div(equity.get(), Rounding::HalfEven)?,
        )))
    }

    /// Why nothing was held where not even a plan says so.
    fn never_began(&self) -> Option<Text> {
        let counts = &self.run_state.counts;
        let is_idle = counts.steps > 0 && counts.stood_aside_steps == 0;
        (self.wants_positions && is_idle).then(|| {
            let config = &self.config;
            let (capital, class) = (config.initial_capital, config.share_class);
            Text::Owned(format!(
                "no entry was ever begun: {capital} {class} may be less than its smallest orders take"
            ))
        })
    }

    fn finish(self) -> RunResult {
        let never_began = self.never_began();
        let assumptions = self.assumptions();
        let peg = self.run_state.peg_figures(self.config.step);
        let statistics = self.run_state.statistics.finish(self.config.step);
        let leverage = self.leverage().ok().flatten();
        let exit_statistics = self.run_state.exit_statistics.finish(self.config.step);
        let exit = self.run_state.exit.map(|last| ExitSummary {
            last,
            max_drawdown: exit_statistics.max_drawdown,
        });
        let share = self.run_state.share;
        let share_statistics = share
            .as_ref()
            .map(|share| share.statistics.finish(self.config.step));
        let shocks = self.config.shocks();
        let shocks = shocks.map(|shock| shock.text().to_owned()).collect();
        let mut health: Vec<(String, Health)> = vec![("TightLoop".to_owned(), self.desk.health)];
        for slot in &self.desk.slots {
            health.push((slot.venue.to_string(), slot.interface.health()));
        }
        RunResult {
            mode: self.config.mode,
            share_class: self.config.share_class,
            range: (self.config.from, self.config.to),
            synthetic: self.view.provenance().synthetic,
            data_source: self.view.provenance().source.clone(),
            data_files: self.view.provenance().files.clone(),
            peg,
            steps: self.steps,
            ends: self.run_state.ends,
            ledger: self.books.into_ledger(),
            executions: self.executions,
            events: self.events.take(),
            attribution: self.run_state.attribution,
            risk: self.risk_view.finish(),
            share_attribution: share.map(|share| share.attribution),
            statistics,
            share_statistics,
            leverage,
            exit,
            benchmark: self.benchmark,
            counts: self.run_state.counts,
            coverage: self.coverage,
            unbooked_funding: self.run_state.unbooked,
            refused_withdrawals: self.run_state.refused,
            shocks,
            assumptions,
            never_held: self
                .run_state
                .kept_from
                .or(never_began)
                .filter(|_| !self.run_state.held)
                .map(|why| why.to_string()),
            halted: self.run_state.halted,
            health,
        }
    }
}

/// The epoch of a run that nobody resumes: its own start.
fn first_epoch(from: Timestamp) -> Result<Epoch, ComponentError> {
    Epoch::after(None, from).ok_or_else(|| {
        let message = format!("a run from {from} has no epoch: they end in 2106");
        ComponentError::new(Code::ConfigInvalid, message)
    })
}

/// Ledger lines that a step is expected to write: on the chain balances grow at every step, each with a line
/// of its own.
fn lines_a_step(series: &[SeriesId]) -> usize {
    let is_on_chain = series.iter().any(|id| id.kind == SeriesKind::Gas);
    if is_on_chain { 3 } else { 1 }
}

/// Places of the venues at which something can be borrowed.
fn lenders(venues: &[VenueSlot]) -> Vec<usize> {
    let lends = |slot: &VenueSlot| {
        let operations = &slot.interface.capabilities().operations;
        operations.contains(&OperationKind::Borrow)
    };
    let places = venues.iter().enumerate();
    places
        .filter(|(_, slot)| lends(slot))
        .map(|(at, _)| at)
        .collect()
}

/// What is left over must be rounding.
fn check_residual(at: Timestamp, residual: Value, equity: Value) -> Result<(), ComponentError> {
    let bound = residual_bound(equity)?;
    if residual.abs()? <= bound {
        return Ok(());
    }
    Err(ComponentError::new(
        Code::PnlOpen,
        format!("residual {residual} at {at} with equity {equity} is beyond rounding ({bound})"),
    ))
}
