//! Bybit as the schedules see it.

use basis_core::rules::RuleSnapshot;
use basis_core::secret::Secret;
use basis_core::transport::{Request, Response};
use basis_core::types::Venue;
use basis_core::venue_event::{OrderState, TradeId};
use basis_sim::server::Server;
use basis_sim::server::bybit::{
    AccountSettings, Bybit as Served, Exchange, Permissions, Settings, Verifier, busy, refusal,
    server_error,
};
use basis_sim::server::faults::Failure;
use basis_sim::server::unified::Execution;
use basis_testkit::{BTC, START, USDT, q, rules};
use basis_venues::bybit::codec::signing::Keys;
use basis_venues::bybit::live::{VENUE, machine};
use basis_venues::live::{Endpoint, LiveSettings, Machine};
use basis_venues::wire::HeaderSigner;

use crate::kit::venue::{FUNDING_USDT, TRADING_BTC, TRADING_USDT, Temper};
use crate::kit::{Bench, Paths, header, set_header, value_after};
use crate::process::book;
use crate::venue::{BITCOIN, KEY, SECRET};

/// The venue and its client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bybit;

pub(super) fn snapshot() -> RuleSnapshot {
    rules("bybit").at(START).clone()
}

pub(super) fn keys() -> Keys {
    let key = Secret::new(KEY.to_owned());
    Keys::new(key, &Secret::new(SECRET.to_owned())).unwrap()
}

impl Bench for Bybit {
    type Ways = Served;

    const VENUE: Venue = VENUE;
    const TRADING: &'static str = "unified";
    const PATHS: Paths = Paths {
        place: "/v5/order/create",
        cancel: "/v5/order/cancel",
        amend: "/v5/order/amend",
        transfer: "/v5/asset/transfer/inter-transfer",
        leverage: "/v5/position/set-leverage",
    };
    const ASKS: &'static [&'static str] = &[
        "/v5/order/realtime",
        "/v5/order/history",
        "/v5/execution/list",
        "/v5/position/list",
        "/v5/asset/transfer/query-inter-transfer-list",
        "/v5/market/tickers",
    ];
    const REFUSED_LATER: OrderState = OrderState::Rejected;
    const SAYS_RESULTS: bool = false;
    const SIGNATURE: &'static str = "X-BAPI-SIGN";
    const SECRETS: &'static [&'static str] = &[KEY, SECRET];
    const RESOLVED_MS: i64 = 90_000;

    fn server(seed: u64, temper: Temper) -> (Server<Exchange>, u32) {
        let mut settings = Settings::of_rules(&snapshot(), seed);
        settings.clock_ahead_ms = temper.clock_ahead_ms;
        settings.engine_ms = temper.engine_ms;
        settings.latency.request_ms = temper.request_ms;
        settings.latency.reply_ms = temper.reply_ms;
        settings.behavior.stale_reads_ms = temper.stale_reads_ms;
        settings.behavior.late_rows_ms = temper.late_rows_ms;
        settings.behavior.duplicate_rows = temper.duplicate_rows;
        settings.behavior.transfer_delay_ms = temper.transfer_delay_ms;
        let mut server = Server::new(settings, START);
        let funded = AccountSettings {
            unified: vec![(USDT, q(TRADING_USDT)), (BITCOIN, q(TRADING_BTC))],
            fund: vec![(USDT, q(FUNDING_USDT))],
            ..AccountSettings::entry_tier()
        };
        let account = server.at(START, |exchange| {
            let account = exchange.add_account(funded);
            let secret = Verifier::Hmac(SECRET.into());
            exchange.add_key(account, KEY, secret, Permissions::trading());
            account
        });
        (server, account)
    }

    fn machine() -> Machine {
        let endpoint = Endpoint::on_loopback(VENUE, "http://127.0.0.1:9").unwrap();
        let settings = LiveSettings::new(book(), endpoint, vec![BTC]);
        machine(settings, snapshot(), Box::new(keys()), None)
    }

    fn uncertain() -> Vec<Failure> {
        vec![
            server_error(),
            refusal(200, 10_000, "Server Timeout"),
            refusal(
                200,
                170_007,
                "Timeout waiting for response from backend server.",
            ),
            refusal(
                200,
                429,
                "The trading service is experiencing a high server load.",
            ),
            refusal(200, 999_999, "A new rule."),
            refusal(500, 10_016, "Server error."),
            Failure::BadGateway,
            Failure::GatewayTimeout,
            Failure::Page,
            busy(),
        ]
    }

    fn refused() -> Vec<Failure> {
        vec![
            refusal(
                200,
                10_002,
                "invalid request, please check your server timestamp or recv_window param.",
            ),
            refusal(200, 10_006, "Too many visits. Exceeded the API Rate Limit."),
            refusal(200, 10_429, "System level frequency protection."),
            refusal(200, 110_007, "ab not enough for new order"),
            Failure::Answer(Response {
                status: 429,
                headers: Vec::new(),
                body: Vec::new(),
            }),
        ]
    }

    fn turned_away() -> Option<(Failure, i64)> {
        Some((busy(), 630_000))
    }

    fn trade_id(row: &Execution) -> TradeId {
        TradeId::Text(row.id.as_str().into())
    }

    fn asked(request: &Request) -> Option<String> {
        let is_question = request.url.contains("/v5/order/realtime");
        is_question.then(|| value_after(&request.url, "orderLinkId="))?
    }

    fn is_not_found(answer: &str) -> bool {
        answer.contains("\"list\":[]")
    }

    fn placed(request: &Request) -> Option<String> {
        let body = String::from_utf8_lossy(&request.body);
        let is_order = request.url.contains(Self::PATHS.place);
        is_order.then(|| value_after(&body, "\"orderLinkId\":\""))?
    }

    fn is_taken(answer: &str) -> bool {
        answer.contains("\"retCode\":0")
    }

    fn again(request: &Request) -> Option<Request> {
        let body = String::from_utf8(request.body.clone()).ok()?;
        let (head, rest) = body.split_once("\"orderLinkId\":\"")?;
        let (id, tail) = rest.split_once('"')?;
        let body = format!("{head}\"orderLinkId\":\"{id}x\"{tail}");
        let text = format!(
            "{}{KEY}{}{body}",
            header(request, "X-BAPI-TIMESTAMP")?,
            header(request, "X-BAPI-RECV-WINDOW")?
        );
        let mut request = request.clone();
        let signature = keys().sign(&text).expose().to_owned();
        set_header(&mut request, Self::SIGNATURE, signature);
        request.body = body.into_bytes();
        Some(request)
    }
}
