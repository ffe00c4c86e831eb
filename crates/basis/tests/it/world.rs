//! A small world for engine tests: two venues of our own, hourly bars in code, a scripted strategy.
//!
//! The venues are written as a third party would: against `basis-core` alone, created through the
//! factory from driver rows, with futures that stay pending.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use basis::config::yaml;
use basis::core::clock::{Clock, VirtualClock};
use basis::core::config::{Node, Problems, Reader};
use basis::core::error::{ComponentError, Rejection, VenueError, VenueErrorKind};
use basis::core::execution::{
    Execution, ExecutionStatus, Fill, Liquidity, Position, VenueEvent, VenueEventKind,
};
use basis::core::executor::{self, BoxFuture, Executor, VirtualTime};
use basis::core::health::Health;
use basis::core::instruction::{
    Instruction, Operation, OperationKind, OrderType, PerpTrade, SpotTrade, TimeInForce, Transfer,
};
use basis::core::journal::Journal;
use basis::core::ledger::{Cause, EntryKind, LedgerEntry, Occurrence, TradeId};
use basis::core::market::{BarColumns, MarketData, MarketView, RateSeries};
use basis::core::num::{Price, Quantity, Rate, Rounding, Value};
use basis::core::plan::{Leg, Plan};
use basis::core::protocol::perp::PerpPosition;
use basis::core::rules::{RuleBook, VenueRules};
use basis::core::types::{
    Account, Asset, InstructionId, InstrumentKey, InstrumentKind, Item, Label, SeriesId, Side,
    Span, Symbol, Timestamp, Venue,
};
use basis::core::venue::{
    Capabilities, CredentialSet, Dependencies, ExecutionInterface, ExecutionMode, VenueDriver,
    VenueSettings, VenueType,
};
use basis::engine::{Engine, EngineParts, RunConfig, RunRequest, RunResult};
use basis::venues::factory::FactorySettings;
use basis::venues::registry::Registry;

use crate::scripted::Script;

pub(crate) const ALPHA: Venue = Venue::literal("alpha");
pub(crate) const BETA: Venue = Venue::literal("beta");
pub(crate) const SYMBOL: Symbol = Symbol::literal("BTCUSDT");
pub(crate) const USDT: Asset = Asset::literal("USDT");
pub(crate) const BTC: Asset = Asset::literal("BTC");
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_714_521_600);

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

/// What the venues of a world were asked, in order, shared with the test.
pub(crate) type Trace = Arc<Mutex<Vec<String>>>;

/// A venue that takes seconds to answer and fills late.
struct SlowVenue {
    venue: Venue,
    settings: SlowSettings,
    dependencies: Dependencies,
    assets: BTreeMap<(Account, Asset), Quantity>,
    position: PerpPosition,
    late: Vec<(Instruction, PerpTrade, Quantity)>,
    advanced_to: Option<Timestamp>,
    trades: u64,
}

/// What a test tells a slow venue through its settings.
#[derive(Clone, Debug, Default)]
struct SlowSettings {
    answer_seconds: i64,
    /// Orders of exactly this quantity are refused.
    refuse: Option<Quantity>,
    /// Orders of exactly this quantity vanish after they were sent.
    lose: Option<Quantity>,
    /// Perp orders fill half at once and half at the next hour.
    fills_late: bool,
    /// Charged on perp positions at half past every hour; positive: longs pay.
    funding_rate: Option<Rate>,
}

fn parse_settings(node: &Node, problems: &Problems) -> Arc<dyn Any + Send + Sync> {
    let reader = Reader::new(node, "", problems);
    let settings = SlowSettings {
        answer_seconds: reader.integer("answer_seconds", 0..=60, 1),
        refuse: reader.parse("refuse"),
        lose: reader.parse("lose"),
        fills_late: reader.boolean("fills_late", false),
        funding_rate: reader.parse("funding_rate"),
    };
    reader.finish();
    Arc::new(settings)
}

fn build(
    settings: &VenueSettings,
    _mode: ExecutionMode,
    dependencies: Dependencies,
) -> BoxFuture<'_, Result<Box<dyn ExecutionInterface>, ComponentError>> {
    Box::pin(async move {
        let parsed = settings
            .parsed::<SlowSettings>()
            .cloned()
            .unwrap_or_default();
        let venue: Box<dyn ExecutionInterface> = Box::new(SlowVenue {
            venue: settings.venue,
            settings: parsed,
            dependencies,
            assets: BTreeMap::new(),
            position: PerpPosition::default(),
            late: Vec::new(),
            advanced_to: None,
            trades: 0,
        });
        Ok(venue)
    })
}

const fn row(venue: Venue) -> VenueDriver {
    VenueDriver {
        venue,
        venue_type: VenueType::Cex,
        class_name: "SlowExecutionInterface",
        module: module_path!(),
        description: "A venue of a test that answers late",
        dependencies: &["position_monitor", "event_logger", "data_provider"],
        credentials: CredentialSet {
            name: "slow",
            variables: &[],
        },
        modes: &[ExecutionMode::Backtest],
        operations: &[OperationKind::SpotTrade, OperationKind::PerpTrade],
        listed: true,
        parse_settings,
        build,
    }
}

/// Fees of the two venues, as their rules say: spot 10 bps out of the quote, perps 5 bps.
const SPOT_FEE: Rate = Rate::literal("0.001");
const PERP_FEE: Rate = Rate::literal("0.0005");

impl SlowVenue {
    fn clock(&self) -> &Arc<dyn Clock> {
        self.dependencies.clock.as_ref().unwrap()
    }

    fn refusal(&self, operation: &'static str, quantity: Quantity) -> Option<VenueError> {
        let kind = if self.settings.refuse == Some(quantity) {
            let reason = Rejection::Other("the test refuses this order".to_owned());
            VenueErrorKind::Rejected {
                reason,
                venue_code: Some("-1"),
            }
        } else if self.settings.lose == Some(quantity) {
            VenueErrorKind::OutcomeUnknown("the connection dropped after sending".to_owned())
        } else {
            return None;
        };
        Some(VenueError::new(self.venue, operation, kind))
    }

    fn keep(&mut self, entries: &[LedgerEntry]) {
        for entry in entries {
            if let Item::Asset(asset) = entry.item
                && entry.account.venue == self.venue
            {
                let held = self.assets.entry((entry.account, asset)).or_default();
                *held = held.add(entry.quantity).unwrap();
            }
        }
    }

    fn fill_spot(
        &mut self,
        id: InstructionId,
        trade: &SpotTrade,
        mark: Price,
        at: Timestamp,
    ) -> (Fill, Vec<LedgerEntry>) {
        let worth = trade.quantity.notional(mark, Rounding::HalfEven).unwrap();
        let fee = worth.at_rate(SPOT_FEE, Rounding::Ceil).unwrap();
        let sign = trade.side.sign();
        let signed = |value: Value| Value::new(value.get().mul_int(sign).unwrap());
        let fill = self.fill(
            spot(),
            trade.side,
            trade.quantity,
            mark,
            Quantity::new(fee.get()),
            SPOT_FEE,
            at,
        );
        let base = Quantity::new(trade.quantity.get().mul_int(sign).unwrap());
        let paid = signed(worth);
        let cost = paid.neg().unwrap();
        let lines = [
            (Item::Asset(BTC), base, paid, EntryKind::Trade, mark),
            (
                Item::Asset(USDT),
                Quantity::new(cost.get()),
                cost,
                EntryKind::Trade,
                p("1"),
            ),
            (
                Item::Asset(USDT),
                Quantity::new(fee.get().neg().unwrap()),
                fee.neg().unwrap(),
                EntryKind::Fee,
                p("1"),
            ),
        ];
        let entries = self.entries(id, spot(), at, &lines);
        (fill, entries)
    }

    fn fill_perp(
        &mut self,
        id: InstructionId,
        side: Side,
        quantity: Quantity,
        mark: Price,
        at: Timestamp,
    ) -> (Fill, Vec<LedgerEntry>) {
        let worth = quantity.notional(mark, Rounding::HalfEven).unwrap();
        let fee = worth.at_rate(PERP_FEE, Rounding::Ceil).unwrap();
        let signed = Quantity::new(quantity.get().mul_int(side.sign()).unwrap());
        let value = signed.notional(mark, Rounding::HalfEven).unwrap();
        let change = self.position.fill(signed, mark, 6).unwrap();
        self.position = change.after;
        let fill = self.fill(
            perp(),
            side,
            quantity,
            mark,
            Quantity::new(fee.get()),
            PERP_FEE,
            at,
        );
        let mut lines = vec![(
            Item::Position(perp()),
            signed,
            value,
            EntryKind::Trade,
            mark,
        )];
        if !change.realized.is_zero() {
            let realized = Quantity::new(change.realized.get());
            lines.push((
                Item::Asset(USDT),
                realized,
                change.realized,
                EntryKind::RealizedPnl,
                p("1"),
            ));
        }
        let paid = fee.neg().unwrap();
        lines.push((
            Item::Asset(USDT),
            Quantity::new(paid.get()),
            paid,
            EntryKind::Fee,
            p("1"),
        ));
        let entries = self.entries(id, perp(), at, &lines);
        (fill, entries)
    }

    #[expect(clippy::too_many_arguments, reason = "a fill has that many parts")]
    fn fill(
        &mut self,
        instrument: InstrumentKey,
        side: Side,
        quantity: Quantity,
        price: Price,
        fee: Quantity,
        fee_rate: Rate,
        at: Timestamp,
    ) -> Fill {
        self.trades += 1;
        Fill {
            trade: TradeId::Text(format!("{}-{}", self.venue, self.trades).into()),
            instrument,
            side,
            quantity,
            price,
            mark: price,
            fee_asset: USDT,
            fee,
            fee_rate,
            liquidity: Liquidity::Taker,
            at,
        }
    }

    fn entries(
        &mut self,
        id: InstructionId,
        instrument: InstrumentKey,
        at: Timestamp,
        lines: &[(Item, Quantity, Value, EntryKind, Price)],
    ) -> Vec<LedgerEntry> {
        let trade = TradeId::Text(format!("{}-{}", self.venue, self.trades).into());
        let occurrence = Occurrence::Trade { instrument, trade };
        let entries: Vec<_> = lines
            .iter()
            .zip(0u8..)
            .map(
                |(&(item, quantity, value, kind, reference_price), line)| LedgerEntry {
                    at,
                    account: main_account(self.venue),
                    item,
                    quantity,
                    units: quantity,
                    value,
                    kind,
                    instruction: Some(id),
                    reference_price,
                    cause: Cause::new(occurrence.clone(), line),
                },
            )
            .collect();
        self.keep(&entries);
        entries
    }

    /// Half past every hour since the last call.
    fn fund(&mut self, view: &MarketView, events: &mut Vec<VenueEvent>) {
        let Some(rate) = self.settings.funding_rate else {
            return;
        };
        let half = Span::from_minutes(30);
        let mut instant = self
            .advanced_to
            .unwrap_or(START)
            .minus(half)
            .floor_to(Span::HOUR)
            .plus(Span::HOUR)
            .plus(half);
        while instant <= view.now() {
            let mark = view.quote_of(perp().series()).unwrap().mark;
            let amount = self.position.funding(mark, rate, 6).unwrap();
            if !amount.is_zero() {
                let entries = vec![LedgerEntry {
                    at: instant,
                    account: main_account(self.venue),
                    item: Item::Asset(USDT),
                    quantity: amount,
                    units: amount,
                    value: Value::new(amount.get()),
                    kind: EntryKind::Funding,
                    instruction: None,
                    reference_price: p("1"),
                    cause: Cause::new(
                        Occurrence::Funding {
                            venue: self.venue,
                            symbol: SYMBOL,
                            instant,
                        },
                        0,
                    ),
                }];
                self.keep(&entries);
                let position = self.position.quantity;
                let kind = VenueEventKind::Funding {
                    instrument: perp(),
                    position,
                    mark,
                    rate,
                    amount,
                    proxy: None,
                };
                events.push(VenueEvent {
                    venue: self.venue,
                    at: instant,
                    kind,
                    entries,
                });
            }
            instant = instant.plus(Span::HOUR);
        }
    }
}

#[async_trait]
impl ExecutionInterface for SlowVenue {
    fn venue(&self) -> Venue {
        self.venue
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            operations: vec![OperationKind::SpotTrade, OperationKind::PerpTrade],
            hedge_mode: false,
        }
    }

    fn set_dependencies(&mut self, dependencies: Dependencies) {
        self.dependencies = dependencies;
    }

    async fn execute_instruction(
        &mut self,
        view: &MarketView,
        instruction: &Instruction,
    ) -> Result<Execution, VenueError> {
        let operation = instruction.operation.kind().as_str();
        let sent = format!("{} sent {}", self.venue, instruction.id);
        trace(&sent);
        let answered = self
            .clock()
            .now()
            .plus(Span::from_seconds(self.settings.answer_seconds));
        let wait = self.clock().sleep_until(answered);
        wait.await;
        trace(&format!("{} answered {}", self.venue, instruction.id));
        let id = instruction.id;
        let (mut status, fills, entries) = match &instruction.operation {
            Operation::SpotTrade(trade) => {
                if let Some(e) = self.refusal(operation, trade.quantity) {
                    return Err(e);
                }
                let mark = view.quote_of(spot().series()).unwrap().mark;
                let (fill, entries) = self.fill_spot(id, trade, mark, answered);
                (ExecutionStatus::Settled, vec![fill], entries)
            }
            Operation::PerpTrade(trade) => {
                if let Some(e) = self.refusal(operation, trade.quantity) {
                    return Err(e);
                }
                let mark = view.quote_of(perp().series()).unwrap().mark;
                let mut now = trade.quantity;
                if self.settings.fills_late {
                    now = now.at_rate(Rate::literal("0.5"), Rounding::Down).unwrap();
                    let rest = trade.quantity.sub(now).unwrap();
                    self.late.push((instruction.clone(), trade.clone(), rest));
                }
                let (fill, entries) = self.fill_perp(id, trade.side, now, mark, answered);
                (ExecutionStatus::Settled, vec![fill], entries)
            }
            other => {
                let kind = VenueErrorKind::Unsupported(other.kind().to_string());
                return Err(VenueError::new(self.venue, operation, kind));
            }
        };
        if self.settings.fills_late && !self.late.is_empty() {
            status = ExecutionStatus::Open;
        }
        Ok(Execution {
            instruction: id,
            venue: self.venue,
            status,
            fills,
            venue_reference: None,
            entries,
            at: answered,
        })
    }

    async fn advance(&mut self, view: &MarketView) -> Result<Vec<VenueEvent>, VenueError> {
        let now = view.now();
        let mut events = Vec::new();
        self.fund(view, &mut events);
        for (instruction, trade, rest) in std::mem::take(&mut self.late) {
            let at = now.minus(Span::from_minutes(20));
            let mark = view.quote_of(perp().series()).unwrap().mark;
            let (fill, entries) = self.fill_perp(instruction.id, trade.side, rest, mark, at);
            let kind = VenueEventKind::LateFill {
                instruction: instruction.id,
                fill,
            };
            events.push(VenueEvent {
                venue: self.venue,
                at,
                kind,
                entries,
            });
        }
        let arrived = self
            .dependencies
            .transit
            .as_ref()
            .unwrap()
            .collect(self.venue, now);
        for shipment in arrived {
            let line = |account, quantity: Quantity, line| LedgerEntry {
                at: shipment.arrives_at,
                account,
                item: Item::Asset(shipment.asset),
                quantity,
                units: quantity,
                value: Value::new(quantity.get()),
                kind: EntryKind::Transfer,
                instruction: Some(shipment.instruction),
                reference_price: p("1"),
                cause: Cause::new(Occurrence::TransferIn(shipment.instruction), line),
            };
            let entries = vec![
                line(Account::IN_FLIGHT, shipment.amount.neg().unwrap(), 0),
                line(shipment.to, shipment.amount, 1),
            ];
            self.keep(&entries);
            let kind = VenueEventKind::TransferArrived {
                instruction: shipment.instruction,
                account: shipment.to,
                asset: shipment.asset,
                amount: shipment.amount,
            };
            events.push(VenueEvent {
                venue: self.venue,
                at: shipment.arrives_at,
                kind,
                entries,
            });
        }
        self.advanced_to = Some(now);
        events.sort_by_key(|event| event.at);
        Ok(events)
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        Some(Timestamp::MIN)
    }

    async fn positions(&mut self, _view: &MarketView) -> Result<Vec<Position>, VenueError> {
        let account = main_account(self.venue);
        let assets = self.assets.iter().map(|(&(account, asset), &quantity)| {
            Position::new(account, Item::Asset(asset), quantity)
        });
        let quantity = self.position.quantity;
        let perps = [Position::new(account, Item::Position(perp()), quantity)];
        Ok(assets
            .chain(perps)
            .filter(|position| !position.quantity.is_zero())
            .collect())
    }

    fn health(&self) -> Health {
        Health::default()
    }
}

thread_local! {
    /// The engine is single-threaded, and a test runs one world: its trace is the thread's.
    static TRACE: std::cell::RefCell<Option<Trace>> = const { std::cell::RefCell::new(None) };
}

fn trace(line: &str) {
    TRACE.with_borrow(|trace| {
        if let Some(trace) = trace {
            trace.lock().unwrap().push(line.to_owned());
        }
    });
}

pub(crate) fn order(venue: Venue, side: Side, quantity: &str) -> Leg {
    let (symbol, quantity) = (SYMBOL, q(quantity));
    let (order_type, limit_price, time_in_force) = (OrderType::Market, None, TimeInForce::Gtc);
    let operation = if venue == ALPHA {
        Operation::SpotTrade(SpotTrade {
            symbol,
            side,
            quantity,
            order_type,
            limit_price,
            time_in_force,
        })
    } else {
        Operation::PerpTrade(PerpTrade {
            symbol,
            side,
            quantity,
            order_type,
            limit_price,
            time_in_force,
            reduce_only: false,
            position_side: None,
        })
    };
    Leg {
        venue,
        instruction: Instruction::new(InstructionId::default(), operation),
    }
}

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

/// Everything a test sets.
pub(crate) struct World {
    /// Closes of the hourly bars: spot at alpha, perp at beta.
    pub(crate) closes: Vec<(&'static str, &'static str)>,
    /// `venue_settings`, as YAML.
    pub(crate) settings: &'static str,
    pub(crate) plans: Vec<(Timestamp, Plan)>,
    pub(crate) journal: Option<Box<dyn Journal>>,
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) result: Result<RunResult, ComponentError>,
    pub(crate) trace: Vec<String>,
    pub(crate) clock: VirtualClock,
}

const CONFIG: &str = "
mode: btc_basis
share_class: USDT
asset: BTC
initial_capital: 1000000
reference_price: spot.alpha.BTCUSDT
spot_venue: alpha
hedge_allocation: { beta: 1 }
data: { gaps: hold }
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
    let embedded = basis::config::embedded::venue("wallet").unwrap();
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
        let clock = VirtualClock::new(START);
        let venue_clock: Arc<dyn Clock> = Arc::new(clock.clone());
        let executor = Box::new(VirtualTime::new(clock.clone()));
        self.run_on(clock, venue_clock, executor)
    }

    /// Runs the world with an executor and a clock of the caller's for the venues.
    pub(crate) fn run_on(
        self,
        clock: VirtualClock,
        venue_clock: Arc<dyn Clock>,
        mut executor: Box<dyn Executor>,
    ) -> Outcome {
        let seen: Trace = Arc::default();
        TRACE.set(Some(Arc::clone(&seen)));
        let book = Arc::new(RuleBook::new([rules(ALPHA), rules(BETA), wallet_rules()]));
        let world = basis::assembly::World {
            clock: clock.clone(),
            ..basis::assembly::World::new(START, Arc::clone(&book))
        };
        let registry = Registry::builtin()
            .with(row(ALPHA))
            .unwrap()
            .with(row(BETA))
            .unwrap();
        let mut factory = world.factory(&registry, FactorySettings::default(), "test");
        let settings = yaml::parse(self.settings, "settings in code").unwrap();
        let dependencies = Dependencies {
            clock: Some(venue_clock),
            ..world.dependencies()
        };
        let creation = factory.create_all_interfaces(&settings, Some(dependencies));
        let created = executor::run(executor.as_mut(), creation).unwrap();
        assert!(created.failures.is_empty(), "{:?}", created.failures);
        let problems = Problems::new();
        let tree = yaml::parse(CONFIG, "config in code").unwrap();
        let config = RunConfig::read(&tree, &RunRequest::default(), &problems).unwrap();
        assert_eq!(problems.into_sorted(), []);
        let parts = EngineParts {
            config,
            data: market(&self.closes),
            rules: book,
            interfaces: created.interfaces,
            executor,
            clock: clock.clone(),
            journal: self.journal,
            events: Arc::clone(&world.events),
            positions: Arc::clone(&world.positions),
            transit: Arc::clone(&world.transit),
        };
        let series: [SeriesId; 2] = [spot().series(), perp().series()];
        let script = Box::new(Script(self.plans.into()));
        let engine = Engine::with_strategy(parts, &series, script).unwrap();
        let result = engine.run(&mut |_| {});
        TRACE.set(None);
        let trace = seen.lock().unwrap().clone();
        Outcome {
            result,
            trace,
            clock,
        }
    }
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
