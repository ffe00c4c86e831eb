//! The auditor's model of StableSwap against Curve's own integer model (curvesim): every step of a random
//! sequence gives the same integers.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests: a failure is a failed test, and a skip must be loud"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::audit::text;

/// Turns absence of the model into a failure; the test command sets it.
const REQUIRE: &str = "BASIS_TESTS_REQUIRE_CONTRACTS";

/// Steps of each sequence.
const STEPS: &str = "400";

#[expect(
    clippy::disallowed_methods,
    reason = "only the test asks, not the product"
)]
fn is_required() -> bool {
    std::env::var(REQUIRE).is_ok()
}

/// The folder of Curve's model, when it is there.
fn packages() -> Option<PathBuf> {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/chain/python");
    let missing = ["curvesim", "gmpy2"]
        .into_iter()
        .find(|package| !packages.join(package).is_dir());
    let Some(missing) = missing else {
        return Some(packages);
    };
    let place = packages.display();
    let said = format!("{missing} is missing in {place}; `cargo xtask setup` installs it");
    assert!(!is_required(), "{said}");
    eprintln!("SKIPPED: {said}");
    None
}

/// What the auditor's check says of the steps that the model took.
fn check(packages: &Path, kind: &str, template: &str) -> Output {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = Command::new("python3")
        .arg(here.join("../basis-protocols/tests/curvesim_model.py"))
        .args([kind, "2", STEPS])
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(model.status.success(), "{}", text(&model.stderr));
    let mut check = Command::new("python3")
        .arg("-B")
        .arg(here.join("tests/audit/models_check.py"))
        .arg(template)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut steps = check.stdin.take().unwrap();
    // A check that stops at a difference reads no further.
    drop(steps.write_all(&model.stdout));
    drop(steps);
    check.wait_with_output().unwrap()
}

#[test]
fn the_auditor_s_stableswap_is_curve_s() {
    let Some(packages) = packages() else { return };
    for (kind, template) in [
        ("three", "three_pool"),
        ("two", "base"),
        ("ng", "stableswap_ng"),
        ("ng_rated", "stableswap_ng"),
        ("ng_four", "stableswap_ng"),
    ] {
        let done = check(&packages, kind, template);
        let said = text(&done.stdout) + &text(&done.stderr);
        assert!(done.status.success(), "{kind}: {said}");
        for operation in ["exchange", "imbalance", "one_coin", "add_liquidity"] {
            assert!(said.contains(operation), "{kind}: {said}");
        }
    }
    // Another template is another curve.
    let done = check(&packages, "ng", "three_pool");
    assert_eq!(done.status.code(), Some(1), "{}", text(&done.stdout));
}
