//! `basis check`: would this mode start?
//!
//! It resolves the configuration, reads the rules and creates every interface of the mode, without
//! data and without a run. For live trading it checks settings, networks and credentials; trading
//! live is not part of this version, and it says so.

use std::sync::Arc;

use basis_core::clock::VirtualClock;
use basis_core::error::{Code, ComponentError};
use basis_core::types::{Timestamp, Venue};
use basis_core::venue::ExecutionMode;
use basis_engine::EventLog;
use basis_venues::credentials::BasisEnvironment;
use basis_venues::driver::{LiveRuntime, Surroundings, VenueDriver};
use basis_venues::factory::{CreatedInterfaces, ExecutionInterfaceFactory, FactoryInputs};
use basis_venues::registry::Registry;
use clap::ValueEnum;
use serde_json::{Value as Json, json};

use super::errors::Failure;
use super::report::table;
use super::{ConfigArguments, Session};
use crate::assembly::{Setup, World, require_needed, together};
use crate::config::layers;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The strategy mode; every mode when absent.
    mode: Option<String>,
    #[command(flatten)]
    config: ConfigArguments,
    /// Check for this way of executing instead of the configured one.
    #[arg(long = "mode", id = "execution_mode", value_name = "EXECUTION")]
    execution: Option<Execution>,
    /// Connect to the venues that can be traded at, and check clock, key, account and rules there. Nothing is
    /// ordered.
    #[cfg(feature = "live")]
    #[arg(long, requires = "mode")]
    connect: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Execution {
    /// Simulated venues.
    Backtest,
    /// Real venues.
    Live,
}

/// What was found out about one mode.
struct Finding {
    mode: String,
    execution: ExecutionMode,
    config_hash: String,
    series: Vec<String>,
    venues: Vec<(Venue, Result<(), ComponentError>)>,
    failure: Option<ComponentError>,
}

pub(super) fn run(arguments: &Arguments, session: &Session) -> Result<(), Failure> {
    #[cfg(feature = "live")]
    if let (true, Some(mode)) = (arguments.connect, &arguments.mode) {
        let request = arguments.config.request(mode);
        let resolved = layers::resolve(&request, &session.environment, &session.app)?;
        return super::connect::run(&resolved.setup, session);
    }
    let modes: Vec<&str> = match &arguments.mode {
        Some(mode) => vec![mode],
        None => session
            .app
            .modes
            .rows()
            .iter()
            .map(|mode| mode.name)
            .collect(),
    };
    let mut findings = Vec::new();
    for mode in modes {
        findings.push(check(mode, arguments, session)?);
    }
    if session.json {
        session.print_json(&findings.iter().map(as_json).collect())?;
    } else {
        for finding in &findings {
            session.print(&as_text(finding))?;
        }
    }
    let failures = findings
        .into_iter()
        .filter_map(|finding| finding.failure)
        .collect();
    together(failures).map_or(Ok(()), |e| Err(e.into()))
}

fn check(mode: &str, arguments: &Arguments, session: &Session) -> Result<Finding, ComponentError> {
    let request = arguments.config.request(mode);
    let resolved = layers::resolve(&request, &session.environment, &session.app)?;
    session.level.set(resolved.log_level);
    let execution = match arguments.execution {
        Some(Execution::Backtest) => ExecutionMode::Backtest,
        Some(Execution::Live) => ExecutionMode::Live,
        None => resolved.execution_mode,
    };
    let setup = resolved.setup;
    let created = match execution {
        ExecutionMode::Backtest => {
            let rules = Arc::clone(setup.rules());
            World::new(Timestamp::EPOCH, rules, setup.run().fill_at)
                .create_interfaces(&session.app.venues, &setup)
        }
        ExecutionMode::Live => create_live(&setup, session)?,
    };
    for warning in &created.warnings {
        session.warn(&warning.to_string());
    }
    Ok(finding(&setup, execution, created))
}

fn finding(setup: &Setup, execution: ExecutionMode, created: CreatedInterfaces) -> Finding {
    let CreatedInterfaces {
        interfaces,
        failures,
        ..
    } = created;
    let mut venues: Vec<_> = interfaces.iter().map(|i| (i.venue(), Ok(()))).collect();
    venues.extend(failures.iter().map(|(venue, e)| (*venue, Err(e.clone()))));
    let failure = match execution {
        ExecutionMode::Backtest => require_needed(setup, &interfaces, failures).err(),
        // Credentials first: they are what the user can put right.
        ExecutionMode::Live => {
            let (not_offered, wrong): (Vec<_>, Vec<_>) = failures
                .into_iter()
                .map(|(_, e)| e)
                .partition(|e| e.code == Code::CreationFailed);
            together(wrong).or_else(|| not_offered.into_iter().next())
        }
    };
    // A strategy that cannot be built is worth knowing only once its venues are in order.
    let (series, infeasible) = match setup.required_series() {
        Ok(series) => (series.iter().map(ToString::to_string).collect(), None),
        Err(e) => (Vec::new(), Some(e)),
    };
    let failure = failure.or(infeasible);
    Finding {
        mode: setup.run().mode.to_owned(),
        execution,
        config_hash: setup.config_hash().to_owned(),
        series,
        venues,
        failure,
    }
}

/// Runs the factory's live checks: settings, networks, credentials. What would then be built is
/// refused, because no mode trades live.
fn create_live(setup: &Setup, session: &Session) -> Result<CreatedInterfaces, ComponentError> {
    let mut registry = Registry::empty();
    for driver in session.app.venues.all() {
        registry = registry.with(live_refused(driver))?;
    }
    let mut factory = ExecutionInterfaceFactory::new(FactoryInputs {
        registry,
        settings: *setup.factory(),
        surroundings: Surroundings::Live {
            environment: BasisEnvironment::read(session.environment.variables())?,
            variables: session.environment.variables().clone(),
            runtime: LiveRuntime::none(),
        },
        clock: Arc::new(VirtualClock::new(Timestamp::EPOCH)),
        events: EventLog::new(),
        config_hash: setup.config_hash().to_owned(),
    });
    Ok(factory.create_all_interfaces(&setup.venue_settings(), None))
}

/// The row of a driver that passes every check of live trading and then refuses to be built.
fn live_refused(driver: &VenueDriver) -> VenueDriver {
    let mut row = driver.refusing(|| {
        let message = "settings and credentials are in order, but live trading is not part of this \
                       version; `basis backtest` and `basis instruct` work";
        ComponentError::new(Code::CreationFailed, message).with_reason("mode")
    });
    row.facts.modes = &[ExecutionMode::Live];
    row
}

fn as_json(finding: &Finding) -> Json {
    let venues: Vec<_> = finding
        .venues
        .iter()
        .map(|(venue, result)| match result {
            Ok(()) => json!({ "venue": venue, "ok": true }),
            Err(e) => json!({
                "venue": venue,
                "ok": false,
                "code": e.code.as_str(),
                "reason": e.reason,
                "message": e.message,
            }),
        })
        .collect();
    json!({
        "mode": finding.mode,
        "execution_mode": finding.execution.as_str(),
        "ok": finding.failure.is_none(),
        "config_hash": finding.config_hash,
        "series": finding.series,
        "venues": venues,
    })
}

fn as_text(finding: &Finding) -> String {
    let mut rows = table(&["venue", "interface"]);
    for (venue, result) in &finding.venues {
        let state = match result {
            Ok(()) => "can be created".to_owned(),
            Err(e) => format!("{} {}", e.code, e.message),
        };
        rows.add_row([venue.as_str(), &state]);
    }
    let verdict = if finding.failure.is_none() {
        "ok"
    } else {
        "not ok"
    };
    format!(
        "{} ({}): {verdict}\nconfig hash {}\nreads {}\n{rows}\n",
        finding.mode,
        finding.execution.as_str(),
        finding.config_hash,
        finding.series.join(", ")
    )
}
