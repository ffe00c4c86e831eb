//! Long spot, short perps on several venues, delta neutral; earns funding. The modes `btc_basis` and
//! `eth_basis` are this over their assets.
//!
//! Sizing with C = equity × (1 − reserve) and h = `hedge_leverage`: spot notional C·h/(1+h), margin
//! C/(1+h) spread by `hedge_allocation`. Order of work at each step: sweep what has arrived into the
//! accounts that use it; mend a broken hedge by cutting the larger side; fund what the target needs;
//! trade towards the target in one block as far as what has arrived carries it hedged. Rebalances when the equity has left its band around
//! that of the last rebalance, when the notional is under its band below what the equity would hold, when
//! net delta, a venue's share or a margin leaves its band, or after a deposit or withdrawal. A move of the
//! price within these trades nothing, and a notional above what the equity would hold is left to the ladder.
//! The equity is that in USD, for the book is neutral in it. What adds exposure may
//! have to be worth its cost first ([`CarryRule`](basis_engine::CarryRule)); what reduces it never waits. A book
//! whose carry has been negative for long enough is closed, and entered again when it pays.
//!
//! **In kind.** Where the share class is the asset itself, capital arrives as the asset in the wallet:
//! what is above the reserve goes to the spot venue, half of it is sold for margin, and only then the
//! hedge is opened. The reserve is hedged too: shorts = spot + what is held elsewhere − what is owed
//! to a withdrawal. Scheduled amounts, `min_transfer` and `dust_threshold` are then in the asset.
//!
//! **Stale hedges.** A perp without a fresh price keeps its short; the others share the rest of the
//! target. Only a stale spot market, or none of the perps fresh, puts a rebalance off.

mod check;

use basis_core::error::{Code, ComponentError};
use basis_core::num::{Fixed18, Quantity, Rate, Rounding, Value};
use basis_core::plan::{Action, Block, FailurePolicy, Leg, Plan};
use basis_core::types::{InstrumentKind, Side, Span, Timestamp, Venue};
use serde::{Deserialize, Serialize};

pub(super) use self::check::{
    check, entry, optional_series, required_series, spot_alone_at, venues,
};
use super::carry::{self, Answer};
use super::funding::{Moves, moves, sweeps, top_up};
use super::hedge::{Book, NEAR, Reach};
use super::layout::Layout;
use super::volume::Pace;
use super::{Checkpoint, Context, Decision, KeyedStrategy, in_kind, triggers};
use crate::config::ModeConfig;
use basis_engine::strategy::{Shortfall, Trigger, Weighed};

/// The version of what is saved of it.
const STATE_VERSION: u32 = 4;

/// Flows that no book has been scaled to: what is flat is to be entered.
const NEVER: u64 = u64::MAX;

#[derive(Debug, Default, Serialize, Deserialize)]
struct SpotPerp {
    /// External flows that positions have been scaled to.
    flows_scaled: u64,
    last_traded_at: Option<Timestamp>,
    trading_at: Option<Timestamp>,
    /// Whether the plan under way reaches its target, or as much of it as can be reached: else what is still
    /// on its way is traded when it has arrived.
    trading_whole: bool,
    /// Equity of the last rebalance, USD; none before the first.
    equity_rebalanced: Option<Value>,
    /// Equity that the plan under way was sized with, USD.
    equity_trading: Value,
    /// Whether the plan under way leaves a part of what was wanted to later steps.
    is_cut: bool,
    /// Since when a book is held; none while there is none.
    held_since: Option<Timestamp>,
    /// The day on which its carry was last asked for.
    asked_on: Timestamp,
    /// Whether the book is being closed, for its carry has been negative for too long.
    leaving: bool,
    /// Boxed: it is taken out and put back at every step.
    #[serde(skip)]
    layout: Option<Box<Layout>>,
    in_kind: bool,
}

pub(super) fn build(config: &ModeConfig<'_>) -> Box<dyn KeyedStrategy> {
    Box::new(SpotPerp {
        in_kind: config.is_in_kind(),
        ..SpotPerp::default()
    })
}

impl KeyedStrategy for SpotPerp {
    fn decide(&mut self, context: &Context<'_>) -> Result<Decision, ComponentError> {
        // Taken out while the book borrows it, so that nothing is copied at every step.
        let mut layout = self.layout.take();
        let decision = match Layout::current(&mut layout, context) {
            Ok(layout) => self.decide_with(context, layout),
            Err(e) => Err(e),
        };
        self.layout = layout;
        decision
    }

    fn exit(&mut self, context: &Context<'_>) -> Result<Option<Plan>, ComponentError> {
        let layout = Layout::current(&mut self.layout, context)?;
        let mut book = Book::read(context, layout)?;
        book.aim_flat();
        book.aim_within_volume(context, Pace::Urgent)?;
        let legs = tradable_only(context, book.legs_to_target()?);
        Ok((!legs.is_empty()).then(|| reducing(Action::ExitFull, "risk", legs)))
    }

    fn deleverage(
        &mut self,
        context: &Context<'_>,
        venue: Venue,
        fraction: Rate,
    ) -> Result<Option<Plan>, ComponentError> {
        let layout = Layout::current(&mut self.layout, context)?;
        let mut book = Book::read(context, layout)?;
        if !book.tradable {
            // A short alone is not cut: what it hedges could not be sold.
            return Ok(None);
        }
        let (spot, sellable) = (book.spot, book.sellable_spot()?);
        let is_spread = book.spots.len() > 1;
        let mut cut = Quantity::ZERO;
        for hedge in &mut book.hedges {
            hedge.target = hedge.position.neg()?;
            // What cannot be traded keeps its short, and with it the spot that it hedges.
            if hedge.venue == venue && hedge.fresh {
                let lot = hedge.rules.lot_size;
                let wanted = hedge.target.at_rate(fraction, Rounding::Ceil)?;
                cut = wanted.round_to_lot(lot, Rounding::Ceil)?.min(hedge.target);
                // What another venue cannot sell keeps its hedge.
                if is_spread && cut > sellable {
                    cut = sellable.round_to_lot(lot, Rounding::Floor)?;
                }
                hedge.target = hedge.target.sub(cut)?;
            }
        }
        book.spot_target = spot.sub(cut.min(spot))?;
        // What is sold beside the short is its margin at once.
        book.sells_first = Some(venue);
        book.aim_within_volume(context, Pace::Urgent)?;
        let legs = tradable_only(context, book.legs_to_target()?);
        Ok((!legs.is_empty()).then(|| reducing(Action::ExitPartial, "deleverage", legs)))
    }

    fn top_up(
        &mut self,
        context: &Context<'_>,
        venue: Venue,
        missing: Value,
    ) -> Result<Option<Plan>, ComponentError> {
        let layout = Layout::current(&mut self.layout, context)?;
        let book = Book::read(context, layout)?;
        let moves = top_up(context, &book, venue, missing)?;
        let blocks = moves.map(|moves| vec![moves.internal, moves.external]);
        Ok(blocks.map(|blocks| plan(context, Action::EntryPartial, "top_up", blocks)))
    }

    fn payable(&mut self, context: &Context<'_>) -> Result<Quantity, ComponentError> {
        let layout = Layout::current(&mut self.layout, context)?;
        let book = Book::read(context, layout)?;
        context.in_share_class(context.books.equity().sub(book.cost_of_leaving(context)?)?)
    }

    fn counts_in_flight(&self) -> bool {
        true
    }

    fn is_building(&self, flows_seen: u64) -> bool {
        self.in_kind && flows_seen != self.flows_scaled
    }

    fn save(&self) -> Result<Checkpoint, ComponentError> {
        Checkpoint::of(STATE_VERSION, self)
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), ComponentError> {
        *self = Self {
            in_kind: self.in_kind,
            ..checkpoint.read(STATE_VERSION)?
        };
        Ok(())
    }

    fn completed(&mut self, flows_seen: u64, traded: bool) {
        if let Some(at) = self.trading_at.take()
            && traded
        {
            self.last_traded_at = Some(at);
            self.held_since.get_or_insert(at);
            self.equity_rebalanced = Some(self.equity_trading);
            if self.trading_whole && !self.is_cut {
                self.flows_scaled = flows_seen;
            }
        }
    }
}

impl SpotPerp {
    fn decide_with(
        &mut self,
        context: &Context<'_>,
        layout: &Layout,
    ) -> Result<Decision, ComponentError> {
        let asks = self.asks_to_leave(context);
        if !asks
            && context.flows_seen == self.flows_scaled
            && !self.has_equity_strayed(context)?
            && layout.is_settled(context)?
        {
            return Ok(Decision::Hold);
        }
        let mut book = Book::read(context, layout)?;
        let leaves = if asks && !self.leaving {
            carry::leaves(context, &book)?
        } else {
            None
        };
        self.leaving |= leaves.is_some();
        let scale = context.flows_seen != self.flows_scaled;
        let sweeps = sweeps(context, &book);
        if !sweeps.is_empty() {
            return Ok(Decision::Act(plan(
                context,
                Action::EntryPartial,
                "margin_arrived",
                vec![sweeps],
            )));
        }
        if let Some(mend) = mend_hedge(context, &book, scale)? {
            return Ok(mend);
        }
        let flat = book.is_flat();
        if self.leaving {
            return self.leave(context, &mut book, leaves);
        }
        if flat {
            self.held_since = None;
        }
        if flat && scale {
            book.aim_at_target()?;
            smallest_capital(context, &book)?;
        }
        if let Some(moves) = in_kind::ship(context, &book, scale)? {
            return Ok(fund(context, Action::ExitPartial, moves));
        }
        match self.reason(context, &book, flat, scale)? {
            Some(reason) => {
                let trigger = self.trigger(context, &book, reason)?;
                let decision = self.rebalance(context, &mut book, (flat, scale), reason)?;
                Ok(decision.triggered_by(trigger))
            }
            None => dust(context, &book),
        }
    }

    /// The next step towards the target.
    fn rebalance(
        &mut self,
        context: &Context<'_>,
        book: &mut Book<'_>,
        (flat, scale): (bool, bool),
        reason: &'static str,
    ) -> Result<Decision, ComponentError> {
        if book.is_to_be_closed(context, scale)? {
            book.aim_to_close()?;
        } else {
            book.aim_for(context.config, self.reach(context, flat || scale)?)?;
        }
        if context.reduce_only && book.spot_target > book.spot {
            return Ok(Decision::Hold);
        }
        if !book.tradable {
            return Ok(Decision::Deferred(reason));
        }
        // Capital in kind is exposed by itself: once a part of it is hedged, all of it is.
        let must = reason == "margin" || book.in_kind && !flat;
        // In kind the capital is exposed until the shorts are open: they do not wait for the last cent.
        let exact = (flat || scale) && (!book.in_kind || in_kind::is_short_of_margin(book)?);
        let moves = moves(context, book, &book.spot_needs()?, exact)?;
        let weighed = match if must {
            Answer::Unasked
        } else {
            carry::weigh(context, book, moves.cost)?
        } {
            Answer::Short(shortfall) => return waits(context, book, (reason, shortfall)),
            Answer::Worth(weighed) => Some(weighed),
            Answer::Unasked => None,
        };
        let action = action(book, flat);
        if let Some(moves) = in_kind::bring(context, book, flat || scale)? {
            return Ok(fund(context, action, moves));
        }
        if exact && let Some(sale) = in_kind::raise_margin(context, book)? {
            // The sale raises what the hedge stands on; the entry is the hedge itself.
            let (action, sale) = (Action::EntryPartial, vec![sale]);
            return Ok(Decision::Act(plan(context, action, "raise_margin", sale)));
        }
        // What is bought must be paid for first; what is sold frees cash, so it is sold first.
        // In kind the sale has been made, and shorts are to be opened on what it raised.
        // What a bar had no room for has been funded.
        let waits_for_cash = reason == "margin"
            || !self.is_cut && (book.spot_target >= book.spot || (book.in_kind && exact));
        if waits_for_cash && !moves.is_empty() {
            return Ok(fund(context, action, moves));
        }
        if reason == "margin" {
            return Ok(match moves.halted {
                Some(venue) => Decision::Halted(reason, venue),
                None => Decision::Hold,
            });
        }
        let wanted = book.aimed_short()?;
        book.aim_within_cash(context)?;
        book.aim_within_margins(context.config)?;
        let near = wanted.at_rate(Rate::ONE.sub(NEAR)?, Rounding::Floor)?;
        self.trading_whole = context.in_flight.is_empty() || book.aimed_short()? >= near;
        book.aim_within_volume(context, Pace::Planned)?;
        book.aim_at_orders()?;
        let legs = book.hedged_legs(context.config)?;
        // The next bar has room again, or the next arrival brings what is missing.
        let waits = book.is_cut || !self.trading_whole && moves.is_empty();
        if legs.is_empty() && waits {
            return Ok(Decision::Hold);
        }
        if legs.is_empty() {
            self.is_cut = false;
            self.flows_scaled = context.flows_seen;
            self.equity_rebalanced = Some(own_equity(context)?);
            if !moves.is_empty() {
                return Ok(fund(context, action, moves));
            }
            return dust(context, book);
        }
        let trade = self.trade(context, book, action, reason, legs)?;
        Ok(match weighed {
            Some(weighed) => Decision::Weighed(trade, weighed),
            None => Decision::Act(trade),
        })
    }

    /// How far a rebalance goes: capital that comes or goes is met whole, and so is equity that was lost.
    fn reach(&self, context: &Context<'_>, exact: bool) -> Result<Reach, ComponentError> {
        let lost = match self.equity_rebalanced {
            Some(last) => own_equity(context)? < last && self.has_equity_strayed(context)?,
            None => false,
        };
        Ok(if exact {
            Reach::Whole
        } else if lost || context.pending_withdrawal.is_positive() {
            Reach::Band
        } else {
            Reach::Upwards
        })
    }

    /// Whether the carry of the book is to be asked for: once a day, after it has been held for as long as it
    /// must have been negative. Capital in kind stays hedged whatever that pays.
    fn asks_to_leave(&mut self, context: &Context<'_>) -> bool {
        let (now, today) = (context.view.now(), context.view.now().floor_to(Span::DAY));
        let Some((rule, since)) = context.config.expected_carry.zip(self.held_since) else {
            return false;
        };
        if self.leaving || self.in_kind {
            return self.leaving;
        }
        if self.asked_on == today || now.since(since) < rule.stand_aside_after {
            return false;
        }
        self.asked_on = today;
        true
    }

    /// Closes the book in step, as the market has room for it; what is flat is then entered again when its
    /// carry pays.
    fn leave(
        &mut self,
        context: &Context<'_>,
        book: &mut Book<'_>,
        leaves: Option<Weighed>,
    ) -> Result<Decision, ComponentError> {
        if book.is_flat() {
            (self.leaving, self.held_since) = (false, None);
            self.flows_scaled = NEVER;
            return Ok(Decision::Hold);
        }
        if !book.tradable {
            return Ok(Decision::Deferred("stands_aside"));
        }
        book.aim_to_close()?;
        book.aim_within_volume(context, Pace::Planned)?;
        book.aim_at_orders()?;
        let legs = book.hedged_legs(context.config)?;
        if legs.is_empty() {
            return Ok(Decision::Hold);
        }
        let trade = plan(context, Action::ExitFull, "stands_aside", vec![legs]);
        Ok(match leaves {
            Some(weighed) => Decision::Weighed(trade, weighed),
            None => Decision::Act(trade),
        })
    }

    /// The plan that trades to the target; the first one sets leverage before it.
    fn trade(
        &mut self,
        context: &Context<'_>,
        book: &Book<'_>,
        action: Action,
        reason: &'static str,
        legs: Vec<Leg>,
    ) -> Result<Plan, ComponentError> {
        self.trading_at = Some(context.view.now());
        self.is_cut = book.is_cut;
        self.equity_trading = own_equity(context)?;
        let mut trade = plan(context, action, reason, vec![legs]);
        if action == Action::EntryFull {
            // The venues' own leverage must not bind before the hedge's does. Where a venue refuses,
            // its default stands and the trade itself tells whether that is enough.
            let legs = book.leverage_legs(context.config.hedge_leverage)?;
            let failure_policy = FailurePolicy::Continue;
            trade.blocks.insert(
                0,
                Block {
                    legs,
                    failure_policy,
                },
            );
        }
        Ok(trade)
    }

    /// The numbers of a reason that is a measure beyond its limit. What a withdrawal waits for is none.
    fn trigger(
        &self,
        context: &Context<'_>,
        book: &Book<'_>,
        reason: &str,
    ) -> Result<Option<Trigger>, ComponentError> {
        match (reason, self.equity_rebalanced) {
            ("utilization", _) if !context.pending_withdrawal.is_positive() => {
                let held = book.core_spot()?;
                let held = held.notional(book.spot_price, Rounding::HalfEven)?;
                triggers::utilization(context, (held, book.notional_target))
            }
            ("equity_deviation", Some(last)) => {
                triggers::equity_deviation(context, (own_equity(context)?, last))
            }
            _ => Ok(None),
        }
    }

    /// Whether the equity has left its band around that of the last rebalance.
    fn has_equity_strayed(&self, context: &Context<'_>) -> Result<bool, ComponentError> {
        let Some(last) = self.equity_rebalanced else {
            return Ok(false);
        };
        let band = last.at_rate(context.config.equity_deviation, Rounding::Floor)?;
        Ok(own_equity(context)?.sub(last)?.abs()? > band.abs()?)
    }

    /// Why the book should change, if it should.
    fn reason(
        &self,
        context: &Context<'_>,
        book: &Book<'_>,
        flat: bool,
        scale: bool,
    ) -> Result<Option<&'static str>, ComponentError> {
        if scale {
            return Ok(Some(if flat { "entry" } else { "capital_flow" }));
        }
        let withdrawal_waits = context.pending_withdrawal.is_positive()
            && !book.in_kind
            && book.wallet_target > book.wallet;
        let pays = withdrawal_waits.then_some("margin");
        if flat {
            // Nothing open and no new capital: a halted or emptied book stays flat.
            return Ok(pays);
        }
        let config = context.config;
        let rested = self
            .last_traded_at
            .is_none_or(|at| context.view.now().since(at) >= config.rebalance_min_interval);
        if !rested {
            return Ok(pays);
        }
        let held = book
            .core_spot()?
            .notional(book.spot_price, Rounding::HalfEven)?;
        let lacks = book.notional_target.sub(held)?;
        // What a withdrawal still waits for is not left to the band; else what is held above the target is left
        // to the ladder.
        let (off, band) = if context.pending_withdrawal.is_positive() {
            (lacks.abs()?, config.utilization_band.min(NEAR))
        } else {
            (lacks, config.utilization_band)
        };
        let band = book.notional_target.at_rate(band, Rounding::HalfEven)?;
        if off > band {
            return Ok(Some("utilization"));
        }
        if self.has_equity_strayed(context)? {
            return Ok(Some("equity_deviation"));
        }
        if book.tradable && book.is_misallocated(config)? {
            return Ok(Some("allocation"));
        }
        for hedge in book.hedges.iter().filter(|hedge| hedge.fresh) {
            let missing = hedge.missing_margin()?;
            let band = hedge
                .margin_target
                .at_rate(config.margin_deviation_threshold, Rounding::Floor)?;
            if missing > band && missing >= book.min_transfer {
                return Ok(Some("margin"));
            }
        }
        Ok(pays)
    }
}

/// Waits for carry; what a withdrawal is owed leaves the exchanges all the same.
fn waits(
    context: &Context<'_>,
    book: &mut Book<'_>,
    (reason, shortfall): (&'static str, Shortfall),
) -> Result<Decision, ComponentError> {
    if context.pending_withdrawal.is_positive() && book.is_flat() && !book.in_kind {
        book.aim_to_close()?;
        let moves = moves(context, book, &[], false)?;
        if !moves.is_empty() {
            return Ok(fund(context, Action::ExitPartial, moves));
        }
    }
    Ok(Decision::Uneconomic(reason, shortfall))
}

/// The equity less what is owed to a withdrawal, USD.
fn own_equity(context: &Context<'_>) -> Result<Value, ComponentError> {
    let owed = context.pending_withdrawal;
    let owed = if context.config.is_in_kind() {
        let reference = context.view.quote(context.books.reference()).mark;
        Quantity::new(owed.get()).notional(reference, Rounding::Ceil)?
    } else {
        owed
    };
    Ok(context.books.equity().sub(owed)?)
}

/// Cuts the larger side when spot and shorts differ by more than the tolerance: at once, and
/// only ever reducing, because a liquidation or a refused leg may have left it.
fn mend_hedge(
    context: &Context<'_>,
    book: &Book<'_>,
    scale: bool,
) -> Result<Option<Decision>, ComponentError> {
    let short = book.short()?;
    let naked = book.spot.add(book.outside)?.sub(short)?;
    let tolerated = book
        .spot
        .max(short)
        .at_rate(context.config.delta_tolerance, Rounding::Floor)?;
    if naked.abs()? <= tolerated {
        return Ok(None);
    }
    if book.in_kind && scale && naked.is_positive() {
        // Capital that has just come in kind: the hedge of it is on its way.
        return Ok(None);
    }
    let mut legs = Vec::new();
    if naked.is_positive() {
        legs = book.sales_where_held(naked.min(book.spot))?;
    } else {
        let any_fresh = book.hedges.iter().any(|hedge| hedge.fresh);
        let mut rest = naked.abs()?;
        for hedge in book.hedges.iter().filter(|hedge| hedge.fresh || !any_fresh) {
            let rules = hedge.rules;
            let held = hedge.position.neg()?;
            let size = rest
                .min(held)
                .round_to_lot(rules.lot_size, Rounding::Ceil)?
                .min(held);
            if size.is_positive() && size >= rules.min_quantity {
                legs.push(Leg::market(rules.key, Side::Buy, size, true));
                rest = rest.sub(size.min(rest))?;
            }
        }
    }
    let wanted = !legs.is_empty();
    let legs = tradable_only(context, legs);
    Ok(match (wanted, legs.is_empty()) {
        (false, _) => None,
        (true, true) => Some(Decision::Deferred("delta")),
        (true, false) => {
            let mends = Decision::Act(reducing(Action::ExitPartial, "delta", legs));
            let long = book.spot.add(book.outside)?;
            Some(mends.triggered_by(triggers::delta(context, (long, short))?))
        }
    })
}

/// Reducing plans keep what they can get: a refused leg must not undo the others.
fn reducing(action: Action, reason: &'static str, legs: Vec<Leg>) -> Plan {
    let block = Block {
        legs,
        failure_policy: FailurePolicy::Continue,
    };
    Plan {
        action,
        reason: reason.into(),
        blocks: vec![block],
    }
}

fn plan(
    context: &Context<'_>,
    action: Action,
    reason: &'static str,
    blocks: Vec<Vec<Leg>>,
) -> Plan {
    let failure_policy = context.failure_policy();
    let blocks = blocks
        .into_iter()
        .filter(|legs| !legs.is_empty())
        .map(|legs| Block {
            legs,
            failure_policy,
        })
        .collect();
    Plan {
        action,
        reason: reason.into(),
        blocks,
    }
}

fn action(book: &Book<'_>, flat: bool) -> Action {
    if flat {
        Action::EntryFull
    } else if book.spot_target.is_zero() {
        Action::ExitFull
    } else if book.spot_target >= book.spot {
        Action::EntryPartial
    } else {
        Action::ExitPartial
    }
}

/// Transfers, those inside a venue first; the plan waits for the others.
fn fund(context: &Context<'_>, action: Action, moves: Moves) -> Decision {
    let blocks = vec![moves.internal, moves.external];
    Decision::Act(plan(context, action, "fund_accounts", blocks))
}

/// Leftover base units without a hedge, above the dust threshold.
fn dust(context: &Context<'_>, book: &Book<'_>) -> Result<Decision, ComponentError> {
    if book.in_kind {
        // What is left is the capital itself.
        return Ok(Decision::Hold);
    }
    if !book.short()?.is_zero() || !book.spot.is_positive() || !book.notional_target.is_zero() {
        return Ok(Decision::Hold);
    }
    let mut legs = Vec::new();
    for place in &book.spots {
        let rules = place.rules();
        let size = place.held.round_to_lot(rules.lot_size, Rounding::Floor)?;
        let notional = size.notional(book.spot_price, Rounding::Floor)?;
        let threshold = Value::new(context.config.dust_threshold.get()).max(rules.min_notional);
        if size.is_positive() && notional >= threshold && size >= rules.min_quantity {
            legs.push(Leg::market(rules.key, Side::Sell, size, false));
        }
    }
    if legs.is_empty() {
        return Ok(Decision::Hold);
    }
    if !book.tradable {
        return Ok(Decision::Deferred("dust"));
    }
    Ok(Decision::Act(plan(
        context,
        Action::SellDust,
        "dust",
        vec![legs],
    )))
}

/// Refuses capital that does not reach one lot at some venue.
fn smallest_capital(context: &Context<'_>, book: &Book<'_>) -> Result<(), ComponentError> {
    let config = context.config;
    let wanted = book
        .notional_target
        .per(book.spot_price, Rounding::Floor)
        .unwrap_or_default();
    if !book.spot_price.is_positive() || context.pending_withdrawal.is_positive() {
        return Ok(());
    }
    let capital = if book.in_kind {
        let units = context
            .books
            .equity()
            .per(book.reference, Rounding::Floor)?;
        units.get().round_to_decimals(2, Rounding::Floor)?
    } else {
        context.books.equity().get()
    };
    for hedge in &book.hedges {
        let smallest = hedge.smallest_order(book.spot_price)?;
        if hedge.target >= smallest || !hedge.fresh || !hedge.grows {
            continue;
        }
        let share = wanted.at_rate(hedge.share, Rounding::Floor)?;
        let needed = capital.mul_div(
            smallest.get(),
            share.get().max(Fixed18::from_mantissa(1)),
            Rounding::Ceil,
        );
        let needed = needed
            .and_then(|capital| capital.round_to_decimals(0, Rounding::Ceil))
            .map_or_else(|_| "far more".to_owned(), |capital| capital.to_string());
        return Err(ComponentError::new(
            Code::CapitalTooSmall,
            format!(
                "capital {capital} {} gives {} a hedge of {share} {}, below its smallest order of {smallest}; \
                 it takes about {needed} {} (or a smaller hedge_allocation elsewhere)",
                config.share_class, hedge.venue, config.asset, config.share_class
            ),
        ));
    }
    Ok(())
}

/// Drops legs whose market has no fresh price; transfers stay.
fn tradable_only(context: &Context<'_>, legs: Vec<Leg>) -> Vec<Leg> {
    use basis_core::instruction::Operation;
    legs.into_iter()
        .filter(|leg| {
            let (kind, symbol) = match &leg.instruction.operation {
                Operation::SpotTrade(trade) => (InstrumentKind::Spot, trade.symbol),
                Operation::PerpTrade(trade) => (InstrumentKind::Perp, trade.symbol),
                _ => return true,
            };
            let key = basis_core::types::InstrumentKey::new(leg.venue, kind, symbol);
            context
                .view
                .quote_of(key.series())
                .is_some_and(|quote| quote.state.is_tradable())
        })
        .collect()
}
