//! `eth_leveraged`: a liquid staking token as collateral against WETH debt; earns the staking yield
//! several times, less what the debt costs.
//!
//! Sizing: stake s = C at debt ratio ℓ = `target_ltv`: collateral s ÷ (1 − ℓ), debt s × ℓ ÷ (1 − ℓ).
//! Levered while its carry pays (`Leverage`), else at `target_ltv_low`.
//! Entered, rebalanced and left by one transaction each, with a flash loan in front; exits sell in the
//! pool with a minimum out. Rebalances when the debt ratio leaves its band, and when the wallet holds
//! more than the reserve by as much.

use basis_core::error::{Code, ComponentError};
use basis_core::instruction::AmountOrAll;
use basis_core::num::{Fixed18, Quantity, Rate, Rounding};
use basis_core::plan::{Action, Leg, Plan};
use basis_core::rules::RuleBook;
use basis_core::types::{SeriesId, Timestamp, Venue};
use basis_market::MarketData;
use serde::{Deserialize, Serialize};

use super::chain::leverage::{Loop, leftover, spare_ether};
use super::chain::loop_carry::Leverage;
use super::chain::places::Places;
use super::chain::rewards::Harvest;
use super::chain::series::{GAS, leverage as leverage_series, staking};
use super::chain::stake::{GROUPS, leg_of, unwrap};
use super::chain::{ETH, check_capital, floor_to_unit, settings};
use super::eth_staking_only::{act, in_ether, optional_series, plan, token_of};
use super::{BuiltIn, Checkpoint, Context, Decision, KeyedStrategy, ModeRow, Uses, triggers};
use crate::config::ModeConfig;

/// The mode's row.
pub const MODE: ModeRow = ModeRow {
    name: "eth_leveraged",
    description: "a liquid staking token on Aave against WETH debt; earns a multiple of the yield",
    settings: include_str!("../../../../../configs/modes/eth_leveraged.yaml"),
    source: "embedded configs/modes/eth_leveraged.yaml",
    lends: true,
    read: |r| PARTS.read(r),
};

static PARTS: BuiltIn = BuiltIn {
    uses: Uses {
        spot: false,
        hedge: false,
        chain: true,
    },
    required_series,
    optional_series,
    venues,
    check,
    check_market,
    build,
};

fn required_series(config: &ModeConfig<'_>) -> Vec<SeriesId> {
    let mut series = vec![config.reference_price, GAS];
    if let Ok(token) = token_of(config) {
        series.extend(staking(&token));
        series.extend(leverage_series(&token));
    }
    series
}

fn venues(config: &ModeConfig<'_>) -> Vec<Venue> {
    let mut venues = vec![GROUPS, Venue::literal("uniswap")];
    if let Ok(token) = token_of(config) {
        venues.extend([token.protocol, token.market]);
    }
    venues.extend(config.chain.as_ref().map(|chain| chain.lending_venue));
    venues
}

fn check(config: &ModeConfig<'_>, _rules: &RuleBook) -> Result<(), ComponentError> {
    token_of(config)?;
    in_ether(config)?;
    if config
        .expected_carry
        .is_some_and(|rule| rule.above_supply_rate)
    {
        let message = "expected_carry.benchmark supply_rate is asked of basis modes; a loop is weighed against its own \
                       stake without debt";
        return Err(ComponentError::new(Code::StrategyInfeasible, message));
    }
    let gas = config
        .chain
        .map_or(Quantity::ZERO, |chain| chain.gas_reserve);
    if config.chain.is_some_and(|chain| chain.target_ltv.is_zero()) {
        let message = "target_ltv 0 borrows nothing, and without a loan the mode holds nothing; raise it, or \
                       stake with eth_staking_only";
        return Err(ComponentError::new(Code::StrategyInfeasible, message));
    }
    check_capital(config, gas)
}

/// The debt ratio must be allowed by the pool, and leave room for the pair's rate to fall before the ladder acts.
pub(super) fn check_market(
    config: &ModeConfig<'_>,
    data: &MarketData,
) -> Result<(), ComponentError> {
    let token = token_of(config)?;
    let Some(chain) = config.chain.as_ref() else {
        return Ok(());
    };
    let refuse = |message: String| Err(ComponentError::new(Code::StrategyInfeasible, message));
    let parameters = data.risk_parameters_of(token.asset);
    let Some(mode) = parameters.and_then(|parameters| parameters.emode.as_ref()) else {
        return refuse(format!(
            "the data has no efficiency mode for {}: its row in aave/risk_parameters.csv is missing \
             or has none",
            token.asset
        ));
    };
    if chain.max_ltv > mode.ltv {
        return refuse(format!(
            "max_ltv {} is above {}, the most the efficiency mode of {} lends; lower max_ltv",
            chain.max_ltv, mode.ltv, token.asset
        ));
    }
    if chain.target_ltv > chain.max_ltv {
        return refuse(format!(
            "target_ltv {} is above max_ltv {}; lower target_ltv",
            chain.target_ltv, chain.max_ltv
        ));
    }
    if chain.target_ltv.is_zero() {
        return Ok(());
    }
    let factor = mode
        .liquidation_threshold
        .div(chain.target_ltv, Rounding::Floor)?;
    let rung = config.risk.health.deleverage;
    if factor <= rung {
        return refuse(format!(
            "target_ltv {} gives a health factor of {factor}, not above risk.health_factor_deleverage \
             {rung}; lower target_ltv or the rung",
            chain.target_ltv
        ));
    }
    let fall = |factor: Rate| {
        let kept = Rate::ONE.div(factor, Rounding::Ceil)?;
        Rate::ONE.sub(kept)
    };
    let (entry, acts) = (fall(factor)?, fall(rung)?);
    let bound = acts.mul(ENTRY_FALL, Rounding::Up)?;
    if entry < bound {
        return refuse(format!(
            "target_ltv {} is liquidated by a fall of the pair's rate of {entry}; it takes {bound} at least, \
             {ENTRY_FALL} x the {acts} of risk.health_factor_deleverage {rung}; lower target_ltv or the rung",
            chain.target_ltv
        ));
    }
    Ok(())
}

/// A loop stands at least so many times the fall at which risk first shrinks it from liquidation, as a short does
/// of its own first rung that acts.
const ENTRY_FALL: Rate = Rate::literal("1.5");

fn build(_config: &ModeConfig<'_>) -> Box<dyn KeyedStrategy> {
    Box::new(Leveraged::default())
}

/// The version of what is saved of it.
const STATE_VERSION: u32 = 2;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Leveraged {
    /// External flows that the loop has been scaled to.
    flows_scaled: u64,
    last_moved_at: Option<Timestamp>,
    moving_at: Option<Timestamp>,
    /// How often the part that is sold at once has been halved, because the pool would not take more.
    halvings: u32,
    selling: bool,
    rewards: Harvest,
    leverage: Leverage,
    #[serde(skip)]
    places: Option<Box<Places>>,
}

/// Most halvings: a thousandth of the loop.
const HALVINGS_MAX: u32 = 10;

/// The book as it stands and as it should, in ETH.
#[derive(Clone, Copy, Debug)]
struct LoopBook {
    held: Loop,
    /// What the loop should be worth, debt taken off.
    target: Quantity,
    /// What the wallet can do without.
    spare: Quantity,
    /// Withdrawals that the wallet does not cover.
    short: Quantity,
}

impl LoopBook {
    fn read(context: &Context<'_>, places: &Places) -> Result<Self, ComponentError> {
        let held = Loop::read(context, places)?;
        let owed = Quantity::new(context.pending_withdrawal.get());
        let whole = context.exposure.net_delta.sub(owed)?.max(Quantity::ZERO);
        let reserve = whole.at_rate(context.config.reserve_ratio, Rounding::Ceil)?;
        let gas = settings(context)?.gas_reserve;
        let spare = context.books.quantity_at(places.ether).sub(gas)?;
        let spare = spare.max(Quantity::ZERO);
        Ok(Self {
            held,
            target: whole.sub(reserve)?.sub(gas)?.max(Quantity::ZERO),
            spare: spare.sub(owed)?.sub(reserve)?.max(Quantity::ZERO),
            short: owed.sub(spare.min(owed))?,
        })
    }
}

impl KeyedStrategy for Leveraged {
    fn decide(&mut self, context: &Context<'_>) -> Result<Decision, ComponentError> {
        let places = Places::current(&mut self.places, context)?;
        if !places.rewards.are_dust(context)?
            && let Some(step) = self.rewards.next(context)?
        {
            return Ok(step);
        }
        if context.books.quantity_at(places.wrapped).is_positive() {
            let step = leg_of(vec![unwrap(AmountOrAll::All)]);
            return Ok(act(Action::SellDust, "unwrap", step));
        }
        let book = LoopBook::read(context, places)?;
        self.leverage.ask(context, &book.held, book.target)?;
        let decision = self.rebalance(context, &book)?;
        Ok(self.leverage.explain(decision))
    }

    fn exit(&mut self, context: &Context<'_>) -> Result<Option<Plan>, ComponentError> {
        let book = LoopBook::read(context, Places::current(&mut self.places, context)?)?;
        if book.held.is_empty() {
            let rest = leftover(context);
            let unwrapped = || leg_of(vec![unwrap(AmountOrAll::All)]);
            return Ok(rest
                .is_positive()
                .then(|| plan(Action::ExitFull, "unwrap", unwrapped())));
        }
        let part = self.sellable(Rate::ONE)?;
        let leg = book.held.leave(context, part)?;
        Ok(Some(plan(Action::ExitFull, "risk", leg)))
    }

    fn deleverage(
        &mut self,
        context: &Context<'_>,
        _venue: Venue,
        fraction: Rate,
    ) -> Result<Option<Plan>, ComponentError> {
        let held = Loop::read(context, Places::current(&mut self.places, context)?)?;
        if held.debt.is_zero() {
            return Ok(None);
        }
        let part = self.sellable(fraction)?;
        let debt = held.debt.at_rate(part, Rounding::Ceil)?;
        let leg = held.shrink(context, debt, Quantity::ZERO)?;
        Ok(Some(plan(Action::ExitPartial, "deleverage", leg)))
    }

    /// The loop less its debt, at the protocol's rate, and what the wallet can do without; rewards that have not been
    /// sold pay nothing, and gas stays.
    fn payable(&mut self, context: &Context<'_>) -> Result<Quantity, ComponentError> {
        let places = Places::current(&mut self.places, context)?;
        let held = Loop::read(context, places)?;
        let there = spare_ether(context)?.add(leftover(context))?;
        Ok(there.add(held.equity()?)?.max(Quantity::ZERO))
    }

    /// The book is meant to be long: its delta is the capital's own.
    fn is_building(&self, _flows_seen: u64) -> bool {
        true
    }

    fn save(&self) -> Result<Checkpoint, ComponentError> {
        Checkpoint::of(STATE_VERSION, self)
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), ComponentError> {
        *self = checkpoint.read(STATE_VERSION)?;
        Ok(())
    }

    fn completed(&mut self, flows_seen: u64, traded: bool) {
        self.rewards.completed(traded);
        if std::mem::take(&mut self.selling) {
            self.halvings = if traded {
                self.halvings.saturating_sub(1)
            } else {
                (self.halvings + 1).min(HALVINGS_MAX)
            };
        }
        if let Some(at) = self.moving_at.take()
            && traded
        {
            self.last_moved_at = Some(at);
            self.flows_scaled = flows_seen;
        }
    }
}

impl Leveraged {
    /// `part`, or as much of it as the pool has been taking: a sale that was refused is tried again at
    /// half the size, one that went through at twice.
    fn sellable(&mut self, part: Rate) -> Result<Rate, ComponentError> {
        self.selling = true;
        let pieces = Rate::new(Fixed18::from_int(1_i64 << self.halvings));
        Ok(part.div(pieces, Rounding::Ceil)?)
    }

    fn rebalance(
        &mut self,
        context: &Context<'_>,
        book: &LoopBook,
    ) -> Result<Decision, ComponentError> {
        let config = context.config;
        let held = &book.held;
        let scale = context.flows_seen != self.flows_scaled;
        let rested = self
            .last_moved_at
            .is_none_or(|at| context.view.now().since(at) >= config.rebalance_min_interval);
        if book.short.is_positive() && !held.is_empty() {
            return self.withdraw(context, book);
        }
        let threshold = config.equity_deviation;
        let band = book.target.at_rate(threshold, Rounding::Floor)?;
        let own = book.target.sub(held.equity()?)?.min(book.spare);
        let own = floor_to_unit(context, ETH, own.max(Quantity::ZERO))?;
        if (scale || (rested && own > band)) && own >= config.min_transfer && !context.reduce_only {
            if !held.token.is_to_be_had(context)? {
                return Ok(Decision::Halted("stake", held.token.protocol));
            }
            let (action, reason) = if held.is_empty() {
                (Action::EntryFull, "entry")
            } else {
                (Action::EntryPartial, "capital_flow")
            };
            let target = self.leverage.target(context)?;
            let leg = match held.grow(context, own, target)? {
                None if target.is_zero() => Some(held.supply(context, own)?),
                leg => leg,
            };
            if let Some(leg) = leg {
                return Ok(self.begin(context, action, reason, leg));
            }
        }
        if scale {
            self.flows_scaled = context.flows_seen;
        }
        if held.is_empty() || !rested {
            return Ok(Decision::Hold);
        }
        self.mend_ratio(context, held, threshold)
    }

    /// Brings a debt ratio that has left its band back to the target.
    fn mend_ratio(
        &mut self,
        context: &Context<'_>,
        held: &Loop,
        threshold: Rate,
    ) -> Result<Decision, ComponentError> {
        let target = self.leverage.target(context)?;
        let band = target.mul(threshold, Rounding::Floor)?;
        let ltv = held.ltv()?;
        if ltv.sub(target)?.abs()? <= band {
            return Ok(Decision::Hold);
        }
        let trigger = triggers::ltv((held.debt, held.collateral_ether), (target, band))?;
        let decision = self.bring_back(context, held, (ltv, target))?;
        Ok(decision.triggered_by(trigger))
    }

    /// Brings the debt ratio `ltv` to the target.
    fn bring_back(
        &mut self,
        context: &Context<'_>,
        held: &Loop,
        (ltv, target): (Rate, Rate),
    ) -> Result<Decision, ComponentError> {
        if ltv > target {
            let wanted = held.collateral_ether.at_rate(target, Rounding::Floor)?;
            let excess = held.debt.sub(wanted)?;
            let debt = excess.div_rate(Rate::ONE.sub(target)?, Rounding::Floor)?;
            let debt = debt.at_rate(self.sellable(Rate::ONE)?, Rounding::Floor)?;
            let leg = held.shrink(context, debt, Quantity::ZERO)?;
            return Ok(self.begin(context, Action::ExitPartial, "debt_ratio", leg));
        }
        if context.reduce_only {
            return Ok(Decision::Hold);
        }
        if !held.token.is_to_be_had(context)? {
            return Ok(Decision::Halted("debt_ratio", held.token.protocol));
        }
        match held.grow(context, Quantity::ZERO, target)? {
            Some(leg) => Ok(self.begin(context, Action::EntryPartial, "debt_ratio", leg)),
            None => Ok(Decision::Hold),
        }
    }

    /// Takes what a withdrawal needs out of the loop, at the ratio it has.
    fn withdraw(
        &mut self,
        context: &Context<'_>,
        book: &LoopBook,
    ) -> Result<Decision, ComponentError> {
        let held = &book.held;
        let equity = held.equity()?;
        let all = !book.target.is_positive() || book.short >= equity;
        // The slippage of the sale comes out of what leaves, so a little more leaves.
        let slippage = settings(context)?.max_slippage.to_rate(Rounding::Up)?;
        let kept = Rate::ONE.sub(slippage)?;
        let leaving = book.short.div_rate(kept, Rounding::Ceil)?;
        let part = if all {
            Rate::ONE
        } else {
            leaving.ratio(equity, Rounding::Up)?.min(Rate::ONE)
        };
        let leg = held.leave(context, self.sellable(part)?)?;
        let action = if all {
            Action::ExitFull
        } else {
            Action::ExitPartial
        };
        Ok(self.begin(context, action, "withdrawal", leg))
    }

    fn begin(
        &mut self,
        context: &Context<'_>,
        action: Action,
        reason: &'static str,
        leg: Leg,
    ) -> Decision {
        self.moving_at = Some(context.view.now());
        act(action, reason, leg)
    }
}
