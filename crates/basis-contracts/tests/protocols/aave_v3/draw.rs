//! What happens next: steps drawn at random, near the limits as often as not.

use basis_contracts::U256;
use basis_contracts::aave::USERS;
use basis_protocols::aave_v3::ALL;

use super::twins::{DAI, ISOLATED, Parameter, Step, Twins, USDC, WETH, id, our_user};

impl Twins {
    /// Mostly seconds and hours, now and then days.
    pub(super) fn wait(&mut self) {
        let most = match self.random.below(100) {
            0..30 => 0,
            30..70 => 30,
            70..96 => 7_200,
            96..99 => 86_400,
            _ => 86_400 * 20,
        };
        let seconds = self.random.below(most + 1);
        self.real.evm.advance(seconds);
    }

    /// An amount near `limit`, or of any size; where the limit is zero, mostly a usual one.
    fn amount(&mut self, reserve: usize, limit: U256) -> U256 {
        let limit = if limit.is_zero() {
            self.usual(reserve)
        } else {
            limit
        };
        match self.random.below(12) {
            0 => limit,
            1 => limit.saturating_add(U256::ONE),
            2 => limit.saturating_sub(U256::ONE),
            3 => self.random.amount(40),
            4 if self.random.one_in(10) => self.random.amount(100),
            5 => U256::from(self.random.below(4)),
            _ => {
                let part = U256::from(self.random.below(1 << 20));
                (limit.min(U256::ONE << 128) * part) >> 20
            }
        }
    }

    /// A usual position: up to a hundred thousand dollars' worth.
    fn usual(&mut self, reserve: usize) -> U256 {
        let listing = &self.listings[reserve];
        let unit = U256::from(10).pow(U256::from(listing.decimals));
        let worth = U256::from(self.random.below(100_000) * 100_000_000);
        worth * unit / U256::from(listing.price)
    }

    /// What to do, and in which reserve: mostly in `reserve`.
    fn step(&mut self, by: u8, reserve: usize) -> (Step, usize) {
        let (who, now) = (our_user(by), self.now());
        let ours = self.ours.clone();
        let config = *ours.reserve(id(reserve)).unwrap().config();
        if (config.frozen || config.paused) && self.random.one_in(12) {
            return (Step::Configure(self.parameter(reserve)), reserve);
        }
        let step = match self.random.below(100) {
            0..22 => {
                let usual = self.usual(reserve);
                Step::Supply(self.amount(reserve, usual))
            }
            22..34 if self.random.one_in(4) => Step::Withdraw(ALL),
            22..34 => {
                let most = ours.max_withdraw(who, id(reserve), U256::ZERO, now);
                Step::Withdraw(self.amount(reserve, most.unwrap()))
            }
            34..58 => {
                let most = ours.max_borrow(who, id(reserve), U256::ZERO, now);
                Step::Borrow(self.amount(reserve, most.unwrap()))
            }
            58..66 if self.random.one_in(3) => Step::Repay(ALL),
            58..66 => {
                let debt = ours.debt_balance(who, id(reserve), now).unwrap();
                Step::Repay(self.amount(reserve, debt))
            }
            66..68 => {
                let of = self.random.index(USERS.into()).try_into().unwrap();
                let debt = ours.debt_balance(our_user(of), id(reserve), now);
                let amount = if self.random.one_in(4) {
                    ALL
                } else {
                    self.amount(reserve, debt.unwrap())
                };
                Step::RepayFor(of, amount)
            }
            68..73 => Step::EMode(self.random.below(5).try_into().unwrap()),
            73..77 => Step::UseAsCollateral(self.random.one_in(2)),
            77..87 => return self.liquidation(by, reserve),
            87..89 => {
                let cash = ours.reserve(id(reserve)).unwrap().state().cash;
                Step::FlashLoan(self.amount(reserve, cash))
            }
            89..91 => Step::MintToTreasury,
            91..96 => self.price(reserve),
            _ => Step::Configure(self.parameter(reserve)),
        };
        (step, reserve)
    }

    /// A step, which the last user takes with the isolated asset as collateral and no other.
    pub(super) fn alone(&mut self, by: u8, reserve: usize) -> (Step, usize) {
        if by != USERS - 1 {
            return self.step(by, reserve);
        }
        let reserve = *self.random.pick(&[USDC, DAI, ISOLATED, WETH]);
        match self.step(by, reserve) {
            (Step::Supply(_), _) => (Step::Supply(self.usual(ISOLATED)), ISOLATED),
            (Step::UseAsCollateral(_), _) => {
                (Step::UseAsCollateral(!self.random.one_in(4)), ISOLATED)
            }
            step => step,
        }
    }

    /// Of whoever can be liquidated, if anybody can; for all, an exact amount or any.
    fn liquidation(&mut self, by: u8, reserve: usize) -> (Step, usize) {
        let (now, own) = (self.now(), self.random.one_in(4));
        let unhealthy = |n: &u8| {
            let health = self.ours.health_factor_wad(our_user(*n), now).unwrap();
            let collateral = self.ours.account(our_user(*n)).unwrap().collateral;
            (own || *n != by) && collateral != 0 && health < U256::from(10_u64.pow(18))
        };
        let targets: Vec<u8> = (0..USERS).filter(unhealthy).collect();
        let of = match targets.as_slice() {
            [] if !self.random.one_in(4) => return (self.crash(reserve), reserve),
            [] => self.random.index(USERS.into()).try_into().unwrap(),
            targets => *self.random.pick(targets),
        };
        let account = *self.ours.account(our_user(of)).unwrap();
        let mut one_of = |bitmap: u128| {
            let set: Vec<usize> = (0..128).filter(|n| bitmap >> n & 1 != 0).collect();
            if set.is_empty() || self.random.one_in(8) {
                reserve
            } else {
                *self.random.pick(&set)
            }
        };
        let (collateral, debt) = (one_of(account.collateral), one_of(account.borrowing));
        let owed = self.ours.debt_balance(our_user(of), id(debt), now).unwrap();
        let step = Step::Liquidate {
            of,
            debt,
            amount: if self.random.one_in(3) {
                ALL
            } else {
                self.amount(debt, owed)
            },
            as_tokens: self.random.one_in(3),
        };
        (step, collateral)
    }

    /// A twentieth up or down, now and then a fifth, within a quarter and four times the start.
    fn price(&mut self, reserve: usize) -> Step {
        let start = self.listings[reserve].price;
        let now: u64 = self.real.price(reserve).to();
        let span = if self.random.one_in(4) { 200 } else { 50 };
        let moved = now / 1_000 * (1_000 - span + self.random.below(2 * span + 1));
        let moved = moved + self.random.below(1_000);
        Step::Price(U256::from(moved.clamp(start / 4, start * 4)))
    }

    /// A tenth to a third down.
    fn crash(&mut self, reserve: usize) -> Step {
        let now: u64 = self.real.price(reserve).to();
        let left = now / 1_000 * (667 + self.random.below(234));
        Step::Price(U256::from(left.max(self.listings[reserve].price / 4)))
    }

    fn parameter(&mut self, reserve: usize) -> Parameter {
        let config = *self.ours.reserve(id(reserve)).unwrap().config();
        let state = *self.ours.reserve(id(reserve)).unwrap().state();
        let unit = U256::from(10).pow(U256::from(config.decimals));
        // A cap just above what is there, or none.
        let mut cap = |scaled: U256| {
            let whole: u64 = (scaled / unit).saturating_to();
            if self.random.one_in(2) {
                0
            } else {
                let above = 1 + self.random.below(whole / 8 + 2);
                whole.saturating_add(above).min(1 << 35)
            }
        };
        let caps = (cap(state.scaled_supply), cap(state.scaled_debt));
        // Neither state lasts, or nothing would happen any more.
        if config.frozen || config.paused {
            return if config.frozen {
                Parameter::Frozen(false)
            } else {
                Parameter::Paused(false)
            };
        }
        match self.random.below(10) {
            0 if self.random.one_in(3) => Parameter::Frozen(true),
            1 if self.random.one_in(3) => Parameter::Paused(true),
            2 => Parameter::SupplyCap(caps.0),
            3 => Parameter::BorrowCap(caps.1),
            4 => Parameter::ReserveFactor(self.random.below(10_001).try_into().unwrap()),
            5 => Parameter::ProtocolFee(self.random.below(10_001).try_into().unwrap()),
            6 if reserve == ISOLATED => Parameter::DebtCeiling(1 + self.random.below(2_000_000)),
            _ => {
                let listing = &mut self.listings[reserve];
                listing.optimal_usage = self.random.between(100, 9_900).try_into().unwrap();
                listing.base_rate = self.random.below(200).try_into().unwrap();
                listing.slope1 = self.random.below(1_000).try_into().unwrap();
                listing.slope2 = listing.slope1 + u32::try_from(self.random.below(9_000)).unwrap();
                Parameter::Rates
            }
        }
    }
}
