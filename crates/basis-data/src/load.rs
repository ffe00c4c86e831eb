//! Loads the series a run asks for, files in parallel, into one [`MarketData`].
//!
//! **Invariants.** The result depends on the files and the request only, not on threads. Either
//! every file that is there is well formed, or nothing is returned and every problem is.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use basis_core::error::{Code, ComponentError};
use basis_core::num::{Fixed18, Price, Rounding};
use basis_core::types::{SeriesId, SeriesKind, Timestamp};
use basis_market::{BarSeries, BarSeriesBuilder, DataFile, MarketData, RateSeries, SeriesError};

use crate::catalogue::{Catalogue, SeriesFile};
use crate::csv::{SHOWN_WHEN_LOADING, parse_bars, parse_rates, read};
use crate::digest::digest;
use crate::rows::{AnyRows, parse_risk_parameters, parse_rows};

/// From this size on the digest of a file is computed beside its rows, on a thread of its own.
const BESIDE_MIN: usize = 4 << 20;

/// What to load.
#[derive(Clone, Debug, Default)]
pub struct LoadRequest {
    /// The series, in any order; repetitions are loaded once.
    pub ids: Vec<SeriesId>,
    /// Base units per unit of the file's volume, for venues that count contracts; 1 when not named.
    pub volume_multipliers: BTreeMap<SeriesId, Fixed18>,
    /// Base units that a price of the file is of, for venues that price contracts; 1 when not named.
    pub price_units: BTreeMap<SeriesId, Fixed18>,
}

/// One more file is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadProgress {
    /// The series of the file.
    pub series: SeriesId,
    /// Files finished, this one included.
    pub done: usize,
    /// Files to load.
    pub total: usize,
}

/// What [`load`] returns.
#[derive(Clone, Debug)]
pub struct LoadedData {
    /// The series that are there.
    pub data: Arc<MarketData>,
    /// Requested series without a file, sorted.
    pub absent: Vec<SeriesId>,
}

/// A file as it was read.
#[derive(Debug)]
struct ReadFile {
    columns: Columns,
    digest: DataFile,
}

/// What one file holds.
#[derive(Debug)]
pub(crate) enum Columns {
    Bars(BarSeries),
    Rates(RateSeries),
    Rows(AnyRows),
}

impl Columns {
    /// Opening times of bars, instants of anything else.
    pub(crate) fn times(&self) -> Vec<Timestamp> {
        match self {
            Self::Bars(series) => series.bars().map(|bar| bar.opened_at).collect(),
            Self::Rates(series) => series.at.clone(),
            Self::Rows(rows) => rows.at().to_vec(),
        }
    }

    pub(crate) fn add_to(self, data: &mut MarketData) -> Result<(), SeriesError> {
        match self {
            Self::Bars(series) => data.add_bars(series),
            Self::Rates(series) => data.add_rates(series),
            Self::Rows(AnyRows::Points(series)) => data.add_rows(series),
            Self::Rows(AnyRows::Reserves(series)) => data.add_rows(series),
            Self::Rows(AnyRows::Gas(series)) => data.add_rows(series),
            Self::Rows(AnyRows::Rewards(series)) => data.add_rows(series),
        }
    }
}

/// Loads the requested series from `dir`; those without a file come back in
/// [`LoadedData::absent`]. With a series of a lending market comes the table of its risk parameters,
/// where there is one. `progress` is called on the calling thread after each file.
///
/// # Errors
/// `DATA-005` as [`Catalogue::scan`]; `DATA-002` with the problems of all files when any is
/// malformed or a series has files of several bar lengths; `DATA-001` when a file cannot be opened.
pub fn load(
    dir: &Path,
    request: &LoadRequest,
    progress: &dyn Fn(LoadProgress),
) -> Result<LoadedData, ComponentError> {
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    load_with(dir, request, progress, workers)
}

fn load_with(
    dir: &Path,
    request: &LoadRequest,
    progress: &dyn Fn(LoadProgress),
    workers: usize,
) -> Result<LoadedData, ComponentError> {
    let catalogue = Catalogue::scan(dir)?;
    let mut ids = request.ids.clone();
    ids.sort_unstable();
    ids.dedup();
    let mut absent = Vec::new();
    let mut files = Vec::with_capacity(ids.len());
    let mut failures = Vec::new();
    for id in ids {
        match catalogue.find(id) {
            Ok(Some(file)) => files.push(file),
            Ok(None) => absent.push(id),
            Err(e) => failures.push(e),
        }
    }
    let mut data = MarketData::new(dir.display().to_string(), false);
    for (file, columns) in files
        .iter()
        .zip(read_all(dir, &files, request, (progress, workers)))
    {
        match columns.map(|read| (read.columns.add_to(&mut data), read.digest)) {
            Ok((Ok(()), digest)) => data.add_file(digest),
            Ok((Err(e), _)) => failures.push(not_a_series(file, e)),
            Err(e) => failures.push(e),
        }
    }
    let lending =
        |file: &&SeriesFile| matches!(file.id.kind, SeriesKind::AaveReserve | SeriesKind::Oracle);
    if let Some(table) = &catalogue.risk_parameters
        && files.iter().any(lending)
    {
        let bytes = read(table)?;
        match parse_risk_parameters(&bytes, SHOWN_WHEN_LOADING).whole(table) {
            Ok(parameters) => {
                data.set_risk_parameters(parameters);
                data.add_file(digest(dir, "aave_risk_parameters", table, &bytes));
            }
            Err(e) => failures.push(e),
        }
    }
    if failures.is_empty() {
        Ok(LoadedData {
            data: Arc::new(data),
            absent,
        })
    } else {
        Err(together(failures))
    }
}

/// The columns of `files`, in their order, read by at most `workers` threads.
fn read_all(
    dir: &Path,
    files: &[&SeriesFile],
    request: &LoadRequest,
    (progress, workers): (&dyn Fn(LoadProgress), usize),
) -> Vec<Result<ReadFile, ComponentError>> {
    let total = files.len();
    let report = |file: &SeriesFile, done: usize| {
        progress(LoadProgress {
            series: file.id,
            done,
            total,
        });
    };
    if workers.min(total) <= 1 {
        let one = |(file, done): (&&SeriesFile, usize)| {
            let columns = read_file(dir, file, request);
            report(file, done);
            columns
        };
        return files.iter().zip(1..).map(one).collect();
    }
    let next = AtomicUsize::new(0);
    let mut results: Vec<_> = files.iter().map(|_| None).collect();
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..workers.min(total) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(at) else { break };
                    // The receiver outlives the threads; if it were gone, nobody waits for more.
                    if sender.send((at, read_file(dir, file, request))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (done, (at, columns)) in (1..).zip(receiver) {
            if let (Some(slot), Some(file)) = (results.get_mut(at), files.get(at)) {
                *slot = Some(columns);
                report(file, done);
            }
        }
    });
    results.into_iter().flatten().collect()
}

fn read_file(
    dir: &Path,
    file: &SeriesFile,
    request: &LoadRequest,
) -> Result<ReadFile, ComponentError> {
    // What is parsed is what the digest is of: the file is read once.
    let bytes = read(&file.path)?;
    let series = file.id.to_string();
    let digest = || digest(dir, &series, &file.path, &bytes);
    if bytes.len() < BESIDE_MIN {
        let columns = read_one(file, request, &bytes)?;
        return Ok(ReadFile {
            columns,
            digest: digest(),
        });
    }
    let (columns, digest) = thread::scope(|scope| {
        let digest = scope.spawn(digest);
        let columns = read_one(file, request, &bytes);
        let digest = digest
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (columns, digest)
    });
    Ok(ReadFile {
        columns: columns?,
        digest,
    })
}

fn read_one(
    file: &SeriesFile,
    request: &LoadRequest,
    bytes: &[u8],
) -> Result<Columns, ComponentError> {
    #[cfg(feature = "parquet")]
    if file.is_parquet() {
        return read_parquet(file, request);
    }
    let (id, path) = (file.id, &file.path);
    match id.kind {
        SeriesKind::Funding => parse_rates(bytes, id, SHOWN_WHEN_LOADING)
            .whole(path)
            .map(Columns::Rates),
        kind if kind.has_bars() => {
            let multiplier = request.volume_multipliers.get(&id);
            let multiplier = multiplier.copied().unwrap_or(Fixed18::ONE);
            let bars = parse_bars(bytes, id, file.interval, multiplier, SHOWN_WHEN_LOADING);
            per_base_unit(file, request, bars.whole(path)?).map(Columns::Bars)
        }
        _ => parse_rows(bytes, id, file.interval, SHOWN_WHEN_LOADING)
            .whole(path)
            .map(Columns::Rows),
    }
}

#[cfg(feature = "parquet")]
fn read_parquet(file: &SeriesFile, request: &LoadRequest) -> Result<Columns, ComponentError> {
    use crate::parquet::{load_bars, load_rates};
    if file.id.kind == SeriesKind::Funding {
        return load_rates(&file.path, file.id).map(Columns::Rates);
    }
    let multiplier = request.volume_multipliers.get(&file.id);
    let multiplier = multiplier.copied().unwrap_or(Fixed18::ONE);
    let bars = load_bars(&file.path, file.id, file.interval, multiplier)?;
    per_base_unit(file, request, bars).map(Columns::Bars)
}

/// Bars with prices of one base unit, where the file has those of several. Rounded half to even at 18
/// decimals.
fn per_base_unit(
    file: &SeriesFile,
    request: &LoadRequest,
    bars: BarSeries,
) -> Result<BarSeries, ComponentError> {
    let Some(unit) = request.price_units.get(&file.id) else {
        return Ok(bars);
    };
    let refused = |e: &dyn std::fmt::Display| {
        let message = format!("{}: a price of {unit} base units: {e}", file.path.display());
        ComponentError::new(Code::DataMalformed, message)
    };
    let mut scaled = BarSeriesBuilder::new(file.id, file.interval, bars.len());
    for bar in bars.bars() {
        let price = |price: Price| {
            let price = price.get().div(*unit, Rounding::HalfEven);
            price
                .map_err(|e| refused(&e))
                .and_then(|price| Price::positive(price).map_err(|e| refused(&e)))
        };
        let prices = [
            price(bar.open)?,
            price(bar.high)?,
            price(bar.low)?,
            price(bar.close)?,
        ];
        scaled
            .push(bar.opened_at, prices, bar.volume)
            .map_err(|e| refused(&e))?;
    }
    Ok(scaled.finish())
}

fn not_a_series(file: &SeriesFile, e: SeriesError) -> ComponentError {
    let message = format!("{}: {e}", file.path.display());
    ComponentError::new(Code::DataMalformed, message).with_source(e)
}

/// One error out of many: the only one, or a list under the most severe code.
fn together(mut failures: Vec<ComponentError>) -> ComponentError {
    if failures.len() == 1
        && let Some(only) = failures.pop()
    {
        return only;
    }
    let missing = failures.iter().all(|e| e.code == Code::DataMissing);
    let code = if missing {
        Code::DataMissing
    } else {
        Code::DataMalformed
    };
    let list: Vec<_> = failures
        .iter()
        .map(|e| format!("\n  {}", e.message))
        .collect();
    let message = format!("{} files cannot be used:{}", failures.len(), list.concat());
    ComponentError::new(code, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::{BAR_HEADER, RATE_HEADER};
    use crate::scratch::{Scratch, recorded};
    use std::cell::RefCell;

    fn id(text: &str) -> SeriesId {
        text.parse().unwrap()
    }

    fn request(ids: &[&str]) -> LoadRequest {
        LoadRequest {
            ids: ids.iter().map(|text| id(text)).collect(),
            ..LoadRequest::default()
        }
    }

    fn sample() -> Scratch {
        let dir = Scratch::new();
        for (name, price) in [
            ("spot/binance/BTCUSDT_1h.csv", 100),
            ("perp/binance/BTCUSDT_1h.csv", 101),
            ("perp/bybit/BTCUSDT_1h.csv", 102),
            ("perp/okx/BTCUSDT_1h.csv", 103),
        ] {
            let row =
                |hour| format!("2024-01-01T0{hour}:00:00Z,{price},{price},{price},{price},5\n");
            let rows: String = (0..9).map(row).collect();
            dir.write(name, format!("{BAR_HEADER}\n{rows}"));
        }
        dir.write(
            "funding/okx/BTCUSDT.csv",
            format!("{RATE_HEADER}\n2024-01-01T00:00:00Z,0.0001\n"),
        );
        dir
    }

    #[test]
    fn loads_what_is_asked_and_names_what_is_absent() {
        let dir = sample();
        let mut request = request(&[
            "perp.okx.BTCUSDT",
            "spot.bybit.BTCUSDT",
            "funding.okx.BTCUSDT",
            "perp.okx.BTCUSDT",
            "funding.bybit.BTCUSDT",
        ]);
        let contract = Fixed18::literal("0.01");
        request
            .volume_multipliers
            .insert(id("perp.okx.BTCUSDT"), contract);
        let progress = RefCell::new(Vec::new());
        let loaded = load(dir.path(), &request, &|p| progress.borrow_mut().push(p)).unwrap();
        let ids: Vec<_> = loaded.data.ids().collect();
        assert_eq!(ids, [id("perp.okx.BTCUSDT"), id("funding.okx.BTCUSDT")]);
        let absent = [id("spot.bybit.BTCUSDT"), id("funding.bybit.BTCUSDT")];
        assert_eq!(loaded.absent, absent);
        let bars = loaded.data.bars(id("perp.okx.BTCUSDT")).unwrap();
        assert_eq!(bars.volume(0).unwrap().to_string(), "0.05");
        assert!(!loaded.data.is_synthetic());
        assert_eq!(loaded.data.source(), dir.path().display().to_string());
        let progress = progress.into_inner();
        assert_eq!(progress.iter().map(|p| p.done).collect::<Vec<_>>(), [1, 2]);
        assert!(progress.iter().all(|p| p.total == 2));
    }

    #[test]
    fn nothing_requested_loads_nothing() {
        let dir = sample();
        let loaded = load(dir.path(), &LoadRequest::default(), &|_| {}).unwrap();
        assert_eq!(loaded.data.ids().count(), 0);
    }

    #[test]
    fn parallel_load_equals_serial_load() {
        let dir = sample();
        let request = request(&[
            "spot.binance.BTCUSDT",
            "perp.binance.BTCUSDT",
            "perp.bybit.BTCUSDT",
            "perp.okx.BTCUSDT",
            "funding.okx.BTCUSDT",
        ]);
        let load = |workers| load_with(dir.path(), &request, &|_| {}, workers).unwrap();
        let serial = format!("{:?}", load(1));
        for workers in [2, 3, 64] {
            assert_eq!(format!("{:?}", load(workers)), serial);
        }
    }

    #[test]
    fn problems_of_all_files_are_reported_together() {
        let dir = sample();
        dir.write("perp/okx/BTCUSDT_1h.csv", "nonsense");
        dir.write("perp/bybit/BTCUSDT_1h.csv", "");
        dir.write("perp/binance/BTCUSDT_5m.csv", "");
        let request = request(&[
            "perp.okx.BTCUSDT",
            "perp.bybit.BTCUSDT",
            "perp.binance.BTCUSDT",
            "spot.binance.BTCUSDT",
        ]);
        let e = load(dir.path(), &request, &|_| {}).unwrap_err();
        assert_eq!(e.code, Code::DataMalformed);
        assert!(e.message.starts_with("3 files cannot be used:"), "{e}");
        for part in [
            "okx/BTCUSDT_1h.csv: line 1",
            "the file is empty",
            "keep one bar length",
        ] {
            assert!(e.message.contains(part), "{part} in {e}");
        }
    }

    #[test]
    fn recorded_data_loads_fully() {
        let Some(dir) = recorded() else { return };
        let catalogue = Catalogue::scan(&dir).unwrap();
        let ids = catalogue.files.iter().map(|file| file.id).collect();
        let request = LoadRequest {
            ids,
            ..LoadRequest::default()
        };
        let loaded = load(&dir, &request, &|_| {}).unwrap();
        assert_eq!(loaded.absent, []);
        assert_eq!(loaded.data.ids().count(), 34);
        let bars = loaded.data.bars(id("spot.binance.BTCUSDT")).unwrap();
        assert_eq!(bars.len(), 12_132);
        assert_eq!(bars.close(12_131).unwrap().to_string(), "104591.88");
        let rates = loaded.data.rates(id("funding.binance.BTCUSDT")).unwrap();
        assert_eq!(rates.rate.last().unwrap().to_string(), "0.00004687");
    }
}
