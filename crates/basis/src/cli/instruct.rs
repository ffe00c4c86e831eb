//! `basis instruct`: one instruction on a fresh simulated venue, or the requests it would become.

mod dry_run;
#[cfg(feature = "live")]
mod live;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use basis_core::config::{Location, Node, Problems, nearest};
use basis_core::error::{Code, ComponentError, Rejection, VenueError, VenueErrorKind};
use basis_core::instruction::{Instruction, Operation, OperationKind};
use basis_core::num::Quantity;
use basis_core::rules::RuleBook;
use basis_core::types::{
    Asset, InstructionId, Label, SeriesId, SeriesKind, Span, Timestamp, Venue,
};
use basis_core::venue::{ExecutionMode, FillAt, VenueType};
use basis_core::venue_event::Events;
use basis_market::{ExecutionInterface, MarketData, MarketView, SeriesRequest, ViewPolicy};
use basis_venues::driver::VenueDriver;
use basis_venues::factory::FactorySettings;
use serde_json::Value as Json;

use super::answer::{Answer, Refusal};
use super::errors::Failure;
use super::market::Source;
use super::{Session, schema};
use crate::assembly::World;
use crate::config::dates::{self, End};
use crate::config::layers::{LogLevel, Template};
use crate::config::setup::load_request;
use crate::config::{listed, read_file, rules};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The venue to address.
    #[arg(long)]
    venue: String,
    /// How to execute: simulated, or with --dry-run as the requests of the real venue.
    #[arg(long, default_value = "backtest", value_parser = ["backtest", "live"])]
    mode: String,
    /// With --mode live: print the exact requests, secrets masked, and send nothing.
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: the instruction (JSON, with its id) that opened the order to amend or cancel.
    #[arg(long, value_name = "JSON", requires = "dry_run")]
    order: Option<String>,
    /// With --dry-run: the price from which a market order's collar is measured. Default: the newest of the
    /// data at TIME.
    #[arg(long, value_name = "PRICE", requires = "dry_run")]
    price: Option<String>,
    /// Rules of the venue, laid over the built-in ones as in a run.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// With --mode live: the journal that holds what is sent and what came of it; begun where none is.
    #[cfg(feature = "live")]
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    journal: Option<PathBuf>,
    /// When: a date (its midnight) or an instant. Default: the end of the data.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Directory of recorded data. Default: `BASIS_DATA_DIR`, else a built-in synthetic market.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// What an account holds before, as `spot:USDT=10000`; may be repeated.
    #[arg(long = "balance", value_name = "ACCOUNT:ASSET=QTY")]
    balances: Vec<String>,
    /// A setting of a venue, as `venue_settings.curve.pools={...}`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Print the JSON Schema of the instructions the venue takes, and execute nothing.
    #[arg(long)]
    schema: bool,
    /// The instruction as JSON; `-` reads it from stdin.
    #[arg(
        value_name = "JSON|-",
        required_unless_present = "schema",
        allow_hyphen_values = true
    )]
    instruction: Option<String>,
}

/// What the venues of the chain read of the market.
const CHAIN_SERIES: [&str; 18] = [
    "spot.bybit.ETHUSDT",
    "gas.ethereum.gwei",
    "staking_rate.etherfi.weETH_ETH",
    "staking_rate.lido.wstETH_ETH",
    "staking_market.curve.weETH_ETH",
    "staking_market.uniswap.wstETH_ETH",
    "aave_reserve.aave.USDT",
    "aave_reserve.aave.WETH",
    "aave_reserve.aave.weETH",
    "aave_reserve.aave.wstETH",
    "oracle.aave.USDT_USD",
    "oracle.aave.WETH_USD",
    "oracle.aave.weETH_ETH",
    "oracle.aave.wstETH_ETH",
    "dex.uniswap.WETHUSDT_3000",
    "dex.uniswap.EIGENWETH_3000",
    "dex.uniswap.ETHFIWETH_3000",
    "reward_rate.etherfi.EIGEN",
];

pub(super) fn run(arguments: &Arguments, session: &Session) -> Result<(), Failure> {
    let driver = *session.app.venues.require(&arguments.venue)?;
    if arguments.schema {
        return session.print_json(&schema::instructions(driver.facts.operations));
    }
    if arguments.mode == "live" && arguments.dry_run {
        return dry_run::run(arguments, &driver, session);
    }
    #[cfg(feature = "live")]
    if arguments.mode == "live" {
        return live::run(arguments, &driver, session);
    }
    only_simulated(arguments)?;
    let text = match arguments.instruction.as_deref() {
        Some("-") | None => read_stdin()?,
        Some(text) => text.to_owned(),
    };
    let instruction = parse(&text, &driver)?;
    let receiver = match &instruction.operation {
        Operation::Transfer(transfer) => Some(transfer.to.venue),
        _ => None,
    };
    let rules = rules_of(driver.facts.venue, receiver, arguments.rules.as_deref())?;
    let holder = if is_on_chain(&driver) {
        Venue::WALLET
    } else {
        driver.facts.venue
    };
    let balances = balances(&arguments.balances, holder, &rules)?;
    let settings = settings(&arguments.sets, &driver, session)?;
    let source = Source::choose(arguments.data.as_deref(), session);
    source.announce(session);
    session.warn_of_environment();
    let (view, at, synthetic) = market(&source, &rules, &driver, arguments, session)?;
    let world = World::new(at, Arc::clone(&rules), FillAt::default());
    // On the chain the wallet pays, and the steps of a group go to other venues: all of them are there.
    let mut others = Vec::new();
    for other in session.app.venues.all().filter(|_| is_on_chain(&driver)) {
        if other.facts.venue != driver.facts.venue && is_on_chain(other) {
            let mut section = balances_at(other.facts.venue, holder, &balances);
            overlay(&mut section, &settings, other.facts.venue);
            others.push(create(&world, other, &section, session)?);
        }
    }
    let mut own = balances_at(driver.facts.venue, holder, &balances);
    overlay(&mut own, &settings, driver.facts.venue);
    let mut interface = create(&world, &driver, &own, session)?;
    let mut events = Events::new();
    interface.execute_instructions(&view, std::slice::from_ref(&instruction), &mut events);
    let answer = Answer::of(driver.facts.venue, &instruction, (&events, &view));
    let mut answer = answer.map_err(|refusal| {
        if let Refusal::Venue(e) = &refusal
            && arguments.balances.is_empty()
            && is_unfunded(e)
        {
            let accounts = accounts_of(holder, &world.rules);
            session.note(LogLevel::Info, &how_to_fund(holder, &accounts));
        }
        Failure::running(refusal.into())
    })?;
    others.push(interface);
    answer
        .ask_queues(&others, &view)
        .map_err(|e| Failure::running(e.into()))?;
    session.print_json(&answer.as_json(at, synthetic))
}

/// Refuses what asks for more than a simulation.
fn only_simulated(arguments: &Arguments) -> Result<(), ComponentError> {
    if arguments.dry_run {
        let message = "--dry-run shows the requests of a real venue: it goes with --mode live";
        return Err(ComponentError::new(Code::Usage, message));
    }
    if arguments.mode == "live" {
        let message = "live trading is not part of this build: nothing here sends a request; build it with the \
                       feature `live`. --dry-run prints what would be sent, --mode backtest executes the \
                       instruction on a simulated venue";
        return Err(ComponentError::new(Code::CreationFailed, message).with_reason("mode"));
    }
    Ok(())
}

/// Whether the venue works on the simulated chain, the wallet included.
fn is_on_chain(driver: &VenueDriver) -> bool {
    driver.facts.venue_type != VenueType::Cex
}

/// The section of `venue`: the balances for who holds them, nothing for the others.
fn balances_at(venue: Venue, holder: Venue, balances: &Node) -> Node {
    if venue == holder {
        balances.clone()
    } else {
        Node::empty_map(balances.location.clone())
    }
}

/// What `--set` says of the venues that take part, by venue.
fn settings(
    texts: &[String],
    driver: &VenueDriver,
    session: &Session,
) -> Result<Node, ComponentError> {
    let mut root = Node::empty_map(Location::new("--set", 0));
    for text in texts {
        let layer = Template::layer("--set", text)?;
        let section = layer.get("venue_settings").ok_or_else(|| {
            let message = format!(
                "--set {text}: a single instruction has settings of venues alone; write \
                 venue_settings.VENUE.KEY=VALUE"
            );
            ComponentError::new(Code::Usage, message)
        })?;
        for entry in section.entries() {
            let named = session.app.venues.require(&entry.key)?;
            let on_one_chain = is_on_chain(driver) && is_on_chain(named);
            let takes_part = named.facts.venue == driver.facts.venue || on_one_chain;
            if !takes_part {
                let message = format!(
                    "--set {text}: {} takes no part in an instruction to {}; leave it out",
                    named.facts.venue, driver.facts.venue
                );
                return Err(ComponentError::new(Code::Usage, message));
            }
        }
        root.overlay(section.clone());
    }
    Ok(root)
}

/// Lays what `settings` say of `venue` over its section.
fn overlay(section: &mut Node, settings: &Node, venue: Venue) {
    if let Some(own) = settings.get(venue.as_str()) {
        section.overlay(own.clone());
    }
}

fn read_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .read_to_string(&mut text)
        .map_err(|e| Failure::usage(format!("the instruction cannot be read from stdin: {e}")))?;
    Ok(text)
}

/// The instruction, if it is one that the venue takes.
fn parse(text: &str, driver: &VenueDriver) -> Result<Instruction, ComponentError> {
    let facts = &driver.facts;
    let invalid = |message: String| ComponentError::new(Code::InstructionInvalid, message);
    let json: Json =
        serde_json::from_str(text).map_err(|e| invalid(format!("no JSON: {e}")).with_source(e))?;
    let known: Vec<_> = OperationKind::ALL
        .iter()
        .map(|kind| kind.as_str())
        .collect();
    let fields = json.as_object().ok_or_else(|| {
        invalid("expected an object with one operation, as {\"spot_trade\": {...}}".to_owned())
    })?;
    for key in fields.keys() {
        if key != "id" && !known.contains(&key.as_str()) {
            let near = nearest(key, known.iter().copied())
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            let takes = names(facts.operations);
            return Err(invalid(format!(
                "unknown operation `{key}`{near} ({} takes {takes})",
                facts.venue
            )));
        }
    }
    // What the venue cannot do it says before anything about the fields.
    let takes = |key: &str| facts.operations.iter().any(|kind| kind.as_str() == key);
    if let Some(key) = fields.keys().find(|key| *key != "id" && !takes(key)) {
        let takes = names(facts.operations);
        return Err(invalid(format!(
            "{} does not execute {key}; it takes {takes}",
            facts.venue
        )));
    }
    let operations: Vec<_> = fields.keys().filter(|key| *key != "id").collect();
    let &[operation] = &operations[..] else {
        return Err(invalid(format!(
            "an instruction holds one operation, this has {}",
            operations.len()
        )));
    };
    let operation = operation.clone();
    let mut instruction = serde_json::from_value::<Instruction>(json)
        .map_err(|e| invalid(format!("{operation}: {e}")).with_source(e))?;
    if instruction.id == InstructionId::default() {
        instruction.id = InstructionId::plain(1);
    }
    Ok(instruction)
}

fn names(operations: &[OperationKind]) -> String {
    let names: Vec<_> = operations.iter().map(|kind| kind.as_str()).collect();
    names.join(", ")
}

/// The rules of the venue, those of `file` over those built in as a run would have them, of the wallet, which
/// knows the decimals of every asset, and of the receiver of a transfer.
fn rules_of(
    venue: Venue,
    receiver: Option<Venue>,
    file: Option<&Path>,
) -> Result<Arc<RuleBook>, ComponentError> {
    let problems = Problems::new();
    let mut names = vec![venue, Venue::WALLET];
    names.extend(receiver);
    names.sort_unstable();
    names.dedup();
    let mut root = Node::empty_map(Location::new("--rules", 0));
    if let Some(file) = file {
        root.set_path(&format!("rules.{venue}"), read_file(file)?);
    }
    let rules = rules::resolve(&root, &names, &problems);
    let problems = problems.into_sorted();
    if problems.is_empty() {
        return Ok(rules.book);
    }
    Err(listed(Code::ConfigInvalid, "the rules", &problems))
}

/// Whether a venue refuses for want of money.
fn is_unfunded(e: &VenueError) -> bool {
    let VenueErrorKind::Rejected { reason, .. } = &e.kind else {
        return false;
    };
    matches!(
        reason,
        Rejection::InsufficientBalance { .. } | Rejection::InsufficientMargin { .. }
    )
}

fn how_to_fund(holder: Venue, accounts: &[Label]) -> String {
    let names: Vec<_> = accounts.iter().map(Label::as_str).collect();
    format!(
        "accounts start empty here; --balance ACCOUNT:ASSET=QTY fills one (accounts of {holder}: {})",
        names.join(", ")
    )
}

/// The names of the accounts of `venue`, sorted.
fn accounts_of(venue: Venue, rules: &RuleBook) -> Vec<Label> {
    let snapshots = rules
        .venue(venue)
        .map(|rules| rules.snapshots())
        .unwrap_or_default();
    let mut accounts: Vec<_> = snapshots
        .iter()
        .flat_map(|snapshot| {
            [
                snapshot.accounts.deposit,
                snapshot.accounts.spot,
                snapshot.accounts.perp,
            ]
        })
        .map(|account| account.name)
        .collect();
    accounts.sort_unstable();
    accounts.dedup();
    accounts
}

/// The section `initial_balances` that `--balance` asks for.
fn balances(texts: &[String], venue: Venue, rules: &RuleBook) -> Result<Node, ComponentError> {
    let accounts = accounts_of(venue, rules);
    let mut section = Node::empty_map(Location::new("--balance", 0));
    for text in texts {
        let refuse = |what: &str| {
            let message =
                format!("--balance {text}: {what}; write ACCOUNT:ASSET=QTY, as spot:USDT=10000");
            ComponentError::new(Code::Usage, message)
        };
        let (place, quantity) = text
            .split_once('=')
            .ok_or_else(|| refuse("there is no `=`"))?;
        let (account, asset) = place
            .split_once(':')
            .ok_or_else(|| refuse("there is no `:`"))?;
        let prefix = format!("{venue}.");
        let account = account.strip_prefix(&prefix).unwrap_or(account);
        let account = Label::new(account).map_err(|e| refuse(&e.to_string()))?;
        if !accounts.is_empty() && !accounts.contains(&account) {
            let names: Vec<_> = accounts.iter().map(Label::as_str).collect();
            let names = names.join(", ");
            return Err(refuse(&format!(
                "{venue} has no account `{account}` ({names})"
            )));
        }
        let asset = Asset::new(asset).map_err(|e| refuse(&e.to_string()))?;
        if rules.asset_decimals(venue, asset).is_none() {
            return Err(refuse(&format!("no rules know the asset {asset}")));
        }
        let quantity = Quantity::from_str(quantity).map_err(|e| refuse(&e.to_string()))?;
        let path = format!("initial_balances.{account}.{asset}");
        section.set_path(
            &path,
            Node::text(quantity.to_string(), Location::new("--balance", 0)),
        );
    }
    Ok(section)
}

/// A view of everything the venue lists, at the asked instant.
fn market(
    source: &Source,
    rules: &RuleBook,
    driver: &VenueDriver,
    arguments: &Arguments,
    session: &Session,
) -> Result<(MarketView, Timestamp, bool), ComponentError> {
    let mut ids = Vec::new();
    if is_on_chain(driver) {
        ids.extend(
            CHAIN_SERIES
                .iter()
                .filter_map(|text| text.parse::<SeriesId>().ok()),
        );
    }
    for snapshot in rules
        .venue(driver.facts.venue)
        .map(|rules| rules.snapshots())
        .unwrap_or_default()
    {
        for instrument in &snapshot.instruments {
            ids.push(instrument.key.series());
            if instrument.perp.is_some() {
                ids.push(instrument.key.funding_series());
            }
        }
    }
    let request = load_request(ids.clone(), rules);
    let data = source.load(&request, session.quiet)?;
    ids.retain(|id| id.kind != SeriesKind::Funding && data.contains(*id));
    ids.sort_unstable();
    ids.dedup();
    let at = instant(arguments.at.as_deref(), &ids, &data)?;
    let requests: Vec<_> = ids
        .iter()
        .map(|id| SeriesRequest {
            id: *id,
            reference: None,
        })
        .collect();
    let synthetic = data.is_synthetic();
    let view = MarketView::new(data, &requests, ViewPolicy::default());
    let unusable = |e: basis_market::ViewError| {
        ComponentError::new(Code::DataMissing, e.to_string()).with_source(e)
    };
    let mut view = view.map_err(unusable)?;
    // The step before, so that the bar that ends now is the view's newest step.
    view.advance_to(at.minus(Span::HOUR)).map_err(unusable)?;
    view.advance_to(at).map_err(unusable)?;
    Ok((view, at, synthetic))
}

fn instant(
    text: Option<&str>,
    ids: &[SeriesId],
    data: &MarketData,
) -> Result<Timestamp, ComponentError> {
    if let Some(text) = text {
        return dates::parse(text, End::From).ok_or_else(|| {
            let message =
                format!("--at: `{text}` is no date; write 2024-05-01 or 2024-05-01T08:00:00Z");
            ComponentError::new(Code::DatesInvalid, message)
        });
    }
    let ends = ids
        .iter()
        .filter(|id| !id.kind.is_event())
        .filter_map(|id| data.extent(*id).map(|(_, to)| to));
    ends.min().ok_or_else(|| {
        let message = "the data has no price of this venue; name a time with --at, or give --data";
        ComponentError::new(Code::DataMissing, message)
    })
}

fn create(
    world: &World,
    driver: &VenueDriver,
    balances: &Node,
    session: &Session,
) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
    if !driver.facts.modes.contains(&ExecutionMode::Backtest) {
        let message = format!("{}: no simulated venue in this version", driver.facts.venue);
        return Err(ComponentError::new(Code::CreationFailed, message).with_reason("mode"));
    }
    let mut factory = world.factory(&session.app.venues, FactorySettings::default(), "");
    let dependencies = Some(world.dependencies());
    factory.create_interface(driver.facts.venue.as_str(), Some(balances), dependencies)
}
