//! Virtual time under the factory, the machine and the engine: one thread, one clock.

use std::sync::{Arc, Mutex, MutexGuard};

use basis_core::clock::{Clock, VirtualClock};
use basis_core::error::ComponentError;
use basis_core::num::Quantity;
use basis_core::types::{Span, Timestamp};
use basis_engine::wake::{Wake, WakeSource};
use basis_live::actor::{Command, Mailbox, Runtime, VenueMachine, VirtualDriver};

use crate::venue::Venue;

/// The venue, and whatever machine speaks to it.
#[derive(Debug)]
enum Side {
    Alone(Venue),
    Driven(VirtualDriver<Box<dyn VenueMachine>, Venue>, Mailbox),
    /// Between the two.
    Moving,
}

#[derive(Debug)]
struct Shared {
    side: Side,
    /// Inputs until the process is killed.
    lives: Option<u64>,
    naked: NakedTime,
}

/// How long more delta than a bound stood open at the venue.
#[derive(Clone, Debug, Default)]
pub(super) struct NakedTime {
    since: Option<Timestamp>,
    pub(super) longest: Span,
}

/// What is called naked: the fee of a purchase is not.
const NAKED: &str = "0.002";

impl NakedTime {
    fn sample(&mut self, now: Timestamp, delta: Quantity) {
        if delta.abs().unwrap() <= basis_testkit::q(NAKED) {
            self.since = None;
            return;
        }
        let since = *self.since.get_or_insert(now);
        self.longest = self.longest.max(now.since(since));
    }
}

/// Machines under virtual time.
#[derive(Clone, Debug)]
pub(super) struct VirtualRuntime {
    pub(super) clock: VirtualClock,
    shared: Arc<Mutex<Shared>>,
}

impl VirtualRuntime {
    pub(super) fn new(venue: Venue, now: Timestamp, naked: NakedTime) -> Self {
        let shared = Shared {
            side: Side::Alone(venue),
            lives: None,
            naked,
        };
        Self {
            clock: VirtualClock::new(now),
            shared: Arc::new(Mutex::new(shared)),
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap()
    }

    /// Does something at the venue.
    pub(super) fn at_venue<T>(&self, act: impl FnOnce(&mut Venue) -> T) -> T {
        let mut shared = self.shared();
        match &mut shared.side {
            Side::Alone(venue) => act(venue),
            Side::Driven(driver, _) => act(&mut driver.network),
            Side::Moving => unreachable!(),
        }
    }

    pub(super) fn kill_after(&self, inputs: Option<u64>) {
        self.shared().lives = inputs;
    }

    pub(super) fn is_dead(&self) -> bool {
        self.shared().lives == Some(0)
    }

    /// Takes the venue back from a process that has ended.
    pub(super) fn release(&self) -> (Venue, NakedTime) {
        let mut shared = self.shared();
        let naked = shared.naked.clone();
        match std::mem::replace(&mut shared.side, Side::Moving) {
            Side::Alone(venue) => (venue, naked),
            Side::Driven(driver, _) => (driver.network, naked),
            Side::Moving => unreachable!(),
        }
    }

    /// Runs until `until`, until there is something for the engine, or until the process is dead.
    fn run_until(&self, until: Timestamp) -> bool {
        let mut shared = self.shared();
        let Shared { side, lives, naked } = &mut *shared;
        let Side::Driven(driver, mailbox) = side else {
            unreachable!()
        };
        loop {
            let mut inputs = 0;
            let most = lives.unwrap_or(u64::MAX).min(1);
            driver
                .run_until(until, &mut |mailbox| {
                    inputs += 1;
                    mailbox.has_events() || inputs > most
                })
                .unwrap();
            if let Some(left) = lives {
                *left = left.saturating_sub(inputs.min(1));
            }
            let now = driver.now();
            naked.sample(now, driver.network.delta());
            self.clock.advance_to(now);
            if mailbox.has_events() || *lives == Some(0) || now >= until {
                return mailbox.has_events();
            }
        }
    }
}

impl Runtime for VirtualRuntime {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn start(
        &self,
        _: basis_core::types::Venue,
        machine: Box<dyn VenueMachine>,
        deadline: Timestamp,
    ) -> Result<Mailbox, ComponentError> {
        let mut shared = self.shared();
        let mut venue = match std::mem::replace(&mut shared.side, Side::Moving) {
            Side::Alone(venue) => venue,
            Side::Driven(driver, _) => driver.network,
            Side::Moving => unreachable!(),
        };
        venue.forget(self.now());
        let mailbox = Mailbox::new();
        let mut driver = VirtualDriver::new(machine, venue, mailbox.clone(), self.now());
        driver.command(Command::Snapshot).unwrap();
        driver
            .run_until(deadline, &mut |mailbox| {
                mailbox.decided().is_ok() && mailbox.account().answered > Timestamp::MIN
                    || matches!(
                        mailbox.readiness(),
                        basis_live::actor::Readiness::Refused(_)
                    )
            })
            .unwrap();
        self.clock.advance_to(driver.now());
        shared.side = Side::Driven(driver, mailbox.clone());
        mailbox.decided().map(|()| mailbox)
    }
}

/// Steps, events and deadlines in their order: the machine runs until there is something for the engine, and
/// the clock moves to the earliest of what is due.
pub(super) struct VirtualWakes {
    pub(super) runtime: VirtualRuntime,
    pub(super) next_step: Timestamp,
    pub(super) step: Span,
    pub(super) end: Timestamp,
    /// Where a test wants to do something.
    pub(super) stop: Option<Timestamp>,
}

impl WakeSource for VirtualWakes {
    fn now(&self) -> Timestamp {
        self.runtime.clock.now()
    }

    fn next(&mut self, due: &dyn Fn() -> Option<Timestamp>) -> Option<Wake> {
        if self.next_step > self.end {
            return None;
        }
        let wanted = due().into_iter().chain(self.stop);
        let until = wanted.fold(self.next_step, Timestamp::min).max(self.now());
        let has_events = self.runtime.run_until(until);
        let now = self.now();
        if self.runtime.is_dead() {
            return None;
        }
        if has_events {
            return Some(Wake::Events(now));
        }
        if now < self.next_step {
            return Some(Wake::Deadline(now));
        }
        self.next_step = now.plus(self.step);
        Some(Wake::Step(now))
    }
}
