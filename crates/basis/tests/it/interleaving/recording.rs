//! What a run's journal got, and what it takes to post it again.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use basis::assembly::{self, Setup, World};
use basis::core::error::VenueError;
use basis::core::health::Health;
use basis::core::instruction::Instruction;
use basis::core::journal::VenueRecord;
use basis::core::journal::{Commit, Journal, JournalError};
use basis::core::ledger::LedgerEntry;
use basis::core::num::Value;
use basis::core::types::{Epoch, SeriesId, Span, Timestamp, Venue};
use basis::core::venue::{Capabilities, Dependencies, Terms};
use basis::core::venue_event::{AccountSnapshot, EventKind, Events, VenueEvent};
use basis::data::synthetic::{SyntheticGap, SyntheticSpec, synthetic};
use basis::data::{LoadRequest, load};
use basis::engine::account::{Books, Pricing};
use basis::engine::result::ExecutionRow;
use basis::engine::{Engine, EngineJournal, EngineParts, JournalSync};
use basis::market::{ExecutionInterface, Horizon};
use basis::market::{MarketData, MarketView};
use basis::venues::registry::Registry;

use crate::scripted::{self, Script};

/// A run as its journal saw it.
pub(super) struct Recording {
    pub(super) name: &'static str,
    /// The market before the first step.
    view: MarketView,
    pricing: Pricing,
    /// Every instant at which the run was woken.
    pub(super) wakes: Vec<Timestamp>,
    /// Every event that was posted, in that order; `received_at` is the wake that posted it.
    pub(super) events: Events,
    /// What the run made of them.
    pub(super) ledger: Vec<LedgerEntry>,
    pub(super) executions: Vec<ExecutionRow>,
    /// After every step, USD.
    pub(super) equity: Vec<Value>,
    /// How many events its venues reported again.
    pub(super) repeated: usize,
}

impl Recording {
    /// The market before the first step.
    pub(super) fn view(&self) -> MarketView {
        self.view.clone()
    }

    /// Empty books.
    pub(super) fn books(&self) -> Books {
        Books::new(self.pricing, &self.view).unwrap()
    }

    /// The place of the wake that posted an event.
    pub(super) fn wake_of(&self, event: &VenueEvent) -> usize {
        self.wakes.binary_search(&event.received_at).unwrap()
    }
}

/// The instant `number` hours after the start of the synthetic market.
pub(super) fn hour(number: i64) -> Timestamp {
    let start = SyntheticSpec::default().start;
    start.plus(Span::from_hours(number))
}

fn market(hours: i64, gaps: Vec<SyntheticGap>) -> Arc<MarketData> {
    Arc::new(synthetic(&SyntheticSpec {
        bars: usize::try_from(hours).unwrap(),
        gaps,
        ..SyntheticSpec::default()
    }))
}

/// A run of `mode` over so many hours of the synthetic market.
pub(super) fn recorded(name: &'static str, mode: &str, sets: &[&str], hours: i64) -> Recording {
    let setup = scripted::setup(mode, sets, (hour(0), hour(hours)));
    record(
        name,
        &setup,
        &market(hours, Vec::new()),
        None,
        &Echo::default(),
    )
}

/// The same with venues that report a part of what they reported again, at once and at later wakes.
pub(super) fn echoed(name: &'static str, mode: &str, sets: &[&str], hours: i64) -> Recording {
    let setup = scripted::setup(mode, sets, (hour(0), hour(hours)));
    let echo = Echo {
        every: 3,
        ..Echo::default()
    };
    record(name, &setup, &market(hours, Vec::new()), None, &echo)
}

/// The same of a script over `series` of the synthetic market.
pub(super) fn played(
    name: &'static str,
    (mode, sets): (&str, &[&str]),
    (hours, gaps): (i64, Vec<SyntheticGap>),
    wanted: impl Fn(&SeriesId) -> bool,
    script: Script,
) -> Recording {
    let setup = scripted::setup(mode, sets, (hour(0), hour(hours)));
    let data = market(hours, gaps);
    let series: Vec<_> = data.ids().filter(|id| wanted(id)).collect();
    record(
        name,
        &setup,
        &data,
        Some((&series, script)),
        &Echo::default(),
    )
}

/// A run of `mode` over a span of the recorded market, when it is there.
pub(super) fn over_recorded_data(
    name: &'static str,
    mode: &str,
    sets: &[&str],
    (from, to): (&str, &str),
) -> Option<Recording> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("BASIS_SHARED_DIR").map_or_else(beside, PathBuf::from);
    let place = shared.join("data");
    if !place.is_dir() {
        eprintln!("SKIPPED: no recorded data in {}", place.display());
        return None;
    }
    let setup = scripted::setup(mode, sets, (from.parse().unwrap(), to.parse().unwrap()));
    let request = LoadRequest {
        ids: setup.wanted_series().unwrap(),
        volume_multipliers: std::collections::BTreeMap::new(),
        price_units: std::collections::BTreeMap::new(),
    };
    let data = load(&place, &request, &|_| {}).unwrap().data;
    Some(record(name, &setup, &data, None, &Echo::default()))
}

fn record(
    name: &'static str,
    setup: &Setup,
    data: &Arc<MarketData>,
    script: Option<(&[SeriesId], Script)>,
    echo: &Echo,
) -> Recording {
    let world = World::of(setup);
    let created = world.create_interfaces(&Registry::builtin(), setup);
    assembly::require_needed(setup, &created.interfaces, created.failures).unwrap();
    let seen = Arc::new(Mutex::new(None));
    let observed = created.interfaces.into_iter().map(|inner| {
        let (seen, echo) = (Arc::clone(&seen), echo.clone());
        Box::new(Observed { inner, seen, echo }) as Box<dyn ExecutionInterface>
    });
    let events = Arc::new(Mutex::new(Events::new()));
    let parts = EngineParts {
        config: setup.run().clone(),
        data: Arc::clone(data),
        rules: Arc::clone(setup.rules()),
        interfaces: observed.collect(),
        clock: world.clock,
        journal: Some(EngineJournal {
            journal: Box::new(Kept(Arc::clone(&events))),
            epoch: Epoch::new(1, 0),
            sync: JournalSync::Step,
        }),
        events: world.events,
        positions: world.positions,
        transit: world.simulated.transit,
    };
    let engine = match script {
        None => Engine::new(parts, setup.mode()),
        Some((series, script)) => Engine::with_strategy(parts, series, Box::new(script)),
    };
    let result = engine.unwrap().run(&mut |_| {}).unwrap();
    let run = setup.run();
    let events = std::mem::take(&mut *events.lock().unwrap());
    Recording {
        name,
        view: seen.lock().unwrap().take().unwrap(),
        pricing: Pricing {
            base: run.underlying(),
            symbol: run.symbol(),
            reference: run.reference_price,
        },
        wakes: result.steps.at,
        events,
        ledger: result.ledger,
        executions: result.executions,
        equity: result.steps.equity_usd,
        repeated: echo.repeated.load(Ordering::Relaxed),
    }
}

/// A venue's repetitions.
#[derive(Clone, Debug, Default)]
struct Echo {
    /// Every so many events; 0 for none.
    every: usize,
    reported: Events,
    /// How many reports there were.
    reports: usize,
    at: Timestamp,
    /// How many of them were made again, by all venues of the run.
    repeated: Arc<AtomicUsize>,
}

impl Echo {
    /// Reports what a call of the venue reported: some events twice, and at a new instant some
    /// of all that came before again.
    fn report(&mut self, now: Timestamp, said: Events, events: &mut Events) {
        if self.every == 0 {
            events.extend(said);
            return;
        }
        if self.at != now {
            self.at = now;
            let step = self.every + self.reports % 7;
            let before = self.reported.iter().skip(self.reports % 5).step_by(step);
            let held = events.len();
            events.extend(before.map(|event| VenueEvent {
                received_at: now,
                ..event.clone()
            }));
            let again = events.len() - held;
            self.repeated.fetch_add(again, Ordering::Relaxed);
        }
        for event in said {
            events.push(event.clone());
            self.reports += 1;
            if matches!(event.kind, EventKind::Snapshot { .. }) {
                continue;
            }
            if self.reports.is_multiple_of(self.every) {
                events.push(event.clone());
                self.repeated.fetch_add(1, Ordering::Relaxed);
            }
            self.reported.push(event);
        }
    }
}

/// A journal that keeps the events it gets.
#[derive(Debug)]
struct Kept(Arc<Mutex<Events>>);

impl Journal for Kept {
    fn commit(&mut self, commit: &Commit) -> Result<(), JournalError> {
        let events = commit.events.iter().map(|taken| taken.event.clone());
        self.0.lock().unwrap().extend(events);
        Ok(())
    }
}

/// A venue that passes everything on and keeps the first view it is shown.
struct Observed {
    inner: Box<dyn ExecutionInterface>,
    seen: Arc<Mutex<Option<MarketView>>>,
    echo: Echo,
}

impl Observed {
    fn see(&self, view: &MarketView) {
        self.seen
            .lock()
            .unwrap()
            .get_or_insert_with(|| view.clone());
    }
}

impl ExecutionInterface for Observed {
    fn venue(&self) -> Venue {
        self.inner.venue()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn set_dependencies(&mut self, dependencies: Dependencies) {
        self.inner.set_dependencies(dependencies);
    }

    fn execute_instructions(
        &mut self,
        view: &MarketView,
        instructions: &[Instruction],
        events: &mut Events,
    ) {
        let mut said = Events::new();
        self.inner
            .execute_instructions(view, instructions, &mut said);
        self.echo.report(view.now(), said, events);
    }

    fn poll_events(&mut self, view: &MarketView, events: &mut Events) {
        self.see(view);
        let mut said = Events::new();
        self.inner.poll_events(view, &mut said);
        self.echo.report(view.now(), said, events);
    }

    fn horizon(&self, view: &MarketView) -> Horizon {
        self.see(view);
        self.inner.horizon(view)
    }

    fn account(&self) -> &AccountSnapshot {
        self.inner.account()
    }

    fn request_snapshot(&mut self) {
        self.inner.request_snapshot();
    }

    fn terms(&self, view: &MarketView) -> Result<Terms, VenueError> {
        self.inner.terms(view)
    }

    fn recover(&mut self, record: &VenueRecord) {
        self.inner.recover(record);
    }

    fn health(&self) -> Health {
        self.inner.health()
    }
}
