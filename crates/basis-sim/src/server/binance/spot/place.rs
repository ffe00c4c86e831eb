//! Placing a spot order: parameters, filters, funds, and what the book makes of it.

use basis_core::num::{Fixed18, Price, Quantity, Rounding, Value};
use basis_core::types::{Side, Symbol};
use basis_protocols::exchange::filters::Filter;
use serde_json::Value as Json;
use serde_json::json;

use super::replies;
use super::{DECIMALS, quote_of};
use crate::server::binance::error::ApiError;
use crate::server::binance::market::{Draft, Market, OrderKind, TimeInForce};
use crate::server::binance::market_data::average;
use crate::server::binance::orders::{Ending, filter_failure, price_band, self_trade};
use crate::server::binance::params::Params;
use crate::server::binance::routes::{Call, Family};
use crate::server::binance::settings::{Listing, Product};
use crate::server::binance::{Audience, Exchange};
use crate::server::book::Plan;

const INSUFFICIENT: &str = "Account has insufficient balance for requested action.";

/// `POST /api/v3/order`.
pub(in crate::server::binance) fn place(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Json, ApiError> {
    let (symbol, draft) = exchange.spot_draft(call)?;
    let form = replies::Form::read(call.params, draft.kind)?;
    exchange.place_spot(symbol, draft, form)
}

/// `POST /api/v3/order/test`: all checks, no order.
pub(in crate::server::binance) fn test(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Json, ApiError> {
    exchange.spot_draft(call)?;
    if call.params.flag("computeCommissionRates")? == Some(true) {
        return Ok(exchange.spot_rates(call.account, true));
    }
    Ok(json!({}))
}

impl Exchange {
    /// Places an order that passed the filters, and answers in `form`.
    pub(super) fn place_spot(
        &mut self,
        symbol: Symbol,
        draft: Draft,
        form: replies::Form,
    ) -> Result<Json, ApiError> {
        let account = draft.account;
        self.usage.order(self.now, Family::Spot, account)?;
        let market = self.market(Product::Spot, symbol)?;
        if market.is_client_id_taken(account, &draft.client_id) {
            return Err(ApiError::new(-2010, "Duplicate order sent."));
        }
        let mut plan = self.plan(Product::Spot, symbol, &draft)?;
        if draft.kind == OrderKind::LimitMaker && !plan.matches.is_empty() {
            let text = "Order would immediately match and take.";
            return Err(ApiError::new(-2010, text));
        }
        if draft.time_in_force == TimeInForce::Fok && plan.remaining.is_positive() {
            plan = Plan {
                remaining: draft.quantity,
                ..Plan::default()
            };
        }
        let (asset, needed) = self.needed(symbol, &draft, &plan)?;
        if self.account(account).free(asset) < needed {
            return Err(ApiError::new(-2010, INSUFFICIENT));
        }
        let first_fill = self.market(Product::Spot, symbol)?.fills.len();
        let id = self.execute_spot(symbol, draft, &plan)?;
        let market = self.market(Product::Spot, symbol)?;
        let order = market.orders.get(&id).ok_or_else(ApiError::unknown_order)?;
        let fills = market.fills.iter().skip(first_fill);
        let fills = fills.filter(|fill| fill.order == id);
        Ok(replies::placed(symbol, order, fills, form))
    }

    /// Opens an order, trades what the plan says, and rests or ends the rest; returns its number.
    pub(in crate::server::binance) fn execute_spot(
        &mut self,
        symbol: Symbol,
        draft: Draft,
        plan: &Plan,
    ) -> Result<u64, ApiError> {
        let (asset, needed) = self.needed(symbol, &draft, plan)?;
        let (account, kind, force) = (draft.account, draft.kind, draft.time_in_force);
        let now = self.now;
        let market = self.market_mut(Product::Spot, symbol)?;
        let id = market.accept(draft, now);
        if !self.account(account).is_house {
            self.account_mut(account).lock(asset, needed)?;
            let market = self.market_mut(Product::Spot, symbol)?;
            if let Some(order) = market.orders.get_mut(&id) {
                order.held = needed;
            }
        }
        self.report_spot(symbol, id, "NEW", None)?;
        for maker in &plan.expired_makers {
            self.end_order(Product::Spot, symbol, *maker, Ending::SelfTrade)?;
        }
        self.market_mut(Product::Spot, symbol)?.book.apply(plan)?;
        for m in &plan.matches {
            self.settle_spot(symbol, id, m)?;
        }
        if plan.taker_expired {
            self.end_order(Product::Spot, symbol, id, Ending::SelfTrade)?;
        } else if plan.remaining.is_positive() {
            match (kind, force) {
                (OrderKind::Market, _) => {
                    self.end_order(Product::Spot, symbol, id, Ending::MarketRemainder)?;
                }
                (_, TimeInForce::Ioc | TimeInForce::Fok) => {
                    self.end_order(Product::Spot, symbol, id, Ending::TimeInForce)?;
                }
                (_, TimeInForce::Gtc | TimeInForce::Gtx | TimeInForce::Gtd) => {
                    self.rest_order(Product::Spot, symbol, id)?;
                }
            }
        } else if kind == OrderKind::Market && plan.matches.is_empty() {
            // Counted in quote, and the book is empty.
            self.end_order(Product::Spot, symbol, id, Ending::MarketRemainder)?;
        }
        self.account_changed(account, symbol)?;
        self.publish_book(Product::Spot, symbol)?;
        Ok(id)
    }

    /// What an order needs at once: base of a sale; quote of a buy, at its limit, or at what it trades at.
    fn needed(
        &self,
        symbol: Symbol,
        draft: &Draft,
        plan: &Plan,
    ) -> Result<(basis_core::types::Asset, Quantity), ApiError> {
        let rules = &self.market(Product::Spot, symbol)?.listing.rules;
        if draft.side == Side::Sell {
            return Ok((rules.base, draft.quantity));
        }
        let value = if draft.kind == OrderKind::Market {
            let mut matches = plan.matches.iter();
            matches.try_fold(Value::ZERO, |sum, m| {
                sum.add(quote_of(m.quantity, m.price)?)
            })?
        } else {
            draft.quantity.notional(draft.price, Rounding::Ceil)?
        };
        let value = value.get().round_to_decimals(DECIMALS, Rounding::Ceil)?;
        Ok((rules.quote, Quantity::new(value)))
    }

    /// Reads an order and checks it against the filters.
    pub(super) fn spot_draft(&mut self, call: &Call<'_>) -> Result<(Symbol, Draft), ApiError> {
        let params = call.params;
        let symbol = self
            .named_market(Product::Spot, params)?
            .listing
            .rules
            .key
            .symbol;
        let side = params.side()?;
        let kind = match params.required("type")? {
            "LIMIT" => OrderKind::Limit,
            "LIMIT_MAKER" => OrderKind::LimitMaker,
            "MARKET" => OrderKind::Market,
            "STOP_LOSS" | "STOP_LOSS_LIMIT" | "TAKE_PROFIT" | "TAKE_PROFIT_LIMIT" => {
                return Err(ApiError::new(-1020, "This operation is not supported."));
            }
            _ => return Err(ApiError::new(-1116, "Invalid orderType.")),
        };
        let (time_in_force, price, quantity, quote) = read_terms(params, kind)?;
        let is_legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let client_id = self.client_id(params, "newClientOrderId", is_legal, || {
            ApiError::illegal("newClientOrderId", "^[a-zA-Z0-9-_]{1,36}$")
        })?;
        let mut draft = Draft {
            account: call.account,
            client_id,
            side,
            kind,
            time_in_force,
            price,
            quantity: quantity.unwrap_or_default(),
            quote_quantity: quote.unwrap_or_default(),
            position_side: None,
            reduce_only: false,
            good_till_ms: 0,
            self_trade: self_trade(params)?,
        };
        let market = self.market(Product::Spot, symbol)?;
        if !market.is_trading {
            return Err(ApiError::new(-2010, "Market is closed."));
        }
        if let (None, Some(quote)) = (quantity, quote) {
            let floor = market.listing.rules.min_notional;
            if quote < floor {
                return Err(filter("NOTIONAL"));
            }
            draft.quantity = quantity_for(market, side, quote)?;
        } else {
            check_filters(market, self.now, &draft)?;
        }
        let open = market.open_orders(call.account).count();
        if open >= market.listing.orders_max {
            return Err(filter("MAX_NUM_ORDERS"));
        }
        Ok((symbol, draft))
    }
}

type Terms = (TimeInForce, Price, Option<Quantity>, Option<Value>);

fn read_terms(params: &Params, kind: OrderKind) -> Result<Terms, ApiError> {
    let quantity = params.quantity("quantity")?;
    let quote = params.decimal("quoteOrderQty")?.map(Value::new);
    for (name, number) in [
        ("quantity", quantity.map(Quantity::get)),
        ("price", params.decimal("price")?),
        ("quoteOrderQty", quote.map(Value::get)),
    ] {
        let step = Fixed18::literal("0.00000001");
        if number.is_some_and(|number| !number.is_multiple_of(step)) {
            let text = format!("Parameter '{name}' has too much precision.");
            return Err(ApiError::new(-1111, text));
        }
    }
    if kind == OrderKind::Market {
        for name in ["price", "timeInForce"] {
            if params.has(name) {
                return Err(ApiError::not_required(name));
            }
        }
        return match (quantity, quote) {
            (None, None) => Err(ApiError::missing("quantity")),
            (Some(_), Some(_)) => {
                let text = "Combination of optional parameters invalid.";
                Err(ApiError::new(-1128, text))
            }
            _ => Ok((TimeInForce::Gtc, Price::ZERO, quantity, quote)),
        };
    }
    if quote.is_some() {
        return Err(ApiError::not_required("quoteOrderQty"));
    }
    let force = match (kind, params.get("timeInForce")) {
        (OrderKind::LimitMaker, None) => TimeInForce::Gtc,
        (OrderKind::LimitMaker, Some(_)) => return Err(ApiError::not_required("timeInForce")),
        (_, None) => return Err(ApiError::missing("timeInForce")),
        (_, Some("GTC")) => TimeInForce::Gtc,
        (_, Some("IOC")) => TimeInForce::Ioc,
        (_, Some("FOK")) => TimeInForce::Fok,
        (_, Some(_)) => return Err(ApiError::new(-1115, "Invalid timeInForce.")),
    };
    let quantity = quantity.ok_or_else(|| ApiError::missing("quantity"))?;
    let price = params.price("price")?;
    let price = price.ok_or_else(|| ApiError::missing("price"))?;
    Ok((force, price, Some(quantity), None))
}

fn filter(name: &str) -> ApiError {
    ApiError::new(-1013, format!("Filter failure: {name}"))
}

fn check_filters(market: &Market, now: i64, draft: &Draft) -> Result<(), ApiError> {
    let Draft {
        kind,
        side,
        quantity,
        price,
        ..
    } = *draft;
    let listing = &market.listing;
    if kind != OrderKind::Market {
        check_price(listing, price)?;
    }
    let rules = &listing.rules;
    match filter_failure(listing, kind, quantity, price) {
        None => {}
        Some(Filter::NoQuantity) => return Err(ApiError::new(-1013, "Invalid quantity.")),
        Some(Filter::TickSize) => return Err(filter("PRICE_FILTER")),
        Some(Filter::QuantityMax)
            if kind == OrderKind::Market && quantity <= rules.max_quantity =>
        {
            return Err(filter("MARKET_LOT_SIZE"));
        }
        Some(Filter::LotSize | Filter::QuantityMin | Filter::QuantityMax) => {
            return Err(filter("LOT_SIZE"));
        }
        Some(Filter::NotionalMin) => return Err(filter("NOTIONAL")),
    }
    let reference = average(market, now).or(market.last_price);
    if kind == OrderKind::Market {
        // Without a trade there is nothing to value a market order at.
        let value = reference.map(|price| quantity.notional(price, Rounding::Floor));
        if value
            .transpose()?
            .is_some_and(|value| value < rules.min_notional)
        {
            return Err(filter("NOTIONAL"));
        }
        return Ok(());
    }
    if let Some(reference) = reference {
        let (low, high) = price_band(listing, side, reference)?;
        if price.get() < low || price.get() > high {
            return Err(filter("PERCENT_PRICE_BY_SIDE"));
        }
    }
    let value = quantity.notional(price, Rounding::Floor)?;
    if value < rules.min_notional || value > listing.notional_max {
        return Err(filter("NOTIONAL"));
    }
    Ok(())
}

fn check_price(listing: &Listing, price: Price) -> Result<(), ApiError> {
    if !price.is_positive() {
        return Err(ApiError::new(-1013, "Invalid price."));
    }
    if price < listing.price_min || price > listing.price_max {
        return Err(filter("PRICE_FILTER"));
    }
    Ok(())
}

/// The base units, in whole lots, that an amount of quote buys or that bring it, at the book as it is.
fn quantity_for(market: &Market, side: Side, quote: Value) -> Result<Quantity, ApiError> {
    let lot = market.listing.rules.lot_size;
    let (mut left, mut quantity) = (quote, Quantity::ZERO);
    for (price, here) in market.book.levels(side.opposite()) {
        let wanted = left
            .per(price, Rounding::Floor)?
            .round_to_lot(lot, Rounding::Floor)?;
        let taken = wanted.min(here);
        quantity = quantity.add(taken)?;
        left = left.sub(quote_of(taken, price)?)?;
        if taken < here {
            break;
        }
    }
    Ok(quantity)
}

impl Exchange {
    /// Fee rates as `account/commission` and `order/test` show them.
    pub(super) fn spot_rates(&self, account: u32, of_order: bool) -> Json {
        let settings = &self.account(account).settings;
        let rates = settings.spot_fees;
        let names = if of_order {
            [
                "standardCommissionForOrder",
                "specialCommissionForOrder",
                "taxCommissionForOrder",
            ]
        } else {
            ["standardCommission", "specialCommission", "taxCommission"]
        };
        let pair = |maker: Fixed18, taker: Fixed18| {
            let (maker, taker) = (super::text(maker), super::text(taker));
            if of_order {
                json!({ "maker": maker, "taker": taker })
            } else {
                let none = super::text(Fixed18::ZERO);
                json!({ "maker": maker, "taker": taker, "buyer": none, "seller": none })
            }
        };
        let none = pair(Fixed18::ZERO, Fixed18::ZERO);
        let [standard, special, tax] = names;
        json!({
            standard: pair(rates.maker.get(), rates.taker.get()),
            special: none,
            tax: none,
            "discount": {
                "enabledForAccount": settings.spot_bnb_burn,
                "enabledForSymbol": true,
                "discountAsset": "BNB",
                "discount": super::text(super::settle::bnb_share()),
            },
        })
    }

    /// Tells an account that its balances in a symbol's assets may have changed.
    pub(super) fn account_changed(&mut self, account: u32, symbol: Symbol) -> Result<(), ApiError> {
        if self.account(account).is_house {
            return Ok(());
        }
        let now = self.now;
        let rules = &self.market(Product::Spot, symbol)?.listing.rules;
        let (base, quote) = (rules.base, rules.quote);
        self.account_mut(account).snapshot_spot(now);
        if !self.listening.spot_user {
            return Ok(());
        }
        let frame = super::streams::position(self.account(account), [base, quote], now);
        self.emit(Audience::SpotUser(account), frame);
        Ok(())
    }
}
