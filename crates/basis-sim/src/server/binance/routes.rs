//! Every endpoint: who may ask, what it weighs, what answers.

use serde_json::Value;

use super::error::ApiError;
use super::params::Params;
use super::settings::Product;
use super::{Exchange, market_data, spot, stream, usdm, wallet};

/// Families of endpoints, each with limits of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    Spot,
    UsdM,
    Wallet,
}

impl Family {
    /// The family of a path.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path.split('/').nth(1)? {
            "api" => Some(Self::Spot),
            "fapi" => Some(Self::UsdM),
            "sapi" => Some(Self::Wallet),
            _ => None,
        }
    }
}

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Security {
    /// Nothing.
    Open,
    /// The key's name.
    Named,
    /// A signature of a key that may read.
    Read,
    /// A signature of a key that may trade spot.
    Spot,
    /// A signature of a key that may trade futures.
    Futures,
    /// A signature of a key that may move between wallets.
    Transfer,
}

/// Weights.
#[derive(Clone, Copy, Debug)]
pub(super) enum Weight {
    Is(u32),
    /// With and without a symbol.
    Symbol(u32, u32),
    /// Of `myTrades`: less when one order is asked for.
    Fills,
    /// Of a spot book, by depth.
    SpotDepth,
    /// Of a USD-M book, by depth.
    UsdMDepth,
}

impl Weight {
    pub(super) fn of(self, params: &Params) -> u32 {
        let depth = || {
            let limit = params
                .get("limit")
                .and_then(|limit| limit.parse::<u32>().ok());
            limit.unwrap_or(100)
        };
        match self {
            Self::Is(weight) => weight,
            Self::Symbol(with, _) if params.has("symbol") => with,
            Self::Symbol(_, without) => without,
            Self::Fills if params.has("orderId") => 5,
            Self::Fills => 20,
            Self::SpotDepth => match depth() {
                0..=100 => 5,
                101..=500 => 25,
                501..=1000 => 50,
                _ => 250,
            },
            Self::UsdMDepth => match params.get("limit").map_or(500, |_| depth()) {
                0..=50 => 2,
                51..=100 => 5,
                101..=500 => 10,
                _ => 20,
            },
        }
    }
}

/// A request that passed limits and signature.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) family: Family,
    pub(crate) params: &'a Params,
    /// The account of the key, where one was named.
    pub(crate) account: u32,
    /// The key's name.
    pub(crate) key: &'a str,
}

impl Call<'_> {
    /// The product of the family; the wallet has none of its own, and its calls do not ask.
    pub(super) const fn product(&self) -> Product {
        match self.family {
            Family::UsdM => Product::UsdM,
            Family::Spot | Family::Wallet => Product::Spot,
        }
    }
}

/// What answers.
pub(super) type Answer = fn(&mut Exchange, &Call<'_>) -> Result<Value, ApiError>;

/// One endpoint.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) security: Security,
    pub(super) weight: Weight,
    pub(super) answer: Answer,
}

const fn route(
    method: &'static str,
    path: &'static str,
    security: Security,
    weight: Weight,
    answer: Answer,
) -> Route {
    Route {
        method,
        path,
        security,
        weight,
        answer,
    }
}

use Security::{Futures, Named, Open, Read, Spot, Transfer};
use Weight::{Is, Symbol};

/// Endpoints of `/api`.
const SPOT: &[Route] = &[
    route("GET", "/api/v3/ping", Open, Is(1), market_data::ping),
    route("GET", "/api/v3/time", Open, Is(1), market_data::time),
    route(
        "GET",
        "/api/v3/exchangeInfo",
        Open,
        Is(20),
        spot::info::exchange_info,
    ),
    route(
        "GET",
        "/api/v3/depth",
        Open,
        Weight::SpotDepth,
        market_data::depth,
    ),
    route(
        "GET",
        "/api/v3/avgPrice",
        Open,
        Is(2),
        market_data::average_price,
    ),
    route(
        "GET",
        "/api/v3/ticker/price",
        Open,
        Symbol(2, 4),
        market_data::ticker_price,
    ),
    route(
        "GET",
        "/api/v3/ticker/bookTicker",
        Open,
        Symbol(2, 4),
        market_data::book_ticker,
    ),
    route("POST", "/api/v3/order", Spot, Is(1), spot::place::place),
    route("POST", "/api/v3/order/test", Spot, Is(1), spot::place::test),
    route("GET", "/api/v3/order", Read, Is(4), spot::reads::order),
    route("DELETE", "/api/v3/order", Spot, Is(1), spot::cancel::cancel),
    route(
        "POST",
        "/api/v3/order/cancelReplace",
        Spot,
        Is(1),
        spot::cancel::replace,
    ),
    route(
        "PUT",
        "/api/v3/order/amend/keepPriority",
        Spot,
        Is(4),
        spot::cancel::amend,
    ),
    route(
        "GET",
        "/api/v3/openOrders",
        Read,
        Symbol(6, 80),
        spot::reads::open_orders,
    ),
    route(
        "DELETE",
        "/api/v3/openOrders",
        Spot,
        Is(1),
        spot::cancel::cancel_all,
    ),
    route(
        "GET",
        "/api/v3/allOrders",
        Read,
        Is(20),
        spot::reads::all_orders,
    ),
    route(
        "GET",
        "/api/v3/myTrades",
        Read,
        Weight::Fills,
        spot::reads::fills,
    ),
    route("GET", "/api/v3/account", Read, Is(20), spot::reads::account),
    route(
        "GET",
        "/api/v3/account/commission",
        Read,
        Is(20),
        spot::reads::commission,
    ),
    route(
        "GET",
        "/api/v3/rateLimit/order",
        Read,
        Is(40),
        spot::reads::order_counts,
    ),
];

/// Endpoints of `/fapi`.
const USDM: &[Route] = &[
    route("GET", "/fapi/v1/ping", Open, Is(1), market_data::ping),
    route("GET", "/fapi/v1/time", Open, Is(1), market_data::time),
    route(
        "GET",
        "/fapi/v1/exchangeInfo",
        Open,
        Is(1),
        usdm::info::exchange_info,
    ),
    route(
        "GET",
        "/fapi/v1/depth",
        Open,
        Weight::UsdMDepth,
        market_data::depth,
    ),
    route(
        "GET",
        "/fapi/v1/ticker/price",
        Open,
        Symbol(1, 2),
        market_data::ticker_price,
    ),
    route(
        "GET",
        "/fapi/v2/ticker/price",
        Open,
        Symbol(1, 2),
        market_data::ticker_price,
    ),
    route(
        "GET",
        "/fapi/v1/ticker/bookTicker",
        Open,
        Symbol(2, 5),
        market_data::book_ticker,
    ),
    route(
        "GET",
        "/fapi/v1/premiumIndex",
        Open,
        Symbol(1, 10),
        usdm::funding::premium_index,
    ),
    route(
        "GET",
        "/fapi/v1/fundingRate",
        Open,
        Is(0),
        usdm::funding::history,
    ),
    route(
        "GET",
        "/fapi/v1/fundingInfo",
        Open,
        Is(0),
        usdm::funding::info,
    ),
    route("POST", "/fapi/v1/order", Futures, Is(0), usdm::place::place),
    route(
        "POST",
        "/fapi/v1/order/test",
        Futures,
        Is(0),
        usdm::place::test,
    ),
    route(
        "POST",
        "/fapi/v1/batchOrders",
        Futures,
        Is(5),
        usdm::place::place_many,
    ),
    route("GET", "/fapi/v1/order", Read, Is(1), usdm::reads::order),
    route(
        "PUT",
        "/fapi/v1/order",
        Futures,
        Is(0),
        usdm::cancel::modify,
    ),
    route(
        "DELETE",
        "/fapi/v1/order",
        Futures,
        Is(1),
        usdm::cancel::cancel,
    ),
    route(
        "DELETE",
        "/fapi/v1/batchOrders",
        Futures,
        Is(1),
        usdm::cancel::cancel_many,
    ),
    route(
        "GET",
        "/fapi/v1/openOrder",
        Read,
        Is(1),
        usdm::reads::open_order,
    ),
    route(
        "GET",
        "/fapi/v1/openOrders",
        Read,
        Symbol(1, 40),
        usdm::reads::open_orders,
    ),
    route(
        "DELETE",
        "/fapi/v1/allOpenOrders",
        Futures,
        Is(1),
        usdm::cancel::cancel_all,
    ),
    route(
        "POST",
        "/fapi/v1/countdownCancelAll",
        Futures,
        Is(10),
        usdm::cancel::countdown,
    ),
    route(
        "GET",
        "/fapi/v1/allOrders",
        Read,
        Is(5),
        usdm::reads::all_orders,
    ),
    route(
        "GET",
        "/fapi/v1/userTrades",
        Read,
        Is(5),
        usdm::reads::fills,
    ),
    route("GET", "/fapi/v3/account", Read, Is(5), usdm::reads::account),
    route("GET", "/fapi/v2/account", Read, Is(5), usdm::reads::account),
    route("GET", "/fapi/v3/balance", Read, Is(5), usdm::reads::balance),
    route("GET", "/fapi/v2/balance", Read, Is(5), usdm::reads::balance),
    route(
        "GET",
        "/fapi/v3/positionRisk",
        Read,
        Is(5),
        usdm::reads::positions,
    ),
    route(
        "GET",
        "/fapi/v1/accountConfig",
        Read,
        Is(5),
        usdm::config::account,
    ),
    route(
        "GET",
        "/fapi/v1/symbolConfig",
        Read,
        Is(5),
        usdm::config::symbols,
    ),
    route(
        "GET",
        "/fapi/v1/leverageBracket",
        Read,
        Is(1),
        usdm::config::brackets,
    ),
    route(
        "GET",
        "/fapi/v1/commissionRate",
        Read,
        Is(20),
        usdm::config::commission,
    ),
    route(
        "GET",
        "/fapi/v1/feeBurn",
        Read,
        Is(30),
        usdm::config::fee_burn,
    ),
    route(
        "GET",
        "/fapi/v1/multiAssetsMargin",
        Read,
        Is(30),
        usdm::config::multi_assets,
    ),
    route(
        "GET",
        "/fapi/v1/positionSide/dual",
        Read,
        Is(30),
        usdm::config::position_mode,
    ),
    route(
        "POST",
        "/fapi/v1/positionSide/dual",
        Futures,
        Is(1),
        usdm::config::set_position_mode,
    ),
    route(
        "POST",
        "/fapi/v1/leverage",
        Futures,
        Is(1),
        usdm::config::set_leverage,
    ),
    route(
        "POST",
        "/fapi/v1/marginType",
        Futures,
        Is(1),
        usdm::config::set_margin_type,
    ),
    route(
        "POST",
        "/fapi/v1/positionMargin",
        Futures,
        Is(1),
        usdm::config::move_margin,
    ),
    route("GET", "/fapi/v1/income", Read, Is(30), usdm::reads::income),
    route(
        "POST",
        "/fapi/v1/listenKey",
        Named,
        Is(1),
        stream::keys::make,
    ),
    route(
        "PUT",
        "/fapi/v1/listenKey",
        Named,
        Is(1),
        stream::keys::extend,
    ),
    route(
        "DELETE",
        "/fapi/v1/listenKey",
        Named,
        Is(1),
        stream::keys::close,
    ),
];

/// Endpoints of `/sapi`.
const WALLET: &[Route] = &[
    route(
        "POST",
        "/sapi/v1/asset/transfer",
        Transfer,
        Is(1),
        wallet::transfer,
    ),
    route(
        "GET",
        "/sapi/v1/asset/transfer",
        Read,
        Is(1),
        wallet::transfers,
    ),
    route(
        "GET",
        "/sapi/v1/account/apiRestrictions",
        Read,
        Is(1),
        wallet::key_permissions,
    ),
];

/// Finds the endpoint of a method and a path.
pub(super) fn find(method: &str, path: &str) -> Option<&'static Route> {
    let table = match Family::of(path)? {
        Family::Spot => SPOT,
        Family::UsdM => USDM,
        Family::Wallet => WALLET,
    };
    let mut rows = table.iter();
    rows.find(|row| row.path == path && row.method == method)
}
