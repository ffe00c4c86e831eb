//! Marks and funding: what a perpetual's next settlement charges, and the settlements that were.

use basis_core::num::{Price, Quantity, Rate};
use basis_core::rules::PerpRules;
use basis_core::types::{PositionSide, Span, Symbol, Timestamp};
use serde_json::{Value, json};

use super::text;
use crate::server::binance::account::Income;
use crate::server::binance::error::ApiError;
use crate::server::binance::orders::Page;
use crate::server::binance::routes::Call;
use crate::server::binance::settings::Product;
use crate::server::binance::{Audience, Exchange, rows};

const NANOS_PER_MILLI: i64 = 1_000_000;
/// The interval that `fundingInfo` does not list.
const USUAL_INTERVAL: Span = Span::from_hours(8);

/// A settlement that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// When, in the venue's milliseconds.
    pub time_ms: i64,
    /// What was charged of the notional.
    pub rate: Rate,
    /// The mark of that instant.
    pub mark: Price,
}

/// Mark and funding of a perpetual.
#[derive(Clone, Debug)]
pub struct MarkState {
    /// Values positions; zero until somebody sets it.
    pub mark: Price,
    /// The index.
    pub index: Price,
    /// What the next settlement charges.
    pub rate: Rate,
    /// When it is, in the venue's milliseconds.
    pub next_ms: i64,
    /// Past ones, oldest first.
    pub settled: Vec<Settlement>,
}

impl MarkState {
    pub(in crate::server::binance) fn new(perp: &PerpRules, at: Timestamp) -> Self {
        Self {
            mark: Price::ZERO,
            index: Price::ZERO,
            rate: Rate::ZERO,
            next_ms: next_settlement(perp, at.nanos().div_euclid(NANOS_PER_MILLI)),
            settled: Vec::new(),
        }
    }
}

fn next_settlement(perp: &PerpRules, ms: i64) -> i64 {
    let next = perp.next_funding(Timestamp::from_millis(ms));
    next.nanos().div_euclid(NANOS_PER_MILLI)
}

/// `GET /fapi/v1/premiumIndex`.
pub(in crate::server::binance) fn premium_index(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let named = call.params.symbol()?;
    let mut list = Vec::new();
    for market in exchange.markets_of(Product::UsdM, named)? {
        let symbol = market.listing.rules.key.symbol;
        let state = exchange.marks.get(&symbol);
        let state = state.ok_or_else(ApiError::invalid_symbol)?;
        let mark = exchange.mark(symbol).unwrap_or_default();
        list.push(json!({
            "symbol": symbol.as_str(),
            "markPrice": text(mark.get()),
            "indexPrice": text(state.index.get()),
            "estimatedSettlePrice": text(state.index.get()),
            "lastFundingRate": text(state.rate.get()),
            "interestRate": "0.00010000",
            "nextFundingTime": state.next_ms,
            "time": exchange.now,
        }));
    }
    Ok(match named {
        Some(_) => list.pop().unwrap_or_default(),
        None => Value::Array(list),
    })
}

/// `GET /fapi/v1/fundingRate`.
pub(in crate::server::binance) fn history(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    // No window is documented: any will do.
    let page = Page::read(call.params, "fromId", i64::MAX, (100, 1000))?;
    let mut all: Vec<(Symbol, &Settlement)> = Vec::new();
    for market in exchange.markets_of(Product::UsdM, call.params.symbol()?)? {
        let symbol = market.listing.rules.key.symbol;
        let settled = exchange
            .marks
            .get(&symbol)
            .into_iter()
            .flat_map(|state| &state.settled);
        all.extend(settled.map(|settlement| (symbol, settlement)));
    }
    all.sort_by_key(|(symbol, settlement)| (settlement.time_ms, *symbol));
    let list = page.cut(all, |(_, settlement)| (0, settlement.time_ms));
    let list = list.into_iter().map(|(symbol, settlement)| {
        json!({
            "symbol": symbol.as_str(),
            "fundingRate": text(settlement.rate.get()),
            "fundingTime": settlement.time_ms,
            "markPrice": text(settlement.mark.get()),
        })
    });
    Ok(rows(list.collect(), exchange.settings.behavior))
}

/// `GET /fapi/v1/fundingInfo`: symbols that settle at another interval than every eight hours.
pub(in crate::server::binance) fn info(
    exchange: &mut Exchange,
    _: &Call<'_>,
) -> Result<Value, ApiError> {
    let markets = exchange.markets_of(Product::UsdM, None)?;
    let list = markets.into_iter().filter_map(|market| {
        let perp = market.listing.rules.perp.as_ref()?;
        if perp.funding_interval == USUAL_INTERVAL {
            return None;
        }
        let cap = perp.funding_rate_max.unwrap_or(Rate::literal("0.02"));
        let floor = cap.neg().ok()?;
        Some(json!({
            "symbol": market.listing.rules.key.symbol.as_str(),
            "adjustedFundingRateCap": text(cap.get()),
            "adjustedFundingRateFloor": text(floor.get()),
            "fundingIntervalHours": perp.funding_interval.seconds() / 3600,
            "disclaimer": false,
        }))
    });
    Ok(Value::Array(list.collect()))
}

impl Exchange {
    /// When a perpetual next settles.
    pub(in crate::server::binance) fn next_funding(&self) -> Option<i64> {
        self.marks.values().map(|state| state.next_ms).min()
    }

    /// Settles what is due.
    pub(in crate::server::binance) fn run_funding(&mut self) -> Result<(), ApiError> {
        let now = self.now;
        let due = self.marks.iter().filter(|(_, state)| state.next_ms <= now);
        let due: Vec<Symbol> = due.map(|(symbol, _)| *symbol).collect();
        for symbol in due {
            self.settle_funding(symbol)?;
        }
        Ok(())
    }

    fn settle_funding(&mut self, symbol: Symbol) -> Result<(), ApiError> {
        let rules = &self.market(Product::UsdM, symbol)?.listing.rules;
        let asset = rules.quote;
        let perp = rules.perp.clone().ok_or_else(ApiError::invalid_symbol)?;
        let mark = self.mark(symbol);
        let state = self.marks.get_mut(&symbol);
        let state = state.ok_or_else(ApiError::invalid_symbol)?;
        let (time_ms, rate) = (state.next_ms, state.rate);
        state.next_ms = next_settlement(&perp, time_ms);
        // Without a price nobody has a position.
        let Some(mark) = mark else {
            return Ok(());
        };
        state.settled.push(Settlement {
            time_ms,
            rate,
            mark,
        });
        let accounts = 0..u32::try_from(self.accounts.len()).unwrap_or(u32::MAX);
        for account in accounts {
            for side in [None, Some(PositionSide::Long), Some(PositionSide::Short)] {
                let position = self.account(account).position(symbol, side);
                if position.perp.quantity.is_zero() {
                    continue;
                }
                let paid = position.perp.funding(mark, rate, super::DECIMALS)?;
                self.pay_funding(account, symbol, side, asset, paid)?;
            }
        }
        Ok(())
    }

    fn pay_funding(
        &mut self,
        id: u32,
        symbol: Symbol,
        side: Option<PositionSide>,
        asset: basis_core::types::Asset,
        paid: Quantity,
    ) -> Result<(), ApiError> {
        let income = Income {
            kind: "FUNDING_FEE",
            symbol: Some(symbol),
            amount: paid,
            asset,
            id: self.next_id(),
            trade: None,
            time_ms: self.now,
        };
        let account = self.account_mut(id);
        account.move_margin(asset, paid)?;
        let isolated = account.config(symbol).isolated;
        if isolated && let Some(position) = account.usdm.positions.get_mut(&(symbol, side)) {
            position.isolated_wallet = position.isolated_wallet.add(paid)?;
        }
        if !account.is_house {
            account.usdm.income.push(income);
        }
        // Of a cross position the event shows the balance alone.
        let positions = [(symbol, side)];
        let shown: &[_] = if isolated { &positions } else { &[] };
        self.account_update(id, "FUNDING_FEE", &[asset], shown, paid)
    }

    /// Tells the streams of a symbol its mark.
    pub(in crate::server::binance) fn publish_mark(&mut self, symbol: Symbol) {
        let Some(state) = self.marks.get(&symbol) else {
            return;
        };
        let frame = json!({
            "e": "markPriceUpdate",
            "E": self.now,
            "s": symbol.as_str(),
            "p": text(state.mark.get()),
            "i": text(state.index.get()),
            "P": text(state.index.get()),
            "r": text(state.rate.get()),
            "T": state.next_ms,
            "st": 1,
        });
        let name = format!("{}@markPrice", symbol.as_str().to_ascii_lowercase());
        self.emit(Audience::Public(Product::UsdM, name), frame);
    }
}
