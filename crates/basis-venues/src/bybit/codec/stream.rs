//! The private stream: login, subscription, and what its frames say.
//!
//! Nothing is replayed: what happened while the stream was closed is asked for. A frame may hold several
//! orders or fills. `execution.fast` is not used: it has no fee, and not always the client order id. Without
//! a ping every [`PING_EVERY`] a silent stream is closed by the venue.

use basis_core::types::{InstrumentKind, Span};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::replies::wire::{decode, kind_of};
use super::replies::{AccountRow, Execution, OrderReply, Position, UnifiedAccount};
use crate::wire::DecodeError;
#[cfg(feature = "live")]
use crate::wire::{HeaderSigner, millis};

/// How often the stream wants a [`ping`].
pub const PING_EVERY: Span = Span::from_seconds(20);

/// The topics that are read.
pub const TOPICS: [&str; 4] = ["order", "execution", "position", "wallet"];

/// Returns the frame that asks whether the other end is there.
#[must_use]
pub const fn ping() -> &'static str {
    r#"{"op":"ping"}"#
}

/// Returns the frame that subscribes to every topic that is read.
#[must_use]
pub fn subscribe() -> String {
    let topics = TOPICS.map(|topic| format!("\"{topic}\"")).join(",");
    format!(r#"{{"op":"subscribe","args":[{topics}]}}"#)
}

/// Returns the frame that logs on, good until `expires` by the venue's clock. It holds key and signature.
#[cfg(feature = "live")]
#[must_use]
pub fn login(
    signer: &dyn HeaderSigner,
    expires: basis_core::types::Timestamp,
) -> basis_core::secret::Secret {
    let expires = millis(expires);
    let signature = signer.sign(&format!("GET/realtime{expires}"));
    let args = serde_json::json!([signer.api_key().expose(), expires, signature.expose()]);
    basis_core::secret::Secret::new(format!(r#"{{"op":"auth","args":{args}}}"#))
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamFact {
    /// Orders moved.
    Orders(Vec<OrderReply>),
    /// Fills, and funding settlements.
    Executions(Vec<Execution>),
    /// Positions after an order; also unchanged ones.
    Positions(Vec<Position>),
    /// Balances after a change.
    Balances(Vec<UnifiedAccount>),
    /// The login was taken.
    LoggedOn,
    /// The subscription was taken.
    Subscribed,
    /// A login, a subscription or another request was refused, in the venue's words.
    Refused {
        /// `auth`, `subscribe`.
        op: String,
        /// The venue's code, where it says one.
        code: Option<i64>,
        /// Its text.
        text: String,
    },
    /// The other end is there.
    Pong,
    /// A frame that says nothing that is read from streams, by its topic.
    Other(String),
}

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    topic: Option<String>,
    #[serde(default)]
    op: Option<String>,
    #[serde(default)]
    success: Option<bool>,
    #[serde(default, rename = "retCode")]
    ret_code: Option<i64>,
    #[serde(default, rename = "retMsg", alias = "ret_msg")]
    ret_msg: Option<String>,
}

fn rows<T: DeserializeOwned>(what: &'static str, frame: &[u8]) -> Result<Vec<T>, DecodeError> {
    #[derive(Deserialize)]
    struct Frame<T> {
        data: Vec<T>,
    }
    decode::<Frame<T>>(what, frame).map(|frame| frame.data)
}

/// Reads the rows of products that are traded here, with what they are; those of other products are not looked
/// at.
fn rows_of<T: DeserializeOwned>(
    what: &'static str,
    frame: &[u8],
) -> Result<Vec<(InstrumentKind, T)>, DecodeError> {
    #[derive(Deserialize)]
    struct Frame<'a> {
        #[serde(borrow)]
        data: Vec<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Row {
        category: String,
    }
    let mut read = Vec::new();
    for row in decode::<Frame<'_>>(what, frame)?.data {
        let row = row.get().as_bytes();
        let category = decode::<Row>(what, row)?.category;
        if !["inverse", "option"].contains(&category.as_str()) {
            read.push((kind_of(what, &category)?, decode::<T>(what, row)?));
        }
    }
    Ok(read)
}

/// Reads a frame of the private stream.
///
/// # Errors
/// [`DecodeError`], also for an unknown state of an order, an unknown kind of execution, and a row of a
/// product that is not traded here.
pub fn frame(frame: &[u8]) -> Result<StreamFact, DecodeError> {
    let head = decode::<Head>("frame", frame)?;
    match head.topic.as_deref() {
        Some("order") => orders(frame),
        Some("execution") => executions(frame),
        Some("position") => {
            let rows = rows::<Position>("position frame", frame)?;
            for row in &rows {
                row.amount()?;
            }
            Ok(StreamFact::Positions(rows))
        }
        Some("wallet") => {
            let rows = rows::<AccountRow>("wallet frame", frame)?;
            let accounts = rows.into_iter().map(Into::into);
            Ok(StreamFact::Balances(accounts.collect()))
        }
        Some(other) => Ok(StreamFact::Other(other.to_owned())),
        None if head.op.is_none() => {
            let reason = "it names neither a topic nor an operation";
            Err(DecodeError::new("frame", "topic", reason))
        }
        None => Ok(control(head)),
    }
}

fn control(head: Head) -> StreamFact {
    let op = head.op.unwrap_or_default();
    let text = head.ret_msg.unwrap_or_default();
    if op == "pong" || (op == "ping" && text == "pong") {
        return StreamFact::Pong;
    }
    if head.success == Some(false) || head.ret_code.is_some_and(|code| code != 0) {
        return StreamFact::Refused {
            op,
            code: head.ret_code,
            text,
        };
    }
    match op.as_str() {
        "auth" => StreamFact::LoggedOn,
        "subscribe" => StreamFact::Subscribed,
        _ => StreamFact::Other(op),
    }
}

fn orders(frame: &[u8]) -> Result<StreamFact, DecodeError> {
    let rows = rows_of::<OrderReply>("order frame", frame)?.into_iter();
    let rows = rows.map(|(kind, row)| {
        let kind = Some(kind);
        OrderReply { kind, ..row }.checked()
    });
    Ok(StreamFact::Orders(rows.collect::<Result<_, _>>()?))
}

fn executions(frame: &[u8]) -> Result<StreamFact, DecodeError> {
    let rows = rows_of::<Execution>("execution frame", frame)?.into_iter();
    let rows = rows.map(|(kind, row)| {
        let kind = Some(kind);
        Execution { kind, ..row }.checked()
    });
    Ok(StreamFact::Executions(rows.collect::<Result<_, _>>()?))
}
