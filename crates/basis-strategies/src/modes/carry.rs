//! Whether exposure that would be added is expected to earn what opening and closing it costs, where it is
//! added, and when a book is left.
//!
//! **Hurdle.** Expected carry of a venue = notional added to its short × Σ of the rates it settled in the
//! look-back × horizon ÷ look-back; what leaves a venue is carry lost. Cost = 2 × (fee + slippage) on every
//! notional added, once on each side of what only moves between venues, and the transfers that bring the
//! margin. A settlement without a recorded rate counts as zero, and where too few are recorded nothing is
//! added yet. Plans that add nothing need no carry: they only reduce.
//!
//! **Venues.** More is added only where the funding of the look-back is not [`BELOW_MEDIAN`] a year below the
//! median of the venues.
//!
//! **Standing aside.** A book is left when the mean carry of its shorts over `stand_aside_after_days` is
//! negative and that of the look-back does not pay either: else the hurdle would have it back at once.

use basis_core::error::ComponentError;
use basis_core::num::{Bps, Fixed18, Quantity, Rate, Rounding, Value};
use basis_core::types::{Span, Venue};
use basis_market::{FundingLookup, ReserveRow};

use super::Context;
use super::hedge::{Book, Hedge, rules_of};
use basis_engine::CarryRule;
use basis_engine::benchmark;
use basis_engine::strategy::{Shortfall, Weighed};

/// Part of the settlements of a look-back that must be recorded.
const RECORDED_MIN: (u32, u32) = (3, 4);

/// Funding a year below the median of the venues from which on nothing is added at a venue.
const BELOW_MEDIAN: Rate = Rate::literal("0.05");

/// A year, in which rates are stated.
const YEAR: Span = Span::from_hours(365 * 24);

/// What the hurdle says of a plan.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// Nothing is added, or nothing is asked.
    Unasked,
    /// It is worth its cost, by these numbers.
    Worth(Weighed),
    /// It is not.
    Short(Shortfall),
}

/// Notionals added and removed by a plan, and what trading them once costs.
#[derive(Clone, Copy, Debug, Default)]
struct Traded {
    added: Value,
    opening: Value,
    removed: Value,
    closing: Value,
}

impl Traded {
    /// Opening what is added, closing now what only moves from one venue to another, and later the rest.
    fn cost(&self) -> Result<Value, ComponentError> {
        let moved = self.added.min(self.removed);
        let part = |cost: Value, part: Value, whole: Value| {
            if whole.is_zero() {
                return Ok(Value::ZERO);
            }
            let share = cost
                .get()
                .mul_div(part.get(), whole.get(), Rounding::Ceil)?;
            Ok::<_, ComponentError>(Value::new(share))
        };
        let later = part(self.opening, self.added.sub(moved)?, self.added)?;
        let now = part(self.closing, moved, self.removed)?;
        Ok(self.opening.add(later)?.add(now)?)
    }
}

/// Weighs what the aim of `book` adds to the position held against its cost, `transfers` of it for margin.
pub(super) fn weigh(
    context: &Context<'_>,
    book: &Book<'_>,
    transfers: Value,
) -> Result<Answer, ComponentError> {
    let Some(rule) = context.config.expected_carry else {
        return Ok(Answer::Unasked);
    };
    let (mut carry, mut traded) = (Value::ZERO, Traded::default());
    let mut short = None;
    for hedge in &book.hedges {
        let change = hedge.target.add(hedge.position)?;
        if change.is_zero() {
            continue;
        }
        let notional = change.notional(book.spot_price, Rounding::Floor)?;
        let funding = settled(context, hedge, rule.lookback)?;
        if notional.is_positive() && funding.is_thin() {
            let Funding { recorded, due, .. } = funding;
            short.get_or_insert(Shortfall::LookBack { recorded, due });
        }
        let expected = funding.over(rule.lookback, rule.horizon)?;
        carry = carry.add(notional.at_rate(expected, Rounding::Floor)?)?;
        let taker = rules_of(context, hedge.venue)?.fees.perp.taker;
        let cost = once(notional.abs()?, taker, rule.slippage)?;
        if notional.is_positive() {
            traded.added = traded.added.add(notional)?;
            traded.opening = traded.opening.add(cost)?;
        } else {
            traded.removed = traded.removed.add(notional.abs()?)?;
            traded.closing = traded.closing.add(cost)?;
        }
    }
    let bought = book.spot_target.sub(book.spot)?.max(Quantity::ZERO);
    let bought = bought.notional(book.spot_price, Rounding::Ceil)?;
    let bought = once(bought, book.spot_taker_fee(), rule.slippage)?;
    let cost = traded.cost()?.add(bought)?.add(bought)?;
    if cost.is_zero() {
        return Ok(Answer::Unasked);
    }
    let cost = cost.add(transfers)?;
    let grown = traded.added.sub(traded.added.min(traded.removed))?;
    let lent = match rule.above_supply_rate {
        true => lent_instead(context, rule, grown)?,
        false => Some(Value::ZERO),
    };
    let Some(lent) = lent else {
        let due = days(rule.lookback);
        return Ok(Answer::Short(Shortfall::Days { recorded: 0, due }));
    };
    let cost = cost.add(lent)?;
    if let Some(short) = short {
        return Ok(Answer::Short(short));
    }
    if carry <= cost {
        return Ok(Answer::Short(Shortfall::Carry {
            expected: carry,
            cost,
            transfers,
            lent,
        }));
    }
    Ok(Answer::Worth(worth(
        book,
        rule,
        (carry, cost),
        (transfers, lent),
    )))
}

/// The numbers of what is worth its cost.
fn worth(
    book: &Book<'_>,
    rule: CarryRule,
    (carry, cost): (Value, Value),
    (transfers, lent): (Value, Value),
) -> Weighed {
    let mut detail = format!(
        "the expected carry of {carry} USD is above the round trip of {cost} USD, {transfers} USD of it for \
         transfers"
    );
    if rule.above_supply_rate {
        detail.push_str(&format!(" and {lent} USD that lending would earn"));
    }
    for barred in book.hedges.iter().filter(|hedge| !hedge.grows) {
        detail.push_str(&format!(
            "; nothing more at {}: its funding is more than {BELOW_MEDIAN} a year below the venues' median",
            barred.venue
        ));
    }
    Weighed {
        state: "carry_above_cost",
        detail,
    }
}

/// What the capital behind `added` notional, spot and margin, would earn over the horizon at the mean supply rate of the
/// look-back; `None` where that is not recorded.
fn lent_instead(
    context: &Context<'_>,
    rule: CarryRule,
    added: Value,
) -> Result<Option<Value>, ComponentError> {
    let view = context.view;
    let slot = benchmark::series_of(context.config);
    let Some(slot) = slot.and_then(|id| view.row_slot::<ReserveRow>(id)) else {
        return Ok(None);
    };
    let since = view.now().minus(rule.lookback).minus(Span::DAY);
    let mut rows = view.between(slot, since, view.now());
    let first = rows.next();
    let Some(((from, before), (to, after))) = first.zip(rows.next_back()) else {
        return Ok(None);
    };
    let known = to.since(from);
    let (part, whole) = (i64::from(RECORDED_MIN.0), i64::from(RECORDED_MIN.1));
    if known.times(whole) < rule.lookback.times(part) {
        return Ok(None);
    }
    let mantissa = |ray: u128| i128::try_from(ray / 1_000_000_000).unwrap_or(i128::MAX);
    let index = |ray: u128| Fixed18::from_mantissa(mantissa(ray));
    let grown = index(after.liquidity_index_ray)
        .div(index(before.liquidity_index_ray), Rounding::Ceil)?
        .sub(Fixed18::ONE)?;
    let seconds = |span: Span| Fixed18::from_int(span.seconds());
    let rate = grown.mul_div(seconds(rule.horizon), seconds(known), Rounding::Ceil)?;
    // Spot, and the margin of the shorts.
    let h = context.config.hedge_leverage;
    let capital = added
        .get()
        .mul_div(h.add(Fixed18::ONE)?, h, Rounding::Ceil)?;
    Ok(Some(
        Value::new(capital).at_rate(Rate::new(rate), Rounding::Ceil)?,
    ))
}

/// A span in whole days.
fn days(span: Span) -> u32 {
    u32::try_from(span.seconds() / 86_400).unwrap_or(u32::MAX)
}

/// Why the book should be left: the mean carry of the shorts held, where it has been negative for long enough.
pub(super) fn leaves(
    context: &Context<'_>,
    book: &Book<'_>,
) -> Result<Option<Weighed>, ComponentError> {
    let Some(rule) = context.config.expected_carry else {
        return Ok(None);
    };
    let held = book.short()?;
    if !held.is_positive() {
        return Ok(None);
    }
    // The short look-back first: it answers most steps, with a sixth of the rates.
    let recent = mean_of_shorts(context, book, rule.lookback)?;
    if recent.rate.is_positive() {
        return Ok(None);
    }
    let long = mean_of_shorts(context, book, rule.stand_aside_after)?;
    if long.is_thin() || !long.rate.is_negative() {
        return Ok(None);
    }
    let days = rule.stand_aside_after.seconds() / 86_400;
    let detail = format!(
        "the mean carry of the shorts is {} a year over {days} days ({} of {} settlements recorded) and {} over \
         the look-back: the book is closed until its carry exceeds its round trip",
        long.over(rule.stand_aside_after, YEAR)?,
        long.recorded,
        long.due,
        recent.over(rule.lookback, YEAR)?,
    );
    Ok(Some(Weighed {
        state: "stands_aside",
        detail,
    }))
}

/// The funding that the shorts held would have received over the last `span`, by unit of notional.
fn mean_of_shorts(
    context: &Context<'_>,
    book: &Book<'_>,
    span: Span,
) -> Result<Funding, ComponentError> {
    let whole = book.short()?;
    let mut mean = Funding::default();
    for hedge in &book.hedges {
        let held = hedge.position.neg()?;
        if !held.is_positive() {
            continue;
        }
        let funding = settled(context, hedge, span)?;
        let part = funding
            .rate
            .get()
            .mul_div(held.get(), whole.get(), Rounding::Floor)?;
        mean.rate = mean.rate.add(Rate::new(part))?;
        mean.recorded += funding.recorded;
        mean.due += funding.due;
    }
    Ok(mean)
}

/// The venues at which nothing is added, for their funding of the look-back is too far below the median of
/// those with a fresh price. A venue of which too little is recorded is not judged.
pub(super) fn barred(
    context: &Context<'_>,
    hedges: &[Hedge<'_>],
) -> Result<Vec<Venue>, ComponentError> {
    let Some(rule) = context.config.expected_carry else {
        return Ok(Vec::new());
    };
    let mut rates = Vec::with_capacity(hedges.len());
    for hedge in hedges.iter().filter(|hedge| hedge.fresh) {
        let funding = settled(context, hedge, rule.lookback)?;
        if !funding.is_thin() {
            rates.push((hedge.venue, funding.over(rule.lookback, YEAR)?));
        }
    }
    let mut sorted: Vec<_> = rates.iter().map(|(_, rate)| *rate).collect();
    sorted.sort_unstable();
    let at = |place: usize| sorted.get(place).copied();
    let (upper, lower) = (at(sorted.len() / 2), at(sorted.len().saturating_sub(1) / 2));
    let Some((upper, lower)) = upper.zip(lower) else {
        return Ok(Vec::new());
    };
    let middle = lower
        .add(upper)?
        .get()
        .div(Fixed18::from_int(2), Rounding::Floor)?;
    let least = Rate::new(middle).sub(BELOW_MEDIAN)?;
    let barred = rates.into_iter().filter(|(_, rate)| *rate < least);
    Ok(barred.map(|(venue, _)| venue).collect())
}

/// What a short of one unit received over a look-back, and what that rests on.
#[derive(Clone, Copy, Debug, Default)]
struct Funding {
    rate: Rate,
    recorded: u32,
    due: u32,
}

impl Funding {
    /// Whether too little of it is recorded to decide by.
    const fn is_thin(&self) -> bool {
        let (part, whole) = RECORDED_MIN;
        self.recorded.saturating_mul(whole) < self.due.saturating_mul(part)
    }

    /// What was received over `lookback`, had it gone on for `horizon`.
    fn over(&self, lookback: Span, horizon: Span) -> Result<Rate, ComponentError> {
        let hours = |span: Span| Fixed18::from_int(span.seconds() / 3_600);
        let rate = self
            .rate
            .get()
            .mul_div(hours(horizon), hours(lookback), Rounding::Floor)?;
        Ok(Rate::new(rate))
    }
}

/// The rates that a venue settled in the last `span`.
fn settled(
    context: &Context<'_>,
    hedge: &Hedge<'_>,
    span: Span,
) -> Result<Funding, ComponentError> {
    let (now, key) = (context.view.now(), hedge.rules.key);
    let mut funding = Funding::default();
    let Some(rules) = context.rules.venue(hedge.venue) else {
        return Ok(funding);
    };
    let mut at = now.minus(span);
    while let Some(instant) = rules.next_funding(key.symbol, at).filter(|at| *at <= now) {
        funding.due += 1;
        match context.view.funding(key.funding_series(), instant) {
            FundingLookup::Rate(rate) | FundingLookup::Proxied(rate, _) => {
                funding.recorded += 1;
                funding.rate = funding.rate.add(rate)?;
            }
            FundingLookup::Missing => {}
        }
        at = instant;
    }
    Ok(funding)
}

/// Fee and slippage of trading `notional` once.
fn once(notional: Value, taker: Rate, slippage: Bps) -> Result<Value, ComponentError> {
    let rate = taker.add(slippage.to_rate(Rounding::Ceil)?)?;
    Ok(notional.at_rate(rate, Rounding::Ceil)?)
}
