//! The drivers' rows: from settings to an execution through the one interface.

use std::sync::Arc;

use basis_core::instruction::{CollectFees, Instruction, Operation, OperationKind};
use basis_core::types::{Account, InstructionId, Label};
use basis_core::venue::{Dependencies, VenueType};
use basis_core::venue_event::EventKind;
use basis_market::ExecutionInterface;
use basis_sim::world::SimulatedWorld;
use basis_testkit::posted;
use basis_testkit::{dependencies, q};
use serde_json::json;

use crate::driver::VenueDriver;
use crate::testing::chain::{context, create};
use crate::testing::pools::{CURVE, UNISWAP, asset, rule_book, swap, view_without};
use crate::{curve, uniswap};

fn build(driver: &VenueDriver, world: &SimulatedWorld) -> Box<dyn ExecutionInterface> {
    let dependencies = Dependencies {
        data_provider: Some(Arc::new(rule_book())),
        ..dependencies(&[])
    };
    let section = json!({ "venue_type": "DEX", "network": "ethereum" });
    create(driver, &section, context(world, dependencies))
}

#[test]
fn both_rows_build_interfaces_that_swap_on_one_chain_and_nothing_else() {
    let world = SimulatedWorld::default();
    for (name, quantity) in [("ETH", "1"), ("weETH", "2")] {
        let mut state = world.chain.state();
        let held = state.wallet.add(Account::WALLET, asset(name), q(quantity));
        held.unwrap();
    }
    let view = view_without(&[]);
    let rows = [&uniswap::DRIVER, &curve::DRIVER];
    let [mut uniswap, mut curve] = rows.map(|driver| build(driver, &world));
    assert_eq!((uniswap.venue(), curve.venue()), (UNISWAP, CURVE));
    for (driver, interface) in rows.iter().zip([&uniswap, &curve]) {
        let facts = driver.facts;
        assert_eq!(facts.venue_type, VenueType::Dex);
        assert_eq!(facts.credentials.name, "alchemy");
        assert_eq!(interface.capabilities().operations, facts.operations);
        let liquid = [OperationKind::AddLiquidity, OperationKind::RemoveLiquidity];
        assert!(liquid.iter().all(|kind| facts.operations.contains(kind)));
        let collects = facts.operations.contains(&OperationKind::CollectFees);
        assert_eq!(collects, facts.venue == UNISWAP);
    }
    let instruction = |id, operation| Instruction::new(InstructionId::plain(id), operation);
    let first = instruction(1, swap("weETHWETH", ["weETH", "WETH"], "2", "2"));
    let mut events = Vec::new();
    curve.execute_instructions(&view, &[first], &mut events);
    assert!(matches!(events[..], [_]), "{events:?}");
    assert!(matches!(events[0].kind, EventKind::Transaction(_)));
    let second = instruction(2, swap("WETHUSDT", ["WETH", "USDT"], "2", "4000"));
    events.clear();
    uniswap.execute_instructions(&view, &[second], &mut events);
    let lines = posted(&events, &view);
    assert_eq!(lines.len(), 3, "two sides and the gas");
    events.clear();
    curve.poll_events(&view, &mut events);
    assert_eq!(events, []);
    uniswap.request_snapshot();
    uniswap.poll_events(&view, &mut events);
    assert_eq!(events.len(), 1, "the snapshot alone");
    assert_eq!(uniswap.account().positions, []);
    let collect = Operation::CollectFees(CollectFees {
        pool: Label::literal("weETHWETH"),
        ticks: None,
    });
    events.clear();
    curve.execute_instructions(&view, &[instruction(3, collect)], &mut events);
    let [refused] = &events[..] else {
        panic!("{events:?}")
    };
    let EventKind::Rejected { error, .. } = &refused.kind else {
        panic!("{refused:?}")
    };
    let text = error.to_string();
    assert!(
        text.contains(
            "curve executes no collect_fees; it can: swap, add_liquidity, remove_liquidity"
        ),
        "{text}"
    );
}
