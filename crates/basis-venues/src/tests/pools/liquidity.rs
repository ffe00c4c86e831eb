//! Our liquidity in pools given by their state, beside the contracts' arithmetic.

use basis_core::instruction::AmountOrAll;
use basis_core::ledger::EntryKind;
use basis_core::num::uint256::amount_of;
use basis_core::num::{Fixed18, Quantity, Rounding, U256, Value};
use basis_core::types::{Account, Item, Venue};
use basis_protocols::curve_stableswap as curve;
use basis_protocols::uniswap_v3::{
    Amounts, Owner, Pool, PositionKey, SwapRequest, liquidity_for_amounts, sqrt_ratio_at_tick,
};
use basis_testkit::q;
use proptest::prelude::*;

use crate::testing::pools::{
    CURVE, Desk, Execution, UNISWAP, add, collect, group, ranges, remove, stable, swap,
};

const TICKS: Option<(i32, i32)> = Some((-120, 180));

fn desk(own_size: bool) -> Desk {
    let names = ["WETH", "EIGEN", "weETH", "USDC"];
    Desk::new(
        &names.map(|name| (name, "1000")),
        &ranges("dollars", 6000, own_size),
        &stable(own_size),
    )
}

fn tokens(units: U256, decimals: u32) -> Quantity {
    Quantity::new(amount_of(units, decimals, Rounding::Down).unwrap())
}

fn liquidity(units: u128) -> Quantity {
    Quantity::new(Fixed18::from_mantissa(i128::try_from(units).unwrap()))
}

fn wei(units: u128) -> Quantity {
    tokens(U256::from(units), 18)
}

fn range_pool() -> Pool {
    let mut pool = Pool::new(3_000, 60).unwrap();
    pool.initialize(U256::ONE << 96).unwrap();
    for (tick, liquidity) in [(6_000, 1), (60, 5)] {
        pool.mint(
            key(9, -tick, tick),
            liquidity * 1_000_000_000_000_000_000_000,
        )
        .unwrap();
    }
    pool
}

fn key(owner: u8, tick_lower: i32, tick_upper: i32) -> PositionKey {
    PositionKey {
        owner: Owner([owner; 20]),
        tick_lower,
        tick_upper,
    }
}

/// Trade lines cancel out; every other line is worth units × price.
pub(super) fn check_values(done: &Execution) {
    let mut trades = Value::ZERO;
    for line in &done.entries {
        if line.kind == EntryKind::Trade {
            trades = trades.add(line.value).unwrap();
        } else {
            let worth = line
                .units
                .notional(line.reference_price, Rounding::HalfEven)
                .unwrap();
            assert_eq!(line.value, worth, "{line:?}");
        }
        assert!(
            line.item.is_scaled() || line.quantity == line.units,
            "{line:?}"
        );
    }
    assert!(trades.is_zero(), "{:?}", done.entries);
}

pub(super) fn execute(
    desk: &mut Desk,
    venue: Venue,
    operation: basis_core::instruction::Operation,
) -> Execution {
    let done = desk.execute(venue, operation).unwrap();
    check_values(&done);
    done
}

pub(super) fn kinds(done: &Execution, account: Account) -> Vec<(EntryKind, String, bool)> {
    let lines = done.entries.iter().filter(|line| line.account == account);
    lines
        .map(|line| (line.kind, line.item.to_string(), line.quantity.is_zero()))
        .collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "the life of one position, in order")]
fn a_position_is_held_as_units_of_both_assets_and_its_fees_are_collected() {
    let (mut desk, mut pool) = (desk(true), range_pool());
    let ours = key(1, -120, 180);
    let account = Account::new(UNISWAP, "dollars".parse().unwrap());
    let wanted = Amounts {
        amount0: U256::from(10_000_000_000_000_000_000_u128),
        amount1: U256::from(10_000_000_000_000_000_000_u128),
    };
    let tick = |tick| sqrt_ratio_at_tick(tick).unwrap();
    let bought = liquidity_for_amounts(U256::ONE << 96, tick(-120), tick(180), wanted).unwrap();
    let paid = pool.mint(ours, bought).unwrap();
    let done = execute(
        &mut desk,
        UNISWAP,
        add("dollars", TICKS, &["10", "10"], "0"),
    );
    assert_eq!(
        desk.balance("WETH"),
        q("1000").sub(tokens(paid.amount0, 18)).unwrap()
    );
    assert_eq!(
        desk.balance("EIGEN"),
        q("1000").sub(tokens(paid.amount1, 18)).unwrap()
    );
    let principal = pool.principal(&ours);
    let [weth, eigen] = ["liquidity:WETH:-120:180", "liquidity:EIGEN:-120:180"];
    let held = |desk: &Desk, item| desk.held(UNISWAP, "dollars", item);
    assert_eq!(
        held(&desk, weth),
        (liquidity(bought), tokens(principal.amount0, 18))
    );
    assert_eq!(
        held(&desk, eigen),
        (liquidity(bought), tokens(principal.amount1, 18))
    );
    // What rounding keeps is a line of its own.
    let (transfer, fee, trade) = (EntryKind::Transfer, EntryKind::Fee, EntryKind::Trade);
    assert_eq!(
        kinds(&done, account),
        [
            (transfer, weth.to_owned(), false),
            (transfer, eigen.to_owned(), false),
            (fee, weth.to_owned(), true),
            (fee, eigen.to_owned(), true),
        ]
    );
    let amount = 3_000_000_000_000_000_000_u128;
    pool.swap(&SwapRequest::exact_in(true, U256::from(amount)))
        .unwrap();
    let done = execute(
        &mut desk,
        UNISWAP,
        swap("dollars", ["WETH", "EIGEN"], "3", "0"),
    );
    let earned = EntryKind::LiquidityFee;
    assert_eq!(
        kinds(&done, account),
        [
            (trade, weth.to_owned(), true),
            (trade, eigen.to_owned(), true),
            (earned, "WETH".to_owned(), false),
        ]
    );
    let position = pool.position_to_date(&ours).unwrap();
    assert!(position.tokens_owed0 > 0 && position.tokens_owed1 == 0);
    assert_eq!(held(&desk, "WETH").0, wei(position.tokens_owed0));
    // Removing pays the principal alone.
    let before = desk.balance("WETH");
    let out = pool.burn(ours, bought).unwrap();
    execute(
        &mut desk,
        UNISWAP,
        remove("dollars", TICKS, liquidity(bought), &["0", "0"]),
    );
    assert_eq!(
        desk.balance("WETH").sub(before).unwrap(),
        tokens(out.amount0, 18)
    );
    assert_eq!(held(&desk, weth), Default::default());
    assert_eq!(held(&desk, "WETH").0, wei(position.tokens_owed0));
    let before = desk.balance("WETH");
    execute(&mut desk, UNISWAP, collect("dollars", TICKS));
    assert_eq!(
        desk.balance("WETH").sub(before).unwrap(),
        wei(position.tokens_owed0)
    );
    assert_eq!(desk.positions(UNISWAP), []);
}

fn stable_pool() -> curve::Pool {
    let rates = [
        U256::from(1_050_000_000_000_000_000_u128),
        curve::RATE_ONE,
        curve::RATE_ONE * U256::from(1_000_000_000_000_u64),
    ];
    let parameters = curve::Parameters {
        template: curve::Template::StableSwapNg,
        amplification: curve::Amplification::constant(20_000),
        fee: 1_000_000,
        admin_fee: 5_000_000_000,
        offpeg_fee_multiplier: 20_000_000_000,
        rates: curve::PerCoin::new(&rates).unwrap(),
    };
    let e18 = U256::from(1_000_000_000_000_000_000_u128);
    let balances = [
        e18 * U256::from(1_000),
        e18 * U256::from(1_050),
        U256::from(900_000_000_u64),
    ];
    let pool = |supply| curve::Pool::with_state(parameters, &balances, &[U256::ZERO; 3], supply);
    let supply = pool(U256::ZERO).unwrap().invariant().unwrap();
    pool(supply).unwrap()
}

#[test]
fn pool_tokens_are_units_of_every_coin_and_grow_by_the_fees() {
    let (mut desk, mut pool) = (desk(true), stable_pool());
    let account = Account::new(CURVE, "ng".parse().unwrap());
    let e18 = 1_000_000_000_000_000_000_u128;
    let given = [
        U256::from(100 * e18),
        U256::ZERO,
        U256::from(50_000_000_u64),
    ];
    let minted = pool.add_liquidity(&given, U256::ZERO).unwrap().minted;
    let done = execute(
        &mut desk,
        CURVE,
        add("ng", None, &["100", "0", "50"], "100"),
    );
    let items = ["liquidity:weETH", "liquidity:WETH", "liquidity:USDC"];
    let (transfer, trade) = (EntryKind::Transfer, EntryKind::Trade);
    let [weeth, weth, usdc] = items.map(str::to_owned);
    assert_eq!(
        kinds(&done, account),
        [
            (transfer, weeth.clone(), false),
            (transfer, weth.clone(), false),
            (transfer, usdc.clone(), false),
            (trade, weeth, true),
            (trade, weth.clone(), true),
            (trade, usdc, true),
        ]
    );
    let preview = |pool: &curve::Pool| {
        let paid = { *pool }
            .remove_liquidity(minted, &[U256::ZERO; 3])
            .unwrap();
        [(0, 18), (1, 18), (2, 6)].map(|(coin, decimals)| tokens(paid[coin], decimals))
    };
    let held = |desk: &Desk| items.map(|item| desk.held(CURVE, "ng", item));
    assert_eq!(
        held(&desk),
        preview(&pool).map(|units| (tokens(minted, 18), units))
    );
    let before = pool.virtual_price().unwrap();
    let exchange = pool
        .exchange(0, 1, U256::from(200 * e18), U256::ZERO)
        .unwrap();
    let done = execute(&mut desk, CURVE, swap("ng", ["weETH", "WETH"], "200", "0"));
    assert!(pool.virtual_price().unwrap() > before);
    assert_eq!(
        held(&desk),
        preview(&pool).map(|units| (tokens(minted, 18), units))
    );
    let fee = done
        .entries
        .iter()
        .find(|line| line.kind == EntryKind::LiquidityFee)
        .unwrap();
    let share = (exchange.fee - exchange.admin_fee) * minted / pool.lp_supply();
    assert_eq!((fee.item.to_string(), fee.units), (weth, tokens(share, 18)));
    let expected = preview(&pool);
    let before = ["weETH", "WETH", "USDC"].map(|name| desk.balance(name));
    execute(
        &mut desk,
        CURVE,
        remove("ng", None, tokens(minted, 18), &["0", "0", "0"]),
    );
    for ((name, before), expected) in ["weETH", "WETH", "USDC"].iter().zip(before).zip(expected) {
        assert_eq!(desk.balance(name).sub(before).unwrap(), expected, "{name}");
    }
    assert_eq!(desk.positions(CURVE), []);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table, a row for each refusal")]
fn what_is_wrong_is_refused_by_name_with_the_way_out_and_nothing_changes() {
    let mut desk = desk(true);
    execute(
        &mut desk,
        UNISWAP,
        add("dollars", TICKS, &["10", "10"], "0"),
    );
    execute(&mut desk, CURVE, add("ng", None, &["10", "10", "10"], "0"));
    let (one, much) = (liquidity(1), q("99999999"));
    let two = &["0", "0"];
    for (venue, operation, text) in [
        (
            UNISWAP,
            add("nowhere", TICKS, &["1", "1"], "0"),
            "has no pool `nowhere`",
        ),
        (
            UNISWAP,
            add("WETHUSDT", TICKS, &["1", "1"], "0"),
            "give a state in the settings",
        ),
        (
            UNISWAP,
            add("dollars", None, &["1", "1"], "0"),
            "\"ticks\":[lower,upper]",
        ),
        (
            UNISWAP,
            add("dollars", Some((-60, 61)), &["1", "1"], "0"),
            "61",
        ),
        (
            UNISWAP,
            add("dollars", Some((60, -60)), &["1", "1"], "0"),
            "TLU",
        ),
        (
            UNISWAP,
            add("dollars", Some((-887_280, 60)), &["1", "1"], "0"),
            "TLM",
        ),
        (
            UNISWAP,
            add("dollars", Some((60, 887_280)), &["1", "1"], "0"),
            "TUM",
        ),
        (
            UNISWAP,
            add("dollars", TICKS, &["1"], "0"),
            "ETH goes in as WETH",
        ),
        (
            UNISWAP,
            add("dollars", TICKS, &["0", "0"], "0"),
            "nothing would be added",
        ),
        (
            UNISWAP,
            add("dollars", TICKS, &["-1", "1"], "0"),
            "-1 WETH is below zero",
        ),
        (
            UNISWAP,
            add("dollars", TICKS, &["0", "5"], "0"),
            "too little for any liquidity",
        ),
        (
            UNISWAP,
            add("dollars", TICKS, &["5000", "5000"], "0"),
            "insufficient balance",
        ),
        (
            UNISWAP,
            add("dollars", TICKS, &["1", "1"], "-1"),
            "minimum_liquidity -1",
        ),
        (
            UNISWAP,
            add("dollars", TICKS, &["1", "1"], "5000"),
            "is below the minimum of 5000",
        ),
        (
            UNISWAP,
            remove("dollars", TICKS, much, two),
            "insufficient balance",
        ),
        (
            UNISWAP,
            remove("dollars", Some((-60, 60)), one, two),
            "0 free",
        ),
        (
            UNISWAP,
            remove("dollars", TICKS, q("0"), two),
            "must be above zero",
        ),
        (
            UNISWAP,
            remove("dollars", TICKS, q("1"), &["1", "0"]),
            "is below the minimum of 1",
        ),
        (
            UNISWAP,
            remove("dollars", TICKS, q("1"), &["0"]),
            "minimum_out has 1",
        ),
        (UNISWAP, collect("dollars", TICKS), "owes no fees"),
        (UNISWAP, collect("dollars", Some((-60, 60))), "owes no fees"),
        (
            CURVE,
            add("weETHWETH", None, &["1", "1"], "0"),
            "staking_market.curve.weETH_ETH alone",
        ),
        (
            CURVE,
            add("ng", TICKS, &["1", "1", "1"], "0"),
            "leave `ticks` out",
        ),
        (
            CURVE,
            add("ng", None, &["1", "1"], "0"),
            "has 3 assets (weETH, WETH, USDC",
        ),
        (
            CURVE,
            add("ng", None, &["1", "1", "1.0000001"], "0"),
            "6 decimals",
        ),
        (
            CURVE,
            add("ng", None, &["0", "2000", "0"], "0"),
            "insufficient balance",
        ),
        (
            CURVE,
            add("ng", None, &["1", "1", "1"], "4"),
            "Slippage screwed you",
        ),
        (
            CURVE,
            remove("ng", None, much, &["0", "0", "0"]),
            "insufficient balance",
        ),
        (
            CURVE,
            remove("ng", None, q("1"), &["9", "0", "0"]),
            "Withdrawal resulted in fewer",
        ),
        (CURVE, collect("ng", None), "executes no collect_fees"),
    ] {
        let refused = desk.execute(venue, operation).unwrap_err().to_string();
        assert!(refused.contains(text), "{text}: {refused}");
    }
}

#[test]
fn all_is_what_the_position_or_the_wallet_holds_and_nothing_is_refused() {
    let mut desk = desk(true);
    let near = Some((-60, 60));
    let all = |pool: &str, ticks, minimum: &[&str]| remove(pool, ticks, AmountOrAll::All, minimum);
    let two = &["0", "0"];
    let refused =
        |desk: &mut Desk, venue, operation| desk.execute(venue, operation).unwrap_err().to_string();
    let text = refused(&mut desk, UNISWAP, all("dollars", TICKS, two));
    assert!(
        text.contains("all of the liquidity from -120 to 180"),
        "{text}"
    );
    let text = refused(&mut desk, CURVE, all("ng", None, &["0", "0", "0"]));
    assert!(
        text.contains("we hold none; add liquidity before"),
        "{text}"
    );
    for ticks in [TICKS, near] {
        execute(
            &mut desk,
            UNISWAP,
            add("dollars", ticks, &["10", "10"], "0"),
        );
    }
    execute(&mut desk, CURVE, add("ng", None, &["10", "20", "5.5"], "0"));
    let text = refused(&mut desk, CURVE, all("ng", None, &["999", "0", "0"]));
    assert!(text.contains("below the minimum of 999"), "{text}");
    let (weth, other) = ["-120:180", "-60:60"]
        .map(|ticks| format!("liquidity:WETH:{ticks}"))
        .into();
    let kept = desk.held(UNISWAP, "dollars", &other);
    let (held, units) = desk.held(UNISWAP, "dollars", &weth);
    let before = desk.balance("WETH");
    execute(&mut desk, UNISWAP, all("dollars", TICKS, two));
    assert!(held.is_positive());
    assert_eq!(desk.balance("WETH"), before.add(units).unwrap());
    assert_eq!(desk.held(UNISWAP, "dollars", &weth), Default::default());
    assert_eq!(
        desk.held(UNISWAP, "dollars", &other),
        kept,
        "of these ticks alone"
    );
    execute(&mut desk, CURVE, all("ng", None, &["0", "0", "0"]));
    assert_eq!(desk.positions(CURVE), []);
    // What a step before has added, in one transaction.
    let steps = [
        add("ng", None, &["1", "1", "1"], "0"),
        all("ng", None, &["0.9", "0.9", "0.9"]),
    ];
    execute(&mut desk, UNISWAP, group(&steps));
    let text = refused(&mut desk, UNISWAP, all("dollars", TICKS, two));
    assert!(text.contains("or name the ticks of a position"), "{text}");
}

#[test]
fn without_own_size_liquidity_is_refused() {
    let mut desk = desk(false);
    for (venue, operation) in [
        (UNISWAP, add("dollars", TICKS, &["1", "1"], "0")),
        (CURVE, add("ng", None, &["1", "1", "1"], "0")),
    ] {
        let refused = desk.execute(venue, operation).unwrap_err().to_string();
        assert!(refused.contains("set own_size: true"), "{refused}");
    }
}

#[test]
fn a_group_that_fails_after_liquidity_restores_every_bit_and_one_that_does_not_goes_through() {
    let mut desk = desk(true);
    execute(
        &mut desk,
        UNISWAP,
        add("dollars", TICKS, &["10", "10"], "0"),
    );
    let steps = |minimum| {
        group(&[
            add("dollars", TICKS, &["5", "5"], "0"),
            swap("dollars", ["WETH", "EIGEN"], "3", "0"),
            collect("dollars", TICKS),
            add("ng", None, &["1", "2", "3"], "0"),
            swap("ng", ["weETH", "WETH"], "1", minimum),
            remove("dollars", TICKS, q("1"), &["0", "0"]),
        ])
    };
    let refused = desk.execute(UNISWAP, steps("2")).unwrap_err().to_string();
    assert!(refused.contains("step 5, swap at curve"), "{refused}");
    execute(&mut desk, UNISWAP, steps("1"));
}

#[derive(Clone, Debug)]
enum Act {
    Swap(bool, u64),
    Add(usize, u64, u64),
    Remove(usize, u8),
    Collect(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (any::<bool>(), any::<u64>()).prop_map(|(way, units)| Act::Swap(way, units)),
        2 => (0..3_usize, any::<u64>(), any::<u64>()).prop_map(|(n, a, b)| Act::Add(n, a, b)),
        1 => (0..3_usize, 1..=100_u8).prop_map(|(n, part)| Act::Remove(n, part)),
        1 => (0..3_usize).prop_map(Act::Collect),
    ];
    proptest::collection::vec(act, 1..25)
}

const RANGES: [(i32, i32); 3] = [(-120, 180), (-60, 0), (60, 600)];

/// Plays `act` on the model; what the wallet gets of both tokens, or nothing for a refusal.
fn play(pool: &mut Pool, act: &Act) -> Option<[(U256, U256); 2]> {
    let nothing = U256::ZERO;
    let ours = |n: usize| key(1, RANGES[n].0, RANGES[n].1);
    match *act {
        Act::Swap(way, units) => {
            let done = pool
                .clone()
                .swap(&SwapRequest::exact_in(way, U256::from(units)))
                .ok()?;
            if !done.is_complete() || done.amount_out.is_zero() {
                return None;
            }
            pool.swap(&SwapRequest::exact_in(way, U256::from(units)))
                .unwrap();
            let (given, taken) = ((nothing, done.amount_in), (done.amount_out, nothing));
            Some(if way { [given, taken] } else { [taken, given] })
        }
        Act::Add(n, amount0, amount1) => {
            let most = Amounts {
                amount0: U256::from(amount0),
                amount1: U256::from(amount1),
            };
            let [low, high] = [RANGES[n].0, RANGES[n].1].map(|t| sqrt_ratio_at_tick(t).unwrap());
            let price = pool.state().sqrt_price_x96;
            let bought = liquidity_for_amounts(price, low, high, most).unwrap();
            let paid = pool.mint(ours(n), bought).ok()?;
            Some([(nothing, paid.amount0), (nothing, paid.amount1)])
        }
        Act::Remove(n, part) => {
            let held = pool.position_to_date(&ours(n)).ok()?.liquidity;
            let burnt = held / 100 * u128::from(part);
            if burnt == 0 {
                return None;
            }
            let out = pool.burn(ours(n), burnt).ok()?;
            let low = |units: U256| u128::try_from(units).unwrap();
            pool.collect(ours(n), low(out.amount0), low(out.amount1))
                .unwrap();
            Some([(out.amount0, nothing), (out.amount1, nothing)])
        }
        Act::Collect(n) => {
            if pool.position_to_date(&ours(n)).ok()?.liquidity > 0 {
                pool.burn(ours(n), 0).unwrap();
            }
            let out = pool.collect(ours(n), u128::MAX, u128::MAX).unwrap();
            (out != Amounts::default()).then_some([(out.amount0, nothing), (out.amount1, nothing)])
        }
    }
}

fn operation(pool: &Pool, act: &Act) -> basis_core::instruction::Operation {
    let text = |units: u64| wei(units.into()).to_string();
    match *act {
        Act::Swap(true, units) => swap("dollars", ["WETH", "EIGEN"], &text(units), "0"),
        Act::Swap(false, units) => swap("dollars", ["EIGEN", "WETH"], &text(units), "0"),
        Act::Add(n, a, b) => add("dollars", Some(RANGES[n]), &[&text(a), &text(b)], "0"),
        Act::Remove(n, part) => {
            let held = pool.position_to_date(&key(1, RANGES[n].0, RANGES[n].1));
            let held = held.map_or(0, |position| position.liquidity);
            let burnt = liquidity(held / 100 * u128::from(part));
            remove("dollars", Some(RANGES[n]), burnt, &["0", "0"])
        }
        Act::Collect(n) => collect("dollars", Some(RANGES[n])),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Wallet, principal and fees are the contract's integers after every operation, and the pool refuses
    /// what the contract refuses.
    #[test]
    fn prop_a_position_is_the_contract_s_to_the_unit(acts in acts()) {
        let (mut desk, mut pool) = (desk(true), range_pool());
        for act in &acts {
            let before = ["WETH", "EIGEN"].map(|name| desk.balance(name));
            let asked = operation(&pool, act);
            let expected = play(&mut pool, act);
            let done = desk.execute(UNISWAP, asked);
            prop_assert_eq!(done.is_ok(), expected.is_some(), "{:?}: {:?}", act, done);
            if let (Ok(done), Some(moved)) = (done, expected) {
                check_values(&done);
                for ((name, before), (got, given)) in ["WETH", "EIGEN"].iter().zip(before).zip(moved) {
                    let after = before.add(tokens(got, 18)).unwrap().sub(tokens(given, 18)).unwrap();
                    prop_assert_eq!(desk.balance(name), after);
                }
            }
            let mut owed = [0, 0];
            for (lower, upper) in RANGES {
                let ours = key(1, lower, upper);
                let position = pool.position_to_date(&ours).unwrap_or_default();
                owed = [owed[0] + position.tokens_owed0, owed[1] + position.tokens_owed1];
                let principal = pool.principal(&ours);
                for (name, units) in [("WETH", principal.amount0), ("EIGEN", principal.amount1)] {
                    let item = format!("liquidity:{name}:{lower}:{upper}");
                    let held = desk.held(UNISWAP, "dollars", &item);
                    prop_assert_eq!(held, (liquidity(position.liquidity), tokens(units, 18)));
                }
            }
            for (name, owed) in ["WETH", "EIGEN"].iter().zip(owed) {
                prop_assert_eq!(desk.held(UNISWAP, "dollars", name).0, wei(owed));
            }
        }
    }

    /// In and out at once never returns more of anything, and the roundings are against us.
    #[test]
    fn prop_in_and_out_never_profits(a in 1_000..u64::MAX, b in 1_000..u64::MAX, moved in any::<u64>()) {
        let mut desk = desk(true);
        let text = |units: u64| wei(units.into()).to_string();
        execute(&mut desk, UNISWAP, swap("dollars", ["WETH", "EIGEN"], &text(moved.max(9)), "0"));
        let before = ["WETH", "EIGEN"].map(|name| desk.balance(name));
        if desk.execute(UNISWAP, add("dollars", TICKS, &[&text(a), &text(b)], "0")).is_ok() {
            let (held, _) = desk.held(UNISWAP, "dollars", "liquidity:WETH:-120:180");
            execute(&mut desk, UNISWAP, remove("dollars", TICKS, held, &["0", "0"]));
            for (name, before) in ["WETH", "EIGEN"].iter().zip(before) {
                prop_assert!(desk.balance(name) <= before);
            }
        }
        let before = ["weETH", "WETH", "USDC"].map(|name| desk.balance(name));
        // In the pool's proportion; out of it a deposit of what is scarce may gain against the marks.
        let parts = [1_000_u128, 1_050].map(|part| wei(part * u128::from(a >> 16)));
        let dollars = tokens(U256::from(900 * u128::from(a >> 16)) / U256::from(1_000_000_000_000_u64), 6);
        let amounts = [parts[0].to_string(), parts[1].to_string(), dollars.to_string()];
        let amounts = [&*amounts[0], &*amounts[1], &*amounts[2]];
        if desk.execute(CURVE, add("ng", None, &amounts, "0")).is_ok() {
            let (held, _) = desk.held(CURVE, "ng", "liquidity:WETH");
            let mut got = 0;
            execute(&mut desk, CURVE, remove("ng", None, held, &["0", "0", "0"]));
            for (name, before) in ["weETH", "WETH", "USDC"].iter().zip(before) {
                got += usize::from(desk.balance(name) > before);
            }
            prop_assert!(got < 3, "never more of every coin");
        }
    }
}

#[test]
fn items_of_a_position_name_the_asset_and_the_range() {
    let item: Item = "liquidity:WETH:-120:180".parse().unwrap();
    assert_eq!(item.asset().unwrap().as_str(), "WETH");
    assert!(item.is_scaled() && !item.is_debt());
}
