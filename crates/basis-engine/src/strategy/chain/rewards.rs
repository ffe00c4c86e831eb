//! Rewards in other tokens: claimed when they are worth more than dust, then sold for ETH.

use basis_core::error::ComponentError;
use basis_core::instruction::{AmountOrAll, ClaimRewards, Instruction, Operation, Swap};
use basis_core::market::PriceState;
use basis_core::num::{Quantity, Rate, Rounding, Value};
use basis_core::plan::{Action, Block, FailurePolicy, Leg, Plan};
use basis_core::types::{Account, Asset, Item, Label, Venue};

use super::super::{Context, Decision};
use super::stake::{group, unwrap};
use super::{WETH, floor_to_unit, settings};

/// A token that is paid out, and the pool that buys it.
const REWARDS: [(Asset, Label); 2] = [
    (Asset::literal("EIGEN"), Label::literal("EIGENWETH")),
    (Asset::literal("ETHFI"), Label::literal("ETHFIWETH")),
];

/// Who pays them.
const PAYER: Venue = Venue::literal("etherfi");

/// Where the pools are.
const MARKET: Venue = Venue::literal("uniswap");

/// The next step with rewards worth more than the dust threshold: claim them, or sell what was claimed.
///
/// # Errors
/// POS-002 out of range; STRAT-001 for an asset without decimals.
pub(in super::super) fn harvest(context: &Context<'_>) -> Result<Option<Decision>, ComponentError> {
    let claimable = Account::new(PAYER, Label::literal("rewards"));
    let held = |account: Account, asset: Asset| context.books.quantity(account, Item::Asset(asset));
    let held = REWARDS.map(|(asset, _)| (held(Account::WALLET, asset), held(claimable, asset)));
    if held.iter().all(|(own, due)| own.is_zero() && due.is_zero()) {
        return Ok(None);
    }
    let threshold = dust(context)?;
    let mut waiting = Value::ZERO;
    for ((asset, _), (own, due)) in REWARDS.into_iter().zip(held) {
        if worth(context, asset, own)? > threshold
            && let Some(sale) = sale(context, asset, own)?
        {
            return Ok(Some(act("sell_rewards", sale)));
        }
        waiting = waiting.add(worth(context, asset, due)?)?;
    }
    if waiting <= threshold || context.view.is_out(PAYER) {
        return Ok(None);
    }
    let claim = Operation::ClaimRewards(ClaimRewards { asset: None });
    Ok(Some(act("claim_rewards", Leg::new(PAYER, claim))))
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

fn worth(context: &Context<'_>, asset: Asset, units: Quantity) -> Result<Value, ComponentError> {
    if units.is_zero() {
        return Ok(Value::ZERO);
    }
    let mark = context.view.mark_of(asset);
    let price = match mark {
        Some(mark) => context.view.dollars(mark)?,
        None => None,
    };
    let price = price.unwrap_or_default();
    Ok(units.notional(price, Rounding::Floor)?)
}

/// Sells `held` for ETH; `None` while its pool has no fresh price.
fn sale(
    context: &Context<'_>,
    asset: Asset,
    held: Quantity,
) -> Result<Option<Leg>, ComponentError> {
    let Some(mark) = context.view.mark_of(asset) else {
        return Ok(None);
    };
    let state = context.view.state_of(mark);
    let (Some(rate), PriceState::Fresh | PriceState::Proxied) = (context.view.rate_of(mark), state)
    else {
        return Ok(None);
    };
    let pool = REWARDS.iter().find(|(reward, _)| *reward == asset);
    let Some((_, pool)) = pool else {
        return Ok(None);
    };
    let kept = Rate::ONE.sub(settings(context)?.reward_slippage.to_rate(Rounding::Up)?)?;
    let fair = held.at_rate(Rate::new(rate), Rounding::Floor)?;
    let minimum_out = floor_to_unit(context, WETH, fair.at_rate(kept, Rounding::Floor)?)?;
    let swap = Instruction::step(
        MARKET,
        Operation::Swap(Swap {
            pool: *pool,
            asset_in: asset,
            asset_out: WETH,
            amount_in: held,
            minimum_out,
        }),
    );
    Ok(Some(group(vec![swap, unwrap(AmountOrAll::All)])))
}

fn act(reason: &'static str, leg: Leg) -> Decision {
    Decision::Act(Plan {
        action: Action::SellDust,
        reason,
        blocks: vec![Block {
            legs: vec![leg],
            failure_policy: FailurePolicy::Halt,
        }],
    })
}
