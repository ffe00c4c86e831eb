//! `basis check MODE --connect`: clock, key, account and rules of the venues that can be traded at, before any
//! money moves. Nothing that acts is sent.

use std::sync::Arc;

use basis_core::config::{Location, Node};
use basis_core::error::{Code, ComponentError};
use basis_core::types::{BookId, SeriesId, SeriesKind, Symbol, Venue};
use basis_core::venue::ExecutionMode;
use basis_venues::driver::LiveScope;
use serde_json::{Value as Json, json};

use super::Session;
use super::errors::Failure;
use crate::assembly::{Setup, together};
use crate::trading::{Line, SystemClock};

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
        if own && driver.facts.modes.contains(&ExecutionMode::Live) {
            let (lines, failure) = ask(venue, setup, &series, session);
            found.push(Found {
                venue,
                lines,
                failure,
            });
        }
    }
    if found.is_empty() {
        let message = format!(
            "{} trades at no venue that can be connected to; binance, bybit and okx can",
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
    venue: Venue,
    setup: &Setup,
    series: &[SeriesId],
    session: &Session,
) -> (Vec<String>, Option<ComponentError>) {
    let all = setup.venue_settings();
    let empty = Node::empty_map(Location::new("venue_settings", 0));
    let section = all.get(venue.as_str()).unwrap_or(&empty);
    let line = Line {
        registry: session.app.venues.clone(),
        variables: session.environment.variables().clone(),
        book: BookId::from_number(0),
        rules: Arc::clone(setup.rules()),
        scope: scope_of(venue, series),
        factory: *setup.factory(),
    };
    match line.connect(venue, section, Arc::new(SystemClock::new())) {
        Ok(connected) => (connected.mailbox.take_notices(), None),
        Err(failed) => (failed.notices, Some(failed.error)),
    }
}

fn scope_of(venue: Venue, series: &[SeriesId]) -> LiveScope {
    let of = |kind| {
        let own = series
            .iter()
            .filter(move |id| id.venue == venue && id.kind == kind);
        own.map(|id| id.symbol)
    };
    let mut symbols: Vec<Symbol> = of(SeriesKind::Spot).chain(of(SeriesKind::Perp)).collect();
    symbols.sort_unstable();
    symbols.dedup();
    LiveScope {
        symbols,
        spot: of(SeriesKind::Spot).next().is_some(),
        perps: of(SeriesKind::Perp).next().is_some(),
    }
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
