//! Laws that hold whatever is done in whatever order.

use proptest::prelude::*;

use super::math::RAY;
use super::test_market::{Desk, ETH, STAKED, USD};
use super::{ALL, LiquidationCall, Market, Payer, ReserveId, Revert, Seconds, Seized, UserId};
use super::{Version, limbs::long};
use basis_core::num::U256;

/// Something somebody tries.
#[derive(Clone, Copy, Debug)]
enum Try {
    Supply,
    Withdraw,
    WithdrawAll,
    Borrow,
    Repay,
    RepayAll,
    EMode(u8),
    UseAsCollateral(bool),
    Price,
    FlashLoan,
    Liquidate(bool),
    MintToTreasury,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    try_what: Try,
    user: u16,
    reserve: ReserveId,
    other: ReserveId,
    /// Of an amount that makes sense for the asset, in parts of 2^32.
    size: u32,
    seconds: u64,
}

fn any_reserve() -> impl Strategy<Value = ReserveId> {
    prop_oneof![Just(USD), Just(ETH), Just(STAKED)]
}

fn any_step() -> impl Strategy<Value = Step> {
    let try_what = prop_oneof![
        4 => Just(Try::Supply),
        2 => Just(Try::Withdraw),
        1 => Just(Try::WithdrawAll),
        5 => Just(Try::Borrow),
        2 => Just(Try::Repay),
        1 => Just(Try::RepayAll),
        1 => (0_u8..3).prop_map(Try::EMode),
        1 => any::<bool>().prop_map(Try::UseAsCollateral),
        1 => Just(Try::Price),
        1 => Just(Try::FlashLoan),
        2 => any::<bool>().prop_map(Try::Liquidate),
        1 => Just(Try::MintToTreasury),
    ];
    // Sizes from a unit to everything, in equal parts of their logarithm.
    let size = (any::<u32>(), 0_u32..32).prop_map(|(size, cut)| size >> cut);
    let seconds = (any::<u32>(), 6_u32..32).prop_map(|(seconds, cut)| u64::from(seconds >> cut));
    (
        try_what,
        0_u16..3,
        any_reserve(),
        any_reserve(),
        size,
        seconds,
    )
        .prop_map(|(try_what, user, reserve, other, size, seconds)| Step {
            try_what,
            user,
            reserve,
            other,
            size,
            seconds,
        })
}

fn any_version() -> impl Strategy<Value = Version> {
    prop_oneof![Just(Version::V3_0), Just(Version::V3_2)]
}

impl Step {
    fn amount(&self) -> U256 {
        let unit = if self.reserve == USD {
            100_000_u128 * 10_u128.pow(6)
        } else {
            50 * 10_u128.pow(18)
        };
        long((unit >> 32).max(1) * u128::from(self.size))
    }

    fn run(&self, market: &mut Market, now: Seconds) -> Result<(), Revert> {
        let (user, reserve) = (UserId(self.user), self.reserve);
        let amount = self.amount();
        match self.try_what {
            Try::Supply => market.supply(user, reserve, amount, now).map(drop),
            Try::Withdraw => market.withdraw(user, reserve, amount, now).map(drop),
            Try::WithdrawAll => market.withdraw(user, reserve, ALL, now).map(drop),
            Try::Borrow => market.borrow(user, reserve, amount, now).map(drop),
            Try::Repay => market
                .repay(user, reserve, amount, Payer::Other, now)
                .map(drop),
            Try::RepayAll => market
                .repay(user, reserve, ALL, Payer::Debtor, now)
                .map(drop),
            Try::EMode(category) => market.set_user_e_mode(user, category, now),
            Try::UseAsCollateral(used) => market
                .set_use_as_collateral(user, reserve, used, now)
                .map(drop),
            Try::Price => {
                let price = market.reserve(reserve)?.state().price_base;
                // Between 3/4 and 5/4 of what it was.
                let part = U256::from(u64::from(self.size) / 2 + (3_u64 << 30));
                market.set_price(reserve, price * part / long(1 << 32))
            }
            Try::FlashLoan => market.flash_loan_simple(reserve, amount, now).map(drop),
            Try::Liquidate(as_tokens) => {
                let call = LiquidationCall {
                    user,
                    collateral: reserve,
                    debt: self.other,
                    debt_to_cover: if self.size.is_multiple_of(2) {
                        ALL
                    } else {
                        amount
                    },
                    seized: if as_tokens {
                        Seized::AToken(UserId((self.user + 1) % 3))
                    } else {
                        Seized::Underlying
                    },
                };
                market.liquidation_call(call, now).map(drop)
            }
            Try::MintToTreasury => market.mint_to_treasury(reserve, now).map(drop),
        }
    }
}

/// Totals are the sums of what the holders have.
fn assert_totals(market: &Market) {
    for (place, reserve) in (0_u8..).zip(market.reserves()) {
        let (mut supply, mut debt) = (long(reserve.state().treasury_scaled_supply), U256::ZERO);
        for user in (0_u16..).take(market.users()) {
            let position = market.position(UserId(user), ReserveId(place)).unwrap();
            supply += long(position.scaled_supply);
            debt += long(position.scaled_debt);
        }
        assert_eq!(reserve.state().scaled_supply, supply);
        assert_eq!(reserve.state().scaled_debt, debt);
    }
}

/// What the reserve has less what it owes at `now`, in base units: cash and debt against aTokens and
/// the treasury's claim.
fn surplus(market: &Market, id: ReserveId, now: Seconds) -> i128 {
    let mut reserve = *market.reserve(id).unwrap();
    reserve.update_state(now).unwrap();
    let state = reserve.state();
    let supply_index = long(state.liquidity_index_ray);
    let scaled = state.scaled_supply + long(state.accrued_to_treasury);
    let owned = state.cash + reserve.total_debt().unwrap();
    let owed = super::math::ray_mul(scaled, supply_index).unwrap();
    i128::try_from(owned).unwrap() - i128::try_from(owed).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn prop_whatever_is_tried_the_books_hold(
        version in any_version(),
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        let mut desk = Desk::new(version);
        for step in steps {
            desk.now += step.seconds;
            let before = desk.market.clone();
            let done = step.run(&mut desk.market, desk.now);
            if done.is_err() {
                prop_assert_eq!(&desk.market, &before, "{:?} left a trace", step);
                continue;
            }
            assert_totals(&desk.market);
            for (old, new) in before.reserves().iter().zip(desk.market.reserves()) {
                let (old, new) = (old.state(), new.state());
                prop_assert!(new.liquidity_index_ray >= old.liquidity_index_ray);
                prop_assert!(new.variable_borrow_index_ray >= old.variable_borrow_index_ray);
                prop_assert!(new.last_update >= old.last_update);
            }
        }
    }

    /// Interest is paid by borrowers to suppliers and the treasury and to nobody else: an operation
    /// creates or destroys no more than the half units it rounds.
    #[test]
    fn prop_an_operation_conserves_value(
        version in any_version(),
        steps in prop::collection::vec(any_step(), 1..60),
    ) {
        let mut desk = Desk::new(version);
        for step in steps {
            desk.now += step.seconds;
            let before = desk.market.clone();
            if step.run(&mut desk.market, desk.now).is_err() {
                continue;
            }
            for id in [USD, ETH, STAKED] {
                let change = surplus(&desk.market, id, desk.now) - surplus(&before, id, desk.now);
                // A burn and a mint round by half a scaled unit each, an index by half a ray over
                // everything supplied.
                let state = desk.market.reserve(id).unwrap().state();
                let supplied = i128::try_from(state.scaled_supply / long(RAY)).unwrap();
                let index = state.liquidity_index_ray.max(state.variable_borrow_index_ray);
                let bound = 4 + 4 * i128::try_from(index / RAY).unwrap() + supplied;
                prop_assert!(change.abs() <= bound, "{:?}: {} of {:?}", step, change, id);
            }
        }
    }

    /// The pool rounds half up, so a round trip within one second gains at most the half scaled unit
    /// of minting and the half unit of the balance.
    #[test]
    fn prop_supplying_and_withdrawing_at_once_gains_nothing_but_the_last_unit(
        version in any_version(),
        steps in prop::collection::vec(any_step(), 1..40),
        reserve in any_reserve(),
        amount in 1..10_u64.pow(12),
    ) {
        let mut desk = Desk::new(version);
        desk.supply(1, ETH, 10);
        desk.borrow(1, USD, 10_000);
        for step in steps {
            desk.now += step.seconds;
            step.run(&mut desk.market, desk.now).ok();
        }
        let user = desk.market.add_user().unwrap();
        let amount = U256::from(amount);
        let supplied = desk.market.supply(user, reserve, amount, desk.now);
        prop_assume!(supplied.is_ok());
        let index = supplied.unwrap().index_ray;
        let cash = desk.market.reserve(reserve).unwrap().state().cash;
        let balance = desk.market.supply_balance(user, reserve, desk.now).unwrap();
        prop_assume!(cash >= balance);
        let back = desk.market.withdraw(user, reserve, ALL, desk.now).unwrap().amount;
        prop_assert_eq!(back, balance);
        let most = amount + long(index / (2 * RAY) + 1);
        prop_assert!(back <= most, "{} came back of {}", back, amount);
        prop_assert_eq!(desk.market.position(user, reserve).unwrap().scaled_supply, 0);
    }

    #[test]
    fn prop_borrowing_and_repaying_at_once_gains_nothing_but_the_last_unit(
        version in any_version(),
        seconds in 0..100_000_000_u64,
        // Of the 300,000 dollars that are left.
        amount in 1..250_000_000_000_u64,
    ) {
        let mut desk = Desk::new(version);
        desk.supply(1, ETH, 900);
        desk.borrow(1, USD, 700_000);
        desk.supply(2, STAKED, 900);
        desk.now += seconds;
        let amount = U256::from(amount);
        let user = UserId(2);
        let lent = desk.market.borrow(user, USD, amount, desk.now);
        prop_assume!(lent.is_ok());
        let index = lent.unwrap().index_ray;
        let paid = desk.market.repay(user, USD, ALL, Payer::Debtor, desk.now).unwrap();
        let most = paid.amount + long(index / (2 * RAY) + 1);
        prop_assert!(amount <= most, "{} repaid of {}", paid.amount, amount);
        prop_assert_eq!(desk.market.position(user, USD).unwrap().scaled_debt, 0);
    }

    /// What the views promise, the operations keep.
    #[test]
    fn prop_limits_are_lent_and_given_and_a_unit_more_is_not(
        version in any_version(),
        steps in prop::collection::vec(any_step(), 1..60),
        reserve in any_reserve(),
        user in 0_u16..3,
    ) {
        let mut desk = Desk::new(version);
        for step in steps {
            desk.now += step.seconds;
            step.run(&mut desk.market, desk.now).ok();
        }
        let (user, now) = (UserId(user), desk.now);
        let most = desk.market.max_borrow(user, reserve, U256::ZERO, now).unwrap();
        let try_borrow = |amount| desk.market.clone().borrow(user, reserve, amount, now);
        if !most.is_zero() {
            let lent = try_borrow(most);
            let too_small = super::PoolError::InvalidMintAmount.into();
            prop_assert!(lent.is_ok() || lent == Err(too_small), "{:?}", lent);
        }
        prop_assert!(try_borrow(most + U256::ONE).is_err());
        let most = desk.market.max_withdraw(user, reserve, U256::ZERO, now).unwrap();
        let try_withdraw = |amount| desk.market.clone().withdraw(user, reserve, amount, now);
        if !most.is_zero() {
            let given = try_withdraw(most);
            let too_small = super::PoolError::InvalidBurnAmount.into();
            prop_assert!(given.is_ok() || given == Err(too_small), "{:?}", given);
        }
        prop_assert!(try_withdraw(most + U256::ONE).is_err());
    }
}
