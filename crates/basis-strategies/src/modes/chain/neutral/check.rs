//! What a hedged stake needs, and which configurations can never work.

use basis_core::error::{Code, ComponentError};
use basis_core::num::{Fixed18, Rounding};
use basis_core::rules::RuleBook;
use basis_core::types::{SeriesId, Venue};

use super::super::ETH;
use super::super::series::{GAS, leverage, rewards, staking};
use super::super::stake::{GROUPS, token};
use super::Stake;
use super::route::{MARKET, POOL_SERIES};
use crate::config::ChainConfig;
use crate::config::ModeConfig;
use crate::modes::eth_staking_only::token_of;
use crate::modes::spot_perp;

/// The series that a run cannot do without.
pub(in crate::modes) fn required_series(config: &ModeConfig<'_>, stake: Stake) -> Vec<SeriesId> {
    let mut series = spot_perp::required_series(config);
    series.push(GAS);
    if let Ok(token) = token_of(config) {
        series.extend(staking(&token));
        if stake == Stake::Levered {
            series.extend(leverage(&token));
        }
    }
    series.sort_unstable();
    series.dedup();
    // What values ETH is the first series that does.
    if let Some(at) = series.iter().position(|id| *id == config.reference_price) {
        series.swap(0, at);
    }
    series
}

/// Rewards and what prices them, and the pool through which risk leaves at once.
pub(in crate::modes) fn optional_series(config: &ModeConfig<'_>) -> Vec<SeriesId> {
    let mut series = vec![POOL_SERIES];
    if let Ok(token) = token_of(config) {
        series.extend(rewards(&token));
    }
    series
}

/// The venues that a run cannot do without.
pub(in crate::modes) fn venues(config: &ModeConfig<'_>, stake: Stake) -> Vec<Venue> {
    let mut venues = spot_perp::venues(config);
    venues.extend([GROUPS, MARKET]);
    if let Ok(token) = token_of(config) {
        venues.extend([token.protocol, token.market]);
    }
    if let Some(chain) = config.chain.as_ref().filter(|_| stake == Stake::Levered) {
        venues.push(chain.lending_venue);
    }
    venues
}

/// Refuses what can never work, and says why.
///
/// # Errors
/// STRAT-001 with the reason.
pub(in crate::modes) fn check(
    config: &ModeConfig<'_>,
    rules: &RuleBook,
) -> Result<(), ComponentError> {
    let Some(chain) = config.chain else {
        return refuse("the mode has no keys of the chain".to_owned());
    };
    token(chain.lst)?;
    if config.asset != ETH || config.share_class == ETH {
        return refuse(format!(
            "the mode stakes ETH on capital in a stablecoin; asset is {}, share_class {}",
            config.asset, config.share_class
        ));
    }
    if config
        .expected_carry
        .is_some_and(|rule| rule.above_supply_rate)
    {
        return refuse(format!(
            "expected_carry.benchmark supply_rate is asked of basis modes; {} holds its stake whatever lending earns",
            config.mode
        ));
    }
    spot_perp::check(config, rules)?;
    check_allocation(config, chain)
}

/// The margin must carry the shorts at the hedge's leverage.
fn check_allocation(config: &ModeConfig<'_>, chain: &ChainConfig) -> Result<(), ComponentError> {
    let (share, h) = (chain.stake_allocation, config.hedge_leverage);
    if !share.is_positive() {
        return refuse("stake_allocation_eth is 0: nothing would be staked".to_owned());
    }
    let most = h.div(h.add(Fixed18::ONE)?, Rounding::Floor)?;
    if share.get() <= most {
        return Ok(());
    }
    let most = most.round_to_decimals(4, Rounding::Floor)?;
    refuse(format!(
        "stake_allocation_eth {share} leaves too little margin: at hedge_leverage {h} at most {most} of \
         the capital can be hedged; lower the allocation or raise hedge_leverage"
    ))
}

fn refuse(message: String) -> Result<(), ComponentError> {
    Err(ComponentError::new(Code::StrategyInfeasible, message))
}
