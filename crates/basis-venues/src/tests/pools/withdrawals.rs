//! Curve withdrawals in one coin and of exact amounts, beside the contracts' arithmetic.

use basis_core::instruction::{AmountOrAll, Operation};
use basis_core::ledger::EntryKind;
use basis_core::num::uint256::{amount_of, units_of};
use basis_core::num::{Fixed18, Quantity, Rounding, U256};
use basis_core::types::Account;
use basis_protocols::curve_stableswap as curve;
use basis_testkit::q;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::liquidity::{check_values, execute, kinds};
use crate::testing::pools::{
    CURVE, Desk, Execution, UNISWAP, add, group, ranges, remove, remove_exactly, remove_one, swap,
};

const COINS: [(&str, u32); 3] = [("weETH", 18), ("WETH", 18), ("USDC", 6)];
const POOL: &str = "three";
const TEMPLATES: [(&str, curve::Template); 3] = [
    ("three_pool", curve::Template::ThreePool),
    ("base", curve::Template::Base),
    ("stableswap_ng", curve::Template::StableSwapNg),
];

fn settings(template: &str) -> Json {
    let mut pool = json!({
        "model": "state", "template": template, "assets": ["weETH", "WETH", "USDC"],
        "fee": "30000000", "a": "200", "balances": ["1000", "1050", "900"],
    });
    if template == "stableswap_ng" {
        pool["offpeg_fee_multiplier"] = json!("20000000000");
        pool["rates"] = json!(["staking_rate.etherfi.weETH_ETH", "1", "1"]);
    }
    json!({ POOL: pool })
}

fn desk(template: &str) -> Desk {
    let balances = ["weETH", "WETH", "USDC", "EIGEN"].map(|name| (name, "1000"));
    Desk::new(
        &balances,
        &ranges("dollars", 6000, true),
        &settings(template),
    )
}

fn units(amount: Quantity, decimals: u32) -> U256 {
    units_of(amount.get(), decimals, Rounding::Down).unwrap()
}

fn tokens(units: U256, decimals: u32) -> Quantity {
    Quantity::new(amount_of(units, decimals, Rounding::Down).unwrap())
}

/// The pool of [`settings`], made by hand.
fn pool(template: curve::Template) -> curve::Pool {
    let ng = template == curve::Template::StableSwapNg;
    let rates = [
        U256::from(if ng { 1_050_u64 } else { 1_000 }) * U256::from(10).pow(U256::from(15)),
        curve::RATE_ONE,
        curve::RATE_ONE * U256::from(1_000_000_000_000_u64),
    ];
    let parameters = curve::Parameters {
        template,
        amplification: curve::Amplification::constant(200 * template.a_precision()),
        fee: 30_000_000,
        admin_fee: 5_000_000_000,
        offpeg_fee_multiplier: if ng { 20_000_000_000 } else { 0 },
        rates: curve::PerCoin::new(&rates).unwrap(),
    };
    let given = ["1000", "1050", "900"];
    let balances = [0, 1, 2].map(|coin| units(q(given[coin]), COINS[coin].1));
    let pool = |supply| curve::Pool::with_state(parameters, &balances, &[U256::ZERO; 3], supply);
    let supply = pool(U256::ZERO).unwrap().invariant().unwrap();
    pool(supply).unwrap()
}

/// The contract, our pool tokens and our wallet, in base units.
#[derive(Clone, Copy)]
struct Model {
    pool: curve::Pool,
    ours: U256,
    wallet: [U256; 3],
}

impl Model {
    fn new(template: curve::Template) -> Self {
        Self {
            pool: pool(template),
            ours: U256::ZERO,
            wallet: COINS.map(|(_, decimals)| units(q("1000"), decimals)),
        }
    }

    fn holdings(&self) -> [Quantity; 3] {
        let mut pool = self.pool;
        let paid = pool.remove_liquidity(self.ours, &[U256::ZERO; 3]);
        [0, 1, 2].map(|coin| match &paid {
            Ok(paid) => tokens(paid[coin], COINS[coin].1),
            Err(_) => Quantity::ZERO,
        })
    }

    /// What the contract does; nothing where it refuses.
    fn play(mut self, act: &Act) -> Option<Self> {
        let nothing = [U256::ZERO; 3];
        match *act {
            Act::Swap(from, to, micros) => {
                let given = units(amount(micros), COINS[from].1);
                let done = self.pool.exchange(from, to, given, U256::ZERO).ok()?;
                self.wallet[from] = self.wallet[from].checked_sub(given)?;
                self.wallet[to] += done.received;
                return (!done.received.is_zero()).then_some(self);
            }
            Act::Add(micros) => {
                let given = each(micros);
                let minted = self.pool.add_liquidity(&given, U256::ZERO).ok()?.minted;
                for (held, given) in self.wallet.iter_mut().zip(given) {
                    *held = held.checked_sub(given)?;
                }
                self.ours += minted;
                return (!minted.is_zero()).then_some(self);
            }
            Act::Part(part) => {
                let burnt = self.burnt(part);
                let paid = self.pool.remove_liquidity(burnt, &nothing).ok()?;
                for (held, paid) in self.wallet.iter_mut().zip(paid.iter()) {
                    *held += paid;
                }
                self.ours -= burnt;
            }
            Act::One(coin, part) => {
                let burnt = self.burnt(part);
                let out = self.pool.remove_liquidity_one_coin(burnt, coin, U256::ZERO);
                let received = out.ok()?.received;
                self.wallet[coin] += received;
                self.ours -= burnt;
                return (!received.is_zero()).then_some(self);
            }
            Act::Exactly(micros) => {
                let taken = each(micros);
                let out = self.pool.remove_liquidity_imbalance(&taken, U256::MAX);
                self.ours = self.ours.checked_sub(out.ok()?.burned)?;
                for (held, taken) in self.wallet.iter_mut().zip(taken) {
                    *held += taken;
                }
            }
        }
        Some(self)
    }

    /// So many of a hundred parts of our pool tokens.
    fn burnt(&self, part: u8) -> U256 {
        self.ours * U256::from(part) / U256::from(100_u64)
    }

    fn operation(&self, act: &Act) -> Operation {
        let texts = |micros: [u32; 3]| micros.map(|micros| amount(micros).to_string());
        let liquidity = |part: u8| match part {
            100 => AmountOrAll::All,
            part => tokens(self.burnt(part), 18).into(),
        };
        match *act {
            Act::Swap(from, to, micros) => {
                let way = [COINS[from].0, COINS[to].0];
                swap(POOL, way, &amount(micros).to_string(), "0")
            }
            Act::Add(micros) => {
                let texts = texts(micros);
                add(POOL, None, &texts.each_ref().map(String::as_str), "0")
            }
            Act::Part(part) => remove(POOL, None, liquidity(part), &["0", "0", "0"]),
            Act::One(coin, part) => remove_one(POOL, liquidity(part), COINS[coin].0, "0"),
            Act::Exactly(micros) => {
                let texts = texts(micros);
                remove_exactly(POOL, &texts.each_ref().map(String::as_str), "1000000000")
            }
        }
    }
}

fn amount(micros: u32) -> Quantity {
    Quantity::new(Fixed18::from_mantissa(
        i128::from(micros) * 1_000_000_000_000,
    ))
}

fn each(micros: [u32; 3]) -> [U256; 3] {
    [0, 1, 2].map(|coin| units(amount(micros[coin]), COINS[coin].1))
}

#[derive(Clone, Debug)]
enum Act {
    Swap(usize, usize, u32),
    Add([u32; 3]),
    Part(u8),
    One(usize, u8),
    Exactly([u32; 3]),
}

/// Millionths of a coin: none, dust, or up to 400 and more than there is.
fn micros() -> impl Strategy<Value = u32> {
    prop_oneof![1 => Just(0), 1 => 1..9_u32, 6 => 1..400_000_000_u32, 1 => any::<u32>()]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let each = || [micros(), micros(), micros()];
    let part = || prop_oneof![4 => 1..100_u8, 1 => Just(100_u8)];
    let act = prop_oneof![
        2 => (0..3_usize, 1..3_usize, micros())
            .prop_map(|(from, by, micros)| Act::Swap(from, (from + by) % 3, micros)),
        3 => each().prop_map(Act::Add),
        1 => part().prop_map(Act::Part),
        2 => (0..3_usize, part()).prop_map(|(coin, part)| Act::One(coin, part)),
        3 => each().prop_map(Act::Exactly),
    ];
    proptest::collection::vec(act, 1..25)
}

/// What a pool token is worth in the pool's own unit: within what two computations of `D` may be off.
fn is_no_worse(before: &curve::Pool, after: &curve::Pool) -> bool {
    let slack = U256::from(2_u64) * curve::RATE_ONE / after.lp_supply() + U256::ONE;
    after.virtual_price().unwrap() + slack >= before.virtual_price().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Wallet and holdings are the contract's integers after every operation of a sequence, in each
    /// template; what the contract refuses is refused; a pool token never loses.
    #[test]
    fn prop_pool_tokens_are_the_contract_s_to_the_unit(template in 0..3_usize, acts in acts()) {
        let (name, template) = TEMPLATES[template];
        let (mut desk, mut model) = (desk(name), Model::new(template));
        for act in &acts {
            let asked = model.operation(act);
            let next = model.play(act);
            let done = desk.execute(CURVE, asked);
            prop_assert_eq!(done.is_ok(), next.is_some(), "{}: {:?}: {:?}", name, act, done);
            if let (Ok(done), Some(next)) = (done, next) {
                check_values(&done);
                prop_assert!(is_no_worse(&model.pool, &next.pool), "{:?}", act);
                model = next;
            }
            let held = model.holdings();
            for ((coin, decimals), (wallet, units)) in COINS.into_iter().zip(model.wallet.into_iter().zip(held)) {
                prop_assert_eq!(desk.balance(coin), tokens(wallet, decimals));
                let item = format!("liquidity:{coin}");
                prop_assert_eq!(desk.held(CURVE, POOL, &item), (tokens(model.ours, 18), units));
            }
        }
    }

    /// In and out again in one coin, or of the very amounts, never leaves more than there was.
    #[test]
    fn prop_there_and_back_never_profits(
        template in 0..3_usize,
        coin in 0..3_usize,
        given in 1_000..400_000_000_u32,
        moved in 1_000_000..600_000_000_u32,
    ) {
        let mut desk = desk(TEMPLATES[template].0);
        let way = [COINS[(coin + 1) % 3].0, COINS[(coin + 2) % 3].0];
        execute(&mut desk, CURVE, add(POOL, None, &["50", "0", "0"], "0"));
        execute(&mut desk, CURVE, swap(POOL, way, &amount(moved).to_string(), "0"));
        let item = format!("liquidity:{}", COINS[coin].0);
        let tokens = |desk: &Desk| desk.held(CURVE, POOL, &item).0;
        let (before, had) = (COINS.map(|(name, _)| desk.balance(name)), tokens(&desk));
        let mut amounts = ["0".to_owned(), "0".to_owned(), "0".to_owned()];
        amounts[coin] = amount(given).to_string();
        let amounts = amounts.each_ref().map(String::as_str);
        execute(&mut desk, CURVE, add(POOL, None, &amounts, "0"));
        let minted = tokens(&desk).sub(had).unwrap();
        execute(&mut desk, CURVE, remove_one(POOL, minted, COINS[coin].0, "0"));
        prop_assert_eq!(tokens(&desk), had);
        for ((name, _), before) in COINS.into_iter().zip(before) {
            prop_assert!(desk.balance(name) <= before, "{}", name);
        }
        execute(&mut desk, CURVE, add(POOL, None, &amounts, "0"));
        execute(&mut desk, CURVE, remove_exactly(POOL, &amounts, "1000000"));
        prop_assert!(tokens(&desk) <= had, "as many pool tokens as they cost");
    }
}

#[test]
fn one_coin_alone_and_exact_amounts_leave_their_lines_and_their_gas() {
    let account = Account::new(CURVE, POOL.parse().unwrap());
    let (transfer, trade) = (EntryKind::Transfer, EntryKind::Trade);
    let items = COINS.map(|(name, _)| format!("liquidity:{name}"));
    for (name, template) in TEMPLATES {
        let (mut desk, mut pool) = (desk(name), pool(template));
        let given = [q("100"), q("0"), q("50")];
        let given = [0, 1, 2].map(|coin| units(given[coin], COINS[coin].1));
        let minted = pool.add_liquidity(&given, U256::ZERO).unwrap().minted;
        execute(
            &mut desk,
            CURVE,
            add(POOL, None, &["100", "0", "50"], "100"),
        );
        let burnt = q("40");
        let out = pool.remove_liquidity_one_coin(units(burnt, 18), 1, U256::ZERO);
        let out = tokens(out.unwrap().received, 18);
        let before = COINS.map(|(name, _)| desk.balance(name));
        let done = execute(
            &mut desk,
            CURVE,
            remove_one(POOL, burnt, "WETH", &out.to_string()),
        );
        let after = [before[0], before[1].add(out).unwrap(), before[2]];
        assert_eq!(COINS.map(|(name, _)| desk.balance(name)), after);
        let gas = |done: &Execution| {
            let line = done.entries.iter().find(|line| line.kind == EntryKind::Gas);
            line.unwrap().quantity
        };
        assert_eq!(gas(&done), q("-0.0021"), "210,000 at 10 gwei");
        let moved = |kind, gone| items.clone().map(|item| (kind, item, gone));
        // The pool tokens leave every item; what the pool turned into WETH for them are trades.
        let lines = [moved(transfer, false), moved(trade, true)].concat();
        assert_eq!(kinds(&done, account), lines, "{name}");
        let taken = ["3", "0", "1.5"].map(q);
        let taken = [0, 1, 2].map(|coin| units(taken[coin], COINS[coin].1));
        let burned = pool.remove_liquidity_imbalance(&taken, U256::MAX).unwrap();
        let burned = tokens(burned.burned, 18);
        let exactly = remove_exactly(POOL, &["3", "0", "1.5"], &burned.to_string());
        let done = execute(&mut desk, CURVE, exactly);
        assert_eq!(gas(&done), q("-0.0023"), "230,000 at 10 gwei");
        assert_eq!(kinds(&done, account), lines, "{name}");
        let left = tokens(minted, 18).sub(burnt).unwrap().sub(burned).unwrap();
        assert_eq!(desk.held(CURVE, POOL, &items[0]).0, left);
        assert_eq!(desk.balance("USDC"), after[2].add(q("1.5")).unwrap());
        execute(
            &mut desk,
            CURVE,
            remove_one(POOL, AmountOrAll::All, "USDC", "1"),
        );
        assert_eq!(desk.positions(CURVE), []);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table, a row for each refusal")]
fn a_withdrawal_that_makes_no_sense_or_misses_its_guard_is_refused_and_nothing_changes() {
    let mut desk = desk("stableswap_ng");
    execute(&mut desk, CURVE, add(POOL, None, &["10", "10", "10"], "0"));
    let ticks = Some((-120, 180));
    execute(
        &mut desk,
        UNISWAP,
        add("dollars", ticks, &["10", "10"], "0"),
    );
    let one = q("1");
    let exact = |amounts: &[&str], maximum: &str| remove_exactly(POOL, amounts, maximum);
    for (operation, text) in [
        (
            remove_one(POOL, one, "DOGE", "0"),
            "has weETH, WETH, USDC, not DOGE",
        ),
        (remove_one(POOL, one, "ETH", "0"), "pools trade WETH"),
        (
            remove_one(POOL, one, "USDC", "-1"),
            "minimum_out of -1 USDC is below zero",
        ),
        (
            remove_one(POOL, one, "USDC", "2"),
            "is below the minimum of 2",
        ),
        (
            remove_one(POOL, one, "USDC", "2"),
            "Not enough coins removed",
        ),
        (
            remove_one(POOL, q("0"), "USDC", "0"),
            "must be above zero, or all",
        ),
        (
            remove_one(POOL, q("-1"), "USDC", "0"),
            "must be above zero, or all",
        ),
        (
            remove_one(POOL, q("99"), "USDC", "0"),
            "insufficient balance: 99 three needed",
        ),
        (
            remove_one(POOL, q("0.000000000000000002"), "weETH", "0"),
            "pays no unit of weETH",
        ),
        (
            remove_one(POOL, q("0.0000001"), "USDC", "0"),
            "pays no unit of USDC",
        ),
        (
            remove_one("nowhere", one, "USDC", "0"),
            "has no pool `nowhere`",
        ),
        (
            remove_one("weETHWETH", one, "WETH", "0"),
            "give a state in the settings",
        ),
        (exact(&["1", "0"], "9"), "amounts has 2; give one for each"),
        (
            exact(&["1", "0", "-1"], "9"),
            "amounts of -1 USDC is below zero",
        ),
        (exact(&["0", "0", "0"], "9"), "nothing would be removed"),
        (exact(&["1", "0", "1.0000001"], "9"), "6 decimals"),
        (
            exact(&["1", "0", "0"], "0"),
            "maximum_liquidity 0 is not above zero",
        ),
        (exact(&["1", "0", "0"], "1"), "is above the maximum of 1"),
        (exact(&["1", "0", "0"], "1"), "Slippage screwed you"),
        (exact(&["25", "20", "0"], "99"), "insufficient balance"),
        (exact(&["5000", "0", "0"], "9999"), "below zero in balances"),
    ] {
        let refused = desk.execute(CURVE, operation).unwrap_err().to_string();
        assert!(refused.contains(text), "{text}: {refused}");
    }
    for operation in [
        remove_one("dollars", one, "WETH", "0"),
        remove_one("dollars", AmountOrAll::All, "WETH", "0"),
        remove_exactly("dollars", &["1", "1"], "9"),
    ] {
        let refused = desk.execute(UNISWAP, operation).unwrap_err().to_string();
        assert!(refused.contains("and swap in a step after it"), "{refused}");
    }
    // A group that fails afterwards takes it back; one that does not goes through.
    let steps = |minimum: &str| {
        group(&[
            remove_exactly(POOL, &["1", "2", "0"], "4"),
            remove_one(POOL, AmountOrAll::All, "weETH", "1"),
            swap(POOL, ["weETH", "WETH"], "all", minimum),
        ])
    };
    assert!(desk.execute(CURVE, steps("99999")).is_err());
    execute(&mut desk, CURVE, steps("900"));
}
