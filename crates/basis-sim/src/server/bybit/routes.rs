//! Every endpoint: who may ask, how often, what answers.

use serde_json::Value;

use super::error::ApiError;
use super::params::Params;
use super::{Exchange, info, orders, reads, wallet};

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing.
    Open,
    /// A signature.
    Read,
    /// A signature of a key that may trade the category.
    Trade,
    /// A signature of a key that may move between accounts.
    Transfer,
}

/// How many requests of an account an endpoint takes a second.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// So many, counted under a name.
    Is(&'static str, u32),
    /// Of perpetuals and of spot, each counted by itself.
    Orders(&'static str, (u32, u32)),
    /// The same, each order of a batch counted.
    Batch(&'static str, (u32, u32)),
}

impl Limit {
    /// Returns the name it is counted under, the most, and how much `params` count.
    pub(super) fn of(self, params: &Params) -> (&'static str, u32, u32) {
        let is_spot = params.text("category") == Some("spot");
        match self {
            Self::Is(name, most) => (name, most, 1),
            Self::Orders(name, (linear, spot)) => {
                if is_spot {
                    (name, spot, 1)
                } else {
                    // The name of the spot pool without its first letter is that of the other.
                    (name.get(1..).unwrap_or(name), linear, 1)
                }
            }
            Self::Batch(name, (linear, spot)) => {
                let count = params.requests().map_or(1, |requests| requests.len());
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                if is_spot {
                    (name, spot, count)
                } else {
                    (name.get(1..).unwrap_or(name), linear, count)
                }
            }
        }
    }
}

/// A request that passed limits and signature.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) params: &'a Params,
    /// The account of the key; the house's of what is open to all.
    pub(super) account: u32,
    /// The key's name.
    pub(super) key: &'a str,
    /// What a batch says of each of its requests.
    pub(super) each: Vec<Value>,
}

/// One endpoint.
pub(super) struct Route {
    method: &'static str,
    path: &'static str,
    pub(super) access: Access,
    pub(super) limit: Limit,
    /// The text of a success.
    pub(super) ok: &'static str,
    pub(super) answer: fn(&mut Exchange, &mut Call<'_>) -> Result<Value, ApiError>,
}

const fn open(
    path: &'static str,
    answer: fn(&mut Exchange, &mut Call<'_>) -> Result<Value, ApiError>,
) -> Route {
    Route {
        method: "GET",
        path,
        access: Access::Open,
        limit: Limit::Is("", u32::MAX),
        ok: "OK",
        answer,
    }
}

const fn read(
    path: &'static str,
    per_second: u32,
    answer: fn(&mut Exchange, &mut Call<'_>) -> Result<Value, ApiError>,
) -> Route {
    Route {
        method: "GET",
        path,
        access: Access::Read,
        limit: Limit::Is(path, per_second),
        ok: "OK",
        answer,
    }
}

const fn act(
    path: &'static str,
    limit: Limit,
    answer: fn(&mut Exchange, &mut Call<'_>) -> Result<Value, ApiError>,
) -> Route {
    Route {
        method: "POST",
        path,
        access: Access::Trade,
        limit,
        ok: "OK",
        answer,
    }
}

const ROUTES: &[Route] = &[
    open("/v5/market/time", info::time),
    open("/v5/market/instruments-info", info::instruments),
    open("/v5/market/tickers", info::tickers),
    open("/v5/market/orderbook", info::orderbook),
    open("/v5/market/risk-limit", info::risk_limits),
    open("/v5/market/funding/history", info::funding_history),
    act(
        "/v5/order/create",
        Limit::Orders("screate", (10, 20)),
        orders::create,
    ),
    act(
        "/v5/order/amend",
        Limit::Orders("samend", (10, 10)),
        orders::amend,
    ),
    act(
        "/v5/order/cancel",
        Limit::Orders("scancel", (10, 20)),
        orders::cancel,
    ),
    act(
        "/v5/order/cancel-all",
        Limit::Orders("scancel-all", (10, 20)),
        orders::cancel_all,
    ),
    act(
        "/v5/order/create-batch",
        Limit::Batch("screate-batch", (10, 20)),
        orders::create_batch,
    ),
    act(
        "/v5/order/cancel-batch",
        Limit::Batch("scancel-batch", (10, 20)),
        orders::cancel_batch,
    ),
    read("/v5/order/realtime", 50, reads::realtime),
    read("/v5/order/history", 50, reads::history),
    read("/v5/execution/list", 50, reads::executions),
    read("/v5/position/list", 50, reads::positions),
    act(
        "/v5/position/set-leverage",
        Limit::Is("set-leverage", 10),
        info::set_leverage,
    ),
    act(
        "/v5/position/switch-mode",
        Limit::Is("switch-mode", 10),
        info::switch_mode,
    ),
    act(
        "/v5/account/set-margin-mode",
        Limit::Is("set-margin-mode", 5),
        info::set_margin_mode,
    ),
    read("/v5/account/info", 50, info::account),
    read("/v5/account/fee-rate", 5, info::fee_rates),
    read("/v5/account/wallet-balance", 50, reads::balances),
    read("/v5/account/transaction-log", 25, reads::log),
    read("/v5/account/withdrawal", 50, wallet::withdrawable),
    Route {
        access: Access::Transfer,
        ok: "success",
        ..act(
            "/v5/asset/transfer/inter-transfer",
            // 60 a minute.
            Limit::Is("inter-transfer", 1),
            wallet::transfer,
        )
    },
    Route {
        ok: "success",
        ..read(
            "/v5/asset/transfer/query-inter-transfer-list",
            50,
            wallet::transfers,
        )
    },
    Route {
        ok: "success",
        ..read(
            "/v5/asset/transfer/query-account-coins-balance",
            50,
            wallet::coins,
        )
    },
    Route {
        ok: "",
        ..read("/v5/user/query-api", 10, wallet::key)
    },
];

/// Finds the endpoint of a method and a path.
pub(super) fn find(method: &str, path: &str) -> Option<&'static Route> {
    let mut routes = ROUTES.iter();
    routes.find(|route| route.path == path && route.method == method)
}
