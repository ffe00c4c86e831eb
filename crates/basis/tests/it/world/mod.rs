//! A small world for engine tests: two venues of our own, hourly bars in code, a scripted strategy, and
//! virtual time.
//!
//! The venues are written as a third party would: against `basis` alone, created through the factory
//! from driver rows. They answer late.

mod answers;
mod driver;
mod meddler;
mod slow;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use basis::assembly;
use basis::config::{embedded, yaml};
use basis::core::config::Problems;
use basis::core::error::{Code, ComponentError};
use basis::core::event::EventData;
use basis::core::in_flight::InFlightTransfers;
use basis::core::instruction::{Instruction, Operation, Transfer};
use basis::core::journal::{Journal, JournalReader};
use basis::core::num::{Price, Quantity, Rate};
use basis::core::plan::{Action, Block, FailurePolicy, Leg, Plan};
use basis::core::rules::{RuleBook, VenueRules};
use basis::core::types::{
    Account, Asset, Epoch, InstructionId, InstrumentKey, InstrumentKind, Label, SeriesId, Side,
    Span, Symbol, Timestamp, Venue,
};
use basis::core::venue::FillAt;
use basis::core::venue_event::{
    EventKind, Events, TransferId, TransferStage, TransferUpdate, VenueEvent,
};
use basis::engine::strategy::{Checkpoint, Context, Decision, Strategy};
use basis::engine::wake::{Command, RecordedSteps, Wake, WakeSource};
use basis::engine::{
    Engine, EngineJournal, EngineParts, JournalSync, RunConfig, RunRequest, RunResult,
};
use basis::market::ExecutionInterface;
use basis::market::{BarColumns, MarketData, RateSeries};
use basis::venues::driver::VenueDriver;
use basis::venues::factory::FactorySettings;
use basis::venues::registry::Registry;

pub(crate) use self::meddler::{Meddle, Meddler};

pub(crate) const ALPHA: Venue = Venue::literal("alpha");
pub(crate) const BETA: Venue = Venue::literal("beta");
/// A venue without a driver: tests bring its interface themselves.
pub(crate) const GAMMA: Venue = Venue::literal("gamma");
pub(crate) const SYMBOL: Symbol = Symbol::literal("BTCUSDT");
pub(crate) const USDT: Asset = Asset::literal("USDT");
pub(crate) const BTC: Asset = Asset::literal("BTC");
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_714_521_600);

/// The number of an instruction in a world without a journal.
pub(crate) const fn id(counter: u32) -> InstructionId {
    InstructionId::new(Epoch::new(1_714_521_600, 0), counter)
}

pub(crate) fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

pub(crate) fn p(text: &str) -> Price {
    text.parse().unwrap()
}

pub(crate) fn main_account(venue: Venue) -> Account {
    Account::new(venue, Label::literal("main"))
}

pub(crate) fn spot() -> InstrumentKey {
    InstrumentKey::new(ALPHA, InstrumentKind::Spot, SYMBOL)
}

pub(crate) fn perp() -> InstrumentKey {
    InstrumentKey::new(BETA, InstrumentKind::Perp, SYMBOL)
}

pub(crate) fn hour(number: i64) -> Timestamp {
    START.plus(Span::from_hours(number))
}

/// A quantity with the sign of its side.
pub(crate) fn signed(side: Side, quantity: Quantity) -> Quantity {
    Quantity::new(quantity.get().mul_int(side.sign()).unwrap())
}

thread_local! {
    /// The engine is single-threaded, and a test runs one world: its trace is the thread's.
    static TRACE: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes what a venue was asked or said.
pub(crate) fn trace(line: &str) {
    TRACE.with_borrow_mut(|trace| trace.push(line.to_owned()));
}

/// Takes what has arrived at a venue of a test into its tally.
pub(crate) fn arrivals(
    transit: &InFlightTransfers,
    venue: Venue,
    now: Timestamp,
    tally: &mut BTreeMap<Asset, Quantity>,
    events: &mut Events,
) {
    for arrived in transit.collect(venue, now) {
        let held = tally.entry(arrived.asset).or_default();
        *held = held.add(arrived.amount).unwrap();
        let kind = EventKind::Transfer(Box::new(TransferUpdate {
            id: TransferId::Instruction(arrived.instruction),
            instruction: Some(arrived.instruction),
            from: arrived.from,
            to: arrived.to,
            asset: arrived.asset,
            amount: arrived.amount,
            fee: Quantity::ZERO,
            stage: TransferStage::Credited,
            until: None,
            txid: None,
        }));
        events.push(VenueEvent::new(venue, arrived.arrives_at, now, kind));
    }
}

/// A market order of the one symbol: spot at alpha, perp at beta.
pub(crate) fn order(venue: Venue, side: Side, quantity: &str) -> Leg {
    let kind = if venue == ALPHA {
        InstrumentKind::Spot
    } else {
        InstrumentKind::Perp
    };
    let key = InstrumentKey::new(venue, kind, SYMBOL);
    Leg::market(key, side, q(quantity), false)
}

/// A transfer from the wallet.
pub(crate) fn send(amount: &str, to: Venue) -> Leg {
    let operation = Operation::Transfer(Transfer {
        asset: USDT,
        amount: q(amount),
        from: Account::WALLET,
        to: main_account(to),
    });
    Leg {
        venue: Venue::WALLET,
        instruction: Instruction::new(InstructionId::default(), operation),
    }
}

pub(crate) fn plan(blocks: Vec<Vec<Leg>>, failure_policy: FailurePolicy) -> Plan {
    let blocks = blocks
        .into_iter()
        .map(|legs| Block {
            legs,
            failure_policy,
        })
        .collect();
    Plan {
        action: Action::EntryFull,
        reason: "test".into(),
        blocks,
    }
}

/// Plays plans at their instants, and has others for when risk or an operator takes over.
#[derive(Debug, Default)]
struct Player {
    plans: VecDeque<(Timestamp, Plan)>,
    exit: VecDeque<Plan>,
    deleverage: VecDeque<Plan>,
    completed: Arc<Mutex<Vec<bool>>>,
}

impl Strategy for Player {
    fn decide(&mut self, context: &Context<'_>) -> Result<Decision, ComponentError> {
        let now = context.view.now();
        let plan = self.plans.pop_front_if(|(at, _)| *at <= now);
        Ok(plan.map_or(Decision::Hold, |(_, plan)| Decision::Act(plan)))
    }

    fn exit(&mut self, _: &Context<'_>) -> Result<Option<Plan>, ComponentError> {
        Ok(self.exit.pop_front())
    }

    fn deleverage(
        &mut self,
        _: &Context<'_>,
        _: Venue,
        _: Rate,
    ) -> Result<Option<Plan>, ComponentError> {
        Ok(self.deleverage.pop_front())
    }

    fn is_building(&self, _: u64) -> bool {
        // Delta that stands open is what tests are about, and no reason to end a run.
        true
    }

    fn save(&self) -> Result<Checkpoint, ComponentError> {
        Checkpoint::of(1, &(&self.plans, &self.exit, &self.deleverage))
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), ComponentError> {
        (self.plans, self.exit, self.deleverage) = checkpoint.read(1)?;
        Ok(())
    }

    fn completed(&mut self, _: u64, traded: bool) {
        self.completed.lock().unwrap().push(traded);
    }
}

/// Recorded steps under virtual time, with an operator's commands at their instants.
struct Operated {
    steps: RecordedSteps,
    commands: VecDeque<(Timestamp, Command)>,
}

impl WakeSource for Operated {
    fn now(&self) -> Timestamp {
        self.steps.now()
    }

    fn next(&mut self, due: &dyn Fn() -> Option<Timestamp>) -> Option<Wake> {
        let now = self.now();
        if let Some((_, command)) = self.commands.pop_front_if(|(at, _)| *at <= now) {
            return Some(Wake::Command(command));
        }
        let command = self.commands.front().map(|(at, _)| *at);
        self.steps.next(&|| due().into_iter().chain(command).min())
    }
}

/// Makes an interface of a test's own that shares the transit of the world.
pub(crate) type MakeInterface =
    Box<dyn FnOnce(&Arc<InFlightTransfers>) -> Box<dyn ExecutionInterface>>;

/// Everything a test sets.
#[derive(Default)]
pub(crate) struct World {
    /// Closes of the hourly bars: spot at alpha, perp at beta.
    pub(crate) closes: Vec<(&'static str, &'static str)>,
    /// `venue_settings`, as YAML.
    pub(crate) settings: &'static str,
    pub(crate) plans: Vec<(Timestamp, Plan)>,
    pub(crate) exit: Vec<Plan>,
    pub(crate) deleverage: Vec<Plan>,
    pub(crate) commands: Vec<(Timestamp, Command)>,
    /// Venues whose reports a test changes, with instants at which they want to be polled.
    pub(crate) meddled: Vec<(Venue, Vec<Timestamp>, Meddle)>,
    pub(crate) interfaces: Vec<MakeInterface>,
    pub(crate) journal: Option<Box<dyn Journal>>,
    /// What an earlier start left behind, and how many starts there were.
    pub(crate) earlier: Option<(Box<dyn JournalReader>, u32)>,
    /// Whether the engine is woken at steps alone, and so hears of everything late.
    pub(crate) steps_alone: bool,
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) result: Result<RunResult, ComponentError>,
    pub(crate) trace: Vec<String>,
    /// Whether each plan that ended traded, as the strategy was told.
    pub(crate) completed: Vec<bool>,
}

const CONFIG: &str = "
mode: btc_basis
share_class: USDT
asset: BTC
initial_capital: 1000000
reference_price: spot.alpha.BTCUSDT
spot_venue: alpha
hedge_allocation: { beta: 1 }
data: { gaps: hold, bounds: { price_ratio_max: 3 } }
";

fn rules(venue: Venue) -> VenueRules {
    let text = format!(
        "
venue: {venue}
snapshots:
  - effective_from: 2024-01-01
    source: test
    accounts: {{ deposit: main }}
    fees: {{ spot: {{ taker_bps: 10 }}, perp: {{ taker_bps: 5 }}, spot_buy_fee_asset: quote }}
    instruments:
      - {{ kind: spot, symbol: BTCUSDT, venue_symbol: BTCUSDT, base: BTC, quote: USDT, tick_size: 0.01, lot_size: 0.001, min_quantity: 0.001, max_quantity: 1000, max_market_quantity: 1000 }}
      - kind: perp
        symbol: BTCUSDT
        venue_symbol: BTCUSDT
        base: BTC
        quote: USDT
        tick_size: 0.01
        lot_size: 0.001
        min_quantity: 0.001
        max_quantity: 1000
        max_market_quantity: 1000
        contract_size: 1
        max_leverage: 100
        liquidation_fee_bps: 50
        tiers: [ {{ up_to: 100000000, initial_margin_rate: 0.01, maintenance_margin_rate: 0.005, max_leverage: 100 }} ]
"
    );
    let node = yaml::parse(&text, "rules in code").unwrap();
    let problems = Problems::new();
    let rules = VenueRules::read(&node, &problems).unwrap();
    assert_eq!(problems.into_sorted(), []);
    rules
}

fn wallet_rules() -> VenueRules {
    let embedded = embedded::venue("wallet").unwrap();
    let node = yaml::parse(embedded.text, embedded.source).unwrap();
    VenueRules::read(&node, &Problems::new()).unwrap()
}

fn market(closes: &[(&'static str, &'static str)]) -> Arc<MarketData> {
    let mut data = MarketData::new("bars in code", true);
    let opened_at: Vec<_> = (0..).zip(closes).map(|(n, _)| hour(n)).collect();
    for (id, pick) in [(spot().series(), 0), (perp().series(), 1)] {
        let close: Vec<_> = closes
            .iter()
            .map(|pair| p(if pick == 0 { pair.0 } else { pair.1 }))
            .collect();
        data.add_bars(BarColumns {
            id,
            length: Span::HOUR,
            opened_at: opened_at.clone(),
            open: close.clone(),
            high: close.clone(),
            low: close.clone(),
            volume: vec![q("1000"); close.len()],
            close,
        })
        .unwrap();
    }
    let rates = RateSeries {
        id: perp().funding_series(),
        at: Vec::new(),
        rate: Vec::new(),
    };
    data.add_rates(rates).unwrap();
    Arc::new(data)
}

impl World {
    /// Runs the world under virtual time.
    pub(crate) fn run(self) -> Outcome {
        TRACE.take();
        let venues = [rules(ALPHA), rules(BETA), rules(GAMMA), wallet_rules()];
        let world = assembly::World::new(START, Arc::new(RuleBook::new(venues)), FillAt::Close);
        let mut interfaces = created(&world, self.settings);
        for make in self.interfaces {
            let mut interface = make(&world.simulated.transit);
            interface.set_dependencies(world.dependencies());
            interfaces.push(interface);
        }
        for (venue, polls, meddle) in self.meddled {
            let at = interfaces.iter().position(|own| own.venue() == venue);
            let inner = interfaces.remove(at.unwrap());
            let meddler = Meddler::new(inner, polls, meddle);
            interfaces.insert(at.unwrap(), Box::new(meddler));
        }
        let starts = self.earlier.as_ref().map_or(0, |(_, starts)| *starts);
        let parts = EngineParts {
            config: config(),
            data: market(&self.closes),
            rules: world.rules,
            interfaces,
            clock: world.clock,
            journal: self.journal.map(|journal| EngineJournal {
                journal,
                epoch: Epoch::new(1 + starts, 0),
                sync: JournalSync::Step,
            }),
            events: world.events,
            positions: world.positions,
            transit: world.simulated.transit,
        };
        let series: [SeriesId; 2] = [spot().series(), perp().series()];
        let completed = Arc::default();
        let player = Player {
            plans: self.plans.into(),
            exit: self.exit.into(),
            deleverage: self.deleverage.into(),
            completed: Arc::clone(&completed),
        };
        let mut engine = Engine::with_strategy(parts, &series, Box::new(player)).unwrap();
        if let Some((reader, _)) = self.earlier
            && let Err(e) = engine.recover(reader.as_ref())
        {
            return Outcome {
                result: Err(e),
                trace: TRACE.take(),
                completed: Vec::new(),
            };
        }
        let steps = engine.recorded_steps();
        let mut source = Operated {
            steps: if self.steps_alone {
                steps
            } else {
                steps.with_virtual_time()
            },
            commands: self.commands.into(),
        };
        let result = engine.run_from(&mut source, &mut |_| {});
        let completed = completed.lock().unwrap().clone();
        Outcome {
            result,
            trace: TRACE.take(),
            completed,
        }
    }
}

/// The configuration of every world.
fn config() -> RunConfig {
    let problems = Problems::new();
    let tree = yaml::parse(CONFIG, "config in code").unwrap();
    let modes = basis::strategies::builtin();
    let read = modes.read(&tree, &RunRequest::default(), &problems);
    assert_eq!(problems.into_sorted(), []);
    read.unwrap().0
}

/// The interfaces of a world, made by the factory.
fn created(world: &assembly::World, settings: &str) -> Vec<Box<dyn ExecutionInterface>> {
    let registry = Registry::builtin()
        .with(VenueDriver::of::<driver::Alpha>())
        .unwrap()
        .with(VenueDriver::of::<driver::Beta>())
        .unwrap();
    let mut factory = world.factory(&registry, FactorySettings::default(), "test");
    let settings = yaml::parse(settings, "settings in code").unwrap();
    let created = factory.create_all_interfaces(&settings, Some(world.dependencies()));
    assert!(created.failures.is_empty(), "{:?}", created.failures);
    created.interfaces
}

/// The ledger as short lines: account item quantity value kind.
pub(crate) fn lines(result: &RunResult) -> Vec<String> {
    result
        .ledger
        .iter()
        .map(|e| {
            format!(
                "{} {} {} {} {}",
                e.account, e.item, e.quantity, e.value, e.kind
            )
        })
        .collect()
}

/// The error events of a run under one code, as their messages.
pub(crate) fn errors(result: &RunResult, wanted: Code) -> Vec<String> {
    let events = result.events.iter();
    events
        .filter_map(|event| match &event.data {
            EventData::Error { code, message, .. } if *code == wanted => Some(message.clone()),
            _ => None,
        })
        .collect()
}

/// The details of the state updates of a run under one word.
pub(crate) fn states(result: &RunResult, wanted: &str) -> Vec<String> {
    let events = result.events.iter();
    events
        .filter_map(|event| match &event.data {
            EventData::StateUpdate { state, detail } if *state == wanted => Some(detail.clone()),
            _ => None,
        })
        .collect()
}

/// Whether nothing is left over at any step.
pub(crate) fn has_no_residual(result: &RunResult) -> bool {
    let steps = &result.steps.attribution;
    steps.iter().all(|step| step.residual.is_zero())
}
