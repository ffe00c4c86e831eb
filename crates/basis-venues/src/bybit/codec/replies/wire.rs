//! The envelope of every reply, and the words in it.

use basis_core::types::{InstrumentKind, PositionSide, Side};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use crate::wire::DecodeError;
pub(in crate::bybit::codec) use crate::wire::json::{
    decode, instant_text, optional, optional_instant_text, text_or_null, unit,
};

/// The rows of a reply, and where the next page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What it lists.
    pub rows: Vec<T>,
    /// What the next page is asked for with; `None` on the last one.
    pub next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    ret_code: i64,
    #[serde(default)]
    ret_msg: String,
}

#[derive(Deserialize)]
struct Body<T> {
    result: T,
}

/// Reads the `result` of a reply that is no refusal.
pub(in crate::bybit::codec) fn result<T: DeserializeOwned>(
    what: &'static str,
    body: &[u8],
) -> Result<T, DecodeError> {
    let head = decode::<Head>(what, body)?;
    if head.ret_code != 0 {
        let reason = format!("a refusal: {} {}", head.ret_code, head.ret_msg);
        return Err(DecodeError::new(what, "retCode", reason));
    }
    decode::<Body<T>>(what, body).map(|body| body.result)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List<T> {
    #[serde(default)]
    category: Option<String>,
    #[serde(alias = "rows")]
    list: Vec<T>,
    #[serde(default)]
    next_page_cursor: Option<String>,
}

/// Reads a list, and the category it is of where it says.
pub(in crate::bybit::codec) fn list<T: DeserializeOwned>(
    what: &'static str,
    body: &[u8],
) -> Result<(Page<T>, Option<InstrumentKind>), DecodeError> {
    let list = result::<List<T>>(what, body)?;
    let kind = list.category.as_deref().map(|word| kind_of(what, word));
    let page = Page {
        rows: list.list,
        next: list.next_page_cursor.filter(|next| !next.is_empty()),
    };
    Ok((page, kind.transpose()?))
}

/// Reads where the next page of any list begins.
///
/// # Errors
/// [`DecodeError`].
pub fn next_page(body: &[u8]) -> Result<Option<String>, DecodeError> {
    list::<serde::de::IgnoredAny>("page", body).map(|(page, _)| page.next)
}

/// Reads the kind of the instruments of a category.
pub(in crate::bybit::codec) fn kind_of(
    what: &'static str,
    category: &str,
) -> Result<InstrumentKind, DecodeError> {
    match category {
        "spot" => Ok(InstrumentKind::Spot),
        "linear" => Ok(InstrumentKind::Perp),
        other => {
            let reason = format!("`{other}` is neither spot nor linear");
            Err(DecodeError::new(what, "category", reason))
        }
    }
}

/// `Buy` or `Sell`.
pub(in crate::bybit::codec) fn side<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Side, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "Buy" => Ok(Side::Buy),
        "Sell" => Ok(Side::Sell),
        other => Err(D::Error::custom(format_args!("unknown side `{other}`"))),
    }
}

/// The same, where an empty text says that there is none.
pub(in crate::bybit::codec) fn optional_side<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Side>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "" | "None" => Ok(None),
        "Buy" => Ok(Some(Side::Buy)),
        "Sell" => Ok(Some(Side::Sell)),
        other => Err(D::Error::custom(format_args!("unknown side `{other}`"))),
    }
}

/// 0 in one-way mode, else the side of hedge mode.
pub(in crate::bybit::codec) fn position_side<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PositionSide>, D::Error> {
    match i64::deserialize(deserializer)? {
        0 => Ok(None),
        1 => Ok(Some(PositionSide::Long)),
        2 => Ok(Some(PositionSide::Short)),
        other => Err(D::Error::custom(format_args!(
            "unknown position index {other}"
        ))),
    }
}
