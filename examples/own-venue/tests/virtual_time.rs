//! The exchange through registry, factory and engine, under virtual time, with totals by hand.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests may fail as loudly as the tests"
)]

use std::collections::VecDeque;
use std::sync::Arc;

use basis::assembly::World;
use basis::config::{embedded, yaml};
use basis::core::config::Problems;
use basis::core::error::ComponentError;
use basis::core::event::EventData;
use basis::core::instruction::{Operation, Transfer};
use basis::core::num::{Price, Quantity, Rate};
use basis::core::plan::{Action, Block, FailurePolicy, Leg, Plan};
use basis::core::rules::{RuleBook, VenueRules};
use basis::core::types::{
    Account, Asset, InstrumentKey, InstrumentKind, Label, Side, Span, Symbol, Timestamp, Venue,
};
use basis::core::venue::FillAt;
use basis::engine::strategy::{Checkpoint, Context, Decision, Strategy};
use basis::engine::{Engine, EngineParts, RunRequest, RunResult};
use basis::market::{BarColumns, MarketData, RateSeries};
use basis::venues::factory::FactorySettings;
use own_venue::HARBOR;

/// Midnight of 1 May 2024: a funding instant of the exchange.
const START: Timestamp = Timestamp::from_seconds(1_714_521_600);
const STEPS: usize = 6;

const CONFIG: &str = "
mode: btc_basis
share_class: USDT
asset: BTC
initial_capital: 100000
reference_price: spot.harbor.BTCUSDT
spot_venue: harbor
hedge_allocation: { harbor: 1 }
";

/// What the engine must know of the exchange: where transfers arrive, fees, lots, margin.
const RULES: &str = "
venue: harbor
snapshots:
  - effective_from: 2024-01-01
    source: example
    accounts: { deposit: main }
    fees: { spot: { taker_bps: 7 }, perp: { taker_bps: 5 }, spot_buy_fee_asset: quote }
    instruments:
      - { kind: spot, symbol: BTCUSDT, venue_symbol: BTCUSDT, base: BTC, quote: USDT, tick_size: 0.01, lot_size: 0.00001, min_quantity: 0.00001, max_quantity: 1000, max_market_quantity: 1000 }
      - kind: perp
        symbol: BTCUSDT
        venue_symbol: BTCUSDT
        base: BTC
        quote: USDT
        tick_size: 0.01
        lot_size: 0.00001
        min_quantity: 0.00001
        max_quantity: 1000
        max_market_quantity: 1000
        contract_size: 1
        max_leverage: 10
        liquidation_fee_bps: 50
        tiers: [ { up_to: 100000000, initial_margin_rate: 0.1, maintenance_margin_rate: 0.005, max_leverage: 10 } ]
";

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn instrument(kind: InstrumentKind) -> InstrumentKey {
    InstrumentKey::new(HARBOR, kind, Symbol::literal("BTCUSDT"))
}

/// Plays one plan after the other.
#[derive(Debug)]
struct Script(VecDeque<(Timestamp, Plan)>);

impl Strategy for Script {
    fn decide(&mut self, context: &Context<'_>) -> Result<Decision, ComponentError> {
        let now = context.view.now();
        let plan = self.0.pop_front_if(|(at, _)| *at <= now);
        Ok(plan.map_or(Decision::Hold, |(_, plan)| Decision::Act(plan)))
    }

    fn exit(&mut self, _: &Context<'_>) -> Result<Option<Plan>, ComponentError> {
        Ok(None)
    }

    fn deleverage(
        &mut self,
        _: &Context<'_>,
        _: Venue,
        _: Rate,
    ) -> Result<Option<Plan>, ComponentError> {
        Ok(None)
    }

    fn save(&self) -> Result<Checkpoint, ComponentError> {
        Checkpoint::of(1, &self.0)
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), ComponentError> {
        self.0 = checkpoint.read(1)?;
        Ok(())
    }

    fn completed(&mut self, _: u64, _: bool) {}
}

fn plan(legs: Vec<Leg>) -> Plan {
    let failure_policy = FailurePolicy::Compensate {
        naked_delta_max: q("0.001"),
        naked_time_max: Span::from_minutes(2),
    };
    Plan {
        action: Action::EntryFull,
        reason: "example".into(),
        blocks: vec![Block {
            legs,
            failure_policy,
        }],
    }
}

fn rules(text: &str) -> VenueRules {
    let node = yaml::parse(text, "rules").unwrap();
    VenueRules::read(&node, &Problems::new()).unwrap()
}

fn market() -> Arc<MarketData> {
    let mut data = MarketData::new("bars in code", true);
    for (kind, close) in [
        (InstrumentKind::Spot, "60000.01"),
        (InstrumentKind::Perp, "60100.02"),
    ] {
        let close: Vec<Price> = vec![close.parse().unwrap(); STEPS];
        let hours = (0..).take(STEPS).map(Span::from_hours);
        data.add_bars(BarColumns {
            id: instrument(kind).series(),
            length: Span::HOUR,
            opened_at: hours.map(|hours| START.plus(hours)).collect(),
            open: close.clone(),
            high: close.clone(),
            low: close.clone(),
            volume: vec![q("1000"); STEPS],
            close,
        })
        .unwrap();
    }
    // The engine wants the series of a perp's funding; this exchange has rates of its own.
    data.add_rates(RateSeries {
        id: instrument(InstrumentKind::Perp).funding_series(),
        at: vec![START.plus(Span::from_hours(4))],
        rate: vec![Rate::literal("0.0001")],
    })
    .unwrap();
    Arc::new(data)
}

fn run(settings: &str) -> RunResult {
    run_with("50000", settings)
}

/// A run in which so much arrives at the exchange.
fn run_with(capital: &str, settings: &str) -> RunResult {
    let registry = own_venue::registry().unwrap();
    let wallet = embedded::venue("wallet").unwrap();
    let book = RuleBook::new([rules(RULES), rules(wallet.text)]);
    let world = World::new(START, Arc::new(book), FillAt::Close);
    let mut factory = world.factory(&registry, FactorySettings::default(), "example");
    let settings = yaml::parse(settings, "settings").unwrap();
    let created = factory.create_all_interfaces(&settings, Some(world.dependencies()));
    assert!(created.failures.is_empty(), "{:?}", created.failures);
    let problems = Problems::new();
    let tree = yaml::parse(CONFIG, "config").unwrap();
    let modes = basis::strategies::builtin();
    let (config, _) = modes
        .read(&tree, &RunRequest::default(), &problems)
        .unwrap();
    assert_eq!(problems.into_sorted(), []);
    let parts = EngineParts {
        config,
        data: market(),
        rules: world.rules,
        interfaces: created.interfaces,
        clock: world.clock,
        journal: None,
        events: world.events,
        positions: world.positions,
        transit: world.simulated.transit,
    };
    let fund = Operation::Transfer(Transfer {
        asset: Asset::literal("USDT"),
        amount: q(capital),
        from: Account::WALLET,
        to: Account::new(HARBOR, Label::literal("main")),
    });
    let (spot, perp) = (InstrumentKind::Spot, InstrumentKind::Perp);
    let trade = vec![
        Leg::market(instrument(spot), Side::Buy, q("0.33333"), false),
        Leg::market(instrument(perp), Side::Sell, q("0.33333"), false),
    ];
    let at = |hours| START.plus(Span::from_hours(hours));
    let plans = [
        (at(1), plan(vec![Leg::new(Venue::WALLET, fund)])),
        (at(3), plan(trade)),
    ];
    let series = [instrument(spot).series(), instrument(perp).series()];
    let strategy = Box::new(Script(plans.into()));
    let engine = Engine::with_strategy(parts, &series, strategy).unwrap();
    let mut steps = engine.recorded_steps().with_virtual_time();
    engine.run_from(&mut steps, &mut |_| {}).unwrap()
}

/// Lines of the exchange: seconds after three, item, quantity, kind.
fn lines(result: &RunResult) -> Vec<String> {
    let three = START.plus(Span::from_hours(3));
    let own = result.ledger.iter().filter(|e| e.account.venue == HARBOR);
    own.map(|e| {
        let seconds = e.at.since(three).seconds();
        format!("{seconds} {} {} {}", e.item, e.quantity, e.kind)
    })
    .collect()
}

#[test]
fn parts_repeats_and_own_funding_come_out_to_the_last_of_eight_decimals() {
    let result = run("{ wallet: {}, harbor: { latency_seconds: 5, funding_rate: 0.0001 } }");
    let expected = [
        "-6300 USDT 50000 transfer",
        // 0.16666 × 60,000.01 and 7 bps of it, rounded up: 6.99972116662.
        "5 BTC 0.16666 trade",
        "5 USDT -9999.6016666 trade",
        "5 USDT -6.99972117 fee",
        // 0.16666 × 60,100.02 × 5 bps = 5.0081346666.
        "5 harbor:perp:BTCUSDT -0.16666 trade",
        "5 USDT -5.00813467 fee",
        // The other halves: 7.00014116669 and 5.0084351667.
        "10 BTC 0.16667 trade",
        "10 USDT -10000.2016667 trade",
        "10 USDT -7.00014117 fee",
        "10 harbor:perp:BTCUSDT -0.16667 trade",
        "10 USDT -5.00843517 fee",
        // At four, 0.33333 × 60,100.02 × 0.0001 = 2.00331396666, rounded against us.
        "3600 USDT 2.00331396 funding",
    ];
    assert_eq!(lines(&result), expected);
    // Everything was said twice and is booked once.
    assert_eq!(result.counts.fills, 4);
    assert_eq!(result.counts.funding_payments, 1);
    // 100,000 less 10 for the transfer and 24.01643218 of fees, and the funding.
    let equity = result.steps.equity_usd.last().unwrap();
    assert_eq!(equity.get(), q("99967.98688178").get());
    assert_eq!(result.halted, None);
    assert_eq!(result.counts.steps, 6);
}

#[test]
fn books_and_the_exchanges_own_tally_agree_at_every_comparison() {
    let result = run("{ wallet: {}, harbor: {} }");
    let mut comparisons = 0;
    for event in &result.events {
        match &event.data {
            EventData::Reconciliation { differences, .. } => {
                assert_eq!(differences, &[]);
                comparisons += 1;
            }
            EventData::Error { message, .. } => panic!("{message}"),
            _ => {}
        }
    }
    assert!(comparisons > 4, "{comparisons}");
}

#[test]
fn what_is_not_covered_is_refused_in_the_exchanges_own_words() {
    // 20,020 cover the spot leg (20,013.80), not the perp.
    let result = run_with("20020", "{ wallet: {}, harbor: {} }");
    let refused = result.events.iter().find_map(|event| match &event.data {
        EventData::Error { message, .. } => Some(message.as_str()),
        _ => None,
    });
    let refused = refused.unwrap();
    assert!(
        refused.contains("insufficient balance: 20043.15623644 USDT needed"),
        "{refused}"
    );
    assert!(refused.contains("venue code H-7"), "{refused}");
    // The other leg filled and is undone.
    assert_eq!(result.counts.fills, 4);
    assert!(result.steps.net_delta.last().unwrap().is_zero());
}
