//! Rewards in other tokens: claimed when they are worth more than dust, then sold for ETH.
//!
//! The pools of these tokens are thin: what a large book is paid may be more than one of them takes
//! within the slippage that the configuration allows. A sale that was refused is tried again at half the
//! size, and one that went through is followed by the next of its size once the pool has shown another
//! price: until then it stands where the sale left it.

use basis_core::error::ComponentError;
use basis_core::instruction::{
    AmountOrAll, ClaimRewards, Instruction, Operation, Swap, SwapAmounts,
};
use basis_core::num::{Quantity, Rate, Rounding, Value};
use basis_core::plan::{Action, Block, FailurePolicy, Leg, Plan};
use basis_core::types::{
    Account, Asset, Item, Label, SeriesId, SeriesKind, Span, Symbol, Timestamp, Venue,
};
use basis_market::PriceState;
use serde::{Deserialize, Serialize};

use super::super::{Context, Decision};
use super::stake::{group, unwrap};
use super::{WETH, floor_to_unit, settings};
use basis_engine::account::Books;

/// A token that is paid out, and the pool that buys it.
#[derive(Clone, Copy, Debug)]
struct Program {
    asset: Asset,
    pool: Label,
    /// The pool's prices.
    series: SeriesId,
}

const PROGRAMS: [Program; 2] = [
    program("EIGEN", "EIGENWETH", "EIGENWETH_3000"),
    program("ETHFI", "ETHFIWETH", "ETHFIWETH_3000"),
];

const fn program(asset: &'static str, pool: &'static str, symbol: &'static str) -> Program {
    Program {
        asset: Asset::literal(asset),
        pool: Label::literal(pool),
        series: SeriesId::new(SeriesKind::Dex, MARKET, Symbol::literal(symbol)),
    }
}

/// Half of a sale that was refused is tried next.
const HALF: Rate = Rate::literal("0.5");

/// Sales in a row that went through before one of twice the size is tried: pools change.
const SALES_BEFORE_MORE: u32 = 24;

/// How long a sale waits that a pool refused at the smallest size there is: then it is not the size.
const RETRY: Span = Span::from_hours(7 * 24);

/// Who pays them.
const PAYER: Venue = Venue::literal("etherfi");

/// Where the pools are.
const MARKET: Venue = Venue::literal("uniswap");

/// Where the books keep the rewards of every program: in the wallet, and to be claimed.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct RewardPlaces([(Option<usize>, Option<usize>); PROGRAMS.len()]);

impl RewardPlaces {
    /// Looks them up.
    pub(super) fn find(books: &Books) -> Self {
        let claimable = Account::new(PAYER, Label::literal("rewards"));
        Self(PROGRAMS.each_ref().map(|program| {
            let item = Item::Asset(program.asset);
            let own = books.position_of(Account::WALLET, item);
            (own, books.position_of(claimable, item))
        }))
    }

    /// Whether [`Harvest::next`] has nothing to do because all rewards are dust; `false` only means that
    /// it must look. The books round to the nearest what it rounds down, so their worth is never less.
    ///
    /// # Errors
    /// POS-002 out of range.
    pub(in super::super) fn are_dust(&self, context: &Context<'_>) -> Result<bool, ComponentError> {
        let booked = |at| {
            let holding = context.books.holding_at(at);
            holding.map(|held| held.value).unwrap_or_default()
        };
        let (mut own, mut due) = (Value::ZERO, Value::ZERO);
        for (in_wallet, to_claim) in self.0 {
            own = own.max(booked(in_wallet));
            due = due.add(booked(to_claim))?;
        }
        if own.is_zero() && due.is_zero() {
            return Ok(true);
        }
        Ok(own.max(due) <= dust(context)?)
    }
}

/// The sale of rewards, from step to step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in super::super) struct Harvest {
    sales: [Sales; PROGRAMS.len()],
    /// What has been asked for and not ended: the program, what is sold, when, and whether all of it.
    trying: Option<Trying>,
}

/// How one token has been selling.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Sales {
    /// The most that is sold at once, since its pool refused more.
    most: Option<Quantity>,
    /// Sales of that size in a row.
    sold: u32,
    /// When the price became known that the last sale has moved.
    met: Option<Timestamp>,
    /// Nothing is sold before this.
    not_before: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Trying {
    program: usize,
    amount: Quantity,
    /// Whether half of it would be dust.
    is_least: bool,
    /// Whether that is all there is.
    is_all: bool,
    known_at: Option<Timestamp>,
    at: Timestamp,
}

impl Harvest {
    /// The next step with rewards worth more than the dust threshold: claim them, or sell of what was
    /// claimed as much as the pool has been taking.
    ///
    /// # Errors
    /// POS-002 out of range; STRAT-001 for an asset without decimals.
    pub(in super::super) fn next(
        &mut self,
        context: &Context<'_>,
    ) -> Result<Option<Decision>, ComponentError> {
        let claimable = Account::new(PAYER, Label::literal("rewards"));
        let held = |account, asset| context.books.quantity(account, Item::Asset(asset));
        let held = PROGRAMS.each_ref().map(|program| {
            let asset = program.asset;
            (held(Account::WALLET, asset), held(claimable, asset))
        });
        if held.iter().all(|(own, due)| own.is_zero() && due.is_zero()) {
            return Ok(None);
        }
        let threshold = dust(context)?;
        let mut waiting = Value::ZERO;
        for (at, (program, (own, due))) in PROGRAMS.iter().zip(held).enumerate() {
            if value_of(context, program.asset, own)? > threshold
                && let Some(sale) = self.sale(context, (at, program), (own, threshold))?
            {
                return Ok(Some(act("sell_rewards", sale)));
            }
            waiting = waiting.add(value_of(context, program.asset, due)?)?;
        }
        if waiting <= threshold || context.view.is_out(PAYER) {
            return Ok(None);
        }
        let claim = Operation::ClaimRewards(ClaimRewards { asset: None });
        Ok(Some(act("claim_rewards", Leg::new(PAYER, claim))))
    }

    /// Takes note that the last plan has come to its end. Of a claim, which trades nothing, there is
    /// nothing to learn.
    pub(in super::super) fn completed(&mut self, traded: bool) {
        let Some(tried) = self.trying.take() else {
            return;
        };
        let Some(sales) = self.sales.get_mut(tried.program) else {
            return;
        };
        if !traded {
            sales.sold = 0;
            if tried.is_least {
                sales.not_before = Some(tried.at.plus(RETRY));
            } else {
                sales.most = tried.amount.at_rate(HALF, Rounding::Ceil).ok();
            }
            return;
        }
        sales.met = tried.known_at;
        sales.sold += 1;
        if tried.is_all || sales.sold >= SALES_BEFORE_MORE {
            sales.sold = 0;
            sales.most = sales.most.and_then(|most| most.add(most).ok());
        }
    }

    /// Sells of `held` for ETH; `None` while its pool has no fresh price, or still shows the one that the
    /// last sale has moved.
    fn sale(
        &mut self,
        context: &Context<'_>,
        (at, program): (usize, &Program),
        (held, threshold): (Quantity, Value),
    ) -> Result<Option<Leg>, ComponentError> {
        let now = context.view.now();
        let known_at = context.view.quote_of(program.series).map(|q| q.known_at);
        let sales = self.sales.get(at).copied().unwrap_or_default();
        let rests = sales.not_before.is_some_and(|then| now < then);
        if rests || (sales.met.is_some() && sales.met == known_at) {
            return Ok(None);
        }
        let amount = floor_to_unit(
            context,
            program.asset,
            sales.most.map_or(held, |most| most.min(held)),
        )?;
        let half = amount.at_rate(HALF, Rounding::Floor)?;
        let is_least = value_of(context, program.asset, half)? <= threshold;
        let Some(leg) = sale(context, program, amount)? else {
            return Ok(None);
        };
        self.trying = Some(Trying {
            program: at,
            amount,
            is_least,
            is_all: amount == held,
            known_at,
            at: now,
        });
        Ok(Some(leg))
    }
}

/// The dust threshold in USD.
fn dust(context: &Context<'_>) -> Result<Value, ComponentError> {
    let threshold = context.config.dust_threshold;
    if !context.config.is_in_kind() {
        return Ok(Value::new(threshold.get()));
    }
    let reference = context.view.quote_of(context.config.reference_price);
    let price = reference.map(|quote| quote.mark).unwrap_or_default();
    Ok(threshold.notional(price, Rounding::HalfEven)?)
}

fn value_of(context: &Context<'_>, asset: Asset, units: Quantity) -> Result<Value, ComponentError> {
    if units.is_zero() {
        return Ok(Value::ZERO);
    }
    let mark = context.view.mark_of(asset);
    let price = match mark {
        Some(mark) => context.view.price_usd(mark)?,
        None => None,
    };
    let price = price.unwrap_or_default();
    Ok(units.notional(price, Rounding::Floor)?)
}

/// Sells `amount` for ETH; `None` while its pool has no fresh price.
fn sale(
    context: &Context<'_>,
    program: &Program,
    amount: Quantity,
) -> Result<Option<Leg>, ComponentError> {
    let Some(mark) = context.view.mark_of(program.asset) else {
        return Ok(None);
    };
    let state = context.view.state_of(mark);
    let (Some(rate), PriceState::Fresh | PriceState::Proxied) = (context.view.rate_of(mark), state)
    else {
        return Ok(None);
    };
    let kept = Rate::ONE.sub(settings(context)?.reward_slippage.to_rate(Rounding::Up)?)?;
    let fair = amount.at_rate(Rate::new(rate), Rounding::Floor)?;
    let minimum_out = floor_to_unit(context, WETH, fair.at_rate(kept, Rounding::Floor)?)?;
    let swap = Instruction::step(
        MARKET,
        Operation::Swap(Swap {
            pool: program.pool,
            asset_in: program.asset,
            asset_out: WETH,
            amounts: SwapAmounts::ExactInput {
                amount_in: AmountOrAll::Exactly(amount),
                minimum_out,
            },
        }),
    );
    Ok(Some(group(vec![swap, unwrap(AmountOrAll::All)])))
}

fn act(reason: &'static str, leg: Leg) -> Decision {
    Decision::Act(Plan {
        action: Action::SellDust,
        reason: reason.into(),
        blocks: vec![Block {
            legs: vec![leg],
            failure_policy: FailurePolicy::Halt,
        }],
    })
}
