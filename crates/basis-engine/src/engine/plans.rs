//! Plans: the strategy is asked, its blocks run one after the other, and what fails is ended by policy.

use std::collections::VecDeque;

use basis_core::error::{Code, ComponentError, Rejection, VenueError, VenueErrorKind};
use basis_core::event::{Component, Event, EventData, EventSink};
use basis_core::instruction::Operation;
use basis_core::plan::{Action, Block, FailurePolicy, Leg, Plan};
use basis_core::types::{InstructionId, Span, Timestamp};
use basis_core::venue_event::Events;
use serde::{Deserialize, Serialize};

use super::Engine;
use super::checkpoint::Moment;
use super::intake::{Arrival, touch};
use crate::block::{BlockEnd, BlockRun, LegRun, LegState, Next, Purpose, Role, order_of};
use crate::desk::refusal;
use crate::risk::RiskLevel;
use crate::strategy::{Decision, Weighed};
use crate::venue_share::Spread;

/// Longest wait for something under way before its plan is given up.
pub(super) const PLAN_AGE_MAX: Span = Span::from_hours(7 * 24);

/// Most times a block sends legs: cancellations, completions, unwinding, and some to spare.
const SENDS_PER_BLOCK_MAX: usize = 16;

/// A plan that waits for a venue that is out, or sends nothing.
const WAITS: &str = "waits_for_venue";

/// Refusals of one permanent kind in a row after which the strategy stops.
const REFUSALS_MAX: u32 = 6;

/// Most steps a strategy pauses after a plan failed.
const PAUSE_STEPS_MAX: u64 = 24;

/// A plan that is being carried out.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ActivePlan {
    action: Action,
    blocks: VecDeque<Block>,
    /// The block under way; its failure policy has not been applied yet.
    pub(crate) run: Option<BlockRun>,
    /// Transfers of earlier blocks that the plan waits for.
    pub(super) under_way: Vec<InstructionId>,
    pub(super) since: Timestamp,
    /// What it waits for since then.
    pub(super) waiting: Vec<InstructionId>,
    traded: bool,
    failed: bool,
    /// External flows that were due when it was decided.
    flows: u64,
    /// When the block under way must be looked at again.
    look_again_at: Option<Timestamp>,
    /// The legs of the block that were sent last and are not answered: the first, and how many.
    pub(super) answering: Option<(usize, usize)>,
    /// What they were sent for.
    sends_for: Action,
}

impl ActivePlan {
    pub(super) const fn new(
        action: Action,
        blocks: VecDeque<Block>,
        at: Timestamp,
        flows: u64,
    ) -> Self {
        Self {
            action,
            blocks,
            run: None,
            under_way: Vec::new(),
            since: at,
            waiting: Vec::new(),
            traded: false,
            failed: false,
            flows,
            look_again_at: None,
            answering: None,
            sends_for: action,
        }
    }

    /// What it is for.
    pub(crate) const fn action(&self) -> Action {
        self.action
    }

    pub(super) const fn deadline(&self) -> Option<Timestamp> {
        self.look_again_at
    }
}

impl Engine {
    /// Asks the strategy once; `true` when a plan was started.
    pub(super) fn decide(&mut self, at: Timestamp) -> Result<bool, ComponentError> {
        let reduce_only =
            self.risk.level() >= RiskLevel::ReduceOnly || self.run_state.exit_too_dear;
        match self.ask_strategy(reduce_only, |strategy, context| strategy.decide(context))? {
            Decision::Hold => {
                self.run_state.uneconomic = None;
                Ok(false)
            }
            Decision::Deferred(reason) => {
                self.run_state.counts.rebalances_deferred += 1;
                let detail = format!("{reason}: a market has no fresh price");
                self.kept_from(detail.clone());
                self.state(at, "rebalance_deferred", detail);
                Ok(false)
            }
            Decision::Uneconomic(reason, shortfall) => {
                self.run_state.counts.stood_aside_steps += 1;
                let waits_for = format!("{}: {reason}", shortfall.state());
                if self.run_state.uneconomic.as_deref() != Some(waits_for.as_str()) {
                    let detail = format!("{reason}: {shortfall}");
                    self.state(at, shortfall.state(), detail);
                }
                self.run_state.uneconomic = Some(waits_for.into());
                Ok(false)
            }
            Decision::Halted(reason, venue) => {
                let why = if self.view.is_out(venue) {
                    format!("{venue} is out")
                } else {
                    format!("withdrawals from {venue} are halted")
                };
                self.wait_for_venue(at, format!("{reason}: {why}"));
                Ok(false)
            }
            Decision::Waits(reason, what) => {
                self.wait_for_venue(at, format!("{reason}: {what}"));
                Ok(false)
            }
            Decision::Weighed(plan, weighed) => {
                let starts = self.begin(at, plan);
                if starts {
                    self.state(at, weighed.state, weighed.detail);
                }
                Ok(starts)
            }
            Decision::Triggered(plan, trigger, weighed) => {
                let starts = self.begin(at, plan);
                if starts {
                    self.state(at, "trigger", trigger.to_string());
                    if let Some(Weighed { state, detail }) = weighed {
                        self.state(at, state, detail);
                    }
                }
                Ok(starts)
            }
            Decision::Act(plan) => Ok(self.begin(at, plan)),
        }
    }

    /// Starts a plan, unless a venue keeps its first block from being sent.
    fn begin(&mut self, at: Timestamp, plan: Plan) -> bool {
        let refusal = plan.blocks.first().and_then(|b| self.desk.refusal_of(b));
        if let Some((_, why)) = refusal {
            self.wait_for_venue(at, format!("{}: {why}", plan.reason));
            return false;
        }
        self.run_state.uneconomic = None;
        self.start(plan);
        true
    }

    /// Says once, for as long as it lasts, that a venue keeps a plan from being carried out.
    fn wait_for_venue(&mut self, at: Timestamp, detail: String) {
        self.kept_from(detail.clone());
        if self.run_state.uneconomic.as_deref() != Some(WAITS) {
            self.state(at, WAITS, detail);
        }
        self.run_state.uneconomic = Some(WAITS.into());
    }

    /// Keeps what keeps the book that is wanted from being held.
    fn kept_from(&mut self, why: String) {
        if !self.run_state.held {
            self.run_state.kept_from = Some(why.into());
        }
    }

    /// Counts refusals of one permanent kind in a row, and stops the strategy with the venue's reason where
    /// they do not end.
    fn count_refusals(&mut self, at: Timestamp, failures: &[(InstructionId, VenueError)]) {
        let permanent = failures.iter().find_map(|(_, e)| permanent_kind(e));
        let Some((kind, why)) = permanent else {
            return;
        };
        self.kept_from(why.clone());
        let before = match &self.run_state.refusals {
            Some((known, count)) if **known == *kind => *count,
            _ => 0,
        };
        let count = before + 1;
        self.run_state.refusals = Some((kind.into(), count));
        if count < REFUSALS_MAX || self.run_state.halted.is_some() {
            return;
        }
        let reason = format!("{count} refusals in a row, the last at {at}: {why}");
        self.state(at, "halted", reason.clone());
        self.run_state.halted = Some(reason);
    }

    /// Takes a plan on; [`Self::run_plan`] carries it out.
    pub(super) fn start(&mut self, plan: Plan) {
        let at = self.view.now();
        if is_entry(plan.action) {
            self.kept_from(format!("its plan `{}` came to no entry", plan.reason));
        }
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
        self.plan = Some(ActivePlan::new(
            action,
            blocks,
            at,
            self.run_state.due_flows,
        ));
    }

    /// Drives the block under way, then the plan's next blocks, until one waits for something, one ends the
    /// plan, or all are done; `false` when it waits for what it waited for before.
    pub(super) fn run_plan(&mut self) -> Result<bool, ComponentError> {
        let at = self.view.now();
        while let Some(plan) = &mut self.plan {
            if plan.run.is_some() {
                let Some(end) = self.drive_block()? else {
                    return Ok(self.park(at));
                };
                if self.end_block(at, &end) {
                    break;
                }
                // What is sent last is waited for by nobody: the strategy sees it on its way.
                if let Some(plan) = &self.plan
                    && !plan.under_way.is_empty()
                    && !plan.blocks.is_empty()
                {
                    return Ok(self.park(at));
                }
                continue;
            }
            let Some(block) = plan.blocks.pop_front() else {
                break;
            };
            if !self.approve(at, &block)? {
                break;
            }
            self.submit_block(block)?;
        }
        self.end_plan(at);
        Ok(true)
    }

    /// Whether risk and the state of the venues let a block pass; the plan has failed where they do not.
    fn approve(&mut self, at: Timestamp, block: &Block) -> Result<bool, ComponentError> {
        if self.risk.level() >= RiskLevel::ReduceOnly {
            // The block before may have changed what this one is judged by.
            self.refresh_exposure()?;
        }
        let refused = match self.desk.refusal_of(block) {
            Some((_, why)) => Some(ComponentError::new(Code::VenueHalted, why)),
            None => {
                let (books, exposure) = (&self.books, &self.exposure);
                let spread = Spread {
                    books,
                    in_flight: &self.run_state.in_flight,
                    view: &self.view,
                    rules: &self.rules,
                    config: &self.config,
                };
                let approved = self.risk.approve(block, books, exposure, &self.view);
                approved.and_then(|_| spread.approve(block)).err()
            }
        };
        let Some(e) = refused else { return Ok(true) };
        self.events
            .record(Event::error(at, Component::RiskMonitor, &e));
        if let Some(plan) = &mut self.plan {
            plan.failed = true;
        }
        Ok(false)
    }

    /// Notes what the plan waits for; `false` when it waited for all of that before.
    fn park(&mut self, at: Timestamp) -> bool {
        let Some(plan) = &mut self.plan else {
            return false;
        };
        let mut waiting = plan.under_way.clone();
        waiting.extend(plan.run.iter().flat_map(BlockRun::waiting));
        let is_new = waiting.iter().any(|id| !plan.waiting.contains(id));
        if !is_new {
            plan.waiting = waiting;
            return false;
        }
        let detail = format!("waiting for {waiting:?}");
        (plan.since, plan.waiting) = (at, waiting);
        self.state(at, "plan_parked", detail);
        true
    }

    /// Ends the plan: counts it and tells the strategy.
    fn end_plan(&mut self, at: Timestamp) {
        let Some(plan) = self.plan.take() else { return };
        if plan.traded {
            self.run_state.counts.rebalances += u64::from(self.run_state.entered);
            // What is traded before only makes the entry possible.
            self.run_state.entered |= plan.action == Action::EntryFull;
            self.run_state.held |= is_entry(plan.action);
        }
        self.strategy.completed(plan.flows, plan.traded);
        self.back_off(at, plan.failed);
    }

    /// Numbers and sends the legs of an approved block.
    pub(super) fn submit_block(&mut self, block: Block) -> Result<(), ComponentError> {
        let Block {
            mut legs,
            failure_policy,
        } = block;
        for leg in &mut legs {
            self.desk.number(leg)?;
        }
        let Some(plan) = &mut self.plan else {
            return Ok(());
        };
        plan.run = Some(BlockRun::new(legs, failure_policy, self.view.now()));
        let action = plan.action;
        self.submit_from(0, action)
    }

    /// Sends the legs of the block under way from the place `first` on, takes what is known at once, and
    /// keeps a row of each.
    fn submit_from(&mut self, first: usize, action: Action) -> Result<(), ComponentError> {
        let legs = legs_from(self.plan.as_ref(), first);
        let count = legs.len();
        for leg in &legs {
            touch(&mut self.touched, leg.venue);
            self.run_state.counts.orders += u64::from(order_of(leg).is_some());
            if let Operation::AmendOrder(amend) = &leg.instruction.operation
                && let Some(quantity) = amend.quantity
                && let Some(order) = self.desk.outstanding.get_mut(&amend.order)
            {
                order.enlarge(quantity);
            }
        }
        let (sent, _) = self.desk.admissible(&legs);
        self.desk.note_sending(self.view.now(), &sent);
        if let Some(plan) = &mut self.plan {
            plan.answering = Some((first, count));
            plan.sends_for = action;
        }
        self.commit(Moment::Sending)?;
        let legs = legs_from(self.plan.as_ref(), first);
        let (sent, _) = self.desk.admissible(&legs);
        let answers = self.desk.send(&self.view, &sent);
        self.take_answers(answers)
    }

    /// Takes what was known at once of the legs that were sent last, refuses what could not be sent, and
    /// keeps a row of each.
    pub(super) fn take_answers(&mut self, mut answers: Events) -> Result<(), ComponentError> {
        let Some(plan) = &mut self.plan else {
            return Ok(());
        };
        let Some((first, count)) = plan.answering.take() else {
            return Ok(());
        };
        let action = plan.sends_for;
        let legs = legs_from(self.plan.as_ref(), first);
        let (_, refused) = self.desk.admissible(&legs);
        let (now, refused) = (self.view.now(), refused.into_iter());
        answers.extend(refused.map(|(leg, kind)| refusal(now, leg, kind)));
        // Only what was new is shown: a venue may say a thing twice.
        let mut events = Events::new();
        for event in answers {
            if self.take(&event, Arrival::Answer)? {
                events.push(event);
            }
        }
        for place in first..first.saturating_add(count) {
            self.keep_answer(place, &events, action);
        }
        self.commit(Moment::Answered)
    }

    /// Drives the block under way as far as it goes; `None` when it waits.
    pub(super) fn drive_block(&mut self) -> Result<Option<BlockEnd>, ComponentError> {
        let now = self.view.now();
        for _ in 0..SENDS_PER_BLOCK_MAX {
            let Some(plan) = &mut self.plan else { break };
            let Some(run) = &mut plan.run else { break };
            let desk = &self.desk;
            let next = run.next(now, &|key| desk.lot(now, key))?;
            match next {
                Next::Wait(until) => {
                    plan.look_again_at = until;
                    self.reconcile()?;
                    return Ok(None);
                }
                Next::End(end) => {
                    plan.look_again_at = None;
                    self.reconcile()?;
                    return Ok(Some(end));
                }
                Next::Send(legs, purpose) => self.send_more(legs, purpose)?,
            }
        }
        let error = ComponentError::new(
            Code::LegFailed,
            format!("a block has sent legs {SENDS_PER_BLOCK_MAX} times and is not done"),
        );
        self.error(Component::TightLoop, &error);
        let end = BlockEnd {
            failed: true,
            plan_ends: true,
            ..BlockEnd::default()
        };
        Ok(Some(end))
    }

    /// Sends what the block machine asks for.
    fn send_more(
        &mut self,
        mut legs: Vec<(Leg, Role)>,
        purpose: Purpose,
    ) -> Result<(), ComponentError> {
        for (leg, _) in &mut legs {
            self.desk.number(leg)?;
        }
        let ids = legs.iter().map(|(leg, _)| leg.instruction.id).collect();
        let Some(plan) = &mut self.plan else {
            return Ok(());
        };
        let action = match purpose {
            Purpose::Complete => plan.action,
            Purpose::Cancel | Purpose::Cut | Purpose::Unwind => Action::ExitPartial,
        };
        let Some(run) = &mut plan.run else {
            return Ok(());
        };
        let failed = run.failures().map(|(leg, _)| leg.instruction.id).collect();
        let first = run.legs.len();
        run.add(legs);
        let policy = match purpose {
            Purpose::Cancel => "cancel",
            Purpose::Complete => "complete",
            Purpose::Cut => "cut",
            Purpose::Unwind => "compensate",
        };
        self.policy_event(policy, failed, ids);
        self.submit_from(first, action)
    }

    fn policy_event(
        &self,
        policy: &'static str,
        failed: Vec<InstructionId>,
        unwinding: Vec<InstructionId>,
    ) {
        let data = EventData::FailurePolicyApplied {
            policy: policy.into(),
            failed,
            unwinding,
        };
        self.desk
            .record(self.view.now(), Component::TightLoop, data);
    }

    /// Takes over how a block ended; `true` when the plan ends with it.
    pub(super) fn end_block(&mut self, at: Timestamp, end: &BlockEnd) -> bool {
        let Some(plan) = &mut self.plan else {
            return true;
        };
        let Some(run) = plan.run.take() else {
            return true;
        };
        plan.traded |= end.traded && !end.plan_ends;
        plan.failed |= end.failed;
        plan.under_way.extend(run.under_way());
        self.run_state.in_flight.extend(run.open_transfers());
        if end.plan_ends {
            plan.blocks.clear();
        }
        let submitted_at = run.submitted_at;
        let failures: Vec<_> = run
            .failures()
            .map(|(leg, e)| (leg.instruction.id, e.clone()))
            .collect();
        let policy = match run.policy() {
            FailurePolicy::Halt => Some("halt"),
            FailurePolicy::Continue => Some("continue"),
            FailurePolicy::Compensate { .. } => None,
        };
        if end.failed
            && let Some(policy) = policy
        {
            let ids = failures.iter().map(|(id, _)| *id).collect();
            self.policy_event(policy, ids, Vec::new());
        }
        for (id, e) in &failures {
            self.report_failure(at, *id, e);
        }
        self.count_refusals(at, &failures);
        if !end.failed {
            self.run_state.refusals = None;
            self.desk.health.succeeded(at, at.since(submitted_at));
        }
        self.track_rest(run.legs);
        for venue in &end.stuck {
            // It was asked nothing, and is closed as any open delta once it can be read.
            if self.desk.is_unreadable(*venue) {
                continue;
            }
            let reason = "an order that closes what a block left open did not fill";
            self.desk.halt(at, *venue, reason);
        }
        if let Some((open, took)) = &end.beyond_bound {
            let message = format!(
                "a block left {open} base units open, for up to {took}: beyond execution.naked_delta_max \
                 or execution.naked_time_max_seconds"
            );
            let error = ComponentError::new(Code::NakedDelta, message);
            self.desk.health.failed(at, &error);
            self.error(Component::TightLoop, &error);
        }
        end.plan_ends
    }

    /// Keeps track of legs that live on: resting orders, unknown ones, fills that are still to come.
    fn track_rest(&mut self, legs: Vec<LegRun>) {
        for run in legs {
            let lives_on = !run.is_done() && run.state != LegState::Submitted;
            if lives_on || run.is_unknown() {
                self.desk.track(run);
            } else {
                self.desk.end(&run);
            }
        }
    }

    fn report_failure(&mut self, at: Timestamp, id: InstructionId, e: &VenueError) {
        let error = ComponentError::new(Code::LegFailed, format!("instruction {id}: {e}"))
            .with_source(e.clone());
        self.desk.health.failed(at, &error);
        self.error(Component::TightLoop, &error);
    }

    /// After a failure the strategy pauses 1, 2, 4 … steps, so that a permanent refusal is not
    /// repeated at every step; a success clears the count.
    fn back_off(&mut self, at: Timestamp, failed: bool) {
        if !failed {
            self.run_state.failures_in_a_row = 0;
            return;
        }
        let pause = 2u64
            .saturating_pow(self.run_state.failures_in_a_row)
            .min(PAUSE_STEPS_MAX);
        self.run_state.failures_in_a_row = self.run_state.failures_in_a_row.saturating_add(1);
        let steps = i64::try_from(pause).unwrap_or(i64::MAX);
        self.run_state.pause_until = at
            .plus(self.config.step.times(steps))
            .plus(Span::from_nanos(1));
        self.state(
            at,
            "strategy_paused",
            format!("a plan failed; next decision after {pause} step(s)"),
        );
    }

    /// Drops the plan under way before its time: its block ends as its failure policy says, and the
    /// strategy is told that nothing came of it.
    pub(super) fn abandon_plan(&mut self) -> Result<(), ComponentError> {
        let at = self.view.now();
        let has_block = self.plan.as_ref().is_some_and(|plan| plan.run.is_some());
        if has_block {
            if let Some(run) = self.plan.as_mut().and_then(|plan| plan.run.as_mut()) {
                run.abandon();
            }
            let end = self.drive_block()?.unwrap_or_default();
            self.end_block(at, &end);
        }
        if let Some(plan) = self.plan.take() {
            self.strategy.completed(plan.flows, false);
        }
        Ok(())
    }
}

/// The legs of the block under way from the place `first` on.
fn legs_from(plan: Option<&ActivePlan>, first: usize) -> Vec<&Leg> {
    let run = plan.and_then(|plan| plan.run.as_ref());
    let legs = run.and_then(|run| run.legs.get(first..));
    legs.unwrap_or_default()
        .iter()
        .map(|run| &run.leg)
        .collect()
}

/// Of an error that the same order will meet again, the kind and the venue's own words; `None` where time,
/// money or a smaller order may change the answer.
fn permanent_kind(e: &VenueError) -> Option<(String, String)> {
    let kind = match &e.kind {
        VenueErrorKind::Unsupported(_) => "unsupported",
        VenueErrorKind::InvalidRequest(_) => "invalid_request",
        VenueErrorKind::Rejected {
            reason: Rejection::Filter { .. },
            ..
        } => "filter",
        VenueErrorKind::Rejected {
            reason: Rejection::Other(_),
            venue_code: Some(_),
        } if e.operation == "spot_trade" || e.operation == "perp_trade" => "rejected",
        _ => return None,
    };
    Some((format!("{} {} {kind}", e.venue, e.operation), e.to_string()))
}

const fn is_entry(action: Action) -> bool {
    matches!(action, Action::EntryFull | Action::EntryPartial)
}
