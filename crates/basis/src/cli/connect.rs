//! `basis check MODE --connect`: clock, key, account and rules of the venues that can be traded at, before any
//! money moves. Nothing that acts is sent.

use std::sync::Arc;

use basis_core::clock::Clock;
use basis_core::config::{Location, Node};
use basis_core::error::{Code, ComponentError};
use basis_core::types::{BookId, SeriesId, SeriesKind, Symbol, Venue};
use basis_live::actor::Mailbox;
use basis_venues::credentials::{BasisEnvironment, load_credentials};
use basis_venues::driver::{LiveRequest, VenueDriver};
use basis_venues::factory::check_section;
use serde_json::{Value as Json, json};

use super::Session;
use super::errors::Failure;
use crate::assembly::{Setup, together};
use crate::config::listed;
use crate::trading::{SystemClock, connect};

/// What a venue said.
struct Found {
    venue: Venue,
    lines: Vec<String>,
    failure: Option<ComponentError>,
}

/// Connects to each venue of `setup` that can be traded at, and prints what was found.
pub(super) fn run(setup: &Setup, session: &Session) -> Result<(), Failure> {
    let series = setup.required_series()?;
    let mut found = Vec::new();
    for driver in session.app.venues.all() {
        let venue = driver.facts.venue;
        let own = series.iter().any(|id| id.venue == venue);
        if own && driver.live.is_some() {
            let (lines, failure) = ask(driver, setup, &series, session);
            found.push(Found {
                venue,
                lines,
                failure,
            });
        }
    }
    if found.is_empty() {
        let message = format!(
            "{} trades at no venue that can be connected to; binance and bybit can",
            setup.run().mode
        );
        return Err(ComponentError::new(Code::CreationFailed, message)
            .with_reason("mode")
            .into());
    }
    if session.json {
        session.print_json(&found.iter().map(as_json).collect())?;
    } else {
        for found in &found {
            session.print(&as_text(found))?;
        }
    }
    let failures = found
        .into_iter()
        .filter_map(|found| found.failure)
        .collect();
    together(failures).map_or(Ok(()), |e| Err(e.into()))
}

fn ask(
    driver: &VenueDriver,
    setup: &Setup,
    series: &[SeriesId],
    session: &Session,
) -> (Vec<String>, Option<ComponentError>) {
    let mailbox = Mailbox::new();
    let result = try_ask(driver, setup, (series, &mailbox), session);
    (mailbox.take_notices(), result.err())
}

fn try_ask(
    driver: &VenueDriver,
    setup: &Setup,
    (series, mailbox): (&[SeriesId], &Mailbox),
    session: &Session,
) -> Result<(), ComponentError> {
    let (venue, variables) = (driver.facts.venue, session.environment.variables());
    let Some(builder) = driver.live else {
        return Ok(());
    };
    let environment = BasisEnvironment::read(variables)?;
    let all = setup.venue_settings();
    let empty = Node::empty_map(Location::new("venue_settings", 0));
    let section = all.get(venue.as_str()).unwrap_or(&empty);
    let contradictions = basis_core::config::Problems::new();
    check_section(driver, section, environment, &contradictions);
    let contradictions = contradictions.into_sorted();
    if !contradictions.is_empty() {
        let error = listed(Code::VenueInvalid, "venue_settings", &contradictions);
        return Err(error.with_reason("environment"));
    }
    let credentials = load_credentials(&driver.facts.credentials, environment, variables)?;
    let rules = setup.rules().venue(venue).ok_or_else(|| {
        ComponentError::new(
            Code::ConfigInvalid,
            format!("there are no rules of {venue}"),
        )
    })?;
    let of = |kind| {
        let own = series
            .iter()
            .filter(move |id| id.venue == venue && id.kind == kind);
        own.map(|id| id.symbol)
    };
    let mut symbols: Vec<Symbol> = of(SeriesKind::Spot).chain(of(SeriesKind::Perp)).collect();
    symbols.sort_unstable();
    symbols.dedup();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let machine = builder(&LiveRequest {
        section,
        environment,
        credentials: &credentials,
        rules: rules.at(clock.now()),
        book: BookId::from_number(0),
        symbols,
        products: (
            of(SeriesKind::Spot).next().is_some(),
            of(SeriesKind::Perp).next().is_some(),
        ),
    })?;
    connect(machine, mailbox, clock).map(drop)
}

fn as_json(found: &Found) -> Json {
    json!({
        "venue": found.venue,
        "ok": found.failure.is_none(),
        "found": found.lines,
        "code": found.failure.as_ref().map(|e| e.code.as_str()),
        "reason": found.failure.as_ref().and_then(|e| e.reason),
        "message": found.failure.as_ref().map(|e| e.message.as_str()),
    })
}

fn as_text(found: &Found) -> String {
    let verdict = match &found.failure {
        None => "can be traded at".to_owned(),
        Some(e) => format!("{} {}", e.code, e.message),
    };
    let lines: String = found
        .lines
        .iter()
        .map(|line| format!("  {line}\n"))
        .collect();
    format!("{}: {verdict}\n{lines}", found.venue)
}
