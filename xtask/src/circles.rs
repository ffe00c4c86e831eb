//! Circles of imports between the top-level modules of a crate.
//!
//! A module is a file or a folder right below `src`; what the crate's root re-exports counts as a use of
//! the module it comes from. Tests and doc comments do not count: a test may set two modules against each
//! other.

use std::collections::{BTreeMap, BTreeSet};

/// Folders and files of test code.
const TESTS: &[&str] = &[
    "tests",
    "testing",
    "tests.rs",
    "testing.rs",
    "property_tests.rs",
];

/// The uses between the modules of one crate: who, whom, and a place that shows it.
type Uses = BTreeMap<String, BTreeMap<String, String>>;

/// Adds every circle.
pub(crate) fn check(files: &[(String, String)], wrong: &mut Vec<String>) {
    for (name, sources) in crates(files) {
        let uses = uses(&sources);
        for circle in circles(&uses) {
            wrong.push(describe(&name, &circle, &uses));
        }
    }
}

/// The sources of each crate: path below `src` and text.
fn crates(files: &[(String, String)]) -> BTreeMap<String, Vec<(&str, &str, &str)>> {
    let mut crates: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (path, text) in files {
        let Some((folder, below)) = path.split_once("/src/") else {
            continue;
        };
        let is_test = below.split('/').any(|part| TESTS.contains(&part));
        if below.ends_with(".rs") && !is_test {
            let name = folder.rsplit('/').next().unwrap_or(folder);
            let sources = crates.entry(name.to_owned()).or_default();
            sources.push((path.as_str(), below, text.as_str()));
        }
    }
    crates
}

/// Who uses whom among the modules of a crate.
fn uses(sources: &[(&str, &str, &str)]) -> Uses {
    let modules: BTreeSet<&str> = sources.iter().filter_map(|s| module(s.1)).collect();
    let mut exported = BTreeMap::new();
    for (_, below, text) in sources {
        if module(below).is_none() {
            exports(&code(text), &modules, &mut exported);
        }
    }
    let mut uses = Uses::new();
    for (path, below, text) in sources {
        let Some(own) = module(below) else { continue };
        let roots = ["crate::".to_owned(), "super::".repeat(depth(below))];
        for (start, name) in roots.iter().flat_map(|root| paths(&code(text), root)) {
            let found = modules.get(name.as_str()).copied();
            let used = found.or_else(|| exported.get(&name).copied());
            let Some(used) = used.filter(|used| *used != own) else {
                continue;
            };
            let of_own = uses.entry(own.to_owned()).or_default();
            let place = || format!("{path}:{start} uses {used}");
            of_own.entry(used.to_owned()).or_insert_with(place);
        }
    }
    uses
}

/// The top-level module of a file below `src`; `None` for a root.
fn module(below: &str) -> Option<&str> {
    let first = below.split('/').next().unwrap_or(below);
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!["lib", "main", "bin"].contains(&name)).then_some(name)
}

/// How many `super::` lead from the module of a file to the root.
fn depth(below: &str) -> usize {
    let folders = below.matches('/').count();
    if below.ends_with("/mod.rs") {
        folders
    } else {
        folders + 1
    }
}

/// The text without comments and without the tests at its end, line by line as it was.
fn code(text: &str) -> String {
    let ends = ["mod tests {", "pub(crate) mod tests {"];
    let ends = ends.map(|tests| text.find(&format!("#[cfg(test)]\n{tests}")));
    let end = ends.into_iter().flatten().min();
    let text = text.get(..end.unwrap_or(text.len())).unwrap_or(text);
    let mut code = String::with_capacity(text.len());
    for line in text.lines() {
        code.push_str(line.split("//").next().unwrap_or_default());
        code.push('\n');
    }
    code
}

/// The names that follow `root` in `code`, each with its line: those of a group are several.
fn paths(code: &str, root: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(root) {
        let before = code.get(..at).unwrap_or_default();
        let follows = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        if before.chars().next_back().is_some_and(follows) {
            continue;
        }
        let line = before.matches('\n').count() + 1;
        let rest = code.get(at + root.len()..).unwrap_or_default();
        for name in first_names(rest) {
            found.push((line, name));
        }
    }
    found
}

/// The first name of a path, or of each path of a group.
fn first_names(rest: &str) -> Vec<String> {
    let ident = |text: &str| -> String {
        let is_part = |c: &char| c.is_alphanumeric() || *c == '_';
        text.trim_start().chars().take_while(is_part).collect()
    };
    let Some(group) = rest.strip_prefix('{') else {
        return vec![ident(rest)];
    };
    let mut names = vec![ident(group)];
    let mut open = 0_usize;
    for (at, c) in group.char_indices() {
        match c {
            '{' => open += 1,
            '}' if open == 0 => break,
            '}' => open -= 1,
            ',' if open == 0 => names.push(ident(group.get(at + 1..).unwrap_or_default())),
            _ => {}
        }
    }
    names
}

/// What a root re-exports of its modules: name → module.
fn exports<'a>(code: &str, modules: &BTreeSet<&'a str>, into: &mut BTreeMap<String, &'a str>) {
    for statement in code.split(';') {
        let Some((_, path)) = statement.split_once("pub use ") else {
            continue;
        };
        let path = path.trim().trim_start_matches("self::");
        let Some((head, rest)) = path.split_once("::") else {
            continue;
        };
        let Some(module) = modules.get(head) else {
            continue;
        };
        let names = rest.split(['{', '}', ',', ':', ' ', '\n']);
        let names = names.filter(|name| !name.is_empty());
        into.extend(names.map(|name| (name.to_owned(), *module)));
    }
}

/// The sets of modules that reach one another, each in order.
fn circles(uses: &Uses) -> Vec<Vec<String>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> = uses
        .keys()
        .map(|from| (from.as_str(), reach(uses, from)))
        .collect();
    let mut circles: Vec<Vec<String>> = Vec::new();
    for (from, to) in &reached {
        let back = |other: &&&str| reached.get(**other).is_some_and(|set| set.contains(from));
        let members: Vec<String> = to.iter().filter(back).map(|m| (*m).to_owned()).collect();
        if members.len() > 1 && !circles.contains(&members) {
            circles.push(members);
        }
    }
    circles
}

/// Everything that `from` uses, directly or not; itself where there is a way back.
fn reach<'a>(uses: &'a Uses, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = vec![from];
    while let Some(at) = next.pop() {
        for used in uses.get(at).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(used.as_str()) {
                next.push(used);
            }
        }
    }
    reached
}

/// A circle with a line for each use within it.
fn describe(name: &str, circle: &[String], uses: &Uses) -> String {
    let mut text = format!("{name}: {} import one another:", circle.join(", "));
    for from in circle {
        for (used, place) in uses.get(from).into_iter().flatten() {
            if circle.contains(used) {
                text.push_str("\n    ");
                text.push_str(place);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        let files: Vec<(String, String)> = files.iter().map(owned).collect();
        let crates = crates(&files);
        crates.values().flat_map(|s| circles(&uses(s))).collect()
    }

    #[test]
    fn a_circle_through_groups_supers_and_reexports_is_found() {
        let files = [
            (
                "crates/x/src/lib.rs",
                "pub mod a;\npub use self::c::Thing;\n",
            ),
            ("crates/x/src/a.rs", "use crate::{b::B, d};\n"),
            ("crates/x/src/b/mod.rs", "mod deep;\n"),
            ("crates/x/src/b/deep.rs", "fn f(_: crate::Thing) {}\n"),
            ("crates/x/src/c.rs", "use super::a::A;\n"),
            ("crates/x/src/d.rs", "use super::super_other;\n"),
        ];
        assert_eq!(circles_of(&files), [["a", "b", "c"]]);
    }

    #[test]
    fn tests_comments_and_a_module_s_own_paths_are_no_circle() {
        let files = [
            (
                "crates/x/src/a.rs",
                "use crate::b;\n#[cfg(test)]\nmod tests {}\n",
            ),
            (
                "crates/x/src/b.rs",
                "/// See [`a`](crate::a).\nuse crate::b::B;\n",
            ),
            ("crates/x/src/b/tests.rs", "use crate::a;\n"),
            ("crates/x/src/b/deep.rs", "use super::a;\n"),
        ];
        assert_eq!(circles_of(&files), Vec::<Vec<String>>::new());
    }
}
