//! Brings files as venues, libraries and indexers write them into the layout.
//!
//! Rows of all files are taken together, ordered, merged with what the directory has already, checked
//! by the rules that a run reads them by, and only then written: all series of an import or none.
//!
//! **Invariants.** The order of files does not matter and the same files give the same bytes. No row is
//! dropped or changed without being counted in [`ImportReport::rules`]. Two rows of one instant that
//! differ are refused with both lines. A shape of file that is not documented is not guessed at.

mod bind;
mod fees;
mod kind;
mod map;
mod merge;
mod name;
mod number;
mod open;
#[cfg(feature = "parquet")]
mod parquet;
mod read;
mod risk;
mod shape;
mod table;
mod target;
mod text;
mod ticker;
mod time;
mod write;
mod yields;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use basis_core::error::{Code, ComponentError};
use basis_core::types::Timestamp;
use serde::Serialize;

pub use fees::Anchor;
pub use kind::Kind;
pub use map::Mapping;
pub use shape::FORMATS;

use merge::Ordered;
use open::Part;
use risk::RiskTable;
use shape::Shape;
use table::{From, Key, Table, Tables, Tally};
use target::Given;
use write::Made;

/// What to import.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImportRequest<'a> {
    /// Of [`FORMATS`], those that the files may be of; none with a map.
    pub formats: &'a [String],
    /// The columns of tables of no known format.
    pub map: Option<&'a str>,
    /// The files.
    pub files: &'a [PathBuf],
    /// What bars are, where the files do not say it.
    pub kind: Option<Kind>,
    /// Whose the rows are, where format and files do not say it.
    pub venue: Option<&'a str>,
    /// The instruments to import, in the spelling of the layout or of the files.
    pub symbols: &'a [String],
    /// The time between rows, as `1h`.
    pub interval: Option<&'a str>,
    /// Decimals of a token whose amounts are counted in its smallest unit.
    pub decimals: Option<u8>,
    /// A block and its instant, where files name blocks alone.
    pub anchor: Option<Anchor>,
}

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// The directory.
    pub directory: String,
    /// Every file, and every entry of an archive.
    pub sources: Vec<SourceReport>,
    /// Every series that was written, in order.
    pub series: Vec<ImportedSeries>,
    /// What was done to rows on the way.
    pub rules: Vec<String>,
    /// What was taken to be so.
    pub assumptions: Vec<String>,
}

/// One file that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceReport {
    /// The file; of an archive with its entry.
    pub file: String,
    /// What it was recognised as.
    pub shape: String,
    /// Rows taken from it.
    pub rows: u64,
}

/// One series that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImportedSeries {
    /// The file, relative to the directory.
    pub path: String,
    /// Rows in it.
    pub rows: u64,
    /// Rows that were not there before.
    pub added: u64,
    /// Rows that said again what another row said, of the files or of the directory.
    pub repeated: u64,
    /// The time between rows, in seconds; of funding the least between two settlements, of a table 0.
    pub interval_seconds: i64,
    /// Time of the first row.
    pub first: Option<Timestamp>,
    /// Time of the last row.
    pub last: Option<Timestamp>,
}

/// Imports `request` into `to`; `progress` is told each file and how many are done.
///
/// # Errors
/// `CFG-005` for a request that cannot be; `DATA-001` for a file that is not there; `DATA-002` with all
/// that is wrong in the files; `EVT-001` when a series cannot be written. Then nothing was written,
/// but for the last.
pub fn import(
    request: &ImportRequest<'_>,
    to: &Path,
    progress: &dyn Fn(&Path, usize),
) -> Result<ImportReport, ComponentError> {
    let (shapes, given) = prepare(request).map_err(usage)?;
    let (mut tables, mut tally) = (Tables::default(), Tally::default());
    let mut risk = RiskTable::default();
    let (mut labels, mut sources, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    let mut files: Vec<_> = request.files.iter().collect();
    files.sort();
    files.dedup();
    for (path, done) in files.iter().zip(1..) {
        for mut part in open::open(path)? {
            if part.is_parquet() {
                match from_parquet(request, path, &mut tally) {
                    Ok(lines) => part.bytes = lines,
                    Err(what) => {
                        failures.push(format!("{} {what}", part.label));
                        continue;
                    }
                }
            }
            let number = u32::try_from(labels.len()).unwrap_or(u32::MAX);
            let own = own_shapes(request, &part).map_err(usage)?;
            let shapes = own.as_deref().unwrap_or(&shapes);
            let into = (&mut tables, &mut tally);
            match one(request, &part, number, (shapes, &given), &mut risk, into) {
                Ok(read) => sources.push(SourceReport {
                    file: part.label.clone(),
                    shape: read.shape.to_owned(),
                    rows: read.rows,
                }),
                Err(what) => failures.push(format!("{} {what}", part.label)),
            }
            labels.push(part.label);
        }
        progress(path, done);
    }
    refuse(&failures)?;
    let mut made = Vec::new();
    let mut failures = Vec::new();
    for (key, table) in tables.into_series() {
        match finish(key, table, to, &mut labels) {
            Ok(one) => made.push(one),
            Err(what) => failures.push(what),
        }
    }
    match risk.finish(to) {
        Ok(table) => made.extend(table.map(of_table)),
        Err(what) => failures.push(what),
    }
    refuse(&failures)?;
    for (made, _) in &made {
        write::put(to, made)?;
    }
    Ok(ImportReport {
        directory: to.display().to_string(),
        assumptions: assumptions(request, &sources, &made),
        sources,
        series: made.into_iter().map(|(_, report)| report).collect(),
        rules: tally.sentences(),
    })
}

/// Reads one part: rows of series, or a table of risk parameters where the layout is asked for.
fn one(
    request: &ImportRequest<'_>,
    part: &Part,
    number: u32,
    (shapes, given): (&[Shape], &Given),
    risk: &mut RiskTable,
    into: (&mut Tables, &mut Tally),
) -> Result<read::Read, String> {
    if request.formats.iter().any(|format| format == "basis")
        && let Some(rows) = risk.table(&part.bytes, &part.label)?
    {
        let shape = "layout of basis, risk parameters";
        return Ok(read::Read { shape, rows });
    }
    read::part(part, number, (shapes, given), Some(risk), into)
}

/// The table of risk parameters with its rows, those that are new and those that were repeated.
fn of_table((made, [rows, added, repeated]): (Made, [u64; 3])) -> (Made, ImportedSeries) {
    let report = ImportedSeries {
        path: made.path.clone(),
        rows,
        added,
        repeated,
        interval_seconds: 0,
        first: None,
        last: None,
    };
    (made, report)
}

fn usage(what: String) -> ComponentError {
    ComponentError::new(Code::Usage, what)
}

fn refuse(failures: &[String]) -> Result<(), ComponentError> {
    if failures.is_empty() {
        return Ok(());
    }
    Err(ComponentError::new(
        Code::DataMalformed,
        format!("nothing was imported: {}", failures.join("\n  ")),
    ))
}

/// Shapes and flags of a request.
fn prepare(request: &ImportRequest<'_>) -> Result<(Vec<Shape>, Given), String> {
    if request.files.is_empty() {
        return Err("no files to import".to_owned());
    }
    let every = match request.interval {
        Some(text) => Some(name::interval(text).ok_or_else(|| {
            format!("--interval {text}: no interval; write a number and s, m, h or d, as 1h")
        })?),
        None => None,
    };
    let mut shapes = Vec::new();
    match (request.formats, request.map) {
        ([], None) => return Err("say what the files are: --format or --map".to_owned()),
        ([], Some(text)) => {
            Mapping::parse(text)?;
        }
        (formats, None) => {
            for format in formats {
                shapes.extend(shape::shapes(format)?);
            }
        }
        (_, Some(_)) => return Err("give --format or --map, not both".to_owned()),
    }
    Ok((
        shapes,
        Given {
            kind: request.kind,
            venue: request.venue.map(str::to_owned),
            symbols: request.symbols.to_vec(),
            every,
            decimals: request.decimals,
            anchor: request.anchor,
        },
    ))
}

/// The columns of a Parquet file that the map names, as lines.
#[cfg(feature = "parquet")]
fn from_parquet(
    request: &ImportRequest<'_>,
    path: &Path,
    tally: &mut Tally,
) -> Result<Vec<u8>, String> {
    let text = request
        .map
        .ok_or("is Parquet; name its columns with --map")?;
    parquet::lines(path, &Mapping::parse(text)?.needed(), tally)
}

#[cfg(not(feature = "parquet"))]
fn from_parquet(_: &ImportRequest<'_>, _: &Path, _: &mut Tally) -> Result<Vec<u8>, String> {
    Err(
        "is Parquet, which this build does not read: it was built without the feature `parquet`"
            .to_owned(),
    )
}

/// The shape of a map, which depends on whether the part is JSON.
fn own_shapes(request: &ImportRequest<'_>, part: &Part) -> Result<Option<Vec<Shape>>, String> {
    let Some(text) = request.map else {
        return Ok(None);
    };
    let json = matches!(part.bytes.trim_ascii_start(), [b'{' | b'[', ..]);
    Ok(Some(vec![shape::mapped(Mapping::parse(text)?, json)]))
}

/// Orders a series together with what the directory has of it, and makes its file.
fn finish(
    key: Key,
    table: Table,
    to: &Path,
    labels: &mut Vec<String>,
) -> Result<(Made, ImportedSeries), String> {
    let mut ordered = merge::order(key, table, &|from| place(labels, from))?;
    if ordered.table.accrues {
        yields::accrue(&mut ordered.table, &ordered.order)
            .map_err(|what| format!("{} {what}", ordered.key.symbol))?;
    }
    let (ordered, before) = merged(ordered, to, labels)?;
    let made = write::make(&ordered, &|from| place(labels, from))?;
    let rows = u64::try_from(ordered.order.len()).unwrap_or(u64::MAX);
    let report = ImportedSeries {
        path: made.path.clone(),
        rows,
        added: rows.saturating_sub(before),
        repeated: ordered.repeated,
        interval_seconds: ordered.every.seconds(),
        first: made.first,
        last: made.last,
    };
    Ok((made, report))
}

/// A line as a message names it.
fn place(labels: &[String], from: From) -> String {
    let label = usize::try_from(from.part)
        .ok()
        .and_then(|part| labels.get(part));
    let label = label.map(String::as_str).unwrap_or_default();
    format!("{label}:{}", from.line)
}

/// With the rows of the file that is there already, and how many it has.
fn merged(ordered: Ordered, to: &Path, labels: &mut Vec<String>) -> Result<(Ordered, u64), String> {
    let key = &ordered.key;
    let path = to.join(key.kind.path(&key.venue, &key.symbol, ordered.every));
    if !path.exists() {
        return Ok((ordered, 0));
    }
    let Ordered {
        key,
        every,
        mut table,
        ..
    } = ordered;
    let given = Given {
        kind: Some(key.kind),
        venue: Some(key.venue.clone()),
        symbols: vec![key.symbol.clone()],
        every: (key.kind != Kind::Funding).then_some(every),
        decimals: None,
        anchor: None,
    };
    let (mut tables, mut tally) = (Tables::default(), Tally::default());
    let mut before = 0;
    for part in open::open(&path).map_err(|e| e.message)? {
        let number = u32::try_from(labels.len()).unwrap_or(u32::MAX);
        labels.push(part.label.clone());
        let into = (&mut tables, &mut tally);
        let read = read::part(&part, number, (&shape::layout(), &given), None, into);
        before += read
            .map_err(|what| format!("{} is there already, but {what}", part.label))?
            .rows;
    }
    table.every = given.every;
    for (_, other) in tables.into_series() {
        yields::refuse_other(&key, &other, table.accrues)?;
        table.at.extend(other.at);
        table.cells.extend(other.cells);
        table.from.extend(other.from);
    }
    let ordered = merge::order(key, table, &|from| place(labels, from))?;
    Ok((ordered, before))
}

/// What the shapes that were read take to be so.
fn assumptions(
    request: &ImportRequest<'_>,
    sources: &[SourceReport],
    made: &[(Made, ImportedSeries)],
) -> Vec<String> {
    let mut list = BTreeMap::new();
    if made.iter().any(|(made, _)| made.path.starts_with("gas/"))
        && request
            .map
            .is_some_and(|map| !map.contains("gas_price_gwei"))
    {
        list.insert(
            "the gas price is the base fee and the priority fee together",
            (),
        );
    }
    for source in sources {
        let said = match source.shape.as_str() {
            "Tardis derivative ticker" => {
                "the last rate that Tardis' ticker quotes before a settlement, at most 10 minutes \
                 before it, is taken as the one settled"
            }
            "Aave subgraph, reserveParamsHistoryItems" => {
                "the subgraph names no block: column `block` is 0. Index and rate are those of the \
                 last update of the reserve, total supply is that of the aToken"
            }
            shape::YIELDS => {
                "the chart is of a pool of Aave V3, whose apyBase and apyBaseBorrow are the contract's \
                 simple yearly rates in percent. It has neither index, price nor block: indices begin at \
                 1 and grow by the rates, a dollar is a token, column `block` is 0. Its rewards are left \
                 out"
            }
            "fee history reply" => {
                "blocks were counted from the anchor at 12 s each, so that one after a missed slot is \
                 dated up to a few slots early; the priority fee is the middle one of those asked for, \
                 and the gas price both fees together"
            }
            _ => continue,
        };
        list.insert(said, ());
    }
    list.into_keys().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
