//! Into a liquid staking token and out of it: at its protocol's rate, through its withdrawal queue, or
//! in the pool that trades it.

use basis_core::error::{Code, ComponentError};
use basis_core::instruction::{
    AmountOrAll, ClaimUnstake, Instruction, Operation, Staking, Swap, SwapAmounts,
};
use basis_core::num::{Fixed18, Quantity, Rate, Rounding};
use basis_core::plan::Leg;
use basis_core::types::{Account, Asset, Item, Label, SeriesId, SeriesKind, Symbol, Venue};
use basis_market::PriceState;

use super::super::Context;
use super::{ETH, WETH, floor_to_unit, settings};
use crate::config::StakeRoute;

/// Executes groups of steps in one transaction.
pub(in super::super) const GROUPS: Venue = Venue::literal("instadapp");

const SECONDS_PER_DAY: i64 = 86_400;

/// Where a token comes from and where it is traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Token {
    /// The token.
    pub(in super::super) asset: Asset,
    /// Its protocol.
    pub(in super::super) protocol: Venue,
    /// The venue of its pool against WETH.
    pub(in super::super) market: Venue,
    /// The pool's name there.
    pub(in super::super) pool: Label,
    /// ETH per token at the protocol.
    pub(in super::super) rate: SeriesId,
    /// ETH per token in the pool.
    pub(in super::super) market_rate: SeriesId,
}

/// The token `asset`.
///
/// # Errors
/// STRAT-001 for a token that no protocol here stands behind.
pub(in super::super) fn token(asset: Asset) -> Result<Token, ComponentError> {
    let row = |protocol, market, pool, symbol| {
        let (protocol, market) = (Venue::literal(protocol), Venue::literal(market));
        let symbol = Symbol::literal(symbol);
        Token {
            asset,
            protocol,
            market,
            pool: Label::literal(pool),
            rate: SeriesId::new(SeriesKind::StakingRate, protocol, symbol),
            market_rate: SeriesId::new(SeriesKind::StakingMarket, market, symbol),
        }
    };
    match asset.as_str() {
        "weETH" => Ok(row("etherfi", "curve", "weETHWETH", "weETH_ETH")),
        "wstETH" => Ok(row("lido", "uniswap", "wstETHWETH", "wstETH_ETH")),
        other => Err(ComponentError::new(
            Code::StrategyInfeasible,
            format!("{other} is no liquid staking token here; lst_type is weETH or wstETH"),
        )),
    }
}

impl Token {
    /// ETH per token at the protocol; `None` before anything was known.
    pub(in super::super) fn rate_now(&self, context: &Context<'_>) -> Option<Fixed18> {
        let mark = context.view.mark_of(self.asset)?;
        context.view.rate_of(mark)
    }

    /// ETH per token in the pool now; `None` where no fresh value says it.
    pub(in super::super) fn market_rate_now(&self, context: &Context<'_>) -> Option<Fixed18> {
        let slot = context.view.row_slot::<Fixed18>(self.market_rate)?;
        let point = context.view.point(slot)?;
        (point.state == PriceState::Fresh || point.state == PriceState::Proxied)
            .then_some(point.value)
    }

    /// What `units` of the token are worth in ETH at the protocol.
    pub(in super::super) fn ether(
        &self,
        context: &Context<'_>,
        units: Quantity,
    ) -> Result<Quantity, ComponentError> {
        let rate = self.rate_now(context).ok_or_else(|| self.unknown())?;
        Ok(Quantity::new(units.get().mul(rate, Rounding::Floor)?))
    }

    fn unknown(&self) -> ComponentError {
        ComponentError::new(
            Code::ExposureUnpriced,
            format!("{} has shown no rate yet: {}", self.asset, self.rate),
        )
    }

    /// The steps that turn `ether` of the wallet's ETH into the token; with `wrapped`, that many WETH
    /// of the wallet come on top.
    pub(in super::super) fn stake_steps(
        &self,
        context: &Context<'_>,
        ether: Quantity,
        wrapped: Quantity,
    ) -> Result<Vec<Instruction>, ComponentError> {
        let chain = settings(context)?;
        let mut steps = Vec::with_capacity(2);
        let sum = ether.add(wrapped)?;
        if chain.stake_route == StakeRoute::Protocol {
            if wrapped.is_positive() {
                steps.push(unwrap(AmountOrAll::Exactly(wrapped)));
            }
            steps.push(Instruction::step(
                self.protocol,
                Operation::Stake(Staking {
                    asset_in: ETH,
                    asset_out: self.asset,
                    amount: AmountOrAll::Exactly(sum),
                }),
            ));
            return Ok(steps);
        }
        if ether.is_positive() {
            steps.push(wrap(ether));
        }
        let rate = self.rate_now(context).ok_or_else(|| self.unknown())?;
        let fair = Quantity::new(sum.get().div(rate, Rounding::Floor)?);
        steps.push(self.swap(context, (WETH, sum), (self.asset, fair), Quantity::ZERO)?);
        Ok(steps)
    }

    /// Sells `units` of the token for WETH in its pool, for at least the protocol's rate less what the
    /// configuration lets a swap lose, and never less than `least`.
    pub(in super::super) fn sale(
        &self,
        context: &Context<'_>,
        units: Quantity,
        least: Quantity,
    ) -> Result<Instruction, ComponentError> {
        let fair = self.ether(context, units)?;
        self.swap(context, (self.asset, units), (WETH, fair), least)
    }

    /// Swaps for at least `least`, and at least `fair` less what the configuration lets a swap lose.
    fn swap(
        &self,
        context: &Context<'_>,
        (asset_in, amount_in): (Asset, Quantity),
        (asset_out, fair): (Asset, Quantity),
        least: Quantity,
    ) -> Result<Instruction, ComponentError> {
        let kept = Rate::ONE.sub(settings(context)?.max_slippage.to_rate(Rounding::Up)?)?;
        let minimum_out = floor_to_unit(context, asset_out, fair.at_rate(kept, Rounding::Floor)?)?;
        Ok(Instruction::step(
            self.market,
            Operation::Swap(Swap {
                pool: self.pool,
                asset_in,
                asset_out,
                amounts: SwapAmounts::ExactInput {
                    amount_in: AmountOrAll::Exactly(amount_in),
                    minimum_out: minimum_out.max(least),
                },
            }),
        ))
    }

    /// Whether the token can be had now by the way of the configuration: not at a protocol that is out.
    ///
    /// # Errors
    /// STRAT-001 in a mode without the keys of the chain.
    pub(in super::super) fn is_to_be_had(
        &self,
        context: &Context<'_>,
    ) -> Result<bool, ComponentError> {
        let route = settings(context)?.stake_route;
        Ok(route == StakeRoute::Market || !context.view.is_out(self.protocol))
    }

    /// The leg that takes `units` out of the token, by the exit route of the configuration; `None` while
    /// that is the queue of a protocol that is out. The cheapest way then is the pool.
    pub(in super::super) fn unstake(
        &self,
        context: &Context<'_>,
        units: Quantity,
    ) -> Result<Option<Leg>, ComponentError> {
        let through_market = match settings(context)?.exit_route {
            StakeRoute::Market => true,
            StakeRoute::Protocol => false,
            StakeRoute::Cheapest => self.market_is_cheaper(context)?,
        };
        if through_market {
            let steps = vec![
                self.sale(context, units, Quantity::ZERO)?,
                unwrap(AmountOrAll::All),
            ];
            return Ok(Some(group(steps)));
        }
        if context.view.is_out(self.protocol) {
            return Ok(None);
        }
        Ok(Some(Leg::new(
            self.protocol,
            Operation::Unstake(Staking {
                asset_in: self.asset,
                asset_out: ETH,
                amount: AmountOrAll::Exactly(units),
            }),
        )))
    }

    /// Whether selling now loses at most the yield that the queue's delay gives up: a withdrawal request is a fixed
    /// claim that earns nothing. The delay is the protocol's own, the yield the rate's own growth over the
    /// last step known. A protocol that states no delay has no queue to leave through.
    fn market_is_cheaper(&self, context: &Context<'_>) -> Result<bool, ComponentError> {
        let Some(market) = self.market_rate_now(context) else {
            return Ok(false);
        };
        let Some(rate) = self.rate_now(context) else {
            return Ok(false);
        };
        if context.view.is_out(self.protocol) {
            return Ok(true);
        }
        let Some(delay) = context.terms(self.protocol)?.unstake_delay else {
            return Ok(true);
        };
        let lost = rate.sub(market.min(rate))?;
        let daily = self.growth_per_day(context, rate)?;
        let given_up = daily.mul_div(
            Fixed18::from_int(delay.seconds()),
            Fixed18::from_int(SECONDS_PER_DAY),
            Rounding::Floor,
        )?;
        Ok(lost <= given_up)
    }

    /// ETH that a token gained over the last day the series shows.
    fn growth_per_day(
        &self,
        context: &Context<'_>,
        rate: Fixed18,
    ) -> Result<Fixed18, ComponentError> {
        let Some(slot) = context.view.row_slot::<Fixed18>(self.rate) else {
            return Ok(Fixed18::ZERO);
        };
        let (Some(newest), Some(before)) = (context.view.newest(slot), context.view.before(slot))
        else {
            return Ok(Fixed18::ZERO);
        };
        let grown = rate.sub(*before.row)?;
        let seconds = newest.known_at.since(before.known_at).seconds().max(1);
        let day = Fixed18::from_int(SECONDS_PER_DAY);
        Ok(grown.mul_div(day, Fixed18::from_int(seconds), Rounding::Floor)?)
    }

    /// The leg that claims withdrawal requests which have left the queue, when there are any and the protocol is not
    /// out.
    pub(in super::super) fn claim(&self, context: &Context<'_>) -> Option<Leg> {
        let ready = Account::new(self.protocol, Label::literal("claimable"));
        let waiting = context.books.quantity(ready, Item::Asset(ETH));
        let claim = Operation::ClaimUnstake(ClaimUnstake { request: None });
        (waiting.is_positive() && !context.view.is_out(self.protocol))
            .then(|| Leg::new(self.protocol, claim))
    }

    /// ETH that waits in the queue or to be claimed.
    pub(in super::super) fn queued(
        &self,
        context: &Context<'_>,
    ) -> Result<Quantity, ComponentError> {
        let of = |name| {
            let account = Account::new(self.protocol, Label::literal(name));
            context.books.quantity(account, Item::Asset(ETH))
        };
        Ok(of("queue").add(of("claimable"))?)
    }
}

/// ETH into WETH.
pub(in super::super) fn wrap(ether: Quantity) -> Instruction {
    Instruction::step(
        Venue::WALLET,
        Operation::Wrap(Staking {
            asset_in: ETH,
            asset_out: WETH,
            amount: AmountOrAll::Exactly(ether),
        }),
    )
}

/// WETH into ETH.
pub(in super::super) fn unwrap(amount: AmountOrAll) -> Instruction {
    Instruction::step(
        Venue::WALLET,
        Operation::Unwrap(Staking {
            asset_in: WETH,
            asset_out: ETH,
            amount,
        }),
    )
}

/// Steps as one transaction.
pub(in super::super) fn group(steps: Vec<Instruction>) -> Leg {
    Leg::new(GROUPS, Operation::Atomic(steps))
}

/// A single step as a leg of its own, several as a group.
pub(in super::super) fn leg_of(mut steps: Vec<Instruction>) -> Leg {
    if steps.len() == 1
        && let Some(Instruction {
            venue: Some(venue),
            operation,
            ..
        }) = steps.pop()
    {
        return Leg::new(venue, operation);
    }
    group(steps)
}
