//! Parameters of a request: query string and form body, decoded, and read with Binance's own refusals.

use basis_core::num::{Fixed18, Price, Quantity};
use basis_core::types::{Asset, Side, Symbol};

use super::error::ApiError;
use crate::server::http::percent_decode;

/// A range of what a decimal parameter may hold, as Binance prints it.
const DECIMAL: &str = "^([0-9]{1,20})(\\.[0-9]{1,20})?$";

/// Parameters in the order of their arrival, those of the query before those of the body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Decodes a query string and a form body; a name in both counts as in the query.
    ///
    /// # Errors
    /// -1101 for a name that is there twice in one of them, -1100 for text that is no encoding.
    pub(crate) fn parse(query: &str, body: &str) -> Result<Self, ApiError> {
        let mut all = Self::default();
        for text in [query, body] {
            let mut here: Vec<(String, String)> = Vec::new();
            for pair in text.split('&').filter(|pair| !pair.is_empty()) {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let name = percent_decode(name).ok_or_else(|| {
                    ApiError::new(-1100, "Illegal characters found in a parameter.")
                })?;
                let value = percent_decode(value)
                    .ok_or_else(|| ApiError::illegal(&name, "percent-encoded UTF-8"))?;
                if here.iter().any(|(other, _)| *other == name) {
                    return Err(ApiError::new(
                        -1101,
                        format!("Duplicate values for parameter '{name}' detected."),
                    ));
                }
                here.push((name, value));
            }
            here.retain(|(name, _)| all.get(name).is_none());
            all.0.append(&mut here);
        }
        Ok(all)
    }

    /// Takes parameters as they are.
    pub(crate) const fn from_pairs(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.0.iter();
        let found = all.find(|(candidate, _)| candidate == name)?;
        Some(found.1.as_str()).filter(|value| !value.is_empty())
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| ApiError::missing(name))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Reads a whole number.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let number = text.parse().ok();
        let number = number.ok_or_else(|| ApiError::illegal(name, "^[0-9]{1,20}$"))?;
        Ok(Some(number))
    }

    /// Reads the number of an order.
    pub(crate) fn id(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let number = self.integer(name)?;
        let number = number.map(u64::try_from).transpose();
        number.map_err(|_negative| ApiError::illegal(name, "^[0-9]{1,20}$"))
    }

    /// Reads `true` or `false`, in any case.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(ApiError::illegal(name, "true|false")),
        }
    }

    /// Reads a plain decimal: no sign, no exponent.
    pub(crate) fn decimal(&self, name: &str) -> Result<Option<Fixed18>, ApiError> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let number = Some(text).filter(|_| plain);
        let number = number.and_then(|text| Fixed18::parse(text).ok());
        Ok(Some(
            number.ok_or_else(|| ApiError::illegal(name, DECIMAL))?,
        ))
    }

    pub(crate) fn quantity(&self, name: &str) -> Result<Option<Quantity>, ApiError> {
        Ok(self.decimal(name)?.map(Quantity::new))
    }

    pub(crate) fn price(&self, name: &str) -> Result<Option<Price>, ApiError> {
        let Some(number) = self.decimal(name)? else {
            return Ok(None);
        };
        let price = Price::new(number).ok();
        Ok(Some(price.ok_or_else(|| ApiError::illegal(name, DECIMAL))?))
    }

    pub(crate) fn side(&self) -> Result<Side, ApiError> {
        match self.required("side")? {
            "BUY" => Ok(Side::Buy),
            "SELL" => Ok(Side::Sell),
            _ => Err(ApiError::new(-1117, "Invalid side.")),
        }
    }

    /// Reads the symbol; whether it is listed is the caller's question.
    pub(crate) fn symbol(&self) -> Result<Option<Symbol>, ApiError> {
        let Some(text) = self.get("symbol") else {
            return Ok(None);
        };
        let symbol = Symbol::new(text).ok();
        symbol.map(Some).ok_or_else(ApiError::invalid_symbol)
    }

    pub(crate) fn asset(&self, name: &str) -> Result<Asset, ApiError> {
        let asset = Asset::new(self.required(name)?).ok();
        asset.ok_or_else(|| ApiError::illegal(name, "^[A-Z0-9]{1,20}$"))
    }

    /// Reads `limit`, cut to `max`.
    pub(crate) fn limit(&self, default: usize, max: usize) -> Result<usize, ApiError> {
        let Some(limit) = self.integer("limit")? else {
            return Ok(default);
        };
        let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0);
        let limit = limit
            .ok_or_else(|| ApiError::new(-1130, "Data sent for parameter 'limit' is not valid."))?;
        Ok(limit.min(max))
    }
}
