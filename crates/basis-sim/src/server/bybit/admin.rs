//! What a test does at the venue, beside every wire form: accounts, keys, liquidity, marks, and the venue's
//! own truth to compare with.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use basis_core::num::{MathError, Price, Quantity, Rate};
use basis_core::types::{Asset, Side, Symbol, Timestamp};

use super::account::{Account, Coin, Key, LogRow, Position};
use super::engine::Ending;
use super::error::ApiError;
use super::funding::next_settlement;
use super::limits::Usage;
use super::market::{Draft, Execution, Market, Order, TimeInForce};
use super::settings::{AccountSettings, Category, Permissions, Settings, category_of};
use super::{Exchange, HOUSE};
use crate::server::book::{OrderBook, SelfTrade};
use crate::server::random::Random;
use crate::server::signature::Verifier;
use crate::server::venue::Behavior;

const NANOS_PER_MILLI: i64 = 1_000_000;

/// What a test asked of the venue that the venue does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The venue refused it as it would refuse a client.
    #[error("the venue refuses: {code} {msg}")]
    Refused {
        /// Bybit's number.
        code: i64,
        /// Bybit's text.
        msg: String,
    },
    /// A number is out of range.
    #[error(transparent)]
    Math(#[from] MathError),
}

impl From<ApiError> for AdminError {
    fn from(e: ApiError) -> Self {
        Self::Refused {
            code: e.code,
            msg: e.msg,
        }
    }
}

impl Exchange {
    /// Opens a venue at `at`, with the house as its first account.
    #[must_use]
    pub fn new(settings: Settings, at: Timestamp) -> Self {
        let mut exchange = Self {
            now: 0,
            markets: BTreeMap::new(),
            accounts: Vec::new(),
            keys: BTreeMap::new(),
            usage: Usage::new(settings.limits),
            random: Random::new(settings.seed),
            last_id: settings.first_id,
            links: BTreeSet::new(),
            tasks: VecDeque::new(),
            transfers: Vec::new(),
            fees: BTreeMap::new(),
            recent_since_ms: i64::MIN,
            rejects_next: false,
            transfers_fail: false,
            settings,
        };
        exchange.now = exchange.clock(at);
        let house = Account::new(AccountSettings::default(), true, exchange.now);
        exchange.accounts.push(house);
        for rules in exchange.settings.listings.clone() {
            let key = (category_of(&rules), rules.key.symbol);
            let next = rules
                .perp
                .as_ref()
                .map(|perp| next_settlement(perp, exchange.now));
            let market = Market {
                rules,
                book: OrderBook::default(),
                orders: BTreeMap::new(),
                open: BTreeSet::new(),
                executions: Vec::new(),
                is_trading: true,
                last_price: None,
                mark: Price::ZERO,
                index: Price::ZERO,
                funding_rate: Rate::ZERO,
                next_funding_ms: next,
                settled: Vec::new(),
                updates: 0,
            };
            exchange.markets.insert(key, market);
        }
        exchange
    }

    /// Returns the venue's milliseconds at an instant of the caller's.
    #[must_use]
    pub const fn clock(&self, at: Timestamp) -> i64 {
        at.nanos().div_euclid(NANOS_PER_MILLI) + self.settings.clock_ahead_ms
    }

    /// Sets how it treats its readers from now on.
    pub const fn set_behavior(&mut self, behavior: Behavior) {
        self.settings.behavior = behavior;
    }

    /// Sets how far its clock is ahead of the caller's, in milliseconds.
    pub const fn set_clock_ahead(&mut self, ms: i64) {
        self.settings.clock_ahead_ms = ms;
    }

    /// Lets the engine reject the next order that is taken.
    pub const fn reject_next(&mut self) {
        self.rejects_next = true;
    }

    /// Lets transfers fail on their way from now on, or arrive again.
    pub const fn set_transfers_fail(&mut self, fail: bool) {
        self.transfers_fail = fail;
    }

    /// Opens an account and returns its number.
    ///
    /// # Panics
    /// With more than four billion accounts.
    pub fn add_account(&mut self, settings: AccountSettings) -> u32 {
        let account = Account::new(settings, false, self.now);
        self.accounts.push(account);
        u32::try_from(self.accounts.len() - 1).expect("invariant: few accounts")
    }

    /// Gives an account a key.
    pub fn add_key(
        &mut self,
        account: u32,
        name: &str,
        verifier: Verifier,
        permissions: Permissions,
    ) {
        let key = Key {
            account,
            verifier,
            permissions,
        };
        self.keys.insert(name.to_owned(), key);
    }

    /// Revokes a key.
    pub fn remove_key(&mut self, name: &str) {
        self.keys.remove(name);
    }

    /// Bans the clients' address.
    pub fn ban(&mut self, seconds: i64) {
        self.usage.ban_for(self.now, seconds);
    }

    /// Rests an order of the house, and returns its number; what it crosses trades.
    ///
    /// # Errors
    /// [`AdminError`] for a symbol that is not listed.
    pub fn rest(
        &mut self,
        category: Category,
        symbol: Symbol,
        side: Side,
        price: Price,
        quantity: Quantity,
    ) -> Result<u64, AdminError> {
        self.place_of_house(category, symbol, (side, Some(price), quantity))
    }

    /// Trades for the house at whatever rests, up to `quantity`; returns the order's number.
    ///
    /// # Errors
    /// [`AdminError`] for a symbol that is not listed.
    pub fn trade(
        &mut self,
        category: Category,
        symbol: Symbol,
        side: Side,
        quantity: Quantity,
    ) -> Result<u64, AdminError> {
        self.place_of_house(category, symbol, (side, None, quantity))
    }

    /// Takes every order of the house back.
    ///
    /// # Errors
    /// [`AdminError`] for a symbol that is not listed.
    pub fn unrest_all(&mut self, category: Category, symbol: Symbol) -> Result<(), AdminError> {
        let open = self.market(category, symbol)?.open_orders(HOUSE);
        let numbers: Vec<u64> = open.map(|order| order.number).collect();
        for number in numbers {
            self.end(category, symbol, number, Ending::ByUser)?;
        }
        Ok(())
    }

    /// The house is at the engine at once, and is many others: its orders trade with one another.
    fn place_of_house(
        &mut self,
        category: Category,
        symbol: Symbol,
        (side, limit, quantity): (Side, Option<Price>, Quantity),
    ) -> Result<u64, AdminError> {
        let draft = Draft {
            account: HOUSE,
            link_id: String::new(),
            side,
            is_market: limit.is_none(),
            in_quote: false,
            time_in_force: TimeInForce::Gtc,
            position_index: 0,
            reduce_only: false,
            self_trade: SelfTrade::Allow,
            price: limit.unwrap_or_default(),
            quantity,
        };
        self.market(category, symbol)?;
        let ids = self.new_id(category);
        let number = ids.0;
        let order = Order::new(ids, draft, self.now);
        let market = self.market_mut(category, symbol)?;
        market.orders.insert(number, order);
        market.open.insert(number);
        self.place(category, symbol, number)?;
        Ok(number)
    }

    /// Opens or halts trading in a symbol.
    ///
    /// # Errors
    /// [`AdminError`] for a symbol that is not listed.
    pub fn set_trading(
        &mut self,
        category: Category,
        symbol: Symbol,
        is_trading: bool,
    ) -> Result<(), AdminError> {
        self.market_mut(category, symbol)?.is_trading = is_trading;
        Ok(())
    }

    /// Sets mark and index of a perpetual.
    ///
    /// # Errors
    /// [`AdminError`] for a symbol that is not listed.
    pub fn set_mark(
        &mut self,
        symbol: Symbol,
        mark: Price,
        index: Price,
    ) -> Result<(), AdminError> {
        let market = self.market_mut(Category::Linear, symbol)?;
        (market.mark, market.index) = (mark, index);
        Ok(())
    }

    /// Sets the rate that the next settlements of a perpetual charge.
    ///
    /// # Errors
    /// [`AdminError`] for a symbol that is not listed.
    pub fn set_funding_rate(&mut self, symbol: Symbol, rate: Rate) -> Result<(), AdminError> {
        self.market_mut(Category::Linear, symbol)?.funding_rate = rate;
        Ok(())
    }

    /// Sets the margin mode of an account: isolated, else cross.
    pub fn set_isolated(&mut self, account: u32, is_isolated: bool) {
        self.account_mut(account).is_isolated = is_isolated;
    }

    /// Puts a perpetual of an account into hedge mode, or into one-way mode.
    pub fn set_hedge(&mut self, account: u32, symbol: Symbol, is_hedge: bool) {
        let hedged = &mut self.account_mut(account).hedged;
        if is_hedge {
            hedged.insert(symbol);
        } else {
            hedged.remove(&symbol);
        }
    }

    /// Returns what the unified account has of a coin.
    #[must_use]
    pub fn unified(&self, account: u32, coin: Asset) -> Coin {
        self.account(account).coin(coin)
    }

    /// Returns what the funding account has of a coin.
    #[must_use]
    pub fn fund(&self, account: u32, coin: Asset) -> Quantity {
        self.account(account).fund(coin)
    }

    /// Returns a position: index 0 of one-way mode, 1 and 2 of hedge mode.
    #[must_use]
    pub fn position(&self, account: u32, symbol: Symbol, index: u8) -> Position {
        self.account(account).position(symbol, index)
    }

    /// Returns every order that an account ever had, oldest first in each market.
    #[must_use]
    pub fn orders(&self, account: u32) -> Vec<(Category, Symbol, Order)> {
        let markets = self.markets.iter();
        let orders = markets.flat_map(|((category, symbol), market)| {
            let orders = market.orders.values().cloned();
            orders.map(move |order| (*category, *symbol, order))
        });
        let of_account = orders.filter(|(_, _, order)| order.account == account);
        of_account.collect()
    }

    /// Returns every execution of an account, oldest first in each market.
    #[must_use]
    pub fn executions(&self, account: u32) -> Vec<(Category, Symbol, Execution)> {
        let markets = self.markets.iter();
        let rows = markets.flat_map(|((category, symbol), market)| {
            let rows = market.executions.iter();
            let rows = rows.filter(move |row| row.account == account).cloned();
            rows.map(move |row| (*category, *symbol, row))
        });
        rows.collect()
    }

    /// Returns the transaction log of an account, oldest first.
    #[must_use]
    pub fn transaction_log(&self, account: u32) -> &[LogRow] {
        &self.account(account).log
    }

    /// Returns what the venue has taken in fees, less rebates.
    #[must_use]
    pub fn fees_taken(&self, coin: Asset) -> Quantity {
        self.fees.get(&coin).copied().unwrap_or_default()
    }
}
