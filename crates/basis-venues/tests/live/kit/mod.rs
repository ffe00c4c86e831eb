//! What the live clients of Bybit and OKX are tried with: schedules of faults under virtual time against the
//! venue in process. What one of them does its own way is its [`Bench`].

pub(crate) mod cases;
pub(crate) mod kills;
pub(crate) mod plan;
pub(crate) mod process;
pub(crate) mod schedules;
pub(crate) mod teeth;
pub(crate) mod venue;
pub(crate) mod verdict;

use std::fmt;

use basis_core::transport::Request;
use basis_core::types::Venue;
use basis_core::venue_event::{OrderState, TradeId};
use basis_sim::server::Server;
use basis_sim::server::faults::Failure;
use basis_sim::server::unified::{Exchange, Execution, Ways};
use basis_venues::live::Machine;

use self::venue::Temper;

/// The requests of a venue that act.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paths {
    pub(crate) place: &'static str,
    pub(crate) cancel: &'static str,
    pub(crate) amend: &'static str,
    pub(crate) transfer: &'static str,
    pub(crate) leverage: &'static str,
}

impl Paths {
    pub(crate) const fn all(self) -> [&'static str; 5] {
        [
            self.place,
            self.cancel,
            self.amend,
            self.transfer,
            self.leverage,
        ]
    }
}

/// A venue as the schedules see it.
pub(crate) trait Bench: Copy + fmt::Debug + Send + 'static {
    /// Of the venue in process.
    type Ways: Ways;

    const VENUE: Venue;
    /// The account that trades, beside `funding`.
    const TRADING: &'static str;
    const PATHS: Paths;
    /// Requests that ask what became of one.
    const ASKS: &'static [&'static str];
    /// What an order ends as that was taken and then refused by the engine.
    const REFUSED_LATER: OrderState;
    /// Whether a fill of a perpetual says what result it settled.
    const SAYS_RESULTS: bool;
    /// The header that signs, and what no output may show beside it.
    const SIGNATURE: &'static str;
    const SECRETS: &'static [&'static str];
    /// How long after the last fault everything must be known.
    const RESOLVED_MS: i64;

    /// The venue with one funded account and its key; returns the account's number too.
    fn server(seed: u64, temper: Temper) -> (Server<Exchange<Self::Ways>>, u32);

    /// The client.
    fn machine() -> Machine;

    /// Answers that say nothing certain, with the request taken or not.
    fn uncertain() -> Vec<Failure>;

    /// Answers that say for certain that nothing was taken.
    fn refused() -> Vec<Failure>;

    /// The answer after which nothing is sent for a long time, where there is one, and how long.
    fn turned_away() -> Option<(Failure, i64)> {
        None
    }

    /// What a fill of the venue is called in events.
    fn trade_id(row: &Execution) -> TradeId;

    /// Our id of the order that a question asks for.
    fn asked(request: &Request) -> Option<String>;

    /// Whether an answer says that there is no such order.
    fn is_not_found(answer: &str) -> bool;

    /// Our id of the order that a placement places.
    fn placed(request: &Request) -> Option<String>;

    /// Whether an answer says that a placement was taken.
    fn is_taken(answer: &str) -> bool;

    /// The placement of an order under another id, signed as the client would have.
    fn again(request: &Request) -> Option<Request>;
}

/// The value of a header.
pub(crate) fn header(request: &Request, name: &str) -> Option<String> {
    let mut headers = request.headers.iter();
    let found = headers.find(|(header, _)| header == name);
    found.map(|(_, value)| value.clone())
}

/// Sets the value of a header.
pub(crate) fn set_header(request: &mut Request, name: &str, value: String) {
    let mut headers = request.headers.iter_mut();
    if let Some(header) = headers.find(|(header, _)| header == name) {
        header.1 = value;
    }
}

/// The text between `before` and the next end of a value.
pub(crate) fn value_after(text: &str, before: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    rest.split(['&', '"']).next().map(ToOwned::to_owned)
}
