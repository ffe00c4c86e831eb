//! Reads: what can be asked without changing anything.

use basis_core::rules::InstrumentRules;
use basis_core::types::{Asset, Timestamp};

use super::endpoint::Category;
use super::order::{by, page, symbol};
use crate::wire::order::{Refusal, invalid};
use crate::wire::{JsonDraft, NamedOrder, Params, Range};

/// Adds the instants of a range, and its page.
fn between(params: Params, range: &Range) -> Params {
    page(span(params, range), range)
}

fn span(params: Params, range: &Range) -> Params {
    let at = |params: Params, name, at: Option<Timestamp>| match at {
        Some(at) => params.with_millis(name, at),
        None => params,
    };
    let params = at(params, "startTime", range.from);
    at(params, "endTime", range.to)
}

/// The venue's time.
#[must_use]
pub fn server_time() -> JsonDraft {
    JsonDraft::public("/v5/market/time", Params::default())
}

/// Instruments of a category with their filters; up to 1000 a page.
#[must_use]
pub fn instruments(category: Category, range: &Range) -> JsonDraft {
    let params = Params::default().with("category", category.as_str());
    JsonDraft::public("/v5/market/instruments-info", page(params, range))
}

/// One instrument with its filters, and the funding interval it has now.
#[must_use]
pub fn instrument(rules: &InstrumentRules) -> JsonDraft {
    JsonDraft::public("/v5/market/instruments-info", symbol(rules))
}

/// Orders of an instrument that closed, newest first; seven days where no range is given.
#[must_use]
pub fn closed_orders(rules: &InstrumentRules, range: &Range) -> JsonDraft {
    JsonDraft::read("/v5/order/history", between(symbol(rules), range))
}

/// All fills of one order, newest first; `cursor` is where the page before ended.
#[must_use]
pub fn fills_of(category: Category, order: &NamedOrder, cursor: Option<&str>) -> JsonDraft {
    let params = Params::default().with("category", category.as_str());
    let params = by(params, order).with_some("cursor", cursor);
    JsonDraft::read("/v5/execution/list", params)
}

/// Our fills of a category, newest first, at most seven days and 100 a page. Fills of one instant come in any
/// order.
#[must_use]
pub fn fills(category: Category, range: &Range) -> JsonDraft {
    let params = Params::default().with("category", category.as_str());
    JsonDraft::read("/v5/execution/list", between(params, range))
}

/// The same of one instrument.
#[must_use]
pub fn fills_in(rules: &InstrumentRules, range: &Range) -> JsonDraft {
    JsonDraft::read("/v5/execution/list", between(symbol(rules), range))
}

/// Balances and margin of the unified account.
#[must_use]
pub fn balances() -> JsonDraft {
    let params = Params::default().with("accountType", "UNIFIED");
    JsonDraft::read("/v5/account/wallet-balance", params)
}

/// Balances of the funding account.
#[must_use]
pub fn funding_balances() -> JsonDraft {
    let params = Params::default().with("accountType", "FUND");
    let path = "/v5/asset/transfer/query-account-coins-balance";
    JsonDraft::read(path, params).on_live_only()
}

/// Position of one perpetual: both sides of hedge mode, and the leverage where there is none.
#[must_use]
pub fn position(rules: &InstrumentRules) -> JsonDraft {
    JsonDraft::read("/v5/position/list", symbol(rules))
}

/// All positions that settle in `settle`; up to 200 a page.
#[must_use]
pub fn positions(settle: Asset, range: &Range) -> JsonDraft {
    let params = Params::default()
        .with("category", Category::Linear.as_str())
        .with("settleCoin", settle.as_str());
    JsonDraft::read("/v5/position/list", page(params, range))
}

/// The account's margin mode, and whether it is a unified one.
#[must_use]
pub fn account_info() -> JsonDraft {
    JsonDraft::read("/v5/account/info", Params::default())
}

/// Margin tiers of one perpetual.
#[must_use]
pub fn tiers(rules: &InstrumentRules) -> JsonDraft {
    JsonDraft::public("/v5/market/risk-limit", symbol(rules))
}

/// Fee rates of the account in one instrument.
#[must_use]
pub fn fee_rates(rules: &InstrumentRules) -> JsonDraft {
    JsonDraft::read("/v5/account/fee-rate", symbol(rules))
}

/// Best bid and ask; of a perpetual mark, index, the funding rate that accrues, and its interval.
#[must_use]
pub fn ticker(rules: &InstrumentRules) -> JsonDraft {
    JsonDraft::public("/v5/market/tickers", symbol(rules))
}

/// The best `levels` of the book.
#[must_use]
pub fn book(rules: &InstrumentRules, levels: u32) -> JsonDraft {
    let params = symbol(rules).with("limit", levels.to_string());
    JsonDraft::public("/v5/market/orderbook", params)
}

/// Funding rates as they were charged, newest first; 200 rows at most.
///
/// # Errors
/// Refuses a range that begins and does not end: the venue does.
pub fn funding_history(rules: &InstrumentRules, range: &Range) -> Result<JsonDraft, Refusal> {
    if range.from.is_some() && range.to.is_none() {
        return Err(invalid(
            "a funding history from an instant on needs its end too: the venue refuses startTime alone",
        ));
    }
    let params = span(symbol(rules), range);
    let params = params.with_some("limit", range.rows.map(|rows| rows.to_string()));
    Ok(JsonDraft::public("/v5/market/funding/history", params))
}

/// Funding that we paid or received, newest first; 24 hours where no range is given, and seven days at most.
#[must_use]
pub fn funding_payments(range: &Range) -> JsonDraft {
    let params = Params::default()
        .with("accountType", "UNIFIED")
        .with("category", Category::Linear.as_str())
        .with("type", "SETTLEMENT");
    JsonDraft::read("/v5/account/transaction-log", between(params, range))
}

/// Transfers of `coin` between two accounts of the venue, newest first.
#[must_use]
pub fn transfers(coin: Asset, range: &Range) -> JsonDraft {
    let params = Params::default().with("coin", coin.as_str());
    let path = "/v5/asset/transfer/query-inter-transfer-list";
    JsonDraft::read(path, between(params, range)).on_live_only()
}

/// One transfer by the id it was asked for under.
#[must_use]
pub fn transfer(id: &str) -> JsonDraft {
    let params = Params::default().with("transferId", id);
    let path = "/v5/asset/transfer/query-inter-transfer-list";
    JsonDraft::read(path, params).on_live_only()
}

/// How much of `coin` can leave the unified account.
#[must_use]
pub fn withdrawable(coin: Asset) -> JsonDraft {
    let params = Params::default().with("coinName", coin.as_str());
    JsonDraft::read("/v5/account/withdrawal", params)
}

/// Chains of coins with their fees, minimums and confirmations; of one coin, or of all.
#[must_use]
pub fn coins(coin: Option<Asset>) -> JsonDraft {
    let params = Params::default().with_some("coin", coin.as_ref().map(Asset::as_str));
    JsonDraft::read("/v5/asset/coin/query-info", params).on_live_only()
}

/// The address at which deposits of `coin` over `chain` arrive.
#[must_use]
pub fn deposit_address(coin: Asset, chain: &str) -> JsonDraft {
    let params = Params::default()
        .with("coin", coin.as_str())
        .with("chainType", chain);
    JsonDraft::read("/v5/asset/deposit/query-address", params).on_live_only()
}

/// Deposits of `coin`, newest first; 30 days.
#[must_use]
pub fn deposits(coin: Asset, range: &Range) -> JsonDraft {
    let params = Params::default().with("coin", coin.as_str());
    JsonDraft::read("/v5/asset/deposit/query-record", between(params, range)).on_live_only()
}

/// Withdrawals of `coin`, newest first; 30 days. They do not name the id that they were asked for under.
#[must_use]
pub fn withdrawals(coin: Asset, range: &Range) -> JsonDraft {
    let params = Params::default().with("coin", coin.as_str());
    JsonDraft::read("/v5/asset/withdraw/query-record", between(params, range)).on_live_only()
}

/// One withdrawal by the venue's id.
#[must_use]
pub fn withdrawal(id: &str) -> JsonDraft {
    let params = Params::default().with("withdrawID", id);
    JsonDraft::read("/v5/asset/withdraw/query-record", params).on_live_only()
}

/// What the key may do.
#[must_use]
pub fn key_permissions() -> JsonDraft {
    JsonDraft::read("/v5/user/query-api", Params::default())
}
