//! Random instructions over both lending markets: the desk compares every sum after every step.

use basis_core::instruction::{AmountOrAll, Lending, Operation, SetEMode};
use basis_core::num::{Fixed18, Quantity, Rate};
use basis_core::types::{Asset, Label};
use basis_core::venue_event::EventKind;
use basis_protocols::aave_v3::Version;

use crate::aave::{AAVE, AaveSettings};
use crate::morpho::{MarketSettings, MorphoSettings};
use crate::testing::chain::Reported;
use crate::testing::lending::{Desk, MORPHO, USDT, WEETH, WETH, World, exactly};

const MARKET: Label = Label::literal("weeth_weth");

/// Numbers without a pattern, the same at every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// An amount with every digit the asset has.
    fn amount(&mut self, asset: Asset) -> AmountOrAll {
        if self.roll(8) == 0 {
            return AmountOrAll::All;
        }
        let (unit, most) = if asset == USDT {
            (10_i128.pow(12), 3_000_000_000)
        } else {
            (1_000_000_007, 30_000_000_000)
        };
        AmountOrAll::Exactly(Quantity::new(Fixed18::from_mantissa(
            i128::from(self.roll(most)) * unit,
        )))
    }
}

fn world(version: Version, own_size: bool) -> World {
    World {
        settings: AaveSettings {
            version,
            own_size,
            ..AaveSettings::default()
        },
        morpho: MorphoSettings {
            markets: vec![MarketSettings {
                name: MARKET,
                loan: WETH,
                collateral: WEETH,
                lltv: Rate::literal("0.86"),
                total_supply: Fixed18::from_int(1_000),
                total_borrow: Fixed18::from_int(800),
                fee: Rate::literal("0.1"),
                rate_at_target: Rate::literal("0.3"),
            }],
            ..MorphoSettings::default()
        },
        // Ether halves and comes back, so that loans in dollars are liquidated.
        spot: |hour| 3_000 - 13 * (hour % 120),
        ..World::default()
    }
}

#[test]
fn sums_hold_through_random_operations() {
    let mut liquidations = 0;
    for (seed, version, own_size) in [
        (1, Version::V3_2, true),
        (2, Version::V3_2, false),
        (3, Version::V3_0, true),
    ] {
        let mut dice = Dice(seed);
        let mut desk = Desk::new(&world(version, own_size));
        // Near the limits from the start.
        let within = |mut lending: Lending| {
            lending.market = Some(MARKET);
            lending
        };
        for (venue, operation) in [
            (AAVE, Operation::Supply(exactly(WETH, "100"))),
            (AAVE, Operation::Borrow(exactly(USDT, "240000"))),
            (MORPHO, Operation::Supply(within(exactly(WEETH, "100")))),
            (MORPHO, Operation::Borrow(within(exactly(WETH, "89.4")))),
        ] {
            desk.run(venue, operation).unwrap();
        }
        let (mut hour, mut done) = (0, 0);
        for _ in 0..300 {
            if dice.roll(3) == 0 {
                hour = (hour + 1 + i64::try_from(dice.roll(7)).unwrap()).min(24 * 29);
                desk.at(hour);
            }
            let venue = if dice.roll(3) == 0 { MORPHO } else { AAVE };
            let asset = [WETH, WEETH, USDT][usize::try_from(dice.roll(3)).unwrap()];
            let lending = Lending {
                asset,
                amount: dice.amount(asset),
                market: (venue == MORPHO).then_some(MARKET),
            };
            let operation = match dice.roll(9) {
                0..3 => Operation::Supply(lending),
                3..5 => Operation::Withdraw(lending),
                5..7 => Operation::Borrow(lending),
                7 => Operation::Repay(lending),
                _ => Operation::SetEMode(SetEMode {
                    category: u8::try_from(dice.roll(2)).unwrap(),
                }),
            };
            let before = format!("{:?}", desk.state);
            match desk.run(venue, operation) {
                Ok(_) => done += 1,
                Err(_) => assert_eq!(format!("{:?}", desk.state), before),
            }
        }
        assert!(done > 75, "{done} of 300 went through");
        let forced = |event: &&Reported| matches!(event.kind, EventKind::LendingLiquidation(_));
        liquidations += desk.events.iter().filter(forced).count();
    }
    assert!(liquidations > 3, "{liquidations}");
}
