//! Every endpoint: who may ask, how often, what answers.

use serde_json::Value;

use super::error::ApiError;
use super::limits::Pool;
use super::params::Params;
use super::{Exchange, account, dead_man, info, market_data, orders, reads, wallet, withdrawals};

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing; a signature is not looked at.
    Open,
    /// A signature.
    Read,
    /// A signature of a key that may trade.
    Trade,
    /// A signature of a key that may withdraw.
    Withdraw,
}

/// How many requests an endpoint takes, in two seconds where nothing else is said.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// Of an address, or of an account.
    Is(u32),
    /// The same in one second.
    Second(u32),
    /// Of an account in each instrument.
    Instrument(u32),
    /// Orders of a batch, of an account in each instrument; a batch of one is counted with the single ones,
    /// under that path and its limit.
    Batch(u32, (&'static str, u32)),
    /// In one second, of an account for each value of a parameter.
    By(&'static str, u32),
}

impl Limit {
    /// Returns what is counted, each with its pool, the most in a window, and how many.
    pub(super) fn of(
        self,
        (method, path): (&'static str, &'static str),
        account: u32,
        requests: &[Params],
    ) -> Vec<(Pool, (u32, i64), u32)> {
        let of = |params: &Params, name| params.text(name).unwrap_or_default().to_owned();
        let first = |name| {
            requests
                .first()
                .map_or_else(String::new, |params| of(params, name))
        };
        let pool = |path, of| Pool::new((method, path), account, of);
        match self {
            Self::Is(most) => vec![(pool(path, String::new()), (most, 2_000), 1)],
            Self::Second(most) => vec![(pool(path, String::new()), (most, 1_000), 1)],
            Self::By(name, most) => vec![(pool(path, first(name)), (most, 1_000), 1)],
            Self::Instrument(most) => vec![(pool(path, first("instId")), (most, 2_000), 1)],
            Self::Batch(_, (single, most)) if requests.len() == 1 => {
                vec![(pool(single, first("instId")), (most, 2_000), 1)]
            }
            Self::Batch(most, _) => {
                let each = requests.iter().map(|params| of(params, "instId"));
                let pools = each.map(|instrument| (pool(path, instrument), (most, 2_000), 1));
                pools.collect()
            }
        }
    }
}

/// A request that passed limits and signature.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// Its parameters; of a batch, those of each order.
    pub(super) requests: &'a [Params],
    /// The account of the key; the house's of what is open to all.
    pub(super) account: u32,
    /// The key's name.
    pub(super) key: &'a str,
    /// Whether its deadline has passed since it was let in.
    pub(super) is_late: bool,
}

impl Call<'_> {
    /// The parameters of a request that is no batch.
    pub(super) fn params(&self) -> &Params {
        self.requests
            .first()
            .expect("invariant: a request has parameters, if empty ones")
    }
}

type Answer = fn(&mut Exchange, &mut Call<'_>) -> Result<Vec<Value>, ApiError>;

/// One endpoint.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) access: Access,
    pub(super) limit: Limit,
    pub(super) answer: Answer,
}

const fn route(
    method: &'static str,
    path: &'static str,
    access: Access,
    limit: Limit,
    answer: Answer,
) -> Route {
    Route {
        method,
        path,
        access,
        limit,
        answer,
    }
}

const fn open(path: &'static str, most: u32, answer: Answer) -> Route {
    route("GET", path, Access::Open, Limit::Is(most), answer)
}

const fn read(path: &'static str, limit: Limit, answer: Answer) -> Route {
    route("GET", path, Access::Read, limit, answer)
}

const fn act(path: &'static str, limit: Limit, answer: Answer) -> Route {
    route("POST", path, Access::Trade, limit, answer)
}

const ORDER: &str = "/api/v5/trade/order";
const AMEND: &str = "/api/v5/trade/amend-order";
const CANCEL: &str = "/api/v5/trade/cancel-order";

const ROUTES: &[Route] = &[
    open("/api/v5/public/time", 10, info::time),
    open("/api/v5/public/instruments", 20, info::instruments),
    open("/api/v5/public/position-tiers", 10, info::tiers),
    open("/api/v5/public/mark-price", 10, market_data::mark_price),
    open("/api/v5/public/price-limit", 20, market_data::price_limit),
    open("/api/v5/public/funding-rate", 10, market_data::funding_rate),
    open(
        "/api/v5/public/funding-rate-history",
        10,
        market_data::funding_history,
    ),
    open("/api/v5/market/ticker", 20, market_data::ticker),
    open("/api/v5/market/books", 40, market_data::books),
    open("/api/v5/system/status", 1, info::status),
    act(ORDER, Limit::Instrument(60), orders::place),
    act(
        "/api/v5/trade/batch-orders",
        Limit::Batch(300, (ORDER, 60)),
        orders::place_batch,
    ),
    act(AMEND, Limit::Instrument(60), orders::amend),
    act(
        "/api/v5/trade/amend-batch-orders",
        Limit::Batch(300, (AMEND, 60)),
        orders::amend_batch,
    ),
    act(CANCEL, Limit::Instrument(60), orders::cancel),
    act(
        "/api/v5/trade/cancel-batch-orders",
        Limit::Batch(300, (CANCEL, 60)),
        orders::cancel_batch,
    ),
    act(
        "/api/v5/trade/cancel-all-after",
        Limit::By("tag", 1),
        dead_man::cancel_all_after,
    ),
    read(ORDER, Limit::Instrument(60), reads::order),
    read(
        "/api/v5/trade/orders-pending",
        Limit::Is(60),
        reads::pending,
    ),
    read(
        "/api/v5/trade/orders-history",
        Limit::Is(40),
        reads::history,
    ),
    read(
        "/api/v5/trade/orders-history-archive",
        Limit::Is(20),
        reads::archive,
    ),
    read("/api/v5/trade/fills", Limit::Is(60), reads::fills),
    read(
        "/api/v5/trade/fills-history",
        Limit::Is(10),
        reads::old_fills,
    ),
    read("/api/v5/account/balance", Limit::Is(10), account::balance),
    read(
        "/api/v5/account/positions",
        Limit::Is(10),
        account::positions,
    ),
    read("/api/v5/account/config", Limit::Is(5), account::config),
    read(
        "/api/v5/account/instruments",
        Limit::Is(20),
        info::instruments,
    ),
    read(
        "/api/v5/account/leverage-info",
        Limit::Is(20),
        account::leverage,
    ),
    read("/api/v5/account/trade-fee", Limit::Is(5), account::fees),
    read("/api/v5/account/bills", Limit::Is(10), account::bills),
    read(
        "/api/v5/account/bills-archive",
        Limit::Is(5),
        account::old_bills,
    ),
    read(
        "/api/v5/account/max-withdrawal",
        Limit::Is(20),
        account::withdrawable,
    ),
    act(
        "/api/v5/account/set-leverage",
        Limit::Is(20),
        account::set_leverage,
    ),
    act(
        "/api/v5/account/set-position-mode",
        Limit::Is(5),
        account::set_position_mode,
    ),
    read("/api/v5/asset/balances", Limit::Second(6), wallet::balances),
    act(
        "/api/v5/asset/transfer",
        Limit::By("ccy", 2),
        wallet::transfer,
    ),
    read(
        "/api/v5/asset/transfer-state",
        Limit::Second(10),
        wallet::transfer_state,
    ),
    read(
        "/api/v5/asset/currencies",
        Limit::Second(6),
        wallet::currencies,
    ),
    read(
        "/api/v5/asset/deposit-address",
        Limit::Second(6),
        withdrawals::address,
    ),
    read(
        "/api/v5/asset/deposit-history",
        Limit::Second(6),
        withdrawals::deposits,
    ),
    read(
        "/api/v5/asset/withdrawal-history",
        Limit::Second(6),
        withdrawals::history,
    ),
    route(
        "POST",
        "/api/v5/asset/withdrawal",
        Access::Withdraw,
        Limit::Second(6),
        withdrawals::withdraw,
    ),
];

/// Finds the endpoint of a method and a path.
pub(super) fn find(method: &str, path: &str) -> Option<&'static Route> {
    let mut routes = ROUTES.iter();
    routes.find(|route| route.path == path && route.method == method)
}
