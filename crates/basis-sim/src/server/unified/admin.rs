//! What a test does at such a venue, beside every wire form: accounts, liquidity, marks, and the venue's own
//! truth to compare with.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use basis_core::num::{Price, Quantity, Rate};
use basis_core::types::{Asset, Side, Symbol, Timestamp};

use super::account::{Account, Coin, LogRow, Position};
use super::engine::Ending;
use super::error::Refusal;
use super::funding::next_settlement;
use super::market::{Draft, Execution, Market, Order, TimeInForce};
use super::settings::{AccountTerms, Category, Opening, category_of};
use super::{Exchange, HOUSE, Ways};
use crate::server::book::{OrderBook, SelfTrade};
use crate::server::random::Random;
use crate::server::venue::Behavior;

const NANOS_PER_MILLI: i64 = 1_000_000;

impl<W: Ways> Exchange<W> {
    /// Opens a venue at `at`, with the house as its first account.
    pub(in crate::server) fn open_at(opening: Opening<W>, at: Timestamp) -> Self {
        let mut exchange = Self {
            own: opening.own,
            now: 0,
            markets: BTreeMap::new(),
            behavior: opening.behavior,
            last_id: opening.first_id,
            transfers: Vec::new(),
            accounts: Vec::new(),
            random: Random::new(opening.seed),
            tasks: VecDeque::new(),
            fees: BTreeMap::new(),
            latency: opening.latency,
            engine_ms: opening.engine_ms,
            clock_ahead_ms: opening.clock_ahead_ms,
            rejects_next: false,
            transfers_fail: false,
        };
        exchange.now = exchange.clock(at);
        let house = (true, W::LEVERAGE);
        let house = Account::new(AccountTerms::default(), house, exchange.now);
        exchange.accounts.push(house);
        for rules in opening.listings {
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
                trades: 0,
            };
            exchange.markets.insert(key, market);
        }
        exchange
    }

    /// Opens an account and returns its number.
    ///
    /// # Panics
    /// With more than four billion accounts.
    pub(in crate::server) fn open_account(&mut self, terms: AccountTerms) -> u32 {
        let account = Account::new(terms, (false, W::LEVERAGE), self.now);
        self.accounts.push(account);
        u32::try_from(self.accounts.len() - 1).expect("invariant: few accounts")
    }

    /// Returns the venue's milliseconds at an instant of the caller's.
    #[must_use]
    pub const fn clock(&self, at: Timestamp) -> i64 {
        at.nanos().div_euclid(NANOS_PER_MILLI) + self.clock_ahead_ms
    }

    /// Sets how it treats its readers from now on.
    pub const fn set_behavior(&mut self, behavior: Behavior) {
        self.behavior = behavior;
    }

    /// Sets how far its clock is ahead of the caller's, in milliseconds.
    pub const fn set_clock_ahead(&mut self, ms: i64) {
        self.clock_ahead_ms = ms;
    }

    /// Lets the engine reject the next order that is taken.
    pub const fn reject_next(&mut self) {
        self.rejects_next = true;
    }

    /// Lets transfers fail on their way from now on, or arrive again.
    pub const fn set_transfers_fail(&mut self, fail: bool) {
        self.transfers_fail = fail;
    }

    /// Rests an order of the house, and returns its number; what it crosses trades.
    ///
    /// # Errors
    /// [`Refusal`] for a symbol that is not listed.
    pub fn rest(
        &mut self,
        category: Category,
        symbol: Symbol,
        side: Side,
        price: Price,
        quantity: Quantity,
    ) -> Result<u64, Refusal> {
        self.place_of_house(category, symbol, (side, Some(price), quantity))
    }

    /// Trades for the house at whatever rests, up to `quantity`; returns the order's number.
    ///
    /// # Errors
    /// [`Refusal`] for a symbol that is not listed.
    pub fn trade(
        &mut self,
        category: Category,
        symbol: Symbol,
        side: Side,
        quantity: Quantity,
    ) -> Result<u64, Refusal> {
        self.place_of_house(category, symbol, (side, None, quantity))
    }

    /// Takes every order of the house back.
    ///
    /// # Errors
    /// [`Refusal`] for a symbol that is not listed.
    pub fn unrest_all(&mut self, category: Category, symbol: Symbol) -> Result<(), Refusal> {
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
    ) -> Result<u64, Refusal> {
        let draft = Draft {
            account: HOUSE,
            client_id: String::new(),
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
    /// [`Refusal`] for a symbol that is not listed.
    pub fn set_trading(
        &mut self,
        category: Category,
        symbol: Symbol,
        is_trading: bool,
    ) -> Result<(), Refusal> {
        self.market_mut(category, symbol)?.is_trading = is_trading;
        Ok(())
    }

    /// Sets mark and index of a perpetual.
    ///
    /// # Errors
    /// [`Refusal`] for a symbol that is not listed.
    pub fn set_mark(&mut self, symbol: Symbol, mark: Price, index: Price) -> Result<(), Refusal> {
        let market = self.market_mut(Category::Linear, symbol)?;
        (market.mark, market.index) = (mark, index);
        Ok(())
    }

    /// Sets the rate that the next settlements of a perpetual charge.
    ///
    /// # Errors
    /// [`Refusal`] for a symbol that is not listed.
    pub fn set_funding_rate(&mut self, symbol: Symbol, rate: Rate) -> Result<(), Refusal> {
        self.market_mut(Category::Linear, symbol)?.funding_rate = rate;
        Ok(())
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
