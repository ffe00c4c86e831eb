//! No ledger line without posting: lines are made in one place, and one place appends them to the ledger.
//!
//! Whoever else could make a line (a literal, an `impl` through `Self`, another name for the type) or
//! append one is found in the text of the sources; tests are left out. The compiler keeps the ledger's
//! field private to the books.

use std::collections::BTreeSet;
use std::path::Path;

const LINE: &str = "LedgerEntry";

/// Where lines are made.
const POSTING: &str = "crates/basis-engine/src/posting/";

/// Where lines that posting made are read back from a journal, in one place.
const READING: &str = "crates/basis-live/src/sqlite/line.rs";

/// Where the type stands.
const DEFINITION: &str = "crates/basis-core/src/ledger.rs";

/// Who may name the ledger's field; every other file of the engine asks the books.
const ENGINE: &str = "crates/basis-engine/src/";
const BOOKS: [&str; 2] = [
    "crates/basis-engine/src/account/books.rs",
    "crates/basis-engine/src/account/books/",
];

/// What changes the ledger of the books, after `ledger.`.
const CHANGES: [&str; 13] = [
    "append",
    "clear",
    "drain",
    "extend",
    "insert",
    "iter_mut",
    "pop",
    "push",
    "remove",
    "retain",
    "split_off",
    "swap",
    "truncate",
];

/// Checks the sources among the files, each by its path below the workspace's folder and its text.
pub(crate) fn check(files: &[(String, String)], wrong: &mut Vec<String>) {
    let is_source = |(name, _): &&(String, String)| {
        let ending = Path::new(name).extension();
        ending.is_some_and(|ending| ending == "rs")
    };
    let tests = test_modules(files);
    let (mut sites, mut readings, mut appends) = (0, 0, 0);
    for (name, text) in files.iter().filter(is_source) {
        if is_test(name, &tests) {
            continue;
        }
        let code = code_of(text);
        for (at, what) in makers(name, &code) {
            if name.starts_with(POSTING) {
                sites += 1;
                continue;
            }
            readings += usize::from(name == READING);
            if name != READING || readings > 1 {
                wrong.push(format!(
                    "{name}:{at}: {what}; ledger lines are made in {POSTING} alone"
                ));
            }
        }
        if !name.starts_with(ENGINE) {
            continue;
        }
        let in_books = BOOKS.iter().any(|books| name.starts_with(books));
        for (at, call) in changes(&code) {
            appends += usize::from(in_books && call == "append");
            if !in_books || call != "append" || appends > 1 {
                wrong.push(format!(
                    "{name}:{at}: `ledger` {call}; one call in {} appends to the ledger",
                    BOOKS[0]
                ));
            }
        }
    }
    if sites == 0 || appends == 0 {
        wrong.push(format!(
            "{sites} places make ledger lines and {appends} append them; the rule looks in the wrong place"
        ));
    }
}

/// Files, and folders with a slash behind, of modules that are compiled for tests alone.
fn test_modules(sources: &[(String, String)]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, text) in sources {
        let path = Path::new(name);
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let folder = match stem {
            None | Some("mod" | "lib" | "main") => folder,
            Some(stem) => folder.join(stem),
        };
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            let [attribute, item] = pair else { continue };
            let module = item
                .strip_suffix(';')
                .and_then(|item| item.split("mod ").nth(1));
            if let (true, Some(module)) = (*attribute == "#[cfg(test)]", module) {
                let path = folder.join(module);
                found.insert(format!("{}.rs", shown(&path)));
                found.insert(format!("{}/", shown(&path)));
            }
        }
    }
    found
}

fn shown(path: &Path) -> std::path::Display<'_> {
    path.display()
}

fn is_test(name: &str, tests: &BTreeSet<String>) -> bool {
    name.contains("/tests/")
        || name.contains("/benches/")
        || tests.contains(name)
        || tests
            .iter()
            .any(|test| test.ends_with('/') && name.starts_with(test))
}

/// The text with comments and modules of tests blanked out, line for line.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut in_tests = false;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let opens = |next: &&str| next.contains("mod ") && next.ends_with('{');
        in_tests |= line == "#[cfg(test)]" && lines.peek().is_some_and(opens);
        if !in_tests {
            code.push_str(line.split("//").next().unwrap_or_default());
        }
        // A module of the file ends where a brace closes at the margin.
        in_tests &= line != "}";
        code.push('\n');
    }
    code
}

/// Places that make a ledger line or could: their lines, and what they are.
fn makers(name: &str, code: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(LINE) {
        let (before, rest) = code.split_at(at);
        let after = rest.get(LINE.len()..).unwrap_or_default();
        let joins = |c: char| c.is_alphanumeric() || c == '_';
        if before.ends_with(joins) || after.starts_with(joins) {
            continue;
        }
        if let Some(what) = maker(name, before, after.trim_start()) {
            found.push((before.lines().count().max(1), what));
        }
    }
    found
}

fn maker(name: &str, before: &str, after: &str) -> Option<&'static str> {
    let path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let before = before.trim_end_matches(path).trim_end();
    let word = before.rsplit(|c: char| !c.is_alphanumeric()).next();
    if after.starts_with("as ") {
        return Some("another name for a ledger line");
    }
    if before.ends_with('=') && statement(before).starts_with("type ") {
        return Some("another name for a ledger line");
    }
    if !after.starts_with('{') {
        return None;
    }
    match word {
        Some("struct") if name == DEFINITION => None,
        Some("struct") => Some("another ledger line"),
        Some("impl" | "for") => Some("an impl of a ledger line, whose `Self` makes one"),
        _ if before.ends_with("->") || is_pattern(after) => None,
        _ => Some("a ledger line"),
    }
}

/// The beginning of the statement that `before` ends in, visibility aside.
fn statement(before: &str) -> &str {
    let last = before
        .rsplit([';', '}', '{'])
        .next()
        .unwrap_or_default()
        .trim();
    let last = last.strip_prefix("pub(crate) ").unwrap_or(last);
    last.strip_prefix("pub ").unwrap_or(last)
}

/// Whether the braces take a line apart: they end in `..`, which a literal cannot.
fn is_pattern(braces: &str) -> bool {
    let inner = braces.split('}').next().unwrap_or_default();
    inner.trim_end().ends_with("..")
}

/// Calls and borrows that change a ledger: their lines, and what they do.
fn changes(code: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for (at, line) in (1..).zip(code.lines()) {
        for (place, _) in line.match_indices("ledger") {
            let (before, rest) = line.split_at(place);
            let after = rest.get("ledger".len()..).unwrap_or_default();
            let is_field = before.ends_with("self.") || before.ends_with("books.");
            if !is_field {
                continue;
            }
            let called = |call: &&&str| {
                let call = after
                    .strip_prefix('.')
                    .and_then(|after| after.strip_prefix(**call));
                call.is_some_and(|rest| rest.starts_with(['(', '_']))
            };
            if let Some(call) = CHANGES.iter().find(called) {
                found.push((at, *call));
            }
            let owner =
                before.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
            if owner.ends_with("&mut ") && !after.starts_with('(') {
                found.push((at, "borrowed to be changed"));
            }
            if after.trim_start().starts_with("= ") {
                found.push((at, "replaced"));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSTED: &str = "fn push() {\n    lines.push(LedgerEntry { at, account });\n}\n";
    const APPENDED: &str = "fn append() {\n    self.ledger.append(&mut posting.lines);\n}\n";

    /// The house as it should be, with more files.
    fn found(more: &[(&str, &str)]) -> Vec<String> {
        let house = [
            ("crates/basis-engine/src/posting/writer.rs", POSTED),
            ("crates/basis-engine/src/account/books.rs", APPENDED),
            (
                DEFINITION,
                "pub struct LedgerEntry {\n    pub at: Timestamp,\n}\n",
            ),
        ];
        let sources: Vec<_> = house
            .iter()
            .chain(more)
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        let mut wrong = Vec::new();
        check(&sources, &mut wrong);
        wrong
    }

    #[test]
    fn the_house_as_it_should_be_passes() {
        assert_eq!(found(&[]), Vec::<String>::new());
    }

    #[test]
    fn a_journal_reads_lines_back() {
        assert_eq!(found(&[(READING, POSTED)]), Vec::<String>::new());
        let beside = "crates/basis-live/src/sqlite/read.rs";
        assert_eq!(found(&[(beside, POSTED)]).len(), 1);
    }

    #[test]
    fn a_line_that_is_made_elsewhere_is_found() {
        let name = "crates/basis-sim/src/exchange/fills.rs";
        for text in [
            "fn line() -> Vec<LedgerEntry> {\n    vec![LedgerEntry { at, ..line }]\n}\n",
            "let line = ledger::LedgerEntry {\n    at,\n};\n",
            "return basis_core::ledger::LedgerEntry { at };\n",
            "use basis_core::ledger::LedgerEntry as Line;\n",
            "pub type Line = LedgerEntry;\n",
            "impl From<Fill> for LedgerEntry {\n    fn from(fill: Fill) -> Self { Self { at } }\n}\n",
            "impl LedgerEntry {\n    fn new() -> Self { Self { at } }\n}\n",
            "struct LedgerEntry { at: Timestamp }\n",
            "#[cfg(test)]\nmod tests {\n}\n\nfn late() { LedgerEntry { at } }\n",
        ] {
            let wrong = found(&[(name, text)]);
            assert_eq!(wrong.len(), 1, "{text}: {wrong:?}");
            assert!(wrong[0].starts_with(name), "{wrong:?}");
        }
        // The books, which may append, may not make one either.
        let books = "crates/basis-engine/src/account/books/staged.rs";
        assert_eq!(found(&[(books, POSTED)]).len(), 1);
    }

    #[test]
    fn reading_lines_is_nobodys_business() {
        let text = "
            /// A `LedgerEntry { at }` in words.
            fn first(lines: &[LedgerEntry]) -> Option<&LedgerEntry> { lines.first() }
            fn one(lines: Vec<LedgerEntry>) -> LedgerEntry { lines.remove(0) }
            fn at(line: &LedgerEntry) -> Timestamp { let LedgerEntry { at, .. } = line; *at }
            struct LedgerEntryRow { at: Timestamp }
        ";
        assert_eq!(
            found(&[("crates/basis-report/src/run/tables.rs", text)]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn tests_may_make_lines() {
        let module = "mod sample;\n#[cfg(test)]\npub(crate) mod kit;\n#[cfg(test)]\nmod tests {\n    fn line() { LedgerEntry { at } }\n}\n";
        let more = [
            ("crates/basis-report/src/run/mod.rs", module),
            ("crates/basis-report/src/run/kit.rs", POSTED),
            ("crates/basis-report/src/run/kit/more.rs", POSTED),
            ("crates/basis/tests/it/world.rs", POSTED),
        ];
        assert_eq!(found(&more), Vec::<String>::new());
        let shipped = [more[0], ("crates/basis-report/src/run/sample.rs", POSTED)];
        assert_eq!(found(&shipped).len(), 1);
    }

    #[test]
    fn whoever_else_changes_the_ledger_is_found() {
        let engine = "crates/basis-engine/src/engine/intake.rs";
        let books = "crates/basis-engine/src/account/books/holding.rs";
        for text in [
            "self.ledger.push(line);\n",
            "self.books.ledger.extend_from_slice(&lines);\n",
            "let lines = &mut self.ledger;\n",
            "self.ledger = lines;\n",
            "self.ledger.retain(|line| line.at > at);\n",
        ] {
            for name in [engine, books] {
                assert_eq!(found(&[(name, text)]).len(), 1, "{name}: {text}");
            }
        }
        // A second place that appends, in the books themselves.
        assert_eq!(found(&[(books, APPENDED)]).len(), 1);
        let reads = "let lines = self.ledger.get(lines);\nlet all = self.books.ledger();\n";
        assert_eq!(found(&[(engine, reads)]), Vec::<String>::new());
    }

    #[test]
    fn the_sources_pass_and_one_more_place_in_any_of_them_is_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let files = crate::tidy::files(&root).unwrap();
        let mut wrong = Vec::new();
        check(&files, &mut wrong);
        assert_eq!(wrong, Vec::<String>::new());
        let tests = test_modules(&files);
        let mut changed = 0;
        for (name, text) in &files {
            let ships = name.ends_with(".rs") && !is_test(name, &tests);
            if !ships || name.starts_with(POSTING) {
                continue;
            }
            let more = "fn more() -> LedgerEntry {\n    LedgerEntry { at }\n}\n";
            let one = [(name.clone(), format!("{text}\n{more}"))];
            let mut wrong = Vec::new();
            check(&one, &mut wrong);
            let made = |finding: &&String| finding.contains("a ledger line; ledger lines are made");
            assert_eq!(wrong.iter().filter(made).count(), 1, "{name}: {wrong:?}");
            changed += 1;
        }
        assert!(changed > 200, "only {changed} files");
    }

    #[test]
    fn a_rule_that_sees_nothing_says_so() {
        let mut wrong = Vec::new();
        check(&[], &mut wrong);
        assert_eq!(wrong.len(), 1);
    }
}
