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

mod account;
mod admin;
mod engine;
mod error;
mod funding;
mod info;
mod limits;
mod margin;
mod market;
mod orders;
mod params;
mod reads;
mod requests;
mod routes;
mod served;
mod settings;
mod settle;
mod wallet;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use basis_core::num::{Price, Quantity};
use basis_core::types::{Asset, Symbol};
use serde_json::Value;

pub use self::account::{Coin, LogRow, Position};
pub use self::admin::AdminError;
pub use self::error::{busy, refusal, server_error};
pub use self::market::{Execution, Order, OrderState, Status, TimeInForce};
pub use self::settings::{AccountSettings, Category, Limits, Permissions, Settings};
pub use super::{Behavior, Latency, Verifier};

use self::account::{Account, Key};
use self::engine::Waiting;
use self::error::ApiError;
use self::limits::Usage;
use self::market::Market;
use self::wallet::Transfer;
use super::random::Random;

/// The account that the venue's own liquidity belongs to.
pub const HOUSE: u32 = 0;
/// Decimals of balances, fees and results.
const DECIMALS: u32 = 8;

/// The venue: markets, accounts, keys, and what it remembers of its clients.
#[derive(Debug)]
pub struct Exchange {
    settings: Settings,
    /// The venue's own clock, in milliseconds.
    now: i64,
    markets: BTreeMap<(Category, Symbol), Market>,
    accounts: Vec<Account>,
    keys: BTreeMap<String, Key>,
    usage: Usage,
    random: Random,
    /// The last number given to an order, an execution or a row of the log.
    last_id: u64,
    /// Client ids that accounts ever used.
    links: BTreeSet<(u32, String)>,
    /// What was taken and the engine has not worked off, by when it does.
    tasks: VecDeque<Waiting>,
    transfers: Vec<Transfer>,
    fees: BTreeMap<Asset, Quantity>,
    /// Closed orders before this instant are no longer among the recent ones: the venue was restarted.
    recent_since_ms: i64,
    /// Whether the engine rejects the next order that was taken.
    rejects_next: bool,
    /// Whether transfers fail on their way.
    transfers_fail: bool,
}

impl Exchange {
    fn market(&self, category: Category, symbol: Symbol) -> Result<&Market, ApiError> {
        let market = self.markets.get(&(category, symbol));
        market.ok_or_else(|| ApiError::invalid_symbol(category))
    }

    fn market_mut(&mut self, category: Category, symbol: Symbol) -> Result<&mut Market, ApiError> {
        let market = self.markets.get_mut(&(category, symbol));
        market.ok_or_else(|| ApiError::invalid_symbol(category))
    }

    fn account(&self, id: u32) -> &Account {
        let at = usize::try_from(id).ok();
        at.and_then(|at| self.accounts.get(at))
            .expect("invariant: ids are given to accounts that stay")
    }

    fn account_mut(&mut self, id: u32) -> &mut Account {
        let at = usize::try_from(id).ok();
        at.and_then(|at| self.accounts.get_mut(at))
            .expect("invariant: ids are given to accounts that stay")
    }

    const fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The venue's id of an order or an execution: a number on spot, a UUID of perpetuals.
    fn new_id(&mut self, category: Category) -> (u64, String) {
        let number = self.next_id();
        let text = match category {
            Category::Spot => number.to_string(),
            Category::Linear => {
                let drawn = self.random.next();
                format!(
                    "{:08x}-{:04x}-4{:03x}-8{:03x}-{number:012x}",
                    drawn >> 32,
                    drawn >> 16 & 0xffff,
                    drawn >> 4 & 0xfff,
                    drawn & 0xfff
                )
            }
        };
        (number, text)
    }

    /// The instant that reads of orders, balances and positions are made as of.
    const fn read_ms(&self) -> i64 {
        self.now
            .saturating_sub(self.settings.behavior.stale_reads_ms)
    }

    /// The instant up to which executions, transfers and the log are listed.
    const fn rows_ms(&self) -> i64 {
        self.now.saturating_sub(self.settings.behavior.late_rows_ms)
    }

    /// The mark of a perpetual; its last price, when nobody set one.
    fn mark(&self, symbol: Symbol) -> Option<Price> {
        let market = self.markets.get(&(Category::Linear, symbol))?;
        let set = Some(market.mark).filter(|mark| mark.is_positive());
        set.or(market.last_price)
    }

    /// Rows as a list shows them: twice each, where the venue is set to.
    fn rows(&self, rows: Vec<Value>) -> Vec<Value> {
        if !self.settings.behavior.duplicate_rows {
            return rows;
        }
        let twice = rows.into_iter().flat_map(|row| [row.clone(), row]);
        twice.collect()
    }
}

/// One object of the fields of two.
fn joined(mut first: Value, second: Value) -> Value {
    if let (Value::Object(all), Value::Object(more)) = (&mut first, second) {
        all.extend(more);
    }
    first
}
