//! The envelope of every reply, and the words in it.

use basis_core::instruction::MarginMode;
use basis_core::types::{InstrumentKind, PositionSide, Side};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use crate::wire::DecodeError;
pub(in crate::okx::codec) use crate::wire::json::{
    decode, instant_text, optional, optional_instant_text, text_or_null, unit,
};

#[derive(Deserialize)]
struct Head {
    code: String,
    #[serde(default)]
    msg: String,
}

/// Reads the rows of a reply that is no refusal.
pub(in crate::okx::codec) fn data<T: DeserializeOwned>(
    what: &'static str,
    body: &[u8],
) -> Result<Vec<T>, DecodeError> {
    #[derive(Deserialize)]
    struct Body<T> {
        data: Vec<T>,
    }
    let head = decode::<Head>(what, body)?;
    if head.code != "0" {
        let reason = format!("a refusal: {} {}", head.code, head.msg);
        return Err(DecodeError::new(what, "code", reason));
    }
    decode::<Body<T>>(what, body).map(|body| body.data)
}

/// Reads the one row of a reply.
pub(in crate::okx::codec) fn only<T: DeserializeOwned>(
    what: &'static str,
    body: &[u8],
) -> Result<T, DecodeError> {
    let rows = <[T; 1]>::try_from(data::<T>(what, body)?);
    let row = rows.map_err(|rows| DecodeError::new(what, "data", format!("{} rows", rows.len())));
    row.map(|[row]| row)
}

/// `buy` or `sell`.
pub(in crate::okx::codec) fn side<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Side, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        other => Err(D::Error::custom(format_args!("unknown side `{other}`"))),
    }
}

/// `net` or nothing in one-way mode and of spot, else the side of hedge mode.
pub(in crate::okx::codec) fn position_side<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PositionSide>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "net" | "" => Ok(None),
        "long" => Ok(Some(PositionSide::Long)),
        "short" => Ok(Some(PositionSide::Short)),
        other => Err(D::Error::custom(format_args!(
            "unknown position side `{other}`"
        ))),
    }
}

/// `SPOT` or `SWAP`.
pub(in crate::okx::codec) fn kind<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<InstrumentKind, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "SPOT" => Ok(InstrumentKind::Spot),
        "SWAP" => Ok(InstrumentKind::Perp),
        other => Err(D::Error::custom(format_args!(
            "`{other}` is neither SPOT nor SWAP"
        ))),
    }
}

/// `cross` or `isolated`.
pub(in crate::okx::codec) fn margin_mode<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<MarginMode, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "cross" => Ok(MarginMode::Cross),
        "isolated" => Ok(MarginMode::Isolated),
        other => Err(D::Error::custom(format_args!(
            "unknown margin mode `{other}`"
        ))),
    }
}
