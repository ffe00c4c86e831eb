//! What a simulated interface is built into.

use std::sync::Arc;

use basis_core::config::Problems;
use basis_core::error::Code;
use basis_core::venue::Dependencies;
use basis_sim::world::SimulatedWorld;
use basis_testkit::node;
use serde_json::json;

use crate::credentials::BasisEnvironment;
use crate::driver::{BuildContext, LiveContext, LiveRuntime};
use crate::registry::Registry;
use crate::testing::chain::context;

#[test]
fn without_a_runtime_no_live_interface_is_built() {
    let world = SimulatedWorld::default();
    let problems = Problems::new();
    let section = node(&json!({}));
    for driver in Registry::builtin().all() {
        let build = driver.read(&section, &problems);
        let nowhere = LiveContext {
            environment: BasisEnvironment::default(),
            credentials: Arc::default(),
            runtime: LiveRuntime::none(),
        };
        let simulated = context(&world, Dependencies::default());
        let live = BuildContext::Live(nowhere, simulated.handles().clone());
        let e = build(live).unwrap_err();
        assert_eq!(
            (e.code, e.reason),
            (Code::CreationFailed, Some("live_unavailable"))
        );
        let built = build(context(&world, Dependencies::default())).unwrap();
        assert_eq!(built.venue(), driver.facts.venue);
        assert_eq!(built.capabilities().operations, driver.facts.operations);
    }
    assert_eq!(problems.into_sorted(), []);
}

#[test]
fn an_exchange_sends_through_the_transit_of_its_world() {
    let world = SimulatedWorld::default();
    let build = crate::binance::DRIVER.read(&node(&json!({})), &Problems::new());
    let built = build(context(&world, Dependencies::default())).unwrap();
    assert_eq!(Arc::strong_count(&world.transit), 2, "it keeps the world's");
    drop(built);
    assert_eq!(Arc::strong_count(&world.transit), 1);
}
