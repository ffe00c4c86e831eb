//! Adoption: what a venue held before the run is taken into the books, a perp at the venue's entry price.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use basis::assembly::World;
use basis::config::environment::Environment;
use basis::config::layers::{self, Request};
use basis::core::error::{Code, ComponentError};
use basis::core::instruction::{Instruction, Operation, OrderType, PerpTrade, TimeInForce};
use basis::core::ledger::EntryKind;
use basis::core::num::{Fixed18, Price, Quantity, Rate};
use basis::core::plan::{Leg, Plan};
use basis::core::types::{
    InstructionId, InstrumentKey, InstrumentKind, Item, SeriesId, Side, Span, Symbol, Timestamp,
    Venue,
};
use basis::core::venue_event::{EventKind, Events};
use basis::data::synthetic::SyntheticSpec;
use basis::engine::{Engine, EngineParts, RunResult};
use basis::market::{BarColumns, MarketData, MarketView, RateSeries, SeriesRequest, ViewPolicy};
use basis::venues::registry::Registry;

use crate::scripted::{self, Script, setup};

const HOURS: i64 = 40;
const BYBIT: &str = "bybit.unified";

fn hour(number: i64) -> Timestamp {
    SyntheticSpec::default()
        .start
        .plus(Span::from_hours(number))
}

fn series() -> Vec<SeriesId> {
    [
        "spot.bybit.BTCUSDT",
        "perp.bybit.BTCUSDT",
        "funding.bybit.BTCUSDT",
    ]
    .map(|name| name.parse().unwrap())
    .to_vec()
}

/// A market at 50,000 until the tenth hour, then at 51,000.
fn market() -> Arc<MarketData> {
    let mut data = MarketData::new("in code", true);
    let price = |at: i64| {
        let price = if at <= 10 { 50_000 } else { 51_000 };
        Price::new(Fixed18::from_int(price)).unwrap()
    };
    for id in series().into_iter().take(2) {
        let close: Vec<_> = (1..=HOURS).map(price).collect();
        data.add_bars(BarColumns {
            id,
            length: Span::HOUR,
            opened_at: (0..HOURS).map(hour).collect(),
            high: close.clone(),
            low: close.clone(),
            volume: vec![Quantity::literal("1000"); close.len()],
            open: close.clone(),
            close,
        })
        .unwrap();
    }
    let at: Vec<_> = (0..=HOURS / 8).map(|number| hour(number * 8)).collect();
    data.add_rates(RateSeries {
        id: series().pop().unwrap(),
        rate: vec![Rate::ZERO; at.len()],
        at,
    })
    .unwrap();
    Arc::new(data)
}

/// A run from hour 12 in which Bybit holds 100,000 USDT and has been short 1 BTC since hour 2.
fn run(adopt: &str) -> Result<RunResult, ComponentError> {
    run_with(adopt, Quantity::literal("1"), VecDeque::new())
}

/// The same with `short` BTC, and plans.
fn run_with(
    adopt: &str,
    short: Quantity,
    plans: VecDeque<(Timestamp, Plan)>,
) -> Result<RunResult, ComponentError> {
    let sets = [
        "venue_settings={ bybit: { initial_balances: { unified: { USDT: 100000 } }, slippage: none } }",
        "hedge_allocation={ binance: 0, bybit: 1, okx: 0 }",
        "spot_venue=bybit",
        adopt,
    ];
    let setup = setup("btc_basis", &sets, (hour(12), hour(20)));
    let world = World::of(&setup);
    let mut created = world.create_interfaces(&Registry::builtin(), &setup);
    let requests: Vec<_> = series()
        .into_iter()
        .take(2)
        .map(|id| SeriesRequest {
            id,
            reference: None,
        })
        .collect();
    let mut view = MarketView::new(market(), &requests, ViewPolicy::default()).unwrap();
    view.advance_to(hour(2)).unwrap();
    let sale = Operation::PerpTrade(PerpTrade {
        symbol: Symbol::literal("BTCUSDT"),
        side: Side::Sell,
        quantity: short,
        order_type: OrderType::Market,
        limit_price: None,
        time_in_force: TimeInForce::default(),
        reduce_only: false,
        position_side: None,
    });
    // Far above what the run itself will number.
    let sale = Instruction::new(InstructionId::plain(1_000_000), sale);
    let mut events = Events::new();
    let mut bybit = created.interfaces.iter_mut();
    let bybit = bybit
        .find(|venue| venue.venue().as_str() == "bybit")
        .unwrap();
    if short.is_positive() {
        bybit.execute_instructions(&view, &[sale], &mut events);
        let first = events.first().map(|event| &event.kind);
        assert!(matches!(first, Some(EventKind::Fill(_))), "{events:?}");
    }
    let parts = EngineParts {
        config: setup.run().clone(),
        data: market(),
        rules: Arc::clone(setup.rules()),
        interfaces: created.interfaces,
        clock: world.clock,
        journal: None,
        events: world.events,
        positions: world.positions,
        transit: world.simulated.transit,
    };
    let script = Box::new(Script(plans));
    Engine::with_strategy(parts, &series(), script)?.run(&mut |_| {})
}

#[test]
fn a_perp_is_adopted_at_the_venue_s_entry_price() {
    let result = run("adopt=[bybit]").unwrap();
    let adopted: Vec<_> = result
        .ledger
        .iter()
        .filter(|line| line.account.to_string() == BYBIT)
        .collect();
    let position = adopted
        .iter()
        .find(|line| matches!(line.item, Item::Position(_)))
        .unwrap();
    assert_eq!(position.kind, EntryKind::Deposit);
    assert_eq!(position.quantity.to_string(), "-1");
    // Sold at 50,000, where it stood at hour 2; the mark of the adoption is 51,000.
    assert_eq!(position.value.to_string(), "-50000");
    assert_eq!(position.reference_price.to_string(), "51000");
    let cash = adopted
        .iter()
        .find(|line| matches!(line.item, Item::Asset(_)));
    // The fee of 5.5 bps was paid before.
    assert_eq!(cash.unwrap().quantity.to_string(), "99972.5");
    // The funding of the hours before the run is in what Bybit holds, and no line of the run.
    assert!(
        adopted
            .iter()
            .all(|line| line.kind == EntryKind::Deposit || line.at > hour(12))
    );
    // 100,000 of capital, and what Bybit holds less the loss of 1,000 until then: all of it flowed in.
    let first = result.steps.external_flow_usd[0];
    assert_eq!(first.to_string(), "198972.5");
    assert_eq!(result.steps.equity_usd[0], first);
    assert!(
        result
            .steps
            .attribution
            .iter()
            .all(|step| step.residual.is_zero())
    );
}

#[test]
fn holdings_that_nobody_adopts_are_refused_before_the_run() {
    let registry = Registry::builtin();
    let sets = ["venue_settings.bybit.initial_balances={ unified: { USDT: 1 } }".to_owned()];
    let request = Request {
        mode: "btc_basis",
        sets: &sets,
        ..Request::default()
    };
    let environment = Environment::from_pairs(BTreeMap::new(), &registry);
    let e = layers::resolve(&request, &environment, &registry).unwrap_err();
    assert_eq!(e.code, Code::ConfigInvalid);
    assert!(e.message.contains("adopt: [bybit]"), "{}", e.message);
}

/// Adopted capital is no book: when the entry on it is refused, nothing was ever held. An adopted short is one.
#[test]
fn an_adopted_book_that_never_holds_is_judged_like_any_other() {
    let perp = InstrumentKey::new(
        Venue::literal("bybit"),
        InstrumentKind::Perp,
        Symbol::literal("BTCUSDT"),
    );
    let refused = |short| {
        let leg = Leg::market(perp, Side::Sell, Quantity::literal("0.0000001"), false);
        let plans = [(hour(14), scripted::plan(vec![leg]))];
        run_with("adopt=[bybit]", short, plans.into()).unwrap()
    };
    let why = refused(Quantity::ZERO).never_held;
    assert!(why.is_some_and(|why| why.contains("quantity")));
    assert_eq!(refused(Quantity::literal("1")).never_held, None);
}
