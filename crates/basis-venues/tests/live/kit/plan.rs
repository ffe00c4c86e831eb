//! What a schedule does: instructions, moves of the market, faults, deaths, each at its instant.

use basis_core::instruction::{Operation, TimeInForce};
use basis_core::types::{Account, Label, Side};
use basis_sim::server::faults::{Fault, Rule, Target, When};
use basis_sim::server::unified::Category;
use basis_testkit::{
    BTC, perp_limit, perp_market, set_leverage, spot_limit, spot_market, transfer,
};

use super::Bench;
use super::teeth::Tooth;
use super::venue::Temper;
use crate::random::Random;

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Move {
    Execute(Operation),
    /// Takes the order of the instruction that many before back, or changes it.
    Cancel(u32),
    Amend(u32, Option<&'static str>, Option<&'static str>),
    Trade(Category, Side, &'static str),
    /// The engine rejects the next order that was taken.
    RejectNext,
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

fn fault<B: Bench>(random: &mut Random) -> Fault {
    match random.below(12) {
        0 | 1 => Fault::DropRequest,
        2 | 3 => Fault::DropReply,
        4 => Fault::DelayRequest(random.between(100, 12_000)),
        5 => Fault::DelayReply(random.between(100, 20_000)),
        6 => Fault::Garble,
        7 => Fault::Reply {
            reply: random.pick(&B::refused()),
            taken: false,
        },
        8 | 9 => Fault::Reply {
            reply: random.pick(&B::uncertain()),
            taken: random.hits(50),
        },
        10 => Fault::DelayEngine(random.between(100, 9_900)),
        _ if random.hits(50) => Fault::Freeze(random.between(100, 8_000)),
        _ => Fault::Restart(random.between(100, 5_000)),
    }
}

fn rules<B: Bench>(random: &mut Random) -> Vec<Rule> {
    let mut rules = Vec::new();
    for _ in 0..=random.below(3) {
        let (method, path) = if random.hits(65) {
            ("POST", random.pick(&B::PATHS.all()))
        } else {
            ("GET", random.pick(B::ASKS))
        };
        let when = match random.below(3) {
            0 => When::Nth(u32::try_from(random.between(1, 3)).unwrap()),
            1 => When::Chance(u32::try_from(random.between(1_000, 9_000)).unwrap()),
            _ => When::Always,
        };
        rules.push(Rule::on(method, path, when, fault::<B>(random)));
    }
    if random.hits(30) {
        let any = Target::Request {
            method: None,
            path: None,
        };
        rules.push(Rule {
            target: any,
            when: When::Chance(u32::try_from(random.between(100, 2_000)).unwrap()),
            fault: fault::<B>(random),
        });
    }
    rules
}

pub(crate) fn account<B: Bench>(name: &'static str) -> Account {
    Account::new(B::VENUE, Label::literal(name))
}

pub(crate) fn moved<B: Bench>(amount: &str, inward: bool) -> Operation {
    let (from, to) = if inward {
        ("funding", B::TRADING)
    } else {
        (B::TRADING, "funding")
    };
    transfer("USDT", amount, account::<B>(from), account::<B>(to))
}

fn operation<B: Bench>(random: &mut Random) -> Operation {
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
        _ => moved::<B>(random.pick(&["100", "100", "250.5"]), random.hits(50)),
    }
}

fn a_move<B: Bench>(random: &mut Random) -> Move {
    match random.below(20) {
        0..=7 => Move::Execute(operation::<B>(random)),
        8 => Move::RejectNext,
        9 | 10 => Move::Cancel(u32::try_from(random.below(3)).unwrap()),
        11 => Move::Amend(
            u32::try_from(random.below(3)).unwrap(),
            random.pick(&[Some("0.005"), Some("0.03"), None]),
            random.pick(&[Some("49985"), None]),
        ),
        12..=15 => Move::Trade(
            random.pick(&[Category::Spot, Category::Linear]),
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
    pub(crate) fn random<B: Bench>(seed: u64) -> Self {
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
            stale_reads_ms: some(3_500),
            late_rows_ms: some(4_000),
            transfer_delay_ms: some(5_000),
            engine_ms: some(1_000),
            request_ms: some(200),
            reply_ms: some(200),
            ..Temper::default()
        };
        let temper = Temper {
            duplicate_rows: random.hits(20),
            transfers_fail: random.hits(20),
            ..temper
        };
        let mut moves: Vec<_> = (0..=random.below(6))
            .map(|_| (random.between(0, 20_000), a_move::<B>(&mut random)))
            .collect();
        moves.push((0, Move::Execute(operation::<B>(&mut random))));
        moves.sort_by_key(|(at, _)| *at);
        Self {
            seed,
            temper,
            faults: rules::<B>(&mut random),
            moves,
            tooth: Tooth::None,
            faults_until_ms: 25_000,
        }
    }

    /// How long after the last fault everything must be known: the longest proof, and more where the gateway
    /// turns the address away.
    pub(crate) fn resolved_ms<B: Bench>(&self) -> i64 {
        let turned_away = B::turned_away().filter(|(busy, _)| {
            let is_busy =
                |rule: &Rule| matches!(&rule.fault, Fault::Reply { reply, .. } if reply == busy);
            self.faults.iter().any(is_busy)
        });
        B::RESOLVED_MS + turned_away.map_or(0, |(_, ms)| ms)
    }
}
