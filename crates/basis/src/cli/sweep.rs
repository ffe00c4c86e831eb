//! `basis sweep`: many variants of one mode over one loaded data set.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use basis_core::error::{Code, ComponentError};
use basis_core::num::Fixed18;
use basis_core::types::SeriesId;
use basis_core::venue::ExecutionMode;
use basis_data::LoadRequest;
use basis_market::MarketData;
use basis_report::Format;
use basis_report::sweep::grid::Grid;
use basis_report::sweep::store::{Plan, Store};
use basis_report::sweep::{fields, results};
use cpu_time::ProcessTime;
use serde_json::json;

use super::backtest::{TableFormat, WallClock, directory_for};
use super::errors::Failure;
use super::market::Source;
use super::swept::{self, Swept};
use super::{RunArguments, Session, progress, threads};
use crate::config::layers::{LogLevel, Resolved, Template};
use crate::sweep::parse;
use crate::sweep::run::{UNITS, Variants};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The strategy mode, as `btc_basis`. Default: that of --config.
    mode: Option<String>,
    /// A key and its values: KEY=A,B,C or KEY=LO:HI:STEP (exact, HI included when hit); may be
    /// repeated, and every combination is run.
    #[arg(
        long = "param",
        value_name = "KEY.PATH=VALUES",
        allow_hyphen_values = true
    )]
    parameters: Vec<String>,
    #[command(flatten)]
    run: RunArguments,
    /// Directory to write the sweep to; must not exist or be empty, but with --resume. Default:
    /// runs/MODE-sweep-TIME, and nothing with --json.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on with the sweep in --out: variants that finished there are not run again.
    #[arg(long, requires = "out")]
    resume: bool,
    /// Threads. Default: as many as there are cores.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// What the table is written as: CSV, or CSV and Parquet beside it.
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "csv")]
    format: TableFormat,
    /// The figure to rank by and to draw, as `sharpe` or `costs.total`.
    #[arg(long, value_name = "FIELD", default_value = "return")]
    rank: String,
}

/// What a variant reads.
struct Needs {
    data: LoadRequest,
    log_level: LogLevel,
    execution_mode: ExecutionMode,
}

pub(super) fn run(arguments: &Arguments, session: &Session) -> Result<(), Failure> {
    let rank = fields::find_field(&arguments.rank)?;
    let format = Format::from(arguments.format);
    format.check()?;
    let grid = parse::grid(&arguments.parameters)?;
    refuse_fixed(&grid, arguments)?;
    let source = Source::choose(arguments.run.data.as_deref(), session);
    let mode = arguments.run.mode(arguments.mode.as_deref())?;
    let request = arguments.run.request(&mode);
    let template = Template::new(&request, &session.environment, &session.app)
        .inspect_err(|_| session.warn_of_environment())?;
    let jobs = threads(arguments.jobs);
    let (mut variants, needs) = Variants::check(&grid, &template, jobs, &needs_of)
        .inspect_err(|_| session.warn_of_environment())?;
    if let Some(first) = needs.first() {
        session.level.set(first.log_level);
    }
    source.announce(session);
    session.warn_of_environment();
    if needs
        .iter()
        .any(|needs| needs.execution_mode == ExecutionMode::Live)
    {
        session.warn("execution_mode is live, but this is `basis sweep`: nothing is traded");
    }
    let started = WallClock::now();
    let out = output_directory(arguments, &mode, (session, &started))?;
    let data = load(&source, needs, session)?;
    variants.fit(&data)?;
    let load_ms = started.elapsed_ms();

    let version = env!("CARGO_PKG_VERSION");
    let plan = Plan::new(&mode, version, &template.yaml(), &grid, &data);
    let store = out
        .as_deref()
        .map(|out| Store::open(out, &plan, grid.count()))
        .transpose()?;
    let bar = progress::estimating("sweeping", UNITS * as_u64(grid.count()), session.quiet);
    bar.set_message(format!("of {} variants", grid.count()));
    let (wall, cpu) = (WallClock::now(), ProcessTime::now());
    let rows = variants
        .run(&data, store.as_ref(), &|units| bar.inc(units))
        .map_err(Failure::running)?;
    let timing = json!({
        "load_ms": load_ms,
        "run_ms": wall.elapsed_ms(),
        "run_cpu_ms": cpu.elapsed().as_secs_f64() * 1_000.0,
        "jobs": jobs,
    });
    bar.finish_and_clear();

    let swept = Swept {
        mode: &mode,
        shocks: template.shocks(),
        grid: &grid,
        order: results::ranking(&rows, rank),
        rank,
        format,
        rows,
        plan,
        timing,
    };
    swept::finish(&swept, store.as_ref(), out.as_deref(), session)
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// A key that is swept cannot be fixed on the same command line.
fn refuse_fixed(grid: &Grid, arguments: &Arguments) -> Result<(), ComponentError> {
    let flags = [
        ("--capital", "initial_capital", &arguments.run.capital),
        ("--from", "from", &arguments.run.from),
        ("--to", "to", &arguments.run.to),
    ];
    let flags = flags
        .into_iter()
        .filter(|(_, _, value)| value.is_some())
        .map(|(flag, key, _)| (flag.to_owned(), key))
        .chain((!arguments.run.shocks.is_empty()).then(|| ("--shock".to_owned(), "shocks")));
    let sets = arguments.run.config.sets.iter().filter_map(|set| {
        let (key, _) = set.split_once('=')?;
        Some((format!("--set {key}"), key))
    });
    let twice: Vec<_> = flags
        .chain(sets)
        .filter(|(_, key)| {
            grid.parameters()
                .iter()
                .any(|parameter| parameter.key == *key)
        })
        .map(|(option, key)| format!("{option} and --param {key} set the same value; keep one"))
        .collect();
    if twice.is_empty() {
        return Ok(());
    }
    Err(ComponentError::new(Code::Usage, twice.join("\n  ")))
}

fn needs_of(resolved: &Resolved) -> Result<Needs, ComponentError> {
    Ok(Needs {
        data: resolved.setup.data_request()?,
        log_level: resolved.log_level,
        execution_mode: resolved.execution_mode,
    })
}

/// Loads what all variants need, once.
fn load(
    source: &Source,
    needs: Vec<Needs>,
    session: &Session,
) -> Result<Arc<MarketData>, ComponentError> {
    let mut series = BTreeSet::new();
    let (mut volumes, mut prices) = (BTreeMap::new(), BTreeMap::new());
    for need in needs {
        let LoadRequest {
            ids,
            volume_multipliers,
            price_units,
        } = need.data;
        for id in ids {
            same_unit(id, &volume_multipliers, &mut volumes)?;
            same_unit(id, &price_units, &mut prices)?;
            series.insert(id);
        }
    }
    for units in [&mut volumes, &mut prices] {
        units.retain(|_, unit| *unit != Fixed18::ONE);
    }
    let request = LoadRequest {
        ids: series.into_iter().collect(),
        volume_multipliers: volumes,
        price_units: prices,
    };
    source.load(&request, session.quiet)
}

/// Holds the unit of `id` in one variant against that of the variants before.
fn same_unit(
    id: SeriesId,
    known: &BTreeMap<SeriesId, Fixed18>,
    all: &mut BTreeMap<SeriesId, Fixed18>,
) -> Result<(), ComponentError> {
    let unit = known.get(&id).copied().unwrap_or(Fixed18::ONE);
    let first = *all.entry(id).or_insert(unit);
    if first == unit {
        return Ok(());
    }
    let message = format!(
        "--param rules: contracts of {id} hold {first} in one variant and {unit} in another, but data \
         are loaded once; sweep these rules apart"
    );
    Err(ComponentError::new(Code::Usage, message))
}

/// Where the sweep goes, checked before anything is loaded.
fn output_directory(
    arguments: &Arguments,
    mode: &str,
    (session, started): (&Session, &WallClock),
) -> Result<Option<PathBuf>, ComponentError> {
    let name = format!("{mode}-sweep");
    let Some(out) = directory_for(arguments.out.as_ref(), &name, (session, started)) else {
        return Ok(None);
    };
    Store::check(&out, arguments.resume)?;
    if arguments.resume && !Path::exists(&out) {
        let note = format!("{} is not there yet: nothing to resume", out.display());
        session.note(LogLevel::Info, &note);
    }
    Ok(Some(out))
}
