//! How values stand in replies and frames: decimals by their digits, instants in milliseconds.

use basis_core::num::{Fixed18, Price, Quantity, Rate, Value};
use basis_core::types::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A reply or frame that could not be read. The message names field and reason, never the payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {field}: {reason}")]
pub struct DecodeError {
    /// What was read: `order`, `fills`.
    pub what: &'static str,
    /// Which field of it.
    pub field: String,
    /// Why not.
    pub reason: String,
}

impl DecodeError {
    pub(crate) fn new(what: &'static str, field: &str, reason: impl Into<String>) -> Self {
        Self {
            what,
            field: field.to_owned(),
            reason: reason.into(),
        }
    }
}

/// Reads a whole body; what follows it is an error too. One that cannot be read is read once more, for the
/// name of the field: keeping that name along costs as much as the reading.
pub(crate) fn decode<'de, T: Deserialize<'de>>(
    what: &'static str,
    body: &'de [u8],
) -> Result<T, DecodeError> {
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|e| {
        let field = e.path().to_string();
        DecodeError::new(what, &field, e.into_inner().to_string())
    })?;
    reader
        .end()
        .map_err(|e| DecodeError::new(what, ".", e.to_string()))?;
    Ok(value)
}

/// What is counted in decimals.
pub(crate) trait Unit: Sized {
    fn of(number: Fixed18) -> Option<Self>;
}

macro_rules! unit {
    ($($name:ident),*) => {
        $(impl Unit for $name {
            fn of(number: Fixed18) -> Option<Self> {
                Some(Self::new(number))
            }
        })*
    };
}

unit!(Quantity, Rate, Value);

impl Unit for Fixed18 {
    fn of(number: Fixed18) -> Option<Self> {
        Some(number)
    }
}

impl Unit for Price {
    fn of(number: Fixed18) -> Option<Self> {
        Self::new(number).ok()
    }
}

/// A decimal, quoted or bare: its digits are read as they stand, so none is lost.
pub(crate) fn unit<'de, D: Deserializer<'de>, T: Unit>(deserializer: D) -> Result<T, D::Error> {
    let text = digits(<&RawValue>::deserialize(deserializer)?);
    read(text)
}

/// The same, where an empty text, null or absence says that there is none.
pub(crate) fn optional<'de, D: Deserializer<'de>, T: Unit>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    match digits(<&RawValue>::deserialize(deserializer)?) {
        "" | "null" => Ok(None),
        text => read(text).map(Some),
    }
}

fn digits(raw: &RawValue) -> &str {
    let text = raw.get();
    let quoted = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    quoted.unwrap_or(text)
}

fn read<T: Unit, E: serde::de::Error>(text: &str) -> Result<T, E> {
    let number = Fixed18::parse(text).map_err(|e| E::custom(format_args!("{text:?}: {e}")))?;
    T::of(number).ok_or_else(|| E::custom(format_args!("{text:?} is below zero")))
}

/// Milliseconds since 1970.
pub(crate) fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    from_millis(i64::deserialize(deserializer)?)
}

/// The same, where absence says that there is none.
pub(crate) fn optional_instant<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    instant(deserializer).map(Some)
}

/// Milliseconds since 1970 as text, as Bybit and OKX write them.
pub(crate) fn instant_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Timestamp, D::Error> {
    let text = digits(<&RawValue>::deserialize(deserializer)?);
    let millis = text.parse();
    from_millis(millis.map_err(|e| D::Error::custom(format_args!("{text:?}: {e}")))?)
}

/// The same, where an empty text, zero or absence says that there is none.
pub(crate) fn optional_instant_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    match digits(raw) {
        "" | "0" | "null" => Ok(None),
        _ => instant_text(raw).map(Some).map_err(D::Error::custom),
    }
}

fn from_millis<E: serde::de::Error>(millis: i64) -> Result<Timestamp, E> {
    // Beyond this, nanoseconds leave their range: the year 2262.
    if !(0..9_223_372_036_854).contains(&millis) {
        return Err(E::custom(format_args!(
            "{millis} is no instant in milliseconds"
        )));
    }
    Ok(Timestamp::from_millis(millis))
}

/// A text; null says that there is none.
pub(crate) fn text_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::<String>::deserialize(deserializer).map(Option::unwrap_or_default)
}
