//! What a schedule does: instructions, moves of the market, faults, deaths, each at its instant.

use basis_core::instruction::{CancelOrder, Operation, TimeInForce};
use basis_core::types::{Account, InstructionId, Label, Side};
use basis_sim::server::binance::Product;
use basis_sim::server::faults::{Failure, Fault, Rule, Target, When};
use basis_testkit::{
    BTC, amend, perp_limit, perp_market, set_leverage, spot_limit, spot_market, transfer,
};
use basis_venues::binance::live::BinanceMachine;

use crate::random::Random;
use crate::teeth::Tooth;
use crate::venue::Temper;

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Move {
    Execute(Operation),
    /// Takes the order of the instruction that many before back, or changes it.
    Cancel(u32),
    Amend(u32, Option<&'static str>, Option<&'static str>),
    Trade(Product, Side, &'static str),
    /// The process is killed after so many more steps.
    KillAfter(u64),
    /// The journal cannot be written after so many more commits.
    DiskFull(usize),
    ClockAhead(i64),
}

/// A schedule.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) temper: Temper,
    pub(crate) faults: Vec<Rule>,
    /// Milliseconds after the process is ready, ascending.
    pub(crate) moves: Vec<(i64, Move)>,
    /// A mistake that is to be found.
    pub(crate) tooth: Tooth,
    /// When all faults end.
    pub(crate) faults_until_ms: i64,
}

/// Requests that act, and those that ask what became of one.
const ACTS: [(&str, &str); 9] = [
    ("POST", "/api/v3/order"),
    ("POST", "/fapi/v1/order"),
    ("DELETE", "/api/v3/order"),
    ("DELETE", "/fapi/v1/order"),
    ("PUT", "/fapi/v1/order"),
    ("PUT", "/api/v3/order/amend/keepPriority"),
    ("POST", "/sapi/v1/asset/transfer"),
    ("POST", "/fapi/v1/leverage"),
    ("POST", "/fapi/v1/marginType"),
];
const ASKS: [(&str, &str); 11] = [
    ("GET", "/api/v3/order"),
    ("GET", "/fapi/v1/order"),
    ("GET", "/api/v3/myTrades"),
    ("GET", "/fapi/v1/userTrades"),
    ("GET", "/api/v3/openOrders"),
    ("GET", "/fapi/v1/openOrders"),
    ("GET", "/api/v3/allOrders"),
    ("GET", "/fapi/v1/allOrders"),
    ("GET", "/sapi/v1/asset/transfer"),
    ("GET", "/api/v3/ticker/bookTicker"),
    ("GET", "/fapi/v1/ticker/bookTicker"),
];

/// Statuses that say nothing certain, with the request taken or not.
const UNCERTAIN: [Failure; 9] = [
    Failure::BackendTimeout,
    Failure::UnknownError,
    Failure::ServiceUnavailable,
    Failure::InternalError,
    Failure::UnexpectedResponse,
    Failure::BadGateway,
    Failure::GatewayTimeout,
    Failure::Page,
    Failure::Firewall,
];

/// Answers that say for certain that nothing was taken.
const REFUSED: [Failure; 4] = [
    Failure::TooManyRequests(3),
    Failure::Banned(8),
    Failure::Error {
        status: 400,
        code: -1021,
        msg: "Timestamp for this request is outside of the recvWindow.",
    },
    Failure::Error {
        status: 400,
        code: -2010,
        msg: "Account has insufficient balance for requested action.",
    },
];

/// An unlisted code is ambiguous.
const UNLISTED: Failure = Failure::Error {
    status: 400,
    code: -1999,
    msg: "A new rule.",
};

pub(crate) fn fault(random: &mut Random) -> Fault {
    match random.below(13) {
        0 | 1 => Fault::DropRequest,
        2 | 3 => Fault::DropReply,
        4 => Fault::DelayRequest(random.between(100, 12_000)),
        5 => Fault::DelayReply(random.between(100, 20_000)),
        6 => Fault::Garble,
        7 => Fault::Reply {
            reply: random.pick(&REFUSED),
            taken: false,
        },
        8 | 9 => Fault::Reply {
            reply: random.pick(&UNCERTAIN),
            taken: random.hits(50),
        },
        10 => Fault::Reply {
            reply: UNLISTED,
            taken: random.hits(50),
        },
        11 => Fault::DelayEngine(random.between(100, 9_900)),
        _ if random.hits(50) => Fault::Freeze(random.between(100, 8_000)),
        _ => Fault::Restart(random.between(100, 5_000)),
    }
}

/// What says of a request that the venue did not take it, where a read has nothing to take.
fn rules(random: &mut Random) -> Vec<Rule> {
    let mut rules = Vec::new();
    for _ in 0..=random.below(3) {
        let (method, path) = if random.hits(65) {
            random.pick(&ACTS)
        } else {
            random.pick(&ASKS)
        };
        let when = match random.below(3) {
            0 => When::Nth(u32::try_from(random.between(1, 3)).unwrap()),
            1 => When::Chance(u32::try_from(random.between(1_000, 9_000)).unwrap()),
            _ => When::Always,
        };
        rules.push(Rule::on(method, path, when, fault(random)));
    }
    if random.hits(30) {
        let any = Target::Request {
            method: None,
            path: None,
        };
        rules.push(Rule {
            target: any,
            when: When::Chance(u32::try_from(random.between(100, 2_000)).unwrap()),
            fault: fault(random),
        });
    }
    rules
}

/// What goes wrong with streams: in two schedules of three, something.
fn stream_rules(random: &mut Random) -> Vec<Rule> {
    let mut rules = Vec::new();
    for _ in 0..random.below(3) {
        let event = random.pick(&[
            None,
            Some("executionReport"),
            Some("ORDER_TRADE_UPDATE"),
            Some("ACCOUNT_UPDATE"),
        ]);
        let when = match random.below(3) {
            0 => When::Nth(u32::try_from(random.between(1, 4)).unwrap()),
            1 => When::Chance(u32::try_from(random.between(1_000, 9_000)).unwrap()),
            _ => When::Always,
        };
        let fault = match random.below(8) {
            0 => Fault::CloseStream,
            1 | 2 => Fault::DropFrame,
            3 => Fault::DuplicateFrame,
            4 => Fault::DelayFrame(random.between(50, 20_000)),
            5 => Fault::GarbleFrame,
            6 => Fault::Freeze(random.between(100, 5_000)),
            _ => Fault::Restart(random.between(100, 3_000)),
        };
        rules.push(Rule {
            target: Target::Frame { event },
            when,
            fault,
        });
    }
    if random.hits(10) {
        rules.push(Rule {
            target: Target::Connection,
            when: When::Chance(5_000),
            fault: Fault::RefuseConnection,
        });
    }
    if random.hits(10) {
        let when = When::Chance(5_000);
        rules.push(Rule::on("POST", "/fapi/v1/listenKey", when, fault(random)));
    }
    rules
}

pub(crate) fn account(name: &'static str) -> Account {
    Account::new(BinanceMachine::VENUE, Label::literal(name))
}

fn operation(random: &mut Random) -> Operation {
    let side = random.pick(&[Side::Buy, Side::Sell]);
    let near = match side {
        Side::Buy => random.pick(&["49980", "49995", "50000", "50010"]),
        Side::Sell => random.pick(&["50010", "49995", "49990", "49970"]),
    };
    let time = random.pick(&[
        TimeInForce::Gtc,
        TimeInForce::Gtc,
        TimeInForce::Ioc,
        TimeInForce::Fok,
        TimeInForce::PostOnly,
    ]);
    let quantity = random.pick(&["0.01", "0.02", "0.0701"]);
    let perp = random.pick(&["0.01", "0.02", "0.07"]);
    match random.below(10) {
        0 | 1 => spot_market(side, quantity),
        2..=4 => spot_limit(side, quantity, near, time),
        5 | 6 => perp_market(BTC, side, perp),
        7 | 8 => perp_limit(side, perp, near, time),
        _ if random.hits(25) => set_leverage(random.pick(&["3", "5", "7"]), None),
        _ => {
            let amount = random.pick(&["100", "100", "250.5"]);
            let (from, to) = if random.hits(50) {
                ("spot", "usdm")
            } else {
                ("usdm", "spot")
            };
            transfer("USDT", amount, account(from), account(to))
        }
    }
}

fn a_move(random: &mut Random) -> Move {
    match random.below(20) {
        0..=8 => Move::Execute(operation(random)),
        9 | 10 => Move::Cancel(u32::try_from(random.below(3)).unwrap()),
        11 => Move::Amend(
            u32::try_from(random.below(3)).unwrap(),
            random.pick(&[Some("0.005"), Some("0.03"), None]),
            random.pick(&[Some("49985"), None]),
        ),
        12..=15 => Move::Trade(
            random.pick(&[Product::Spot, Product::UsdM]),
            random.pick(&[Side::Buy, Side::Sell]),
            random.pick(&["0.01", "0.03", "0.2"]),
        ),
        16 | 17 => Move::KillAfter(random.below(40)),
        18 => Move::DiskFull(usize::try_from(random.below(5)).unwrap()),
        _ => Move::ClockAhead(random.between(-1_500, 1_500)),
    }
}

impl Plan {
    /// The schedule of `seed`.
    pub(crate) fn random(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let calm = random.hits(40);
        let mut some = |high| {
            if calm || random.hits(50) {
                0
            } else {
                random.between(1, high)
            }
        };
        let temper = Temper {
            clock_ahead_ms: some(1_500),
            stale_reads_ms: some(4_000),
            late_rows_ms: some(4_000),
            transfer_delay_ms: some(5_000),
            request_ms: some(200),
            reply_ms: some(200),
            duplicate_rows: false,
            burns_bnb: false,
            frame_ms: 0,
            polls_only: false,
            dead_man_seconds: None,
        };
        let temper = Temper {
            duplicate_rows: random.hits(20),
            burns_bnb: random.hits(20),
            ..temper
        };
        let mut moves: Vec<_> = (0..=random.below(6))
            .map(|_| (random.between(0, 20_000), a_move(&mut random)))
            .collect();
        moves.push((0, Move::Execute(operation(&mut random))));
        moves.sort_by_key(|(at, _)| *at);
        let mut faults = rules(&mut random);
        faults.extend(stream_rules(&mut random));
        let temper = Temper {
            frame_ms: if calm { 0 } else { random.between(0, 300) },
            polls_only: random.hits(15),
            dead_man_seconds: random.hits(20).then_some(60),
            ..temper
        };
        Self {
            seed,
            temper,
            faults,
            moves,
            tooth: Tooth::None,
            faults_until_ms: 25_000,
        }
    }
}

pub(crate) fn cancel(order: InstructionId) -> Operation {
    Operation::CancelOrder(CancelOrder { symbol: BTC, order })
}

pub(crate) fn amended(
    order: InstructionId,
    quantity: Option<&str>,
    limit: Option<&str>,
) -> Operation {
    match amend(1, quantity, limit) {
        Operation::AmendOrder(mut change) => {
            change.order = order;
            Operation::AmendOrder(change)
        }
        other => other,
    }
}
