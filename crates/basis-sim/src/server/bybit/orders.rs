//! Placing, amending and canceling as far as the gateway goes: what is wrong on its face is refused, the rest
//! is taken and passed on to the engine.

use basis_core::instruction::OrderType;
use basis_core::num::Price;
use basis_core::types::{Side, Symbol};
use basis_protocols::exchange::filters::{Filter, OrderTerms, check, notional_failure};
use serde_json::{Value, json};

use super::error::ApiError;
use super::params::Params;
use super::routes::Call;
use super::{Category, Ending, Exchange, Order, TimeInForce};
use crate::server::book::SelfTrade;
use crate::server::unified::{Draft, Market, Task};

/// How far a limit may be from the last price, in either direction, in hundredths of it.
const BAND_PERCENT: i64 = 50;

/// `POST /v5/order/create`.
pub(super) fn create(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Value, ApiError> {
    exchange.take_order(call.params, call.account)
}

/// `POST /v5/order/create-batch`: each by itself.
pub(super) fn create_batch(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Value, ApiError> {
    batch(exchange, call, |exchange, params, account| {
        let taken = exchange.take_order(params, account)?;
        Ok(merged(params, &taken, Some(exchange.now)))
    })
}

/// `POST /v5/order/amend`.
pub(super) fn amend(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (category, symbol) = exchange.named_market(call.params)?;
    let (quantity, price) = (call.params.quantity("qty")?, call.params.price("price")?);
    if quantity.is_none() && price.is_none() {
        return Err(ApiError::params("nothing to amend"));
    }
    let market = exchange.market(category, symbol)?;
    let order = named_order(market, call.params, call.account, category)?;
    if order.is_market {
        return Err(ApiError::order_gone(category));
    }
    let draft = Draft {
        account: order.account,
        client_id: String::new(),
        side: order.side,
        is_market: false,
        in_quote: false,
        time_in_force: order.time_in_force,
        position_index: order.position_index,
        reduce_only: order.reduce_only,
        self_trade: order.self_trade,
        price: price.unwrap_or(order.state.price),
        quantity: quantity.unwrap_or(order.state.quantity),
    };
    check_filters(market, category, &draft)?;
    if draft.quantity <= order.state.executed {
        return Err(ApiError::params("qty is not above what has traded"));
    }
    let (number, taken) = (order.number, ids(order));
    let terms = (draft.quantity, draft.price);
    exchange.check_amendment(category, symbol, number, terms)?;
    let task = Task::Amend {
        order: number,
        quantity: draft.quantity,
        price: draft.price,
    };
    exchange.pass_on(category, symbol, task)?;
    Ok(taken)
}

/// `POST /v5/order/cancel`.
pub(super) fn cancel(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Value, ApiError> {
    exchange.take_cancel(call.params, call.account)
}

/// `POST /v5/order/cancel-batch`: each by itself.
pub(super) fn cancel_batch(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Value, ApiError> {
    batch(exchange, call, |exchange, params, account| {
        let taken = exchange.take_cancel(params, account)?;
        Ok(merged(params, &taken, None))
    })
}

/// `POST /v5/order/cancel-all`.
pub(super) fn cancel_all(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Value, ApiError> {
    let category = call.params.category()?;
    let symbol = call.params.symbol(category)?;
    let has_coin = ["baseCoin", "settleCoin"].map(|name| call.params.text(name).is_some());
    if category == Category::Linear && symbol.is_none() && has_coin == [false, false] {
        return Err(ApiError::params("symbol, baseCoin or settleCoin"));
    }
    let mut list = Vec::new();
    for symbol in exchange.symbols(category, symbol)? {
        let market = exchange.market(category, symbol)?;
        let open = market.open_orders(call.account);
        let open: Vec<_> = open.map(|order| (order.number, ids(order))).collect();
        for (order, taken) in open {
            list.push(taken);
            exchange.pass_on(category, symbol, cancellation(order))?;
        }
    }
    Ok(json!({ "list": list, "success": "1" }))
}

/// Takes each request of a batch by itself, and says of each how it went.
fn batch(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
    take: impl Fn(&mut Exchange, &Params, u32) -> Result<Value, ApiError>,
) -> Result<Value, ApiError> {
    let most = match call.params.category()? {
        Category::Spot => 10,
        Category::Linear => 20,
    };
    let requests = call.params.requests()?;
    if requests.is_empty() || requests.len() > most {
        return Err(ApiError::params("request"));
    }
    let mut list = Vec::new();
    for params in requests {
        let (code, msg, row) = match take(exchange, &params, call.account) {
            Ok(row) => (0, "OK".to_owned(), row),
            Err(e) => {
                let text = |name| params.text(name).unwrap_or_default();
                let names = json!({ "orderId": "", "orderLinkId": text("orderLinkId") });
                (e.code, e.msg, merged(&params, &names, None))
            }
        };
        call.each.push(json!({ "code": code, "msg": msg }));
        list.push(row);
    }
    Ok(json!({ "list": list }))
}

/// A row of a batch's reply.
fn merged(params: &Params, ids: &Value, created_ms: Option<i64>) -> Value {
    let text = |name| params.text(name).unwrap_or_default();
    let mut row = json!({ "category": text("category"), "symbol": text("symbol") });
    if let (Some(row), Some(ids)) = (row.as_object_mut(), ids.as_object()) {
        row.extend(ids.clone());
        if let Some(ms) = created_ms {
            row.insert("createAt".to_owned(), json!(ms.to_string()));
        }
    }
    row
}

const fn cancellation(order: u64) -> Task {
    Task::Cancel {
        order,
        ending: Ending::ByUser,
    }
}

fn ids(order: &Order) -> Value {
    json!({ "orderId": order.id, "orderLinkId": order.client_id })
}

/// The open order that a request names.
fn named_order<'a>(
    market: &'a Market,
    params: &Params,
    account: u32,
    category: Category,
) -> Result<&'a Order, ApiError> {
    let (id, client_id) = (params.text("orderId"), params.text("orderLinkId"));
    if id.is_none() && client_id.is_none() {
        return Err(ApiError::params("orderId or orderLinkId"));
    }
    let order = market.find(account, id, client_id);
    let order = order.filter(|order| order.is_open());
    order.ok_or_else(|| ApiError::order_gone(category))
}

impl Exchange {
    /// The market that a request must name.
    pub(super) fn named_market(&self, params: &Params) -> Result<(Category, Symbol), ApiError> {
        let category = params.category()?;
        let symbol = params.symbol(category)?;
        let symbol = symbol.ok_or_else(|| ApiError::params("symbol"))?;
        self.market(category, symbol)?;
        Ok((category, symbol))
    }

    fn take_cancel(&mut self, params: &Params, account: u32) -> Result<Value, ApiError> {
        let (category, symbol) = self.named_market(params)?;
        let market = self.market(category, symbol)?;
        let order = named_order(market, params, account, category)?;
        let (number, taken) = (order.number, ids(order));
        self.pass_on(category, symbol, cancellation(number))?;
        Ok(taken)
    }

    fn take_order(&mut self, params: &Params, account: u32) -> Result<Value, ApiError> {
        let (category, symbol) = self.named_market(params)?;
        let draft = self.read_draft(params, account, (category, symbol))?;
        let market = self.market(category, symbol)?;
        if !market.is_trading {
            return Err(match category {
                Category::Spot => ApiError::new(170217, "Only limit-maker orders are allowed."),
                Category::Linear => ApiError::new(110066, "Currently, trading is not allowed."),
            });
        }
        check_filters(market, category, &draft)?;
        self.check_count(category, symbol, account)?;
        let link = (account, draft.client_id.clone());
        if !draft.client_id.is_empty() && self.own.links.contains(&link) {
            return Err(match category {
                Category::Spot => ApiError::new(170141, "Duplicate clientOrderId"),
                Category::Linear => ApiError::new(110072, "OrderLinkedID is duplicate"),
            });
        }
        self.check_funds(category, symbol, &draft)?;
        let ids = self.new_id(category);
        let taken = json!({ "orderId": ids.1, "orderLinkId": draft.client_id });
        if !draft.client_id.is_empty() {
            self.own.links.insert(link);
        }
        self.enter(category, symbol, ids, draft)?;
        Ok(taken)
    }

    fn check_count(
        &self,
        category: Category,
        symbol: Symbol,
        account: u32,
    ) -> Result<(), ApiError> {
        let limits = self.own.limits;
        let (named, most, code) = match category {
            Category::Spot => (None, limits.spot_orders_max, 170_810),
            Category::Linear => (Some(symbol), limits.linear_orders_max, 110_020),
        };
        let mut count = 0;
        for symbol in self.symbols(category, named)? {
            count += self.market(category, symbol)?.open_orders(account).count();
        }
        if count >= most {
            let text = format!("The number of active orders cannot exceed {most}.");
            return Err(ApiError::new(code, text));
        }
        Ok(())
    }

    fn read_draft(
        &self,
        params: &Params,
        account: u32,
        (category, symbol): (Category, Symbol),
    ) -> Result<Draft, ApiError> {
        for name in ["triggerPrice", "takeProfit", "stopLoss"] {
            if params.text(name).is_some_and(|text| text != "0") {
                return Err(ApiError::params(format!("{name}: not here")));
            }
        }
        if !matches!(params.text("orderFilter"), None | Some("Order")) {
            return Err(ApiError::params("orderFilter: not here"));
        }
        let side = params.side()?;
        let is_market = match params.required("orderType")? {
            "Market" => true,
            "Limit" => false,
            _ => return Err(ApiError::params("orderType")),
        };
        let price = if is_market {
            Price::ZERO
        } else {
            let price = params.price("price")?;
            price.ok_or_else(|| ApiError::params("price"))?
        };
        let reduce_only = category == Category::Linear && params.flag("reduceOnly")?;
        let position_index = self.read_index(params, account, (category, symbol))?;
        let quantity = params.quantity("qty")?;
        let quantity = quantity.ok_or_else(|| ApiError::params("qty"))?;
        let closes_all = quantity.is_zero() && reduce_only && params.flag("closeOnTrigger")?;
        let position = self.account(account).position(symbol, position_index);
        let held = position.perp.quantity;
        let wanted = if side == Side::Sell { 1 } else { -1 };
        if reduce_only && held.signum() != wanted {
            let text = "current position is zero, cannot fix reduce-only order qty";
            return Err(ApiError::new(110_017, text));
        }
        Ok(Draft {
            account,
            client_id: read_link(params)?,
            side,
            is_market,
            in_quote: is_market && category == Category::Spot && counts_quote(params, side)?,
            time_in_force: read_time_in_force(params, is_market)?,
            position_index,
            reduce_only,
            self_trade: read_self_trade(params)?,
            price,
            quantity: if closes_all { held.abs()? } else { quantity },
        })
    }

    fn read_index(
        &self,
        params: &Params,
        account: u32,
        (category, symbol): (Category, Symbol),
    ) -> Result<u8, ApiError> {
        let index = params.integer("positionIdx")?.unwrap_or(0);
        if category == Category::Spot {
            return Ok(0);
        }
        let is_hedge = self.account(account).hedged.contains(&symbol);
        match (index, is_hedge) {
            (0, false) => Ok(0),
            (1, true) => Ok(1),
            (2, true) => Ok(2),
            _ => Err(ApiError::params("position idx not match position mode")),
        }
    }
}

/// The client's id: letters, digits, hyphen and underscore; at most 36.
fn read_link(params: &Params) -> Result<String, ApiError> {
    let id = params.text("orderLinkId").unwrap_or_default();
    let is_legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if id.len() > 36 || !id.bytes().all(is_legal) {
        return Err(ApiError::params("orderLinkId"));
    }
    Ok(id.to_owned())
}

/// Whether a spot market order counts quote units: buys do unless told not to.
fn counts_quote(params: &Params, side: Side) -> Result<bool, ApiError> {
    match params.text("marketUnit") {
        None => Ok(side == Side::Buy),
        Some("quoteCoin") => Ok(true),
        Some("baseCoin") => Ok(false),
        Some(_) => Err(ApiError::params("marketUnit")),
    }
}

fn read_time_in_force(params: &Params, is_market: bool) -> Result<TimeInForce, ApiError> {
    if is_market {
        return Ok(TimeInForce::Ioc);
    }
    match params.text("timeInForce") {
        None | Some("GTC") => Ok(TimeInForce::Gtc),
        Some("IOC") => Ok(TimeInForce::Ioc),
        Some("FOK") => Ok(TimeInForce::Fok),
        Some("PostOnly") => Ok(TimeInForce::PostOnly),
        Some(_) => Err(ApiError::params("timeInForce")),
    }
}

fn read_self_trade(params: &Params) -> Result<SelfTrade, ApiError> {
    match params.text("smpType") {
        None | Some("None") => Ok(SelfTrade::Allow),
        Some("CancelMaker") => Ok(SelfTrade::ExpireMaker),
        Some("CancelTaker") => Ok(SelfTrade::ExpireTaker),
        Some("CancelBoth") => Ok(SelfTrade::ExpireBoth),
        Some(_) => Err(ApiError::params("smpType")),
    }
}

/// Steps, bounds, the price band and the minimum value, each with its code of the category.
fn check_filters(market: &Market, category: Category, draft: &Draft) -> Result<(), ApiError> {
    let rules = &market.rules;
    let reference = market
        .last_price
        .or(Some(market.mark).filter(|mark| mark.is_positive()));
    if draft.in_quote {
        return check_value(category, draft.quantity.get() < rules.min_notional.get());
    }
    let terms = OrderTerms {
        quantity: draft.quantity,
        order_type: if draft.is_market {
            OrderType::Market
        } else {
            OrderType::Limit
        },
        limit_price: Some(draft.price),
    };
    match (category, check(rules, &terms).err().map(|e| e.filter)) {
        // The smallest quantity of spot is not checked any more.
        (_, None) | (Category::Spot, Some(Filter::QuantityMin)) => {}
        (Category::Spot, Some(filter)) => return Err(spot_filter(filter)),
        (Category::Linear, Some(Filter::TickSize)) => {
            return Err(ApiError::params("Price invalid"));
        }
        (Category::Linear, Some(_)) => return Err(ApiError::params("Qty invalid")),
    }
    if let Some(reference) = reference.filter(|_| !draft.is_market) {
        check_band(category, draft, reference)?;
    }
    let price = Some(draft.price).filter(|_| !draft.is_market).or(reference);
    let Some(price) = price else {
        return Ok(());
    };
    // Orders that reduce have to reach it too.
    check_value(
        category,
        notional_failure(rules, draft.quantity, price)?.is_some(),
    )
}

fn check_value(category: Category, is_below: bool) -> Result<(), ApiError> {
    match category {
        _ if !is_below => Ok(()),
        Category::Spot => {
            let text = "Order value exceeded lower limit.";
            Err(ApiError::new(170_140, text))
        }
        Category::Linear => {
            let text = "Order does not meet minimum order value";
            Err(ApiError::new(110_094, text))
        }
    }
}

fn spot_filter(filter: Filter) -> ApiError {
    match filter {
        Filter::TickSize => ApiError::new(170_134, "Order price has too many decimals."),
        Filter::QuantityMax => ApiError::new(170_124, "Order amount too large."),
        Filter::NoQuantity => ApiError::new(170_136, "Order quantity lower than the minimum."),
        Filter::LotSize | Filter::QuantityMin | Filter::NotionalMin => {
            ApiError::new(170_137, "Order quantity has too many decimals.")
        }
    }
}

/// A buy is not far above what was last traded at, a sale not far below.
fn check_band(category: Category, draft: &Draft, reference: Price) -> Result<(), ApiError> {
    let hundredths = reference.get().mul_int(100 + BAND_PERCENT)?;
    let is_high = draft.side == Side::Buy && draft.price.get().mul_int(100)? > hundredths;
    let hundredths = reference.get().mul_int(100 - BAND_PERCENT)?;
    let is_low = draft.side == Side::Sell && draft.price.get().mul_int(100)? < hundredths;
    match category {
        _ if !is_high && !is_low => Ok(()),
        Category::Spot if is_high => Err(ApiError::new(170_132, "Order price is too high.")),
        Category::Spot => Err(ApiError::new(170_133, "Order price is too low.")),
        Category::Linear => {
            let text = "Order price exceeds the allowable range.";
            Err(ApiError::new(110_003, text))
        }
    }
}
