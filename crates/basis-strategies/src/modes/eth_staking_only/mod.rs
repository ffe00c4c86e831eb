//! `eth_staking_only`: ETH in a liquid staking token; earns the staking yield and its rewards.
//!
//! Sizing: C = ETH × (1 − reserve) is staked, the reserve and the ETH for gas stay in the wallet. Comes
//! in by `stake_route`, leaves by `exit_route`; withdrawal requests of a queue are claimed when they are ready,
//! rewards above dust are sold for ETH and staked with the next change.

use basis_core::error::{Code, ComponentError};
use basis_core::num::{Quantity, Rate, Rounding};
use basis_core::plan::{Action, Block, FailurePolicy, Leg, Plan};
use basis_core::rules::RuleBook;
use basis_core::types::{Account, Item, SeriesId, Timestamp, Venue};
use serde::{Deserialize, Serialize};

use super::chain::leverage::{leftover, spare_ether};
use super::chain::rewards::Harvest;
use super::chain::series::{GAS, rewards as reward_series, staking};
use super::chain::stake::{GROUPS, Token, leg_of, token, unwrap};
use super::chain::{check_capital, floor_to_unit, settings};
use super::{BuiltIn, Checkpoint, Context, Decision, KeyedStrategy, ModeRow, Uses, any_market};
use crate::config::ModeConfig;

/// The mode's row.
pub const MODE: ModeRow = ModeRow {
    name: "eth_staking_only",
    description: "ETH in a liquid staking token; earns staking yield and rewards",
    settings: include_str!("../../../../../configs/modes/eth_staking_only.yaml"),
    source: "embedded configs/modes/eth_staking_only.yaml",
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
    check_market: any_market,
    build,
};

pub(super) fn token_of(config: &ModeConfig<'_>) -> Result<Token, ComponentError> {
    let lst = config.chain.as_ref().map(|chain| chain.lst);
    let lst = lst.ok_or_else(|| {
        let message = format!("the mode {} has no lst_type", config.mode);
        ComponentError::new(Code::StrategyInfeasible, message)
    })?;
    token(lst)
}

fn required_series(config: &ModeConfig<'_>) -> Vec<SeriesId> {
    let mut series = vec![config.reference_price, GAS];
    if let Ok(token) = token_of(config) {
        series.extend(staking(&token));
    }
    series
}

pub(super) fn optional_series(config: &ModeConfig<'_>) -> Vec<SeriesId> {
    token_of(config).map_or_else(|_| Vec::new(), |token| reward_series(&token))
}

fn venues(config: &ModeConfig<'_>) -> Vec<Venue> {
    let mut venues = vec![GROUPS, Venue::literal("uniswap")];
    if let Ok(token) = token_of(config) {
        venues.extend([token.protocol, token.market]);
    }
    venues
}

fn check(config: &ModeConfig<'_>, _rules: &RuleBook) -> Result<(), ComponentError> {
    token_of(config)?;
    in_ether(config)?;
    let gas = config
        .chain
        .map_or(Quantity::ZERO, |chain| chain.gas_reserve);
    check_capital(config, gas)
}

/// Capital of these modes is ETH.
pub(super) fn in_ether(config: &ModeConfig<'_>) -> Result<(), ComponentError> {
    if config.asset.as_str() == "ETH" && config.share_class == config.asset {
        return Ok(());
    }
    let message = format!(
        "{} stakes its share class: asset and share_class must be ETH, not {} and {}",
        config.mode, config.asset, config.share_class
    );
    Err(ComponentError::new(Code::StrategyInfeasible, message))
}

fn build(_config: &ModeConfig<'_>) -> Box<dyn KeyedStrategy> {
    Box::new(Staking::default())
}

/// The version of what is saved of it.
const STATE_VERSION: u32 = 1;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Staking {
    /// External flows that the stake has been scaled to.
    flows_scaled: u64,
    last_moved_at: Option<Timestamp>,
    moving_at: Option<Timestamp>,
    rewards: Harvest,
}

/// The book as it stands and as it should, in ETH.
#[derive(Clone, Copy, Debug)]
struct StakingBook {
    token: Token,
    /// Units of the token in the wallet.
    units: Quantity,
    /// What they are worth at the protocol.
    staked: Quantity,
    target: Quantity,
    /// What the wallet can do without.
    spare: Quantity,
    /// Withdrawals that neither the wallet nor a withdrawal request covers.
    short: Quantity,
    /// What stays in the wallet.
    reserve: Quantity,
}

impl StakingBook {
    fn read(context: &Context<'_>) -> Result<Self, ComponentError> {
        let token = token_of(context.config)?;
        let item = Item::Asset(token.asset);
        let units = context.books.quantity(Account::WALLET, item);
        let owed = Quantity::new(context.pending_withdrawal.get());
        let whole = context.exposure.net_delta.sub(owed)?.max(Quantity::ZERO);
        let reserve = whole.at_rate(context.config.reserve_ratio, Rounding::Ceil)?;
        let gas = settings(context)?.gas_reserve;
        let spare = spare_ether(context)?;
        let covered = spare.add(token.queued(context)?)?;
        Ok(Self {
            token,
            units,
            staked: if units.is_zero() {
                Quantity::ZERO
            } else {
                token.ether(context, units)?
            },
            target: whole.sub(reserve)?.sub(gas)?.max(Quantity::ZERO),
            spare: spare.sub(owed)?.sub(reserve)?.max(Quantity::ZERO),
            short: owed.sub(covered.min(owed))?,
            reserve,
        })
    }
}

impl KeyedStrategy for Staking {
    fn decide(&mut self, context: &Context<'_>) -> Result<Decision, ComponentError> {
        let book = StakingBook::read(context)?;
        if let Some(claim) = book.token.claim(context) {
            return Ok(act(Action::ExitPartial, "claim_withdrawal", claim));
        }
        if let Some(step) = self.rewards.next(context)? {
            return Ok(step);
        }
        if leftover(context).is_positive() {
            let all = basis_core::instruction::AmountOrAll::All;
            return Ok(act(Action::SellDust, "unwrap", leg_of(vec![unwrap(all)])));
        }
        self.rebalance(context, &book)
    }

    fn exit(&mut self, context: &Context<'_>) -> Result<Option<Plan>, ComponentError> {
        let book = StakingBook::read(context)?;
        if !book.units.is_positive() {
            return Ok(None);
        }
        let leg = book.token.unstake(context, book.units)?;
        Ok(leg.map(|leg| plan(Action::ExitFull, "risk", leg)))
    }

    fn deleverage(
        &mut self,
        _context: &Context<'_>,
        _venue: Venue,
        _fraction: Rate,
    ) -> Result<Option<Plan>, ComponentError> {
        // Nothing is owed, so nothing can be cut.
        Ok(None)
    }

    /// The stake at its protocol's rate, what waits in the queue and what the wallet can do without; rewards that have
    /// not been sold pay nothing, and gas stays.
    fn payable(&mut self, context: &Context<'_>) -> Result<Quantity, ComponentError> {
        let book = StakingBook::read(context)?;
        let queued = book.token.queued(context)?;
        let there = spare_ether(context)?.add(leftover(context))?;
        Ok(there.add(queued)?.add(book.staked)?)
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
        if let Some(at) = self.moving_at.take()
            && traded
        {
            self.last_moved_at = Some(at);
            self.flows_scaled = flows_seen;
        }
    }
}

impl Staking {
    fn rebalance(
        &mut self,
        context: &Context<'_>,
        book: &StakingBook,
    ) -> Result<Decision, ComponentError> {
        let config = context.config;
        let scale = context.flows_seen != self.flows_scaled;
        let rested = self
            .last_moved_at
            .is_none_or(|at| context.view.now().since(at) >= config.rebalance_min_interval);
        let band = book
            .target
            .at_rate(config.equity_deviation, Rounding::Floor)?;
        let entered = book.units.is_positive();
        if book.short.is_positive() && entered {
            return self.leave(context, book);
        }
        let missing = book.target.sub(book.staked)?;
        let wanted = missing.min(book.spare);
        let strays = rested && wanted > band;
        if (scale || strays) && !book.token.is_to_be_had(context)? {
            return Ok(Decision::Halted("stake", book.token.protocol));
        }
        if !(scale || strays) || wanted < config.min_transfer || context.reduce_only {
            if scale {
                self.flows_scaled = context.flows_seen;
            }
            return Ok(Decision::Hold);
        }
        let ether = floor_to_unit(context, super::chain::ETH, wanted)?;
        let steps = book.token.stake_steps(context, ether, Quantity::ZERO)?;
        self.moving_at = Some(context.view.now());
        let (action, reason) = match (entered, scale) {
            (false, _) => (Action::EntryFull, "entry"),
            (true, true) => (Action::EntryPartial, "capital_flow"),
            (true, false) => (Action::EntryPartial, "equity_deviation"),
        };
        Ok(act(action, reason, leg_of(steps)))
    }

    /// Takes out what a withdrawal still needs, and the reserve that goes with what is left.
    fn leave(
        &mut self,
        context: &Context<'_>,
        book: &StakingBook,
    ) -> Result<Decision, ComponentError> {
        let rate = book.token.rate_now(context).unwrap_or_default();
        let needed = book.short.add(book.reserve)?.min(book.staked);
        let units = if needed >= book.staked || rate.is_zero() {
            book.units
        } else {
            let units = needed.div_rate(Rate::new(rate), Rounding::Ceil)?;
            floor_to_unit(context, book.token.asset, units)?.min(book.units)
        };
        let action = if units == book.units {
            Action::ExitFull
        } else {
            Action::ExitPartial
        };
        let Some(leg) = book.token.unstake(context, units)? else {
            return Ok(Decision::Halted("withdrawal", book.token.protocol));
        };
        self.moving_at = Some(context.view.now());
        Ok(act(action, "withdrawal", leg))
    }
}

pub(super) fn plan(action: Action, reason: &'static str, leg: Leg) -> Plan {
    Plan {
        action,
        reason: reason.into(),
        blocks: vec![Block {
            legs: vec![leg],
            failure_policy: FailurePolicy::Halt,
        }],
    }
}

pub(super) fn act(action: Action, reason: &'static str, leg: Leg) -> Decision {
    Decision::Act(plan(action, reason, leg))
}
