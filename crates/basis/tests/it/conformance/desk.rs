//! A desk: every built-in venue on one chain, created through the factory, and all they have reported.

use std::collections::BTreeMap;

use basis::assembly::World;
use basis::core::config::Node;
use basis::core::error::{Code, VenueError, VenueErrorKind};
use basis::core::execution::{Execution, ExecutionStatus, Position, VenueEvent};
use basis::core::executor::{PollOnce, run};
use basis::core::instruction::{Instruction, Operation};
use basis::core::ledger::LedgerEntry;
use basis::core::market::MarketView;
use basis::core::num::Quantity;
use basis::core::types::{Account, InstructionId, Item, Timestamp, Venue};
use basis::core::venue::{Dependencies, ExecutionInterface};
use basis::venues::factory::{ExecutionInterfaceFactory, FactorySettings};
use basis::venues::registry::Registry;

use super::market;
use super::script::{Script, Status, Step};

/// A finding: what was expected, what was found. Nothing when the case holds.
pub(super) type Check<T = ()> = Result<T, String>;

/// Quantity and units of every holding that is not zero.
pub(super) type Held = BTreeMap<(Account, Item), (Quantity, Quantity)>;

/// Ends a case with a finding unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(format!($($text)+));
        }
    };
}
pub(super) use ensure;

/// Instructions that probe have ids from here on; a script's count from 1.
const PROBES: u64 = 1_000;

pub(super) struct Desk {
    pub(super) world: World,
    pub(super) view: MarketView,
    pub(super) venues: Vec<Box<dyn ExecutionInterface>>,
    /// What the venues said they held before anything happened.
    initial: Held,
    pub(super) ledger: Vec<LedgerEntry>,
    /// The lines of each execution and event by themselves.
    pub(super) reports: Vec<Vec<LedgerEntry>>,
    hour: i64,
    probes: u64,
    /// Whether every step also asks what nobody has to ask.
    pub(super) nosy: Option<Noise>,
}

/// What the superfluous questions of a nosy desk found.
#[derive(Debug, Default)]
pub(super) struct Noise {
    /// Answers of a venue asked again at the same instant.
    pub(super) again: Vec<String>,
    /// Answers of a venue that was not due.
    pub(super) undue: Vec<String>,
}

/// Drives a future of a simulated venue, which never waits.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    run(&mut PollOnce, future).expect("a simulated venue answers at once")
}

/// A factory of a backtest in `world`.
pub(super) fn factory(world: &World, settings: FactorySettings) -> ExecutionInterfaceFactory {
    world.factory(&Registry::builtin(), settings, "")
}

impl Desk {
    pub(super) fn new() -> Check<Self> {
        Self::with(&market::settings(), None)
    }

    /// A desk with these `venue_settings` whose run does not read the series `without`.
    pub(super) fn with(settings: &Node, without: Option<&str>) -> Check<Self> {
        let view = market::view(without);
        let world = World::new(view.now(), market::rules());
        let dependencies = world.dependencies();
        Self::create(world, view, settings, Some(dependencies))
    }

    pub(super) fn create(
        world: World,
        view: MarketView,
        settings: &Node,
        dependencies: Option<Dependencies>,
    ) -> Check<Self> {
        let mut factory = factory(&world, FactorySettings::default());
        let created = now(factory.create_all_interfaces(settings, dependencies));
        ensure!(created.failures.is_empty(), "{:?}", created.failures);
        ensure!(created.warnings.is_empty(), "{:?}", created.warnings);
        let mut desk = Self {
            world,
            view,
            venues: created.interfaces,
            initial: Held::new(),
            ledger: Vec::new(),
            reports: Vec::new(),
            hour: market::OPENING,
            probes: PROBES,
            nosy: None,
        };
        desk.initial = desk.held()?;
        Ok(desk)
    }

    pub(super) fn venue(&mut self, name: &str) -> &mut Box<dyn ExecutionInterface> {
        let mut venues = self.venues.iter_mut();
        let found = venues.find(|venue| venue.venue().as_str() == name);
        found.expect("a venue of the desk")
    }

    /// What every venue reports, in the order of the venues.
    pub(super) fn positions(&mut self) -> Check<Vec<(Venue, Vec<Position>)>> {
        let mut all = Vec::new();
        for venue in &mut self.venues {
            let rows = now(venue.positions(&self.view)).map_err(|e| e.to_string())?;
            all.push((venue.venue(), rows));
        }
        Ok(all)
    }

    fn held(&mut self) -> Check<Held> {
        let mut held = Held::new();
        for (venue, rows) in self.positions()? {
            for row in rows {
                let key = (row.account, row.item);
                let before = held.insert(key, (row.quantity, row.units));
                ensure!(before.is_none(), "{venue} reports {key:?} a second time");
            }
        }
        Ok(held)
    }

    /// Everything there is to know of the state: holdings, the chain to the last field, what is under way.
    pub(super) fn state(&mut self) -> Check<String> {
        let positions = self.positions()?;
        let (chain, transit) = (&self.world.chain, self.world.transit.in_flight());
        Ok(format!("{positions:?}\n{chain:?}\n{transit:?}"))
    }

    /// The sum of what was held at first and of all lines is what the venues report, to the unit.
    pub(super) fn balances(&mut self) -> Check {
        let mut sums = self.initial.clone();
        for line in &self.ledger {
            let sum = sums.entry((line.account, line.item)).or_default();
            sum.0 = sum.0.add(line.quantity).map_err(|e| e.to_string())?;
            sum.1 = sum.1.add(line.units).map_err(|e| e.to_string())?;
        }
        sums.retain(|_, (quantity, units)| !quantity.is_zero() || !units.is_zero());
        let held = self.held()?;
        let keys = sums.keys().chain(held.keys());
        for key in keys {
            let (sum, held) = (sums.get(key), held.get(key));
            ensure!(
                sum == held,
                "{} {}: the lines add up to {sum:?}, the venue reports {held:?}",
                key.0,
                key.1
            );
        }
        Ok(())
    }

    fn take(&mut self, entries: &[LedgerEntry]) {
        self.ledger.extend_from_slice(entries);
        self.reports.push(entries.to_vec());
    }

    /// Executes the instruction `id` at `venue`.
    pub(super) fn execute(
        &mut self,
        venue: &str,
        id: u64,
        operation: Operation,
    ) -> Result<Execution, VenueError> {
        let instruction = Instruction::new(InstructionId(id), operation);
        let view = self.view.clone();
        let result = now(self.venue(venue).execute_instruction(&view, &instruction));
        if let Ok(execution) = &result {
            self.take(&execution.entries);
        }
        result
    }

    /// The same under an id that nothing else has.
    pub(super) fn probe(
        &mut self,
        venue: &str,
        operation: Operation,
    ) -> Result<Execution, VenueError> {
        self.probes += 1;
        self.execute(venue, self.probes, operation)
    }

    /// Executes what prepares a probe.
    pub(super) fn prepare(&mut self, venue: &str, operations: Vec<Operation>) -> Check {
        for operation in operations {
            let text = format!("{operation:?}");
            let done = self.probe(venue, operation);
            done.map_err(|e| format!("preparing {text}: {e}"))?;
        }
        Ok(())
    }

    /// Executes what must be refused: with a typed error and its code, the whole state as it was, no lines.
    pub(super) fn refused(&mut self, venue: &str, operation: Operation) -> Check<VenueError> {
        let text = format!("{operation:?}");
        let before = self.state()?;
        let lines = self.ledger.len();
        let e = match self.probe(venue, operation) {
            Err(e) => e,
            Ok(done) => return Err(format!("{text}: expected a refusal, found {done:?}")),
        };
        ensure!(
            self.state()? == before,
            "{text}: refused ({e}), but the state has changed"
        );
        ensure!(self.ledger.len() == lines, "{text}: refused with lines");
        self.balances()?;
        let code = match e.kind {
            VenueErrorKind::Rejected { .. } | VenueErrorKind::Reverted(_) => Code::OrderFailed,
            VenueErrorKind::InvalidRequest(_) | VenueErrorKind::Unsupported(_) => {
                Code::InstructionInvalid
            }
            _ => return Err(format!("{text}: no refusal but {e}")),
        };
        ensure!(e.code() == code, "{text}: {} for {e}", e.code());
        ensure!(
            e.venue.as_str() == venue,
            "{text}: refused in the name of {}",
            e.venue
        );
        ensure!(
            e.kind.to_string().len() > 15,
            "{text}: the refusal says nothing: {e}"
        );
        Ok(e)
    }

    /// An hour on: every venue that is due is asked, the wallet last, as the engine does it.
    pub(super) fn step(&mut self) -> Check {
        self.to(self.hour + 1)
    }

    /// To this hour of the market at once.
    pub(super) fn to(&mut self, hour: i64) -> Check {
        self.hour = hour;
        let at = market::hour(hour);
        self.view.advance_to(at).map_err(|e| e.to_string())?;
        self.world.clock.advance_to(at);
        let wallet = |venue: &dyn ExecutionInterface| venue.venue() == Venue::WALLET;
        let mut venues = std::mem::take(&mut self.venues);
        venues.sort_by_key(|venue| wallet(&**venue));
        let asked = self.ask(&mut venues, at);
        self.venues = venues;
        asked
    }

    fn ask(&mut self, venues: &mut [Box<dyn ExecutionInterface>], at: Timestamp) -> Check {
        for venue in venues {
            let name = venue.venue();
            let view = self.view.clone();
            let due = venue.is_due(&view);
            let mut ask = |what: &str| -> Check<Vec<VenueEvent>> {
                let answer = now(venue.advance(&view));
                answer.map_err(|e| format!("{name} at {at}, {what}: {e}"))
            };
            if due {
                let events = ask("due")?;
                for event in &events {
                    ensure!(event.at <= at, "{name} at {at} reports {event:?}");
                    self.take(&event.entries);
                }
            }
            if let Some(noise) = &mut self.nosy {
                let place = if due {
                    &mut noise.again
                } else {
                    &mut noise.undue
                };
                let events = ask("not due")?;
                place.extend(events.iter().map(|event| format!("{name}: {event:?}")));
            }
        }
        Ok(())
    }

    /// Plays the steps of a script, `after` each of them.
    pub(super) fn play(
        &mut self,
        steps: &[Step],
        after: &mut dyn FnMut(&mut Self, Option<&Execution>) -> Check,
    ) -> Check {
        for step in steps {
            match step {
                Step::Act {
                    venue,
                    id,
                    operation,
                    expected,
                } => {
                    let done = self.execute(venue, *id, operation.clone());
                    let done = done.map_err(|e| format!("instruction {id}: {e}"))?;
                    let status = Status::of(done.status);
                    ensure!(
                        status == *expected,
                        "instruction {id}, {operation:?}: expected {expected:?}, found {:?}",
                        done.status
                    );
                    if let ExecutionStatus::Pending { until } = done.status {
                        ensure!(until.is_some(), "instruction {id} says not until when");
                    }
                    ensure!(
                        done.instruction == InstructionId(*id) && done.venue.as_str() == *venue,
                        "instruction {id} at {venue} is reported as {done:?}"
                    );
                    after(self, Some(&done))?;
                }
                Step::Wait(hours) => {
                    for _ in 0..*hours {
                        self.step()?;
                        after(self, None)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A desk on which the whole script has been played.
    pub(super) fn played(script: fn(&mut Script)) -> Check<Self> {
        let mut desk = Self::new()?;
        desk.play(&Script::of(script), &mut |_, _| Ok(()))?;
        Ok(desk)
    }
}
