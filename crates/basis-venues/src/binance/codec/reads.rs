//! Reads: what can be asked without changing anything.

use basis_core::rules::InstrumentRules;
use basis_core::types::{Account, Asset, ClientOrderId, Timestamp};

use super::account::transfer_type;
use super::endpoint::Product;
use super::order::{Refusal, product};
use super::params::Params;
use super::request::{Draft, Security};

/// The most rows a list of fills, payments or rates answers with.
pub const ROWS_MAX: u32 = 1_000;

/// From when to when, both inclusive, and how many rows at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// First instant.
    pub from: Option<Timestamp>,
    /// Last instant.
    pub to: Option<Timestamp>,
    /// At most [`ROWS_MAX`]; absent leaves the venue's default.
    pub rows: Option<u32>,
}

impl Range {
    fn add_to(self, params: Params) -> Params {
        let params = match self.from {
            Some(from) => params.with_millis("startTime", from),
            None => params,
        };
        let params = match self.to {
            Some(to) => params.with_millis("endTime", to),
            None => params,
        };
        params.with_some(
            "limit",
            self.rows.map(|rows| rows.min(ROWS_MAX).to_string()),
        )
    }
}

/// Which fills are asked for. None of the lists names client order ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FillsOf {
    /// All of one order, by the venue's number. USD-M shows those of the last seven days.
    Order(u64),
    /// From this fill on, itself included: it comes again, so that nothing between is missed.
    Since(u64),
    /// Of a time: at most 24 hours at spot and seven days at USD-M.
    Between(Range),
}

fn symbol(rules: &InstrumentRules) -> Params {
    Params::default().with("symbol", rules.venue_symbol.as_str())
}

const fn signed(product: Product, path: &'static str, params: Params) -> Draft {
    Draft::read(product, path, Security::Signed, params)
}

const fn public(product: Product, path: &'static str, params: Params) -> Draft {
    Draft::read(product, path, Security::Public, params)
}

/// The venue's time.
#[must_use]
pub fn server_time(of: Product) -> Draft {
    let path = match of {
        Product::UsdM => "/fapi/v1/time",
        Product::Spot | Product::Wallet => "/api/v3/time",
    };
    public(of, path, Params::default())
}

/// Every instrument with its filters, and the limits of requests and orders.
#[must_use]
pub fn exchange_info(of: Product) -> Draft {
    let path = match of {
        Product::UsdM => "/fapi/v1/exchangeInfo",
        Product::Spot | Product::Wallet => "/api/v3/exchangeInfo",
    };
    public(of, path, Params::default())
}

/// Orders of an instrument, whatever became of them.
#[must_use]
pub fn all_orders(rules: &InstrumentRules, range: Range) -> Draft {
    let of = product(rules.key.kind);
    let path = match of {
        Product::UsdM => "/fapi/v1/allOrders",
        Product::Spot | Product::Wallet => "/api/v3/allOrders",
    };
    signed(of, path, range.add_to(symbol(rules)))
}

/// Our fills of an instrument.
#[must_use]
pub fn fills(rules: &InstrumentRules, of: FillsOf) -> Draft {
    let product = product(rules.key.kind);
    let path = match product {
        Product::UsdM => "/fapi/v1/userTrades",
        Product::Spot | Product::Wallet => "/api/v3/myTrades",
    };
    let params = symbol(rules);
    let params = match of {
        FillsOf::Order(number) => params.with("orderId", number.to_string()),
        FillsOf::Since(number) => params
            .with("fromId", number.to_string())
            .with("limit", ROWS_MAX.to_string()),
        FillsOf::Between(range) => range.add_to(params),
    };
    signed(product, path, params)
}

/// Balances of spot (`/account`) or USD-M (`/balance`); of spot those that are not zero.
#[must_use]
pub fn balances(of: Product) -> Draft {
    match of {
        Product::UsdM => signed(of, "/fapi/v3/balance", Params::default()),
        Product::Spot | Product::Wallet => {
            let params = Params::default().with("omitZeroBalances", "true");
            signed(of, "/api/v3/account", params)
        }
    }
}

/// Margin of the USD-M account: what stands and what is required.
#[must_use]
pub fn margin_account() -> Draft {
    signed(Product::UsdM, "/fapi/v3/account", Params::default())
}

/// Positions of one instrument, or of all that have one or an open order.
#[must_use]
pub fn positions(of: Option<&InstrumentRules>) -> Draft {
    let params = of.map(symbol).unwrap_or_default();
    signed(Product::UsdM, "/fapi/v3/positionRisk", params)
}

/// Leverage and margin mode of one instrument, or of all.
#[must_use]
pub fn symbol_config(of: Option<&InstrumentRules>) -> Draft {
    let params = of.map(symbol).unwrap_or_default();
    signed(Product::UsdM, "/fapi/v1/symbolConfig", params)
}

/// Whether the account is in hedge mode.
#[must_use]
pub fn position_mode() -> Draft {
    signed(
        Product::UsdM,
        "/fapi/v1/positionSide/dual",
        Params::default(),
    )
}

/// Margin tiers of one instrument, or of all.
#[must_use]
pub fn tiers(of: Option<&InstrumentRules>) -> Draft {
    let params = of.map(symbol).unwrap_or_default();
    signed(Product::UsdM, "/fapi/v1/leverageBracket", params)
}

/// Fee rates of the account in one instrument.
#[must_use]
pub fn fee_rates(rules: &InstrumentRules) -> Draft {
    match product(rules.key.kind) {
        Product::UsdM => signed(Product::UsdM, "/fapi/v1/commissionRate", symbol(rules)),
        other => signed(other, "/api/v3/account/commission", symbol(rules)),
    }
}

/// Mark price, index and the funding rate that is accruing.
#[must_use]
pub fn mark_price(rules: &InstrumentRules) -> Draft {
    public(Product::UsdM, "/fapi/v1/premiumIndex", symbol(rules))
}

/// Funding intervals other than eight hours, with caps and floors.
#[must_use]
pub fn funding_intervals() -> Draft {
    public(Product::UsdM, "/fapi/v1/fundingInfo", Params::default())
}

/// Funding rates as they were charged, oldest first.
#[must_use]
pub fn funding_history(rules: &InstrumentRules, range: Range) -> Draft {
    public(
        Product::UsdM,
        "/fapi/v1/fundingRate",
        range.add_to(symbol(rules)),
    )
}

/// Funding that we paid or received, oldest first.
#[must_use]
pub fn funding_payments(rules: &InstrumentRules, range: Range) -> Draft {
    let params = symbol(rules).with("incomeType", "FUNDING_FEE");
    signed(Product::UsdM, "/fapi/v1/income", range.add_to(params))
}

/// Best bid and ask.
#[must_use]
pub fn book_ticker(rules: &InstrumentRules) -> Draft {
    let of = product(rules.key.kind);
    let path = match of {
        Product::UsdM => "/fapi/v1/ticker/bookTicker",
        Product::Spot | Product::Wallet => "/api/v3/ticker/bookTicker",
    };
    public(of, path, symbol(rules))
}

/// Transfers between two accounts of the venue, newest first; seven days where no range is given.
///
/// # Errors
/// Refuses accounts that the venue does not have.
pub fn transfers(from: Account, to: Account, range: Range) -> Result<Draft, Refusal> {
    let params = Params::default().with("type", transfer_type(from, to)?);
    let params = Range {
        rows: None,
        ..range
    }
    .add_to(params);
    let params = params.with_some("size", range.rows.map(|rows| rows.min(100).to_string()));
    Ok(signed(Product::Wallet, "/sapi/v1/asset/transfer", params))
}

/// The address at which deposits of `coin` over `network` arrive.
#[must_use]
pub fn deposit_address(coin: Asset, network: &str) -> Draft {
    let params = Params::default()
        .with("coin", coin.as_str())
        .with("network", network);
    signed(Product::Wallet, "/sapi/v1/capital/deposit/address", params)
}

/// Deposits of `coin`, newest first.
#[must_use]
pub fn deposits(coin: Asset, range: Range) -> Draft {
    let params = range.add_to(Params::default().with("coin", coin.as_str()));
    signed(Product::Wallet, "/sapi/v1/capital/deposit/hisrec", params)
}

/// Withdrawals by our id of one.
#[must_use]
pub fn withdrawals(order: &ClientOrderId) -> Draft {
    let params = Params::default().with("withdrawOrderId", order.as_str());
    signed(Product::Wallet, "/sapi/v1/capital/withdraw/history", params)
}

/// What the key may do.
#[must_use]
pub fn key_permissions() -> Draft {
    signed(
        Product::Wallet,
        "/sapi/v1/account/apiRestrictions",
        Params::default(),
    )
}
