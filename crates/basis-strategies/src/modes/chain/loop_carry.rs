//! Whether a leveraged stake is worth its debt, and the debt ratio that follows from it.
//!
//! Carry of a unit of debt, a year = mean growth of the protocol's rate over [`GROWTH_OVER`] + rewards paid in the
//! last [`REWARDS_OVER`], at what they are worth now, − mean borrow rate of the last [`BORROWED_OVER`], and what our
//! own size adds to it now. The loop is brought to `target_ltv` when carry × debt over `expected_carry.horizon_hours`
//! exceeds what entering and leaving cost, and to `target_ltv_low` when it is below minus what leaving costs, on
//! three days in a row and at the newest borrow rate too: a spike of a day costs less than leaving for it.
//! It is asked once a day. Without a horizon the target always stands.

use basis_core::error::ComponentError;
use basis_core::instruction::Operation;
use basis_core::num::{Fixed18, Quantity, Rate, Rounding, Value};
use basis_core::types::{Asset, SeriesKind, Span, Timestamp};
use basis_market::{ReserveRow, Reward};
use basis_protocols::gas::{GasOperation, atomic_gas};
use serde::{Deserialize, Serialize};

use super::super::{Context, Decision};
use super::gas;
use super::leverage::{Loop, flash_loan_cost};
use super::series::{reserve, rewards};
use super::stake::Token;
use super::{WETH, settings};
use basis_engine::strategy::{Shortfall, Weighed};

/// How far back the growth of the protocol's rate, rewards and the borrow rate are looked at.
const GROWTH_OVER: Span = Span::from_hours(30 * 24);
const REWARDS_OVER: Span = Span::from_hours(60 * 24);
const BORROWED_OVER: Span = Span::from_hours(7 * 24);

const YEAR: Span = Span::from_hours(365 * 24);

/// Days in a row on which the loop must cost more than leaving it.
const DAYS_TO_LEAVE: u32 = 3;

/// The debt ratio that a loop aims at, from day to day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in super::super) struct Leverage {
    asked_on: Timestamp,
    /// Whether the aim is `target_ltv`.
    is_up: bool,
    /// Days in a row on which the loop cost more than leaving it.
    costly_days: u32,
    /// What the last answer rests on, where the loop is not levered.
    short: Option<Short>,
    /// What a change of the aim rests on, until the log has it.
    said: Option<(bool, String)>,
}

/// Why a loop is not levered.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Short {
    LookBack { recorded: u32, due: u32 },
    Carry { expected: Value, cost: Value },
}

/// What a unit of debt earns and costs, a year.
#[derive(Clone, Copy, Debug)]
struct Carry {
    growth: Rate,
    rewards: Rate,
    borrowed: Rate,
    borrowed_newest: Rate,
}

impl Carry {
    fn mean(&self) -> Result<Rate, ComponentError> {
        Ok(self.growth.add(self.rewards)?.sub(self.borrowed)?)
    }

    fn newest(&self) -> Result<Rate, ComponentError> {
        Ok(self.growth.add(self.rewards)?.sub(self.borrowed_newest)?)
    }
}

impl Leverage {
    /// The debt ratio aimed at.
    ///
    /// # Errors
    /// STRAT-001 in a mode without the keys of the chain.
    pub(in super::super) fn target(&self, context: &Context<'_>) -> Result<Rate, ComponentError> {
        let chain = settings(context)?;
        Ok(if context.config.expected_carry.is_none() || self.is_up {
            chain.target_ltv
        } else {
            chain.target_ltv_low.min(chain.target_ltv)
        })
    }

    /// Weighs once a day whether a loop with `own` ETH of its own should be levered.
    ///
    /// # Errors
    /// What a venue says when it is asked; POS-002 out of range.
    pub(in super::super) fn ask(
        &mut self,
        context: &Context<'_>,
        held: &Loop,
        own: Quantity,
    ) -> Result<(), ComponentError> {
        let today = context.view.now().floor_to(Span::DAY);
        let Some(rule) = context.config.expected_carry else {
            return Ok(());
        };
        if self.asked_on == today || !own.is_positive() {
            return Ok(());
        }
        self.asked_on = today;
        let carry = match carry_of(context, &held.token)? {
            Ok(carry) => carry,
            Err(short) => {
                self.short = (!self.is_up).then_some(short);
                return Ok(());
            }
        };
        let over = |rate: Rate, debt: Quantity| {
            let rate = rate.get().mul_div(
                Fixed18::from_int(rule.horizon.seconds()),
                Fixed18::from_int(YEAR.seconds()),
                Rounding::Floor,
            )?;
            Ok::<_, ComponentError>(debt.at_rate(Rate::new(rate), Rounding::Floor)?)
        };
        let words = |expected: Quantity, cost: Quantity| {
            format!(
                "a year of debt earns {} of the protocol's rate and {} of rewards and costs {}, at the newest {}: \
                 {expected} ETH over the horizon against {cost} ETH",
                carry.growth, carry.rewards, carry.borrowed, carry.borrowed_newest
            )
        };
        if self.is_up {
            let leaving = leaving_cost(context, held, held.debt)?;
            let expected = over(carry.mean()?, held.debt)?;
            let newest = over(carry.newest()?, held.debt)?;
            let bound = leaving.neg()?;
            let is_costly = held.debt.is_positive() && expected < bound && newest < bound;
            self.costly_days = if is_costly { self.costly_days + 1 } else { 0 };
            if self.costly_days >= DAYS_TO_LEAVE {
                self.is_up = false;
                self.costly_days = 0;
                self.short = Some(short(context, expected, leaving)?);
                self.said = Some((false, format!("{} of leaving", words(expected, leaving))));
            }
            return Ok(());
        }
        let target = settings(context)?.target_ltv;
        let kept = Rate::ONE.sub(target)?;
        let debt = own
            .at_rate(target, Rounding::Floor)?
            .div_rate(kept, Rounding::Floor)?;
        let debt = debt.sub(held.debt)?.max(Quantity::ZERO);
        let cost = entering_cost(context, debt)?.add(leaving_cost(context, held, debt)?)?;
        let expected = over(carry.mean()?, debt)?;
        if expected > cost {
            self.is_up = true;
            self.short = None;
            let detail = format!("{} of entering and leaving", words(expected, cost));
            self.said = Some((true, detail));
        } else {
            self.short = Some(short(context, expected, cost)?);
        }
        Ok(())
    }

    /// The decision with the numbers that the aim rests on: those of a change go with the next plan, and what is
    /// held without leverage stands aside.
    pub(in super::super) fn explain(&mut self, decision: Decision) -> Decision {
        match decision {
            Decision::Act(plan) => match self.said.take() {
                Some((pays, detail)) => {
                    let state = if pays {
                        "leverage_pays"
                    } else {
                        "leverage_costs"
                    };
                    Decision::Weighed(plan, Weighed { state, detail })
                }
                None => Decision::Act(plan),
            },
            Decision::Triggered(plan, trigger, None) => {
                let weighed = self.explain(Decision::Act(plan));
                weighed.triggered_by(Some(trigger))
            }
            Decision::Hold => match self.short.filter(|_| !self.is_up) {
                Some(Short::LookBack { recorded, due }) => {
                    Decision::Uneconomic("leverage", Shortfall::Days { recorded, due })
                }
                Some(Short::Carry { expected, cost }) => {
                    let transfers = Value::ZERO;
                    let short = Shortfall::Carry {
                        expected,
                        cost,
                        transfers,
                        lent: Value::ZERO,
                    };
                    Decision::Uneconomic("leverage", short)
                }
                None => Decision::Hold,
            },
            other => other,
        }
    }
}

/// What is missing, USD.
fn short(
    context: &Context<'_>,
    expected: Quantity,
    cost: Quantity,
) -> Result<Short, ComponentError> {
    let reference = context.view.quote(context.books.reference()).mark;
    let dollars = |ether: Quantity| ether.notional(reference, Rounding::Floor);
    Ok(Short::Carry {
        expected: dollars(expected)?,
        cost: dollars(cost)?,
    })
}

/// What a unit of debt earns and costs; else how much of the look-backs is there.
fn carry_of(context: &Context<'_>, token: &Token) -> Result<Result<Carry, Short>, ComponentError> {
    let view = context.view;
    let now = view.now();
    let days = |span: Span| u32::try_from(span.seconds() / 86_400).unwrap_or(u32::MAX);
    let mut grown = None;
    if let Some(slot) = view.row_slot::<Fixed18>(token.rate) {
        let mut rows = view.between(slot, now.minus(GROWTH_OVER).minus(Span::DAY), now);
        let first = rows.next();
        grown = first.zip(rows.next_back());
    }
    let known = grown.map_or(Span::ZERO, |((from, _), (to, _))| to.since(from));
    let is_thin = |known: Span, wanted: Span| known.times(4) < wanted.times(3);
    let Some(((_, before), (_, after))) = grown.filter(|_| !is_thin(known, GROWTH_OVER)) else {
        let (recorded, due) = (days(known), days(GROWTH_OVER));
        return Ok(Err(Short::LookBack { recorded, due }));
    };
    let ratio = after.div(*before, Rounding::Floor)?.sub(Fixed18::ONE)?;
    let growth = yearly(ratio, known)?;
    let mut owed = None;
    if let Some(slot) = reserve(WETH).and_then(|id| view.row_slot::<ReserveRow>(id)) {
        let mut rows = view.between(slot, now.minus(BORROWED_OVER).minus(Span::DAY), now);
        let first = rows.next();
        owed = first.zip(rows.next_back());
    }
    let known = owed.map_or(Span::ZERO, |((from, _), (to, _))| to.since(from));
    let Some(((_, before), (_, after))) = owed.filter(|_| !is_thin(known, BORROWED_OVER)) else {
        let (recorded, due) = (days(known), days(BORROWED_OVER));
        return Ok(Err(Short::LookBack { recorded, due }));
    };
    let (from, to) = (
        from_ray(before.variable_borrow_index_ray),
        from_ray(after.variable_borrow_index_ray),
    );
    let ratio = to
        .get()
        .div(from.get(), Rounding::Ceil)?
        .sub(Fixed18::ONE)?;
    let mean = yearly(ratio, known)?;
    let newest = from_ray(after.variable_borrow_rate_ray);
    // What our own debt adds to the recorded rate.
    let mut own = context.exposure.lending.iter();
    let own = own.find(|account| account.debt.is_positive());
    let own = own.map_or(newest, |account| account.borrow_rate);
    let added = own.sub(newest)?.max(Rate::ZERO);
    Ok(Ok(Carry {
        growth,
        rewards: rewarded(context, token)?,
        borrowed: mean.add(added)?,
        borrowed_newest: newest.add(added)?,
    }))
}

/// What was paid on a staked ETH in [`REWARDS_OVER`], a year, at today's prices.
fn rewarded(context: &Context<'_>, token: &Token) -> Result<Rate, ComponentError> {
    let (view, now) = (context.view, context.view.now());
    let reference = view.quote(context.books.reference()).mark;
    let mut sum = Fixed18::ZERO;
    for id in rewards(token) {
        let pays = matches!(id.kind, SeriesKind::RewardRate | SeriesKind::RewardTopUp);
        let Some(slot) = pays.then(|| view.row_slot::<Reward>(id)).flatten() else {
            continue;
        };
        let mark = Asset::new(id.symbol.as_str())
            .ok()
            .and_then(|asset| view.mark_of(asset));
        let price = match mark {
            Some(mark) => view.price_usd(mark)?,
            None => None,
        };
        let Some(price) = price.filter(|_| reference.is_positive()) else {
            continue;
        };
        for (_, payment) in view.between(slot, now.minus(REWARDS_OVER), now) {
            let paid = payment
                .per_eth
                .mul_div(price.get(), reference.get(), Rounding::Floor)?;
            sum = sum.add(paid)?;
        }
    }
    yearly(sum, REWARDS_OVER)
}

fn yearly(part: Fixed18, over: Span) -> Result<Rate, ComponentError> {
    let seconds = |span: Span| Fixed18::from_int(span.seconds());
    let rate = part.mul_div(seconds(YEAR), seconds(over), Rounding::Floor)?;
    Ok(Rate::new(rate))
}

/// A rate or an index in ray without its last nine decimals.
fn from_ray(ray: u128) -> Rate {
    let mantissa = i128::try_from(ray / 1_000_000_000).unwrap_or(i128::MAX);
    Rate::new(Fixed18::from_mantissa(mantissa))
}

/// ETH that building a loop of `debt` costs: the flash loan, and gas.
fn entering_cost(context: &Context<'_>, debt: Quantity) -> Result<Quantity, ComponentError> {
    let steps = [
        GasOperation::EtherFiDeposit,
        GasOperation::AaveSupply,
        GasOperation::AaveBorrow,
    ];
    let gas = gas::cost(context, atomic_gas(&steps, true))?;
    Ok(flash_loan_cost(context, debt)?.add(gas)?)
}

/// ETH that repaying `debt` out of the collateral costs: what its pool pays less than the protocol's rate, the
/// flash loan, and gas. What the pool would refuse costs what a swap may lose.
fn leaving_cost(
    context: &Context<'_>,
    held: &Loop,
    debt: Quantity,
) -> Result<Quantity, ComponentError> {
    if !debt.is_positive() {
        return Ok(Quantity::ZERO);
    }
    let token = held.token;
    let most = settings(context)?.max_slippage.to_rate(Rounding::Up)?;
    let mut lost = debt.at_rate(most, Rounding::Ceil)?;
    if let Some(rate) = token.rate_now(context) {
        let units = debt.div_rate(Rate::new(rate), Rounding::Floor)?;
        let units = super::floor_to_unit(context, token.asset, units)?;
        let sale = token.sale(context, units, Quantity::ZERO)?;
        if let Operation::Swap(swap) = &sale.operation
            && let Some(paid) = context.venues.quote(token.market, swap, context.view)
        {
            lost = debt.sub(paid)?.max(Quantity::ZERO);
        }
    }
    let steps = [
        GasOperation::AaveRepay,
        GasOperation::AaveWithdraw,
        GasOperation::CurveExchange2,
    ];
    let gas = gas::cost(context, atomic_gas(&steps, true))?;
    Ok(lost.add(flash_loan_cost(context, debt)?)?.add(gas)?)
}
