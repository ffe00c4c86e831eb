//! The developer's commands. `cargo xtask test` is everything that CI runs.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program"
)]

mod circles;
mod compare;
mod contracts;
mod deny;
mod golden;
mod ledger;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "cargo xtask COMMAND

  test    everything CI runs: set-up, format, lints, licences, tests, golden runs, doc tests, docs, the README's run
  check   format and lints only
  setup   installs what the tests need and the machine lacks
  tidy    rules of the house that no compiler knows
  deny    licences, bans and sources of all dependencies, as deny.toml has them
  bench   the benchmarks with their baselines, in release
  compare A B [--causes] [--numbers]
          two run directories, or two directories of them, table by table; exits 0 when equal, 1 when not.
          --causes: causes may be spelled differently, one to one. --numbers: sums up how far numbers differ
  golden [--update]
          short runs of every mode beside those kept in tests/golden; --update keeps them as they are now
";

/// The features everything is linted, tested and documented with: all of them, and one set, so that
/// nothing is built twice. Parquet costs a cold debug build 54 CPU seconds.
const FEATURES: &str = "--features=basis/full,basis-sim/server,basis-testkit/loopback";

fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    let done = match command.as_str() {
        "test" => test(),
        "check" => check(),
        "setup" => set_up(),
        "tidy" => tidy::run(&root()),
        "deny" => deny(),
        "bench" => bench(),
        "compare" => return compare(),
        "golden" => golden(&std::env::args().skip(2).collect::<Vec<_>>()),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("xtask {command}: {e}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's folder.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

fn test() -> Result<(), String> {
    set_up()?;
    check()?;
    if answers(&["cargo-nextest", "--version"]) {
        run_with(
            "cargo",
            &[
                "nextest",
                "run",
                "--workspace",
                FEATURES,
                "--locked",
                "--no-fail-fast",
            ],
            contracts::REQUIRED,
        )?;
        run(
            "cargo",
            &[
                "test",
                "--workspace",
                FEATURES,
                "--doc",
                "--locked",
                "--quiet",
            ],
        )?;
    } else {
        run_with(
            "cargo",
            &[
                "test",
                "--workspace",
                FEATURES,
                "--locked",
                "--no-fail-fast",
            ],
            contracts::REQUIRED,
        )?;
    }
    golden(&[])?;
    run_with(
        "cargo",
        &["doc", "--workspace", FEATURES, "--no-deps", "--locked"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    )?;
    readme_run()
}

fn check() -> Result<(), String> {
    tidy::run(&root())?;
    deny()?;
    run("cargo", &["fmt", "--all", "--check"])?;
    run(
        "cargo",
        &[
            "clippy",
            "--workspace",
            FEATURES,
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
    )
}

/// The policy on dependencies; by cargo-deny too where that is installed.
fn deny() -> Result<(), String> {
    deny::run(&root())?;
    if !answers(&["cargo-deny", "--version"]) {
        println!("cargo-deny is not installed: deny.toml was checked over `cargo tree` alone");
        return Ok(());
    }
    let check = ["deny", "--offline", "check", "bans", "licenses", "sources"];
    run("cargo", &check)
}

/// The first of the README's two commands, in a folder of its own. It is built as the tests are, but with
/// the default features: what a newcomer has after a minute, not after an optimized build's five.
fn readme_run() -> Result<(), String> {
    let out = root().join("target/readme-run");
    if out.exists() {
        std::fs::remove_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    }
    let out = out.to_string_lossy().into_owned();
    run(
        "cargo",
        &[
            "run",
            "--locked",
            "--",
            "backtest",
            "btc_basis",
            "--out",
            &out,
        ],
    )
}

/// Exit code 0: equal, 1: not, 2: nothing was compared.
fn compare() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(2).collect();
    match compare::run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("xtask compare: {e}");
            ExitCode::from(2)
        }
    }
}

/// The golden runs, made by the program that the tests were run with: as part of them it is built already.
fn golden(arguments: &[String]) -> Result<(), String> {
    let update = match arguments {
        [] => false,
        [update] if update == "--update" => true,
        other => return Err(format!("`{}`: there is --update alone", other.join(" "))),
    };
    run(
        "cargo",
        &[
            "test",
            "--workspace",
            FEATURES,
            "--test",
            "it",
            "--no-run",
            "--locked",
            "--quiet",
        ],
    )?;
    let own = std::env::current_exe().map_err(|e| format!("the place of xtask: {e}"))?;
    let basis = own.with_file_name(format!("basis{}", std::env::consts::EXE_SUFFIX));
    golden::check(&root(), &basis, update)
}

fn bench() -> Result<(), String> {
    run("cargo", &["bench", "--workspace", "--locked"])
}

/// What the tests need and a bare machine may lack: a Python for the outside auditor, a browser to
/// open the report in, the contracts and models that the protocols are compared with.
fn set_up() -> Result<(), String> {
    let wanted: [(&str, &[&str], &str); 5] = [
        ("python3", &["python3", "--version"], "for the auditor"),
        (
            "python3-pip",
            &["python3", "-m", "pip", "--version"],
            "for the models",
        ),
        ("nodejs", &["node", "--version"], "for npm"),
        ("npm", &["npm", "--version"], "for the contracts"),
        (
            "chromium",
            &["chromium", "--version"],
            "to open the report in",
        ),
    ];
    let missing: Vec<_> = wanted
        .into_iter()
        .filter(|(_, probe, _)| !answers(probe))
        .collect();
    if !missing.is_empty() {
        for (package, _, what_for) in &missing {
            println!("{package} is missing; installing it {what_for}");
        }
        run("apt-get", &["update"])?;
        let mut arguments = vec!["install", "-y", "--no-install-recommends"];
        arguments.extend(missing.iter().map(|(package, ..)| *package));
        run("apt-get", &arguments)?;
    }
    contracts::install(&root().join("tests/chain"))
}

/// Whether a command, its program first, can be run.
fn answers(command: &[&str]) -> bool {
    let [program, arguments @ ..] = command else {
        return false;
    };
    Command::new(program)
        .args(arguments)
        .output()
        .is_ok_and(|output| output.status.success())
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    run_with(program, arguments, &[])
}

fn run_with(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Result<(), String> {
    let line = format!("{program} {}", arguments.join(" "));
    println!("$ {line}");
    let status = Command::new(program)
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(root())
        .status()
        .map_err(|e| format!("{line}: {e}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{line}` failed with {status}"))
    }
}
