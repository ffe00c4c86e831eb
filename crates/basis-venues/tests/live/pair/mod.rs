//! A hedged pair by the engine: spot and perp of one exchange entered, rebalanced and left through the live
//! driver, with every fault on either leg.
//!
//! In each run at most one order is at the venue per instruction, the ledger's lines add up to what the venue
//! says we hold, nothing stays unknown, what stands open without its hedge is bounded, and the pair is left.

mod mode;
mod process;
mod runtime;

use std::collections::{BTreeMap, VecDeque};

use basis_core::clock::Clock;
use basis_core::error::Code;
use basis_core::event::EventData;
use basis_core::num::Quantity;
use basis_core::types::{Account, Item, Side, Span, Timestamp};
use basis_sim::server::binance::Product;
use basis_sim::server::faults::{Rule, When};
use basis_testkit::{BTC, START, USDT, q};

use self::mode::{perp, perp_account, spot_account};
use self::process::{Left, PairProcess};
use crate::book::Ledger;
use crate::cases::faults;
use crate::durable::OnDisk;
use crate::plan::rules;
use crate::process::{InMemory, Store};
use crate::random::Random;
use crate::schedules::number;
use crate::venue::{BITCOIN, Temper, Venue, after};
use crate::verdict::order_problems;

/// The minutes at which the pair is entered, enlarged and left.
const DECISIONS: [i64; 3] = [5, 15, 30];

/// Faults begin before a decision and end after it, in milliseconds.
const FAULTS_MS: (i64, i64) = (-10_000, 25_000);

/// When an operator looks, and lifts the halts of the venue.
const OPERATOR_MINUTES: [i64; 3] = [12, 27, 47];

/// The longest that more than a purchase's fee may stand open: the block's bound, the faults themselves, and
/// the longest proof.
const NAKED_MAX: Span = Span::from_seconds(150);

/// What happens around one of the decisions.
#[derive(Clone, Debug, Default)]
struct Schedule {
    seed: u64,
    temper: Temper,
    decision: usize,
    faults: Vec<Rule>,
    /// The process is killed after so many inputs.
    kill: Option<u64>,
    /// The journal cannot be written after so many commits.
    disk: Option<usize>,
    /// The book of this product is nearly empty for three seconds.
    thin: Option<(Product, Side)>,
}

#[derive(Debug)]
struct Report {
    problems: Vec<String>,
    naked: Span,
    deaths: u32,
    orders: usize,
    halted: bool,
}

struct Run<S: Store> {
    store: S,
    process: Option<PairProcess>,
    deaths: u32,
    /// How long no process ran.
    down: Span,
    /// When the faults end, whoever lives then.
    calm_at: Timestamp,
}

impl<S: Store> Run<S>
where
    S::Journal: 'static,
{
    fn start(&mut self, mut left: Left, mut now: Timestamp) {
        let (mut refused, began) = (String::new(), now);
        for _ in 0..100 {
            if now >= self.calm_at {
                left.0.set_faults(Vec::new());
            }
            match PairProcess::start(&mut self.store, left, now) {
                Ok(process) => {
                    let ready = process.wakes.runtime.clock.now();
                    self.down = both(self.down, ready.since(began));
                    self.process = Some(process);
                    return;
                }
                Err(failed) => {
                    refused = failed.error.to_string();
                    (left, now) = (failed.left, after(failed.at, 5_000));
                }
            }
            self.deaths += 1;
        }
        panic!("not ready at {now}: {refused}");
    }

    fn process(&mut self) -> &mut PairProcess {
        self.process.as_mut().unwrap()
    }

    /// Runs to `at`, through as many deaths as there are; `false` when the run has ended before.
    fn run_to(&mut self, at: Timestamp) -> bool {
        loop {
            let process = self.process();
            process.wakes.stop = Some(at);
            let now = process.wakes.runtime.clock.now();
            if now >= at {
                return true;
            }
            match process.go_on() {
                Ok(true) => {}
                Ok(false) => return false,
                Err(_) => self.restart(),
            }
        }
    }

    fn restart(&mut self) {
        self.deaths += 1;
        let dead = self.process.take().unwrap();
        let now = dead.wakes.runtime.clock.now();
        self.start(dead.die(), after(now, 500));
    }

    fn happen(&mut self, now: Timestamp, what: &Moment, schedule: &Schedule) {
        let runtime = self.process().wakes.runtime.clone();
        match what {
            Moment::FaultsBegin => {
                runtime.at_venue(|venue| {
                    venue.set_faults(schedule.faults.clone());
                    if let Some((product, side)) = schedule.thin {
                        venue.trade(now, product, side, "3.15");
                    }
                });
                runtime.kill_after(schedule.kill);
                if let Some(commits) = schedule.disk {
                    self.store.fail_after(commits);
                }
            }
            Moment::Filled => runtime.at_venue(|venue| venue.requote(now)),
            Moment::FaultsEnd => {
                runtime.at_venue(|venue| venue.set_faults(Vec::new()));
                runtime.kill_after(None);
            }
            Moment::Operator => {
                if self.process().resume_by_hand().is_err() {
                    self.restart();
                }
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Moment {
    FaultsBegin,
    Filled,
    FaultsEnd,
    Operator,
}

const fn both(one: Span, other: Span) -> Span {
    Span::from_nanos(one.nanos() + other.nanos())
}

fn minute(minute: i64) -> Timestamp {
    START.plus(Span::from_minutes(minute))
}

fn carry_out<S: Store>(store: S, schedule: &Schedule) -> Report
where
    S::Journal: 'static,
{
    let mut run = Run {
        store,
        process: None,
        deaths: 0,
        down: Span::ZERO,
        calm_at: after(minute(DECISIONS[schedule.decision]), FAULTS_MS.1),
    };
    let venue = Venue::hedged(schedule.seed, schedule.temper);
    run.start((venue, Default::default()), START);
    let decision = minute(DECISIONS[schedule.decision]);
    let mut moments: Vec<_> = OPERATOR_MINUTES
        .iter()
        .map(|at| (minute(*at), Moment::Operator))
        .collect();
    moments.push((after(decision, FAULTS_MS.0), Moment::FaultsBegin));
    moments.push((after(decision, 3_000), Moment::Filled));
    moments.push((after(decision, FAULTS_MS.1), Moment::FaultsEnd));
    moments.sort_by_key(|(at, _)| *at);
    let mut moments = VecDeque::from(moments);
    while let Some((at, moment)) = moments.pop_front() {
        if run.run_to(at) {
            run.happen(at, &moment, schedule);
        }
    }
    run.run_to(Timestamp::MAX);
    verdict(run)
}

fn verdict<S: Store>(run: Run<S>) -> Report {
    let commits = run.store.commits();
    let ledger = Ledger::of(&commits);
    let process = run.process.unwrap();
    let log = process.log.take();
    let (venue, naked) = process.die();
    let mut problems = order_problems(&ledger, &venue);
    for (id, outcome) in &ledger.outcomes {
        if !ledger.is_over(*id) {
            problems.push(format!("{id} is still open: {outcome:?}"));
        }
    }
    let mut held: BTreeMap<(Account, Item), Quantity> = BTreeMap::new();
    for line in commits.iter().flat_map(|commit| &commit.lines) {
        let sum = held.entry((line.account, line.item)).or_default();
        *sum = sum.add(line.quantity).unwrap();
    }
    for (account, item, theirs) in venue.holdings() {
        let ours = held.get(&(account, item)).copied().unwrap_or_default();
        if ours != theirs {
            let text = format!("{item} in {account}: {ours} in the ledger, {theirs} at the venue");
            problems.push(text);
        }
    }
    // What unwinds is not unwound again: its venue halts, and an operator looks.
    let halted = log.iter().any(
        |event| matches!(&event.data, EventData::Error { code, .. } if *code == Code::VenueHalted),
    );
    if naked.longest > both(NAKED_MAX, run.down) && !halted {
        problems.push(format!("delta stood open for {}", naked.longest));
    }
    if venue.delta().abs().unwrap() > q("0.002") || !venue.position().is_zero() {
        problems.push(format!("the pair was not left: {}", venue.position()));
    }
    let orders = ledger.instructions.len();
    if orders < 4 {
        problems.push(format!("{orders} instructions in all"));
    }
    if !problems.is_empty() {
        let said = log.iter().filter(|event| {
            !matches!(
                event.data.event_type(),
                "reconciliation" | "interface_created" | "component_initialization"
            )
        });
        problems.extend(said.map(|event| format!("    {} {:?}", event.at, event.data)));
    }
    Report {
        problems,
        naked: naked.longest,
        deaths: run.deaths,
        orders,
        halted,
    }
}

/// Runs many, and says of the first that fail what is wrong.
fn all_end_well(schedules: Vec<Schedule>, make: impl Fn(&Schedule) -> Report) -> Vec<Report> {
    let (mut failed, mut reports) = (Vec::new(), Vec::new());
    for schedule in schedules {
        let report = make(&schedule);
        if !report.problems.is_empty() {
            failed.push(format!("{schedule:?}\n  {}", report.problems.join("\n  ")));
        }
        reports.push(report);
    }
    let count = failed.len();
    failed.truncate(3);
    assert_eq!(count, 0, "{}", failed.join("\n"));
    let halted = reports.iter().filter(|report| report.halted).count();
    let longest = reports.iter().map(|report| report.naked).max();
    let count = reports.len();
    assert!(
        halted * 20 <= count,
        "{halted} of {count} halted, {longest:?} naked at the longest"
    );
    reports
}

#[test]
fn a_pair_is_entered_rebalanced_and_left() {
    let report = carry_out(InMemory::new(), &Schedule::default());
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!((report.deaths, report.orders), (0, 6), "{report:?}");
    assert!(report.naked <= Span::from_seconds(1), "{report:?}");
}

#[test]
fn each_fault_on_either_leg_leaves_the_pair_hedged() {
    let mut schedules = Vec::new();
    for decision in 0..DECISIONS.len() {
        for path in ["/api/v3/order", "/fapi/v1/order"] {
            for fault in faults() {
                schedules.push(Schedule {
                    seed: 1,
                    decision,
                    faults: vec![Rule::on("POST", path, When::Nth(1), fault)],
                    temper: if decision == 1 {
                        Temper {
                            stale_reads_ms: 3_000,
                            late_rows_ms: 4_000,
                            request_ms: 40,
                            reply_ms: 60,
                            clock_ahead_ms: 900,
                            ..Temper::default()
                        }
                    } else {
                        Temper::default()
                    },
                    ..Schedule::default()
                });
            }
        }
    }
    all_end_well(schedules, |schedule| carry_out(InMemory::new(), schedule));
}

#[test]
fn a_pair_whose_process_dies_anywhere_is_resumed_and_left() {
    let temper = Temper {
        request_ms: 10,
        reply_ms: 10,
        ..Temper::default()
    };
    let mut schedules = Vec::new();
    for decision in 0..DECISIONS.len() {
        let kills = (0..40).chain((40..120).step_by(9));
        schedules.extend(kills.map(|kill| Schedule {
            temper,
            decision,
            kill: Some(kill),
            ..Schedule::default()
        }));
        schedules.extend((0..8).map(|commits| Schedule {
            temper,
            decision,
            disk: Some(commits),
            ..Schedule::default()
        }));
    }
    let count = schedules.len();
    let reports = all_end_well(schedules, |schedule| carry_out(InMemory::new(), schedule));
    let died = reports.iter().filter(|report| report.deaths > 0).count();
    assert!(died * 2 > count, "{died} of {count} died");
}

fn random(seed: u64) -> Schedule {
    let mut random = Random::new(seed ^ 0x7061_6972);
    let calm = random.hits(40);
    let mut some = |high| {
        if calm { 0 } else { random.between(0, high) }
    };
    let temper = Temper {
        clock_ahead_ms: some(1_200),
        stale_reads_ms: some(4_000),
        late_rows_ms: some(4_000),
        request_ms: some(200),
        reply_ms: some(200),
        ..Temper::default()
    };
    let thin = random.hits(25).then(|| {
        (
            random.pick(&[Product::Spot, Product::UsdM]),
            random.pick(&[Side::Buy, Side::Sell]),
        )
    });
    Schedule {
        seed,
        temper: Temper {
            duplicate_rows: random.hits(20),
            ..temper
        },
        decision: usize::try_from(random.below(3)).unwrap(),
        faults: if random.hits(85) {
            rules(&mut random)
        } else {
            Vec::new()
        },
        kill: random.hits(30).then(|| random.below(60)),
        disk: random
            .hits(10)
            .then(|| usize::try_from(random.below(6)).unwrap()),
        thin,
    }
}

#[test]
fn random_schedules_of_a_pair_end_as_the_venue_has_them() {
    let seeds = match number("BASIS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("BASIS_PAIRS").unwrap_or(60),
    };
    let schedules = seeds.map(random).collect();
    all_end_well(schedules, |schedule| carry_out(InMemory::new(), schedule));
}

#[test]
fn random_schedules_of_a_pair_on_a_journal_file() {
    let schedules = (20_000..20_010).map(random).collect();
    all_end_well(schedules, |schedule| carry_out(OnDisk::new(), schedule));
}

/// What is compared at the end.
impl Venue {
    fn holdings(&self) -> [(Account, Item, Quantity); 4] {
        let exchange = self.server.exchange();
        let spot_of = |asset| {
            let balance = exchange.spot_balance(self.account, asset);
            balance.free.add(balance.locked).unwrap()
        };
        [
            (spot_account(), Item::Asset(USDT), spot_of(USDT)),
            (spot_account(), Item::Asset(BITCOIN), spot_of(BITCOIN)),
            (
                perp_account(),
                Item::Asset(USDT),
                exchange.usdm_balance(self.account, USDT),
            ),
            (perp_account(), Item::Position(perp()), self.position()),
        ]
    }

    fn position(&self) -> Quantity {
        let exchange = self.server.exchange();
        exchange.position(self.account, BTC, None).perp.quantity
    }

    /// Base units of spot and perp together.
    pub(crate) fn delta(&self) -> Quantity {
        let balance = self.server.exchange().spot_balance(self.account, BITCOIN);
        let spot = balance.free.add(balance.locked).unwrap();
        spot.add(self.position()).unwrap()
    }

    /// Brings fresh orders into both books.
    pub(crate) fn requote(&mut self, now: Timestamp) {
        for product in [Product::Spot, Product::UsdM] {
            self.quote(now, product, "20", "1");
        }
    }
}
