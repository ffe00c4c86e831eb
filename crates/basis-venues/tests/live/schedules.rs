//! Random schedules of faults. A failing seed is printed and runs alone with `BASIS_SEED=N`.

use basis_core::types::{InstructionId, Timestamp};
use basis_testkit::START;

use crate::book::Ledger;
use crate::plan::{Move, Plan, amended, cancel};
use crate::process::{Death, InMemory, Process, Store};
use crate::teeth::Tooth;
use crate::venue::{Venue, after};
use crate::verdict::problems;

/// How long after the last fault everything must be known: the longest ban, then the longest proof.
pub(crate) const RESOLVED_MS: i64 = 90_000;

/// A schedule that runs.
pub(crate) struct Run<S: Store> {
    pub(crate) store: S,
    process: Option<Process<S::Journal>>,
    issued: Vec<InstructionId>,
    faults_end: Timestamp,
    tooth: Tooth,
    pub(crate) deaths: u32,
}

impl<S: Store> Run<S> {
    pub(crate) fn new(mut store: S, plan: &Plan) -> Self {
        let venue = Venue::new(plan.seed, plan.temper);
        let process = Process::start(&mut store, venue, (START, plan.tooth));
        Self {
            store,
            process: Some(process),
            issued: Vec::new(),
            faults_end: START,
            tooth: plan.tooth,
            deaths: 0,
        }
    }

    pub(crate) fn process(&mut self) -> &mut Process<S::Journal> {
        self.process.as_mut().unwrap()
    }

    /// Ends the process for good; the venue stays.
    pub(crate) fn end(self) -> Venue {
        self.process.unwrap().die()
    }

    /// Starts anew on what the dead process left.
    fn survive(&mut self, result: Result<(), Death>) {
        if result.is_err() {
            self.deaths += 1;
            let dead = self.process.take().unwrap();
            let now = dead.now();
            let process =
                Process::start(&mut self.store, dead.die(), (after(now, 500), self.tooth));
            self.process = Some(process);
        }
    }

    /// Runs to `at`, through as many deaths as there are.
    pub(crate) fn run_to(&mut self, at: Timestamp) {
        while self.process().now() < at {
            let next = at.min(after(self.process().now(), 5_000));
            let result = self.process().run_until(next);
            // A start that the venue did not answer in time ends, and whoever watches it starts it again.
            let is_refused = self.process().readiness().is_err();
            self.survive(if is_refused {
                Err(Death::Refused)
            } else {
                result
            });
        }
        let result = self.process().run_until(at);
        self.survive(result);
    }

    /// Runs until the venue may be used.
    pub(crate) fn get_ready(&mut self) {
        for _ in 0..100 {
            if matches!(self.process().readiness(), Ok(true)) {
                return;
            }
            let next = after(self.process().now(), 500);
            self.run_to(next);
        }
        panic!("the venue is not ready in time");
    }

    pub(crate) fn make(&mut self, a_move: &Move) {
        let now = self.process().now();
        let earlier = |issued: &[InstructionId], back: u32| {
            let at = issued
                .len()
                .checked_sub(usize::try_from(back).unwrap() + 1)?;
            issued.get(at).copied()
        };
        let operation = match a_move {
            Move::Execute(operation) => operation.clone(),
            Move::Cancel(back) => match earlier(&self.issued, *back) {
                Some(order) => cancel(order),
                None => return,
            },
            Move::Amend(back, quantity, limit) => match earlier(&self.issued, *back) {
                Some(order) => amended(order, *quantity, *limit),
                None => return,
            },
            Move::Trade(product, side, quantity) => {
                let venue = &mut self.process().driver.network;
                return venue.trade(now, *product, *side, quantity);
            }
            Move::KillAfter(steps) => {
                self.process().lives = Some(*steps);
                return;
            }
            Move::DiskFull(commits) => return self.store.fail_after(*commits),
            Move::ClockAhead(ms) => {
                let venue = &mut self.process().driver.network;
                return venue.act(now, |exchange| exchange.set_clock_ahead(*ms));
            }
        };
        match self.process().execute(operation) {
            Ok(id) => self.issued.push(id),
            Err(death) => self.survive(Err(death)),
        }
    }

    /// Runs the whole of `plan`, and until everything must be known.
    pub(crate) fn carry_out(&mut self, plan: &Plan) {
        self.get_ready();
        let began = self.process().now();
        let faults = plan.faults.clone();
        self.process().driver.network.set_faults(faults);
        for (at, a_move) in &plan.moves {
            self.run_to(after(began, *at));
            self.make(a_move);
        }
        self.faults_end = after(began, plan.faults_until_ms);
        let end = self.faults_end;
        self.run_to(end);
        self.calm();
        self.run_to(after(end, RESOLVED_MS));
    }

    /// Ends all faults, and all deaths.
    pub(crate) fn calm(&mut self) {
        let process = self.process();
        process.lives = None;
        process.driver.network.set_faults(Vec::new());
    }

    /// What is wrong at the end. An order that rests is over when the venue says the same.
    pub(crate) fn verdict(&mut self) -> Vec<String> {
        let ledger = Ledger::of(&self.store.commits());
        let mut found = problems(&ledger, &self.process().driver.network);
        for (id, outcome) in &ledger.outcomes {
            if !ledger.is_known(*id) {
                let asked = &ledger.instructions[id].instruction.operation;
                found.push(format!("{id} is still open: {asked:?}, {outcome:?}"));
            }
        }
        found
    }
}

/// What is wrong at the end of the schedule of `seed`; a panic is one thing that is.
fn check(seed: u64) -> Vec<String> {
    let ran = std::panic::catch_unwind(|| {
        let plan = Plan::random(seed);
        let mut run = Run::new(InMemory::new(), &plan);
        run.carry_out(&plan);
        run.verdict()
    });
    ran.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        vec![text.unwrap_or_else(|| "it panics".to_owned())]
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "which schedules run is said from outside"
)]
pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn random_schedules_end_as_the_venue_has_them() {
    let seeds = match number("BASIS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("BASIS_SCHEDULES").unwrap_or(10_000),
    };
    let mut failed = in_parallel(seeds, |seed| {
        let found = check(seed);
        (!found.is_empty()).then(|| format!("seed {seed}: {}", found.join("\n  ")))
    });
    let count = failed.len();
    failed.truncate(5);
    assert_eq!(
        count,
        0,
        "{}\n{:#?}",
        failed.join("\n"),
        "BASIS_SEED=N runs one alone"
    );
}

/// What comes of each seed, in their order, on as many threads as there are.
pub(crate) fn in_parallel<T: Send>(
    seeds: std::ops::Range<u64>,
    run: impl Fn(u64) -> Option<T> + Sync,
) -> Vec<T> {
    let next = std::sync::atomic::AtomicU64::new(seeds.start);
    let some = || {
        let mut own = Vec::new();
        loop {
            let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if seed >= seeds.end {
                return own;
            }
            own.extend(run(seed).map(|found| (seed, found)));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut found: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(some)).collect();
        let done = threads.into_iter();
        done.flat_map(|thread| thread.join().unwrap()).collect()
    });
    found.sort_by_key(|(seed, _)| *seed);
    found.into_iter().map(|(_, found)| found).collect()
}

#[test]
fn a_seed_is_one_schedule() {
    let ends = || {
        let plan = Plan::random(12);
        let mut run = Run::new(InMemory::new(), &plan);
        run.carry_out(&plan);
        (run.store.commits(), run.process().driver.network.sent.len())
    };
    assert_eq!(ends(), ends());
}
