//! Entries of `eth_basis` leave nothing naked but what has not reached an exchange.

use basis::core::ledger::EntryKind;
use basis::core::num::Value;
use basis::core::types::{Asset, Item, Span, Timestamp, Venue};
use basis::engine::RunResult;

use super::{Recorded, at, is_full};

/// Parts of the capital, over time and at the end.
#[derive(Debug, Default)]
struct Exposed {
    /// Capital-hours before the first ETH was at an exchange.
    before: f64,
    /// Capital-hours from then until the target was held.
    after: f64,
    /// Steps until the target was held.
    steps: usize,
    /// Part of the capital that the price moved after that.
    price: f64,
}

/// Starts: every week from the first Monday, and shifted.
fn starts() -> Vec<Timestamp> {
    let shifts = [0, 48, 36].map(Span::from_hours);
    let first = at("2024-01-08T01:00:00Z");
    let every = if is_full() { 1 } else { 8 };
    let weeks = (0..40).step_by(every);
    let all = weeks.flat_map(|week| {
        let start = first.plus(Span::from_hours(24 * 7).times(week));
        shifts.map(|shift| start.plus(shift))
    });
    all.collect()
}

/// When the asset was first at an exchange, or bought there.
fn first_at_exchange(result: &RunResult) -> Timestamp {
    let ether = Item::Asset(Asset::literal("ETH"));
    let is_there = |venue: Venue| venue != Venue::WALLET && venue != Venue::IN_FLIGHT;
    let lines = result.ledger.iter();
    let mut there = lines.filter(|line| line.item == ether && is_there(line.account.venue));
    let first = there.find(|line| line.quantity.is_positive());
    first.expect("an entry").at
}

/// The step after which no more of the hedge was built: the last of the first fills of shorts that follow one
/// another without a day between.
fn target_held(result: &RunResult) -> usize {
    let mut last: Option<Timestamp> = None;
    for line in &result.ledger {
        let is_short = matches!(line.item, Item::Position(_)) && line.kind == EntryKind::Trade;
        if !is_short || line.quantity.is_positive() {
            continue;
        }
        if last.is_some_and(|last| line.at.since(last) > Span::DAY) {
            break;
        }
        last = Some(line.at);
    }
    let last = last.expect("a short");
    let steps = &result.steps.at;
    steps.iter().position(|step| *step >= last).unwrap()
}

fn measure(result: &RunResult) -> Exposed {
    let (steps, held) = (&result.steps, target_held(result));
    let arrived = first_at_exchange(result);
    let capital = steps.equity_usd[0].to_f64();
    let mut exposed = Exposed {
        steps: held,
        ..Exposed::default()
    };
    for step in 0..held {
        let price = steps.reference[step].to_f64();
        let naked = steps.net_delta[step].to_f64().abs() * price / capital;
        if steps.at[step] < arrived {
            exposed.before += naked;
        } else {
            exposed.after += naked;
        }
    }
    let price = steps.attribution[held + 1..].iter();
    let price = price.fold(Value::ZERO, |sum, step| sum.add(step.price).unwrap());
    exposed.price = price.to_f64() / capital;
    exposed
}

/// The worst of all starts.
fn worst(name: &str, sets: &[&str]) -> Option<Exposed> {
    let market = Recorded::of("eth_basis", sets)?;
    let mut worst = Exposed::default();
    let starts = starts();
    for start in &starts {
        let result = market.run(*start, 90, &[]).unwrap();
        assert_eq!((&result.halted, result.counts.liquidations), (&None, 0));
        let run = measure(&result);
        if is_full() {
            eprintln!(
                "{name} {start} {run:.5?} rejections {}",
                result.counts.rejections
            );
        }
        worst.before = worst.before.max(run.before);
        worst.after = worst.after.max(run.after);
        worst.steps = worst.steps.max(run.steps);
        worst.price = worst.price.max(run.price.abs());
    }
    eprintln!("{name}, the worst of {} starts: {worst:.5?}", starts.len());
    Some(worst)
}

#[test]
fn capital_in_usdt_is_hedged_in_the_block_that_buys() {
    let Some(worst) = worst("USDT 100,000", &[]) else {
        return;
    };
    assert!(worst.before + worst.after <= 0.02, "{worst:?}");
    assert!(worst.price <= 0.0005, "{worst:?}");
}

#[test]
fn capital_in_eth_is_hedged_as_it_arrives() {
    let in_kind = [
        "share_class=ETH",
        "initial_capital=40",
        "min_transfer=0.05",
        "dust_threshold=0.005",
    ];
    let Some(worst) = worst("ETH 40", &in_kind) else {
        return;
    };
    assert!(worst.before <= 1.02 && worst.after <= 0.5, "{worst:?}");
    assert!(worst.price <= 0.0005, "{worst:?}");
}
