//! Two run directories beside each other, row by row.
//!
//! Rows are held against each other by their position, cells by the name of their column and as
//! text. So a row that is missing in the middle makes all that follow differ: the first difference
//! says where. Two directories of run directories are compared pair by pair, by name.
//!
//! With `--causes` the causes of the ledger may be spelled differently, as long as they tell the same
//! rows apart: the partner of a cause is what stands in its place on the other side, and that must
//! be the same one wherever the cause stands, both ways, over all tables of a run. What a cause says
//! before its `#` joins the lines of one happening; where those are joined differently a note says so,
//! which is no difference.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

/// Tables that every run directory has.
pub(crate) const TABLES: &[&str] = &[
    "ledger.csv",
    "equity.csv",
    "positions.csv",
    "executions.csv",
    "risk.csv",
];

/// Tables that are compared where either side has one.
const OPTIONAL: &[&str] = &["daily_nav.csv"];

/// Decimal places of a number in a run directory, at most.
const PLACES: usize = 18;

/// 10 to the power of [`PLACES`].
const ONE: u128 = 1_000_000_000_000_000_000;

/// Characters of a cell that are shown.
const SHOWN: usize = 48;

/// What is asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// Causes may be spelled differently.
    causes: bool,
    /// Differences of numbers are summed up.
    numbers: bool,
}

impl Options {
    /// Everything as it is, with differences of numbers summed up.
    pub(crate) const NUMBERS: Self = Self {
        causes: false,
        numbers: true,
    };
}

/// Compares what the arguments name and prints the outcome. Whether all is equal; an error is misuse,
/// or a directory that is not there.
pub(crate) fn run(arguments: &[String]) -> Result<bool, String> {
    let mut options = Options::default();
    let mut places = Vec::new();
    for argument in arguments {
        match argument.as_str() {
            "--causes" => options.causes = true,
            "--numbers" => options.numbers = true,
            other if other.starts_with('-') => {
                return Err(format!(
                    "`{other}` is no option; there are --causes and --numbers"
                ));
            }
            place => places.push(Path::new(place)),
        }
    }
    let [a, b] = places.as_slice() else {
        return Err(format!("two directories are needed, not {}", places.len()));
    };
    let (said, equal) = compare(a, b, options)?;
    print!("{said}");
    Ok(equal)
}

/// What there is to say of two directories, and whether they are equal.
pub(crate) fn compare(a: &Path, b: &Path, options: Options) -> Result<(String, bool), String> {
    for place in [a, b] {
        if !place.is_dir() {
            return Err(format!("{} is no directory", place.display()));
        }
    }
    match (is_run(a), is_run(b)) {
        (true, true) => {
            let pair = Pair::of(a, b, options)?;
            Ok((pair.table(options), pair.is_equal()))
        }
        (false, false) => compare_sets(a, b, options),
        (of_a, _) => {
            let (run, other) = if of_a { (a, b) } else { (b, a) };
            Err(format!(
                "{} is a run directory and {} is none: it has none of {}",
                run.display(),
                other.display(),
                TABLES.join(", ")
            ))
        }
    }
}

fn is_run(place: &Path) -> bool {
    TABLES.iter().any(|table| place.join(table).is_file())
}

/// A line for each name on either side, and the total.
fn compare_sets(a: &Path, b: &Path, options: Options) -> Result<(String, bool), String> {
    let (in_a, in_b) = (folders(a)?, folders(b)?);
    for (place, names) in [(a, &in_a), (b, &in_b)] {
        if names.is_empty() {
            return Err(format!(
                "{} is no run directory and has none in it",
                place.display()
            ));
        }
    }
    let mut said = String::new();
    let mut numbers = Numbers::new();
    let (mut equal, mut differ, mut lone, mut renamed) = (0_usize, 0_usize, 0_usize, 0_usize);
    for name in in_a.union(&in_b) {
        let outcome = if !in_b.contains(name) {
            lone += 1;
            "ERROR    only in A".to_owned()
        } else if !in_a.contains(name) {
            lone += 1;
            "ERROR    only in B".to_owned()
        } else {
            let pair = Pair::of(&a.join(name), &b.join(name), options)?;
            renamed += pair.causes.renamed;
            if pair.is_equal() {
                equal += 1;
            } else {
                differ += 1;
            }
            for (place, spread) in &pair.numbers {
                let sum = numbers.entry(place.clone()).or_default();
                sum.add(spread, &format!("{name} "));
            }
            pair.line()
        };
        said += &format!("{name:<36} {outcome}\n");
    }
    said += &format!(
        "total: {equal} equal, {differ} differ, {lone} on one side only; {renamed} causes renamed\n"
    );
    if options.numbers {
        said += &numbers_table(&numbers);
    }
    Ok((said, differ == 0 && lone == 0))
}

/// Names of the folders in `place`.
fn folders(place: &Path) -> Result<BTreeSet<String>, String> {
    let wrong = |e| format!("{}: {e}", place.display());
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(place).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        if entry.path().is_dir() {
            names.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// Two run directories, compared.
#[derive(Debug, Default)]
struct Pair {
    tables: Vec<Table>,
    causes: Causes,
    /// What causes say before their `#`.
    groups: Causes,
    /// Rows whose group has another partner.
    regrouped: usize,
    numbers: Numbers,
}

impl Pair {
    fn of(a: &Path, b: &Path, options: Options) -> Result<Self, String> {
        let mut pair = Self::default();
        for name in TABLES {
            pair.add(name, read(&a.join(name))?, read(&b.join(name))?, options);
        }
        for name in OPTIONAL {
            let (a, b) = (read(&a.join(name))?, read(&b.join(name))?);
            if a.is_some() || b.is_some() {
                pair.add(name, a, b, options);
            }
        }
        Ok(pair)
    }

    fn add(&mut self, name: &'static str, a: Option<String>, b: Option<String>, options: Options) {
        let mut table = Table {
            name,
            rows: [a.as_deref().map(rows), b.as_deref().map(rows)],
            differing: 0,
            first: None,
        };
        match (a, b) {
            (Some(a), Some(b)) => self.compare(&mut table, &a, &b, options),
            (Some(_), None) => table.first = Some("the file is only in A".to_owned()),
            (None, Some(_)) => table.first = Some("the file is only in B".to_owned()),
            (None, None) => table.first = Some("the file is on neither side".to_owned()),
        }
        self.tables.push(table);
    }

    fn compare(&mut self, table: &mut Table, a: &str, b: &str, options: Options) {
        let (mut records_a, mut records_b) = (Records::of(a), Records::of(b));
        let headers = (records_a.next(), records_b.next());
        let header_a = fields(headers.0.map_or("", |(_, text)| text));
        let header_b = fields(headers.1.map_or("", |(_, text)| text));
        let has_causes = options.causes && header_a.iter().any(|name| holds_causes(name));
        if a == b && !has_causes {
            return;
        }
        table.first = difference_of_headers(&header_a, &header_b);
        let columns = common_columns(&header_a, &header_b);
        loop {
            let (a, b) = (records_a.next(), records_b.next());
            let found = match (a, b) {
                (None, None) => break,
                (Some((line, text)), None) => {
                    Some(format!("line {line} is only in A: {}", shortened(text, 0)))
                }
                (None, Some((line, text))) => {
                    Some(format!("line {line} is only in B: {}", shortened(text, 0)))
                }
                (Some((_, a)), Some((_, b))) if a == b && !has_causes => None,
                (Some((line, a)), Some((_, b))) => {
                    self.compare_rows(table.name, &columns, line, (a, b), options)
                }
            };
            if let Some(found) = found {
                table.differing += 1;
                table.first.get_or_insert(found);
            }
        }
    }

    /// The first difference of two rows.
    fn compare_rows(
        &mut self,
        table: &'static str,
        columns: &[(String, usize, usize)],
        line: usize,
        (a, b): (&str, &str),
        options: Options,
    ) -> Option<String> {
        let (a, b) = (fields(a), fields(b));
        let mut first = None;
        for (name, at_a, at_b) in columns {
            let cell_a = a.get(*at_a).map_or("", |cell| cell);
            let cell_b = b.get(*at_b).map_or("", |cell| cell);
            let as_cause = options.causes && holds_causes(name);
            let note = match as_cause {
                true if cell_a.is_empty() && cell_b.is_empty() => continue,
                true if cell_a.is_empty() || cell_b.is_empty() => String::new(),
                true => match self.causes.pair(cell_a, cell_b) {
                    Ok(()) => {
                        self.regrouped += usize::from(!self.same_group(cell_a, cell_b));
                        continue;
                    }
                    Err(why) => format!(" ({why})"),
                },
                false if cell_a == cell_b => continue,
                false => String::new(),
            };
            if options.numbers && !as_cause {
                let spread = self.numbers.entry((table, name.clone())).or_default();
                spread.see(cell_a, cell_b, &format!("line {line}"));
            }
            first.get_or_insert_with(|| {
                let (cell_a, cell_b) = shown(cell_a, cell_b);
                format!("line {line}, {name}: {cell_a} | {cell_b}{note}")
            });
        }
        if first.is_none() && a.len() != b.len() {
            let (a, b) = (a.len(), b.len());
            first = Some(format!("line {line}: {a} fields | {b} fields"));
        }
        first
    }

    /// Whether two causes join their rows with the same others, as far as they say so.
    fn same_group(&mut self, a: &str, b: &str) -> bool {
        match (a.rsplit_once('#'), b.rsplit_once('#')) {
            (Some((a, _)), Some((b, _))) => self.groups.pair(a, b).is_ok(),
            _ => true,
        }
    }

    fn is_equal(&self) -> bool {
        self.tables.iter().all(|table| table.first.is_none())
    }

    /// One row a file.
    fn table(&self, options: Options) -> String {
        let mut said = format!(
            "{:<16} {:>9} {:>9} {:>9}  first difference (A | B)\n",
            "file", "rows A", "rows B", "differ"
        );
        for table in &self.tables {
            let [a, b] = table
                .rows
                .map(|rows| rows.map_or_else(|| "-".to_owned(), |rows| rows.to_string()));
            let first = table.first.as_deref().unwrap_or_default();
            let line = format!(
                "{:<16} {a:>9} {b:>9} {:>9}  {first}",
                table.name, table.differing
            );
            said += &format!("{}\n", line.trim_end());
        }
        if options.causes {
            said += &format!("causes renamed: {}", self.causes.renamed);
            if let Some((a, b)) = &self.causes.example {
                said += &format!(", the first {a} | {b}");
            }
            if self.regrouped > 0 {
                let rows = self.regrouped;
                said +=
                    &format!("; note: {rows} rows joined by what stands before `#` with others");
            }
            said.push('\n');
        }
        if options.numbers {
            said += &numbers_table(&self.numbers);
        }
        said += if self.is_equal() {
            "equal\n"
        } else {
            "not equal\n"
        };
        said
    }

    /// All of it in a line.
    fn line(&self) -> String {
        let mut renamed = match self.causes.renamed {
            0 => String::new(),
            count => format!(", {count} causes renamed"),
        };
        if self.regrouped > 0 {
            renamed += &format!(", note: {} rows in other groups", self.regrouped);
        }
        if self.is_equal() {
            let rows: usize = self.tables.iter().filter_map(|table| table.rows[0]).sum();
            return format!("equal    {rows} rows{renamed}");
        }
        let wrong = self.tables.iter().filter_map(|table| {
            let first = table.first.as_deref()?;
            Some(format!("{} {} ({first})", table.name, table.differing))
        });
        let wrong: Vec<_> = wrong.collect();
        format!("DIFFERS  {}{renamed}", wrong.join("; "))
    }
}

/// A table on both sides.
#[derive(Debug)]
struct Table {
    name: &'static str,
    /// Rows of A and of B without the header; none where there is no file.
    rows: [Option<usize>; 2],
    /// Rows that differ or are on one side only.
    differing: usize,
    /// The first difference; none when the table is equal.
    first: Option<String>,
}

/// Which cause of A is which of B.
#[derive(Debug, Default)]
struct Causes {
    to_b: HashMap<String, String>,
    to_a: HashMap<String, String>,
    renamed: usize,
    example: Option<(String, String)>,
}

impl Causes {
    /// Takes two causes that stand in the same place; an error says which of them has another partner.
    fn pair(&mut self, a: &str, b: &str) -> Result<(), String> {
        match (self.to_b.get(a), self.to_a.get(b)) {
            (Some(before), _) if before != b => {
                return Err(format!("no one-to-one causes: A's was {before} in B"));
            }
            (_, Some(before)) if before != a => {
                return Err(format!("no one-to-one causes: B's was {before} in A"));
            }
            (Some(_), _) => return Ok(()),
            (None, _) => {}
        }
        if a != b {
            self.renamed += 1;
            self.example
                .get_or_insert_with(|| (a.to_owned(), b.to_owned()));
        }
        self.to_b.insert(a.to_owned(), b.to_owned());
        self.to_a.insert(b.to_owned(), a.to_owned());
        Ok(())
    }
}

/// Whether a column of this name holds causes.
fn holds_causes(column: &str) -> bool {
    column == "cause" || column.ends_with("_cause")
}

/// By table and column.
type Numbers = BTreeMap<(&'static str, String), Spread>;

/// How far the cells of a column are apart.
#[derive(Debug, Default)]
struct Spread {
    /// Cells that differ.
    cells: usize,
    /// Of these where one side or both have no number.
    not_numbers: usize,
    /// The largest difference, in units of 10 to the power of -[`PLACES`], and where.
    absolute: (u128, String),
    /// The largest difference over the larger of the two, and where.
    relative: (f64, String),
}

impl Spread {
    fn see(&mut self, a: &str, b: &str, place: &str) {
        self.cells += 1;
        let (Some(units_a), Some(units_b)) = (decimal(a), decimal(b)) else {
            self.not_numbers += 1;
            return;
        };
        let apart = units_a.abs_diff(units_b);
        if apart > self.absolute.0 {
            self.absolute = (apart, place.to_owned());
        }
        let float = |units: u128| plain(units).parse::<f64>().unwrap_or(f64::NAN);
        let larger = units_a.unsigned_abs().max(units_b.unsigned_abs());
        let relative = float(apart) / float(larger);
        if relative > self.relative.0 {
            self.relative = (relative, place.to_owned());
        }
    }

    fn add(&mut self, other: &Self, place: &str) {
        self.cells += other.cells;
        self.not_numbers += other.not_numbers;
        if other.absolute.0 > self.absolute.0 {
            self.absolute = (other.absolute.0, format!("{place}{}", other.absolute.1));
        }
        if other.relative.0 > self.relative.0 {
            self.relative = (other.relative.0, format!("{place}{}", other.relative.1));
        }
    }
}

fn numbers_table(numbers: &Numbers) -> String {
    let mut said = String::new();
    for ((table, column), spread) in numbers {
        said += &format!("{table} {column}: {} cells differ", spread.cells);
        if spread.not_numbers > 0 {
            said += &format!(", {} of them no numbers", spread.not_numbers);
        }
        if spread.absolute.0 > 0 {
            let ((absolute, at), (relative, relative_at)) = (&spread.absolute, &spread.relative);
            said += &format!(
                "; by at most {} ({at}), relative {relative:e} ({relative_at})",
                plain(*absolute)
            );
        }
        said.push('\n');
    }
    said
}

/// A plain decimal of at most [`PLACES`] places, in units of the last of them.
fn decimal(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > PLACES || !all(whole) || !all(fraction) {
        return None;
    }
    let units: i128 = format!("{whole}{fraction:0<PLACES$}").parse().ok()?;
    Some(if digits.len() < text.len() {
        -units
    } else {
        units
    })
}

/// The decimal of so many units.
fn plain(units: u128) -> String {
    let text = format!("{}.{:0PLACES$}", units / ONE, units % ONE);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What the header lines disagree about.
fn difference_of_headers(a: &[Cow<'_, str>], b: &[Cow<'_, str>]) -> Option<String> {
    if a == b {
        return None;
    }
    let lone = |one: &[Cow<'_, str>], other: &[Cow<'_, str>]| {
        let names = one.iter().filter(|name| !other.contains(name));
        names.cloned().collect::<Vec<_>>().join(", ")
    };
    let (only_a, only_b) = (lone(a, b), lone(b, a));
    Some(if only_a.is_empty() && only_b.is_empty() {
        "line 1: the columns stand in another order".to_owned()
    } else {
        format!("line 1: columns only in A: [{only_a}], only in B: [{only_b}]")
    })
}

/// Name of each column that both have, and its place in A and in B.
fn common_columns(a: &[Cow<'_, str>], b: &[Cow<'_, str>]) -> Vec<(String, usize, usize)> {
    let both = a.iter().enumerate().filter_map(|(at_a, name)| {
        let at_b = b.iter().position(|other| other == name)?;
        Some((name.to_string(), at_a, at_b))
    });
    both.collect()
}

/// Records of a table with the number of their first line, a quoted line end being part of a record.
#[derive(Debug)]
struct Records<'t> {
    rest: &'t str,
    line: usize,
}

impl<'t> Records<'t> {
    fn of(text: &'t str) -> Self {
        Self {
            rest: text,
            line: 1,
        }
    }
}

impl<'t> Iterator for Records<'t> {
    type Item = (usize, &'t str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (mut end, mut lines) = (0, 0);
        let record = loop {
            let tail = self.rest.get(end..).unwrap_or_default();
            let length = tail.find('\n');
            end += length.unwrap_or(tail.len());
            lines += 1;
            let record = self.rest.get(..end).unwrap_or_default();
            if length.is_none() || record.matches('"').count().is_multiple_of(2) {
                break record;
            }
            end += 1;
        };
        let line = self.line;
        self.line += lines;
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        Some((line, record.strip_suffix('\r').unwrap_or(record)))
    }
}

/// Rows of a table, its header not counted.
fn rows(text: &str) -> usize {
    Records::of(text).count().saturating_sub(1)
}

/// Cells of a record; `""` within quotes is one quote.
fn fields(record: &str) -> Vec<Cow<'_, str>> {
    if !record.contains('"') {
        return record.split(',').map(Cow::Borrowed).collect();
    }
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut characters = record.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => push(&mut cells, '"'),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            other => push(&mut cells, other),
        }
    }
    cells.into_iter().map(Cow::Owned).collect()
}

fn push(cells: &mut [String], character: char) {
    if let Some(cell) = cells.last_mut() {
        cell.push(character);
    }
}

/// Both cells from a little before where they part.
fn shown(a: &str, b: &str) -> (String, String) {
    let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let longer = a.chars().count().max(b.chars().count());
    let from = if longer > SHOWN {
        same.saturating_sub(SHOWN / 2)
    } else {
        0
    };
    (shortened(a, from), shortened(b, from))
}

/// What is seen of a text from its character `from` on.
fn shortened(text: &str, from: usize) -> String {
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let before = if from > 0 { "…" } else { "" };
    let mut characters = text.chars().skip(from);
    let seen: String = characters.by_ref().take(SHOWN).collect();
    let after = if characters.next().is_some() {
        "…"
    } else {
        ""
    };
    format!("{before}{seen}{after}")
}

/// The file's text; none when there is no such file.
fn read(path: &Path) -> Result<Option<String>, String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!("{}: {e}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const LEDGER: &str = "seq,timestamp,quantity,cause\n\
                          0,2024-01-01T00:00:00Z,100,external:1#0\n\
                          1,2024-01-01T00:00:00Z,-5.25,trade:x:1#0\n\
                          2,2024-01-02T00:00:00Z,7,trade:x:1#1\n";
    const SIMPLE: &str = "timestamp,value\n2024-01-01T00:00:00Z,1\n";

    /// A folder that is gone again with it.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let folder = format!("basis-compare-{}-{name}", std::process::id());
            let folder = std::env::temp_dir().join(folder);
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        /// A run directory with this ledger.
        fn run(&self, name: &str, ledger: &str) -> PathBuf {
            let run = self.0.join(name);
            fs::create_dir_all(&run).unwrap();
            for table in TABLES {
                fs::write(run.join(table), SIMPLE).unwrap();
            }
            fs::write(run.join("ledger.csv"), ledger).unwrap();
            run
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    fn options(causes: bool, numbers: bool) -> Options {
        Options { causes, numbers }
    }

    /// What is said of two ledgers, all else being equal.
    fn ledgers(name: &str, a: &str, b: &str, options: Options) -> (String, bool) {
        let scratch = Scratch::new(name);
        compare(&scratch.run("a", a), &scratch.run("b", b), options).unwrap()
    }

    #[test]
    fn a_run_is_equal_to_its_copy() {
        for causes in [false, true] {
            let (said, equal) = ledgers("equal", LEDGER, LEDGER, options(causes, true));
            assert!(equal, "{said}");
            let ledger = said.lines().nth(1).unwrap();
            let cells: Vec<_> = ledger.split_whitespace().collect();
            assert_eq!(cells, ["ledger.csv", "3", "3", "0"]);
            assert!(said.ends_with("\nequal\n"), "{said}");
        }
    }

    #[test]
    fn causes_may_be_renamed_when_asked_for() {
        let other = LEDGER.replace("trade:x:1#", "x/1/trade/");
        let (said, equal) = ledgers("renamed", LEDGER, &other, options(true, false));
        assert!(equal, "{said}");
        let expected = "causes renamed: 2, the first trade:x:1#0 | x/1/trade/0\n";
        assert!(said.contains(expected), "{said}");
        let (said, equal) = ledgers("renamed", LEDGER, &other, options(false, false));
        assert!(!equal);
        assert!(
            said.contains("line 3, cause: trade:x:1#0 | x/1/trade/0"),
            "{said}"
        );
    }

    #[test]
    fn causes_that_are_not_one_to_one_differ() {
        let two_into_one = LEDGER.replace("trade:x:1#1", "trade:x:1#0");
        let why = "(no one-to-one causes: B's was trade:x:1#0 in A)";
        let (said, equal) = ledgers("merged", LEDGER, &two_into_one, options(true, false));
        assert!(
            !equal && said.contains("line 4, cause:") && said.contains(why),
            "{said}"
        );
        let why = "(no one-to-one causes: A's was trade:x:1#0 in B)";
        let (said, equal) = ledgers("split", &two_into_one, LEDGER, options(true, false));
        assert!(
            !equal && said.contains("line 4, cause:") && said.contains(why),
            "{said}"
        );
        let gone = LEDGER.replace("trade:x:1#1", "");
        let (said, equal) = ledgers("gone", LEDGER, &gone, options(true, false));
        assert!(!equal && said.contains("trade:x:1#1 | (empty)\n"), "{said}");
    }

    #[test]
    fn rows_that_causes_join_differently_are_noted() {
        let apart = LEDGER.replace("trade:x:1#1", "trade:x:2#0");
        let (said, equal) = ledgers("groups", LEDGER, &apart, options(true, false));
        let note = "note: 1 rows joined by what stands before `#` with others\n";
        assert!(equal && said.contains(note), "{said}");
    }

    #[test]
    fn causes_are_one_map_over_all_tables() {
        let scratch = Scratch::new("tables");
        let (a, b) = (scratch.run("a", LEDGER), scratch.run("b", LEDGER));
        let table = |first: &str| format!("value,fill_cause\n1,{first}\n");
        fs::write(a.join("executions.csv"), table("trade:x:1#0")).unwrap();
        fs::write(b.join("executions.csv"), table("trade:x:1#1")).unwrap();
        let (said, equal) = compare(&a, &b, options(true, false)).unwrap();
        assert!(!equal && said.contains("line 2, fill_cause:"), "{said}");
    }

    #[test]
    fn a_differing_cell_is_named_and_its_numbers_summed_up() {
        let other = LEDGER.replace("-5.25", "-5.250000000000000001");
        let other = other.replace("02T00:00:00Z,7", "03T00:00:00Z,5");
        let (said, equal) = ledgers("cell", LEDGER, &other, options(false, true));
        assert!(!equal);
        for expected in [
            "2  line 3, quantity: -5.25 | -5.250000000000000001\n",
            "ledger.csv quantity: 2 cells differ; by at most 2 (line 4), relative 2.857142857142857e-1 (line 4)\n",
            "ledger.csv timestamp: 1 cells differ, 1 of them no numbers\n",
            "\nnot equal\n",
        ] {
            assert!(said.contains(expected), "no `{expected}` in {said}");
        }
        let least = LEDGER.replace("-5.25", "-5.250000000000000001");
        let (said, _) = ledgers("cell", LEDGER, &least, options(false, true));
        assert!(
            said.contains("by at most 0.000000000000000001 (line 3)"),
            "{said}"
        );
    }

    #[test]
    fn a_missing_row_is_named() {
        let shorter = LEDGER.lines().take(3).collect::<Vec<_>>().join("\n");
        let (said, equal) = ledgers("row", LEDGER, &shorter, options(true, false));
        assert!(!equal);
        assert!(
            said.contains("line 4 is only in A: 2,2024-01-02T00:00:00Z,7,trade:x:1#1"),
            "{said}"
        );
        let (said, _) = ledgers("row", &shorter, LEDGER, options(false, false));
        assert!(said.contains("line 4 is only in B: "), "{said}");
    }

    #[test]
    fn a_missing_file_and_other_columns_are_differences() {
        let scratch = Scratch::new("file");
        let (a, b) = (scratch.run("a", LEDGER), scratch.run("b", LEDGER));
        fs::write(a.join("daily_nav.csv"), SIMPLE).unwrap();
        fs::remove_file(a.join("risk.csv")).unwrap();
        let more = SIMPLE
            .replace("value\n", "value,more\n")
            .replace("Z,1", "Z,1,2");
        fs::write(b.join("equity.csv"), more).unwrap();
        let (said, equal) = compare(&a, &b, Options::default()).unwrap();
        assert!(!equal);
        for expected in [
            "the file is only in B\n",
            "the file is only in A\n",
            "columns only in A: [], only in B: [more]",
        ] {
            assert!(said.contains(expected), "no `{expected}` in {said}");
        }
    }

    #[test]
    fn sets_are_compared_by_name() {
        let scratch = Scratch::new("sets");
        let other = LEDGER.replace("-5.25", "-5");
        for (name, ledger) in [
            ("a/one", LEDGER),
            ("a/two", LEDGER),
            ("b/one", LEDGER),
            ("b/two", &other),
        ] {
            scratch.run(name, ledger);
        }
        let (a, b) = (scratch.0.join("a"), scratch.0.join("b"));
        let (said, equal) = compare(&a, &b, options(true, true)).unwrap();
        assert!(!equal);
        for expected in [
            "equal    7 rows\n",
            "DIFFERS  ledger.csv 1 (line 3, quantity: -5.25 | -5)\n",
            "total: 1 equal, 1 differ, 0 on one side only; 0 causes renamed\n",
            "by at most 0.25 (two line 3)",
        ] {
            assert!(said.contains(expected), "no `{expected}` in {said}");
        }
        fs::remove_dir_all(a.join("two")).unwrap();
        let (said, equal) = compare(&a, &b, Options::default()).unwrap();
        assert!(!equal && said.contains("ERROR    only in B\n"), "{said}");
        fs::remove_dir_all(b.join("two")).unwrap();
        assert!(compare(&a, &b, Options::default()).unwrap().1);
    }

    #[test]
    fn misuse_is_told() {
        let scratch = Scratch::new("misuse");
        let place = scratch
            .run("set/run", LEDGER)
            .to_string_lossy()
            .into_owned();
        let set = scratch.0.join("set").to_string_lossy().into_owned();
        let nowhere = format!("{set}/nowhere");
        let cases: [(&[&str], &str); 4] = [
            (&[&place], "two directories are needed, not 1"),
            (
                &[&place, &place, "--cause"],
                "`--cause` is no option; there are --causes and --numbers",
            ),
            (&[&place, &nowhere], "nowhere is no directory"),
            (&[&set, &place], "set is none: it has none of ledger.csv"),
        ];
        for (arguments, expected) in cases {
            let arguments: Vec<_> = arguments.iter().map(|text| (*text).to_owned()).collect();
            let said = run(&arguments).unwrap_err();
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn quotes_hold_commas_quotes_and_line_ends() {
        let table = "a,b\n1,\"x,\"\"y\"\"\nz\"\n2,w\n";
        let records: Vec<_> = Records::of(table).collect();
        assert_eq!(
            records,
            [(1, "a,b"), (2, "1,\"x,\"\"y\"\"\nz\""), (4, "2,w")]
        );
        assert_eq!(fields(records[1].1), ["1", "x,\"y\"\nz"]);
        assert_eq!(fields(",\"\","), ["", "", ""]);
        assert_eq!(rows(table), 2);
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(decimal("-1.5"), Some(-1_500_000_000_000_000_000));
        assert_eq!(plain(1_500_000_000_000_000_000), "1.5");
        assert_eq!(
            (plain(ONE * 20), plain(1)),
            ("20".to_owned(), "0.000000000000000001".to_owned())
        );
        for text in ["", "-", "1e5", "1.", ".5", "x", "0.0000000000000000001"] {
            let none = decimal(text).is_none();
            assert_eq!(none, text != "1.", "{text}");
        }
    }
}
