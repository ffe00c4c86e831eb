//! What `pure_lending` keeps to pay for gas.

use std::sync::Arc;

use basis::core::num::Quantity;
use basis::core::types::{Asset, Item, Span};
use basis::data::synthetic::{SyntheticSpec, synthetic};

use crate::runner::{Scratch, backtest};

#[test]
fn the_gas_reserve_is_worth_thirty_dollars_and_its_old_key_is_refused() {
    let days = 30;
    let start = SyntheticSpec::default().start;
    let data = synthetic(&SyntheticSpec {
        bars: days * 24,
        ..SyntheticSpec::default()
    });
    let range = (start, start.plus(Span::DAY.times(30)));
    let result = backtest(&Arc::new(data), "pure_lending", &[], range);
    assert!(result.attribution.interest.is_positive());
    assert_eq!(result.counts.rejections, 0);
    let ether = Item::Asset(Asset::literal("ETH"));
    let held = result.ledger.iter().filter(|line| line.item == ether);
    let held = held.fold(Quantity::ZERO, |sum, line| sum.add(line.quantity).unwrap());
    let price = result.steps.reference.last().unwrap();
    let worth = held.to_f64() * price.to_f64();
    assert!((10.0..90.0).contains(&worth), "{worth}");
    let done = Scratch::new().basis("check pure_lending --set gas_reserve_eth=0.05");
    done.fails(2, &["gas_reserve_eth", "it is now `gas_reserve_usd`"]);
}
