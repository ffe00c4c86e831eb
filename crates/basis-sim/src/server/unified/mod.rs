//! What venues with one account for spot and perpetuals share: markets, the engine behind the gateway, what
//! trades and funding move, margin, transfers to and from the funding account.
//!
//! Each such venue is an [`Exchange`] with something of its own: its wire forms, its limits, its words. Where
//! their ways differ below the wire, [`Ways`] says how. Nothing here knows a parameter, a code or a word.

mod account;
mod admin;
mod engine;
mod error;
mod funding;
mod margin;
mod market;
mod served;
mod settings;
mod settle;
mod transfer;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use basis_core::num::{Fixed18, Price, Quantity};
use basis_core::transport::{Request, Response};
use basis_core::types::{Asset, Symbol};
use serde_json::Value;

pub use self::account::{Coin, LogKind, LogRow, Position};
pub use self::engine::Ending;
pub use self::error::Refusal;
pub use self::market::{Execution, Order, OrderState, Status, TimeInForce};
pub use self::settings::Category;

pub(super) use self::account::{Account, Holdings};
pub(super) use self::engine::Task;
pub(super) use self::margin::Margins;
pub(super) use self::market::{Draft, Market, average, closes};
pub(super) use self::settings::{AccountTerms, Opening};
pub(super) use self::transfer::{Transfer, TransferState, Wallet};

use self::engine::Waiting;
use super::random::Random;
use super::venue::{Behavior, Latency};

/// The account that the venue's own liquidity belongs to.
pub const HOUSE: u32 = 0;
/// Decimals of balances, fees and results.
const DECIMALS: u32 = 8;

/// In what one such venue differs from another below its wire.
pub trait Ways: fmt::Debug + Sized {
    /// The leverage of a perpetual before anybody sets one.
    const LEVERAGE: Fixed18;
    /// Whether a rebate of spot comes in the coin that was given, else in the one that was received.
    const REBATES_IN_GIVEN: bool;
    /// Whether an order that is amended to no more than has traded ends as filled, else stays as it is.
    const ENDS_WHERE_FILLED: bool;

    /// Returns the venue's id of an order or an execution with this number; `draw` draws 64 bits.
    fn id(category: Category, number: u64, draw: &mut dyn FnMut() -> u64) -> String;

    /// Whether an account pays fees of spot in quote, whatever it receives.
    fn pays_in_quote(_exchange: &Exchange<Self>, _account: u32) -> bool {
        false
    }

    /// Answers a request that was let in at `let_in_ms` and reaches the venue now.
    fn answer(exchange: &mut Exchange<Self>, request: &Request, let_in_ms: i64) -> Response;

    /// Returns when something of its own is next due, in the venue's milliseconds.
    fn next_due(_exchange: &Exchange<Self>) -> Option<i64> {
        None
    }

    /// Does what of its own is due.
    fn run_due(_exchange: &mut Exchange<Self>) {}

    /// Notes that the venue was restarted, with all it keeps.
    fn restarted(_exchange: &mut Exchange<Self>) {}
}

/// The venue: markets, accounts, and what it remembers of its clients.
#[derive(Debug)]
pub struct Exchange<W> {
    /// What only this venue has.
    pub(super) own: W,
    /// The venue's own clock, in milliseconds.
    pub(super) now: i64,
    pub(super) markets: BTreeMap<(Category, Symbol), Market>,
    pub(super) behavior: Behavior,
    /// The last number given to an order, an execution or a row of the log.
    pub(super) last_id: u64,
    pub(super) transfers: Vec<Transfer>,
    accounts: Vec<Account>,
    random: Random,
    /// What was taken and the engine has not worked off, by when it does.
    tasks: VecDeque<Waiting>,
    fees: BTreeMap<Asset, Quantity>,
    latency: Latency,
    engine_ms: i64,
    clock_ahead_ms: i64,
    /// Whether the engine rejects the next order that was taken.
    rejects_next: bool,
    /// Whether transfers fail on their way.
    transfers_fail: bool,
}

impl<W: Ways> Exchange<W> {
    pub(super) fn market(&self, category: Category, symbol: Symbol) -> Result<&Market, Refusal> {
        let market = self.markets.get(&(category, symbol));
        market.ok_or(Refusal::NotListed(category))
    }

    pub(super) fn market_mut(
        &mut self,
        category: Category,
        symbol: Symbol,
    ) -> Result<&mut Market, Refusal> {
        let market = self.markets.get_mut(&(category, symbol));
        market.ok_or(Refusal::NotListed(category))
    }

    pub(super) fn account(&self, id: u32) -> &Account {
        let at = usize::try_from(id).ok();
        at.and_then(|at| self.accounts.get(at))
            .expect("invariant: ids are given to accounts that stay")
    }

    pub(super) fn account_mut(&mut self, id: u32) -> &mut Account {
        let at = usize::try_from(id).ok();
        at.and_then(|at| self.accounts.get_mut(at))
            .expect("invariant: ids are given to accounts that stay")
    }

    pub(super) const fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The number of an order or an execution, and the venue's id of it.
    pub(super) fn new_id(&mut self, category: Category) -> (u64, String) {
        let number = self.next_id();
        let random = &mut self.random;
        (number, W::id(category, number, &mut || random.next()))
    }

    /// The instant that reads of orders, balances and positions are made as of.
    pub(super) const fn read_ms(&self) -> i64 {
        self.now.saturating_sub(self.behavior.stale_reads_ms)
    }

    /// The instant up to which executions, transfers and the log are listed.
    pub(super) const fn rows_ms(&self) -> i64 {
        self.now.saturating_sub(self.behavior.late_rows_ms)
    }

    /// The mark of a perpetual; its last price, when nobody set one.
    pub(super) fn mark(&self, symbol: Symbol) -> Option<Price> {
        let market = self.markets.get(&(Category::Linear, symbol))?;
        let set = Some(market.mark).filter(|mark| mark.is_positive());
        set.or(market.last_price)
    }

    /// Rows as a list shows them: twice each, where the venue is set to.
    pub(super) fn rows(&self, rows: Vec<Value>) -> Vec<Value> {
        if !self.behavior.duplicate_rows {
            return rows;
        }
        let twice = rows.into_iter().flat_map(|row| [row.clone(), row]);
        twice.collect()
    }

    /// Markets of a category: the one that is named, else all.
    pub(super) fn symbols(
        &self,
        category: Category,
        named: Option<Symbol>,
    ) -> Result<Vec<Symbol>, Refusal> {
        if let Some(symbol) = named {
            self.market(category, symbol)?;
            return Ok(vec![symbol]);
        }
        let all = self.markets.keys().filter(|(of, _)| *of == category);
        Ok(all.map(|(_, symbol)| *symbol).collect())
    }
}

/// One object of the fields of two.
pub(super) fn joined(mut first: Value, second: Value) -> Value {
    if let (Value::Object(all), Value::Object(more)) = (&mut first, second) {
        all.extend(more);
    }
    first
}
