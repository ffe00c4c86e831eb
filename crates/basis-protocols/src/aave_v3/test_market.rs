//! A small market for the tests: dollars, ether and staked ether.

use super::{
    EModeCategory, Market, Outcome, RateStrategy, ReserveConfig, ReserveId, ReserveState, Revert,
    Seconds, UserId, Version,
};
use basis_core::num::U256;

pub(super) const USD: ReserveId = ReserveId(0);
pub(super) const ETH: ReserveId = ReserveId(1);
pub(super) const STAKED: ReserveId = ReserveId(2);

pub(super) fn dollars(whole: u64) -> U256 {
    U256::from(whole).wrapping_mul(U256::from(1_000_000_u64))
}

pub(super) fn ether(whole: u64) -> U256 {
    U256::from(whole).wrapping_mul(U256::from(10_u64.pow(18)))
}

/// An oracle price in whole dollars.
pub(super) fn price(whole: u64) -> U256 {
    U256::from(whole).wrapping_mul(U256::from(100_000_000_u64))
}

/// The pool's number of a refusal.
pub(super) fn refused<T: std::fmt::Debug>(done: Result<T, Revert>) -> u8 {
    done.unwrap_err().pool_error().unwrap().code()
}

/// A market with a clock. User 0 supplied a million dollars and a thousand of each ether, user 1 and
/// 2 have nothing.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    pub(super) market: Market,
    pub(super) now: Seconds,
}

impl Desk {
    pub(super) fn new(version: Version) -> Self {
        let mut market = Market::new(version);
        let curve = RateStrategy::from_bps(8_000, 0, 400, 8_000).unwrap();
        let reserve = |decimals, ltv_bps, liquidation_threshold_bps, bonus| ReserveConfig {
            ltv_bps,
            liquidation_threshold_bps,
            liquidation_bonus_bps: bonus,
            reserve_factor_bps: 1_000,
            liquidation_protocol_fee_bps: 1_000,
            ..ReserveConfig::new(decimals, curve)
        };
        let usd = reserve(6, 7_700, 8_000, 10_450);
        let mut eth = reserve(18, 8_050, 8_300, 10_500);
        let mut staked = reserve(18, 7_850, 8_100, 10_600);
        eth.e_mode_category = 1;
        staked.e_mode_category = 1;
        for (config, price) in [(usd, price(1)), (eth, price(3_000)), (staked, price(3_450))] {
            market
                .add_reserve(config, ReserveState::listed(price))
                .unwrap();
        }
        let ethers = 0b110;
        let category = EModeCategory {
            ltv_bps: 9_000,
            liquidation_threshold_bps: 9_300,
            liquidation_bonus_bps: 10_200,
            collateral: ethers,
            borrowable: ethers,
        };
        market.set_e_mode_category(1, category).unwrap();
        market.set_flash_loan_premiums(5, 0);
        for _ in 0..3 {
            market.add_user().unwrap();
        }
        let mut desk = Self {
            market,
            now: 1_700_000_000,
        };
        desk.supply(0, USD, 1_000_000);
        desk.supply(0, ETH, 1_000);
        desk.supply(0, STAKED, 1_000);
        desk
    }

    fn amount(reserve: ReserveId, whole: u64) -> U256 {
        if reserve == USD {
            dollars(whole)
        } else {
            ether(whole)
        }
    }

    pub(super) fn supply(&mut self, user: u16, reserve: ReserveId, whole: u64) -> Outcome {
        let amount = Self::amount(reserve, whole);
        self.market
            .supply(UserId(user), reserve, amount, self.now)
            .unwrap()
    }

    pub(super) fn borrow(&mut self, user: u16, reserve: ReserveId, whole: u64) -> Outcome {
        let amount = Self::amount(reserve, whole);
        self.market
            .borrow(UserId(user), reserve, amount, self.now)
            .unwrap()
    }
}
