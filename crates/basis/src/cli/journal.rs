//! `basis journal`: what a journal holds, and whether it holds together.

use std::path::{Path, PathBuf};

use basis_core::error::{Code, ComponentError};
use basis_core::journal::{Content, JournalReader};
use basis_core::types::{ClientOrderId, Venue};
use basis_engine::journal::{OpenNow, Overview, overview, replay};
use basis_live::sqlite::{self, SqliteReader};
use basis_report::journal::export;
use serde_json::{Value as Json, json};

use super::Session;
use super::backtest::TableFormat;
use super::errors::{Failure, RUN_FAILED};
use super::market::Source;
use super::report::table;
use crate::config::layers::{self, LogLevel, Request};

/// The most differences of a replay that are shown.
const DIFFERENCES_SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The journal, as `basis backtest --journal` left it.
    #[arg(required = true)]
    file: Option<PathBuf>,
    #[command(flatten)]
    view: View,
    /// Tables that --export writes: CSV, or CSV and Parquet beside it.
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "csv")]
    format: TableFormat,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Take into the books what a venue holds beyond them, as capital from outside.
    Adopt(Adopt),
}

/// What is shown; where the run stands, without any of these.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct View {
    /// Instructions that have not ended.
    #[arg(long)]
    open: bool,
    /// Every event in the order it was taken.
    #[arg(long)]
    events: bool,
    /// Every ledger line in posting order.
    #[arg(long)]
    ledger: bool,
    /// Check digests, numbers and causes: one changed byte is found.
    #[arg(long)]
    check: bool,
    /// Post every event again over the marks that were kept, and compare with the ledger.
    #[arg(long)]
    replay: bool,
    /// Write instructions, events and ledger as tables to this directory.
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Adopt {
    /// The journal.
    file: PathBuf,
    /// Whose holdings are taken in.
    #[arg(long)]
    venue: String,
    /// Directory of recorded data. Default: `BASIS_DATA_DIR`, else a built-in synthetic market.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, session: &Session) -> Result<(), Failure> {
    if let Some(Command::Adopt(adopt)) = &arguments.command {
        return take_in(adopt, session);
    }
    let Some(file) = &arguments.file else {
        return Err(Failure::usage("name the journal: basis journal FILE"));
    };
    let view = &arguments.view;
    if view.check {
        return check(file, session);
    }
    let reader = SqliteReader::open(file).map_err(ComponentError::from)?;
    if view.replay {
        return replayed(&reader, session);
    }
    if let Some(out) = &view.export {
        let (directory, files) = export(out, &reader, arguments.format.into())?;
        let place = directory.display().to_string();
        session.note(LogLevel::Info, &format!("written to {place}"));
        if !session.json {
            return session.print(&format!("{place}\n"));
        }
        let files: Vec<_> = files.iter().map(|file| (&file.name, file.bytes)).collect();
        return session.print_json(&json!({ "directory": place, "files": files }));
    }
    if view.events {
        return events(&reader, session);
    }
    if view.ledger {
        return ledger(&reader, session);
    }
    let standing = overview(&reader)?;
    if view.open {
        return open(&reader, standing.as_ref(), session);
    }
    summary(&reader, standing.as_ref(), session)
}

/// Lists what is wrong with a journal file.
fn check(file: &Path, session: &Session) -> Result<(), Failure> {
    let problems = sqlite::check(file).map_err(ComponentError::from)?;
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    if session.json {
        session.print_json(&json!({ "problems": problems }))?;
    } else if problems.is_empty() {
        session.print("the journal holds together\n")?;
    } else {
        session.print(&format!("{}\n", problems.join("\n")))?;
    }
    let Some(first) = problems.first() else {
        return Ok(());
    };
    let message = format!(
        "{}: {} problem(s), the first: {first}",
        file.display(),
        problems.len()
    );
    Err(damaged(message))
}

fn damaged(message: String) -> Failure {
    Failure {
        error: ComponentError::new(Code::JournalDamaged, message),
        exit: RUN_FAILED,
    }
}

fn replayed(reader: &SqliteReader, session: &Session) -> Result<(), Failure> {
    let mut shown = Vec::new();
    let replayed = replay(reader, &mut |text| {
        if shown.len() < DIFFERENCES_SHOWN {
            shown.push(text);
        }
    })?;
    if session.json {
        session.print_json(&json!({
            "commits": replayed.commits,
            "events": replayed.events,
            "lines": replayed.lines,
            "differences": replayed.differences,
            "first": shown,
        }))?;
    } else {
        session.print(&format!(
            "{} event(s) of {} commit(s) posted again: {} ledger line(s) equal, {} difference(s)\n",
            replayed.events, replayed.commits, replayed.lines, replayed.differences
        ))?;
        for text in &shown {
            session.print(&format!("{text}\n"))?;
        }
    }
    match shown.first() {
        None => Ok(()),
        Some(first) => Err(damaged(format!(
            "{} event(s) do not make the ledger's lines, the first: {first}",
            replayed.differences
        ))),
    }
}

fn events(reader: &SqliteReader, session: &Session) -> Result<(), Failure> {
    let content = Content {
        events: true,
        ..Content::default()
    };
    let mut list = Vec::new();
    let mut text = String::new();
    reader.read(content, &mut |commit| {
        for taken in &commit.events {
            if session.json {
                list.push(json!(taken));
                continue;
            }
            let event = &taken.event;
            let named = match (event.key(), event.instruction()) {
                (Some(key), _) => key.to_string(),
                (None, Some(id)) => format!("instruction {id}"),
                (None, None) => String::new(),
            };
            text.push_str(&format!(
                "{}  {:<10} {:<19} {} line(s)  {named}\n",
                event.at,
                event.venue.as_str(),
                event.kind.as_str(),
                taken.lines
            ));
        }
        Ok(())
    })?;
    if session.json {
        return session.print_json(&Json::Array(list));
    }
    session.print(&text)
}

fn ledger(reader: &SqliteReader, session: &Session) -> Result<(), Failure> {
    let content = Content {
        lines: true,
        ..Content::default()
    };
    let mut list = Vec::new();
    let mut text = String::new();
    reader.read(content, &mut |commit| {
        for line in &commit.lines {
            if session.json {
                list.push(json!({
                    "at": line.at,
                    "account": line.account.to_string(),
                    "item": line.item.to_string(),
                    "quantity": line.quantity,
                    "units": line.units,
                    "value_usd": line.value,
                    "kind": line.kind.as_str(),
                    "instruction_id": line.instruction,
                    "reference_price_usd": line.reference_price,
                    "cause": line.cause.to_string(),
                }));
                continue;
            }
            text.push_str(&format!(
                "{}  {:<14} {} of {} in {}, {} USD  {}\n",
                line.at,
                line.kind.as_str(),
                line.quantity,
                line.item,
                line.account,
                line.value,
                line.cause
            ));
        }
        Ok(())
    })?;
    if session.json {
        return session.print_json(&Json::Array(list));
    }
    session.print(&text)
}

fn open_json(open: &OpenNow, client_order_id: &ClientOrderId) -> Json {
    json!({
        "instruction_id": open.instruction.id,
        "client_order_id": client_order_id.as_str(),
        "venue": open.venue,
        "state": open.state,
        "filled_base": open.filled,
        "error": open.error,
        "operation": open.instruction.operation,
    })
}

fn open(
    reader: &SqliteReader,
    standing: Option<&Overview>,
    session: &Session,
) -> Result<(), Failure> {
    let book = reader.head().and_then(|head| head.book_id());
    let book = book.map_err(ComponentError::from)?;
    let open = standing.map(|standing| standing.open.as_slice());
    let open = open.unwrap_or_default();
    let id = |open: &OpenNow| ClientOrderId::derive(book, open.instruction.id);
    if session.json {
        return session.print_json(&open.iter().map(|open| open_json(open, &id(open))).collect());
    }
    if open.is_empty() {
        return session.print("nothing is open\n");
    }
    let mut rows = table(&[
        "instruction",
        "client order id",
        "venue",
        "operation",
        "state",
        "filled",
    ]);
    for open in open {
        rows.add_row([
            open.instruction.id.to_string(),
            id(open).to_string(),
            open.venue.to_string(),
            open.instruction.operation.kind().to_string(),
            open.error.clone().unwrap_or_else(|| open.state.clone()),
            open.filled.to_string(),
        ]);
    }
    session.print(&format!("{rows}\n"))
}

/// How much of everything there is.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    commits: u64,
    instructions: usize,
    events: usize,
    lines: usize,
}

impl Totals {
    fn of(reader: &SqliteReader) -> Result<Self, ComponentError> {
        let content = Content {
            instructions: true,
            events: true,
            lines: true,
            ..Content::default()
        };
        let mut totals = Self::default();
        reader.read(content, &mut |commit| {
            totals.commits += 1;
            totals.instructions += commit.instructions.len();
            totals.events += commit.events.len();
            totals.lines += commit.lines.len();
            Ok(())
        })?;
        Ok(totals)
    }
}

fn summary(
    reader: &SqliteReader,
    standing: Option<&Overview>,
    session: &Session,
) -> Result<(), Failure> {
    let head = reader.head().map_err(ComponentError::from)?;
    let starts = reader.starts().map_err(ComponentError::from)?;
    let totals = Totals::of(reader)?;
    if session.json {
        return session.print_json(&json!({
            "book": head.book,
            "mode": head.mode,
            "config_hash": head.config_hash,
            "starts": starts,
            "commits": totals.commits,
            "instructions": totals.instructions,
            "events": totals.events,
            "ledger_lines": totals.lines,
            "standing": standing.map(standing_json),
        }));
    }
    let mut rows = table(&["journal", &format!("{} of {}", head.book, head.mode)]);
    let mut row = |name: &str, value: String| {
        rows.add_row([name.to_owned(), value]);
    };
    row("configuration", head.config_hash);
    for start in &starts {
        let (at, epoch, version) = (start.at, start.epoch, &start.version);
        row(
            "start",
            format!("at {at}, epoch {epoch}, version {version}"),
        );
    }
    row("commits", totals.commits.to_string());
    row("instructions", totals.instructions.to_string());
    row("events", totals.events.to_string());
    row("ledger lines", totals.lines.to_string());
    let Some(now) = standing else {
        row("stands at", "nothing was committed yet".to_owned());
        return session.print(&format!("{rows}\n"));
    };
    row(
        "stands at",
        format!("{} after {} step(s)", now.at, now.steps),
    );
    row("equity", format!("{} USD", now.equity_usd));
    row("plan under way", now.plan.unwrap_or("none").to_owned());
    row("open instructions", now.open.len().to_string());
    let halted = now.venues.iter();
    for (venue, reason) in halted.filter_map(|(venue, why)| Some((venue, why.as_ref()?))) {
        row("halted", format!("{venue}: {reason}"));
    }
    if let Some(reason) = &now.halted {
        row("strategy halted", reason.clone());
    }
    session.print(&format!("{rows}\n"))
}

fn standing_json(now: &Overview) -> Json {
    let venues = now.venues.iter();
    let venues: Vec<_> = venues
        .map(|(venue, halted)| json!({ "venue": venue, "halted": halted }))
        .collect();
    json!({
        "at": now.at,
        "steps": now.steps,
        "equity_usd": now.equity_usd,
        "halted": now.halted,
        "in_a_wake": now.in_a_wake,
        "plan": now.plan,
        "open": now.open.len(),
        "venues": venues,
    })
}

/// `basis journal adopt`.
fn take_in(arguments: &Adopt, session: &Session) -> Result<(), Failure> {
    let venue = Venue::new(&arguments.venue).map_err(|e| Failure::usage(e.to_string()))?;
    let head = SqliteReader::open(&arguments.file).and_then(|reader| reader.head());
    let head = head.map_err(ComponentError::from)?;
    let source = Source::choose(arguments.data.as_deref(), session);
    let request = Request {
        mode: &head.mode,
        whole: Some(&head.config),
        ..Request::default()
    };
    let resolved = layers::resolve(&request, &session.environment, &session.app)?;
    session.level.set(resolved.log_level);
    source.announce(session);
    let data = source.load(&resolved.setup.data_request()?, session.quiet)?;
    let adopted = crate::journal::adopt(data, &resolved.setup, (&arguments.file, venue))?;
    if session.json {
        return session.print_json(&json!({ "venue": venue, "adopted": adopted }));
    }
    session.print(&format!(
        "{adopted} holding(s) of {venue} taken into the books\n"
    ))
}
