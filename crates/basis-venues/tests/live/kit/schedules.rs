//! Schedules of faults, named and random.

use basis_core::types::{InstructionId, Timestamp};
use basis_core::venue_event::OrderState;
use basis_testkit::START;

use super::Bench;
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
use crate::venue::after;

/// A schedule that runs.
pub(crate) struct Run<B: Bench, S: Store> {
    pub(crate) store: S,
    process: Option<Process<B, S::Journal>>,
    issued: Vec<InstructionId>,
    tooth: Tooth,
    pub(crate) deaths: u32,
    /// Why the venue last refused a start.
    refused: Option<String>,
}

impl<B: Bench, S: Store> Run<B, S> {
    pub(crate) fn new(mut store: S, plan: &Plan) -> Self {
        let venue = Venue::new(plan.seed, plan.temper);
        let process = Process::start(&mut store, venue, (START, plan.tooth));
        Self {
            store,
            process: Some(process),
            issued: Vec::new(),
            tooth: plan.tooth,
            deaths: 0,
            refused: None,
        }
    }

    pub(crate) fn process(&mut self) -> &mut Process<B, S::Journal> {
        self.process.as_mut().unwrap()
    }

    pub(crate) fn ledger(&self) -> Ledger {
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

    /// Ends the process; `meanwhile` does something at the venue and says when the next one starts.
    pub(crate) fn interrupted(&mut self, meanwhile: impl FnOnce(&mut Venue<B>) -> Timestamp) {
        let mut venue = self.process.take().unwrap().die();
        let at = meanwhile(&mut venue);
        let process = Process::start(&mut self.store, venue, (at, self.tooth));
        self.process = Some(process);
    }

    /// Runs to `at`, through as many deaths as there are.
    pub(crate) fn run_to(&mut self, at: Timestamp) {
        while self.process().now() < at {
            let next = at.min(after(self.process().now(), 5_000));
            let result = self.process().run_until(next);
            // A start that the venue did not answer in time ends, and whoever watches it starts it again.
            let refusal = self.process().readiness().err();
            let is_refused = refusal.is_some();
            self.refused = refusal.map(|e| e.message).or(self.refused.take());
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
        panic!("the venue is not ready in time: {:?}", self.refused);
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
    pub(crate) fn carry_out(&mut self, plan: &Plan) {
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
        self.run_to(after(end, plan.resolved_ms::<B>()));
    }

    /// What is wrong at the end. An order that rests is over when the venue says the same.
    pub(crate) fn verdict(&mut self) -> Vec<String> {
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
pub(crate) fn found<B: Bench>(plan: &Plan) -> Vec<String> {
    let mut run = Run::<B, _>::new(InMemory::new(), plan);
    run.carry_out(plan);
    run.verdict()
}

/// Random schedules. A failing seed is printed and runs alone with `BASIS_SEED=N`.
pub(crate) fn random_schedules<B: Bench>() {
    let seeds = match number("BASIS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("BASIS_SCHEDULES").unwrap_or(300),
    };
    let mut failed = Vec::new();
    for seed in seeds {
        let found = found::<B>(&Plan::random::<B>(seed));
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

pub(crate) fn schedules_on_a_journal_file<B: Bench>() {
    for seed in 10_000..10_060 {
        let plan = Plan::random::<B>(seed);
        let mut run = Run::<B, _>::new(OnDisk::new(), &plan);
        run.carry_out(&plan);
        assert_eq!(run.verdict(), Vec::<String>::new(), "seed {seed}");
    }
}

pub(crate) fn a_seed_is_one_schedule<B: Bench>() {
    let ends = || {
        let plan = Plan::random::<B>(12);
        let mut run = Run::<B, _>::new(InMemory::new(), &plan);
        run.carry_out(&plan);
        (run.store.commits(), run.process().driver.network.sent.len())
    };
    assert_eq!(ends(), ends());
}

/// No secret in journals, events, notices and debug output.
pub(crate) fn no_secret_is_shown<B: Bench>() {
    for seed in 0..20 {
        let plan = Plan::random::<B>(seed);
        let mut run = Run::<B, _>::new(InMemory::new(), &plan);
        run.carry_out(&plan);
        let mut text = format!("{:?}", run.store.commits());
        let process = run.process();
        text.push_str(&format!("{:?}", process.driver.machine));
        text.push_str(&format!("{:?}", process.mailbox.take_notices()));
        text.push_str(&format!("{:?}", process.mailbox.account()));
        text.push_str(&format!("{:?}", process.driver.network.sent));
        for secret in B::SECRETS {
            assert!(!text.contains(secret), "seed {seed}");
        }
        let mut signed = 0;
        for (_, request) in &process.driver.network.sent {
            if let Some(signature) = super::header(request, B::SIGNATURE) {
                assert!(!text.contains(&signature), "seed {seed}");
                signed += 1;
            }
        }
        assert!(signed > 0);
    }
}
