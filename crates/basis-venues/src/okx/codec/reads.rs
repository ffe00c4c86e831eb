//! Reads: what can be asked without changing anything.

use basis_core::rules::InstrumentRules;
use basis_core::types::{Asset, ClientOrderId, Span, Timestamp};

use super::endpoint::Product;
use super::order::{instrument, page};
use crate::wire::{JsonDraft, Params, Range};

/// Adds the instants of a range, and its page.
fn between(params: Params, range: &Range) -> Params {
    let at = |params: Params, name, at: Option<Timestamp>| match at {
        Some(at) => params.with_millis(name, at),
        None => params,
    };
    let params = at(params, "begin", range.from);
    let params = at(params, "end", range.to);
    page(params, range)
}

fn of(product: Product) -> Params {
    Params::default().with("instType", product.as_str())
}

fn listed(rules: &InstrumentRules) -> Params {
    of(Product::of(rules.key.kind)).with("instId", rules.venue_symbol.as_str())
}

/// The family of a swap: base and quote.
#[must_use]
pub fn family(rules: &InstrumentRules) -> String {
    format!("{}-{}", rules.base, rules.quote)
}

/// The venue's time.
#[must_use]
pub fn server_time() -> JsonDraft {
    JsonDraft::public("/api/v5/public/time", Params::default())
}

/// Every instrument of a product with its filters.
#[must_use]
pub fn instruments(product: Product) -> JsonDraft {
    JsonDraft::public("/api/v5/public/instruments", of(product))
}

/// Orders of an instrument that ended, newest first: seven days of those that filled, two hours of those that
/// did not.
#[must_use]
pub fn closed_orders(rules: &InstrumentRules, range: &Range) -> JsonDraft {
    JsonDraft::read(
        "/api/v5/trade/orders-history",
        between(listed(rules), range),
    )
}

/// The same of three months.
#[must_use]
pub fn archived_orders(rules: &InstrumentRules, range: &Range) -> JsonDraft {
    let path = "/api/v5/trade/orders-history-archive";
    JsonDraft::read(path, between(listed(rules), range))
}

/// All fills of one order of the last three days, newest first.
#[must_use]
pub fn fills_of(rules: &InstrumentRules, order: &str) -> JsonDraft {
    JsonDraft::read("/api/v5/trade/fills", listed(rules).with("ordId", order))
}

/// Fills of one order by the venue's id of it, or of its whole instrument from the beginning of `range`, newest
/// first; of the last three days, or of the last three months.
#[must_use]
pub fn fills_since_sent(
    rules: &InstrumentRules,
    order: Option<&str>,
    range: &Range,
    is_recent: bool,
) -> JsonDraft {
    let path = if is_recent {
        "/api/v5/trade/fills"
    } else {
        "/api/v5/trade/fills-history"
    };
    let params = match order {
        Some(order) => page(listed(rules).with("ordId", order), range),
        None => between(listed(rules), range),
    };
    JsonDraft::read(path, params)
}

/// Our fills of an instrument of the last three days, newest first; 100 a page.
#[must_use]
pub fn fills(rules: &InstrumentRules, range: &Range) -> JsonDraft {
    JsonDraft::read("/api/v5/trade/fills", between(listed(rules), range))
}

/// The fills of a product after the bill `cursor`, which does not come again, newest first. A full page is
/// gone on from with its oldest bill, until the cursor is met.
#[must_use]
pub fn fills_since(product: Product, cursor: &str) -> JsonDraft {
    JsonDraft::read("/api/v5/trade/fills", of(product).with("before", cursor))
}

/// Our fills of an instrument of the last three months.
#[must_use]
pub fn archived_fills(rules: &InstrumentRules, range: &Range) -> JsonDraft {
    JsonDraft::read("/api/v5/trade/fills-history", between(listed(rules), range))
}

/// Balances and margin of the trading account.
#[must_use]
pub fn balances() -> JsonDraft {
    JsonDraft::read("/api/v5/account/balance", Params::default())
}

/// Balances of the funding account.
#[must_use]
pub fn funding_balances() -> JsonDraft {
    JsonDraft::read("/api/v5/asset/balances", Params::default())
}

/// Positions of one swap, or of all that have one.
#[must_use]
pub fn positions(rules: Option<&InstrumentRules>) -> JsonDraft {
    let params = rules.map_or_else(|| of(Product::Swap), listed);
    JsonDraft::read("/api/v5/account/positions", params)
}

/// Leverage of a swap in cross mode.
#[must_use]
pub fn leverage(rules: &InstrumentRules) -> JsonDraft {
    let params = instrument(rules).with("mgnMode", "cross");
    JsonDraft::read("/api/v5/account/leverage-info", params)
}

/// The account's level and position mode, and what the key may do.
#[must_use]
pub fn account_config() -> JsonDraft {
    JsonDraft::read("/api/v5/account/config", Params::default())
}

/// Margin tiers of a swap in cross mode.
#[must_use]
pub fn tiers(rules: &InstrumentRules) -> JsonDraft {
    let params = of(Product::Swap)
        .with("tdMode", "cross")
        .with("instFamily", family(rules));
    JsonDraft::public("/api/v5/public/position-tiers", params)
}

/// Fee rates of the account: of a spot instrument, or of a swap's family.
#[must_use]
pub fn fee_rates(rules: &InstrumentRules) -> JsonDraft {
    let product = Product::of(rules.key.kind);
    let params = match product {
        Product::Spot => listed(rules),
        Product::Swap => of(product).with("instFamily", family(rules)),
    };
    JsonDraft::read("/api/v5/account/trade-fee", params)
}

/// Mark price.
#[must_use]
pub fn mark_price(rules: &InstrumentRules) -> JsonDraft {
    JsonDraft::public("/api/v5/public/mark-price", listed(rules))
}

/// Best bid and ask.
#[must_use]
pub fn ticker(rules: &InstrumentRules) -> JsonDraft {
    JsonDraft::public("/api/v5/market/ticker", instrument(rules))
}

/// The best `levels` of the book.
#[must_use]
pub fn book(rules: &InstrumentRules, levels: u32) -> JsonDraft {
    let params = instrument(rules).with("sz", levels.to_string());
    JsonDraft::public("/api/v5/market/books", params)
}

/// The funding rate that accrues, its instant and the next one: their distance is the interval.
#[must_use]
pub fn funding_rate(rules: &InstrumentRules) -> JsonDraft {
    JsonDraft::public("/api/v5/public/funding-rate", instrument(rules))
}

/// Funding rates as they were charged, newest first. The venue leaves both ends of a range out; they are moved
/// by a millisecond so that they are in it.
#[must_use]
pub fn funding_history(rules: &InstrumentRules, range: &Range) -> JsonDraft {
    let millisecond = Span::from_nanos(1_000_000);
    let mut params = instrument(rules);
    if let Some(from) = range.from {
        params = params.with_millis("before", from.minus(millisecond));
    }
    if let Some(to) = range.to {
        params = params.with_millis("after", to.plus(millisecond));
    }
    let params = params.with_some("limit", range.rows.map(|rows| rows.to_string()));
    JsonDraft::public("/api/v5/public/funding-rate-history", params)
}

/// Funding that we paid or received, of seven days, newest first; 100 a page.
#[must_use]
pub fn funding_payments(range: &Range) -> JsonDraft {
    let params = of(Product::Swap).with("type", "8");
    JsonDraft::read("/api/v5/account/bills", between(params, range))
}

/// One transfer by the id it was asked for under, of two weeks.
#[must_use]
pub fn transfer(id: &ClientOrderId) -> JsonDraft {
    let params = Params::default().with("clientId", id.as_str());
    JsonDraft::read("/api/v5/asset/transfer-state", params)
}

/// One transfer by the venue's id.
#[must_use]
pub fn transfer_by_venue_id(id: &str) -> JsonDraft {
    let params = Params::default().with("transId", id);
    JsonDraft::read("/api/v5/asset/transfer-state", params)
}

/// How much of `asset` can leave the trading account.
#[must_use]
pub fn withdrawable(asset: Asset) -> JsonDraft {
    let params = Params::default().with("ccy", asset.as_str());
    JsonDraft::read("/api/v5/account/max-withdrawal", params)
}

/// Chains of currencies with their fees, minimums and confirmations; of one currency, or of all.
#[must_use]
pub fn currencies(asset: Option<Asset>) -> JsonDraft {
    let params = Params::default().with_some("ccy", asset.as_ref().map(Asset::as_str));
    JsonDraft::read("/api/v5/asset/currencies", params)
}

/// The addresses at which deposits of `asset` arrive, of all chains.
#[must_use]
pub fn deposit_address(asset: Asset) -> JsonDraft {
    let params = Params::default().with("ccy", asset.as_str());
    JsonDraft::read("/api/v5/asset/deposit-address", params).on_live_only()
}

/// Deposits of `asset`, newest first.
#[must_use]
pub fn deposits(asset: Asset) -> JsonDraft {
    let params = Params::default().with("ccy", asset.as_str());
    JsonDraft::read("/api/v5/asset/deposit-history", params).on_live_only()
}

/// Withdrawals of `asset`, newest first.
#[must_use]
pub fn withdrawals(asset: Asset) -> JsonDraft {
    let params = Params::default().with("ccy", asset.as_str());
    JsonDraft::read("/api/v5/asset/withdrawal-history", params).on_live_only()
}

/// One withdrawal by the id it was asked for under.
#[must_use]
pub fn withdrawal(id: &ClientOrderId) -> JsonDraft {
    let params = Params::default().with("clientId", id.as_str());
    JsonDraft::read("/api/v5/asset/withdrawal-history", params).on_live_only()
}
