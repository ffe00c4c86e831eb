//! Which series a data directory holds: file names only, no contents.
//!
//! | path | series |
//! | --- | --- |
//! | `spot\|perp\|dex/<venue>/<SYMBOL>_<length>.csv` | `spot\|perp\|dex.<venue>.<SYMBOL>` |
//! | `mark\|index/<venue>/<SYMBOL>_<length>.csv` | `mark\|index.<venue>.<SYMBOL>` |
//! | `peg/<TOKEN>USD_<length>.csv` | `peg.usd.<TOKEN>USD` |
//! | `funding/<venue>/<SYMBOL>.csv` | `funding.<venue>.<SYMBOL>` |
//! | `aave/reserves/<ASSET>_<length>.csv` | `aave_reserve.aave.<ASSET>` |
//! | `aave/oracle/<ASSET>_<QUOTE>_<length>.csv` | `oracle.aave.<ASSET>_<QUOTE>` |
//! | `staking/<LST>_<QUOTE>_protocol_<length>.csv` | `staking_rate.<protocol>.<LST>_<QUOTE>` |
//! | `staking/<LST>_<QUOTE>_market_<length>.csv` | `staking_market.<pool's venue>.<LST>_<QUOTE>` |
//! | `gas/<chain>_<length>.csv` | `gas.<chain>.gwei` |
//! | `rewards/etherfi_eigen.csv` | `reward_rate.etherfi.EIGEN` |
//! | `rewards/etherfi_ethfi_topups.csv` | `reward_top_up.etherfi.ETHFI` |
//!
//! Beside them `aave/risk_parameters.csv` is a table. With the feature `parquet` bars and funding may
//! be in files that end in `.parquet` instead.
//! Whatever else lies there is listed with a reason and left alone.

use std::fs;
use std::path::{Path, PathBuf};

use basis_core::error::{Code, ComponentError};
use basis_core::types::{SeriesId, SeriesKind, Span, Symbol, Venue};
use serde::Serialize;

/// The time between two settlements of a recorded funding series.
pub const FUNDING_INTERVAL: Span = Span::from_hours(8);

/// The layout, as errors state it.
pub const LAYOUT: &str = "spot/<venue>/<SYMBOL>_1h.csv, perp/<venue>/<SYMBOL>_1h.csv, \
    mark/<venue>/<SYMBOL>_1h.csv, index/<venue>/<SYMBOL>_1h.csv, peg/<TOKEN>USD_1h.csv, \
    funding/<venue>/<SYMBOL>.csv, dex/<venue>/<SYMBOL>_1h.csv, aave/reserves/<ASSET>_1d.csv, \
    aave/oracle/<ASSET>_<QUOTE>_1d.csv, staking/<LST>_<QUOTE>_protocol_1d.csv, \
    staking/<LST>_<QUOTE>_market_1h.csv, gas/<chain>_1h.csv, rewards/etherfi_eigen.csv, \
    rewards/etherfi_ethfi_topups.csv";

/// The table of Aave's risk parameters.
pub const RISK_PARAMETERS: &str = "aave/risk_parameters.csv";

/// Which protocol redeems a liquid staking token, and in whose pool its market rate was recorded.
const STAKING: [(&str, Venue, Venue); 2] = [
    ("weETH", Venue::literal("etherfi"), Venue::literal("curve")),
    ("wstETH", Venue::literal("lido"), Venue::literal("uniswap")),
];
/// The symbol of every gas series.
const GWEI: Symbol = Symbol::literal("gwei");
/// The venue of every peg: the market in dollars.
pub(crate) const PEG_VENUE: Venue = Venue::literal("usd");
const AAVE: Venue = Venue::literal("aave");
/// The files of rewards, each with its series.
const REWARDS: [(&str, SeriesId); 2] = [
    (
        "etherfi_eigen.csv",
        SeriesId::new(
            SeriesKind::RewardRate,
            Venue::literal("etherfi"),
            Symbol::literal("EIGEN"),
        ),
    ),
    (
        "etherfi_ethfi_topups.csv",
        SeriesId::new(
            SeriesKind::RewardTopUp,
            Venue::literal("etherfi"),
            Symbol::literal("ETHFI"),
        ),
    ),
];

/// How the name of a Parquet file ends.
const PARQUET_ENDING: &str = ".parquet";

/// How many levels below the directory are listed.
const DEPTH_MAX: usize = 4;
/// How many other files are listed, so that pointing at a home directory stays harmless.
const IGNORED_MAX: usize = 1_000;

/// The file of one series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesFile {
    /// The series.
    pub id: SeriesId,
    /// The file, below the catalogue's directory.
    pub path: PathBuf,
    /// The path relative to the directory, with `/` between its parts.
    pub name: String,
    /// Bar length, funding interval, or time between rows; zero for rewards, whose dates are their own.
    pub interval: Span,
}

impl SeriesFile {
    /// Whether it is a Parquet file; else it is CSV.
    #[must_use]
    pub fn is_parquet(&self) -> bool {
        self.name.ends_with(PARQUET_ENDING)
    }
}

/// A file that is not read, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct IgnoredFile {
    /// The path relative to the directory.
    pub path: String,
    /// Why it is not read.
    pub reason: String,
}

/// What a data directory holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    /// The directory.
    pub dir: PathBuf,
    /// Series files, sorted by series, then bar length; at least one.
    pub files: Vec<SeriesFile>,
    /// The table of Aave's risk parameters, where there is one.
    pub risk_parameters: Option<PathBuf>,
    /// Files that are not read, sorted; at most 1,000 are listed.
    pub ignored: Vec<IgnoredFile>,
}

impl Catalogue {
    /// Lists `dir`.
    ///
    /// # Errors
    /// `DATA-005` when the directory is not there, cannot be read, or holds no series.
    pub fn scan(dir: &Path) -> Result<Self, ComponentError> {
        let mut catalogue = Self {
            dir: dir.to_owned(),
            files: Vec::new(),
            risk_parameters: None,
            ignored: Vec::new(),
        };
        catalogue.walk(dir, &mut Vec::new())?;
        if catalogue.files.is_empty() {
            let others = match catalogue.ignored.len() {
                0 => "is empty".to_owned(),
                others => format!("holds no series ({others} other files)"),
            };
            return Err(ComponentError::new(
                Code::DataDirectory,
                format!(
                    "data directory {} {others}; expected {LAYOUT}",
                    dir.display()
                ),
            )
            .with_reason("empty"));
        }
        catalogue
            .files
            .sort_unstable_by(|a, b| (a.id, a.interval, &a.name).cmp(&(b.id, b.interval, &b.name)));
        catalogue.ignored.sort_unstable();
        Ok(catalogue)
    }

    fn walk(&mut self, dir: &Path, parts: &mut Vec<String>) -> Result<(), ComponentError> {
        let unreadable = |e: std::io::Error| {
            ComponentError::new(
                Code::DataDirectory,
                format!(
                    "data directory {} cannot be read: {e}; expected {LAYOUT}",
                    dir.display()
                ),
            )
            .with_source(e)
        };
        for entry in fs::read_dir(dir).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            let path = entry.path();
            parts.push(name);
            // A broken link is no directory, so it is listed or fails when it is opened.
            if path.is_dir() {
                if parts.len() < DEPTH_MAX && self.ignored.len() < IGNORED_MAX {
                    self.walk(&path, parts)?;
                }
            } else {
                self.add(path, parts);
            }
            parts.pop();
        }
        Ok(())
    }

    fn add(&mut self, path: PathBuf, parts: &[String]) {
        let name = parts.join("/");
        if name == RISK_PARAMETERS {
            self.risk_parameters = Some(path);
            return;
        }
        match classify(parts) {
            Ok((id, interval)) => self.files.push(SeriesFile {
                id,
                path,
                name,
                interval,
            }),
            Err(_) if self.ignored.len() >= IGNORED_MAX => {}
            Err(reason) => self.ignored.push(IgnoredFile { path: name, reason }),
        }
    }

    /// The file of `id`; `None` when there is none.
    ///
    /// # Errors
    /// `DATA-002` when there are several, of different bar lengths.
    pub fn find(&self, id: SeriesId) -> Result<Option<&SeriesFile>, ComponentError> {
        let mut files = self.files.iter().filter(|file| file.id == id);
        match (files.next(), files.next()) {
            (file, None) => Ok(file),
            (None, Some(_)) => Ok(None),
            (Some(first), Some(second)) => Err(ComponentError::new(
                Code::DataMalformed,
                format!(
                    "series {id} has more than one file in {}: {} and {}; keep one{}",
                    self.dir.display(),
                    first.name,
                    second.name,
                    if first.interval == second.interval {
                        " of them"
                    } else {
                        " bar length"
                    }
                ),
            )
            .with_reason("ambiguous")),
        }
    }
}

/// Which series a relative path holds, or why none.
pub(crate) fn classify(parts: &[String]) -> Result<(SeriesId, Span), String> {
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["aave", "reserves", file] => {
            let (symbol, interval) = csv_with_length(file, "WETH_1d.csv")?;
            series(SeriesKind::AaveReserve, AAVE, symbol, interval)
        }
        ["aave", "oracle", file] => {
            let (symbol, interval) = csv_with_length(file, "weETH_ETH_1d.csv")?;
            series(SeriesKind::Oracle, AAVE, symbol, interval)
        }
        ["staking", file] => staking(file),
        ["peg", file] => {
            let (symbol, interval) = csv_with_length(file, "USDTUSD_1h.csv")?;
            series(SeriesKind::Peg, PEG_VENUE, symbol, interval)
        }
        ["gas", file] => {
            let (chain, interval) = csv_with_length(file, "ethereum_1h.csv")?;
            let chain = Venue::new(chain).map_err(|e| e.to_string())?;
            Ok((SeriesId::new(SeriesKind::Gas, chain, GWEI), interval))
        }
        ["rewards", file] => REWARDS
            .iter()
            .find(|(name, _)| name == file)
            .map(|(_, id)| (*id, Span::ZERO))
            .ok_or_else(|| {
                let known = REWARDS.map(|(name, _)| name).join(" and ");
                format!("no such rewards are known; there is {known}")
            }),
        [kind, rest @ ..] if !rest.is_empty() => by_venue(kind, rest),
        _ => Err("not read by this version".to_owned()),
    }
}

/// As [`classify`], for bars and funding, which lie in a folder per venue.
fn by_venue(kind: &str, rest: &[&str]) -> Result<(SeriesId, Span), String> {
    let kinds = SeriesKind::ALL.into_iter();
    let mut kinds = kinds
        .filter(|kind| kind.has_bars() && *kind != SeriesKind::Peg || *kind == SeriesKind::Funding);
    let Some(kind) = kinds.find(|known| known.as_str() == kind) else {
        return Err("not read by this version".to_owned());
    };
    let [venue, file] = rest else {
        return Err(format!("not at {kind}/<venue>/<file>.csv"));
    };
    let stem = match file.strip_suffix(".csv") {
        Some(stem) => stem,
        None => parquet_stem(file)?,
    };
    let (symbol, interval) = if kind == SeriesKind::Funding {
        (stem, FUNDING_INTERVAL)
    } else {
        with_length(stem, "bar length", "BTCUSDT_1h.csv")?
    };
    let venue = Venue::new(venue).map_err(|e| e.to_string())?;
    series(kind, venue, symbol, interval)
}

fn staking(file: &str) -> Result<(SeriesId, Span), String> {
    let (name, interval) = csv_with_length(file, "weETH_ETH_protocol_1d.csv")?;
    let (symbol, what) = name.rsplit_once('_').unwrap_or((name, ""));
    let token = symbol.split('_').next().unwrap_or_default();
    let known = STAKING.iter().find(|(known, ..)| *known == token);
    let Some((_, protocol, pool)) = known else {
        let known = STAKING.map(|(known, ..)| known).join(" and ");
        return Err(format!(
            "no protocol is known for {token}; there is {known}"
        ));
    };
    match what {
        "protocol" => series(SeriesKind::StakingRate, *protocol, symbol, interval),
        "market" => series(SeriesKind::StakingMarket, *pool, symbol, interval),
        _ => Err("neither _protocol_ nor _market_ in the name".to_owned()),
    }
}

fn series(
    kind: SeriesKind,
    venue: Venue,
    symbol: &str,
    interval: Span,
) -> Result<(SeriesId, Span), String> {
    let symbol = Symbol::new(symbol).map_err(|e| e.to_string())?;
    Ok((SeriesId::new(kind, venue, symbol), interval))
}

fn with_length<'a>(stem: &'a str, what: &str, example: &str) -> Result<(&'a str, Span), String> {
    split_length(stem).ok_or_else(|| format!("no {what} in the name; expected e.g. {example}"))
}

/// Name and interval of a file of rows.
fn csv_with_length<'a>(file: &'a str, example: &str) -> Result<(&'a str, Span), String> {
    match file.strip_suffix(".csv") {
        Some(stem) => with_length(stem, "interval", example),
        None if file.ends_with(PARQUET_ENDING) => {
            Err("such series are read from CSV files only".to_owned())
        }
        None => Err("not a .csv file".to_owned()),
    }
}

/// Where the layout has the series `id`, relative to the directory; `step` is the length of its bars
/// (a day for rows recorded daily, an hour for those recorded hourly, whatever it says).
#[must_use]
pub fn expected_path(id: SeriesId, step: Span) -> String {
    let SeriesId {
        kind,
        venue,
        symbol,
    } = id;
    match kind {
        SeriesKind::Funding => format!("{kind}/{venue}/{symbol}.csv"),
        SeriesKind::AaveReserve => format!("aave/reserves/{symbol}_1d.csv"),
        SeriesKind::Oracle => format!("aave/oracle/{symbol}_1d.csv"),
        SeriesKind::StakingRate => format!("staking/{symbol}_protocol_1d.csv"),
        SeriesKind::StakingMarket => format!("staking/{symbol}_market_1h.csv"),
        SeriesKind::Gas => format!("gas/{venue}_1h.csv"),
        SeriesKind::Peg => format!("peg/{symbol}_{}.csv", length_name(step)),
        SeriesKind::RewardRate | SeriesKind::RewardTopUp => {
            REWARDS.iter().find(|(_, known)| *known == id).map_or_else(
                || format!("rewards/{venue}.csv"),
                |(name, _)| format!("rewards/{name}"),
            )
        }
        _ => format!("{kind}/{venue}/{symbol}_{}.csv", length_name(step)),
    }
}

/// A length as file names have it.
pub(crate) fn length_name(step: Span) -> String {
    let seconds = step.seconds();
    match seconds {
        s if s % 86_400 == 0 => format!("{}d", s / 86_400),
        s if s % 3_600 == 0 => format!("{}h", s / 3_600),
        s => format!("{}m", s / 60),
    }
}

/// The name of a Parquet file without its ending, where this build reads them.
fn parquet_stem(file: &str) -> Result<&str, String> {
    match file.strip_suffix(PARQUET_ENDING) {
        Some(stem) if cfg!(feature = "parquet") => Ok(stem),
        Some(_) => Err(
            "a Parquet file, which this build does not read; build with --features parquet"
                .to_owned(),
        ),
        None if cfg!(feature = "parquet") => Err("not a .csv or .parquet file".to_owned()),
        None => Err("not a .csv file".to_owned()),
    }
}

/// The bar length in a file's name, as in `BTCUSDT_1h.csv`.
#[must_use]
pub fn bar_length(path: &Path) -> Option<Span> {
    split_length(path.file_stem()?.to_str()?).map(|(_, length)| length)
}

/// Splits `BTCUSDT_1h` into symbol and length; units are s, m, h and d.
pub(crate) fn split_length(stem: &str) -> Option<(&str, Span)> {
    let (symbol, suffix) = stem.rsplit_once('_')?;
    let (count, unit) = suffix.split_at_checked(suffix.len().checked_sub(1)?)?;
    if !count.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let count: i64 = count.parse().ok().filter(|count| *count > 0)?;
    let unit = match unit {
        "s" => Span::from_seconds(1),
        "m" => Span::from_minutes(1),
        "h" => Span::HOUR,
        "d" => Span::DAY,
        _ => return None,
    };
    let length = unit.times(count);
    // A bar beyond a year is a typing error, and longer ones would saturate.
    (length <= Span::DAY.times(366)).then_some((symbol, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    /// The series and the ignored files of a directory that holds `names`, all empty.
    fn listed(names: &[&str]) -> (Vec<String>, Vec<String>) {
        let dir = Scratch::new();
        for name in names {
            dir.write(name, "");
        }
        let catalogue = Catalogue::scan(dir.path()).unwrap();
        for file in catalogue.files.iter().filter(|file| !file.is_parquet()) {
            let seconds = file.interval.seconds();
            if seconds == 0 || seconds % 3_600 == 0 {
                assert_eq!(expected_path(file.id, file.interval), file.name);
            }
        }
        let table = catalogue.risk_parameters.as_ref();
        let is_there = table.is_some_and(|path| path.ends_with(RISK_PARAMETERS));
        assert_eq!(is_there, names.contains(&RISK_PARAMETERS));
        let files = catalogue.files.iter();
        let ignored = catalogue.ignored.iter();
        (
            files
                .map(|file| format!("{} {}", file.id, file.interval))
                .collect(),
            ignored
                .map(|file| format!("{}: {}", file.path, file.reason))
                .collect(),
        )
    }

    #[test]
    fn lists_series_with_their_bar_length_and_the_rest_with_a_reason() {
        let (files, ignored) = listed(&[
            "spot/binance/BTCUSDT_1h.csv",
            "perp/okx/ETHUSDT_5m.csv",
            "perp/bybit/BTCUSDT_1d.csv",
            "funding/okx/BTCUSDT.csv",
            "spot/binance/BTCUSDT.csv",
            "spot/binance/notes.txt",
            "spot/BTCUSDT_1h.csv",
            "README.md",
            ".git/config",
        ]);
        assert_eq!(
            files,
            [
                "spot.binance.BTCUSDT 1h",
                "perp.bybit.BTCUSDT 1d",
                "perp.okx.ETHUSDT 5min",
                "funding.okx.BTCUSDT 8h",
            ]
        );
        assert_eq!(
            ignored,
            [
                "README.md: not read by this version",
                "spot/BTCUSDT_1h.csv: not at spot/<venue>/<file>.csv",
                "spot/binance/BTCUSDT.csv: no bar length in the name; expected e.g. BTCUSDT_1h.csv",
                if cfg!(feature = "parquet") {
                    "spot/binance/notes.txt: not a .csv or .parquet file"
                } else {
                    "spot/binance/notes.txt: not a .csv file"
                },
            ]
        );
    }

    #[test]
    fn lists_what_was_recorded_on_chain() {
        let (files, ignored) = listed(&[
            "aave/reserves/WETH_1d.csv",
            "aave/reserves/WETH.csv",
            "aave/reserves/WETH_1d.parquet",
            "aave/oracle/weETH_ETH_1d.csv",
            "aave/risk_parameters.csv",
            "dex/uniswap/WETHUSDT_3000_1h.csv",
            "staking/weETH_ETH_protocol_1d.csv",
            "staking/wstETH_ETH_market_1h.csv",
            "staking/rETH_ETH_protocol_1d.csv",
            "staking/weETH_ETH_1d.csv",
            "gas/ethereum_1h.csv",
            "rewards/etherfi_eigen.csv",
            "rewards/etherfi_ethfi_topups.csv",
            "rewards/lido_ldo.csv",
        ]);
        assert_eq!(
            files,
            [
                "dex.uniswap.WETHUSDT_3000 1h",
                "aave_reserve.aave.WETH 1d",
                "oracle.aave.weETH_ETH 1d",
                "staking_rate.etherfi.weETH_ETH 1d",
                "staking_market.uniswap.wstETH_ETH 1h",
                "gas.ethereum.gwei 1h",
                "reward_rate.etherfi.EIGEN 0s",
                "reward_top_up.etherfi.ETHFI 0s",
            ]
        );
        assert_eq!(
            ignored,
            [
                "aave/reserves/WETH.csv: no interval in the name; expected e.g. WETH_1d.csv",
                "aave/reserves/WETH_1d.parquet: such series are read from CSV files only",
                "rewards/lido_ldo.csv: no such rewards are known; there is etherfi_eigen.csv and \
                 etherfi_ethfi_topups.csv",
                "staking/rETH_ETH_protocol_1d.csv: no protocol is known for rETH; there is weETH and \
                 wstETH",
                "staking/weETH_ETH_1d.csv: neither _protocol_ nor _market_ in the name",
            ]
        );
    }

    #[test]
    fn parquet_beside_csv_is_ambiguous_or_ignored_with_the_way_out() {
        let dir = Scratch::new();
        dir.write("spot/binance/BTCUSDT_1m.csv", "");
        dir.write("spot/binance/BTCUSDT_1m.parquet", "");
        let catalogue = Catalogue::scan(dir.path()).unwrap();
        let found = catalogue.find("spot.binance.BTCUSDT".parse().unwrap());
        if cfg!(feature = "parquet") {
            let message = found.unwrap_err().message;
            assert!(message.ends_with("keep one of them"), "{message}");
        } else {
            assert!(found.unwrap().is_some());
            let reason = &catalogue.ignored[0].reason;
            assert!(reason.contains("build with --features parquet"), "{reason}");
        }
    }

    #[test]
    fn a_missing_and_an_empty_directory_are_data_005_naming_the_layout() {
        let dir = Scratch::new();
        for path in [dir.path().join("absent"), dir.path().to_owned()] {
            let e = Catalogue::scan(&path).unwrap_err();
            assert_eq!(e.code, Code::DataDirectory);
            assert!(e.message.contains(&path.display().to_string()), "{e}");
            assert!(e.message.contains("spot/<venue>/<SYMBOL>_1h.csv"), "{e}");
        }
        dir.write("pools/ethereum_1h.csv", "");
        let e = Catalogue::scan(dir.path()).unwrap_err();
        assert!(e.message.contains("holds no series (1 other files)"), "{e}");
    }

    #[test]
    fn two_bar_lengths_of_one_series_are_ambiguous() {
        let dir = Scratch::new();
        dir.write("spot/binance/BTCUSDT_1h.csv", "");
        dir.write("spot/binance/BTCUSDT_1m.csv", "");
        let catalogue = Catalogue::scan(dir.path()).unwrap();
        let id = "spot.binance.BTCUSDT".parse().unwrap();
        let e = catalogue.find(id).unwrap_err();
        assert!(e.message.contains("BTCUSDT_1m.csv and"), "{e}");
        assert!(e.message.contains("BTCUSDT_1h.csv; keep one"), "{e}");
        let absent = "spot.okx.BTCUSDT".parse().unwrap();
        assert_eq!(catalogue.find(absent).unwrap(), None);
    }

    #[test]
    fn bar_lengths_are_read_from_names() {
        for (name, length) in [
            ("A_1s.csv", Some(Span::from_seconds(1))),
            ("A_15m.csv", Some(Span::from_minutes(15))),
            ("A_4h.csv", Some(Span::from_hours(4))),
            ("A_B_1d.csv", Some(Span::DAY)),
            ("A_0h.csv", None),
            ("A_+1h.csv", None),
            ("A_h.csv", None),
            ("A_.csv", None),
            ("A_1w.csv", None),
            ("A_1µ.csv", None),
            ("A_99999999999d.csv", None),
            ("A.csv", None),
        ] {
            assert_eq!(bar_length(Path::new(name)), length, "{name}");
        }
    }
}
