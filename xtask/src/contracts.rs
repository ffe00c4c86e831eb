//! The compiled contracts and models that the protocol tests run, from the package registries.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::run;

/// Set for the tests: the contracts are installed, so a test that misses them fails.
pub(crate) const REQUIRED: &[(&str, &str)] = &[("BASIS_TESTS_REQUIRE_CONTRACTS", "1")];

/// The file that says what an installation was made from.
const STAMP: &str = ".installed-from";

/// Installs into `folder` (`tests/chain`) what its manifests name, unless it is there already.
pub(crate) fn install(folder: &Path) -> Result<(), String> {
    let chain = folder.display();
    let modules = folder.join("node_modules");
    let manifest = read(folder, &["package.json", "package-lock.json"])?;
    if !is_current(&modules, &manifest) {
        // None of the packages has anything to run at installation, and none of the tools that
        // they were built with is needed.
        run(
            "npm",
            &[
                "ci",
                "--prefix",
                &chain.to_string(),
                "--ignore-scripts",
                "--legacy-peer-deps",
                "--no-audit",
                "--no-fund",
            ],
        )?;
        stamp(&modules, &manifest)?;
    }
    let packages = folder.join("python");
    // One of the models is compiled for one Python.
    let manifest = read(folder, &["requirements.txt"])? + &version("python3")?;
    if !is_current(&packages, &manifest) {
        remove(&packages)?;
        run(
            "python3",
            &[
                "-m",
                "pip",
                "install",
                "--no-deps",
                "--no-compile",
                "--quiet",
                "--target",
                &packages.display().to_string(),
                "--requirement",
                &format!("{chain}/requirements.txt"),
            ],
        )?;
        keep_aave_only(&packages)?;
        stamp(&packages, &manifest)?;
    }
    Ok(())
}

/// Removes all of `eth_defi` but the contracts of Aave: an eighth of its 200 MB.
fn keep_aave_only(packages: &Path) -> Result<(), String> {
    let library = packages.join("eth_defi");
    let wanted = library.join("abi/aave_v3");
    let aside = packages.join("aave_v3");
    let failed = |e| format!("{}: {e}", wanted.display());
    fs::rename(&wanted, &aside).map_err(failed)?;
    remove(&library)?;
    fs::create_dir_all(library.join("abi")).map_err(failed)?;
    fs::rename(&aside, &wanted).map_err(failed)
}

fn version(program: &str) -> Result<String, String> {
    let output = Command::new(program).arg("--version").output();
    let output = output.map_err(|e| format!("{program}: {e}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn is_current(installed: &Path, manifest: &str) -> bool {
    fs::read_to_string(installed.join(STAMP)).is_ok_and(|stamp| stamp == manifest)
}

fn stamp(installed: &Path, manifest: &str) -> Result<(), String> {
    let file = installed.join(STAMP);
    fs::write(&file, manifest).map_err(|e| format!("{}: {e}", file.display()))
}

fn read(folder: &Path, names: &[&str]) -> Result<String, String> {
    let mut text = String::new();
    for name in names {
        let file = folder.join(name);
        let part = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        text.push_str(&part);
    }
    Ok(text)
}

fn remove(folder: &Path) -> Result<(), String> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    Ok(())
}
