//! Interest between rows and at rows, and what our own size does to it.

use basis_core::instruction::{Operation, SetEMode};
use basis_core::ledger::EntryKind;
use basis_core::num::U256;
use basis_core::num::uint256::units_of;
use basis_core::num::{Quantity, Rounding};
use basis_core::types::{Account, Asset, Item, Label};
use basis_core::venue_event::{Cursor, EventKind, Subject};

use crate::aave::{AAVE, AaveSettings};
use crate::testing::lending::{
    Desk, RAY, Reserve, USDT, WEETH, WETH, WETH_RESERVE, World, exactly, hour, q,
};

fn world(own_size: bool) -> World {
    World {
        settings: AaveSettings {
            own_size,
            ..AaveSettings::default()
        },
        ..World::default()
    }
}

/// Scaled units of 18 decimals × an index, half up.
pub(super) fn value_of(scaled: Quantity, index_ray: u128) -> Quantity {
    let units = units_of(scaled.get(), 18, Rounding::Down).unwrap();
    let product = units * U256::from(index_ray) + U256::from(RAY / 2);
    let amount = i128::try_from(product / U256::from(RAY)).unwrap();
    Quantity::new(basis_core::num::Fixed18::from_mantissa(amount))
}

#[test]
fn at_every_row_interest_is_scaled_units_times_the_recorded_index() {
    let mut desk = Desk::new(&world(false));
    desk.run(AAVE, Operation::Supply(exactly(WETH, "1234.567")))
        .unwrap();
    desk.run(AAVE, Operation::Borrow(exactly(WETH, "321.1")))
        .unwrap();
    let (shares, debt) = (Item::Shares(WETH), Item::Debt(WETH));
    let scaled = desk.quantity("aave.main", shares);
    let owed = desk.quantity("aave.main", debt);
    for at in 1..=24 * 9 {
        desk.at(at);
        if at % 24 != 0 {
            continue;
        }
        let row = WETH_RESERVE.row(at / 24);
        let expected = value_of(scaled, row.liquidity_index_ray);
        assert_eq!(desk.units("aave.main", shares), expected);
        let interest = desk.booked(EntryKind::Interest, shares);
        assert_eq!(interest, expected.sub(q("1234.567")).unwrap());
        let expected = value_of(owed, row.variable_borrow_index_ray);
        assert_eq!(desk.units("aave.main", debt), expected);
        let cost = desk.booked(EntryKind::BorrowCost, debt);
        assert_eq!(cost, expected.sub(q("321.1")).unwrap());
    }
    // One line for each balance and hour, each in an event of its own.
    assert_eq!(desk.events.len(), 24 * 9 * 2);
    assert!(desk.events.iter().all(|event| event.entries.len() == 1));
}

#[test]
fn between_rows_interest_accrues_at_the_rate_of_the_last_one() {
    let mut desk = Desk::new(&world(false));
    desk.run(AAVE, Operation::Supply(exactly(WETH, "1000")))
        .unwrap();
    desk.at(12);
    // 1.632 % a year for half a day, simple.
    let year = 365 * 24 * 3_600;
    let row = WETH_RESERVE.row(0);
    let grown = RAY + row.liquidity_rate_ray * (12 * 3_600) / year;
    let index = U256::from(row.liquidity_index_ray) * U256::from(grown) + U256::from(RAY / 2);
    let index = u128::try_from(index / U256::from(RAY)).unwrap();
    let scaled = desk.quantity("aave.main", Item::Shares(WETH));
    assert_eq!(
        desk.units("aave.main", Item::Shares(WETH)),
        value_of(scaled, index)
    );
}

#[test]
fn several_rows_between_two_steps_are_taken_one_by_one() {
    for own_size in [false, true] {
        let run = |stops: &[i64]| {
            let mut desk = Desk::new(&world(own_size));
            desk.run(AAVE, Operation::Supply(exactly(WEETH, "30000")))
                .unwrap();
            desk.run(AAVE, Operation::Borrow(exactly(WETH, "20000")))
                .unwrap();
            for at in stops {
                desk.at(*at);
            }
            desk.positions()
        };
        let hourly: Vec<i64> = (1..=200).collect();
        assert_eq!(run(&hourly), run(&[200]), "own size {own_size}");
    }
}

fn grown(own_size: bool, asset: Asset, amount: &str) -> (Quantity, Quantity) {
    let mut desk = Desk::new(&world(own_size));
    desk.run(AAVE, Operation::Supply(exactly(asset, amount)))
        .unwrap();
    let rate = desk.lending(AAVE)[0].supply_rate;
    desk.at(24 * 10);
    let interest = desk.booked(EntryKind::Interest, Item::Shares(asset));
    (interest, Quantity::new(rate.get()))
}

#[test]
fn our_own_supply_lowers_what_it_earns() {
    let (without, recorded) = grown(false, WETH, "500000");
    let (with, moved) = grown(true, WETH, "500000");
    // Utilization halves, the rate with it, and the part that is lent: a quarter.
    assert_eq!(recorded, q("0.01632"));
    assert_eq!(moved, q("0.00408"));
    let ratio = with
        .get()
        .div(without.get(), Rounding::Down)
        .unwrap()
        .to_f64();
    assert!((0.24..0.26).contains(&ratio), "{ratio}");
    let (small, _) = grown(true, WETH, "1");
    let (unmoved, _) = grown(false, WETH, "1");
    let ratio = small
        .get()
        .div(unmoved.get(), Rounding::Down)
        .unwrap()
        .to_f64();
    assert!((0.999_98..1.0).contains(&ratio), "{ratio}");
}

#[test]
fn our_own_debt_raises_what_it_costs() {
    let cost = |own_size| {
        let mut desk = Desk::new(&world(own_size));
        desk.run(AAVE, Operation::Supply(exactly(WEETH, "60000")))
            .unwrap();
        desk.run(AAVE, Operation::SetEMode(SetEMode { category: 1 }))
            .unwrap();
        desk.run(AAVE, Operation::Borrow(exactly(WETH, "50000")))
            .unwrap();
        desk.lending(AAVE)[0].borrow_rate
    };
    assert_eq!(cost(false), basis_core::num::Rate::literal("0.024"));
    // 450,000 of 500,000: 2.4 % × 0.9 / 0.8.
    assert_eq!(cost(true), basis_core::num::Rate::literal("0.027"));
}

#[test]
fn an_asset_nobody_of_us_holds_keeps_the_recorded_index() {
    let mut desk = Desk::new(&world(true));
    desk.run(AAVE, Operation::Supply(exactly(USDT, "1000000")))
        .unwrap();
    desk.at(24 * 3);
    desk.run(AAVE, Operation::Supply(exactly(WETH, "10")))
        .unwrap();
    let scaled = desk.quantity("aave.main", Item::Shares(WETH));
    let row = Reserve::row(&WETH_RESERVE, 3);
    assert_eq!(value_of(scaled, row.liquidity_index_ray), q("10"));
}

#[test]
fn an_accrual_goes_from_the_reading_of_the_last_report_to_its_own() {
    let mut desk = Desk::new(&world(true));
    desk.run(AAVE, Operation::Supply(exactly(WETH, "1000")))
        .unwrap();
    desk.run(AAVE, Operation::Borrow(exactly(WETH, "300")))
        .unwrap();
    let items = [Item::Shares(WETH), Item::Debt(WETH)];
    let read = |desk: &Desk, at| {
        items.map(|item| Cursor {
            at: hour(at),
            amount: desk.units("aave.main", item),
        })
    };
    let mut last = read(&desk, 0);
    for at in 1..30 {
        desk.at(at);
        let now = read(&desk, at);
        let newest = &desk.events[desk.events.len() - 2..];
        for ((event, item), (before, after)) in
            newest.iter().zip(items).zip(last.into_iter().zip(now))
        {
            let EventKind::Accrual(accrual) = &event.kind else {
                panic!("{event:?}")
            };
            let account = Account::new(AAVE, Label::literal("main"));
            assert_eq!(accrual.subject, Subject::Holding { account, item });
            assert_eq!((accrual.before, accrual.after), (before, after));
            let grown = after.amount.sub(before.amount).unwrap();
            let changes: Vec<_> = accrual.changes.iter().map(|c| (c.item, c.units)).collect();
            assert_eq!(changes, [(item, grown)]);
        }
        last = now;
        // An operation is a report: what it leaves behind is where the next accrual begins.
        if at == 10 {
            desk.run(AAVE, Operation::Repay(exactly(WETH, "100")))
                .unwrap();
            let after = read(&desk, at);
            assert_eq!(last[0].amount, after[0].amount);
            last = after;
        }
    }
}
