//! Events that carry balance changes: rows 12, 18 to 31, 33 to 36.

use basis_core::venue_event::{
    Accrual, Cursor, LendingLiquidation, OtherEvent, Redemption, RedemptionStage, Subject,
};

use super::EntryKind::{
    BorrowCost, Fee, Gas, Interest, Liquidation, LiquidityFee, Rebase, Trade, Transfer,
};
use super::*;

fn lines(changes: &[BalanceChange]) -> Vec<String> {
    written(&transaction(mined(changes.to_vec())), Some(INSTRUCTION))
}

fn liquidity(asset: Asset) -> Item {
    Item::Liquidity { asset, ticks: None }
}

/// A change of one asset of our liquidity, its quantity left alone.
fn turned(asset: Asset, units: &str) -> BalanceChange {
    scaled(Trade, liquidity(asset), "0", units)
}

fn accrued(venue: Venue, account: Account, change: BalanceChange) -> VenueEvent {
    let cursor = |at, amount| Cursor {
        at,
        amount: quantity(amount),
    };
    let accrual = Accrual {
        subject: Subject::Holding {
            account,
            item: change.item,
        },
        before: cursor(Timestamp::EPOCH, "100"),
        after: cursor(at(), "101"),
        changes: vec![change],
    };
    event(venue, EventKind::Accrual(accrual))
}

#[test]
fn spot_margin_interest_is_borrow_cost_at_the_venue_s_own_quote() {
    let beta = Account::new(BETA, Label::literal("main"));
    let change = BalanceChange::asset(BorrowCost, beta, ETH, quantity("-0.01"));
    assert_eq!(
        written(&accrued(BETA, beta, change), None),
        ["beta.main ETH -0.01 -30.1 borrow_cost 3010"]
    );
}

#[test]
fn interest_of_a_step_changes_what_a_holding_stands_for() {
    let supply = scaled(Interest, Item::Shares(WETH), "0", "0.001");
    assert_eq!(
        written(&accrued(POOL, PROTOCOL, supply), None),
        ["pool.main shares:WETH 0 (0.001) 3 interest 3000"]
    );
    let debt = scaled(BorrowCost, Item::Debt(USDT), "0", "0.5");
    assert_eq!(
        written(&accrued(POOL, PROTOCOL, debt), None),
        ["pool.main debt:USDT 0 (0.5) -0.5 borrow_cost 1"]
    );
    let shrunk = scaled(Interest, Item::Shares(WETH), "0", "-0.001");
    assert_eq!(
        written(&accrued(POOL, PROTOCOL, shrunk), None),
        ["pool.main shares:WETH 0 (-0.001) -3 interest 3000"]
    );
}

#[test]
fn rebases_of_shares_and_requests() {
    let shares = scaled(Rebase, Item::Shares(Asset::literal("stETH")), "0", "0.002");
    assert_eq!(
        written(&accrued(POOL, PROTOCOL, shares), None),
        ["pool.main shares:stETH 0 (0.002) 6 rebase 3000"]
    );
    let request = BalanceChange::asset(Rebase, PROTOCOL, ETH, quantity("-0.002"));
    assert_eq!(
        written(&accrued(POOL, PROTOCOL, request), None),
        ["pool.main ETH -0.002 -6 rebase 3000"]
    );
}

#[test]
fn supply_and_borrow_keep_the_reported_order_and_the_sign_of_debt() {
    assert_eq!(
        lines(&[
            wallet(Transfer, WETH, "-2"),
            scaled(Transfer, Item::Shares(WETH), "1.9", "1.999999999999999999"),
            scaled(Interest, Item::Shares(WETH), "0", "-0.000000000000000001"),
            scaled(Transfer, Item::Debt(USDT), "900", "1000"),
            wallet(Transfer, USDT, "1000"),
            wallet(Gas, ETH, "-0.002"),
        ]),
        [
            "wallet.main WETH -2 -6000 transfer 3000",
            "pool.main shares:WETH 1.9 (1.999999999999999999) 5999.999999999999997 transfer 3000",
            "pool.main shares:WETH 0 (-0.000000000000000001) -0.000000000000003 interest 3000",
            "pool.main debt:USDT 900 (1000) -1000 transfer 1",
            "wallet.main USDT 1000 1000 transfer 1",
            "wallet.main ETH -0.002 -6 gas 3000",
        ]
    );
}

#[test]
fn a_flash_loan_comes_goes_and_costs_its_premium() {
    assert_eq!(
        lines(&[
            wallet(Transfer, WETH, "10"),
            wallet(Transfer, WETH, "-10"),
            wallet(Fee, WETH, "-0.005"),
        ]),
        [
            "wallet.main WETH 10 30000 transfer 3000",
            "wallet.main WETH -10 -30000 transfer 3000",
            "wallet.main WETH -0.005 -15 fee 3000",
        ]
    );
}

#[test]
fn a_swap_is_valued_by_what_is_given() {
    assert_eq!(
        lines(&[
            wallet(Trade, USDT, "-2990").exchanged(0, true),
            wallet(Trade, WETH, "1").exchanged(0, false),
            wallet(Gas, ETH, "-0.001"),
        ]),
        [
            "wallet.main USDT -2990 -2990 trade 1",
            "wallet.main WETH 1 2990 trade 3000",
            "wallet.main ETH -0.001 -3 gas 3000",
        ]
    );
}

#[test]
fn staking_values_the_shares_by_the_ether_given() {
    let steth = Asset::literal("stETH");
    assert_eq!(
        lines(&[
            wallet(Trade, ETH, "-1").exchanged(0, true),
            scaled(Trade, Item::Shares(steth), "0.8", "0.999999999999999999").exchanged(0, false),
        ]),
        [
            "wallet.main ETH -1 -3000 trade 3000",
            "pool.main shares:stETH 0.8 (0.999999999999999999) 3000 trade 3000",
        ]
    );
}

#[test]
fn wrapping_values_the_token_by_the_shares_given() {
    let steth = Asset::literal("stETH");
    assert_eq!(
        lines(&[
            scaled(Trade, Item::Shares(steth), "-0.8", "-1.2").exchanged(0, true),
            wallet(Trade, WSTETH, "0.99").exchanged(0, false),
            scaled(Rebase, Item::Shares(steth), "0", "0.01"),
        ]),
        [
            "pool.main shares:stETH -0.8 (-1.2) -3600 trade 3000",
            "wallet.main wstETH 0.99 3600 trade 3600",
            "pool.main shares:stETH 0 (0.01) 30 rebase 3000",
        ]
    );
}

#[test]
fn a_pool_s_turn_shares_what_left_among_what_came() {
    // 3 WETH left, 9000; USDT, USDC and USD came with marks of 4, 2 and 1: the last takes the rest.
    assert_eq!(
        lines(&[
            turned(WETH, "-3").exchanged(4, true),
            turned(USDT, "4").exchanged(4, false),
            turned(USDC, "2").exchanged(4, false),
            turned(Asset::literal("USD"), "1").exchanged(4, false),
        ]),
        [
            "pool.main liquidity:WETH 0 (-3) -9000 trade 3000",
            "pool.main liquidity:USDT 0 (4) 5142.857142857142857143 trade 1",
            "pool.main liquidity:USDC 0 (2) 2571.428571428571428571 trade 1",
            "pool.main liquidity:USD 0 (1) 1285.714285714285714286 trade 1",
        ]
    );
}

#[test]
fn several_sides_may_price_an_exchange_and_lines_keep_their_order() {
    assert_eq!(
        lines(&[
            turned(USDT, "7000").exchanged(0, false),
            turned(WETH, "-2").exchanged(0, true),
            turned(USDC, "-500").exchanged(0, true),
        ]),
        [
            "pool.main liquidity:USDT 0 (7000) 6500 trade 1",
            "pool.main liquidity:WETH 0 (-2) -6000 trade 3000",
            "pool.main liquidity:USDC 0 (-500) -500 trade 1",
        ]
    );
}

#[test]
fn exchanges_of_one_event_are_valued_apart() {
    assert_eq!(
        lines(&[
            wallet(Trade, USDT, "-3100").exchanged(0, true),
            wallet(Trade, WETH, "1").exchanged(1, true),
            wallet(Trade, ETH, "1").exchanged(0, false),
            wallet(Trade, USDC, "-2900").exchanged(1, false),
        ]),
        [
            "wallet.main USDT -3100 -3100 trade 1",
            "wallet.main WETH 1 3000 trade 3000",
            "wallet.main ETH 1 3100 trade 3000",
            "wallet.main USDC -2900 -3000 trade 1",
        ]
    );
}

#[test]
fn where_the_shares_add_up_to_nothing_the_first_takes_all() {
    assert_eq!(
        lines(&[
            turned(WETH, "-1").exchanged(0, true),
            turned(USDT, "0").exchanged(0, false),
            turned(USDC, "0").exchanged(0, false),
        ]),
        [
            "pool.main liquidity:WETH 0 (-1) -3000 trade 3000",
            "pool.main liquidity:USDT 0 3000 trade 1",
            "pool.main liquidity:USDC 0 0 trade 1",
        ]
    );
}

#[test]
fn what_has_no_mark_is_priced_by_the_other_side() {
    let given = transaction(mined(vec![
        wallet(Trade, XYZ, "-5").exchanged(0, true),
        wallet(Trade, WETH, "1").exchanged(0, false),
    ]));
    assert_eq!(
        written(&given, Some(INSTRUCTION)),
        [
            "wallet.main XYZ -5 -3000 trade 0",
            "wallet.main WETH 1 3000 trade 3000",
        ]
    );
    assert_eq!(unpriced(&given), [(Account::WALLET, Item::Asset(XYZ))]);
    let taken = transaction(mined(vec![
        wallet(Trade, WETH, "-1").exchanged(0, true),
        wallet(Trade, XYZ, "5").exchanged(0, false),
    ]));
    assert_eq!(
        written(&taken, Some(INSTRUCTION)),
        [
            "wallet.main WETH -1 -3000 trade 3000",
            "wallet.main XYZ 5 3000 trade 0",
        ]
    );
    assert_eq!(unpriced(&taken), [(Account::WALLET, Item::Asset(XYZ))]);
}

#[test]
fn an_exchange_without_any_price_is_booked_at_zero_and_listed() {
    let other = Asset::literal("OTHER");
    let event = transaction(mined(vec![
        wallet(Trade, XYZ, "-5").exchanged(0, true),
        wallet(Trade, other, "1").exchanged(0, false),
    ]));
    assert_eq!(
        written(&event, Some(INSTRUCTION)),
        [
            "wallet.main XYZ -5 0 trade 0",
            "wallet.main OTHER 1 0 trade 0",
        ]
    );
    let listed = [XYZ, other].map(|asset| (Account::WALLET, Item::Asset(asset)));
    assert_eq!(unpriced(&event), listed);
}

#[test]
fn liquidity_goes_in_with_a_line_per_asset_and_pays_fees() {
    assert_eq!(
        lines(&[
            wallet(Transfer, WETH, "-1"),
            scaled(Transfer, liquidity(WETH), "5", "1"),
            // Out of range: nothing of this asset.
            scaled(Transfer, liquidity(USDT), "5", "0"),
            scaled(Fee, liquidity(WETH), "0", "-0.000000000000000001"),
            BalanceChange::asset(LiquidityFee, PROTOCOL, USDT, quantity("0.3")),
        ]),
        [
            "wallet.main WETH -1 -3000 transfer 3000",
            "pool.main liquidity:WETH 5 (1) 3000 transfer 3000",
            "pool.main liquidity:USDT 5 (0) 0 transfer 1",
            "pool.main liquidity:WETH 0 (-0.000000000000000001) -0.000000000000003 fee 3000",
            "pool.main USDT 0.3 0.3 liquidity_fee 1",
        ]
    );
}

#[test]
fn a_lending_liquidation_books_its_changes_without_an_instruction() {
    let liquidation = LendingLiquidation {
        account: PROTOCOL,
        collateral: WETH,
        seized: quantity("1.05"),
        debt: USDT,
        repaid: quantity("3000"),
        health_factor: "0.99".parse().unwrap(),
        log: 0,
        changes: vec![
            scaled(Liquidation, Item::Shares(WETH), "-1", "-1.05"),
            scaled(Liquidation, Item::Debt(USDT), "-2900", "-3000"),
        ],
    };
    let event = event(POOL, EventKind::LendingLiquidation(Box::new(liquidation)));
    assert_eq!(
        written(&event, None),
        [
            "pool.main shares:WETH -1 (-1.05) -3150 liquidation 3000",
            "pool.main debt:USDT -2900 (-3000) 3000 liquidation 1",
        ]
    );
}

#[test]
fn a_request_that_is_ready_moves_without_its_instruction() {
    let claimable = Account::new(POOL, Label::literal("claimable"));
    let redemption = Redemption {
        instruction: INSTRUCTION,
        stage: RedemptionStage::Ready,
        asset: ETH,
        amount: quantity("2"),
        changes: vec![
            BalanceChange::asset(Transfer, PROTOCOL, ETH, quantity("-2")),
            BalanceChange::asset(Transfer, claimable, ETH, quantity("2")),
        ],
    };
    let event = event(POOL, EventKind::Redemption(Box::new(redemption)));
    assert_eq!(
        written(&event, None),
        [
            "pool.main ETH -2 -6000 transfer 3000",
            "pool.claimable ETH 2 6000 transfer 3000",
        ]
    );
}

#[test]
fn an_event_of_another_driver_books_its_changes() {
    let other = OtherEvent {
        id: "airdrop-1".into(),
        name: Label::literal("airdrop"),
        instruction: Some(INSTRUCTION),
        changes: vec![wallet(EntryKind::Reward, XYZ, "5")],
    };
    let event = event(POOL, EventKind::Other(Box::new(other)));
    assert_eq!(written(&event, None), ["wallet.main XYZ 5 0 reward 0"]);
}

#[test]
fn positions_and_results_are_no_balance_changes() {
    let position = BalanceChange::asset(Trade, PERP, BTC, quantity("1"));
    let position = BalanceChange {
        item: Item::Position(perp()),
        ..position
    };
    assert_eq!(
        refusal(&transaction(mined(vec![position]))),
        "a balance change of alpha:perp:BTCUSDT that only a fill can make"
    );
    let result = wallet(EntryKind::RealizedPnl, USDT, "1");
    assert_eq!(
        refusal(&transaction(mined(vec![result]))),
        "a balance change of USDT that only a fill can make"
    );
}

#[test]
fn a_revert_books_its_gas_and_other_stages_nothing() {
    for stage in TransactionStage::ALL {
        let update = TransactionUpdate {
            stage,
            ..mined(vec![wallet(Gas, ETH, "-0.002")])
        };
        let update = TransactionUpdate {
            // Only what is in a block carries changes.
            changes: if stage.is_included() {
                update.changes
            } else {
                Vec::new()
            },
            ..update
        };
        let posting = lines_of(&transaction(update), &view(), &NothingHeld).unwrap();
        assert_eq!(!posting.lines.is_empty(), stage.is_included(), "{stage:?}");
    }
}

#[test]
fn more_than_256_lines_of_one_event_keep_their_numbers() {
    let changes = vec![wallet(Transfer, USDT, "1"); 300];
    assert_eq!(lines(&changes).len(), 300);
}
