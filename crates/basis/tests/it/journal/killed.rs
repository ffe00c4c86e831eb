//! The program killed with SIGKILL at random instants and started again, until it is done.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::runner::{Scratch, usual_arguments};

/// Kills in all modes together: more than 200.
const KILLS: u32 = 29;

/// The longest a start lives, milliseconds: about as long as a run takes.
const LIFE_MAX_MS: u64 = 900;

/// A sequence of numbers from a seed.
struct Random(u64);

impl Random {
    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn start(scratch: &Scratch, mode: &str, resume: bool) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_basis"));
    command.args(["backtest", mode, "--to", "2024-01-05", "-q"]);
    command.args(["--journal", "run.journal", "--out", "resumed"]);
    command.args(usual_arguments(&["backtest", mode]));
    if resume {
        command.arg("--resume");
    }
    command.env_clear().current_dir(scratch.path());
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::piped()).spawn().unwrap()
}

/// Lets the child live for a time, or to its end; whether it ended by itself. A process of another
/// program knows no clock of ours: a thread that waits for nothing measures the time.
fn lives(child: &mut Child, life: Duration) -> bool {
    let (end, over) = std::sync::mpsc::channel::<()>();
    let pause = Duration::from_millis(2);
    let mut lived = Duration::ZERO;
    while lived < life {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        assert!(over.recv_timeout(pause).is_err(), "nobody sends");
        lived += pause;
    }
    drop(end);
    child.kill().unwrap();
    child.wait().unwrap();
    false
}

/// A table with instruction numbers replaced by their order of use.
fn renamed(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let is_of_id = |c: char| c.is_ascii_digit() || c == '-';
    let mut ids: BTreeMap<(u64, u64), String> = BTreeMap::new();
    for word in text.split(|c| !is_of_id(c)) {
        if let Some((epoch, counter)) = word.split_once('-')
            && epoch.len() == 10
            && let (Ok(epoch), Ok(counter)) = (epoch.parse(), counter.parse())
        {
            ids.insert((epoch, counter), word.to_owned());
        }
    }
    let order: BTreeMap<_, _> = ids.into_values().zip(1..).collect();
    let mut shown = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find(is_of_id) {
        let (before, from) = rest.split_at(at);
        let end = from.find(|c| !is_of_id(c)).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        shown.push_str(before);
        match order.get(word) {
            Some(place) => shown.push_str(&format!("#{place}")),
            None => shown.push_str(word),
        }
        rest = after;
    }
    shown.push_str(rest);
    shown
}

fn goes_on_after_kills(mode: &str, seed: u64) {
    let mut random = Random(seed);
    let mut kills = 0;
    let whole = Scratch::new();
    let done = whole.basis(&format!("backtest {mode} --to 2024-01-05 -q --out whole"));
    assert_eq!(done.code, 0, "{done:?}");
    while kills < KILLS {
        let scratch = Scratch::new();
        let mut resume = false;
        loop {
            let life = Duration::from_millis(random.below(LIFE_MAX_MS));
            // The last start of the last run lives as long as it wants.
            let life = if kills < KILLS {
                life
            } else {
                Duration::from_secs(600)
            };
            let mut child = start(&scratch, mode, resume);
            if lives(&mut child, life) {
                let output = child.wait_with_output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(
                    output.status.success(),
                    "{mode} after {kills} kills: {said}"
                );
                break;
            }
            kills += 1;
            // Killed with its last act behind it, it is done.
            if scratch.path().join("resumed").exists() {
                break;
            }
            // Killed before its file was there, it had not begun.
            resume = scratch.path().join("run.journal").exists();
        }
        for table in ["ledger", "equity", "positions", "executions", "risk"] {
            let name = format!("{table}.csv");
            let expected = renamed(&whole.path().join("whole").join(&name));
            let resumed = renamed(&scratch.path().join("resumed").join(&name));
            assert!(
                expected == resumed,
                "{mode}: {name} differs after {kills} kills"
            );
        }
        let checked = scratch.basis("journal run.journal --check");
        assert_eq!(checked.code, 0, "{checked:?}");
        let replayed = scratch.basis("journal run.journal --replay");
        assert_eq!(replayed.code, 0, "{replayed:?}");
    }
}

#[test]
fn btc_basis_goes_on_after_kills() {
    goes_on_after_kills("btc_basis", 0x9E37_79B9_7F4A_7C15);
}

#[test]
fn eth_basis_goes_on_after_kills() {
    goes_on_after_kills("eth_basis", 0xD1B5_4A32_D192_ED03);
}

#[test]
fn pure_lending_goes_on_after_kills() {
    goes_on_after_kills("pure_lending", 0x94D0_49BB_1331_11EB);
}

#[test]
fn eth_staking_only_goes_on_after_kills() {
    goes_on_after_kills("eth_staking_only", 0xBF58_476D_1CE4_E5B9);
}

#[test]
fn eth_leveraged_goes_on_after_kills() {
    goes_on_after_kills("eth_leveraged", 0x2545_F491_4F6C_DD1D);
}

#[test]
fn usdt_market_neutral_no_leverage_goes_on_after_kills() {
    goes_on_after_kills("usdt_market_neutral_no_leverage", 0x9FB2_1C65_1E98_DF25);
}

#[test]
fn usdt_market_neutral_goes_on_after_kills() {
    goes_on_after_kills("usdt_market_neutral", 0xA24B_AED4_963E_E407);
}
