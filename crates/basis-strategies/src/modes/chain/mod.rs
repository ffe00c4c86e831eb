//! What the on-chain modes have in common: gas, amounts a chain can hold, legs addressed to
//! protocols.

pub(super) mod gas;
pub(super) mod legs;
pub(super) mod leverage;
pub(super) mod loop_carry;
pub(super) mod neutral;
pub(super) mod places;
pub(super) mod rewards;
pub(super) mod series;
pub(super) mod stake;

use basis_core::error::{Code, ComponentError};
use basis_core::num::{Quantity, Rate, Rounding};
use basis_core::types::{Account, Asset, Label, SeriesId, Venue};
use basis_core::venue::DataProvider;
use basis_engine::exit::{StakeExit, StakeWay};
use basis_protocols::gas::{GasOperation, atomic_gas};

use self::stake::{GROUPS, token};
use super::Context;
use crate::config::{ChainConfig, ModeConfig, StakeRoute};

/// The coin that pays for gas.
pub(super) const ETH: Asset = Asset::literal("ETH");

/// What lending markets and pools hold instead of the coin.
pub(super) const WETH: Asset = Asset::literal("WETH");

/// The keys of the on-chain modes.
///
/// # Errors
/// STRAT-001 in a mode that was built without them.
pub(super) fn settings<'a>(context: &Context<'a>) -> Result<&'a ChainConfig, ComponentError> {
    context.config.chain.ok_or_else(|| {
        let message = format!("the mode {} has no keys of the chain", context.config.mode);
        ComponentError::new(Code::StrategyInfeasible, message)
    })
}

/// How the mode leaves its staking token; nothing in a mode that reads none of its `series`.
pub(super) fn exit_routes(config: &ModeConfig<'_>, series: &[SeriesId]) -> Vec<StakeExit> {
    let Some(chain) = config.chain else {
        return Vec::new();
    };
    let Some(token) = token(chain.lst)
        .ok()
        .filter(|token| series.contains(&token.rate))
    else {
        return Vec::new();
    };
    let swap = GasOperation::CurveExchange2;
    let repay = [GasOperation::AaveRepay, GasOperation::AaveWithdraw, swap];
    let queue = [
        GasOperation::EtherFiRequestWithdrawal,
        GasOperation::EtherFiClaimWithdrawal,
    ];
    let max_slippage = chain.max_slippage.to_rate(Rounding::Up).unwrap_or_default();
    vec![StakeExit {
        token: token.asset,
        paid_in: WETH,
        market: token.market,
        pool: token.pool,
        protocol: token.protocol,
        queue_pays: ETH,
        rate: token.rate,
        way: match chain.exit_route {
            StakeRoute::Market => StakeWay::Market,
            StakeRoute::Protocol => StakeWay::Queue,
            StakeRoute::Cheapest => StakeWay::Cheapest,
        },
        max_slippage,
        groups: GROUPS,
        gas: series::GAS,
        gas_units: [
            atomic_gas(&[swap, GasOperation::WethWithdraw], false),
            queue.iter().map(|step| step.gas()).sum(),
            atomic_gas(&repay, true),
        ],
    }]
}

/// Refuses capital of which less than `min_transfer` is left beside the reserve and `gas`, both in the share
/// class: it would never be invested.
///
/// # Errors
/// STRAT-002 with the numbers.
pub(super) fn check_capital(config: &ModeConfig<'_>, gas: Quantity) -> Result<(), ComponentError> {
    let kept = Rate::ONE.sub(config.reserve_ratio)?;
    let capital = config.initial_capital;
    let invested = capital.at_rate(kept, Rounding::Floor)?.sub(gas)?;
    if capital.is_zero() || invested >= config.min_transfer {
        return Ok(());
    }
    let needed = config
        .min_transfer
        .add(gas)?
        .div_rate(kept, Rounding::Ceil)?;
    let needed = needed.get().round_to_decimals(2, Rounding::Ceil)?;
    let class = config.share_class;
    let message = format!(
        "initial_capital {capital} {class} leaves {invested} {class} beside reserve_ratio {} and gas of {gas} \
         {class}, below min_transfer {}: nothing would ever be invested. It takes {needed} {class}",
        config.reserve_ratio, config.min_transfer
    );
    Err(ComponentError::new(Code::CapitalTooSmall, message))
}

/// The account of a protocol that keeps one for all assets.
pub(super) const fn main_account(venue: Venue) -> Account {
    Account::new(venue, Label::literal("main"))
}

/// `amount` without the digits that `asset` cannot have.
///
/// # Errors
/// STRAT-001 for an asset whose decimals no rules file has; POS-002 out of range.
pub(super) fn floor_to_unit(
    context: &Context<'_>,
    asset: Asset,
    amount: Quantity,
) -> Result<Quantity, ComponentError> {
    let decimals = context
        .rules
        .decimals(Venue::WALLET, asset)
        .ok_or_else(|| {
            let message =
                format!("the decimals of {asset} are in no rules file; add it under `assets`");
            ComponentError::new(Code::StrategyInfeasible, message)
        })?;
    let floored = amount.get().round_to_decimals(decimals, Rounding::Floor)?;
    Ok(Quantity::new(floored))
}
