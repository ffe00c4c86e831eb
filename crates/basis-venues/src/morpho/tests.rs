//! Behaviour of the simulated contract: hand-computed lines, interest, refusals, liquidation.

use basis_core::instruction::{AmountOrAll, FlashLoan, Instruction, Lending, Operation, Staking};
use basis_core::ledger::EntryKind;
use basis_core::num::{Fixed18, Quantity, Rate, Value};
use basis_core::types::{Asset, Item, Label};
use basis_core::venue_event::EventKind;

use super::{MarketSettings, MorphoSettings};
use crate::testing::lending::{Desk, MORPHO, USDT, WEETH, WETH, World, all, exactly, q, texts};

const STAKED: &str = "weeth_weth";
const DOLLARS: &str = "weth_usdt";

fn market(name: &str, loan: Asset, collateral: Asset, lltv: &'static str) -> MarketSettings {
    MarketSettings {
        name: Label::new(name).unwrap(),
        loan,
        collateral,
        lltv: Rate::literal(lltv),
        total_supply: Fixed18::from_int(10_000_000),
        total_borrow: Fixed18::from_int(9_000_000),
        fee: Rate::ZERO,
        rate_at_target: Rate::literal("0.04"),
    }
}

fn desk(spot: fn(i64) -> i64) -> Desk {
    Desk::new(&World {
        morpho: MorphoSettings {
            markets: vec![
                market(STAKED, WETH, WEETH, "0.945"),
                market(DOLLARS, USDT, WETH, "0.86"),
            ],
            ..MorphoSettings::default()
        },
        spot,
        ..World::default()
    })
}

fn flat() -> Desk {
    desk(|_| 3_000)
}

fn within(name: &str, mut lending: Lending) -> Lending {
    lending.market = Some(Label::new(name).unwrap());
    lending
}

fn supply(name: &str, asset: Asset, amount: &str) -> Operation {
    Operation::Supply(within(name, exactly(asset, amount)))
}

fn withdraw(name: &str, asset: Asset, amount: &str) -> Operation {
    Operation::Withdraw(within(name, exactly(asset, amount)))
}

fn borrow(name: &str, asset: Asset, amount: &str) -> Operation {
    Operation::Borrow(within(name, exactly(asset, amount)))
}

fn repay(name: &str, asset: Asset, amount: &str) -> Operation {
    Operation::Repay(within(name, exactly(asset, amount)))
}

#[test]
fn supply_and_collateral_and_debt_leave_their_lines() {
    let mut desk = flat();
    let done = desk.run(MORPHO, supply(DOLLARS, USDT, "1000")).unwrap();
    // The first shares are a million to the unit.
    assert_eq!(
        texts(&done.entries)[..2],
        [
            "transfer wallet.main USDT -1000 -1000 -1000",
            "transfer morpho.weth_usdt shares:USDT 1000000000 1000 1000",
        ]
    );
    let done = desk.run(MORPHO, supply(DOLLARS, WETH, "10")).unwrap();
    assert_eq!(
        texts(&done.entries)[..2],
        [
            "transfer wallet.main WETH -10 -10 -30000",
            "transfer morpho.weth_usdt WETH 10 10 30000",
        ]
    );
    let done = desk.run(MORPHO, borrow(DOLLARS, USDT, "25800")).unwrap();
    assert_eq!(
        texts(&done.entries)[..2],
        [
            "transfer morpho.weth_usdt debt:USDT 25800000000 25800 -25800",
            "transfer wallet.main USDT 25800 25800 25800",
        ]
    );
    let health = desk.lending(MORPHO);
    assert_eq!(health.len(), 1);
    assert_eq!(health[0].collateral, Value::literal("30000"));
    assert_eq!(health[0].debt, Value::literal("25800"));
    assert_eq!(health[0].health_factor, Some(Rate::ONE));
    assert_eq!(health[0].max_ltv, Rate::literal("0.86"));
}

#[test]
fn interest_accrues_by_the_curve_and_a_whole_life_returns_to_nothing() {
    let mut desk = flat();
    desk.run(MORPHO, supply(STAKED, WEETH, "100")).unwrap();
    desk.run(MORPHO, borrow(STAKED, WETH, "90.000000000000000001"))
        .unwrap();
    desk.run(MORPHO, supply(DOLLARS, USDT, "5000.000001"))
        .unwrap();
    for at in [1, 3, 24, 25, 100] {
        desk.at(at);
        desk.run(MORPHO, repay(STAKED, WETH, "0.123456789123456789"))
            .unwrap();
        desk.run(MORPHO, withdraw(DOLLARS, USDT, "7.000003"))
            .unwrap();
        desk.run(MORPHO, borrow(STAKED, WETH, "0.3")).unwrap();
    }
    desk.at(24 * 8);
    let cost = desk.booked(EntryKind::BorrowCost, Item::Debt(WETH));
    // About 4 % a year for eight days on ninety.
    assert!(cost > q("0.078") && cost < q("0.081"), "{cost}");
    let interest = desk.booked(EntryKind::Interest, Item::Shares(USDT));
    assert!(interest > q("3.8") && interest < q("4.0"), "{interest}");
    desk.run(MORPHO, Operation::Repay(within(STAKED, all(WETH))))
        .unwrap();
    desk.run(MORPHO, Operation::Withdraw(within(STAKED, all(WEETH))))
        .unwrap();
    desk.run(MORPHO, Operation::Withdraw(within(DOLLARS, all(USDT))))
        .unwrap();
    assert_eq!(desk.positions(), []);
    assert_eq!(desk.lending(MORPHO), []);
    let morpho = desk.state.protocol(MORPHO).unwrap();
    assert_eq!(morpho.next_event_at(), None);
}

#[test]
fn the_market_is_named_or_the_only_one_that_fits() {
    let mut desk = flat();
    desk.run(MORPHO, Operation::Supply(exactly(WEETH, "1")))
        .unwrap();
    let text = desk.refused(MORPHO, Operation::Supply(exactly(WETH, "1")));
    assert!(
        text.contains("WETH is in weeth_weth, weth_usdt; name one in `market`"),
        "{text}"
    );
    let text = desk.refused(MORPHO, supply("elsewhere", WETH, "1"));
    assert!(text.contains("no market elsewhere in this run (markets: weeth_weth, weth_usdt)"));
    let text = desk.refused(MORPHO, supply(DOLLARS, WEETH, "1"));
    assert!(text.contains("has USDT and WETH, not weETH"), "{text}");
}

#[test]
fn refusals_are_the_contract_s_and_change_nothing() {
    let mut desk = flat();
    desk.run(MORPHO, supply(STAKED, WEETH, "100")).unwrap();
    desk.run(MORPHO, supply(STAKED, WETH, "10")).unwrap();
    let staking = Staking {
        asset_in: WETH,
        asset_out: WEETH,
        amount: AmountOrAll::All,
    };
    for (operation, text) in [
        (Operation::Stake(staking), "morpho executes no stake"),
        (supply(STAKED, Asset::literal("ETH"), "1"), "wrap it first"),
        (supply(STAKED, WETH, "0"), "must be above zero"),
        (supply(STAKED, WETH, "2000000"), "insufficient balance"),
        (
            borrow(STAKED, WEETH, "1"),
            "is the collateral of morpho market weeth_weth",
        ),
        // 104 × 94.5 %.
        (borrow(STAKED, WETH, "98.281"), "insufficient collateral"),
        (borrow(DOLLARS, USDT, "1"), "insufficient collateral"),
        (
            withdraw(STAKED, WEETH, "101"),
            "100 weETH of collateral, not 101",
        ),
        (
            withdraw(STAKED, WETH, "11"),
            "10 WETH are supplied, `all` takes them",
        ),
        (repay(STAKED, WETH, "1"), "0 WETH are owed"),
        (
            Operation::Withdraw(within(DOLLARS, all(USDT))),
            "inconsistent input; no USDT is supplied",
        ),
        (
            Operation::Withdraw(within(DOLLARS, all(WETH))),
            "zero assets",
        ),
        (
            Operation::Borrow(within(STAKED, all(WETH))),
            "names its amount",
        ),
    ] {
        let refusal = desk.refused(MORPHO, operation);
        assert!(refusal.contains(text), "{refusal}");
    }
    desk.run(MORPHO, borrow(STAKED, WETH, "98.28")).unwrap();
    let refusal = desk.refused(MORPHO, repay(STAKED, WETH, "98.29"));
    assert!(refusal.contains("repay `all` to pay in full"), "{refusal}");
    let refusal = desk.refused(MORPHO, withdraw(STAKED, WEETH, "1"));
    assert!(refusal.contains("insufficient collateral"), "{refusal}");
    desk.run(MORPHO, supply(STAKED, WEETH, "900000")).unwrap();
    desk.run(MORPHO, supply(DOLLARS, USDT, "900000")).unwrap();
    desk.run(MORPHO, supply(DOLLARS, WETH, "900000")).unwrap();
    let refusal = desk.refused(MORPHO, borrow(DOLLARS, USDT, "1900001"));
    assert!(
        refusal.contains("insufficient liquidity; 1900000 USDT are not lent"),
        "{refusal}"
    );
}

/// `Morpho.flashLoan` transfers the loan out before the callback; the markets share one balance, and
/// `withdraw`, `borrow` and `withdrawCollateral` end with a transfer out of it.
#[test]
fn a_flash_loan_is_out_of_the_contract_while_its_group_runs() {
    let mut desk = flat();
    desk.run(MORPHO, supply(STAKED, WEETH, "100")).unwrap();
    desk.run(MORPHO, supply(DOLLARS, WETH, "1000")).unwrap();
    let group = |loan: &str, inner: Operation| {
        let loan = Operation::FlashLoan(FlashLoan {
            asset: WETH,
            amount: q(loan),
        });
        Operation::Atomic(vec![
            Instruction::step(MORPHO, loan),
            Instruction::step(MORPHO, inner),
        ])
    };
    // A million that is not lent in one market, a thousand of collateral in the other.
    let text = desk.refused(MORPHO, group("1000999", borrow(STAKED, WETH, "2")));
    assert!(text.contains("transfer reverted"), "{text}");
    assert!(
        text.contains("lacks 1 WETH while the flash loan of 1000999 is out"),
        "{text}"
    );
    let text = desk.refused(MORPHO, group("1000999", withdraw(DOLLARS, WETH, "2")));
    assert!(text.contains("step 2, withdraw"), "{text}");
    desk.run(MORPHO, group("1000998", borrow(STAKED, WETH, "2")))
        .unwrap();
    desk.run(MORPHO, withdraw(DOLLARS, WETH, "1000")).unwrap();
}

#[test]
fn a_stale_or_missing_oracle_is_named() {
    let mut desk = Desk::new(&World {
        morpho: MorphoSettings {
            markets: vec![market(STAKED, WETH, WEETH, "0.945")],
            ..MorphoSettings::default()
        },
        without: vec!["staking_rate.etherfi.weETH_ETH"],
        ..World::default()
    });
    // Without its rate nothing values weETH at all, not even the line of a supply.
    let refusal = desk.refused(MORPHO, supply(STAKED, WEETH, "1"));
    assert!(refusal.contains("weETH has no price"), "{refusal}");
    let refusal = desk.refused(MORPHO, borrow(STAKED, WETH, "1"));
    assert!(
        refusal.contains("no series that the run reads values weETH"),
        "{refusal}"
    );
}

/// Seized, repaid and health of the liquidation there was.
fn liquidation(desk: &Desk) -> (Quantity, Quantity, Rate) {
    let kinds = desk.events.iter().filter_map(|event| match &event.kind {
        EventKind::LendingLiquidation(done) => Some((done.seized, done.repaid, done.health_factor)),
        _ => None,
    });
    let kinds: Vec<_> = kinds.collect();
    assert_eq!(kinds.len(), 1);
    kinds[0]
}

fn lost(desk: &Desk) -> Value {
    let lines = desk.ledger.iter();
    lines
        .filter(|line| matches!(line.kind, EntryKind::Liquidation | EntryKind::WriteOff))
        .fold(Value::ZERO, |sum, line| sum.add(line.value).unwrap())
}

#[test]
fn all_of_an_unhealthy_debt_is_repaid_at_once() {
    let mut desk = desk(|hour| if hour == 0 { 3_000 } else { 2_800 });
    desk.run(MORPHO, supply(DOLLARS, WETH, "10")).unwrap();
    desk.run(MORPHO, borrow(DOLLARS, USDT, "25000")).unwrap();
    desk.at(1);
    let (seized, repaid, health) = liquidation(&desk);
    // An hour at about 4 % on 25,000; 24,080 may be owed.
    assert!(repaid > q("25000.11") && repaid < q("25000.13"), "{repaid}");
    assert!(health > Rate::literal("0.963") && health < Rate::literal("0.9632"));
    // × 1.04384 ÷ 2,800.
    assert!(seized > q("9.3200") && seized < q("9.3201"), "{seized}");
    assert_eq!(
        desk.units("morpho.weth_usdt", Item::Debt(USDT)),
        Quantity::ZERO
    );
    // What was seized is worth 4.384 % more than what was repaid.
    let lost = lost(&desk);
    assert!(
        lost < Value::literal("-1096") && lost > Value::literal("-1097"),
        "{lost}"
    );
    desk.report().unwrap();
    desk.at(2);
    liquidation(&desk);
}

#[test]
fn bad_debt_leaves_with_the_last_collateral() {
    let mut desk = desk(|hour| if hour == 0 { 3_000 } else { 2_000 });
    desk.run(MORPHO, supply(DOLLARS, WETH, "10")).unwrap();
    desk.run(MORPHO, borrow(DOLLARS, USDT, "25000")).unwrap();
    desk.at(1);
    let (seized, repaid, _) = liquidation(&desk);
    assert_eq!(seized, q("10"));
    // 20,000 ÷ 1.04384.
    assert!(repaid > q("19159.9") && repaid < q("19160.1"), "{repaid}");
    assert_eq!(desk.positions(), []);
    // Collateral of 20,000 went and 25,000 of debt: others bear the rest.
    let lost = lost(&desk);
    assert!(lost > Value::literal("5000"), "{lost}");
    assert_eq!(desk.lending(MORPHO), []);
}

#[test]
fn liquidations_of_one_instant_are_told_apart() {
    let mut desk = Desk::new(&World {
        morpho: MorphoSettings {
            markets: vec![
                market(DOLLARS, USDT, WETH, "0.86"),
                market("weth_usdt_915", USDT, WETH, "0.915"),
            ],
            ..MorphoSettings::default()
        },
        spot: |hour| if hour == 0 { 3_000 } else { 2_700 },
        ..World::default()
    });
    for name in [DOLLARS, "weth_usdt_915"] {
        desk.run(MORPHO, supply(name, WETH, "10")).unwrap();
        desk.run(MORPHO, borrow(name, USDT, "25000")).unwrap();
    }
    desk.at(1);
    let closes = desk.events.iter().filter_map(|event| match &event.kind {
        EventKind::LendingLiquidation(done) => Some((done.account.to_string(), done.log)),
        _ => None,
    });
    let closes: Vec<_> = closes.collect();
    let at = |name: &str, log| (format!("morpho.{name}"), log);
    assert_eq!(closes, [at(DOLLARS, 0), at("weth_usdt_915", 1)]);
}
