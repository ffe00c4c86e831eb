//! What each operation leaves.

use basis_core::instruction::{AmountOrAll, FlashLoan, Instruction, Lending, Operation, SetEMode};
use basis_core::ledger::EntryKind;
use basis_core::num::Fixed18;
use basis_core::num::{Quantity, Rate};
use basis_core::types::Item;
use basis_core::types::{Asset, Label};
use basis_protocols::aave_v3::Version;

use crate::aave::{AAVE, AaveSettings};
use crate::morpho::{MarketSettings, MorphoSettings};
use crate::testing::lending::{Desk, MORPHO, USDT, WEETH, WETH, World, all, exactly, q, texts};

fn fixed() -> World {
    World {
        settings: AaveSettings {
            own_size: false,
            ..AaveSettings::default()
        },
        ..World::default()
    }
}

#[test]
fn a_supply_leaves_a_transfer_of_scaled_units_and_gas() {
    let mut desk = Desk::new(&fixed());
    let done = desk
        .run(AAVE, Operation::Supply(exactly(WETH, "10")))
        .unwrap();
    // 10 / 1.02, half up; gas 10 gwei a unit.
    let lines = texts(&done.entries);
    assert_eq!(
        lines[..2],
        [
            "transfer wallet.main WETH -10 -10 -30000",
            "transfer aave.main shares:WETH 9.803921568627450980 10 30000",
        ]
        .map(|line| line.replace("450980 ", "45098 "))
    );
    assert_eq!(done.entries.len(), 3);
    assert_eq!(done.entries[2].kind, EntryKind::Gas);
    assert!(done.entries[2].value.is_negative());
}

#[test]
fn what_rounding_takes_is_a_line_of_its_own() {
    let mut desk = Desk::new(&fixed());
    // 0.000007 / 1.02 is 6.86 units: seven, which stand for 7.14.
    desk.run(AAVE, Operation::Supply(exactly(USDT, "0.000007")))
        .unwrap();
    assert_eq!(desk.units("aave.main", Item::Shares(USDT)), q("0.000007"));
    desk.at(1);
    // 0.000026 / 1.02 = 25.49: 25 more, together 32, which stand for 32.64.
    let done = desk
        .run(AAVE, Operation::Supply(exactly(USDT, "0.000026")))
        .unwrap();
    let lines = texts(&done.entries);
    assert_eq!(
        lines[1],
        "transfer aave.main shares:USDT 0.000025 0.000026 0.000026"
    );
    let held = desk.units("aave.main", Item::Shares(USDT));
    assert_eq!(held, q("0.000033"));
    desk.run(AAVE, Operation::Withdraw(all(USDT))).unwrap();
    assert_eq!(desk.positions(), []);
}

#[test]
fn a_whole_life_returns_to_nothing_in_both_versions() {
    for (version, own_size) in [
        (Version::V3_0, false),
        (Version::V3_0, true),
        (Version::V3_2, false),
        (Version::V3_2, true),
    ] {
        let mut desk = Desk::new(&World {
            settings: AaveSettings {
                version,
                own_size,
                ..AaveSettings::default()
            },
            ..World::default()
        });
        desk.run(AAVE, Operation::Supply(exactly(WEETH, "1000.123456789")))
            .unwrap();
        desk.run(AAVE, Operation::SetEMode(SetEMode { category: 1 }))
            .unwrap();
        desk.run(AAVE, Operation::Borrow(exactly(WETH, "900")))
            .unwrap();
        desk.run(AAVE, Operation::Supply(exactly(USDT, "5000.000001")))
            .unwrap();
        for at in [1, 5, 24, 30, 48, 120] {
            desk.at(at);
            desk.run(
                AAVE,
                Operation::Repay(exactly(WETH, "0.123456789123456789")),
            )
            .unwrap();
            desk.run(AAVE, Operation::Withdraw(exactly(USDT, "13.000007")))
                .unwrap();
            desk.run(AAVE, Operation::Borrow(exactly(WETH, "0.7")))
                .unwrap();
        }
        let owed = desk.units("aave.main", Item::Debt(WETH));
        // More than is owed is capped, as the pool does.
        let paid = desk
            .run(AAVE, Operation::Repay(exactly(WETH, "5000")))
            .unwrap();
        assert_eq!(paid.entries[0].units, owed.neg().unwrap());
        desk.run(AAVE, Operation::Withdraw(all(WEETH))).unwrap();
        desk.run(AAVE, Operation::Withdraw(all(USDT))).unwrap();
        assert_eq!(desk.positions(), [], "{version:?} {own_size}");
        assert!(
            desk.booked(EntryKind::BorrowCost, Item::Debt(WETH))
                .is_positive()
        );
        assert!(
            desk.booked(EntryKind::Interest, Item::Shares(USDT))
                .is_positive()
        );
        assert_eq!(desk.lending(AAVE), []);
        let aave = desk.state.protocol(AAVE).unwrap();
        assert_eq!(aave.next_event_at(), None);
    }
}

#[test]
fn e_mode_raises_what_may_be_borrowed_and_health_is_reported() {
    let mut desk = Desk::new(&fixed());
    desk.run(AAVE, Operation::Supply(exactly(WEETH, "100")))
        .unwrap();
    // 104 ether's worth, of which 77.5 % outside e-mode and 93 % inside.
    let borrow = |amount: &str| Operation::Borrow(exactly(WETH, amount));
    assert!(desk.refused(AAVE, borrow("90")).contains("(venue code 36)"));
    desk.run(AAVE, Operation::SetEMode(SetEMode { category: 1 }))
        .unwrap();
    desk.run(AAVE, borrow("90")).unwrap();
    let health = desk.lending(AAVE);
    assert_eq!(health[0].collateral.to_string(), "312000");
    assert_eq!(health[0].debt.to_string(), "270000");
    assert_eq!(health[0].max_ltv, Rate::literal("0.93"));
    assert_eq!(health[0].liquidation_threshold, Rate::literal("0.95"));
    let factor = health[0].health_factor.unwrap();
    assert_eq!(factor, Rate::literal("1.097777777777777778"));
    assert_eq!(health[0].borrow_rate, Rate::literal("0.024"));
    assert_eq!(health[0].supply_rate, Rate::literal("0.0011"));
    let leave = Operation::SetEMode(SetEMode { category: 0 });
    assert!(desk.refused(AAVE, leave).contains("(venue code 35)"));
    let unknown = Operation::SetEMode(SetEMode { category: 2 });
    assert!(desk.refused(AAVE, unknown).contains("(venue code 58)"));
}

fn step(operation: Operation) -> Instruction {
    let mut step = Instruction::step(AAVE, operation);
    step.venue = None;
    step
}

fn looped() -> Operation {
    Operation::Atomic(vec![
        step(Operation::FlashLoan(FlashLoan {
            asset: WETH,
            amount: q("50"),
        })),
        step(Operation::Supply(exactly(WEETH, "100"))),
        step(Operation::Borrow(exactly(WETH, "60"))),
    ])
}

#[test]
fn an_atomic_group_borrows_supplies_and_pays_back() {
    let mut desk = Desk::new(&fixed());
    let done = desk.run(AAVE, looped()).unwrap();
    let lines = texts(&done.entries);
    assert_eq!(lines[0], "transfer wallet.main WETH 50 50 150000");
    // 50 × 5 basis points.
    assert!(
        lines.contains(&"fee wallet.main WETH -0.025 -0.025 -75".to_owned()),
        "{lines:?}"
    );
    assert_eq!(desk.units("aave.main", Item::Debt(WETH)), q("60"));
    let more = Operation::FlashLoan(FlashLoan {
        asset: WETH,
        amount: q("100000"),
    });
    let group = vec![
        Instruction::step(AAVE, more),
        step(Operation::Supply(exactly(WEETH, "1"))),
    ];
    // A hundred thousand were free before we took sixty.
    let text = desk.refused(AAVE, Operation::Atomic(group));
    assert!(text.contains("holds 99940"), "{text}");
}

/// A group with a flash loan of Aave in front.
fn lent(amount: &str, steps: Vec<Operation>) -> Operation {
    let loan = Operation::FlashLoan(FlashLoan {
        asset: WETH,
        amount: q(amount),
    });
    let steps = steps.into_iter().map(step);
    Operation::Atomic(
        std::iter::once(Instruction::step(AAVE, loan))
            .chain(steps)
            .collect(),
    )
}

/// `FlashLoanLogic.executeFlashLoanSimple` transfers the loan out before the receiver is called (3.2 takes
/// it from the virtual balance), so that `borrow` and `withdraw` meanwhile find that much less.
#[test]
fn a_flash_loan_is_out_of_the_reserve_while_its_group_runs() {
    for own_size in [false, true] {
        for version in [Version::V3_0, Version::V3_2] {
            let mut world = World::default();
            world.settings.version = version;
            world.settings.own_size = own_size;
            let mut desk = Desk::new(&world);
            let steps = |borrowed: &str, then: &str| {
                vec![
                    Operation::Supply(exactly(WEETH, "1000")),
                    Operation::Borrow(exactly(WETH, borrowed)),
                    Operation::Borrow(exactly(WETH, then)),
                ]
            };
            // A hundred thousand are not lent.
            let text = desk.refused(AAVE, lent("99950", steps("51", "1")));
            assert!(text.contains("step 3, borrow"), "{text}");
            assert!(text.contains("holds 50, too little for 51"), "{text}");
            // What the first borrow left is all that the second one finds.
            let text = desk.refused(AAVE, lent("99950", steps("20", "31")));
            assert!(text.contains("step 4, borrow"), "{text}");
            assert!(text.contains("holds 30, too little for 31"), "{text}");
            desk.run(AAVE, lent("99950", steps("20", "29"))).unwrap();
            let owed = desk.units("aave.main", Item::Debt(WETH));
            assert!(owed <= q("49") && owed > q("48.999"), "{owed}");
            // The loan is back.
            desk.run(AAVE, Operation::Borrow(exactly(WETH, "500")))
                .unwrap();
        }
    }
}

/// `FlashLoanLogic._handleFlashLoanRepayment` gives the premium to the suppliers; half of them are we.
#[test]
fn the_premium_of_a_flash_loan_is_the_suppliers() {
    for own_size in [false, true] {
        let mut world = World::default();
        world.settings.own_size = own_size;
        let mut desk = Desk::new(&world);
        desk.run(AAVE, Operation::Supply(exactly(WETH, "500000")))
            .unwrap();
        let done = desk
            .run(
                AAVE,
                lent("100000", vec![Operation::Supply(exactly(WEETH, "1"))]),
            )
            .unwrap();
        let lines = texts(&done.entries);
        let fee = "fee wallet.main WETH -50 -50 -150000";
        assert!(lines.contains(&fee.to_owned()), "{lines:?}");
        let earned = desk.booked(EntryKind::Interest, Item::Shares(WETH));
        if own_size {
            let off = earned.sub(q("25")).unwrap().abs().unwrap();
            assert!(off < q("0.000001"), "{earned}");
        } else {
            // The recorded index has the premiums in it.
            assert_eq!(earned, Quantity::ZERO);
        }
        desk.at(30);
    }
}

#[test]
fn a_group_whose_last_step_fails_leaves_nothing() {
    let mut desk = Desk::new(&fixed());
    let Operation::Atomic(mut steps) = looped() else {
        unreachable!()
    };
    steps.push(step(Operation::Borrow(exactly(WETH, "60"))));
    let text = desk.refused(AAVE, Operation::Atomic(steps));
    assert!(text.contains("step 4, borrow"), "{text}");
    assert!(text.contains("36"), "{text}");
    assert_eq!(desk.ledger, []);
}

#[test]
fn the_cheapest_flash_loan_is_taken() {
    let mut world = fixed();
    world.morpho = MorphoSettings {
        markets: vec![MarketSettings {
            name: Label::literal("weeth_weth"),
            loan: WETH,
            collateral: WEETH,
            lltv: Rate::literal("0.945"),
            total_supply: Fixed18::from_int(1_000),
            total_borrow: Fixed18::from_int(900),
            fee: Rate::ZERO,
            rate_at_target: Rate::literal("0.04"),
        }],
        ..MorphoSettings::default()
    };
    let mut desk = Desk::new(&world);
    let done = desk.run(AAVE, looped()).unwrap();
    let fees = done
        .entries
        .iter()
        .filter(|line| line.kind == EntryKind::Fee);
    assert_eq!(fees.count(), 0, "Morpho lends fifty for nothing");
    let group = |amount: &str| {
        let loan = Operation::FlashLoan(FlashLoan {
            asset: WETH,
            amount: q(amount),
        });
        let supply = Operation::Supply(Lending {
            asset: WEETH,
            amount: AmountOrAll::Exactly(q("1")),
            market: Some(Label::literal("weeth_weth")),
        });
        Operation::Atomic(vec![Instruction::step(MORPHO, loan), step(supply)])
    };
    desk.run(MORPHO, group("100")).unwrap();
    let text = desk.refused(MORPHO, group("100.1"));
    assert!(text.contains("morpho holds 100 WETH"), "{text}");
    assert_eq!(desk.units("morpho.weeth_weth", Item::Asset(WEETH)), q("1"));
    assert_eq!(
        desk.booked(EntryKind::Transfer, Item::Asset(Asset::literal("ETH"))),
        Quantity::ZERO
    );
}
