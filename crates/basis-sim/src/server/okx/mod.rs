//! OKX in process: spot and linear swaps of one trading account, spoken to in v5's own REST forms.
//!
//! Written from the documentation and the replies it samples, with wire code of its own. What it shares with
//! other venues of its kind stands below the wire; what lies between it and its clients is
//! [`Server`](super::Server).
//!
//! Its ways: swaps are counted in contracts; each order of a request has a code of its own beside the
//! request's; a client order id is one of letters and digits and unique among pending orders alone; an order
//! that ended without a fill is forgotten after two hours; placements and amendments can bear a deadline; the
//! margin mode is each order's; a spot market buy counts quote unless told otherwise, and is shrunk to the
//! balance unless told not to; what is paid is written below zero.
//!
//! Not here, and refused: streams, conditional orders, isolated margin, borrowing, inverse contracts and
//! options, closing by one call, choosing the account level, forced closing. The settle coin alone is
//! collateral.

mod account;
mod admin;
mod codes;
mod dead_man;
mod error;
mod info;
mod limits;
mod market_data;
mod orders;
mod params;
mod reads;
mod requests;
mod routes;
mod served;
mod settings;
mod wallet;
mod withdrawals;
mod words;

use std::collections::BTreeMap;

use basis_core::num::{Fixed18, MathError, Quantity, Rounding};
use basis_core::rules::InstrumentRules;
use basis_core::types::Symbol;

pub use self::error::{busy, maintenance, order_refusal, refusal, server_error, timed_out};
pub use self::settings::{AccountLevel, AccountSettings, Chain, Limits, Permissions, Settings};
pub use super::unified::{
    Category, Coin, Ending, Execution, HOUSE, LogKind, LogRow, Order, OrderState, Position,
    Refusal, Status, TimeInForce,
};
pub use super::{Behavior, Latency, Verifier};

use self::dead_man::Countdown;
use self::error::ApiError;
use self::limits::Usage;
use self::orders::Terms;
use self::wallet::Funding;
use super::unified;

/// The venue.
pub type Exchange = unified::Exchange<Okx>;

/// What only OKX has.
#[derive(Debug)]
pub struct Okx {
    limits: Limits,
    /// Whether it is the demo: keys of its own, and neither deposits nor withdrawals.
    is_demo: bool,
    keys: BTreeMap<String, Key>,
    usage: Usage,
    /// What accounts are beside what all such venues know of them.
    accounts: BTreeMap<u32, Profile>,
    /// What orders are beside that, by number.
    terms: BTreeMap<u64, Terms>,
    countdowns: BTreeMap<(u32, String), Countdown>,
    funding: Funding,
    /// Maintenance that was announced: begin and end, in the venue's milliseconds.
    announced: Vec<(i64, i64)>,
    /// Whether it is under maintenance: orders and settings are answered 50001.
    is_maintained: bool,
}

/// How an account is set up.
#[derive(Clone, Copy, Debug)]
struct Profile {
    level: AccountLevel,
    /// A long and a short position of each swap.
    is_hedge: bool,
    /// Spot fees in quote, whatever was received.
    fees_in_quote: bool,
}

/// A key of an account.
#[derive(Clone, Debug)]
struct Key {
    account: u32,
    verifier: Verifier,
    passphrase: String,
    permissions: Permissions,
}

impl Exchange {
    /// The instrument with this name.
    fn named(&self, inst_id: &str) -> Result<(Category, Symbol), ApiError> {
        let mut markets = self.markets.iter();
        let found = markets.find(|(_, market)| market.rules.venue_symbol.as_str() == inst_id);
        found.map(|(key, _)| *key).ok_or_else(ApiError::unlisted)
    }

    fn profile(&self, account: u32) -> Profile {
        let known = self.own.accounts.get(&account).copied();
        known.expect("invariant: accounts of keys have a profile")
    }
}

/// What one unit of a size stands for, in base units: a contract of swaps.
fn unit(rules: &InstrumentRules) -> Fixed18 {
    let perp = rules.perp.as_ref().filter(|perp| perp.counts_contracts);
    perp.map_or(Fixed18::ONE, |perp| perp.contract_size.get())
}

/// Base units as the venue counts them.
fn sized(rules: &InstrumentRules, quantity: Quantity) -> Result<Fixed18, MathError> {
    quantity.get().div(unit(rules), Rounding::HalfEven)
}

/// The base units of a size that was counted by the venue.
fn base_units(rules: &InstrumentRules, size: Fixed18) -> Result<Quantity, MathError> {
    size.mul(unit(rules), Rounding::HalfEven).map(Quantity::new)
}
