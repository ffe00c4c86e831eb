//! The venue in process as a machine's network.

use std::collections::BTreeMap;

use basis_core::rules::RuleSnapshot;
use basis_core::transport::{Request, TransportError};
use basis_core::types::{Side, Timestamp};
use basis_live::actor::{Input, Lane, Network, RequestId};
use basis_sim::server::bybit::{
    AccountSettings, Category, Exchange, Permissions, Settings, Verifier,
};
use basis_sim::server::{Content, Server, faults::Rule};
use basis_testkit::{BTC, START, USDT, p, q, rules};

use crate::venue::{BITCOIN, KEY, SECRET};

/// What an account begins with.
pub(super) const UNIFIED_USDT: &str = "150000";
pub(super) const UNIFIED_BTC: &str = "2";
pub(super) const FUND_USDT: &str = "5000";

pub(super) fn snapshot() -> RuleSnapshot {
    rules("bybit").at(START).clone()
}

/// How far our clock and the venue's are apart, and what the venue does to readers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Temper {
    pub(super) clock_ahead_ms: i64,
    pub(super) stale_reads_ms: i64,
    pub(super) late_rows_ms: i64,
    pub(super) duplicate_rows: bool,
    pub(super) transfer_delay_ms: i64,
    pub(super) transfers_fail: bool,
    pub(super) engine_ms: i64,
    pub(super) request_ms: i64,
    pub(super) reply_ms: i64,
}

/// The venue and who is connected to it. It outlives the processes that speak to it.
#[derive(Debug)]
pub(super) struct Venue {
    pub(super) server: Server<Exchange>,
    pub(super) account: u32,
    /// Requests of the process that lives.
    requests: BTreeMap<basis_sim::server::RequestId, RequestId>,
    /// Everything that was sent, as it left.
    pub(super) sent: Vec<(Timestamp, Request)>,
    /// Whether an order whose connection breaks is sent again under another id: a mistake.
    pub(super) retries: bool,
    orders: BTreeMap<basis_sim::server::RequestId, Request>,
}

impl Venue {
    pub(super) fn new(seed: u64, temper: Temper) -> Self {
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
            unified: vec![(USDT, q(UNIFIED_USDT)), (BITCOIN, q(UNIFIED_BTC))],
            fund: vec![(USDT, q(FUND_USDT))],
            ..AccountSettings::entry_tier()
        };
        let account = server.at(START, |exchange| {
            let account = exchange.add_account(funded);
            let secret = Verifier::Hmac(SECRET.into());
            exchange.add_key(account, KEY, secret, Permissions::trading());
            exchange.set_mark(BTC, p("50000"), p("50000")).unwrap();
            exchange.set_transfers_fail(temper.transfers_fail);
            account
        });
        let mut venue = Self {
            server,
            account,
            requests: BTreeMap::new(),
            sent: Vec::new(),
            retries: false,
            orders: BTreeMap::new(),
        };
        for category in [Category::Spot, Category::Linear] {
            for (bid, ask, quantity) in [
                ("49990", "50000", "0.013"),
                ("49980", "50010", "0.05"),
                ("49970", "50020", "1"),
            ] {
                venue.act(START, |exchange| {
                    let quantity = q(quantity);
                    exchange
                        .rest(category, BTC, Side::Buy, p(bid), quantity)
                        .unwrap();
                    exchange
                        .rest(category, BTC, Side::Sell, p(ask), quantity)
                        .unwrap();
                });
            }
        }
        venue
    }

    /// Does something at the venue.
    pub(super) fn act<T>(&mut self, now: Timestamp, act: impl FnOnce(&mut Exchange) -> T) -> T {
        self.server.at(now, act)
    }

    /// Trades against whatever rests.
    pub(super) fn trade(&mut self, now: Timestamp, category: Category, side: Side, quantity: &str) {
        let quantity = q(quantity);
        self.act(now, |exchange| {
            // A book that is empty on that side trades less, or nothing.
            exchange.trade(category, BTC, side, quantity).ok();
        });
    }

    pub(super) fn set_faults(&mut self, rules: Vec<Rule>) {
        self.server.set_faults(rules);
    }

    /// The process died: nobody waits for what is under way.
    pub(super) fn forget(&mut self) {
        self.requests.clear();
        self.orders.clear();
    }
}

/// The request of an order anew: signed as the client would have, with the next client id. Such a client
/// exists: it takes a broken connection for an order that was not taken.
fn again(request: &Request) -> Option<Request> {
    let body = String::from_utf8(request.body.clone()).ok()?;
    let (head, rest) = body.split_once("\"orderLinkId\":\"")?;
    let (id, tail) = rest.split_once('"')?;
    let body = format!("{head}\"orderLinkId\":\"{id}x\"{tail}");
    let mut request = request.clone();
    let header = |name: &str| {
        let mut headers = request.headers.iter();
        headers
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.clone())
    };
    let text = format!(
        "{}{KEY}{}{body}",
        header("X-BAPI-TIMESTAMP")?,
        header("X-BAPI-RECV-WINDOW")?
    );
    let signature = {
        use basis_core::secret::Secret;
        use basis_venues::bybit::codec::signing::Keys;
        use basis_venues::wire::HeaderSigner;

        let keys = Keys::new(Secret::new(KEY.to_owned()), &Secret::new(SECRET.to_owned())).ok()?;
        keys.sign(&text).expose().to_owned()
    };
    let sign = request
        .headers
        .iter_mut()
        .find(|(name, _)| name == "X-BAPI-SIGN")?;
    sign.1 = signature;
    request.body = body.into_bytes();
    Some(request)
}

impl Network for Venue {
    fn send(&mut self, now: Timestamp, id: RequestId, _lane: Lane, request: Request) {
        self.sent.push((now, request.clone()));
        let is_order = self.retries && request.url.ends_with("/v5/order/create");
        let copy = is_order.then(|| request.clone());
        let number = self.server.send(now, request);
        self.orders.extend(copy.map(|request| (number, request)));
        self.requests.insert(number, id);
    }

    fn due(&self) -> Option<Timestamp> {
        self.server.next_due()
    }

    fn arrivals(&mut self, now: Timestamp, inputs: &mut Vec<Input>) {
        for delivery in self.server.advance(now) {
            let (number, result) = match delivery.content {
                Content::Answer(number, response) => (number, Ok(response)),
                Content::Broken(number) => {
                    let again = self.orders.remove(&number).as_ref().and_then(again);
                    if let Some(request) = again {
                        let id = self.requests.remove(&number);
                        let number = self.server.send(now, request);
                        self.requests.extend(id.map(|id| (number, id)));
                        continue;
                    }
                    (
                        number,
                        Err(TransportError::Unanswered("it broke".to_owned())),
                    )
                }
                Content::Text(..) | Content::Ping(..) | Content::Closed(..) => continue,
            };
            let id = self.requests.remove(&number);
            inputs.extend(id.map(|id| Input::Answer { id, result }));
        }
    }
}
