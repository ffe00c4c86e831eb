//! `basis data import`: brings files of venues, libraries and indexers into a directory of data.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use basis_core::error::{Code, ComponentError};
use basis_data::import::{Anchor, Kind, Mapping};
use basis_data::{ImportReport, ImportRequest};
use serde_json::json;

use super::errors::Failure;
use super::{Session, progress};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Whose files these are: binance, bybit, okx, ccxt, tardis, aave, defillama, feehistory, or basis for the layout itself.
    /// May be repeated; a file is of the first that it fits.
    #[arg(
        long = "format",
        value_name = "FORMAT",
        required_unless_present = "map"
    )]
    formats: Vec<String>,
    /// Columns of any other table, as `timestamp=date,funding_rate=rate*1e-2`, or a file with them.
    /// See docs/data.md.
    #[arg(long, value_name = "MAP|FILE", conflicts_with = "formats")]
    map: Option<String>,
    /// Write the map to a file, to be given to --map again.
    #[arg(long, value_name = "FILE", requires = "map")]
    save_map: Option<PathBuf>,
    /// The directory of data; made where it is not there, merged with where it is.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// What the rows are, where the files do not say it: spot, perp, mark, index, peg, funding, dex,
    /// `aave_reserve`, oracle, `staking_rate`, `staking_market` or gas.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<Kind>,
    /// Whose the rows are, where the format does not say it; of gas, the chain.
    #[arg(long, value_name = "VENUE")]
    venue: Option<String>,
    /// The instrument, where the files do not say it; of files with several, the one to import. May be
    /// repeated.
    #[arg(long = "symbol", value_name = "SYMBOL")]
    symbols: Vec<String>,
    /// The time between rows, as 1h, where neither names nor rows say it.
    #[arg(long, value_name = "INTERVAL")]
    interval: Option<String>,
    /// Decimals of the token, where amounts are in its smallest unit.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=36))]
    decimals: Option<u8>,
    /// A block and its instant, as 19000000@2024-01-13T22:29:59Z, for files that name blocks alone.
    #[arg(long, value_name = "BLOCK@INSTANT", value_parser = Anchor::parse)]
    anchor: Option<Anchor>,
    /// CSV, JSON, gzip or zip.
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
}

fn kind(word: &str) -> Result<Kind, String> {
    Kind::word(word).ok_or_else(|| {
        let known = Kind::ALL.map(|(word, _)| word).join(", ");
        format!("no kind; there is {known}")
    })
}

pub(super) fn run(arguments: &Arguments, session: &Session) -> Result<(), Failure> {
    let map = arguments.map.as_deref().map(map_text).transpose()?;
    let bar = progress::bar("importing", session.quiet);
    bar.set_length(u64::try_from(arguments.files.len()).unwrap_or(u64::MAX));
    let report = basis_data::import(
        &ImportRequest {
            formats: &arguments.formats,
            map: map.as_deref(),
            files: &arguments.files,
            kind: arguments.kind,
            venue: arguments.venue.as_deref(),
            symbols: &arguments.symbols,
            interval: arguments.interval.as_deref(),
            decimals: arguments.decimals,
            anchor: arguments.anchor,
        },
        &arguments.to,
        &|file, done| {
            bar.set_message(file.display().to_string());
            bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
        },
    );
    bar.finish_and_clear();
    let report = report.map_err(by_when)?;
    if let (Some(path), Some(map)) = (&arguments.save_map, &map) {
        save(path, map)?;
    }
    if session.json {
        session.print_json(&json!(report))
    } else {
        session.print(&text(&report))
    }
}

/// A request that cannot be is the command line's fault; files that are wrong fail the run.
fn by_when(e: ComponentError) -> Failure {
    match e.code {
        Code::Usage | Code::DataMissing => e.into(),
        _ => Failure::running(e),
    }
}

/// The map of a file, or the map itself.
fn map_text(given: &str) -> Result<String, Failure> {
    let path = Path::new(given);
    if given.contains('=') && !path.exists() {
        return Ok(given.to_owned());
    }
    fs::read_to_string(path).map_err(|e| {
        let message = format!("--map {given}: neither a map nor a file that can be read: {e}");
        Failure::usage(message)
    })
}

fn save(path: &Path, map: &str) -> Result<(), Failure> {
    let map = Mapping::parse(map).map_err(Failure::usage)?;
    fs::write(path, map.text()).map_err(|e| {
        let message = format!("{} cannot be written: {e}", path.display());
        Failure::running(ComponentError::new(Code::OutputUnusable, message).with_source(e))
    })
}

fn text(report: &ImportReport) -> String {
    let mut rows = super::report::table(&["file", "rows", "new", "repeated", "first", "last"]);
    for series in &report.series {
        let at = |at: Option<basis_core::types::Timestamp>| {
            at.map(|at| at.to_string()).unwrap_or_default()
        };
        rows.add_row([
            series.path.clone(),
            series.rows.to_string(),
            series.added.to_string(),
            series.repeated.to_string(),
            at(series.first),
            at(series.last),
        ]);
    }
    let mut out = format!("{}\n{rows}\n", report.directory);
    // Writing to a string cannot fail.
    for rule in &report.rules {
        writeln!(out, "rule: {rule}").unwrap_or_default();
    }
    for assumption in &report.assumptions {
        writeln!(out, "assumption: {assumption}").unwrap_or_default();
    }
    let (sources, parts) = (report.sources.len(), report.series.len());
    writeln!(
        out,
        "{sources} files read, {parts} series written; look at them with `basis data check {}`",
        report.directory
    )
    .unwrap_or_default();
    out
}
