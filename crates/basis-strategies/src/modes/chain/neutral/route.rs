//! The ways of ETH through a hedged book: exchange → wallet → stake, and back.
//!
//! Every function is one next step with the quantities of now; the strategy is asked again when it is
//! done. The hedge does not notice: what is under way is as long as what is staked.

use basis_core::error::{Code, ComponentError};
use basis_core::instruction::{AmountOrAll, Instruction, Lending, Operation, Swap, SwapAmounts};
use basis_core::num::{Quantity, Rate, Rounding};
use basis_core::plan::Leg;
use basis_core::types::{Account, Label, SeriesId, Venue};

use super::super::leverage::due_to;
use super::super::stake::{GROUPS, group, leg_of, unwrap, wrap};
use super::super::{WETH, floor_to_unit, settings};
use super::Stake;
use super::book::NeutralBook;
use crate::config::StakeRoute;
use crate::modes::Context;
use crate::modes::funding::{Moves, route};
use crate::modes::hedge::send_cost;

/// Decimals an amount sent is cut to: no venue sends more of them.
const SENT_DECIMALS: u32 = 8;

/// From this part of the stake on, all of it is taken out.
const ALMOST_ALL: Rate = Rate::literal("0.98");

/// Where wrapped ether and rewards are sold.
pub(super) const MARKET: Venue = Venue::literal("uniswap");

/// The pool of wrapped ether against the share class.
const POOL: Label = Label::literal("WETHUSDT");

/// Its prices.
pub(super) const POOL_SERIES: SeriesId = basis_market::ETHER_POOL_SERIES;

/// A sale on the chain, and the ETH that it is sure to turn into the share class.
#[derive(Debug)]
pub(super) struct Sale {
    pub(super) leg: Leg,
    pub(super) sold: Quantity,
}

impl NeutralBook<'_> {
    /// Sends up to `most` ETH of the spot account to the wallet; `None` where it is not worth it.
    pub(super) fn ship_to_wallet(
        &self,
        context: &Context<'_>,
        most: Quantity,
    ) -> Result<Option<Moves>, ComponentError> {
        if self.hedge.spot < self.least_sent(context)? {
            return Ok(None);
        }
        self.ship(
            context,
            (self.hedge.spot_account, Account::WALLET),
            self.hedge.spot.min(most),
        )
    }

    /// Sends up to `most` ETH that the wallet has to spare to the spot venue.
    pub(super) fn ship_to_spot(
        &self,
        context: &Context<'_>,
        most: Quantity,
    ) -> Result<Option<Moves>, ComponentError> {
        let spare = self.spare()?.min(most);
        self.ship(context, (Account::WALLET, self.hedge.spot_account), spare)
    }

    fn ship(
        &self,
        context: &Context<'_>,
        (from, to): (Account, Account),
        amount: Quantity,
    ) -> Result<Option<Moves>, ComponentError> {
        if !context.sends(from.venue) {
            return Ok(None);
        }
        let asset = context.config.asset;
        let sent = amount.sub(send_cost(context, from.venue, asset)?)?;
        let sent = sent
            .get()
            .round_to_decimals(SENT_DECIMALS, Rounding::Floor)?;
        let sent = Quantity::new(sent);
        if !self.matters(sent)? {
            return Ok(None);
        }
        let mut moves = Moves::default();
        route(context, asset, from, to, sent, &mut moves)?;
        Ok(Some(moves))
    }

    /// Stakes `own` ETH of the wallet; leveraged, in one transaction that brings the loop to its
    /// target. The caller has asked whether the token can be had ([`Token::is_to_be_had`]).
    ///
    /// [`Token::is_to_be_had`]: super::super::stake::Token::is_to_be_had
    pub(super) fn stake(
        &self,
        context: &Context<'_>,
        (stake, target): (Stake, Rate),
        own: Quantity,
    ) -> Result<Leg, ComponentError> {
        let own = floor_to_unit(context, context.config.asset, own)?;
        if stake == Stake::Levered
            && let Some(leg) = self.levered.grow(context, own, target)?
        {
            return Ok(leg);
        }
        let mut steps = self.token.stake_steps(context, own, Quantity::ZERO)?;
        if stake == Stake::Levered {
            let supply = Operation::Supply(Lending {
                asset: self.token.asset,
                amount: AmountOrAll::All,
                market: None,
            });
            steps.push(Instruction::step(self.levered.venue, supply));
        }
        Ok(leg_of(steps))
    }

    /// Takes about `ether` out of the stake: by the exit route when it is unleveraged and not needed
    /// `at_once`, else through the market, in proportion, so that the debt ratio stays. The blocks end in
    /// ETH or a withdrawal request.
    pub(super) fn release(
        &self,
        context: &Context<'_>,
        stake: Stake,
        (ether, at_once): (Quantity, bool),
    ) -> Result<Option<Vec<Vec<Leg>>>, ComponentError> {
        if !self.staked.is_positive() {
            return Ok(None);
        }
        if stake == Stake::Levered && !self.levered.is_empty() {
            let mut leg = self.shrink_by(context, ether)?;
            self.unwrap_proceeds(context, &mut leg)?;
            let rest = leg_of(vec![unwrap(AmountOrAll::All)]);
            return Ok(Some(vec![vec![leg], vec![rest]]));
        }
        let units = self.units_of(context, ether)?;
        if !units.is_positive() {
            return Ok(None);
        }
        let leg = if at_once {
            let sale = self.token.sale(context, units, Quantity::ZERO)?;
            group(vec![sale, unwrap(AmountOrAll::All)])
        } else {
            match self.token.unstake(context, units)? {
                Some(leg) => leg,
                None => return Ok(None),
            }
        };
        Ok(Some(vec![vec![leg]]))
    }

    /// Unwraps what the group is sure to leave, within it: gas is paid at its end.
    fn unwrap_proceeds(&self, context: &Context<'_>, leg: &mut Leg) -> Result<(), ComponentError> {
        let sure = sure_proceeds(context, leg)?;
        if let Operation::Atomic(steps) = &mut leg.instruction.operation
            && sure.is_positive()
        {
            steps.push(unwrap(AmountOrAll::Exactly(sure)));
        }
        Ok(())
    }

    /// Units of the token in the wallet that stand for `ether`.
    fn units_of(&self, context: &Context<'_>, ether: Quantity) -> Result<Quantity, ComponentError> {
        let all = self.part_of_stake(ether)? >= ALMOST_ALL;
        let Some(rate) = self.token.rate_now(context).filter(|_| !all) else {
            return Ok(self.tokens);
        };
        let units = Quantity::new(ether.get().div(rate, Rounding::Ceil)?);
        floor_to_unit(context, self.token.asset, units.min(self.tokens))
    }

    /// `ether` as a part of the stake, 0 to 1.
    fn part_of_stake(&self, ether: Quantity) -> Result<Rate, ComponentError> {
        if !self.staked.is_positive() || ether >= self.staked {
            return Ok(Rate::ONE);
        }
        Ok(ether.ratio(self.staked, Rounding::Floor)?)
    }

    /// The transaction that shrinks the loop by the part of it that `ether` is and leaves the rest of the
    /// sale in the wallet as WETH.
    fn shrink_by(&self, context: &Context<'_>, ether: Quantity) -> Result<Leg, ComponentError> {
        let part = self.part_of_stake(ether)?;
        let debt = self.levered.debt.at_rate(part, Rounding::Floor)?;
        let debt = floor_to_unit(context, WETH, debt)?;
        if part >= ALMOST_ALL || !debt.is_positive() {
            return self.levered.close(context);
        }
        // The sale that repays the debt keeps room for what the swap may lose: that comes out too, and
        // counted twice it would raise the debt ratio of what stays.
        let room = debt.at_rate(
            settings(context)?.max_slippage.to_rate(Rounding::Up)?,
            Rounding::Ceil,
        )?;
        let own = ether.sub(room)?.max(Quantity::ZERO);
        let more = match self.token.rate_now(context) {
            Some(rate) => Quantity::new(own.get().div(rate, Rounding::Floor)?),
            None => Quantity::ZERO,
        };
        let more = floor_to_unit(context, self.token.asset, more)?;
        self.levered.shrink(context, debt, more)
    }

    /// Sells `ether` of the stake for the share class within one transaction; `None` where the pool of
    /// wrapped ether cannot be used, or the stake leaves through the queue.
    pub(super) fn sell_stake(
        &self,
        context: &Context<'_>,
        stake: Stake,
        ether: Quantity,
    ) -> Result<Option<Sale>, ComponentError> {
        if !self.staked.is_positive() || !sells_on_chain(context) {
            return Ok(None);
        }
        let leg = if stake == Stake::Levered && !self.levered.is_empty() {
            self.shrink_by(context, ether)?
        } else if settings(context)?.exit_route == StakeRoute::Protocol {
            return Ok(None);
        } else {
            let units = self.units_of(context, ether)?;
            if !units.is_positive() {
                return Ok(None);
            }
            let sale = self.token.sale(context, units, Quantity::ZERO)?;
            group(vec![sale])
        };
        self.with_proceeds_sold(context, leg)
    }

    /// Sells what the wallet has of WETH, and of ETH beyond gas, for the share class.
    pub(super) fn sell_wallet(
        &self,
        context: &Context<'_>,
    ) -> Result<Option<Sale>, ComponentError> {
        let spare = self.spare()?;
        let sold = self.wrapped.add(spare)?;
        if !self.matters(sold)? || !sells_on_chain(context) {
            return Ok(None);
        }
        let mut steps = Vec::with_capacity(2);
        if spare.is_positive() {
            steps.push(wrap(spare));
        }
        steps.push(self.swap_ether(context, sold)?);
        let leg = group(steps);
        Ok(Some(Sale { leg, sold }))
    }

    /// Appends to the group the sale of what it is sure to leave in WETH.
    fn with_proceeds_sold(
        &self,
        context: &Context<'_>,
        mut leg: Leg,
    ) -> Result<Option<Sale>, ComponentError> {
        let sold = sure_proceeds(context, &leg)?;
        let Operation::Atomic(steps) = &mut leg.instruction.operation else {
            return Ok(None);
        };
        if !sold.is_positive() {
            return Ok(None);
        }
        // Gas is paid at the end of the group, and there are more of them to come.
        let gas = self.gas_missing()?.min(sold);
        if gas.is_positive() {
            steps.push(unwrap(AmountOrAll::Exactly(gas)));
        }
        let sold = sold.sub(gas)?;
        if sold.is_positive() {
            steps.push(self.swap_ether(context, sold)?);
        }
        Ok(Some(Sale { leg, sold }))
    }

    /// Sells WETH for the share class, for at least its worth less the pool's fee and what a swap may
    /// lose.
    fn swap_ether(
        &self,
        context: &Context<'_>,
        amount: Quantity,
    ) -> Result<Instruction, ComponentError> {
        let slippage = settings(context)?.max_slippage.to_rate(Rounding::Up)?;
        let kept = Rate::ONE.sub(slippage)?.sub(pool_fee(context)?)?;
        let fair = Quantity::new(self.value_of(amount)?.get());
        let asset_out = context.config.share_class;
        let minimum_out = fair.at_rate(kept, Rounding::Floor)?;
        let swap = Swap {
            pool: POOL,
            asset_in: WETH,
            asset_out,
            amounts: SwapAmounts::ExactInput {
                amount_in: AmountOrAll::Exactly(amount),
                minimum_out: floor_to_unit(context, asset_out, minimum_out)?,
            },
        };
        Ok(Instruction::step(MARKET, Operation::Swap(swap)))
    }
}

/// WETH that a group which sells the stake is sure to leave once its flash loan is repaid.
fn sure_proceeds(context: &Context<'_>, leg: &Leg) -> Result<Quantity, ComponentError> {
    let Operation::Atomic(steps) = &leg.instruction.operation else {
        return Ok(Quantity::ZERO);
    };
    let (mut least, mut owed) = (Quantity::ZERO, Quantity::ZERO);
    for step in steps {
        match &step.operation {
            Operation::FlashLoan(loan) => {
                owed = match step.venue {
                    Some(lender) => due_to(context, lender, loan.amount)?,
                    None => loan.amount,
                };
            }
            Operation::Swap(swap) if swap.asset_out == WETH => least = swap.amounts.least_out(),
            _ => {}
        }
    }
    floor_to_unit(context, WETH, least.sub(owed)?)
}

/// What the pool keeps of a swap.
///
/// # Errors
/// STRAT-001 without such a pool; what the venue says when it is asked.
fn pool_fee(context: &Context<'_>) -> Result<Rate, ComponentError> {
    let pools = context.terms(MARKET)?.pools;
    let pool = pools.iter().find(|terms| terms.pool == POOL);
    pool.map(|terms| terms.fee).ok_or_else(|| {
        let message = format!("{MARKET} has no pool {POOL}, where the mode sells {WETH}");
        ComponentError::new(Code::StrategyInfeasible, message)
    })
}

/// Whether ether can be sold for the share class without leaving the chain.
fn sells_on_chain(context: &Context<'_>) -> bool {
    let quote = context.view.quote_of(POOL_SERIES);
    let has = |venue| context.config.venues.contains(&venue);
    has(MARKET) && has(GROUPS) && quote.is_some_and(|quote| quote.state.is_tradable())
}
