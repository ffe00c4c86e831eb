//! The engine behind the gateway: it works off what was taken, and what it decides only reads show.

use basis_core::num::{Price, Quantity, Rounding, Value};
use basis_core::types::{Side, Symbol};

use super::error::Refusal;
use super::market::{Draft, Order, Status, TimeInForce};
use super::settings::Category;
use super::{Exchange, HOUSE, Ways};
use crate::server::book::{Plan, Resting, Taker};

/// What was taken and waits for the engine.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Waiting {
    due_ms: i64,
    category: Category,
    symbol: Symbol,
    task: Task,
}

/// A piece of work.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) enum Task {
    Place {
        order: u64,
    },
    Amend {
        order: u64,
        quantity: Quantity,
        price: Price,
    },
    Cancel {
        order: u64,
        ending: Ending,
    },
}

/// Why an order ended before it was filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its owner asked for it.
    ByUser,
    /// Its owner was not heard of for as long as it had said.
    DeadMan,
    /// Post-only, and it would have taken.
    WouldTake,
    /// What of it did not trade at once.
    NothingAtOnce,
    /// It would not have traded whole at once.
    NotWhole,
    /// It met another order of its owner.
    SelfTrade,
    /// Reduce-only, and there is nothing that it could reduce.
    NothingToReduce,
    /// The engine refused what was taken.
    Refused,
}

impl<W: Ways> Exchange<W> {
    /// Takes an order in; no read shows it before the engine has it.
    pub(in crate::server) fn enter(
        &mut self,
        category: Category,
        symbol: Symbol,
        ids: (u64, String),
        draft: Draft,
    ) -> Result<(), Refusal> {
        let number = ids.0;
        let order = Order::new(ids, draft, self.now);
        let market = self.market_mut(category, symbol)?;
        market.orders.insert(number, order);
        market.open.insert(number);
        self.pass_on(category, symbol, Task::Place { order: number })
    }

    /// Gives a piece of work to the engine.
    pub(in crate::server) fn pass_on(
        &mut self,
        category: Category,
        symbol: Symbol,
        task: Task,
    ) -> Result<(), Refusal> {
        self.tasks.push_back(Waiting {
            due_ms: self.now.saturating_add(self.engine_ms),
            category,
            symbol,
            task,
        });
        self.run_tasks()
    }

    /// When the engine next works something off.
    pub(in crate::server) fn next_task(&self) -> Option<i64> {
        self.tasks.front().map(|waiting| waiting.due_ms)
    }

    /// Works off what is due, in its order.
    pub(in crate::server) fn run_tasks(&mut self) -> Result<(), Refusal> {
        let now = self.now;
        while let Some(waiting) = self.tasks.pop_front_if(|waiting| waiting.due_ms <= now) {
            let (category, symbol) = (waiting.category, waiting.symbol);
            match waiting.task {
                Task::Place { order } => self.place(category, symbol, order)?,
                Task::Amend {
                    order,
                    quantity,
                    price,
                } => self.change(category, symbol, order, (quantity, price))?,
                Task::Cancel { order, ending } => {
                    // What has ended meanwhile stays as it ended.
                    if self.market(category, symbol)?.order(order).is_open() {
                        self.end(category, symbol, order, ending)?;
                    }
                }
            }
        }
        Ok(())
    }

    pub(in crate::server) fn place(
        &mut self,
        category: Category,
        symbol: Symbol,
        number: u64,
    ) -> Result<(), Refusal> {
        let now = self.now;
        let draft = draft_of(self.market(category, symbol)?.order(number));
        let is_house = draft.account == HOUSE;
        let is_refused = !is_house && std::mem::take(&mut self.rejects_next);
        if is_refused || self.check_funds(category, symbol, &draft).is_err() {
            return self.end(category, symbol, number, Ending::Refused);
        }
        let closes = self.market(category, symbol)?.order(number).is_closing();
        if closes && category == Category::Linear {
            let closable = self.closable(symbol, &draft)?;
            if closable.is_zero() {
                return self.end(category, symbol, number, Ending::NothingToReduce);
            }
            // More than the position is cut to it.
            let order = self.market_mut(category, symbol)?.order_mut(number);
            order.state.quantity = order.state.quantity.min(closable);
        }
        let order = self.market_mut(category, symbol)?.order_mut(number);
        order.change(now, |_| {});
        self.run(category, symbol, number)
    }

    /// Trades what an open order finds, and rests or ends what is left of it.
    fn run(&mut self, category: Category, symbol: Symbol, number: u64) -> Result<(), Refusal> {
        let market = self.market(category, symbol)?;
        let order = market.order(number);
        let (is_market, force) = (order.is_market, order.time_in_force);
        let draft = draft_of(order);
        let quantity = if order.in_quote {
            self.base_of(category, symbol, &draft)?
        } else {
            order.remaining()
        };
        let plan = self.plan(category, symbol, &draft, quantity)?;
        let ends = match force {
            TimeInForce::PostOnly if !plan.matches.is_empty() => Some(Ending::WouldTake),
            TimeInForce::Fok if plan.filled()? < quantity => Some(Ending::NotWhole),
            _ => None,
        };
        if let Some(ending) = ends {
            return self.end(category, symbol, number, ending);
        }
        for maker in &plan.expired_makers {
            self.end(category, symbol, *maker, Ending::SelfTrade)?;
        }
        self.market_mut(category, symbol)?.book.apply(&plan)?;
        for m in &plan.matches {
            self.settle(category, symbol, number, m)?;
        }
        let order = self.market(category, symbol)?.order(number);
        if !order.is_open() {
            return Ok(());
        }
        let is_whole = order.in_quote && plan.remaining.is_zero();
        if is_whole {
            return self.fill_whole(category, symbol, number);
        }
        match force {
            _ if plan.taker_expired => self.end(category, symbol, number, Ending::SelfTrade),
            TimeInForce::Ioc | TimeInForce::Fok => {
                self.end(category, symbol, number, Ending::NothingAtOnce)
            }
            _ if is_market => self.end(category, symbol, number, Ending::NothingAtOnce),
            TimeInForce::Gtc | TimeInForce::PostOnly => self.rest_order(category, symbol, number),
        }
    }

    fn plan(
        &self,
        category: Category,
        symbol: Symbol,
        draft: &Draft,
        quantity: Quantity,
    ) -> Result<Plan, Refusal> {
        let market = self.market(category, symbol)?;
        if !quantity.is_positive() {
            return Ok(Plan::default());
        }
        Ok(market.book.plan(&Taker {
            owner: draft.account,
            side: draft.side,
            limit: Some(draft.price).filter(|_| !draft.is_market),
            quantity,
            self_trade: draft.self_trade,
        })?)
    }

    /// The base units that a market order of so many quote units would trade, in whole lots.
    fn base_of(
        &self,
        category: Category,
        symbol: Symbol,
        draft: &Draft,
    ) -> Result<Quantity, Refusal> {
        let market = self.market(category, symbol)?;
        let mut left = Value::new(draft.quantity.get());
        let mut base = Quantity::ZERO;
        for (price, there) in market.book.levels(draft.side.opposite()) {
            let affordable = left.per(price, Rounding::Floor)?;
            let affordable = affordable.round_to_lot(market.rules.lot_size, Rounding::Floor)?;
            let taken = affordable.min(there);
            base = base.add(taken)?;
            left = left.sub(taken.notional(price, Rounding::Ceil)?)?;
            if taken < there {
                break;
            }
        }
        Ok(base)
    }

    fn fill_whole(
        &mut self,
        category: Category,
        symbol: Symbol,
        number: u64,
    ) -> Result<(), Refusal> {
        let now = self.now;
        let market = self.market_mut(category, symbol)?;
        let order = market.order_mut(number);
        let status = if order.state.executed.is_zero() {
            Status::Cancelled
        } else {
            Status::Filled
        };
        order.change(now, |state| state.status = status);
        market.open.remove(&number);
        Ok(())
    }

    fn rest_order(
        &mut self,
        category: Category,
        symbol: Symbol,
        number: u64,
    ) -> Result<(), Refusal> {
        let order = self.market(category, symbol)?.order(number);
        let (side, price) = (order.side, order.state.price);
        let resting = Resting {
            order: number,
            owner: order.account,
            remaining: order.remaining(),
        };
        let held = self.hold_of(category, symbol, &draft_of(order), order.remaining())?;
        let market = self.market_mut(category, symbol)?;
        market.book.insert(side, price, resting);
        self.hold(category, symbol, number, held)
    }

    /// What was asked of an amendment that the gateway takes: whether the account can bear it.
    pub(in crate::server) fn check_amendment(
        &self,
        category: Category,
        symbol: Symbol,
        number: u64,
        (quantity, price): (Quantity, Price),
    ) -> Result<(), Refusal> {
        let order = self.market(category, symbol)?.order(number);
        let mut draft = draft_of(order);
        draft.price = price;
        let left = quantity.sub(order.state.executed)?;
        let needed = self.hold_of(category, symbol, &draft, left)?;
        let more = needed.sub(order.held)?;
        let free = self.free_for(category, symbol, &draft)?;
        if more.is_positive() && free < more {
            return Err(Refusal::Funds(category));
        }
        Ok(())
    }

    fn change(
        &mut self,
        category: Category,
        symbol: Symbol,
        number: u64,
        (quantity, price): (Quantity, Price),
    ) -> Result<(), Refusal> {
        let now = self.now;
        let order = self.market(category, symbol)?.order(number);
        let before = order.state.quantity;
        let is_same_price = order.state.price == price;
        if !order.is_open() {
            return Ok(());
        }
        if quantity <= order.state.executed {
            let ends = W::ENDS_WHERE_FILLED && order.state.executed.is_positive();
            return if ends {
                self.fill_as_amended(category, symbol, number)
            } else {
                Ok(())
            };
        }
        if self
            .check_amendment(category, symbol, number, (quantity, price))
            .is_err()
        {
            // It stays as it is; whoever asked reads that.
            return Ok(());
        }
        let market = self.market_mut(category, symbol)?;
        market.order_mut(number).change(now, |state| {
            state.quantity = quantity;
            state.price = price;
        });
        if is_same_price && quantity <= before {
            market.book.reduce(number, before.sub(quantity)?)?;
            let order = self.market(category, symbol)?.order(number);
            let held = self.hold_of(category, symbol, &draft_of(order), order.remaining())?;
            return self.hold(category, symbol, number, held);
        }
        market.book.remove(number);
        self.hold(category, symbol, number, Quantity::ZERO)?;
        self.run(category, symbol, number)
    }

    /// Ends an order as filled with what it has traded.
    fn fill_as_amended(
        &mut self,
        category: Category,
        symbol: Symbol,
        number: u64,
    ) -> Result<(), Refusal> {
        let now = self.now;
        self.hold(category, symbol, number, Quantity::ZERO)?;
        let market = self.market_mut(category, symbol)?;
        market.book.remove(number);
        market.open.remove(&number);
        market.order_mut(number).change(now, |state| {
            state.quantity = state.executed;
            state.status = Status::Filled;
        });
        Ok(())
    }

    /// Ends an open order: out of the book, and what it holds back is free again.
    pub(in crate::server) fn end(
        &mut self,
        category: Category,
        symbol: Symbol,
        number: u64,
        ending: Ending,
    ) -> Result<(), Refusal> {
        let now = self.now;
        self.hold(category, symbol, number, Quantity::ZERO)?;
        let market = self.market_mut(category, symbol)?;
        market.book.remove(number);
        market.open.remove(&number);
        let order = market.order_mut(number);
        let status = match ending {
            Ending::Refused => Status::Rejected,
            _ => Status::Cancelled,
        };
        order.change(now, |state| {
            state.status = status;
            state.ending = Some(ending);
        });
        Ok(())
    }

    /// How much of its position an order may close.
    fn closable(&self, symbol: Symbol, draft: &Draft) -> Result<Quantity, Refusal> {
        let account = self.account(draft.account);
        let held = account.position(symbol, draft.position_index).perp.quantity;
        let wanted = if draft.side == Side::Sell { 1 } else { -1 };
        Ok(if held.signum() == wanted {
            held.abs()?
        } else {
            Quantity::ZERO
        })
    }
}

/// The terms of an order that was taken.
pub(in crate::server) fn draft_of(order: &Order) -> Draft {
    Draft {
        account: order.account,
        client_id: order.client_id.clone(),
        side: order.side,
        is_market: order.is_market,
        in_quote: order.in_quote,
        time_in_force: order.time_in_force,
        position_index: order.position_index,
        reduce_only: order.reduce_only,
        self_trade: order.self_trade,
        price: order.state.price,
        quantity: order.state.quantity,
    }
}
