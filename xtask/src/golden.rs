//! Short runs whose every figure is kept in `tests/golden`, so that no change of a figure goes unnoticed.
//!
//! Each run of [`RUNS`] is made anew on the built-in synthetic market and its tables are compared with the
//! kept ones. An intended change rewrites them with `--update`, in a commit of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::compare::{self, Options, TABLES};

/// One kept run.
struct Run {
    /// Its folder below `tests/golden`.
    name: &'static str,
    mode: &'static str,
    /// Of `basis backtest`, blank by blank.
    arguments: &'static [&'static str],
}

const fn run(name: &'static str, mode: &'static str, arguments: &'static [&'static str]) -> Run {
    Run {
        name,
        mode,
        arguments,
    }
}

/// Fails some transfers out of the accounts of a venue: refused, or returned to their sender.
macro_rules! failing {
    ($venue:literal) => {
        concat!(
            "venue_settings.",
            $venue,
            ".transfer_failures=[{ nth: 1, stage: returned }, { nth: 2, stage: rejected }, \
             { nth: 4, stage: returned }]"
        )
    };
}

/// The seven modes, then what reaches rarer lines. A day of a mode takes 20 to 60 kB.
const RUNS: &[Run] = &[
    run("btc_basis", "btc_basis", &["--to", "2024-01-03"]),
    run("eth_basis", "eth_basis", &["--to", "2024-01-02"]),
    run(
        "eth_basis_in_kind",
        "eth_basis",
        &[
            "--to",
            "2024-01-02",
            "--set",
            "share_class=ETH",
            "--set",
            "initial_capital=100",
            "--set",
            "min_transfer=0.05",
            "--set",
            "dust_threshold=0.005",
        ],
    ),
    run("eth_leveraged", "eth_leveraged", &["--to", "2024-01-03"]),
    // Its rewards are paid on the last day.
    run(
        "eth_staking_only",
        "eth_staking_only",
        &["--from", "2024-01-06", "--to", "2024-01-08"],
    ),
    run("pure_lending", "pure_lending", &["--to", "2024-01-04"]),
    run(
        "usdt_market_neutral",
        "usdt_market_neutral",
        &["--to", "2024-01-03"],
    ),
    run(
        "usdt_market_neutral_no_leverage",
        "usdt_market_neutral_no_leverage",
        &["--to", "2024-01-03"],
    ),
    run(
        "next_open",
        "btc_basis",
        &["--to", "2024-01-02", "--set", "fill_at=next_open"],
    ),
    // One withdrawal is paid, the other asks for too much.
    run(
        "capital_flows",
        "btc_basis",
        &[
            "--to",
            "2024-01-03",
            "--set",
            "deposits=[{ at: 2024-01-01T18:30:00Z, amount: 12345.678901 }]",
            "--set",
            "withdrawals=[{ at: 2024-01-02T00:00:00Z, amount: 60000 }, \
             { at: 2024-01-02T12:00:00Z, amount: 500000 }]",
        ],
    ),
    run(
        "failing_transfers",
        "btc_basis",
        &[
            "--to",
            "2024-01-03",
            "--set",
            failing!("wallet"),
            "--set",
            failing!("binance"),
            "--set",
            failing!("bybit"),
            "--set",
            failing!("okx"),
        ],
    ),
    // Risk is out of the way, so that the exchanges close the positions.
    run(
        "liquidated_perps",
        "btc_basis",
        &[
            "--to",
            "2024-01-02",
            "--set",
            "hedge_leverage=4",
            "--set",
            "risk.distance_halt=0",
            "--set",
            "risk.distance_deleverage=0",
            "--set",
            "risk.distance_top_up=0",
            "--set",
            "risk.distance_reduce_only=0",
            "--set",
            "risk.distance_warn=0",
            "--set",
            "risk.net_delta_halt=10",
            "--shock",
            "BTC +60% at 2024-01-02T00:00Z",
        ],
    ),
    run(
        "liquidated_loan",
        "eth_leveraged",
        &[
            "--to",
            "2024-01-02",
            "--set",
            "max_ltv=0.92",
            "--set",
            "target_ltv=0.9016",
            "--set",
            "risk.health_factor_deleverage=1.015",
            "--set",
            "risk.health_factor_halt=1.005",
            "--shock",
            "oracle weETH -6% at 2024-01-02T00:00Z for 1d",
        ],
    ),
    run(
        "spot_margin",
        "btc_basis",
        &[
            "--to",
            "2024-01-02",
            "--set",
            "reserve_ratio=0",
            "--set",
            "venue_settings.binance.spot_margin=true",
            "--set",
            "venue_settings.binance.borrow=[{ asset: USDT, hourly_rate: 0.00001 }]",
            "--set",
            "venue_settings.binance.slippage_bps=300",
        ],
    ),
    run(
        "queued_stake",
        "eth_staking_only",
        &[
            "--to",
            "2024-01-04",
            "--set",
            "lst_type=wstETH",
            "--set",
            "exit_route=queue",
            "--set",
            "venue_settings.lido.queue_delay_hours=24",
            "--set",
            "withdrawals=[{ at: 2024-01-02T00:00:00Z, amount: 60 }]",
        ],
    ),
];

/// Makes every run with the program at `basis` and compares its tables with the kept ones, or keeps them.
pub(crate) fn check(root: &Path, basis: &Path, update: bool) -> Result<(), String> {
    let (kept, made) = (root.join("tests/golden"), root.join("target/golden"));
    remove(&made)?;
    for run in RUNS {
        make(run, basis, &made)?;
    }
    if !update {
        return judge(&kept, &made);
    }
    if kept.is_dir() {
        let (table, _) = compare::compare(&kept, &made, Options::NUMBERS)?;
        print!("{table}");
    }
    remove(&kept)?;
    for run in RUNS {
        copy_tables(&made.join(run.name), &kept.join(run.name))?;
    }
    println!("{} runs are kept in {}", RUNS.len(), kept.display());
    Ok(())
}

/// Whether the runs are the kept ones; the error shows where they differ.
fn judge(kept: &Path, made: &Path) -> Result<(), String> {
    let (table, equal) = compare::compare(kept, made, Options::NUMBERS)?;
    if equal {
        println!("{} golden runs are as they were", RUNS.len());
        return Ok(());
    }
    Err(format!(
        "runs are not as they were kept (A: {}, B: now):\n{table}\
         An intended change of figures: `cargo xtask golden --update`, in a commit of its own that shows \
         this table",
        kept.display()
    ))
}

/// Leaves the tables of a run in its folder below `made`.
fn make(run: &Run, basis: &Path, made: &Path) -> Result<(), String> {
    let whole = made.with_file_name("golden-runs").join(run.name);
    remove(&whole)?;
    let mut command = Command::new(basis);
    command
        .args(["backtest", run.mode, "--quiet", "--out"])
        .arg(&whole);
    if !run.arguments.contains(&"--from") {
        command.args(["--from", "2024-01-01"]);
    }
    // A look-back of a week, or a month, would leave short runs without a book, or without its debt.
    let levered = ["eth_leveraged", "usdt_market_neutral"];
    if run.mode.ends_with("_basis") || levered.contains(&run.mode) {
        command.args(["--set", "expected_carry.horizon_hours=null"]);
    }
    // Nothing of the caller's environment gets into a configuration.
    let done = command.args(run.arguments).env_clear().output();
    let done = done.map_err(|e| format!("{}: {e}", basis.display()))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(format!("the golden run {} fails:\n{said}", run.name));
    }
    copy_tables(&whole, &made.join(run.name))
}

fn copy_tables(from: &Path, to: &Path) -> Result<(), String> {
    let wrong = |place: PathBuf| move |e| format!("{}: {e}", place.display());
    fs::create_dir_all(to).map_err(wrong(to.to_owned()))?;
    for table in TABLES {
        let source = from.join(table);
        fs::copy(&source, to.join(table)).map_err(wrong(source))?;
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<(), String> {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn kept() -> PathBuf {
        crate::root().join("tests/golden")
    }

    /// A copy of the kept runs, removed at the end.
    struct Copied(PathBuf);

    impl Copied {
        fn new(name: &str) -> Self {
            let place = std::env::temp_dir().join(format!("golden-{name}-{}", std::process::id()));
            remove(&place).unwrap();
            for run in RUNS {
                copy_tables(&kept().join(run.name), &place.join(run.name)).unwrap();
            }
            Self(place)
        }
    }

    impl Drop for Copied {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    /// Changes the last digit of the last row that has one.
    fn tamper(table: &Path) {
        let text = fs::read_to_string(table).unwrap();
        let at = text.rfind(|c: char| c.is_ascii_digit()).unwrap();
        let other = if &text[at..=at] == "1" { "2" } else { "1" };
        let mut changed = text.clone();
        changed.replace_range(at..=at, other);
        assert_ne!(text, changed);
        fs::write(table, changed).unwrap();
    }

    #[test]
    fn every_run_is_kept_under_a_name_of_its_own() {
        let names: BTreeSet<_> = RUNS.iter().map(|run| run.name).collect();
        assert_eq!(names.len(), RUNS.len());
        let folders = fs::read_dir(kept()).unwrap();
        let folders = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let folders: BTreeSet<_> = folders.collect();
        assert_eq!(folders, names.iter().map(|&name| name.to_owned()).collect());
    }

    #[test]
    fn a_changed_cell_of_any_table_is_found() {
        let copied = Copied::new("cell");
        judge(&kept(), &copied.0).unwrap();
        for table in TABLES {
            let place = copied.0.join("btc_basis").join(table);
            let text = fs::read_to_string(&place).unwrap();
            tamper(&place);
            let found = judge(&kept(), &copied.0).unwrap_err();
            let expected = format!("DIFFERS  {table} 1 (line ");
            assert!(found.contains(&expected), "no `{expected}` in {found}");
            assert!(found.contains("cargo xtask golden --update"), "{found}");
            fs::write(&place, text).unwrap();
        }
        judge(&kept(), &copied.0).unwrap();
    }

    #[test]
    fn a_run_that_is_not_made_is_found() {
        let copied = Copied::new("run");
        remove(&copied.0.join("next_open")).unwrap();
        let found = judge(&kept(), &copied.0).unwrap_err();
        assert!(found.contains("ERROR    only in A"), "{found}");
    }

    #[test]
    fn the_kept_runs_stay_small() {
        let tables = RUNS
            .iter()
            .flat_map(|run| TABLES.iter().map(|table| kept().join(run.name).join(table)));
        let bytes: u64 = tables.map(|table| fs::metadata(table).unwrap().len()).sum();
        assert!(bytes < 2_000_000, "{bytes} bytes");
    }
}
