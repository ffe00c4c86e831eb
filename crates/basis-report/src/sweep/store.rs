//! Finished variants on disk: what makes a sweep safe to stop at any moment and to resume.
//!
//! ```text
//! DIR/plan.json                      what is swept, over what; written first
//! DIR/variants/<number>-<hash>.json  one per finished variant
//! DIR/sweep.csv, sweep.json, …       written at the end
//! ```
//!
//! **Invariants.** A file is there whole or not at all: it is written beside its place and moved. A
//! kept variant counts only with the configuration hash it would have now, and only under the same
//! plan.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use basis_core::error::ComponentError;
use basis_core::num::{Fixed18, Price};
use basis_core::types::{SeriesId, Timestamp};
use basis_market::{GasFees, MarketData, ReserveRow, Reward, SeriesRow};
use serde_json::{Value as Json, json};

use super::grid::Grid;
use super::results::{self, Row};
use crate::directory::{self, check_out_dir, unusable};

const PLAN: &str = "plan.json";
const VARIANTS: &str = "variants";

/// What a sweep is: two with the same plan have the same rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan(Json);

impl Plan {
    /// Of `grid` over the mode `mode` whose configuration before the parameters is
    /// `configuration` (YAML), on `data`, computed by `version`.
    #[must_use]
    pub fn new(
        mode: &str,
        version: &str,
        configuration: &str,
        grid: &Grid,
        data: &MarketData,
    ) -> Self {
        let parameters: Vec<_> = grid
            .parameters()
            .iter()
            .map(results::parameter_json)
            .collect();
        let lines: Vec<_> = configuration.lines().collect();
        Self(json!({
            "mode": mode,
            "version": version,
            "parameters": parameters,
            "configuration": lines,
            "data": data_identity(data),
        }))
    }

    /// The data the sweep runs on: source, and of every series extent, rows and a checksum.
    #[must_use]
    pub fn data(&self) -> &Json {
        self.part("data")
    }

    fn part(&self, key: &str) -> &Json {
        self.0.get(key).unwrap_or(&Json::Null)
    }

    /// The first difference to `other`, in words.
    fn difference(&self, other: &Self) -> Option<String> {
        for key in ["mode", "version", "parameters", "data", "configuration"] {
            let (theirs, ours) = (other.part(key), self.part(key));
            if theirs != ours {
                return Some(match (theirs.as_array(), ours.as_array()) {
                    (Some(theirs), Some(ours)) => first_of(key, theirs, ours),
                    _ if key == "data" => data_difference(theirs, ours),
                    _ => format!("its {key} is {theirs}, here it is {ours}"),
                });
            }
        }
        None
    }
}

fn first_of(what: &str, theirs: &[Json], ours: &[Json]) -> String {
    let nothing = json!("nothing");
    let longest = theirs.len().max(ours.len());
    let pairs = (0..longest).map(|at| {
        (
            theirs.get(at).unwrap_or(&nothing),
            ours.get(at).unwrap_or(&nothing),
        )
    });
    let mut different = pairs.filter(|(theirs, ours)| theirs != ours);
    let (theirs, ours) = different.next().unwrap_or((&nothing, &nothing));
    format!("its {what} has {theirs}, here there is {ours}")
}

fn data_difference(theirs: &Json, ours: &Json) -> String {
    match (theirs["series"].as_array(), ours["series"].as_array()) {
        (Some(a), Some(b)) if theirs["source"] == ours["source"] => first_of("data", a, b),
        _ => {
            let (theirs, ours) = (&theirs["source"], &ours["source"]);
            format!("its data comes from {theirs}, here from {ours}")
        }
    }
}

fn data_identity(data: &MarketData) -> Json {
    let mut ids: Vec<_> = data.ids().collect();
    ids.sort_unstable();
    let series: Vec<_> = ids
        .into_iter()
        .map(|id| series_identity(data, id))
        .collect();
    json!({ "source": data.source(), "synthetic": data.is_synthetic(), "series": series })
}

fn series_identity(data: &MarketData, id: SeriesId) -> Json {
    let mut seen = Seen::default();
    if let Some(bars) = data.bars(id) {
        for bar in bars.bars() {
            let prices = [bar.open, bar.high, bar.low, bar.close].map(Price::get);
            let [open, high, low, close] = prices;
            seen.row(bar.opened_at, &[open, high, low, close, bar.volume.get()]);
        }
    }
    if let Some(rates) = data.rates(id) {
        for (at, rate) in rates.at.iter().zip(&rates.rate) {
            seen.row(*at, &[rate.get()]);
        }
    }
    seen.rows_of::<Fixed18>(data, id, |value, seen| seen.numbers(&[*value]));
    seen.rows_of::<ReserveRow>(data, id, |row, seen| {
        seen.sum.add(row.block.into());
        for ray in [
            row.liquidity_index_ray,
            row.liquidity_rate_ray,
            row.variable_borrow_index_ray,
            row.variable_borrow_rate_ray,
        ] {
            seen.sum.add(i128::try_from(ray).unwrap_or(i128::MAX));
        }
        seen.numbers(&[
            row.total_supplied,
            row.total_variable_debt,
            row.oracle_price_usd,
        ]);
    });
    seen.rows_of::<GasFees>(data, id, |fees, seen| {
        seen.sum.add(fees.block.into());
        seen.numbers(&[
            fees.base_fee_gwei,
            fees.priority_fee_gwei,
            fees.gas_price_gwei,
        ]);
    });
    seen.rows_of::<Reward>(data, id, |reward, seen| {
        seen.sum.add(reward.period_start.nanos().into());
        seen.sum.add(reward.period_end.nanos().into());
        seen.numbers(&[reward.total, reward.per_eth]);
    });
    json!({
        "series": id.to_string(),
        "rows": seen.rows,
        "first": seen.first,
        "last": seen.last,
        "checksum": format!("{:016x}", seen.sum.0),
    })
}

/// What has been seen of one series.
#[derive(Default)]
struct Seen {
    sum: Checksum,
    rows: usize,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Seen {
    fn row(&mut self, at: Timestamp, values: &[Fixed18]) {
        self.rows += 1;
        self.first = self.first.or(Some(at));
        self.last = Some(at);
        self.sum.add(at.nanos().into());
        self.numbers(values);
    }

    fn numbers(&mut self, values: &[Fixed18]) {
        for value in values {
            self.sum.add(value.mantissa());
        }
    }

    /// The rows of `id` where they are of this kind.
    fn rows_of<T: SeriesRow>(
        &mut self,
        data: &MarketData,
        id: SeriesId,
        add: impl Fn(&T, &mut Self),
    ) {
        let Some(series) = data.rows::<T>(id) else {
            return;
        };
        for (at, row) in series.at().iter().zip(series.rows()) {
            self.row(*at, &[]);
            add(row, self);
        }
    }
}

/// Tells apart data that differ by accident; no protection against malice.
#[derive(Default)]
struct Checksum(u64);

impl Checksum {
    fn add(&mut self, value: i128) {
        for half in value.to_le_bytes().as_chunks::<8>().0 {
            // The multiplier of a Fibonacci hash, 2^64 over the golden ratio.
            let mixed = self.0.rotate_left(5) ^ u64::from_le_bytes(*half);
            self.0 = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }
}

/// The directory of one sweep.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    digits: usize,
}

impl Store {
    /// Refuses a directory that the sweep could not be written to, before anything is loaded. With
    /// `resume` one that holds a sweep will do.
    ///
    /// # Errors
    /// EVT-001 when it is a file, cannot be written, or holds anything else.
    pub fn check(directory: &Path, resume: bool) -> Result<(), ComponentError> {
        if !resume {
            return check_out_dir(directory);
        }
        if directory.join(PLAN).is_file() {
            return Ok(());
        }
        check_out_dir(directory).map_err(|e| {
            let message = format!("{}; --resume wants the directory of a sweep", e.message);
            ComponentError::new(e.code, message)
        })
    }

    /// Opens the directory for `plan` of `count` variants, and makes it when it is not there.
    ///
    /// # Errors
    /// EVT-001 when it cannot be used or holds a sweep of another plan, naming the difference;
    /// EVT-002 when it cannot be written.
    pub fn open(directory: &Path, plan: &Plan, count: usize) -> Result<Self, ComponentError> {
        let store = Self {
            directory: directory.to_owned(),
            digits: count.to_string().len(),
        };
        let there = directory.join(PLAN);
        if there.is_file() {
            let kept =
                read(&there).ok_or_else(|| unusable(directory, "its plan.json is not readable"))?;
            if let Some(difference) = plan.difference(&Plan(kept)) {
                let why = format!(
                    "it holds another sweep: {difference}; repeat that sweep, or name a new directory"
                );
                return Err(unusable(directory, &why));
            }
            clear_partial(&directory.join(VARIANTS));
            clear_partial(directory);
        }
        let variants = directory.join(VARIANTS);
        fs::create_dir_all(&variants).map_err(|e| unusable(directory, &e.to_string()))?;
        store.write(PLAN, format!("{:#}\n", plan.0))?;
        Ok(store)
    }

    /// The kept row of a variant, when it finished with these very values.
    #[must_use]
    pub fn finished(&self, number: usize, values: &[&str], config_hash: &str) -> Option<Row> {
        let path = self.directory.join(self.name(number, config_hash));
        let row = results::kept_row(&read(&path)?)?;
        let same = row.number == number && row.config_hash == config_hash && row.values == values;
        same.then_some(row)
    }

    /// Keeps a row.
    ///
    /// # Errors
    /// EVT-002 when it cannot be written.
    pub fn keep(&self, row: &Row) -> Result<(), ComponentError> {
        let text = format!("{:#}\n", results::kept_json(row));
        self.write(&self.name(row.number, &row.config_hash), text)
    }

    /// Writes a file of the sweep, whole or not at all.
    ///
    /// # Errors
    /// EVT-002 when it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<(), ComponentError> {
        let path = self.directory.join(name);
        let mut partial = path.clone().into_os_string();
        partial.push(format!("{PARTIAL}{}", std::process::id()));
        let written = fs::write(&partial, content).and_then(|()| fs::rename(&partial, &path));
        written.map_err(|e| failed(&path, e))
    }

    fn name(&self, number: usize, config_hash: &str) -> String {
        let short = config_hash.get(..12).unwrap_or(config_hash);
        format!(
            "{VARIANTS}/{number:0digits$}-{short}.json",
            digits = self.digits
        )
    }
}

/// What a file is called until it is whole, before the process id.
const PARTIAL: &str = ".partial-";

/// Removes what a killed sweep left half written; nothing depends on it.
fn clear_partial(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries {
        if entry.file_name().to_string_lossy().contains(PARTIAL) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

fn read(path: &Path) -> Option<Json> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

fn failed(path: &Path, e: io::Error) -> ComponentError {
    let mut failure = directory::failed(path, &e).with_source(e);
    failure
        .message
        .push_str("; what is finished is kept, repeat with --resume");
    failure
}

#[cfg(test)]
mod tests {
    use basis_core::error::Code;
    use basis_market::RateSeries;

    use super::super::grid::tests::grid;
    use super::super::results::tests::{failed as failed_row, row};
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("basis-sweep-{}-{name}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        path
    }

    #[test]
    fn one_changed_value_is_another_data_set() {
        let series = "funding.okx.BTCUSDT".parse::<SeriesId>().unwrap();
        let identity = |rate: &str| {
            let mut data = MarketData::new("here", true);
            let rates = RateSeries {
                id: series,
                at: vec![Timestamp::EPOCH, Timestamp::from_seconds(28_800)],
                rate: vec!["0.0001".parse().unwrap(), rate.parse().unwrap()],
            };
            data.add_rates(rates).unwrap();
            data_identity(&data)
        };
        assert_eq!(identity("0.0002"), identity("0.0002"));
        assert_ne!(identity("0.0002"), identity("-0.0002"));
        assert_eq!(identity("0.0002")["series"][0]["rows"], 2);
        assert_eq!(
            identity("0.0002")["series"][0]["last"],
            "1970-01-01T08:00:00Z"
        );
    }

    fn plan(capital: &str, parameter: &str) -> Plan {
        let (key, values) = parameter.split_once('=').unwrap();
        let grid = grid(&[(key, &values.split(',').collect::<Vec<_>>())]);
        let configuration = format!("mode: m\ninitial_capital: {capital}\n");
        Plan::new(
            "m",
            "1",
            &configuration,
            &grid,
            &MarketData::new("here", true),
        )
    }

    #[test]
    fn finished_variants_come_back_and_failed_ones_run_again() {
        let dir = scratch("kept");
        let store = Store::open(&dir, &plan("1", "k=1,2"), 2).unwrap();
        let (good, bad) = (row(1, &["1"], "0.1"), failed_row(2, &["2"]));
        store.keep(&good).unwrap();
        store.keep(&bad).unwrap();
        fs::write(dir.join("variants/x.partial-1"), "half").unwrap();
        let store = Store::open(&dir, &plan("1", "k=1,2"), 2).unwrap();
        assert!(!dir.join("variants/x.partial-1").exists());
        assert_eq!(
            store.finished(1, &["1"], &good.config_hash),
            Some(good.clone())
        );
        assert_eq!(store.finished(2, &["2"], &bad.config_hash), None);
        assert_eq!(store.finished(1, &["9"], &good.config_hash), None);
        let torn = dir.join(store.name(1, &good.config_hash));
        fs::write(&torn, "{\"variant\": 1").unwrap();
        assert_eq!(store.finished(1, &["1"], &good.config_hash), None);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn another_sweep_is_refused_with_the_difference() {
        let dir = scratch("other");
        Store::open(&dir, &plan("1", "k=1,2"), 2).unwrap();
        for (other, expected) in [
            (
                plan("5", "k=1,2"),
                "has \"initial_capital: 1\", here there is \"initial_capital: 5\"",
            ),
            (plan("1", "k=1,3"), "its parameters has"),
        ] {
            let e = Store::open(&dir, &other, 2).unwrap_err();
            assert_eq!(e.code, Code::OutputUnusable);
            assert!(e.message.contains(expected), "{e}");
        }
        let grid = grid(&[("k", &["1", "2"])]);
        let there = MarketData::new("there", true);
        let moved = Plan::new("m", "1", "mode: m\ninitial_capital: 1\n", &grid, &there);
        let e = Store::open(&dir, &moved, 2).unwrap_err();
        assert!(
            e.message
                .contains("comes from \"here\", here from \"there\""),
            "{e}"
        );
        assert!(Store::check(&dir, false).is_err());
        assert!(Store::check(&dir, true).is_ok());
        fs::remove_dir_all(dir).unwrap();
    }
}
