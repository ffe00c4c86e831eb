//! Parameters of a request: the query of a read, the JSON body of everything else.

use basis_core::num::{Fixed18, Price, Quantity};
use basis_core::types::{Asset, Side, Symbol};
use serde_json::{Map, Value};

use super::Category;
use super::error::ApiError;
use crate::server::http::percent_decode;

/// Parameters by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(Map<String, Value>);

impl Params {
    /// Reads a query.
    pub(super) fn of_query(query: &str) -> Result<Self, ApiError> {
        let mut all = Map::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = percent_decode(name).zip(percent_decode(value));
            let (name, value) = decoded.ok_or_else(|| ApiError::params("query"))?;
            all.insert(name, Value::String(value));
        }
        Ok(Self(all))
    }

    /// Reads a body.
    pub(super) fn of_body(body: &[u8]) -> Result<Self, ApiError> {
        let object = serde_json::from_slice(body).ok();
        object
            .map(Self)
            .ok_or_else(|| ApiError::params("the body is no JSON object"))
    }

    /// The entries of a list of requests, each with the category of all.
    pub(super) fn requests(&self) -> Result<Vec<Self>, ApiError> {
        let list = self.0.get("request").and_then(Value::as_array);
        let list = list.ok_or_else(|| ApiError::params("request"))?;
        let category = self.0.get("category").cloned().unwrap_or_default();
        let mut requests = Vec::with_capacity(list.len());
        for entry in list {
            let entry = entry.as_object().cloned();
            let mut entry = entry.ok_or_else(|| ApiError::params("request"))?;
            entry.insert("category".to_owned(), category.clone());
            requests.push(Self(entry));
        }
        Ok(requests)
    }

    /// A text that is not empty. Quantities and prices have to be texts.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name).ok_or_else(|| ApiError::params(name))
    }

    /// A whole number, as a number or as a text.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let number = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) if text.is_empty() => return Ok(None),
            Some(Value::String(text)) => text.parse().ok(),
            Some(other) => other.as_i64(),
        };
        number.map(Some).ok_or_else(|| ApiError::params(name))
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(ApiError::params(name)),
        }
    }

    pub(super) fn category(&self) -> Result<Category, ApiError> {
        match self.required("category")? {
            "spot" => Ok(Category::Spot),
            "linear" => Ok(Category::Linear),
            _ => Err(ApiError::params("category")),
        }
    }

    /// The symbol, where one is named; whether it is listed is the caller's question.
    pub(super) fn symbol(&self, category: Category) -> Result<Option<Symbol>, ApiError> {
        let Some(text) = self.text("symbol") else {
            return Ok(None);
        };
        let symbol = Symbol::new(text).ok();
        symbol
            .map(Some)
            .ok_or_else(|| ApiError::invalid_symbol(category))
    }

    pub(super) fn side(&self) -> Result<Side, ApiError> {
        match self.required("side")? {
            "Buy" => Ok(Side::Buy),
            "Sell" => Ok(Side::Sell),
            _ => Err(ApiError::params("side")),
        }
    }

    /// A plain decimal, sent as a text: no sign, no exponent.
    pub(super) fn decimal(&self, name: &str) -> Result<Option<Fixed18>, ApiError> {
        if self.0.get(name).is_some_and(Value::is_number) {
            return Err(ApiError::params(format!("{name} must be a string")));
        }
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let is_plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let number = Some(text).filter(|_| is_plain);
        let number = number.and_then(|text| Fixed18::parse(text).ok());
        number.map(Some).ok_or_else(|| ApiError::params(name))
    }

    pub(super) fn quantity(&self, name: &str) -> Result<Option<Quantity>, ApiError> {
        Ok(self.decimal(name)?.map(Quantity::new))
    }

    pub(super) fn price(&self, name: &str) -> Result<Option<Price>, ApiError> {
        let Some(number) = self.decimal(name)? else {
            return Ok(None);
        };
        let price = Price::new(number).ok();
        price.map(Some).ok_or_else(|| ApiError::params(name))
    }

    pub(super) fn asset(&self, name: &str) -> Result<Option<Asset>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let asset = Asset::new(text).ok();
        asset.map(Some).ok_or_else(|| ApiError::params(name))
    }
}

/// Which rows of a list a request asks for: the newest first, between two instants, a page at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    from_ms: i64,
    to_ms: i64,
    limit: usize,
    /// Rows with a smaller number than this.
    before: u64,
}

impl Page {
    /// Reads instants, cursor and limit; (default, most) rows, and the longest window where there is one.
    pub(super) fn read(
        params: &Params,
        now: i64,
        (rows, rows_max): (usize, usize),
        windows: Option<(i64, i64)>,
    ) -> Result<Self, ApiError> {
        let (start, end) = (params.integer("startTime")?, params.integer("endTime")?);
        let (from_ms, to_ms) = match (start, end, windows) {
            (None, None, Some((usual, _))) => (now.saturating_sub(usual), i64::MAX),
            (None, None, None) => (i64::MIN, i64::MAX),
            (Some(start), None, Some((_, most))) => (start, start.saturating_add(most)),
            (None, Some(end), Some((_, most))) => (end.saturating_sub(most), end),
            (start, end, None) => (start.unwrap_or(i64::MIN), end.unwrap_or(i64::MAX)),
            (Some(start), Some(end), Some((_, most))) => {
                if end.saturating_sub(start) > most {
                    let days = most / 86_400_000;
                    let text = format!(
                        "the time range between startTime and endTime cannot exceed {days} days"
                    );
                    return Err(ApiError::params(text));
                }
                (start, end)
            }
        };
        if to_ms < from_ms {
            return Err(ApiError::params("endTime is before startTime"));
        }
        let limit = params.integer("limit")?.map(usize::try_from);
        let limit = match limit {
            None => rows,
            Some(Ok(limit)) if (1..=rows_max).contains(&limit) => limit,
            Some(_) => return Err(ApiError::params("limit")),
        };
        let before = match params.text("cursor") {
            None => u64::MAX,
            Some(text) => text
                .parse()
                .ok()
                .ok_or_else(|| ApiError::params("cursor"))?,
        };
        Ok(Self {
            from_ms,
            to_ms,
            limit,
            before,
        })
    }

    /// The same page whatever the time.
    pub(super) const fn of_any_time(mut self) -> Self {
        (self.from_ms, self.to_ms) = (i64::MIN, i64::MAX);
        self
    }

    /// Cuts rows, newest first, with their numbers and instants; returns them and the cursor of the next page.
    pub(super) fn cut(&self, rows: Vec<(u64, i64, Value)>) -> (Vec<Value>, String) {
        let mut kept: Vec<_> = rows
            .into_iter()
            .filter(|(number, ms, _)| {
                *number < self.before && (self.from_ms..=self.to_ms).contains(ms)
            })
            .collect();
        let has_more = kept.len() > self.limit;
        kept.truncate(self.limit);
        let last = kept.last().map(|(number, ..)| number.to_string());
        let cursor = last.filter(|_| has_more).unwrap_or_default();
        (kept.into_iter().map(|(_, _, row)| row).collect(), cursor)
    }
}
