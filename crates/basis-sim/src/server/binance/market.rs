//! One instrument's market: its book, every order it ever had, its fills.

use std::collections::{BTreeMap, BTreeSet};

use basis_core::num::{Fixed18, MathError, Price, Quantity, Value};
use basis_core::types::{Asset, PositionSide, Side};

use super::settings::Listing;
use crate::server::book::{OrderBook, SelfTrade};

/// Types of orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKind {
    /// At a limit or better.
    Limit,
    /// Spot: at a limit, and only as maker.
    LimitMaker,
    /// At what there is.
    Market,
}

impl OrderKind {
    /// Binance's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Limit => "LIMIT",
            Self::LimitMaker => "LIMIT_MAKER",
            Self::Market => "MARKET",
        }
    }
}

/// How long an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeInForce {
    /// Until it is canceled.
    Gtc,
    /// What trades at once.
    Ioc,
    /// All at once, or nothing.
    Fok,
    /// USD-M: only as maker.
    Gtx,
    /// USD-M: until a date.
    Gtd,
}

impl TimeInForce {
    /// Binance's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gtc => "GTC",
            Self::Ioc => "IOC",
            Self::Fok => "FOK",
            Self::Gtx => "GTX",
            Self::Gtd => "GTD",
        }
    }
}

/// States of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It works, untouched.
    New,
    /// It works, filled in part.
    PartiallyFilled,
    /// Filled.
    Filled,
    /// Taken back.
    Canceled,
    /// Ended by its own terms or by the venue.
    Expired,
    /// Ended so that an account does not trade with itself.
    ExpiredInMatch,
}

impl Status {
    /// Binance's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::PartiallyFilled => "PARTIALLY_FILLED",
            Self::Filled => "FILLED",
            Self::Canceled => "CANCELED",
            Self::Expired => "EXPIRED",
            Self::ExpiredInMatch => "EXPIRED_IN_MATCH",
        }
    }

    /// Tells whether it can still trade.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::New | Self::PartiallyFilled)
    }
}

/// What of an order changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderState {
    /// Quote per base; zero of a market order.
    pub price: Price,
    /// Base units.
    pub quantity: Quantity,
    /// Base units that traded.
    pub executed: Quantity,
    /// Quote units that traded.
    pub quote: Value,
    /// Where it stands.
    pub status: Status,
    /// When it last changed, in the venue's milliseconds.
    pub updated_ms: i64,
}

/// An order.
#[derive(Clone, Debug)]
pub struct Order {
    /// Binance's number: rises per symbol.
    pub id: u64,
    /// Whose.
    pub account: u32,
    /// The client's name of it, or one made up by the venue.
    pub client_id: String,
    /// Buy or sell.
    pub side: Side,
    /// Its type.
    pub kind: OrderKind,
    /// How long it stands.
    pub time_in_force: TimeInForce,
    /// Quote units of a spot market order that is counted in these.
    pub quote_quantity: Value,
    /// Of hedge mode.
    pub position_side: Option<PositionSide>,
    /// Whether it was sent as one that can only close.
    pub reduce_only: bool,
    /// When it ends by itself; zero for never.
    pub good_till_ms: i64,
    /// Against whom it does not trade.
    pub self_trade: SelfTrade,
    /// When it was taken, in the venue's milliseconds.
    pub created_ms: i64,
    /// How it stands now.
    pub state: OrderState,
    /// Asset units that it holds back: quote or base of spot, margin of USD-M.
    pub(super) held: Quantity,
    /// The name under which it was canceled, where that has one.
    pub(super) cancel_id: Option<String>,
    /// How it stood, and since when.
    versions: Vec<(i64, OrderState)>,
}

/// What an order is before the venue has taken it.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) account: u32,
    pub(super) client_id: String,
    pub(super) side: Side,
    pub(super) kind: OrderKind,
    pub(super) time_in_force: TimeInForce,
    pub(super) price: Price,
    pub(super) quantity: Quantity,
    pub(super) quote_quantity: Value,
    pub(super) position_side: Option<PositionSide>,
    pub(super) reduce_only: bool,
    pub(super) good_till_ms: i64,
    pub(super) self_trade: SelfTrade,
}

impl Order {
    /// Returns the base units that are left.
    ///
    /// # Panics
    /// Never: no more trades than was ordered.
    #[must_use]
    pub fn remaining(&self) -> Quantity {
        let left = self.state.quantity.sub(self.state.executed);
        left.expect("invariant: no more trades than was ordered")
    }

    /// Returns how it stood at `ms`; `None` before it was taken.
    #[must_use]
    pub fn as_of(&self, ms: i64) -> Option<OrderState> {
        let mut versions = self.versions.iter().rev();
        versions
            .find(|(since, _)| *since <= ms)
            .map(|(_, state)| *state)
    }

    /// Changes how it stands.
    pub(super) fn change(&mut self, now: i64, change: impl FnOnce(&mut OrderState)) {
        change(&mut self.state);
        self.state.updated_ms = now;
        self.versions.push((now, self.state));
    }

    /// Books a fill.
    pub(super) fn fill(
        &mut self,
        now: i64,
        quantity: Quantity,
        quote: Value,
    ) -> Result<(), MathError> {
        let executed = self.state.executed.add(quantity)?;
        let quote = self.state.quote.add(quote)?;
        self.change(now, |state| {
            state.executed = executed;
            state.quote = quote;
            state.status = if executed < state.quantity {
                Status::PartiallyFilled
            } else {
                Status::Filled
            };
        });
        Ok(())
    }
}

/// One side of a trade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Binance's number: rises per symbol, both sides of a trade have the same.
    pub trade: u64,
    /// The order's number.
    pub order: u64,
    /// Whose.
    pub account: u32,
    /// Bought or sold.
    pub side: Side,
    /// Quote per base.
    pub price: Price,
    /// Base units.
    pub quantity: Quantity,
    /// Quote units.
    pub quote: Value,
    /// Above zero is paid, below is a rebate.
    pub commission: Quantity,
    /// In what.
    pub commission_asset: Asset,
    /// Whether it rested.
    pub is_maker: bool,
    /// What closing brought; USD-M.
    pub realized: Value,
    /// Of hedge mode.
    pub position_side: Option<PositionSide>,
    /// When, in the venue's milliseconds.
    pub time_ms: i64,
}

/// The market of one instrument.
#[derive(Clone, Debug)]
pub(super) struct Market {
    pub(super) listing: Listing,
    pub(super) book: OrderBook,
    pub(super) orders: BTreeMap<u64, Order>,
    /// Numbers of orders that were open when somebody last looked.
    open: BTreeSet<u64>,
    pub(super) fills: Vec<Fill>,
    pub(super) is_trading: bool,
    /// The reference of filters before the first trade, then the price of the last one.
    pub(super) last_price: Option<Price>,
    pub(super) update_id: u64,
    pub(super) published_update_id: u64,
    next_order: u64,
    next_trade: u64,
}

impl Market {
    pub(super) fn new(listing: Listing, first_id: u64) -> Self {
        Self {
            listing,
            book: OrderBook::default(),
            orders: BTreeMap::new(),
            open: BTreeSet::new(),
            fills: Vec::new(),
            is_trading: true,
            last_price: None,
            update_id: first_id,
            published_update_id: first_id,
            next_order: first_id,
            next_trade: first_id,
        }
    }

    /// Takes an order in; it rests nowhere yet.
    pub(super) fn accept(&mut self, draft: Draft, now: i64) -> u64 {
        self.next_order += 1;
        let state = OrderState {
            price: draft.price,
            quantity: draft.quantity,
            executed: Quantity::ZERO,
            quote: Value::ZERO,
            status: Status::New,
            updated_ms: now,
        };
        let order = Order {
            id: self.next_order,
            account: draft.account,
            client_id: draft.client_id,
            side: draft.side,
            kind: draft.kind,
            time_in_force: draft.time_in_force,
            quote_quantity: draft.quote_quantity,
            position_side: draft.position_side,
            reduce_only: draft.reduce_only,
            good_till_ms: draft.good_till_ms,
            self_trade: draft.self_trade,
            created_ms: now,
            state,
            held: Quantity::ZERO,
            cancel_id: None,
            versions: vec![(now, state)],
        };
        self.open.insert(order.id);
        self.orders.insert(order.id, order);
        self.next_order
    }

    pub(super) const fn next_trade(&mut self) -> u64 {
        self.next_trade += 1;
        self.next_trade
    }

    /// Open orders of an account, oldest first.
    pub(super) fn open_orders(&self, account: u32) -> impl Iterator<Item = &Order> {
        let all = self.open.iter().filter_map(|id| self.orders.get(id));
        all.filter(move |order| order.account == account && order.state.status.is_open())
    }

    /// Drops an order that is done from those that are looked through.
    pub(super) fn forget_if_done(&mut self, id: u64) {
        let order = self.orders.get(&id);
        if order.is_none_or(|order| !order.state.status.is_open()) {
            self.open.remove(&id);
        }
    }

    /// The order of an account by its number, else the newest by its client id: an id may be used again
    /// once the order that bore it is done.
    pub(super) fn find(
        &self,
        account: u32,
        id: Option<u64>,
        client_id: Option<&str>,
    ) -> Option<&Order> {
        if let Some(id) = id {
            let order = self.orders.get(&id)?;
            return Some(order).filter(|order| order.account == account);
        }
        let mut newest_first = self.orders.values().rev();
        newest_first
            .find(|order| order.account == account && Some(order.client_id.as_str()) == client_id)
    }

    /// Whether an open order of the account bears the id.
    pub(super) fn is_client_id_taken(&self, account: u32, client_id: &str) -> bool {
        let mut open = self.open_orders(account);
        open.any(|order| order.client_id == client_id)
    }

    /// Fills of an account, oldest first.
    pub(super) fn fills_of(&self, account: u32) -> impl Iterator<Item = &Fill> {
        self.fills
            .iter()
            .filter(move |fill| fill.account == account)
    }
}

/// Decimal text with exactly `decimals` digits after the point, as Binance pads it.
pub(super) fn padded(number: Fixed18, decimals: u32) -> String {
    let rounded = number.round_to_decimals(decimals, basis_core::num::Rounding::HalfEven);
    let mut text = rounded.unwrap_or(number).to_string();
    let digits = text.split_once('.').map_or(0, |(_, digits)| digits.len());
    let wanted = usize::try_from(decimals).unwrap_or(0);
    if digits == 0 && wanted > 0 {
        text.push('.');
    }
    text.extend(std::iter::repeat_n('0', wanted.saturating_sub(digits)));
    text
}
