//! Random schedules of faults. A failing seed is printed and runs alone with `BASIS_SEED=N`.

use basis_core::types::{InstructionId, Timestamp};
use basis_core::venue_event::OrderState;
use basis_testkit::START;

use super::plan::{Move, Plan};
use super::process::Process;
use super::teeth::Tooth;
use super::venue::Venue;
use super::verdict::problems;
use crate::book::Ledger;
use crate::durable::OnDisk;
use crate::plan::{amended, cancel};
use crate::process::{Death, InMemory, Store};
use crate::schedules::number;
use crate::venue::{KEY, SECRET, after};

/// A schedule that runs.
pub(super) struct Run<S: Store> {
    pub(super) store: S,
    process: Option<Process<S::Journal>>,
    issued: Vec<InstructionId>,
    tooth: Tooth,
    pub(super) deaths: u32,
}

impl<S: Store> Run<S> {
    pub(super) fn new(mut store: S, plan: &Plan) -> Self {
        let venue = Venue::new(plan.seed, plan.temper);
        let process = Process::start(&mut store, venue, (START, plan.tooth));
        Self {
            store,
            process: Some(process),
            issued: Vec::new(),
            tooth: plan.tooth,
            deaths: 0,
        }
    }

    pub(super) fn process(&mut self) -> &mut Process<S::Journal> {
        self.process.as_mut().unwrap()
    }

    pub(super) fn ledger(&self) -> Ledger {
        Ledger::of(&self.store.commits())
    }

    /// Starts anew on what the dead process left.
    fn survive(&mut self, result: Result<(), Death>) {
        if result.is_err() {
            self.deaths += 1;
            let dead = self.process.take().unwrap();
            let at = after(dead.now(), 500);
            let process = Process::start(&mut self.store, dead.die(), (at, self.tooth));
            self.process = Some(process);
        }
    }

    /// Runs to `at`, through as many deaths as there are.
    pub(super) fn run_to(&mut self, at: Timestamp) {
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
    pub(super) fn get_ready(&mut self) {
        for _ in 0..100 {
            if matches!(self.process().readiness(), Ok(true)) {
                return;
            }
            let next = after(self.process().now(), 500);
            self.run_to(next);
        }
        panic!("the venue is not ready in time");
    }

    pub(super) fn make(&mut self, a_move: &Move) {
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
            Move::Trade(category, side, quantity) => {
                let venue = &mut self.process().driver.network;
                return venue.trade(now, *category, *side, quantity);
            }
            Move::RejectNext => {
                let venue = &mut self.process().driver.network;
                return venue.act(now, |exchange| exchange.reject_next());
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
    pub(super) fn carry_out(&mut self, plan: &Plan) {
        self.get_ready();
        let began = self.process().now();
        let faults = plan.faults.clone();
        self.process().driver.network.set_faults(faults);
        for (at, a_move) in &plan.moves {
            self.run_to(after(began, *at));
            self.make(a_move);
        }
        let end = after(began, plan.faults_until_ms);
        self.run_to(end);
        // All faults and all deaths end.
        self.process().lives = None;
        self.process().driver.network.set_faults(Vec::new());
        self.run_to(after(end, plan.resolved_ms()));
    }

    /// What is wrong at the end. An order that rests is over when the venue says the same.
    pub(super) fn verdict(&mut self) -> Vec<String> {
        let ledger = self.ledger();
        let mut found = problems(&ledger, &self.process().driver.network);
        for (id, outcome) in &ledger.outcomes {
            let rests = outcome.state == Some(OrderState::Working);
            if !ledger.is_over(*id) && !rests {
                let asked = &ledger.instructions[id].instruction.operation;
                found.push(format!("{id} is still open: {asked:?}, {outcome:?}"));
            }
        }
        found
    }
}

/// What is wrong at the end of a plan, on a journal in memory.
pub(super) fn found(plan: &Plan) -> Vec<String> {
    let mut run = Run::new(InMemory::new(), plan);
    run.carry_out(plan);
    run.verdict()
}

#[test]
fn random_schedules_at_bybit_end_as_the_venue_has_them() {
    let seeds = match number("BASIS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("BASIS_SCHEDULES").unwrap_or(300),
    };
    let mut failed = Vec::new();
    for seed in seeds {
        let found = found(&Plan::random(seed));
        if !found.is_empty() {
            failed.push(format!("seed {seed}: {}", found.join("\n  ")));
        }
    }
    let count = failed.len();
    failed.truncate(5);
    assert_eq!(
        count,
        0,
        "{}\nBASIS_SEED=N runs one alone",
        failed.join("\n")
    );
}

#[test]
fn random_schedules_at_bybit_on_a_journal_file_end_as_the_venue_has_them() {
    for seed in 10_000..10_060 {
        let plan = Plan::random(seed);
        let mut run = Run::new(OnDisk::new(), &plan);
        run.carry_out(&plan);
        assert_eq!(run.verdict(), Vec::<String>::new(), "seed {seed}");
    }
}

#[test]
fn a_seed_is_one_schedule_at_bybit() {
    let ends = || {
        let plan = Plan::random(12);
        let mut run = Run::new(InMemory::new(), &plan);
        run.carry_out(&plan);
        (run.store.commits(), run.process().driver.network.sent.len())
    };
    assert_eq!(ends(), ends());
}

#[test]
fn no_secret_of_bybit_in_journals_events_notices_and_debug_output() {
    for seed in 0..20 {
        let plan = Plan::random(seed);
        let mut run = Run::new(InMemory::new(), &plan);
        run.carry_out(&plan);
        let mut text = format!("{:?}", run.store.commits());
        let process = run.process();
        text.push_str(&format!("{:?}", process.driver.machine));
        text.push_str(&format!("{:?}", process.mailbox.take_notices()));
        text.push_str(&format!("{:?}", process.mailbox.account()));
        text.push_str(&format!("{:?}", process.driver.network.sent));
        assert!(!text.contains(KEY) && !text.contains(SECRET), "seed {seed}");
        let mut signed = 0;
        for (_, request) in &process.driver.network.sent {
            let mut headers = request.headers.iter();
            let signature = headers.find(|(name, _)| name == "X-BAPI-SIGN");
            if let Some((_, signature)) = signature {
                assert!(!text.contains(signature.as_str()), "seed {seed}");
                signed += 1;
            }
        }
        assert!(signed > 0);
    }
}
