//! What a trade moves: balances, positions, results, fees, rebates.

use basis_core::num::{Price, Quantity, Rate, Rounding, Value};
use basis_core::types::{Asset, Side, Symbol};
use basis_protocols::exchange::fees::fee_on;
use basis_protocols::exchange::orders::signed;

use super::account::{LogKind, LogRow};
use super::engine::{Ending, draft_of};
use super::error::Refusal;
use super::market::{Execution, Order, Status};
use super::settings::Category;
use super::{DECIMALS, Exchange, Ways};
use crate::server::book::Match;

/// One side of a trade.
#[derive(Clone, Debug)]
struct Party {
    order: u64,
    account: u32,
    side: Side,
    position_index: u8,
    is_maker: bool,
    id: String,
}

/// What a party pays, by the rate of its side.
#[derive(Clone, Copy, Debug)]
struct Fee {
    amount: Quantity,
    asset: Asset,
    rate: Rate,
}

impl<W: Ways> Exchange<W> {
    /// Books a trade on both sides, the maker's first.
    pub(in crate::server) fn settle(
        &mut self,
        category: Category,
        symbol: Symbol,
        taker: u64,
        m: &Match,
    ) -> Result<(), Refusal> {
        let market = self.market_mut(category, symbol)?;
        market.last_price = Some(m.price);
        market.trades += 1;
        for (order, is_maker) in [(m.maker, true), (taker, false)] {
            self.settle_party(category, symbol, (order, is_maker), m)?;
        }
        Ok(())
    }

    fn settle_party(
        &mut self,
        category: Category,
        symbol: Symbol,
        (number, is_maker): (u64, bool),
        m: &Match,
    ) -> Result<(), Refusal> {
        let now = self.now;
        let mark = self.mark(symbol).unwrap_or(m.price);
        let value = value_of(m.quantity, m.price)?;
        let order = self.market(category, symbol)?.order(number);
        let party = Party {
            order: number,
            account: order.account,
            side: order.side,
            position_index: order.position_index,
            is_maker,
            id: order.id.clone(),
        };
        let fee = self.fee_of(category, symbol, &party, (m.quantity, value))?;
        let market = self.market_mut(category, symbol)?;
        let order = market.order_mut(number);
        fill(order, now, (m.quantity, value), fee)?;
        let (leaves, is_open) = (order.remaining(), order.is_open());
        let trade = market.trades;
        if !is_open {
            market.open.remove(&number);
        }
        let (execution, id) = self.new_id(category);
        let realized = match category {
            Category::Spot => {
                self.move_coins(symbol, &party, m, (value, fee), &id)?;
                Value::ZERO
            }
            Category::Linear => self.move_position(symbol, &party, m, fee, &id)?,
        };
        let left = if is_open { leaves } else { Quantity::ZERO };
        if is_maker {
            let order = self.market(category, symbol)?.order(number);
            let held = self.hold_of(category, symbol, &draft_of(order), left)?;
            self.hold(category, symbol, number, held)?;
        }
        let row = Execution {
            number: execution,
            id,
            account: party.account,
            kind: "Trade",
            trade,
            order: Some(number),
            side: party.side,
            price: m.price,
            quantity: m.quantity,
            value,
            fee: fee.amount,
            fee_asset: fee.asset,
            rate: fee.rate.get(),
            is_maker,
            leaves,
            mark,
            realized,
            position_index: party.position_index,
            time_ms: now,
        };
        self.market_mut(category, symbol)?.executions.push(row);
        self.account_mut(party.account).snapshot(now);
        if category == Category::Linear {
            self.end_surplus_closers(symbol, &party)?;
        }
        Ok(())
    }

    /// The fee of a fill. Perpetuals pay in the settle coin; spot in what is received, but at some venues a
    /// rebate comes in the other coin.
    fn fee_of(
        &self,
        category: Category,
        symbol: Symbol,
        party: &Party,
        (quantity, value): (Quantity, Value),
    ) -> Result<Fee, Refusal> {
        let rules = &self.market(category, symbol)?.rules;
        let account = self.account(party.account);
        let rates = match category {
            Category::Spot => account.terms.spot_fees,
            Category::Linear => account.terms.linear_fees,
        };
        let rate = match party.is_maker {
            _ if account.is_house => Rate::ZERO,
            true => rates.maker,
            false => rates.taker,
        };
        let is_given = W::REBATES_IN_GIVEN && rate.is_negative();
        let receives_base = (party.side == Side::Buy) != is_given;
        let in_base =
            category == Category::Spot && receives_base && !W::pays_in_quote(self, party.account);
        let (turnover, asset) = if in_base {
            (quantity, rules.base)
        } else {
            (Quantity::new(value.get()), rules.quote)
        };
        Ok(Fee {
            amount: fee_on(turnover, rate, DECIMALS)?,
            asset,
            rate,
        })
    }

    fn take_fee(&mut self, fee: Fee) -> Result<(), Refusal> {
        let sum = self.fees.entry(fee.asset).or_default();
        *sum = sum.add(fee.amount)?;
        Ok(())
    }

    fn move_coins(
        &mut self,
        symbol: Symbol,
        party: &Party,
        m: &Match,
        (value, fee): (Value, Fee),
        execution: &str,
    ) -> Result<(), Refusal> {
        let rules = &self.market(Category::Spot, symbol)?.rules;
        let quote = Quantity::new(value.get());
        let base = signed(party.side, m.quantity)?;
        let moved = match party.side {
            Side::Buy => [(rules.base, base), (rules.quote, quote.neg()?)],
            Side::Sell => [(rules.base, base), (rules.quote, quote)],
        };
        self.take_fee(fee)?;
        for (asset, cash_flow) in moved {
            let charged = if asset == fee.asset {
                fee.amount
            } else {
                Quantity::ZERO
            };
            let account = self.account_mut(party.account);
            account.move_wallet(asset, cash_flow.sub(charged)?)?;
            let entry = (asset, cash_flow, charged);
            self.log_trade(
                (Category::Spot, symbol),
                party,
                m,
                entry,
                (fee.rate, execution),
            )?;
        }
        Ok(())
    }

    /// Moves a position by a trade and returns the result that it settles.
    fn move_position(
        &mut self,
        symbol: Symbol,
        party: &Party,
        m: &Match,
        fee: Fee,
        execution: &str,
    ) -> Result<Value, Refusal> {
        let now = self.now;
        let by = signed(party.side, m.quantity)?;
        let account = self.account_mut(party.account);
        let key = (symbol, party.position_index);
        let position = account.holdings.positions.entry(key).or_default();
        let change = position.perp.fill(by, m.price, DECIMALS)?;
        position.perp = change.after;
        position.updated_ms = now;
        let result = Quantity::new(change.realized.get());
        account.move_wallet(fee.asset, result.sub(fee.amount)?)?;
        self.take_fee(fee)?;
        let entry = (fee.asset, result, fee.amount);
        self.log_trade(
            (Category::Linear, symbol),
            party,
            m,
            entry,
            (fee.rate, execution),
        )?;
        Ok(change.realized)
    }

    fn log_trade(
        &mut self,
        of: (Category, Symbol),
        party: &Party,
        m: &Match,
        (coin, cash_flow, fee): (Asset, Quantity, Quantity),
        (rate, execution): (Rate, &str),
    ) -> Result<(), Refusal> {
        let (number, now) = (self.next_id(), self.now);
        let account = self.account_mut(party.account);
        if account.is_house {
            return Ok(());
        }
        let position = account.position(of.1, party.position_index);
        let row = LogRow {
            number,
            kind: LogKind::Trade,
            of: Some(of),
            side: Some(party.side),
            coin,
            change: cash_flow.sub(fee)?,
            cash_flow,
            funding: Quantity::ZERO,
            fee,
            rate: rate.get(),
            size: position.perp.quantity.abs()?,
            quantity: m.quantity,
            price: m.price.get(),
            ids: (party.id.clone(), execution.to_owned()),
            balance: account.coin(coin).wallet,
            time_ms: now,
        };
        account.log.push(row);
        Ok(())
    }

    /// Ends what can no longer close anything: the newest first, until the rest fits the position.
    fn end_surplus_closers(&mut self, symbol: Symbol, party: &Party) -> Result<(), Refusal> {
        let account = self.account(party.account);
        let held = account.position(symbol, party.position_index).perp.quantity;
        let mut left = held.abs()?;
        let mut surplus = Vec::new();
        let market = self.market(Category::Linear, symbol)?;
        for order in market.open_orders(party.account) {
            let is_resting = market.book.contains(order.number);
            let concerns = order.position_index == party.position_index && order.is_closing();
            if !is_resting || !concerns || order.number == party.order {
                continue;
            }
            let wanted = if order.side == Side::Sell { 1 } else { -1 };
            if held.signum() == wanted && order.remaining() <= left {
                left = left.sub(order.remaining())?;
            } else {
                surplus.push(order.number);
            }
        }
        for number in surplus {
            self.end(Category::Linear, symbol, number, Ending::NothingToReduce)?;
        }
        Ok(())
    }
}

/// Adds a fill to an order.
fn fill(
    order: &mut Order,
    now: i64,
    (quantity, value): (Quantity, Value),
    fee: Fee,
) -> Result<(), Refusal> {
    let executed = order.state.executed.add(quantity)?;
    let turnover = order.state.value.add(value)?;
    let paid = order.state.fees.get(&fee.asset).copied();
    let paid = paid.unwrap_or_default().add(fee.amount)?;
    let is_whole = !order.in_quote && executed == order.state.quantity;
    order.change(now, |state| {
        state.executed = executed;
        state.value = turnover;
        state.fees.insert(fee.asset, paid);
        state.status = if is_whole {
            Status::Filled
        } else {
            Status::PartiallyFilled
        };
    });
    Ok(())
}

/// Quantity × price to the digits of a balance, rounded alike for both sides.
fn value_of(quantity: Quantity, price: Price) -> Result<Value, Refusal> {
    let value = quantity.notional(price, Rounding::HalfEven)?.get();
    Ok(Value::new(
        value.round_to_decimals(DECIMALS, Rounding::HalfEven)?,
    ))
}
