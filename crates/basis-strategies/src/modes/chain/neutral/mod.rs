//! A stake hedged with perp shorts, capital in a stablecoin: the modes `usdt_market_neutral` (leveraged
//! stake) and `usdt_market_neutral_no_leverage`.
//!
//! With C = equity × (1 − reserve): `stake_allocation_eth` of C is the stake's own capital, the ETH of
//! the gas reserve stands beside it, the rest is margin. The shorts are the delta of everything that is
//! no perp: staking tokens at the protocol's rate, collateral less debt, gas, rewards, withdrawal requests, coins
//! under way. So ETH is hedged wherever it is, and moving it is no naked delta.
//!
//! Work goes through two phases and then rests until a band is left. **Sizing** brings the long to its
//! goal: margins and the purchase are funded, then spot and shorts trade in one block; or ETH is taken
//! out of the stake, unwrapped, sent to the exchange, and sold in one block with the shorts. **Placing**
//! brings ETH from the exchange to the wallet, stakes it, brings the debt ratio to its target and fills
//! margins. What is on its way is waited for, and traded as it arrives. Before either, at every step: what arrived is swept, net delta is mended with the perps.
//!
//! **Invariants.** Net delta stays within `delta_tolerance`, but for what no fresh market can hedge.
//! A stale perp keeps its short. Nothing is traded on quantities of an earlier step.

mod book;
pub(in super::super) mod check;
mod reduce;
mod rest;
mod route;
mod steps;

use basis_core::error::{Code, ComponentError};
use basis_core::num::{Quantity, Rate, Rounding, Value};
use basis_core::plan::{Action, Block, FailurePolicy, Leg, Plan};
use basis_core::types::{Span, Timestamp, Venue};
use serde::{Deserialize, Serialize};

use self::book::{NeutralBook, Target};
use super::leverage::Loop;
use super::loop_carry::Leverage;
use super::places::Places;
use super::rewards::Harvest;
use super::settings;
use crate::modes::funding::{Moves, sweeps, top_up};
use crate::modes::layout::Layout;
use crate::modes::{Checkpoint, Context, Decision, KeyedStrategy, triggers};
use basis_engine::strategy::Trigger;

/// How long the stake is left alone after so many refusals in a row: then it is not the size that is
/// wrong but the market's rate, and every refusal keeps the engine from mending delta for a while.
const RELEASE_RETRY: Span = Span::from_hours(24);
const REFUSALS_MAX: u32 = 5;

/// What a withdrawal still lacks this long after it was due does not begin to wait in a queue any more: it
/// is sold in the market, unless the queue is all that is allowed.
const QUEUES_WITHIN: Span = Span::from_hours(24);

/// How the stake is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) enum Stake {
    /// In the wallet.
    Plain,
    /// As collateral of a loan that is staked too.
    Levered,
}

/// Why the book changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Reason {
    Entry,
    CapitalFlow,
    Withdrawal,
    Utilization,
    Allocation,
    Margin,
    IdleEther,
    Ltv,
    Delta,
}

impl Reason {
    /// The word in the event log.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::CapitalFlow => "capital_flow",
            Self::Withdrawal => "withdrawal",
            Self::Utilization => "utilization",
            Self::Allocation => "allocation",
            Self::Margin => "margin",
            Self::IdleEther => "idle_ether",
            Self::Ltv => "ltv",
            Self::Delta => "delta",
        }
    }
}

/// What is being worked at, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    Resting,
    Sizing(Reason),
    Placing(Reason),
}

/// A plan under way that needs a look at how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Underway {
    Nothing,
    Release,
    Gas,
}

/// The version of what is saved of it.
const STATE_VERSION: u32 = 3;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct MarketNeutral {
    stake: Stake,
    phase: Phase,
    underway: Underway,
    /// External flows that positions have been scaled to, and those that the work under way is for.
    flows_scaled: u64,
    flows_started: u64,
    last_rested_at: Option<Timestamp>,
    asked_at: Timestamp,
    rewards: Harvest,
    /// The debt ratio of a leveraged stake.
    leverage: Leverage,
    /// Before these, nothing is taken out of the stake, no gas is got from it.
    release_from: Timestamp,
    gas_from: Timestamp,
    /// Refusals of the stake's pool in a row.
    refusals: u32,
    /// Most ETH that is taken out of the stake at once, since its pool refused more.
    slice_max: Option<Quantity>,
    /// What was to be taken out last.
    tried: Quantity,
    /// Since when a withdrawal waits.
    owing_since: Option<Timestamp>,
    /// The stake when risk last asked to leave.
    left_at: Option<Quantity>,
    /// Boxed: these are taken out and put back at every step.
    #[serde(skip)]
    layout: Option<Box<Layout>>,
    #[serde(skip)]
    places: Option<Box<Places>>,
}

impl MarketNeutral {
    /// A strategy that has done nothing yet.
    pub(in super::super) fn new(stake: Stake) -> Self {
        Self {
            stake,
            phase: Phase::Resting,
            underway: Underway::Nothing,
            flows_scaled: 0,
            flows_started: 0,
            last_rested_at: None,
            asked_at: Timestamp::MIN,
            rewards: Harvest::default(),
            leverage: Leverage::default(),
            release_from: Timestamp::MIN,
            gas_from: Timestamp::MIN,
            refusals: 0,
            slice_max: None,
            tried: Quantity::ZERO,
            owing_since: None,
            left_at: None,
            layout: None,
            places: None,
        }
    }

    /// Finds where everything is and does something with it; layout and places are taken out while that
    /// borrows them.
    fn with_places<T>(
        &mut self,
        context: &Context<'_>,
        work: impl FnOnce(&mut Self, &Layout, &Places) -> Result<T, ComponentError>,
    ) -> Result<T, ComponentError> {
        self.asked_at = context.view.now();
        let (mut layout, mut places) = (self.layout.take(), self.places.take());
        let found = Layout::current(&mut layout, context)
            .and_then(|layout| Ok((layout, Places::current(&mut places, context)?)));
        let result = found.and_then(|(layout, places)| work(self, layout, places));
        (self.layout, self.places) = (layout, places);
        result
    }

    /// Reads the book and does something with it.
    fn with_book<T>(
        &mut self,
        context: &Context<'_>,
        work: impl FnOnce(&mut Self, &mut NeutralBook<'_>) -> Result<T, ComponentError>,
    ) -> Result<T, ComponentError> {
        self.with_places(context, |this, layout, places| {
            let mut book = NeutralBook::read(context, layout, (this.stake, places))?;
            work(this, &mut book)
        })
    }
}

impl KeyedStrategy for MarketNeutral {
    fn decide(&mut self, context: &Context<'_>) -> Result<Decision, ComponentError> {
        self.with_places(context, |this, layout, places| {
            let owes = context.pending_withdrawal.is_positive();
            let since = this.owing_since.unwrap_or(context.view.now());
            this.owing_since = owes.then_some(since);
            this.ask_leverage(context, layout, places)?;
            if this.rests(context, layout, places) {
                debug_assert!(this.holds(context, layout, places));
                return Ok(this.leverage.explain(Decision::Hold));
            }
            let mut book = NeutralBook::read(context, layout, (this.stake, places))?;
            let decision = this.decide_with(context, &mut book)?;
            Ok(this.leverage.explain(decision))
        })
    }

    fn exit(&mut self, context: &Context<'_>) -> Result<Option<Plan>, ComponentError> {
        self.phase = Phase::Resting;
        self.with_book(context, |this, book| this.leave(context, book))
    }

    fn deleverage(
        &mut self,
        context: &Context<'_>,
        venue: Venue,
        fraction: Rate,
    ) -> Result<Option<Plan>, ComponentError> {
        self.with_book(context, |this, book| {
            this.cut(context, book, (venue, fraction))
        })
    }

    fn top_up(
        &mut self,
        context: &Context<'_>,
        venue: Venue,
        missing: Value,
    ) -> Result<Option<Plan>, ComponentError> {
        let moves = self.with_book(context, |_, book| {
            top_up(context, &book.hedge, venue, missing)
        })?;
        let blocks = moves.map(|moves| vec![moves.internal, moves.external]);
        Ok(blocks.map(|blocks| plan(Action::EntryPartial, "top_up", blocks)))
    }

    fn payable(&mut self, context: &Context<'_>) -> Result<Quantity, ComponentError> {
        let cost = self.with_book(context, |_, book| book.cost_of_leaving(context))?;
        context.in_share_class(context.books.equity().sub(cost)?)
    }

    fn counts_in_flight(&self) -> bool {
        true
    }

    fn save(&self) -> Result<Checkpoint, ComponentError> {
        Checkpoint::of(STATE_VERSION, self)
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), ComponentError> {
        *self = Self {
            stake: self.stake,
            ..checkpoint.read(STATE_VERSION)?
        };
        Ok(())
    }

    fn completed(&mut self, _flows_seen: u64, traded: bool) {
        self.rewards.completed(traded);
        let ended = std::mem::replace(&mut self.underway, Underway::Nothing);
        match ended {
            Underway::Release if !traded => {
                self.refused();
                self.refusals += 1;
                if self.refusals >= REFUSALS_MAX {
                    self.refusals = 0;
                    self.release_from = self.asked_at.plus(RELEASE_RETRY);
                }
            }
            Underway::Release => self.refusals = 0,
            Underway::Gas if !traded => self.gas_from = self.asked_at.plus(RELEASE_RETRY),
            _ => {}
        }
    }
}

impl MarketNeutral {
    /// Has a leveraged stake weighed: what is held of it, or what is to be built.
    fn ask_leverage(
        &mut self,
        context: &Context<'_>,
        layout: &Layout,
        places: &Places,
    ) -> Result<(), ComponentError> {
        if self.stake == Stake::Plain || context.config.expected_carry.is_none() {
            return Ok(());
        }
        let held = Loop::read(context, places)?;
        let price = layout.spot_slot.map(|slot| context.view.quote(slot).mark);
        let own = match (held.is_empty(), price) {
            (true, Some(price)) => Target::of(context, price)?.map(|target| target.stake),
            _ => Some(held.equity()?),
        };
        self.leverage.ask(context, &held, own.unwrap_or_default())
    }

    fn decide_with(
        &mut self,
        context: &Context<'_>,
        book: &mut NeutralBook<'_>,
    ) -> Result<Decision, ComponentError> {
        let sweeps = sweeps(context, &book.hedge);
        if !sweeps.is_empty() {
            let plan = plan(Action::EntryPartial, "arrived", vec![sweeps]);
            return Ok(Decision::Act(plan));
        }
        if let Some(decision) = self.mend(context, book)? {
            return Ok(decision);
        }
        if let Some(decision) = self.collect(context, book)? {
            return Ok(decision);
        }
        let mut trigger = None;
        if self.phase == Phase::Resting {
            let Some(phase) = self.wakes(context, book)? else {
                return Ok(Decision::Hold);
            };
            self.phase = phase;
            self.flows_started = context.flows_seen;
            if phase == Phase::Sizing(Reason::Utilization) {
                let (held, target) = (book.value_of(book.long)?, book.value_of(book.long_target)?);
                trigger = triggers::utilization(context, (held, target))?;
            }
            if phase == Phase::Placing(Reason::Ltv) {
                trigger = self.strayed(context, &book.levered)?;
            }
        }
        let decision = self.work(context, book)?;
        Ok(decision.triggered_by(trigger))
    }

    /// The numbers of a loop that [`strays`]: how far its debt ratio is from the target, and how far it may be.
    fn strayed(
        &self,
        context: &Context<'_>,
        levered: &Loop,
    ) -> Result<Option<Trigger>, ComponentError> {
        let (ltv, target) = (levered.ltv()?, self.leverage.target(context)?);
        let most = settings(context)?.max_ltv;
        let limit = if target.is_zero() {
            Rate::ZERO
        } else if ltv > most {
            most.sub(target)?.max(Rate::ZERO)
        } else {
            let band = context.config.utilization_band;
            Rate::ONE.sub(ltv)?.mul(band, Rounding::Floor)?
        };
        triggers::ltv((levered.debt, levered.collateral_ether), (target, limit))
    }

    /// The next step of the phase.
    fn work(
        &mut self,
        context: &Context<'_>,
        book: &mut NeutralBook<'_>,
    ) -> Result<Decision, ComponentError> {
        if let Phase::Sizing(reason) = self.phase {
            if let Some(decision) = self.size(context, book, reason.as_str())? {
                return Ok(decision);
            }
            if !context.in_flight.is_empty() {
                return Ok(Decision::Hold);
            }
            self.phase = Phase::Placing(reason);
        }
        if let Phase::Placing(reason) = self.phase
            && let Some(decision) = self.place(context, book, reason.as_str())?
        {
            return Ok(decision);
        }
        if !context.in_flight.is_empty() {
            return Ok(Decision::Hold);
        }
        self.phase = Phase::Resting;
        self.slice_max = self.slice_max.and_then(|most| most.add(most).ok());
        if self.flows_scaled != self.flows_started || !book.is_flat()? {
            self.last_rested_at = Some(context.view.now());
        }
        self.flows_scaled = self.flows_started;
        Ok(Decision::Hold)
    }

    /// Why the book should change, if it should.
    fn wakes(
        &self,
        context: &Context<'_>,
        book: &NeutralBook<'_>,
    ) -> Result<Option<Phase>, ComponentError> {
        let flat = book.is_flat()?;
        if context.flows_seen != self.flows_scaled {
            let reason = if flat {
                Reason::Entry
            } else {
                Reason::CapitalFlow
            };
            return Ok(Some(Phase::Sizing(reason)));
        }
        if flat {
            // Nothing open and no new capital: a halted or emptied book stays flat.
            return Ok(None);
        }
        let config = context.config;
        if context.pending_withdrawal.is_positive() {
            return Ok(Some(Phase::Sizing(Reason::Withdrawal)));
        }
        let rested = self
            .last_rested_at
            .is_none_or(|at| context.view.now().since(at) >= config.rebalance_min_interval);
        if !rested {
            return Ok(None);
        }
        let band = config.utilization_band;
        let width = book.long_target.at_rate(band, Rounding::Floor)?;
        // What is held above the target is left to the ladder.
        if book.long_target.sub(book.long)? > width {
            return Ok(Some(Phase::Sizing(Reason::Utilization)));
        }
        if book.hedge.tradable && book.hedge.is_misallocated(config)? {
            return Ok(Some(Phase::Sizing(Reason::Allocation)));
        }
        if book.lacks_margin(config.margin_deviation_threshold)? {
            return Ok(Some(Phase::Placing(Reason::Margin)));
        }
        let idle = book.spare()?.add(book.hedge.spot)?.add(book.wrapped)?;
        if idle > width && book.matters(idle)? {
            return Ok(Some(Phase::Placing(Reason::IdleEther)));
        }
        let target = self.leverage.target(context)?;
        if self.stake == Stake::Levered && strays(context, &book.levered, target)? {
            return Ok(Some(Phase::Placing(Reason::Ltv)));
        }
        Ok(None)
    }
}

/// Whether the loop's collateral is out of its band around what its equity carries at the target,
/// or the debt ratio above its bound.
fn strays(context: &Context<'_>, levered: &Loop, target: Rate) -> Result<bool, ComponentError> {
    let chain = settings(context)?;
    if levered.is_empty() {
        return Ok(false);
    }
    if levered.ltv()? > chain.max_ltv || target.is_zero() && levered.debt.is_positive() {
        return Ok(true);
    }
    let kept = Rate::ONE.sub(target)?;
    let wanted = levered.equity()?.div_rate(kept, Rounding::Floor)?;
    let band = context.config.utilization_band;
    let band = wanted.at_rate(band, Rounding::Floor)?;
    Ok(levered.collateral_ether.sub(wanted)?.abs()? > band)
}

/// A plan whose blocks stop at the first failure.
fn plan(action: Action, reason: &'static str, blocks: Vec<Vec<Leg>>) -> Plan {
    with_policy(action, reason, blocks, FailurePolicy::Halt)
}

fn with_policy(
    action: Action,
    reason: &'static str,
    blocks: Vec<Vec<Leg>>,
    failure_policy: FailurePolicy,
) -> Plan {
    let blocks = blocks.into_iter().filter(|legs| !legs.is_empty());
    let blocks = blocks.map(|legs| Block {
        legs,
        failure_policy,
    });
    Plan {
        action,
        reason: reason.into(),
        blocks: blocks.collect(),
    }
}

/// Transfers, those inside a venue first; the plan waits for the others.
fn send(action: Action, reason: &'static str, moves: Moves) -> Decision {
    Decision::Act(plan(action, reason, vec![moves.internal, moves.external]))
}

/// Refuses capital that does not reach one lot at some venue.
fn smallest_capital(context: &Context<'_>, book: &NeutralBook<'_>) -> Result<(), ComponentError> {
    if context.pending_withdrawal.is_positive() || !book.price.is_positive() {
        return Ok(());
    }
    for hedge in book.hedge.hedges.iter().filter(|hedge| hedge.fresh) {
        let rules = hedge.rules;
        let by_notional = rules.min_notional.per(book.price, Rounding::Ceil)?;
        let smallest = rules.min_quantity.max(by_notional).max(rules.lot_size);
        let share = book.long_target.at_rate(hedge.share, Rounding::Floor)?;
        if share < smallest {
            let (capital, currency) = (context.books.equity(), context.config.share_class);
            let message = format!(
                "capital {capital} {currency} gives {} a hedge of {share} ETH, below its smallest order \
                 of {smallest}; give more capital, or a smaller hedge_allocation elsewhere",
                hedge.venue
            );
            return Err(ComponentError::new(Code::CapitalTooSmall, message));
        }
    }
    Ok(())
}

/// What is not yet `long`, zero where it is.
fn missing(goal: Quantity, long: Quantity) -> Result<Quantity, ComponentError> {
    Ok(goal.sub(long)?.max(Quantity::ZERO))
}
