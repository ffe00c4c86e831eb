//! What orders of both products have in common: ids, plans, and how they end.

use basis_core::num::{Fixed18, MathError, Price, Quantity, Rounding};
use basis_core::types::{Side, Symbol};
use basis_protocols::exchange::filters::{Filter, FilterFailure, OrderTerms, check};

use super::Exchange;
use super::error::ApiError;
use super::market::{Draft, Market, Order, OrderKind, Status};
use super::params::Params;
use super::settings::{Listing, Product};
use crate::server::book::{Plan, Resting, SelfTrade, Taker};

/// How an order comes to an end without a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Its owner took it back.
    Canceled,
    /// An IOC or FOK that found too little.
    TimeInForce,
    /// What a market order did not find.
    MarketRemainder,
    /// It would have traded with its own account.
    SelfTrade,
    /// A reduce-only order with nothing left to reduce.
    NothingToReduce,
    /// A USD-M date.
    GoodTill,
}

impl Ending {
    const fn status(self) -> Status {
        match self {
            Self::Canceled => Status::Canceled,
            Self::SelfTrade => Status::ExpiredInMatch,
            Self::TimeInForce | Self::MarketRemainder | Self::NothingToReduce | Self::GoodTill => {
                Status::Expired
            }
        }
    }

    /// `er` of a USD-M frame.
    pub(super) const fn usdm_reason(self) -> &'static str {
        match self {
            Self::Canceled => "0",
            Self::SelfTrade => "1",
            Self::TimeInForce => "2",
            Self::NothingToReduce => "4",
            Self::GoodTill => "6",
            Self::MarketRemainder => "9",
        }
    }
}

impl Exchange {
    /// Returns what a draft would do at the book.
    pub(super) fn plan(
        &self,
        product: Product,
        symbol: Symbol,
        draft: &Draft,
    ) -> Result<Plan, ApiError> {
        let book = &self.market(product, symbol)?.book;
        let limit = match draft.kind {
            OrderKind::Market => None,
            OrderKind::Limit | OrderKind::LimitMaker => Some(draft.price),
        };
        Ok(book.plan(&Taker {
            owner: draft.account,
            side: draft.side,
            limit,
            quantity: draft.quantity,
            self_trade: draft.self_trade,
        })?)
    }

    /// The id that a client gave, or one of the venue's.
    pub(super) fn client_id(
        &mut self,
        params: &Params,
        name: &str,
        is_legal: impl Fn(u8) -> bool,
        too_long: impl Fn() -> ApiError,
    ) -> Result<String, ApiError> {
        let Some(id) = params.get(name) else {
            return Ok(self.random.text(22));
        };
        if !id.bytes().all(is_legal) {
            return Err(ApiError::illegal(name, "^[\\.A-Z\\:/a-z0-9_-]{1,36}$"));
        }
        if id.len() > 36 {
            return Err(too_long());
        }
        Ok(id.to_owned())
    }

    /// The order that `orderId` or `origClientOrderId` names.
    pub(super) fn named_order<'a>(
        market: &'a Market,
        account: u32,
        params: &Params,
        otherwise: fn() -> ApiError,
    ) -> Result<&'a Order, ApiError> {
        let id = params.id("orderId")?;
        let client_id = params.get("origClientOrderId");
        if id.is_none() && client_id.is_none() {
            return Err(ApiError::new(
                -1102,
                "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!",
            ));
        }
        let order = market.find(account, id, client_id);
        let order =
            order.filter(|order| client_id.is_none_or(|client_id| order.client_id == client_id));
        order.ok_or_else(otherwise)
    }

    /// Rests what is left of an order that was taken.
    pub(super) fn rest_order(
        &mut self,
        product: Product,
        symbol: Symbol,
        id: u64,
    ) -> Result<(), ApiError> {
        let market = self.market_mut(product, symbol)?;
        let order = market.orders.get(&id);
        let order = order.ok_or_else(ApiError::unknown_order)?;
        let resting = Resting {
            order: id,
            owner: order.account,
            remaining: order.remaining(),
        };
        let (side, price) = (order.side, order.state.price);
        market.book.insert(side, price, resting);
        Ok(())
    }

    /// Takes an open order back for its owner.
    pub(super) fn cancel_order(
        &mut self,
        product: Product,
        symbol: Symbol,
        id: u64,
        cancel_id: Option<String>,
    ) -> Result<(), ApiError> {
        let market = self.market_mut(product, symbol)?;
        let order = market.orders.get_mut(&id);
        let order = order.filter(|order| order.state.status.is_open());
        let order = order.ok_or_else(ApiError::unknown_order)?;
        order.cancel_id = cancel_id;
        self.end_order(product, symbol, id, Ending::Canceled)
    }

    /// Ends an open order: out of the book, what it holds back is free again, its owner's stream says so.
    pub(super) fn end_order(
        &mut self,
        product: Product,
        symbol: Symbol,
        id: u64,
        ending: Ending,
    ) -> Result<(), ApiError> {
        let now = self.now;
        let market = self.market_mut(product, symbol)?;
        market.book.remove(id);
        let order = market.orders.get_mut(&id);
        let order = order.ok_or_else(ApiError::unknown_order)?;
        order.change(now, |state| state.status = ending.status());
        market.forget_if_done(id);
        match product {
            Product::Spot => self.end_spot(symbol, id, ending),
            Product::UsdM => self.end_usdm(symbol, id, ending),
        }
    }
}

/// Which self-trade prevention a request asks for.
pub(super) fn self_trade(params: &Params) -> Result<SelfTrade, ApiError> {
    match params.get("selfTradePreventionMode") {
        None | Some("EXPIRE_MAKER") => Ok(SelfTrade::ExpireMaker),
        Some("EXPIRE_TAKER") => Ok(SelfTrade::ExpireTaker),
        Some("EXPIRE_BOTH") => Ok(SelfTrade::ExpireBoth),
        Some("NONE") => Ok(SelfTrade::Allow),
        Some(_) => Err(ApiError::new(-1135, "Invalid selfTradePreventionMode.")),
    }
}

/// Binance's word for a mode of self-trade prevention.
pub(super) const fn self_trade_word(mode: SelfTrade) -> &'static str {
    match mode {
        SelfTrade::Allow => "NONE",
        SelfTrade::ExpireTaker => "EXPIRE_TAKER",
        SelfTrade::ExpireMaker => "EXPIRE_MAKER",
        SelfTrade::ExpireBoth => "EXPIRE_BOTH",
    }
}

/// Binance's word for a side.
pub(super) const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

/// The first of quantity, step, bounds and tick that an order fails.
pub(super) fn filter_failure(
    listing: &Listing,
    kind: OrderKind,
    quantity: Quantity,
    price: Price,
) -> Option<Filter> {
    use basis_core::instruction::OrderType;
    let order_type = match kind {
        OrderKind::Market => OrderType::Market,
        OrderKind::Limit | OrderKind::LimitMaker => OrderType::Limit,
    };
    let terms = OrderTerms {
        quantity,
        order_type,
        limit_price: Some(price),
    };
    let failure = check(&listing.rules, &terms).err();
    failure.map(|failure: FilterFailure| failure.filter)
}

/// The band of limits around `reference`, as (lowest, highest).
pub(super) fn price_band(
    listing: &Listing,
    side: Side,
    reference: Price,
) -> Result<(Fixed18, Fixed18), MathError> {
    let band = &listing.percent_price;
    let (down, up) = match side {
        Side::Buy => (band.bid_down, band.bid_up),
        Side::Sell => (band.ask_down, band.ask_up),
    };
    let reference = reference.get();
    Ok((
        reference.mul(down, Rounding::Ceil)?,
        reference.mul(up, Rounding::Floor)?,
    ))
}

/// Which rows of a list a request asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    /// Rows with this number or a higher one.
    pub(super) from_id: Option<u64>,
    start_ms: Option<i64>,
    end_ms: Option<i64>,
    limit: usize,
}

impl Page {
    /// Reads the cursor under `name`, the times, and the limit as (default, most).
    ///
    /// # Errors
    /// -1127 for a window longer than `window_ms`, or one that ends before it starts.
    pub(super) fn read(
        params: &Params,
        name: &str,
        window_ms: i64,
        limit: (usize, usize),
    ) -> Result<Self, ApiError> {
        let (start_ms, end_ms) = (params.integer("startTime")?, params.integer("endTime")?);
        if let (Some(start), Some(end)) = (start_ms, end_ms) {
            if end < start {
                let text = "Start time is greater than end time.";
                return Err(ApiError::new(-1023, text));
            }
            if end.saturating_sub(start) > window_ms {
                let hours = window_ms / 3_600_000;
                let text = format!("More than {hours} hours between startTime and endTime.");
                return Err(ApiError::new(-1127, text));
            }
        }
        let window_end = start_ms.map(|start| start.saturating_add(window_ms));
        Ok(Self {
            from_id: params.id(name)?,
            start_ms: start_ms.or_else(|| end_ms.map(|end| end.saturating_sub(window_ms))),
            end_ms: end_ms.or(window_end),
            limit: params.limit(limit.0, limit.1)?,
        })
    }

    /// Whether times were sent.
    pub(super) const fn has_times(&self) -> bool {
        self.start_ms.is_some() || self.end_ms.is_some()
    }

    /// Takes `ms` as the first instant where the request names neither row nor time.
    pub(super) const fn starting(mut self, ms: i64) -> Self {
        if self.from_id.is_none() && !self.has_times() {
            self.start_ms = Some(ms);
        }
        self
    }

    /// Cuts a list, oldest first, to what is asked for: the first rows after a cursor or a time, else the
    /// last ones.
    pub(super) fn cut<T>(&self, list: Vec<T>, key: impl Fn(&T) -> (u64, i64)) -> Vec<T> {
        let mut list: Vec<T> = list
            .into_iter()
            .filter(|row| {
                let (id, ms) = key(row);
                self.from_id.is_none_or(|from| id >= from)
                    && self.start_ms.is_none_or(|start| ms >= start)
                    && self.end_ms.is_none_or(|end| ms <= end)
            })
            .collect();
        if self.from_id.is_none() && self.start_ms.is_none() {
            list.drain(..list.len().saturating_sub(self.limit));
        }
        list.truncate(self.limit);
        list
    }
}
