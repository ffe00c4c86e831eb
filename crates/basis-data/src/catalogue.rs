//! Which series a data directory holds: file names only, no contents.
//!
//! The layout is `spot|perp/<venue>/<SYMBOL>_<length>.csv` and `funding/<venue>/<SYMBOL>.csv`; with
//! the feature `parquet` a file may end in `.parquet` instead.
//! Whatever else lies there is listed with a reason and left alone.

use std::fs;
use std::path::{Path, PathBuf};

use basis_core::error::{Code, ComponentError};
use basis_core::types::{SeriesId, SeriesKind, Span, Symbol, Venue};
use serde::Serialize;

/// The time between two settlements of a recorded funding series.
pub const FUNDING_INTERVAL: Span = Span::from_hours(8);

/// The layout, as errors state it.
pub const LAYOUT: &str =
    "spot/<venue>/<SYMBOL>_1h.csv, perp/<venue>/<SYMBOL>_1h.csv, funding/<venue>/<SYMBOL>.csv";

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
    /// Bar length, or the funding interval.
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
fn classify(parts: &[String]) -> Result<(SeriesId, Span), String> {
    let kind = parts.first().and_then(|first| {
        SeriesKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == first && parts.len() > 1)
    });
    let Some(kind) = kind else {
        return Err("not read by this version".to_owned());
    };
    let [_, venue, file] = parts else {
        return Err(format!("not at {kind}/<venue>/<file>.csv"));
    };
    let stem = match file.strip_suffix(".csv") {
        Some(stem) => stem,
        None => parquet_stem(file)?,
    };
    let (symbol, interval) = if kind == SeriesKind::Funding {
        (stem, FUNDING_INTERVAL)
    } else {
        split_length(stem)
            .ok_or_else(|| "no bar length in the name; expected e.g. BTCUSDT_1h.csv".to_owned())?
    };
    let venue = Venue::new(venue).map_err(|e| e.to_string())?;
    let symbol = Symbol::new(symbol).map_err(|e| e.to_string())?;
    Ok((SeriesId::new(kind, venue, symbol), interval))
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
fn split_length(stem: &str) -> Option<(&str, Span)> {
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

    #[test]
    fn lists_series_with_their_bar_length_and_the_rest_with_a_reason() {
        let dir = Scratch::new();
        for name in [
            "spot/binance/BTCUSDT_1h.csv",
            "perp/okx/ETHUSDT_5m.csv",
            "perp/bybit/BTCUSDT_1d.csv",
            "funding/okx/BTCUSDT.csv",
            "aave/reserves/WETH_1d.csv",
            "spot/binance/BTCUSDT.csv",
            "spot/binance/notes.txt",
            "spot/BTCUSDT_1h.csv",
            "README.md",
            ".hidden",
        ] {
            dir.write(name, "");
        }
        let catalogue = Catalogue::scan(dir.path()).unwrap();
        let files: Vec<_> = catalogue
            .files
            .iter()
            .map(|file| format!("{} {}", file.id, file.interval))
            .collect();
        assert_eq!(
            files,
            [
                "spot.binance.BTCUSDT 1h",
                "perp.bybit.BTCUSDT 1d",
                "perp.okx.ETHUSDT 5min",
                "funding.okx.BTCUSDT 8h",
            ]
        );
        let ignored: Vec<_> = catalogue
            .ignored
            .iter()
            .map(|file| format!("{}: {}", file.path, file.reason))
            .collect();
        assert_eq!(
            ignored,
            [
                "README.md: not read by this version",
                "aave/reserves/WETH_1d.csv: not read by this version",
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
        dir.write("gas/ethereum_1h.csv", "");
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
