//! Creating a simulated exchange, and what creation refuses.

use basis_core::error::{Code, ComponentError};
use basis_core::executor::BoxFuture;
use basis_core::rules::VenueRules;
use basis_core::types::Venue;
use basis_core::venue::{Dependencies, ExecutionInterface, ExecutionMode, VenueSettings};

use super::{CexProfile, CexSettings, InitialBalance, SimulatedCex};

/// Creates a simulated exchange; what the drivers' rows call.
pub(crate) fn build<'a>(
    profile: &'static CexProfile,
    settings: &'a VenueSettings,
    mode: ExecutionMode,
    dependencies: Dependencies,
) -> BoxFuture<'a, Result<Box<dyn ExecutionInterface>, ComponentError>> {
    Box::pin(async move {
        backtest_only(profile.venue, mode)?;
        let parsed = settings.parsed::<CexSettings>().cloned();
        let parsed = parsed.unwrap_or_default();
        let rules = dependencies
            .data_provider
            .as_ref()
            .map(|data| data.rules(profile.venue));
        if let Some(None) = rules {
            return Err(no_rules(profile.venue));
        }
        if let Some(Some(rules)) = rules {
            check_accounts(profile.venue, &rules, &parsed.initial_balances)?;
        }
        let mut venue = SimulatedCex::new(profile, parsed);
        venue.set_dependencies(dependencies);
        Ok(Box::new(venue) as Box<dyn ExecutionInterface>)
    })
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
