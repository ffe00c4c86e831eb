//! A book in hedge mode, from a strategy of a third party to a run directory that the auditor agrees
//! with: both sides of one perp, their funding, and what reducing each of them yields.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use basis::assembly::World;
use basis::config::environment::Environment;
use basis::config::layers::{self, Request};
use basis::core::error::ComponentError;
use basis::core::executor::PollOnce;
use basis::core::instruction::{Operation, Transfer};
use basis::core::num::{Quantity, Rate};
use basis::core::plan::{Action, Block, FailurePolicy, Leg, Plan};
use basis::core::types::{
    Account, InstrumentKey, InstrumentKind, Label, PositionSide, RunId, Side, Span, Symbol,
    Timestamp, Venue,
};
use basis::data::synthetic::{SyntheticSpec, synthetic};
use basis::data::{LoadRequest, load};
use basis::engine::strategy::{Context, Decision, Strategy};
use basis::engine::{Engine, EngineParts};
use basis::output::{Format, OutputContext, RunWriter, Timing};
use basis::venues::registry::Registry;
use serde_json::Value as Json;

use crate::files;
use crate::runner::{Scratch, agrees};

const BINANCE: Venue = Venue::literal("binance");
const HOURS: i64 = 30;

fn hour(number: i64) -> Timestamp {
    SyntheticSpec::default()
        .start
        .plus(Span::from_hours(number))
}

fn perp() -> InstrumentKey {
    InstrumentKey::new(BINANCE, InstrumentKind::Perp, Symbol::literal("BTCUSDT"))
}

fn leg(position: PositionSide, side: Side, quantity: &str) -> Leg {
    let key = perp().sided(Some(position));
    Leg::market(key, side, quantity.parse().unwrap(), false)
}

fn send(from: Account, to: Account) -> Leg {
    let operation = Operation::Transfer(Transfer {
        asset: "USDT".parse().unwrap(),
        amount: Quantity::literal("40000"),
        from,
        to,
    });
    Leg::new(from.venue, operation)
}

fn plan(legs: Vec<Leg>) -> Plan {
    Plan {
        action: Action::EntryFull,
        reason: "test",
        blocks: vec![Block {
            legs,
            failure_policy: FailurePolicy::Halt,
        }],
    }
}

/// Plays its plans at their hours.
#[derive(Debug)]
struct Script(VecDeque<(Timestamp, Plan)>);

impl Strategy for Script {
    fn decide(&mut self, context: &Context<'_>) -> Result<Decision, ComponentError> {
        match self.0.front() {
            Some((at, _)) if *at <= context.view.now() => Ok(self
                .0
                .pop_front()
                .map_or(Decision::Hold, |(_, plan)| Decision::Act(plan))),
            _ => Ok(Decision::Hold),
        }
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

    fn completed(&mut self, _: u64, _: bool) {}
}

fn script() -> Script {
    use PositionSide::{Long, Short};
    let account = |name| Account::new(BINANCE, Label::literal(name));
    let (deposit, margin) = (account("spot"), account("usdm"));
    let plans = [
        (1, vec![send(Account::WALLET, deposit)]),
        (3, vec![send(deposit, margin)]),
        (
            4,
            vec![leg(Long, Side::Buy, "1"), leg(Short, Side::Sell, "0.4")],
        ),
        (
            20,
            vec![leg(Long, Side::Sell, "0.3"), leg(Short, Side::Sell, "0.2")],
        ),
        (26, vec![leg(Short, Side::Buy, "0.6")]),
    ];
    let plans = plans.into_iter().map(|(at, legs)| (hour(at), plan(legs)));
    Script(plans.collect())
}

/// Runs the script on the files in `data` and leaves its directory at `out`.
fn run(data: &Path, out: &Path) {
    let registry = Registry::builtin();
    let sets = [
        "venue_settings.binance.position_mode=hedge",
        "hedge_allocation={ binance: 1, bybit: 0, okx: 0 }",
        "risk.net_delta_halt=10",
        "data.gaps=hold",
    ]
    .map(str::to_owned);
    let request = Request {
        mode: "btc_basis",
        sets: &sets,
        ..Request::default()
    };
    let environment = Environment::from_pairs(BTreeMap::new(), &registry);
    let resolved = layers::resolve(&request, &environment, &registry).unwrap();
    let setup = resolved.setup.with_range(hour(0), hour(HOURS));
    let series = setup.required_series().unwrap();
    let wanted = LoadRequest {
        ids: series.clone(),
        ..LoadRequest::default()
    };
    let loaded = load(data, &wanted, &|_| {}).unwrap();
    let world = World::new(hour(0), Arc::clone(setup.rules()));
    let created = world.create_interfaces(&registry, &setup).unwrap();
    let parts = EngineParts {
        config: setup.run().clone(),
        data: loaded.data,
        rules: Arc::clone(setup.rules()),
        interfaces: created.interfaces,
        executor: Box::new(PollOnce),
        clock: world.clock,
        journal: None,
        events: world.events,
        positions: world.positions,
        transit: world.transit,
    };
    let engine = Engine::with_strategy(parts, &series, Box::new(script())).unwrap();
    let mut writer = RunWriter::create(out, setup.run().share_class, Format::Csv).unwrap();
    let result = engine.run_into(&mut writer, &mut |_| {}).unwrap();
    let context = OutputContext {
        config_yaml: setup.config_yaml().to_owned(),
        config_hash: setup.config_hash().to_owned(),
        run_id: RunId::from_number(1),
        timing: Timing::default(),
        versions: Vec::new(),
    };
    writer.finish(&result, &context).unwrap();
    assert_eq!(result.counts.rejections, 0);
}

#[test]
fn both_sides_of_a_perp_agree_with_the_auditor() {
    let dir = Scratch::new();
    let (data, out) = (dir.path().join("data"), dir.path().join("run"));
    let market = synthetic(&SyntheticSpec {
        bars: usize::try_from(HOURS).unwrap(),
        ..SyntheticSpec::default()
    });
    files::write(&data, &market);
    // One settlement is not recorded: both sides are listed with what they held.
    let rates = data.join("funding/binance/BTCUSDT.csv");
    let text = fs::read_to_string(&rates).unwrap();
    let rows: Vec<_> = text
        .lines()
        .filter(|row| !row.starts_with("2024-01-01T16"))
        .collect();
    fs::write(&rates, rows.join("\n") + "\n").unwrap();
    run(&data, &out);
    let positions = fs::read_to_string(out.join("positions.csv")).unwrap();
    for item in [
        "binance:perp:BTCUSDT:long,0.7,",
        "binance:perp:BTCUSDT:short,-0.6,",
    ] {
        assert!(positions.contains(item), "{item}");
    }
    let summary = fs::read_to_string(out.join("summary.json")).unwrap();
    let summary: Json = serde_json::from_str(&summary).unwrap();
    // 08:00 and 00:00, two sides each; 16:00 was left out.
    assert_eq!(summary["counts"]["funding_payments"], 4);
    assert_eq!(summary["unbooked_funding"].as_array().unwrap().len(), 2);
    agrees(&out, Some(&data));
}
