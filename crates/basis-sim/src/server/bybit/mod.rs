//! Bybit in process: spot and linear perpetuals of one unified account, spoken to in v5's own REST forms.
//!
//! Written from the documentation and the replies it samples, with wire code of its own. [`Exchange`] is the
//! venue at an instant; what lies between it and its clients is [`Server`](super::Server).
//!
//! Its ways, which are not Binance's: a reply to a placement, an amendment or a cancellation says that the
//! request was taken, and nothing else, for the engine works it off later ([`Settings::engine_ms`]); a client
//! order id is used up for ever; the margin mode is one for the account; refusals are HTTP 200 with a
//! `retCode`; each endpoint counts its requests a second, and an address that asks too much is answered 403.
//!
//! Not here, and refused: streams, conditional orders, batches of amendments, portfolio margin, borrowing,
//! inverse contracts and options, withdrawals and deposits, forced closing. The settle coin alone is
//! collateral, and nothing can be borrowed.

mod admin;
mod error;
mod info;
mod limits;
mod orders;
mod params;
mod reads;
mod requests;
mod routes;
mod served;
mod settings;
mod wallet;
mod words;

use std::collections::{BTreeMap, BTreeSet};

pub use self::error::{busy, refusal, server_error};
pub use self::settings::{AccountSettings, Limits, Permissions, Settings};
pub use super::unified::{
    Category, Coin, Ending, Execution, HOUSE, LogKind, LogRow, Order, OrderState, Position,
    Refusal, Status, TimeInForce,
};
pub use super::{Behavior, Latency, Verifier};

use self::limits::Usage;
use super::unified;

/// The venue.
pub type Exchange = unified::Exchange<Bybit>;

/// What only Bybit has.
#[derive(Debug)]
pub struct Bybit {
    limits: Limits,
    /// Whether it has transfers.
    has_wallet: bool,
    keys: BTreeMap<String, Key>,
    usage: Usage,
    /// Client ids that accounts ever used.
    links: BTreeSet<(u32, String)>,
    /// Closed orders before this instant are no longer among the recent ones: the venue was restarted.
    recent_since_ms: i64,
}

/// A key of an account.
#[derive(Clone, Debug)]
struct Key {
    account: u32,
    verifier: Verifier,
    permissions: Permissions,
}
