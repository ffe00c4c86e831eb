//! The venue in process as a machine's network.

use std::collections::{BTreeMap, VecDeque};
use std::sync::OnceLock;

use basis_core::num::Quantity;
use basis_core::rules::RuleSnapshot;
use basis_core::secret::Secret;
use basis_core::transport::{Request, TransportError};
use basis_core::types::{Asset, Side, Span, Timestamp};
use basis_live::actor::{Input, Lane, Network, RequestId, StreamId, StreamNews};
use basis_sim::server::binance::{
    AccountSettings, Exchange, Permissions, Product, Settings, Verifier,
};
use basis_sim::server::{ConnectionId, Content, Server, faults::Rule};
use basis_testkit::{BTC, START, USDT, p, q, rules};

pub(crate) const KEY: &str = "thekeyofthetests0001";
pub(crate) const SECRET: &str = "thesecretofthetests0001";
pub(crate) const BITCOIN: Asset = Asset::literal("BTC");
pub(crate) const BNB: Asset = Asset::literal("BNB");

/// What an account begins with.
pub(crate) const SPOT_USDT: &str = "100000";
pub(crate) const SPOT_BTC: &str = "2";
pub(crate) const PERP_USDT: &str = "50000";

/// The rules of both sides; they are read once for all schedules.
pub(crate) fn snapshot() -> RuleSnapshot {
    static RULES: OnceLock<RuleSnapshot> = OnceLock::new();
    RULES
        .get_or_init(|| rules("binance").at(START).clone())
        .clone()
}

/// How far our clock and the venue's are apart, and what the venue does to readers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Temper {
    pub(crate) clock_ahead_ms: i64,
    pub(crate) stale_reads_ms: i64,
    pub(crate) late_rows_ms: i64,
    pub(crate) duplicate_rows: bool,
    pub(crate) transfer_delay_ms: i64,
    pub(crate) request_ms: i64,
    pub(crate) reply_ms: i64,
    /// Whether spot fees are paid in BNB.
    pub(crate) burns_bnb: bool,
    /// How long a frame takes.
    pub(crate) frame_ms: i64,
    /// Whether the client uses no streams.
    pub(crate) polls_only: bool,
    /// After how long without word of the client the venue takes its orders back.
    pub(crate) dead_man_seconds: Option<i64>,
}

/// The venue and who is connected to it. It outlives the processes that speak to it.
#[derive(Debug)]
pub(crate) struct Venue {
    pub(crate) server: Server,
    pub(crate) account: u32,
    /// Requests of the process that lives.
    requests: BTreeMap<basis_sim::server::RequestId, RequestId>,
    /// Everything that was sent, as it left.
    pub(crate) sent: Vec<(Timestamp, Request)>,
    /// Whether an order whose connection breaks is sent again: a mistake.
    pub(crate) retries: bool,
    orders: BTreeMap<basis_sim::server::RequestId, Request>,
    /// Streams of the process that lives.
    streams: BTreeMap<ConnectionId, StreamId>,
    /// What was said of opening, to be told.
    opened: VecDeque<(Timestamp, StreamId, StreamNews)>,
    /// What streams were opened at.
    pub(crate) urls: Vec<String>,
    /// Whether nothing that streams say reaches the process.
    pub(crate) is_deaf: bool,
    pub(crate) polls_only: bool,
    pub(crate) dead_man: Option<Span>,
}

impl Venue {
    pub(crate) fn new(seed: u64, temper: Temper) -> Self {
        let funded = AccountSettings {
            spot: vec![(USDT, q(SPOT_USDT)), (BITCOIN, q(SPOT_BTC)), (BNB, q("10"))],
            usdm: vec![(USDT, q(PERP_USDT))],
            spot_bnb_burn: temper.burns_bnb,
            ..AccountSettings::entry_tier()
        };
        Self::funded(seed, temper, funded)
    }

    /// One at which there is cash alone.
    pub(crate) fn hedged(seed: u64, temper: Temper) -> Self {
        let funded = AccountSettings {
            spot: vec![(USDT, q(SPOT_USDT))],
            usdm: vec![(USDT, q(PERP_USDT))],
            ..AccountSettings::entry_tier()
        };
        Self::funded(seed, temper, funded)
    }

    fn funded(seed: u64, temper: Temper, funded: AccountSettings) -> Self {
        let mut settings = Settings::of_rules(&snapshot(), seed);
        settings.clock_ahead_ms = temper.clock_ahead_ms;
        settings.latency.request_ms = temper.request_ms;
        settings.latency.reply_ms = temper.reply_ms;
        settings.latency.frame_ms = temper.frame_ms;
        settings.behavior.stale_reads_ms = temper.stale_reads_ms;
        settings.behavior.late_rows_ms = temper.late_rows_ms;
        settings.behavior.duplicate_rows = temper.duplicate_rows;
        settings.behavior.transfer_delay_ms = temper.transfer_delay_ms;
        let mut server = Server::new(settings, START);
        let account = server.at(START, |exchange| {
            let account = exchange.add_account(funded);
            let secret = Verifier::Hmac(SECRET.into());
            exchange.add_key(account, KEY, secret, Permissions::trading());
            exchange.set_mark(BTC, p("50000"), p("50000")).unwrap();
            account
        });
        let mut venue = Self {
            server,
            account,
            requests: BTreeMap::new(),
            sent: Vec::new(),
            retries: false,
            orders: BTreeMap::new(),
            streams: BTreeMap::new(),
            opened: VecDeque::new(),
            urls: Vec::new(),
            is_deaf: false,
            polls_only: temper.polls_only,
            dead_man: temper.dead_man_seconds.map(Span::from_seconds),
        };
        for product in [Product::Spot, Product::UsdM] {
            for (step, quantity) in [("0", "0.013"), ("10", "0.05"), ("20", "1")] {
                venue.quote(START, product, step, quantity);
            }
        }
        venue
    }

    /// Rests `quantity` on both sides, `step` beyond 49,990 and 50,000.
    pub(crate) fn quote(&mut self, now: Timestamp, product: Product, step: &str, quantity: &str) {
        let step = q(step);
        let price = |base: &str, sign: i64| {
            let base = q(base);
            let shifted = if sign < 0 {
                base.sub(step)
            } else {
                base.add(step)
            };
            p(&shifted.unwrap().to_string())
        };
        let (bid, ask) = (price("49990", -1), price("50000", 1));
        self.act(now, |exchange| {
            exchange
                .rest(product, BTC, Side::Buy, bid, q(quantity))
                .unwrap();
            exchange
                .rest(product, BTC, Side::Sell, ask, q(quantity))
                .unwrap();
        });
    }

    /// Does something at the venue.
    pub(crate) fn act<T>(&mut self, now: Timestamp, act: impl FnOnce(&mut Exchange) -> T) -> T {
        self.server.at(now, act)
    }

    /// Trades against whatever rests.
    pub(crate) fn trade(&mut self, now: Timestamp, product: Product, side: Side, quantity: &str) {
        let quantity: Quantity = q(quantity);
        self.act(now, |exchange| {
            // A book that is empty on that side trades less, or nothing.
            exchange.trade(product, BTC, side, quantity).ok();
        });
    }

    pub(crate) fn set_faults(&mut self, rules: Vec<Rule>) {
        self.server.set_faults(rules);
    }

    /// The process died: nobody waits for what is under way, and its sockets are closed.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        self.requests.clear();
        self.opened.clear();
        for connection in std::mem::take(&mut self.streams).into_keys() {
            self.server.disconnect(now, connection);
        }
    }

    /// The connection of a stream.
    fn connection(&self, id: StreamId) -> Option<ConnectionId> {
        let mut own = self.streams.iter();
        own.find(|(_, stream)| **stream == id)
            .map(|(connection, _)| *connection)
    }

    /// Tells of a stream what a delivery says.
    fn news(&mut self, now: Timestamp, content: Content) -> Option<Input> {
        let (connection, news) = match content {
            Content::Text(connection, text) => (connection, StreamNews::Frame(text)),
            Content::Ping(connection, _) => {
                self.server.pong(now, connection);
                (connection, StreamNews::Pinged)
            }
            Content::Closed(connection, code) => (
                connection,
                StreamNews::Closed(format!("closed with {code}")),
            ),
            Content::Answer(..) | Content::Broken(_) => return None,
        };
        let id = match news {
            StreamNews::Closed(_) => self.streams.remove(&connection),
            _ => self.streams.get(&connection).copied(),
        };
        let heard = id.filter(|_| !self.is_deaf);
        heard.map(|id| Input::Stream { id, news })
    }
}

impl Network for Venue {
    fn send(&mut self, now: Timestamp, id: RequestId, _lane: Lane, request: Request) {
        self.sent.push((now, request.clone()));
        let again = (self.retries && request.method == "POST").then(|| request.clone());
        let number = self.server.send(now, request);
        self.orders.extend(again.map(|request| (number, request)));
        self.requests.insert(number, id);
    }

    fn open_stream(&mut self, now: Timestamp, id: StreamId, url: &Secret) {
        self.urls.push(url.expose().to_owned());
        let news = match self.server.connect(now, url.expose()) {
            Ok(connection) => {
                self.streams.insert(connection, id);
                StreamNews::Opened
            }
            Err(response) => StreamNews::Closed(format!("{} to the upgrade", response.status)),
        };
        self.opened.push_back((now, id, news));
    }

    fn send_text(&mut self, now: Timestamp, id: StreamId, text: &Secret) {
        if let Some(connection) = self.connection(id) {
            self.server.send_text(now, connection, text.expose());
        }
    }

    fn close_stream(&mut self, now: Timestamp, id: StreamId) {
        self.opened.retain(|(_, opened, _)| *opened != id);
        if let Some(connection) = self.connection(id) {
            self.streams.remove(&connection);
            self.server.disconnect(now, connection);
        }
    }

    fn due(&self) -> Option<Timestamp> {
        let opened = self.opened.front().map(|(at, ..)| *at);
        self.server.next_due().into_iter().chain(opened).min()
    }

    fn arrivals(&mut self, now: Timestamp, inputs: &mut Vec<Input>) {
        let opened = self.opened.drain(..);
        inputs.extend(opened.map(|(_, id, news)| Input::Stream { id, news }));
        for delivery in self.server.advance(now) {
            match delivery.content {
                Content::Answer(number, response) => {
                    let id = self.requests.remove(&number);
                    inputs.extend(id.map(|id| Input::Answer {
                        id,
                        result: Ok(response),
                    }));
                }
                Content::Broken(number) => {
                    let id = self.requests.remove(&number);
                    if let (Some(id), Some(request)) = (id, self.orders.remove(&number)) {
                        let again = self.server.send(now, request);
                        self.requests.insert(again, id);
                        continue;
                    }
                    inputs.extend(id.map(|id| Input::Answer {
                        id,
                        result: Err(TransportError::Unanswered("it broke".to_owned())),
                    }));
                }
                stream => inputs.extend(self.news(now, stream)),
            }
        }
    }
}

pub(crate) const fn after(at: Timestamp, ms: i64) -> Timestamp {
    at.plus(Span::from_nanos(ms * 1_000_000))
}
