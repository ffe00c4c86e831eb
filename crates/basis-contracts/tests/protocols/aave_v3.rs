//! `basis_protocols::aave_v3` beside the pool's own bytecode, in both versions.
//!
//! Six users do at random whatever a pool allows and much that it does not, while prices, time and
//! parameters move. After every step each stored number of every reserve and user is the same on
//! both sides, and each refusal has the same reason.

mod draw;
mod twins;

use basis_contracts::U256;
use basis_contracts::aave::USERS;
use basis_protocols::aave_v3::{ALL, ReserveLiquidity, Version};

use twins::{Inside, Step, Twins, USDC, WBTC, WETH, id, meaning, strategy};

impl Twins {
    fn run(&mut self, steps: usize) {
        for n in 0..steps {
            self.wait();
            let by = self.random.index(USERS.into()).try_into().unwrap();
            let reserve = self.random.index(self.listings.len());
            let (step, reserve) = self.alone(by, reserve);
            self.take(n, by, reserve, step);
            self.compare_state(n);
            self.compare_account(n, by);
            if n % 50 == 0 {
                (0..USERS).for_each(|who| self.compare_account(n, who));
                let index = self.real.normalized_income(reserve);
                let ours = self.ours.normalized_income_ray(id(reserve), self.now());
                assert_eq!(Ok(index), ours, "step {n}");
                let index = self.real.normalized_debt(reserve);
                let ours = self.ours.normalized_debt_ray(id(reserve), self.now());
                assert_eq!(Ok(index), ours, "step {n}");
            }
        }
    }

    /// That the run was not idle: each of `keys` was seen `least` times.
    fn assert_seen(&self, keys: &[&str], least: u32) {
        for key in keys {
            let found: u32 = self
                .seen
                .iter()
                .filter(|(seen, _)| seen.starts_with(key))
                .map(|(_, times)| times)
                .sum();
            assert!(found >= least, "{key}: {found} times, of {:#?}", self.seen);
        }
    }
}

/// Alone with whoever supplies the dollars: user 1 with ether as collateral and dollars as debt.
fn indebted(version: Version, ether: u64, dollars: u64) -> Option<Twins> {
    let mut twins = Twins::new(version, 1)?;
    let (ether, dollars) = (U256::from(ether), U256::from(dollars));
    let unit = U256::from(10_u64.pow(18));
    let lent = U256::from(100_000_000_000_u64);
    twins.expect(0, USDC, Step::Supply(lent));
    twins.expect(1, WETH, Step::Supply(ether * unit));
    twins.expect(1, USDC, Step::Borrow(dollars * U256::from(1_000_000)));
    twins.real.evm.advance(86_400 * 30 + 7);
    Some(twins)
}

/// What chance seldom meets: liquidating oneself for aTokens, in part and whole.
#[test]
fn liquidating_oneself_for_a_tokens_leaves_no_difference() {
    for version in [Version::V3_0, Version::V3_2] {
        for price in [280_000_000_000_u64, 150_000_000_000] {
            let Some(mut twins) = indebted(version, 10, 24_000) else {
                return;
            };
            twins.expect(0, WETH, Step::Price(U256::from(price)));
            let own = Step::Liquidate {
                of: 1,
                debt: USDC,
                amount: ALL,
                as_tokens: true,
            };
            twins.expect(1, WETH, own);
            twins.real.evm.advance(3_600);
            twins.expect(1, WETH, Step::Withdraw(U256::from(10_u64.pow(15))));
        }
    }
}

/// Debt and collateral in one asset: what is repaid arrives only after what is seized has left.
#[test]
fn liquidating_within_one_asset_leaves_no_difference() {
    for version in [Version::V3_0, Version::V3_2] {
        let Some(mut twins) = indebted(version, 10, 20_000) else {
            return;
        };
        let dollars = |n: u64| U256::from(n * 1_000_000);
        twins.expect(1, USDC, Step::Supply(dollars(10_000)));
        twins.expect(1, USDC, Step::Borrow(dollars(9_000)));
        let seize = |amount| Step::Liquidate {
            of: 1,
            debt: USDC,
            amount,
            as_tokens: false,
        };
        twins.expect(0, WETH, Step::Price(U256::from(200_000_000_000_u64)));
        twins.expect(2, USDC, seize(dollars(1_000)));
        // Nearly everything else is lent: there is not enough to seize before the repayment.
        twins.expect(3, WBTC, Step::Supply(U256::from(1_000_000_000)));
        let cash = twins.ours.reserve(id(USDC)).unwrap().state().cash;
        twins.expect(3, USDC, Step::Borrow(cash - dollars(500)));
        twins.refuse(2, USDC, seize(dollars(1_000)));
        twins.expect(2, USDC, seize(dollars(400)));
    }
}

/// The last to leave finds everything, or one unit less by the roundings before.
#[test]
fn leaving_an_empty_reserve_leaves_no_difference() {
    for version in [Version::V3_0, Version::V3_2] {
        let Some(mut twins) = indebted(version, 10, 20_000) else {
            return;
        };
        twins.expect(1, USDC, Step::Repay(ALL));
        twins.expect(1, WETH, Step::Withdraw(ALL));
        twins.take(0, 0, USDC, Step::Withdraw(ALL));
        twins.expect(0, USDC, Step::MintToTreasury);
        twins.take(0, 0, USDC, Step::Withdraw(ALL));
        twins.compare_state(0);
        twins.refuse(0, WETH, Step::FlashLoan(U256::ONE));
        twins.expect(2, WETH, Step::Supply(U256::from(3)));
        twins.expect(2, WETH, Step::FlashLoan(U256::from(3)));
    }
}

/// What a borrower takes out of a reserve while its flash loan is out finds that much less there, and the
/// rates at the end are those of the reserve made whole.
#[test]
fn steps_inside_a_flash_loan_leave_no_difference() {
    for version in [Version::V3_0, Version::V3_2] {
        let Some(mut twins) = indebted(version, 100, 20_000) else {
            return;
        };
        // All but a thousand dollars are lent.
        for (n, taken) in [999_000_000_u64, 1_000_000_000, 1_000_000_001]
            .into_iter()
            .enumerate()
        {
            for (by, kind) in [(1, Inside::Borrow), (0, Inside::Withdraw)] {
                let cash = twins.ours.reserve(id(USDC)).unwrap().state().cash;
                let loan = cash - U256::from(1_000_000_000_u64);
                twins.inside(n, by, loan, (kind, U256::from(taken)));
                twins.real.evm.advance(3_600);
            }
        }
        twins.assert_seen(&["inside: done"], 4);
        twins.assert_seen(&["inside: refused"], 2);
    }
}

/// Values and interest that 128 bits do not hold, and then 256 neither.
#[test]
fn values_beyond_128_bits_leave_no_difference() {
    for version in [Version::V3_0, Version::V3_2] {
        let Some(mut twins) = indebted(version, 10, 20_000) else {
            return;
        };
        twins.expect(1, WETH, Step::Supply(U256::ONE << 109));
        for bits in [60, 90, 120, 150, 200, 254] {
            twins.expect(2, WETH, Step::Price(U256::ONE << bits));
            twins.compare_account(0, 1);
        }
        twins.expect(2, WETH, Step::Price(U256::from(300_000_000_000_u64)));
        for years in [20, 60, 70, 500, 5_000, 30_000] {
            twins.real.evm.advance(years * 31_536_000);
            twins.compare_account(0, 1);
            twins.take(0, 2, USDC, Step::FlashLoan(U256::from(1_000_000)));
            twins.compare_state(0);
        }
    }
}

/// Debt, cash and reserve factor of any size, sums beyond 256 bits among them.
#[test]
fn rate_curves_leave_no_difference() {
    for version in [Version::V3_0, Version::V3_2] {
        let Some(mut twins) = Twins::new(version, 2) else {
            return;
        };
        let listings = twins.listings.clone();
        for n in 0..3_000 {
            let reserve = n % listings.len();
            let liquidity = ReserveLiquidity {
                available: twins.random.amount(256),
                added: U256::ZERO,
                taken: U256::ZERO,
                total_debt: twins.random.amount(256),
                reserve_factor_bps: twins.random.below(10_001).try_into().unwrap(),
            };
            let (debt, cash) = (liquidity.total_debt, liquidity.available);
            let factor = liquidity.reserve_factor_bps;
            let real = twins.real.rates(reserve, debt, cash, factor);
            let ours = strategy(&listings[reserve], version)
                .rates(version, &liquidity)
                .map(|rates| (rates.liquidity_rate_ray, rates.variable_borrow_rate_ray))
                .map(|(supply, borrow)| (U256::from(supply), U256::from(borrow)));
            let real = real.map_err(|refused| meaning(&refused));
            assert_eq!(real, ours, "{version:?}: {liquidity:?}");
        }
    }
}

const STEPS: usize = 15_000;

/// What both versions must have done, and refused, in a run.
const SEEN: &[&str] = &[
    "Supply",
    "Withdraw",
    "Borrow",
    "Repay",
    "RepayFor",
    "EMode",
    "UseAsCollateral",
    "Liquidate",
    "FlashLoan",
    "MintToTreasury",
    "Price",
    "Configure",
    "panic 0x11",
    "aave pool error 26",
    "aave pool error 28",
    "aave pool error 29",
    "aave pool error 30",
    "aave pool error 32",
    "aave pool error 34",
    "aave pool error 35",
    "aave pool error 36",
    "aave pool error 39",
    "aave pool error 40",
    "aave pool error 43",
    "aave pool error 45",
    "aave pool error 46",
    "aave pool error 47",
    "aave pool error 50",
    "aave pool error 51",
    "aave pool error 53",
    "aave pool error 58",
    "aave pool error 60",
    "aave pool error 62",
    "aave pool error 89",
];

#[test]
fn fifteen_thousand_random_steps_of_3_0_leave_no_difference() {
    let Some(mut twins) = Twins::new(Version::V3_0, 20_261_122) else {
        return;
    };
    twins.run(STEPS);
    twins.assert_seen(SEEN, 5);
    twins.assert_seen(&["Liquidate"], 100);
}

#[test]
fn fifteen_thousand_random_steps_of_3_2_leave_no_difference() {
    let Some(mut twins) = Twins::new(Version::V3_2, 20_261_123) else {
        return;
    };
    twins.run(STEPS);
    twins.assert_seen(SEEN, 5);
    twins.assert_seen(&["aave pool error 100", "aave pool error 57"], 5);
    twins.assert_seen(&["Liquidate"], 100);
}
