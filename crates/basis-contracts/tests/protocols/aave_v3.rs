//! `basis_core::protocol::aave_v3` beside the pool's own bytecode, in both versions.
//!
//! Five users do at random whatever a pool allows and much that it does not, while prices, time and
//! parameters move. After every step each stored number of every reserve and user is the same on
//! both sides, and each refusal has the same reason.

use std::collections::BTreeMap;

use basis_contracts::aave::{self, EMode, Liquidation, USERS};
use basis_contracts::abi::call;
use basis_contracts::random::Random;
use basis_contracts::{Output, Revert as RealRevert, U256, args, user};
use basis_core::protocol::aave_v3::{
    ALL, EModeCategory, LiquidationCall, Market, Payer, PoolError, RateStrategy, ReserveConfig,
    ReserveId, ReserveState, Revert, Seconds, Seized, UserId, Version,
};

const USDC: usize = 0;
const WETH: usize = 1;
const WSTETH: usize = 2;
/// Siloed.
const WBTC: usize = 3;
/// Isolated collateral.
const ISOLATED: usize = 4;
/// No collateral at all.
const DAI: usize = 5;

fn listings() -> Vec<aave::ReserveConfig> {
    let ether = aave::ReserveConfig {
        symbol: "WETH",
        decimals: 18,
        price: 300_000_000_000,
        ltv: 8_050,
        liquidation_threshold: 8_300,
        liquidation_bonus: 10_500,
        reserve_factor: 1_500,
        optimal_usage: 8_000,
        slope1: 380,
        slope2: 8_000,
        ..aave::ReserveConfig::default()
    };
    vec![
        aave::ReserveConfig::default(),
        ether.clone(),
        aave::ReserveConfig {
            symbol: "wstETH",
            price: 345_000_000_000,
            ltv: 7_850,
            liquidation_threshold: 8_100,
            liquidation_bonus: 10_600,
            reserve_factor: 500,
            optimal_usage: 4_500,
            base_rate: 25,
            slope1: 450,
            ..ether.clone()
        },
        aave::ReserveConfig {
            symbol: "WBTC",
            decimals: 8,
            price: 6_000_000_000_000,
            ltv: 7_300,
            liquidation_threshold: 7_800,
            liquidation_protocol_fee: 0,
            ..ether.clone()
        },
        aave::ReserveConfig {
            symbol: "ISO",
            price: 700_000_000,
            ltv: 6_500,
            liquidation_threshold: 7_000,
            liquidation_bonus: 11_000,
            borrowing: false,
            ..ether.clone()
        },
        aave::ReserveConfig {
            symbol: "DAI",
            price: 100_000_000,
            ltv: 0,
            liquidation_threshold: 0,
            liquidation_bonus: 0,
            reserve_factor: 0,
            ..ether
        },
    ]
}

/// Ethers in 1, dollars in 2.
fn e_modes() -> [EMode; 2] {
    let terms = |category, reserves| EMode {
        category,
        ltv: 9_000,
        liquidation_threshold: 9_300,
        liquidation_bonus: 10_200,
        reserves,
    };
    [terms(1, vec![WETH, WSTETH]), terms(2, vec![USDC, DAI])]
}

fn id(reserve: usize) -> ReserveId {
    ReserveId(u8::try_from(reserve).unwrap())
}

fn our_user(n: u8) -> UserId {
    UserId(n.into())
}

/// Bits of the pool's packed parameters.
fn bits(packed: U256, from: usize, count: usize) -> u64 {
    ((packed >> from) & ((U256::ONE << count) - U256::ONE)).to()
}

fn small(packed: U256, from: usize) -> u16 {
    u16::try_from(bits(packed, from, 16)).unwrap()
}

/// The parameters as the pool packs them.
fn unpacked(packed: U256, listing: &aave::ReserveConfig, version: Version) -> ReserveConfig {
    let flag = |at| packed.bit(at);
    let e_mode_category = match version {
        Version::V3_0 => u8::try_from(bits(packed, 168, 8)).unwrap(),
        Version::V3_2 => 0,
    };
    ReserveConfig {
        decimals: u8::try_from(bits(packed, 48, 8)).unwrap(),
        ltv_bps: small(packed, 0),
        liquidation_threshold_bps: small(packed, 16),
        liquidation_bonus_bps: small(packed, 32),
        reserve_factor_bps: small(packed, 64),
        liquidation_protocol_fee_bps: small(packed, 152),
        borrow_cap: bits(packed, 80, 36),
        supply_cap: bits(packed, 116, 36),
        debt_ceiling: bits(packed, 212, 40),
        e_mode_category,
        active: flag(56),
        frozen: flag(57),
        borrowing_enabled: flag(58),
        paused: flag(60),
        borrowable_in_isolation: flag(61),
        siloed_borrowing: flag(62),
        flash_loan_enabled: flag(63),
        rate_strategy: strategy(listing, version),
    }
}

fn strategy(listing: &aave::ReserveConfig, version: Version) -> RateStrategy {
    let (optimal, base) = (listing.optimal_usage, listing.base_rate);
    let (slope1, slope2) = (listing.slope1, listing.slope2);
    let ray = |bps: u32| u128::from(bps) * 10_u128.pow(23);
    match version {
        Version::V3_0 => {
            RateStrategy::from_ray(ray(optimal.into()), ray(base), ray(slope1), ray(slope2))
        }
        Version::V3_2 => RateStrategy::from_bps(optimal, base, slope1, slope2),
    }
    .unwrap()
}

/// What a reserve's parameters are changed to.
#[derive(Clone, Copy, Debug)]
enum Parameter {
    Frozen(bool),
    Paused(bool),
    SupplyCap(u64),
    BorrowCap(u64),
    ReserveFactor(u16),
    ProtocolFee(u16),
    DebtCeiling(u64),
    Rates,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Supply(U256),
    Withdraw(U256),
    Borrow(U256),
    Repay(U256),
    RepayFor(u8, U256),
    EMode(u8),
    UseAsCollateral(bool),
    Liquidate {
        of: u8,
        debt: usize,
        amount: U256,
        as_tokens: bool,
    },
    FlashLoan(U256),
    MintToTreasury,
    Price(U256),
    Configure(Parameter),
}

/// The same market twice.
struct Twins {
    real: aave::Market,
    ours: Market,
    version: Version,
    listings: Vec<aave::ReserveConfig>,
    random: Random,
    /// Successes by step, and refusals by reason.
    seen: BTreeMap<String, u32>,
}

impl Twins {
    fn new(version: Version, seed: u64) -> Option<Self> {
        let real_version = match version {
            Version::V3_0 => aave::Version::V30,
            Version::V3_2 => aave::Version::V32,
        };
        let (listings, e_modes) = (listings(), e_modes());
        let mut real = aave::Market::new(real_version, &listings, &e_modes)?;
        let mut set = |signature: &str, reserve: usize, value: U256| {
            let asset = real.asset(reserve);
            real.configure(signature, args![asset, value]).unwrap();
        };
        let yes = U256::ONE;
        set("setSiloedBorrowing(address,bool)", WBTC, yes);
        set(
            "setDebtCeiling(address,uint256)",
            ISOLATED,
            U256::from(10_000_000),
        );
        set("setBorrowableInIsolation(address,bool)", USDC, yes);
        set("setBorrowableInIsolation(address,bool)", DAI, yes);
        let premium = "updateFlashloanPremiumToProtocol(uint128)";
        real.configure(premium, args![3_000_u64]).unwrap();

        let mut ours = Market::new(version);
        for (reserve, listing) in listings.iter().enumerate() {
            let packed = real.reserve(reserve).configuration;
            let mut state = ReserveState::listed(U256::from(listing.price));
            // The synchronisation of 3.2 has touched it while it was listed.
            let stored = real.reserve(reserve);
            state.last_update = stored.last_update;
            state.rates.variable_borrow_rate_ray = stored.variable_borrow_rate.to();
            ours.add_reserve(unpacked(packed, listing, version), state)
                .unwrap();
        }
        for e_mode in &e_modes {
            let bitmap = e_mode.reserves.iter().fold(0, |bits, n| bits | 1 << n);
            let category = EModeCategory {
                ltv_bps: e_mode.ltv,
                liquidation_threshold_bps: e_mode.liquidation_threshold,
                liquidation_bonus_bps: e_mode.liquidation_bonus,
                collateral: bitmap,
                borrowable: bitmap,
            };
            ours.set_e_mode_category(e_mode.category, category).unwrap();
        }
        if version == Version::V3_2 {
            one_sided_e_mode(&mut real, &mut ours);
        }
        ours.set_flash_loan_premiums(5, 3_000);
        for _ in 0..USERS {
            ours.add_user().unwrap();
        }
        Some(Self {
            real,
            ours,
            version,
            listings,
            random: Random::new(seed),
            seen: BTreeMap::new(),
        })
    }

    fn now(&self) -> Seconds {
        self.real.evm.time()
    }

    /// Mostly seconds and hours, now and then days.
    fn wait(&mut self) {
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
            77..86 => return self.liquidation(by, reserve),
            86..89 => {
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
    fn alone(&mut self, by: u8, reserve: usize) -> (Step, usize) {
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

    /// Does the step on both sides and compares the answers.
    fn take(&mut self, n: usize, by: u8, reserve: usize, step: Step) {
        let real = self.on_the_contracts(by, reserve, step);
        let ours = self.on_ours(by, reserve, step);
        let context = || format!("step {n}: user {by}, reserve {reserve}, {step:?}");
        let name = format!("{step:?}");
        let name = name.split(['(', ' ', '{']).next().unwrap();
        let key = match (&real, &ours) {
            (Ok(real), Ok(ours)) => {
                assert_eq!(real, ours, "{}", context());
                name.to_owned()
            }
            (Err(real), Err(ours)) => {
                let meant = meaning(real);
                let same = meant == *ours || (meant == Revert::Math && *ours == Revert::Price);
                assert!(same, "{}: {real:?} is not {ours:?}", context());
                format!("{ours}")
            }
            _ => panic!("{}: {real:?} but {ours:?}", context()),
        };
        *self.seen.entry(key).or_default() += 1;
    }

    /// Amounts moved, where the contract says so; else nothing.
    fn on_the_contracts(
        &mut self,
        by: u8,
        reserve: usize,
        step: Step,
    ) -> Result<Option<U256>, RealRevert> {
        let (real, who) = (&mut self.real, user(by));
        let none = |done: Result<Output, RealRevert>| done.map(|_| None);
        match step {
            Step::Supply(amount) => none(real.supply(who, reserve, amount)),
            Step::Withdraw(amount) => real.withdraw(who, reserve, amount).map(Some),
            Step::Borrow(amount) => none(real.borrow(who, reserve, amount)),
            Step::Repay(amount) => real.repay(who, reserve, amount).map(Some),
            Step::RepayFor(of, amount) => {
                let asset = real.asset(reserve);
                let data = call(
                    "repay(address,uint256,uint256,address)",
                    args![asset, amount, 2_u8, user(of)],
                );
                let pool = real.pool;
                real.evm.send(who, pool, data).map(|out| Some(out.word(0)))
            }
            Step::EMode(category) => none(real.set_e_mode(who, category)),
            Step::UseAsCollateral(used) => none(real.set_collateral(who, reserve, used)),
            Step::Liquidate {
                of,
                debt,
                amount,
                as_tokens,
            } => none(real.liquidate(
                who,
                Liquidation {
                    collateral: reserve,
                    debt,
                    user: user(of),
                    debt_to_cover: amount,
                    receive_a_token: as_tokens,
                },
            )),
            Step::FlashLoan(amount) => none(real.flash_loan(reserve, amount)),
            Step::MintToTreasury => {
                real.mint_to_treasury(reserve);
                Ok(None)
            }
            Step::Price(price) => {
                real.set_price(reserve, price);
                Ok(None)
            }
            Step::Configure(parameter) => {
                self.configure(reserve, parameter);
                Ok(None)
            }
        }
    }

    fn configure(&mut self, reserve: usize, parameter: Parameter) {
        let asset = self.real.asset(reserve);
        let (signature, value) = match parameter {
            Parameter::Rates => {
                self.real.set_rates(reserve, &self.listings[reserve]);
                return;
            }
            Parameter::Frozen(on) => ("setReserveFreeze(address,bool)", u64::from(on)),
            Parameter::Paused(on) => ("setReservePause(address,bool)", u64::from(on)),
            Parameter::SupplyCap(cap) => ("setSupplyCap(address,uint256)", cap),
            Parameter::BorrowCap(cap) => ("setBorrowCap(address,uint256)", cap),
            Parameter::ReserveFactor(bps) => ("setReserveFactor(address,uint256)", bps.into()),
            Parameter::ProtocolFee(bps) => {
                ("setLiquidationProtocolFee(address,uint256)", bps.into())
            }
            Parameter::DebtCeiling(ceiling) => ("setDebtCeiling(address,uint256)", ceiling),
        };
        self.real.configure(signature, args![asset, value]).unwrap();
    }

    fn on_ours(&mut self, by: u8, reserve: usize, step: Step) -> Result<Option<U256>, Revert> {
        let (now, who, id) = (self.now(), our_user(by), id(reserve));
        let ours = &mut self.ours;
        match step {
            Step::Supply(amount) => ours.supply(who, id, amount, now).map(|_| None),
            Step::Withdraw(amount) => ours
                .withdraw(who, id, amount, now)
                .map(|done| Some(done.amount)),
            Step::Borrow(amount) => ours.borrow(who, id, amount, now).map(|_| None),
            Step::Repay(amount) => ours
                .repay(who, id, amount, Payer::Debtor, now)
                .map(|done| Some(done.amount)),
            Step::RepayFor(of, amount) => {
                let payer = if of == by {
                    Payer::Debtor
                } else {
                    Payer::Other
                };
                ours.repay(our_user(of), id, amount, payer, now)
                    .map(|done| Some(done.amount))
            }
            Step::EMode(category) => ours.set_user_e_mode(who, category, now).map(|()| None),
            Step::UseAsCollateral(used) => {
                ours.set_use_as_collateral(who, id, used, now).map(|_| None)
            }
            Step::Liquidate {
                of,
                debt,
                amount,
                as_tokens,
            } => {
                let call = LiquidationCall {
                    user: our_user(of),
                    collateral: id,
                    debt: ReserveId(debt.try_into().unwrap()),
                    debt_to_cover: amount,
                    seized: if as_tokens {
                        Seized::AToken(who)
                    } else {
                        Seized::Underlying
                    },
                };
                ours.liquidation_call(call, now).map(|_| None)
            }
            Step::FlashLoan(amount) => ours.flash_loan_simple(id, amount, now).map(|_| None),
            Step::MintToTreasury => ours.mint_to_treasury(id, now).map(|_| None),
            Step::Price(price) => ours.set_price(id, price).map(|()| None),
            Step::Configure(_) => {
                let packed = self.real.reserve(reserve).configuration;
                let config = unpacked(packed, &self.listings[reserve], self.version);
                ours.set_config(id, config, now).map(|()| None)
            }
        }
    }

    /// Everything that is stored, on both sides.
    fn compare_state(&self, n: usize) {
        for reserve in 0..self.listings.len() {
            let (real, id) = (self.real.reserve(reserve), id(reserve));
            let ours = self.ours.reserve(id).unwrap().state();
            let cash = match self.version {
                Version::V3_0 => real.cash,
                Version::V3_2 => real.virtual_underlying,
            };
            let pairs = [
                (real.liquidity_index, ours.liquidity_index_ray),
                (real.variable_borrow_index, ours.variable_borrow_index_ray),
                (real.liquidity_rate, ours.rates.liquidity_rate_ray),
                (
                    real.variable_borrow_rate,
                    ours.rates.variable_borrow_rate_ray,
                ),
                (U256::from(real.last_update), ours.last_update.into()),
                (real.accrued_to_treasury, ours.accrued_to_treasury),
                (real.isolation_mode_total_debt, ours.isolation_total_debt),
                (
                    self.real
                        .user_reserve(self.real.treasury, reserve)
                        .scaled_supply,
                    ours.treasury_scaled_supply,
                ),
            ];
            for (field, (real, ours)) in pairs.into_iter().enumerate() {
                assert_eq!(real, U256::from(ours), "step {n}: {field} of {reserve}");
            }
            assert_eq!(
                real.scaled_supply, ours.scaled_supply,
                "step {n}: {reserve}"
            );
            assert_eq!(
                real.scaled_variable_debt, ours.scaled_debt,
                "step {n}: {reserve}"
            );
            assert_eq!(cash, ours.cash, "step {n}: cash of {reserve}");
            for who in 0..USERS {
                let real = self.real.user_reserve(user(who), reserve);
                let ours = self.ours.position(our_user(who), id).unwrap();
                let account = self.ours.account(our_user(who)).unwrap();
                let real = (
                    real.scaled_supply,
                    real.scaled_variable_debt,
                    real.is_collateral,
                    real.is_borrowing,
                );
                let ours = (
                    U256::from(ours.scaled_supply),
                    U256::from(ours.scaled_debt),
                    account.collateral & 1 << reserve != 0,
                    account.borrowing & 1 << reserve != 0,
                );
                assert_eq!(real, ours, "step {n}: user {who} in {reserve}");
            }
        }
        for who in 0..USERS {
            let ours = self.ours.account(our_user(who)).unwrap().e_mode;
            assert_eq!(self.real.e_mode(user(who)), ours, "step {n}: user {who}");
        }
    }

    /// What the pool computes on being asked.
    fn compare_account(&mut self, n: usize, who: u8) {
        let real = self.real.account(user(who)).unwrap();
        let ours = self.ours.account_data(our_user(who), self.now()).unwrap();
        let real = [
            real.total_collateral_base,
            real.total_debt_base,
            real.available_borrows_base,
            real.current_liquidation_threshold,
            real.ltv,
            real.health_factor,
        ];
        let ours = [
            ours.total_collateral_base,
            ours.total_debt_base,
            ours.available_borrows_base,
            U256::from(ours.current_liquidation_threshold_bps),
            U256::from(ours.ltv_bps),
            ours.health_factor_wad,
        ];
        assert_eq!(real, ours, "step {n}: account of user {who}");
    }

    /// A step that both sides take.
    fn expect(&mut self, by: u8, reserve: usize, step: Step) {
        let before: u32 = self.seen.values().sum();
        self.take(0, by, reserve, step);
        let name = format!("{step:?}");
        let name = name.split(['(', ' ', '{']).next().unwrap();
        assert!(self.seen.contains_key(name), "{step:?} after {before}");
        self.compare_state(0);
        self.compare_account(0, by);
    }

    /// A step that both sides refuse.
    fn refuse(&mut self, by: u8, reserve: usize, step: Step) {
        let before = self.ours.clone();
        self.take(0, by, reserve, step);
        assert_eq!(self.ours, before);
        self.compare_state(0);
    }

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

/// wstETH as collateral only and WETH to be borrowed only: what 3.0 cannot say.
fn one_sided_e_mode(real: &mut aave::Market, ours: &mut Market) {
    let (ltv, threshold, bonus) = (9_300_u16, 9_500_u16, 10_100_u16);
    real.add_e_mode(&EMode {
        category: 3,
        ltv,
        liquidation_threshold: threshold,
        liquidation_bonus: bonus,
        reserves: Vec::new(),
    });
    let (collateral, debt) = (real.asset(WSTETH), real.asset(WETH));
    for (what, asset) in [("Collateral", collateral), ("Borrowable", debt)] {
        let signature = format!("setAsset{what}InEMode(address,uint8,bool)");
        real.configure(&signature, args![asset, 3_u8, true])
            .unwrap();
    }
    let category = EModeCategory {
        ltv_bps: ltv,
        liquidation_threshold_bps: threshold,
        liquidation_bonus_bps: bonus,
        collateral: 1 << WSTETH,
        borrowable: 1 << WETH,
    };
    ours.set_e_mode_category(3, category).unwrap();
}

/// A contract's reason, as this module says it.
fn meaning(revert: &RealRevert) -> Revert {
    match revert {
        RealRevert::Panic(0x11) => Revert::Arithmetic,
        RealRevert::Panic(0x12) => Revert::DivisionByZero,
        RealRevert::Empty => Revert::Math,
        RealRevert::Text(text) => match text.as_str() {
            "ERC20: transfer amount exceeds balance" => Revert::Underlying,
            "SafeCast: value doesn't fit in 128 bits" => Revert::Cast,
            code => PoolError::from_code(code.parse().unwrap()).unwrap().into(),
        },
        other => panic!("{other:?}"),
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

const STEPS: usize = 20_000;

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
fn twenty_thousand_random_steps_of_3_0_leave_no_difference() {
    let Some(mut twins) = Twins::new(Version::V3_0, 20_261_122) else {
        return;
    };
    twins.run(STEPS);
    twins.assert_seen(SEEN, 5);
    twins.assert_seen(&["Liquidate"], 100);
}

#[test]
fn twenty_thousand_random_steps_of_3_2_leave_no_difference() {
    let Some(mut twins) = Twins::new(Version::V3_2, 20_261_123) else {
        return;
    };
    twins.run(STEPS);
    twins.assert_seen(SEEN, 5);
    twins.assert_seen(&["aave pool error 100", "aave pool error 57"], 5);
    twins.assert_seen(&["Liquidate"], 100);
}
