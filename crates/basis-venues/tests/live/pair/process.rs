//! A process that runs the engine with the live driver: made by the factory, killed at will, resumed from what
//! its journal holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use basis_core::clock::Clock;
use basis_core::config::{Node, Problems};
use basis_core::error::{Code, ComponentError};
use basis_core::rules::RuleBook;
use basis_core::types::{Span, Timestamp};
use basis_core::venue::Dependencies;
use basis_engine::mode::{Mode, Modes};
use basis_engine::wake::{Command, Wake, WakeSource};
use basis_engine::{
    Engine, EngineJournal, EngineParts, EventLog, JournalSync, RunConfig, RunRequest,
    SharedPositions,
};
use basis_market::{BarColumns, ExecutionInterface, MarketData, RateSeries};
use basis_testkit::{BTC, START, node, p, q, rules};
use basis_venues::credentials::{BasisEnvironment, Variables};
use basis_venues::driver::{LiveRuntime, LiveScope, Surroundings};
use basis_venues::factory::{ExecutionInterfaceFactory, FactoryInputs, FactorySettings};
use basis_venues::registry::Registry;
use serde_json::json;

use super::mode::{Pair, ROW, perp, spot};
use super::runtime::{NakedTime, VirtualRuntime, VirtualWakes};
use crate::process::{Death, Store, book};
use crate::venue::{KEY, SECRET, Venue};

pub(super) const STEP: Span = Span::from_minutes(5);

/// How long the whole takes.
pub(super) const STEPS: i64 = 24;

pub(super) struct PairProcess {
    pub(super) engine: Engine,
    pub(super) wakes: VirtualWakes,
    pub(super) log: Arc<EventLog>,
}

/// What a death leaves: the venue, and how long what stood open.
pub(super) type Left = (Venue, NakedTime);

/// A start that came to nothing.
pub(super) struct NotStarted {
    pub(super) left: Left,
    pub(super) at: Timestamp,
    pub(super) error: ComponentError,
}

impl NotStarted {
    fn of(runtime: &VirtualRuntime, error: ComponentError) -> Box<Self> {
        Box::new(Self {
            left: runtime.release(),
            at: runtime.clock.now(),
            error,
        })
    }
}

fn config() -> RunConfig {
    let tree = node(&json!({
        "mode": "pair",
        "share_class": "USDT",
        "asset": "BTC",
        "initial_capital": "150000",
        "reference_price": "spot.binance.BTCUSDT",
        "adopt": ["binance"],
        "venue_settings": { "binance": {} },
        "data": { "step_minutes": "5", "gaps": "hold" },
        "execution": { "naked_delta_max": "1000", "naked_time_max_seconds": "60" },
    }));
    let problems = Problems::new();
    let request = RunRequest {
        from: Some(START),
        ..RunRequest::default()
    };
    let modes = Modes::default().with(ROW).unwrap();
    let read = modes.read(&tree, &request, &problems);
    assert_eq!(problems.into_sorted(), []);
    read.unwrap().0
}

/// Bars of five minutes at the venue's own prices.
fn market() -> Arc<MarketData> {
    let mut data = MarketData::new("bars in code", true);
    let opened: Vec<_> = (0..STEPS).map(|n| START.plus(STEP.times(n))).collect();
    for id in [spot().series(), perp().series()] {
        let close: Vec<_> = (0..STEPS)
            .map(|n| if n % 2 == 0 { p("49995") } else { p("49996") })
            .collect();
        let columns = BarColumns {
            id,
            length: STEP,
            opened_at: opened.clone(),
            open: close.clone(),
            high: close.clone(),
            low: close.clone(),
            volume: vec![q("1000"); close.len()],
            close,
        };
        data.add_bars(columns).unwrap();
    }
    let rates = RateSeries {
        id: perp().funding_series(),
        at: Vec::new(),
        rate: Vec::new(),
    };
    data.add_rates(rates).unwrap();
    Arc::new(data)
}

fn variables() -> Variables {
    let of = |suffix: &str| BasisEnvironment::Dev.variable(suffix);
    let pairs = [
        (of("CEX__BINANCE_SPOT_API_KEY"), KEY),
        (of("CEX__BINANCE_SPOT_SECRET"), SECRET),
        (of("CEX__BINANCE_FUTURES_API_KEY"), KEY),
        (of("CEX__BINANCE_FUTURES_SECRET"), SECRET),
    ];
    let pairs = pairs.into_iter();
    pairs
        .map(|(name, value)| (name, value.to_owned()))
        .collect()
}

/// The interface of Binance as the factory makes it.
pub(super) fn interface(
    runtime: &VirtualRuntime,
    rules: &Arc<RuleBook>,
    log: &Arc<EventLog>,
    positions: &Arc<SharedPositions>,
) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
    let clock = Arc::new(runtime.clock.clone());
    let scope = LiveScope {
        symbols: vec![BTC],
        spot: true,
        perps: true,
    };
    let scopes = BTreeMap::from([(spot().venue, scope)]);
    let shared = Arc::new(runtime.clone());
    let mut factory = ExecutionInterfaceFactory::new(FactoryInputs {
        registry: Registry::builtin(),
        settings: FactorySettings::default(),
        surroundings: Surroundings::Live {
            environment: BasisEnvironment::Dev,
            variables: variables(),
            runtime: LiveRuntime::new(book(), Arc::clone(rules), scopes, shared),
        },
        clock: Arc::clone(&clock) as _,
        events: Arc::clone(log) as _,
        config_hash: String::new(),
    });
    let dependencies = Dependencies {
        position_reader: Some(Arc::clone(positions) as _),
        event_sink: Some(Arc::clone(log) as _),
        data_provider: Some(Arc::clone(rules) as _),
        clock: Some(clock),
        ..Dependencies::default()
    };
    let section: Node = node(&json!({ "live": { "endpoint": "http://127.0.0.1:9" } }));
    factory.create_interface("binance", Some(&section), Some(dependencies))
}

/// Whether a journal failed as a test told it to.
fn is_full_disk(e: &ComponentError) -> bool {
    let in_memory = e.code == Code::JournalDamaged && e.message.contains("told to fail");
    in_memory || e.code == Code::JournalFailed
}

impl PairProcess {
    /// Starts on what `store` holds.
    pub(super) fn start<S: Store>(
        store: &mut S,
        (venue, naked): Left,
        now: Timestamp,
    ) -> Result<Self, Box<NotStarted>>
    where
        S::Journal: 'static,
    {
        let runtime = VirtualRuntime::new(venue, now, naked);
        let rules = Arc::new(RuleBook::new([rules("binance")]));
        let (log, positions) = (EventLog::new(), SharedPositions::new());
        let interface = match interface(&runtime, &rules, &log, &positions) {
            Ok(interface) => interface,
            Err(e) => return Err(NotStarted::of(&runtime, e)),
        };
        let reader = store.reader();
        let (journal, epoch) = store.begin(runtime.clock.now(), 0);
        let parts = EngineParts {
            config: config(),
            data: market(),
            rules,
            interfaces: vec![interface],
            // The engine's own: it shows the instants of wakes alone.
            clock: basis_core::clock::VirtualClock::new(START),
            journal: Some(EngineJournal {
                journal: Box::new(journal),
                epoch,
                sync: JournalSync::Step,
            }),
            events: Arc::clone(&log),
            positions,
            transit: Arc::default(),
        };
        let mut engine = Engine::new(parts, &Pair as &dyn Mode).unwrap();
        let resumed = engine.resume(reader.as_ref());
        if let Err(e) = resumed {
            assert!(is_full_disk(&e), "{e}");
            return Err(NotStarted::of(&runtime, e));
        }
        let now = runtime.clock.now();
        let wakes = VirtualWakes {
            runtime,
            next_step: now.floor_to(STEP).plus(STEP),
            step: STEP,
            end: START.plus(STEP.times(STEPS)),
            stop: None,
        };
        Ok(Self { engine, wakes, log })
    }

    /// Gives the engine its next wake; `false` after the last one.
    pub(super) fn go_on(&mut self) -> Result<bool, Death> {
        let wake = self.wakes.next(&|| self.engine.due());
        if self.wakes.runtime.is_dead() {
            return Err(Death::Killed);
        }
        let Some(wake) = wake else { return Ok(false) };
        if let Wake::Step(now) = wake {
            self.wakes.runtime.at_venue(|venue| venue.requote(now));
        }
        self.wake(wake).map(|()| true)
    }

    pub(super) fn wake(&mut self, wake: Wake) -> Result<(), Death> {
        match self.engine.wake(wake) {
            Ok(_) => Ok(()),
            Err(e) => {
                assert!(is_full_disk(&e), "{wake:?}: {e}\n{:#?}", self.log.take());
                Err(Death::Disk)
            }
        }
    }

    /// An operator lifts the halts of venues.
    pub(super) fn resume_by_hand(&mut self) -> Result<(), Death> {
        self.wake(Wake::Command(Command::Resume))
    }

    pub(super) fn die(self) -> Left {
        self.wakes.runtime.release()
    }
}
