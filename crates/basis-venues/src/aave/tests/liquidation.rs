//! Liquidation by hand.

use basis_core::instruction::{Operation, SetEMode};
use basis_core::ledger::EntryKind;
use basis_core::num::{Quantity, Rate, Value};
use basis_core::types::Item;
use basis_core::venue_event::EventKind;

use crate::aave::{AAVE, AaveSettings};
use crate::testing::lending::{Desk, USDT, WETH, World, exactly, q, texts};

fn falling(to: fn(i64) -> i64) -> Desk {
    let mut desk = Desk::new(&World {
        settings: AaveSettings {
            own_size: false,
            ..AaveSettings::default()
        },
        spot: to,
        ..World::default()
    });
    desk.run(AAVE, Operation::Supply(exactly(WETH, "10")))
        .unwrap();
    desk.run(AAVE, Operation::Borrow(exactly(USDT, "24000")))
        .unwrap();
    desk
}

/// The numbers of the liquidations so far: seized, repaid, health.
fn liquidations(desk: &Desk) -> Vec<(Quantity, Quantity, Rate)> {
    let kinds = desk.events.iter().filter_map(|event| match &event.kind {
        EventKind::LendingLiquidation(done) => Some((done.seized, done.repaid, done.health_factor)),
        _ => None,
    });
    kinds.collect()
}

#[test]
fn above_a_health_factor_of_one_nothing_happens() {
    let mut desk = falling(|hour| if hour == 0 { 3_000 } else { 2_900 });
    desk.at(1);
    assert_eq!(liquidations(&desk), []);
}

#[test]
fn half_the_debt_is_repaid_above_a_health_factor_of_95_percent() {
    let mut desk = falling(|hour| if hour == 0 { 3_000 } else { 2_800 });
    desk.at(1);
    let done = liquidations(&desk);
    let [(seized, repaid, health)] = done[..] else {
        panic!("{done:?}")
    };
    // 28,000 × 83 % against 24,000 and an hour's interest at 10 %.
    assert!(
        health > Rate::literal("0.9683") && health < Rate::literal("0.96834"),
        "{health}"
    );
    // 24,000.273974 is owed after the hour, of which half; × 1.05 at 2,800.
    assert_eq!(repaid, q("12000.136987"));
    assert_eq!(seized, q("4.500051370124999999"));
    let lines = &desk.events.last().unwrap().entries;
    let liquidated = lines
        .iter()
        .filter(|line| line.kind == EntryKind::Liquidation);
    let lost = liquidated.fold(Value::ZERO, |sum, line| sum.add(line.value).unwrap());
    // What was seized less what was repaid: the bonus of 5 %.
    assert_eq!(lost.to_string(), "-600.0068493499999972");
    assert!(texts(lines)[0].starts_with("liquidation aave.main shares:WETH -4.411"));
    // The same instant asked again does nothing; the next step tests again.
    desk.report().unwrap();
    assert_eq!(liquidations(&desk).len(), 1);
    desk.at(2);
    let health = desk.lending(AAVE)[0].health_factor.unwrap();
    let more = liquidations(&desk).len();
    assert!(health > Rate::ONE || more == 2, "{health}");
}

#[test]
fn below_it_all_of_it() {
    let mut desk = falling(|hour| if hour == 0 { 3_000 } else { 2_600 });
    desk.at(1);
    let [(seized, repaid, _)] = liquidations(&desk)[..] else {
        panic!()
    };
    assert_eq!(repaid, q("24000.273974"));
    // × 1.05 ÷ 2,600.
    assert_eq!(seized, q("9.692418335653846153"));
    assert_eq!(desk.units("aave.main", Item::Debt(USDT)), Quantity::ZERO);
}

#[test]
fn collateral_that_does_not_pay_goes_whole_and_the_lender_keeps_the_rest() {
    let mut desk = falling(|hour| if hour == 0 { 3_000 } else { 2_000 });
    desk.at(1);
    assert_eq!(desk.units("aave.main", Item::Shares(WETH)), Quantity::ZERO);
    let lines = &desk.events.last().unwrap().entries;
    let of_debt = |line: &&basis_core::ledger::LedgerEntry| {
        let is_gone = matches!(line.kind, EntryKind::Liquidation | EntryKind::WriteOff);
        is_gone && line.item == Item::Debt(USDT)
    };
    let [repaid, kept] = lines.iter().filter(of_debt).collect::<Vec<_>>()[..] else {
        panic!("{:?}", texts(lines))
    };
    let kinds = [repaid.kind, kept.kind];
    assert_eq!(kinds, [EntryKind::Liquidation, EntryKind::WriteOff]);
    // 20,000.x ÷ 1.05 was repaid; the rest is without recourse.
    assert!(repaid.units < q("-19047") && repaid.units > q("-19048"));
    assert!(
        kept.units < q("-4952") && kept.units > q("-4953"),
        "{kept:?}"
    );
    assert_eq!(desk.units("aave.main", Item::Debt(USDT)), Quantity::ZERO);
    assert_eq!(desk.quantity("aave.main", Item::Debt(USDT)), Quantity::ZERO);
    desk.at(2);
    assert_eq!(liquidations(&desk).len(), 1);
}

#[test]
fn a_staked_loop_outlives_a_fall_of_ether() {
    let mut desk = Desk::new(&World {
        spot: |hour| if hour == 0 { 3_000 } else { 1_500 },
        ..World::default()
    });
    let weeth = crate::testing::lending::WEETH;
    desk.run(AAVE, Operation::Supply(exactly(weeth, "100")))
        .unwrap();
    desk.run(AAVE, Operation::SetEMode(SetEMode { category: 1 }))
        .unwrap();
    desk.run(AAVE, Operation::Borrow(exactly(WETH, "95")))
        .unwrap();
    desk.at(5);
    assert_eq!(liquidations(&desk), [], "both sides follow ether");
    let health = desk.lending(AAVE)[0];
    assert!(health.collateral < Value::literal("157000"));
}
