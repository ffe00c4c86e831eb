//! Which column of a foreign file is which of ours: the text of `--map`, and of every known shape.
//!
//! Items are separated by commas or line ends; a line that starts with `#` is a comment.
//!
//! | item | says |
//! | --- | --- |
//! | `kind=funding`, `venue=bybit`, `symbol=SOLUSDT`, `interval=1h` | what the rows are, as the flags do |
//! | `symbol=@NAME` | a column that names the instrument of each row |
//! | `timestamp=NAME`, `timestamp=NAME:ms`, `timestamp=DATE+TIME` | the instant, its unit where digits alone do not say it |
//! | `COLUMN=NAME`, `COLUMN=NAME*1e-9`, `COLUMN=const:0` | a column of ours: as it is, times a power of ten, or fixed |
//! | `confirm=NAME:1` | rows with another value are left out |
//! | `closes=NAME` | the last instant of the bar, which must fit the interval |
//! | `columns=a b c` | the names of the columns of a file without a header |

use std::fmt::Write as _;

use basis_core::types::Span;

use super::kind::Kind;
use super::name::interval;
use super::time::TimeForm;

/// Where the instrument of a row stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SymbolFrom {
    /// The same for the whole file.
    Fixed(String),
    /// A column.
    Column(String),
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ValueFrom {
    /// In a column, times ten to a power.
    Column { name: String, shift: i32 },
    /// In the map itself.
    Constant(String),
}

/// A map of columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub(super) kind: Option<Kind>,
    pub(super) venue: Option<String>,
    pub(super) symbol: Option<SymbolFrom>,
    pub(super) every: Option<Span>,
    pub(super) columns: Vec<String>,
    pub(super) time: Vec<String>,
    pub(super) time_form: TimeForm,
    pub(super) values: Vec<(String, ValueFrom)>,
    pub(super) confirm: Option<(String, String)>,
    pub(super) closes: Option<String>,
    text: Vec<String>,
}

impl Mapping {
    /// Reads a map.
    ///
    /// # Errors
    /// What is wrong with it, with the item.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut map = Self {
            kind: None,
            venue: None,
            symbol: None,
            every: None,
            columns: Vec::new(),
            time: Vec::new(),
            time_form: TimeForm::Any,
            values: Vec::new(),
            confirm: None,
            closes: None,
            text: Vec::new(),
        };
        let lines = text.lines().filter(|line| !line.trim().starts_with('#'));
        for item in lines.flat_map(|line| line.split(',')).map(str::trim) {
            if item.is_empty() {
                continue;
            }
            let (key, value) = item
                .split_once('=')
                .ok_or_else(|| format!("`{item}` is not of the form name=value"))?;
            map.set(key.trim(), value.trim())
                .map_err(|what| format!("`{item}` {what}"))?;
            map.text.push(item.to_owned());
        }
        Ok(map)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "kind" => {
                let kind = Kind::word(value);
                self.kind = Some(kind.ok_or_else(|| {
                    let words = Kind::ALL.map(|(word, _)| word).join(", ");
                    format!("is no kind; there is {words}")
                })?);
            }
            "venue" => self.venue = Some(value.to_owned()),
            "interval" => {
                let every = interval(value).ok_or("is no interval; write e.g. 1h")?;
                self.every = Some(every);
            }
            "symbol" => {
                self.symbol = Some(match value.strip_prefix('@') {
                    Some(column) => SymbolFrom::Column(column.to_owned()),
                    None => SymbolFrom::Fixed(value.to_owned()),
                });
            }
            "timestamp" => {
                let (columns, form) = value.rsplit_once(':').unwrap_or((value, "any"));
                self.time_form = TimeForm::word(form)
                    .ok_or("has no known unit; there is s, ms, us, ns and iso")?;
                self.time = columns.split('+').map(str::to_owned).collect();
            }
            "columns" => self.columns = value.split_whitespace().map(str::to_owned).collect(),
            "closes" => self.closes = Some(value.to_owned()),
            "confirm" => {
                let (name, wanted) = value
                    .split_once(':')
                    .ok_or("names no value; write e.g. confirm=confirm:1")?;
                self.confirm = Some((name.to_owned(), wanted.to_owned()));
            }
            _ => self.values.push((key.to_owned(), value_from(value)?)),
        }
        Ok(())
    }

    /// The map as a file, one item a line.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = "# A map of columns for `basis data import --map`.\n".to_owned();
        for item in &self.text {
            // Writing to a string cannot fail.
            writeln!(text, "{item}").unwrap_or_default();
        }
        text
    }

    /// Every column of the file that the map names, once.
    pub(super) fn needed(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.time.iter().map(String::as_str).collect();
        for (_, value) in &self.values {
            if let ValueFrom::Column { name, .. } = value {
                names.push(name);
            }
        }
        if let Some(SymbolFrom::Column(name)) = &self.symbol {
            names.push(name);
        }
        names.extend(self.confirm.iter().map(|(name, _)| name.as_str()));
        names.extend(self.closes.as_deref());
        let mut once = Vec::with_capacity(names.len());
        for name in names {
            if !once.contains(&name) {
                once.push(name);
            }
        }
        once
    }
}

fn value_from(text: &str) -> Result<ValueFrom, String> {
    if let Some(constant) = text.strip_prefix("const:") {
        return Ok(ValueFrom::Constant(constant.to_owned()));
    }
    let Some((name, power)) = text.rsplit_once("*1e") else {
        return Ok(ValueFrom::Column {
            name: text.to_owned(),
            shift: 0,
        });
    };
    let shift = power
        .parse()
        .ok()
        .filter(|shift| (-40..=40).contains(shift));
    let shift = shift.ok_or("is not times a power of ten of -40 to 40, as price*1e-8")?;
    Ok(ValueFrom::Column {
        name: name.to_owned(),
        shift,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_reads_back_from_its_own_file() {
        let text = "kind=gas,venue=ethereum,interval=1h,timestamp=time:s,block=number,\
                    base_fee_gwei=base*1e-9,priority_fee_p50_gwei=const:0,gas_price_gwei=price*1e-9";
        let map = Mapping::parse(text).unwrap();
        assert_eq!(map.kind, Some(Kind::Gas));
        assert_eq!(map.every, Some(Span::HOUR));
        assert_eq!(map.needed(), ["time", "number", "base", "price"]);
        assert_eq!(Mapping::parse(&map.text()), Ok(map));
    }

    #[test]
    fn what_is_wrong_with_a_map_is_told_with_the_item() {
        for (text, expected) in [
            ("kind", "`kind` is not of the form"),
            ("kind=fund", "is no kind; there is spot"),
            ("timestamp=t:h", "has no known unit"),
            ("close=c*1e99", "power of ten"),
            ("interval=1x", "is no interval"),
            ("confirm=c", "names no value"),
        ] {
            let said = Mapping::parse(text).unwrap_err();
            assert!(said.contains(expected), "{said}");
        }
    }
}
