//! The block machine: from submitted legs to a block that is completed, cut or unwound.
//!
//! ```text
//! submitted ─▶ every leg done ─▶ none short ─────────────────────────────▶ ended
//!     │              │ short: its rest is ordered, then its siblings are cut to it,
//!     │              │ and what no cut can mend is unwound
//!     │              └─▶ completing ─▶ unwinding ─▶ ended
//!     └─▶ naked for too long ─▶ cancelling ─▶ (given up as unknown) ─▶ unwinding
//! ```
//!
//! In a backtest the events are there at once and one call runs through. Live, every wake goes on from
//! where the last one stopped.
//!
//! **Invariants.** Pure: legs and events in, the next legs out; no venue, no clock, no books. Nothing is
//! ever sent twice: a rest is a new instruction, and it is ordered only when what it completes has
//! ended. What unwinds is not unwound again.

mod leg;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use basis_core::error::{ComponentError, VenueError};
use basis_core::instruction::{CancelOrder, Operation};
use basis_core::num::{Quantity, Rounding};
use basis_core::plan::{FailurePolicy, Leg};
use basis_core::types::{InstructionId, InstrumentKey, Span, Timestamp, Venue};

use crate::strategy::OpenTransfer;

pub(crate) use self::leg::{Applied, LegRun, LegState, Role, changes_position, order_of};

/// How often the rest of a leg is ordered before its siblings are cut to it.
const COMPLETIONS_MAX: u32 = 3;

/// A deadline is passed this long after its instant.
const DEADLINE_PASSED_AFTER: Span = Span::from_nanos(1);

/// Answers the lot of an instrument: base units, > 0; `None` where no rules name it.
pub(crate) type Lots<'a> = &'a dyn Fn(InstrumentKey) -> Option<Quantity>;

/// A block that has been submitted.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BlockRun {
    /// The plan's legs first, in order, then what completes, cancels and unwinds them.
    pub(crate) legs: Vec<LegRun>,
    policy: FailurePolicy,
    pub(crate) submitted_at: Timestamp,
    completions: u32,
    /// When what unwinds it was sent.
    unwinding_since: Option<Timestamp>,
    /// Whether what worked has been taken back; that is asked once.
    cancelled: bool,
    /// Whether nothing is waited for any more.
    abandoned: bool,
}

/// What a block needs next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Events; at the latest look again at this instant.
    Wait(Option<Timestamp>),
    /// These legs sent, for this purpose.
    Send(Vec<(Leg, Role)>, Purpose),
    /// Nothing.
    End(BlockEnd),
}

/// Why a block sends more legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To take working orders back.
    Cancel,
    /// To order the rest of what filled in part.
    Complete,
    /// To bring siblings down to the leg that filled least.
    Cut,
    /// To undo what filled.
    Unwind,
}

/// How a block ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlockEnd {
    /// Whether any leg failed or stayed short.
    pub(crate) failed: bool,
    /// Whether the rest of the plan is dropped.
    pub(crate) plan_ends: bool,
    /// Whether anything traded.
    pub(crate) traded: bool,
    /// Venues at which an unwinding leg failed or is unknown.
    pub(crate) stuck: Vec<Venue>,
    /// Delta left open beyond the bound of the policy, and how long it stood open.
    pub(crate) beyond_bound: Option<(Quantity, Span)>,
}

impl BlockRun {
    /// A block whose numbered `legs` are about to be sent.
    pub(crate) fn new(
        legs: impl IntoIterator<Item = Leg>,
        policy: FailurePolicy,
        submitted_at: Timestamp,
    ) -> Self {
        let legs = legs.into_iter().map(|leg| LegRun::new(leg, Role::Original));
        Self {
            legs: legs.collect(),
            policy,
            submitted_at,
            completions: 0,
            unwinding_since: None,
            cancelled: false,
            abandoned: false,
        }
    }

    /// Adds legs that the machine asked for, numbered.
    pub(crate) fn add(&mut self, legs: impl IntoIterator<Item = (Leg, Role)>) {
        let runs = legs.into_iter().map(|(leg, role)| LegRun::new(leg, role));
        self.legs.extend(runs);
    }

    pub(crate) const fn policy(&self) -> FailurePolicy {
        self.policy
    }

    /// The leg of an instruction.
    pub(crate) fn leg_mut(&mut self, id: InstructionId) -> Option<&mut LegRun> {
        self.legs
            .iter_mut()
            .find(|run| run.leg.instruction.id == id)
    }

    /// Instructions that have left and that a plan waits for: transfers on their way.
    pub(crate) fn under_way(&self) -> impl Iterator<Item = InstructionId> + '_ {
        let moving = |run: &&LegRun| run.state == LegState::UnderWay;
        let moving = self.legs.iter().filter(moving);
        moving.map(|run| run.leg.instruction.id)
    }

    /// The same with what is on its way.
    pub(crate) fn open_transfers(&self) -> impl Iterator<Item = OpenTransfer> + '_ {
        let moving = self.legs.iter().filter(|run| run.is_under_way());
        moving.filter_map(|run| match &run.leg.instruction.operation {
            Operation::Transfer(transfer) => Some(OpenTransfer {
                instruction: run.leg.instruction.id,
                asset: transfer.asset,
                amount: transfer.amount,
                from: transfer.from,
                to: transfer.to,
                sent_at: self.submitted_at,
            }),
            _ => None,
        })
    }

    /// Orders that have not ended and that the block waits for.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = InstructionId> + '_ {
        let open = self.legs.iter().filter(|run| self.waits_for(run));
        open.map(|run| run.leg.instruction.id)
    }

    /// Legs that failed or are unknown, each with why.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&Leg, &VenueError)> {
        let failed = |run: &&LegRun| run.is_refused() || run.is_unknown();
        let failed = self.legs.iter().filter(failed);
        failed.filter_map(|run| Some((&run.leg, run.error.as_ref()?)))
    }

    /// What it needs next at `now`.
    ///
    /// # Errors
    /// POS-002 when an amount leaves the range.
    pub(crate) fn next(&mut self, now: Timestamp, lots: Lots<'_>) -> Result<Next, ComponentError> {
        if self.is_waiting(now, lots) {
            return Ok(Next::Wait(self.deadline()));
        }
        let waits = self.legs.iter().any(|run| self.waits_for(run));
        if waits || self.must_cancel(lots) {
            let cancels = self.cancels();
            if !cancels.is_empty() {
                return Ok(Next::Send(cancels, Purpose::Cancel));
            }
        }
        // Nobody says what they came to: the others are closed as if these had not filled.
        for run in &mut self.legs {
            run.given_up |= waits && !run.is_done();
        }
        if self.unwinding_since.is_some() {
            return Ok(Next::End(self.end(true)?));
        }
        if !self.is_short(lots) {
            return Ok(Next::End(self.end(false)?));
        }
        if !self.is_compensated() {
            return Ok(Next::End(self.end(true)?));
        }
        if !self.is_late(now)
            && let Some(rest) = self.rest(lots)
        {
            self.completions += 1;
            return Ok(Next::Send(rest, Purpose::Complete));
        }
        let (opposite, purpose) = self.opposite(lots)?;
        self.unwinding_since = Some(now);
        if opposite.is_empty() {
            return Ok(Next::End(self.end(true)?));
        }
        Ok(Next::Send(opposite, purpose))
    }

    /// Whether only events or time can bring it on at `now`: [`BlockRun::next`] would say to wait.
    pub(crate) fn is_waiting(&self, now: Timestamp, lots: Lots<'_>) -> bool {
        let waits = self.legs.iter().any(|run| self.waits_for(run));
        waits && !self.is_late(now) && !self.must_cancel(lots)
    }

    /// Drops the block before its time, as when risk goes first: nothing is waited for any more, what
    /// works is taken back, and what filled is closed as the policy says.
    pub(crate) const fn abandon(&mut self) {
        self.abandoned = true;
    }

    /// The last instant at which delta that its fills left open may be waited with; `None` while nothing is
    /// open or no bound is set. What is sent right after it, and fills at once, is in time. An order of
    /// unknown outcome may have filled when it was sent.
    fn deadline(&self) -> Option<Timestamp> {
        let FailurePolicy::Compensate { naked_time_max, .. } = self.policy else {
            return None;
        };
        let moved = |run: &LegRun| run.fills_at.map(|(first, _)| first);
        let first = self.legs.iter().filter_map(moved).min();
        let unknown = self.legs.iter().any(LegRun::is_unknown);
        let first = first.or(unknown.then_some(self.submitted_at))?;
        let since = self.unwinding_since.unwrap_or(first);
        let longest = naked_time_max.max(DEADLINE_PASSED_AFTER);
        let bound = since.max(self.submitted_at).plus(longest);
        Some(bound.minus(DEADLINE_PASSED_AFTER))
    }

    fn is_late(&self, now: Timestamp) -> bool {
        self.abandoned || self.deadline().is_some_and(|deadline| now > deadline)
    }

    fn is_compensated(&self) -> bool {
        matches!(self.policy, FailurePolicy::Compensate { .. })
    }

    /// Whether the block waits for a leg. Resting orders are waited for where they leave delta open, and
    /// unknown ones too; elsewhere they live on by themselves.
    fn waits_for(&self, run: &LegRun) -> bool {
        if run.is_done() || run.given_up {
            return false;
        }
        if matches!(run.role, Role::Cancels(_)) {
            return !run.is_unknown();
        }
        self.is_compensated() || !(run.is_working() || run.is_unknown())
    }

    /// Whether what still works must be taken back: a leg has failed for good, and everything else that
    /// can end by itself has. Where nothing is completed, a leg that stayed short has failed as well.
    fn must_cancel(&self, lots: Lots<'_>) -> bool {
        let works = |run: &LegRun| run.is_working() && !run.unwinds();
        let others_wait = |run: &LegRun| self.waits_for(run) && !run.is_working();
        let for_good = |run: &LegRun| run.is_refused() || run.given_up;
        !self.cancelled
            && self.legs.iter().any(works)
            && !self.legs.iter().any(others_wait)
            && (self.legs.iter().any(for_good) || !self.is_compensated() && self.is_short(lots))
    }

    /// Cancellations of what may still fill, once; never of what unwinds, for its fill closes.
    fn cancels(&mut self) -> Vec<(Leg, Role)> {
        if std::mem::replace(&mut self.cancelled, true) {
            return Vec::new();
        }
        let open = self.legs.iter().enumerate();
        open.filter(|(_, run)| !run.is_done() && !run.is_unknown() && !run.unwinds())
            .filter_map(|(at, run)| {
                let asked = run.order()?;
                let cancel = Operation::CancelOrder(CancelOrder {
                    symbol: asked.instrument.symbol,
                    order: run.leg.instruction.id,
                });
                Some((Leg::new(run.leg.venue, cancel), Role::Cancels(at)))
            })
            .collect()
    }

    /// Whether a leg of the plan failed, or filled less than was ordered by a lot or more, with what
    /// completes it.
    fn is_short(&self, lots: Lots<'_>) -> bool {
        self.originals().any(|(at, run)| {
            // What is unknown and not waited for counts as if it had not filled.
            let unknown = run.is_unknown() && !self.waits_for(run);
            if run.order().is_none() {
                return run.is_refused() || run.given_up || unknown;
            }
            // What lives on by itself is not short yet.
            let lives_on = !run.is_done() && !run.given_up && !unknown;
            !lives_on && (run.is_refused() || self.is_lacking(at, lots))
        })
    }

    /// Whether the order at `at` lacks a lot or more, completions included.
    fn is_lacking(&self, at: usize, lots: Lots<'_>) -> bool {
        let Some(run) = self.legs.get(at) else {
            return false;
        };
        let Some(asked) = run.order() else {
            return false;
        };
        let lot = lots(asked.instrument).unwrap_or(Quantity::ZERO);
        let missing = self.missing(at);
        missing.is_positive() && missing >= lot
    }

    fn originals(&self) -> impl Iterator<Item = (usize, &LegRun)> {
        let legs = self.legs.iter().enumerate();
        legs.filter(|(_, run)| run.role == Role::Original)
    }

    /// What is missing of the order at `at` after its completions.
    fn missing(&self, at: usize) -> Quantity {
        let asked = self.legs.get(at).and_then(LegRun::order);
        let asked = asked.map(|asked| asked.quantity).unwrap_or_default();
        let (filled, _) = self.filled(at).unwrap_or_default();
        asked.sub(filled).unwrap_or_default().max(Quantity::ZERO)
    }

    /// What the order at `at` filled with its completions, and the same net of fees in base.
    fn filled(&self, at: usize) -> Result<(Quantity, Quantity), ComponentError> {
        let (mut filled, mut net) = (Quantity::ZERO, Quantity::ZERO);
        for (place, run) in self.legs.iter().enumerate() {
            if place == at || run.role == Role::Completes(at) {
                filled = filled.add(run.filled)?;
                net = net.add(run.net_filled)?;
            }
        }
        Ok((filled, net))
    }

    /// Orders for the rest of the legs that filled in part; `None` where there is none to order, or where
    /// another leg failed for good, so that ordering more would only have to be undone.
    fn rest(&self, lots: Lots<'_>) -> Option<Vec<(Leg, Role)>> {
        let hopeless = self
            .legs
            .iter()
            .any(|run| run.is_refused() || run.given_up || run.is_unknown());
        let none_filled = self.legs.iter().all(|run| run.filled.is_zero());
        if hopeless || none_filled || self.completions >= COMPLETIONS_MAX {
            return None;
        }
        let mut rest = Vec::new();
        for (at, run) in self.originals() {
            if !self.is_lacking(at, lots) {
                continue;
            }
            let missing = self.missing(at);
            let lot = run.order().and_then(|asked| lots(asked.instrument));
            let missing = match lot {
                Some(lot) => missing.round_to_lot(lot, Rounding::Floor).ok()?,
                None => missing,
            };
            let mut leg = run.leg.clone();
            match &mut leg.instruction.operation {
                Operation::SpotTrade(trade) => trade.quantity = missing,
                Operation::PerpTrade(trade) => trade.quantity = missing,
                _ => continue,
            }
            rest.push((leg, Role::Completes(at)));
        }
        (!rest.is_empty()).then_some(rest)
    }

    /// The market orders that bring every leg down to the one that filled least, in whole lots and never
    /// more than what arrived after fees.
    fn opposite(&self, lots: Lots<'_>) -> Result<(Vec<(Leg, Role)>, Purpose), ComponentError> {
        let share = self.least_share()?;
        let purpose = if share.0.is_zero() {
            Purpose::Unwind
        } else {
            Purpose::Cut
        };
        let mut opposite = Vec::new();
        for (at, run) in self.originals() {
            let (filled, net) = self.filled(at)?;
            let (Some(asked), true) = (run.order(), net.is_positive()) else {
                continue;
            };
            let mut excess = net;
            if !share.0.is_zero() {
                let (asked, least, ordered) = (asked.quantity.get(), share.0.get(), share.1.get());
                let kept = asked.mul_div(least, ordered, Rounding::Floor)?;
                let beyond = filled.sub(Quantity::new(kept))?.max(Quantity::ZERO);
                // Fees were taken of every unit alike.
                let (net, beyond, filled) = (net.get(), beyond.get(), filled.get());
                excess = Quantity::new(net.mul_div(beyond, filled, Rounding::Floor)?);
            }
            if let Some(lot) = lots(asked.instrument) {
                excess = excess.round_to_lot(lot, Rounding::Floor)?;
            }
            if excess.is_positive() {
                let order = Leg::market(asked.instrument, asked.side.opposite(), excess, false);
                let venue = run.leg.venue;
                opposite.push((Leg { venue, ..order }, Role::Unwinds(at)));
            }
        }
        Ok((opposite, purpose))
    }

    /// The smallest share that any order of the plan filled, as filled and ordered units; zero where a leg
    /// came to nothing, or where one that is no order failed.
    fn least_share(&self) -> Result<(Quantity, Quantity), ComponentError> {
        let nothing = (Quantity::ZERO, Quantity::ZERO);
        let mut least: Option<(Quantity, Quantity)> = None;
        for (at, run) in self.originals() {
            let Some(asked) = run.order() else {
                if run.is_refused() || run.given_up {
                    return Ok(nothing);
                }
                continue;
            };
            let filled = asked.quantity.sub(self.missing(at))?;
            if filled.is_zero() {
                return Ok(nothing);
            }
            let is_less = match least {
                None => true,
                Some((least, ordered)) => {
                    let own = filled.ratio(asked.quantity, Rounding::Floor)?;
                    own < least.ratio(ordered, Rounding::Floor)?
                }
            };
            if is_less {
                least = Some((filled, asked.quantity));
            }
        }
        Ok(least.unwrap_or(nothing))
    }

    fn end(&self, failed: bool) -> Result<BlockEnd, ComponentError> {
        let traded = self.legs.iter().any(|run| {
            let kind = run.leg.instruction.operation.kind();
            let moved = matches!(run.state, LegState::Done) && changes_position(kind);
            moved || !run.filled.is_zero()
        });
        let mut end = BlockEnd {
            failed,
            plan_ends: failed && self.policy != FailurePolicy::Continue,
            traded,
            ..BlockEnd::default()
        };
        // One that is not waited for to the end is not known to be stuck, and what is open is not known.
        let under_way = |run: &LegRun| self.abandoned && !run.is_done() && !run.is_unknown();
        let mut unwinding = self.legs.iter().filter(|run| run.unwinds());
        for run in unwinding.clone().filter(|run| !under_way(run)) {
            let short = run.is_refused() || !run.is_done() || run.missing().is_positive();
            if short && !end.stuck.contains(&run.leg.venue) {
                end.stuck.push(run.leg.venue);
            }
        }
        let FailurePolicy::Compensate {
            naked_delta_max,
            naked_time_max,
        } = self.policy
        else {
            return Ok(end);
        };
        if failed && !unwinding.any(under_way) {
            let open = self.open_delta()?;
            // What was known late could not be closed sooner.
            let first = self.legs.iter().filter_map(|run| run.known_at).min();
            let last = self.legs.iter().filter_map(|run| run.fills_at);
            let took = match (first, last.map(|(_, last)| last).max()) {
                (Some(first), Some(last)) => last.since(first).max(Span::ZERO),
                _ => Span::ZERO,
            };
            if open.abs()? > naked_delta_max || took > naked_time_max {
                end.beyond_bound = Some((open, took));
            }
        }
        Ok(end)
    }

    /// What the block left open, in units of the underlying, signed: the delta of all its posted lines
    /// less the share of the plan that was kept.
    pub(crate) fn open_delta(&self) -> Result<Quantity, ComponentError> {
        let mut open = Quantity::ZERO;
        for run in &self.legs {
            open = open.add(run.delta)?;
        }
        let (filled, ordered) = self.least_share()?;
        if filled.is_zero() {
            return Ok(open);
        }
        for (at, run) in self.originals() {
            let (total, net) = self.filled(at)?;
            let (Some(asked), false) = (run.order(), total.is_zero()) else {
                continue;
            };
            let whole = asked.quantity.get();
            let kept = whole.mul_div(filled.get(), ordered.get(), Rounding::HalfEven)?;
            let net = kept.mul_div(net.get(), total.get(), Rounding::HalfEven)?;
            open = open.sub(Quantity::new(net.mul_int(asked.side.sign())?))?;
        }
        Ok(open)
    }
}
