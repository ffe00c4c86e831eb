//! What a test does at the venue, beside every wire form: accounts, keys, liquidity, marks, and the venue's
//! own truth to compare with.

use std::collections::{BTreeMap, BTreeSet};

use basis_core::num::{MathError, Price, Quantity, Rate};
use basis_core::types::{Asset, PositionSide, Side, Symbol, Timestamp};

use super::account::{Account, Balance, Income, Key, Position};
use super::error::ApiError;
use super::limits::Usage;
use super::market::{Draft, Fill, Market, Order, OrderKind, TimeInForce};
use super::settings::{AccountSettings, Permissions, Product, Settings};
use super::usdm::MarkState;
use super::{Audience, Exchange, HOUSE, Listening};
use crate::server::book::SelfTrade;
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
        /// Binance's number.
        code: i64,
        /// Binance's text.
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
        let markets = settings.listings.iter().map(|listing| {
            let key = (listing.product(), listing.rules.key.symbol);
            (key, Market::new(listing.clone(), settings.first_id))
        });
        let mut exchange = Self {
            now: 0,
            markets: markets.collect(),
            marks: BTreeMap::new(),
            accounts: Vec::new(),
            keys: BTreeMap::new(),
            usage: Usage::new(settings.limits),
            random: Random::new(settings.seed),
            last_id: settings.first_id,
            transfers: Vec::new(),
            listen_keys: BTreeMap::new(),
            countdowns: BTreeMap::new(),
            dated: BTreeSet::new(),
            fees: BTreeMap::new(),
            listening: Listening::default(),
            let_in_ms: None,
            events: Vec::new(),
            settings,
        };
        exchange.now = exchange.clock(at);
        let house = Account::new(AccountSettings::default(), true, exchange.now);
        exchange.accounts.push(house);
        for listing in exchange.settings.listings.clone() {
            if let Some(perp) = &listing.rules.perp {
                let state = MarkState::new(perp, at);
                exchange.marks.insert(listing.rules.key.symbol, state);
            }
        }
        exchange
    }

    /// Returns the venue's milliseconds at an instant of the caller's.
    #[must_use]
    pub const fn clock(&self, at: Timestamp) -> i64 {
        at.nanos().div_euclid(NANOS_PER_MILLI) + self.settings.clock_ahead_ms
    }

    /// Returns the caller's instant of the venue's milliseconds.
    pub(super) const fn instant(&self, ms: i64) -> Timestamp {
        Timestamp::from_millis(ms - self.settings.clock_ahead_ms)
    }

    /// Returns what the venue was made of.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sets how it treats its readers from now on.
    pub const fn set_behavior(&mut self, behavior: Behavior) {
        self.settings.behavior = behavior;
    }

    /// Sets how far its clock is ahead of the caller's, in milliseconds.
    pub const fn set_clock_ahead(&mut self, ms: i64) {
        self.settings.clock_ahead_ms = ms;
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
            created_ms: self.now,
        };
        self.keys.insert(name.to_owned(), key);
    }

    /// Revokes a key.
    pub fn remove_key(&mut self, name: &str) {
        self.keys.remove(name);
    }

    /// Rests an order of the house, and returns its number; what it crosses trades.
    ///
    /// # Errors
    /// [`AdminError`] for a symbol that is not listed.
    pub fn rest(
        &mut self,
        product: Product,
        symbol: Symbol,
        side: Side,
        price: Price,
        quantity: Quantity,
    ) -> Result<u64, AdminError> {
        let draft = self.house_order(OrderKind::Limit, side, price, quantity);
        self.house_place(product, symbol, draft)
    }

    /// Trades for the house at whatever rests, up to `quantity`; returns the order's number.
    ///
    /// # Errors
    /// [`AdminError`] for a symbol that is not listed.
    pub fn trade(
        &mut self,
        product: Product,
        symbol: Symbol,
        side: Side,
        quantity: Quantity,
    ) -> Result<u64, AdminError> {
        let price = Price::ZERO;
        let draft = self.house_order(OrderKind::Market, side, price, quantity);
        self.house_place(product, symbol, draft)
    }

    /// Takes an order of the house back.
    ///
    /// # Errors
    /// [`AdminError`] when it does not rest.
    pub fn unrest(
        &mut self,
        product: Product,
        symbol: Symbol,
        order: u64,
    ) -> Result<(), AdminError> {
        let market = self.market(product, symbol)?;
        if market.find(HOUSE, Some(order), None).is_none() {
            return Err(ApiError::unknown_order().into());
        }
        Ok(self.cancel_order(product, symbol, order, None)?)
    }

    /// Takes every order of the house back.
    ///
    /// # Errors
    /// [`AdminError`] for a symbol that is not listed.
    pub fn unrest_all(&mut self, product: Product, symbol: Symbol) -> Result<(), AdminError> {
        let open = self.market(product, symbol)?.open_orders(HOUSE);
        let ids: Vec<u64> = open.map(|order| order.id).collect();
        for id in ids {
            self.cancel_order(product, symbol, id, None)?;
        }
        Ok(())
    }

    fn house_order(
        &mut self,
        kind: OrderKind,
        side: Side,
        price: Price,
        quantity: Quantity,
    ) -> Draft {
        Draft {
            account: HOUSE,
            client_id: self.random.text(22),
            side,
            kind,
            time_in_force: TimeInForce::Gtc,
            price,
            quantity,
            quote_quantity: basis_core::num::Value::ZERO,
            position_side: None,
            reduce_only: false,
            good_till_ms: 0,
            // The house is many others: its orders trade with one another.
            self_trade: SelfTrade::Allow,
        }
    }

    fn house_place(
        &mut self,
        product: Product,
        symbol: Symbol,
        draft: Draft,
    ) -> Result<u64, AdminError> {
        let plan = self.plan(product, symbol, &draft)?;
        Ok(match product {
            Product::Spot => self.execute_spot(symbol, draft, &plan)?,
            Product::UsdM => self.execute_usdm(symbol, draft, &plan)?,
        })
    }

    /// Opens or halts trading in a symbol.
    ///
    /// # Errors
    /// [`AdminError`] for a symbol that is not listed.
    pub fn set_trading(
        &mut self,
        product: Product,
        symbol: Symbol,
        is_trading: bool,
    ) -> Result<(), AdminError> {
        self.market_mut(product, symbol)?.is_trading = is_trading;
        Ok(())
    }

    /// Sets the average of recent spot trades, or the last price of a perpetual, before anybody traded.
    ///
    /// # Errors
    /// [`AdminError`] for a symbol that is not listed.
    pub fn set_last_price(
        &mut self,
        product: Product,
        symbol: Symbol,
        price: Price,
    ) -> Result<(), AdminError> {
        self.market_mut(product, symbol)?.last_price = Some(price);
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
        let state = self.marks.get_mut(&symbol);
        let state = state.ok_or_else(ApiError::invalid_symbol)?;
        state.mark = mark;
        state.index = index;
        self.publish_mark(symbol);
        Ok(())
    }

    /// Sets the rate that the next settlements of a perpetual charge.
    ///
    /// # Errors
    /// [`AdminError`] for a symbol that is not listed.
    pub fn set_funding_rate(&mut self, symbol: Symbol, rate: Rate) -> Result<(), AdminError> {
        let state = self.marks.get_mut(&symbol);
        state.ok_or_else(ApiError::invalid_symbol)?.rate = rate;
        Ok(())
    }

    /// Asks the clients of the spot WebSocket API to connect anew, as before a restart.
    pub fn announce_shutdown(&mut self) {
        let body = serde_json::json!({ "e": "serverShutdown", "E": self.now });
        self.emit(Audience::SpotSessions, body);
    }

    /// Bans the clients' address.
    pub fn ban(&mut self, seconds: i64) {
        self.usage.ban_for(self.now, seconds);
    }

    /// Returns what the spot wallet of an account has.
    #[must_use]
    pub fn spot_balance(&self, account: u32, asset: Asset) -> Balance {
        let balances = &self.account(account).spot;
        balances.get(&asset).copied().unwrap_or_default()
    }

    /// Returns what the USD-M wallet of an account has, without unrealised results.
    #[must_use]
    pub fn usdm_balance(&self, account: u32, asset: Asset) -> Quantity {
        self.account(account).margin_balance(asset)
    }

    /// Returns a position of an account.
    #[must_use]
    pub fn position(&self, account: u32, symbol: Symbol, side: Option<PositionSide>) -> Position {
        self.account(account).position(symbol, side)
    }

    /// Returns every order that an account ever had, oldest first.
    #[must_use]
    pub fn orders(&self, account: u32) -> Vec<(Product, Symbol, Order)> {
        let markets = self.markets.iter();
        let orders = markets.flat_map(|((product, symbol), market)| {
            let orders = market.orders.values().cloned();
            orders.map(move |order| (*product, *symbol, order))
        });
        let of_account = orders.filter(|(_, _, order)| order.account == account);
        of_account.collect()
    }

    /// Returns every fill of an account, oldest first.
    #[must_use]
    pub fn fills(&self, account: u32) -> Vec<(Product, Symbol, Fill)> {
        let markets = self.markets.iter();
        let fills = markets.flat_map(|((product, symbol), market)| {
            let fills = market.fills_of(account).cloned();
            fills.map(move |fill| (*product, *symbol, fill))
        });
        fills.collect()
    }

    /// Returns the income history of an account, oldest first.
    #[must_use]
    pub fn income(&self, account: u32) -> &[Income] {
        &self.account(account).usdm.income
    }

    /// Returns what the venue has taken in fees, less rebates.
    #[must_use]
    pub fn fees_taken(&self, asset: Asset) -> Quantity {
        self.fees.get(&asset).copied().unwrap_or_default()
    }

    /// Returns best bid and ask.
    ///
    /// # Errors
    /// [`AdminError`] for a symbol that is not listed.
    pub fn best(
        &self,
        product: Product,
        symbol: Symbol,
    ) -> Result<(Option<Price>, Option<Price>), AdminError> {
        let book = &self.market(product, symbol)?.book;
        let price = |level: Option<(Price, Quantity)>| level.map(|(price, _)| price);
        Ok((price(book.best_bid()), price(book.best_ask())))
    }
}
