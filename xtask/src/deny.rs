//! Licences, bans and sources of everything the workspace depends on, held to `deny.toml`.
//!
//! cargo-deny is the tool for it, and runs where it is installed. To build it takes some 270 seconds of
//! processor time, more than all of the checks together, so that a bare machine is not made to: the same
//! policy is checked here over `cargo tree`, in a second. Duplicate versions and unused allowances are
//! cargo-deny's alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What `deny.toml` says, as far as it is read here.
#[derive(Debug, Default, PartialEq, Eq)]
struct Policy {
    licenses: BTreeSet<String>,
    /// Crates that are kept out, but for what these may pull in.
    banned: BTreeMap<String, Vec<String>>,
}

/// A crate as `cargo tree` names it.
#[derive(Debug, PartialEq, Eq)]
struct Package<'a> {
    depth: usize,
    name: &'a str,
    /// What stands in brackets behind the version: a path, an address, or nothing.
    source: Option<&'a str>,
    license: &'a str,
}

/// Checks every crate and lists all that is wrong.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let path = root.join("deny.toml");
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let policy = Policy::read(&text)?;
    let tree = tree(root)?;
    let wrong = findings(&policy, &tree, &root.to_string_lossy());
    if wrong.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = wrong.into_iter().collect();
    Err(format!(
        "{} finding(s):\n  {}",
        lines.len(),
        lines.join("\n  ")
    ))
}

fn tree(root: &Path) -> Result<String, String> {
    let output = Command::new("cargo")
        .args(["tree", "--workspace", "--all-features", "--locked"])
        .args(["--edges", "normal,build,dev", "--prefix", "depth"])
        .args(["--format", "{p}|{l}|"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("cargo tree: {e}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo tree: {said}"));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("cargo tree: {e}"))
}

impl Policy {
    fn read(text: &str) -> Result<Self, String> {
        let mut policy = Self::default();
        let (mut section, mut in_allow) = ("", false);
        for line in text.lines().map(str::trim) {
            if line.starts_with('[') {
                section = line;
            } else if section == "[licenses]" {
                in_allow |= line.starts_with("allow = [");
                if in_allow {
                    policy
                        .licenses
                        .extend(quoted(line).into_iter().map(str::to_owned));
                    in_allow = !line.ends_with(']');
                }
            } else if section == "[bans]" && line.starts_with("{ crate = ") {
                let mut names = quoted(line).into_iter().map(str::to_owned);
                if let Some(name) = names.next() {
                    policy.banned.insert(name, names.collect());
                }
            }
        }
        if policy.licenses.is_empty() || policy.banned.is_empty() {
            return Err("deny.toml: no licence is allowed, or no crate banned".to_owned());
        }
        Ok(policy)
    }
}

/// The texts in double quotes.
fn quoted(line: &str) -> Vec<&str> {
    line.split('"').skip(1).step_by(2).collect()
}

fn findings(policy: &Policy, tree: &str, root: &str) -> BTreeSet<String> {
    let mut wrong = BTreeSet::new();
    let mut above: Vec<&str> = Vec::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let Some(package) = package(line) else {
            wrong.insert(format!("`{line}` of cargo tree is not understood"));
            continue;
        };
        let Package { depth, name, .. } = package;
        above.truncate(depth);
        let parent = above.last().copied();
        above.push(name);
        if let Some(wrappers) = policy.banned.get(name) {
            let by = parent.unwrap_or("the workspace");
            if !wrappers.iter().any(|wrapper| wrapper == by) {
                wrong.insert(format!("{by} pulls in {name}, which deny.toml bans"));
            }
        }
        match package.source {
            None => {}
            // Crates of the workspace are licensed by it.
            Some(path) if Path::new(path).starts_with(root) => continue,
            Some(other) => {
                wrong.insert(format!("{name} comes from {other}, not from the registry"));
            }
        }
        if !is_allowed(package.license, &policy.licenses) {
            let license = package.license;
            wrong.insert(format!("{name}: the licence `{license}` is not allowed"));
        }
    }
    wrong
}

/// `2ruint v1.17.0 (proc-macro)|MIT OR Apache-2.0| (*)`.
fn package(line: &str) -> Option<Package<'_>> {
    let mut parts = line.split('|');
    let (first, license) = (parts.next()?, parts.next()?);
    let name_at = first.find(|c: char| !c.is_ascii_digit())?;
    let depth = first.get(..name_at)?.parse().ok()?;
    let (name, rest) = first.get(name_at..)?.split_once(' ')?;
    let mut source = None;
    for bracketed in rest.split('(').skip(1) {
        let inner = bracketed.trim_end().strip_suffix(')')?;
        if inner != "proc-macro" {
            source = Some(inner);
        }
    }
    Some(Package {
        depth,
        name,
        source,
        license,
    })
}

/// Whether a licence expression can be met with allowed licences alone. `/` is the old way to write OR.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let tokens: Vec<_> = spaced.split_whitespace().collect();
    let mut rest = tokens.as_slice();
    any_of(&mut rest, allowed) == Some(true) && rest.is_empty()
}

/// `a OR b OR …`; nothing for what is no expression.
fn any_of(rest: &mut &[&str], allowed: &BTreeSet<String>) -> Option<bool> {
    let mut met = all_of(rest, allowed)?;
    while let ["OR", more @ ..] = *rest {
        *rest = more;
        met |= all_of(rest, allowed)?;
    }
    Some(met)
}

/// `a AND b AND …`.
fn all_of(rest: &mut &[&str], allowed: &BTreeSet<String>) -> Option<bool> {
    let mut met = one(rest, allowed)?;
    while let ["AND", more @ ..] = *rest {
        *rest = more;
        met &= one(rest, allowed)?;
    }
    Some(met)
}

/// A licence, with its exception when it has one, or an expression in brackets.
fn one(rest: &mut &[&str], allowed: &BTreeSet<String>) -> Option<bool> {
    match *rest {
        ["(", more @ ..] => {
            *rest = more;
            let met = any_of(rest, allowed)?;
            let [")", more @ ..] = *rest else {
                return None;
            };
            *rest = more;
            Some(met)
        }
        [license, "WITH", exception, more @ ..] => {
            *rest = more;
            Some(allowed.contains(&format!("{license} WITH {exception}")))
        }
        [license, more @ ..] => {
            *rest = more;
            Some(allowed.contains(*license))
        }
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "[licenses]\nallow = [\n  \"MIT\",\n  \"Zlib\",\n]\nother = \"GPL-3.0\"\n\n\
                          [bans]\ndeny = [\n  # Never.\n  { crate = \"evil\" },\n  \
                          { crate = \"machine\", wrappers = [\"tests\"] },\n]\n";

    #[test]
    fn the_policy_is_read_from_its_sections() {
        let policy = Policy::read(POLICY).unwrap();
        let licenses: Vec<_> = policy.licenses.iter().map(String::as_str).collect();
        assert_eq!(licenses, ["MIT", "Zlib"]);
        assert_eq!(policy.banned["evil"], Vec::<String>::new());
        assert_eq!(policy.banned["machine"], ["tests"]);
        assert!(Policy::read("[licenses]\nallow = []\n").is_err());
    }

    #[test]
    fn an_expression_is_met_by_allowed_licences_alone() {
        let allowed = Policy::read(POLICY).unwrap().licenses;
        for good in [
            "MIT",
            "Unlicense/MIT",
            "GPL-3.0 OR MIT",
            "(MIT OR X) AND Zlib",
        ] {
            assert!(is_allowed(good, &allowed), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND X",
            "MIT WITH x",
            "(MIT",
            "MIT MIT",
            "OR",
        ] {
            assert!(!is_allowed(bad, &allowed), "{bad}");
        }
    }

    #[test]
    fn bans_sources_and_licences_are_told_by_crate() {
        let policy = Policy::read(POLICY).unwrap();
        let tree = "0ours v0.1.0 (/here/ours)||\n1good v1.0.0 (proc-macro)|MIT|\n\
                    2evil v1.0.0|MIT|\n1machine v2.0.0|MIT|\n\n0tests v0.1.0 (/here/tests)||\n\
                    1machine v2.0.0|MIT| (*)\n1forked v1.0.0 (ssh://host/forked#abc)|MIT|\n\
                    1copyleft v1.0.0|GPL-3.0|\nnonsense\n";
        let wrong: Vec<_> = findings(&policy, tree, "/here").into_iter().collect();
        assert_eq!(
            wrong,
            [
                "`nonsense` of cargo tree is not understood",
                "copyleft: the licence `GPL-3.0` is not allowed",
                "forked comes from ssh://host/forked#abc, not from the registry",
                "good pulls in evil, which deny.toml bans",
                "ours pulls in machine, which deny.toml bans",
            ]
        );
    }
}
