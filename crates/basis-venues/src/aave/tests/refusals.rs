//! What is refused, in whose words, and that it changes nothing.

use basis_core::instruction::{AmountOrAll, Lending, Operation, Staking};
use basis_core::types::{Asset, Item, Label};

use crate::aave::{AAVE, AaveSettings};
use crate::testing::lending::{Desk, USDT, WEETH, WETH, World, all, exactly};

fn supply(lending: Lending) -> Operation {
    Operation::Supply(lending)
}

#[test]
fn instructions_that_are_no_business_of_the_pool_are_refused() {
    let mut desk = Desk::new(&World::default());
    desk.run(AAVE, supply(exactly(WETH, "10"))).unwrap();
    let eth = Asset::literal("ETH");
    let staking = Staking {
        asset_in: eth,
        asset_out: WEETH,
        amount: AmountOrAll::All,
    };
    let other = Lending {
        market: Some(Label::literal("prime")),
        ..exactly(WETH, "1")
    };
    for (operation, text) in [
        (Operation::Stake(staking), "aave executes no stake"),
        (
            supply(exactly(eth, "1")),
            "takes WETH, not ETH; wrap it first",
        ),
        (
            supply(exactly(Asset::literal("DAI"), "1")),
            "aave_reserve.aave.DAI",
        ),
        (supply(other), "no market prime"),
        (supply(exactly(WETH, "0")), "must be above zero"),
        (
            supply(exactly(USDT, "0.0000001")),
            "more than the 6 decimals",
        ),
        (
            supply(exactly(WETH, "1000000")),
            "insufficient balance: 1000000 WETH needed, 999990 free",
        ),
        (Operation::Borrow(all(WETH)), "names its amount"),
    ] {
        let refusal = desk.refused(AAVE, operation);
        assert!(refusal.contains(text), "{refusal}");
    }
}

#[test]
fn the_pool_refuses_with_its_own_numbers() {
    let mut desk = Desk::new(&World {
        settings: AaveSettings {
            supply_caps: vec![(WEETH, 130_100)],
            borrow_caps: vec![(USDT, 360_000_100)],
            ..AaveSettings::default()
        },
        ..World::default()
    });
    let borrow = |asset, amount| Operation::Borrow(exactly(asset, amount));
    assert!(
        desk.refused(AAVE, borrow(USDT, "1"))
            .contains("(venue code 34)")
    );
    assert!(
        desk.refused(AAVE, Operation::Repay(all(USDT)))
            .contains("(venue code 39)")
    );
    assert!(
        desk.refused(AAVE, Operation::Withdraw(all(USDT)))
            .contains("(venue code 26)")
    );
    assert!(
        desk.refused(AAVE, supply(exactly(WEETH, "101")))
            .contains("(venue code 51)")
    );
    desk.run(AAVE, supply(exactly(WEETH, "99"))).unwrap();
    assert!(
        desk.refused(AAVE, borrow(USDT, "101"))
            .contains("(venue code 50)")
    );
    // 99 × 1.04 × 3,000 × 77.5 %.
    let ether = |amount| borrow(WETH, amount);
    assert!(
        desk.refused(AAVE, ether("79.795"))
            .contains("(venue code 36)")
    );
    desk.run(AAVE, ether("79.79")).unwrap();
    let out = Operation::Withdraw(exactly(WEETH, "5"));
    assert!(desk.refused(AAVE, out).contains("(venue code 35)"));
    let over = Operation::Withdraw(exactly(WEETH, "100"));
    assert!(desk.refused(AAVE, over).contains("(venue code 32)"));
}

#[test]
fn what_is_lent_cannot_be_taken_out() {
    let mut desk = Desk::new(&World::default());
    desk.run(AAVE, supply(exactly(WEETH, "500000"))).unwrap();
    let refusal = desk.refused(AAVE, Operation::Borrow(exactly(WETH, "100001")));
    assert!(
        refusal.contains("holds 100000, too little for 100001"),
        "{refusal}"
    );
    desk.run(AAVE, Operation::Borrow(exactly(WETH, "100000")))
        .unwrap();
    desk.run(AAVE, Operation::Repay(all(WETH))).unwrap();
    // Our own supply counts to what there is.
    desk.run(AAVE, supply(exactly(WETH, "50000"))).unwrap();
    desk.run(AAVE, Operation::Borrow(exactly(WETH, "150000")))
        .unwrap();
    let refusal = desk.refused(AAVE, Operation::Withdraw(all(WETH)));
    assert!(refusal.contains("holds 0"), "{refusal}");
}

#[test]
fn old_rows_are_refused_and_interest_goes_on_at_the_last_rate() {
    let mut desk = Desk::new(&World {
        gap: 2..5,
        ..World::default()
    });
    desk.run(AAVE, supply(exactly(WETH, "10"))).unwrap();
    desk.at(24 * 2 + 2);
    let before = desk.units("aave.main", Item::Shares(WETH));
    let refusal = desk.refused(AAVE, supply(exactly(WETH, "1")));
    assert!(
        refusal.contains("aave_reserve.aave.WETH has no fresh price"),
        "{refusal}"
    );
    desk.at(24 * 4);
    assert!(desk.units("aave.main", Item::Shares(WETH)) > before);
    desk.at(24 * 5);
    desk.run(AAVE, supply(exactly(WETH, "1"))).unwrap();
}

#[test]
fn a_missing_oracle_is_named_where_a_price_is_needed() {
    let mut desk = Desk::new(&World {
        without: vec!["oracle.aave.USDT_USD"],
        ..World::default()
    });
    desk.run(AAVE, supply(exactly(WETH, "10"))).unwrap();
    let refusal = desk.refused(AAVE, Operation::Borrow(exactly(USDT, "1")));
    assert!(
        refusal.contains("reads no oracle.aave.USDT_USD"),
        "{refusal}"
    );
    // Supplying asks no price, and an account without debt needs none.
    desk.run(AAVE, supply(exactly(USDT, "10"))).unwrap();
    desk.at(1);
    assert_eq!(desk.lending(AAVE), []);
}

#[test]
fn reserves_of_the_settings_must_be_recorded() {
    let mut desk = Desk::new(&World {
        settings: AaveSettings {
            assets: vec![Asset::literal("DAI")],
            ..AaveSettings::default()
        },
        ..World::default()
    });
    let refusal = desk.refused(AAVE, supply(exactly(WETH, "1")));
    assert!(
        refusal.contains("the settings name the reserve DAI"),
        "{refusal}"
    );
}
