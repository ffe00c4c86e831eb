//! `basis instruct --mode live --dry-run`: the exact requests, secrets masked. Nothing is sent, no key is
//! read.

use basis_core::config::{Location, Node, Problems};
use basis_core::error::{Code, ComponentError};
use basis_core::instruction::{Instruction, Operation, OrderType};
use basis_core::num::Price;
use basis_core::transport::Request;
use basis_core::types::{BookId, ClientOrderId, InstrumentKey, InstrumentKind, Venue};
use basis_market::PriceState;
use basis_venues::credentials::BasisEnvironment;
use basis_venues::driver::{DryRun, VenueDriver};
use basis_venues::factory::check_section;
use serde_json::{Value as Json, json};

use super::{Arguments, overlay, parse, read_stdin, rules_of, settings};
use crate::cli::Session;
use crate::cli::backtest::WallClock;
use crate::cli::errors::Failure;
use crate::cli::market::Source;
use crate::config::dates::{self, End};
use crate::config::listed;

/// The price that a collar is measured from, and where it comes from.
struct Reference {
    price: Price,
    source: &'static str,
}

pub(super) fn run(
    arguments: &Arguments,
    driver: &VenueDriver,
    session: &Session,
) -> Result<(), Failure> {
    let venue = driver.facts.venue;
    let runner = driver.dry_run.ok_or_else(|| {
        let message =
            format!("{venue} has no live requests in this version; binance, bybit and okx have");
        ComponentError::new(Code::CreationFailed, message).with_reason("mode")
    })?;
    let environment = BasisEnvironment::read(session.environment.variables());
    let environment = environment.map_err(ComponentError::from)?;
    check_networks(arguments, driver, environment, session)?;
    let text = match arguments.instruction.as_deref() {
        Some("-") | None => read_stdin()?,
        Some(text) => text.to_owned(),
    };
    let instruction = parse(&text, driver)?;
    let opening = match arguments.order.as_deref() {
        Some(text) => Some(parse(text, driver)?),
        None => None,
    };
    let needs_order = matches!(
        instruction.operation,
        Operation::AmendOrder(_) | Operation::CancelOrder(_)
    );
    if needs_order && opening.is_none() {
        let message = "an order is amended or cancelled by what opened it: give that instruction, with its id, \
                       with --order JSON";
        return Err(ComponentError::new(Code::Usage, message).into());
    }
    let at = match arguments.at.as_deref() {
        Some(text) => dates::parse(text, End::From).ok_or_else(|| {
            let message =
                format!("--at: `{text}` is no date; write 2024-05-01 or 2024-05-01T08:00:00Z");
            ComponentError::new(Code::DatesInvalid, message)
        })?,
        None => WallClock::now().timestamp(),
    };
    let rules = rules_of(venue, None, arguments.rules.as_deref())?;
    let Some(of_venue) = rules.venue(venue) else {
        let message = format!("there are no rules of {venue}; give them with --rules FILE");
        return Err(ComponentError::new(Code::ConfigInvalid, message).into());
    };
    let reference = reference(arguments, driver, &instruction, session)?;
    let book = BookId::from_number(0);
    let requests = runner(&DryRun {
        instruction: &instruction,
        opening: opening.as_ref(),
        rules: of_venue.at(at),
        environment,
        at,
        book,
        reference: reference.as_ref().map(|reference| reference.price),
    })?;
    session.warn_of_environment();
    session.print_json(&json!({
        "venue": venue,
        "mode": "live",
        "dry_run": true,
        "sent": false,
        "environment": environment.as_str(),
        "at": at,
        "instruction_id": instruction.id,
        "client_order_id": ClientOrderId::derive(book, instruction.id).as_str(),
        "reference": reference.map(|reference| json!({
            "price": reference.price,
            "source": reference.source,
        })),
        "requests": requests.iter().map(as_json).collect::<Vec<_>>(),
    }))
}

/// Refuses settings of the venue that contradict `BASIS_ENVIRONMENT`, and settings it does not have.
pub(super) fn check_networks(
    arguments: &Arguments,
    driver: &VenueDriver,
    environment: BasisEnvironment,
    session: &Session,
) -> Result<(), ComponentError> {
    let mut section = Node::empty_map(Location::new("--set", 0));
    let given = settings(&arguments.sets, driver, session)?;
    overlay(&mut section, &given, driver.facts.venue);
    let (problems, contradictions) = (Problems::new(), Problems::new());
    // What it would build is not wanted: only what is wrong with the section.
    let _build = driver.read(&section, &problems);
    check_section(driver, &section, environment, &contradictions);
    let refused = [
        (problems.into_sorted(), "settings"),
        (contradictions.into_sorted(), "environment"),
    ];
    for (problems, reason) in refused {
        if !problems.is_empty() {
            let error = listed(Code::VenueInvalid, "venue_settings", &problems);
            return Err(error.with_reason(reason));
        }
    }
    Ok(())
}

/// The reference of a market order; `None` for everything else.
fn reference(
    arguments: &Arguments,
    driver: &VenueDriver,
    instruction: &Instruction,
    session: &Session,
) -> Result<Option<Reference>, Failure> {
    let (kind, symbol) = match &instruction.operation {
        Operation::SpotTrade(trade) if trade.order_type == OrderType::Market => {
            (InstrumentKind::Spot, trade.symbol)
        }
        Operation::PerpTrade(trade) if trade.order_type == OrderType::Market => {
            (InstrumentKind::Perp, trade.symbol)
        }
        _ => return Ok(None),
    };
    if let Some(text) = arguments.price.as_deref() {
        let price = Price::parse(text).ok().filter(|price| price.is_positive());
        let price = price.ok_or_else(|| {
            let message = format!("--price: `{text}` is no price above zero");
            ComponentError::new(Code::Usage, message)
        })?;
        return Ok(Some(Reference {
            price,
            source: "--price",
        }));
    }
    let venue: Venue = driver.facts.venue;
    let source = Source::choose(arguments.data.as_deref(), session);
    source.announce(session);
    let rules = rules_of(venue, None, arguments.rules.as_deref())?;
    let (view, at, synthetic) = super::market(&source, &rules, driver, arguments, session)?;
    let series = InstrumentKey::new(venue, kind, symbol).series();
    let quote = view.slot(series).map(|slot| *view.quote(slot));
    let fresh = quote.filter(|quote| quote.state == PriceState::Fresh);
    let Some(quote) = fresh else {
        let message = format!(
            "{series} has no fresh price at {at}, and the collar of a market order is measured from one; \
             give it with --price"
        );
        return Err(ComponentError::new(Code::DataMissing, message).into());
    };
    Ok(Some(Reference {
        price: quote.mark,
        source: if synthetic {
            "synthetic market"
        } else {
            "data"
        },
    }))
}

fn as_json(request: &Request) -> Json {
    let headers: serde_json::Map<_, _> = request
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), Json::from(value.as_str())))
        .collect();
    json!({
        "method": request.method,
        "url": request.url,
        "headers": headers,
        "body": String::from_utf8_lossy(&request.body),
    })
}
