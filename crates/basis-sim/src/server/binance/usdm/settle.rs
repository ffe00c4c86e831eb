//! What a USD-M trade moves: positions, results, fees, margin.

use basis_core::num::{Fixed18, Price, Quantity, Rate, Rounding, Value};
use basis_core::types::{Asset, Side, Symbol};
use basis_protocols::exchange::fees::perp_fee;
use basis_protocols::exchange::margin::isolated_margin;
use basis_protocols::exchange::orders::signed;

use super::{DECIMALS, is_closing, streams};
use crate::server::binance::account::{Account, Income};
use crate::server::binance::error::ApiError;
use crate::server::binance::market::{Fill, Order};
use crate::server::binance::orders::Ending;
use crate::server::binance::settings::Product;
use crate::server::binance::{Audience, Exchange};
use crate::server::book::Match;

const BNB: Asset = Asset::literal("BNB");
/// What of a fee is charged when it is paid in BNB.
const BNB_SHARE: Rate = Rate::literal("0.9");

impl Exchange {
    /// Books a trade on both sides, the maker's first.
    pub(super) fn settle_usdm(
        &mut self,
        symbol: Symbol,
        taker: u64,
        m: &Match,
    ) -> Result<(), ApiError> {
        let market = self.market_mut(Product::UsdM, symbol)?;
        let trade = market.next_trade();
        market.last_price = Some(m.price);
        for (order, is_maker) in [(m.maker, true), (taker, false)] {
            let fill = self.book_fill(symbol, (order, is_maker), m, trade)?;
            self.report_fill(symbol, &fill)?;
            self.end_surplus_closers(symbol, &fill)?;
        }
        Ok(())
    }

    fn book_fill(
        &mut self,
        symbol: Symbol,
        (id, is_maker): (u64, bool),
        m: &Match,
        trade: u64,
    ) -> Result<Fill, ApiError> {
        let (now, bnb_price) = (self.now, self.settings.bnb_price);
        let market = self.market_mut(Product::UsdM, symbol)?;
        let asset = market.listing.rules.quote;
        let order = market.orders.get_mut(&id);
        let order = order.ok_or_else(ApiError::no_such_order)?;
        let value = m.quantity.notional(m.price, Rounding::HalfEven)?;
        hold_less(order, m.quantity)?;
        order.fill(now, m.quantity, value)?;
        let (account_id, side, position_side) = (order.account, order.side, order.position_side);
        let account = self.account_mut(account_id);
        let (fee_asset, fee) = commission(account, is_maker, asset, m, bnb_price)?;
        let realized = move_position(account, symbol, (side, position_side), m, now)?;
        account.move_margin(asset, Quantity::new(realized.get()))?;
        account.move_margin(fee_asset, fee.neg()?)?;
        self.take_fee(fee_asset, fee)?;
        let fill = Fill {
            trade,
            order: id,
            account: account_id,
            side,
            price: m.price,
            quantity: m.quantity,
            quote: value,
            commission: fee,
            commission_asset: fee_asset,
            is_maker,
            realized,
            position_side,
            time_ms: now,
        };
        let market = self.market_mut(Product::UsdM, symbol)?;
        market.fills.push(fill.clone());
        market.forget_if_done(id);
        self.record_income(symbol, &fill, asset)?;
        Ok(fill)
    }

    fn record_income(&mut self, symbol: Symbol, fill: &Fill, asset: Asset) -> Result<(), ApiError> {
        if self.account(fill.account).is_house {
            return Ok(());
        }
        let realized = Quantity::new(fill.realized.get());
        for (kind, amount, asset) in [
            ("REALIZED_PNL", realized, asset),
            ("COMMISSION", fill.commission.neg()?, fill.commission_asset),
        ] {
            if amount.is_zero() {
                continue;
            }
            let income = Income {
                kind,
                symbol: Some(symbol),
                amount,
                asset,
                id: self.next_id(),
                trade: Some(fill.trade),
                time_ms: fill.time_ms,
            };
            self.account_mut(fill.account).usdm.income.push(income);
        }
        Ok(())
    }

    /// Tells an account of a fill: in short first, then what it made of the account, then the order.
    fn report_fill(&mut self, symbol: Symbol, fill: &Fill) -> Result<(), ApiError> {
        let (now, account) = (self.now, fill.account);
        if self.account(account).is_house {
            return Ok(());
        }
        let market = self.market(Product::UsdM, symbol)?;
        let order = market.orders.get(&fill.order);
        let order = order.ok_or_else(ApiError::no_such_order)?;
        if self.listening.usdm_user {
            let lite = streams::trade_lite(symbol, order, fill, now);
            self.emit(Audience::UsdMUser(account), lite);
        }
        let asset = market_asset(self, symbol)?;
        let positions = [(symbol, fill.position_side)];
        let assets = [asset, fill.commission_asset];
        self.account_update(account, "ORDER", &assets, &positions, Quantity::ZERO)?;
        self.report_usdm(symbol, fill.order, "TRADE", Some(fill), "0")
    }

    /// Ends what can no longer close anything: the newest first, until the rest fits the position.
    fn end_surplus_closers(&mut self, symbol: Symbol, fill: &Fill) -> Result<(), ApiError> {
        let position = self
            .account(fill.account)
            .position(symbol, fill.position_side);
        let held = position.perp.quantity;
        let mut left = held.abs()?;
        let mut surplus = Vec::new();
        let market = self.market(Product::UsdM, symbol)?;
        for order in market.open_orders(fill.account) {
            let is_resting = market.book.contains(order.id);
            if !is_resting || !is_closing(order) || order.position_side != fill.position_side {
                continue;
            }
            let wanted = if order.side == Side::Sell { 1 } else { -1 };
            if held.signum() == wanted && order.remaining() <= left {
                left = left.sub(order.remaining())?;
            } else {
                surplus.push(order.id);
            }
        }
        for id in surplus {
            self.end_order(Product::UsdM, symbol, id, Ending::NothingToReduce)?;
        }
        Ok(())
    }

    /// What the end of an open order frees and says.
    pub(in crate::server::binance) fn end_usdm(
        &mut self,
        symbol: Symbol,
        id: u64,
        ending: Ending,
    ) -> Result<(), ApiError> {
        let market = self.market_mut(Product::UsdM, symbol)?;
        if let Some(order) = market.orders.get_mut(&id) {
            order.held = Quantity::ZERO;
        }
        let kind = match ending {
            Ending::Canceled => "CANCELED",
            _ => "EXPIRED",
        };
        self.report_usdm(symbol, id, kind, None, ending.usdm_reason())?;
        self.publish_book(Product::UsdM, symbol)
    }

    pub(super) fn report_usdm(
        &mut self,
        symbol: Symbol,
        id: u64,
        kind: &'static str,
        fill: Option<&Fill>,
        reason: &'static str,
    ) -> Result<(), ApiError> {
        let now = self.now;
        let market = self.market(Product::UsdM, symbol)?;
        let order = market.orders.get(&id);
        let order = order.ok_or_else(ApiError::no_such_order)?;
        let account = order.account;
        if self.account(account).is_house || !self.listening.usdm_user {
            return Ok(());
        }
        let frame = streams::order_update(symbol, order, kind, fill, reason, now)?;
        self.emit(Audience::UsdMUser(account), frame);
        Ok(())
    }
}

fn market_asset(exchange: &Exchange, symbol: Symbol) -> Result<Asset, ApiError> {
    Ok(exchange.market(Product::UsdM, symbol)?.listing.rules.quote)
}

/// Holds back for what is left after `quantity` more has traded, in proportion.
fn hold_less(order: &mut Order, quantity: Quantity) -> Result<(), ApiError> {
    let before = order.remaining();
    let after = before.sub(quantity)?;
    let held = order.held.get();
    let held = held.mul_div(after.get(), before.get(), Rounding::Ceil)?;
    let held = held.round_to_decimals(DECIMALS, Rounding::Ceil)?;
    order.held = Quantity::new(held);
    Ok(())
}

/// Moves a position by a trade and returns the result that it settles.
fn move_position(
    account: &mut Account,
    symbol: Symbol,
    (side, position_side): (Side, Option<basis_core::types::PositionSide>),
    m: &Match,
    now: i64,
) -> Result<Value, ApiError> {
    let config = account.config(symbol);
    let key = (symbol, position_side);
    let position = account.usdm.positions.entry(key).or_default();
    let before = position.perp.quantity;
    let change = position
        .perp
        .fill(signed(side, m.quantity)?, m.price, DECIMALS)?;
    if config.isolated {
        let after = change.after.quantity;
        let kept = (before, position.isolated_wallet);
        position.isolated_wallet =
            isolated_margin(kept, after, m.price, config.leverage, DECIMALS)?;
    }
    position.perp = change.after;
    position.updated_ms = now;
    Ok(change.realized)
}

/// The fee of a fill and its asset: BNB where the account pays so and has enough, else the margin asset.
fn commission(
    account: &Account,
    is_maker: bool,
    asset: Asset,
    m: &Match,
    bnb_price: Price,
) -> Result<(Asset, Quantity), ApiError> {
    if account.is_house {
        return Ok((asset, Quantity::ZERO));
    }
    let rates = account.settings.usdm_fees;
    let rate = if is_maker { rates.maker } else { rates.taker };
    if account.settings.usdm_bnb_burn && rate.is_positive() {
        let discounted = rate.mul(BNB_SHARE, Rounding::Ceil)?;
        let value = m.quantity.notional(m.price, Rounding::Ceil)?;
        let exact = value
            .at_rate(discounted, Rounding::Ceil)?
            .per(bnb_price, Rounding::Ceil)?;
        let fee = exact.get().round_to_decimals(DECIMALS, Rounding::Ceil)?;
        let fee = Quantity::new(fee);
        if account.margin_balance(BNB) >= fee {
            return Ok((BNB, fee));
        }
    }
    Ok((asset, perp_fee(m.quantity, m.price, rate, DECIMALS)?))
}

/// The average price of what traded, zero before a trade.
pub(super) fn average_price(order: &Order) -> Result<Fixed18, ApiError> {
    let state = &order.state;
    if state.executed.is_zero() {
        return Ok(Fixed18::ZERO);
    }
    Ok(state
        .quote
        .get()
        .div(state.executed.get(), Rounding::HalfEven)?)
}
