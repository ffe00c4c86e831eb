//! Interest over the recorded history, where it is at hand.

use basis_core::instruction::Operation;
use basis_core::ledger::EntryKind;
use basis_core::num::{Fixed18, Quantity};
use basis_core::types::{Asset, Item, Span, Timestamp};
use basis_market::{ReserveRow, RowSeries};

use super::interest::value_of;
use crate::aave::{AAVE, AaveSettings};
use crate::testing::lending::{Desk, START, World, exactly};

/// Beside the repository; see `docs/data.md` for what is in it.
const DIRECTORY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../shared/data/aave/reserves"
);

/// A decimal number in rays; digits beyond the 27th are cut.
fn ray(text: &str) -> u128 {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: u128 = format!("{whole}{fraction}").parse().unwrap();
    let exponent: i64 = exponent.parse().unwrap();
    let places = 27 + exponent - i64::try_from(fraction.len()).unwrap();
    digits * 10_u128.pow(u32::try_from(places).unwrap())
}

fn rows(asset: Asset) -> Option<Vec<(Timestamp, ReserveRow)>> {
    let text = std::fs::read_to_string(format!("{DIRECTORY}/{asset}_1d.csv")).ok()?;
    let row = |line: &str| {
        let reserves: Vec<&str> = line.split(',').collect();
        let at: Timestamp = reserves[0].parse().unwrap();
        let number = |at: usize| -> Fixed18 { reserves[at].parse().unwrap() };
        let row = ReserveRow {
            block: 1,
            liquidity_index_ray: ray(reserves[2]),
            liquidity_rate_ray: ray(reserves[3]),
            variable_borrow_index_ray: ray(reserves[4]),
            variable_borrow_rate_ray: ray(reserves[5]),
            total_supplied: number(6),
            total_variable_debt: number(7),
            oracle_price_usd: number(8),
        };
        (at, row)
    };
    let rows = text.lines().skip(1).map(row);
    Some(rows.filter(|(at, _)| *at >= START).take(200).collect())
}

fn desk(own_size: bool, recorded: &[(Asset, Vec<(Timestamp, ReserveRow)>)]) -> Desk {
    let world = World {
        settings: AaveSettings {
            own_size,
            ..AaveSettings::default()
        },
        ..World::default()
    };
    let mut data = world.data_without_reserves();
    for (asset, rows) in recorded {
        let id = format!("aave_reserve.aave.{asset}").parse().unwrap();
        let (at, rows) = rows.iter().copied().unzip();
        let series = RowSeries::new(id, Some(Span::DAY), at, rows).unwrap();
        data.add_rows(series).unwrap();
    }
    Desk::on(data, &world)
}

#[test]
fn interest_of_the_recorded_history_is_index_growth() {
    let assets = ["WETH", "weETH"].map(Asset::literal);
    let recorded: Option<Vec<_>> = assets
        .into_iter()
        .map(|asset| rows(asset).map(|rows| (asset, rows)))
        .collect();
    let Some(recorded) = recorded else {
        eprintln!("SKIPPED: {DIRECTORY} is not there");
        return;
    };
    for own_size in [false, true] {
        let mut desk = desk(own_size, &recorded);
        let [weth, weeth] = assets;
        desk.run(AAVE, Operation::Supply(exactly(weeth, "1000")))
            .unwrap();
        desk.run(AAVE, Operation::Borrow(exactly(weth, "500")))
            .unwrap();
        let scaled = desk.quantity("aave.main", Item::Debt(weth));
        let mut last = Quantity::ZERO;
        for hour in (5..24 * 25).step_by(5) {
            desk.at(hour);
            if hour % 24 != 0 {
                continue;
            }
            let (_, row) = recorded[0].1[usize::try_from(hour / 24).unwrap()];
            let owed = desk.units("aave.main", Item::Debt(weth));
            let expected = value_of(scaled, row.variable_borrow_index_ray);
            if own_size {
                assert!(owed > expected, "our debt raises what it costs");
            } else {
                assert_eq!(owed, expected);
            }
            last = owed;
        }
        let cost = desk.booked(EntryKind::BorrowCost, Item::Debt(weth));
        assert!(cost >= last.sub(Quantity::literal("500")).unwrap());
    }
}
