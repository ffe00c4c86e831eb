//! One saved reply: its rows, and the day it says it is of.

use basis_core::num::{Fixed18, Rounding};
use basis_core::types::Timestamp;
use serde_json::Value as Json;

/// A saved reply.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) name: String,
    pub(super) rows: Vec<Json>,
    /// `spot` or `linear`, where the reply says it.
    pub(super) category: Option<String>,
    pub(super) day: Option<String>,
}

impl Reply {
    /// Reads the text of a reply.
    ///
    /// # Errors
    /// It is no JSON, an error of the venue, or has no rows.
    pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Self, String> {
        let whole: Json = serde_json::from_slice(bytes)
            .map_err(|e| format!("{name} is no JSON: {e}; is the file cut off?"))?;
        for (code, message) in [("retCode", "retMsg"), ("code", "msg")] {
            let code = whole.get(code).map(plain).filter(|code| code != "0");
            if let Some(code) = code {
                let message = whole.get(message).map(plain).unwrap_or_default();
                return Err(format!("{name} is an error of the venue: {code} {message}"));
            }
        }
        let result = whole.get("result").unwrap_or(&whole);
        let lists = ["symbols", "list", "data"];
        let rows = match result {
            Json::Array(rows) => rows.clone(),
            // A commission is one object.
            Json::Object(_) => match lists.iter().find_map(|key| result.get(*key)?.as_array()) {
                Some(rows) => rows.clone(),
                None => vec![result.clone()],
            },
            _ => return Err(format!("{name} is no reply of a venue")),
        };
        let millis = ["serverTime", "time"]
            .iter()
            .find_map(|key| whole.get(*key)?.as_i64());
        Ok(Self {
            name: name.to_owned(),
            rows,
            category: result.get("category").map(plain),
            day: millis.map(|millis| {
                let (year, month, day) = Timestamp::from_millis(millis).date();
                format!("{year:04}-{month:02}-{day:02}")
            }),
        })
    }
}

/// The rows of all replies, each with its reply.
pub(super) fn rows(replies: &[Reply]) -> impl Iterator<Item = (&Reply, &Json)> {
    replies
        .iter()
        .flat_map(|reply| reply.rows.iter().map(move |row| (reply, row)))
}

/// The text of a scalar.
pub(super) fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

/// The text under `key`; empty where there is none.
pub(super) fn text(row: &Json, key: &str) -> String {
    row.get(key).map(plain).unwrap_or_default()
}

/// The number under `key`, exactly.
///
/// # Errors
/// It is missing or no number; `what` names the row.
pub(super) fn number(row: &Json, key: &str, what: &str) -> Result<Fixed18, String> {
    let found = text(row, key);
    let number = Fixed18::parse(&found).or_else(|_inexact| {
        // Numbers such as 9999999999.0000000000000000 have more zeros than are read.
        Fixed18::parse_rounded(&found, Rounding::HalfEven)
    });
    number.map_err(|_any| format!("{what}: `{key}` is `{found}`, no number"))
}

/// As [`number`], `None` where it is missing, empty or zero.
pub(super) fn positive(row: &Json, key: &str, what: &str) -> Result<Option<Fixed18>, String> {
    if text(row, key).is_empty() {
        return Ok(None);
    }
    let found = number(row, key, what)?;
    Ok(found.is_positive().then_some(found))
}

/// One over a leverage, rounded up at 8 decimals: against us.
///
/// # Errors
/// A leverage of zero.
pub(super) fn initial_rate(leverage: Fixed18, what: &str) -> Result<Fixed18, String> {
    Fixed18::ONE
        .div(leverage, Rounding::Ceil)
        .and_then(|rate| rate.round_to_decimals(8, Rounding::Ceil))
        .map_err(|e| format!("{what}: leverage {leverage}: {e}"))
}

/// Whether two spellings are of one instrument: `SOL-USDT` is `SOLUSDT`.
pub(super) fn same(one: &str, other: &str) -> bool {
    let letters = |text: &str| text.replace(['-', '/', '_'], "");
    letters(one) == letters(other)
}
