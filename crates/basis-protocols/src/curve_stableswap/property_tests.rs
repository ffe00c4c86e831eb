//! What holds for every pool: short cuts change nothing, nobody gains by rounding, books balance.

use proptest::prelude::*;

use super::arithmetic::widen;
use super::narrow;
use super::{Amplification, Curve, Parameters, PerCoin, Pool, RATE_ONE, StableSwapError, Template};
use basis_core::num::U256;

/// How far `get_D` may be from the exact root, and so how far two of them may move apart: the
/// iteration ends with a step of 1, and each division drops less than 1.
const D_TOLERANCE: u64 = 2;

fn template() -> impl Strategy<Value = Template> {
    prop_oneof![
        Just(Template::ThreePool),
        Just(Template::Base),
        Just(Template::StableSwapNg),
    ]
}

/// Even in its logarithm, `2^low` to `2^high`.
fn spread(low: u32, high: u32) -> impl Strategy<Value = u128> {
    (low..high, any::<u128>()).prop_map(|(bits, noise)| {
        let top = 1_u128 << bits;
        top | (noise & (top - 1))
    })
}

/// A coin: its rate and a balance of 0.2 to 16 million tokens.
///
/// Beyond a hundredfold imbalance the contracts' iteration may never settle, or is off by more.
fn coin() -> impl Strategy<Value = (U256, U256)> {
    (
        prop_oneof![Just(18_u32), Just(8), Just(6)],
        prop_oneof![Just(RATE_ONE), (900_u64..2_000).prop_map(rate_of)],
        spread(18, 24),
        0_u64..1_000_000,
    )
        .prop_map(|(decimals, rate, tokens, millionths)| {
            let ten = U256::from(10_u64);
            let rate = rate * ten.pow(U256::from(18 - decimals));
            let unit = ten.pow(U256::from(decimals));
            let part = unit * U256::from(millionths) / U256::from(1_000_000_u64);
            (rate, U256::from(tokens) * unit + part)
        })
}

fn rate_of(thousandths: u64) -> U256 {
    RATE_ONE * U256::from(thousandths) / U256::from(1_000_u64)
}

/// A pool with some liquidity that has seen some trade.
fn pool() -> impl Strategy<Value = Pool> {
    (
        template(),
        prop::collection::vec(coin(), 2..=4),
        1_u64..5_000,
        (1_000_u64..100_000_000, 0_u64..=10_000_000_000),
        prop_oneof![Just(0_u64), 10_000_000_000_u64..400_000_000_000],
        900_000_u64..1_000_000,
    )
        .prop_filter_map(
            "the invariant settles",
            |(template, coins, a, fees, multiplier, price)| {
                let (rates, balances): (Vec<U256>, Vec<U256>) = coins.into_iter().unzip();
                let parameters = Parameters {
                    template,
                    amplification: Amplification::constant(a * template.a_precision()),
                    fee: fees.0,
                    admin_fee: fees.1,
                    offpeg_fee_multiplier: multiplier,
                    rates: PerCoin::new(&rates).unwrap(),
                };
                let nothing = vec![U256::ZERO; rates.len()];
                let bare = Pool::with_state(parameters, &balances, &nothing, U256::ONE).unwrap();
                let million = U256::from(1_000_000_u64);
                let supply = bare.invariant().ok()? * U256::from(price) / million;
                Pool::with_state(parameters, &balances, &nothing, supply).ok()
            },
        )
}

/// A pool, two of its coins, and parts of it in 2^64ths.
fn case() -> impl Strategy<Value = (Pool, usize, usize, [u64; 4])> {
    (pool(), any::<usize>(), any::<usize>(), any::<[u64; 4]>()).prop_map(|(pool, i, j, parts)| {
        let coins = pool.balances().len();
        let i = i % coins;
        let j = (i + 1 + j % (coins - 1)) % coins;
        (pool, i, j, parts)
    })
}

/// A part of `whole`, small parts as likely as large ones; at least 1.
fn part(whole: U256, part: u64) -> U256 {
    let shift = usize::try_from(part % 40).unwrap() + 64;
    ((whole * U256::from(part)) >> shift).max(U256::ONE)
}

fn amounts(pool: &Pool, parts: &[u64; 4]) -> PerCoin {
    let balances = pool.balances().iter();
    let amounts: Vec<U256> = balances.zip(parts).map(|(b, p)| part(*b, *p)).collect();
    PerCoin::new(&amounts).unwrap()
}

/// What the pool holds of each coin, whoever owns it.
fn held(pool: &Pool) -> Vec<U256> {
    let both = pool.balances().iter().zip(pool.admin_balances().iter());
    both.map(|(balance, admin)| balance + admin).collect()
}

/// Allows `D` its tolerance, and the virtual price what that makes of it.
fn assert_no_worse(before: &Pool, after: &Pool) -> Result<(), TestCaseError> {
    let tolerance = U256::from(D_TOLERANCE);
    let (Ok(was), Ok(is)) = (before.virtual_price(), after.virtual_price()) else {
        return Ok(());
    };
    let slack = tolerance * RATE_ONE / after.lp_supply() + U256::ONE;
    prop_assert!(is + slack >= was, "virtual price {is} after {was}");
    Ok(())
}

fn refused_alike(
    pool: &Pool,
    operation: impl FnOnce(&mut Pool) -> Option<StableSwapError>,
) -> Result<(), TestCaseError> {
    let mut tried = *pool;
    let refusal = operation(&mut tried);
    prop_assert!(refusal.is_some());
    prop_assert_eq!(tried, *pool, "a refusal changes nothing");
    Ok(())
}

proptest! {
    #[test]
    fn prop_short_invariant_is_the_contracts(
        template in template(),
        a in spread(0, 19),
        xp in prop::collection::vec(spread(0, 126), 2..=4),
        d in spread(0, 127),
        i in 0_usize..4,
    ) {
        let amplification = u64::try_from(a).unwrap() * template.a_precision();
        let curve = Curve { template, amplification };
        let wide: Vec<U256> = xp.iter().map(|x| widen(*x)).collect();
        let wide = PerCoin::new(&wide).unwrap();
        if let Some(short) = narrow::get_d(&curve, &wide) {
            prop_assert_eq!(curve.get_d_wide(&wide), Ok(widen(short)));
        }
        if let Some(short) = narrow::get_y_d(&curve, i % xp.len(), &wide, d) {
            prop_assert_eq!(curve.get_y_d_wide(i % xp.len(), &wide, widen(d)), Ok(widen(short)));
        }
    }

    #[test]
    fn prop_pools_that_exist_take_the_short_cut((pool, i, ..) in case()) {
        let (curve, xp) = (pool.curve().unwrap(), pool.xp().unwrap());
        let d = narrow::get_d(&curve, &xp);
        prop_assert!(d.is_some());
        prop_assert_eq!(curve.get_d_wide(&xp), Ok(widen(d.unwrap())));
        let y = narrow::get_y_d(&curve, i, &xp, d.unwrap());
        prop_assert!(y.is_some());
        let wide = curve.get_y_d_wide(i, &xp, widen(d.unwrap()));
        prop_assert_eq!(wide, Ok(widen(y.unwrap())));
        prop_assert!(xp[i].abs_diff(widen(y.unwrap())) <= U256::from(1_000_u64));
    }

    #[test]
    fn prop_an_exchange_never_lowers_the_invariant((pool, i, j, parts) in case()) {
        let mut after = pool;
        if after.exchange(i, j, part(pool.balances()[i], parts[0]), U256::ZERO).is_ok() {
            if let (Ok(was), Ok(is)) = (pool.invariant(), after.invariant()) {
                prop_assert!(is + U256::from(D_TOLERANCE) >= was, "D {is} after {was}");
            }
            assert_no_worse(&pool, &after)?;
        }
    }

    #[test]
    fn prop_liquidity_never_lowers_the_virtual_price((pool, i, _, parts) in case()) {
        let amounts = amounts(&pool, &parts);
        let mut after = pool;
        if after.add_liquidity(&amounts, U256::ZERO).is_ok() {
            assert_no_worse(&pool, &after)?;
        }
        let burn = part(pool.lp_supply(), parts[0]);
        let mut after = pool;
        if after.remove_liquidity_one_coin(burn, i, U256::ZERO).is_ok() {
            assert_no_worse(&pool, &after)?;
        }
        let mut after = pool;
        if after.remove_liquidity_imbalance(&amounts, U256::MAX).is_ok() {
            assert_no_worse(&pool, &after)?;
        }
        let mut after = pool;
        let nothing = pool.balances().zeroed();
        if after.remove_liquidity(burn, &nothing).is_ok() && !after.lp_supply().is_zero() {
            assert_no_worse(&pool, &after)?;
        }
    }

    #[test]
    fn prop_there_and_back_never_profits((pool, i, j, parts) in case()) {
        let mut after = pool;
        let dx = part(pool.balances()[i], parts[0]);
        if let Ok(there) = after.exchange(i, j, dx, U256::ZERO)
            && let Ok(back) = after.exchange(j, i, there.received, U256::ZERO)
        {
            prop_assert!(back.received <= dx, "{} of {dx} back", back.received);
        }
    }

    #[test]
    fn prop_in_and_out_in_one_coin_never_profits((pool, i, _, parts) in case()) {
        let given = part(pool.balances()[i], parts[0]);
        let amounts = pool.balances().zeroed().with(i, given);
        let mut after = pool;
        if let Ok(deposit) = after.add_liquidity(&amounts, U256::ZERO)
            && let Ok(out) = after.remove_liquidity_one_coin(deposit.minted, i, U256::ZERO)
        {
            prop_assert!(out.received <= given, "{} of {given} back", out.received);
        }
    }

    #[test]
    fn prop_taking_out_what_was_put_in_costs_all_that_was_minted((pool, _, _, parts) in case()) {
        let amounts = amounts(&pool, &parts);
        let mut after = pool;
        if let Ok(deposit) = after.add_liquidity(&amounts, U256::ZERO)
            && let Ok(out) = after.remove_liquidity_imbalance(&amounts, U256::MAX)
        {
            prop_assert!(out.burned >= deposit.minted, "{out:?} {deposit:?}");
        }
    }

    #[test]
    fn prop_a_balanced_round_trip_returns_no_more((pool, _, _, parts) in case()) {
        let amounts: Vec<U256> = pool
            .balances()
            .iter()
            .map(|balance| part(*balance, parts[0]))
            .collect();
        let nothing = pool.balances().zeroed();
        let d = pool.invariant().unwrap();
        // A coin raised to a whole unit would be given out of proportion.
        prop_assume!(amounts.iter().all(|amount| *amount > U256::ONE));
        let mut after = pool;
        if let Ok(deposit) = after.add_liquidity(&amounts, U256::ZERO)
            && let Ok(paid) = after.remove_liquidity(deposit.minted, &nothing)
        {
            let balances = pool.balances().iter();
            for ((paid, given), balance) in paid.iter().zip(&amounts).zip(balances) {
                // What the tolerance of D, up or down in each of two, is worth of this coin.
                let slack = balance * U256::from(2 * D_TOLERANCE) / d;
                prop_assert!(*paid <= given + slack, "{paid} of {given} back");
            }
        }
    }

    #[test]
    fn prop_every_coin_is_somewhere((pool, i, j, parts) in case()) {
        let before = held(&pool);
        let mut after = pool;
        let dx = part(pool.balances()[i], parts[0]);
        if let Ok(done) = after.exchange(i, j, dx, U256::ZERO) {
            let mut expected = before.clone();
            expected[i] += dx;
            expected[j] -= done.received;
            prop_assert_eq!(held(&after), expected);
        }
        let given = amounts(&pool, &parts);
        let mut after = pool;
        if let Ok(done) = after.add_liquidity(&given, U256::ZERO) {
            let expected: Vec<U256> = before.iter().zip(given.iter()).map(|(b, g)| b + g).collect();
            prop_assert_eq!(held(&after), expected);
            prop_assert_eq!(after.lp_supply(), pool.lp_supply() + done.minted);
        }
        let mut after = pool;
        if let Ok(done) = after.remove_liquidity_imbalance(&given, U256::MAX) {
            let expected: Vec<U256> = before.iter().zip(given.iter()).map(|(b, g)| b - g).collect();
            prop_assert_eq!(held(&after), expected);
            prop_assert_eq!(after.lp_supply(), pool.lp_supply() - done.burned);
        }
        let burn = part(pool.lp_supply(), parts[0]);
        let mut after = pool;
        if let Ok(done) = after.remove_liquidity_one_coin(burn, i, U256::ZERO) {
            let mut expected = before;
            expected[i] -= done.received;
            prop_assert_eq!(held(&after), expected);
            prop_assert_eq!(after.lp_supply(), pool.lp_supply() - burn);
            let kept: U256 = after.admin_balances()[i];
            prop_assert_eq!(after.withdraw_admin_fees()[i], kept);
            prop_assert!(after.admin_balances().iter().all(U256::is_zero));
        }
    }

    #[test]
    fn prop_a_refused_operation_changes_no_bit((pool, i, j, parts) in case()) {
        let amounts = amounts(&pool, &parts);
        let too_much = amounts.with(i, pool.balances()[i] + U256::ONE);
        let burn = part(pool.lp_supply(), parts[0]);
        let all = PerCoin::new(&vec![U256::MAX; amounts.len()]).unwrap();
        refused_alike(&pool, |p| p.exchange(i, j, amounts[i], U256::MAX).err())?;
        refused_alike(&pool, |p| p.exchange(i, i, amounts[i], U256::ZERO).err())?;
        refused_alike(&pool, |p| p.exchange(i, 9, amounts[i], U256::ZERO).err())?;
        refused_alike(&pool, |p| p.exchange(i, j, U256::ZERO, U256::ZERO).err())?;
        refused_alike(&pool, |p| p.exchange(i, j, U256::MAX, U256::ZERO).err())?;
        refused_alike(&pool, |p| p.add_liquidity(&amounts, U256::MAX).err())?;
        refused_alike(&pool, |p| p.add_liquidity(&amounts[1..], U256::ZERO).err())?;
        refused_alike(&pool, |p| p.add_liquidity(&amounts.zeroed(), U256::ZERO).err())?;
        refused_alike(&pool, |p| p.remove_liquidity(burn, &all).err())?;
        refused_alike(&pool, |p| p.remove_liquidity(U256::MAX, &amounts.zeroed()).err())?;
        refused_alike(&pool, |p| p.remove_liquidity_one_coin(burn, i, U256::MAX).err())?;
        refused_alike(&pool, |p| p.remove_liquidity_one_coin(U256::ZERO, i, U256::ZERO).err())?;
        refused_alike(&pool, |p| p.remove_liquidity_imbalance(&amounts, U256::ONE).err())?;
        refused_alike(&pool, |p| p.remove_liquidity_imbalance(&too_much, U256::MAX).err())?;
    }

    #[test]
    fn prop_views_say_what_operations_do((pool, i, j, parts) in case()) {
        let dx = part(pool.balances()[i], parts[0]);
        if let Ok(quote) = pool.quote(i, j, dx) {
            let mut after = pool;
            prop_assert_eq!(after.exchange(i, j, dx, quote.received), Ok(quote));
            let view = pool.get_dy(i, j, dx).unwrap();
            let tolerance = u64::from(pool.parameters().template == Template::ThreePool);
            prop_assert!(view.abs_diff(quote.received) <= U256::from(tolerance));
        }
        let burn = part(pool.lp_supply(), parts[0]);
        if let Ok(quote) = pool.calc_withdraw_one_coin(burn, i) {
            let mut after = pool;
            prop_assert_eq!(after.remove_liquidity_one_coin(burn, i, quote.received), Ok(quote));
        }
        let given = amounts(&pool, &parts);
        if let (Ok(view), Ok(done)) =
            (pool.calc_token_amount(&given, true), { pool }.add_liquidity(&given, U256::ZERO))
        {
            match pool.parameters().template {
                Template::StableSwapNg => prop_assert_eq!(view, done.minted),
                _ => prop_assert!(view >= done.minted, "fees only lower what is minted"),
            }
        }
    }

    /// The price is met, or not crossed while one unit more would cross it; the pool lost nothing, and
    /// there and back again leaves it no worse either.
    #[test]
    fn prop_an_exchange_to_a_price_ends_at_it(
        (pool, part) in (pool(), 1_u64..400).prop_filter("two coins", |(p, _)| p.balances().len() == 2),
        up in any::<bool>(),
    ) {
        let start = pool.get_p(0).unwrap();
        let step = start * U256::from(part) / U256::from(1_000_u64);
        let target = if up { start + step } else { start - step };
        let mut after = pool;
        match after.exchange_to_price(target) {
            Ok(None) => prop_assert_eq!(after, pool),
            Ok(Some(moved)) => {
                prop_assert_eq!(moved.coin_in, usize::from(!up));
                let price = after.get_p(0).unwrap();
                prop_assert!(if up { price <= target } else { price >= target }, "{price} {target}");
                let mut more = pool;
                let given = moved.given + U256::ONE;
                more.exchange(moved.coin_in, moved.coin_out, given, U256::ZERO).unwrap();
                let beyond = more.get_p(0).unwrap();
                let crossed = if up { beyond > target } else { beyond < target };
                prop_assert!(price == target || crossed, "{price} {beyond} {target}");
                let mut again = pool;
                let done = again.exchange(moved.coin_in, moved.coin_out, moved.given, U256::ZERO);
                prop_assert_eq!((done, again), (Ok(moved.exchange), after), "one exchange, no more");
                assert_no_worse(&pool, &after)?;
                let mut back = after;
                if back.exchange_to_price(start).is_ok() {
                    assert_no_worse(&pool, &back)?;
                }
            }
            Err(e) => {
                let expected = matches!(e, StableSwapError::PriceOutOfReach { .. });
                prop_assert!(expected, "{e}");
                prop_assert_eq!(after, pool);
            }
        }
    }
}
