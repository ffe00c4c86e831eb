//! Liquid staking against numbers that are not ours.
//!
//! - The recorded steps of stETH and wstETH beside the checkout, every number of every step.
//! - Random sequences against `lst_model.py`: the published formulas in Python's big integers and
//!   fractions, written by another route. It is a second opinion of the same author, no contract.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the helpers of tests may fail as loudly as the tests"
)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use basis_core::num::{Fixed18, U256};
use basis_core::types::{Span, Timestamp};
use basis_protocols::liquid_staking::{
    EtherFi, Holder, KingRedemption, KingVault, Lido, RequestId, SharePool,
};
use serde_json::{Map, Value, json};

/// Operations per random sequence.
const STEPS: usize = 12_000;

fn uint(value: &Value) -> U256 {
    value.as_str().unwrap().parse().unwrap()
}

fn holder(name: &Value) -> Holder {
    match name.as_str().unwrap() {
        "A" => Holder::WALLET,
        "B" => Holder::after_wallet(1),
        other => panic!("unknown holder {other}"),
    }
}

#[test]
fn recorded_steps_of_steth_and_wsteth_agree_to_the_wei() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors/onchain/lst_shares.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        eprintln!("SKIPPED: no vectors at {}", file.display());
        return;
    };
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let start = uint(&vectors["initial"]["etherAndShares"]);
    let mut lido = Lido::new(SharePool::new(start, start));
    lido.credit_shares(holder(&vectors["initial"]["holder"]), start)
        .unwrap();
    let steps = vectors["steps"].as_array().unwrap();
    for (number, step) in steps.iter().enumerate() {
        let user = || holder(&step["user"]);
        match step["op"].as_str().unwrap() {
            "setTotalPooledEther" => lido.set_total_pooled_ether(uint(&step["value"])),
            "submit" => {
                let minted = lido.submit(user(), uint(&step["value"])).unwrap();
                assert_eq!(minted, uint(&step["shares"]), "step {number}");
            }
            "wrap" => {
                let minted = lido.wrap(user(), uint(&step["stETH"])).unwrap();
                assert_eq!(minted, uint(&step["wstETH"]), "step {number}");
            }
            "unwrap" => {
                let sent = lido.unwrap(user(), uint(&step["wstETH"])).unwrap();
                assert_eq!(sent, uint(&step["stETH"]), "step {number}");
            }
            "transfer" => {
                let to = holder(&step["to"]);
                let before = lido.balance_of(to).unwrap();
                lido.transfer(user(), to, uint(&step["stETH"])).unwrap();
                let received = lido.balance_of(to).unwrap() - before;
                assert_eq!(received, uint(&step["received"]), "step {number}");
            }
            other => panic!("unknown operation {other}"),
        }
        if let Some(after) = step.get("after") {
            compare(&lido, after, number);
        }
    }
    println!("{} recorded steps agree", steps.len());
    assert!(steps.len() >= 70);
}

fn compare(lido: &Lido, after: &Value, number: usize) {
    let (alice, bob) = (Holder::WALLET, Holder::after_wallet(1));
    let one = U256::from(1_000_000_000_000_000_000_u64);
    let found = [
        ("totalShares", lido.pool().total_shares),
        ("totalPooledEther", lido.pool().total_pooled_ether),
        ("stEthPerToken", lido.pool().rate_wei().unwrap()),
        (
            "tokensPerStEth",
            lido.pool().shares_for_amount(one).unwrap(),
        ),
        ("sharesA", lido.shares_of(alice)),
        ("sharesB", lido.shares_of(bob)),
        ("balA", lido.balance_of(alice).unwrap()),
        ("balB", lido.balance_of(bob).unwrap()),
        ("wrapperShares", lido.shares_of(Holder::WRAPPER)),
        ("wstTotal", lido.wrapped_total()),
    ];
    for (name, value) in found {
        assert_eq!(value, uint(&after[name]), "step {number}: {name}");
    }
}

/// `SplitMix64`: any fixed stream will do.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, below: u64) -> u64 {
        self.next() % below
    }

    /// Nothing, dust, a part or all of what is held, rarely more than that.
    fn amount(&mut self, held: U256) -> U256 {
        match self.below(8) {
            0 => U256::from(self.below(5)),
            1 => U256::from(self.below(100_000)),
            2 => held,
            3 => held + U256::from(self.below(3)),
            _ => held * U256::from(self.below(1_000)) / U256::from(1_000_u64),
        }
    }

    /// Up to about 4700 ether, any number of digits.
    fn ether(&mut self) -> U256 {
        let shift = usize::try_from(self.below(72)).unwrap();
        U256::from(u128::from(self.next()) << 8) >> shift
    }

    /// The next recorded rate: a little up, rarely down.
    fn rate(&mut self, rate: i128) -> i128 {
        let change = i128::from(self.below(1_000_000_000_000_000));
        let next = if self.below(10) == 0 {
            rate - 3 * change
        } else {
            rate + change / 3
        };
        next.clamp(500_000_000_000_000_000, 2_000_000_000_000_000_000)
    }
}

/// What an operation gave: its number, or its refusal.
type Outcome = Result<U256, String>;

/// One operation as the model is told it, and what ours gave.
struct Done {
    op: &'static str,
    arguments: Vec<(&'static str, U256)>,
    outcome: Outcome,
}

fn done<E: std::fmt::Display>(
    op: &'static str,
    arguments: &[(&'static str, U256)],
    result: Result<U256, E>,
) -> Done {
    Done {
        op,
        arguments: arguments.to_vec(),
        outcome: result.map_err(|e| e.to_string()),
    }
}

/// Operations sent to the model, with what ours gave and how its state looked after each.
struct Script {
    lines: Vec<String>,
    expected: Vec<(Option<Outcome>, Value)>,
}

impl Script {
    fn start(kind: &str, arguments: &[(&'static str, U256)], state: Value) -> Self {
        let mut line = Self::line("start", arguments);
        line.insert("kind".to_owned(), json!(kind));
        Self {
            lines: vec![Value::Object(line).to_string()],
            expected: vec![(None, state)],
        }
    }

    fn add(&mut self, done: Done, state: Value) {
        let line = Value::Object(Self::line(done.op, &done.arguments));
        self.lines.push(line.to_string());
        self.expected.push((Some(done.outcome), state));
    }

    fn line(op: &str, arguments: &[(&'static str, U256)]) -> Map<String, Value> {
        let mut line = Map::new();
        line.insert("op".to_owned(), json!(op));
        for (name, value) in arguments {
            line.insert((*name).to_owned(), json!(value.to_string()));
        }
        line
    }

    /// What the model answers to the same operations; none where there is no Python.
    fn answers(&self) -> Option<String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lst_model.py");
        let child = Command::new("python3")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            eprintln!("SKIPPED: no python3 to run the model");
            return None;
        };
        let mut stdin = child.stdin.take().unwrap();
        let text = self.lines.join("\n");
        // The model answers while it reads, so writing must not wait for it.
        let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()).unwrap());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(output.status.success(), "the model failed");
        Some(String::from_utf8(output.stdout).unwrap())
    }

    /// Compares everything with the model and says how many steps and refusals there were.
    fn compare(&self, what: &str) {
        let Some(answers) = self.answers() else {
            return;
        };
        assert_eq!(answers.lines().count(), self.lines.len());
        let all = answers.lines().zip(&self.expected).zip(&self.lines);
        let mut refused = 0;
        for (number, ((answer, (outcome, state)), line)) in all.enumerate() {
            let answer: Value = serde_json::from_str(answer).unwrap();
            match outcome {
                None => {}
                Some(Ok(result)) => {
                    let result = json!(result.to_string());
                    assert_eq!(answer["result"], result, "{number}: {line}");
                }
                Some(Err(words)) => {
                    refused += 1;
                    let expected = answer["refused"].as_str();
                    let expected = expected.unwrap_or_else(|| panic!("{number}: {line}: {words}"));
                    assert!(words.starts_with(expected), "{number}: {line}: {words}");
                }
            }
            assert_eq!(answer["state"], *state, "{number}: {line}");
        }
        println!("{STEPS} steps of {what} agree, {refused} of them refusals");
        assert!((STEPS / 50..STEPS / 2).contains(&refused), "{refused}");
    }
}

/// User number 0 to 3; the model counts the two contracts before them.
fn user(number: u64) -> Holder {
    Holder::after_wallet(u32::try_from(number).unwrap())
}

fn places() -> [Holder; 6] {
    [
        Holder::WRAPPER,
        Holder::QUEUE,
        user(0),
        user(1),
        user(2),
        user(3),
    ]
}

fn texts(values: impl IntoIterator<Item = U256>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

fn pool_state(pool: &SharePool, shares: [U256; 6], wrapped: [U256; 6], total: U256) -> Value {
    json!({
        "total_shares": pool.total_shares.to_string(),
        "total_pooled_ether": pool.total_pooled_ether.to_string(),
        "rate": pool.rate_wei().unwrap().to_string(),
        "shares": texts(shares),
        "balances": texts(shares.map(|shares| pool.amount_for_shares(shares).unwrap())),
        "wrapped": texts(wrapped),
        "wrapped_total": total.to_string(),
    })
}

fn lido_state(lido: &Lido) -> Value {
    let shares = places().map(|place| lido.shares_of(place));
    let wrapped = places().map(|place| lido.wrapped_of(place));
    let mut state = pool_state(lido.pool(), shares, wrapped, lido.wrapped_total());
    state["locked"] = json!(lido.locked_ether().to_string());
    state
}

fn etherfi_state(etherfi: &EtherFi) -> Value {
    let shares = places().map(|place| etherfi.shares_of(place));
    let wrapped = places().map(|place| etherfi.wrapped_of(place));
    let mut state = pool_state(etherfi.pool(), shares, wrapped, etherfi.wrapped_total());
    state["remainder"] = json!(etherfi.remainder_shares().to_string());
    state
}

fn number(id: RequestId) -> U256 {
    U256::from(id.0)
}

const DAY: (&str, U256) = ("delay", U256::from_limbs([86_400, 0, 0, 0]));

fn lido_step(lido: &mut Lido, random: &mut Random, clock: u64, rate: &mut i128) -> Done {
    let now = Timestamp::from_seconds(i64::try_from(clock).unwrap());
    let (who, to) = (random.below(4), random.below(4));
    let by = user(who);
    let (who, at) = (("who", U256::from(who + 2)), ("at", U256::from(clock)));
    let balance = random.amount(lido.balance_of(by).unwrap());
    let wrapped = random.amount(lido.wrapped_of(by));
    let ether = random.ether();
    let requests = u64::try_from(lido.requests().count()).unwrap();
    let request = random.below(requests + 2);
    let (some, wrapped_some) = (("amount", balance), ("amount", wrapped));
    match random.below(22) {
        0..=3 => done("submit", &[who, ("amount", ether)], lido.submit(by, ether)),
        4..=6 => {
            let moved = lido.transfer(by, user(to), balance);
            done("transfer", &[who, ("to", U256::from(to + 2)), some], moved)
        }
        7..=9 => done("wrap", &[who, some], lido.wrap(by, balance)),
        10..=12 => done("unwrap", &[who, wrapped_some], lido.unwrap(by, wrapped)),
        13 => done(
            "stake_and_wrap",
            &[who, ("amount", ether)],
            lido.stake_and_wrap(by, ether),
        ),
        14 | 15 => {
            let request = lido.request_withdrawal(by, balance, now).map(number);
            done("request", &[who, some, at], request)
        }
        16 => {
            let request = lido.request_withdrawal_wrapped(by, wrapped, now);
            done(
                "request_wrapped",
                &[who, wrapped_some, at],
                request.map(number),
            )
        }
        17 => {
            let last = ("last", U256::from(request));
            done("finalize", &[last], lido.finalize(RequestId(request)))
        }
        18 => {
            let due = lido.finalize_due(now, Span::DAY);
            let due = due.map(|due| due.map_or(U256::ZERO, number));
            done("finalize_due", &[at, DAY], due)
        }
        19 | 20 => {
            let claimed = lido.claim(by, RequestId(request));
            done("claim", &[who, ("number", U256::from(request))], claimed)
        }
        _ => {
            *rate = random.rate(*rate);
            lido.set_rate(Fixed18::from_mantissa(*rate)).unwrap();
            assert_eq!(lido.pool().rate().unwrap().mantissa(), *rate);
            let mantissa = ("mantissa", U256::from(rate.unsigned_abs()));
            done::<String>("set_rate", &[mantissa], Ok(U256::ZERO))
        }
    }
}

#[test]
fn random_lido_sequence_agrees_with_the_model() {
    let mut random = Random(20_260_701);
    let mut rate = 1_166_391_371_091_203_517_i128;
    let mut lido = Lido::at_rate(Fixed18::from_mantissa(rate)).unwrap();
    let pool = *lido.pool();
    let start = [
        ("shares", pool.total_shares),
        ("ether", pool.total_pooled_ether),
    ];
    let mut script = Script::start("lido", &start, lido_state(&lido));
    let mut clock = 0;
    for _ in 0..STEPS {
        clock += random.below(7_200);
        let done = lido_step(&mut lido, &mut random, clock, &mut rate);
        script.add(done, lido_state(&lido));
    }
    script.compare("Lido");
}

fn etherfi_step(etherfi: &mut EtherFi, random: &mut Random, clock: u64, rate: &mut i128) -> Done {
    let now = Timestamp::from_seconds(i64::try_from(clock).unwrap());
    let (who, to) = (random.below(4), random.below(4));
    let by = user(who);
    let (who, at) = (("who", U256::from(who + 2)), ("at", U256::from(clock)));
    let balance = random.amount(etherfi.balance_of(by).unwrap());
    let wrapped = random.amount(etherfi.wrapped_of(by));
    let ether = random.ether();
    let requests = u64::try_from(etherfi.requests().count()).unwrap();
    let request = random.below(requests + 2);
    let some = ("amount", balance);
    match random.below(20) {
        0..=3 => done(
            "submit",
            &[who, ("amount", ether)],
            etherfi.deposit(by, ether),
        ),
        4..=6 => {
            let moved = etherfi.transfer(by, user(to), balance);
            done("transfer", &[who, ("to", U256::from(to + 2)), some], moved)
        }
        7..=9 => done("wrap", &[who, some], etherfi.wrap(by, balance)),
        10..=12 => {
            let sent = etherfi.unwrap(by, wrapped);
            done("unwrap", &[who, ("amount", wrapped)], sent)
        }
        13 | 14 => {
            let request = etherfi.request_withdraw(by, balance, now).map(number);
            done("request", &[who, some, at], request)
        }
        15 => {
            let finalized = etherfi.finalize(RequestId(request)).map(|()| U256::ZERO);
            done("finalize", &[("last", U256::from(request))], finalized)
        }
        16 => {
            let due = etherfi.finalize_due(now, Span::DAY);
            let due = due.map_or(U256::ZERO, number);
            done::<String>("finalize_due", &[at, DAY], Ok(due))
        }
        17 | 18 => {
            let claimed = etherfi.claim(by, RequestId(request));
            done("claim", &[who, ("number", U256::from(request))], claimed)
        }
        _ => {
            *rate = random.rate(*rate);
            etherfi.set_rate(Fixed18::from_mantissa(*rate)).unwrap();
            assert_eq!(etherfi.pool().rate().unwrap().mantissa(), *rate);
            let mantissa = ("mantissa", U256::from(rate.unsigned_abs()));
            done::<String>("set_rate", &[mantissa], Ok(U256::ZERO))
        }
    }
}

#[test]
fn random_etherfi_sequence_agrees_with_the_model() {
    let mut random = Random(20_260_702);
    let mut rate = 1_038_311_395_807_300_000_i128;
    let mut etherfi = EtherFi::at_rate(Fixed18::from_mantissa(rate)).unwrap();
    let pool = *etherfi.pool();
    let start = [
        ("shares", pool.total_shares),
        ("ether", pool.total_pooled_ether),
    ];
    let mut script = Script::start("etherfi", &start, etherfi_state(&etherfi));
    let mut clock = 0;
    for _ in 0..STEPS {
        clock += random.below(7_200);
        let done = etherfi_step(&mut etherfi, &mut random, clock, &mut rate);
        script.add(done, etherfi_state(&etherfi));
    }
    script.compare("EtherFi");
}

#[test]
fn random_king_sequence_agrees_with_the_model() {
    let mut random = Random(20_260_703);
    let each = KingRedemption {
        eigen: U256::from(1_231_168_216_916_385_800_u64),
        ethfi: U256::from(248_000_000_000_000_001_u64),
    };
    let mut vault = KingVault::per_king(1_000, each).unwrap();
    let state = |vault: &KingVault| {
        json!({
            "supply": vault.total_supply.to_string(),
            "basket": texts([vault.basket.eigen, vault.basket.ethfi]),
        })
    };
    let start = [
        ("supply", vault.total_supply),
        ("eigen", vault.basket.eigen),
        ("ethfi", vault.basket.ethfi),
    ];
    let mut script = Script::start("king", &start, state(&vault));
    for _ in 0..STEPS {
        let done = if random.below(3) == 0 {
            let (king, eigen, ethfi) = (random.ether(), random.ether(), random.ether());
            let into = vault.deposit(KingRedemption { eigen, ethfi }, king);
            let arguments = [("king", king), ("eigen", eigen), ("ethfi", ethfi)];
            done("deposit", &arguments, into.map(|()| U256::ZERO))
        } else {
            let held = vault.total_supply / U256::from(1 + random.below(50));
            let king = random.amount(held);
            let paid = vault.redeem(king, held).map(|_| U256::ZERO);
            done("redeem", &[("king", king), ("held", held)], paid)
        };
        script.add(done, state(&vault));
    }
    script.compare("KING");
}
