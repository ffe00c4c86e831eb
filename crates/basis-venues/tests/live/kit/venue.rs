//! The venue in process as a machine's network.

use std::collections::BTreeMap;

use basis_core::transport::{Request, TransportError};
use basis_core::types::{Side, Timestamp};
use basis_live::actor::{Input, Lane, Network, RequestId};
use basis_sim::server::unified::{Category, Exchange};
use basis_sim::server::{Content, Server, faults::Rule};
use basis_testkit::{BTC, START, p, q};

use super::Bench;

/// What an account begins with.
pub(crate) const TRADING_USDT: &str = "150000";
pub(crate) const TRADING_BTC: &str = "2";
pub(crate) const FUNDING_USDT: &str = "5000";

/// How far our clock and the venue's are apart, and what the venue does to readers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Temper {
    pub(crate) clock_ahead_ms: i64,
    pub(crate) stale_reads_ms: i64,
    pub(crate) late_rows_ms: i64,
    pub(crate) duplicate_rows: bool,
    pub(crate) transfer_delay_ms: i64,
    pub(crate) transfers_fail: bool,
    pub(crate) engine_ms: i64,
    pub(crate) request_ms: i64,
    pub(crate) reply_ms: i64,
}

/// The venue and who is connected to it. It outlives the processes that speak to it.
#[derive(Debug)]
pub(crate) struct Venue<B: Bench> {
    pub(crate) server: Server<Exchange<B::Ways>>,
    pub(crate) account: u32,
    /// Requests of the process that lives.
    requests: BTreeMap<basis_sim::server::RequestId, RequestId>,
    /// Everything that was sent, as it left.
    pub(crate) sent: Vec<(Timestamp, Request)>,
    /// Whether an order whose connection breaks is sent again under another id: a mistake.
    pub(crate) retries: bool,
    orders: BTreeMap<basis_sim::server::RequestId, Request>,
}

impl<B: Bench> Venue<B> {
    pub(crate) fn new(seed: u64, temper: Temper) -> Self {
        let (server, account) = B::server(seed, temper);
        let mut venue = Self {
            server,
            account,
            requests: BTreeMap::new(),
            sent: Vec::new(),
            retries: false,
            orders: BTreeMap::new(),
        };
        venue.act(START, |exchange| {
            exchange.set_transfers_fail(temper.transfers_fail);
            exchange.set_mark(BTC, p("50000"), p("50000")).unwrap();
        });
        for category in [Category::Spot, Category::Linear] {
            for (bid, ask, quantity) in [
                // The best is thin where lots allow it.
                (
                    "49990",
                    "50000",
                    if category == Category::Spot {
                        "0.013"
                    } else {
                        "0.01"
                    },
                ),
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
    pub(crate) fn act<T>(
        &mut self,
        now: Timestamp,
        act: impl FnOnce(&mut Exchange<B::Ways>) -> T,
    ) -> T {
        self.server.at(now, act)
    }

    /// Trades against whatever rests.
    pub(crate) fn trade(&mut self, now: Timestamp, category: Category, side: Side, quantity: &str) {
        let quantity = q(quantity);
        self.act(now, |exchange| {
            // A book that is empty on that side trades less, or nothing.
            exchange.trade(category, BTC, side, quantity).ok();
        });
    }

    pub(crate) fn set_faults(&mut self, rules: Vec<Rule>) {
        self.server.set_faults(rules);
    }

    /// The process died: nobody waits for what is under way.
    pub(crate) fn forget(&mut self) {
        self.requests.clear();
        self.orders.clear();
    }
}

impl<B: Bench> Network for Venue<B> {
    fn send(&mut self, now: Timestamp, id: RequestId, _lane: Lane, request: Request) {
        self.sent.push((now, request.clone()));
        let is_order = self.retries && request.url.ends_with(B::PATHS.place);
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
                    let again = self.orders.remove(&number).as_ref().and_then(B::again);
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
