//! Leaving a liquid staking token: in its pool, or through its protocol's queue; with a loan on it by sales
//! that repay the loan, a flash loan in front of each, as large as the mode lets a swap lose.

use basis_core::error::ComponentError;
use basis_core::instruction::{AmountOrAll, Swap, SwapAmounts};
use basis_core::num::{Fixed18, Price, Quantity, Rate, Rounding, Value};
use basis_core::rules::Fees;
use basis_core::types::{Account, Asset, Item, Label, SeriesId, Span, Venue};
use basis_market::{GasFees, GasSlot, MarketView, PointSlot};

use super::{ExitCost, hours_of};
use crate::account::Books;
use crate::strategy::Venues;

const SECONDS_PER_DAY: i64 = 86_400;
const GWEI_PER_ETH: i64 = 1_000_000_000;

/// A loop is sold in a thousandth of it at least.
const HALVINGS_MAX: u32 = 10;

/// Steps from one sale of a loop to the next: a sale, then what it pays is unwrapped. A sale that is refused
/// takes as long.
const STEPS_PER_SALE: i64 = 2;

/// How an unlevered stake is left; a levered one always in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StakeWay {
    /// In the pool.
    Market,
    /// Through the protocol's queue.
    Queue,
    /// Whichever loses less.
    Cheapest,
}

/// How a mode leaves one staking token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StakeExit {
    /// The token.
    pub token: Asset,
    /// What its pool pays, and what is borrowed against it.
    pub paid_in: Asset,
    /// The venue of its pool.
    pub market: Venue,
    /// The pool's name there.
    pub pool: Label,
    /// Whose queue it leaves through.
    pub protocol: Venue,
    /// What the queue pays.
    pub queue_pays: Asset,
    /// ETH per token at the protocol.
    pub rate: SeriesId,
    /// How it is left.
    pub way: StakeWay,
    /// The most that a sale may lose against the protocol's rate; a loop is halved until it does not.
    pub max_slippage: Rate,
    /// Who runs the group that leaves a loan.
    pub groups: Venue,
    /// What gas costs.
    pub gas: SeriesId,
    /// Gas units of a sale in the pool, of joining the queue and claiming, of leaving a loan.
    pub gas_units: [u64; 3],
}

/// What of a stake stays while nothing is held anew and the rules do not change.
#[derive(Debug)]
pub(super) struct StakeState {
    /// Holdings of the token, of what is supplied of it and of what is owed against it.
    holdings: Vec<usize>,
    /// Holdings that wait at its protocol.
    queued: Vec<usize>,
    fees: Fees,
    /// Length of a step.
    step_hours: Fixed18,
    /// How long its protocol's queue takes, in days and in hours.
    delay: Option<(Fixed18, Fixed18)>,
    rate: Option<PointSlot>,
    gas: Option<GasSlot>,
    /// How often the loop was halved when it was last sold in its pool.
    halvings: Option<u32>,
}

/// What is held of a token, and where.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    /// Units free to be sold, the account they are in, and their value.
    free: Option<(Account, Quantity, Value)>,
    /// Units supplied, the account, and their value.
    supplied: Option<(Account, Quantity, Value)>,
    /// Owed against them, and its value (> 0).
    debt: (Quantity, Value),
}

/// One of the equal sales of a loop.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// It loses so much, USD, and may.
    Sold(Value),
    /// It loses more than it may.
    TooDear(Value),
    /// The pool cannot be asked now.
    Unknown,
}

impl StakeExit {
    /// How it is left as things are.
    pub(super) fn state(
        &self,
        books: &Books,
        view: &MarketView,
        fees: Fees,
        (delay, step): (Option<Span>, Span),
    ) -> Result<StakeState, ComponentError> {
        let concerns = |item| match item {
            Item::Asset(asset) | Item::Shares(asset) => asset == self.token,
            Item::Debt(asset) => asset == self.paid_in,
            _ => false,
        };
        let days = |delay: Span| {
            let day = Fixed18::from_int(SECONDS_PER_DAY);
            let days = Fixed18::from_int(delay.seconds()).div(day, Rounding::Ceil)?;
            Ok::<_, ComponentError>((days, hours_of(delay)))
        };
        let all = || books.holdings().iter().enumerate();
        let holdings = all().filter(|(_, held)| concerns(held.item));
        let claim = Item::Asset(self.queue_pays);
        let queued =
            all().filter(|(_, held)| held.item == claim && held.account.venue == self.protocol);
        Ok(StakeState {
            holdings: holdings.map(|(at, _)| at).collect(),
            queued: queued.map(|(at, _)| at).collect(),
            fees,
            step_hours: hours_of(step),
            delay: delay.map(days).transpose()?,
            rate: view.row_slot::<Fixed18>(self.rate),
            gas: view.row_slot::<GasFees>(self.gas),
            halvings: None,
        })
    }

    /// What leaving it takes, by account: what is free, then what is supplied.
    pub(super) fn leave(
        &self,
        state: &mut StakeState,
        books: &Books,
        view: &MarketView,
        venues: &dyn Venues,
    ) -> Result<[Option<(Account, ExitCost)>; 2], ComponentError> {
        let held = self.held(state, books)?;
        let reference = view.quote(books.reference()).mark;
        let mut exits = [None; 2];
        let [free, supplied] = &mut exits;
        if let Some((account, units, value)) = held.free {
            let exit = self.leave_free(state, (view, venues), (units, value), reference)?;
            *free = Some((account, exit));
        }
        if let Some((account, units, value)) = held.supplied {
            let (mut exit, sales) =
                self.sell_in_parts(state, (view, venues), (units, value), reference)?;
            let (owed, owed_value) = held.debt;
            if owed.is_positive() {
                let fee = owed_value.at_rate(state.fees.flash_loan, Rounding::Ceil)?;
                exit.cost = exit.cost.add(fee)?;
            }
            let [_, _, gas] = self.gas_units;
            let gas = gas_cost(state, view, gas, reference)?
                .get()
                .mul_int(sales)?;
            exit.cost = exit.cost.add(Value::new(gas))?;
            *supplied = Some((account, exit));
        }
        Ok(exits)
    }

    /// What it takes until the withdrawal requests have left the queue, by the account where they wait; `None`
    /// where none does. What they wait for is earned by nobody, and no cost of leaving now.
    pub(super) fn wait_for_queue(
        &self,
        state: &StakeState,
        books: &Books,
        view: &MarketView,
        venues: &dyn Venues,
    ) -> Result<Option<(Account, ExitCost)>, ComponentError> {
        let mut waiting = state
            .queued
            .iter()
            .filter_map(|at| books.holding_at(Some(*at)));
        let Some(waiting) = waiting.find(|held| !held.units.is_zero()) else {
            return Ok(None);
        };
        let Some(ends) = venues.terms(self.protocol, view)?.unstake_ends else {
            return Ok(None);
        };
        let left = ends.since(view.now()).max(Span::ZERO);
        let exit = ExitCost {
            cost: Value::ZERO,
            hours: Some(hours_of(left)),
        };
        Ok(Some((waiting.account, exit)))
    }

    fn held(&self, state: &StakeState, books: &Books) -> Result<Held, ComponentError> {
        let mut held = Held::default();
        let holdings = state.holdings.iter();
        for holding in holdings.filter_map(|at| books.holding_at(Some(*at))) {
            if holding.units.is_zero() {
                continue;
            }
            let row = (holding.account, holding.units, holding.value);
            match holding.item {
                Item::Asset(asset) if asset == self.token => held.free = Some(row),
                Item::Shares(asset) if asset == self.token => held.supplied = Some(row),
                Item::Debt(asset) if asset == self.paid_in => {
                    held.debt = (holding.units, holding.value.abs()?);
                }
                _ => {}
            }
        }
        Ok(held)
    }

    /// What leaving free units takes, by the way of the mode.
    fn leave_free(
        &self,
        state: &StakeState,
        (view, venues): (&MarketView, &dyn Venues),
        (units, value): (Quantity, Value),
        reference: Price,
    ) -> Result<ExitCost, ComponentError> {
        let [by_sale, by_queue, _] = self.gas_units;
        let sold = match self.way {
            StakeWay::Queue => None,
            StakeWay::Market | StakeWay::Cheapest => {
                let lost = self.sell(view, venues, (units, value), reference)?;
                let gas = gas_cost(state, view, by_sale, reference)?;
                lost.map(|lost| lost.add(gas)).transpose()?
            }
        };
        let queued = match self.way {
            StakeWay::Market => None,
            StakeWay::Queue | StakeWay::Cheapest => {
                let gas = gas_cost(state, view, by_queue, reference)?;
                let forgone = forgone(state, view, (units, reference))?;
                let exit =
                    forgone.map(|(lost, hours)| Ok::<_, ComponentError>((lost.add(gas)?, hours)));
                exit.transpose()?
            }
        };
        Ok(match (sold, queued) {
            (Some(sold), Some((queued, _))) if sold <= queued => ExitCost {
                cost: sold,
                hours: Some(Fixed18::ZERO),
            },
            (_, Some((queued, hours))) => ExitCost {
                cost: queued,
                hours: Some(hours),
            },
            (Some(sold), None) => ExitCost {
                cost: sold,
                hours: Some(Fixed18::ZERO),
            },
            (None, None) => ExitCost {
                cost: Value::ZERO,
                hours: None,
            },
        })
    }

    /// What selling a loop takes without its gas, and in how many sales: halved until one loses no more than
    /// it may, each of them meeting the pool as it is now. The hours are empty where none does.
    fn sell_in_parts(
        &self,
        state: &mut StakeState,
        (view, venues): (&MarketView, &dyn Venues),
        (units, value): (Quantity, Value),
        reference: Price,
    ) -> Result<(ExitCost, i64), ComponentError> {
        let part = |halvings| self.sell_part((view, venues), (units, value), reference, halvings);
        let known = state.halvings.take();
        if let Some(halvings) = known {
            // A smaller sale never loses a larger part: where half as many sales lose too much, fewer do too.
            let sooner = halvings.checked_sub(1).map(part).transpose()?;
            let is_first = !matches!(sooner, Some(Part::Sold(_) | Part::Unknown));
            if is_first && let Part::Sold(lost) = part(halvings)? {
                state.halvings = known;
                return in_sales(state, halvings, lost);
            }
        }
        let mut whole = ExitCost {
            cost: Value::ZERO,
            hours: None,
        };
        for halvings in 0..=HALVINGS_MAX {
            match part(halvings)? {
                Part::Unknown => break,
                Part::Sold(lost) => {
                    state.halvings = Some(halvings);
                    return in_sales(state, halvings, lost);
                }
                Part::TooDear(lost) if halvings == 0 => whole.cost = lost,
                Part::TooDear(_) => {}
            }
        }
        Ok((whole, 1))
    }

    /// What one of the sales loses that a loop is halved into.
    fn sell_part(
        &self,
        (view, venues): (&MarketView, &dyn Venues),
        (units, value): (Quantity, Value),
        reference: Price,
        halvings: u32,
    ) -> Result<Part, ComponentError> {
        let parts = Fixed18::from_int(1_i64 << halvings);
        let units = Quantity::new(units.get().div(parts, Rounding::Ceil)?);
        let value = Value::new(value.get().div(parts, Rounding::Ceil)?);
        let Some(lost) = self.sell(view, venues, (units, value), reference)? else {
            return Ok(Part::Unknown);
        };
        let most = value.at_rate(self.max_slippage, Rounding::Floor)?;
        Ok(if lost <= most {
            Part::Sold(lost)
        } else {
            Part::TooDear(lost)
        })
    }

    /// What the pool pays less than the units are worth, USD; `None` where it cannot be asked now.
    fn sell(
        &self,
        view: &MarketView,
        venues: &dyn Venues,
        (units, value): (Quantity, Value),
        reference: Price,
    ) -> Result<Option<Value>, ComponentError> {
        let swap = Swap {
            pool: self.pool,
            asset_in: self.token,
            asset_out: self.paid_in,
            amounts: SwapAmounts::ExactInput {
                amount_in: AmountOrAll::Exactly(units),
                minimum_out: Quantity::ZERO,
            },
        };
        let Some(paid) = venues.quote(self.market, &swap, view) else {
            return Ok(None);
        };
        Ok(Some(value.sub(paid.notional(reference, Rounding::Floor)?)?))
    }
}

/// Leaving a loop in sales of `lost` each, halved so often.
fn in_sales(
    state: &StakeState,
    halvings: u32,
    lost: Value,
) -> Result<(ExitCost, i64), ComponentError> {
    let sales = 1_i64 << halvings;
    let turns = sales.saturating_sub(1).saturating_add(halvings.into());
    let hours = state
        .step_hours
        .mul_int(turns.saturating_mul(STEPS_PER_SALE))?;
    let exit = ExitCost {
        cost: Value::new(lost.get().mul_int(sales)?),
        hours: Some(hours),
    };
    Ok((exit, sales))
}

/// The yield that the queue gives up, USD, and its delay in hours; `None` where there is no queue.
fn forgone(
    state: &StakeState,
    view: &MarketView,
    (units, reference): (Quantity, Price),
) -> Result<Option<(Value, Fixed18)>, ComponentError> {
    let (Some((days, hours)), Some(slot)) = (state.delay, state.rate) else {
        return Ok(None);
    };
    let mut daily = Fixed18::ZERO;
    if let (Some(newest), Some(before)) = (view.newest(slot), view.before(slot)) {
        let seconds = newest.known_at.since(before.known_at).seconds().max(1);
        let grown = newest.row.sub(*before.row)?.max(Fixed18::ZERO);
        let day = Fixed18::from_int(SECONDS_PER_DAY);
        daily = grown.mul_div(day, Fixed18::from_int(seconds), Rounding::Ceil)?;
    }
    let ether = units.at_rate(Rate::new(daily.mul(days, Rounding::Ceil)?), Rounding::Ceil)?;
    let lost = ether.notional(reference, Rounding::Ceil)?;
    Ok(Some((lost, hours)))
}

/// What so many units of gas cost now, USD; zero where the view knows no price of gas.
fn gas_cost(
    state: &StakeState,
    view: &MarketView,
    units: u64,
    reference: Price,
) -> Result<Value, ComponentError> {
    let Some(fees) = state.gas.and_then(|slot| view.gas(slot)) else {
        return Ok(Value::ZERO);
    };
    let units = Fixed18::from_int(i64::try_from(units).unwrap_or(i64::MAX));
    let per_ether = Fixed18::from_int(GWEI_PER_ETH);
    let ether = units.mul_div(fees.row.gas_price_gwei, per_ether, Rounding::Ceil)?;
    Ok(Quantity::new(ether).notional(reference, Rounding::Ceil)?)
}
