//! A desk: every built-in venue on one chain, created through the factory, and all they have reported.

use std::collections::BTreeMap;

use basis::assembly::World;
use basis::core::config::Node;
use basis::core::error::{Code, VenueError, VenueErrorKind};
use basis::core::instruction::{Instruction, Operation};
use basis::core::ledger::LedgerEntry;
use basis::core::num::Quantity;
use basis::core::types::{Account, InstructionId, Item, Timestamp, Venue};
use basis::core::venue::Dependencies;
use basis::core::venue_event::{AccountSnapshot, EventKind, Events, Position, VenueEvent};
use basis::engine::account::{Books, Posted};
use basis::market::ExecutionInterface;
use basis::market::MarketView;
use basis::venues::factory::FactorySettings;

use super::answer::{self, Done};
use super::market::{self, Bench};
use super::script::{Script, Status, Step};
use super::subjects::Subject;

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
const PROBES: u32 = 1_000;

pub(super) struct Desk {
    pub(super) world: World,
    pub(super) view: MarketView,
    pub(super) venues: Vec<Box<dyn ExecutionInterface>>,
    /// What the venues said they held before anything happened.
    initial: Held,
    /// Where the events are booked, as the engine books them.
    pub(super) books: Books,
    /// Everything the venues have said, in order; of what was asked over and again too.
    pub(super) heard: Events,
    /// The lines of each event by themselves.
    pub(super) reports: Vec<Vec<LedgerEntry>>,
    hour: i64,
    probes: u32,
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

impl Desk {
    pub(super) fn new(bench: Bench) -> Check<Self> {
        Self::with(bench, &bench.settings(), None)
    }

    /// A desk with these `venue_settings` whose run does not read the series `without`.
    pub(super) fn with(bench: Bench, settings: &Node, without: Option<&str>) -> Check<Self> {
        let view = bench.view(without);
        let world = bench.world(&view);
        let dependencies = world.dependencies();
        Self::create(bench, world, view, settings, Some(dependencies))
    }

    pub(super) fn create(
        bench: Bench,
        world: World,
        view: MarketView,
        settings: &Node,
        dependencies: Option<Dependencies>,
    ) -> Check<Self> {
        let mut desk = Self::unread(bench, world, view, settings, dependencies)?;
        desk.initial = desk.held()?;
        Ok(desk)
    }

    /// A desk that has asked its venues nothing yet.
    pub(super) fn unread(
        bench: Bench,
        world: World,
        view: MarketView,
        settings: &Node,
        dependencies: Option<Dependencies>,
    ) -> Check<Self> {
        let mut factory = bench.factory(&world, FactorySettings::default());
        let created = factory.create_all_interfaces(settings, dependencies);
        ensure!(created.failures.is_empty(), "{:?}", created.failures);
        ensure!(created.warnings.is_empty(), "{:?}", created.warnings);
        let books = Books::new(market::pricing(&view), &view).map_err(|e| e.to_string())?;
        Ok(Self {
            world,
            view,
            venues: created.interfaces,
            initial: Held::new(),
            books,
            heard: Events::new(),
            reports: Vec::new(),
            hour: market::OPENING,
            probes: PROBES,
            nosy: None,
        })
    }

    pub(super) fn venue(&mut self, name: &str) -> &mut Box<dyn ExecutionInterface> {
        at(&mut self.venues, name)
    }

    pub(super) fn ledger(&self) -> &[LedgerEntry] {
        self.books.ledger()
    }

    /// What every venue says it holds, in the order of the venues. The answer is one event and brings
    /// nothing else.
    pub(super) fn snapshots(&mut self) -> Check<Vec<(Venue, AccountSnapshot)>> {
        let now = self.view.now();
        let mut all = Vec::new();
        for venue in &mut self.venues {
            let name = venue.venue();
            let mut answer = Events::new();
            venue.request_snapshot();
            venue.poll_events(&self.view, &mut answer);
            let expected = EventKind::Snapshot {
                asked: now,
                answered: now,
            };
            let expected = VenueEvent::new(name, now, now, expected);
            ensure!(
                answer == [expected],
                "{name} at {now}, asked what it holds, says {answer:?}"
            );
            let snapshot = venue.account().clone();
            ensure!(
                (snapshot.asked, snapshot.answered) == (now, now),
                "{name} at {now} answers {snapshot:?}"
            );
            ensure!(
                snapshot.contradiction().is_none(),
                "{name} at {now}: {:?}",
                snapshot.contradiction()
            );
            self.heard.extend(answer);
            all.push((name, snapshot));
        }
        Ok(all)
    }

    /// What every venue says it holds, but for margins, health and orders.
    pub(super) fn positions(&mut self) -> Check<Vec<(Venue, Vec<Position>)>> {
        let all = self.snapshots()?;
        let rows = all.into_iter();
        Ok(rows.map(|(venue, said)| (venue, said.positions)).collect())
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

    /// Everything there is to know of the state: what every venue says, the chain to the last field, what
    /// is under way. Which instructions the chain knows is no part of it: refused ones are among them.
    pub(super) fn state(&mut self) -> Check<String> {
        let said = self.snapshots()?;
        let simulated = &self.world.simulated;
        let chain = format!("{:?}", simulated.chain);
        let (chain, _) = chain
            .rsplit_once(", taken_on: ")
            .ok_or("the chain has another form")?;
        let transit = simulated.transit.in_flight();
        Ok(format!("{said:?}\n{chain}\n{transit:?}"))
    }

    /// The sum of what was held at first and of all lines is what the venues report, to the unit, and the
    /// books hold the sum of the lines.
    pub(super) fn balances(&mut self) -> Check {
        let lines = summed(Held::new(), self.ledger())?;
        let booked = self.books.positions();
        let booked = booked.map(|p| ((p.account, p.item), (p.quantity, p.units)));
        ensure!(lines == booked.collect(), "the books hold another sum");
        let sums = summed(self.initial.clone(), self.ledger())?;
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

    /// Books one event and yields its lines.
    fn take(&mut self, event: &VenueEvent) -> Check<Vec<LedgerEntry>> {
        let now = self.view.now();
        ensure!(
            event.at <= now && event.received_at == now,
            "at {now} is reported {event:?}"
        );
        if let EventKind::Connectivity { .. } = event.kind {
            return Err(format!("at {now}: {event:?}"));
        }
        let posted = self.books.post(&self.view, event);
        let posted = posted.map_err(|e| format!("{event:?}: {e}"))?;
        self.heard.push(event.clone());
        let Posted::New {
            lines, unpriced, ..
        } = posted
        else {
            return Err(format!("at {now} is reported again {event:?}"));
        };
        ensure!(unpriced.is_empty(), "{event:?} has no price: {unpriced:?}");
        let lines = self.ledger().get(lines).unwrap_or_default().to_vec();
        if !lines.is_empty() {
            self.reports.push(lines.clone());
        }
        Ok(lines)
    }

    /// What `venue` says to these instructions, as it comes.
    pub(super) fn send(&mut self, venue: &str, instructions: &[Instruction]) -> Events {
        let mut events = Events::new();
        let interface = at(&mut self.venues, venue);
        interface.execute_instructions(&self.view, instructions, &mut events);
        events
    }

    /// Executes the instruction `id` at `venue`. A refusal is one event and nothing else.
    pub(super) fn execute(
        &mut self,
        venue: &str,
        id: u32,
        operation: Operation,
    ) -> Check<Result<Done, VenueError>> {
        let instruction = Instruction::new(InstructionId::plain(id), operation);
        let events = self.send(venue, std::slice::from_ref(&instruction));
        let mut lines = Vec::new();
        for event in &events {
            lines.extend(self.take(event)?);
        }
        if let Some(e) = answer::refusal(&events, instruction.id) {
            let [only] = &events[..] else {
                return Err(format!("{e} comes with more: {events:?}"));
            };
            let now = self.view.now();
            ensure!(
                only.venue.as_str() == venue && only.at == now && only.key().is_none(),
                "{venue} refuses at {now} by {only:?}"
            );
            return Ok(Err(e));
        }
        let mut done = Done::of(instruction.id, &events, lines)?;
        for protocol in &self.venues {
            if done.queues.contains(&protocol.venue()) {
                let terms = protocol.terms(&self.view).map_err(|e| e.to_string())?;
                let delay = terms.unstake_delay.ok_or("a queue without a delay")?;
                done.until = done.until.max(Some(self.view.now().plus(delay)));
            }
        }
        Ok(Ok(done))
    }

    /// The same under an id that nothing else has.
    pub(super) fn probe(
        &mut self,
        venue: &str,
        operation: Operation,
    ) -> Check<Result<Done, VenueError>> {
        self.probes += 1;
        self.execute(venue, self.probes, operation)
    }

    /// Executes what prepares a probe.
    pub(super) fn prepare(&mut self, venue: &str, operations: Vec<Operation>) -> Check {
        for operation in operations {
            let text = format!("{operation:?}");
            let done = self.probe(venue, operation)?;
            done.map_err(|e| format!("preparing {text}: {e}"))?;
        }
        Ok(())
    }

    /// Sends what must do nothing: no event, the whole state as it was, nothing counted.
    pub(super) fn ignored(&mut self, venue: &str, instruction: &Instruction) -> Check {
        let before = (self.state()?, self.venue(venue).health().counts());
        let events = self.send(venue, std::slice::from_ref(instruction));
        ensure!(events.is_empty(), "{instruction:?} again: {events:?}");
        let after = (self.state()?, self.venue(venue).health().counts());
        ensure!(
            before == after,
            "{instruction:?} again has changed something"
        );
        Ok(())
    }

    /// Executes what must be refused: with a typed error and its code, the whole state as it was, no lines.
    pub(super) fn refused(&mut self, venue: &str, operation: Operation) -> Check<VenueError> {
        let text = format!("{operation:?}");
        let before = self.state()?;
        let lines = self.ledger().len();
        let e = match self.probe(venue, operation)? {
            Err(e) => e,
            Ok(done) => return Err(format!("{text}: expected a refusal, found {done:?}")),
        };
        ensure!(
            self.state()? == before,
            "{text}: refused ({e}), but the state has changed"
        );
        ensure!(self.ledger().len() == lines, "{text}: refused with lines");
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
            let due = venue.horizon(&self.view).is_due(&self.view);
            if due {
                let mut events = Events::new();
                venue.poll_events(&self.view, &mut events);
                for event in &events {
                    self.take(event)
                        .map_err(|e| format!("{name} at {at}: {e}"))?;
                }
            }
            if let Some(noise) = &mut self.nosy {
                let place = if due {
                    &mut noise.again
                } else {
                    &mut noise.undue
                };
                let mut events = Events::new();
                venue.poll_events(&self.view, &mut events);
                place.extend(events.iter().map(|event| format!("{name}: {event:?}")));
            }
        }
        Ok(())
    }

    /// Plays the steps of a script, `after` each of them.
    pub(super) fn play(
        &mut self,
        steps: &[Step],
        after: &mut dyn FnMut(&mut Self, Option<&Done>) -> Check,
    ) -> Check {
        for step in steps {
            match step {
                Step::Act {
                    venue,
                    id,
                    operation,
                    expected,
                } => {
                    let done = self.execute(venue, *id, operation.clone())?;
                    let done = done.map_err(|e| format!("instruction {id}: {e}"))?;
                    ensure!(
                        done.status == *expected,
                        "instruction {id}, {operation:?}: expected {expected:?}, found {done:?}"
                    );
                    if done.status == Status::Pending {
                        ensure!(done.until.is_some(), "instruction {id} says not until when");
                    }
                    ensure!(
                        done.venue.as_str() == *venue,
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
    pub(super) fn played(subject: &Subject) -> Check<Self> {
        let mut desk = Self::new(subject.bench)?;
        desk.play(&Script::of(subject.script), &mut |_, _| Ok(()))?;
        Ok(desk)
    }
}

fn at<'a>(
    venues: &'a mut [Box<dyn ExecutionInterface>],
    name: &str,
) -> &'a mut Box<dyn ExecutionInterface> {
    let found = venues
        .iter_mut()
        .find(|venue| venue.venue().as_str() == name);
    found.expect("a venue of the desk")
}

/// What was held and what the lines changed of it, where that is not nothing.
fn summed(mut sums: Held, lines: &[LedgerEntry]) -> Check<Held> {
    for line in lines {
        let sum = sums.entry((line.account, line.item)).or_default();
        sum.0 = sum.0.add(line.quantity).map_err(|e| e.to_string())?;
        sum.1 = sum.1.add(line.units).map_err(|e| e.to_string())?;
    }
    sums.retain(|_, (quantity, units)| !quantity.is_zero() || !units.is_zero());
    Ok(sums)
}
