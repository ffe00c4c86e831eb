//! The drivers' rows: from settings to an execution through the one interface.

use std::any::Any;
use std::sync::Arc;

use basis_core::config::Problems;
use basis_core::instruction::{CollectFees, Instruction, Operation, OperationKind};
use basis_core::transit::Transit;
use basis_core::types::{Account, InstructionId, Label};
use basis_core::venue::{
    Dependencies, ExecutionInterface, ExecutionMode, VenueDriver, VenueSettings, VenueType,
};
use serde_json::json;

use super::super::testing::{CURVE, UNISWAP, asset, rule_book, swap, view_without};
use crate::cex::testing::{dependencies, node, q, ready};
use crate::chain::SimulatedChain;
use crate::{curve, uniswap};

fn settings(driver: &VenueDriver) -> VenueSettings {
    let problems = Problems::new();
    let node = node(&json!({ "venue_type": "DEX", "network": "ethereum" }));
    let parsed: Arc<dyn Any + Send + Sync> = (driver.parse_settings)(&node, &problems);
    assert_eq!(problems.into_sorted(), []);
    VenueSettings {
        venue: driver.venue,
        node,
        parsed,
        credentials: None,
    }
}

fn build(driver: &VenueDriver, chain: &SimulatedChain) -> Box<dyn ExecutionInterface> {
    let dependencies = Dependencies {
        data_provider: Some(Arc::new(rule_book())),
        chain: Some(Arc::new(chain.clone())),
        ..dependencies(&[], &Arc::new(Transit::default()))
    };
    let settings = settings(driver);
    let built = (driver.build)(&settings, ExecutionMode::Backtest, dependencies);
    ready(built).unwrap()
}

#[test]
fn both_rows_build_interfaces_that_swap_on_one_chain_and_nothing_else() {
    let chain = SimulatedChain::default();
    for (name, quantity) in [("ETH", "1"), ("weETH", "2")] {
        let mut state = chain.state();
        let held = state.wallet.add(Account::WALLET, asset(name), q(quantity));
        held.unwrap();
    }
    let view = view_without(&[]);
    let rows = [&uniswap::DRIVER, &curve::DRIVER];
    let [mut uniswap, mut curve] = rows.map(|driver| build(driver, &chain));
    assert_eq!((uniswap.venue(), curve.venue()), (UNISWAP, CURVE));
    for (driver, interface) in rows.iter().zip([&uniswap, &curve]) {
        assert_eq!(driver.venue_type, VenueType::Dex);
        assert_eq!(driver.credentials.name, "alchemy");
        assert_eq!(interface.capabilities().operations, driver.operations);
        let liquid = [OperationKind::AddLiquidity, OperationKind::RemoveLiquidity];
        assert!(liquid.iter().all(|kind| driver.operations.contains(kind)));
        let collects = driver.operations.contains(&OperationKind::CollectFees);
        assert_eq!(collects, driver.venue == UNISWAP);
    }
    let instruction = |id, operation| Instruction::new(InstructionId(id), operation);
    let first = instruction(1, swap("weETHWETH", ["weETH", "WETH"], "2", "2"));
    ready(curve.execute_instruction(&view, &first)).unwrap();
    let second = instruction(2, swap("WETHUSDT", ["WETH", "USDT"], "2", "4000"));
    let done = ready(uniswap.execute_instruction(&view, &second)).unwrap();
    assert_eq!(done.entries.len(), 3, "two sides and the gas");
    assert_eq!(ready(uniswap.positions(&view)).unwrap(), []);
    assert_eq!(ready(curve.advance(&view)).unwrap(), []);
    let collect = Operation::CollectFees(CollectFees {
        pool: Label::literal("weETHWETH"),
        ticks: None,
    });
    let refused = ready(curve.execute_instruction(&view, &instruction(3, collect)));
    let text = refused.unwrap_err().to_string();
    assert!(
        text.contains(
            "curve executes no collect_fees; it can: swap, add_liquidity, remove_liquidity"
        ),
        "{text}"
    );
}
