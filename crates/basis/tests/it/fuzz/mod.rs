//! Any settings, dates and capital of any mode: a run never panics, breaks no invariant, and does not do
//! nothing in silence.
//!
//! CI runs a few seeds. An hour over the recorded data, with a program that was built in release:
//! `BASIS_FUZZ_SECONDS=3600 BASIS_FUZZ_PROGRAM=target/release/basis cargo test -p basis --test it
//! --features basis/full fuzz -- --nocapture`. A failure prints its seed and its command; `BASIS_SEED=N` begins
//! with that seed.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failure is a failed test"
)]

mod case;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use basis::core::num::{Fixed18, Value};
use serde_json::Value as Json;

use self::case::{MODES, arguments};
use crate::audit::recorded_data;

/// Seeds of a run without a time, each mode five times.
const SEEDS: u64 = 35;

/// Codes of what only we can have broken.
const OURS: [&str; 4] = ["PNL-", "REC-", "POS-", "SYS-"];

/// How a run ended, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Ran,
    StoodAside,
    NeverHeld,
    Refused,
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "an hour is a time of the wall clock"
)]
fn no_settings_dates_or_capital_break_a_run() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let data = recorded_data();
    let first = number("BASIS_SEED").unwrap_or(1);
    let time = number("BASIS_FUZZ_SECONDS").map(Duration::from_secs);
    let (begun, mut ends, mut faults) = (Instant::now(), BTreeMap::new(), Vec::new());
    let mut seed = first;
    while time.map_or(seed < first + SEEDS, |time| begun.elapsed() < time) {
        match run(seed, data.as_ref()) {
            Ok(end) => {
                let mode = MODES[usize::try_from(seed % 7).unwrap()];
                *ends.entry((mode, end)).or_insert(0) += 1;
            }
            Err(fault) => {
                eprintln!("{fault}");
                faults.push(fault);
            }
        }
        seed += 1;
    }
    eprintln!(
        "seeds {first} to {}: {ends:?}, {} faults",
        seed - 1,
        faults.len()
    );
    assert_eq!(faults, Vec::<String>::new());
    let ran: i32 = ends
        .iter()
        .filter(|((_, end), _)| *end == End::Ran)
        .map(|(_, count)| count)
        .sum();
    let all: i32 = ends.values().sum();
    assert!(
        ran * 4 >= all,
        "{ran} of {all} runs did anything: the others show little"
    );
}

/// Runs what a seed stands for; what is wrong with it as the error, with its command.
fn run(seed: u64, data: Option<&PathBuf>) -> Result<End, String> {
    let mut arguments = arguments(seed, data.is_some());
    if let Some(data) = data {
        arguments.extend(["--data".to_owned(), data.display().to_string()]);
    }
    let program = std::env::var_os("BASIS_FUZZ_PROGRAM");
    let program = program.map_or_else(|| env!("CARGO_BIN_EXE_basis").into(), PathBuf::from);
    let done = Command::new(program)
        .args(&arguments)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    judge(done.status.code(), &out, &err).map_err(|fault| {
        let quoted: Vec<_> = arguments.iter().map(|text| format!("'{text}'")).collect();
        let end: String = err
            .chars()
            .rev()
            .take(600)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        format!(
            "seed {seed}: {fault}\n  basis {}\n  {end}",
            quoted.join(" ")
        )
    })
}

fn judge(code: Option<i32>, out: &str, err: &str) -> Result<End, String> {
    if err.contains("panicked") {
        return Err("a panic".to_owned());
    }
    if !matches!(code, Some(0..=2)) {
        return Err(format!("exit {code:?}"));
    }
    let Ok(summary) = serde_json::from_str::<Json>(out) else {
        let ours = OURS.iter().find(|code| err.contains(&format!("\"{code}")));
        return match (code, ours) {
            (Some(0), _) => Err("exit 0 without a result".to_owned()),
            (_, Some(ours)) => Err(format!("a broken invariant, {ours}")),
            _ if err.contains("\"code\"") => Ok(End::Refused),
            _ => Err("an error without a code".to_owned()),
        };
    };
    adds_up(&summary)?;
    if !summary["never_held"].is_null() || !summary["halted"].is_null() {
        return match code {
            Some(0) if summary["halted"].is_null() => Err("never held, and exit 0".to_owned()),
            _ => Ok(End::NeverHeld),
        };
    }
    if summary["counts"]["stood_aside_steps"] != 0 {
        return Ok(End::StoodAside);
    }
    if code == Some(0) && is_idle(&summary) {
        return Err("nothing was done in silence, and exit 0".to_owned());
    }
    Ok(End::Ran)
}

/// Whether nothing at all was traded, sent, lent or staked, and nothing says why.
fn is_idle(summary: &Json) -> bool {
    let counts = &summary["counts"];
    let did = [
        "orders",
        "fills",
        "transfers",
        "rebalances",
        "rejections",
        "rebalances_deferred",
    ];
    let buckets = &summary["attribution"];
    let earned = ["interest", "staking_yield", "gas", "fees", "funding"];
    let is_zero = |name: &str| amount(&buckets[name]).is_ok_and(Value::is_zero);
    let asked = !summary["refused_withdrawals"]
        .as_array()
        .unwrap()
        .is_empty();
    did.iter().all(|name| counts[*name] == 0)
        && earned.iter().all(|name| is_zero(name))
        && !asked
        && amount(&summary["equity_end_usd"]).is_ok_and(Value::is_positive)
}

/// What must hold of every result: nothing is left over, buckets and costs add up, and so does the exit value.
fn adds_up(summary: &Json) -> Result<(), String> {
    let read = |path: &str| amount(summary.pointer(path).unwrap_or(&Json::Null));
    let residual = read("/attribution/residual")?
        .abs()
        .map_err(|e| e.to_string())?;
    let equity = read("/equity_end_usd")?;
    let scale = equity
        .abs()
        .map_err(|e| e.to_string())?
        .max(Value::literal("1"));
    let most = scale.get().mul(
        Fixed18::literal("0.000000000001"),
        basis::core::num::Rounding::Up,
    );
    if residual.get()
        > most
            .map_err(|e| e.to_string())?
            .max(Fixed18::literal("0.000001"))
    {
        return Err(format!("a residual of {residual}"));
    }
    let exit = equity
        .sub(read("/exit_cost_usd")?)
        .map_err(|e| e.to_string())?;
    if exit != read("/exit_value_usd")? {
        return Err(format!("exit value {exit} is not equity less exit cost"));
    }
    let costs = summary["costs"].as_object().ok_or("no costs")?;
    let parts = costs.iter().filter(|(name, _)| *name != "total");
    let mut sum = Value::ZERO;
    for (_, part) in parts {
        sum = sum.add(amount(part)?).map_err(|e| e.to_string())?;
    }
    if sum != read("/costs/total")? {
        return Err(format!("costs add up to {sum}"));
    }
    if read("/costs/fees")?.is_negative() || read("/costs/gas")?.is_negative() {
        return Err("costs below zero".to_owned());
    }
    Ok(())
}

fn amount(text: &Json) -> Result<Value, String> {
    let text = text
        .as_str()
        .ok_or_else(|| format!("{text} is no amount"))?;
    text.parse().map_err(|e| format!("{text}: {e}"))
}
