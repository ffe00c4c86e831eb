//! One instrument's market: its book, every order it ever had, its executions.

use std::collections::{BTreeMap, BTreeSet};

use basis_core::num::{Fixed18, MathError, Price, Quantity, Rate, Rounding, Value};
use basis_core::rules::InstrumentRules;
use basis_core::types::{Asset, Side};

use super::engine::Ending;
use crate::server::book::{OrderBook, SelfTrade};

/// How long an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeInForce {
    /// Until it is canceled.
    Gtc,
    /// What trades at once.
    Ioc,
    /// All at once, or nothing.
    Fok,
    /// Only as maker.
    PostOnly,
}

/// States of an order that reads show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It works, untouched.
    New,
    /// It works, filled in part.
    PartiallyFilled,
    /// Filled.
    Filled,
    /// Ended by its owner, by its own terms or by the venue; it may have fills.
    Cancelled,
    /// The engine refused it after it was taken.
    Rejected,
}

impl Status {
    /// Tells whether it can still trade.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::New | Self::PartiallyFilled)
    }
}

/// What of an order changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderState {
    /// Quote per base; zero of a market order.
    pub price: Price,
    /// Base units; quote units of a spot market order that is counted in these.
    pub quantity: Quantity,
    /// Base units that traded.
    pub executed: Quantity,
    /// Quote units that traded.
    pub value: Value,
    /// Fees, by coin.
    pub fees: BTreeMap<Asset, Quantity>,
    /// Where it stands.
    pub status: Status,
    /// Why it ended before it was filled.
    pub ending: Option<Ending>,
    /// When it last changed, in the venue's milliseconds.
    pub updated_ms: i64,
}

/// An order.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its number, which rises.
    pub number: u64,
    /// The venue's id of it.
    pub id: String,
    /// Whose.
    pub account: u32,
    /// The client's id of it; empty where none was given.
    pub client_id: String,
    /// Buy or sell.
    pub side: Side,
    /// At what there is, else at a limit.
    pub is_market: bool,
    /// Whether its quantity counts quote units.
    pub in_quote: bool,
    /// How long it stands.
    pub time_in_force: TimeInForce,
    /// 0 in one-way mode, 1 and 2 of hedge mode.
    pub position_index: u8,
    /// Whether it can only make its position smaller.
    pub reduce_only: bool,
    /// Against whom it does not trade.
    pub self_trade: SelfTrade,
    /// When it was taken, in the venue's milliseconds.
    pub created_ms: i64,
    /// How it stands now.
    pub state: OrderState,
    /// What it holds back: quote or base of spot, margin of a perpetual.
    pub(in crate::server) held: Quantity,
    /// Whether the engine has it: before, no read shows it.
    pub(in crate::server) is_at_engine: bool,
    /// How it stood, and since when.
    versions: Vec<(i64, OrderState)>,
}

/// What an order is before the venue has taken it.
#[derive(Clone, Debug)]
pub(in crate::server) struct Draft {
    pub(in crate::server) account: u32,
    pub(in crate::server) client_id: String,
    pub(in crate::server) side: Side,
    pub(in crate::server) is_market: bool,
    pub(in crate::server) in_quote: bool,
    pub(in crate::server) time_in_force: TimeInForce,
    pub(in crate::server) position_index: u8,
    pub(in crate::server) reduce_only: bool,
    pub(in crate::server) self_trade: SelfTrade,
    pub(in crate::server) price: Price,
    pub(in crate::server) quantity: Quantity,
}

impl Order {
    pub(in crate::server) fn new((number, id): (u64, String), draft: Draft, now: i64) -> Self {
        Self {
            number,
            id,
            account: draft.account,
            client_id: draft.client_id,
            side: draft.side,
            is_market: draft.is_market,
            in_quote: draft.in_quote,
            time_in_force: draft.time_in_force,
            position_index: draft.position_index,
            reduce_only: draft.reduce_only,
            self_trade: draft.self_trade,
            created_ms: now,
            state: OrderState {
                price: draft.price,
                quantity: draft.quantity,
                executed: Quantity::ZERO,
                value: Value::ZERO,
                fees: BTreeMap::new(),
                status: Status::New,
                ending: None,
                updated_ms: now,
            },
            held: Quantity::ZERO,
            is_at_engine: false,
            versions: Vec::new(),
        }
    }

    /// Returns the base units that are left; none of an order that counts quote units.
    ///
    /// # Panics
    /// Never: no more trades than was ordered.
    #[must_use]
    pub fn remaining(&self) -> Quantity {
        if self.in_quote {
            return Quantity::ZERO;
        }
        let left = self.state.quantity.sub(self.state.executed);
        left.expect("invariant: no more trades than was ordered")
    }

    /// Tells whether it can still be changed or trade.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.state.status.is_open()
    }

    /// Returns how it stood at `ms`; `None` before the engine had it.
    #[must_use]
    pub fn as_of(&self, ms: i64) -> Option<&OrderState> {
        let mut newest_first = self.versions.iter().rev();
        let found = newest_first.find(|(since, _)| *since <= ms);
        found.map(|(_, state)| state)
    }

    pub(in crate::server) fn change(&mut self, now: i64, change: impl FnOnce(&mut OrderState)) {
        change(&mut self.state);
        self.state.updated_ms = now;
        self.is_at_engine = true;
        self.versions.push((now, self.state.clone()));
    }

    /// Whether it only makes its position smaller: by its terms, or by its side in hedge mode.
    pub(in crate::server) const fn is_closing(&self) -> bool {
        self.reduce_only || closes(self.position_index, self.side)
    }
}

/// Whether an order of `side` makes a position of hedge mode smaller.
pub(in crate::server) const fn closes(position_index: u8, side: Side) -> bool {
    matches!((position_index, side), (1, Side::Sell) | (2, Side::Buy))
}

/// A row of the executions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Its number, which rises.
    pub number: u64,
    /// The venue's id of it.
    pub id: String,
    /// Whose.
    pub account: u32,
    /// `Trade` or `Funding`.
    pub kind: &'static str,
    /// The number of the trade in its instrument, the same on both sides; zero of funding.
    pub trade: u64,
    /// The number of the order; none of funding.
    pub order: Option<u64>,
    /// Buy or sell.
    pub side: Side,
    /// Quote per base.
    pub price: Price,
    /// Base units.
    pub quantity: Quantity,
    /// Quote units.
    pub value: Value,
    /// Paid above zero; below zero for a rebate or funding that was received.
    pub fee: Quantity,
    /// In what.
    pub fee_asset: Asset,
    /// At which rate.
    pub rate: Fixed18,
    /// Whether it rested.
    pub is_maker: bool,
    /// What of the order was left.
    pub leaves: Quantity,
    /// The mark at that moment.
    pub mark: Price,
    /// What result it settled.
    pub realized: Value,
    /// The position it is of.
    pub position_index: u8,
    /// When, in the venue's milliseconds.
    pub time_ms: i64,
}

/// A funding settlement that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct Settlement {
    pub(in crate::server) time_ms: i64,
    pub(in crate::server) rate: Rate,
}

/// One instrument.
#[derive(Debug)]
pub(in crate::server) struct Market {
    pub(in crate::server) rules: InstrumentRules,
    pub(in crate::server) book: OrderBook,
    pub(in crate::server) orders: BTreeMap<u64, Order>,
    pub(in crate::server) open: BTreeSet<u64>,
    pub(in crate::server) executions: Vec<Execution>,
    pub(in crate::server) is_trading: bool,
    pub(in crate::server) last_price: Option<Price>,
    /// Zero until somebody sets it.
    pub(in crate::server) mark: Price,
    pub(in crate::server) index: Price,
    pub(in crate::server) funding_rate: Rate,
    pub(in crate::server) next_funding_ms: Option<i64>,
    pub(in crate::server) settled: Vec<Settlement>,
    pub(in crate::server) updates: u64,
    /// How often it was traded.
    pub(in crate::server) trades: u64,
}

impl Market {
    pub(in crate::server) fn order(&self, number: u64) -> &Order {
        let order = self.orders.get(&number);
        order.expect("invariant: orders stay")
    }

    pub(in crate::server) fn order_mut(&mut self, number: u64) -> &mut Order {
        let order = self.orders.get_mut(&number);
        order.expect("invariant: orders stay")
    }

    /// Open orders of an account, oldest first.
    pub(in crate::server) fn open_orders(&self, account: u32) -> impl Iterator<Item = &Order> {
        let all = self
            .open
            .iter()
            .filter_map(|number| self.orders.get(number));
        all.filter(move |order| order.account == account)
    }

    /// The order of an account by the venue's id, else by the client's.
    pub(in crate::server) fn find(
        &self,
        account: u32,
        id: Option<&str>,
        client_id: Option<&str>,
    ) -> Option<&Order> {
        let mut newest_first = self.orders.values().rev();
        newest_first.find(|order| {
            order.account == account
                && match (id, client_id) {
                    (Some(id), _) => order.id == id,
                    (None, Some(client_id)) => order.client_id == client_id,
                    (None, None) => false,
                }
        })
    }
}

/// Average price of what traded; zero before a trade.
pub(in crate::server) fn average(state: &OrderState) -> Result<Fixed18, MathError> {
    if state.executed.is_zero() {
        return Ok(Fixed18::ZERO);
    }
    let value = state.value.get();
    value.div(state.executed.get(), Rounding::HalfEven)
}
