//! OKX as the schedules see it.

use basis_core::rules::RuleSnapshot;
use basis_core::secret::Secret;
use basis_core::transport::{Request, Response};
use basis_core::types::Venue;
use basis_core::venue_event::{OrderState, TradeId};
use basis_sim::server::Server;
use basis_sim::server::faults::Failure;
use basis_sim::server::okx::{
    AccountSettings, Exchange, Okx as Served, Permissions, Settings, Verifier, busy, maintenance,
    order_refusal, refusal, server_error, timed_out,
};
use basis_sim::server::unified::Execution;
use basis_testkit::{BTC, START, USDT, q, rules};
use basis_venues::live::{Endpoint, LiveSettings, Machine};
use basis_venues::okx::codec::signing::Keys;
use basis_venues::okx::codec::{Network, signed_text};
use basis_venues::okx::live::{VENUE, machine};
use basis_venues::wire::HeaderSigner;

use crate::kit::venue::{FUNDING_USDT, TRADING_BTC, TRADING_USDT, Temper};
use crate::kit::{Bench, Paths, header, set_header, value_after};
use crate::process::book;
use crate::venue::{BITCOIN, KEY, SECRET};

/// What the key is used with.
pub(super) const PASSPHRASE: &str = "thepassphraseofthetests0001";

/// The venue and its client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Okx;

pub(super) fn snapshot() -> RuleSnapshot {
    rules("okx").at(START).clone()
}

pub(super) fn keys() -> Keys {
    let secret = |text: &str| Secret::new(text.to_owned());
    Keys::new(secret(KEY), &secret(SECRET), secret(PASSPHRASE)).unwrap()
}

/// The key at the venue.
pub(super) fn verifier() -> (Verifier, &'static str) {
    (Verifier::HmacBase64(SECRET.into()), PASSPHRASE)
}

impl Bench for Okx {
    type Ways = Served;

    const VENUE: Venue = VENUE;
    const TRADING: &'static str = "trading";
    const PATHS: Paths = Paths {
        place: "/api/v5/trade/order",
        cancel: "/api/v5/trade/cancel-order",
        amend: "/api/v5/trade/amend-order",
        transfer: "/api/v5/asset/transfer",
        leverage: "/api/v5/account/set-leverage",
    };
    const ASKS: &'static [&'static str] = &[
        "/api/v5/trade/order",
        "/api/v5/trade/orders-pending",
        "/api/v5/trade/orders-history",
        "/api/v5/trade/fills",
        "/api/v5/account/leverage-info",
        "/api/v5/asset/transfer-state",
        "/api/v5/market/ticker",
    ];
    // There is no word for what the engine refused.
    const REFUSED_LATER: OrderState = OrderState::Cancelled;
    const SAYS_RESULTS: bool = true;
    const SIGNATURE: &'static str = "OK-ACCESS-SIGN";
    const SECRETS: &'static [&'static str] = &[KEY, SECRET, PASSPHRASE];
    // What bears no deadline may be accepted for half a minute.
    const RESOLVED_MS: i64 = 120_000;

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
            trading: vec![(USDT, q(TRADING_USDT)), (BITCOIN, q(TRADING_BTC))],
            funding: vec![(USDT, q(FUNDING_USDT))],
            ..AccountSettings::entry_tier()
        };
        let account = server.at(START, |exchange| {
            let account = exchange.add_account(funded);
            exchange.add_key(account, KEY, verifier(), Permissions::trading());
            account
        });
        (server, account)
    }

    fn machine() -> Machine {
        let endpoint = Endpoint::on_loopback(VENUE, "http://127.0.0.1:9").unwrap();
        let settings = LiveSettings::new(book(), endpoint, vec![BTC]);
        let settings = (settings, Network::Live);
        machine(settings, snapshot(), Box::new(keys()), None)
    }

    fn uncertain() -> Vec<Failure> {
        vec![
            server_error(),
            timed_out(),
            // Its HTTP status is that of a limit, and it proves nothing all the same.
            busy(),
            maintenance(),
            refusal(200, 51_054, "Request timed out. Please try again."),
            order_refusal(51_149, "Order timed out. Please try again."),
            order_refusal(999_999, "A new rule."),
            refusal(200, 1, "All operations failed"),
            Failure::Answer(Response {
                status: 429,
                headers: Vec::new(),
                body: Vec::new(),
            }),
            Failure::BadGateway,
            Failure::GatewayTimeout,
            Failure::Page,
        ]
    }

    fn refused() -> Vec<Failure> {
        vec![
            refusal(401, 50_102, "Timestamp request expired"),
            refusal(
                200,
                50_036,
                "The expTime can't be earlier than the current system time.",
            ),
            order_refusal(
                50_037,
                "The expTime is earlier than the current system time.",
            ),
            refusal(429, 50_011, "Too Many Requests"),
            order_refusal(50_061, "Sub-account rate limit exceeded."),
            order_refusal(51_008, "Order failed. Insufficient balance in the account."),
        ]
    }

    fn trade_id(row: &Execution) -> TradeId {
        TradeId::Number(row.trade)
    }

    fn asked(request: &Request) -> Option<String> {
        let is_question = request.url.contains("/api/v5/trade/order?");
        is_question.then(|| value_after(&request.url, "clOrdId="))?
    }

    fn is_not_found(answer: &str) -> bool {
        answer.contains("\"51603\"")
    }

    fn placed(request: &Request) -> Option<String> {
        let body = String::from_utf8_lossy(&request.body);
        let is_order = request.url.ends_with(Self::PATHS.place);
        is_order.then(|| value_after(&body, "\"clOrdId\":\""))?
    }

    fn is_taken(answer: &str) -> bool {
        answer.contains("\"sCode\":\"0\"")
    }

    fn again(request: &Request) -> Option<Request> {
        let body = String::from_utf8(request.body.clone()).ok()?;
        let (head, rest) = body.split_once("\"clOrdId\":\"")?;
        let (id, tail) = rest.split_once('"')?;
        // Its first letter is another: it stays as long as ids may be, and is none of the book's.
        let rest = id.get(1..)?;
        let body = format!("{head}\"clOrdId\":\"z{rest}\"{tail}");
        let at = header(request, "OK-ACCESS-TIMESTAMP")?;
        let text = signed_text(&at, "POST", Self::PATHS.place, &body);
        let mut request = request.clone();
        let signature = keys().sign(&text).expose().to_owned();
        set_header(&mut request, Self::SIGNATURE, signature);
        request.body = body.into_bytes();
        Some(request)
    }
}
