//! What a simulated interface is built into.

use std::sync::Arc;

use basis_core::config::Problems;
use basis_core::error::Code;
use basis_core::venue::{Dependencies, ExecutionMode};
use basis_sim::world::SimulatedWorld;
use basis_testkit::node;
use serde_json::json;

use crate::driver::BuildContext;
use crate::registry::Registry;
use crate::testing::chain::context;

#[test]
fn every_interface_needs_a_simulated_world() {
    let world = SimulatedWorld::default();
    let problems = Problems::new();
    let section = node(&json!({}));
    for driver in Registry::builtin().all() {
        let build = driver.read(&section, &problems);
        let homeless = BuildContext {
            world: None,
            ..context(&world, Dependencies::default())
        };
        let e = build(homeless).unwrap_err();
        assert_eq!(e.code, Code::CreationFailed);
        assert_eq!(e.reason, Some("world_missing"));
        let live = BuildContext {
            mode: ExecutionMode::Live,
            ..context(&world, Dependencies::default())
        };
        let e = build(live).unwrap_err();
        assert_eq!(e.reason, Some("live_unavailable"));
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
