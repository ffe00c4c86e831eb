//! What everybody may read of both products: clock, books, prices.

use basis_core::num::{Fixed18, Price, Quantity, Rounding, Value};
use basis_core::types::{Side, Symbol};
use serde_json::{Value as Json, json};

use super::error::ApiError;
use super::market::{Market, padded};
use super::routes::Call;
use super::settings::Product;
use super::{Audience, Exchange};

/// What `avgPrice` and the price filter average over.
const AVERAGE_MS: i64 = 300_000;

/// `GET …/ping`.
pub(super) fn ping(_: &mut Exchange, _: &Call<'_>) -> Result<Json, ApiError> {
    Ok(json!({}))
}

/// `GET …/time`.
pub(super) fn time(exchange: &mut Exchange, _: &Call<'_>) -> Result<Json, ApiError> {
    Ok(json!({ "serverTime": exchange.now }))
}

/// `GET …/depth`.
pub(super) fn depth(exchange: &mut Exchange, call: &Call<'_>) -> Result<Json, ApiError> {
    let product = call.product();
    let market = exchange.named_market(product, call.params)?;
    let (default, allowed): (usize, &[usize]) = match product {
        Product::Spot => (100, &[]),
        Product::UsdM => (500, &[5, 10, 20, 50, 100, 500, 1000]),
    };
    let limit = call.params.limit(default, 5000)?;
    if !allowed.is_empty() && !allowed.contains(&limit) {
        return Err(ApiError::new(
            -4021,
            format!("'{limit}' is not valid depth limit."),
        ));
    }
    let side = |side| {
        let levels = market.book.levels(side).take(limit);
        levels
            .map(|level| level_text(product, level))
            .collect::<Vec<_>>()
    };
    let (bids, asks) = (side(Side::Buy), side(Side::Sell));
    let id = market.update_id;
    Ok(match product {
        Product::Spot => json!({ "lastUpdateId": id, "bids": bids, "asks": asks }),
        Product::UsdM => json!({
            "lastUpdateId": id, "E": exchange.now, "T": exchange.now, "bids": bids, "asks": asks
        }),
    })
}

/// Text of a level: padded to eight digits on spot, as short as it is on USD-M.
pub(super) fn level_text(product: Product, (price, quantity): (Price, Quantity)) -> [String; 2] {
    [price.get(), quantity.get()].map(|number| number_text(product, number))
}

fn number_text(product: Product, number: Fixed18) -> String {
    match product {
        Product::Spot => padded(number, 8),
        Product::UsdM => number.to_string(),
    }
}

/// `GET /api/v3/avgPrice`.
pub(super) fn average_price(exchange: &mut Exchange, call: &Call<'_>) -> Result<Json, ApiError> {
    let market = exchange.named_market(Product::Spot, call.params)?;
    let price = average(market, exchange.now).or(market.last_price);
    Ok(json!({
        "mins": AVERAGE_MS / 60_000,
        "price": padded(price.unwrap_or_default().get(), 8),
        "closeTime": exchange.now,
    }))
}

/// The volume-weighted price of the last minutes; `None` without a trade.
pub(super) fn average(market: &Market, now: i64) -> Option<Price> {
    let since = now.saturating_sub(AVERAGE_MS);
    let (mut quantity, mut value) = (Quantity::ZERO, Value::ZERO);
    let newest_first = market.fills.iter().rev();
    let recent = newest_first.take_while(|fill| fill.time_ms >= since);
    for fill in recent.filter(|fill| fill.is_maker) {
        quantity = quantity.add(fill.quantity).ok()?;
        value = value.add(fill.quote).ok()?;
    }
    value.div_quantity(quantity, Rounding::HalfEven).ok()
}

/// One row where a symbol was named, else a list of all.
fn one_or_all(
    exchange: &Exchange,
    call: &Call<'_>,
    row: impl Fn(&Market) -> Json,
) -> Result<Json, ApiError> {
    let symbol = call.params.symbol()?;
    let mut list = exchange
        .markets_of(call.product(), symbol)?
        .into_iter()
        .map(row);
    Ok(match symbol {
        Some(_) => list.next().unwrap_or_default(),
        None => Json::Array(list.collect()),
    })
}

/// `GET …/ticker/price`.
pub(super) fn ticker_price(exchange: &mut Exchange, call: &Call<'_>) -> Result<Json, ApiError> {
    let (product, now) = (call.product(), exchange.now);
    one_or_all(exchange, call, |market| {
        let symbol = market.listing.rules.key.symbol;
        let price = number_text(product, market.last_price.unwrap_or_default().get());
        match product {
            Product::Spot => json!({ "symbol": symbol.as_str(), "price": price }),
            Product::UsdM => json!({ "symbol": symbol.as_str(), "price": price, "time": now }),
        }
    })
}

/// `GET …/ticker/bookTicker`.
pub(super) fn book_ticker(exchange: &mut Exchange, call: &Call<'_>) -> Result<Json, ApiError> {
    let (product, now) = (call.product(), exchange.now);
    one_or_all(exchange, call, |market| {
        let [bid, ask] = [market.book.best_bid(), market.book.best_ask()]
            .map(|level| level_text(product, level.unwrap_or_default()));
        let mut row = json!({
            "symbol": market.listing.rules.key.symbol.as_str(),
            "bidPrice": bid[0],
            "bidQty": bid[1],
            "askPrice": ask[0],
            "askQty": ask[1],
        });
        if let (Product::UsdM, Some(row)) = (product, row.as_object_mut()) {
            row.insert("time".to_owned(), json!(now));
        }
        row
    })
}

impl Exchange {
    /// Tells the streams of a symbol what of its book changed.
    pub(super) fn publish_book(
        &mut self,
        product: Product,
        symbol: Symbol,
    ) -> Result<(), ApiError> {
        let now = self.now;
        let market = self.market_mut(product, symbol)?;
        let changes = market.book.take_changes();
        if changes.is_empty() {
            return Ok(());
        }
        let first = market.update_id + 1;
        let previous = market.published_update_id;
        let count = u64::try_from(changes.len()).unwrap_or(1);
        market.update_id += count;
        market.published_update_id = market.update_id;
        let last = market.update_id;
        if !self.listening.public {
            return Ok(());
        }
        let market = self.market(product, symbol)?;
        let side = |wanted: Side| {
            let levels = changes.iter().filter(|(side, _)| *side == wanted);
            let rows = levels.map(|(side, price)| {
                let quantity = market.book.quantity_at(*side, *price);
                level_text(product, (*price, quantity))
            });
            rows.collect::<Vec<_>>()
        };
        let (bids, asks) = (side(Side::Buy), side(Side::Sell));
        let ticker = book_ticker_frame(market, product, now);
        let name = symbol.as_str().to_ascii_lowercase();
        let depth = match product {
            Product::Spot => json!({
                "e": "depthUpdate", "E": now, "s": symbol.as_str(), "U": first, "u": last, "b": bids, "a": asks
            }),
            Product::UsdM => json!({
                "e": "depthUpdate", "E": now, "T": now, "s": symbol.as_str(), "ps": symbol.as_str(), "st": 1,
                "U": first, "u": last, "pu": previous, "b": bids, "a": asks
            }),
        };
        self.emit(Audience::Public(product, format!("{name}@depth")), depth);
        self.emit(
            Audience::Public(product, format!("{name}@bookTicker")),
            ticker,
        );
        Ok(())
    }
}

fn book_ticker_frame(market: &Market, product: Product, now: i64) -> Json {
    let [bid, ask] = [market.book.best_bid(), market.book.best_ask()]
        .map(|level| level_text(product, level.unwrap_or_default()));
    let symbol = market.listing.rules.key.symbol;
    let (bid_price, bid_quantity) = (&bid[0], &bid[1]);
    let (ask_price, ask_quantity) = (&ask[0], &ask[1]);
    let id = market.update_id;
    match product {
        Product::Spot => json!({
            "u": id, "s": symbol.as_str(), "b": bid_price, "B": bid_quantity, "a": ask_price, "A": ask_quantity
        }),
        Product::UsdM => json!({
            "e": "bookTicker", "u": id, "E": now, "T": now, "s": symbol.as_str(), "b": bid_price, "B": bid_quantity,
            "a": ask_price, "A": ask_quantity, "st": 1, "ps": symbol.as_str()
        }),
    }
}
