//! Placing a USD-M order: parameters, filters, margin, and what the book makes of it.

use basis_core::num::{Fixed18, Price, Quantity, Rounding};
use basis_core::types::{PositionSide, Side, Symbol};
use basis_protocols::exchange::filters::{Filter, notional_failure};
use serde_json::{Value, json};

use super::{closes, decimals, replies};
use crate::server::binance::Exchange;
use crate::server::binance::error::ApiError;
use crate::server::binance::market::{Draft, Market, OrderKind, TimeInForce};
use crate::server::binance::orders::{Ending, filter_failure, price_band, self_trade};
use crate::server::binance::params::Params;
use crate::server::binance::routes::{Call, Family};
use crate::server::binance::settings::Product;
use crate::server::book::Plan;

/// How far ahead a date must be.
const GOOD_TILL_MS_MIN: i64 = 600_000;

/// `POST /fapi/v1/order`.
pub(in crate::server::binance) fn place(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let (symbol, draft) = exchange.usdm_draft(call.params, call.account)?;
    let form = replies::Form::read(call.params)?;
    exchange.place_usdm(symbol, draft, form)
}

/// `POST /fapi/v1/order/test`: all checks but funds, no order.
pub(in crate::server::binance) fn test(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let (symbol, draft) = exchange.usdm_draft(call.params, call.account)?;
    Ok(replies::tested(symbol, &draft, exchange.now))
}

/// `POST /fapi/v1/batchOrders`: each by itself.
pub(in crate::server::binance) fn place_many(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let invalid = || ApiError::illegal("batchOrders", "a JSON list of at most 5 orders");
    let list: Vec<Value> = serde_json::from_str(call.params.required("batchOrders")?)
        .ok()
        .filter(|list: &Vec<Value>| (1..=5).contains(&list.len()))
        .ok_or_else(invalid)?;
    let mut rows = Vec::new();
    for order in list {
        let pairs = order.as_object().ok_or_else(invalid)?.iter();
        let pairs = pairs.map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text)
        });
        let params = Params::from_pairs(pairs.collect());
        let one = Call {
            params: &params,
            ..*call
        };
        rows.push(place(exchange, &one).unwrap_or_else(|error| error.body()));
    }
    Ok(Value::Array(rows))
}

impl Exchange {
    fn place_usdm(
        &mut self,
        symbol: Symbol,
        draft: Draft,
        form: replies::Form,
    ) -> Result<Value, ApiError> {
        self.usage.order(self.now, Family::UsdM, draft.account)?;
        let market = self.market(Product::UsdM, symbol)?;
        if market.is_client_id_taken(draft.account, &draft.client_id) {
            return Err(ApiError::new(-4116, "ClientOrderId is duplicated."));
        }
        let plan = self.usdm_plan(symbol, &draft)?;
        let worst = plan.matches.last().map(|m| m.price);
        let price = match draft.kind {
            OrderKind::Market => worst.or(self.mark(symbol)).unwrap_or_default(),
            OrderKind::Limit | OrderKind::LimitMaker => draft.price,
        };
        let needed = self.order_margin(symbol, &draft, price)?;
        let asset = self.market(Product::UsdM, symbol)?.listing.rules.quote;
        let available = self.margins_now(draft.account, asset)?.available()?;
        if needed.get() > available.get() {
            return Err(ApiError::new(-2019, "Margin is insufficient."));
        }
        let id = self.execute_usdm(symbol, draft, &plan)?;
        let market = self.market(Product::UsdM, symbol)?;
        let order = market.orders.get(&id);
        let order = order.ok_or_else(ApiError::no_such_order)?;
        Ok(replies::placed(symbol, order, form))
    }

    /// What an order would do, where it may do it: post-only, FOK, and no more than closes.
    fn usdm_plan(&self, symbol: Symbol, draft: &Draft) -> Result<Plan, ApiError> {
        let mut bounded = draft.clone();
        if draft.reduce_only || closes(draft.position_side, draft.side) {
            bounded.quantity = draft.quantity.min(self.closable(symbol, draft)?);
        }
        let plan = self.plan(Product::UsdM, symbol, &bounded)?;
        if draft.time_in_force == TimeInForce::Gtx && !plan.matches.is_empty() {
            return Err(ApiError::new(
                -5022,
                "Due to the order could not be executed as maker, the Post Only order will be rejected. The order \
                 will not be recorded in the order history",
            ));
        }
        if draft.time_in_force == TimeInForce::Fok && plan.filled()? < draft.quantity {
            return Err(ApiError::new(
                -5021,
                "Due to the order could not be filled immediately, the FOK order has been rejected. The order will \
                 not be recorded in the order history",
            ));
        }
        Ok(Plan {
            remaining: draft.quantity.sub(plan.filled()?)?,
            ..plan
        })
    }

    /// How much of its position an order may close.
    ///
    /// # Errors
    /// -2022 when there is nothing to close, or less than a resting order asks for.
    fn closable(&self, symbol: Symbol, draft: &Draft) -> Result<Quantity, ApiError> {
        let rejected = || ApiError::new(-2022, "ReduceOnly Order is rejected.");
        let position = self
            .account(draft.account)
            .position(symbol, draft.position_side);
        let held = position.perp.quantity;
        let wanted = if draft.side == Side::Sell { 1 } else { -1 };
        if held.signum() != wanted {
            return Err(rejected());
        }
        let size = held.abs()?;
        let rests = draft.kind == OrderKind::Limit
            && !matches!(draft.time_in_force, TimeInForce::Ioc | TimeInForce::Fok);
        if rests || draft.position_side.is_some() {
            let market = self.market(Product::UsdM, symbol)?;
            let mut others = market.open_orders(draft.account).filter(|order| {
                super::is_closing(order)
                    && order.side == draft.side
                    && order.position_side == draft.position_side
            });
            let sum = others.try_fold(draft.quantity, |sum, order| sum.add(order.remaining()))?;
            if sum > size {
                return Err(rejected());
            }
        }
        Ok(size)
    }

    /// Opens an order, trades what the plan says, and rests or ends the rest; returns its number.
    pub(in crate::server::binance) fn execute_usdm(
        &mut self,
        symbol: Symbol,
        draft: Draft,
        plan: &Plan,
    ) -> Result<u64, ApiError> {
        let now = self.now;
        let held = if self.account(draft.account).is_house {
            Quantity::ZERO
        } else {
            let worst = plan.matches.last().map(|m| m.price);
            let price = match draft.kind {
                OrderKind::Market => worst.or(self.mark(symbol)).unwrap_or_default(),
                OrderKind::Limit | OrderKind::LimitMaker => draft.price,
            };
            self.order_margin(symbol, &draft, price)?
        };
        let date = draft.good_till_ms;
        let market = self.market_mut(Product::UsdM, symbol)?;
        let id = market.accept(draft, now);
        if let Some(order) = market.orders.get_mut(&id) {
            order.held = held;
        }
        if date > 0 {
            self.dated.insert((date, symbol, id));
        }
        self.report_usdm(symbol, id, "NEW", None, "0")?;
        self.run_plan(symbol, id, plan)?;
        Ok(id)
    }

    /// Trades what a plan says for an order that is open, and rests or ends the rest.
    pub(super) fn run_plan(
        &mut self,
        symbol: Symbol,
        id: u64,
        plan: &Plan,
    ) -> Result<(), ApiError> {
        for maker in &plan.expired_makers {
            self.end_order(Product::UsdM, symbol, *maker, Ending::SelfTrade)?;
        }
        self.market_mut(Product::UsdM, symbol)?.book.apply(plan)?;
        for m in &plan.matches {
            self.settle_usdm(symbol, id, m)?;
        }
        let market = self.market(Product::UsdM, symbol)?;
        let order = market.orders.get(&id);
        let order = order.ok_or_else(ApiError::no_such_order)?;
        let is_open = order.state.status.is_open();
        let (kind, force, closing) = (order.kind, order.time_in_force, super::is_closing(order));
        if is_open {
            let ending = match (kind, force) {
                _ if plan.taker_expired => Some(Ending::SelfTrade),
                (OrderKind::Market, _) if closing => Some(Ending::NothingToReduce),
                (OrderKind::Market, _) => Some(Ending::MarketRemainder),
                (_, TimeInForce::Ioc | TimeInForce::Fok) => Some(Ending::TimeInForce),
                (_, TimeInForce::Gtc | TimeInForce::Gtx | TimeInForce::Gtd) => None,
            };
            match ending {
                Some(ending) => self.end_order(Product::UsdM, symbol, id, ending)?,
                None => self.rest_order(Product::UsdM, symbol, id)?,
            }
        }
        self.publish_book(Product::UsdM, symbol)
    }

    /// Reads an order and checks it against the filters.
    pub(super) fn usdm_draft(
        &mut self,
        params: &Params,
        account: u32,
    ) -> Result<(Symbol, Draft), ApiError> {
        let symbol = self
            .named_market(Product::UsdM, params)?
            .listing
            .rules
            .key
            .symbol;
        let side = params.side()?;
        let kind = read_kind(params)?;
        let (time_in_force, price, good_till_ms) = self.read_terms(params, kind)?;
        let quantity = params.quantity("quantity")?;
        let quantity = quantity.ok_or_else(|| ApiError::missing("quantity"))?;
        let (position_side, reduce_only) = self.read_position_side(params, account)?;
        let is_legal = |b: u8| b.is_ascii_alphanumeric() || b".:/_-".contains(&b);
        let client_id = self.client_id(params, "newClientOrderId", is_legal, || {
            ApiError::new(
                -4015,
                "Client order id length should not be more than 36 chars",
            )
        })?;
        let draft = Draft {
            account,
            client_id,
            side,
            kind,
            time_in_force,
            price,
            quantity,
            quote_quantity: basis_core::num::Value::ZERO,
            position_side,
            reduce_only,
            good_till_ms,
            self_trade: self_trade(params)?,
        };
        let closing = reduce_only || closes(position_side, side);
        let market = self.market(Product::UsdM, symbol)?;
        if !market.is_trading {
            let text = "Invalid symbol status for opening position.";
            return Err(ApiError::new(-4140, text));
        }
        check_filters(market, self.mark(symbol), &draft, closing)?;
        if market.open_orders(account).count() >= market.listing.orders_max {
            return Err(ApiError::new(-2025, "Reach max open order limit."));
        }
        Ok((symbol, draft))
    }

    fn read_terms(
        &self,
        params: &Params,
        kind: OrderKind,
    ) -> Result<(TimeInForce, Price, i64), ApiError> {
        if kind == OrderKind::Market {
            for name in ["price", "timeInForce"] {
                if params.has(name) {
                    return Err(ApiError::not_required(name));
                }
            }
            return Ok((TimeInForce::Gtc, Price::ZERO, 0));
        }
        let force = match params.required("timeInForce")? {
            "GTC" => TimeInForce::Gtc,
            "IOC" => TimeInForce::Ioc,
            "FOK" => TimeInForce::Fok,
            "GTX" => TimeInForce::Gtx,
            "GTD" => TimeInForce::Gtd,
            _ => return Err(ApiError::new(-1115, "Invalid timeInForce.")),
        };
        let price = params.price("price")?;
        let price = price.ok_or_else(|| ApiError::missing("price"))?;
        let date = params
            .integer("goodTillDate")?
            .filter(|_| force == TimeInForce::Gtd);
        // Whole seconds count.
        let date = date.map(|ms| ms.div_euclid(1000).saturating_mul(1000));
        match (force, date) {
            (TimeInForce::Gtd, None) => Err(ApiError::missing("goodTillDate")),
            (_, Some(date)) if date < self.now.saturating_add(GOOD_TILL_MS_MIN) => {
                let text = "Data sent for parameter 'goodTillDate' is not valid.";
                Err(ApiError::new(-1130, text))
            }
            (_, date) => Ok((force, price, date.unwrap_or(0))),
        }
    }

    fn read_position_side(
        &self,
        params: &Params,
        account: u32,
    ) -> Result<(Option<PositionSide>, bool), ApiError> {
        let is_hedge = self.account(account).usdm.is_hedge;
        let mismatch = || {
            let text = "Order's position side does not match user's setting.";
            ApiError::new(-4061, text)
        };
        let side = match params.get("positionSide") {
            None | Some("BOTH") => None,
            Some("LONG") => Some(PositionSide::Long),
            Some("SHORT") => Some(PositionSide::Short),
            Some(_) => return Err(ApiError::new(-4060, "Invalid position side.")),
        };
        if side.is_some() != is_hedge {
            return Err(mismatch());
        }
        let reduce_only = params.flag("reduceOnly")?;
        if is_hedge && reduce_only.is_some() {
            return Err(ApiError::not_required("reduceonly"));
        }
        Ok((side, reduce_only == Some(true)))
    }
}

fn read_kind(params: &Params) -> Result<OrderKind, ApiError> {
    match params.required("type")? {
        "LIMIT" => Ok(OrderKind::Limit),
        "MARKET" => Ok(OrderKind::Market),
        "STOP" | "STOP_MARKET" | "TAKE_PROFIT" | "TAKE_PROFIT_MARKET" | "TRAILING_STOP_MARKET" => {
            let text = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.";
            Err(ApiError::new(-4120, text))
        }
        _ => Err(ApiError::new(-1116, "Invalid orderType.")),
    }
}

/// Digits after the point of prices: `pricePrecision`, which is not the tick.
pub(super) fn price_precision(market: &Market) -> u32 {
    decimals(market.listing.rules.tick_size.get()).max(2)
}

/// Digits after the point of quantities: `quantityPrecision`.
pub(super) fn quantity_precision(market: &Market) -> u32 {
    decimals(market.listing.rules.lot_size.get())
}

fn check_precision(number: Fixed18, decimals: u32) -> Result<(), ApiError> {
    if number.round_to_decimals(decimals, Rounding::Floor)? == number {
        return Ok(());
    }
    let text = "Precision is over the maximum defined for this asset.";
    Err(ApiError::new(-1111, text))
}

pub(super) fn check_filters(
    market: &Market,
    mark: Option<Price>,
    draft: &Draft,
    closing: bool,
) -> Result<(), ApiError> {
    let (listing, kind) = (&market.listing, draft.kind);
    let (price, quantity) = (draft.price, draft.quantity);
    check_precision(quantity.get(), quantity_precision(market))?;
    if kind == OrderKind::Limit {
        check_precision(price.get(), price_precision(market))?;
        if !price.is_positive() {
            return Err(ApiError::new(-4001, "Price less than 0."));
        }
        if price < listing.price_min {
            return Err(ApiError::new(-4013, "Price less than min price."));
        }
        if price > listing.price_max {
            return Err(ApiError::new(-4002, "Price greater than max price."));
        }
    }
    match filter_failure(listing, kind, quantity, price) {
        None => {}
        Some(Filter::NoQuantity) => {
            return Err(ApiError::new(-4003, "Quantity less than or equal to zero."));
        }
        Some(Filter::LotSize) => {
            return Err(ApiError::new(-4023, "Qty not increased by step size."));
        }
        Some(Filter::QuantityMin) => {
            return Err(ApiError::new(-4004, "Qty less than min qty."));
        }
        Some(Filter::QuantityMax) => {
            return Err(ApiError::new(-4005, "Quantity greater than max quantity."));
        }
        Some(Filter::TickSize | Filter::NotionalMin) => {
            return Err(ApiError::new(-4014, "Price not increased by tick size."));
        }
    }
    check_band(market, mark, draft)?;
    let reference = match kind {
        OrderKind::Market => mark,
        OrderKind::Limit | OrderKind::LimitMaker => Some(price),
    };
    let Some(reference) = reference.filter(|_| !closing) else {
        return Ok(());
    };
    if notional_failure(&listing.rules, quantity, reference)?.is_some() {
        let floor = listing.rules.min_notional;
        let text = format!(
            "Order's notional must be no smaller than {floor} (unless you choose reduce only)."
        );
        return Err(ApiError::new(-4164, text));
    }
    Ok(())
}

/// The band around the mark: a buy is not above it, a sale not below.
fn check_band(market: &Market, mark: Option<Price>, draft: &Draft) -> Result<(), ApiError> {
    let Some(mark) = mark else {
        return Ok(());
    };
    let (low, high) = price_band(&market.listing, draft.side, mark)?;
    if draft.kind == OrderKind::Market {
        let best = match draft.side {
            Side::Buy => market.book.best_ask(),
            Side::Sell => market.book.best_bid(),
        };
        let outside = best.is_some_and(|(best, _)| match draft.side {
            Side::Buy => best.get() > high,
            Side::Sell => best.get() < low,
        });
        if outside {
            let text = "The counterparty's best price does not meet the PERCENT_PRICE filter limit";
            return Err(ApiError::new(-4131, text));
        }
        return Ok(());
    }
    let price = draft.price.get();
    match draft.side {
        Side::Buy if price > high => Err(ApiError::new(
            -4016,
            format!("Limit price can't be higher than {high}."),
        )),
        Side::Sell if price < low => Err(ApiError::new(
            -4024,
            format!("Limit price can't be lower than {low}."),
        )),
        Side::Buy | Side::Sell => Ok(()),
    }
}

/// A reply that only says that something was done.
pub(super) fn done(msg: &str) -> Value {
    json!({ "code": 200, "msg": msg })
}
