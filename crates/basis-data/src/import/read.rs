//! Reads the parts of an import into tables.

use super::bind::Bound;
use super::fees;
use super::open::Part;
use super::risk::RiskTable;
use super::shape::{Form, Shape};
use super::table::{Tables, Tally};
use super::target::{Given, Target};
use super::text::{Document, Lines, bare, document};
use super::ticker;

/// How many wrong lines of a file are spelled out.
const SHOWN: usize = 5;

/// What reading a part gave.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) shape: &'static str,
    pub(super) rows: u64,
}

/// Reads one part with the first of `shapes` that fits.
///
/// # Errors
/// What is wrong, all lines of the part at once.
pub(super) fn part(
    part: &Part,
    number: u32,
    (shapes, given): (&[Shape], &Given),
    risk: Option<&mut RiskTable>,
    (tables, tally): (&mut Tables, &mut Tally),
) -> Result<Read, String> {
    let json = matches!(part.bytes.trim_ascii_start(), [b'{' | b'[', ..]);
    if let Some(shape) = shapes.iter().find(|shape| shape.form == Form::Fees)
        && let Some(history) = fees::history(&part.bytes).filter(|_| json)
    {
        let mut target = Target::new(part, number, shape, given, None, tables, tally)?;
        fees::read(&history, &mut target)?;
        return taken(shape, target.rows);
    }
    let found = if json {
        Some(document(&part.bytes)?)
    } else {
        None
    };
    let shape = match &found {
        Some(found) => shapes.iter().find(|shape| fits_rows(shape, found)),
        None => shapes.iter().find(|shape| fits_lines(shape, &part.bytes)),
    };
    let shape = shape.ok_or_else(|| unknown(part, shapes, found.as_ref()))?;
    let said = found
        .as_ref()
        .and_then(|found| found.beside.get("decimals"));
    let shape = &shape.of_decimals(given.decimals, said)?;
    if let (Some(found), Some(risk)) = (&found, risk) {
        risk.reply(&found.beside, &part.label)?;
    }
    let mut target = Target::new(part, number, shape, given, found.as_ref(), tables, tally)?;
    match (&found, shape.form) {
        (_, Form::Ticker) => ticker::read(&part.bytes, &mut target)?,
        (Some(found), _) => read_rows(found, shape, &mut target)?,
        (None, _) => read_lines(&part.bytes, shape, &mut target)?,
    }
    taken(shape, target.rows)
}

fn taken(shape: &Shape, rows: u64) -> Result<Read, String> {
    if rows == 0 {
        return Err("has no row to import".to_owned());
    }
    Ok(Read {
        shape: shape.name,
        rows,
    })
}

/// What a file looks like that fits no shape.
fn unknown(part: &Part, shapes: &[Shape], found: Option<&Document<'_>>) -> String {
    if part.bytes.windows(8).any(|text| text == b"apyBase\"") {
        return "is DefiLlama's chart of a pool: a yearly yield, with neither the index nor the debt of the \
                reserve, which no run can be computed from; import the chart of lending and borrowing \
                (chartLendBorrow) with --format defillama, or the reserve itself with --format aave"
            .to_owned();
    }
    let looks = match found {
        Some(found) => match found.rows.first() {
            Some(row) => format!(
                "its rows look like {}",
                row.get().chars().take(120).collect::<String>()
            ),
            None => return "has no rows".to_owned(),
        },
        None => {
            let first = part.bytes.split(|byte| *byte == b'\n').next();
            let first = String::from_utf8_lossy(first.unwrap_or_default());
            format!(
                "its first line is `{}`",
                first.trim().chars().take(120).collect::<String>()
            )
        }
    };
    let mut names: Vec<_> = shapes.iter().map(|shape| shape.name).collect();
    names.dedup();
    format!(
        "is none of: {}; {looks}. Name its columns with --map",
        names.join(", ")
    )
}

fn fits_lines(shape: &Shape, bytes: &[u8]) -> bool {
    let mut fields = Vec::new();
    if !matches!(Lines::new(bytes).next_into(&mut fields), Some(Ok(_))) {
        return false;
    }
    let header = || {
        fields
            .iter()
            .copied()
            .eq(shape.names.iter().map(|name| name.as_bytes()))
    };
    match shape.form {
        Form::Header | Form::Ticker => header(),
        Form::MaybeHeader => header() || fields.len() == shape.names.len() && starts_a_row(&fields),
        Form::Named => {
            let needed = shape.map.needed();
            needed.iter().all(|name| fields.contains(&name.as_bytes()))
        }
        Form::Arrays | Form::Objects | Form::Fees => false,
    }
}

/// Whether the first line is data and no header.
fn starts_a_row(fields: &[&[u8]]) -> bool {
    let first = fields.first().and_then(|text| text.first());
    first.is_some_and(u8::is_ascii_digit)
}

fn fits_rows(shape: &Shape, found: &Document<'_>) -> bool {
    let Some(row) = found.rows.first() else {
        return false;
    };
    match shape.form {
        Form::Arrays => serde_json::from_str::<Vec<&serde_json::value::RawValue>>(row.get())
            .is_ok_and(|fields| fields.len() == shape.names.len()),
        Form::Objects => object(row).is_some_and(|fields| {
            shape
                .map
                .needed()
                .iter()
                .all(|name| fields.contains_key(*name))
        }),
        _ => false,
    }
}

type Object<'a> = std::collections::BTreeMap<String, &'a serde_json::value::RawValue>;

fn object(row: &serde_json::value::RawValue) -> Option<Object<'_>> {
    serde_json::from_str(row.get()).ok()
}

fn read_lines(bytes: &[u8], shape: &Shape, target: &mut Target<'_>) -> Result<(), String> {
    let mut lines = Lines::new(bytes);
    let mut fields = Vec::new();
    let mut wrong = Wrong::default();
    let mut first = lines;
    first.next_into(&mut fields);
    let has_header = shape.form != Form::MaybeHeader || !starts_a_row(&fields);
    let names: Vec<_> = if has_header {
        fields
            .iter()
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect()
    } else {
        shape.names.clone()
    };
    if has_header {
        lines = first;
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let bound = Bound::new(&shape.map, &names, &target.columns()?)?;
    while let Some(line) = lines.next_into(&mut fields) {
        match line {
            Ok(line) => {
                if let Err(what) = target.row(line, &fields, &bound) {
                    wrong.add(line, what);
                }
            }
            Err((line, what)) => wrong.add(line, what.to_owned()),
        }
    }
    wrong.result("line")
}

fn read_rows(found: &Document<'_>, shape: &Shape, target: &mut Target<'_>) -> Result<(), String> {
    let needed = shape.map.needed();
    let names: Vec<&str> = if shape.form == Form::Arrays {
        shape.names.iter().map(String::as_str).collect()
    } else {
        needed
    };
    let bound = Bound::new(&shape.map, &names, &target.columns()?)?;
    let mut wrong = Wrong::default();
    for (row, line) in found.rows.iter().zip(1_u32..) {
        let values: Option<Vec<_>> = if shape.form == Form::Arrays {
            serde_json::from_str::<Vec<&serde_json::value::RawValue>>(row.get()).ok()
        } else {
            object(row).and_then(|fields| {
                names
                    .iter()
                    .map(|name| fields.get(*name).copied())
                    .collect()
            })
        };
        let Some(values) = values else {
            wrong.add(line, format!("is no row of {}", names.join(", ")));
            continue;
        };
        let texts: Vec<_> = values.iter().map(|value| bare(value)).collect();
        let fields: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
        if let Err(what) = target.row(line, &fields, &bound) {
            wrong.add(line, what);
        }
    }
    wrong.result("row")
}

/// The wrong lines of a part.
#[derive(Default)]
pub(super) struct Wrong {
    shown: Vec<(u32, String)>,
    count: usize,
}

impl Wrong {
    #[cold]
    pub(super) fn add(&mut self, line: u32, what: String) {
        self.count += 1;
        if self.shown.len() < SHOWN {
            self.shown.push((line, what));
        }
    }

    pub(super) fn result(self, unit: &str) -> Result<(), String> {
        if self.count == 0 {
            return Ok(());
        }
        let more = self.count - self.shown.len();
        let mut lines: Vec<_> = self
            .shown
            .into_iter()
            .map(|(line, what)| format!("{unit} {line} {what}"))
            .collect();
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        Err(lines.join("; "))
    }
}
