//! The Morpho Blue mathematics against the contract: random sequences, equal in every answer, every
//! refusal and all state.

use std::collections::BTreeMap;

use basis_protocols::morpho_blue::{
    Accrual, AdaptiveCurve, AmountInput, InterestRateModel, Liquidation, LiquidationInput, Market,
    MarketTerms, Moved, Position, Refusal, Totals, User, flash_loan,
};

use basis_contracts::abi::{call, mapping_slot, tuple};
use basis_contracts::args;
use basis_contracts::callback::calling_back;
use basis_contracts::morpho::{self as chain, Amount, Irm, USERS};
use basis_contracts::random::Random;
use basis_contracts::{ADMIN, GENESIS, Output, Revert, U256, user};

const DAY: u64 = 86_400;
const YEAR: u64 = 365 * DAY;
const WAD: u64 = 1_000_000_000_000_000_000;
const PARAMS: &str = "(address,address,address,address,uint256)";

/// The fee recipient of the fixture, who is none of the users.
const RECIPIENT: User = User(USERS as u16);

/// Steps in each of the twelve markets.
const STEPS: u32 = 1_250;

/// How often at least an operation ends in a way, over all markets.
const EXPECTED_ENDINGS: &[(&str, u32)] = &[
    ("supply: done", 1_000),
    ("withdraw: done", 500),
    ("withdraw: insufficient liquidity", 10),
    (
        "withdraw: panic: arithmetic underflow or overflow (0x11)",
        100,
    ),
    ("borrow: done", 500),
    ("borrow: insufficient collateral", 100),
    ("borrow: insufficient liquidity", 10),
    ("borrow: max uint128 exceeded", 10),
    ("repay: done", 500),
    ("repay: inconsistent input", 50),
    ("repay: panic: arithmetic underflow or overflow (0x11)", 100),
    ("supply collateral: done", 1_000),
    ("supply collateral: zero assets", 50),
    ("withdraw collateral: done", 500),
    ("withdraw collateral: insufficient collateral", 50),
    ("liquidate: done", 200),
    ("liquidate: position is healthy", 200),
    ("liquidate: panic: division or modulo by zero (0x12)", 20),
    ("bad debt", 100),
    ("accrue: done", 100),
    ("set fee: done", 50),
    ("set fee: max fee exceeded", 10),
    ("set recipient: done", 50),
];

/// A market on the chain and its model, driven together.
struct Pair {
    chain: chain::Market,
    model: Market,
    random: Random,
    /// Bits of a typical amount of the loan and of the collateral asset.
    bits: (u32, u32),
    base_price: U256,
    price: U256,
    /// How often each operation ended in which way.
    counts: BTreeMap<String, u32>,
}

/// Twelve markets: tokens of 6, 8 and 18 decimals, loan-to-values from 0 to 98 %, fees up to 25 %.
fn configurations() -> impl Iterator<Item = chain::Config> {
    let decimals = [(6, 18), (18, 18), (6, 8), (8, 6)];
    let lltvs = [860, 945, 980, 625, 770, 0, 860, 915, 385, 860, 860, 945];
    let fees = [100, 0, 250, 0, 50, 100];
    (0..12_usize).map(move |n| {
        let (loan_decimals, collateral_decimals) = decimals[n % decimals.len()];
        chain::Config {
            loan_decimals,
            collateral_decimals,
            lltv: U256::from(lltvs[n]) * U256::from(WAD / 1_000),
            fee: U256::from(fees[n % fees.len()]) * U256::from(WAD / 1_000),
            irm: if n % 6 == 5 {
                Irm::Fixed
            } else {
                Irm::Adaptive
            },
        }
    })
}

impl Pair {
    fn new(config: chain::Config, seed: u64) -> Option<Self> {
        let mut chain = chain::Market::new(config)?;
        let mut random = Random::new(seed);
        let irm = match config.irm {
            Irm::Adaptive => InterestRateModel::AdaptiveCurve(AdaptiveCurve::untouched()),
            Irm::Fixed => {
                let rate = 1 + random.below(20_000_000_000);
                chain.set_rate(U256::from(rate));
                InterestRateModel::FixedRate(rate.try_into().unwrap())
            }
        };
        let terms = MarketTerms {
            lltv_wad: config.lltv,
            fee_wad: config.fee.to(),
            fee_recipient: RECIPIENT,
            irm,
        };
        let model = Market::create(terms, GENESIS).unwrap();
        let base_price = chain.price();
        let bits = |decimals: u8| u32::from(decimals) * 10 / 3 + 24;
        Some(Self {
            chain,
            model,
            random,
            bits: (bits(config.loan_decimals), bits(config.collateral_decimals)),
            base_price,
            price: base_price,
            counts: BTreeMap::new(),
        })
    }

    fn now(&self) -> u64 {
        self.chain.evm.time()
    }

    /// Does something after a while; false when the market is beyond it: after centuries of interest
    /// the contract can accrue no more, and nothing but collateral moves.
    fn step(&mut self) -> bool {
        let wait = match self.random.below(100) {
            0..30 => 0,
            30..70 => 1 + self.random.below(120),
            70..92 => 1 + self.random.below(DAY),
            92..99 => 1 + self.random.below(30 * DAY),
            _ => 1 + self.random.below(YEAR),
        };
        self.chain.evm.advance(wait);
        if self.model.expected_totals(self.now()).is_err() {
            self.accrue();
            return false;
        }
        let who = self.random.index(usize::from(USERS));
        let who = User(u16::try_from(who).unwrap());
        match self.random.below(100) {
            0..14 => self.supply(who),
            14..27 => self.withdraw(who),
            27..44 => self.borrow(who),
            44..56 => {
                let who = self.debtor(who, |_, _| true);
                self.repay(who);
            }
            56..70 => self.supply_collateral(who),
            70..80 => self.withdraw_collateral(who),
            80..89 => self.liquidate(who),
            89..95 => self.move_price(),
            95..97 => self.accrue(),
            97..98 => self.set_fee(),
            98..99 => self.set_fee_recipient(who),
            _ => self.crash(),
        }
        self.compare();
        true
    }

    /// A loan amount in one of the two ways, of any size, `most` or next to it as likely as not.
    fn amount(&mut self, most_assets: U256, all_shares: U256) -> Amount {
        let near = U256::from(self.random.below(3));
        let (assets, shares) = (!most_assets.is_zero(), !all_shares.is_zero());
        match self.random.below(20) {
            2..5 if assets => Amount::Assets((most_assets + near).saturating_sub(U256::ONE)),
            5..8 if shares => Amount::Shares((all_shares + near).saturating_sub(U256::ONE)),
            8..13 if assets => Amount::Assets(self.random.uint(U256::ONE, most_assets)),
            13..17 if shares => Amount::Shares(self.random.uint(U256::ONE, all_shares)),
            17 => Amount::Assets(self.random.amount(140)),
            18 => Amount::Shares(U256::ZERO),
            n if n % 2 == 0 => Amount::Assets(self.random.amount(self.bits.0)),
            _ => Amount::Shares(self.random.amount(self.bits.0 + 20)),
        }
    }

    fn supply(&mut self, who: User) {
        let most = U256::ONE << self.bits.0;
        let amount = self.amount(most, most << 20);
        let paid = |moved: &Moved| moved.assets;
        let (mut next, now) = (self.model.clone(), self.now());
        let expected = next.supply(who, input(amount), now);
        let expected = self.with_wallet(who, expected, paid);
        let actual = self.chain.supply(address(who), amount);
        self.settle("supply", next, expected, actual, pair_of);
    }

    /// Mostly a user whose debt is `wanted`, if there is one; else `who`.
    fn debtor(&mut self, who: User, wanted: impl Fn(&Self, User) -> bool) -> User {
        let users = (0..u16::from(USERS)).map(User);
        let mut users = users.filter(|who| self.model.position(*who).borrow_shares > 0);
        let found = users.find(|who| wanted(self, *who));
        found.filter(|_| !self.random.one_in(8)).unwrap_or(who)
    }

    fn withdraw(&mut self, who: User) {
        let (mut next, now) = (self.model.clone(), self.now());
        let most = next.max_withdraw(who, now).unwrap();
        let amount = self.amount(most, next.position(who).supply_shares);
        let expected = next.withdraw(who, input(amount), now);
        if amount == Amount::Assets(most) && !most.is_zero() {
            expected.unwrap();
        }
        let actual = self.chain.withdraw(address(who), amount);
        self.settle("withdraw", next, expected.map_err(Some), actual, pair_of);
    }

    fn borrow(&mut self, who: User) {
        let (mut next, now) = (self.model.clone(), self.now());
        let most = next.max_borrow(who, self.price, now).unwrap();
        let shares = next.position(who).borrow_shares;
        let amount = self.amount(most, U256::from(shares));
        let expected = next.borrow(who, input(amount), self.price, now);
        if amount == Amount::Assets(most) && !most.is_zero() {
            expected.unwrap();
        }
        let actual = self.chain.borrow(address(who), amount);
        self.settle("borrow", next, expected.map_err(Some), actual, pair_of);
    }

    fn repay(&mut self, who: User) {
        let (mut next, now) = (self.model.clone(), self.now());
        let owed = next.expected_borrow_assets(who, now).unwrap();
        let shares = next.position(who).borrow_shares;
        let amount = self.amount(owed, U256::from(shares));
        let expected = next.repay(who, input(amount), now);
        let expected = self.with_wallet(who, expected, |moved| moved.assets);
        let actual = self.chain.repay(address(who), amount);
        self.settle("repay", next, expected, actual, pair_of);
    }

    fn supply_collateral(&mut self, who: User) {
        let assets = match self.random.below(20) {
            0 => U256::ZERO,
            1 => self.random.amount(140),
            _ => self.random.amount(self.bits.1),
        };
        let mut next = self.model.clone();
        let expected = next.supply_collateral(who, assets);
        let held = self.chain.collateral.balance(&self.chain.evm, address(who));
        let expected = match expected {
            Ok(()) if assets > held => Err(None),
            other => other.map_err(Some),
        };
        let actual = self.chain.supply_collateral(address(who), assets);
        self.settle(
            "supply collateral",
            next,
            expected,
            actual.map(drop),
            |()| (),
        );
    }

    fn withdraw_collateral(&mut self, who: User) {
        let (mut next, now) = (self.model.clone(), self.now());
        let most = next.max_withdraw_collateral(who, self.price, now).unwrap();
        let assets = match self.random.below(10) {
            0 => U256::ZERO,
            1 => self.random.amount(self.bits.1),
            2 => most,
            3 => most + U256::ONE,
            4 => U256::from(next.position(who).collateral),
            _ => self.random.uint(U256::ZERO, most),
        };
        let expected = next.withdraw_collateral(who, assets, self.price, now);
        if assets == most && !most.is_zero() {
            expected.unwrap();
        }
        let actual = self.chain.withdraw_collateral(address(who), assets);
        let expected = expected.map(drop).map_err(Some);
        self.settle(
            "withdraw collateral",
            next,
            expected,
            actual.map(drop),
            |()| (),
        );
    }

    fn liquidate(&mut self, by: User) {
        let now = self.now();
        let borrower = self.random.index(usize::from(USERS));
        let borrower = User(u16::try_from(borrower).unwrap());
        let borrower = self.debtor(borrower, |pair, who| {
            let health = pair.model.health(who, pair.price, now);
            health.is_ok_and(|health| !health.is_healthy)
        });
        let position = self.model.position(borrower);
        let (collateral, shares) = (position.collateral, position.borrow_shares);
        let (collateral, shares) = (U256::from(collateral), U256::from(shares));
        let near = U256::from(self.random.below(3));
        let full = self.model.full_liquidation(borrower, self.price, now);
        let amount = match (self.random.below(8), full) {
            (0..3, Ok(full)) => by_liquidator(full),
            (3, _) => Amount::Assets((collateral + near).saturating_sub(U256::ONE)),
            (4, _) => Amount::Shares((shares + near).saturating_sub(U256::ONE)),
            (5, _) => Amount::Assets(self.random.amount(self.bits.1)),
            (6, _) => Amount::Assets(self.random.uint(U256::ZERO, collateral)),
            _ => Amount::Shares(self.random.uint(U256::ZERO, shares)),
        };
        self.liquidate_by(by, borrower, amount);
    }

    fn liquidate_by(&mut self, by: User, borrower: User, amount: Amount) {
        let (mut next, now) = (self.model.clone(), self.now());
        let expected = next.liquidate(borrower, liquidator(amount), self.price, now);
        if expected.is_ok_and(|done| done.bad_debt_assets > 0) {
            *self.counts.entry("bad debt".into()).or_default() += 1;
        }
        let expected = self.with_wallet(by, expected, |done| done.repaid_assets);
        let actual = self.chain.liquidate(address(by), address(borrower), amount);
        let answer = |done: Liquidation| (done.seized_assets, done.repaid_assets);
        self.settle("liquidate", next, expected, actual, answer);
    }

    fn move_price(&mut self) {
        let base = self.base_price;
        let (low, high) = (base - base / U256::from(3), base + base / U256::from(3));
        self.price = self.random.uint(low, high);
        self.chain.set_price(self.price);
    }

    /// The price falls to a tenth or to nothing, everybody who can be is liquidated, and it recovers.
    fn crash(&mut self) {
        let divisor = 3 + self.random.below(8);
        let before = self.price;
        self.price = match self.random.below(8) {
            0 => U256::ZERO,
            _ => before / U256::from(divisor),
        };
        self.chain.set_price(self.price);
        for borrower in (0..u16::from(USERS)).map(User) {
            let now = self.now();
            if let Ok(full) = self.model.full_liquidation(borrower, self.price, now) {
                let by = User((borrower.0 + 1) % u16::from(USERS));
                if self.price.is_zero() {
                    self.liquidate_by(by, borrower, Amount::Shares(U256::ONE));
                }
                self.liquidate_by(by, borrower, by_liquidator(full));
            }
        }
        self.price = before;
        self.chain.set_price(before);
    }

    fn accrue(&mut self) {
        let (mut next, now) = (self.model.clone(), self.now());
        let expected = next.accrue_interest(now);
        let actual = self.chain.accrue_interest();
        if let (Ok(accrual), Ok(output)) = (expected, &actual)
            && let Some(event) = event_of(output, self.chain.morpho)
        {
            let Accrual {
                borrow_rate_wad,
                interest_assets,
                fee_shares,
                ..
            } = accrual;
            assert_eq!(event, [borrow_rate_wad, interest_assets, fee_shares]);
        }
        let expected = expected.map(drop).map_err(Some);
        self.settle("accrue", next, expected, actual.map(drop), |()| ());
    }

    fn set_fee(&mut self) {
        let fee = match self.random.below(6) {
            0 => U256::from(self.model.terms().fee_wad),
            1 => U256::from(WAD / 4 + 1),
            2 => U256::ZERO,
            _ => U256::from(self.random.below(WAD / 4 + 1)),
        };
        let (mut next, now) = (self.model.clone(), self.now());
        let expected = next.set_fee(fee, now).map(drop).map_err(Some);
        let actual = self.chain.set_fee(fee).map(drop);
        self.settle("set fee", next, expected, actual, |()| ());
    }

    fn set_fee_recipient(&mut self, who: User) {
        let who = if self.random.one_in(2) {
            RECIPIENT
        } else {
            who
        };
        let mut next = self.model.clone();
        let expected = next.set_fee_recipient(who).map_err(Some);
        let data = call("setFeeRecipient(address)", args![address(who)]);
        let actual = self.chain.evm.send(ADMIN, self.chain.morpho, data);
        self.settle("set recipient", next, expected, actual.map(drop), |()| ());
    }

    /// The model has no wallets: where it would take more than the user has, the token refuses.
    fn with_wallet<T>(
        &self,
        who: User,
        expected: Result<T, Refusal>,
        paid: fn(&T) -> U256,
    ) -> Result<T, Option<Refusal>> {
        let held = self.chain.loan.balance(&self.chain.evm, address(who));
        match expected {
            Ok(done) if paid(&done) > held => Err(None),
            other => other.map_err(Some),
        }
    }

    /// Holds an answer against the contract's; only a success becomes the model's state.
    fn settle<T, A: PartialEq + std::fmt::Debug>(
        &mut self,
        name: &str,
        next: Market,
        expected: Result<T, Option<Refusal>>,
        actual: Result<A, Revert>,
        answer: fn(T) -> A,
    ) {
        let ending = match (expected, actual) {
            (Ok(expected), Ok(actual)) => {
                assert_eq!(answer(expected), actual, "{name}");
                self.model = next;
                "done".to_owned()
            }
            (Err(Some(refusal)), Err(revert)) => {
                assert_eq!(reason(refusal), revert, "{name}");
                assert_eq!(next, self.model, "{name}: a refusal changed the model");
                refusal.to_string()
            }
            (Err(None), Err(revert)) => {
                assert_eq!(revert.text(), "transferFrom reverted", "{name}");
                "no funds".to_owned()
            }
            (Ok(_), Err(revert)) => panic!("{name}: only the contract refused: {revert:?}"),
            (Err(refusal), Ok(actual)) => panic!("{name}: {refusal:?}, not {actual:?}"),
        };
        *self.counts.entry(format!("{name}: {ending}")).or_default() += 1;
    }

    /// Holds all state against the contract's.
    fn compare(&mut self) {
        let state = self.chain.state();
        let totals = Totals {
            supply_assets: state.total_supply_assets.to(),
            supply_shares: state.total_supply_shares.to(),
            borrow_assets: state.total_borrow_assets.to(),
            borrow_shares: state.total_borrow_shares.to(),
        };
        assert_eq!(*self.model.totals(), totals);
        assert_eq!(self.model.last_update(), state.last_update);
        assert_eq!(U256::from(self.model.terms().fee_wad), state.fee);
        if let InterestRateModel::AdaptiveCurve(curve) = self.model.terms().irm {
            let rate = U256::from(curve.rate_at_target());
            assert_eq!(rate, self.chain.rate_at_target());
        }
        for who in (0..=RECIPIENT.0).map(User) {
            let stored = self.chain.position(address(who));
            let position = Position {
                supply_shares: stored.supply_shares,
                borrow_shares: stored.borrow_shares.to(),
                collateral: stored.collateral.to(),
            };
            assert_eq!(self.model.position(who), position, "{who:?}");
        }
        let rates = self.model.rates(self.now()).unwrap();
        let average = self.chain.borrow_rate().unwrap();
        assert_eq!(rates.borrow_average.wad(), average);
    }
}

fn address(who: User) -> basis_contracts::Address {
    if who == RECIPIENT {
        return user(200);
    }
    user(u8::try_from(who.0).unwrap())
}

fn input(amount: Amount) -> AmountInput {
    match amount {
        Amount::Assets(assets) => AmountInput::assets(assets),
        Amount::Shares(shares) => AmountInput::shares(shares),
    }
}

fn liquidator(amount: Amount) -> LiquidationInput {
    match amount {
        Amount::Assets(assets) => LiquidationInput::seizing(assets),
        Amount::Shares(shares) => LiquidationInput::repaying(shares),
    }
}

fn by_liquidator(input: LiquidationInput) -> Amount {
    if input.repaid_shares.is_zero() {
        Amount::Assets(input.seized_assets)
    } else {
        Amount::Shares(input.repaid_shares)
    }
}

fn pair_of(moved: Moved) -> (U256, U256) {
    (moved.assets, moved.shares)
}

/// The contract's way to say a refusal.
fn reason(refusal: Refusal) -> Revert {
    match refusal.panic_code() {
        Some(code) => Revert::Panic(code.into()),
        None => Revert::Text(refusal.to_string()),
    }
}

/// Rate, interest and fee shares of the `AccrueInterest` that a transaction logged.
fn event_of(output: &Output, morpho: basis_contracts::Address) -> Option<[U256; 3]> {
    let log = output.logs.iter().find(|log| log.address == morpho)?;
    let word = |n: usize| U256::from_be_slice(&log.data.data[32 * n..32 * n + 32]);
    Some([word(0), word(1), word(2)])
}

#[test]
fn random_sequences_end_as_on_the_chain() {
    let mut counts = BTreeMap::<String, u32>::new();
    for (n, config) in (0..).zip(configurations()) {
        let Some(mut pair) = Pair::new(config, 0x006d_6f72_7068_6f00 + n) else {
            return;
        };
        for _ in 0..STEPS {
            if !pair.step() {
                break;
            }
        }
        for (name, count) in pair.counts {
            *counts.entry(name).or_default() += count;
        }
    }
    // What the sequences are for has to have happened.
    for (name, least) in EXPECTED_ENDINGS {
        let count = counts.get(*name).copied().unwrap_or_default();
        assert!(count >= *least, "{name}: {count} times, {counts:#?}");
    }
}

#[test]
fn the_curve_is_the_contract_s_at_any_height_use_and_time() {
    let Some(config) = configurations().find(|config| config.irm == Irm::Adaptive) else {
        return;
    };
    let Some(mut pair) = Pair::new(config, 0x0063_7572_7665) else {
        return;
    };
    let random = &mut pair.random;
    pair.chain.evm.set_time(100 * YEAR);
    for _ in 0..3_000 {
        let span = AdaptiveCurve::RATE_AT_TARGET_MAX - AdaptiveCurve::RATE_AT_TARGET_MIN;
        let height = AdaptiveCurve::RATE_AT_TARGET_MIN + random.below(span + 1);
        let height = height >> random.below(11);
        let height = height.max(AdaptiveCurve::RATE_AT_TARGET_MIN);
        let supplied = random.amount(128);
        let borrowed = random.uint(U256::ZERO, supplied);
        let elapsed: u64 = random.amount(31).to();
        let totals = Totals {
            supply_assets: supplied.to(),
            borrow_assets: borrowed.to(),
            ..Totals::default()
        };
        let state = chain::State {
            total_supply_assets: supplied,
            total_supply_shares: U256::ZERO,
            total_borrow_assets: borrowed,
            total_borrow_shares: U256::ZERO,
            last_update: 100 * YEAR - elapsed,
            fee: U256::ZERO,
        };
        let slot = mapping_slot(pair.chain.id, U256::ZERO);
        let irm = pair.chain.irm;
        pair.chain.evm.set_storage(irm, slot, U256::from(height));
        let curve = AdaptiveCurve::new(height).unwrap();
        let (rate, _) = curve.borrow_rate(&totals, elapsed).unwrap();
        let asked = pair.chain.borrow_rate_of(&state).unwrap();
        assert_eq!(rate, asked, "{height} {totals:?} {elapsed}");
    }
}

#[test]
fn assets_and_shares_at_once_are_refused_alike() {
    let Some(config) = configurations().next() else {
        return;
    };
    let Some(mut pair) = Pair::new(config, 1) else {
        return;
    };
    let (one, me) = (U256::ONE, user(0));
    let params = tuple(args![
        pair.chain.loan.address,
        pair.chain.collateral.address,
        pair.chain.oracle,
        pair.chain.irm,
        pair.chain.lltv,
    ]);
    let both = AmountInput {
        assets: one,
        shares: one,
    };
    let mut model = pair.model.clone();
    let answers = [
        ("supply", model.supply(User(0), both, GENESIS)),
        ("withdraw", model.withdraw(User(0), both, GENESIS)),
        ("borrow", model.borrow(User(0), both, one, GENESIS)),
        ("repay", model.repay(User(0), both, GENESIS)),
    ];
    for (name, answer) in answers {
        let (last, kind) = match name {
            "supply" | "repay" => ("".into(), "bytes"),
            _ => (me.into(), "address"),
        };
        let signature = format!("{name}({PARAMS},uint256,uint256,address,{kind})");
        let arguments = [params.clone(), one.into(), one.into(), me.into(), last];
        let data = call(&signature, &arguments);
        let revert = pair.chain.evm.send(me, pair.chain.morpho, data);
        assert_eq!(reason(answer.unwrap_err()), revert.unwrap_err(), "{name}");
    }
    let seizure = LiquidationInput {
        seized_assets: one,
        repaid_shares: one,
    };
    let answer = model.liquidate(User(0), seizure, one, GENESIS);
    let signature = format!("liquidate({PARAMS},address,uint256,uint256,bytes)");
    let arguments = [params, me.into(), one.into(), one.into(), "".into()];
    let data = call(&signature, &arguments);
    let revert = pair.chain.evm.send(me, pair.chain.morpho, data);
    assert_eq!(reason(answer.unwrap_err()), revert.unwrap_err());
}

#[test]
fn a_flash_loan_is_free_and_bounded_as_on_the_chain() {
    let Some(config) = configurations().next() else {
        return;
    };
    let Some(mut pair) = Pair::new(config, 2) else {
        return;
    };
    let (lender, borrower) = (user(0), user(1));
    let supplied = U256::from(1_000_000_u64);
    pair.chain.supply(lender, Amount::Assets(supplied)).unwrap();
    // A borrower who does nothing with the loan: STOP, and Morpho takes it back.
    pair.chain.evm.set_code(borrower, [0x00_u8]);
    let before = pair.chain.loan.balance(&pair.chain.evm, borrower);
    for assets in [supplied, U256::ZERO, supplied + U256::ONE] {
        let arguments = args![pair.chain.loan.address, assets, ""];
        let data = call("flashLoan(address,uint256,bytes)", arguments);
        let actual = pair.chain.evm.send(borrower, pair.chain.morpho, data);
        match flash_loan(assets, supplied) {
            Ok(due) => {
                actual.unwrap();
                assert_eq!(due, assets);
            }
            Err(refusal) => assert_eq!(reason(refusal), actual.unwrap_err()),
        }
        let after = pair.chain.loan.balance(&pair.chain.evm, borrower);
        assert_eq!(after, before);
    }
}

/// What the borrower takes out of a market while the flash loan is out has to be in the contract's one
/// balance; the market's own accounts do not know of the loan.
#[test]
fn what_runs_inside_a_flash_loan_finds_the_balance_without_it() {
    let Some(config) = configurations().next() else {
        return;
    };
    let Some(mut pair) = Pair::new(config, 2) else {
        return;
    };
    let (lender, borrower) = (user(0), user(1));
    let supplied = U256::from(1_000_000_u64);
    pair.chain.supply(lender, Amount::Assets(supplied)).unwrap();
    pair.chain
        .supply(borrower, Amount::Assets(supplied))
        .unwrap();
    // `onMorphoFlashLoan(uint256,bytes)`: two words before the bytes.
    pair.chain.evm.set_code(borrower, calling_back(4 + 2 * 32));
    let held = supplied + supplied;
    let taken = U256::from(400_000_u64);
    for left in [taken, taken - U256::ONE] {
        let inner = pair.chain.withdraw_call(borrower, Amount::Assets(taken));
        let arguments = args![pair.chain.loan.address, held - left, inner];
        let data = call("flashLoan(address,uint256,bytes)", arguments);
        let before = pair.chain.loan.balance(&pair.chain.evm, borrower);
        let actual = pair.chain.evm.send(borrower, pair.chain.morpho, data);
        let after = pair.chain.loan.balance(&pair.chain.evm, borrower);
        if left >= taken {
            actual.unwrap();
            assert_eq!(after, before + taken);
            // The loan is back: what is left is what nobody took.
            pair.chain.supply(borrower, Amount::Assets(taken)).unwrap();
        } else {
            let refusal = actual.unwrap_err();
            assert_eq!(reason(Refusal::TransferReverted), refusal);
            assert_eq!(after, before);
        }
    }
}
