//! `basis instruct --mode live`: one instruction, journaled first, at the venue itself.

use std::sync::Arc;

use basis_core::clock::Clock;
use basis_core::config::{Location, Node};
use basis_core::error::{Code, ComponentError};
use basis_core::instruction::{Instruction, Operation};
use basis_core::types::{ClientOrderId, InstructionId, Symbol};
use basis_core::venue::ExecutionMode;
use basis_core::venue_event::{Fill, OrderState};
use basis_venues::credentials::{BasisEnvironment, load_credentials};
use basis_venues::driver::{LiveScope, VenueDriver};
use basis_venues::factory::FactorySettings;
use serde_json::{Value as Json, json};

use super::dry_run::check_networks;
use super::{Arguments, overlay, parse, read_stdin, rules_of, settings};
use crate::cli::Session;
use crate::cli::errors::Failure;
use crate::config::layers::LogLevel;
use crate::trading::{FoundBook, Line, Outcome, SystemClock, Trader};

pub(super) fn run(
    arguments: &Arguments,
    driver: &VenueDriver,
    session: &Session,
) -> Result<(), Failure> {
    let venue = driver.facts.venue;
    if !driver.facts.modes.contains(&ExecutionMode::Live) {
        let message =
            format!("{venue} cannot be traded at live in this version; binance, bybit and okx can");
        return Err(ComponentError::new(Code::CreationFailed, message)
            .with_reason("mode")
            .into());
    }
    refuse_flags(arguments)?;
    let Some(path) = arguments.journal.as_deref() else {
        return Err(Failure::usage(
            "what is sent is written down first: name the journal with --journal FILE",
        ));
    };
    let variables = session.environment.variables();
    let environment = BasisEnvironment::read(variables).map_err(ComponentError::from)?;
    check_networks(arguments, driver, environment, session)?;
    let text = match arguments.instruction.as_deref() {
        Some("-") | None => read_stdin()?,
        Some(text) => text.to_owned(),
    };
    let instruction = parse(&text, driver)?;
    refuse_id(&text)?;
    // What is wrong with them is said before a journal is looked for.
    load_credentials(&driver.facts.credentials, environment, variables)?;
    session.warn_of_environment();
    let clock = Arc::new(SystemClock::new());
    let now = clock.now();
    let starts = (now, random(now));
    let found = FoundBook::find(path, (venue, environment.as_str()), starts)?;
    let rules = rules_of(venue, None, arguments.rules.as_deref())?;
    let mut section = Node::empty_map(Location::new("--set", 0));
    let given = settings(&arguments.sets, driver, session)?;
    overlay(&mut section, &given, venue);
    let open = found.outcomes.open();
    let all: Vec<_> = open
        .iter()
        .map(|open| &open.instruction)
        .chain([&instruction])
        .collect();
    let line = Line {
        registry: session.app.venues.clone(),
        variables: variables.clone(),
        book: found.id,
        rules,
        scope: scope_of(&all),
        factory: FactorySettings::default(),
    };
    let shared: Arc<dyn Clock> = clock;
    let connected = line.connect(venue, &section, Arc::clone(&shared));
    let connected = connected.map_err(|failed| failed.error)?;
    let mut trader = Trader::new(found.begin()?, connected, shared);
    let resumed = trader.recover().map_err(Failure::running)?;
    let id = trader
        .execute(instruction.operation)
        .map_err(Failure::running)?;
    answer(&trader, (id, &resumed), environment, session)
}

/// Prints what came of it; an instruction that came to nothing, or to nobody knows what, fails the command.
fn answer(
    trader: &Trader,
    (id, resumed): (InstructionId, &[InstructionId]),
    environment: BasisEnvironment,
    session: &Session,
) -> Result<(), Failure> {
    for notice in trader.notices() {
        session.note(LogLevel::Info, &notice);
    }
    let outcome = trader.outcome(id);
    let book = trader.book.id;
    let shown = |id: InstructionId, outcome: &Outcome| {
        json!({
            "instruction_id": id,
            "client_order_id": ClientOrderId::derive(book, id).as_str(),
            "venue_order_id": outcome.venue_order_id,
            "outcome": outcome.word(),
            "filled": outcome.filled,
            "fills": outcome.fills.iter().map(fill).collect::<Vec<_>>(),
        })
    };
    let mut json = shown(id, &outcome);
    let resumed: Vec<_> = resumed
        .iter()
        .map(|id| shown(*id, &trader.outcome(*id)))
        .collect();
    if let Some(json) = json.as_object_mut() {
        json.insert("mode".to_owned(), Json::from("live"));
        json.insert("environment".to_owned(), Json::from(environment.as_str()));
        json.insert("resumed".to_owned(), Json::from(resumed));
    }
    session.print_json(&json)?;
    if let Some(e) = outcome.rejected {
        return Err(Failure::running(e.into()));
    }
    if outcome.state == Some(OrderState::Lost) {
        let message = format!("instruction {id} was never accepted: it is in no list of the venue");
        let error = ComponentError::new(Code::OrderFailed, message);
        return Err(Failure::running(error));
    }
    if outcome.is_over() || outcome.rests() {
        return Ok(());
    }
    let seen = outcome.unknown.map(|e| e.to_string());
    let message = format!(
        "what became of instruction {id} is not known yet{}; it is in the journal, and the next start finds out \
         before it sends anything",
        seen.map(|seen| format!(" ({seen})")).unwrap_or_default()
    );
    Err(Failure::running(ComponentError::new(
        Code::OutcomeUnknown,
        message,
    )))
}

fn fill(fill: &Fill) -> Json {
    json!({
        "trade": fill.trade,
        "side": fill.side,
        "quantity": fill.quantity,
        "price": fill.price,
        "fee": fill.fee,
        "fee_asset": fill.fee_asset,
        "liquidity": fill.liquidity.as_str(),
    })
}

/// What only a simulation or a dry run has.
fn refuse_flags(arguments: &Arguments) -> Result<(), ComponentError> {
    let given = [
        ("--at", arguments.at.is_some()),
        ("--data", arguments.data.is_some()),
        ("--balance", !arguments.balances.is_empty()),
    ];
    let Some((flag, _)) = given.into_iter().find(|(_, given)| *given) else {
        return Ok(());
    };
    let message = format!("{flag} is of a simulation; leave it out with --mode live");
    Err(ComponentError::new(Code::Usage, message))
}

/// Ids are the journal's to give: one that is chosen could be an earlier order's.
fn refuse_id(text: &str) -> Result<(), ComponentError> {
    let named = serde_json::from_str::<Json>(text).ok();
    if named.is_some_and(|json| json.get("id").is_some()) {
        let message =
            "`id`: the journal numbers instructions itself; leave it out with --mode live";
        return Err(ComponentError::new(Code::InstructionInvalid, message));
    }
    Ok(())
}

fn symbols_of(instructions: &[&Instruction]) -> Vec<Symbol> {
    let symbol = |instruction: &&Instruction| match &instruction.operation {
        Operation::SpotTrade(trade) => Some(trade.symbol),
        Operation::PerpTrade(trade) => Some(trade.symbol),
        Operation::CancelOrder(cancel) => Some(cancel.symbol),
        Operation::AmendOrder(amend) => Some(amend.symbol),
        Operation::SetLeverage(set) => Some(set.symbol),
        _ => None,
    };
    let mut symbols: Vec<_> = instructions.iter().filter_map(symbol).collect();
    symbols.sort_unstable();
    symbols.dedup();
    symbols
}

/// What is managed, and what is spoken to. What changes an order goes where the order is; a transfer needs
/// spot's clock, which is the wallet's.
fn scope_of(instructions: &[&Instruction]) -> LiveScope {
    let any = |wanted: fn(&Operation) -> bool| {
        instructions
            .iter()
            .any(|instruction| wanted(&instruction.operation))
    };
    let spot =
        any(|operation| matches!(operation, Operation::SpotTrade(_) | Operation::Transfer(_)));
    let perp = any(|operation| {
        matches!(
            operation,
            Operation::PerpTrade(_) | Operation::SetLeverage(_)
        )
    });
    // An order that is to be changed and is not open any more is nowhere.
    LiveScope {
        symbols: symbols_of(instructions),
        spot: spot || !perp,
        perps: perp,
    }
}

/// Tells apart copies of a journal that start within one second.
fn random(now: basis_core::types::Timestamp) -> u32 {
    let nanos = now.nanos().unsigned_abs() ^ (u64::from(std::process::id()) << 20);
    let mixed = nanos.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    u32::try_from(mixed).unwrap_or(1).max(1)
}
