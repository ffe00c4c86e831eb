//! What an account can spend, and what its orders and positions bind of it.

use basis_core::num::{Fixed18, Price, Quantity, Rounding, Value};
use basis_core::types::{Asset, Side, Symbol};
use basis_protocols::exchange::PerpPosition;
use basis_protocols::exchange::margin::{
    initial_margin, isolated_margin_of_cost, maintenance_margin, order_margin, position_limit,
};
use basis_protocols::exchange::orders::{opening_part, signed};

use super::account::{Account, Holdings};
use super::error::Refusal;
use super::market::{Draft, closes};
use super::settings::Category;
use super::{DECIMALS, Exchange, Ways};

/// What a coin of the unified account has and binds.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::server) struct Margins {
    pub(in crate::server) wallet: Value,
    pub(in crate::server) locked: Value,
    /// Of cross positions.
    pub(in crate::server) unrealized: Value,
    pub(in crate::server) initial: Value,
    pub(in crate::server) maintenance: Value,
    /// What orders of perpetuals hold back.
    pub(in crate::server) orders: Value,
}

impl Margins {
    /// What new positions may bind.
    pub(in crate::server) fn available(&self) -> Result<Value, Refusal> {
        let cash = self.wallet.add(self.unrealized)?.sub(self.locked)?;
        Ok(cash.sub(self.initial)?.sub(self.orders)?)
    }

    /// What may be paid out: no result that is not realized.
    pub(in crate::server) fn payable(&self) -> Result<Value, Refusal> {
        let profit = self.unrealized.max(Value::ZERO);
        Ok(self.available()?.sub(profit)?)
    }
}

impl<W: Ways> Exchange<W> {
    /// What an account with `holdings` has and binds of a coin.
    pub(in crate::server) fn margins(
        &self,
        id: u32,
        asset: Asset,
        holdings: &Holdings,
    ) -> Result<Margins, Refusal> {
        let account = self.account(id);
        let coin = holdings.unified.get(&asset).copied().unwrap_or_default();
        let mut margins = Margins {
            wallet: Value::new(coin.wallet.get()),
            locked: Value::new(coin.locked.get()),
            ..Margins::default()
        };
        for ((symbol, _), position) in &holdings.positions {
            let rules = &self.market(Category::Linear, *symbol)?.rules;
            if rules.quote != asset || position.perp.quantity.is_zero() {
                continue;
            }
            let (unrealized, initial, maintenance) =
                self.position_margin(account, *symbol, &position.perp)?;
            if !account.is_isolated {
                margins.unrealized = margins.unrealized.add(unrealized)?;
            }
            margins.initial = margins.initial.add(initial)?;
            margins.maintenance = margins.maintenance.add(maintenance)?;
        }
        for ((category, _), market) in &self.markets {
            if *category == Category::Linear && market.rules.quote == asset {
                for order in market.open_orders(id) {
                    margins.orders = margins.orders.add(Value::new(order.held.get()))?;
                }
            }
        }
        Ok(margins)
    }

    /// What an account has and binds of a coin now.
    pub(in crate::server) fn margins_now(&self, id: u32, asset: Asset) -> Result<Margins, Refusal> {
        self.margins(id, asset, &self.account(id).holdings)
    }

    /// Unrealized result, initial and maintenance margin of a position at its mark.
    pub(in crate::server) fn position_margin(
        &self,
        account: &Account,
        symbol: Symbol,
        position: &PerpPosition,
    ) -> Result<(Value, Value, Value), Refusal> {
        let rules = &self.market(Category::Linear, symbol)?.rules;
        let (Some(mark), Some(perp)) = (self.mark(symbol), &rules.perp) else {
            return Ok((Value::ZERO, Value::ZERO, Value::ZERO));
        };
        let leverage = account.leverage(symbol);
        let initial = if account.is_isolated {
            let margin = isolated_margin_of_cost(position.cost, leverage, DECIMALS)?;
            Value::new(margin.get())
        } else {
            initial_margin(position.quantity, mark, leverage)?
        };
        let maintenance = maintenance_margin(perp, position.quantity, mark)?;
        Ok((position.unrealized(mark)?, initial, maintenance))
    }

    /// What an order holds back while `left` of it rests.
    pub(in crate::server) fn hold_of(
        &self,
        category: Category,
        symbol: Symbol,
        draft: &Draft,
        left: Quantity,
    ) -> Result<Quantity, Refusal> {
        if self.account(draft.account).is_house {
            return Ok(Quantity::ZERO);
        }
        match (category, draft.side) {
            (Category::Spot, Side::Sell) => Ok(left),
            (Category::Spot, Side::Buy) => value_of(left, draft.price),
            (Category::Linear, _) => self.order_margin(symbol, draft, left, draft.price),
        }
    }

    fn order_margin(
        &self,
        symbol: Symbol,
        draft: &Draft,
        left: Quantity,
        price: Price,
    ) -> Result<Quantity, Refusal> {
        let account = self.account(draft.account);
        let held = account.position(symbol, draft.position_index).perp.quantity;
        let opening = if draft.reduce_only || closes(draft.position_index, draft.side) {
            Quantity::ZERO
        } else {
            opening_part(held, signed(draft.side, left)?)?
        };
        if opening.is_zero() {
            return Ok(Quantity::ZERO);
        }
        let mark = self.mark(symbol).unwrap_or(price);
        // A sale below the mark binds what it would at the mark.
        let price = match draft.side {
            Side::Buy => price,
            Side::Sell => price.max(mark),
        };
        let leverage = account.leverage(symbol);
        let rate = account.terms.linear_fees.taker;
        Ok(order_margin(
            (opening, left),
            price,
            leverage,
            rate,
            DECIMALS,
        )?)
    }

    /// What an account can give to an order like this one: of what it would pay.
    pub(in crate::server) fn free_for(
        &self,
        category: Category,
        symbol: Symbol,
        draft: &Draft,
    ) -> Result<Quantity, Refusal> {
        let rules = &self.market(category, symbol)?.rules;
        let account = self.account(draft.account);
        let free = match (category, draft.side) {
            (Category::Spot, Side::Sell) => {
                let coin = account.coin(rules.base);
                return Ok(coin.wallet.sub(coin.locked)?);
            }
            (Category::Spot, Side::Buy) => {
                self.margins_now(draft.account, rules.quote)?.payable()?
            }
            (Category::Linear, _) => self.margins_now(draft.account, rules.quote)?.available()?,
        };
        Ok(Quantity::new(free.get()))
    }

    /// Checks that the account can bear the whole order: funds of spot; margin and size of a perpetual.
    pub(in crate::server) fn check_funds(
        &self,
        category: Category,
        symbol: Symbol,
        draft: &Draft,
    ) -> Result<(), Refusal> {
        if self.account(draft.account).is_house {
            return Ok(());
        }
        let price = self.worst_price(category, symbol, draft)?;
        let needed = match (category, draft.side) {
            (Category::Spot, Side::Buy) if draft.in_quote => draft.quantity,
            (Category::Spot, Side::Sell) if draft.in_quote => {
                let value = Value::new(draft.quantity.get());
                if price.is_zero() {
                    Quantity::ZERO
                } else {
                    value.per(price, Rounding::Ceil)?
                }
            }
            (Category::Spot, Side::Buy) => value_of(draft.quantity, price)?,
            (Category::Spot, Side::Sell) => draft.quantity,
            (Category::Linear, _) => {
                self.check_size(symbol, draft, price)?;
                self.order_margin(symbol, draft, draft.quantity, price)?
            }
        };
        if needed.is_positive() && self.free_for(category, symbol, draft)? < needed {
            return Err(Refusal::Funds(category));
        }
        Ok(())
    }

    /// The limit; of a market order the worst price that it would trade at now.
    pub(in crate::server) fn worst_price(
        &self,
        category: Category,
        symbol: Symbol,
        draft: &Draft,
    ) -> Result<Price, Refusal> {
        if !draft.is_market {
            return Ok(draft.price);
        }
        let market = self.market(category, symbol)?;
        let mut left = draft.quantity;
        let mut worst = market.last_price.or(self.mark(symbol)).unwrap_or_default();
        for (price, there) in market.book.levels(draft.side.opposite()) {
            worst = price;
            let there = if draft.in_quote {
                Quantity::new(there.notional(price, Rounding::Ceil)?.get())
            } else {
                there
            };
            if left <= there {
                break;
            }
            left = left.sub(there)?;
        }
        Ok(worst)
    }

    fn check_size(&self, symbol: Symbol, draft: &Draft, price: Price) -> Result<(), Refusal> {
        if draft.reduce_only || closes(draft.position_index, draft.side) {
            return Ok(());
        }
        let market = self.market(Category::Linear, symbol)?;
        let Some(perp) = &market.rules.perp else {
            return Err(Refusal::NotListed(Category::Linear));
        };
        let account = self.account(draft.account);
        let held = account.position(symbol, draft.position_index).perp.quantity;
        let after = held.add(signed(draft.side, draft.quantity)?)?;
        let mark = self.mark(symbol).unwrap_or(price);
        let leverage: Fixed18 = account.leverage(symbol);
        if after.abs()? > held.abs()? && position_limit(perp, after, mark, leverage)?.is_some() {
            return Err(Refusal::Size);
        }
        Ok(())
    }

    /// Sets what an order holds back.
    pub(in crate::server) fn hold(
        &mut self,
        category: Category,
        symbol: Symbol,
        number: u64,
        held: Quantity,
    ) -> Result<(), Refusal> {
        let now = self.now;
        let market = self.market_mut(category, symbol)?;
        let (base, quote) = (market.rules.base, market.rules.quote);
        let order = market.order_mut(number);
        let (account, side) = (order.account, order.side);
        let before = std::mem::replace(&mut order.held, held);
        let more = held.sub(before)?;
        if category == Category::Spot && !more.is_zero() {
            let asset = match side {
                Side::Buy => quote,
                Side::Sell => base,
            };
            let account = self.account_mut(account);
            account.lock(asset, more)?;
            account.snapshot(now);
        }
        Ok(())
    }
}

/// Quantity × price, rounded up to the digits of a balance.
fn value_of(quantity: Quantity, price: Price) -> Result<Quantity, Refusal> {
    let value = quantity.notional(price, Rounding::Ceil)?.get();
    Ok(Quantity::new(
        value.round_to_decimals(DECIMALS, Rounding::Ceil)?,
    ))
}
