//! Rules out of what venues answer: `basis rules import`.
//!
//! It reads replies that somebody has saved and makes a dated snapshot in the form of `configs/venues`,
//! which is merged by instrument over the rules built in. It asks no venue, and fills nothing in without
//! saying so in the snapshot's `source`.

mod binance;
mod bybit;
mod okx;
mod reply;
mod snapshot;

use basis_core::error::{Code, ComponentError};
use basis_core::types::Venue;

pub use snapshot::Snapshot;

use reply::Reply;

/// What to import.
#[derive(Clone, Copy, Debug)]
pub struct RulesRequest<'a> {
    /// The venue.
    pub venue: &'a str,
    /// The instruments, in the layout's spelling or the venue's.
    pub symbols: &'a [String],
    /// Saved replies, each with the name of its file.
    pub replies: &'a [(String, Vec<u8>)],
    /// From when the rules hold, `YYYY-MM-DD`; by default the day a reply says it is of.
    pub effective_from: Option<&'a str>,
}

/// Makes the snapshot of `request`.
///
/// # Errors
/// `DATA-002` for a reply that is none of the venue's, an instrument that is in none of them, or one that
/// no run could trade; `CFG-005` for a venue that is none of the three, or without a date.
pub fn snapshot(request: &RulesRequest<'_>) -> Result<Snapshot, ComponentError> {
    let usage = |message: String| ComponentError::new(Code::Usage, message);
    let venue = Venue::new(request.venue).map_err(|e| usage(e.to_string()))?;
    let refuse = |what: String| ComponentError::new(Code::DataMalformed, what);
    let mut replies = Vec::with_capacity(request.replies.len());
    for (name, bytes) in request.replies {
        replies.push(Reply::read(name, bytes).map_err(refuse)?);
    }
    let read = match request.venue {
        "binance" => binance::snapshot,
        "bybit" => bybit::snapshot,
        "okx" => okx::snapshot,
        other => {
            return Err(usage(format!(
                "replies of {other} are not read; there is binance, bybit and okx"
            )));
        }
    };
    let mut snapshot = Snapshot::new(venue);
    for symbol in request.symbols {
        read(symbol, &replies, &mut snapshot).map_err(refuse)?;
    }
    let said = replies.iter().filter_map(|reply| reply.day.clone()).max();
    snapshot.effective_from = match (request.effective_from, said) {
        (Some(given), _) => given.to_owned(),
        (None, Some(said)) => said,
        (None, None) => {
            return Err(usage(
                "no reply says of which day it is; say it with --effective-from YYYY-MM-DD"
                    .to_owned(),
            ));
        }
    };
    let names: Vec<_> = request
        .replies
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    snapshot.source = format!("the venue's own replies, saved as {}", names.join(", "));
    Ok(snapshot)
}

#[cfg(test)]
mod tests;
