//! Parameters of a request: the query of a read, the JSON body of everything else.

use basis_core::num::{Fixed18, Price};
use basis_core::types::{Asset, Side};
use serde_json::{Map, Value};

use super::Category;
use super::error::ApiError;
use crate::server::http::percent_decode;

/// Parameters by name. An empty text counts as none.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(Map<String, Value>);

impl Params {
    /// Reads a query.
    pub(super) fn of_query(query: &str) -> Result<Self, ApiError> {
        let mut all = Map::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = percent_decode(name).zip(percent_decode(value));
            let (name, value) = decoded.ok_or_else(|| ApiError::parameter("query"))?;
            all.insert(name, Value::String(value));
        }
        Ok(Self(all))
    }

    /// Reads a body: an object, or a list of objects.
    pub(super) fn of_body(body: &[u8]) -> Result<Vec<Self>, ApiError> {
        let syntax = || ApiError {
            status: 400,
            ..ApiError::new(50_002, "JSON syntax error")
        };
        match serde_json::from_slice(body).ok().ok_or_else(syntax)? {
            Value::Object(object) => Ok(vec![Self(object)]),
            Value::Array(list) => {
                let objects = list.into_iter().map(|entry| match entry {
                    Value::Object(object) => Ok(Self(object)),
                    _ => Err(syntax()),
                });
                objects.collect()
            }
            _ => Err(syntax()),
        }
    }

    /// A text that is not empty. Sizes and prices have to be texts.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name).ok_or_else(|| ApiError::missing(name))
    }

    /// Whether something is there that is neither empty nor null.
    pub(super) fn has(&self, name: &str) -> bool {
        match self.0.get(name) {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Array(list)) => !list.is_empty(),
            Some(_) => true,
        }
    }

    /// A whole number, as a text or as a number.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let number = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) if text.is_empty() => return Ok(None),
            Some(Value::String(text)) => text.parse().ok(),
            Some(other) => other.as_i64(),
        };
        number.map(Some).ok_or_else(|| ApiError::parameter(name))
    }

    /// A switch, as a boolean or as its text.
    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) => match text.as_str() {
                "" | "false" => Ok(false),
                "true" => Ok(true),
                _ => Err(ApiError::parameter(name)),
            },
            Some(_) => Err(ApiError::parameter(name)),
        }
    }

    /// A plain decimal, sent as a text: no sign, no exponent.
    pub(super) fn decimal(&self, name: &str) -> Result<Option<Fixed18>, ApiError> {
        if self.0.get(name).is_some_and(Value::is_number) {
            return Err(ApiError::parameter(name));
        }
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        plain(text)
            .map(Some)
            .ok_or_else(|| ApiError::parameter(name))
    }

    /// A plain decimal that may also be a number.
    pub(super) fn number(&self, name: &str) -> Result<Option<Fixed18>, ApiError> {
        match self.0.get(name) {
            Some(Value::Number(number)) => {
                let read = plain(&number.to_string());
                read.map(Some).ok_or_else(|| ApiError::parameter(name))
            }
            _ => self.decimal(name),
        }
    }

    /// A price above zero.
    pub(super) fn price(&self, name: &str) -> Result<Option<Price>, ApiError> {
        let Some(number) = self.decimal(name)? else {
            return Ok(None);
        };
        let price = Price::new(number).ok().filter(|price| price.is_positive());
        price.map(Some).ok_or_else(|| ApiError::parameter(name))
    }

    pub(super) fn side(&self) -> Result<Side, ApiError> {
        match self.required("side")? {
            "buy" => Ok(Side::Buy),
            "sell" => Ok(Side::Sell),
            _ => Err(ApiError::parameter("side")),
        }
    }

    /// The product, where one is named.
    pub(super) fn product(&self) -> Result<Option<Category>, ApiError> {
        match self.text("instType") {
            None => Ok(None),
            Some("SPOT") => Ok(Some(Category::Spot)),
            Some("SWAP") => Ok(Some(Category::Linear)),
            Some(_) => Err(ApiError::parameter("instType")),
        }
    }

    pub(super) fn required_product(&self) -> Result<Category, ApiError> {
        self.product()?.ok_or_else(|| ApiError::missing("instType"))
    }

    /// The currencies that are named, parted by commas; none for all.
    pub(super) fn coins(&self) -> Result<Option<Vec<Asset>>, ApiError> {
        let Some(text) = self.text("ccy") else {
            return Ok(None);
        };
        let coins = text.split(',').map(|coin| {
            let coin = Asset::new(coin).ok();
            coin.ok_or_else(|| ApiError::parameter("ccy"))
        });
        coins.collect::<Result<_, _>>().map(Some)
    }

    pub(super) fn coin(&self) -> Result<Asset, ApiError> {
        let coin = Asset::new(self.required("ccy")?).ok();
        coin.ok_or_else(|| ApiError::parameter("ccy"))
    }
}

fn plain(text: &str) -> Option<Fixed18> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let text = Some(text).filter(|_| is_plain)?;
    Fixed18::parse(text).ok()
}

/// Which rows of a list a request asks for: the newest first, between two instants and two ids, a page at a
/// time. Neither id comes again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    from_ms: i64,
    to_ms: i64,
    limit: usize,
    /// Rows with a smaller number than this: older ones.
    after: u64,
    /// Rows with a larger number than this: newer ones.
    before: u64,
}

impl Page {
    /// Reads instants, ids and limit, of which `most` is the largest and the usual one.
    pub(super) fn read(params: &Params, most: usize) -> Result<Self, ApiError> {
        let id = |name, usual| match params.text(name) {
            None => Ok(usual),
            Some(text) => text.parse().ok().ok_or_else(|| ApiError::parameter(name)),
        };
        let limit = params.integer("limit")?.map(usize::try_from);
        let limit = match limit {
            None => most,
            Some(Ok(limit)) if (1..=most).contains(&limit) => limit,
            Some(_) => return Err(ApiError::parameter("limit")),
        };
        Ok(Self {
            from_ms: params.integer("begin")?.unwrap_or(i64::MIN),
            to_ms: params.integer("end")?.unwrap_or(i64::MAX),
            limit,
            after: id("after", u64::MAX)?,
            before: id("before", 0)?,
        })
    }

    /// Cuts rows with their numbers and instants, in any order. From `before` on without `after`, the newest
    /// rows are still the ones that come.
    pub(super) fn cut(&self, mut rows: Vec<(u64, i64, Value)>) -> Vec<Value> {
        rows.retain(|(number, ms, _)| {
            *number < self.after
                && *number > self.before
                && (self.from_ms..=self.to_ms).contains(ms)
        });
        rows.sort_by_key(|(number, ..)| std::cmp::Reverse(*number));
        rows.truncate(self.limit);
        rows.into_iter().map(|(_, _, row)| row).collect()
    }
}
