//! Creating a simulated exchange, and what creation refuses.

use basis_core::error::{Code, ComponentError};
use basis_core::rules::VenueRules;
use basis_core::types::Venue;
use basis_core::venue::{CredentialSet, ExecutionMode, VenueType};
use basis_market::ExecutionInterface;

use super::{CexProfile, CexSettings, InitialBalance, SimulatedCex};
use crate::driver::{BuildContext, DriverFacts, SimulatedWorld};

/// What the row of an exchange of `profile` says: a simulated one, for backtests alone.
#[must_use]
pub const fn facts(
    profile: &CexProfile,
    description: &'static str,
    credentials: CredentialSet,
    module: &'static str,
) -> DriverFacts {
    DriverFacts {
        venue: profile.venue,
        venue_type: VenueType::Cex,
        class_name: profile.class_name,
        module,
        description,
        dependencies: &["position_monitor", "event_logger", "data_provider"],
        credentials,
        modes: &[ExecutionMode::Backtest],
        operations: super::OPERATIONS,
        listed: true,
    }
}

/// Creates the simulated exchange of `profile` in the world of `context`: what the
/// [`Driver::build`](crate::driver::Driver::build) of an exchange calls.
///
/// # Errors
/// [`ComponentError`] in live mode, without a world or without rules of the venue, and for initial
/// balances in accounts that its rules do not name.
pub fn build(
    profile: &'static CexProfile,
    settings: &CexSettings,
    context: BuildContext,
) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
    backtest_only(profile.venue, context.mode)?;
    let SimulatedWorld {
        transit, fill_at, ..
    } = context.world.ok_or_else(|| no_world(profile.venue))?;
    if let Some(data) = context.dependencies.data_provider.as_ref() {
        let rules = data.rules(profile.venue);
        let rules = rules.ok_or_else(|| no_rules(profile.venue))?;
        check_accounts(profile.venue, &rules, &settings.initial_balances)?;
    }
    let mut venue = SimulatedCex::new(profile, settings.clone(), transit, fill_at);
    venue.set_dependencies(context.dependencies);
    Ok(Box::new(venue))
}

/// Refuses live trading, which the simulation cannot do.
pub(crate) fn backtest_only(venue: Venue, mode: ExecutionMode) -> Result<(), ComponentError> {
    match mode {
        ExecutionMode::Backtest => Ok(()),
        ExecutionMode::Live => Err(ComponentError::new(
            Code::CreationFailed,
            format!("{venue} has no live interface in this build; run a backtest"),
        )
        .with_reason("live_unavailable")),
    }
}

fn no_world(venue: Venue) -> ComponentError {
    ComponentError::new(
        Code::CreationFailed,
        format!("{venue} was given no simulated world; a backtest hands one to every venue"),
    )
    .with_reason("world_missing")
}

pub(crate) fn no_rules(venue: Venue) -> ComponentError {
    ComponentError::new(
        Code::CreationFailed,
        format!("{venue} has no rules: add configs/venues/{venue}.yaml or name a file of rules"),
    )
    .with_reason("rules_missing")
}

/// Initial balances must name accounts of the rules.
pub(crate) fn check_accounts(
    venue: Venue,
    rules: &VenueRules,
    balances: &[InitialBalance],
) -> Result<(), ComponentError> {
    for balance in balances {
        let known = rules.snapshots().iter().any(|snapshot| {
            let accounts = snapshot.accounts;
            [accounts.deposit, accounts.spot, accounts.perp]
                .iter()
                .any(|account| account.name == balance.account)
        });
        if !known {
            return Err(ComponentError::new(
                Code::ConfigInvalid,
                format!(
                    "venue_settings.{venue}.initial_balances.{}: {venue} has no such account; its \
                     rules name {}",
                    balance.account,
                    rules
                        .snapshots()
                        .first()
                        .map_or_else(String::new, |s| format!(
                            "{}, {} and {}",
                            s.accounts.deposit.name, s.accounts.spot.name, s.accounts.perp.name
                        ))
                ),
            ));
        }
    }
    Ok(())
}
