//! From a resolved configuration and market data to a run: the one front door.
//!
//! [`Backtest`] is how the command line, sweeps, stress tables and a program of one's own run alike: it
//! gives a [`Setup`] its dates on the data, makes the [`World`] and the interfaces, and runs the engine.
//! [`Setup::data_request`] says what to load, contract multipliers included.
//!
//! **Invariants.** No environment, no globals, and no I/O but of a run directory that is asked for: any
//! number of threads may run on one market, and the same setup on the same data gives the same result.
//! What belongs to a run (clock, books, event log, amounts in flight, interfaces) is made here, anew for
//! each.

mod assumptions;
mod backtest;
mod world;

use std::sync::Arc;

use basis_core::error::{Code, ComponentError};
use basis_core::types::{Timestamp, Venue};
use basis_market::ExecutionInterface;

pub use backtest::{Backtest, Finished, Stamp, Unfinished, versions};
pub use world::World;

pub use crate::config::setup::Setup;

/// Whether every venue the mode needs can be created; needs no data.
///
/// # Errors
/// As [`require_needed`].
pub fn check_venues(setup: &Setup) -> Result<(), ComponentError> {
    let world = World::new(
        Timestamp::EPOCH,
        Arc::clone(setup.rules()),
        setup.run().fill_at,
    );
    // What is created here is dropped here, and its events with it.
    let created = world.create_under(setup.registry(), setup, "");
    require_needed(setup, &created.interfaces, created.failures).map(|_| ())
}

/// Refuses when a needed venue is missing; the failures nobody needs come back.
///
/// # Errors
/// One error that names every needed venue that failed, under the code of the most severe.
pub fn require_needed(
    setup: &Setup,
    interfaces: &[Box<dyn ExecutionInterface>],
    failures: Vec<(Venue, ComponentError)>,
) -> Result<Vec<(Venue, ComponentError)>, ComponentError> {
    let needed = setup.needed_venues();
    let (fatal, unneeded): (Vec<_>, Vec<_>) = failures
        .into_iter()
        .partition(|(venue, _)| needed.contains(venue));
    let unlisted = needed.iter().filter(|venue| {
        let created = interfaces.iter().any(|own| own.venue() == **venue);
        !created && !fatal.iter().any(|(failed, _)| failed == *venue)
    });
    let unlisted: Vec<_> = unlisted
        .map(|venue| {
            let message =
                format!("{venue}: the mode needs it, but venue_settings does not list it");
            ComponentError::new(Code::NoRoute, message)
        })
        .collect();
    let mut missing: Vec<ComponentError> = fatal.into_iter().map(|(_, e)| e).collect();
    missing.extend(unlisted);
    match together(missing) {
        Some(e) => Err(e),
        None => Ok(unneeded),
    }
}

/// Several failures as one, under the code of the most severe.
#[must_use]
pub fn together(mut failures: Vec<ComponentError>) -> Option<ComponentError> {
    if failures.len() < 2 {
        return failures.pop();
    }
    failures.sort_by_key(|e| std::cmp::Reverse(e.severity()));
    let lines: String = failures
        .iter()
        .map(|e| format!("\n  {} {}", e.code, e.message))
        .collect();
    let count = failures.len();
    let first = failures.into_iter().next()?;
    let mut all = ComponentError::new(first.code, format!("{count} failures:{lines}"));
    all.reason = first.reason;
    Some(all)
}

#[cfg(test)]
mod tests {
    use basis_core::venue::FillAt;
    use basis_venues::registry::Registry;

    use super::*;
    use crate::config::environment::Environment;
    use crate::config::layers::{self, Request};

    fn setup(sets: &[&str]) -> Setup {
        let registry = Registry::builtin();
        let sets: Vec<_> = sets.iter().map(|set| (*set).to_owned()).collect();
        let request = Request {
            mode: "btc_basis",
            sets: &sets,
            ..Request::default()
        };
        let environment = Environment::from_pairs(std::collections::BTreeMap::new(), &registry);
        layers::resolve(&request, &environment, &registry)
            .unwrap()
            .setup
    }

    #[test]
    fn a_world_fills_orders_when_its_run_says() {
        for fill_at in [FillAt::Close, FillAt::NextOpen] {
            let setup = setup(&[&format!("fill_at={}", fill_at.as_str())]);
            assert_eq!(World::of(&setup).simulated.fill_at, fill_at);
        }
    }

    #[test]
    fn a_venue_named_in_the_failure_of_another_is_still_missing() {
        let setup = setup(&[]);
        let needed = setup.needed_venues();
        let (first, last) = (needed[1], *needed.last().unwrap());
        assert!(needed.len() > 2, "{needed:?}");
        let failure = ComponentError::new(Code::VenueInvalid, format!("{first}: unlike {last}"));
        let e = require_needed(&setup, &[], vec![(first, failure)]).unwrap_err();
        let missing = format!("{last}: the mode needs it");
        assert!(e.message.contains(&missing), "{e}");
        assert!(!e.message.contains(&format!("{first}: the mode")), "{e}");
        let elsewhere = Venue::literal("elsewhere");
        let unneeded = ComponentError::new(Code::VenueInvalid, "elsewhere: off");
        let e = require_needed(&setup, &[], vec![(elsewhere, unneeded)]).unwrap_err();
        assert!(!e.message.contains("elsewhere"), "{e}");
    }

    #[test]
    fn several_failures_stand_under_the_most_severe_code() {
        let high = ComponentError::new(Code::VenueInvalid, "okx: settings");
        let critical =
            ComponentError::new(Code::CredentialsInvalid, "bybit: not set").with_reason("missing");
        let all = together(vec![high.clone(), critical]).unwrap();
        assert_eq!(
            (all.code, all.reason),
            (Code::CredentialsInvalid, Some("missing"))
        );
        assert_eq!(
            all.message,
            "2 failures:\n  EIF-003 bybit: not set\n  EIF-002 okx: settings"
        );
        assert_eq!(together(vec![high]).unwrap().message, "okx: settings");
        assert!(together(Vec::new()).is_none());
    }
}
