//! A strategy that plays plans at their instants, and a run of it to a run directory.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use basis::assembly::{Setup, World};
use basis::config::environment::Environment;
use basis::config::layers::{self, Request};
use basis::core::error::ComponentError;
use basis::core::num::Rate;
use basis::core::plan::{Action, Block, FailurePolicy, Leg, Plan};
use basis::core::types::{RunId, SeriesId, Timestamp, Venue};
use basis::engine::result::RunResult;
use basis::engine::strategy::{Checkpoint, Context, Decision, Strategy};
use basis::engine::{Engine, EngineParts};
use basis::market::MarketData;
use basis::report::Format;
use basis::report::run::{OutputContext, RunWriter, Timing};
use basis::venues::registry::Registry;

use crate::runner::usual_sets;

/// Plays its plans at their hours.
#[derive(Debug)]
pub(crate) struct Script(pub(crate) VecDeque<(Timestamp, Plan)>);

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

    fn save(&self) -> Result<Checkpoint, ComponentError> {
        Checkpoint::of(1, &self.0)
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), ComponentError> {
        self.0 = checkpoint.read(1)?;
        Ok(())
    }

    fn completed(&mut self, _: u64, _: bool) {}
}

/// One block that stops at the first failure.
pub(crate) fn plan(legs: Vec<Leg>) -> Plan {
    Plan {
        action: Action::EntryFull,
        reason: "test".into(),
        blocks: vec![Block {
            legs,
            failure_policy: FailurePolicy::Halt,
        }],
    }
}

/// The configuration of `mode` with `sets` over it, from `from` to `to`; with [`usual_sets`] below
/// them, unless they name the carry hurdle.
pub(crate) fn setup(mode: &str, sets: &[&str], (from, to): (Timestamp, Timestamp)) -> Setup {
    let registry = Registry::builtin();
    let usual = usual_sets(mode, sets);
    let sets = usual.iter().chain(sets);
    let sets: Vec<_> = sets.map(|set| (*set).to_owned()).collect();
    let request = Request {
        mode,
        sets: &sets,
        ..Request::default()
    };
    let environment = Environment::from_pairs(BTreeMap::new(), &registry);
    let resolved = layers::resolve(&request, &environment, &registry).unwrap();
    resolved.setup.with_range(from, to)
}

/// The engine of a run of `script` over `data`.
pub(crate) fn engine(
    setup: &Setup,
    (data, series): (Arc<MarketData>, &[SeriesId]),
    script: Script,
) -> Engine {
    let registry = Registry::builtin();
    let world = World::of(setup);
    let created = world.create_interfaces(&registry, setup);
    let parts = EngineParts {
        config: setup.run().clone(),
        data,
        rules: Arc::clone(setup.rules()),
        interfaces: created.interfaces,
        clock: world.clock,
        journal: None,
        events: world.events,
        positions: world.positions,
        transit: world.simulated.transit,
    };
    let routes = setup.mode().exit_routes(setup.run());
    let engine = Engine::with_strategy(parts, series, Box::new(script)).unwrap();
    engine.with_exit_routes(routes)
}

/// Runs `script` over `data` and leaves its directory at `out`; no order may be refused.
pub(crate) fn run(
    setup: &Setup,
    market: (Arc<MarketData>, &[SeriesId]),
    script: Script,
    out: &Path,
) -> RunResult {
    let engine = engine(setup, market, script);
    let run = (setup.run().share_class, setup.run().from);
    let mut writer = RunWriter::create(out, run, Format::Csv).unwrap();
    let result = engine.run_into(&mut writer, &mut |_| {}).unwrap();
    let context = OutputContext {
        config_yaml: setup.config_yaml().to_owned(),
        config_hash: setup.config_hash().to_owned(),
        run_id: RunId::from_number(1),
        flows: setup.run().flows.clone(),
        timing: Timing::default(),
        versions: Vec::new(),
    };
    writer.finish(&result, &context).unwrap();
    assert_eq!(result.counts.rejections, 0);
    result
}
