//! The same market twice: the contracts' and ours.

use std::collections::BTreeMap;

use basis_contracts::aave::{self, EMode, Liquidation, USERS};
use basis_contracts::abi::call;
use basis_contracts::random::Random;
use basis_contracts::{Output, Revert as RealRevert, U256, args, user};
use basis_protocols::aave_v3::{
    EModeCategory, LiquidationCall, Market, Payer, PoolError, RateStrategy, ReserveConfig,
    ReserveId, ReserveState, Revert, Seconds, Seized, UserId, Version,
};

pub(super) const USDC: usize = 0;
pub(super) const WETH: usize = 1;
pub(super) const WSTETH: usize = 2;
/// Siloed.
pub(super) const WBTC: usize = 3;
/// Isolated collateral.
pub(super) const ISOLATED: usize = 4;
/// No collateral at all.
pub(super) const DAI: usize = 5;

pub(super) fn listings() -> Vec<aave::ReserveConfig> {
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
pub(super) fn e_modes() -> [EMode; 2] {
    let terms = |category, reserves| EMode {
        category,
        ltv: 9_000,
        liquidation_threshold: 9_300,
        liquidation_bonus: 10_200,
        reserves,
    };
    [terms(1, vec![WETH, WSTETH]), terms(2, vec![USDC, DAI])]
}

pub(super) fn id(reserve: usize) -> ReserveId {
    ReserveId(u8::try_from(reserve).unwrap())
}

pub(super) fn our_user(n: u8) -> UserId {
    UserId(n.into())
}

/// Bits of the pool's packed parameters.
pub(super) fn bits(packed: U256, from: usize, count: usize) -> u64 {
    ((packed >> from) & ((U256::ONE << count) - U256::ONE)).to()
}

pub(super) fn small(packed: U256, from: usize) -> u16 {
    u16::try_from(bits(packed, from, 16)).unwrap()
}

/// The parameters as the pool packs them.
pub(super) fn unpacked(
    packed: U256,
    listing: &aave::ReserveConfig,
    version: Version,
) -> ReserveConfig {
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

pub(super) fn strategy(listing: &aave::ReserveConfig, version: Version) -> RateStrategy {
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
pub(super) enum Parameter {
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
pub(super) enum Step {
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

/// What happens while a flash loan is out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Inside {
    Borrow,
    Withdraw,
}

/// The same market twice.
pub(super) struct Twins {
    pub(super) real: aave::Market,
    pub(super) ours: Market,
    pub(super) version: Version,
    pub(super) listings: Vec<aave::ReserveConfig>,
    pub(super) random: Random,
    /// Successes by step, and refusals by reason.
    pub(super) seen: BTreeMap<String, u32>,
}

impl Twins {
    pub(super) fn new(version: Version, seed: u64) -> Option<Self> {
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

    pub(super) fn now(&self) -> Seconds {
        self.real.evm.time()
    }

    /// Does the step on both sides and compares the answers.
    pub(super) fn take(&mut self, n: usize, by: u8, reserve: usize, step: Step) {
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
    pub(super) fn on_the_contracts(
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

    pub(super) fn configure(&mut self, reserve: usize, parameter: Parameter) {
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

    pub(super) fn on_ours(
        &mut self,
        by: u8,
        reserve: usize,
        step: Step,
    ) -> Result<Option<U256>, Revert> {
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
    pub(super) fn compare_state(&self, n: usize) {
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
    pub(super) fn compare_account(&mut self, n: usize, who: u8) {
        let real = self.real.account(user(who)).map(|data| {
            [
                data.total_collateral_base,
                data.total_debt_base,
                data.available_borrows_base,
                data.current_liquidation_threshold,
                data.ltv,
                data.health_factor,
            ]
        });
        let real = real.map_err(|refused| meaning(&refused));
        let ours = self.ours.account_data(our_user(who), self.now());
        let ours = ours.map(|data| {
            [
                data.total_collateral_base,
                data.total_debt_base,
                data.available_borrows_base,
                U256::from(data.current_liquidation_threshold_bps),
                U256::from(data.ltv_bps),
                data.health_factor_wad,
            ]
        });
        assert_eq!(real, ours, "step {n}: account of user {who}");
    }

    /// A step that both sides take.
    pub(super) fn expect(&mut self, by: u8, reserve: usize, step: Step) {
        let before: u32 = self.seen.values().sum();
        self.take(0, by, reserve, step);
        let name = format!("{step:?}");
        let name = name.split(['(', ' ', '{']).next().unwrap();
        assert!(self.seen.contains_key(name), "{step:?} after {before}");
        self.compare_state(0);
        self.compare_account(0, by);
    }

    /// A flash loan of dollars in which the borrower takes more dollars out, on both sides.
    pub(super) fn inside(&mut self, n: usize, by: u8, loan: U256, (kind, taken): (Inside, U256)) {
        let who = user(by);
        let inner = match kind {
            Inside::Borrow => self.real.borrow_call(who, USDC, taken),
            Inside::Withdraw => self.real.withdraw_call(who, USDC, taken),
        };
        let real = self.real.flash_loan_around(who, USDC, loan, inner);
        let (now, before) = (self.now(), self.ours.clone());
        let ours = &mut self.ours;
        let done = ours.begin_flash_loan(id(USDC), loan, now).and_then(|lent| {
            match kind {
                Inside::Borrow => ours.borrow(our_user(by), id(USDC), taken, now)?,
                Inside::Withdraw => ours.withdraw(our_user(by), id(USDC), taken, now)?,
            };
            ours.end_flash_loan(lent, now)
        });
        let key = match (&real, &done) {
            (Ok(_), Ok(_)) => "inside: done",
            (Err(real), Err(ours)) => {
                assert_eq!(meaning(real), *ours, "step {n}: {kind:?} {taken}: {real:?}");
                self.ours = before;
                "inside: refused"
            }
            _ => panic!("step {n}: {kind:?} {taken}: {real:?} but {done:?}"),
        };
        *self.seen.entry(key.to_owned()).or_default() += 1;
        self.compare_state(n);
        self.compare_account(n, by);
    }

    /// A step that both sides refuse.
    pub(super) fn refuse(&mut self, by: u8, reserve: usize, step: Step) {
        let before = self.ours.clone();
        self.take(0, by, reserve, step);
        assert_eq!(self.ours, before);
        self.compare_state(0);
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
pub(super) fn meaning(revert: &RealRevert) -> Revert {
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
