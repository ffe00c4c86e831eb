//! What an account can read of its orders and fills.

use basis_core::num::{Fixed18, Quantity};
use basis_core::types::{Asset, Side, Symbol};
use serde_json::{Value, json};

use super::error::ApiError;
use super::params::{Page, Params};
use super::routes::Call;
use super::words::{cancel_source, cost, position_word, product_word, side_word, state_word};
use super::{Category, Exchange, Execution, Order, OrderState, sized};
use crate::server::unified::{Market, average, joined};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// How long an order that ended without a fill is known.
const UNFILLED_KEPT_MS: i64 = 2 * HOUR_MS;
/// How long the recent lists reach back, and the archives.
const HISTORY_MS: i64 = 7 * DAY_MS;
const FILLS_MS: i64 = 3 * DAY_MS;
const ARCHIVE_MS: i64 = 90 * DAY_MS;
/// Rows of a page.
const ROWS_MAX: usize = 100;

/// Whether the venue still knows an order that ended so.
fn is_known(state: &OrderState, now: i64, kept_ms: i64) -> bool {
    let kept_ms = if state.executed.is_zero() {
        UNFILLED_KEPT_MS
    } else {
        kept_ms
    };
    state.status.is_open() || now.saturating_sub(state.updated_ms) <= kept_ms
}

/// `GET /api/v5/trade/order`: the latest one with the client's id.
pub(super) fn order(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Vec<Value>, ApiError> {
    let params = call.params();
    let (category, symbol) = exchange.named(params.required("instId")?)?;
    let (id, client_id) = (params.text("ordId"), params.text("clOrdId"));
    if id.is_none() && client_id.is_none() {
        let text = "Either parameter ordId or clOrdId is required";
        return Err(ApiError::new(50_015, text));
    }
    let market = exchange.market(category, symbol)?;
    let (now, at) = (exchange.now, exchange.read_ms());
    let mut newest_first = market.orders.values().rev();
    let found = newest_first.find_map(|order| {
        let is_named = order.account == call.account
            && match (id, client_id) {
                (Some(id), _) => order.id == id,
                (None, Some(client_id)) => order.client_id == client_id,
                (None, None) => false,
            };
        let state = order.as_of(at).filter(|_| is_named)?;
        Some((order, state))
    });
    let found = found.filter(|(_, state)| is_known(state, now, ARCHIVE_MS));
    let (order, state) = found.ok_or_else(ApiError::order_unknown)?;
    Ok(vec![exchange.order_row(category, market, order, state)?])
}

/// `GET /api/v5/trade/orders-pending`.
pub(super) fn pending(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Value>, ApiError> {
    exchange.order_rows(call, |state| state.status.is_open())
}

/// `GET /api/v5/trade/orders-history`: orders that ended, of seven days.
pub(super) fn history(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Value>, ApiError> {
    call.params().required_product()?;
    let now = exchange.now;
    exchange.order_rows(call, |state| {
        !state.status.is_open() && is_known(state, now, HISTORY_MS)
    })
}

/// `GET /api/v5/trade/orders-history-archive`: the same of three months.
pub(super) fn archive(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Value>, ApiError> {
    call.params().required_product()?;
    let now = exchange.now;
    exchange.order_rows(call, |state| {
        !state.status.is_open() && is_known(state, now, ARCHIVE_MS)
    })
}

impl Exchange {
    /// The instruments that a list is asked for: one, a product's, or all.
    fn wanted(&self, params: &Params) -> Result<Vec<(Category, Symbol)>, ApiError> {
        let product = params.product()?;
        if let Some(name) = params.text("instId") {
            let key = self.named(name)?;
            if product.is_some_and(|product| product != key.0) {
                let text = "Instrument ID does not match instrument type.";
                return Err(ApiError::new(51_015, text));
            }
            return Ok(vec![key]);
        }
        let keys = self.markets.keys().copied();
        let of_product = keys.filter(|(of, _)| product.is_none_or(|product| product == *of));
        Ok(of_product.collect())
    }

    fn order_rows(
        &self,
        call: &Call<'_>,
        is_listed: impl Fn(&OrderState) -> bool,
    ) -> Result<Vec<Value>, ApiError> {
        let params = call.params();
        let page = Page::read(params, ROWS_MAX)?;
        let (word, kind) = (params.text("state"), params.text("ordType"));
        let mut rows = Vec::new();
        for (category, symbol) in self.wanted(params)? {
            let market = self.market(category, symbol)?;
            for order in market.orders.values() {
                let Some(state) = order.as_of(self.read_ms()) else {
                    continue;
                };
                let terms = self.own.terms.get(&order.number);
                let is_wanted = order.account == call.account
                    && is_listed(state)
                    && word.is_none_or(|word| word == state_word(state.status))
                    && kind.is_none_or(|kind| terms.is_some_and(|terms| terms.kind == kind));
                if is_wanted {
                    let row = self.order_row(category, market, order, state)?;
                    rows.push((order.number, order.created_ms, row));
                }
            }
        }
        Ok(page.cut(rows))
    }

    fn order_row(
        &self,
        category: Category,
        market: &Market,
        order: &Order,
        state: &OrderState,
    ) -> Result<Value, ApiError> {
        let rules = &market.rules;
        let terms = self.own.terms.get(&order.number);
        let terms = terms.expect("invariant: every order of a client has its terms");
        let last = market
            .executions
            .iter()
            .rev()
            .find(|row| row.order == Some(order.number) && row.time_ms <= state.updated_ms);
        let last = last.filter(|_| state.executed.is_positive());
        let price = |number: Fixed18| number.to_string();
        let (source, reason) = cancel_source(state.ending);
        let ((fee, fee_coin), (rebate, rebate_coin)) = split_fees(state);
        let size = if order.in_quote {
            state.quantity.get()
        } else {
            sized(rules, state.quantity)?
        };
        let row = json!({
            "instType": product_word(category),
            "instId": rules.venue_symbol.as_str(),
            "ordId": order.id,
            "clOrdId": order.client_id,
            "tag": terms.tag,
            "px": if order.is_market { String::new() } else { state.price.to_string() },
            "sz": size.to_string(),
            "ordType": terms.kind,
            "side": side_word(order.side),
            "posSide": if category == Category::Spot { "net" } else { position_word(category, order.position_index) },
            "tdMode": terms.mode,
            "tgtCcy": terms.counts,
            "state": state_word(state.status),
            "accFillSz": sized(rules, state.executed)?.to_string(),
            "avgPx": if state.executed.is_zero() { String::new() } else { price(average(state)?) },
            "fillPx": last.map_or_else(String::new, |row| row.price.to_string()),
            "fillSz": last.map_or(Ok(Fixed18::ZERO), |row| sized(rules, row.quantity))?.to_string(),
            "fillTime": last.map_or_else(String::new, |row| row.time_ms.to_string()),
            "tradeId": last.map_or_else(String::new, |row| row.trade.to_string()),
            "lever": terms.leverage.map_or_else(String::new, price),
            "fee": fee,
            "feeCcy": fee_coin.as_ref().map_or("", Asset::as_str),
            "rebate": rebate,
            "rebateCcy": rebate_coin.as_ref().map_or("", Asset::as_str),
            "cancelSource": source,
            "cancelSourceReason": reason,
            "stpMode": terms.self_trade,
            "reduceOnly": order.reduce_only.to_string(),
            "cTime": order.created_ms.to_string(),
            "uTime": state.updated_ms.to_string(),
        });
        Ok(joined(row, without_conditions(rules.quote)))
    }
}

/// What conditional orders, options and borrowing would fill in.
fn without_conditions(quote: Asset) -> Value {
    json!({
        "algoClOrdId": "",
        "algoId": "",
        "attachAlgoClOrdId": "",
        "attachAlgoOrds": [],
        "category": "normal",
        "ccy": "",
        "isTpLimit": "false",
        "linkedAlgoOrd": { "algoId": "" },
        "pnl": "0",
        "pxType": "",
        "pxUsd": "",
        "pxVol": "",
        "quickMgnType": "",
        "slOrdPx": "",
        "slTriggerPx": "",
        "slTriggerPxType": "",
        "source": "",
        "stpId": "",
        "tpOrdPx": "",
        "tpTriggerPx": "",
        "tpTriggerPxType": "",
        "tradeQuoteCcy": quote.as_str(),
    })
}

type Charge = (String, Option<Asset>);

/// What was paid, below zero, and what was paid back.
fn split_fees(state: &OrderState) -> (Charge, Charge) {
    let find = |is_wanted: fn(&Quantity) -> bool| {
        let mut fees = state.fees.iter();
        fees.find(|(_, fee)| is_wanted(fee))
    };
    let charge = |found: Option<(&Asset, &Quantity)>| match found {
        Some((coin, fee)) => (cost(fee.get()), Some(*coin)),
        None => ("0".to_owned(), None),
    };
    let paid = charge(find(|fee| !fee.is_negative()));
    (paid, charge(find(|fee| fee.is_negative())))
}

/// `GET /api/v5/trade/fills`: of three days.
pub(super) fn fills(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Vec<Value>, ApiError> {
    exchange.fill_rows(call, FILLS_MS)
}

/// `GET /api/v5/trade/fills-history`: of three months, and of one product.
pub(super) fn old_fills(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Value>, ApiError> {
    call.params().required_product()?;
    exchange.fill_rows(call, ARCHIVE_MS)
}

impl Exchange {
    fn fill_rows(&self, call: &Call<'_>, kept_ms: i64) -> Result<Vec<Value>, ApiError> {
        let params = call.params();
        let page = Page::read(params, ROWS_MAX)?;
        let id = params.text("ordId");
        let (now, at) = (self.now, self.rows_ms());
        let mut rows = Vec::new();
        for (category, symbol) in self.wanted(params)? {
            let market = self.market(category, symbol)?;
            for row in &market.executions {
                let Some(order) = row.order.map(|number| market.order(number)) else {
                    continue;
                };
                let is_wanted = row.account == call.account
                    && row.time_ms <= at
                    && now.saturating_sub(row.time_ms) <= kept_ms
                    && id.is_none_or(|id| id == order.id);
                if is_wanted {
                    let json = self.fill_row(category, market, row, order)?;
                    rows.push((row.number, row.time_ms, json));
                }
            }
        }
        Ok(self.rows(page.cut(rows)))
    }

    fn fill_row(
        &self,
        category: Category,
        market: &Market,
        row: &Execution,
        order: &Order,
    ) -> Result<Value, ApiError> {
        let rules = &market.rules;
        let terms = self.own.terms.get(&order.number);
        let is_swap = category == Category::Linear;
        Ok(json!({
            "instType": product_word(category),
            "instId": rules.venue_symbol.as_str(),
            "tradeId": row.trade.to_string(),
            "ordId": order.id,
            "clOrdId": order.client_id,
            "billId": row.number.to_string(),
            "subType": bill_subtype(category, row),
            "tag": terms.map_or("", |terms| terms.tag.as_str()),
            "fillPx": row.price.to_string(),
            "fillSz": sized(rules, row.quantity)?.to_string(),
            "fillIdxPx": if is_swap { market.index.to_string() } else { String::new() },
            "fillPnl": row.realized.to_string(),
            "fillPxVol": "",
            "fillPxUsd": "",
            "fillMarkVol": "",
            "fillFwdPx": "",
            "fillMarkPx": if is_swap { row.mark.to_string() } else { String::new() },
            "side": side_word(row.side),
            "posSide": if is_swap { position_word(category, row.position_index) } else { "net" },
            "execType": if row.is_maker { "M" } else { "T" },
            "feeCcy": row.fee_asset.as_str(),
            "fee": cost(row.fee.get()),
            "feeRate": cost(row.rate),
            "ts": row.time_ms.to_string(),
            "fillTime": row.time_ms.to_string(),
            "tradeQuoteCcy": rules.quote.as_str(),
        }))
    }
}

/// The number of what a fill does: buys, sells, opens or closes a side.
fn bill_subtype(category: Category, row: &Execution) -> &'static str {
    match (
        category,
        row.side,
        row.position_index,
        row.realized.is_zero(),
    ) {
        (Category::Spot, Side::Buy, ..) => "1",
        (Category::Spot, Side::Sell, ..) => "2",
        (Category::Linear, Side::Buy, 1, _) | (Category::Linear, Side::Buy, 0, true) => "3",
        (Category::Linear, Side::Sell, 2, _) | (Category::Linear, Side::Sell, 0, true) => "4",
        (Category::Linear, Side::Sell, ..) => "5",
        (Category::Linear, Side::Buy, ..) => "6",
    }
}
