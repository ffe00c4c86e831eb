//! Runs the built binary in a directory of its own with a clean environment, or a mode in memory.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use basis::assembly::Backtest;
use basis::core::types::Timestamp;
use basis::engine::RunResult;
use basis::market::MarketData;

use crate::scripted;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A working directory for one test, removed at its end.
pub(crate) struct Scratch(PathBuf);

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("basis-it-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs `basis` with arguments separated by blanks, as [`Scratch::run`].
    pub(crate) fn basis(&self, arguments: &str) -> Outcome {
        self.run(&arguments.split_whitespace().collect::<Vec<_>>(), &[])
    }

    /// Runs `basis`, a mode with [`usual_sets`].
    pub(crate) fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
        let output = Command::new(env!("CARGO_BIN_EXE_basis"))
            .args(arguments.get(..1).unwrap_or_default())
            .args(usual_arguments(arguments))
            .args(arguments.get(1..).unwrap_or_default())
            .env_clear()
            .envs(environment.iter().copied())
            .current_dir(&self.0)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Outcome::from(output)
    }

    /// Runs and kills (`SIGKILL`) what is still there after `wait`.
    #[cfg(feature = "live")]
    #[expect(
        clippy::disallowed_methods,
        reason = "a process is killed in its own time"
    )]
    pub(crate) fn kill_after(
        &self,
        arguments: &[&str],
        environment: &[(&str, &str)],
        wait: std::time::Duration,
    ) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_basis"))
            .args(arguments)
            .env_clear()
            .envs(environment.iter().copied())
            .current_dir(&self.0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(wait);
        child.kill().ok();
        child.wait().unwrap();
    }

    /// Runs with `input` on stdin.
    pub(crate) fn feed(&self, arguments: &[&str], input: &str) -> Outcome {
        let mut child = Command::new(env!("CARGO_BIN_EXE_basis"))
            .args(arguments)
            .env_clear()
            .current_dir(&self.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        Outcome::from(child.wait_with_output().unwrap())
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

impl Outcome {
    /// The result, which must be JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }

    /// Asserts a failure with `code` on exit, and every one of `texts` on stderr.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for text in texts {
            assert!(self.err.contains(text), "`{text}` is not in {}", self.err);
        }
    }
}

/// Turns the carry hurdle of a basis mode, or of a loop, off.
pub(crate) const HURDLE_OFF: &str = "expected_carry.horizon_hours=null";

/// The loops that tests were made with: ten times the stake, at the edge of what the pool lends.
pub(crate) const NARROW_LOOP: [&str; 7] = [
    HURDLE_OFF,
    "max_ltv=0.92",
    "target_ltv=0.9016",
    "risk.health_factor_warn=1.03",
    "risk.health_factor_reduce_only=1.02",
    "risk.health_factor_deleverage=1.015",
    "risk.health_factor_halt=1.005",
];

/// What tests set for `mode` unless the `words` of theirs say otherwise: no carry hurdle, a narrow loop, spot at one
/// exchange and no bound on what one holds. Most tests are about what a book does, and not about whether it is worth
/// having or whom it is entrusted to.
pub(crate) fn usual_sets(mode: &str, words: &[&str]) -> Vec<&'static str> {
    let names = |key: &str| words.iter().any(|word| word.contains(key));
    let mut sets = Vec::new();
    let narrow: &[&str] = match mode {
        "btc_basis" | "eth_basis" => &[HURDLE_OFF],
        "eth_leveraged" | "usdt_market_neutral" => &NARROW_LOOP,
        _ => &[],
    };
    if !names("expected_carry") {
        sets.extend(narrow);
    }
    let spot = match mode {
        "btc_basis" => "spot_allocation={binance: 1}",
        "eth_basis" => "spot_allocation={bybit: 1}",
        "usdt_market_neutral" | "usdt_market_neutral_no_leverage" => "",
        _ => return sets,
    };
    if !names("spot_") && !spot.is_empty() {
        sets.push(spot);
    }
    if !names("venue_share_max") {
        sets.push("risk.venue_share_max=1");
    }
    sets
}

/// The same as arguments, where these run one mode.
pub(crate) fn usual_arguments(arguments: &[&str]) -> Vec<&'static str> {
    let runs = ["backtest", "sweep", "stress"];
    let runs = arguments.first().is_some_and(|word| runs.contains(word));
    let mut modes = arguments.iter().map(|word| usual_sets(word, arguments));
    let sets = modes.find(|sets| !sets.is_empty()).unwrap_or_default();
    if !runs || modes.any(|more| more != sets && !more.is_empty()) {
        return Vec::new();
    }
    sets.iter().flat_map(|set| ["--set", set]).collect()
}

/// Runs a mode over `(from, to]` of a market in memory.
pub(crate) fn backtest(
    data: &Arc<MarketData>,
    mode: &str,
    sets: &[&str],
    range: (Timestamp, Timestamp),
) -> RunResult {
    let setup = scripted::setup(mode, sets, range);
    Backtest::run(Arc::clone(data), &setup).unwrap()
}

/// Asserts that the auditor agrees with a run; without Python it says so and passes.
#[expect(clippy::print_stderr, reason = "a skip must be loud")]
pub(crate) fn agrees(run: &Path, data: Option<&Path>) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audit/audit.py");
    let mut audit = Command::new("python3");
    audit.arg("-B").arg(program).arg(run);
    if let Some(data) = data {
        audit.arg("--data").arg(data);
    }
    let Ok(done) = audit.output() else {
        eprintln!("SKIPPED: no python3 to run the auditor with");
        return;
    };
    let (out, err) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    assert_eq!(done.status.code(), Some(0), "{out}{err}");
}
