//! A venue of a few written replies, under virtual time.

use std::collections::VecDeque;
use std::sync::Arc;

use basis_core::instruction::Instruction;
use basis_core::transport::{Request, Response, TransportError};
use basis_core::types::{BookId, ClientOrderId, InstructionId, Span, Timestamp};
use basis_core::venue_event::{Events, VenueEvent};
use basis_live::actor::{
    Command, Input, KillSwitch, Lane, Mailbox, Network, Readiness, RequestId, VirtualDriver,
};
use basis_testkit::{BTC, START, rules};

use super::super::{BinanceMachine, Endpoints, LiveSettings, Signers};
use crate::binance::codec::Masked;

/// A reply to requests that fit.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    /// Method, a space and the end of the path.
    pub(super) to: &'static str,
    /// Status and body; `None` for no answer at all.
    pub(super) answer: Option<(u16, String)>,
    /// How long it takes.
    pub(super) delay: Span,
    /// How often it is given; a script goes on to the next one that fits.
    pub(super) times: usize,
}

pub(super) fn reply(to: &'static str, body: impl Into<String>) -> Reply {
    Reply {
        to,
        answer: Some((200, body.into())),
        delay: Span::from_nanos(20_000_000),
        times: usize::MAX,
    }
}

impl Reply {
    pub(super) fn status(mut self, status: u16) -> Self {
        if let Some((old, _)) = &mut self.answer {
            *old = status;
        }
        self
    }

    pub(super) fn lost(mut self) -> Self {
        self.answer = None;
        self
    }

    pub(super) fn once(mut self) -> Self {
        self.times = 1;
        self
    }
}

/// Replies in order of preference, what was sent, and what is on its way.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) replies: Vec<Reply>,
    pub(super) sent: Vec<String>,
    under_way: VecDeque<(Timestamp, RequestId, Result<Response, TransportError>)>,
}

impl Network for Script {
    fn send(&mut self, now: Timestamp, id: RequestId, _lane: Lane, request: Request) {
        let path = request.url.split('?').next().unwrap();
        let line = format!("{} {path}", request.method);
        let target = format!("{} {}", request.method, request.url);
        self.sent.push(target);
        let fits = |reply: &&mut Reply| {
            let (method, path) = reply.to.split_once(' ').unwrap();
            reply.times > 0 && line.starts_with(method) && line.ends_with(path)
        };
        let reply = self.replies.iter_mut().find(fits);
        let reply = reply.unwrap_or_else(|| panic!("no reply to {line}"));
        reply.times -= 1;
        let at = now.plus(reply.delay);
        let result = match &reply.answer {
            Some((status, body)) => Ok(Response {
                status: *status,
                headers: Vec::new(),
                body: body
                    .replace("$NOW", &(at.nanos() / 1_000_000).to_string())
                    .into(),
            }),
            None => Err(TransportError::Unanswered(
                "the connection broke".to_owned(),
            )),
        };
        self.under_way.push_back((at, id, result));
    }

    fn due(&self) -> Option<Timestamp> {
        self.under_way.iter().map(|(at, ..)| *at).min()
    }

    fn arrivals(&mut self, now: Timestamp, inputs: &mut Vec<Input>) {
        let (due, rest) = self.under_way.drain(..).partition(|(at, ..)| *at <= now);
        self.under_way = rest;
        let due: VecDeque<_> = due;
        inputs.extend(
            due.into_iter()
                .map(|(_, id, result)| Input::Answer { id, result }),
        );
    }
}

const SPOT: &str = r#"{"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,
 "limit":6000}],"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[
 {"filterType":"PRICE_FILTER","tickSize":"0.01"},
 {"filterType":"LOT_SIZE","stepSize":"0.00001","minQty":"0.00001","maxQty":"9000"},
 {"filterType":"NOTIONAL","minNotional":"5"}]}]}"#;

const PERP: &str = r#"{"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,
 "limit":2400}],"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT",
 "contractType":"PERPETUAL","marginAsset":"USDT","liquidationFee":"0.0125","filters":[
 {"filterType":"PRICE_FILTER","tickSize":"0.1"},
 {"filterType":"LOT_SIZE","stepSize":"0.001","minQty":"0.001","maxQty":"1000"},
 {"filterType":"MIN_NOTIONAL","notional":"100"}]}]}"#;

const TIERS: &str = r#"[{"symbol":"BTCUSDT","brackets":[{"initialLeverage":125,"notionalCap":50000,
 "maintMarginRatio":0.004,"cum":0}]}]"#;

const MAY: &str = r#"{"enableWithdrawals":false,"enableSpotAndMarginTrading":true,"enableFutures":true,
 "permitsUniversalTransfer":true,"ipRestrict":true}"#;

/// The replies of a start that goes well, with quotes, and nothing open.
pub(super) fn start() -> Vec<Reply> {
    vec![
        reply("GET /time", r#"{"serverTime":$NOW}"#),
        reply("GET /apiRestrictions", MAY),
        reply("GET /positionSide/dual", r#"{"dualSidePosition":false}"#),
        reply("GET /leverageBracket", TIERS),
        reply("GET /fundingInfo", "[]"),
        reply("GET /api/v3/exchangeInfo", SPOT),
        reply("GET /fapi/v1/exchangeInfo", PERP),
        reply("GET /income", "[]"),
        reply("GET /openOrders", "[]"),
        reply("GET /myTrades", "[]"),
        reply("GET /userTrades", "[]"),
        reply("GET /allOrders", "[]"),
        reply(
            "GET /bookTicker",
            r#"{"symbol":"BTCUSDT","bidPrice":"49999","bidQty":"5","askPrice":"50000","askQty":"5"}"#,
        ),
    ]
}

pub(super) type Driver = VirtualDriver<BinanceMachine, Script>;

pub(super) const fn book() -> u64 {
    7
}

/// The client order id of instruction `number`.
pub(super) fn client(number: u32) -> String {
    let book = BookId::from_number(book());
    ClientOrderId::derive(book, InstructionId::plain(number)).to_string()
}

/// A machine at a venue that answers `replies`, the start's behind them.
pub(super) fn driver(replies: Vec<Reply>) -> (Driver, Mailbox) {
    driver_with(replies, |_| {})
}

pub(super) fn driver_with(
    replies: Vec<Reply>,
    change: impl FnOnce(&mut LiveSettings),
) -> (Driver, Mailbox) {
    driver_under(replies, change, None)
}

pub(super) fn driver_under(
    mut replies: Vec<Reply>,
    change: impl FnOnce(&mut LiveSettings),
    switch: Option<Arc<dyn KillSwitch>>,
) -> (Driver, Mailbox) {
    replies.extend(start());
    let endpoints = Endpoints::on_loopback("http://127.0.0.1:1").unwrap();
    let book = BookId::from_number(book());
    let mut settings = LiveSettings::new(book, endpoints, vec![BTC]);
    // What streams change is shown against the venue in process.
    settings.streams = false;
    change(&mut settings);
    let rules = rules("binance").at(START).clone();
    let signers = Signers {
        spot: Box::new(Masked::default()),
        usdm: Box::new(Masked::default()),
    };
    let machine = BinanceMachine::new(settings, rules, signers, switch);
    let script = Script {
        replies,
        ..Script::default()
    };
    let mailbox = Mailbox::new();
    let driver = VirtualDriver::new(machine, script, mailbox.clone(), START);
    (driver, mailbox)
}

pub(super) fn run(driver: &mut Driver, seconds: i64) {
    let until = driver.now().plus(Span::from_seconds(seconds));
    driver.run_until(until, &mut |_| false).unwrap();
}

/// A machine that may trade.
pub(super) fn ready(replies: Vec<Reply>) -> (Driver, Mailbox) {
    let (mut driver, mailbox) = driver(replies);
    run(&mut driver, 3);
    assert!(matches!(mailbox.readiness(), Readiness::Ready));
    events(&mailbox);
    (driver, mailbox)
}

pub(super) fn execute(driver: &Driver, instruction: &Instruction) {
    driver
        .command(Command::Execute(vec![instruction.clone()]))
        .unwrap();
}

pub(super) fn events(mailbox: &Mailbox) -> Vec<VenueEvent> {
    let mut events = Events::new();
    mailbox.take_events(&mut events);
    events
}

/// How often `to` was sent.
pub(super) fn count(driver: &Driver, to: &str) -> usize {
    let (method, path) = to.split_once(' ').unwrap();
    let fits = |line: &&String| {
        let target = line.split('?').next().unwrap();
        target.starts_with(method) && target.ends_with(path)
    };
    driver.network.sent.iter().filter(fits).count()
}
