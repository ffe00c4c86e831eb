//! Binance in process: spot, USD-M and the wallet, spoken to in Binance's own REST and stream forms.
//!
//! Written from the documentation and the replies it samples, with wire code of its own: what a client of
//! ours misreads, this does not misread the same way. [`Exchange`] is the venue itself at an instant: requests
//! are answered the moment they arrive and events are kept until somebody takes them. What lies between it
//! and its clients (latency, faults, connections) is [`Server`](super::Server).
//!
//! Not here, and refused: conditional orders and order lists, portfolio and multi-asset margin,
//! coin-margined futures, withdrawals and deposits, orders over the WebSocket API, forced closing.

mod account;
mod admin;
mod error;
mod limits;
mod market;
mod market_data;
mod orders;
mod params;
mod requests;
mod routes;
mod served;
mod settings;
mod spot;
mod stream;
mod timed;
mod usdm;
mod wallet;

use std::collections::{BTreeMap, BTreeSet};

use basis_core::num::{Price, Quantity};
use basis_core::types::{Asset, Symbol};
use serde_json::Value;

pub use self::account::{Balance, Income, Position, SymbolConfig};
pub use self::admin::AdminError;
pub use self::market::{Fill, Order, OrderKind, OrderState, Status, TimeInForce};
pub use self::settings::{
    AccountSettings, Limits, Listing, PercentPrice, Permissions, Product, Settings,
};
pub use self::usdm::MarkState;
pub use crate::server::signature::Verifier;
pub use crate::server::venue::{Behavior, Latency};

use self::account::{Account, Key};
use self::error::ApiError;
use self::limits::Usage;
use self::market::Market;
use self::params::Params;
use self::wallet::Transfer;
use crate::server::random::Random;

/// The account that the venue's own liquidity belongs to.
pub const HOUSE: u32 = 0;

/// Whom an event is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// The spot user stream of an account.
    SpotUser(u32),
    /// Every connection to the spot WebSocket API.
    SpotSessions,
    /// The USD-M user stream of an account.
    UsdMUser(u32),
    /// A stream by its name.
    Public(Product, String),
}

/// Which streams anybody listens to: frames that nobody would get are not made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listening {
    pub(super) spot_user: bool,
    pub(super) usdm_user: bool,
    pub(super) public: bool,
}

/// Something that streams say.
#[derive(Clone, Debug)]
pub struct Event {
    pub(super) audience: Audience,
    pub(super) body: Value,
}

/// The venue: markets, accounts, keys, and what it remembers of its clients.
#[derive(Debug)]
pub struct Exchange {
    settings: Settings,
    /// The venue's own clock, in milliseconds.
    now: i64,
    markets: BTreeMap<(Product, Symbol), Market>,
    marks: BTreeMap<Symbol, MarkState>,
    accounts: Vec<Account>,
    keys: BTreeMap<String, Key>,
    usage: Usage,
    random: Random,
    /// The last number given to an execution, a transfer or a row of income.
    last_id: u64,
    transfers: Vec<Transfer>,
    listen_keys: BTreeMap<String, stream::keys::ListenKey>,
    countdowns: BTreeMap<(u32, Symbol), i64>,
    /// USD-M orders with a date, by it; some may be done already.
    dated: BTreeSet<(i64, Symbol, u64)>,
    fees: BTreeMap<Asset, Quantity>,
    listening: Listening,
    /// When the request that the engine works on was let in, where that was earlier.
    let_in_ms: Option<i64>,
    events: Vec<Event>,
}

impl Exchange {
    fn market(&self, product: Product, symbol: Symbol) -> Result<&Market, ApiError> {
        let market = self.markets.get(&(product, symbol));
        market.ok_or_else(ApiError::invalid_symbol)
    }

    fn market_mut(&mut self, product: Product, symbol: Symbol) -> Result<&mut Market, ApiError> {
        let market = self.markets.get_mut(&(product, symbol));
        market.ok_or_else(ApiError::invalid_symbol)
    }

    /// The market of a request that must name one.
    fn named_market(&self, product: Product, params: &Params) -> Result<&Market, ApiError> {
        let symbol = params.symbol()?;
        let symbol = symbol.ok_or_else(|| ApiError::missing("symbol"))?;
        self.market(product, symbol)
    }

    /// Markets of a family: the one that a request names, else all.
    fn markets_of(
        &self,
        product: Product,
        symbol: Option<Symbol>,
    ) -> Result<Vec<&Market>, ApiError> {
        match symbol {
            Some(symbol) => Ok(vec![self.market(product, symbol)?]),
            None => Ok(self
                .markets
                .iter()
                .filter(|((of, _), _)| *of == product)
                .map(|(_, market)| market)
                .collect()),
        }
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

    /// The instant that reads are made as of.
    const fn read_ms(&self) -> i64 {
        self.now
            .saturating_sub(self.settings.behavior.stale_reads_ms)
    }

    /// The instant up to which rows of fills and income are listed.
    const fn rows_ms(&self) -> i64 {
        self.now.saturating_sub(self.settings.behavior.late_rows_ms)
    }

    fn emit(&mut self, audience: Audience, body: Value) {
        self.events.push(Event { audience, body });
    }

    /// Adds a fee that an account paid to what the venue has taken.
    fn take_fee(&mut self, asset: Asset, fee: Quantity) -> Result<(), ApiError> {
        let sum = self.fees.entry(asset).or_default();
        *sum = sum.add(fee)?;
        Ok(())
    }

    /// The mark of a perpetual; its last price, when nobody set one.
    fn mark(&self, symbol: Symbol) -> Option<Price> {
        let set = self.marks.get(&symbol).map(|state| state.mark);
        set.filter(|mark| mark.is_positive()).or_else(|| {
            let market = self.markets.get(&(Product::UsdM, symbol))?;
            market.last_price
        })
    }
}

/// Rows as a list shows them: twice each, where the venue is set to.
fn rows(rows: Vec<Value>, behavior: Behavior) -> Value {
    if !behavior.duplicate_rows {
        return Value::Array(rows);
    }
    let twice = rows.into_iter().flat_map(|row| [row.clone(), row]);
    Value::Array(twice.collect())
}
